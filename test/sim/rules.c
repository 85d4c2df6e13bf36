/*
 * rules.c - what the houses are held to, from outside: by what is sent, told and configured, never by what
 * the process thinks of itself alone.
 *   At every advert: it carries the priority in force; only a MASTER, or who becomes it in the same turn,
 *     speaks; a priority 0 comes from a MASTER that leaves.
 *   At every take-over: no master that has to be respected (better; or lower, under nopreempt or before
 *     preempt_delay has ended) was heard within three of its intervals.
 *   At the end of every turn: a sync group is of one mind, a member that cannot run has taken all along, and
 *     ipvsd knows every state.
 *   In a quiet town: priorities are what the trackers' facts make of them, computed here a second time from
 *     reference/behaviour.md; who has a reason to is in FAULT, and nobody else; of the others one is MASTER,
 *     the best one as far as it may preempt; a group has all or nothing.
 * Called by false.c, house.c and town.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <inttypes.h>

#include "test/sim/house.h"

void rule_broken(const struct town *t, const char *fmt, ...)
{
    va_list ap;
    printf("FAIL seed %" PRIu64 " at %.6f s: ", t->seed, (double)t->now / 1e9);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n  a town of %u houses%s%s%s%s%s%s\n", t->nhouses,
           t->crossed ? ", group members of different priority" : "", t->v6 ? ", IPv6" : "",
           t->unicast ? t->nsides > 1 ? ", unicast of two sides" : ", unicast" : "",
           t->signs ? t->modes ? ", signatures in changing modes" : ", signatures" : "",
           t->steps ? ", clocks that jump" : "", plan_bfd(t) ? ", BFD" : "");
    for (unsigned int k = 0; k < t->nhouses; k++) {
        const struct house *h = &t->house[k];
        printf("  house %u%s%s%s:", k, h->v == NULL ? " (no process)" : "", h->hung ? " (hung)" : "",
               h->facts.own_link ? "" : " (no carrier)");
        for (size_t n = 0; h->v != NULL && n < h->v->ninst; n++) {
            const struct inst *i = h->v->inst[n];
            printf(" %u=%s(%u%s%s%s)", rule_member_of(i) + 1, vrrp_state_name(i->e.state), i->e.cfg.priority,
                   i->group != NULL ? " grouped" : "", i->e.cfg.nopreempt ? " nopreempt" : "",
                   i->e.held ? " held" : "");
        }
        printf("\n");
    }
    fflush(stdout);
    exit(1);
}

static struct witness *rule_witness(struct house *h, const struct inst *i)
{
    return &h->seen[rule_member_of(i)];
}

/* ---- what is said */

void rule_on_boot(struct house *h)
{
    for (unsigned int m = 0; m < MEMBERS_MAX; m++) { /* INIT, nothing heard */
        struct witness *w = &h->seen[m], was = *w;
        memset(w, 0, sizeof *w);
        if (!h->child.restarted)
            continue;
        /* A crash does not shorten the wait for a master that was heard, nor begin a preempt_delay anew. */
        w->respect_until = was.respect_until;
        w->lower_since = was.lower_since;
        w->lower_delay = was.lower_delay;
    }
    h->group_told = VRRP_STATE_INIT;
}

/* Which virtual router an id means; MEMBERS_MAX: the group. Not asked of vrrpd: it may be in a reload. */
unsigned int rule_member(const struct house *h, uint32_t id)
{
    unsigned int m = 0;
    for (const struct slice_obj *o = NULL;
         (o = slice_next(h->child.slice, o, BLK_VI, SLICE_ANY_PARENT)) != NULL; m++)
        if (o->id == id)
            return m;
    return MEMBERS_MAX;
}

void rule_on_event(struct house *h, const struct msg_inst_event *m)
{
    struct town *t = h->t;
    unsigned int member = rule_member(h, m->inst);
    if (m->kind != INST_EVENT_STATE)
        return;
    t->transitions++;
    if (t->verbose)
        printf("%12.6f house %u member %u: %s prio %u (%s)\n", (double)t->now / 1e9, h->nr, member + 1,
               vrrp_state_name((enum vrrp_state)m->state), m->priority, m->cause);
    if (member == MEMBERS_MAX) {
        h->group_told = (enum vrrp_state)m->state;
        return;
    }
    struct witness *w = &h->seen[member];
    w->state = (enum vrrp_state)m->state;
    if (w->state == VRRP_STATE_MASTER && t->now < w->respect_until)
        rule_broken(t, "house %u takes over VRID %u from a master it has to respect until %.6f", h->nr,
                    member + 1, (double)w->respect_until / 1e9);
    if (w->state == VRRP_STATE_MASTER)
        w->owes_master = false;
    w->respect_until = 0;
    w->lower_since = 0;
}

void rule_on_state(struct house *h, const struct msg_inst_state *m)
{
    struct witness *w = &h->seen[rule_member(h, m->inst)];
    w->to_ipvsd = (enum vrrp_state)m->state;
    w->seq = m->seq;
}

void rule_on_send(struct house *h, const struct inst *i, const uint8_t *bytes, size_t len)
{
    struct witness *w = rule_witness(h, i);
    if (len < PACKET_HEADER || bytes[1] != i->b->vrid)
        rule_broken(h->t, "house %u sends another VRID's advert", h->nr);
    if (bytes[2] == 0) {
        if (i->e.state != VRRP_STATE_MASTER && i->e.state != VRRP_STATE_STOP)
            rule_broken(h->t, "house %u resigns VRID %u it does not have", h->nr, i->b->vrid);
        return;
    }
    if (bytes[2] != i->e.cfg.priority)
        rule_broken(h->t, "house %u advertises priority %u for VRID %u, and it is %u", h->nr, bytes[2],
                    i->b->vrid, i->e.cfg.priority);
    if (i->e.state == VRRP_STATE_STOP)
        rule_broken(h->t, "house %u advertises VRID %u after its end", h->nr, i->b->vrid);
    w->owes_master = w->owes_master || i->e.state != VRRP_STATE_MASTER;
}

/* What a BACKUP owes to the master it hears. */
void rule_on_rx(struct house *h, const struct datagram *d)
{
    struct packet_view p;
    const struct inst *i = h->v->inst[d->member];
    struct witness *w = &h->seen[d->member];
    const struct vi_plan *plan = &h->plan.vi[d->member];
    if (packet_parse(d->src.family, d->bytes + d->pdu, d->len - d->pdu, &p) < 0 || p.vrid != plan->vrid)
        rule_broken(h->t, "house %u hears what nobody can have said", h->nr);
    if (i->e.state != VRRP_STATE_BACKUP)
        return;
    if (p.priority == 0) {
        w->respect_until = 0;
        return;
    }
    bool lower = p.priority < i->e.cfg.priority;
    if (!lower)
        w->lower_since = 0;
    else if (w->lower_since == 0) {
        w->lower_since = d->at;
        w->lower_delay = plan->preempt_delay;
    }
    bool no = plan->nopreempt && i->e.cfg.priority != ENGINE_OWNER;
    uint64_t delay = plan->preempt_delay < w->lower_delay ? plan->preempt_delay : w->lower_delay;
    bool early = !plan->nopreempt && d->at < w->lower_since + delay;
    uint64_t until = d->at + 3 * p.interval_ns;
    if (!lower || no || early)
        w->respect_until = until; /* the master heard last is the one that counts */
}

/* ---- the end of a turn */

static void rule_turn_group(const struct house *h)
{
    unsigned int count[VRRP_STATE_STOP + 1] = { 0 }, obstructed = 0;
    for (size_t n = 0; n < h->v->ninst; n++) {
        const struct inst *i = h->v->inst[n];
        if (!h->plan.vi[rule_member_of(i)].grouped)
            continue;
        count[i->e.state]++;
        obstructed += i->obstructed;
    }
    unsigned int up = count[VRRP_STATE_MASTER] + count[VRRP_STATE_BACKUP];
    if (count[VRRP_STATE_MASTER] > 0 && count[VRRP_STATE_BACKUP] > 0 && count[VRRP_STATE_INIT] == 0)
        rule_broken(h->t, "house %u: its sync group is MASTER and BACKUP", h->nr);
    if (up > 0 && (count[VRRP_STATE_FAULT] > 0 || obstructed > 0))
        rule_broken(h->t, "house %u: a member of its sync group cannot run, others do", h->nr);
}

void rule_turn(const struct house *h)
{
    for (size_t n = 0; n < h->v->ninst; n++) {
        const struct inst *i = h->v->inst[n];
        const struct witness *w = &h->seen[rule_member_of(i)];
        if (w->owes_master)
            rule_broken(h->t, "house %u has advertised VRID %u without being MASTER", h->nr, i->b->vrid);
        if (h->v->running && !h->child.stopped && w->to_ipvsd != i->e.state)
            rule_broken(h->t, "house %u: ipvsd thinks VRID %u is %s, it is %s", h->nr, i->b->vrid,
                        vrrp_state_name(w->to_ipvsd), vrrp_state_name(i->e.state));
    }
    rule_turn_group(h);
    rule_marks_turn(h);
    rule_bfd_turn(h);
}

/* ---- what the facts make of a virtual router, computed once more */

struct expected {
    int priority;
    bool fault;
};

static bool fact_good(const struct house *h, const struct line_plan *l)
{
    switch (l->kind) {
    case TRACK_IF: return h->facts.link[l->target];
    case TRACK_SCRIPT: return h->facts.script[l->target];
    case TRACK_PROC: return h->facts.proc[l->target] >= 1;
    case TRACK_BFD: return h->facts.own_link && h->t->house[l->target].facts.own_link;
    case TRACK_FILE:
    case TRACK_KINDS: break;
    }
    rule_broken(h->t, "a tracker nobody plans");
}

static void expect_file(struct expected *x, const struct house *h, const struct line_plan *l, int weight)
{
    long value = h->facts.file[l->target];
    if (weight == 0) {
        x->fault |= l->reverse ? value == 0 : value != 0;
        return;
    }
    long d = value * weight * (l->reverse ? -1 : 1);
    if (d <= -254)
        x->fault = true;
    else
        x->priority += (int)(d > 253 ? 253 : d);
}

static void expect_line(struct expected *x, const struct house *h, const struct line_plan *l)
{
    if (l->kind == TRACK_FILE) {
        expect_file(x, h, l, l->weight);
        return;
    }
    bool good = fact_good(h, l);
    if (l->weight == 0)
        x->fault |= good == l->reverse;
    else if (good == (l->weight > 0))
        x->priority += l->reverse ? -l->weight : l->weight;
}

struct trackers {
    struct line_plan line[2 * LINES_MAX];
    bool firm[2 * LINES_MAX]; /* written as a fault */
    unsigned int n;
};

/* False: not tracked at all. */
static bool expect_weight(struct line_plan *l, bool no_weights, bool owner)
{
    if (no_weights && ((l->kind == TRACK_IF && !owner) || (l->kind == TRACK_FILE && l->weight == 1)))
        l->weight = 0;
    return !no_weights || l->weight == 0;
}

/* One tracker a thing: a fault of the member stays one, else the line of its group takes the place. */
static void expect_put(struct trackers *x, struct line_plan l, bool firm)
{
    for (unsigned int k = 0; k < x->n; k++) {
        if (x->line[k].kind != l.kind || x->line[k].target != l.target)
            continue;
        if (!x->firm[k])
            x->line[k] = l;
        return; /* of one list every line is another thing */
    }
    x->line[x->n] = l;
    x->firm[x->n++] = firm;
}

static void expect_lines(struct trackers *x, const struct house *h, const struct vi_plan *p)
{
    bool no_weights = p->priority == ENGINE_OWNER || (p->grouped && !h->plan.group_weights);
    for (unsigned int k = 0; k < p->nlines; k++) {
        struct line_plan l = p->line[k];
        if (expect_weight(&l, no_weights, p->priority == ENGINE_OWNER))
            expect_put(x, l, p->line[k].weight == 0);
    }
    for (unsigned int k = 0; p->grouped && k < h->plan.nlines; k++)
        expect_put(x, h->plan.line[k], false);
}

static struct expected expect_alone(const struct house *h, unsigned int m)
{
    const struct vi_plan *p = &h->plan.vi[m];
    struct expected x = { .priority = p->priority, .fault = !h->facts.own_link };
    struct trackers tracked = { .n = 0 };
    expect_lines(&tracked, h, p);
    for (unsigned int k = 0; k < tracked.n; k++)
        expect_line(&x, h, &tracked.line[k]);
    if (p->priority == ENGINE_OWNER)
        x.priority = ENGINE_OWNER;
    else if (x.priority < 1)
        x.priority = 1;
    else if (x.priority > 254)
        x.priority = 254;
    return x;
}

static struct expected expect(const struct house *h, unsigned int m)
{
    struct expected x = expect_alone(h, m);
    for (unsigned int k = 0; h->plan.vi[m].grouped && k < h->t->nmembers; k++)
        x.fault |= h->plan.vi[k].grouped && expect_alone(h, k).fault;
    return x;
}

/* ---- a quiet town */

uint64_t rule_bound(const struct town *t)
{
    uint64_t facts = 0, worst = 0, interval = 0;
    bool grouped = false;
    for (unsigned int k = 0; k < t->nhouses; k++)
        for (unsigned int m = 0; m < t->nmembers; m++)
            if (t->house[k].plan.vi[m].interval > interval)
                interval = t->house[k].plan.vi[m].interval;
    for (unsigned int k = 0; k < t->nhouses; k++) {
        const struct plan *p = &t->house[k].plan;
        uint64_t f = 2 * (SCRIPT_FALL + 1) * p->script_interval + p->proc_delay + 2 * p->link_delay;
        if (plan_has_bfd(
                &t->house[k])) /* silence noticed and forgotten, then three packets as slow as can be */
            f += 22 * t->base;
        facts = f > facts ? f : facts;
        grouped = grouped || p->vi[0].grouped;
        for (unsigned int m = 0; m < t->nmembers; m++) {
            uint64_t down = 3 * interval + (p->vi[m].version == 2 ? NS_PER_SEC : interval);
            if (p->vi[m].preempt_delay > 0)
                down += p->vi[m].preempt_delay + down;
            worst = down > worst ? down : worst;
        }
    }
    worst += interval + 3 * t->delay + ENGINE_ANSWER_GAP;
    return facts + (grouped ? 2 : 1) * worst; /* members that wait for each other */
}

static void rule_quiet_house(const struct house *h, unsigned int m)
{
    const struct inst *i = h->v->inst[m];
    struct expected x = expect(h, m);
    if (i->e.cfg.priority != x.priority)
        rule_broken(h->t, "house %u: the priority of VRID %u is %u, its trackers make it %d", h->nr, m + 1,
                    i->e.cfg.priority, x.priority);
    if (x.fault != (i->e.state == VRRP_STATE_FAULT))
        rule_broken(h->t, "house %u: VRID %u is %s, its facts say it %s run", h->nr, m + 1,
                    vrrp_state_name(i->e.state), x.fault ? "cannot" : "can");
    if (!x.fault && i->e.state != VRRP_STATE_MASTER && i->e.state != VRRP_STATE_BACKUP)
        rule_broken(h->t, "house %u: VRID %u is still %s", h->nr, m + 1, vrrp_state_name(i->e.state));
    if (!h->plan.vi[m].grouped)
        return;
    if (i->e.state != h->v->inst[0]->e.state)
        rule_broken(h->t, "house %u: its sync group is in two states", h->nr);
    if (h->group_told != VRRP_STATE_INIT && h->group_told != i->e.state)
        rule_broken(h->t, "house %u: its sync group was told to be %s", h->nr,
                    vrrp_state_name(h->group_told));
}

static void rule_best(const struct town *t, unsigned int m, const struct house *master)
{
    struct expected x = expect(master, m);
    for (unsigned int k = 0; k < t->nhouses; k++) {
        const struct house *h = &t->house[k];
        struct expected y = expect(h, m);
        bool may = !h->plan.vi[m].nopreempt || y.priority == ENGINE_OWNER;
        if (h->side == master->side && !y.fault && y.priority > x.priority && may)
            rule_broken(t, "house %u has VRID %u, house %u is better and may preempt", master->nr, m + 1, k);
    }
}

int rule_quiet(const struct town *t, unsigned int m, unsigned int side)
{
    int master = -1;
    unsigned int able = 0;
    for (unsigned int k = 0; k < t->nhouses; k++) {
        const struct house *h = &t->house[k];
        if (h->side != side)
            continue;
        rule_quiet_house(h, m);
        able += !expect(h, m).fault;
        if (h->v->inst[m]->e.state != VRRP_STATE_MASTER)
            continue;
        if (master >= 0)
            rule_broken(t, "VRID %u has two masters in a quiet town", m + 1);
        master = (int)k;
    }
    if (able > 0 && master < 0)
        rule_broken(t, "VRID %u has no master, %u houses are able", m + 1, able);
    if (master >= 0 && !(t->crossed && t->house[0].plan.vi[m].grouped))
        rule_best(t, m, &t->house[master]);
    return master;
}
