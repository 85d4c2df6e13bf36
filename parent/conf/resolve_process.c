/*
 * resolve_process.c - what each room is as a process: its name, scheduling, processors, locked memory. The
 * keywords speak of the incumbent's three children; here they become one PROCESS object a room, so that
 * nobody behind reads a global. What the incumbent's VRRP child does, vrrpd and ipvsd do together: vrrp_*
 * holds for both (an ipvsd that serves only checkd: checker_*). BFD lives in vrrpd: with a bfd_instance the
 * stronger of vrrp_* and bfd_* counts, and either's processors may be used. Called by resolve.c at the end.
 */
#include <stdlib.h>

#include "parent/conf/resolve.h"

#define RTTIME_DEFAULT  UINT64_C(10000) /* microseconds, as the incumbent */
#define RTTIME_INSTANCE UINT64_C(100)   /* more for each instance, unless a limit is written */
#define RTTIME_IPVSD    UINT64_C(100)   /* times: one netlink batch is thousands of addresses */
#define CPUS            4096

/* The rows of one of the incumbent's children. */
struct family {
    enum kw nice, lock, rt, cpus, rttime, comm;
    const char *name; /* with process_names */
};

static const struct family vrrp = { KW_GLOBAL_VRRP_PRIORITY,
                                    KW_GLOBAL_VRRP_NO_SWAP,
                                    KW_GLOBAL_VRRP_RT_PRIORITY,
                                    KW_GLOBAL_VRRP_CPU_AFFINITY,
                                    KW_GLOBAL_VRRP_RLIMIT_RTTIME,
                                    KW_GLOBAL_VRRP_PROCESS_NAME,
                                    "keepalived_vrrp" };
static const struct family checker = { KW_GLOBAL_CHECKER_PRIORITY,
                                       KW_GLOBAL_CHECKER_NO_SWAP,
                                       KW_GLOBAL_CHECKER_RT_PRIORITY,
                                       KW_GLOBAL_CHECKER_CPU_AFFINITY,
                                       KW_GLOBAL_CHECKER_RLIMIT_RTTIME,
                                       KW_GLOBAL_CHECKER_PROCESS_NAME,
                                       "keepalived_lvs" };
static const struct family bfd = { KW_GLOBAL_BFD_PRIORITY,
                                   KW_GLOBAL_BFD_NO_SWAP,
                                   KW_GLOBAL_BFD_RT_PRIORITY,
                                   KW_GLOBAL_BFD_CPU_AFFINITY,
                                   KW_GLOBAL_BFD_RLIMIT_RTTIME,
                                   KW_GLOBAL_BFD_PROCESS_NAME,
                                   "keepalived_bfd" };

/* ---- the stronger of two families: what o has already, and what f says */

static void join_nice(struct conf *c, struct conf_obj *o, const struct family *f)
{
    const struct conf_value *v = conf_get(c->global, f->nice);
    uint64_t nice = v != NULL ? (uint64_t)(v->v.i + 20) : 0;
    if (v != NULL && nice < conf_uint(o, KW_PROCESS_X_NICE, UINT64_MAX))
        conf_set_uint(c, o, KW_PROCESS_X_NICE, nice);
}

static void join_larger(struct conf *c, struct conf_obj *o, enum kw to, enum kw from)
{
    uint64_t v = conf_uint(c->global, from, 0);
    if (v > conf_uint(o, to, 0))
        conf_set_uint(c, o, to, v);
}

static void join_cpus(struct conf *c, struct conf_obj *o, const struct family *f)
{
    for (const struct conf_value *v = c->global->values; v != NULL; v = v->next) {
        if (v->kw != f->cpus)
            continue;
        unsigned long cpu = strtoul(v->v.s, NULL, 10); /* the parser has seen that it is a number */
        bool there = cpu >= CPUS;
        for (const struct conf_value *h = o->values; h != NULL && !there; h = h->next)
            there = h->kw == KW_PROCESS_X_CPU && h->v.u == cpu;
        if (there)
            continue;
        struct conf_value *n = conf_add(c, o, KW_PROCESS_X_CPU, NULL, 0);
        n->v.u = cpu;
        n->form = CONF_FORM_UINT;
        n->inherited = true;
    }
}

static void join(struct conf *c, struct conf_obj *o, const struct family *f)
{
    join_nice(c, o, f);
    join_larger(c, o, KW_PROCESS_X_RT, f->rt);
    join_larger(c, o, KW_PROCESS_X_RTTIME, f->rttime);
    join_cpus(c, o, f);
    if (conf_flag(c->global, f->lock))
        conf_set_uint(c, o, KW_PROCESS_X_LOCK, 1);
}

/* ---- the rooms */

static struct conf_obj *process(struct conf *c, enum role r)
{
    struct conf_obj *o = conf_obj_new(c, c->top, BLK_PROCESS, role_name(r), NULL);
    conf_hash_add(c, o);
    return o;
}

static const char *comm(struct conf *c, enum kw written, const char *usual)
{
    return conf_str(c->global, written, conf_flag(c->global, KW_GLOBAL_PROCESS_NAMES) ? usual : NULL);
}

static void name(struct conf *c, struct conf_obj *o, const char *as)
{
    if (as != NULL)
        conf_set_str(c, o, KW_PROCESS_X_COMM, as);
}

/* factor: of the limit. A limit nobody wrote grows with the work there is; nobody shall be killed for having
 * many instances. */
static void finish(struct conf *c, struct conf_obj *o, uint64_t factor)
{
    const struct conf_value *most = conf_get(c->global, KW_GLOBAL_MAX_AUTO_PRIORITY);
    uint64_t limit = conf_uint(o, KW_PROCESS_X_RTTIME, 0);
    if (limit == 0)
        limit = RTTIME_DEFAULT + RTTIME_INSTANCE * c->nvi;
    conf_set_uint(c, o, KW_PROCESS_X_RTTIME, factor * limit);
    if (most != NULL && most->v.i > 0)
        conf_set_uint(c, o, KW_PROCESS_X_AUTO, (uint64_t)most->v.i);
    if (most != NULL && most->v.i < 0)
        conf_set_uint(c, o, KW_PROCESS_X_QUIET, 1);
    conf_set_uint(c, o, KW_PROCESS_X_LATE,
                  conf_uint(c->global, KW_GLOBAL_MIN_AUTO_PRIORITY_DELAY, UINT64_C(1000000)));
}

void resolve_processes(struct conf *c)
{
    bool has_vrrp = conf_flag(c->top, KW_TOP_X_NEED_VRRP);
    bool has_bfd = conf_next(c->top, NULL, BLK_BFD) != NULL && (c->env == NULL || !c->env->no_bfd);
    bool bfd_alone = has_bfd && conf_next(c->top, NULL, BLK_VI) == NULL;
    name(c, process(c, ROLE_PARENT), comm(c, KW_GLOBAL_PROCESS_NAME, "keepalived"));
    struct conf_obj *v = process(c, ROLE_VRRPD), *k = process(c, ROLE_CHECKD), *i = process(c, ROLE_IPVSD);
    const struct family *named = bfd_alone ? &bfd : &vrrp;
    name(c, v, comm(c, named->comm, named->name));
    join(c, v, &vrrp);
    if (has_bfd)
        join(c, v, &bfd);
    name(c, k, comm(c, checker.comm, checker.name));
    join(c, k, &checker);
    join(c, i, has_vrrp ? &vrrp : &checker);
    finish(c, v, 1);
    finish(c, k, 1);
    finish(c, i, RTTIME_IPVSD);
}
