/*
 * sim.c - many engines on a virtual clock and a bad network: loss, delay, reordering, partitions, faults,
 * hangs, reloads, crashes with and without a snapshot. Each seed is several rounds of trouble, heal,
 * judgement:
 *   - within the protocol bound after heal exactly one MASTER for each VRID, and it stays;
 *   - with preemption it has the highest priority;
 *   - a MASTER that crashes and is back within one interval is missed by nobody: no transition anywhere;
 *   - who is not MASTER advertises nothing but a resignation;
 *   - the routers of a seed with sync groups are MASTER of all their VRIDs or of none, at the end of every
 * turn, and after heal one of them has them all. Trackers are priorities that move without a word. Each seed
 * is run a second time in a town of whole vrrpd processes (house.h). Usage: sim --seeds N [--seed FIRST]
 * [-v] [--engines | --towns]. A failure prints the seed; running that seed alone repeats it exactly.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "test/sim/house.h"
#include "test/sim/world.h"
#include "vrrpd/group.h"

#define BEAT     NS_PER_SEC /* vrrpd.h: LIFE_HEARTBEAT */
#define ROUNDS   4
#define TROUBLES 40

/* ---- what the engines say */

static void on_send(void *arg, bool resign)
{
    struct node *n = arg;
    struct world *w = n->w;
    w->adverts++;
    /* the advert of the transition leaves before the state is announced: BACKUP becoming MASTER may speak */
    bool may = resign || n->e.state == VRRP_STATE_MASTER || n->e.state == VRRP_STATE_BACKUP ||
               (n->e.state == VRRP_STATE_INIT && n->cfg.priority == ENGINE_OWNER);
    if (!may || n->dead)
        die(w, "an advert from somebody who must be silent");
    for (unsigned int r = 0; r < w->nrouters; r++) {
        if (r == n->router || w->cut[n->router][r] || chance(w, w->loss))
            continue;
        struct letter m = { .at = w->now + rnd(w, w->delay), .seq = w->seq++, .to = &w->node[n->vrid][r] };
        m.a = (struct engine_advert){ .src = n->addr,
                                      .priority = resign ? 0 : n->cfg.priority,
                                      .interval = n->cfg.interval };
        wire_put(w, &m);
    }
}

static void on_state(void *arg, enum vrrp_state from, const char *cause)
{
    struct node *n = arg;
    n->w->transitions++;
    n->dirty = true;
    if (n->w->verbose)
        printf("%12.6f vrid %u router %u prio %3u: %s -> %s: %s\n", (double)n->w->now / 1e9, n->vrid + 1,
               n->router, n->cfg.priority, vrrp_state_name(from), vrrp_state_name(n->e.state), cause);
}

static void on_garp(void *arg)
{
    (void)arg;
}

static void on_learned(void *arg)
{
    ((struct node *)arg)->dirty = true;
}

static void on_arm(void *arg, uint64_t deadline)
{
    ((struct node *)arg)->deadline = deadline;
}

/* ---- sync groups, as vrrpd/group.c wires them */

static void look(const struct world *w, unsigned int router, struct group_member *m)
{
    for (unsigned int v = 0; v < w->nvrids; v++) {
        const struct node *n = &w->node[v][router];
        m[v].state = n->dead ? VRRP_STATE_INIT : n->e.state;
        m[v].wants = !n->dead && n->e.held;
    }
}

static bool on_hold(void *arg)
{
    struct node *n = arg;
    struct world *w = n->w;
    struct group_member m[VRIDS_MAX];
    if (!w->groups)
        return false;
    look(w, n->router, m);
    if (!group_may_lead(m, w->nvrids, n->vrid))
        return true;
    for (unsigned int v = 0; v < w->nvrids; v++)
        if (v != n->vrid)
            engine_release(&w->node[v][n->router].e, w->now);
    return false;
}

static const struct engine_ops ops = {
    .send = on_send, .state = on_state, .garp = on_garp, .learned = on_learned, .arm = on_arm, .hold = on_hold
};

static void mend(struct world *w, unsigned int router)
{
    struct group_member m[VRIDS_MAX];
    if (!w->groups)
        return;
    look(w, router, m);
    if (!group_torn(m, w->nvrids))
        return;
    for (unsigned int v = 0; v < w->nvrids; v++)
        engine_step_down(&w->node[v][router].e, w->now, "a mate is BACKUP");
    look(w, router, m);
    if (group_common(m, w->nvrids) != VRRP_STATE_BACKUP)
        die(w, "a sync group that cannot be mended");
}

/* What the successor would find. */
static void keep(struct node *n)
{
    struct snapshot s = { .name = "VI", .iface = "eth0", .vrid = (uint8_t)(n->vrid + 1), .family = 4 };
    if (!n->dirty)
        return;
    n->dirty = false;
    engine_save(&n->e, n->w->now, &s.saved);
    int len = snapshot_encode(&s, n->snap);
    if (len < 0)
        die(n->w, "snapshot cannot be encoded");
    n->snap_len = (size_t)len;
}

/* End of a turn. */
static void settle(struct node *n)
{
    struct world *w = n->w;
    mend(w, n->router);
    for (unsigned int v = 0; v < w->nvrids; v++)
        if (v == n->vrid || w->groups)
            keep(&w->node[v][n->router]);
}

/* ---- life of a node */

static void feed(struct node *n)
{
    for (unsigned int i = 0; i < n->nq; i++)
        engine_rx(&n->e, &n->q[i].a, n->q[i].at, n->w->now);
    n->nq = 0;
}

static void boot(struct node *n)
{
    n->dead = false;
    n->nq = 0;
    engine_init(&n->e, &n->cfg, &ops, n);
    engine_set_source(&n->e, &n->addr);
    engine_start(&n->e, n->w->now, n->w->now);
    keep(n);
}

/* As vrrpd does it: snapshot, freshness, queue, grid. */
static void come_back(struct node *n)
{
    struct world *w = n->w;
    struct snapshot s;
    uint64_t lag = rnd(w, BEAT);
    uint64_t alive = n->died_at > lag ? n->died_at - lag : 0;
    bool have = n->keeps_snapshot && n->snap_len > 0 && snapshot_decode(n->snap, n->snap_len, &s) == 0;
    bool master = have && s.saved.state == VRRP_STATE_MASTER;
    if (have && s.saved.taken_at > alive)
        alive = s.saved.taken_at;
    if (!have || (!master && s.saved.state != VRRP_STATE_BACKUP) ||
        (master && !engine_fresh(&n->cfg, alive, BEAT, w->now))) {
        boot(n);
        return;
    }
    n->dead = false;
    engine_init(&n->e, &n->cfg, &ops, n);
    engine_set_source(&n->e, &n->addr);
    engine_resume(&n->e, &s.saved, w->now);
    feed(n);
    engine_resume_end(&n->e, w->now, alive);
    n->dirty = true;
    keep(n);
}

static void crash(struct node *n, uint64_t down, bool snapshot)
{
    n->dead = true;
    n->keeps_snapshot = snapshot;
    n->died_at = n->w->now;
    n->wake = n->w->now + down;
    n->deadline = TIME_NEVER;
}

static void wake(struct node *n)
{
    n->wake = TIME_NEVER;
    if (n->dead) {
        come_back(n);
        settle(n);
        return;
    }
    n->deaf = false; /* hung: the queue is read before the timers */
    feed(n);
    engine_timer(&n->e, n->w->now);
    settle(n);
}

static void deliver(struct world *w)
{
    struct letter m = wire_take(w);
    struct node *n = m.to;
    if (n->dead || n->deaf) {
        if (n->nq < QUEUE_MAX)
            n->q[n->nq++] = (struct queued){ m.a, w->now };
        return;
    }
    engine_rx(&n->e, &m.a, w->now, w->now);
    settle(n);
}

/* ---- time */

static struct node *next_node(struct world *w, uint64_t *at)
{
    struct node *best = NULL;
    *at = TIME_NEVER;
    for (unsigned int v = 0; v < w->nvrids; v++)
        for (unsigned int r = 0; r < w->nrouters; r++) {
            struct node *n = &w->node[v][r];
            uint64_t t = n->dead || n->deaf ? n->wake : n->deadline;
            if (t < *at) {
                *at = t;
                best = n;
            }
        }
    return best;
}

/* Between turns nobody is MASTER of one of his group and BACKUP of another. */
static void judge_groups(struct world *w)
{
    for (unsigned int r = 0; w->groups && r < w->nrouters; r++) {
        unsigned int masters = 0, backups = 0, others = 0;
        for (unsigned int v = 0; v < w->nvrids; v++) {
            const struct node *n = &w->node[v][r];
            masters += !n->dead && !n->deaf && n->e.state == VRRP_STATE_MASTER;
            backups += !n->dead && !n->deaf && n->e.state == VRRP_STATE_BACKUP;
            others += n->dead || n->deaf;
        }
        if (masters > 0 && backups > 0 && others == 0)
            die(w, "a sync group in two minds");
    }
}

static void run_until(struct world *w, uint64_t end)
{
    for (;;) {
        uint64_t at;
        struct node *n = next_node(w, &at);
        uint64_t wire = w->nwire > 0 ? w->wire[0].at : TIME_NEVER;
        uint64_t next = wire <= at ? wire : at;
        if (next > end)
            break;
        w->events++;
        w->now = next > w->now ? next : w->now;
        if (wire <= at) {
            deliver(w);
        } else if (n->dead || n->deaf) {
            wake(n);
        } else {
            engine_timer(&n->e, w->now);
            settle(n);
        }
        judge_groups(w);
    }
    w->now = end;
}

/* ---- trouble */

static struct node *any_node(struct world *w)
{
    uint64_t router = rnd(w, w->nrouters); /* first: a seed means the same with every compiler */
    return &w->node[rnd(w, w->nvrids)][router];
}

static void trouble_partition(struct world *w)
{
    unsigned int side[ROUTERS_MAX];
    bool one_way = chance(w, 25);
    for (unsigned int r = 0; r < w->nrouters; r++)
        side[r] = (unsigned int)rnd(w, 2);
    for (unsigned int a = 0; a < w->nrouters; a++)
        for (unsigned int b = 0; b < w->nrouters; b++)
            w->cut[a][b] = side[a] != side[b] && (!one_way || side[a] == 0);
}

enum trouble_kind { CRASH, CRASH_BLANK, HANG, RESTART, FAULT, TROUBLES_MAX };

static void trouble_one(struct world *w, struct node *n, enum trouble_kind kind, uint64_t span, bool clear)
{
    switch (kind) {
    case CRASH: crash(n, span, true); break;
    case CRASH_BLANK: crash(n, span, false); break;
    case HANG: /* SIGSTOP */
        n->deaf = true;
        n->wake = w->now + span;
        break;
    case RESTART: /* orderly stop, started again later */
        if (engine_stop(&n->e, "stop"))
            engine_resign(&n->e);
        crash(n, span, false);
        break;
    case FAULT:
        if (clear)
            engine_fault_clear(&n->e, w->now, "the fault is over");
        else
            engine_fault(&n->e, w->now, "fault");
        break;
    case TROUBLES_MAX: break;
    }
}

/* A sync group is one process, and one fault is everybody's. */
static void trouble_process(struct world *w, struct node *n)
{
    enum trouble_kind kind = (enum trouble_kind)rnd(w, TROUBLES_MAX);
    uint64_t span = rnd(w, n->cfg.interval * 8);
    bool clear = n->e.state == VRRP_STATE_FAULT;
    if (n->dead || n->deaf)
        return;
    for (unsigned int v = 0; v < w->nvrids; v++)
        if (v == n->vrid || w->groups)
            trouble_one(w, &w->node[v][n->router], kind, span, clear);
    if (kind == FAULT)
        settle(n);
}

/* A reload says so at once; a tracker does not. */
static void trouble_priority(struct world *w, struct node *n)
{
    bool reload = chance(w, 50);
    uint8_t priority = (uint8_t)(1 + rnd(w, 254));
    if (n->dead || n->deaf)
        return;
    for (unsigned int v = 0; v < w->nvrids; v++) {
        struct node *m = &w->node[v][n->router];
        if (m != n && !w->groups)
            continue;
        m->cfg.priority = priority;
        if (reload)
            engine_reconfigure(&m->e, &m->cfg, w->now, true);
        else
            engine_set_priority(&m->e, priority);
    }
    settle(n);
}

static void trouble(struct world *w, uint64_t interval)
{
    for (unsigned int i = 0; i < TROUBLES; i++) {
        run_until(w, w->now + rnd(w, 2 * interval));
        switch (rnd(w, 4)) {
        case 0: trouble_partition(w); break;
        case 1: w->loss = (unsigned int)rnd(w, 60); break;
        case 2: trouble_process(w, any_node(w)); break;
        case 3:
            if (chance(w, 20))
                trouble_priority(w, any_node(w));
            else
                trouble_process(w, any_node(w));
            break;
        }
    }
}

static void heal(struct world *w)
{
    memset(w->cut, 0, sizeof w->cut);
    w->loss = 0;
    for (unsigned int v = 0; v < w->nvrids; v++)
        for (unsigned int r = 0; r < w->nrouters; r++) {
            struct node *n = &w->node[v][r];
            if (n->dead || n->deaf)
                wake(n);
            engine_fault_clear(&n->e, w->now, "the fault is over");
        }
    for (unsigned int r = 0; r < w->nrouters; r++)
        settle(&w->node[0][r]);
}

/* ---- judgement */

/* The longest a node of this VRID may wait before it takes over, and the network's delays on top. */
static uint64_t bound(const struct world *w, unsigned int vrid)
{
    uint64_t worst = 0, interval = 0;
    for (unsigned int r = 0; r < w->nrouters; r++)
        if (w->node[vrid][r].cfg.interval > interval)
            interval = w->node[vrid][r].cfg.interval;
    for (unsigned int r = 0; r < w->nrouters; r++) {
        const struct engine_cfg *c = &w->node[vrid][r].cfg;
        uint64_t down = engine_down_interval(c, interval);
        if (c->preempt_delay > 0)
            down += c->preempt_delay + down;
        worst = down > worst ? down : worst;
    }
    worst += interval + 3 * w->delay + ENGINE_ANSWER_GAP;
    return w->groups ? 2 * worst : worst; /* members that wait for each other */
}

static struct node *only_master(struct world *w, unsigned int vrid)
{
    struct node *m = NULL;
    for (unsigned int r = 0; r < w->nrouters; r++) {
        struct node *n = &w->node[vrid][r];
        if (n->e.state != VRRP_STATE_MASTER)
            continue;
        if (m != NULL)
            die(w, "two masters after heal");
        m = n;
    }
    if (m == NULL)
        die(w, "no master after heal");
    return m;
}

static void judge_best(struct world *w, const struct node *m)
{
    for (unsigned int r = 0; r < w->nrouters; r++) {
        const struct node *n = &w->node[m->vrid][r];
        if (n->cfg.priority > m->cfg.priority && !n->cfg.nopreempt)
            die(w, "a lower priority is master although a higher one may preempt");
    }
}

static void judge(struct world *w)
{
    uint64_t longest = 0;
    uint64_t healed = w->now;
    struct node *master[VRIDS_MAX];
    for (unsigned int v = 0; v < w->nvrids; v++) {
        uint64_t b = bound(w, v);
        longest = b > longest ? b : longest;
    }
    run_until(w, healed + longest);
    for (unsigned int v = 0; v < w->nvrids; v++) {
        master[v] = only_master(w, v);
        judge_best(w, master[v]);
        if (w->groups && master[v]->router != master[0]->router)
            die(w, "a sync group that is MASTER of some only");
    }
    unsigned long before = w->transitions;
    run_until(w, w->now + longest);
    if (w->transitions != before)
        die(w, "a transition in a healthy network");
    /* the crash nobody sees */
    for (unsigned int v = 0; v < w->nvrids; v++) {
        if (!w->groups)
            run_until(w, w->now + rnd(w, master[v]->cfg.interval));
        crash(master[v], rnd(w, master[v]->cfg.interval), true);
    }
    run_until(w, w->now + longest);
    if (w->transitions != before)
        die(w, "a crash of less than an interval was seen");
    for (unsigned int v = 0; v < w->nvrids; v++)
        if (only_master(w, v) != master[v])
            die(w, "another master after an invisible crash");
}

/* ---- a seed */

static void build(struct world *w)
{
    static const uint64_t intervals[] = { 10, 100, 250, 1000, 3000 };
    uint64_t base = intervals[rnd(w, 5)] * NS_PER_MS;
    w->nrouters = 2 + (unsigned int)rnd(w, ROUTERS_MAX - 1);
    w->nvrids = 1 + (unsigned int)rnd(w, VRIDS_MAX);
    w->delay = base / 20;
    w->groups = w->nvrids > 1 && chance(w, 40);
    for (unsigned int v = 0; v < w->nvrids; v++) {
        bool v2 = chance(w, 30), mixed = !v2 && chance(w, 20), nopreempt = chance(w, 25),
             ties = chance(w, 20);
        for (unsigned int r = 0; r < w->nrouters; r++) {
            struct node *n = &w->node[v][r];
            *n = (struct node){ .w = w, .router = r, .vrid = v, .wake = TIME_NEVER, .deadline = TIME_NEVER };
            n->addr = (struct ipaddr){ .family = 4, .plen = 32, .b = { 10, 0, 0, (uint8_t)(r + 1) } };
            n->cfg.version = v2 ? 2 : 3;
            n->cfg.priority = (uint8_t)(ties ? 100 + rnd(w, 2) : 1 + rnd(w, 254));
            n->cfg.down_adverts = 3;
            n->cfg.interval = mixed ? base * (1 + rnd(w, 4)) : base;
            n->cfg.nopreempt = nopreempt && chance(w, 50);
            n->cfg.preempt_delay = chance(w, 10) ? base * 10 : 0;
            n->cfg.lower_prio_no_advert = chance(w, 10);
            n->cfg.higher_prio_send_advert = chance(w, 10);
            if (w->groups && v > 0)
                n->cfg = w->node[0][r].cfg;
        }
    }
    for (unsigned int v = 0; v < w->nvrids; v++)
        for (unsigned int r = 0; r < w->nrouters; r++)
            boot(&w->node[v][r]);
}

static void run_seed(struct world *w, uint64_t seed)
{
    bool verbose = w->verbose;
    memset(w, 0, sizeof *w);
    w->verbose = verbose;
    w->seed = seed;
    w->rng = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    w->now = NS_PER_SEC;
    build(w);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        trouble(w, w->node[0][0].cfg.interval);
        heal(w);
        judge(w);
    }
}

struct sum {
    unsigned long transitions, adverts, events, boots, reloads;
    double hours;
};

static void sum_engines(struct sum *s, struct world *w, uint64_t seed)
{
    run_seed(w, seed);
    s->transitions += w->transitions;
    s->adverts += w->adverts;
    s->events += w->events;
    s->hours += (double)w->now / 3600e9;
}

static void sum_towns(struct sum *s, struct town *t, uint64_t seed)
{
    town_run_seed(t, seed);
    s->transitions += t->transitions;
    s->adverts += t->adverts;
    s->events += t->events;
    s->boots += t->boots;
    s->reloads += t->reloads;
    s->hours += (double)t->now / 3600e9;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 100, first = 1;
    bool engines = true, towns = true, verbose = false;
    static struct world w;
    static struct town t;
    struct sum s = { 0 };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            first = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--engines") == 0)
            towns = false;
        else if (strcmp(argv[i], "--towns") == 0)
            engines = false;
        else if (strcmp(argv[i], "-v") == 0)
            verbose = true;
        else
            return fprintf(stderr, "usage: sim --seeds N [--seed FIRST] [-v] [--engines | --towns]\n"), 1;
    }
    w.verbose = t.verbose = verbose;
    log_set_level(verbose ? LOG_LEVEL_INFO : LOG_LEVEL_ERR);
    for (uint64_t n = first; n < first + seeds; n++) {
        if (engines)
            sum_engines(&s, &w, n);
        if (towns)
            sum_towns(&s, &t, n);
    }
    printf("ok: %" PRIu64 " seeds, %.1f hours of virtual time, %lu events, %lu adverts, %lu transitions, "
           "%lu starts, %lu reloads\n",
           seeds, s.hours, s.events, s.adverts, s.transitions, s.boots, s.reloads);
    return 0;
}
