/*
 * inst.c - one instance in real life: its life, what its engine says, its timer, its snapshot. On the path of
 * an advert (timer or packet in, datagram out) nothing is allocated, logged or snapshotted; transitions only
 * mark the instance dirty, life.c says the rest at the end of the turn.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "vrrpd/inst_int.h"

struct inst *inst_by_id(struct vrrpd *v, uint32_t id)
{
    size_t lo = 0, hi = v->ninst;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (v->inst[mid]->b->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < v->ninst && v->inst[lo]->b->id == id ? v->inst[lo] : NULL;
}

/* ---- what the engine says */

void inst_event(struct inst *i, enum inst_event_kind kind, const char *cause)
{
    struct msg_inst_event m = { .inst = i->b->id,
                                .kind = (uint8_t)kind,
                                .state = (uint8_t)i->e.state,
                                .priority = i->e.cfg.priority,
                                .at = i->changed_at };
    snprintf(m.cause, sizeof m.cause, "%s", cause);
    if (child_parent(i->v->child) != NULL && !i->removed)
        chan_send(child_parent(i->v->child), MSG_inst_event, &m, NULL, 0);
}

/* Whoever speaks by unicast is heard, and hears, by the address that its neighbours' tables have of it. */
static void inst_garp_source(const struct inst *i)
{
    struct chan *ipvsd = child_peer(i->v->child, ROLE_IPVSD);
    struct msg_garp m = { .inst = i->b->id, .why = GARP_WHY_SOURCE };
    if (ipvsd != NULL && i->b->check.unicast)
        chan_send(ipvsd, MSG_garp, &m, NULL, 0);
}

static void inst_op_state(void *arg, enum vrrp_state from, const char *cause)
{
    struct inst *i = arg;
    i->changed_at = clock_realtime_ns();
    meter_state(&i->meter, i->e.state, ev_now(i->v->ev));
    i->said = 0;
    i->say_state = true;
    i->say_will = i->e.state == VRRP_STATE_MASTER;
    i->snap = true;
    alert_mark(i);
    vrrpd_dirty(i);
    log_notice("%s: %s -> %s: %s", i->b->name, vrrp_state_name(from), vrrp_state_name(i->e.state), cause);
    if (from == VRRP_STATE_FAULT && i->e.state != VRRP_STATE_STOP)
        inst_garp_source(i);
    group_news(i, from);
    inst_event(i, INST_EVENT_STATE, cause);
}

#define INST_LOWER_BURST 8 /* told at once */
#define INST_LOWER_GAP   (NS_PER_SEC / 4)

/* Every one is told, as keepalived does, but whoever may send valid adverts must not be able to start scripts
 * at his pace: a burst, then so many a second. */
static bool inst_lower_allowed(struct inst *i, uint64_t now)
{
    uint64_t paid = i->lower_paid > now ? i->lower_paid : now;
    if (paid - now > (INST_LOWER_BURST - 1) * INST_LOWER_GAP)
        return false;
    i->lower_paid = paid + INST_LOWER_GAP;
    return true;
}

void inst_lower_event(struct inst *i, const struct engine_advert *a)
{
    char cause[ENGINE_CAUSE_MAX], who[IPADDR_STRLEN];
    if (i->e.state != VRRP_STATE_MASTER || !inst_lower_allowed(i, ev_now(i->v->ev)))
        return;
    ipaddr_str(&a->src, who);
    if (a->priority == i->e.cfg.priority)
        snprintf(cause, sizeof cause, "%s advertises equal priority %u from a lower address", who,
                 a->priority);
    else
        snprintf(cause, sizeof cause, "%s advertises lower priority %u", who, a->priority);
    inst_event(i, INST_EVENT_RX_LOWER, cause);
}

void inst_garp_lower(struct inst *i)
{
    struct chan *ipvsd = child_peer(i->v->child, ROLE_IPVSD);
    struct msg_garp m = { .inst = i->b->id, .why = GARP_WHY_LOWER_PRIO };
    if (ipvsd != NULL && !i->b->strict && i->e.state == VRRP_STATE_MASTER)
        chan_send(ipvsd, MSG_garp, &m, NULL, 0);
}

static void inst_op_garp(void *arg)
{
    struct inst *i = arg;
    inst_garp_lower(i);
    group_garp_mates(i);
}

static void inst_op_learned(void *arg)
{
    struct inst *i = arg;
    i->snap = true;
    vrrpd_dirty(i);
}

static void inst_op_arm(void *arg, uint64_t deadline)
{
    struct inst *i = arg;
    /* the end of the wait is a take-over: see life_brace */
    i->timer.eager = i->e.state == VRRP_STATE_BACKUP && deadline == engine_deadline(&i->e);
    if (deadline == TIME_NEVER)
        ev_timer_stop(i->v->ev, &i->timer);
    else
        ev_timer_at(i->v->ev, &i->timer, deadline);
}

static bool inst_op_hold(void *arg)
{
    return group_hold(arg);
}

static const struct engine_ops inst_engine_ops = {
    .send = inst_op_send,
    .state = inst_op_state,
    .garp = inst_op_garp,
    .learned = inst_op_learned,
    .arm = inst_op_arm,
    .hold = inst_op_hold,
};

/* ---- time */

static void inst_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    struct inst *i = arg;
    meter_timer(&i->v->meter, t->deadline, now);
    bool late = i->e.state == VRRP_STATE_MASTER && now > i->e.adv_at + i->b->engine.interval;
    /* Before taking over, or after a long sleep: what has the queue to say? Once a turn and socket. */
    if (i->sock != NULL && (late || i->e.state == VRRP_STATE_BACKUP))
        io_sock_poll(&i->sock->io);
    engine_timer(&i->e, now);
}

/* ---- snapshot */

void inst_snapshot(struct inst *i)
{
    uint8_t buf[SNAPSHOT_MAX];
    struct snapshot s = { .vrid = i->b->vrid, .family = i->b->family, .stats = check_stats(&i->chk) };
    if (i->chk.auth != NULL) {
        snapshot_auth_take(&s, i->chk.auth);
        auth_state_kept(i->chk.auth, ev_now(i->v->ev));
    }
    memcpy(s.name, i->b->name, strnlen(i->b->name, sizeof s.name - 1));
    memcpy(s.iface, i->b->iface, sizeof s.iface);
    engine_save(&i->e, ev_now(i->v->ev), &s.saved);
    int len = snapshot_encode(&s, buf);
    if (len < 0)
        fatal("%s: snapshot cannot be encoded", i->b->name);
    child_snapshot(i->v->child, i->b->id, buf, (size_t)len);
}

/* ---- life */

/* Who signs, or hears signed adverts, has to remember; whoever did so once does not forget. */
void inst_auth_state(struct inst *i)
{
    if (i->chk.auth == NULL && i->b->sign != NULL)
        i->chk.auth = xcalloc(1, sizeof *i->chk.auth);
    if (i->chk.auth != NULL)
        auth_state_resize(i->chk.auth, i->b->check.unicast ? i->b->check.npeers : 0);
}

struct inst *inst_new(struct vrrpd *v, struct bind_vi *b)
{
    struct inst *i = xcalloc(1, sizeof *i);
    i->v = v;
    i->b = b;
    i->waiting = true;
    i->link = b->iface[0] != '\0' ? facts_link(v, b->iface) : NULL;
    i->vmac = b->vmac[0] != '\0' ? facts_link(v, b->vmac) : NULL;
    i->sock = facts_sock(v, b->sock);
    inst_auth_state(i);
    engine_init(&i->e, &b->engine, &inst_engine_ops, i);
    meter_init(&i->meter);
    ev_timer_init(&i->timer, inst_on_timer, i);
    return i;
}

void inst_free(struct inst *i)
{
    group_leave(i);
    ev_timer_stop(i->v->ev, &i->timer);
    inst_wire_free(i);
    if (i->dirty) {
        for (struct inst **p = &i->v->dirty; *p != NULL; p = &(*p)->next_dirty) {
            if (*p == i) {
                *p = i->next_dirty;
                if (*p == NULL)
                    i->v->dirty_end = p;
                break;
            }
        }
    }
    if (i->chk.auth != NULL)
        auth_state_free(i->chk.auth);
    free(i->chk.auth);
    check_stats_free(&i->chk);
    heard_free(&i->heard);
    meter_free(&i->meter);
    free(i->fault);
    bind_vi_free(i->b);
    free(i);
}
