/* nft_ipvs.c - see nft_ipvs.h. */
#include "ipvsd/nft_ipvs.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/err.h"
#include "ipvsd/ipvsd.h"
#include "ipvsd/nft_batch.h"
#include "ipvsd/nft_link.h"

#define NFT_RETRY NS_PER_SEC
#define NFT_KEY   0x4e465400u /* snapshots: "NFT" and 0 state, 1... one mark each */
#define NFT_KEYS  4096u

struct nft_ipvs {
    struct ipvsd *d;
    struct nft_link link;
    struct nft_marks *now, *next;
    char table[64];  /* of what is in the kernel; "": nothing of ours */
    uint64_t digest; /* of it */
    bool failed;     /* said once */
    struct ev_timer retry;
    uint64_t changes, repairs;
};

struct nft_state {
    uint64_t digest;
    uint32_t n, start;
    char table[64];
};

/* ---- the kernel
 * ------------------------------------------------------------------------------------------------------ */

static void nft_on_news(struct ev_io *w, unsigned int got, void *arg);

static int nft_socket(const struct nft_ipvs *n, enum other_ns_use use)
{
    int fd, size = NFT_MSGS_SNDBUF;
    if (other_ns_take(&n->d->other, use, &fd) < 0)
        return -1;
    if (fd < 0)
        return nft_msgs_socket();
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    return fd;
}

static int nft_open(struct nft_ipvs *n)
{
    if (n->link.open)
        return 0;
    int cmd = nft_socket(n, OTHER_NS_NFT), mon = cmd >= 0 ? nft_socket(n, OTHER_NS_NFT_NEWS) : -1;
    return nft_link_open(&n->link, cmd, mon, nft_on_news, n);
}

static bool nft_is_there(struct nft_ipvs *n, const struct nft_marks *m)
{
    static const struct {
        uint8_t family;
        uint16_t nf;
    } families[] = { { 4, NFPROTO_IPV4 }, { 6, NFPROTO_IPV6 } };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct nft_msgs b;
        bool wanted = false;
        for (size_t k = 0; k < m->nranges && !wanted; k++)
            wanted = m->ranges[k].first.family == families[i].family;
        if (!wanted)
            continue;
        nft_msgs_ask(&b, n->link.cmd.seq, families[i].nf, m->table);
        if (nft_link_send(&n->link, &b) < 0)
            return false;
    }
    return true;
}

/* ---- what a successor must know
 * --------------------------------------------------------------------------------------- */

static void nft_remember(struct nft_ipvs *n)
{
    struct nft_state s = { .digest = n->digest, .n = (uint32_t)n->now->n, .start = n->now->start };
    memcpy(s.table, n->table, sizeof s.table);
    for (size_t i = 0; i < n->now->n && i < NFT_KEYS; i++) {
        uint8_t buf[512];
        size_t len = strlen(n->now->v[i].name);
        if (sizeof(uint32_t) + len > sizeof buf)
            continue; /* its connections may be cut by a crash and a reload in one: a name of 500 letters */
        memcpy(buf, &n->now->v[i].mark, sizeof(uint32_t));
        memcpy(buf + sizeof(uint32_t), n->now->v[i].name, len);
        child_snapshot(n->d->child, (uint32_t)(NFT_KEY + 1 + i), buf, sizeof(uint32_t) + len);
    }
    child_snapshot(n->d->child, NFT_KEY, &s, sizeof s);
}

static void nft_recall_mark(struct nft_marks *m, const struct child_snapshot *s)
{
    uint32_t mark;
    if (s->len <= sizeof mark)
        return;
    memcpy(&mark, s->data, sizeof mark);
    char *name = xmalloc(s->len - sizeof mark + 1);
    memcpy(name, s->data + sizeof mark, s->len - sizeof mark);
    name[s->len - sizeof mark] = '\0';
    m->v[m->n++] = (struct nft_mark){ .name = name, .mark = mark };
}

/* Our predecessor's marks, as far as the state says that they are of the last configuration. */
static struct nft_marks *nft_recall(struct nft_ipvs *n)
{
    struct child_snapshot s;
    struct nft_state st = { 0 };
    size_t cursor = 0;
    while (child_snapshot_next(n->d->child, &cursor, &s))
        if (s.key == NFT_KEY && s.len == sizeof st)
            memcpy(&st, s.data, sizeof st);
    st.table[sizeof st.table - 1] = '\0';
    if (st.n > NFT_KEYS)
        st.n = NFT_KEYS;
    memcpy(n->table, st.table, sizeof n->table);
    n->digest = st.digest;
    struct child_snapshot *newest = xcalloc(st.n + 1u, sizeof *newest);
    cursor = 0;
    while (child_snapshot_next(n->d->child, &cursor, &s))
        if (s.key > NFT_KEY && s.key <= NFT_KEY + st.n)
            newest[s.key - NFT_KEY - 1] = s;
    struct nft_marks *m = xcalloc(1, sizeof *m);
    m->start = st.start;
    m->v = xcalloc(st.n + 1u, sizeof *m->v);
    for (uint32_t i = 0; i < st.n; i++)
        nft_recall_mark(m, &newest[i]);
    free(newest);
    return m;
}

/* ---- doing it
 * ---------------------------------------------------------------------------------------------------------
 */

static void nft_fail(struct nft_ipvs *n)
{
    if (!n->failed)
        log_err("nftables_ipvs: table %s cannot be brought into its state: %s; the groups it maps are not "
                "served; "
                "tried again every second; the kernel needs nf_tables with ranges of concatenated keys "
                "(Linux 5.6)",
                n->now->on ? n->now->table : n->table, strerror(errno));
    n->failed = true;
    ev_timer_in(n->d->ev, &n->retry, NFT_RETRY);
}

static void nft_apply(struct nft_ipvs *n, bool force)
{
    const struct nft_marks *m = n->now;
    bool wanted = m->on && m->nranges > 0;
    uint64_t digest = nft_marks_digest(m);
    if (!wanted && n->table[0] == '\0')
        return;
    if (nft_open(n) < 0) {
        nft_fail(n);
        return;
    }
    bool same = wanted && digest == n->digest && strcmp(n->table, m->table) == 0;
    if (same && !force && nft_is_there(n, m))
        return;
    struct nft_msgs b;
    nft_batch_build(&b, n->link.cmd.seq, n->table[0] != '\0' ? n->table : NULL, wanted ? m : NULL);
    if (nft_link_send(&n->link, &b) < 0) {
        nft_fail(n);
        return;
    }
    n->failed = false;
    n->changes++;
    memset(n->table, 0, sizeof n->table);
    if (wanted)
        memcpy(n->table, m->table, sizeof n->table);
    n->digest = wanted ? digest : 0;
    nft_remember(n);
    if (wanted)
        log_info("nftables_ipvs: table %s maps %zu ranges of %zu groups to marks from %u on", m->table,
                 m->nranges, m->n, m->start);
}

static void nft_on_retry(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    nft_apply(arg, true);
}

/* A burst of news of one foreign change makes one repair, and no more than one a second. */
static void nft_on_news(struct ev_io *w, unsigned int got, void *arg)
{
    struct nft_ipvs *n = arg;
    (void)w;
    (void)got;
    struct nft_link_news news = nft_link_read(&n->link, n->table);
    if (!(news.hurt || news.lost) || n->table[0] == '\0' || ev_timer_armed(&n->retry))
        return;
    n->repairs++;
    log_notice("nftables_ipvs: somebody else took something out of table %s: put back", n->table);
    ev_timer_in(n->d->ev, &n->retry, NFT_RETRY);
}

/* ---- called by main.c
 * -------------------------------------------------------------------------------------------------- */

struct nft_ipvs *nft_ipvs_new(struct ipvsd *d)
{
    struct nft_ipvs *n = xcalloc(1, sizeof *n);
    n->d = d;
    n->link = (struct nft_link){ .ev = d->ev, .cmd.fd = -1, .mon.fd = -1 };
    ev_timer_init(&n->retry, nft_on_retry, n);
    n->now = nft_recall(n);
    return n;
}

const struct nft_marks *nft_ipvs_prepare(struct nft_ipvs *n, const struct slice *next)
{
    nft_marks_free(n->next);
    n->next = nft_marks_build(next, n->now);
    return n->next;
}

bool nft_ipvs_foresee(const struct nft_ipvs *n, const char **table, const struct nft_marks **now,
                      const struct nft_marks **next)
{
    *table = n->table;
    *now = n->now;
    *next = n->next;
    return n->next != NULL;
}

void nft_ipvs_abort(struct nft_ipvs *n)
{
    nft_marks_free(n->next);
    n->next = NULL;
}

void nft_ipvs_commit(struct nft_ipvs *n)
{
    if (n->next == NULL)
        return;
    nft_marks_free(n->now);
    n->now = n->next;
    n->next = NULL;
    n->failed = false;
    ev_timer_stop(n->d->ev, &n->retry);
    if (n->now->dropped > 0)
        log_warn("nftables_ipvs: %zu lines of groups overlap lines before them and get no mark: an address "
                 "and port can "
                 "belong to one group only",
                 n->now->dropped);
    if (n->now->left > 0)
        log_warn("nftables_ipvs: no mark is left for %zu groups: choose a lower nftables_ipvs_start_fwmark",
                 n->now->left);
    nft_apply(n, false);
}

void nft_ipvs_stop(struct nft_ipvs *n)
{
    struct nft_msgs b;
    ev_timer_stop(n->d->ev, &n->retry);
    if (n->table[0] == '\0' || nft_open(n) < 0)
        return;
    nft_batch_build(&b, n->link.cmd.seq, n->table, NULL);
    if (nft_link_send(&n->link, &b) < 0)
        log_err("nftables_ipvs: table %s cannot be removed: %s; nft delete table does it", n->table,
                strerror(errno));
    n->table[0] = '\0';
}

void nft_ipvs_dump(const struct nft_ipvs *n, int fd)
{
    if (!n->now->on)
        return;
    dprintf(fd, "  nftables_ipvs: table %s, %zu ranges, changes %llu, repairs %llu\n", n->now->table,
            n->now->nranges, (unsigned long long)n->changes, (unsigned long long)n->repairs);
    for (size_t i = 0; i < n->now->n; i++)
        dprintf(fd, "    %s: mark %u\n", n->now->v[i].name, n->now->v[i].mark);
}
