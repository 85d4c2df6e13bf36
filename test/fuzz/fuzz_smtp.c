/*
 * fuzz_smtp.c - the SMTP reply reader on hostile bytes. First byte: piece size. The same stream of replies is
 * read whole and in pieces; codes, texts, bytes used and errors must be the same.
 */
#include <stdlib.h>
#include <string.h>

#include "checkd/smtp_reply.h"
#include "common/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
    uint64_t hash;
    size_t replies, used;
    enum smtp_progress end;
    enum smtp_error error;
};

static void mix(struct seen *s, const void *p, size_t len)
{
    s->hash = hash_bytes(s->hash, p, len);
}

static void run(const uint8_t *data, size_t len, size_t piece, struct seen *s)
{
    struct smtp_reply r;

    memset(s, 0, sizeof *s);
    smtp_reply_init(&r);
    while (s->used < len && s->end != SMTP_FAILED) {
        size_t n = len - s->used < piece ? len - s->used : piece, used;

        s->end = smtp_reply_feed(&r, data + s->used, n, &used);
        if (used > n || (s->end == SMTP_MORE && used != n) || strlen(r.text) >= SMTP_TEXT_MAX)
            abort();
        s->used += used;
        if (s->end != SMTP_DONE)
            continue;
        if (r.code < 200 || r.code > 599 || r.bytes > SMTP_REPLY_MAX)
            abort();
        mix(s, &r.code, sizeof r.code);
        mix(s, r.text, strlen(r.text));
        s->replies++;
        smtp_reply_init(&r);
    }
    s->error = r.error;
    if ((s->end == SMTP_FAILED) != (r.error != SMTP_ERROR_NONE))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct seen a, b;

    if (len < 1)
        return 0;
    run(data + 1, len - 1, len, &a);
    run(data + 1, len - 1, (size_t)data[0] % 31 + 1, &b);
    if (a.hash != b.hash || a.replies != b.replies || a.error != b.error || a.used != b.used)
        abort();
    return 0;
}
