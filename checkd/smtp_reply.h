/*
 * smtp_reply.h - reads one SMTP reply (RFC 5321 section 4.2) from a stream, single or multi-line. A pure
 * state machine on (buffer, length): hostile bytes in, a code out, no heap, no I/O; the result does not
 * depend on how the stream was cut into pieces (the fuzzer holds us to it). Used by SMTP_CHECK and by the
 * alert mailer.
 */
#ifndef HOLDFAST_CHECKD_SMTP_REPLY_H
#define HOLDFAST_CHECKD_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_REPLY_MAX 65536 /* bytes of one reply, all its lines together */
#define SMTP_TEXT_MAX  96    /* what is kept of the last line, for the log */

enum smtp_progress { SMTP_MORE, SMTP_DONE, SMTP_FAILED };

enum smtp_error {
    SMTP_ERROR_NONE,
    SMTP_ERROR_CODE,      /* a line does not begin with three digits, the first 2 to 5 */
    SMTP_ERROR_SEPARATOR, /* what follows the digits is no blank, '-' or line end */
    SMTP_ERROR_MIXED,     /* the lines of one reply carry different codes */
    SMTP_ERROR_TOO_LARGE,
};

struct smtp_reply {
    int code; /* 0 until done */
    enum smtp_error error;
    char text[SMTP_TEXT_MAX]; /* of the line read last, printable ASCII, NUL-terminated */
    /* the machine */
    int first;       /* code of the first line; 0: none yet */
    uint16_t column; /* in the line, stops growing behind the separator */
    uint16_t digits;
    bool more; /* this line ends in '-': another follows */
    uint32_t bytes;
    uint16_t text_len;
    enum smtp_progress progress;
};

void smtp_reply_init(struct smtp_reply *r);

/* Takes the next bytes; *used says how many were this reply's (after SMTP_DONE the rest belongs to the next).
 */
enum smtp_progress smtp_reply_feed(struct smtp_reply *r, const void *buf, size_t len, size_t *used);

const char *smtp_error_text(enum smtp_error e);

#endif
