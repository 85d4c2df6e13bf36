/*
 * slice_write.c - writes slices: holdfast-conf at start and reload, and tests. Its callers are trusted (they
 * have parsed and range-checked); a value put where the schema has no place for it is a bug and fatal, a text
 * too long for the format is bad input and comes out of slice_writer_finish as an errno.
 */
#include "common/slice.h"
#include "common/writeall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/slice_format.h"

struct bytes {
    uint8_t *p;
    size_t len, room;
};

struct pending {
    enum kw kw;
    size_t at, len; /* in scratch, the header included */
};

#define SLICE_CHUNK (64u << 10)

struct slice_writer {
    struct bytes image; /* what is not in the memfd yet */
    int fd;             /* -1: all of it is in image */
    size_t told;        /* bytes in the memfd */
    struct slice_head head;
    bool open;     /* an object is open */
    size_t obj_at; /* where its header stands in image */
    size_t body_at;
    enum blk blk;
    uint32_t last_id;
    struct bytes scratch; /* fields that are put in order */
    struct pending *pending;
    size_t npending, room;
    enum kw last;  /* field of the open object */
    bool unsorted; /* one came before one of a smaller keyword */
    int error;
};

static void bytes_put(struct bytes *b, const void *p, size_t len)
{
    if (b->room - b->len < len) {
        while (b->room - b->len < len)
            b->room = b->room ? b->room * 2 : 4096;
        b->p = xrealloc(b->p, b->room);
    }
    if (len > 0)
        memcpy(b->p + b->len, p, len);
    b->len += len;
}

static void bytes_pad4(struct bytes *b)
{
    static const uint8_t zero[4];

    bytes_put(b, zero, slice_pad4(b->len) - b->len);
}

struct slice_writer *slice_writer_new(enum role role, uint32_t generation)
{
    struct slice_writer *w = xcalloc(1, sizeof *w);

    w->fd = -1;
    w->head = (struct slice_head){ .magic = SLICE_MAGIC,
                                   .version = SLICE_VERSION,
                                   .role = (uint32_t)role,
                                   .generation = generation,
                                   .schema_hash = schema_hash() };
    bytes_put(&w->image, &w->head, sizeof w->head);
    return w;
}

void slice_writer_free(struct slice_writer *w)
{
    if (w == NULL)
        return;
    if (w->image.p)
        explicit_bzero(w->image.p, w->told > 0 ? w->image.room : w->image.len); /* may hold secrets */
    if (w->scratch.p)
        explicit_bzero(w->scratch.p, w->scratch.room);
    if (w->fd >= 0)
        close(w->fd);
    free(w->image.p);
    free(w->scratch.p);
    free(w->pending);
    free(w);
}

static int pending_cmp(const void *va, const void *vb)
{
    const struct pending *a = va, *b = vb;

    if (a->kw != b->kw)
        return a->kw < b->kw ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at; /* keeps a list in the order it was put */
}

static void pending_put(struct slice_writer *w, const struct pending *f)
{
    if (w->npending == w->room) {
        w->room = w->room ? w->room * 2 : 64;
        w->pending = xrealloc(w->pending, w->room * sizeof *w->pending);
    }
    w->pending[w->npending++] = *f;
}

/* The fields from start on were put in any order. */
static void fields_sort(struct slice_writer *w, size_t start)
{
    w->scratch.len = w->npending = 0;
    bytes_put(&w->scratch, w->image.p + start, w->image.len - start);
    for (size_t at = 0; at < w->scratch.len;) {
        struct slice_field h;

        memcpy(&h, w->scratch.p + at, sizeof h);
        pending_put(w, &(struct pending){ (enum kw)h.kw, at, sizeof h + slice_pad4(h.len) });
        at += sizeof h + slice_pad4(h.len);
    }
    if (w->npending > 1)
        qsort(w->pending, w->npending, sizeof *w->pending, pending_cmp);
    w->image.len = start;
    for (size_t i = 0; i < w->npending; i++)
        bytes_put(&w->image, w->scratch.p + w->pending[i].at, w->pending[i].len);
}

/* What is whole goes into the memfd while it is warm: a large slice is never in memory twice. */
static void image_tell(struct slice_writer *w)
{
    if (w->fd < 0)
        w->fd = memfd_create("holdfast-slice", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (w->error == 0 && (w->fd < 0 || write_all(w->fd, w->image.p, w->image.len) < 0))
        w->error = errno;
    w->told += w->image.len; /* a multiple of four, as what is padded needs it */
    w->image.len = 0;
}

/* Closes the object opened last: its fields in ascending order of keyword, then its length. */
static void obj_close(struct slice_writer *w)
{
    uint32_t bodylen;

    if (!w->open)
        return;
    if (w->unsorted)
        fields_sort(w, w->body_at);
    bodylen = (uint32_t)(w->image.len - w->body_at);
    memcpy(w->image.p + w->obj_at + offsetof(struct slice_head_obj, bodylen), &bodylen, sizeof bodylen);
    w->open = false;
    if (w->told + w->image.len > SLICE_MAX_SIZE)
        w->error = EFBIG;
    if (w->image.len >= SLICE_CHUNK)
        image_tell(w);
}

uint32_t slice_put_obj_id(struct slice_writer *w, uint32_t id, enum blk blk, uint32_t parent,
                          const char *name, uint32_t line)
{
    struct slice_head_obj h = { .id = id, .parent = parent, .blk = (uint16_t)blk, .line = line };
    size_t len = strlen(name) + 1;

    obj_close(w);
    if (id <= w->last_id || id >= SLICE_ANY_PARENT)
        return 0;
    if (parent >= id || blk == BLK_NONE || (unsigned int)blk >= BLK_MAX)
        fatal("slice: object %u (%s) of block %d has parent %u", id, name, (int)blk, parent);
    if (len > UINT16_MAX || w->told + w->image.len > SLICE_MAX_SIZE) {
        w->error = E2BIG;
        name = "";
        len = 1;
    }
    h.namelen = (uint16_t)len;
    w->obj_at = w->image.len;
    w->blk = blk;
    w->last_id = id;
    w->open = true;
    w->head.nobj++;
    bytes_put(&w->image, &h, sizeof h);
    bytes_put(&w->image, name, len);
    bytes_pad4(&w->image);
    w->body_at = w->image.len;
    w->last = KW_NONE;
    w->unsorted = false;
    return id;
}

uint32_t slice_put_obj(struct slice_writer *w, enum blk blk, uint32_t parent, const char *name, uint32_t line)
{
    return slice_put_obj_id(w, w->last_id + 1, blk, parent, name, line);
}

/* ---- fields ----------------------------------------------------------------------------------------------
 */

static const struct kw_row *row_of(const struct slice_writer *w, enum kw kw)
{
    const struct kw_row *row = schema_kw(kw);

    if (row == NULL || !w->open || row->blk != w->blk)
        fatal("slice: keyword %d (%s) put into an object of block %d", (int)kw, row ? row->name : "?",
              (int)w->blk);
    return row;
}

static void field_put(struct slice_writer *w, enum kw kw, const void *p, size_t len)
{
    struct slice_field h = { (uint16_t)kw, (uint16_t)len };

    if (len > UINT16_MAX) {
        w->error = E2BIG;
        return;
    }
    if (kw < w->last)
        w->unsorted = true;
    w->last = kw;
    bytes_put(&w->image, &h, sizeof h);
    bytes_put(&w->image, p, len);
    bytes_pad4(&w->image);
}

/* A number where the row wants a number, a byte where it wants a truth value; wide: the form to take where it
 * wants nothing. */
static void number_put(struct slice_writer *w, enum kw kw, uint64_t v, bool wide)
{
    const struct kw_row *row = row_of(w, kw);
    enum slice_form form = slice_form(row->kind);
    uint8_t b = v != 0;

    if (form == SLICE_FORM_ANY)
        form = wide ? SLICE_FORM_NUMBER : SLICE_FORM_BOOL;
    if (form == SLICE_FORM_NUMBER)
        field_put(w, kw, &v, sizeof v);
    else if (form == SLICE_FORM_BOOL && v <= 1)
        field_put(w, kw, &b, sizeof b);
    else
        fatal("slice: a number (%llu) put for keyword %d (%s) of kind %d", (unsigned long long)v, (int)kw,
              row->name, (int)row->kind);
}

void slice_put_uint(struct slice_writer *w, enum kw kw, uint64_t v)
{
    number_put(w, kw, v, true);
}

void slice_put_int(struct slice_writer *w, enum kw kw, int64_t v)
{
    number_put(w, kw, (uint64_t)v, true);
}

void slice_put_bool(struct slice_writer *w, enum kw kw, bool v)
{
    number_put(w, kw, v, false);
}

void slice_put_us(struct slice_writer *w, enum kw kw, uint64_t us)
{
    number_put(w, kw, us, true);
}

static void formed_put(struct slice_writer *w, enum kw kw, enum slice_form form, const void *p, size_t len)
{
    const struct kw_row *row = row_of(w, kw);
    enum slice_form want = slice_form(row->kind);

    if (want != SLICE_FORM_ANY && want != form)
        fatal("slice: a value of form %d put for keyword %d (%s) of kind %d", (int)form, (int)kw, row->name,
              (int)row->kind);
    field_put(w, kw, p, len);
}

void slice_put_str(struct slice_writer *w, enum kw kw, const char *s)
{
    formed_put(w, kw, SLICE_FORM_TEXT, s, strlen(s) + 1);
}

void slice_put_ip(struct slice_writer *w, enum kw kw, const struct ipaddr *a)
{
    struct ipaddr c = { .family = a->family, .plen = a->plen };

    memcpy(c.b, a->b, ipaddr_len(a)); /* canonical: nothing behind an IPv4 address */
    formed_put(w, kw, SLICE_FORM_IP, &c, sizeof c);
}

void slice_put_raw(struct slice_writer *w, enum kw kw, const void *p, size_t len)
{
    formed_put(w, kw, SLICE_FORM_ANY, p, len);
}

/* ---- the end ---------------------------------------------------------------------------------------------
 */

static void image_recall(struct slice_writer *w)
{
    uint8_t *all = xmalloc(w->told + w->image.len);

    if (w->error != 0 || pread(w->fd, all, w->told, 0) != (ssize_t)w->told)
        fatal("slice: what was written cannot be read: %s", strerror(w->error != 0 ? w->error : errno));
    memcpy(all + w->told, w->image.p, w->image.len);
    free(w->image.p);
    w->image = (struct bytes){ .p = all, .len = w->told + w->image.len, .room = w->told + w->image.len };
    w->told = 0;
    close(w->fd);
    w->fd = -1;
}

const void *slice_writer_bytes(struct slice_writer *w, size_t *len)
{
    obj_close(w);
    if (w->told > 0)
        image_recall(w);
    w->head.length = (uint32_t)w->image.len;
    memcpy(w->image.p, &w->head, sizeof w->head);
    *len = w->image.len;
    return w->image.p;
}

/* The header knows the length, so it is written last. -1 errno. */
static int image_seal(struct slice_writer *w)
{
    const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

    w->head.length = (uint32_t)(w->told + w->image.len);
    image_tell(w);
    if (w->error == 0 && (lseek(w->fd, 0, SEEK_SET) < 0 || write_all(w->fd, &w->head, sizeof w->head) < 0 ||
                          fcntl(w->fd, F_ADD_SEALS, seals) < 0))
        w->error = errno;
    errno = w->error;
    return w->error == 0 ? 0 : -1;
}

int slice_writer_finish(struct slice_writer *w)
{
    int fd = -1, error;

    obj_close(w);
    if (image_seal(w) == 0) {
        fd = w->fd;
        w->fd = -1;
    }
    error = errno;
    slice_writer_free(w);
    errno = error;
    return fd;
}
