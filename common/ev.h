/*
 * ev.h - the event loop: epoll, a timer heap on absolute deadlines, signalfd, end-of-turn hooks.
 * Every process runs exactly one, single-threaded. A simulation drives the same timers with its own clock.
 * Callbacks may add, change and delete any watcher or timer, their own included.
 */
#ifndef HOLDFAST_EV_H
#define HOLDFAST_EV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"

struct ev;
struct ev_io;
struct ev_timer;

enum ev_flags { EV_READ = 1, EV_WRITE = 2, EV_HUP = 4 };

typedef void ev_io_fn(struct ev_io *w, unsigned int got, void *arg);
typedef void ev_timer_fn(struct ev_timer *t, uint64_t now, void *arg);
typedef void ev_hook_fn(void *arg);
typedef void ev_signal_fn(int signo, void *arg);

/* Embedded in its owner; zero-initialise, then ev_timer_init. */
struct ev_timer {
    uint64_t deadline;
    ev_timer_fn *fn;
    void *arg;
    uint32_t slot; /* heap position + 1; 0 = not armed */
    bool eager;    /* the loop is awake before it is due: see ev_brace */
};

struct ev *ev_new(const struct clock *clk); /* NULL = clock_system() */
void ev_free(struct ev *ev);
int ev_run(struct ev *ev); /* until ev_stop(); returns its code */
void ev_stop(struct ev *ev, int code);
int ev_turn(struct ev *ev, uint64_t max_wait_ns); /* one turn; 0 ok */
uint64_t ev_now(struct ev *ev);                   /* time read once a turn, monotonic ns */
void ev_now_refresh(struct ev *ev);
const struct clock *ev_clock(struct ev *ev);

/* fds: the caller keeps the fd and closes it after ev_io_del. EV_HUP is always reported. */
struct ev_io *ev_io_add(struct ev *ev, int fd, unsigned int want, ev_io_fn *fn, void *arg);
void ev_io_want(struct ev *ev, struct ev_io *w, unsigned int want);
void ev_io_del(struct ev *ev, struct ev_io *w);
/* Deletes the watcher and closes its fd, which nobody else may hold a duplicate of: a system call less, since
 * the kernel forgets a closed fd by itself. */
void ev_io_close(struct ev *ev, struct ev_io *w);
int ev_io_fd(const struct ev_io *w);

void ev_timer_init(struct ev_timer *t, ev_timer_fn *fn, void *arg);
void ev_timer_at(struct ev *ev, struct ev_timer *t, uint64_t deadline_ns); /* (re)arm; absolute */
void ev_timer_in(struct ev *ev, struct ev_timer *t, uint64_t delay_ns);    /* (re)arm; from ev_now() */
void ev_timer_stop(struct ev *ev, struct ev_timer *t);
bool ev_timer_armed(const struct ev_timer *t);
uint64_t ev_next_deadline(struct ev *ev);        /* TIME_NEVER when none */
void ev_timers_run(struct ev *ev, uint64_t now); /* fires what is due; used by ev_turn and simulations */

/* For the moment that must not be late: when the next timer due is an eager one, the loop wakes lead_ns
 * before it, calls fn and does not sleep until the timer has run. ev_stay_awake does the same for a peer who
 * was told. Costs nothing while such a timer keeps being re-armed. Never where there is but one processor to
 * be awake on. */
void ev_brace(struct ev *ev, uint64_t lead_ns, ev_hook_fn *fn, void *arg);
void ev_stay_awake(struct ev *ev, uint64_t until_ns);

/* Runs after the callbacks of every turn, in order of registration: flush what the turn gathered. */
void ev_hook_add(struct ev *ev, ev_hook_fn *fn, void *arg);

/* Blocks the signal and delivers it through a signalfd. One handler a signal. */
int ev_signal_add(struct ev *ev, int signo, ev_signal_fn *fn, void *arg);

#endif
