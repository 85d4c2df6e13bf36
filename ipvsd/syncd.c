/* syncd.c - see syncd.h. What to do is decided in syncd_codec.c, here it is done. */
#include "ipvsd/syncd.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ipvsd/ipvs_kernel.h"
#include "ipvsd/ipvsd.h"
#include "ipvsd/model.h"
#include "ipvsd/syncd_codec.h"

#define SYNCD_RETRY NS_PER_SEC
#define SYNCD_AUDIT (30 * NS_PER_SEC) /* between two looks at what others did */

enum syncd_want { SYNCD_WANT_LEAVE, SYNCD_WANT_NONE, SYNCD_WANT_MASTER, SYNCD_WANT_BACKUP, SYNCD_WANT_BOTH };

static const char *const syncd_names[SYNCD_KINDS] = { "master", "backup" };

struct syncd {
    struct ipvsd *d;
    struct ipvs_kernel k;
    struct syncd_wish wish;
    bool mine; /* what runs as wished was started or adopted by us */
    bool due;
    bool given_up; /* no vrrpd decides any more */
    bool failed;   /* said once */
    enum syncd_want last;
    struct ev_timer timer;
    uint64_t started, stopped;
};

static const char *syncd_where(const struct syncd *y, char *buf, size_t size)
{
    snprintf(buf, size, "%s, sync id %u", y->wish.p.ifname, y->wish.p.id);
    return buf;
}

/* ---- the kernel
 * ------------------------------------------------------------------------------------------------------ */

static int syncd_on_answer(void *buf, size_t len, uint32_t seq, void *arg)
{
    struct syncd_walk *w = arg;
    w->seq = seq;
    syncd_walk(buf, len, w);
    return w->done;
}

static int syncd_ask(struct syncd *y, struct nl_msg *m, uint16_t flags, struct syncd_walk *w)
{
    memset(w, 0, sizeof *w);
    if (nlsock_ask(&y->k.sock, m, flags, syncd_on_answer, w) < 0)
        return -1;
    errno = w->error;
    return w->error == 0 ? 0 : -1;
}

static int syncd_open(struct syncd *y)
{
    return y->k.family != 0 ? 0 : ipvs_kernel_open(&y->k, -1);
}

static int syncd_start_one(struct syncd *y, enum syncd_kind k)
{
    struct syncd_walk w;
    char where[64];
    if (syncd_ask(y, syncd_msg_start(y->k.family, k, &y->wish.p), NLM_F_ACK, &w) < 0)
        return -1;
    y->started++;
    log_info("IPVS sync daemon: %s started on %s", syncd_names[k], syncd_where(y, where, sizeof where));
    return 0;
}

/* p: as the kernel names it. */
static int syncd_stop_one(struct syncd *y, enum syncd_kind k, const struct syncd_params *p)
{
    struct syncd_walk w;
    if (syncd_ask(y, syncd_msg_stop(y->k.family, k, p), NLM_F_ACK, &w) < 0 && errno != ESRCH)
        return -1;
    y->stopped++;
    log_info("IPVS sync daemon: %s stopped on %s, sync id %u", syncd_names[k], p->ifname, p->id);
    return 0;
}

/* ---- what shall be
 * --------------------------------------------------------------------------------------------------- */

static const struct inst *syncd_inst(const struct syncd *y)
{
    const struct model *m = y->d->model;
    for (size_t i = 0; m != NULL && i < m->ninsts; i++)
        if (strcmp(m->insts[i].obj->name, y->wish.inst) == 0)
            return &m->insts[i];
    return NULL;
}

static enum syncd_want syncd_role(enum vrrp_state state)
{
    return state == VRRP_STATE_MASTER ? SYNCD_WANT_MASTER : SYNCD_WANT_BACKUP;
}

static enum syncd_want syncd_want(const struct syncd *y)
{
    if (!y->wish.configured)
        return y->mine ? SYNCD_WANT_NONE : SYNCD_WANT_LEAVE;
    if (y->wish.inst[0] == '\0')
        return SYNCD_WANT_BOTH;
    if (y->given_up)
        return SYNCD_WANT_BACKUP;
    const struct inst *i = syncd_inst(y);
    /* Nobody has said yet what it is; or it is on its way out with the whole house, which stops both. */
    if (i == NULL || !i->known || i->state == VRRP_STATE_STOP)
        return SYNCD_WANT_LEAVE;
    return syncd_role(i->state);
}

static struct syncd_plan syncd_compare(const struct syncd_wish *wish, enum syncd_want want, bool mine,
                                       const struct syncd_running have[SYNCD_KINDS])
{
    const bool kinds[SYNCD_KINDS] = { want == SYNCD_WANT_MASTER || want == SYNCD_WANT_BOTH,
                                      want == SYNCD_WANT_BACKUP || want == SYNCD_WANT_BOTH };
    return syncd_plan(&wish->p, kinds, have, mine || wish->configured);
}

static int syncd_carry_out(struct syncd *y, enum syncd_want want)
{
    struct syncd_walk now;
    if (syncd_ask(y, syncd_msg_dump(y->k.family), NLM_F_DUMP, &now) < 0)
        return -1;
    struct syncd_plan p = syncd_compare(&y->wish, want, y->mine, now.have);
    for (int k = 0; k < SYNCD_KINDS; k++)
        if (p.stop[k] && syncd_stop_one(y, (enum syncd_kind)k, &now.have[k].p) < 0)
            return -1;
    for (int k = 0; k < SYNCD_KINDS; k++)
        if (p.start[k] && syncd_start_one(y, (enum syncd_kind)k) < 0)
            return -1;
    return 0;
}

static void syncd_run(struct syncd *y, enum syncd_want want)
{
    char where[64];
    y->due = false;
    if (want == SYNCD_WANT_LEAVE)
        return;
    if (syncd_open(y) < 0 || syncd_carry_out(y, want) < 0) {
        if (!y->failed)
            log_err("IPVS sync daemon on %s cannot be brought into its state: %s; tried again every second",
                    syncd_where(y, where, sizeof where), strerror(errno));
        y->failed = true;
        ev_timer_in(y->d->ev, &y->timer, SYNCD_RETRY);
        return;
    }
    y->failed = false;
    y->mine = want != SYNCD_WANT_NONE;
    if (y->mine)
        ev_timer_in(y->d->ev, &y->timer, SYNCD_AUDIT);
    else
        ev_timer_stop(y->d->ev, &y->timer);
}

static void syncd_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    struct syncd *y = arg;
    (void)t;
    (void)now;
    y->due = true; /* the end of this turn does it */
}

/* ---- called by main.c
 * ------------------------------------------------------------------------------------------------ */

struct syncd *syncd_new(struct ipvsd *d)
{
    struct syncd *y = xcalloc(1, sizeof *y);
    y->d = d;
    y->k.other = &d->other;
    y->k.use = OTHER_NS_SYNCD;
    y->last = SYNCD_WANT_LEAVE;
    ev_timer_init(&y->timer, syncd_on_timer, y);
    return y;
}

void syncd_free(struct syncd *y)
{
    if (y == NULL)
        return;
    ev_timer_stop(y->d->ev, &y->timer);
    ipvs_kernel_close(&y->k);
    free(y);
}

void syncd_configure(struct syncd *y, const struct slice *now)
{
    struct syncd_wish next;
    syncd_read(&next, now);
    if (syncd_wish_same(&next, &y->wish))
        return;
    y->wish = next;
    y->failed = false;
    y->due = true;
}

const char *syncd_follows(const struct slice *next, char *buf, size_t size)
{
    struct syncd_wish w;
    syncd_read(&w, next);
    snprintf(buf, size, "%s", w.inst);
    return buf;
}

/* A kernel that was never asked runs none of ours; asking it now would make it load ip_vs. */
void syncd_foresee(struct syncd *y, const struct slice *next, enum vrrp_state then, FILE *f)
{
    struct syncd_wish w;
    struct syncd_walk now = { 0 };
    syncd_read(&w, next);
    enum syncd_want want = !w.configured       ? (y->mine ? SYNCD_WANT_NONE : SYNCD_WANT_LEAVE)
                           : w.inst[0] == '\0' ? SYNCD_WANT_BOTH
                                               : syncd_role(then);
    if (want == SYNCD_WANT_LEAVE || (syncd_wish_same(&w, &y->wish) && want == y->last))
        return;
    if (y->k.family != 0 && syncd_ask(y, syncd_msg_dump(y->k.family), NLM_F_DUMP, &now) < 0)
        fprintf(f, "IPVS sync daemon: what runs cannot be read: %s\n", strerror(errno));
    struct syncd_plan p = syncd_compare(&w, want, y->mine, now.have);
    for (int k = 0; k < SYNCD_KINDS; k++)
        if (p.stop[k])
            fprintf(f, "stop IPVS sync daemon %s on %s, sync id %u\n", syncd_names[k], now.have[k].p.ifname,
                    now.have[k].p.id);
    for (int k = 0; k < SYNCD_KINDS; k++)
        if (p.start[k])
            fprintf(f, "start IPVS sync daemon %s on %s, sync id %u\n", syncd_names[k], w.p.ifname, w.p.id);
}

void syncd_turn(struct syncd *y)
{
    y->given_up = y->given_up && !y->d->synced; /* a vrrpd that lives decides again */
    enum syncd_want want = syncd_want(y);
    bool moved = want != SYNCD_WANT_LEAVE && want != y->last;
    if (moved)
        y->last = want;
    if (moved || y->due)
        syncd_run(y, want);
}

void syncd_handover(struct syncd *y)
{
    y->given_up = true;
}

void syncd_stop(struct syncd *y)
{
    ev_timer_stop(y->d->ev, &y->timer);
    if (!y->mine || y->k.family == 0)
        return;
    if (syncd_carry_out(y, SYNCD_WANT_NONE) < 0)
        log_err("IPVS sync daemon: cannot be stopped: %s; ipvsadm --stop-daemon does it", strerror(errno));
    y->mine = false;
    y->wish.configured = false;
}

void syncd_dump(const struct syncd *y, int fd)
{
    char where[64];
    if (y->wish.configured)
        dprintf(fd, "  sync daemon: %s, %s, started %llu, stopped %llu\n",
                syncd_where(y, where, sizeof where), y->wish.inst[0] != '\0' ? y->wish.inst : "both always",
                (unsigned long long)y->started, (unsigned long long)y->stopped);
}
