/*
 * wire_senders.c - who speaks for which virtual router, and whether two do so at once. Pure; a wire full of
 * forged senders costs WIRE_SENDERS entries. See wire.h.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/ctl/wire.h"

#define WIRE_TURNS 2 /* each has spoken right after the other so often: no take-over looks like that */
#define WIRE_ALONE 3 /* one that has the word so long in a row is the only one */

static bool wire_same_router(const struct wire_sender *a, const struct wire_sender *b)
{
    return a->family == b->family && a->vrid == b->vrid && a->vlan == b->vlan;
}

static int wire_by_address(const void *a, const void *b)
{
    return ipaddr_cmp(a, b);
}

static struct wire_sender *wire_find(struct wire *w, const struct wire_advert *a)
{
    for (size_t i = 0; i < w->n; i++) {
        struct wire_sender *s = &w->s[i];
        if (s->family == a->rx.family && s->vrid == a->view.vrid && s->vlan == a->vlan &&
            ipaddr_same(&s->src, &a->rx.src))
            return s;
    }
    return NULL;
}

static void wire_vips(struct wire_sender *s, const struct wire_advert *a)
{
    size_t alen = a->rx.family == 6 ? 16 : 4;
    free(s->vips);
    s->vips = NULL;
    s->nvips = 0;
    if (!a->body || a->view.addrs == NULL || a->view.count == 0)
        return;
    s->vips = xcalloc(a->view.count, sizeof *s->vips);
    for (; s->nvips < a->view.count; s->nvips++) {
        struct ipaddr *ip = &s->vips[s->nvips];
        ip->family = a->rx.family;
        ip->plen = (uint8_t)(alen * 8);
        memcpy(ip->b, a->view.addrs + s->nvips * alen, alen);
    }
    qsort(s->vips, s->nvips, sizeof *s->vips, wire_by_address);
}

static bool wire_same_vips(const struct wire_sender *s, const struct wire_sender *o)
{
    if (s->nvips != o->nvips)
        return false;
    for (size_t i = 0; i < s->nvips; i++)
        if (!ipaddr_same(&s->vips[i], &o->vips[i]))
            return false;
    return true;
}

/* True: it says something else than before. */
static bool wire_update(struct wire_sender *s, const struct wire_advert *a)
{
    struct wire_sender was = *s;
    const struct packet_view *v = &a->view;
    was.vips = NULL;
    s->version = v->version;
    s->auth_type = v->auth_type;
    s->interval_ns = v->interval_ns;
    s->dst = a->rx.dst;
    s->ah = a->ah;
    s->trailer = a->trailer;
    s->plain = a->plain;
    if (v->priority != 0)
        s->priority = v->priority;
    memset(s->auth, 0, sizeof s->auth);
    if (a->body && v->auth != NULL)
        memcpy(s->auth, v->auth, sizeof s->auth);
    struct wire_sender old = { .vips = s->vips, .nvips = s->nvips };
    s->vips = NULL;
    wire_vips(s, a);
    bool other = !wire_same_vips(s, &old);
    free(old.vips);
    return other || s->version != was.version || s->auth_type != was.auth_type ||
           s->interval_ns != was.interval_ns || s->priority != was.priority || s->ah != was.ah ||
           s->trailer != was.trailer || memcmp(s->auth, was.auth, sizeof s->auth) != 0;
}

bool wire_is_split(const struct wire *w, size_t a, size_t b)
{
    return a != b && wire_same_router(&w->s[a], &w->s[b]) && w->s[a].turns >= WIRE_TURNS &&
           w->s[b].turns >= WIRE_TURNS;
}

static bool wire_any_split(const struct wire *w, size_t who)
{
    for (size_t i = 0; i < w->n; i++)
        if (wire_is_split(w, who, i))
            return true;
    return false;
}

/* Who has the word: it is taken by turns only when two believe to be MASTER. */
static bool wire_turn(struct wire *w, size_t who)
{
    struct wire_sender *s = &w->s[who];
    bool before = wire_any_split(w, who), another = false;
    for (size_t i = 0; i < w->n; i++) {
        struct wire_sender *o = &w->s[i];
        if (i == who || !wire_same_router(o, s))
            continue;
        another = another || o->row > 0;
        o->row = 0;
    }
    s->row++;
    if (another)
        s->turns++;
    for (size_t i = 0; i < w->n && s->row >= WIRE_ALONE; i++)
        if (wire_same_router(&w->s[i], s))
            w->s[i].turns = 0;
    return !before && wire_any_split(w, who);
}

enum wire_news wire_hear(struct wire *w, const struct wire_advert *a, const uint8_t mac[WIRE_MAC], bool own,
                         uint64_t now_ns, size_t *who)
{
    struct wire_sender *s = wire_find(w, a);
    bool fresh = s == NULL, changed;
    w->adverts++;
    *who = 0;
    if (fresh && w->n == WIRE_SENDERS) {
        w->ignored++;
        return WIRE_SAME;
    }
    if (fresh) {
        w->s = xrealloc(w->s, (w->n + 1) * sizeof *w->s);
        s = &w->s[w->n++];
        *s = (struct wire_sender){ .src = a->rx.src, .vlan = a->vlan, .family = a->rx.family };
        s->vrid = a->view.vrid;
        s->first_ns = now_ns;
        memcpy(s->mac, mac, WIRE_MAC);
    }
    *who = (size_t)(s - w->s);
    s->two_macs = s->two_macs || memcmp(s->mac, mac, WIRE_MAC) != 0;
    s->own = s->own || own;
    s->last_ns = now_ns;
    s->adverts++;
    s->bad_checksum += a->bad_checksum;
    s->bad_length += a->bad_length;
    s->bad_ttl += a->bad_ttl;
    changed = wire_update(s, a);
    if (a->view.priority == 0) { /* it goes: the word is free */
        s->resigned++;
        s->row = s->turns = 0;
        return WIRE_RESIGNED;
    }
    if (wire_turn(w, *who))
        return WIRE_SPLIT;
    return fresh ? WIRE_NEW : changed ? WIRE_CHANGED : WIRE_SAME;
}

void wire_free(struct wire *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->s[i].vips);
    free(w->s);
    *w = (struct wire){ 0 };
}
