/* snapshots.c - see snapshots.h. A sorted array: ids come mostly in ascending order and change rarely. */
#include "parent/snapshots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/err.h"

#define SNAPSHOT_HEAD   8u
#define SNAPSHOT_PAD(n) (((size_t)(n) + 3u) & ~(size_t)3u)

struct snapshot {
    uint32_t generation;
    uint32_t key;
    uint16_t len;
    uint8_t *data;
};

struct snapshots {
    struct snapshot *v; /* v[0..n), ascending by generation, key */
    size_t n, cap, max;
};

struct snapshots *snapshots_new(size_t max_entries)
{
    struct snapshots *s = xcalloc(1, sizeof *s);
    s->max = max_entries;
    return s;
}

void snapshots_clear(struct snapshots *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i].data);
    s->n = 0;
}

void snapshots_free(struct snapshots *s)
{
    if (s == NULL)
        return;
    snapshots_clear(s);
    free(s->v);
    free(s);
}

static bool snapshot_before(const struct snapshot *a, uint32_t generation, uint32_t key)
{
    return a->generation != generation ? a->generation < generation : a->key < key;
}

/* First entry not before (generation, key). */
static size_t snapshots_seek(const struct snapshots *s, uint32_t generation, uint32_t key)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (snapshot_before(&s->v[mid], generation, key))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool snapshots_is(const struct snapshots *s, size_t i, uint32_t generation, uint32_t key)
{
    return i < s->n && s->v[i].generation == generation && s->v[i].key == key;
}

int snapshots_put(struct snapshots *s, uint32_t generation, uint32_t key, const void *data, uint16_t len)
{
    size_t i = snapshots_seek(s, generation, key);
    if (!snapshots_is(s, i, generation, key)) {
        if (s->n == s->max) {
            errno = ENOSPC;
            return -1;
        }
        if (s->n == s->cap) {
            s->cap = s->cap > 0 ? 2 * s->cap : 16;
            s->v = xrealloc(s->v, s->cap * sizeof *s->v);
        }
        memmove(&s->v[i + 1], &s->v[i], (s->n - i) * sizeof *s->v);
        s->v[i] = (struct snapshot){ .generation = generation, .key = key };
        s->n++;
    }
    if (s->v[i].len != len || s->v[i].data == NULL) {
        s->v[i].data = xrealloc(s->v[i].data, len > 0 ? len : 1);
        s->v[i].len = len;
    }
    if (len > 0)
        memcpy(s->v[i].data, data, len);
    return 0;
}

void snapshots_remove(struct snapshots *s, uint32_t generation, uint32_t key)
{
    size_t i = snapshots_seek(s, generation, key);
    if (!snapshots_is(s, i, generation, key))
        return;
    free(s->v[i].data);
    s->n--;
    memmove(&s->v[i], &s->v[i + 1], (s->n - i) * sizeof *s->v);
}

void snapshots_forget_before(struct snapshots *s, uint32_t generation)
{
    size_t n = snapshots_seek(s, generation, 0);
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        free(s->v[i].data);
    s->n -= n;
    memmove(s->v, s->v + n, s->n * sizeof *s->v);
}

size_t snapshots_count(const struct snapshots *s)
{
    return s->n;
}

void *snapshots_bytes(const struct snapshots *s, size_t *len)
{
    size_t size = 0;
    for (size_t i = 0; i < s->n; i++)
        size += SNAPSHOT_HEAD + SNAPSHOT_PAD(s->v[i].len);
    uint8_t *b = xcalloc(1, size > 0 ? size : 1), *p = b;
    for (size_t i = 0; i < s->n; i++) {
        const struct snapshot *e = &s->v[i];
        memcpy(p, &e->key, sizeof e->key);
        memcpy(p + 4, &e->len, sizeof e->len);
        if (e->len > 0)
            memcpy(p + SNAPSHOT_HEAD, e->data, e->len);
        p += SNAPSHOT_HEAD + SNAPSHOT_PAD(e->len);
    }
    *len = size;
    return b;
}

int snapshots_memfd(const struct snapshots *s)
{
    size_t len, done = 0;
    uint8_t *b = snapshots_bytes(s, &len);
    int fd = memfd_create("holdfast-snapshots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    while (fd >= 0 && done < len) {
        ssize_t w = write(fd, b + done, len - done);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            break;
        done += (size_t)w;
    }
    free(b);
    if (fd >= 0 && (done < len ||
                    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}
