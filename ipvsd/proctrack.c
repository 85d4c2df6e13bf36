/*
 * proctrack.c - see proctrack.h. Only processes that match are kept in a table; an event makes us look at one
 * process, a lost event at all. When /proc cannot be read every count is 0, with the reason in the log: a
 * guard that cannot see has failed.
 */
#include "ipvsd/proctrack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "ipvsd/ipvsd.h"
#include "ipvsd/proc_match.h"
#include "ipvsd/rcvbuf.h"

#define PROC_BUCKETS   256u
#define PROC_STAT_READ 512
#define PROC_CMD_READ  4096
#define PROC_POLL      (500 * NS_PER_MS) /* nobody tells us what happens */
#define PROC_AUDIT     (30 * NS_PER_SEC) /* the connector does */
#define PROC_SHARE     50u               /* reading /proc takes at most one part in so many of the time */
#define PROC_RCVBUF    (256 * 1024)
#define PROC_RCVMAX    (8 * 1024 * 1024)
#define PROC_EVENTS    256 /* read in one go */

struct proc_entry {
    uint32_t id;
    char *name;
    char **word;
    struct proc_want want;
    uint32_t count;
    bool forked; /* the last that came; also when nobody saw how it came: fork_delay is for what may bounce */
    bool told, told_forked;
    uint32_t told_count;
};

struct proc {
    struct proc *next;
    uint32_t pid;
    bool seen;      /* by the scan under way */
    uint64_t match; /* bit of each entry; the 64th and later share none: see proc_bits */
    uint64_t more[];
};

struct proctrack {
    struct ipvsd *d;
    struct proc_entry *v;
    size_t n, words; /* words: of 64 bits, for a bit an entry */
    struct proc *bucket[PROC_BUCKETS];
    int fd; /* the connector, -1: none */
    struct ev_io *io;
    int rcvbuf;
    bool heard; /* it has told something */
    bool ok;    /* /proc can be read */
    char why[160];
    struct ev_timer timer;
    uint64_t scans, events, lost;
};

struct proctrack *proctrack_new(struct ipvsd *d)
{
    struct proctrack *t = xcalloc(1, sizeof *t);
    t->d = d;
    t->fd = -1;
    t->ok = true;
    return t;
}

/* ---- the table */

static uint64_t *proc_bits(struct proc *p, size_t entry)
{
    return entry < 64 ? &p->match : &p->more[entry / 64 - 1];
}

static bool proc_has(struct proc *p, size_t entry)
{
    return (*proc_bits(p, entry) >> entry % 64 & 1) != 0;
}

static struct proc **proc_find(struct proctrack *t, uint32_t pid)
{
    struct proc **p = &t->bucket[pid % PROC_BUCKETS];
    while (*p != NULL && (*p)->pid != pid)
        p = &(*p)->next;
    return p;
}

static struct proc *proc_detach(struct proctrack *t, struct proc **at)
{
    struct proc *p = *at;
    for (size_t e = 0; e < t->n; e++)
        t->v[e].count -= proc_has(p, e);
    *at = p->next;
    return p;
}

static void proc_remove(struct proctrack *t, struct proc **at)
{
    free(proc_detach(t, at));
}

static void proc_clear(struct proctrack *t)
{
    for (size_t b = 0; b < PROC_BUCKETS; b++)
        while (t->bucket[b] != NULL)
            proc_remove(t, &t->bucket[b]);
}

/* ---- looking at a process */

static ssize_t proc_read(uint32_t pid, const char *what, char *buf, size_t size)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%u/%s", pid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, buf, size);
    close(fd);
    return n;
}

static bool proc_wants_cmdline(const struct proctrack *t)
{
    for (size_t e = 0; e < t->n; e++)
        if (t->v[e].want.how != PROC_NAME)
            return true;
    return false;
}

/* What it counts for now; NULL: nothing. */
static struct proc *proc_count(struct proctrack *t, uint32_t pid)
{
    char stat[PROC_STAT_READ], cmd[PROC_CMD_READ], comm[PROC_COMM_MAX + 1];
    bool alive = false, any = false;
    ssize_t n = proc_read(pid, "stat", stat, sizeof stat);
    if (n <= 0 || !proc_stat_parse(stat, (size_t)n, comm, &alive) || !alive)
        return NULL;
    ssize_t len = proc_wants_cmdline(t) ? proc_read(pid, "cmdline", cmd, sizeof cmd) : 0;
    struct proc *p = xcalloc(1, sizeof *p + t->words * sizeof(uint64_t));
    p->pid = pid;
    p->seen = true;
    for (size_t e = 0; e < t->n; e++) {
        const struct proc_want *w = &t->v[e].want;
        bool yes = w->how == PROC_NAME
                       ? proc_name_matches(w, comm)
                       : len > 0 && proc_cmdline_matches(w, cmd, (size_t)len, (size_t)len == sizeof cmd);
        if (!yes)
            continue;
        any = true;
        *proc_bits(p, e) |= UINT64_C(1) << e % 64;
        t->v[e].count++;
    }
    if (!any) {
        free(p);
        return NULL;
    }
    p->next = t->bucket[pid % PROC_BUCKETS];
    t->bucket[pid % PROC_BUCKETS] = p;
    return p;
}

/* Is it (still) one of those that count? news: why we look, NONE: a scan. What was forked may have done its
 * exec before we see it, and be counted when the news of that comes. */
static void proc_look(struct proctrack *t, uint32_t pid, enum proc_news news)
{
    struct proc **at = proc_find(t, pid);
    struct proc *was = *at != NULL ? proc_detach(t, at) : NULL, *p = proc_count(t, pid);
    for (size_t e = 0; p != NULL && e < t->n; e++)
        if (proc_has(p, e) && (news == PROC_NEWS_LOOK || was == NULL || !proc_has(was, e)))
            t->v[e].forked = news != PROC_NEWS_LOOK;
    free(was);
}

static void proc_blind(struct proctrack *t, const char *why)
{
    proc_clear(t);
    t->ok = false;
    if (strcmp(t->why, why) == 0)
        return;
    snprintf(t->why, sizeof t->why, "%s", why);
    log_err("processes cannot be counted: %s; every vrrp_track_process counts as not running", why);
}

static void proc_scan(struct proctrack *t)
{
    char one[PROC_STAT_READ];
    DIR *dir = opendir("/proc");
    t->scans++;
    if (dir == NULL) {
        proc_blind(t, strerror(errno));
        return;
    }
    if (proc_read(1, "stat", one, sizeof one) <= 0) {
        closedir(dir);
        proc_blind(t, "/proc hides the processes of others (mounted with hidepid?)");
        return;
    }
    for (size_t b = 0; b < PROC_BUCKETS; b++)
        for (struct proc *p = t->bucket[b]; p != NULL; p = p->next)
            p->seen = false;
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char *end;
        unsigned long pid = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? strtoul(e->d_name, &end, 10) : 0;
        if (pid > 0 && pid <= INT32_MAX && *end == '\0')
            proc_look(t, (uint32_t)pid, PROC_NEWS_NONE);
    }
    closedir(dir);
    for (size_t b = 0; b < PROC_BUCKETS; b++)
        for (struct proc **at = &t->bucket[b]; *at != NULL;)
            if ((*at)->seen)
                at = &(*at)->next;
            else
                proc_remove(t, at);
    if (!t->ok)
        log_notice("processes can be counted again");
    t->ok = true;
    t->why[0] = '\0';
}

/* ---- telling */

static void proc_tell(struct proctrack *t, struct chan *to, bool all)
{
    for (size_t e = 0; to != NULL && e < t->n; e++) {
        struct proc_entry *x = &t->v[e];
        struct msg_proc_count m = { .proc = x->id, .ok = t->ok, .count = x->count, .forked = x->forked };
        if (!all && x->told && x->told_count == x->count && x->told_forked == x->forked)
            continue;
        x->told = true;
        x->told_forked = x->forked;
        x->told_count = x->count;
        chan_send(to, MSG_proc_count, &m, NULL, 0);
    }
}

void proctrack_tell(struct proctrack *t, struct chan *vrrpd)
{
    proc_tell(t, vrrpd, true);
}

static void proc_news(struct proctrack *t)
{
    proc_tell(t, child_peer(t->d->child, ROLE_VRRPD), false);
}

/* ---- time */

static void proc_rescan(struct proctrack *t)
{
    uint64_t begin = clock_monotonic_ns();
    proc_scan(t);
    uint64_t took = clock_monotonic_ns() - begin, pause = t->heard ? PROC_AUDIT : PROC_POLL;
    ev_timer_in(t->d->ev, &t->timer, pause > PROC_SHARE * took ? pause : PROC_SHARE * took);
}

static void proc_on_timer(struct ev_timer *timer, uint64_t now, void *arg)
{
    struct proctrack *t = arg;
    (void)timer;
    (void)now;
    proc_rescan(t);
    proc_news(t);
}

/* ---- the connector */

static void proc_close(struct proctrack *t)
{
    if (t->io != NULL)
        ev_io_del(t->d->ev, t->io);
    t->io = NULL;
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    t->heard = false;
}

/* Events were lost: a larger buffer, and look at everything. */
static void proc_lost(struct proctrack *t)
{
    t->lost++;
    if (t->rcvbuf < PROC_RCVMAX) {
        t->rcvbuf *= 2;
        setsockopt(t->fd, SOL_SOCKET, SO_RCVBUFFORCE, &t->rcvbuf, sizeof t->rcvbuf);
    }
    proc_rescan(t);
}

static void proc_event(struct proctrack *t, const void *buf, size_t len)
{
    uint32_t pid = 0;
    enum proc_news news = proc_event_parse(buf, len, &pid);
    t->events++;
    t->heard = true;
    if (news == PROC_NEWS_FORK || news == PROC_NEWS_LOOK)
        proc_look(t, pid, news);
    else if (news == PROC_NEWS_GONE && *proc_find(t, pid) != NULL)
        proc_remove(t, proc_find(t, pid));
}

static void proc_on_events(struct ev_io *w, unsigned int got, void *arg)
{
    struct proctrack *t = arg;
    _Alignas(8) char buf[1024];
    (void)w;
    (void)got;
    for (int k = 0; k < PROC_EVENTS; k++) {
        struct sockaddr_nl from = { .nl_pid = UINT32_MAX };
        socklen_t size = sizeof from;
        ssize_t n = recvfrom(t->fd, buf, sizeof buf, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
        if (n < 0 && errno == ENOBUFS)
            proc_lost(t);
        if (n < 0)
            break;
        if (size == sizeof from && from.nl_pid == 0) /* the kernel's own */
            proc_event(t, buf, (size_t)n);
    }
    proc_news(t);
}

static int proc_subscribe(int fd)
{
    const enum proc_cn_mcast_op op = PROC_CN_MCAST_LISTEN;
    const struct cn_msg cn = { .id = { CN_IDX_PROC, CN_VAL_PROC }, .len = sizeof op };
    uint8_t m[NLMSG_HDRLEN + sizeof cn + sizeof op];
    const struct nlmsghdr h = { .nlmsg_len = sizeof m, .nlmsg_type = NLMSG_DONE };
    memset(m, 0, sizeof m);
    memcpy(m, &h, sizeof h);
    memcpy(m + NLMSG_HDRLEN, &cn, sizeof cn);
    memcpy(m + NLMSG_HDRLEN + sizeof cn, &op, sizeof op);
    return send(fd, m, sizeof m, 0) == (ssize_t)sizeof m ? 0 : -1;
}

static void proc_listen(struct proctrack *t)
{
    struct sockaddr_nl me = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
    if (t->fd >= 0)
        return;
    t->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_CONNECTOR);
    if (t->fd >= 0 && bind(t->fd, (struct sockaddr *)&me, sizeof me) == 0 && proc_subscribe(t->fd) == 0) {
        t->io = ev_io_add(t->d->ev, t->fd, EV_READ, proc_on_events, t);
        return;
    }
    log_info("no process events here (%s): /proc is read every %.1f s instead", strerror(errno),
             (double)PROC_POLL / (double)NS_PER_SEC);
    proc_close(t);
}

/* ---- configuration */

static void proc_forget(struct proctrack *t)
{
    proc_clear(t);
    for (size_t e = 0; e < t->n; e++) {
        for (size_t w = 0; w < t->v[e].want.nwords; w++)
            free(t->v[e].word[w]);
        free(t->v[e].word);
        free(t->v[e].name);
    }
    free(t->v);
    t->v = NULL;
    t->n = t->words = 0;
}

static enum proc_how proc_how_of(const struct slice_obj *o, size_t nwords)
{
    if (slice_has(o, KW_PROC_PARAM_MATCH)) {
        uint64_t how = slice_uint(o, KW_PROC_PARAM_MATCH, PROC_EXACT);
        return how == PROC_INITIAL || how == PROC_PARTIAL ? (enum proc_how)how : PROC_EXACT;
    }
    if (nwords > 1)
        return PROC_EXACT;
    return slice_bool(o, KW_PROC_FULL_COMMAND, false) ? PROC_PARTIAL : PROC_NAME;
}

/* Words that lie behind each other in one field, each ended by NUL. */
static void proc_words(struct proc_entry *x, const struct slice_obj *o)
{
    size_t len = 0;
    const char *raw = slice_raw(o, KW_PROC_PROCESS, 0, &len);
    for (size_t at = 0; raw != NULL && at < len; at += strlen(x->word[x->want.nwords++]) + 1) {
        x->word = xrealloc(x->word, (x->want.nwords + 1) * sizeof *x->word);
        x->word[x->want.nwords] = xcalloc(len - at + 1, 1);
        memcpy(x->word[x->want.nwords], raw + at, strnlen(raw + at, len - at));
    }
    x->want.word = (const char *const *)x->word;
}

void proctrack_configure(struct proctrack *t, const struct slice *s)
{
    if (t->n == 0)
        ev_timer_init(&t->timer, proc_on_timer, t);
    proc_forget(t);
    for (const struct slice_obj *o = slice_next(s, NULL, BLK_PROC, SLICE_ANY_PARENT); o != NULL;
         o = slice_next(s, o, BLK_PROC, SLICE_ANY_PARENT)) {
        t->v = xrealloc(t->v, (t->n + 1) * sizeof *t->v);
        struct proc_entry *x = &t->v[t->n++];
        *x = (struct proc_entry){ .id = o->id, .name = xstrdup(o->name) };
        proc_words(x, o);
        x->want.how = proc_how_of(o, x->want.nwords);
    }
    t->words = t->n / 64;
    if (t->n == 0) {
        proc_close(t);
        ev_timer_stop(t->d->ev, &t->timer);
        return;
    }
    proc_listen(t); /* first: nothing happens between the scan and the events */
    t->rcvbuf = rcvbuf_fit(s, RCVBUF_PROCESS, t->fd, t->rcvbuf > PROC_RCVBUF ? t->rcvbuf : PROC_RCVBUF);
    proc_rescan(t);
}

void proctrack_dump(const struct proctrack *t, int fd)
{
    if (t->n == 0)
        return;
    dprintf(fd, "  processes: %llu scans, %llu events, %llu times events were lost%s%s\n",
            (unsigned long long)t->scans, (unsigned long long)t->events, (unsigned long long)t->lost,
            t->ok ? "" : ", blind: ", t->why);
    for (size_t e = 0; e < t->n; e++)
        dprintf(fd, "  process %s: %u\n", t->v[e].name, t->v[e].count);
}
