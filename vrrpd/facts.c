/*
 * facts.c - what ipvsd says: sockets, links, acknowledgements. Form, sender and ranges were checked by
 * proto_decode; ids are looked up here, and what belongs to a generation we have not committed to yet waits
 * in a stash. ipvsd is trusted for facts and sockets (it has the greater privilege), not for silence: nothing
 * here waits for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "vrrpd/bfd_life.h"
#include "vrrpd/vrrpd.h"

#define FACTS_STASH_MAX 65536

struct vrrpd_stash {
    struct chan_msg m;
    union msg_any body;
    int fds[PROTO_MAX_FDS];
    struct vrrpd_stash *next;
};

/* ---- tables */

static void facts_link_news(struct vrrpd *v, const struct vlink *l)
{
    for (size_t n = 0; n < v->ninst; n++)
        if (v->inst[n]->link == l || v->inst[n]->vmac == l || track_uses_link(v->inst[n], l->name))
            inst_evaluate(v->inst[n]);
}

/* It has been up, or down, long enough. */
static void facts_on_delay(struct ev_timer *t, uint64_t now, void *arg)
{
    struct vlink *l = arg;
    (void)t;
    (void)now;
    l->up = l->real_up;
    l->running = l->real_running;
    log_info("interface %s: %s for long enough (interface_up_down_delays)", l->name,
             l->up && l->running ? "up" : "down");
    facts_link_news(l->v, l);
}

struct vlink *facts_link(struct vrrpd *v, const char *name)
{
    struct vlink *l = v->links;
    while (l != NULL && strcmp(l->name, name) != 0)
        l = l->next;
    if (l == NULL) {
        l = xcalloc(1, sizeof *l);
        memcpy(l->name, name, strnlen(name, sizeof l->name - 1));
        l->v = v;
        ev_timer_init(&l->delay, facts_on_delay, l);
        l->next = v->links;
        v->links = l;
    }
    return l;
}

struct vsock *facts_sock(struct vrrpd *v, const char *name)
{
    struct vsock *s = v->socks;
    while (s != NULL && strcmp(s->name, name) != 0)
        s = s->next;
    return s;
}

/* A shorter delay takes effect with the next change; no delay at once. */
static void facts_delays(struct vrrpd *v, const struct slice *s)
{
    for (struct vlink *l = v->links; l != NULL; l = l->next)
        l->down_delay = l->up_delay = 0;
    for (const struct slice_obj *o = slice_next(s, NULL, BLK_UPDOWN, SLICE_ANY_PARENT); o != NULL;
         o = slice_next(s, o, BLK_UPDOWN, SLICE_ANY_PARENT)) {
        struct vlink *l = facts_link(v, o->name);
        l->down_delay = slice_ns(o, KW_UPDOWN_X_DOWN, 0);
        l->up_delay = slice_ns(o, KW_UPDOWN_X_UP, 0);
    }
    for (struct vlink *l = v->links; l != NULL; l = l->next)
        if (l->down_delay == 0 && l->up_delay == 0 && ev_timer_armed(&l->delay))
            ev_timer_in(v->ev, &l->delay, 0);
}

void facts_tables(struct vrrpd *v, const struct slice *s)
{
    for (struct vlink *l = v->links; l != NULL; l = l->next)
        l->id = 0;
    facts_delays(v, s);
    for (struct vsock *k = v->socks; k != NULL; k = k->next)
        k->id = 0;
    for (const struct slice_obj *o = slice_next(s, NULL, BLK_IFACE, SLICE_ANY_PARENT); o != NULL;
         o = slice_next(s, o, BLK_IFACE, SLICE_ANY_PARENT))
        facts_link(v, o->name)->id = o->id;
    for (const struct slice_obj *o = slice_next(s, NULL, BLK_SOCKET, SLICE_ANY_PARENT); o != NULL;
         o = slice_next(s, o, BLK_SOCKET, SLICE_ANY_PARENT)) {
        struct vsock *k = facts_sock(v, o->name);
        if (k == NULL) {
            k = xcalloc(1, sizeof *k);
            io_sock_init(v->io, &k->io, (uint8_t)slice_uint(o, KW_SOCKET_X_FAMILY, 4), k);
            k->name = xstrdup(o->name);
            k->next = v->socks;
            v->socks = k;
        }
        k->id = o->id;
    }
}

/* Sockets the new configuration does not know. What is queued on them (priority 0) leaves first. */
void facts_tables_sweep(struct vrrpd *v)
{
    for (struct vsock **p = &v->socks; *p != NULL;) {
        struct vsock *k = *p;
        if (k->id != 0) {
            p = &k->next;
            continue;
        }
        *p = k->next;
        io_sock_release(&k->io);
        free(k->unknown);
        free(k->name);
        free(k);
    }
}

void facts_index(struct vrrpd *v)
{
    for (struct vsock *k = v->socks; k != NULL; k = k->next)
        memset(k->vrid, 0, sizeof k->vrid);
    for (size_t n = v->ninst; n > 0; n--) { /* the first of the file ends up first in its chain */
        struct inst *i = v->inst[n - 1];
        i->next_vrid = i->sock->vrid[i->b->vrid];
        i->sock->vrid[i->b->vrid] = i;
    }
}

/* ---- messages */

static int facts_on_sock(struct vrrpd *v, const struct chan_msg *m)
{
    const struct msg_sock *s = &m->body->sock;
    struct vsock *k = v->socks;
    while (k != NULL && k->id != s->sock)
        k = k->next;
    if (k == NULL || (s->ok ? m->nfds != 2 : m->nfds != 0))
        return -1;
    k->told = true;
    k->error = (int)s->error;
    if (s->ok) {
        io_sock_attach(&k->io, m->fds[0], m->fds[1]);
        m->fds[0] = m->fds[1] = -1;
    } else {
        log_warn("socket %s: %s; ipvsd tries again", k->name, strerror(k->error));
        io_sock_detach(&k->io);
    }
    for (size_t n = 0; n < v->ninst; n++)
        if (v->inst[n]->sock == k)
            inst_evaluate(v->inst[n]);
    return 0;
}

static void facts_addr(struct ipaddr *a, uint8_t family, const uint8_t *data, uint16_t len)
{
    memset(a, 0, sizeof *a);
    if (len != (family == 6 ? 16 : 4))
        return;
    a->family = family;
    a->plen = family == 6 ? 128 : 32;
    memcpy(a->b, data, len);
}

/* Not longer than the others wait: what runs on it must have given up before they take over. */
static uint64_t facts_patience(const struct vlink *l, uint64_t delay)
{
    const struct vrrpd *v = l->v;
    for (size_t n = 0; n < v->ninst; n++) {
        const struct engine_cfg *c = &v->inst[n]->b->engine;
        uint64_t most = c->down_adverts > 1 ? (c->down_adverts - 1u) * c->interval - c->interval / 256u : 0;
        if (v->inst[n]->link == l && most < delay)
            delay = most;
    }
    return delay;
}

/* Up or down counts at once, unless it is to be seen for a while. What is gone or new is so at once. */
static void facts_state(struct vlink *l, const struct msg_link *m)
{
    struct ev *ev = l->v->ev;
    bool ok = m->up != 0 && m->running != 0, was = l->up && l->running;
    uint64_t delay = facts_patience(l, ok ? l->up_delay : l->down_delay);
    bool at_once = !l->told || delay == 0 || l->ifindex == 0 || m->ifindex == 0;
    bool same = l->real_up == (m->up != 0) && l->real_running == (m->running != 0);
    l->real_up = m->up != 0;
    l->real_running = m->running != 0;
    if (ok == was || at_once) {
        ev_timer_stop(ev, &l->delay);
        l->up = l->real_up;
        l->running = l->real_running;
    } else if (!ev_timer_armed(&l->delay) && !same) {
        ev_timer_in(ev, &l->delay, delay);
    }
}

static int facts_on_link(struct vrrpd *v, const struct msg_link *m)
{
    struct vlink *l = v->links;
    while (l != NULL && l->id != m->iface)
        l = l->next;
    if (l == NULL)
        return -1;
    facts_state(l, m);
    l->told = true;
    l->ifindex = m->ifindex;
    l->mtu = m->mtu;
    facts_addr(&l->a4, 4, m->addr4, m->addr4_len);
    facts_addr(&l->a6, 6, m->addr6, m->addr6_len);
    facts_link_news(v, l);
    return 0;
}

void facts_done(struct vrrpd *v, uint32_t generation)
{
    v->facts_generation = generation;
    v->running = true;
    for (size_t n = 0; n < v->ninst; n++)
        inst_judge_only(v->inst[n]); /* what one of a group cannot do none begins */
    for (size_t n = 0; n < v->ninst; n++)
        inst_evaluate(v->inst[n]);
    if (v->sync_owed)
        vrrpd_say_all(v);
}

static int facts_on_inst_done(struct vrrpd *v, const struct msg_inst_done *m)
{
    struct inst *i = inst_by_id(v, m->inst);
    if (i == NULL)
        return -1;
    if (m->failed)
        log_err("%s: not all addresses are as wanted, see ipvsd's messages", i->b->name);
    i->done_seq = m->seq;
    if (m->seq == i->seq)
        meter_done(&i->meter, ev_now(v->ev));
    if (v->stopping && i->stop_wait && m->seq == i->seq)
        vrrpd_stop_done(v, i);
    return 0;
}

/* Sources of unicast routers, and those of track_src_ip. */
static int facts_on_source(struct vrrpd *v, const struct msg_src_present *m)
{
    struct inst *i = inst_by_id(v, m->inst);
    if (i == NULL)
        return -1;
    i->src_told = true;
    i->src_here = m->present != 0;
    i->src_seen = i->src_seen || i->src_here;
    inst_evaluate(i);
    return 0;
}

static int facts_on_repaired(struct vrrpd *v, const struct msg_vip_repaired *m)
{
    struct inst *i = inst_by_id(v, m->inst);
    if (i == NULL)
        return -1;
    i->repaired++;
    return 0;
}

/* It is about every instance that does not accept. */
static int facts_on_guard(struct vrrpd *v, const struct msg_guard *m)
{
    if (v->guard_error == (int)m->error)
        return 0;
    v->guard_error = (int)m->error;
    for (size_t n = 0; n < v->ninst; n++)
        if (!v->inst[n]->b->accept)
            inst_evaluate(v->inst[n]);
    return 0;
}

static int facts_dispatch(struct vrrpd *v, const struct chan_msg *m)
{
    switch (m->type) {
    case MSG_sock: return facts_on_sock(v, m);
    case MSG_bfd_rx:
    case MSG_bfd_tx: return bfd_life_msg(v->bfd, m);
    case MSG_link: return facts_on_link(v, &m->body->link);
    case MSG_facts_done: facts_done(v, m->generation); return 0;
    case MSG_inst_done: return facts_on_inst_done(v, &m->body->inst_done);
    case MSG_guard: return facts_on_guard(v, &m->body->guard);
    case MSG_proc_count: return track_on_proc(v, &m->body->proc_count);
    case MSG_src_present: return facts_on_source(v, &m->body->src_present);
    case MSG_vip_repaired: return facts_on_repaired(v, &m->body->vip_repaired);
    default: return -1;
    }
}

/* ---- generations */

static int facts_stash(struct vrrpd *v, const struct chan_msg *m)
{
    struct vrrpd_stash **p = &v->stash;
    size_t n = 0;
    for (; *p != NULL; p = &(*p)->next)
        n++;
    if (n >= FACTS_STASH_MAX)
        return -1;
    struct vrrpd_stash *s = xcalloc(1, sizeof *s);
    s->m = *m;
    s->body = *m->body;
    s->m.body = &s->body;
    for (unsigned int f = 0; f < m->nfds && f < PROTO_MAX_FDS; f++) {
        s->fds[f] = m->fds[f];
        m->fds[f] = -1;
    }
    s->m.fds = s->fds;
    *p = s;
    return 0;
}

void facts_stash_replay(struct vrrpd *v)
{
    struct vrrpd_stash *list = v->stash;
    v->stash = NULL;
    while (list != NULL) {
        struct vrrpd_stash *s = list;
        list = s->next;
        if (s->m.generation == child_generation(v->child) && facts_dispatch(v, &s->m) < 0)
            log_err("ipvsd said %s with an unknown id: ignored", proto_name(s->m.type));
        for (unsigned int f = 0; f < s->m.nfds; f++)
            if (s->fds[f] >= 0)
                close(s->fds[f]);
        free(s);
    }
}

int facts_msg(struct vrrpd *v, const struct chan_msg *m)
{
    uint32_t mine = child_generation(v->child);
    if (m->generation > mine)
        return facts_stash(v, m);
    return m->generation < mine ? 0 : facts_dispatch(v, m);
}
