/* bfd_snapshot.c - see bfd_snapshot.h. One walk serves both directions, so they cannot disagree. */
#include "vrrpd/bfd_snapshot.h"

#include <string.h>

#include "vrrpd/snapwalk.h"

#define BFD_SNAPSHOT_MAGIC   0x42u /* 'B' */
#define BFD_SNAPSHOT_VERSION 1

static void bfd_snapshot_walk(struct snapwalk *w, struct bfd_snapshot *s)
{
    struct bfd_saved *v = &s->saved;
    struct bfd_remote *r = &v->remote;
    snapwalk_text(w, s->name, BFD_NAME_MAX);
    snapwalk_addr(w, &s->src);
    snapwalk_addr(w, &s->dst);
    s->multihop = snapwalk_small(w, s->multihop, 1) != 0;
    v->state = (enum bfd_state)snapwalk_small(w, (uint8_t)v->state, BFD_UP);
    v->diag = snapwalk_small(w, v->diag, 0x1f);
    v->known = snapwalk_small(w, v->known, 1) != 0;
    v->up = snapwalk_small(w, v->up, 1) != 0;
    r->state = (enum bfd_state)snapwalk_small(w, (uint8_t)r->state, BFD_UP);
    r->diag = snapwalk_small(w, r->diag, 0x1f);
    r->demand = snapwalk_small(w, r->demand, 1) != 0;
    r->mult = snapwalk_small(w, r->mult, 255);
    snapwalk_u32(w, &v->disc);
    snapwalk_u32(w, &r->disc);
    snapwalk_u32(w, &r->min_tx);
    snapwalk_u32(w, &r->min_rx);
    snapwalk_u32(w, &v->tx_us);
    snapwalk_u32(w, &v->rx_us);
    snapwalk_u64(w, &v->stats.sent);
    snapwalk_u64(w, &v->stats.received);
    snapwalk_u64(w, &v->stats.ups);
    snapwalk_u64(w, &v->stats.downs);
}

bool bfd_snapshot_is(const uint8_t *buf, size_t len)
{
    return len > 0 && buf[0] == BFD_SNAPSHOT_MAGIC;
}

int bfd_snapshot_encode(const struct bfd_snapshot *s, uint8_t buf[BFD_SNAPSHOT_MAX])
{
    struct bfd_snapshot copy = *s; /* the walk takes one type of pointer for both directions */
    struct snapwalk w = snapwalk_write(buf, BFD_SNAPSHOT_MAX, BFD_SNAPSHOT_MAGIC, BFD_SNAPSHOT_VERSION);
    bfd_snapshot_walk(&w, &copy);
    return snapwalk_end(&w);
}

int bfd_snapshot_decode(const uint8_t *buf, size_t len, struct bfd_snapshot *out)
{
    struct snapwalk w = snapwalk_read(buf, len, BFD_SNAPSHOT_MAGIC, BFD_SNAPSHOT_VERSION);
    memset(out, 0, sizeof *out);
    bfd_snapshot_walk(&w, out);
    return snapwalk_end(&w) < 0 ? -1 : 0;
}
