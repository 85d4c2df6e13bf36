/*
 * track_life.h - trackers in real life: one struct tracked for each vrrp_script, track_file,
 * vrrp_track_process and bfd_instance somebody follows, whoever they are. Scripts are run by the parent
 * (run/ran), files told by it (file_value), processes counted by ipvsd (proc_count), BFD sessions are our own
 * (bfd_life.c tells). Results survive a reload (by name and command) and a crash (snapshots). Called by
 * life.c, facts.c, reload.c, inst_judge.c; dumps, report and metrics look at it.
 */
#ifndef HOLDFAST_VRRPD_TRACK_LIFE_H
#define HOLDFAST_VRRPD_TRACK_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/chan.h"
#include "common/child.h"
#include "common/slice.h"
#include "vrrpd/track.h"

struct vrrpd;
struct inst;
struct tracked;

/* In a commit: what is followed now. Instances are evaluated by the caller. */
void track_load(struct vrrpd *v, const struct slice *s);
void track_snapshots(struct vrrpd *v, const struct slice *old); /* after a commit, under the ids in force */
/* One of the former incarnation's; false: it is not of a tracker. Before track_load. */
bool track_snapshot_take(struct vrrpd *v, const struct child_snapshot *cs);
void track_snapshots_done(struct vrrpd *v);

/* What the trackers say of an instance; the text of the first fault in buf, "" when there is none. */
struct track_sum track_judge(const struct inst *i, char *buf, size_t size);
bool track_uses_link(const struct inst *i, const char *name);

int track_on_ran(struct vrrpd *v, const struct msg_ran *m);
int track_on_file(struct vrrpd *v, const struct chan_msg *m);
int track_on_proc(struct vrrpd *v, const struct msg_proc_count *m);
void track_bfd_changed(struct vrrpd *v, const char *name, bool up);
void track_stop(struct vrrpd *v); /* nothing is run any more */
void track_end(struct vrrpd *v);  /* gives everything back: for tests, which look for leaks */

/* What dumps and metrics show of one tracker. */
struct track_view {
    enum track_kind kind;
    uint32_t id;
    const char *name;
    enum track_result result;
    int32_t value;
    bool running, delayed;    /* a script runs now; a result waits for the end of a delay, */
    enum track_result coming; /* this one */
    uint64_t changed_at;      /* CLOCK_REALTIME ns; 0: as it was found */
    /* scripts */
    uint32_t rise, fall, streak; /* streak: results in a row that say otherwise */
    uint64_t interval, ran_at;
    const struct msg_ran *ran; /* how the last one ended; NULL: none has */
};
/* The one after prev (NULL: the first); NULL ends. */
const struct tracked *track_next(const struct vrrpd *v, const struct tracked *prev, struct track_view *out);
/* What the n-th line of an instance says now; out: of what it follows. */
struct track_say track_line_view(const struct inst *i, size_t n, struct track_view *out);
void track_ran_text(const struct msg_ran *m, char *buf, size_t size); /* "exit status 1" */

/* Pure: the bytes the parent keeps of a tracker. Canonical; the decoder trusts nothing. */
#define TRACK_SAVED_MAX 300
struct track_saved {
    enum track_kind kind;
    enum track_result result;
    int32_t value;
    uint64_t at; /* CLOCK_MONOTONIC: of two the newer */
    char name[TRACK_NAME_MAX + 1];
};
size_t track_saved_encode(const struct track_saved *s, uint8_t buf[TRACK_SAVED_MAX]);
int track_saved_decode(const uint8_t *buf, size_t len, struct track_saved *out); /* 0; -1 EINVAL */

#endif
