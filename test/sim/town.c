/*
 * town.c - houses, a bad network between them, and what happens to them: loss, partitions, crashes with and
 * without their snapshots, hangs, stops, reloads, carrier lost, trackers that go up and down. A seed is
 * several rounds of trouble, heal, judgement (rules.c). Called by sim.c; see house.h.
 */
#include "test/sim/house.h"

#include <string.h>

#include "test/sim/world.h"

#define TOWN_ROUNDS   3
#define TOWN_TROUBLES 30
#define TOWN_NEVER    (UINT64_MAX / 2)

uint64_t town_rnd(struct town *t, uint64_t n)
{
    return rnd_of(&t->rng, n);
}

bool town_chance(struct town *t, unsigned int percent)
{
    return town_rnd(t, 100) < percent;
}

/* ---- what is under way: a heap */

static bool post_before(const struct post *a, const struct post *b)
{
    return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

static void post_swap(struct town *t, size_t i, size_t j)
{
    struct post p = t->post[i];
    t->post[i] = t->post[j];
    t->post[j] = p;
}

void town_post(struct town *t, struct post *p)
{
    if (t->npost == POST_MAX)
        rule_broken(t, "the wire is full: somebody floods");
    p->seq = t->seq++;
    size_t i = t->npost++;
    t->post[i] = *p;
    for (; i > 0 && post_before(&t->post[i], &t->post[(i - 1) / 2]); i = (i - 1) / 2)
        post_swap(t, i, (i - 1) / 2);
}

static struct post post_take(struct town *t)
{
    struct post top = t->post[0];
    t->post[0] = t->post[--t->npost];
    for (size_t i = 0, kid; (kid = 2 * i + 1) < t->npost; i = kid) {
        if (kid + 1 < t->npost && post_before(&t->post[kid + 1], &t->post[kid]))
            kid++;
        if (!post_before(&t->post[kid], &t->post[i]))
            break;
        post_swap(t, i, kid);
    }
    return top;
}

/* ---- time */

/* What ipvsd and the parent have to say now; a process that does not read is told when it does. */
static void town_tell(struct house *h)
{
    if (h->v == NULL || h->hung)
        return;
    for (int k = -1; k < TARGETS; k++)
        house_tell_link(h, k);
    for (unsigned int k = 0; k < TARGETS; k++) {
        house_tell_file(h, k);
        house_tell_proc(h, k);
    }
    house_turn(h);
}

static void town_wake(struct house *h)
{
    h->wake = TOWN_NEVER;
    if (h->v == NULL) {
        house_boot(h);
        return;
    }
    h->hung = false;
    house_turn(h);
    town_tell(h);
}

static void town_deliver(struct town *t)
{
    struct post p = post_take(t);
    struct house *h = &t->house[p.to];
    if (p.kind == POST_RAN) {
        if (h->hung) {
            p.at = h->wake + 1;
            town_post(t, &p);
            return;
        }
        house_ran(h, &p);
        if (h->v != NULL)
            house_turn(h);
        return;
    }
    if (!h->facts.own_link)
        return;
    p.d.at = t->now;
    if (h->nq < HOUSE_QUEUE)
        h->q[h->nq++] = p.d;
    if (h->v != NULL && !h->hung)
        house_turn(h);
}

static void town_run(struct town *t, uint64_t end)
{
    for (;;) {
        struct house *first = NULL;
        uint64_t at = UINT64_MAX;
        for (unsigned int k = 0; k < t->nhouses; k++) {
            uint64_t d = house_deadline(&t->house[k]);
            if (d < at) {
                at = d;
                first = &t->house[k];
            }
        }
        uint64_t post = t->npost > 0 ? t->post[0].at : UINT64_MAX, next = post <= at ? post : at;
        if (next > end)
            break;
        t->events++;
        t->now = next > t->now ? next : t->now;
        if (post <= at)
            town_deliver(t);
        else if (first->v == NULL || first->hung)
            town_wake(first);
        else
            house_turn(first);
    }
    t->now = end;
}

/* ---- trouble */

static void trouble_cut(struct town *t)
{
    unsigned int side[HOUSES_MAX];
    bool one_way = town_chance(t, 25);
    for (unsigned int k = 0; k < t->nhouses; k++)
        side[k] = (unsigned int)town_rnd(t, 2);
    for (unsigned int a = 0; a < t->nhouses; a++)
        for (unsigned int b = 0; b < t->nhouses; b++)
            t->cut[a][b] = side[a] != side[b] && (!one_way || side[a] == 0);
}

static void trouble_fact(struct town *t, struct house *h)
{
    static const int32_t values[] = { 0, 0, 1, -1, 3, -3, 20, -20, 254, -254, INT32_MIN };
    struct facts_false *f = &h->facts;
    unsigned int k = (unsigned int)town_rnd(t, TARGETS);
    switch (town_rnd(t, 5)) {
    case 0: f->own_link = !f->own_link; break;
    case 1: f->link[k] = !f->link[k]; break;
    case 2: f->script[k] = !f->script[k]; break;
    case 3: f->file[k] = values[town_rnd(t, sizeof values / sizeof *values)]; break;
    case 4: f->proc[k] = (int32_t)town_rnd(t, 3); break;
    }
    town_tell(h);
}

static void trouble_process(struct town *t, struct house *h)
{
    uint64_t span = town_rnd(t, t->base * 8);
    if (h->v == NULL || h->hung)
        return;
    switch (town_rnd(t, 4)) {
    case 0: house_crash(h, span, true); break;
    case 1: house_crash(h, span, false); break;
    case 2: /* SIGSTOP */
        h->hung = true;
        h->wake = t->now + span;
        break;
    case 3: house_stop(h, span); break;
    }
}

static uint8_t plan_priority(struct town *t)
{
    return (uint8_t)(town_chance(t, 30) ? 100 + town_rnd(t, 2) : 1 + town_rnd(t, 254));
}

/* Members of a group are alike, unless the town is one of crossed priorities. */
static void plan_alike(const struct town *t, struct plan *p)
{
    const struct vi_plan *first = &p->vi[0];
    for (unsigned int m = 1; m < t->nmembers; m++) {
        if (!p->vi[m].grouped || t->crossed)
            continue;
        p->vi[m].priority = first->priority;
        p->vi[m].nopreempt = first->nopreempt;
        p->vi[m].preempt_delay = first->preempt_delay;
    }
}

static void trouble_reload(struct town *t, struct house *h)
{
    struct vi_plan *p = &h->plan.vi[town_rnd(t, t->nmembers)];
    if (h->v == NULL || h->hung)
        return;
    if (p->priority != ENGINE_OWNER)
        p->priority = plan_priority(t);
    if (town_chance(t, 30))
        p->nopreempt = !p->nopreempt;
    if (p->nlines > 0 && town_chance(t, 30))
        p->nlines--;
    plan_alike(t, &h->plan);
    house_reload(h);
}

static void trouble(struct town *t)
{
    for (unsigned int n = 0; n < TOWN_TROUBLES; n++) {
        town_run(t, t->now + town_rnd(t, 2 * t->base));
        struct house *h = &t->house[town_rnd(t, t->nhouses)];
        switch (town_rnd(t, 6)) {
        case 0: trouble_cut(t); break;
        case 1: t->loss = (unsigned int)town_rnd(t, 60); break;
        case 2: trouble_process(t, h); break;
        case 3:
        case 4: trouble_fact(t, h); break;
        case 5:
            if (town_chance(t, 40))
                trouble_reload(t, h);
            else
                trouble_process(t, h);
            break;
        }
    }
}

static void facts_good(struct facts_false *f)
{
    for (unsigned int k = 0; k < TARGETS; k++) {
        f->link[k] = f->script[k] = true;
        f->file[k] = 0;
        f->proc[k] = 1;
    }
}

static void heal(struct town *t)
{
    bool trackers = town_chance(t, 50);
    memset(t->cut, 0, sizeof t->cut);
    t->loss = 0;
    for (unsigned int k = 0; k < t->nhouses; k++) {
        struct house *h = &t->house[k];
        h->facts.own_link = h->facts.own_link || town_chance(t, 80);
        if (trackers)
            facts_good(&h->facts);
        if (h->v == NULL || h->hung)
            town_wake(h);
        else
            town_tell(h);
    }
}

/* ---- judgement */

static void judge_all(const struct town *t, int master[MEMBERS_MAX])
{
    for (unsigned int m = 0; m < t->nmembers; m++)
        master[m] = rule_quiet(t, m);
    for (unsigned int m = 1; m < t->nmembers; m++)
        if (t->house[0].plan.vi[m].grouped && master[m] != master[0])
            rule_broken(t, "a sync group is split between houses");
}

/* The crash nobody sees: back within an interval, and everything goes on. */
static void judge_crash(struct town *t, const int master[MEMBERS_MAX])
{
    unsigned long before = t->transitions;
    unsigned int m = (unsigned int)town_rnd(t, t->nmembers);
    int after[MEMBERS_MAX];
    uint64_t shortest = UINT64_MAX;
    if (master[m] < 0)
        return;
    struct house *h = &t->house[master[m]];
    for (unsigned int k = 0; k < t->nmembers; k++)
        if (h->plan.vi[k].interval < shortest)
            shortest = h->plan.vi[k].interval;
    town_run(t, t->now + town_rnd(t, shortest));
    house_crash(h, town_rnd(t, shortest), true);
    town_run(t, t->now + rule_bound(t));
    if (t->transitions != before)
        rule_broken(t, "a crash of less than an interval was seen");
    judge_all(t, after);
    if (memcmp(after, master, t->nmembers * sizeof *after) != 0)
        rule_broken(t, "another master after a crash nobody can have seen");
}

static void judge(struct town *t)
{
    int master[MEMBERS_MAX];
    uint64_t bound = rule_bound(t);
    town_run(t, t->now + bound);
    judge_all(t, master);
    unsigned long before = t->transitions;
    town_run(t, t->now + bound);
    if (t->transitions != before)
        rule_broken(t, "a transition in a quiet town");
    judge_crash(t, master);
}

/* ---- a seed */

static unsigned int plan_lines(struct town *t, struct line_plan *line, bool weights)
{
    unsigned int n = (unsigned int)town_rnd(t, LINES_MAX + 1);
    for (unsigned int k = 0; k < n; k++) {
        struct line_plan *l = &line[k];
        *l = (struct line_plan){ .kind = (enum track_kind)town_rnd(t, TRACK_BFD),
                                 .target = (unsigned int)town_rnd(t, TARGETS),
                                 .reverse = town_chance(t, 10) };
        int most = l->kind == TRACK_FILE || l->kind == TRACK_PROC ? 254 : 253;
        if (weights && town_chance(t, 80))
            l->weight = town_chance(t, 50) ? (int)town_rnd(t, 41) - 20
                                           : (int)town_rnd(t, (uint64_t)(2 * most + 1)) - most;
        if (l->kind == TRACK_FILE && town_chance(t, 30))
            l->weight = 1;
    }
    return n;
}

static void plan_house(struct town *t, struct house *h, const struct vi_plan common[MEMBERS_MAX], bool owner)
{
    struct plan *p = &h->plan;
    for (unsigned int m = 0; m < t->nmembers; m++) {
        struct vi_plan *vi = &p->vi[m];
        *vi = common[m];
        if (vi->version == 3 && town_chance(t, 15))
            vi->interval *= 1 + town_rnd(t, 3);
        vi->priority = owner && (!t->crossed || town_chance(t, 50)) ? ENGINE_OWNER : plan_priority(t);
        vi->nopreempt = town_chance(t, 25);
        vi->preempt_delay = town_chance(t, 20) ? t->base * (1 + town_rnd(t, 12)) : 0;
        vi->lower_no_advert = town_chance(t, 10);
        vi->higher_advert = town_chance(t, 10);
        vi->nlines = town_chance(t, 60) ? plan_lines(t, vi->line, true) : 0;
    }
    p->nlines = town_chance(t, 60) ? plan_lines(t, p->line, true) : 0;
    p->group_weights = t->crossed && town_chance(t, 50);
    p->script_interval = t->base * (1 + town_rnd(t, 3));
    p->proc_delay = town_chance(t, 30) ? town_rnd(t, t->base * 2) : 0;
    p->link_delay = town_chance(t, 20) ? NS_PER_MS + town_rnd(t, t->base) : 0;
    plan_alike(t, p);
}

static void town_build(struct town *t)
{
    static const uint64_t intervals[] = { 10, 100, 250, 1000, 3000 };
    struct vi_plan common[MEMBERS_MAX] = { 0 };
    t->base = intervals[town_rnd(t, 5)] * NS_PER_MS;
    t->nhouses = 2 + (unsigned int)town_rnd(t, HOUSES_MAX - 1);
    t->nmembers = 1 + (unsigned int)town_rnd(t, MEMBERS_MAX);
    t->delay = t->base / 20;
    t->doubles = town_chance(t, 30) ? 20 : 0; /* so it stays, in quiet too */
    unsigned int grouped =
        t->nmembers > 1 && town_chance(t, 70) ? 2 + (unsigned int)town_rnd(t, t->nmembers - 1) : 0;
    t->crossed = grouped > 0 && town_chance(t, 20);
    bool owner = town_chance(t, 20);
    for (unsigned int m = 0; m < t->nmembers; m++) {
        bool v2 = t->base >= NS_PER_SEC && town_chance(t, 40);
        common[m] = (struct vi_plan){ .version = v2 ? 2 : 3, .interval = t->base, .grouped = m < grouped };
        if (!v2 && town_chance(t, 30))
            common[m].interval = t->base * (1 + town_rnd(t, 4));
    }
    for (unsigned int k = 0; k < t->nhouses; k++) {
        struct house *h = &t->house[k];
        *h = (struct house){ .t = t, .nr = k, .wake = TOWN_NEVER };
        h->addr = (struct ipaddr){ .family = 4, .plen = 32, .b = { 10, 0, 0, (uint8_t)(k + 1) } };
        h->facts.own_link = true;
        facts_good(&h->facts);
        plan_house(t, h, common, owner && k == 0);
    }
    for (unsigned int k = 0; k < t->nhouses; k++)
        house_boot(&t->house[k]);
}

void town_run_seed(struct town *t, uint64_t seed)
{
    bool verbose = t->verbose;
    memset(t, 0, sizeof *t);
    t->verbose = verbose;
    t->seed = seed;
    t->rng = seed * UINT64_C(0x2545f4914f6cdd1d) + 7;
    t->now = 1000 * NS_PER_SEC;
    town_build(t);
    for (unsigned int n = 0; n < TOWN_ROUNDS; n++) {
        trouble(t);
        heal(t);
        judge(t);
    }
    for (unsigned int k = 0; k < t->nhouses; k++)
        house_end(&t->house[k]);
}
