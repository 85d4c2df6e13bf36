/*
 * mail_wire.h - inside of the mail session: bytes in and out, plain or TLS. Shared by mail_session.c and
 * mail_wire.c only.
 */
#ifndef HOLDFAST_CHECKD_MAIL_WIRE_H
#define HOLDFAST_CHECKD_MAIL_WIRE_H

#include "checkd/mail_session.h"

/* Sends, then waits for one reply: mail_session_reply follows. p stays until then. */
void mail_wire_say(struct mail_session *s, const char *p, size_t len);
void mail_wire_listen(struct mail_session *s); /* a reply without having said anything */
void mail_wire_secure(struct mail_session *s); /* TLS from here on; mail_session_up follows */
void mail_wire_end(struct mail_session *s, const char *why);
void mail_wire_fail(struct mail_session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* mail_session.c */
void mail_session_up(struct mail_session *s);
void mail_session_reply(struct mail_session *s, int code);

#endif
