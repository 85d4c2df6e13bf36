/*
 * mail_message.c - see mail_message.h. Trusts nothing of what it is given but its NUL. Called by mail.c
 * (subjects, bodies) and mail_session.c (the whole).
 */
#include "checkd/mail_message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define WORD_BYTES 45 /* of an encoded word, before encoding: 60 characters after it */
#define QP_LINE    72

/* Control characters become blanks: whatever a name or reason holds, it stays on its line. */
static void clean(char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
}

static bool is_ascii(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] >= 0x80)
            return false;
    return true;
}

void mail_text_frame(char out[MAIL_TEXT_MAX], const char *fmt, ...)
{
    static const char end[] = " <=";
    va_list ap;
    memcpy(out, "=> ", 4);
    va_start(ap, fmt);
    vsnprintf(out + 3, MAIL_TEXT_MAX - 3 - (sizeof end - 1), fmt, ap);
    va_end(ap);
    clean(out);
    size_t n = strlen(out);
    while (n > 3 && out[n - 1] == ' ')
        n--;
    memcpy(out + n, end, sizeof end);
}

void mail_subject(char out[MAIL_SUBJECT_MAX], const char *router_id, const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(out, MAIL_SUBJECT_MAX, "[%s] ", router_id);
    if (n > 0 && n < MAIL_SUBJECT_MAX) {
        va_start(ap, fmt);
        vsnprintf(out + n, MAIL_SUBJECT_MAX - (size_t)n, fmt, ap);
        va_end(ap);
    }
    clean(out);
}

int mail_envelope(const char *address, char out[MAIL_ENVELOPE_MAX])
{
    const char *open = strrchr(address, '<'), *from = address;
    size_t len = strlen(address);
    if (open != NULL) {
        const char *close = strchr(open, '>');
        if (close == NULL)
            return -1;
        from = open + 1;
        len = (size_t)(close - from);
    }
    if (len == 0 || len >= MAIL_ENVELOPE_MAX)
        return -1;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)from[i] <= ' ' || from[i] == 0x7f || from[i] == '<' || from[i] == '>')
            return -1;
    memcpy(out, from, len);
    out[len] = '\0';
    return 0;
}

void mail_base64(const void *p, size_t len, char *out, size_t size)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *b = p;
    size_t o = 0;
    if (size < 4 * ((len + 2) / 3) + 1)
        fatal("mail: no room for base64 of %zu bytes", len);
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t v = (uint32_t)b[i] << 16;
        v |= left > 1 ? (uint32_t)b[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)b[i + 2] : 0;
        out[o++] = digit[v >> 18 & 63];
        out[o++] = digit[v >> 12 & 63];
        out[o++] = left > 1 ? digit[v >> 6 & 63] : '=';
        out[o++] = left > 2 ? digit[v & 63] : '=';
    }
    out[o] = '\0';
}

/* ---- growing text */

struct text {
    char *p;
    size_t len, cap;
};

static void put(struct text *t, const char *s, size_t len)
{
    if (t->len + len + 1 > t->cap) {
        t->cap = (t->len + len + 1) * 2;
        t->p = xrealloc(t->p, t->cap);
    }
    memcpy(t->p + t->len, s, len);
    t->len += len;
    t->p[t->len] = '\0';
}

static void put_str(struct text *t, const char *s)
{
    put(t, s, strlen(s));
}

/* RFC 2047, in words of at most 75 characters, never cutting a character of UTF-8 in two. */
static void put_encoded(struct text *t, const char *s, size_t len)
{
    char word[4 * ((WORD_BYTES + 2) / 3) + 1];
    for (size_t i = 0; i < len;) {
        size_t n = len - i < WORD_BYTES ? len - i : WORD_BYTES;
        while (n > WORD_BYTES - 4 && i + n < len && ((unsigned char)s[i + n] & 0xc0) == 0x80)
            n--;
        put_str(t, i > 0 ? "\r\n =?utf-8?B?" : "=?utf-8?B?");
        mail_base64(s + i, n, word, sizeof word);
        put_str(t, word);
        put_str(t, "?=");
        i += n;
    }
}

/* A header's free text. */
static void put_text(struct text *t, const char *s)
{
    if (is_ascii(s, strlen(s)))
        put_str(t, s);
    else
        put_encoded(t, s, strlen(s));
}

static void put_quoted(struct text *t, const char *s, size_t len)
{
    put_str(t, "\"");
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '"' || s[i] == '\\')
            put_str(t, "\\");
        put(t, s + i, 1);
    }
    put_str(t, "\"");
}

/* An address with or without a display name, in the form a header wants. */
static void put_address(struct text *t, const char *address)
{
    char spec[MAIL_ENVELOPE_MAX];
    const char *open = strrchr(address, '<');
    if (mail_envelope(address, spec) < 0)
        return;
    size_t len = open != NULL ? (size_t)(open - address) : 0;
    const char *name = address;
    while (len > 0 && name[len - 1] == ' ')
        len--;
    while (len > 0 && *name == ' ')
        name++, len--;
    if (len == 0) {
        put_str(t, spec);
        return;
    }
    bool quoted = len > 1 && name[0] == '"' && name[len - 1] == '"';
    if (quoted)
        name++, len -= 2;
    if (!is_ascii(name, len))
        put_encoded(t, name, len);
    else if (quoted || strcspn(name, "()<>[]:;@\\,.\"") < len)
        put_quoted(t, name, len);
    else
        put(t, name, len);
    put_str(t, " <");
    put_str(t, spec);
    put_str(t, ">");
}

/* ---- headers and body */

static void put_date(struct text *t, const struct tm *tm)
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    char buf[96];
    long off = tm->tm_gmtoff / 60, abs = off < 0 ? -off : off;
    snprintf(buf, sizeof buf, "Date: %s, %d %s %d %02d:%02d:%02d %c%02ld%02ld\r\n",
             days[(unsigned int)tm->tm_wday % 7], tm->tm_mday, months[(unsigned int)tm->tm_mon % 12],
             tm->tm_year + 1900, tm->tm_hour, tm->tm_min, tm->tm_sec, off < 0 ? '-' : '+', abs / 60,
             abs % 60);
    put_str(t, buf);
}

static void put_recipients(struct text *t, const struct mail_message *m)
{
    char spec[MAIL_ENVELOPE_MAX];
    bool first = true;
    put_str(t, "To: ");
    for (size_t i = 0; i < m->nto; i++) {
        if (mail_envelope(m->to[i], spec) < 0)
            continue;
        put_str(t, first ? "" : ",\r\n ");
        put_address(t, m->to[i]);
        first = false;
    }
    put_str(t, "\r\n");
}

/* One line, quoted-printable where it is not plain ASCII. */
static void put_body(struct text *t, const char *s, bool plain)
{
    size_t column = 0;
    if (plain) {
        if (s[0] == '.')
            put_str(t, ".");
        put_str(t, s);
        put_str(t, "\r\n");
        return;
    }
    for (; *s != '\0'; s++) {
        char hex[4];
        if (column >= QP_LINE) {
            put_str(t, "=\r\n");
            column = 0;
        }
        bool bare = (unsigned char)*s < 0x80 && *s != '=' && !(column == 0 && *s == '.');
        snprintf(hex, sizeof hex, bare ? "%c" : "=%02X", (unsigned char)*s);
        put_str(t, hex);
        column += strlen(hex);
    }
    put_str(t, "\r\n");
}

char *mail_message_build(const struct mail_message *m, size_t *len)
{
    struct text t = { 0 };
    char buf[128];
    bool plain = is_ascii(m->text, strlen(m->text));
    put_date(&t, &m->at);
    put_str(&t, "From: ");
    put_address(&t, m->from);
    put_str(&t, "\r\nSubject: ");
    put_text(&t, m->subject);
    put_str(&t, "\r\nX-Mailer: Keepalived\r\n"); /* what mail filters of former days look for */
    put_recipients(&t, m);
    snprintf(buf, sizeof buf, "Message-ID: <%016llx.%016llx@", (unsigned long long)m->id[0],
             (unsigned long long)m->id[1]);
    put_str(&t, buf);
    put_str(&t, m->host);
    put_str(&t, ">\r\nAuto-Submitted: auto-generated\r\n");
    if (m->merged > 0) {
        snprintf(buf, sizeof buf, "X-Holdfast-Merged: %u\r\n", m->merged);
        put_str(&t, buf);
    }
    if (!plain)
        put_str(&t, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                    "Content-Transfer-Encoding: quoted-printable\r\n");
    put_str(&t, "\r\n");
    put_body(&t, m->text, plain);
    put_str(&t, ".\r\n");
    *len = t.len;
    return t.p;
}
