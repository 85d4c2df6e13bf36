/*
 * bfd_life.h - BFD in real life: the sessions of the slice (BLK_BFD), their sockets (made by ipvsd), who
 * hears of them (checkd by message, trackers by the call given to bfd_life_watch), over a reload (a session
 * is itself by name, addresses and hops) and over a crash (snapshots). Called by life.c, facts.c and
 * dump_data.c.
 */
#ifndef HOLDFAST_VRRPD_BFD_LIFE_H
#define HOLDFAST_VRRPD_BFD_LIFE_H

#include <stdbool.h>
#include <stdio.h>

#include "common/chan.h"
#include "common/child.h"
#include "common/slice.h"

struct vrrpd;
struct bfd_life;

/* A session with recipient VRRP has come up or gone down. */
typedef void bfd_watch_fn(struct vrrpd *v, const char *name, bool up);

struct bfd_life *bfd_life_new(struct vrrpd *v);
void bfd_life_free(struct bfd_life *l);
void bfd_life_watch(struct bfd_life *l, bfd_watch_fn *fn);
bool bfd_life_snapshot(struct bfd_life *l, const struct child_snapshot *cs); /* true: it was ours */
int bfd_life_prepare(const struct slice *next, struct err *e);
void bfd_life_commit(struct bfd_life *l, const struct slice *now);
int bfd_life_msg(struct bfd_life *l, const struct chan_msg *m); /* bfd_rx, bfd_tx of this generation */
void bfd_life_tell(struct bfd_life *l);  /* everything that is known: to a new checkd, after a commit */
void bfd_life_pause(struct bfd_life *l); /* our successor is about to take over */
void bfd_life_stop(struct bfd_life *l);  /* silence */
void bfd_life_dump(const struct bfd_life *l, FILE *f);

/* The last event of a session VRRP may follow. known=false: it has been neither up nor down yet. */
bool bfd_up(const struct bfd_life *l, const char *name, bool *known);

#endif
