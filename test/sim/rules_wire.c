/*
 * rules_wire.c - what the houses are held to on the wire, from outside:
 *   What leaves: a multicast advert to its group, a unicast one to a peer and to nobody else, from the
 * address that is configured; a signed one with a mark that grows. What arrives: what the foe has made up,
 * what was heard before, what is signed with a key that is not known (any more) or at another time of day,
 * moves nothing: no timer, no state, no mark, of no virtual router and no BFD session. Everything else is
 * heard, what comes late too. What was heard is kept for a successor before long, and what a house signs its
 * own clock believes. A tracker says of a BFD session what the session says, at the end of every turn. Called
 * by false.c, machine.c, house.c and foe.c.
 */
#include <string.h>

#include "test/sim/house.h"
#include "vrrpd/bfd_int.h"
#include "vrrpd/bfd_take.h"

#define WIRE_DOUBT (2 * NS_PER_MS)   /* around the edge of a time window */
#define WIRE_SLACK (500 * NS_PER_MS) /* auth.c adds a tenth of a second to each start */
#define WIRE_BEATS 10                /* vrrpd.h: LIFE_COUNTERS_EVERY */

unsigned int rule_member_of(const struct inst *i)
{
    return (unsigned int)(i->b->name[strlen("VI_")] - '1'); /* MEMBERS_MAX has one digit */
}

static enum plan_mode wire_mode(const struct house *h)
{
    return plan_mode(h->plan.mode_step);
}

/* ---- time in a signature */

uint64_t rule_stamp_ns(uint64_t mark)
{
    return (mark >> 32) * NS_PER_SEC + ((mark >> 16 & 0xffff) * NS_PER_SEC >> 16);
}

static uint64_t wire_apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

uint64_t rule_window(const struct vi_plan *p)
{
    uint64_t w = 3 * p->interval;
    if (p->auth != AUTH_HMAC || p->monotonic)
        return 0;
    if (p->window > 0)
        return p->window;
    return w < 5 * NS_PER_SEC ? 5 * NS_PER_SEC : w;
}

/* A mark of a time that has yet to come: a clock was wrong, and what it said holds nobody up. */
static bool wire_astray(const struct vi_plan *p, uint64_t mark, uint64_t wall)
{
    uint64_t w = rule_window(p);
    return w > 0 && rule_stamp_ns(mark) > wall + w;
}

/* A successor can only reckon what was said last, from the time that has passed: of a clock that has gone
 * back by a window it may take the mark for astray where it was just within. */
static bool wire_reckons(const struct marks *ms, unsigned int to, uint64_t now, uint64_t wall, uint64_t w)
{
    uint64_t by_now = rule_stamp_ns(ms->said[to]) + (now - ms->said_at[to]);
    return ms->said_at[to] < ms->since && w > 0 && by_now + WIRE_SLACK > wall + w;
}

/* ---- what leaves */

void rule_on_leave(struct house *h, const struct datagram *d, unsigned int to)
{
    const struct vi_plan *p = &h->plan.vi[d->member];
    struct marks *ms = &h->marks[d->member];
    uint64_t wall = machine_wall(h, h->t->now), w = rule_window(p);
    if (p->unicast && (to == HOUSES_MAX || to == h->nr || h->t->house[to].side != h->side))
        rule_broken(h->t, "house %u: a unicast advert of member %u to a stranger", h->nr, d->member + 1);
    if (!p->unicast && (to != HOUSES_MAX || !ipaddr_is_multicast(&d->dst)))
        rule_broken(h->t, "house %u: a multicast advert of member %u to one", h->nr, d->member + 1);
    if (!ipaddr_same(&d->src, house_addr(h, p->family)))
        rule_broken(h->t, "house %u: an advert of member %u from a foreign address", h->nr, d->member + 1);
    if ((p->auth == AUTH_AH) != (d->proto == PACKET_PROTO_AH))
        rule_broken(h->t, "house %u: AH of member %u where it does not belong", h->nr, d->member + 1);
    if (d->bare != (p->auth == AUTH_HMAC && plan_mode(h->plan.mode_step) == MODE_RECEIVE_ONLY))
        rule_broken(h->t, "house %u: member %u %s", h->nr, d->member + 1,
                    d->bare ? "does not sign" : "signs, and is to receive only");
    if (p->auth == AUTH_NONE || d->bare)
        return;
    if (w > 0 && wire_apart(wall, d->signed_at) > w)
        rule_broken(h->t, "house %u: what member %u signs its own clock does not believe", h->nr,
                    d->member + 1);
    if (p->auth == AUTH_HMAC && d->key != plan_keys(h->plan.key_step).active)
        rule_broken(h->t, "house %u: member %u signs with key %u", h->nr, d->member + 1, d->key);
    if (d->mark <= ms->said[to] && !wire_astray(p, ms->said[to], wall) &&
        !wire_reckons(ms, to, h->t->now, wall, w))
        rule_broken(h->t, "house %u: the marks of member %u do not grow", h->nr, d->member + 1);
    ms->said[to] = d->mark;
    ms->said_at[to] = h->t->now;
}

/* ---- what must not be believed */

static bool wire_key_known(const struct house *h, uint8_t key)
{
    struct keys_plan k = plan_keys(h->plan.key_step);
    return key == k.active || (k.also != 0 && key == k.also);
}

bool rule_doubtful(const struct house *h, const struct datagram *d)
{
    uint64_t w = rule_window(&h->plan.vi[d->member]), apart = wire_apart(d->wall_at, d->signed_at);
    return w > 0 && !d->bare && apart + WIRE_DOUBT > w && apart < w + WIRE_DOUBT;
}

bool rule_refuses(const struct house *h, const struct datagram *d)
{
    const struct vi_plan *p = &h->plan.vi[d->member];
    uint64_t w = rule_window(p), heard = h->marks[d->member].heard[d->from];
    if (d->forged || d->from == h->nr)
        return true;
    if (p->auth == AUTH_NONE)
        return false;
    if (d->bare)
        return wire_mode(h) == MODE_ENFORCE;
    return (p->auth == AUTH_HMAC && !wire_key_known(h, d->key)) ||
           (w > 0 && wire_apart(d->wall_at, d->signed_at) > w) ||
           (d->mark <= heard && !wire_astray(p, heard, d->wall_at));
}

/* ---- what arrives */

struct wire_look {
    struct engine e[MEMBERS_MAX];
    struct auth_state auth[MEMBERS_MAX];
};

static void wire_look(const struct house *h, struct wire_look *l)
{
    memset(l, 0, sizeof *l);
    for (size_t n = 0; n < h->v->ninst; n++) {
        memcpy(&l->e[n], &h->v->inst[n]->e, sizeof l->e[n]);
        if (h->v->inst[n]->chk.auth != NULL)
            memcpy(&l->auth[n], h->v->inst[n]->chk.auth, sizeof l->auth[n]);
    }
}

static void wire_refused(struct house *h, const struct datagram *d, const struct packet_rx *rx)
{
    struct wire_look before, after;
    wire_look(h, &before);
    inst_packet(&h->v->inst[d->member]->sock->io, rx, d->at, false, h->v);
    wire_look(h, &after);
    h->t->forged++;
    if (memcmp(&before, &after, sizeof before) != 0)
        rule_broken(h->t, "house %u believes what it must not: VRID %u of house %u, %s", h->nr,
                    h->plan.vi[d->member].vrid, d->from,
                    d->forged          ? "forged"
                    : d->from == h->nr ? "its own, come back"
                                       : "a replay");
}

static void wire_heard(struct house *h, const struct datagram *d, const struct packet_rx *rx)
{
    struct inst *i = h->v->inst[d->member];
    bool hears = i->e.state == VRRP_STATE_BACKUP || i->e.state == VRRP_STATE_MASTER;
    uint64_t received = i->chk.received;
    rule_on_rx(h, d);
    if (hears && d->mark > 0) {
        struct marks *ms = &h->marks[d->member];
        ms->heard[d->from] = d->mark;
        ms->unkept_since = ms->unkept_since > 0 ? ms->unkept_since : d->at;
    }
    inst_packet(&i->sock->io, rx, d->at, false, h->v);
    if (hears && i->chk.received != received + 1)
        rule_broken(h->t, "house %u refuses a good advert of house %u for VRID %u", h->nr, d->from,
                    h->plan.vi[d->member].vrid);
}

void rule_deliver(struct house *h, const struct datagram *d, const struct packet_rx *rx)
{
    bool refuses = rule_refuses(h, d);
    if (d->foe && (rule_doubtful(h, d) || (d->bare && wire_mode(h) != MODE_ENFORCE)))
        return; /* nobody can tell */
    if (d->foe && !refuses && h->t->quiet)
        return; /* what this house has not heard yet is only late: the way of a bad network */
    h->t->late += d->foe && !refuses;
    if (refuses)
        wire_refused(h, d, rx);
    else
        wire_heard(h, d, rx);
}

/* ---- marks over a crash */

void rule_on_keep(struct child *c, uint32_t key)
{
    struct house *h = c->clock.arg;
    unsigned int m = rule_member(h, key);
    if (m == MEMBERS_MAX)
        return;
    memcpy(h->marks[m].kept, h->marks[m].heard, sizeof h->marks[m].kept);
    h->marks[m].unkept_since = 0;
}

void rule_marks_boot(struct house *h, bool kept)
{
    for (unsigned int m = 0; m < MEMBERS_MAX; m++) {
        struct marks *ms = &h->marks[m];
        if (!kept)
            memset(ms->kept, 0, sizeof ms->kept);
        memcpy(ms->heard, ms->kept, sizeof ms->heard);
        ms->unkept_since = 0;
        ms->since = h->t->now;
        if (!kept) /* AH begins at the time of day: it may fall behind what it has forgotten */
            memset(ms->said, 0, sizeof ms->said);
    }
}

/* Until then a crash lets replays be heard: each instance in its turn, every ten heartbeats of a loop that
 * something wakes once an interval. */
void rule_marks_turn(const struct house *h)
{
    for (unsigned int m = 0; m < h->t->nmembers; m++) {
        uint64_t beat = h->plan.vi[m].interval > NS_PER_SEC ? h->plan.vi[m].interval : NS_PER_SEC;
        uint64_t since = h->marks[m].unkept_since;
        if (since > 0 && h->t->now > since + 2 * WIRE_BEATS * h->t->nmembers * beat)
            rule_broken(h->t, "house %u: what it has heard for VRID %u is not kept", h->nr,
                        h->plan.vi[m].vrid);
    }
}

/* ---- BFD */

static uint64_t wire_bfd_faults(const struct bfd_life *l)
{
    uint64_t sum = 0;
    for (size_t n = 0; n < l->n; n++)
        sum += l->sess[n]->refused + l->sess[n]->far;
    return sum;
}

void rule_deliver_bfd(struct house *h, const struct datagram *d)
{
    struct bfd before[HOUSES_MAX];
    struct bfd_life *l = h->v->bfd;
    struct bfd_arrival a = { .src = d->src,
                             .dst = d->dst,
                             .ttl = d->ttl,
                             .multihop = d->far,
                             .at = d->at,
                             .bytes = d->bytes,
                             .len = d->len };
    uint64_t faults = wire_bfd_faults(l);
    memset(before, 0, sizeof before);
    for (size_t n = 0; n < l->n; n++)
        memcpy(&before[n], &l->sess[n]->b, sizeof before[n]);
    bfd_take(l, &a);
    h->t->forged += d->forged;
    if (!d->forged && wire_bfd_faults(l) != faults)
        rule_broken(h->t, "house %u refuses a good BFD packet of house %u", h->nr, d->from);
    for (size_t n = 0; d->forged && n < l->n; n++)
        if (memcmp(&before[n], &l->sess[n]->b, sizeof before[n]) != 0)
            rule_broken(h->t, "house %u: a forged BFD packet moves its session %s", h->nr, l->sess[n]->name);
}

static void wire_bfd_lines(const struct house *h, const struct inst *i)
{
    for (size_t n = 0; n < i->b->nlines; n++) {
        struct track_view view;
        bool known;
        if (i->b->lines[n].kind != TRACK_BFD)
            continue;
        bool up = bfd_up(h->v->bfd, i->b->lines[n].name, &known);
        track_line_view(i, n, &view);
        if ((known && up) != (view.result == TRACK_OK))
            rule_broken(h->t, "house %u: session %s is %s, its tracker says the contrary", h->nr,
                        i->b->lines[n].name, up ? "up" : "down");
    }
}

void rule_bfd_turn(const struct house *h)
{
    if (!plan_has_bfd(h))
        return;
    for (size_t n = 0; n < h->v->ninst; n++)
        wire_bfd_lines(h, h->v->inst[n]);
}
