/*
 * config.h - one generation of the configuration as the parent holds it: four sealed slices, of which it
 * reads its own, and the table of instances for the status. Slices of other roles are passed on unread.
 */
#ifndef HOLDFAST_PARENT_CONFIG_H
#define HOLDFAST_PARENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/proto.h"
#include "common/role.h"
#include "common/slice.h"

struct scripts;

/* Why something changed. What happens to many at once is said of all in the same words, and kept once. */
struct cause {
    size_t refs;
    char text[];
};

struct config_inst {
    uint32_t id;
    const char *name; /* in the slice */
    const char *iface;
    unsigned int vrid, base_priority;
    enum vrrp_state state;
    unsigned int priority;
    uint64_t at;         /* CLOCK_REALTIME ns of the last change, 0 = none yet */
    struct cause *cause; /* NULL: nothing was said; config_cause */
};

struct director;

struct config {
    uint32_t generation;
    bool whole;                    /* it took the whole of holdfast-conf (conf/program.h) */
    unsigned int errors, warnings; /* --lenient may have left errors */
    int fd[ROLE_MAX];              /* -1: none */
    struct slice *slice;           /* the parent's own */
    const struct slice_obj *top;   /* BLK_TOP, may be NULL */
    struct scripts *scripts;       /* registered commands */
    struct config_inst *inst;
    struct director *director; /* services and servers, for the status */
    size_t ninst;
    struct config_inst *group; /* sync groups: name, state, at and cause of these */
    size_t ngroup;
    struct cause *said; /* latest, to be shared; NULL: none yet */
};

/* Takes fds (parent, vrrpd, checkd, ipvsd), also on failure. NULL with e when they are not what they should
 * be. */
struct config *config_new(uint32_t generation, const int fds[4], struct err *e);
void config_free(struct config *c);
bool config_needs(const struct config *c, enum role r);
int config_dup_slice(const struct config *c, enum role r); /* a descriptor to send away */
struct config_inst *config_inst(struct config *c, uint32_t id);
struct config_inst *config_group(struct config *c, uint32_t id);
void config_cause_set(struct config *c, struct config_inst *n, const char *text);
const char *config_cause(const struct config_inst *n);                  /* "": nothing was said */
void config_carry_states(struct config *to, const struct config *from); /* by name */
/* What has been heard of one object of from since then. */
void config_carry_news(struct config *to, const struct config *from, uint32_t id);
uint64_t config_top_ns(const struct config *c, enum kw kw, uint64_t dflt);
uint64_t config_top_uint(const struct config *c, enum kw kw, uint64_t dflt);
bool config_top_bool(const struct config *c, enum kw kw);
const char *config_top_str(const struct config *c, enum kw kw);
/* The first keyword that must not change at reload and did; NULL: none. */
const char *config_frozen_change(const struct config *old, const struct config *new);

#endif
