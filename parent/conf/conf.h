/*
 * conf.h - the table side of holdfast-conf: logical lines (lex.h) become a tree of objects with typed values,
 * names are resolved, defaults and inheritance applied, everything is checked against everything, and each
 * role's slice is written. Called by program.c of holdfast-conf and by tests, in this order: conf_new,
 * conf_parse, conf_resolve, conf_validate, conf_emit, conf_free. All of them report into struct diag and
 * never stop at a mistake; only conf_emit needs a configuration without errors (or --lenient). Trusts lex.h;
 * everything in the words is hostile.
 */
#ifndef HOLDFAST_CONF_CONF_H
#define HOLDFAST_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/role.h"
#include "common/schema/schema.h"
#include "parent/conf/diag.h"
#include "parent/conf/lex.h"

/* What the machine looks like now. Filled by conf_env_load() BEFORE the jail (it reads /proc/net and the
 * addresses of this network namespace); tests fill it by hand. */
struct conf_env_addr {
    char ifname[16];
    struct ipaddr addr; /* with prefix length */
    bool uplink;        /* the default route leaves here */
};
struct conf_env {
    bool known;     /* false: interfaces are not judged */
    bool no_bfd;    /* the command line wants no sessions */
    bool elsewhere; /* the file is of another machine: its users and scripts are not judged here */
    bool starting;  /* not a test: what the parent refuses by itself, script by script, does not keep it from
                       running */
    char (*ifname)[16];
    size_t nif;
    struct conf_env_addr *addrs;
    size_t naddrs;
};
void conf_env_load(struct conf_env *e);
void conf_env_free(struct conf_env *e);

enum conf_form { CONF_FORM_KIND, CONF_FORM_UINT, CONF_FORM_STR, CONF_FORM_IP };

/* One value of one statement. */
struct conf_value {
    struct conf_value *next;
    const struct conf_line *line; /* NULL: derived or default */
    uint16_t kw;                  /* enum kw: there are dozens of these in an object */
    uint16_t word;                /* index of the value's word in line */
    uint16_t len;                 /* of raw */
    uint8_t form;                 /* enum conf_form, for rows whose kind does not say it */
    bool inherited;               /* not written in this object */
    union {
        uint64_t u; /* FLAG, BOOL, UINT, CNUM, ENUM, NAMETAB, TIME and MSTIME (microseconds) */
        int64_t i;  /* INT, WEIGHT */
        const char *s;
        const struct ipaddr *ip;
        const void *raw;
    } v;
};

struct conf_obj {
    enum blk blk;
    enum kw opener; /* the row that opened it: virtual_ipaddress or virtual_ipaddress_excluded ... */
    uint32_t id;    /* numbered by conf_emit's first call; before: resolve_sock.c's own */
    uint32_t lineno;
    const char *name;
    const struct conf_line *line; /* NULL: derived */
    struct conf_obj *parent, *child, *last_child, *sibling;
    struct conf_obj *hash_next;
    struct conf_value *values, *last_value;
    uint64_t
        has; /* a bit for each keyword of values, folded to 64: most questions are about what is not there */
    bool broken; /* an error about it has been reported: no complaint that would follow from that */
    bool drop;   /* not emitted (duplicate, ineffective) */
    bool hollow; /* under --lenient: lost the thing it is about; known once it is numbered */
};

struct conf;
struct conf_prove; /* prove.h */

struct conf *conf_new(struct conf_text *t, struct diag *d, const struct conf_env *env);
void conf_free(struct conf *c);

void conf_parse(struct conf *c);
/* Reads the files of TLS (certificates, keys); program.c calls it while it may still read what is root's.
 * Tests without TLS leave it out. */
void conf_read_files(struct conf *c);
void conf_resolve(struct conf *c);
/* prove NULL: without the libraries; what they would have been asked leaves it unproven. */
void conf_validate(struct conf *c, const struct conf_prove *prove);
bool conf_unproven(const struct conf *c); /* no verdict, and nothing of it may be emitted */
/* A sealed memfd with the role's slice, or -1 with errno (E2BIG: too large to be told). */
int conf_emit(struct conf *c, enum role role, uint32_t generation);
int conf_save(const struct conf *c); /* config_save_dir: a sealed memfd with the whole text; -1: none */

bool conf_is_empty(const struct conf *c);     /* nothing to run */
const char *conf_netns(const struct conf *c); /* `net_namespace NAME`, NULL: none */
/* --portable: calls fn for each keyword of ours in use, with its position. */
void conf_each_ours(const struct conf *c,
                    void (*fn)(const struct kw_row *row, struct conf_pos pos, void *arg), void *arg);

/* Reading the tree: tests, later passes. */
struct conf_obj *conf_top(const struct conf *c);
struct conf_obj *conf_find(const struct conf *c, enum blk blk, const char *name); /* NULL: none */
struct conf_obj *conf_next(const struct conf_obj *parent, const struct conf_obj *prev, enum blk blk);
struct conf_value *conf_get(const struct conf_obj *o, enum kw kw); /* last one given; NULL: none */
uint64_t conf_uint(const struct conf_obj *o, enum kw kw, uint64_t dflt);
const char *conf_str(const struct conf_obj *o, enum kw kw, const char *dflt);

#endif
