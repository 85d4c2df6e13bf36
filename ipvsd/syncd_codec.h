/*
 * syncd_codec.h - the kernel's connection sync daemons as values: what the configuration asks for, what runs,
 * what must be done. Pure functions; the reader of the kernel's answer is fuzzed. Called by syncd.c.
 */
#ifndef HOLDFAST_IPVSD_SYNCD_CODEC_H
#define HOLDFAST_IPVSD_SYNCD_CODEC_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

enum syncd_kind { SYNCD_MASTER, SYNCD_BACKUP, SYNCD_KINDS };

/* Of a wish: 0 (group: family 0) leaves it to the kernel. */
struct syncd_params {
    char ifname[IFNAMSIZ];
    uint8_t id, ttl;
    uint16_t maxlen, port;
    struct ipaddr group;
};

struct syncd_wish {
    bool configured;
    struct syncd_params p;
    char inst[256]; /* "": runs as both, always */
};

struct syncd_running {
    bool there;
    struct syncd_params p;
};

void syncd_read(struct syncd_wish *w, const struct slice *s);
bool syncd_wish_same(const struct syncd_wish *a, const struct syncd_wish *b);
/* Does what runs do what is wished? */
bool syncd_fits(const struct syncd_params *wish, const struct syncd_params *running);

/* want: which kinds shall run; mine: those that run are ours, so what is not wanted stops. */
struct syncd_plan {
    bool stop[SYNCD_KINDS], start[SYNCD_KINDS]; /* stops before starts */
};
struct syncd_plan syncd_plan(const struct syncd_params *wish, const bool want[SYNCD_KINDS],
                             const struct syncd_running have[SYNCD_KINDS], bool mine);

struct nl_msg;
struct nl_msg *syncd_msg_start(uint16_t family, enum syncd_kind k, const struct syncd_params *p);
struct nl_msg *syncd_msg_stop(uint16_t family, enum syncd_kind k, const struct syncd_params *p);
struct nl_msg *syncd_msg_dump(uint16_t family);

struct syncd_walk {
    uint32_t seq;
    struct syncd_running have[SYNCD_KINDS];
    bool done;
    int error; /* errno */
};
void syncd_walk(void *buf, size_t len, struct syncd_walk *w); /* buf is aligned for a netlink header */

#endif
