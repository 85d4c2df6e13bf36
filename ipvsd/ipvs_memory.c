/*
 * ipvs_memory.c - what a successor of ipvsd must know and cannot read from the kernel: that the table has
 * entries of ours, the time-outs before us, and the services a reload took out of the configuration that may
 * still be in the table. Kept by the parent as snapshots; a later one of the same key wins. The own successor
 * reads them: believed in form only as far as its length goes. Called by ipvs_life.c.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ipvsd/ipvs.h"

#define MEMORY_KEY       0x49505600u /* "IPV" and: 0 state, 1... condemned services */
#define MEMORY_PER_CHUNK 21u         /* keys in one snapshot */
#define MEMORY_CHUNKS    4096u

struct memory_state {
    uint8_t touched, timeouts_saved, zero[2];
    uint32_t chunks; /* of condemned services; what older snapshots hold beyond is past */
    struct ipvs_timeouts saved;
};

void ipvs_keys_add(struct ipvs_keys *k, const struct ipvs_key *key)
{
    if (k->n == k->cap) {
        k->cap = 2 * k->cap + 16;
        k->v = xrealloc(k->v, k->cap * sizeof *k->v);
    }
    k->v[k->n++] = *key;
}

void ipvs_keys_free(struct ipvs_keys *k)
{
    free(k->v);
    *k = (struct ipvs_keys){ 0 };
}

static uint32_t memory_chunks(const struct ipvs *v)
{
    size_t n = (v->condemned.n - v->gone + MEMORY_PER_CHUNK - 1) / MEMORY_PER_CHUNK;
    return (uint32_t)(n < MEMORY_CHUNKS ? n : MEMORY_CHUNKS);
}

void ipvs_memory_state(struct ipvs *v)
{
    struct memory_state s = { .touched = v->touched,
                              .timeouts_saved = v->timeouts_saved,
                              .chunks = memory_chunks(v),
                              .saved = v->saved };
    child_snapshot(v->child, MEMORY_KEY, &s, sizeof s);
}

void ipvs_memory_condemned(struct ipvs *v)
{
    uint32_t chunks = memory_chunks(v);
    for (uint32_t i = 0; i < chunks; i++) {
        size_t from = v->gone + (size_t)i * MEMORY_PER_CHUNK;
        size_t n = v->condemned.n - from < MEMORY_PER_CHUNK ? v->condemned.n - from : MEMORY_PER_CHUNK;
        child_snapshot(v->child, MEMORY_KEY + 1 + i, v->condemned.v + from, n * sizeof *v->condemned.v);
    }
    ipvs_memory_state(v); /* after the chunks it counts */
}

/* The newest snapshot of a key comes last. */
static bool memory_find(struct ipvs *v, uint32_t key, struct child_snapshot *out)
{
    struct child_snapshot s;
    size_t cursor = 0;
    bool found = false;
    while (child_snapshot_next(v->child, &cursor, &s))
        if (s.key == key) {
            *out = s;
            found = true;
        }
    return found;
}

void ipvs_memory_load(struct ipvs *v)
{
    struct child_snapshot s;
    struct memory_state st;
    size_t cursor = 0;
    if (!memory_find(v, MEMORY_KEY, &s) || s.len != sizeof st)
        return;
    memcpy(&st, s.data, sizeof st);
    v->touched = st.touched != 0;
    v->timeouts_saved = st.timeouts_saved != 0;
    v->saved = st.saved;
    if (st.chunks > MEMORY_CHUNKS)
        return;
    struct child_snapshot *newest = xcalloc(st.chunks + 1u, sizeof *newest);
    while (child_snapshot_next(v->child, &cursor, &s))
        if (s.key > MEMORY_KEY && s.key <= MEMORY_KEY + st.chunks)
            newest[s.key - MEMORY_KEY - 1] = s;
    for (uint32_t i = 0; i < st.chunks; i++) {
        for (size_t off = 0; off + sizeof(struct ipvs_key) <= newest[i].len; off += sizeof(struct ipvs_key)) {
            struct ipvs_key key;
            memcpy(&key, newest[i].data + off, sizeof key);
            ipvs_keys_add(&v->condemned, &key);
        }
    }
    free(newest);
}
