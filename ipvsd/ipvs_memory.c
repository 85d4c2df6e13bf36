/*
 * ipvs_memory.c - what a successor of ipvsd must know and cannot read from the kernel: which services of the
 * table are ours - it may wake up with a configuration that no longer has them - and the time-outs before us.
 * Kept by the parent as snapshots; of one key the newest counts. The own successor reads them: believed in
 * form only as far as its length goes. Called by ipvs_life.c, ipvs_apply.c and ipvs_read.c.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ipvsd/ipvs.h"

#define MEMORY_KEY       0x49505600u /* "IPV": the state */
#define MEMORY_OURS      0x49510000u /* and up: keys of the services of the configuration */
#define MEMORY_CONDEMNED 0x49520000u /* and up: of those that are to be taken out */
#define MEMORY_PER_CHUNK 21u         /* keys in one snapshot */
#define MEMORY_CHUNKS    8192u

struct memory_state {
    uint8_t touched, timeouts_saved, zero[2];
    uint32_t ours, condemned; /* chunks; what older snapshots hold beyond is past */
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

static uint32_t memory_chunks(size_t n)
{
    n = (n + MEMORY_PER_CHUNK - 1) / MEMORY_PER_CHUNK;
    return (uint32_t)(n < MEMORY_CHUNKS ? n : MEMORY_CHUNKS);
}

void ipvs_memory_state(struct ipvs *v)
{
    struct memory_state s = { .touched = v->touched,
                              .timeouts_saved = v->timeouts_saved,
                              .ours = v->touched ? memory_chunks(v->model->nks) : 0,
                              .condemned = memory_chunks(v->condemned.n - v->gone),
                              .saved = v->saved };
    child_snapshot(v->child, MEMORY_KEY, &s, sizeof s);
}

/* Keys from..n-1, as get tells them. */
static void memory_keys(struct ipvs *v, uint32_t base, size_t from, size_t n,
                        const struct ipvs_key *(*get)(const struct ipvs *, size_t))
{
    struct ipvs_key part[MEMORY_PER_CHUNK];
    uint32_t chunks = memory_chunks(n - from);
    for (uint32_t i = 0; i < chunks; i++) {
        size_t k = 0;
        for (; k < MEMORY_PER_CHUNK && from < n; k++)
            part[k] = *get(v, from++);
        child_snapshot(v->child, base + i, part, k * sizeof *part);
    }
}

static const struct ipvs_key *memory_ours(const struct ipvs *v, size_t i)
{
    return &v->model->kss[i]->svc.key;
}

static const struct ipvs_key *memory_condemned(const struct ipvs *v, size_t i)
{
    return &v->condemned.v[i];
}

void ipvs_memory_all(struct ipvs *v)
{
    if (v->touched)
        memory_keys(v, MEMORY_OURS, 0, v->model->nks, memory_ours);
    memory_keys(v, MEMORY_CONDEMNED, v->gone, v->condemned.n, memory_condemned);
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

static void memory_load_keys(struct ipvs *v, uint32_t base, uint32_t chunks)
{
    struct child_snapshot s;
    size_t cursor = 0;
    if (chunks > MEMORY_CHUNKS)
        return;
    struct child_snapshot *newest = xcalloc(chunks + 1u, sizeof *newest);
    while (child_snapshot_next(v->child, &cursor, &s))
        if (s.key >= base && s.key - base < chunks)
            newest[s.key - base] = s;
    for (uint32_t i = 0; i < chunks; i++) {
        for (size_t off = 0; off + sizeof(struct ipvs_key) <= newest[i].len; off += sizeof(struct ipvs_key)) {
            struct ipvs_key key;
            memcpy(&key, newest[i].data + off, sizeof key);
            ipvs_keys_add(&v->condemned, &key);
        }
    }
    free(newest);
}

void ipvs_memory_load(struct ipvs *v)
{
    struct child_snapshot s;
    struct memory_state st;
    if (!memory_find(v, MEMORY_KEY, &s) || s.len != sizeof st)
        return;
    memcpy(&st, s.data, sizeof st);
    v->touched = st.touched != 0;
    v->timeouts_saved = st.timeouts_saved != 0;
    v->saved = st.saved;
    memory_load_keys(v, MEMORY_OURS, st.ours);
    memory_load_keys(v, MEMORY_CONDEMNED, st.condemned);
}
