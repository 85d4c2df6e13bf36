/* nft_accept.c - see nft_accept.h. */
#include "ipvsd/nft_accept.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "ipvsd/addr_plan.h"
#include "ipvsd/model.h"
#include "ipvsd/nft_accept_batch.h"
#include "ipvsd/nft_link.h"

#define ACCEPT_RETRY        NS_PER_SEC
#define ACCEPT_REPAIR_PAUSE (100 * NS_PER_MS)
#define ACCEPT_SAY_EVERY    NS_PER_SEC
#define ACCEPT_KEY          0x4e464100u /* snapshot: "NFA", the name of the tables that are ours */

struct nft_accept {
    struct ipvsd *d;
    struct nft_link link;
    struct nft_accept_shape want;
    struct nft_accept_elems elems;
    char table[64]; /* of what is in the kernel; "": nothing of ours */
    bool standing;  /* the kernel holds want, and of elems what is marked */
    bool dirty;     /* somebody needs an element that did not, or no longer does */
    bool leaving;   /* some element is no longer configured */
    bool swept;     /* tables of a former life have been looked for: a reload asks nothing */
    int error;      /* why it does not stand; told to vrrpd */
    struct ev_timer retry;
    uint64_t repaired_at;
    struct log_limit said;
    uint64_t changes, builds, repairs;
};

/* ---- the kernel
 * ------------------------------------------------------------------------------------------------------ */

static void accept_on_news(struct ev_io *w, unsigned int got, void *arg);

static int accept_open(struct nft_accept *n)
{
    if (n->link.open)
        return 0;
    int cmd = nft_msgs_socket(), mon = cmd >= 0 ? nft_msgs_socket() : -1;
    return nft_link_open(&n->link, cmd, mon, accept_on_news, n);
}

static void accept_say(struct nft_accept *n, int error)
{
    if (n->error == error)
        return;
    n->error = error;
    nft_accept_tell(n, child_peer(n->d->child, ROLE_VRRPD));
    for (size_t k = 0; error == 0 && n->d->model != NULL && k < n->d->model->ninsts; k++)
        model_touch(n->d, &n->d->model->insts[k]); /* what was held back */
}

static void accept_failed(struct nft_accept *n, int error)
{
    bool guards = nft_accept_shape_any(&n->want);
    uint64_t suppressed = 0;
    n->standing = false;
    ev_timer_in(n->d->ev, &n->retry, ACCEPT_RETRY);
    if (log_allow(&n->said, ev_now(n->d->ev), 30 * ACCEPT_SAY_EVERY, &suppressed) && guards)
        log_err("no_accept: the tables %s cannot be put into the kernel: %s; instances that do not accept "
                "wait in FAULT, trying again every second; the kernel needs nf_tables (modprobe nf_tables), "
                "and no other program may hold tables of this name",
                n->want.table, strerror(error));
    else if (!guards)
        log_err("no_accept: the tables %s cannot be removed: %s; trying again every second", n->table,
                strerror(error));
    if (guards)
        accept_say(n, error != 0 ? error : EIO);
}

static void accept_mark(struct nft_accept *n)
{
    for (size_t i = 0; i < n->elems.n; i++) {
        struct nft_accept_elem *e = &n->elems.v[i];
        e->in = e->refs > 0 && nft_accept_elem_possible(&n->want, e);
        e->in_index = e->ifindex;
    }
}

/* Everything in one transaction: at no moment is there less than before and after. */
static void accept_rebuild(struct nft_accept *n)
{
    struct nft_msgs b;
    bool guards = nft_accept_shape_any(&n->want);
    if (accept_open(n) < 0) {
        accept_failed(n, errno);
        return;
    }
    nft_accept_build(&b, n->link.cmd.seq, n->table[0] != '\0' ? n->table : NULL, &n->want, &n->elems);
    if (nft_link_send(&n->link, &b) < 0) {
        accept_failed(n, errno);
        return;
    }
    ev_timer_stop(n->d->ev, &n->retry);
    n->builds++;
    n->standing = true;
    memset(n->table, 0, sizeof n->table);
    if (guards)
        memcpy(n->table, n->want.table, sizeof n->table);
    child_snapshot(n->d->child, ACCEPT_KEY, n->table, sizeof n->table);
    accept_mark(n);
    if (n->error != 0)
        log_notice("no_accept: the tables %s stand now", n->want.table);
    accept_say(n, 0);
    if (!guards) /* who has no tables hears no news of those of others */
        nft_link_close(&n->link);
}

static void accept_on_retry(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    accept_rebuild(arg);
}

/* ---- repairs
 * ----------------------------------------------------------------------------------------------------------
 */

static void accept_hurt(struct nft_accept *n, bool lost, uint32_t who)
{
    uint64_t now = ev_now(n->d->ev), suppressed = 0;
    char culprit[64];
    n->repairs++;
    if (log_allow(&n->said, now, ACCEPT_SAY_EVERY, &suppressed)) {
        repair_culprit(who, culprit, sizeof culprit);
        if (lost)
            log_notice("no_accept: news of nftables were lost (buffer full): the tables %s are put in anew",
                       n->table);
        else
            log_warn("no_accept: %s took something out of the tables %s (%llu times more since the last "
                     "message): put back; whoever does this should leave them to holdfast",
                     culprit, n->table, (unsigned long long)suppressed);
    }
    if (ev_timer_armed(&n->retry))
        return;
    if (now - n->repaired_at < ACCEPT_REPAIR_PAUSE) { /* somebody works against us */
        ev_timer_at(n->d->ev, &n->retry, n->repaired_at + ACCEPT_REPAIR_PAUSE);
        return;
    }
    n->repaired_at = now;
    accept_rebuild(n);
}

static void accept_on_news(struct ev_io *w, unsigned int got, void *arg)
{
    struct nft_accept *n = arg;
    (void)w;
    (void)got;
    struct nft_link_news news = nft_link_read(&n->link, n->table);
    if ((news.hurt || news.lost) && n->table[0] != '\0')
        accept_hurt(n, !news.hurt, news.who);
}

/* ---- what is needed
 * -------------------------------------------------------------------------------------------------- */

static bool accept_guards(const struct inst *i)
{
    return i->obj != NULL && !slice_bool(i->obj, KW_VI_ACCEPT, true);
}

static bool accept_needed(const struct nft_accept *n, const struct vip *v)
{
    struct nft_accept_case c = { .known = v->inst->known || n->d->synced,
                                 .master = model_wanted(v),
                                 .leaving = v->op == ADDR_OP_DEL || v->op == ADDR_OP_REPLACE };
    if (v->iface->ifindex != 0)
        c.present = kaddr_find(&n->d->links.addrs, v->iface->ifindex, &v->spec.addr) != NULL;
    return nft_accept_needed(&c);
}

void nft_accept_raise(struct nft_accept *n, struct inst *i)
{
    for (size_t k = 0; k < i->nvips; k++) {
        struct vip *v = &i->vips[k];
        if (v->guard == NULL)
            continue;
        n->dirty = n->dirty || v->guard->ifindex != v->iface->ifindex;
        v->guard->ifindex = v->iface->ifindex;
        if (v->guarded || !accept_needed(n, v))
            continue;
        v->guarded = n->dirty = true;
        v->guard->refs++;
    }
}

void nft_accept_lower(struct nft_accept *n, struct inst *i)
{
    for (size_t k = 0; k < i->nvips; k++) {
        struct vip *v = &i->vips[k];
        if (v->guard == NULL || !v->guarded || accept_needed(n, v))
            continue;
        v->guarded = false;
        n->dirty = true;
        v->guard->refs--;
    }
}

static void accept_mark_changed(struct nft_accept *n, bool up)
{
    for (size_t i = 0; i < n->elems.n; i++) {
        struct nft_accept_elem *e = &n->elems.v[i];
        bool goes = nft_accept_elem_goes(&n->want, e) && (e->refs > 0) == up;
        bool comes = up && nft_accept_elem_comes(&n->want, e);
        if (goes || comes)
            e->in = comes;
        if (comes)
            e->in_index = e->ifindex;
    }
}

/* What a reload took out of the configuration has left the kernel: so may a table that is empty for good. */
static void accept_left(struct nft_accept *n)
{
    struct nft_accept_shape now = n->want;
    n->leaving = false;
    nft_accept_elems_families(&n->elems, false, now.family);
    if (nft_accept_shape_same(&now, &n->want))
        return;
    n->want = now;
    accept_rebuild(n);
}

void nft_accept_flush(struct nft_accept *n, bool up)
{
    struct nft_msgs b;
    if (!n->standing || (!n->dirty && (up || !n->leaving)))
        return;
    if (nft_accept_change(&b, n->link.cmd.seq, &n->want, &n->elems, up) == 0) {
        nft_msgs_free(&b);
    } else if (nft_link_send(&n->link, &b) == 0) {
        accept_mark_changed(n, up);
        n->changes++;
    } else {
        accept_rebuild(n); /* somebody has been there: his news are on their way */
    }
    if (!up)
        n->dirty = false;
    if (!up && n->leaving)
        accept_left(n);
}

bool nft_accept_holds(const struct nft_accept *n, const struct vip *v)
{
    return v->guard == NULL || (n->standing && v->guard->in);
}

/* ---- called by main.c
 * -------------------------------------------------------------------------------------------------- */

struct nft_accept *nft_accept_new(struct ipvsd *d)
{
    struct nft_accept *n = xcalloc(1, sizeof *n);
    struct child_snapshot s;
    size_t cursor = 0;
    n->d = d;
    n->link = (struct nft_link){ .ev = d->ev, .cmd.fd = -1, .mon.fd = -1 };
    ev_timer_init(&n->retry, accept_on_retry, n);
    while (child_snapshot_next(d->child, &cursor, &s))
        if (s.key == ACCEPT_KEY && s.len == sizeof n->table)
            memcpy(n->table, s.data, sizeof n->table);
    n->table[sizeof n->table - 1] = '\0';
    return n;
}

static void accept_on_table(void *buf, size_t len, void *arg)
{
    bool *ours = arg;
    *ours = *ours || nft_msgs_ours(buf, len);
}

/* The first configuration guards nothing, and no predecessor has told us of tables: what a power cut, or a
 * stop that keeps the addresses, left behind would silence addresses that are to answer. */
static void accept_sweep(struct nft_accept *n)
{
    static const uint16_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6 };
    bool ours = false;
    if (accept_open(n) < 0)
        return; /* no nftables, no tables */
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct nft_msgs b;
        nft_msgs_ask(&b, n->link.cmd.seq, families[i], n->want.table);
        n->link.cmd.seq = b.seq;
        nft_msgs_converse(n->link.cmd.fd, &b, accept_on_table, &ours);
        nft_msgs_free(&b);
    }
    if (!ours) {
        nft_link_close(&n->link);
        return;
    }
    log_notice("no_accept: the tables %s of a former life of holdfast are removed", n->want.table);
    memcpy(n->table, n->want.table, sizeof n->table);
}

static void accept_name(struct nft_accept_elems *e, const struct inst *i)
{
    for (size_t k = 0; accept_guards(i) && k < i->nvips; k++)
        if (i->vips[k].iface != NULL)
            nft_accept_elems_add(e, &i->vips[k].spec.addr, i->vips[k].iface->name);
}

static void accept_bind(const struct nft_accept_elems *e, struct inst *i)
{
    for (size_t k = 0; k < i->nvips; k++) {
        struct vip *v = &i->vips[k];
        v->guarded = false;
        v->guard = accept_guards(i) && v->iface != NULL
                       ? nft_accept_elems_find(e, &v->spec.addr, v->iface->name)
                       : NULL;
    }
}

void nft_accept_configure(struct nft_accept *n, const struct slice *now)
{
    struct model *m = n->d->model;
    struct nft_accept_elems next = { 0 };
    struct nft_accept_shape was = n->want;
    bool named[2];
    for (size_t k = 0; k < m->ninsts; k++)
        accept_name(&next, &m->insts[k]);
    nft_accept_elems_seal(&next, &n->elems);
    nft_accept_elems_free(&n->elems);
    n->elems = next;
    nft_accept_shape_read(&n->want, now);
    nft_accept_elems_families(&next, true, n->want.family);
    nft_accept_elems_families(&next, false, named);
    n->leaving = named[0] != n->want.family[0] || named[1] != n->want.family[1];
    for (size_t i = 0; i < next.n && !n->leaving; i++)
        n->leaving = !next.v[i].named;
    for (size_t k = 0; k < m->ninsts; k++)
        accept_bind(&n->elems, &m->insts[k]);
    for (size_t k = 0; k < m->ninsts; k++)
        nft_accept_raise(n, &m->insts[k]);
    if (!n->swept && !nft_accept_shape_any(&n->want) && n->table[0] == '\0' && n->builds == 0 &&
        !child_restarted(n->d->child))
        accept_sweep(n);
    n->swept = true;
    bool any = nft_accept_shape_any(&n->want) || n->table[0] != '\0';
    if (any && (!n->standing || !nft_accept_shape_same(&was, &n->want)))
        accept_rebuild(n);
    n->dirty = true; /* who needs none any more says so when its addresses have been looked at */
}

void nft_accept_tell(struct nft_accept *n, struct chan *ch)
{
    struct msg_guard m = { .error = (uint32_t)n->error };
    if (ch != NULL)
        chan_send(ch, MSG_guard, &m, NULL, 0);
}

const struct nft_accept_elems *nft_accept_standing(const struct nft_accept *n, struct nft_accept_shape *out)
{
    *out = n->want;
    if (!n->standing || n->table[0] == '\0')
        out->family[0] = out->family[1] = false;
    return &n->elems;
}

void nft_accept_stop(struct nft_accept *n)
{
    struct nft_msgs b;
    const struct nft_accept_shape none = { .priority = 0 };
    ev_timer_stop(n->d->ev, &n->retry);
    n->standing = false;
    if (n->table[0] == '\0' || accept_open(n) < 0)
        return;
    nft_accept_build(&b, n->link.cmd.seq, n->table, &none, &n->elems);
    if (nft_link_send(&n->link, &b) < 0)
        log_err("no_accept: the tables %s cannot be removed: %s; nft delete table does it", n->table,
                strerror(errno));
    n->table[0] = '\0';
}

void nft_accept_dump(const struct nft_accept *n, int fd)
{
    size_t in = 0;
    for (size_t i = 0; i < n->elems.n; i++)
        in += n->elems.v[i].in;
    if (n->elems.n > 0)
        dprintf(fd,
                "  no_accept: tables %s, %s, %zu of %zu addresses dropped, built %llu, changed %llu, "
                "repaired %llu\n",
                n->want.table, n->standing ? "standing" : strerror(n->error), in, n->elems.n,
                (unsigned long long)n->builds, (unsigned long long)n->changes,
                (unsigned long long)n->repairs);
}
