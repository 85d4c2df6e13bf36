/*
 * ipvs_model.h - the configured services and servers of one generation, and beside each server what the
 * kernel is known to hold. Built aside from a slice; a kernel service (a member of a group, or the one
 * address or mark of a virtual_server) is found by key, a server by the id messages carry. Called by
 * ipvs_life.c, ipvs_apply.c, ipvs_read.c and plan_ipvs.c; ipvs_plan.c looks at it.
 */
#ifndef HOLDFAST_IPVSD_IPVS_MODEL_H
#define HOLDFAST_IPVSD_IPVS_MODEL_H

#include <sys/queue.h>

#include "common/slice.h"
#include "ipvsd/ipvs_types.h"
#include "ipvsd/nft_marks.h"

#define IPVS_NONE UINT32_MAX

struct ipvs_vs;
struct ipvs_ks;

/* A configured server, real or sorry. */
struct ipvs_rs {
    uint32_t id;
    uint32_t index; /* in its virtual server */
    struct ipvs_vs *vs;
    struct ipvs_dest spec; /* the port as configured; weight: as configured */
    uint32_t weight;       /* what checkd wants */
    bool in, told, dirty;
    STAILQ_ENTRY(ipvs_rs) next_dirty;
};
STAILQ_HEAD(ipvs_rs_queue, ipvs_rs);

struct ipvs_vs {
    const struct slice_obj *obj;
    bool group;
    struct ipvs_rs *rss;
    uint32_t nrs;
    struct ipvs_ks **kss; /* its members in the kernel */
    size_t nks, cap;
    struct ipvs_rs_queue dirty;
    bool queued;
    TAILQ_ENTRY(ipvs_vs) next;
};
TAILQ_HEAD(ipvs_vs_queue, ipvs_vs);

/* A server in a kernel service. Servers that come out the same there (two ports under a mark, two blocks for
 * one service) share the first one's slot. */
struct ipvs_slot {
    struct ipvs_rs *rs;
    uint32_t canon;  /* the slot that stands for this one; itself mostly */
    uint32_t alias;  /* next that shares it, IPVS_NONE ends */
    uint32_t by;     /* present: the slot whose specification the kernel was given */
    uint32_t weight; /* present: the kernel's */
    uint16_t error;  /* errno of the last attempt, told once */
    bool present;
    bool wrong; /* present, but not as specified: method, thresholds, tunnel */
};

enum ipvs_ks_state {
    IPVS_KS_UNREAD, /* what the kernel holds is not known */
    IPVS_KS_ABSENT,
    IPVS_KS_PRESENT
};

struct ipvs_source {
    struct ipvs_vs *vs;
    uint32_t base; /* its first slot */
};

/* A service of the kernel that is ours. */
struct ipvs_ks {
    struct ipvs_svc svc;
    struct ipvs_source *src; /* virtual servers that name it: one, but for twins */
    uint32_t nsrc;
    struct ipvs_slot *slots;
    uint32_t nslots;
    enum ipvs_ks_state state;
    bool differs; /* present, but with another scheduler or options */
    bool known;   /* it was read or written before: a difference is somebody else's doing */
    bool listed;  /* in the kernel's list of services that was just read */
    uint8_t tries;
    uint16_t error;
    bool queued;
    TAILQ_ENTRY(ipvs_ks) next;
};
TAILQ_HEAD(ipvs_ks_queue, ipvs_ks);

struct ipvs_model {
    struct ipvs_vs *vss;
    size_t nvs;
    struct ipvs_rs *rss; /* ascending by id */
    size_t nrs;
    struct ipvs_ks **kss; /* in the order of the file */
    size_t nks, cap;
    uint32_t *table; /* of places in kss, by key */
    size_t mask;
    bool has_timeouts;
    struct ipvs_timeouts timeouts; /* 0: not given */
    bool flush;
    uint8_t flush_on_stop; /* 0 no, 1 the whole table, 2 services without their servers first */
};

/* marks: groups that one firewall mark stands for (may be NULL: none). NULL with e. */
struct ipvs_model *ipvs_model_build(const struct slice *s, const struct nft_marks *marks, struct err *e);
void ipvs_model_free(struct ipvs_model *m);
struct ipvs_rs *ipvs_model_rs(const struct ipvs_model *m, uint32_t id);                /* NULL: none */
struct ipvs_ks *ipvs_model_ks(const struct ipvs_model *m, const struct ipvs_key *key); /* NULL: none */
struct ipvs_dkey ipvs_model_dkey(const struct ipvs_ks *ks,
                                 const struct ipvs_rs *rs); /* with the port it has there */
struct ipvs_dest ipvs_model_dest(const struct ipvs_ks *ks, const struct ipvs_rs *rs);

/* Slots by key, for as long as somebody looks at many. */
struct ipvs_index {
    const struct ipvs_ks *ks;
    uint32_t *table;
    uint32_t mask;
};
void ipvs_index_build(struct ipvs_index *x, const struct ipvs_ks *ks); /* of canonical slots */
uint32_t ipvs_index_find(const struct ipvs_index *x, const struct ipvs_dkey *key);
void ipvs_index_free(struct ipvs_index *x);

#endif
