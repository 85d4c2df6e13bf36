/*
 * mail_session.h - one SMTP dialogue: connect, TLS as configured, AUTH, one mail after the other, QUIT. A
 * state machine on a non-blocking socket; every step has the configured time. Whatever the server says, the
 * worst is that the dialogue ends with a reason. A password never leaves without TLS unless smtp_tls says
 * off. Called by mail_office.c; answers come from the loop.
 */
#ifndef HOLDFAST_CHECKD_MAIL_SESSION_H
#define HOLDFAST_CHECKD_MAIL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkd/mail_message.h"
#include "checkd/smtp_reply.h"
#include "checkd/tls.h"
#include "common/addr.h"
#include "common/ev.h"

#define MAIL_COMMAND_MAX 2048 /* AUTH with the longest user and password */
#define MAIL_CAPS_MAX    4096 /* of a reply to EHLO; what is beyond is not looked at */
#define MAIL_WHY_MAX     320

enum mail_tls { MAIL_TLS_OFF, MAIL_TLS_STARTTLS, MAIL_TLS_REQUIRED, MAIL_TLS_IMPLICIT };

struct mail_server {
    uint16_t port;
    uint64_t timeout; /* of a step */
    enum mail_tls tls;
    struct tls_ctx *ctx;
    const char *tls_name;               /* the certificate's; NULL: the address */
    const char *helo, *user, *password; /* user NULL: no AUTH */
};

/* A mail on its way. What it points to stays until its verdict. */
struct mail_letter {
    const char *from; /* envelope */
    const char *const *to;
    size_t nto;     /* at most 64 */
    uint64_t *done; /* bits of recipients that need no further try */
    const char *data;
    size_t len;
};

enum mail_result { MAIL_DELIVERED, MAIL_LATER, MAIL_NEVER };

struct mail_session_ops {
    /* The next mail; false: there is none, say QUIT. */
    bool (*next)(void *arg, struct mail_letter *out);
    /* What became of it. LATER: the server said so (4xx). */
    void (*verdict)(void *arg, enum mail_result r, const char *why);
    /* A recipient was refused for good. */
    void (*refused)(void *arg, const char *to, const char *why);
    /* The end. The mail in hand, if any, has had no verdict: it will be tried again. why NULL: all was said.
     */
    void (*ended)(void *arg, const char *why);
};

enum mail_step {
    MAIL_STEP_IDLE,
    MAIL_STEP_CONNECT,
    MAIL_STEP_HANDSHAKE,
    MAIL_STEP_BANNER,
    MAIL_STEP_HELLO,
    MAIL_STEP_HELO,
    MAIL_STEP_STARTTLS,
    MAIL_STEP_AUTH,
    MAIL_STEP_AUTH_USER,
    MAIL_STEP_AUTH_PASSWORD,
    MAIL_STEP_FROM,
    MAIL_STEP_RCPT,
    MAIL_STEP_DATA,
    MAIL_STEP_BODY,
    MAIL_STEP_RESET,
    MAIL_STEP_QUIT,
    MAIL_STEP_MAX
};

struct mail_session {
    struct ev *ev;
    const struct mail_server *server;
    const struct mail_session_ops *ops;
    void *arg;
    enum mail_step step;
    int fd;
    struct ev_io *io;
    struct ev_timer deadline;
    struct tls *tls;
    struct ipaddr addr;
    struct smtp_reply reply;
    bool secure, greeted; /* greeted: over TLS the banner does not come again */
    bool offers_starttls, offers_plain, offers_login;
    const char *out;
    size_t out_len;
    size_t caps_len;
    struct mail_letter letter;
    bool in_hand;
    size_t rcpt;    /* being asked about */
    uint64_t taken; /* bits of recipients the server has accepted for this mail */
    char command[MAIL_COMMAND_MAX];
    char caps[MAIL_CAPS_MAX];
};

void mail_session_init(struct mail_session *s, struct ev *ev);
bool mail_session_active(const struct mail_session *s);
/* server stays valid until the end. */
void mail_session_start(struct mail_session *s, const struct mail_server *server, const struct ipaddr *addr,
                        const struct mail_session_ops *ops, void *arg);
/* At once and quietly; no callback follows. */
void mail_session_abandon(struct mail_session *s);
const char *mail_session_step_name(const struct mail_session *s);

#endif
