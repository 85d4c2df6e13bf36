/*
 * arena.c - chunked memory for what lives as long as the configuration text: lines, words, expanded strings.
 * Chunks come from calloc (fresh pages are zero already), allocations only move a pointer; freed all at once.
 * Called by every file of parent/conf; trusts its callers.
 */
#include "parent/conf/lex.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define ARENA_CHUNK_MIN (32u << 10)
#define ARENA_CHUNK_MAX (1u << 20)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    char data[];
};

struct conf_arena {
    struct arena_chunk *head;
    size_t chunk; /* size of the next one: doubles, so a small configuration costs little */
};

struct conf_arena *conf_arena_new(void)
{
    struct conf_arena *a = xcalloc(1, sizeof(*a));

    a->chunk = ARENA_CHUNK_MIN;
    return a;
}

void conf_arena_free(struct conf_arena *a)
{
    if (!a)
        return;
    while (a->head) {
        struct arena_chunk *next = a->head->next;

        free(a->head);
        a->head = next;
    }
    free(a);
}

static struct arena_chunk *arena_grow(struct conf_arena *a, size_t need)
{
    size_t size = need > a->chunk / 4 ? need : a->chunk - sizeof(struct arena_chunk);
    struct arena_chunk *c = xcalloc(1, sizeof(*c) + size);

    c->size = size;
    if (size != need && a->chunk < ARENA_CHUNK_MAX)
        a->chunk *= 2;
    if (size == need && a->head) { /* a big one: keep filling the current chunk */
        c->next = a->head->next;
        a->head->next = c;
    } else {
        c->next = a->head;
        a->head = c;
    }
    return c;
}

void *conf_arena_alloc(struct conf_arena *a, size_t n, size_t align)
{
    struct arena_chunk *c = a->head;
    size_t at = c ? (c->used + align - 1) & ~(align - 1) : 0;

    if (!c || at > c->size || n > c->size - at) {
        c = arena_grow(a, n + align);
        at = (c->used + align - 1) & ~(align - 1);
    }
    c->used = at + n;
    return c->data + at;
}

char *conf_arena_strndup(struct conf_arena *a, const char *s, size_t n)
{
    char *p = conf_arena_alloc(a, n + 1, 1);

    if (n)
        memcpy(p, s, n);
    return p;
}
