/*
 * ev.c - the event loop; see ev.h. One turn: wait, descriptors, due timers, hooks, bury deleted watchers.
 * Descriptors come before timers on purpose: an advert already in the queue beats the master-down timer it
 * disarms.
 */
#include "common/ev.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/err.h"

#define EV_BATCH     64
#define EV_HOOKS_MAX 8
#define EV_SIGNO_MAX 65

struct ev_io {
    int fd;
    unsigned int want;
    ev_io_fn *fn; /* NULL: deleted, buried at the end of the turn */
    void *arg;
    struct ev_io *next; /* graveyard */
};

struct ev_hook {
    ev_hook_fn *fn;
    void *arg;
};

struct ev_signal {
    ev_signal_fn *fn;
    void *arg;
};

struct ev {
    int epfd;
    const struct clock *clk;
    uint64_t now;
    struct ev_timer **heap; /* heap[0..n) */
    size_t n, cap;
    struct ev_io *graveyard;
    struct ev_hook hooks[EV_HOOKS_MAX];
    size_t nhooks;
    int sigfd;
    struct ev_io *sigio;
    sigset_t sigs;
    struct ev_signal signals[EV_SIGNO_MAX];
    struct ev_hook brace;
    uint64_t lead, awake_until;
    bool no_pwait2; /* kernel before 5.11: millisecond waits */
    bool stop;
    int code;
};

/* On one processor somebody who stays awake keeps the others from their work. Asked each time: cpu_affinity
 * may change. */
static bool ev_alone(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) < 0 || CPU_COUNT(&set) < 2;
}

struct ev *ev_new(const struct clock *clk)
{
    struct ev *ev = xcalloc(1, sizeof *ev);
    ev->clk = clk != NULL ? clk : clock_system();
    ev->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (ev->epfd < 0)
        fatal("epoll_create1: %s", strerror(errno));
    ev->sigfd = -1;
    sigemptyset(&ev->sigs);
    ev_now_refresh(ev);
    return ev;
}

static void ev_bury(struct ev *ev)
{
    while (ev->graveyard != NULL) {
        struct ev_io *w = ev->graveyard;
        ev->graveyard = w->next;
        free(w);
    }
}

void ev_free(struct ev *ev)
{
    if (ev == NULL)
        return;
    if (ev->sigio != NULL)
        ev_io_del(ev, ev->sigio);
    if (ev->sigfd >= 0)
        close(ev->sigfd);
    ev_bury(ev);
    close(ev->epfd);
    free(ev->heap);
    free(ev);
}

uint64_t ev_now(struct ev *ev)
{
    return ev->now;
}

void ev_now_refresh(struct ev *ev)
{
    ev->now = ev->clk->now(ev->clk->arg);
}

const struct clock *ev_clock(struct ev *ev)
{
    return ev->clk;
}

/* ---- descriptors
 * ---------------------------------------------------------------------------------------------- */

static uint32_t ev_io_mask(unsigned int want)
{
    return ((want & EV_READ) ? (uint32_t)EPOLLIN : 0) | ((want & EV_WRITE) ? (uint32_t)EPOLLOUT : 0);
}

struct ev_io *ev_io_add(struct ev *ev, int fd, unsigned int want, ev_io_fn *fn, void *arg)
{
    struct ev_io *w = xcalloc(1, sizeof *w);
    w->fd = fd;
    w->want = want;
    w->fn = fn;
    w->arg = arg;
    struct epoll_event e = { .events = ev_io_mask(want), .data.ptr = w };
    if (epoll_ctl(ev->epfd, EPOLL_CTL_ADD, fd, &e) < 0)
        fatal("epoll_ctl add fd %d: %s", fd, strerror(errno));
    return w;
}

void ev_io_want(struct ev *ev, struct ev_io *w, unsigned int want)
{
    if (w->want == want)
        return;
    w->want = want;
    struct epoll_event e = { .events = ev_io_mask(want), .data.ptr = w };
    if (epoll_ctl(ev->epfd, EPOLL_CTL_MOD, w->fd, &e) < 0)
        fatal("epoll_ctl mod fd %d: %s", w->fd, strerror(errno));
}

void ev_io_del(struct ev *ev, struct ev_io *w)
{
    /* The fd may already be closed by a careless owner: then the kernel has forgotten it too. */
    epoll_ctl(ev->epfd, EPOLL_CTL_DEL, w->fd, NULL);
    w->fn = NULL;
    w->next = ev->graveyard;
    ev->graveyard = w;
}

void ev_io_close(struct ev *ev, struct ev_io *w)
{
    close(w->fd);
    w->fn = NULL;
    w->next = ev->graveyard;
    ev->graveyard = w;
}

int ev_io_fd(const struct ev_io *w)
{
    return w->fd;
}

/* ---- timers: a binary heap that knows where each timer sits
 * ------------------------------------------------------ */

static void ev_heap_place(struct ev *ev, size_t i, struct ev_timer *t)
{
    ev->heap[i] = t;
    t->slot = (uint32_t)(i + 1);
}

static void ev_heap_up(struct ev *ev, size_t i)
{
    struct ev_timer *t = ev->heap[i];
    while (i > 0 && ev->heap[(i - 1) / 2]->deadline > t->deadline) {
        ev_heap_place(ev, i, ev->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    ev_heap_place(ev, i, t);
}

static void ev_heap_down(struct ev *ev, size_t i)
{
    struct ev_timer *t = ev->heap[i];
    for (;;) {
        size_t kid = 2 * i + 1;
        if (kid >= ev->n)
            break;
        if (kid + 1 < ev->n && ev->heap[kid + 1]->deadline < ev->heap[kid]->deadline)
            kid++;
        if (ev->heap[kid]->deadline >= t->deadline)
            break;
        ev_heap_place(ev, i, ev->heap[kid]);
        i = kid;
    }
    ev_heap_place(ev, i, t);
}

void ev_timer_init(struct ev_timer *t, ev_timer_fn *fn, void *arg)
{
    memset(t, 0, sizeof *t);
    t->fn = fn;
    t->arg = arg;
}

void ev_timer_at(struct ev *ev, struct ev_timer *t, uint64_t deadline_ns)
{
    if (t->fn == NULL)
        fatal("timer armed before ev_timer_init");
    t->deadline = deadline_ns;
    if (t->slot == 0) {
        if (ev->n == ev->cap) {
            ev->cap = ev->cap > 0 ? 2 * ev->cap : 64;
            ev->heap = xrealloc(ev->heap, ev->cap * sizeof *ev->heap);
        }
        ev->n++;
        ev_heap_place(ev, ev->n - 1, t);
    }
    ev_heap_up(ev, t->slot - 1);
    ev_heap_down(ev, t->slot - 1);
}

void ev_timer_in(struct ev *ev, struct ev_timer *t, uint64_t delay_ns)
{
    ev_timer_at(ev, t, delay_ns < TIME_NEVER - ev->now ? ev->now + delay_ns : TIME_NEVER);
}

void ev_timer_stop(struct ev *ev, struct ev_timer *t)
{
    if (t->slot == 0)
        return;
    size_t i = t->slot - 1;
    t->slot = 0;
    ev->n--;
    if (i == ev->n)
        return;
    ev_heap_place(ev, i, ev->heap[ev->n]);
    ev_heap_up(ev, i);
    ev_heap_down(ev, ev->heap[i]->slot - 1);
}

bool ev_timer_armed(const struct ev_timer *t)
{
    return t->slot != 0;
}

uint64_t ev_next_deadline(struct ev *ev)
{
    return ev->n > 0 ? ev->heap[0]->deadline : TIME_NEVER;
}

void ev_timers_run(struct ev *ev, uint64_t now)
{
    /* Bounded: a timer that re-arms itself in the past must not starve the descriptors. */
    size_t budget = ev->n + EV_BATCH;
    while (ev->n > 0 && ev->heap[0]->deadline <= now && budget-- > 0) {
        struct ev_timer *t = ev->heap[0];
        ev_timer_stop(ev, t);
        t->fn(t, now, t->arg);
    }
}

/* ---- signals
 * ------------------------------------------------------------------------------------------------------ */

static void ev_signals_read(struct ev_io *w, unsigned int got, void *arg)
{
    (void)got;
    struct ev *ev = arg;
    struct signalfd_siginfo si;
    while (read(ev_io_fd(w), &si, sizeof si) == (ssize_t)sizeof si) {
        if (si.ssi_signo < EV_SIGNO_MAX && ev->signals[si.ssi_signo].fn != NULL)
            ev->signals[si.ssi_signo].fn((int)si.ssi_signo, ev->signals[si.ssi_signo].arg);
    }
}

int ev_signal_add(struct ev *ev, int signo, ev_signal_fn *fn, void *arg)
{
    if (signo <= 0 || signo >= EV_SIGNO_MAX) {
        errno = EINVAL;
        return -1;
    }
    ev->signals[signo] = (struct ev_signal){ fn, arg };
    sigaddset(&ev->sigs, signo);
    if (sigprocmask(SIG_BLOCK, &ev->sigs, NULL) < 0)
        return -1;
    int fd = signalfd(ev->sigfd, &ev->sigs, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -1;
    if (ev->sigfd < 0) {
        ev->sigfd = fd;
        ev->sigio = ev_io_add(ev, fd, EV_READ, ev_signals_read, ev);
    }
    return 0;
}

/* ---- the turn
 * ------------------------------------------------------------------------------------------------------ */

void ev_hook_add(struct ev *ev, ev_hook_fn *fn, void *arg)
{
    if (ev->nhooks == EV_HOOKS_MAX)
        fatal("too many end-of-turn hooks");
    ev->hooks[ev->nhooks++] = (struct ev_hook){ fn, arg };
}

void ev_brace(struct ev *ev, uint64_t lead_ns, ev_hook_fn *fn, void *arg)
{
    ev->brace = (struct ev_hook){ fn, arg };
    ev->lead = lead_ns;
}

void ev_stay_awake(struct ev *ev, uint64_t until_ns)
{
    if (until_ns > ev->awake_until && !ev_alone())
        ev->awake_until = until_ns;
}

/* How long to sleep before an eager timer that is left away. */
static uint64_t ev_lead(struct ev *ev, uint64_t now, uint64_t left)
{
    if (left > ev->lead)
        return left - ev->lead;
    if (ev_alone())
        return left;
    if (ev->awake_until < now + left) {
        ev->awake_until = now + left;
        ev->brace.fn(ev->brace.arg);
    }
    return 0;
}

static uint64_t ev_wait_ns(struct ev *ev, uint64_t max_wait_ns)
{
    uint64_t next = ev_next_deadline(ev);
    if (next == TIME_NEVER && ev->awake_until == 0)
        return max_wait_ns;
    uint64_t now = ev->clk->now(ev->clk->arg);
    uint64_t left = next == TIME_NEVER ? max_wait_ns : next > now ? next - now : 0;
    if (now < ev->awake_until)
        return 0;
    ev->awake_until = 0;
    if (ev->lead > 0 && left > 0 && next != TIME_NEVER && ev->heap[0]->eager)
        left = ev_lead(ev, now, left);
    return left < max_wait_ns ? left : max_wait_ns;
}

static int ev_wait(struct ev *ev, struct epoll_event *out, uint64_t wait_ns)
{
    if (!ev->no_pwait2) {
        struct timespec ts = { .tv_sec = (time_t)(wait_ns / NS_PER_SEC),
                               .tv_nsec = (long)(wait_ns % NS_PER_SEC) };
        int n = epoll_pwait2(ev->epfd, out, EV_BATCH, wait_ns == TIME_NEVER ? NULL : &ts, NULL);
        if (n >= 0 || errno != ENOSYS)
            return n;
        ev->no_pwait2 = true;
    }
    uint64_t ms = wait_ns / NS_PER_MS + (wait_ns % NS_PER_MS != 0);
    return epoll_wait(ev->epfd, out, EV_BATCH, wait_ns == TIME_NEVER ? -1 : ms > 3600000 ? 3600000 : (int)ms);
}

static unsigned int ev_got(uint32_t events)
{
    return ((events & EPOLLIN) ? EV_READ : 0u) | ((events & EPOLLOUT) ? EV_WRITE : 0u) |
           ((events & (EPOLLHUP | EPOLLERR)) ? EV_HUP : 0u);
}

int ev_turn(struct ev *ev, uint64_t max_wait_ns)
{
    struct epoll_event got[EV_BATCH];
    int n = ev_wait(ev, got, ev_wait_ns(ev, max_wait_ns));
    if (n < 0 && errno != EINTR)
        fatal("epoll_wait: %s", strerror(errno));
    ev_now_refresh(ev);
    for (int i = 0; i < n; i++) {
        struct ev_io *w = got[i].data.ptr;
        if (w->fn != NULL)
            w->fn(w, ev_got(got[i].events), w->arg);
    }
    ev_timers_run(ev, ev->now);
    for (size_t i = 0; i < ev->nhooks; i++)
        ev->hooks[i].fn(ev->hooks[i].arg);
    ev_bury(ev);
    return 0;
}

int ev_run(struct ev *ev)
{
    while (!ev->stop)
        ev_turn(ev, TIME_NEVER);
    return ev->code;
}

void ev_stop(struct ev *ev, int code)
{
    ev->stop = true;
    ev->code = code;
}
