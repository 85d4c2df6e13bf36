/*
 * house.c - one machine with its vrrpd: start, facts as ipvsd and the parent tell
 * them, turns of its loop, stop, crash, reload. See house.h; called by town.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "test/sim/house.h"
#include "vrrpd/bfd_life.h"

#define HOUSE_FD  1000 /* a number only: nothing reads it */
#define TURNS_MAX 200  /* at one moment: more is a loop that never rests */

static const char *const own_link = "eth0";

/* ---- facts */

static uint32_t house_id(const struct house *h, enum blk blk, const char *name)
{
    const struct slice_obj *o = slice_find(h->child.slice, blk, name);
    if (o == NULL)
        rule_broken(h->t, "house %u: nothing is called %s", h->nr, name);
    return o->id;
}

static void house_say(struct house *h, enum role from, enum msg_type type, const union msg_any *body,
                      int *fds, unsigned int nfds)
{
    struct chan_msg m = {
        .type = type, .generation = child_generation(&h->child), .body = body, .fds = fds, .nfds = nfds
    };
    false_running(&h->child);
    if (h->child.ops->on_msg(&h->child, from, &m, h->child.arg) < 0)
        rule_broken(h->t, "house %u: %s is refused", h->nr, proto_name(type));
}

void house_tell_link(struct house *h, int target)
{
    char name[32];
    snprintf(name, sizeof name, "%s", own_link);
    if (target >= 0)
        house_name(name, sizeof name, TRACK_IF, (unsigned int)target);
    bool up = target < 0 ? h->facts.own_link : h->facts.link[target];
    union msg_any b = { .link = { .iface = house_id(h, BLK_IFACE, name),
                                  .ifindex = (uint32_t)(7 + target),
                                  .up = up,
                                  .running = up,
                                  .mtu = 1500,
                                  .multicast = 1,
                                  .addr4_len = 4,
                                  .addr6_len = 16 } };
    memcpy(b.link.addr4, h->addr.b, 4);
    memcpy(b.link.addr6, h->addr6.b, 16);
    house_say(h, ROLE_IPVSD, MSG_link, &b, NULL, 0);
}

void house_tell_file(struct house *h, unsigned int target)
{
    char name[32];
    house_name(name, sizeof name, TRACK_FILE, target);
    union msg_any b = { .file_value = { .file = house_id(h, BLK_TFILE, name),
                                        .ok = 1,
                                        .value = (uint32_t)h->facts.file[target] } };
    house_say(h, ROLE_PARENT, MSG_file_value, &b, NULL, 0);
}

void house_tell_proc(struct house *h, unsigned int target)
{
    char name[32];
    house_name(name, sizeof name, TRACK_PROC, target);
    union msg_any b = { .proc_count = { .proc = house_id(h, BLK_PROC, name),
                                        .ok = 1,
                                        .count = (uint32_t)h->facts.proc[target] } };
    house_say(h, ROLE_IPVSD, MSG_proc_count, &b, NULL, 0);
}

/* Every socket, once; and those of BFD. */
static void house_tell_socks(struct house *h)
{
    uint32_t told[MEMBERS_MAX] = { 0 };
    char name[96];
    for (unsigned int m = 0; m < h->t->nmembers; m++) {
        int fds[2] = { HOUSE_FD, HOUSE_FD };
        unsigned int k = 0;
        house_sock_name(name, sizeof name, h, m);
        told[m] = house_id(h, BLK_SOCKET, name);
        while (told[k] != told[m])
            k++;
        union msg_any b = { .sock = { .sock = told[m], .ok = 1 } };
        if (k == m)
            house_say(h, ROLE_IPVSD, MSG_sock, &b, fds, 2);
    }
}

static void house_tell_bfd(struct house *h)
{
    char name[32];
    int fd = HOUSE_FD;
    bool told[2] = { false };
    for (unsigned int k = 0; k < h->t->nhouses; k++) {
        bool far = h->t->far[h->nr][k];
        if (!h->t->bfd[h->nr][k] || told[far])
            continue;
        union msg_any rx = { .bfd_rx = { .family = h->t->bfd6 ? 6 : 4, .multihop = far, .ok = 1 } };
        fd = HOUSE_FD;
        told[far] = true;
        house_say(h, ROLE_IPVSD, MSG_bfd_rx, &rx, &fd, 1);
    }
    for (unsigned int k = 0; k < h->t->nhouses; k++) {
        if (!h->t->bfd[h->nr][k])
            continue;
        fd = HOUSE_FD;
        house_name(name, sizeof name, TRACK_BFD, k);
        union msg_any tx = { .bfd_tx = { .bfd = house_id(h, BLK_BFD, name), .ok = 1, .fresh = 1 } };
        house_say(h, ROLE_IPVSD, MSG_bfd_tx, &tx, &fd, 1);
    }
}

static void house_tell_sources(struct house *h)
{
    char name[32];
    for (unsigned int m = 0; m < h->t->nmembers; m++) {
        if (!h->plan.vi[m].with_src)
            continue;
        snprintf(name, sizeof name, "VI_%u", m + 1);
        union msg_any b = { .src_present = { .inst = house_id(h, BLK_VI, name), .present = 1 } };
        house_say(h, ROLE_IPVSD, MSG_src_present, &b, NULL, 0);
    }
}

static void house_tell_all(struct house *h, bool socket)
{
    union msg_any done = { .facts_done = { .generation = child_generation(&h->child) } };
    bool files_first = town_chance(h->t, 50);
    for (unsigned int k = 0; files_first && k < TARGETS; k++)
        house_tell_file(h, k);
    if (socket && h->boots % 2 == 0)
        house_tell_bfd(h);
    if (socket)
        house_tell_socks(h);
    for (int k = -1; k < TARGETS; k++)
        house_tell_link(h, k);
    house_tell_sources(h);
    for (unsigned int k = 0; k < TARGETS; k++)
        house_tell_proc(h, k);
    house_say(h, ROLE_IPVSD, MSG_facts_done, &done, NULL, 0);
    if (socket && h->boots % 2 != 0)
        house_tell_bfd(h);
    for (unsigned int k = 0; !files_first && k < TARGETS; k++)
        house_tell_file(h, k);
}

void house_ran(struct house *h, const struct post *p)
{
    if (h->v == NULL || h->boots != p->boots)
        return; /* its process is gone, so is the answer */
    union msg_any b = { .ran = p->ran };
    b.ran.value = h->facts.script[p->script] ? 0 : 1;
    house_say(h, ROLE_PARENT, MSG_ran, &b, NULL, 0);
}

/* ---- life */

static uint64_t house_clock(void *arg)
{
    return ((struct house *)arg)->t->now;
}

static bool house_any_kept(const struct house *h)
{
    for (size_t k = 0; k < FALSE_KEPT; k++)
        if (h->kept[k].used)
            return true;
    return false;
}

void house_boot(struct house *h)
{
    struct child *c = &h->child;
    h->boots++;
    h->t->boots++;
    h->wake = TIME_NEVER;
    h->hung = false;
    h->parent = (struct chan){ h, ROLE_PARENT };
    h->ipvsd = (struct chan){ h, ROLE_IPVSD };
    *c = (struct child){ .clock = { house_clock, h },
                         .parent = &h->parent,
                         .ipvsd = &h->ipvsd,
                         .kept = h->kept,
                         .restarted = house_any_kept(h) };
    c->ev = ev_new(&c->clock);
    c->slice = house_slice(h);
    false_running(c);
    c->on_keep = rule_on_keep;
    vrrpd_run();
    h->v = c->arg;
    rule_on_boot(h);
    rule_marks_boot(h, c->restarted);
    if (c->ops->on_start(c, c->slice, c->arg) < 0)
        rule_broken(h->t, "house %u does not start", h->nr);
    c->ops->on_peer(c, c->ipvsd, ROLE_IPVSD, c->arg);
    house_tell_all(h, true);
    house_turn(h);
    foe_sees_start(h);
}

void house_end(struct house *h)
{
    struct vrrpd *v = h->v;
    if (v == NULL)
        return;
    for (size_t n = 0; n < v->ninst; n++)
        inst_free(v->inst[n]);
    free(v->inst);
    track_end(v);
    group_end(v);
    bfd_life_free(v->bfd);
    while (v->socks != NULL) {
        struct vsock *k = v->socks;
        v->socks = k->next;
        free(k->name);
        free(k);
    }
    while (v->links != NULL) {
        struct vlink *l = v->links;
        v->links = l->next;
        free(l);
    }
    reload_abort(v);
    free(v->snaps);
    free(v->io);
    free(v);
    h->v = NULL;
    ev_free(h->child.ev);
    slice_free(h->child.slice);
}

void house_crash(struct house *h, uint64_t down, bool keep)
{
    house_end(h);
    h->hung = false;
    h->wake = h->t->now + down;
    if (!keep)
        memset(h->kept, 0, sizeof h->kept);
}

/* Addresses are taken away at once here; the goodbye leaves, then the process. */
void house_stop(struct house *h, uint64_t down)
{
    struct child *c = &h->child;
    false_running(c);
    c->ops->on_stop(c, STOP_WHY_SHUTDOWN, c->arg);
    house_turn(h);
    for (size_t n = 0; n < h->v->ninst && !c->stopped; n++) {
        const struct inst *i = h->v->inst[n];
        union msg_any b = { .inst_done = { .inst = i->b->id, .seq = h->seen[rule_member_of(i)].seq } };
        if (i->stop_wait)
            house_say(h, ROLE_IPVSD, MSG_inst_done, &b, NULL, 0);
    }
    if (!c->stopped)
        rule_broken(h->t, "house %u: all addresses are gone, and it does not end", h->nr);
    house_crash(h, down, false);
}

void house_reload(struct house *h)
{
    struct child *c = &h->child;
    struct slice *old = c->slice, *next = house_slice(h);
    struct err e = { 0 };
    h->t->reloads++;
    false_running(c);
    if (c->ops->on_prepare(c, next, &e, c->arg) < 0)
        rule_broken(h->t, "house %u refuses its configuration: %s", h->nr, e.text);
    c->slice = next;
    c->ops->on_commit(c, old, next, c->arg);
    slice_free(old);
    house_tell_all(h, false);
    house_turn(h);
}

uint64_t house_deadline(const struct house *h)
{
    if (h->v == NULL || h->hung)
        return h->wake;
    return ev_next_deadline(h->child.ev);
}

/* As its loop does it: what has arrived, then what is due, then the end of the turn. */
void house_turn(struct house *h)
{
    unsigned int n = 0;
    do {
        false_running(&h->child);
        ev_now_refresh(h->child.ev);
        if (h->nq > 0 && h->v->socks != NULL && io_sock_ready(&h->v->socks->io))
            false_deliver(h, NULL);
        if (h->nbfd_q > 0)
            machine_deliver_bfd(h);
        ev_turn(h->child.ev, 0);
        rule_turn(h);
        if (++n > TURNS_MAX)
            rule_broken(h->t, "house %u does not come to rest", h->nr);
    } while (ev_next_deadline(h->child.ev) <= h->t->now);
}
