/*
 * operator.c - mastership by order of the operator. yield: a MASTER resigns, and as long as another router is
 * MASTER it stays BACKUP, whatever its priority; it takes over again when nobody advertises for a master-down
 * interval, so the service is never without a master for long. takeover: a BACKUP advertises at once; where
 * the present master would have the better priority, ours is raised just above it for as long as we stay
 * MASTER. Raised is the base: what trackers take away still counts. Sync groups move together. The parent
 * keeps what is in force (inst_held) and tells it to our successor before anything begins. Called by life.c
 * and inst_judge.c; the parent is trusted.
 */
#include <stdio.h>

#include "vrrpd/vrrpd.h"

#define OPERATOR_MOST 254 /* 255 is the owner of the addresses */

uint8_t operator_priority(const struct inst *i, uint8_t priority)
{
    unsigned int p = (unsigned int)priority + i->raise;
    if (i->raise == 0 || priority == ENGINE_OWNER)
        return priority;
    return (uint8_t)(p > OPERATOR_MOST ? OPERATOR_MOST : p);
}

static void operator_tell(struct inst *i)
{
    struct chan *parent = child_parent(i->v->child);
    struct msg_inst_held m = { .inst = i->b->id, .what = (uint8_t)i->order, .raise = i->raise };
    if (parent != NULL && !i->removed)
        chan_send(parent, MSG_inst_held, &m, NULL, 0);
}

static void operator_set(struct inst *i, enum inst_order_what what, uint8_t raise, bool tell)
{
    bool other = i->raise != raise;
    bool news = other || i->order != what;
    i->order = what;
    i->raise = raise;
    i->v->ordered = i->v->ordered || what != INST_ORDER_NONE;
    if (news && tell)
        operator_tell(i);
    if (other)
        inst_evaluate(i); /* its priority */
}

static bool operator_over(const struct inst *i)
{
    switch (i->order) {
    case INST_ORDER_NONE: return false;
    case INST_ORDER_YIELD: return !i->e.gives_way;
    case INST_ORDER_TAKEOVER: return !i->waiting && i->e.state != VRRP_STATE_MASTER;
    }
    return false;
}

void operator_settle(struct vrrpd *v)
{
    bool any = false;
    for (size_t n = 0; n < v->ninst && !v->stopping; n++) {
        struct inst *i = v->inst[n];
        if (operator_over(i))
            operator_set(i, INST_ORDER_NONE, 0, true);
        any = any || i->order != INST_ORDER_NONE;
    }
    v->ordered = any || v->stopping;
}

/* ---- an order */

struct operator_order {
    struct vrrpd *v;
    const struct inst *first; /* it, and its mates */
    size_t n;
    char text[400];
};

static bool operator_meant(const struct operator_order *o, const struct inst *i)
{
    return i == o->first || (o->first->group != NULL && i->group == o->first->group);
}

/* Next member; at begins with 0. NULL: no more. */
static struct inst *operator_next(const struct operator_order *o, size_t *at)
{
    while (*at < o->v->ninst) {
        struct inst *i = o->v->inst[(*at)++];
        if (operator_meant(o, i))
            return i;
    }
    return NULL;
}

/* Neither BACKUP nor MASTER: there is nothing to move. */
static bool operator_able(struct operator_order *o, const struct inst *i)
{
    if (i->e.state == VRRP_STATE_BACKUP || i->e.state == VRRP_STATE_MASTER)
        return true;
    snprintf(o->text, sizeof o->text, "%.100s is in %s%s%.160s: nothing was changed", i->b->name,
             vrrp_state_name(i->e.state), i->fault != NULL ? ": " : "", i->fault != NULL ? i->fault : "");
    return false;
}

static bool operator_yield(struct operator_order *o)
{
    uint64_t now = ev_now(o->v->ev), wait = 0;
    size_t masters = 0;
    struct inst *i;
    for (size_t at = 0; (i = operator_next(o, &at)) != NULL;)
        if (!operator_able(o, i))
            return false;
    for (size_t at = 0; (i = operator_next(o, &at)) != NULL;) {
        uint64_t down = engine_down_interval(&i->e.cfg, i->e.cfg.interval);
        masters += i->e.state == VRRP_STATE_MASTER;
        wait = down > wait ? down : wait;
        engine_give_way(&i->e, now, "the operator ordered it to yield");
        operator_set(i, INST_ORDER_YIELD, 0, true);
    }
    snprintf(
        o->text, sizeof o->text,
        "%.100s%s %s; it stays BACKUP as long as another router is MASTER, and takes over again when none is "
        "heard for %.2f s, or with holdctl takeover",
        o->first->b->name, o->n > 1 ? " and its sync group" : "",
        masters > 0 ? "resigned" : "will not preempt", (double)wait / (double)NS_PER_SEC);
    return true;
}

/* What must be added so that the master it follows gives way. -1: nothing is enough, said in text. */
static int operator_need(struct operator_order *o, const struct inst *i)
{
    const struct engine *e = &i->e;
    char who[IPADDR_STRLEN];
    bool follows = e->state == VRRP_STATE_BACKUP && e->heard_at != 0 && e->master.family != 0 && !e->resigned;
    if (!follows)
        return 0;
    unsigned int mine = e->cfg.priority, target = e->master_priority;
    if (ipaddr_cmp(&e->src, &e->master) < 0)
        target++;
    if (mine >= target)
        return 0;
    if (target <= OPERATOR_MOST && mine != ENGINE_OWNER)
        return (int)(target - mine);
    snprintf(
        o->text, sizeof o->text,
        "%.100s: the present master %s has priority %u, which nobody can outbid: order yield there; nothing "
        "was changed here",
        i->b->name, ipaddr_str(&e->master, who), e->master_priority);
    return -1;
}

static bool operator_takeover(struct operator_order *o)
{
    uint64_t now = ev_now(o->v->ev);
    unsigned int most = 0;
    size_t moved = 0;
    struct inst *i;
    for (size_t at = 0; (i = operator_next(o, &at)) != NULL;)
        if (!operator_able(o, i) || operator_need(o, i) < 0)
            return false;
    for (size_t at = 0; (i = operator_next(o, &at)) != NULL;) {
        unsigned int raise = i->raise + (unsigned int)operator_need(o, i);
        if (i->e.state == VRRP_STATE_MASTER)
            continue;
        operator_set(i, raise > 0 ? INST_ORDER_TAKEOVER : INST_ORDER_NONE, (uint8_t)raise, true);
        engine_take(&i->e, now, "the operator ordered it to take over");
        moved++;
        most = i->e.cfg.priority > most && raise > 0 ? i->e.cfg.priority : most;
    }
    const char *mates = o->n > 1 ? " and its sync group" : "";
    if (moved == 0)
        snprintf(o->text, sizeof o->text, "%.100s%s is MASTER already", o->first->b->name, mates);
    else if (most == 0)
        snprintf(o->text, sizeof o->text, "%.100s%s took over", o->first->b->name, mates);
    else
        snprintf(o->text, sizeof o->text,
                 "%.100s%s took over, with the priority raised to %u above the former master's for as long "
                 "as it is "
                 "MASTER; holdctl yield gives it back",
                 o->first->b->name, mates, most);
    return true;
}

static void operator_answer(struct vrrpd *v, uint32_t token, bool ok, const char *text)
{
    struct chan *parent = child_parent(v->child);
    struct msg_inst_ordered m = { .token = token, .ok = ok };
    snprintf(m.text, sizeof m.text, "%s", text);
    if (parent != NULL)
        chan_send(parent, MSG_inst_ordered, &m, NULL, 0);
}

/* What was in force in our former life, or of a former self of the instance. */
static int operator_resume(struct inst *i, const struct msg_inst_order *m)
{
    enum inst_order_what what = (enum inst_order_what)m->what;
    if (i == NULL || i->order == what)
        return 0;
    if (what == INST_ORDER_YIELD)
        i->e.gives_way = true;
    operator_set(i, what, what == INST_ORDER_TAKEOVER ? m->raise : 0, false);
    return 0;
}

int operator_on_order(struct vrrpd *v, const struct msg_inst_order *m)
{
    const struct inst *first = inst_by_id(v, m->obj);
    struct operator_order o = { .v = v, .first = first != NULL ? first : group_first(v, m->obj) };
    if (m->token == 0)
        return operator_resume(inst_by_id(v, m->obj), m);
    bool ok = false;
    if (o.first == NULL || v->stopping)
        snprintf(o.text, sizeof o.text, "there is no such instance now, or the group has no members");
    else {
        for (size_t at = 0; operator_next(&o, &at) != NULL;)
            o.n++;
        ok = m->what == INST_ORDER_YIELD ? operator_yield(&o) : operator_takeover(&o);
    }
    operator_answer(v, m->token, ok, o.text);
    return 0;
}
