/* bfd_snapshot.c - see bfd_snapshot.h. One walk serves both directions, so they cannot disagree. */
#include "vrrpd/bfd_snapshot.h"

#include <errno.h>
#include <string.h>

#define BFD_SNAPSHOT_MAGIC   0x42u /* 'B' */
#define BFD_SNAPSHOT_VERSION 1

struct bfd_walk {
    uint8_t *out;      /* writing */
    const uint8_t *in; /* reading, when out is NULL */
    size_t at, len;
    bool bad;
};

static void bfd_walk_bytes(struct bfd_walk *w, void *p, size_t n)
{
    if (w->bad || w->len - w->at < n) {
        w->bad = true;
        return;
    }
    if (w->out != NULL)
        memcpy(w->out + w->at, p, n);
    else
        memcpy(p, w->in + w->at, n);
    w->at += n;
}

static void bfd_walk_uint(struct bfd_walk *w, uint64_t *v, unsigned int bytes)
{
    uint8_t b[8];
    for (unsigned int i = 0; i < bytes; i++)
        b[i] = (uint8_t)(*v >> (8 * i));
    bfd_walk_bytes(w, b, bytes);
    if (w->out != NULL || w->bad)
        return;
    *v = 0;
    for (unsigned int i = 0; i < bytes; i++)
        *v |= (uint64_t)b[i] << (8 * i);
}

static void bfd_walk_u32(struct bfd_walk *w, uint32_t *v)
{
    uint64_t x = *v;
    bfd_walk_uint(w, &x, 4);
    *v = (uint32_t)x;
}

/* A small number of at most most. */
static uint8_t bfd_walk_small(struct bfd_walk *w, uint8_t v, uint8_t most)
{
    bfd_walk_bytes(w, &v, 1);
    if (v > most)
        w->bad = true;
    return v;
}

static void bfd_walk_text(struct bfd_walk *w, char *s)
{
    uint8_t n = bfd_walk_small(w, w->out != NULL ? (uint8_t)strnlen(s, BFD_NAME_MAX) : 0, BFD_NAME_MAX);
    bfd_walk_bytes(w, s, w->bad ? 0 : n);
    if (w->out == NULL && !w->bad) {
        s[n] = '\0';
        w->bad = strlen(s) != n;
    }
}

static void bfd_walk_addr(struct bfd_walk *w, struct ipaddr *a)
{
    uint8_t family = bfd_walk_small(w, a->family, 6);
    if (family != 0 && family != 4 && family != 6)
        w->bad = true;
    if (w->bad)
        return;
    a->family = family;
    bfd_walk_bytes(w, a->b, ipaddr_len(a));
    if (w->out == NULL)
        a->plen = family == 4 ? 32 : family == 6 ? 128 : 0;
}

static void bfd_walk_all(struct bfd_walk *w, struct bfd_snapshot *s)
{
    struct bfd_saved *v = &s->saved;
    struct bfd_remote *r = &v->remote;
    bfd_walk_text(w, s->name);
    bfd_walk_addr(w, &s->src);
    bfd_walk_addr(w, &s->dst);
    s->multihop = bfd_walk_small(w, s->multihop, 1) != 0;
    v->state = (enum bfd_state)bfd_walk_small(w, (uint8_t)v->state, BFD_UP);
    v->diag = bfd_walk_small(w, v->diag, 0x1f);
    v->known = bfd_walk_small(w, v->known, 1) != 0;
    v->up = bfd_walk_small(w, v->up, 1) != 0;
    r->state = (enum bfd_state)bfd_walk_small(w, (uint8_t)r->state, BFD_UP);
    r->diag = bfd_walk_small(w, r->diag, 0x1f);
    r->demand = bfd_walk_small(w, r->demand, 1) != 0;
    r->mult = bfd_walk_small(w, r->mult, 255);
    bfd_walk_u32(w, &v->disc);
    bfd_walk_u32(w, &r->disc);
    bfd_walk_u32(w, &r->min_tx);
    bfd_walk_u32(w, &r->min_rx);
    bfd_walk_u32(w, &v->tx_us);
    bfd_walk_u32(w, &v->rx_us);
    bfd_walk_uint(w, &v->stats.sent, 8);
    bfd_walk_uint(w, &v->stats.received, 8);
    bfd_walk_uint(w, &v->stats.ups, 8);
    bfd_walk_uint(w, &v->stats.downs, 8);
}

bool bfd_snapshot_is(const uint8_t *buf, size_t len)
{
    return len > 0 && buf[0] == BFD_SNAPSHOT_MAGIC;
}

int bfd_snapshot_encode(const struct bfd_snapshot *s, uint8_t buf[BFD_SNAPSHOT_MAX])
{
    struct bfd_snapshot copy = *s; /* the walk takes one type of pointer for both directions */
    buf[0] = BFD_SNAPSHOT_MAGIC;
    buf[1] = BFD_SNAPSHOT_VERSION;
    struct bfd_walk w = { .out = buf, .at = 2, .len = BFD_SNAPSHOT_MAX };
    bfd_walk_all(&w, &copy);
    if (w.bad) {
        errno = EINVAL;
        return -1;
    }
    return (int)w.at;
}

int bfd_snapshot_decode(const uint8_t *buf, size_t len, struct bfd_snapshot *out)
{
    struct bfd_walk w = { .in = buf, .at = 2, .len = len };
    memset(out, 0, sizeof *out);
    if (len < 2 || buf[0] != BFD_SNAPSHOT_MAGIC || buf[1] != BFD_SNAPSHOT_VERSION)
        w.bad = true;
    else
        bfd_walk_all(&w, out);
    if (w.bad || w.at != len) {
        errno = EINVAL;
        return -1;
    }
    return 0;
}
