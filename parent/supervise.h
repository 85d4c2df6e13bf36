/*
 * supervise.h - the parent's hold on each room: start, jail check, life signs, death, restart, channels
 * between rooms. A child is told nothing before its jail has been compared with the table. What it says is
 * checked twice: proto_decode (form, sender), and here (may it say that now?); who breaks the rules is killed
 * and started again.
 */
#ifndef HOLDFAST_PARENT_SUPERVISE_H
#define HOLDFAST_PARENT_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/chan.h"
#include "common/ev.h"
#include "common/proto.h"
#include "common/log.h"
#include "common/pulse.h"
#include "common/role.h"
#include "parent/backoff.h"
#include "parent/prio.h"
#include "parent/snapshots.h"

struct parent;

enum room_state {
    ROOM_OFF,
    ROOM_DELAYED, /* dead; started again when the back-off is over */
    ROOM_SPAWNED, /* builds its jail */
    ROOM_READY,   /* jail verified; nothing told yet */
    ROOM_TOLD,    /* start sent */
    ROOM_STARTED,
    ROOM_STOPPING, /* stop sent */
};

/* What the kernel said of a process when it was looked at. */
struct vital_sight {
    uint64_t at, cpu; /* ns; cpu: all it was ever given */
    bool runnable;
};

struct room {
    struct parent *p;
    enum role role;
    enum room_state state;
    bool wanted; /* a death is followed by a restart */
    pid_t pid;   /* 0: no process */
    int pidfd;
    struct ev_io *pidio;
    struct chan *ch;
    int errfd; /* its stderr */
    struct ev_io *errio;
    char errline[512];
    size_t errlen;
    struct ev_timer delay, limit, ping;
    struct backoff backoff;
    struct prio prio;
    uint64_t spawned_ns, started_ns;
    struct pulse *pulse; /* when its loop last turned */
    uint64_t pulse_seen;
    struct vital_sight suspected; /* when it was asked first since its last sign of life */
    struct log_limit said_starves;
    int deadman; /* the switch it winds up (common/deadman.h), -1: none, it is looked at by the clock */
    struct ev_io *deadman_io;
    unsigned int restarts, missed;
    uint32_t nonce;
    bool heard, pinged;
    bool ever_started; /* a former incarnation worked: the next one is a restart */
    bool said_stopped;
    bool outside;    /* the coming death is somebody else's doing, not its own fault */
    bool planned;    /* holdctl restart */
    bool dropped;    /* killed because it was not needed as it was */
    bool told_start; /* it may have touched the world */
    char why[160];   /* why it was killed; "" = it died by itself */
    bool linked[ROLE_MAX];
    struct snapshots *snaps;
    struct msg_ready report;
    uint64_t log_window_ns;
    unsigned int log_lines, log_dropped;
    unsigned int accusations;
};

void supervise_init(struct parent *p);
void supervise_free(struct parent *p);
int supervise_spawn(struct parent *p, enum role r); /* wanted from now on; -1 errno */
void supervise_begin(struct parent *p);             /* the configuration is here: tells who is ready */
void supervise_drop(struct parent *p,
                    enum role r); /* not needed: it has done nothing, so it is simply killed */
void supervise_stop(struct parent *p, enum role r, enum stop_why why, uint64_t limit_ns);
int supervise_restart(struct parent *p,
                      enum role r); /* planned: the crash path on purpose. -1: it does not run */
void supervise_kill(struct room *m, const char *why);
void supervise_on_sigchld(struct parent *p); /* who was stopped by a signal is killed and started again */
bool supervise_all_started(const struct parent *p);          /* every wanted room */
bool supervise_begins(const struct parent *p, enum role r);  /* alive, but not at work yet */
bool supervise_at_work(const struct parent *p, enum role r); /* or not wanted; not dead, noticed or not */
bool supervise_all_off(const struct parent *p);
const char *room_state_name(enum room_state s);

#endif
