/*
 * mail.h - alert mail: for real servers, virtual servers, VRRP instances and groups. The rest of checkd says
 * what happened to which object of the slice in force; whether somebody wants to be told, in which words, and
 * how it gets to the mail server is decided here. Nothing here waits: an event costs a look-up and an entry
 * in a bounded queue, the dialogue runs from the event loop.
 *
 * mail.c: events to entries. mail_message.c: text (pure). mail_queue.c: what waits (pure). mail_office.c:
 * when to try whom. mail_session.c: one SMTP dialogue. mail_lookup.c: the address of the mail server.
 */
#ifndef HOLDFAST_CHECKD_MAIL_H
#define HOLDFAST_CHECKD_MAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/ev.h"
#include "common/slice.h"

struct mail;
struct tls_store;

/* Before the jail: the time zone, for the Date header. */
void mail_pre_jail(void);

/* tls: where contexts come from, outlives the mail. Nothing is mailed before the first commit. */
struct mail *mail_new(struct ev *ev, struct tls_store *tls);

/* Decode aside, then swap; what waits stays and goes to the new recipients by the new server. now must stay
 * valid until the next commit has returned. */
int mail_prepare(struct mail *m, const struct slice *next, struct err *e);
void mail_commit(struct mail *m, const struct slice *now);
void mail_abort(struct mail *m);

/* A server was added to or removed from service by its checks. reason: one line, may carry what a hostile
 * server said. */
void mail_server_event(struct mail *m, uint32_t rs, bool up, const char *reason);
/* One checker of a server that has several changed its mind (kind: "TCP_CHECK"). A server with one checker
 * has its server event, which says it all. */
void mail_checker_event(struct mail *m, uint32_t rs, const char *kind, bool up, const char *reason);

struct mail_quorum {
    uint64_t live, quorum, hysteresis; /* live: weight of the live servers */
};
/* A service gained or lost its quorum. */
void mail_service_event(struct mail *m, uint32_t vs, bool up, const struct mail_quorum *q);

/* Said by vrrpd (message alert): obj is an instance or a group, state an enum vrrp_state or
 * MAIL_VRRP_DELETED. -1: obj is neither. */
#define MAIL_VRRP_DELETED 5
int mail_vrrp_event(struct mail *m, uint32_t obj, unsigned int state);

/* The process ends: what waits gets this long, then done is called (from the loop, or at once when nothing
 * waits). */
void mail_stop(struct mail *m, uint64_t patience_ns, void (*done)(void *arg), void *arg);

void mail_dump(const struct mail *m, int fd); /* "name = value" lines of the state dump */

#endif
