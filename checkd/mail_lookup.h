/*
 * mail_lookup.h - the addresses of a host name, asked of the name servers the configuration test found in
 * resolv.conf: checkd has no files, so it cannot use the C library's resolver. UDP, one question at a time,
 * each name A then AAAA; two rounds over the servers. The reader of answers is pure and fuzzed. Called by
 * mail_office.c.
 */
#ifndef HOLDFAST_CHECKD_MAIL_LOOKUP_H
#define HOLDFAST_CHECKD_MAIL_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkd/dns_msg.h"
#include "common/addr.h"
#include "common/ev.h"

#define MAIL_LOOKUP_ADDRS 8
#define MAIL_LOOKUP_PORT  53

/* Addresses of type (1 A, 28 AAAA) in a reply to the question (name encoded): those that belong to the name,
 * aliases followed. At most max of them; -1: no answer to this question, or broken. */
int mail_lookup_read(const void *buf, size_t len, uint16_t id, const uint8_t *name, size_t name_len,
                     uint16_t type, struct ipaddr *out, size_t max);

struct mail_lookup;
/* n addresses, or none and why. From the loop. */
typedef void mail_lookup_fn(void *arg, const struct ipaddr *a, size_t n, const char *why);

struct mail_lookup {
    struct ev *ev;
    struct ev_io *io;
    int fd;
    struct ev_timer timer;
    mail_lookup_fn *fn;
    void *arg;
    bool active, answered;    /* answered: some server had something to say about this name */
    const char *const *names; /* the caller's, stay until the end */
    size_t nnames;
    const struct ipaddr *servers;
    size_t nservers;
    uint16_t port;
    size_t name, server, round;
    uint16_t type, id;
    uint8_t question[DNS_NAME_MAX];
    size_t question_len;
    struct ipaddr found[MAIL_LOOKUP_ADDRS];
    size_t nfound;
    char why[160];
};

void mail_lookup_init(struct mail_lookup *l, struct ev *ev);
void mail_lookup_start(struct mail_lookup *l, const char *const *names, size_t nnames,
                       const struct ipaddr *servers, size_t nservers, mail_lookup_fn *fn, void *arg);
void mail_lookup_abandon(struct mail_lookup *l);

#endif
