/*
 * town.c - houses, a bad network between them, and what happens to them: loss, partitions, crashes with and
 * without their snapshots, hangs, stops, reloads, carrier lost, trackers that go up and down, wall clocks
 * that are set, keys and modes of signatures that change. A seed is several rounds of trouble, heal,
 * judgement (rules.c). Called by sim.c; see house.h.
 */
#include "test/sim/house.h"

#include <stdio.h>
#include <string.h>

#include "test/sim/world.h"

#define TOWN_ROUNDS   3 /* of a plain town; in others more happens in each */
#define TOWN_FEWER    2
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
    struct post *p = t->heap[i];
    t->heap[i] = t->heap[j];
    t->heap[j] = p;
}

static struct post *post_room(struct town *t)
{
    struct post *p = t->spare;
    if (p == NULL && t->nused == POST_MAX)
        rule_broken(t, "the wire is full: somebody floods");
    if (p == NULL)
        return &t->post[t->nused++];
    t->spare = p->next_free;
    return p;
}

void town_post(struct town *t, const struct post *p)
{
    size_t i = t->npost++;
    t->heap[i] = post_room(t);
    *t->heap[i] = *p;
    t->heap[i]->seq = t->seq++;
    for (; i > 0 && post_before(t->heap[i], t->heap[(i - 1) / 2]); i = (i - 1) / 2)
        post_swap(t, i, (i - 1) / 2);
}

/* Valid until the next town_post. */
static struct post *post_take(struct town *t)
{
    struct post *top = t->heap[0];
    t->heap[0] = t->heap[--t->npost];
    for (size_t i = 0, kid; (kid = 2 * i + 1) < t->npost; i = kid) {
        if (kid + 1 < t->npost && post_before(t->heap[kid + 1], t->heap[kid]))
            kid++;
        if (!post_before(t->heap[kid], t->heap[i]))
            break;
        post_swap(t, i, kid);
    }
    top->next_free = t->spare;
    t->spare = top;
    return top;
}

void town_carry(struct town *t, enum post_kind kind, const struct datagram *d, unsigned int only)
{
    unsigned int from = d->from;
    for (unsigned int to = 0; to < t->nhouses; to++) {
        if (to == from || (only != HOUSES_MAX && to != only) || t->cut[from][to] || town_chance(t, t->loss) ||
            !t->house[to].facts.own_link || !t->house[from].facts.own_link)
            continue;
        struct post p = { .at = t->now + 1 + town_rnd(t, t->delay), .kind = kind, .to = to, .d = *d };
        town_post(t, &p);
        if (town_chance(t, t->doubles)) {
            p.at += town_rnd(t, t->delay);
            town_post(t, &p);
        }
    }
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

static void town_hand(struct town *t, struct house *h, struct post *p)
{
    p->d.at = t->now;
    p->d.wall_at = machine_wall(h, t->now);
    if (p->kind == POST_ADVERT && h->nq < HOUSE_QUEUE)
        h->q[h->nq++] = p->d;
    if (p->kind == POST_BFD && h->nbfd_q < HOUSE_QUEUE)
        h->bfd_q[h->nbfd_q++] = p->d;
    if (h->v != NULL && !h->hung)
        house_turn(h);
}

static void town_deliver(struct town *t)
{
    struct post p = *post_take(t);
    struct house *h = &t->house[p.to];
    if (p.kind != POST_RAN) {
        if (h->facts.own_link)
            town_hand(t, h, &p);
        return;
    }
    if (h->hung) {
        p.at = h->wake + 1;
        town_post(t, &p);
        return;
    }
    house_ran(h, &p);
    if (h->v != NULL)
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
        uint64_t post = t->npost > 0 ? t->heap[0]->at : UINT64_MAX, next = post <= at ? post : at;
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
    case 1: house_crash(h, span, t->remembers); break;
    case 2: /* SIGSTOP */
        h->hung = true;
        h->wake = t->now + span;
        break;
    case 3:
        if (t->remembers)
            house_crash(h, span, true);
        else
            house_stop(h, span);
        break;
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

/* The keys of the house that is behind go a step on; who hangs is waited for. */
static void town_rotate(struct town *t)
{
    struct house *last = &t->house[0];
    for (unsigned int k = 1; k < t->nhouses; k++)
        if (t->house[k].plan.key_step < last->plan.key_step)
            last = &t->house[k];
    if (last->hung)
        return;
    last->plan.key_step++;
    if (last->v != NULL)
        house_reload(last);
}

/* auth_hmac's mode, likewise. */
static void town_remode(struct town *t)
{
    struct house *last = &t->house[0];
    for (unsigned int k = 1; k < t->nhouses; k++)
        if (t->house[k].plan.mode_step < last->plan.mode_step)
            last = &t->house[k];
    if (!t->modes || last->hung)
        return;
    last->plan.mode_step++;
    if (last->v != NULL)
        house_reload(last);
}

/* ---- wall clocks */

/* Wrong by what nobody minds, by more than a time window, by far. */
static void town_jump(struct town *t)
{
    static const int64_t spans[] = { 1, 4, 20, 3600, 86400 };
    struct house *h = &t->house[rnd_of(&t->late_rng, t->nhouses)];
    int64_t span = spans[rnd_of(&t->late_rng, 5)] * (int64_t)NS_PER_SEC;
    span = (int64_t)rnd_of(&t->late_rng, (uint64_t)(2 * span)) - span;
    if (t->steps)
        machine_step(h, rnd_of(&t->late_rng, 3) == 0 ? t->noon + h->right : h->skew + span);
}

/* All are right again; what all of them take for right was wrong before, sometimes. */
static void town_set_clocks(struct town *t)
{
    static const int64_t noons[] = { 0, 0, -2, -30, -7200, 30, 7200 };
    if (!t->steps)
        return;
    t->noon += noons[rnd_of(&t->late_rng, 7)] * (int64_t)NS_PER_SEC;
    for (unsigned int k = 0; k < t->nhouses; k++)
        machine_step(&t->house[k], t->noon + t->house[k].right);
}

/* A step within every time window: nobody is to notice. */
static void town_nudge(struct town *t, struct house *h)
{
    if (t->steps)
        machine_step(h, t->noon + h->right + (int64_t)(rnd_of(&t->late_rng, 400) * NS_PER_MS) -
                            200 * (int64_t)NS_PER_MS);
}

/* Timers of a BFD session that is up change by a poll. */
static void town_retime(struct town *t, struct house *h)
{
    if (h->v == NULL || h->hung || !plan_has_bfd(h))
        return;
    h->plan.bfd_tx = t->base + town_rnd(t, 2) * t->base / 4;
    h->plan.bfd_mult = (uint8_t)(5 + town_rnd(t, 2));
    h->plan.bfd_hops = (uint8_t)(t->hops + rnd_of(&t->late_rng, 3));
    house_reload(h);
}

static void trouble(struct town *t)
{
    t->quiet = false;
    for (unsigned int n = 0; n < TOWN_TROUBLES; n++) {
        town_run(t, t->now + town_rnd(t, 2 * t->base));
        if (t->signs && n % 8 == 0)
            town_rotate(t);
        if (n % 8 == 3)
            town_remode(t);
        if (n % 4 == 1)
            town_jump(t);
        if (n % 16 == 7)
            town_retime(t, &t->house[n / 8 % t->nhouses]);
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

static void heal(struct town *t)
{
    bool trackers = town_chance(t, 50);
    t->quiet = true;
    town_set_clocks(t);
    memset(t->cut, 0, sizeof t->cut);
    t->loss = 0;
    for (unsigned int k = 0; k < t->nhouses; k++) {
        struct house *h = &t->house[k];
        h->facts.own_link = h->facts.own_link || town_chance(t, 80);
        if (trackers)
            plan_facts_good(&h->facts);
        if (h->v == NULL || h->hung)
            town_wake(h);
        else
            town_tell(h);
    }
}

/* ---- judgement */

struct masters {
    int of[HOUSES_MAX][MEMBERS_MAX]; /* side, member */
};

static void judge_all(const struct town *t, struct masters *ms)
{
    memset(ms, 0, sizeof *ms);
    for (unsigned int side = 0; side < t->nsides; side++) {
        int *master = ms->of[side];
        for (unsigned int m = 0; m < t->nmembers; m++)
            master[m] = rule_quiet(t, m, side);
        for (unsigned int m = 1; m < t->nmembers; m++)
            if (t->house[0].plan.vi[m].grouped && master[m] != master[0])
                rule_broken(t, "a sync group is split between houses");
    }
}

/* The crash nobody sees: back within an interval, and everything goes on. */
static void judge_crash(struct town *t, const struct masters *ms)
{
    unsigned long before = t->transitions;
    unsigned int m = (unsigned int)town_rnd(t, t->nmembers);
    int who = ms->of[t->nsides > 1 ? town_rnd(t, t->nsides) : 0][m];
    struct masters after;
    uint64_t shortest = UINT64_MAX;
    if (who < 0)
        return;
    struct house *h = &t->house[who];
    for (unsigned int k = 0; k < t->nmembers; k++)
        if (h->plan.vi[k].interval < shortest)
            shortest = h->plan.vi[k].interval;
    town_run(t, t->now + town_rnd(t, shortest));
    house_crash(h, town_rnd(t, shortest), true);
    town_run(t, t->now + rule_bound(t));
    if (t->transitions != before)
        rule_broken(t, "a crash of less than an interval was seen");
    judge_all(t, &after);
    if (memcmp(&after, ms, sizeof after) != 0)
        rule_broken(t, "another master after a crash nobody can have seen");
}

/* A clock that was ahead by less than a window is waited for by its own marks: so long may nobody believe it.
 */
static void judge_clocks(struct town *t)
{
    uint64_t most = 0;
    for (unsigned int m = 0; m < t->nmembers; m++) {
        uint64_t w = rule_window(&t->house[0].plan.vi[m]);
        most = w > most ? w : most;
    }
    if (t->steps)
        town_run(t, t->now + most + NS_PER_SEC);
}

static void judge(struct town *t)
{
    struct masters masters;
    judge_clocks(t);
    uint64_t bound = rule_bound(t), start = t->now;
    town_run(t, t->now + bound);
    judge_all(t, &masters);
    unsigned long before = t->transitions;
    for (unsigned int k = 0; t->signs && k < t->nhouses; k++) { /* nobody is to notice new keys */
        town_run(t, t->now + town_rnd(t, t->base));
        town_rotate(t);
        town_nudge(t, &t->house[k]);
        town_run(t, t->now + rnd_of(&t->late_rng, t->base));
        town_remode(t);
    }
    town_run(t, start + 2 * bound > t->now ? start + 2 * bound : t->now);
    if (t->transitions != before)
        rule_broken(t, "a transition in a quiet town");
    judge_crash(t, &masters);
}

/* ---- a seed */

void town_run_seed(struct town *t, uint64_t seed)
{
    bool verbose = t->verbose;
    memset(t, 0, sizeof *t);
    t->verbose = verbose;
    t->seed = seed;
    t->rng = seed * UINT64_C(0x2545f4914f6cdd1d) + 7;
    t->more_rng = t->rng ^ UINT64_C(0x6d6f7265);
    t->foe_rng = t->rng ^ UINT64_C(0x666f65);
    t->late_rng = t->rng ^ UINT64_C(0x6c617465);
    t->now = 1000 * NS_PER_SEC;
    plan_town(t);
    for (unsigned int k = 0; k < t->nhouses; k++)
        house_boot(&t->house[k]);
    bool plain = !t->foe && !t->v6 && !plan_bfd(t);
    for (unsigned int n = 0; n < (plain ? TOWN_ROUNDS : TOWN_FEWER); n++) {
        trouble(t);
        heal(t);
        judge(t);
    }
    for (unsigned int k = 0; k < t->nhouses; k++)
        house_end(&t->house[k]);
    if (t->verbose)
        printf("%lu forged or replayed, %lu kept back by the foe, %lu packets of BFD\n", t->forged, t->late,
               t->bfd_packets);
}
