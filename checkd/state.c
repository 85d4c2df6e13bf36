/*
 * state.c - verdicts over a restart: what differs from the state a fresh start would give, in snapshots of at
 * most 512 bytes. One snapshot covers CHUNK_CHECKERS neighbouring checkers (or CHUNK_SERVICES services) of
 * the table; each record carries the identity of what it is about, so that a snapshot of another
 * configuration says nothing. The decoder is a pure function on bytes the parent kept for us: fuzzed, strict
 * to the last byte.
 *
 * The parent keeps two generations, for a death in the middle of a reload, and hands out the older one first.
 * "Running" is told when a generation's snapshots are complete, and read before them: it ends what an older
 * generation says, for an absent record means a state like a fresh start's.
 *
 * Why and since when a check says what it says is evidence.h's, in snapshots of its own.
 *
 * Layout: u8 version, u8 kind, u16 number of records; records: u64 identity, u8 flags, with RECORD_WEIGHT i64
 * weight.
 */
#include <string.h>

#include "checkd/engine.h"
#include "checkd/evidence.h"

#define STATE_VERSION   1
#define STATE_RUNNING   'R'
#define STATE_CHECKERS  'K'
#define STATE_SERVICES  'V'
#define RECORD_UP       1u
#define RECORD_WEIGHT   2u
#define STATE_HEAD      4u
#define RECORD_SIZE_MAX 17u

static size_t head_put(uint8_t *buf, char kind, uint16_t n)
{
    buf[0] = STATE_VERSION;
    buf[1] = (uint8_t)kind;
    memcpy(buf + 2, &n, sizeof n);
    return STATE_HEAD;
}

size_t state_encode_running(uint8_t *buf, size_t size)
{
    return size >= STATE_HEAD ? head_put(buf, STATE_RUNNING, 0) : 0;
}

static size_t record_put(uint8_t *buf, uint64_t identity, bool up, int64_t weight)
{
    memcpy(buf, &identity, 8);
    buf[8] = (uint8_t)((up ? RECORD_UP : 0) | (weight != 0 ? RECORD_WEIGHT : 0));
    if (weight == 0)
        return 9;
    memcpy(buf + 9, &weight, 8);
    return RECORD_SIZE_MAX;
}

/* 0: nothing deviates. */
size_t state_encode_checkers(const struct service_table *t, size_t chunk, uint8_t *buf, size_t size)
{
    size_t from = chunk * CHUNK_CHECKERS, len = STATE_HEAD;
    uint16_t n = 0;

    for (size_t i = from; i < t->ncheckers && i < from + CHUNK_CHECKERS; i++) {
        const struct checker *k = &t->checkers[i];

        if ((k->up == !k->common.alpha && k->weight == 0) || size - len < RECORD_SIZE_MAX)
            continue;
        len += record_put(buf + len, k->identity, k->up, k->weight);
        n++;
    }
    head_put(buf, STATE_CHECKERS, n);
    return n > 0 ? len : 0;
}

size_t state_encode_services(const struct service_table *t, size_t chunk, uint8_t *buf, size_t size)
{
    size_t from = chunk * CHUNK_SERVICES, len = STATE_HEAD;
    uint16_t n = 0;

    for (size_t i = from; i < t->nservices && i < from + CHUNK_SERVICES; i++) {
        const struct service *v = &t->services[i];

        if (v->up == v->initial || size - len < RECORD_SIZE_MAX)
            continue;
        len += record_put(buf + len, identity_of_service(v), v->up, 0);
        n++;
    }
    head_put(buf, STATE_SERVICES, n);
    return n > 0 ? len : 0;
}

/* ---- decoding
 * --------------------------------------------------------------------------------------------------- */

struct record {
    uint64_t identity;
    int64_t weight;
    bool up;
};

/* Bytes it takes; 0: it is none. */
static size_t record_get(const uint8_t *p, size_t len, struct record *r)
{
    if (len < 9 || (p[8] & ~(RECORD_UP | RECORD_WEIGHT)) != 0)
        return 0;
    memcpy(&r->identity, p, 8);
    r->up = (p[8] & RECORD_UP) != 0;
    r->weight = 0;
    if ((p[8] & RECORD_WEIGHT) == 0)
        return 9;
    if (len < RECORD_SIZE_MAX)
        return 0;
    memcpy(&r->weight, p + 9, 8);
    return RECORD_SIZE_MAX;
}

static bool form_ok(const uint8_t *data, size_t len, uint16_t n)
{
    struct record r;
    size_t pos = STATE_HEAD;

    for (; n > 0; n--) {
        size_t used = record_get(data + pos, len - pos, &r);

        if (used == 0)
            return false;
        pos += used;
    }
    return pos == len;
}

static void checker_apply(struct service_table *t, size_t chunk, const struct record *r)
{
    for (size_t i = chunk * CHUNK_CHECKERS; i < t->ncheckers && i < (chunk + 1) * CHUNK_CHECKERS; i++) {
        if (t->checkers[i].identity != r->identity)
            continue;
        t->checkers[i].up = r->up;
        t->checkers[i].weight = r->weight;
        t->chunks[chunk].told = true;
        return;
    }
}

static void service_apply(struct service_table *t, size_t chunk, const struct record *r)
{
    for (size_t i = chunk * CHUNK_SERVICES; i < t->nservices && i < (chunk + 1) * CHUNK_SERVICES; i++) {
        if (identity_of_service(&t->services[i]) != r->identity)
            continue;
        t->services[i].up = r->up;
        t->service_chunks[chunk].told = true;
        return;
    }
}

/* As a fresh start would have it. */
static void state_forget(struct service_table *t)
{
    for (size_t i = 0; i < t->ncheckers; i++) {
        t->checkers[i].up = !t->checkers[i].common.alpha;
        t->checkers[i].weight = 0;
    }
    for (size_t i = 0; i < t->nservices; i++)
        t->services[i].up = t->services[i].initial;
}

int state_decode(struct service_table *t, uint32_t key, const uint8_t *data, size_t len, bool *running)
{
    size_t chunk = key > 0 ? (key - 1) / 2 : 0, pos = STATE_HEAD;
    bool services = key > 0 && key % 2 == 0;
    struct record r;
    uint16_t n;

    if (key >= EVIDENCE_KEY)
        return evidence_decode(t, key - EVIDENCE_KEY, data, len);
    if (len < STATE_HEAD || data[0] != STATE_VERSION)
        return -1;
    memcpy(&n, data + 2, sizeof n);
    if (key == 0) {
        if (data[1] != STATE_RUNNING || n != 0 || len != STATE_HEAD)
            return -1;
        *running = true;
        state_forget(t);
        return 0;
    }
    if (data[1] != (services ? STATE_SERVICES : STATE_CHECKERS) || !form_ok(data, len, n))
        return -1;
    for (; n > 0; n--) {
        pos += record_get(data + pos, len - pos, &r);
        if (services)
            service_apply(t, chunk, &r);
        else
            checker_apply(t, chunk, &r);
    }
    return 0;
}

bool state_restore(struct checkd *d)
{
    struct child_snapshot snap;
    size_t cursor = 0, bad = 0;
    bool running = false;

    while (child_snapshot_next(d->child, &cursor, &snap)) {
        if (state_decode(d->now, snap.key, snap.data, snap.len, &running) < 0)
            bad++;
        else
            running = true; /* whatever it says, somebody was there */
    }
    evidence_settle(d->now, clock_realtime_ns());
    if (bad > 0)
        log_warn("%zu snapshots of the former checkd cannot be read: what they told starts anew", bad);
    return running;
}
