/*
 * foe.c - somebody hostile on the wire of a town: remembers what it hears, and sends again, to whom it likes,
 * what was said before, what it has changed (with a right checksum, that only the signature can tell), and
 * what comes from where it must not; it greets a new process with what its predecessor may have heard, and
 * keeps back for long what a house has never heard. It has no keys. It sends nothing a router without
 * signatures (or one that believes the unsigned too) would have to believe. Called by false.c, machine.c and
 * house.c.
 */
#include <string.h>

#include "test/sim/house.h"
#include "test/sim/world.h"
#include "vrrpd/bfd_packet.h"

#define FOE_IP4       20
#define FOE_PERCENT   15
#define FOE_GREETINGS 12

static uint64_t foe_rnd(struct town *t, uint64_t n)
{
    return rnd_of(&t->foe_rng, n);
}

static bool foe_signed(const struct datagram *d, const struct vi_plan *p)
{
    return p->auth != AUTH_NONE && !d->bare;
}

/* Addresses into the header; and the sum, as an honest sender has it. */
static void foe_mend(struct datagram *d, size_t trailer)
{
    uint8_t *pdu = d->bytes + d->pdu;
    bool six = d->src.family == 6;
    size_t len = d->len - d->pdu - (six ? 0 : trailer);
    if (!six) {
        memcpy(d->bytes + 12, d->src.b, 4);
        memcpy(d->bytes + 16, d->dst.b, 4);
        d->bytes[2] = (uint8_t)(d->len >> 8);
        d->bytes[3] = (uint8_t)d->len;
        d->bytes[8] = (uint8_t)d->ttl;
    }
    pdu[6] = pdu[7] = 0;
    bool plain = !six && pdu[0] >> 4 == 2;
    uint16_t sum = plain ? packet_checksum_plain(pdu, len) : packet_checksum(&d->src, &d->dst, pdu, len);
    pdu[6] = (uint8_t)(sum >> 8);
    pdu[7] = (uint8_t)sum;
}

/* ---- tricks: false, it is none of this datagram */

typedef bool foe_trick(struct town *t, struct datagram *d, const struct vi_plan *p, struct house *to);

static bool foe_replay(struct town *t, struct datagram *d, const struct vi_plan *p, struct house *to)
{
    (void)t;
    (void)d;
    (void)to;
    return p->auth != AUTH_NONE;
}

static bool foe_priority(struct town *t, struct datagram *d, const struct vi_plan *p, struct house *to)
{
    static const uint8_t values[] = { 0, 255, 254, 1 };
    uint8_t *priority = d->bytes + d->pdu + 2, was = *priority;
    (void)to;
    *priority = values[foe_rnd(t, sizeof values)];
    d->forged = true;
    return p->auth != AUTH_NONE && *priority != was;
}

/* The advert of one virtual router as another's: its keys are the same. */
static bool foe_vrid(struct town *t, struct datagram *d, const struct vi_plan *p, struct house *to)
{
    unsigned int m = (unsigned int)foe_rnd(t, t->nmembers);
    const struct vi_plan *other = &to->plan.vi[m];
    if (p->auth == AUTH_NONE || other->auth != p->auth || other->family != p->family ||
        other->vrid == p->vrid || other->version != p->version || other->unicast != p->unicast)
        return false;
    d->bytes[d->pdu + 1] = other->vrid;
    d->member = m;
    d->forged = true;
    return true;
}

/* A newer mark than anybody has. */
static bool foe_mark(struct town *t, struct datagram *d, const struct vi_plan *p, struct house *to)
{
    uint64_t mark = d->mark + 1 + foe_rnd(t, 1000);
    size_t n = p->auth == AUTH_AH ? 4 : 8;
    uint8_t *at =
        p->auth == AUTH_AH ? d->bytes + d->pdu - PACKET_AH_LEN + 8 : d->bytes + d->len - AUTH_TRAILER + 4;
    (void)to;
    if (!foe_signed(d, p))
        return false;
    if (p->auth == AUTH_HMAC)
        mark += (machine_wall(to, t->now) - d->signed_at) / NS_PER_SEC << 32;
    for (size_t k = 0; k < n; k++)
        at[k] = (uint8_t)(mark >> 8 * (n - 1 - k));
    d->forged = true;
    return true;
}

static bool foe_strip(struct town *t, struct datagram *d, const struct vi_plan *p, struct house *to)
{
    (void)t;
    (void)to;
    if (p->auth != AUTH_HMAC || d->bare)
        return false;
    d->len -= AUTH_TRAILER;
    d->bare = true;
    d->forged = true;
    return true;
}

static bool foe_bit(struct town *t, struct datagram *d, const struct vi_plan *p, struct house *to)
{
    size_t at = p->auth == AUTH_AH ? d->pdu - 1 - foe_rnd(t, 12) : d->len - 1 - foe_rnd(t, 16);
    (void)to;
    if (!foe_signed(d, p))
        return false;
    d->bytes[at] ^= (uint8_t)(1u << foe_rnd(t, 8));
    d->forged = true;
    return true;
}

static bool foe_key(struct town *t, struct datagram *d, const struct vi_plan *p, struct house *to)
{
    (void)t;
    struct keys_plan k = plan_keys(to->plan.key_step);
    if (p->auth != AUTH_HMAC || d->bare)
        return false;
    d->bytes[d->len - AUTH_TRAILER + 1] = d->key != k.active ? k.active : (uint8_t)(d->key + 1);
    d->forged = true;
    return true;
}

/* Of another house, or of nobody we know. */
static bool foe_source(struct town *t, struct datagram *d, const struct vi_plan *p, struct house *to)
{
    unsigned int k = (unsigned int)foe_rnd(t, t->nhouses + 1);
    if (p->auth == AUTH_NONE && (!p->unicast || !p->check_src))
        return false;
    if (k == d->from || (p->auth == AUTH_NONE && k < t->nhouses && t->house[k].side == to->side))
        return false;
    if (k < t->nhouses)
        d->src = *house_addr(&t->house[k], p->family);
    else
        d->src.b[p->family == 6 ? 15 : 3] = 99;
    if (p->auth == AUTH_AH)
        memcpy(d->bytes + FOE_IP4 + 4, d->src.b, 4);
    if (p->auth == AUTH_NONE)
        d->bytes[d->pdu + 2] = 255;
    d->forged = true;
    return true;
}

/* To all where one is meant, or to one. */
static bool foe_cast(struct town *t, struct datagram *d, const struct vi_plan *p, struct house *to)
{
    (void)t;
    if (p->unicast)
        ipaddr_parse(p->family == 6 ? "ff02::12" : "224.0.0.18", &d->dst);
    else
        d->dst = *house_addr(to, p->family);
    d->forged = true;
    return true;
}

/* From beyond this link. */
static bool foe_far(struct town *t, struct datagram *d, const struct vi_plan *p, struct house *to)
{
    (void)to;
    d->ttl = 254 - (int)foe_rnd(t, 10);
    d->forged = true;
    return !p->unicast;
}

/* ---- what it remembers: the first of all, and some of the rest, the later ones rather */

static void foe_tape(struct town *t, const struct datagram *d)
{
    unsigned int *n = &t->ntape[d->from][d->member];
    struct datagram *tape = t->tape[d->from][d->member];
    if (*n < TAPE_MAX)
        tape[(*n)++] = *d;
    else if (foe_rnd(t, 4) != 0)
        tape[TAPE_MAX / 2 + foe_rnd(t, TAPE_MAX / 2)] = *d;
    else
        tape[1 + foe_rnd(t, TAPE_MAX - 1)] = *d;
}

/* Nothing said yet: d stays. */
static bool foe_recall(struct town *t, unsigned int from, unsigned int member, struct datagram *d)
{
    unsigned int n = t->ntape[from][member];
    if (n > 0)
        *d = t->tape[from][member][foe_rnd(t, n)];
    return n > 0;
}

/* Whom it was sent to. */
static struct house *foe_meant(struct town *t, const struct datagram *d)
{
    unsigned int k = 0;
    while (k + 1 < t->nhouses && !ipaddr_same(house_addr(&t->house[k], d->dst.family), &d->dst))
        k++;
    return &t->house[k];
}

/* A new process: what does it know of what its predecessor has heard? */
void foe_sees_start(struct house *h)
{
    struct town *t = h->t;
    for (unsigned int n = 0; t->foe && t->signs && n < FOE_GREETINGS; n++) {
        unsigned int m = (unsigned int)foe_rnd(t, t->nmembers), from = (unsigned int)foe_rnd(t, t->nhouses);
        struct datagram d;
        if (h->plan.vi[m].auth == AUTH_NONE || !foe_recall(t, from, m, &d) || !h->facts.own_link ||
            (h->plan.vi[m].unicast && foe_meant(t, &d) != h))
            continue;
        d.foe = true;
        town_post(t, &(struct post){ .at = t->now + 1 + foe_rnd(t, 6 * t->base), .to = h->nr, .d = d });
    }
}

void foe_hears(struct town *t, const struct datagram *heard, unsigned int to_one)
{
    static foe_trick *const tricks[] = { foe_replay, foe_replay, foe_priority, foe_vrid, foe_mark, foe_strip,
                                         foe_bit,    foe_key,    foe_source,   foe_cast, foe_far };
    foe_tape(t, heard);
    if (foe_rnd(t, 100) >= FOE_PERCENT)
        return;
    struct datagram d = *heard;
    if (foe_rnd(t, 2) == 0) {
        unsigned int from = (unsigned int)foe_rnd(t, t->nhouses);
        foe_recall(t, from, (unsigned int)foe_rnd(t, t->nmembers), &d);
    }
    struct house *to = &t->house[foe_rnd(t, t->nhouses)];
    const struct vi_plan *p = &t->house[d.from].plan.vi[d.member];
    (void)to_one;
    if (p->unicast)
        to = foe_meant(t, &d);
    foe_trick *trick = tricks[foe_rnd(t, sizeof tricks / sizeof *tricks)];
    d.foe = true;
    if (!trick(t, &d, p, to) || !to->facts.own_link || (d.from == to->nr && p->auth == AUTH_NONE))
        return;
    if (trick != foe_replay)
        foe_mend(&d, p->auth == AUTH_HMAC && !d.bare ? AUTH_TRAILER : 0);
    town_post(t, &(struct post){ .at = t->now + 1 + foe_rnd(t, t->delay), .to = to->nr, .d = d });
}

/* A packet of BFD is not signed: what gives the foe away is how far it has come, and that it cannot see the
 * discriminators of those it is not on the path of. */
void foe_hears_bfd(struct town *t, const struct datagram *heard, unsigned int to)
{
    struct datagram d = *heard;
    struct bfd_packet p;
    if (foe_rnd(t, 100) >= FOE_PERCENT || !t->house[to].facts.own_link ||
        bfd_packet_decode(d.bytes, d.len, &p) != BFD_FAULT_NONE)
        return;
    p.state = foe_rnd(t, 2) == 0 ? BFD_DOWN : BFD_UP;
    switch (foe_rnd(t, 6)) {
    case 0: d.ttl = t->bfd_ttl - 1 - (d.far ? t->house[to].plan.bfd_hops : 0); break;
    case 1: d.src.b[d.src.family == 6 ? 15 : 3] = 99; break;
    case 2: p.your_disc = p.your_disc ^ (uint32_t)(1 + foe_rnd(t, 1000)); break;
    case 3: p.mult = 0; break;
    case 4: p.my_disc = 0; break;
    case 5: /* by the other port */
        d.far = !d.far;
        d.ttl = 255;
        break;
    }
    bfd_packet_encode(&p, d.bytes);
    if (p.state == BFD_UP && p.your_disc == 0)
        d.len = 20; /* too short */
    d.foe = d.forged = true;
    town_post(t,
              &(struct post){ .at = t->now + 1 + foe_rnd(t, t->delay), .kind = POST_BFD, .to = to, .d = d });
}
