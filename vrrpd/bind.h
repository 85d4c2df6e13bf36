/*
 * bind.h - from a slice (common/slice.h) to what the engines need: one struct bind_vi an instance, with
 * everything resolved and owned, comparable to its former self at reload. holdfast-conf has checked ranges
 * and references; what cannot work here (a kind of authentication whose engine is missing) is a fault of the
 * instance with a reason, never silently something weaker. Called by life.c, reload.c, plan.c and inst.c.
 */
#ifndef HOLDFAST_VRRPD_BIND_H
#define HOLDFAST_VRRPD_BIND_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"
#include "vrrpd/checks.h"
#include "vrrpd/engine.h"
#include "vrrpd/track.h"

struct bind_vi {
    uint32_t id;
    char *name;
    char *sock;              /* name of its BLK_SOCKET; both lie behind addrs */
    char iface[IF_NAMESIZE]; /* "" for unicast without one */
    char vmac[IF_NAMESIZE];  /* its macvlan, "": none */
    bool ipvlan;             /* that is an ipvlan */
    bool xmit_base;          /* adverts leave by iface all the same */
    uint8_t vrid, family;
    struct engine_cfg engine;
    struct check_cfg check; /* addrs and peers point to the arrays below */
    struct ipaddr *addrs;
    size_t listed;      /* of addrs; check.naddrs of them fit into an advert, see inst_fit */
    uint32_t fitted_to; /* the interface (ifindex) this is known for, 0: none so far */
    struct check_peer *peers;
    struct auth *sign; /* AH or auth_hmac, NULL: neither */
    struct ipaddr src; /* configured source, family 0: the interface's primary address */
    int ttl;           /* of what is sent; -1: as the socket has it */
    bool smtp_alert;   /* checkd mails its transitions */
    bool needs_src;    /* a configured source has to be on this machine to begin with */
    bool track_src;    /* and to stay there */
    bool strict, accept, dont_track_primary, promote_secondaries, start_master;
    uint64_t garp_delay, garp_refresh, garp_lower_delay; /* for dumps; ipvsd acts on them */
    uint32_t garp_repeat, garp_refresh_repeat, garp_lower_repeat;
    uint32_t rx_buf, debug;   /* for dumps as well */
    char *group;              /* its sync group, NULL: none */
    struct track_line *lines; /* what it tracks, its group's trackers included */
    size_t nlines;
    const char *broken; /* a reason why it must stay in FAULT, or NULL */
};

struct bind_global {
    uint64_t startup_delay, delay_after_boot;
    bool log_unknown_vrids;
};

struct bind_vi *bind_vi_new(const struct slice *s, const struct slice_obj *o,
                            struct err *e); /* NULL: refused */
void bind_vi_free(struct bind_vi *b);
bool bind_vi_same(const struct bind_vi *a, const struct bind_vi *b); /* ids aside */
bool bind_vi_same_router(const struct bind_vi *a,
                         const struct bind_vi *b); /* mastership may be carried over */
bool bind_vi_same_packet(const struct bind_vi *a, const struct bind_vi *b); /* what is on the wire */

/* track_bind.c: sync group and trackers of an instance. */
void track_bind(struct bind_vi *b, const struct slice *s, const struct slice_obj *o);
void track_bind_free(struct bind_vi *b);
bool track_bind_same(const struct bind_vi *a, const struct bind_vi *b);

void bind_global(const struct slice *s, struct bind_global *out);

#endif
