/*
 * smtp_reply.c - see smtp_reply.h. Trusts nothing it is fed. Called by check_smtp.c with what a server sent.
 * Lines may end in LF alone (sloppy servers are not down); a line's text may be of any length below the limit
 * of the whole reply, it is not kept.
 */
#include "checkd/smtp_reply.h"

#include <string.h>

void smtp_reply_init(struct smtp_reply *r)
{
    memset(r, 0, sizeof *r);
}

static enum smtp_progress fail(struct smtp_reply *r, enum smtp_error e)
{
    r->error = e;
    r->progress = SMTP_FAILED;
    return SMTP_FAILED;
}

static enum smtp_progress line_end(struct smtp_reply *r)
{
    if (r->column < 3)
        return fail(r, SMTP_ERROR_CODE);
    if (r->first == 0)
        r->first = r->digits;
    else if (r->first != r->digits)
        return fail(r, SMTP_ERROR_MIXED);
    if (r->more) {
        r->column = 0;
        r->digits = 0;
        r->more = false;
        return SMTP_MORE;
    }
    r->code = r->first;
    r->progress = SMTP_DONE;
    return SMTP_DONE;
}

/* The text is evidence for the log: nothing but printable ASCII gets there. */
static void keep(struct smtp_reply *r, unsigned char c)
{
    if (r->text_len + 1u >= sizeof r->text)
        return;
    r->text[r->text_len++] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
    r->text[r->text_len] = '\0';
}

static enum smtp_progress octet(struct smtp_reply *r, unsigned char c)
{
    if (c == '\n')
        return line_end(r);
    if (r->column < 3) {
        if (c < '0' || c > '9' || (r->column == 0 && (c < '2' || c > '5')))
            return fail(r, SMTP_ERROR_CODE);
        r->digits = (uint16_t)(r->digits * 10 + (c - '0'));
        r->column++;
        r->text_len = 0;
        r->text[0] = '\0';
        return SMTP_MORE;
    }
    if (r->column == 3) {
        if (c != ' ' && c != '-' && c != '\r')
            return fail(r, SMTP_ERROR_SEPARATOR);
        r->more = c == '-';
        r->column++;
        return SMTP_MORE;
    }
    if (c != '\r')
        keep(r, c);
    return SMTP_MORE;
}

enum smtp_progress smtp_reply_feed(struct smtp_reply *r, const void *buf, size_t len, size_t *used)
{
    const unsigned char *p = buf;

    *used = 0;
    while (r->progress == SMTP_MORE && *used < len) {
        if (++r->bytes > SMTP_REPLY_MAX)
            return fail(r, SMTP_ERROR_TOO_LARGE);
        octet(r, p[(*used)++]);
    }
    return r->progress;
}

const char *smtp_error_text(enum smtp_error e)
{
    switch (e) {
    case SMTP_ERROR_NONE: return "no error";
    case SMTP_ERROR_CODE: return "the reply begins with no SMTP code";
    case SMTP_ERROR_SEPARATOR: return "no blank or '-' behind the SMTP code";
    case SMTP_ERROR_MIXED: return "the lines of one reply carry different codes";
    case SMTP_ERROR_TOO_LARGE: return "the reply is larger than 64 KiB";
    }
    return "?";
}
