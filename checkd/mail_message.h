/*
 * mail_message.h - the text of an alert mail: subjects, bodies, RFC 5322 headers, dot-stuffing. Pure
 * functions on strings; names come from the configuration, reasons may come from a hostile server: neither
 * can add a header or a line.
 */
#ifndef HOLDFAST_CHECKD_MAIL_MESSAGE_H
#define HOLDFAST_CHECKD_MAIL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define MAIL_SUBJECT_MAX  768
#define MAIL_TEXT_MAX     512
#define MAIL_ENVELOPE_MAX 320 /* RFC 5321: 64 + 1 + 255 */

/* Text of a body line: "=> text <=". what: already one line; cleaned here. */
void mail_text_frame(char out[MAIL_TEXT_MAX], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "[ROUTER_ID] ...", cleaned. */
void mail_subject(char out[MAIL_SUBJECT_MAX], const char *router_id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The address for MAIL FROM and RCPT TO: the part in <>, or the whole. -1: no address (empty, blanks, control
 * characters, angle brackets, too long). */
int mail_envelope(const char *address, char out[MAIL_ENVELOPE_MAX]);

struct mail_message {
    const char *from;
    const char *const *to;
    size_t nto;
    const char *subject, *text;
    const char *host; /* right-hand side of the Message-ID */
    uint64_t id[2];   /* its left-hand side: the same at every attempt, so a second copy can be told */
    uint32_t merged;  /* changes of the same object that this mail stands for besides its own */
    struct tm at;     /* local time of the event */
};

/* The whole of DATA, dot-stuffed, with the final "." line. Allocated; *len without a NUL. */
char *mail_message_build(const struct mail_message *m, size_t *len);

/* Base64 of len bytes, NUL-terminated; size at least 4 * ((len + 2) / 3) + 1. */
void mail_base64(const void *p, size_t len, char *out, size_t size);

#endif
