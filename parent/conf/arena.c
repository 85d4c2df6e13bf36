/*
 * arena.c - chunked memory for what lives as long as the configuration text: lines, words, expanded strings.
 * Chunks come from calloc, those of a large configuration from mmap in huge pages (fresh pages are zero
 * already, and one fault brings what otherwise takes five hundred), allocations only move a pointer; freed
 * all at once. Called by every file of parent/conf; trusts its callers.
 */
#include "parent/conf/lex.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/err.h"

#define ARENA_CHUNK_MIN (32u << 10)
#define ARENA_CHUNK_MAX (128u << 10)
#define ARENA_HUGE      (2u << 20)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    void *map; /* of mmap; NULL: of calloc */
    size_t map_len;
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

        if (a->head->map)
            munmap(a->head->map, a->head->map_len);
        else
            free(a->head);
        a->head = next;
    }
    free(a);
}

/* NULL: no such memory, then calloc will do. */
static struct arena_chunk *arena_huge(void)
{
    size_t len =
        2 * (size_t)ARENA_HUGE; /* one that is aligned is in it; what is beside it is never touched */
    char *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct arena_chunk *c;

    if (map == MAP_FAILED)
        return NULL;
    c = (struct arena_chunk *)(void *)(map + (ARENA_HUGE - (uintptr_t)map % ARENA_HUGE) % ARENA_HUGE);
    madvise(c, ARENA_HUGE, MADV_HUGEPAGE); /* refused: the pages are small */
    *c = (struct arena_chunk){ .size = ARENA_HUGE - sizeof(*c), .map = map, .map_len = len };
    return c;
}

static struct arena_chunk *arena_grow(struct conf_arena *a, size_t need)
{
    size_t size = need > a->chunk / 4 ? need : a->chunk - sizeof(struct arena_chunk);
    struct arena_chunk *c = NULL;

    if (size != need && a->chunk == ARENA_CHUNK_MAX)
        c = arena_huge();
    if (!c) {
        c = xcalloc(1, sizeof(*c) + size);
        c->size = size;
    }
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
