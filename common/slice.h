/*
 * slice.h - a role's share of the configuration: objects with typed fields, in one sealed memfd.
 * holdfast-conf writes it, a role reads it. A field is a keyword row of the schema (enum kw). Objects are
 * canonical: two objects with equal name and equal body are the same configuration, whatever their ids
 * (reload compares so). References to other objects are by natural key (their name), never by id.
 *
 * Layout (host byte order; the file never leaves the machine): header { u32 magic, u32 version, u32 role,
 * u32 generation, u32 nobj, u32 length, u64 schema_hash } then nobj objects, ascending by id:
 * { u32 id, u32 parent, u16 blk, u16 namelen (with NUL), u32 line, u32 bodylen } name, pad4, body; body =
 * fields in ascending keyword order: { u16 kw, u16 len (of data), data, pad4 }, a repeated keyword = a list.
 * slice_open trusts nothing: it is a pure, fuzzed decoder that checks every length, order, parent and
 * termination first.
 */
#ifndef HOLDFAST_SLICE_H
#define HOLDFAST_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/role.h"
#include "common/schema/schema.h"

#define SLICE_MAX_SIZE (256u << 20)

struct slice;

struct slice_obj {
    uint32_t id;     /* unique in this generation, from 1, ascending; what messages carry */
    uint32_t parent; /* id of the enclosing object, 0 at top level */
    enum blk blk;
    uint32_t line;    /* where it begins in the configuration, for messages */
    const char *name; /* natural key: instance name, "10.0.0.1:80:tcp", interface name, address text...; ""
                         when none */
    const uint8_t *body;
    uint32_t body_len;
    uint64_t has; /* a bit for each keyword of its fields, folded to 64: most questions are about what is not
                     there */
};

/* Reading. fd may be closed afterwards: the slice maps the memfd, which nobody can change. */
struct slice *slice_open(int fd, enum role role, struct err *e); /* needs a sealed memfd */
struct slice *slice_parse(const void *buf, size_t len, enum role role,
                          struct err *e);     /* copies buf; for tests, fuzzing */
int slice_again(int fd, uint32_t generation); /* a sealed copy of another generation; -1 errno */
void slice_free(struct slice *s);
void slice_rest(const struct slice *s); /* nobody looks at it for now: its text needs no memory of ours */
uint32_t slice_generation(const struct slice *s);
size_t slice_count(const struct slice *s);
const struct slice_obj *slice_at(const struct slice *s, size_t i);
size_t slice_index(const struct slice *s, const struct slice_obj *o);    /* the i of slice_at */
const struct slice_obj *slice_by_id(const struct slice *s, uint32_t id); /* NULL: none */
const struct slice_obj *slice_find(const struct slice *s, enum blk blk, const char *name); /* NULL: none */
/* Next object of this kind with this parent (SLICE_ANY_PARENT: any); prev NULL starts. NULL ends. */
#define SLICE_ANY_PARENT UINT32_MAX
const struct slice_obj *slice_next(const struct slice *s, const struct slice_obj *prev, enum blk blk,
                                   uint32_t parent);
bool slice_obj_same(const struct slice_obj *a, const struct slice_obj *b); /* name and body equal */

/* Fields. The getters return dflt when the field is absent; the slice was range-checked when it was written.
 */
bool slice_has(const struct slice_obj *o, enum kw kw);
uint64_t slice_uint(const struct slice_obj *o, enum kw kw, uint64_t dflt);
int64_t slice_int(const struct slice_obj *o, enum kw kw, int64_t dflt);
bool slice_bool(const struct slice_obj *o, enum kw kw, bool dflt);
uint64_t slice_ns(const struct slice_obj *o, enum kw kw,
                  uint64_t dflt_ns); /* times: stored in us, returned in ns */
const char *slice_str(const struct slice_obj *o, enum kw kw, const char *dflt);
bool slice_ip(const struct slice_obj *o, enum kw kw, struct ipaddr *out); /* false: absent */
const char *slice_str_at(const struct slice_obj *o, enum kw kw,
                         size_t i); /* i-th of a list, NULL past the end */
bool slice_uint_at(const struct slice_obj *o, enum kw kw, size_t i, uint64_t *out);
/* All numbers of a list, in one pass: how many were written to out. */
size_t slice_uints(const struct slice_obj *o, enum kw kw, uint64_t *out, size_t room);
const void *slice_raw(const struct slice_obj *o, enum kw kw, size_t i, size_t *len);

/* Writing (holdfast-conf and tests). */
struct slice_writer;
struct slice_writer *slice_writer_new(enum role role, uint32_t generation);
void slice_writer_free(struct slice_writer *w);
uint32_t slice_put_obj(struct slice_writer *w, enum blk blk, uint32_t parent, const char *name,
                       uint32_t line); /* its id */
/* The same with an id chosen by the caller (holdfast-conf numbers once for all roles): greater than the last
 * one, or 0 comes back. */
uint32_t slice_put_obj_id(struct slice_writer *w, uint32_t id, enum blk blk, uint32_t parent,
                          const char *name, uint32_t line);
/* How a value is stored follows from the kind of its row: FLAG and BOOL one byte; numbers, times and
 * enumerations 8; IP and PREFIX struct ipaddr; WORD, IFNAME, REF, WORDS text with NUL; the others as put. A
 * put_ that does not fit the row is fatal (a bug); a name or value too long to be told makes
 * slice_writer_finish fail with E2BIG. */
/* Fields go to the object opened last, in any order; the writer sorts them. */
void slice_put_uint(struct slice_writer *w, enum kw kw, uint64_t v);
void slice_put_int(struct slice_writer *w, enum kw kw, int64_t v);
void slice_put_bool(struct slice_writer *w, enum kw kw, bool v);
void slice_put_us(struct slice_writer *w, enum kw kw, uint64_t us);
void slice_put_str(struct slice_writer *w, enum kw kw, const char *s);
void slice_put_ip(struct slice_writer *w, enum kw kw, const struct ipaddr *a);
void slice_put_raw(struct slice_writer *w, enum kw kw, const void *p, size_t len);
int slice_writer_finish(struct slice_writer *w); /* a sealed memfd, or -1; frees w */
const void *slice_writer_bytes(struct slice_writer *w,
                               size_t *len); /* for tests: the finished image; w stays */

#endif
