/*
 * mail_int.h - inside of the alert mail: the one context and its configuration. Shared by mail.c,
 * mail_config.c and mail_office.c only.
 */
#ifndef HOLDFAST_CHECKD_MAIL_INT_H
#define HOLDFAST_CHECKD_MAIL_INT_H

#include "checkd/mail.h"
#include "checkd/mail_lookup.h"
#include "checkd/mail_message.h"
#include "checkd/mail_queue.h"
#include "checkd/mail_session.h"
#include "common/log.h"

#define MAIL_RCPT_MAX  64 /* bits of mail_item.done */
#define MAIL_NAMES_MAX 16

/* What a slice says about mail; owns all of it. */
struct mail_config {
    bool on; /* there is a server and somebody to write to */
    bool no_faults, no_checkers;
    struct mail_server server;
    char *where; /* "mail.example.com port 25", for the log */
    char *router_id, *from, *helo, *user, *password, *tls_name;
    char *from_env;
    char *to[MAIL_RCPT_MAX], *to_env[MAIL_RCPT_MAX];
    size_t nto;
    struct ipaddr addrs[MAIL_LOOKUP_ADDRS], resolvers[MAIL_LOOKUP_ADDRS];
    size_t naddrs, nresolvers;
    char *names[MAIL_NAMES_MAX]; /* asked of the resolvers when addrs is empty */
    size_t nnames;
    size_t limit;
    uint64_t max_age;
};

struct mail {
    struct ev *ev;
    struct tls_store *tls;
    const struct slice *slice;      /* in force; NULL before the first commit */
    struct mail_config *now, *next; /* next: between prepare and commit or abort */
    struct mail_config *retired;    /* the dialogue that goes on began with it */
    struct mail_queue queue;
    struct mail_session session;
    struct mail_lookup lookup;
    struct ev_timer timer;
    struct ipaddr addrs[MAIL_LOOKUP_ADDRS]; /* to be tried, in this order */
    size_t naddrs, addr;
    uint32_t failures;      /* in a row, each over all addresses */
    uint64_t hold_until;    /* nobody is called before */
    struct mail_item *item; /* in hand */
    char *data;             /* its text on the wire */
    uint64_t stop_at;       /* 0: not stopping */
    void (*stopped)(void *arg);
    void *stopped_arg;
    uint64_t lost_told; /* overflowed entries that have been mailed about */
    uint64_t delivered, refused, failed;
    uint64_t id; /* of this process, for Message-IDs */
    struct log_limit failed_limit, refused_limit, lost_limit;
};

/* NULL with e: refused. */
struct mail_config *mail_config_new(struct tls_store *tls, const struct slice *s, struct err *e);
void mail_config_free(struct mail_config *c); /* NULL: nothing */

/* mail_office.c */
void mail_office_init(struct mail *m);
void mail_office_kick(struct mail *m);    /* something new waits */
void mail_office_changed(struct mail *m); /* now is another one: try it at once */
void mail_office_close(struct mail *m);

#endif
