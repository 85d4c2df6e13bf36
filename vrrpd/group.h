/*
 * group.h - sync groups: what the members of one may do depends on all of them. One in FAULT puts all there,
 * MASTER is reached only together, whoever leaves MASTER takes the others along. group_common and
 * group_may_lead are pure; the rest is wiring. Called by inst.c, inst_judge.c, operator.c, life.c, reload.c,
 * report.c and dump_data.c.
 */
#ifndef HOLDFAST_VRRPD_GROUP_H
#define HOLDFAST_VRRPD_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/chan.h"
#include "common/proto.h"
#include "common/slice.h"

struct vrrpd;
struct inst;

/* One member, as the rules see it. */
struct group_member {
    enum vrrp_state state;
    bool wants; /* BACKUP, its time has come, held back */
};

enum vrrp_state group_common(const struct group_member *m, size_t n);
/* All others are MASTER or want to be. */
bool group_may_lead(const struct group_member *m, size_t n, size_t self);
/* Some are MASTER, some are BACKUP, and nobody has still to begin: the MASTERs have to give up. */
bool group_torn(const struct group_member *m, size_t n);

/* In a commit, when v->inst is complete. */
void group_load(struct vrrpd *v, const struct slice *s);
void group_leave(struct inst *i); /* it is going to be freed */
bool group_hold(
    struct inst *i); /* its time has come: true, it must wait; false, the others are released too */
/* A mate that cannot run, and why; NULL: none. */
const char *group_obstacle(const struct inst *i, char *buf, size_t size);
/* It is about to tell its first state: the group tells first at start. */
void group_news(struct inst *i, enum vrrp_state from);
/* A mate has not begun, for want of a first result, and the group has not said a word. */
bool group_awaits(const struct inst *i);
void group_settle(struct vrrpd *v); /* end of turn: no group stays torn, changed states are told */
void group_evaluate_mates(const struct inst *i);
struct inst *group_first(struct vrrpd *v, uint32_t id); /* a member of the group with this id; NULL: none */
void group_garp_mates(const struct inst *i);
void group_alert_say_all(struct vrrpd *v);
void group_end(struct vrrpd *v); /* gives everything back: for tests, which look for leaks */
void group_dump(const struct vrrpd *v, FILE *f);
void group_report(const struct vrrpd *v, uint32_t id, FILE *f); /* for holdctl; 0: all */

#endif
