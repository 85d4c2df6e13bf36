/*
 * house.c - one machine with its vrrpd: configuration as a slice, start, facts as ipvsd and the parent tell
 * them, turns of its loop, stop, crash, reload. See house.h; called by town.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "test/sim/house.h"
#include "vrrpd/bfd_life.h"

#define SOCKET_NAME "eth0/4/mcast/224.0.0.18"
#define TURNS_MAX   200 /* at one moment: more is a loop that never rests */

static const char *const own_link = "eth0", *const group_name = "G";

static void house_name(char *buf, size_t size, enum track_kind kind, unsigned int target)
{
    static const char *const what[TRACK_KINDS] = { [TRACK_IF] = "eth",
                                                   [TRACK_SCRIPT] = "script",
                                                   [TRACK_FILE] = "file",
                                                   [TRACK_PROC] = "proc",
                                                   [TRACK_BFD] = "bfd" };
    snprintf(buf, size, "%s%u", what[kind], target + 1);
}

/* ---- configuration */

static void slice_targets(struct slice_writer *w, const struct plan *p)
{
    char name[32];
    for (unsigned int k = 0; k < TARGETS; k++) {
        house_name(name, sizeof name, TRACK_IF, k);
        slice_put_obj(w, BLK_IFACE, 0, name, 0);
    }
    for (unsigned int k = 0; k < TARGETS; k++) {
        house_name(name, sizeof name, TRACK_SCRIPT, k);
        slice_put_obj(w, BLK_SCRIPT, 0, name, 0);
        slice_put_raw(w, KW_SCRIPT_SCRIPT, name, strlen(name) + 1);
        slice_put_us(w, KW_SCRIPT_INTERVAL, p->script_interval / NS_PER_US);
        slice_put_uint(w, KW_SCRIPT_RISE, SCRIPT_RISE);
        slice_put_uint(w, KW_SCRIPT_FALL, SCRIPT_FALL);
        slice_put_bool(w, KW_SCRIPT_INIT_FAIL, k == 0);
    }
    for (unsigned int k = 0; k < TARGETS; k++) {
        house_name(name, sizeof name, TRACK_FILE, k);
        slice_put_obj(w, BLK_TFILE, 0, name, 0);
    }
    for (unsigned int k = 0; k < TARGETS; k++) {
        house_name(name, sizeof name, TRACK_PROC, k);
        slice_put_obj(w, BLK_PROC, 0, name, 0);
        slice_put_uint(w, KW_PROC_QUORUM, 1);
        slice_put_us(w, KW_PROC_TERMINATE_DELAY, p->proc_delay / NS_PER_US);
        slice_put_us(w, KW_PROC_FORK_DELAY, p->proc_delay / NS_PER_US);
    }
    if (p->link_delay > 0) {
        slice_put_obj(w, BLK_UPDOWN, 0, own_link, 0);
        slice_put_us(w, KW_UPDOWN_X_DOWN, p->link_delay / NS_PER_US);
        slice_put_us(w, KW_UPDOWN_X_UP, 2 * p->link_delay / NS_PER_US);
    }
}

static void slice_lines(struct slice_writer *w, uint32_t parent, const struct line_plan *line, unsigned int n)
{
    static const struct {
        enum blk blk;
        enum kw weight, reverse;
    } rows[TRACK_KINDS] = {
        [TRACK_IF] = { BLK_TRK_IF, KW_TRK_IF_WEIGHT, KW_TRK_IF_X_REVERSE },
        [TRACK_SCRIPT] = { BLK_TRK_SCRIPT, KW_TRK_SCRIPT_WEIGHT, KW_TRK_SCRIPT_X_REVERSE },
        [TRACK_FILE] = { BLK_TRK_FILE, KW_TRK_FILE_WEIGHT, KW_TRK_FILE_X_REVERSE },
        [TRACK_PROC] = { BLK_TRK_PROC, KW_TRK_PROC_WEIGHT, KW_TRK_PROC_X_REVERSE },
    };
    char name[32];
    for (unsigned int k = 0; k < n; k++) {
        house_name(name, sizeof name, line[k].kind, line[k].target);
        slice_put_obj(w, rows[line[k].kind].blk, parent, name, 0);
        slice_put_int(w, rows[line[k].kind].weight, line[k].weight);
        slice_put_bool(w, rows[line[k].kind].reverse, line[k].reverse);
    }
}

static void slice_vi(struct slice_writer *w, unsigned int m, const struct vi_plan *p)
{
    char name[32], addr[32];
    struct ipaddr a;
    snprintf(name, sizeof name, "VI_%u", m + 1);
    snprintf(addr, sizeof addr, "10.0.1.%u/24", m + 1);
    ipaddr_parse_prefix(addr, &a);
    uint32_t id = slice_put_obj(w, BLK_VI, 0, name, 1);
    slice_put_uint(w, KW_VI_VIRTUAL_ROUTER_ID, m + 1);
    slice_put_uint(w, KW_VI_PRIORITY, p->priority);
    slice_put_uint(w, KW_VI_VERSION, p->version);
    slice_put_uint(w, KW_VI_X_FAMILY, 4);
    slice_put_str(w, KW_VI_INTERFACE, own_link);
    slice_put_str(w, KW_VI_X_SOCKET, SOCKET_NAME);
    slice_put_us(w, KW_VI_ADVERT_INT, p->interval / NS_PER_US);
    slice_put_bool(w, KW_VI_NOPREEMPT, p->nopreempt);
    slice_put_us(w, KW_VI_PREEMPT_DELAY, p->preempt_delay / NS_PER_US);
    slice_put_bool(w, KW_VI_LOWER_PRIO_NO_ADVERT, p->lower_no_advert);
    slice_put_bool(w, KW_VI_HIGHER_PRIO_SEND_ADVERT, p->higher_advert);
    if (p->grouped)
        slice_put_str(w, KW_VI_X_SYNC, group_name);
    slice_put_obj(w, BLK_ADDR, id, addr, 2);
    slice_put_ip(w, KW_ADDR_ADDRESS, &a);
    slice_lines(w, id, p->line, p->nlines);
}

static struct slice *house_slice(struct house *h)
{
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, ++h->generation);
    const struct plan *p = &h->plan;
    char name[32];
    size_t len;
    struct err e;
    slice_put_obj(w, BLK_IFACE, 0, own_link, 0);
    slice_put_obj(w, BLK_SOCKET, 0, SOCKET_NAME, 0);
    slice_put_uint(w, KW_SOCKET_X_FAMILY, 4);
    slice_put_str(w, KW_SOCKET_X_IFACE, own_link);
    slice_targets(w, p);
    if (p->vi[0].grouped) {
        uint32_t g = slice_put_obj(w, BLK_SYNC, 0, group_name, 0);
        for (unsigned int m = 0; m < h->t->nmembers; m++) {
            snprintf(name, sizeof name, "VI_%u", m + 1);
            if (p->vi[m].grouped)
                slice_put_str(w, KW_SYNC_GROUP, name);
        }
        slice_put_bool(w, KW_SYNC_SYNC_GROUP_TRACKING_WEIGHT, p->group_weights);
        slice_lines(w, g, p->line, p->nlines);
    }
    for (unsigned int m = 0; m < h->t->nmembers; m++)
        slice_vi(w, m, &p->vi[m]);
    const void *bytes = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(bytes, len, ROLE_VRRPD, &e);
    if (s == NULL)
        rule_broken(h->t, "the slice of house %u: %s", h->nr, e.text);
    slice_writer_free(w);
    return s;
}

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
                                  .addr4_len = 4 } };
    memcpy(b.link.addr4, h->addr.b, 4);
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

static void house_tell_all(struct house *h, bool socket)
{
    int fds[2] = { 0, 0 };
    union msg_any sock = { .sock = { .sock = house_id(h, BLK_SOCKET, SOCKET_NAME), .ok = 1 } };
    union msg_any done = { .facts_done = { .generation = child_generation(&h->child) } };
    bool files_first = town_chance(h->t, 50);
    for (unsigned int k = 0; files_first && k < TARGETS; k++)
        house_tell_file(h, k);
    if (socket)
        house_say(h, ROLE_IPVSD, MSG_sock, &sock, fds, 2);
    for (int k = -1; k < TARGETS; k++)
        house_tell_link(h, k);
    for (unsigned int k = 0; k < TARGETS; k++)
        house_tell_proc(h, k);
    house_say(h, ROLE_IPVSD, MSG_facts_done, &done, NULL, 0);
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
    vrrpd_run();
    h->v = c->arg;
    rule_on_boot(h);
    if (c->ops->on_start(c, c->slice, c->arg) < 0)
        rule_broken(h->t, "house %u does not start", h->nr);
    c->ops->on_peer(c, c->ipvsd, ROLE_IPVSD, c->arg);
    house_tell_all(h, true);
    house_turn(h);
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
    c->ops->on_stop(c, STOP_WHY_SHUTDOWN, c->arg);
    house_turn(h);
    for (size_t n = 0; n < h->v->ninst && !c->stopped; n++) {
        const struct inst *i = h->v->inst[n];
        union msg_any b = { .inst_done = { .inst = i->b->id, .seq = h->seen[i->b->vrid - 1].seq } };
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
        ev_now_refresh(h->child.ev);
        if (h->nq > 0 && h->v->socks != NULL && io_sock_ready(&h->v->socks->io))
            false_deliver(h);
        ev_turn(h->child.ev, 0);
        rule_turn(h);
        if (++n > TURNS_MAX)
            rule_broken(h->t, "house %u does not come to rest", h->nr);
    } while (ev_next_deadline(h->child.ev) <= h->t->now);
}
