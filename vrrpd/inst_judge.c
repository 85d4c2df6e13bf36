/*
 * inst_judge.c - can it run now? Facts, trackers and mates against an instance: begin, fault, clear,
 * priority. Called whenever something it depends on has changed: facts.c, track_life.c, group.c, reload.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "vrrpd/inst_int.h"

/* The source address now: configured, or the interface's own. */
static struct ipaddr inst_source(const struct inst *i)
{
    if (i->b->src.family != 0)
        return i->b->src;
    if (i->link == NULL)
        return (struct ipaddr){ 0 };
    return i->b->family == 6 ? i->link->a6 : i->link->a4;
}

/* Interface and macvlan. */
static const char *inst_obstacle_link(const struct inst *i, char *buf, size_t size, bool *early)
{
    const struct vlink *l = i->link;
    if (l != NULL) {
        *early = !l->told;
        if (l->ifindex == 0)
            return snprintf(buf, size, "interface %s does not exist", l->name), buf;
        if (!l->up && !i->b->dont_track_primary)
            return snprintf(buf, size, "interface %s is down", l->name), buf;
        if (!l->running && !i->b->dont_track_primary)
            return snprintf(buf, size, "interface %s has no carrier", l->name), buf;
    }
    if (i->vmac != NULL) {
        const char *kind = i->b->ipvlan ? "ipvlan" : "macvlan";
        *early = *early || !i->vmac->told;
        if (i->vmac->ifindex == 0)
            return snprintf(buf, size, "its %s %s does not exist", kind, i->vmac->name), buf;
        if (!i->vmac->up)
            return snprintf(buf, size, "its %s %s is down", kind, i->vmac->name), buf;
    }
    return NULL;
}

/* What it speaks from, and with. */
static const char *inst_obstacle_source(const struct inst *i, char *buf, size_t size, bool *early)
{
    char text[IPADDR_STRLEN];
    if (i->b->needs_src && !i->src_here && (i->src_told || i->waiting) && (i->b->track_src || !i->src_seen)) {
        *early = *early || !i->src_told;
        return snprintf(buf, size, "its source address %s is not on this machine%s",
                        ipaddr_str(&i->b->src, text), i->src_seen ? " any more (track_src_ip)" : " yet"),
               buf;
    }
    if (inst_source(i).family == 0)
        return snprintf(buf, size, "no source address: interface %s has no %s",
                        i->link != NULL ? i->link->name : "(none)",
                        i->b->family == 6 ? "link-local IPv6 address" : "IPv4 address"),
               buf;
    if (!io_sock_ready(&i->sock->io)) {
        *early = !i->sock->told;
        return snprintf(buf, size, "its socket %s could not be opened: %s", i->sock->name,
                        i->sock->error != 0 ? strerror(i->sock->error) : "not there yet"),
               buf;
    }
    if (!i->b->accept && i->v->guard_error != 0)
        return snprintf(buf, size, "packets to its addresses cannot be dropped (no_accept): %s",
                        strerror(i->v->guard_error)),
               buf;
    return NULL;
}

/* Why it cannot run now; NULL: nothing against it. *early: only because it has not been told yet. */
static const char *inst_obstacle(const struct inst *i, char *buf, size_t size, bool *early)
{
    *early = false;
    if (i->b->broken != NULL)
        return i->b->broken;
    const char *why = inst_obstacle_link(i, buf, size, early);
    return why != NULL ? why : inst_obstacle_source(i, buf, size, early);
}

/* Our predecessor was alive a moment ago: go on where it stood. True: the engine runs. */
static bool inst_resume(struct inst *i, uint64_t now)
{
    const struct engine_saved *s = &i->snapshot->saved;
    bool master = s->state == VRRP_STATE_MASTER;
    if (!master && s->state != VRRP_STATE_BACKUP)
        return false;
    uint64_t alive = i->v->alive_at > s->taken_at ? i->v->alive_at : s->taken_at;
    if (master && !engine_fresh(&i->b->engine, alive, LIFE_HEARTBEAT, now)) {
        log_warn("%s: was MASTER, but this process was away too long to assume it still is", i->b->name);
        return false;
    }
    engine_resume(&i->e, s, now);
    io_sock_poll(&i->sock->io); /* a better master may have spoken meanwhile */
    engine_resume_end(&i->e, now, alive > now ? now : alive);
    i->say_state = true;
    i->say_will = i->e.state == VRRP_STATE_MASTER;
    i->snap = true;
    vrrpd_dirty(i);
    log_notice("%s: goes on as %s after a restart of this process", i->b->name, vrrp_state_name(i->e.state));
    return true;
}

static void inst_tell_priority(struct inst *i)
{
    char cause[ENGINE_CAUSE_MAX];
    snprintf(cause, sizeof cause, "priority is now %u", i->e.cfg.priority);
    inst_event(i, INST_EVENT_PRIORITY, cause);
}

static void inst_begin(struct inst *i, const char *obstacle)
{
    uint64_t now = ev_now(i->v->ev);
    i->waiting = false;
    if (i->snapshot != NULL && obstacle != NULL && i->snapshot->saved.state == VRRP_STATE_FAULT) {
        i->e.state = VRRP_STATE_FAULT; /* as before, nothing to announce */
        i->e.stats = i->snapshot->saved.stats;
        i->say_state = true;
        vrrpd_dirty(i);
    } else if (obstacle != NULL) {
        engine_fault(&i->e, now, obstacle);
    } else if (i->snapshot == NULL || !inst_resume(i, now)) {
        bool delayed = i->v->start_at > now && !(i->snapshot != NULL && child_restarted(i->v->child));
        if (delayed)
            log_info("%s: waits %.3f s (startup delay)", i->b->name,
                     (double)(i->v->start_at - now) / (double)NS_PER_SEC);
        if (i->e.cfg.priority != i->b->engine.priority)
            inst_tell_priority(i); /* before the first state, which carries it */
        engine_start(&i->e, now, delayed ? i->v->start_at : now);
    }
    i->snapshot = NULL;
}

/* What its trackers make of the priority. Nothing is sent for it; what is sent next carries it. */
static void inst_priority(struct inst *i, const struct track_sum *sum)
{
    uint8_t was = i->e.cfg.priority, now = operator_priority(i, track_priority(i->b->engine.priority, sum));
    if (was == now)
        return;
    io_flush(i->v->io); /* what waits goes as it was prepared */
    engine_set_priority(&i->e, now);
    inst_rebuild(i);
    if (i->waiting)
        return;
    log_notice("%s: priority %u -> %u (configured %u, trackers %+ld)", i->b->name, was, now,
               i->b->engine.priority, sum->delta);
    inst_tell_priority(i);
}

/* Everything against its running now, trackers included. *early: it is only not known yet. */
static const char *inst_against(struct inst *i, char *buf, size_t size, bool *early, bool *pending)
{
    char text[ENGINE_CAUSE_MAX];
    struct track_sum sum = track_judge(i, text, sizeof text);
    const char *obstacle = inst_obstacle(i, buf, size, early);
    inst_priority(i, &sum);
    *pending = sum.wait;
    if (obstacle == NULL && sum.fault) {
        *early = false;
        snprintf(buf, size, "%s", text);
        obstacle = buf;
    }
    return obstacle;
}

struct inst_look {
    const char *obstacle; /* its own, or a mate's */
    bool wait;            /* what is against it may only not be known yet */
    bool pending;         /* nothing is, but a tracker has not spoken */
};

static struct inst_look inst_look(struct inst *i, char *buf, size_t size)
{
    struct inst_look l = { 0 };
    bool early;
    l.obstacle = inst_against(i, buf, size, &early, &l.pending);
    l.wait =
        i->waiting && l.obstacle != NULL && early && i->v->facts_generation < child_generation(i->v->child);
    /* in FAULT without knowing yet whether it may leave: its mates stay with it */
    bool stays = l.obstacle == NULL && l.pending && i->e.state == VRRP_STATE_FAULT;
    i->obstructed = (l.obstacle != NULL && !l.wait) || stays;
    i->pending = l.obstacle == NULL && l.pending;
    if (l.obstacle == NULL)
        l.obstacle = group_obstacle(i, buf, size);
    return l;
}

void inst_judge_only(struct inst *i)
{
    char buf[ENGINE_CAUSE_MAX];
    if (i->e.state != VRRP_STATE_STOP)
        inst_look(i, buf, sizeof buf);
}

static void inst_set_fault(struct inst *i, const char *why)
{
    if (i->fault == why || (i->fault != NULL && why != NULL && strcmp(i->fault, why) == 0))
        return;
    free(i->fault);
    i->fault = why != NULL ? xstrdup(why) : NULL;
}

/* Who begins before a mate knows that it cannot tells a BACKUP that ends at once. What a predecessor has held
 * is not given up for that. */
static bool inst_may_begin(const struct inst *i, const struct inst_look *l)
{
    if (!i->v->running || l->wait)
        return false;
    return l->obstacle != NULL || (!l->pending && (i->snapshot != NULL || !group_awaits(i)));
}

void inst_evaluate(struct inst *i)
{
    char buf[ENGINE_CAUSE_MAX];
    bool was = i->obstructed, awaited = i->pending;
    struct ipaddr src = inst_source(i);
    uint64_t now = ev_now(i->v->ev);
    if (i->e.state == VRRP_STATE_STOP)
        return;
    struct inst_look l = inst_look(i, buf, sizeof buf);
    if (l.obstacle != NULL && !i->waiting) { /* with the old source: a priority 0 may still leave */
        engine_fault(&i->e, now, l.obstacle);
        io_flush(i->v->io);
    }
    bool moved = inst_ifindex(i) != i->wire.ifindex;
    if (moved || !(src.family == i->e.src.family && ipaddr_cmp(&src, &i->e.src) == 0) || i->wire.ndest == 0) {
        engine_set_source(&i->e, &src);
        inst_rebuild(i);
    }
    inst_set_fault(i, l.obstacle);
    if (i->waiting) {
        if (inst_may_begin(i, &l))
            inst_begin(i, l.obstacle);
    } else if (l.obstacle == NULL && !l.pending) {
        engine_fault_clear(&i->e, now, "the fault is over");
    }
    if (i->obstructed != was || i->pending != awaited)
        group_evaluate_mates(i);
}
