/*
 * bfd_conf.c - what a slice says of a BFD session, and which two say the same: one session goes on over a
 * reload when its name and its ends are the same. Pure. Called by bfd_life.c; bfd_life_prepare by life.c.
 */
#include <string.h>

#include "vrrpd/bfd_int.h"

int bfd_life_prepare(const struct slice *next, struct err *e)
{
    struct ipaddr dst;
    for (const struct slice_obj *o = slice_next(next, NULL, BLK_BFD, SLICE_ANY_PARENT); o != NULL;
         o = slice_next(next, o, BLK_BFD, SLICE_ANY_PARENT))
        if (!slice_ip(o, KW_BFD_NEIGHBOR_IP, &dst) || strlen(o->name) > BFD_NAME_MAX)
            return err_set(e, "HF-SLICE", o->name,
                           "line %u: a BFD session without neighbour, or with too long a name", o->line);
    return 0;
}

static uint32_t bfd_us(const struct slice_obj *o, enum kw kw, uint64_t dflt_us)
{
    uint64_t us = slice_ns(o, kw, dflt_us * NS_PER_US) / NS_PER_US;
    return us > UINT32_MAX ? UINT32_MAX : us == 0 ? 1 : (uint32_t)us;
}

void bfd_sess_read(struct bfd_sess *s, struct bfd_cfg *cfg, const struct slice_obj *o)
{
    int64_t hops = slice_int(o, KW_BFD_MAX_HOPS, 0);
    bool vrrp = slice_bool(o, KW_BFD_VRRP, false), checker = slice_bool(o, KW_BFD_CHECKER, false);
    s->id = o->id;
    memset(s->name, 0, sizeof s->name);
    memcpy(s->name, o->name, strnlen(o->name, BFD_NAME_MAX));
    slice_ip(o, KW_BFD_NEIGHBOR_IP, &s->dst);
    if (!slice_ip(o, KW_BFD_SOURCE_IP, &s->src))
        s->src = (struct ipaddr){ .family = 0 };
    s->multihop = slice_bool(o, KW_BFD_MULTIHOP, false);
    s->ttl = (uint8_t)slice_uint(o, KW_BFD_TTL, 255);
    s->min_ttl = hops < 0 || hops > s->ttl ? 0 : (uint8_t)(s->ttl - hops);
    s->vrrp = vrrp || !checker;
    s->checker = checker || !vrrp;
    *cfg = (struct bfd_cfg){ .min_tx = bfd_us(o, KW_BFD_MIN_TX, 10000),
                             .min_rx = bfd_us(o, KW_BFD_MIN_RX, 10000),
                             .idle_tx = bfd_us(o, KW_BFD_IDLE_TX, 1000000),
                             .mult = (uint8_t)slice_uint(o, KW_BFD_MULTIPLIER, 5),
                             .passive = slice_bool(o, KW_BFD_PASSIVE, false) };
}

bool bfd_sess_same(const struct bfd_sess *a, const struct bfd_sess *b)
{
    return strcmp(a->name, b->name) == 0 && ipaddr_same(&a->src, &b->src) && ipaddr_same(&a->dst, &b->dst) &&
           a->multihop == b->multihop;
}

bool bfd_cfg_same(const struct bfd_cfg *a, const struct bfd_cfg *b)
{
    return a->min_tx == b->min_tx && a->min_rx == b->min_rx && a->idle_tx == b->idle_tx &&
           a->mult == b->mult && a->passive == b->passive;
}
