/*
 * plan.c - what a town is to be: houses, members of a group, priorities, trackers; then (by chance of its
 * own, so that the plain part of a seed means what it always did) families, unicast peers, signatures and
 * their keys, BFD sessions; at last clocks, modes of signatures, hops. Called by town.c.
 */
#include <string.h>

#include "test/sim/house.h"
#include "test/sim/world.h"

#define PLAN_NEVER (UINT64_MAX / 2)

uint8_t plan_priority(struct town *t)
{
    return (uint8_t)(town_chance(t, 30) ? 100 + town_rnd(t, 2) : 1 + town_rnd(t, 254));
}

static bool plan_tracked(const struct line_plan *line, unsigned int n, const struct line_plan *l)
{
    for (unsigned int k = 0; k < n; k++)
        if (line[k].kind == l->kind && line[k].target == l->target)
            return true;
    return false;
}

/* What a member tracks as a fault hides it from the weights of its group: then they would not be alike. */
static void plan_unhide(const struct plan *p, struct vi_plan *vi)
{
    unsigned int n = 0;
    for (unsigned int k = 0; k < vi->nlines; k++)
        if (!plan_tracked(p->line, p->nlines, &vi->line[k]))
            vi->line[n++] = vi->line[k];
    vi->nlines = n;
}

/* Members of a group are alike, unless the town is one of crossed priorities. */
void plan_alike(const struct town *t, struct plan *p)
{
    const struct vi_plan *first = &p->vi[0];
    for (unsigned int m = 0; m < t->nmembers && !t->crossed; m++)
        if (p->vi[m].grouped)
            plan_unhide(p, &p->vi[m]);
    for (unsigned int m = 1; m < t->nmembers; m++) {
        if (!p->vi[m].grouped || t->crossed)
            continue;
        p->vi[m].priority = first->priority;
        p->vi[m].nopreempt = first->nopreempt;
        p->vi[m].preempt_delay = first->preempt_delay;
    }
}

void plan_facts_good(struct facts_false *f)
{
    for (unsigned int k = 0; k < TARGETS; k++) {
        f->link[k] = f->script[k] = true;
        f->file[k] = 0;
        f->proc[k] = 1;
    }
}

/* ---- plain */

static unsigned int plan_lines(struct town *t, struct line_plan *line, bool weights)
{
    unsigned int n = 0;
    for (unsigned int k = (unsigned int)town_rnd(t, LINES_MAX); k > 0; k--) {
        struct line_plan *l = &line[n];
        *l = (struct line_plan){ .kind = (enum track_kind)town_rnd(t, TRACK_BFD),
                                 .target = (unsigned int)town_rnd(t, TARGETS),
                                 .reverse = town_chance(t, 10) };
        int most = l->kind == TRACK_FILE || l->kind == TRACK_PROC ? 254 : 253;
        if (weights && town_chance(t, 80))
            l->weight = town_chance(t, 50) ? (int)town_rnd(t, 41) - 20
                                           : (int)town_rnd(t, (uint64_t)(2 * most + 1)) - most;
        if (l->kind == TRACK_FILE && town_chance(t, 30))
            l->weight = 1;
        n += !plan_tracked(line, n, l); /* twice is once: holdfast-conf drops the other */
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

static void plan_plain(struct town *t)
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
        common[m] = (struct vi_plan){ .version = v2 ? 2 : 3,
                                      .interval = t->base,
                                      .grouped = m < grouped,
                                      .family = 4,
                                      .vrid = (uint8_t)(m + 1) };
        if (!v2 && town_chance(t, 30))
            common[m].interval = t->base * (1 + town_rnd(t, 4));
    }
    for (unsigned int k = 0; k < t->nhouses; k++) {
        struct house *h = &t->house[k];
        *h = (struct house){ .t = t, .nr = k, .wake = PLAN_NEVER };
        h->addr = (struct ipaddr){ .family = 4, .plen = 32, .b = { 10, 0, 0, (uint8_t)(k + 1) } };
        h->facts.own_link = true;
        plan_facts_good(&h->facts);
        plan_house(t, h, common, owner && k == 0);
    }
}

/* ---- beyond plain */

static uint64_t more_rnd(struct town *t, uint64_t n)
{
    return rnd_of(&t->more_rng, n);
}

static bool more_chance(struct town *t, unsigned int percent)
{
    return more_rnd(t, 100) < percent;
}

/* Step by step, one house after the other: the next key is known, it is used, the former one is forgotten.
 * Houses one step apart understand each other. */
struct keys_plan plan_keys(unsigned int step)
{
    uint8_t first = (uint8_t)(1 + step / 3 % 200), next = (uint8_t)(first + 1);
    switch (step % 3) {
    case 1: return (struct keys_plan){ .active = first, .also = next };
    case 2: return (struct keys_plan){ .active = next, .also = first };
    }
    return (struct keys_plan){ .active = first };
}

/* Adverts are signed by one house after the other while all believe both kinds, and the reverse. */
enum plan_mode plan_mode(unsigned int step)
{
    static const enum plan_mode modes[] = { MODE_ENFORCE, MODE_PERMISSIVE, MODE_RECEIVE_ONLY,
                                            MODE_PERMISSIVE };
    return modes[step % 4];
}

void plan_key(uint8_t id, uint8_t out[16])
{
    for (unsigned int k = 0; k < 16; k++)
        out[k] = (uint8_t)(id * 31 + k * 7 + 5);
}

bool plan_has_bfd(const struct house *h)
{
    for (unsigned int k = 0; k < h->t->nhouses; k++)
        if (h->t->bfd[h->nr][k])
            return true;
    return false;
}

bool plan_bfd(const struct town *t)
{
    for (unsigned int k = 0; k < t->nhouses; k++)
        if (plan_has_bfd(&t->house[k]))
            return true;
    return false;
}

/* The same in every house: families (two virtual routers of one number, one of each family, are usual), how
 * adverts travel, what signs them. */
static void more_member(struct town *t, unsigned int m, struct vi_plan *vi, const struct vi_plan *before)
{
    if (t->v6 && more_chance(t, 60)) {
        vi->family = 6;
        vi->version = 3;
        if (before != NULL && before->family == 4 && more_chance(t, 70))
            vi->vrid = before->vrid;
    }
    vi->unicast = t->unicast && (t->nsides > 1 || m == 0 || more_chance(t, 60));
    vi->with_src = vi->unicast && more_chance(t, 50);
    vi->check_src = vi->unicast && more_chance(t, 60);
    if (!t->signs || (m > 0 && more_chance(t, 30)))
        return;
    vi->auth = vi->version == 2 && more_chance(t, 70) ? AUTH_AH : AUTH_HMAC;
    vi->monotonic = more_chance(t, 30);
    vi->window = !vi->monotonic && more_chance(t, 50) ? (1 + more_rnd(t, 3)) * NS_PER_SEC : 0;
}

static void more_copy(struct vi_plan *to, const struct vi_plan *like)
{
    to->family = like->family;
    to->vrid = like->vrid;
    to->version = like->version;
    to->unicast = like->unicast;
    to->with_src = like->with_src;
    to->check_src = like->check_src;
    to->auth = like->auth;
    to->monotonic = like->monotonic;
    to->window = like->window;
}

static void more_bfd_line(struct town *t, struct house *h, struct line_plan *line, unsigned int *n)
{
    unsigned int to = (unsigned int)more_rnd(t, t->nhouses);
    if (*n == LINES_MAX || !t->bfd[h->nr][to] || !more_chance(t, 70))
        return;
    struct line_plan *l = &line[(*n)++];
    *l = (struct line_plan){ .kind = TRACK_BFD, .target = to, .reverse = more_chance(t, 10) };
    if (more_chance(t, 70))
        l->weight = more_chance(t, 60) ? (int)more_rnd(t, 61) - 30 : (int)more_rnd(t, 507) - 253;
}

/* One session or two between houses, followed by some. */
static void more_bfd(struct town *t)
{
    t->bfd6 = more_chance(t, 40);
    for (unsigned int n = 1 + (unsigned int)more_rnd(t, 2); n > 0; n--) {
        unsigned int a = (unsigned int)more_rnd(t, t->nhouses), b = (unsigned int)more_rnd(t, t->nhouses);
        if (a != b)
            t->bfd[a][b] = t->bfd[b][a] = true;
    }
    for (unsigned int k = 0; k < t->nhouses; k++) {
        struct house *h = &t->house[k];
        h->plan.bfd_passive = more_chance(t, 30);
        for (unsigned int m = 0; m < t->nmembers; m++)
            more_bfd_line(t, h, h->plan.vi[m].line, &h->plan.vi[m].nlines);
        more_bfd_line(t, h, h->plan.line, &h->plan.nlines);
    }
}

static void plan_more(struct town *t)
{
    struct vi_plan common[MEMBERS_MAX];
    t->v6 = more_chance(t, 30);
    t->unicast = more_chance(t, 25);
    t->signs = more_chance(t, 35);
    bool bfd = more_chance(t, 25);
    t->foe = t->signs || t->unicast || (t->v6 && more_chance(t, 50));
    t->nsides = t->unicast && t->nhouses == HOUSES_MAX && more_chance(t, 60) ? 2 : 1;
    for (unsigned int m = 0; m < t->nmembers; m++) {
        common[m] = t->house[0].plan.vi[m];
        more_member(t, m, &common[m], m > 0 ? &common[m - 1] : NULL);
    }
    for (unsigned int k = 0; k < t->nhouses; k++) {
        struct house *h = &t->house[k];
        h->addr6 = (struct ipaddr){ .family = 6, .plen = 128, .b = { 0xfe, 0x80, [15] = (uint8_t)(k + 1) } };
        h->side = k % t->nsides;
        h->skew = t->signs ? (int64_t)more_rnd(t, 400) * (int64_t)NS_PER_MS - 200 * (int64_t)NS_PER_MS : 0;
        h->dice = t->seed * HOUSES_MAX + k;
        h->plan.bfd_tx = t->base;
        h->plan.bfd_mult = 5;
        for (unsigned int m = 0; m < t->nmembers; m++)
            more_copy(&h->plan.vi[m], &common[m]);
    }
    t->bfd_ttl = 255;
    if (bfd)
        more_bfd(t);
}

/* ---- later still: wall clocks that jump, modes of auth_hmac, BFD over several hops */

static void late_bfd(struct town *t)
{
    t->hops = (uint8_t)(1 + rnd_of(&t->late_rng, 5));
    if (rnd_of(&t->late_rng, 100) < 30)
        t->bfd_ttl = 64;
    for (unsigned int a = 0; a < t->nhouses; a++) {
        t->house[a].plan.bfd_hops = t->hops;
        for (unsigned int b = 0; b < a; b++)
            t->far[a][b] = t->far[b][a] = t->bfd[a][b] && rnd_of(&t->late_rng, 100) < 50;
    }
}

/* Where every mark ever said counts, a machine that forgets its own and whose clock goes back is not heard
 * for as long: nobody promises more. */
static void plan_late(struct town *t)
{
    bool counts = false;
    t->steps = rnd_of(&t->late_rng, 100) < (t->signs ? 60 : 15);
    t->modes = t->signs && rnd_of(&t->late_rng, 100) < 40;
    for (unsigned int m = 0; m < t->nmembers; m++)
        counts = counts || t->house[0].plan.vi[m].auth == AUTH_AH || t->house[0].plan.vi[m].monotonic;
    t->remembers = t->steps && counts;
    for (unsigned int k = 0; k < t->nhouses; k++)
        t->house[k].right = t->house[k].skew;
    late_bfd(t);
}

void plan_town(struct town *t)
{
    plan_plain(t);
    plan_more(t);
    plan_late(t);
}
