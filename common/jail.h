/*
 * jail.h - one function, one const table row a role (jail_table.c). Order, always: close all but the listed
 * fds, namespaces, chroot, groups/gid/uid, capabilities (bounding set too), rlimits, Landlock, no_new_privs,
 * seccomp. Fails closed: any step that fails ends the process with a message naming the step and the remedy.
 * A kernel feature that is missing (Landlock) is probed, reported in struct msg_ready and logged, never
 * silently skipped.
 */
#ifndef HOLDFAST_JAIL_H
#define HOLDFAST_JAIL_H

#include <stddef.h>

#include "common/proto.h"
#include "common/role.h"

/* Where the empty root lives; created by the parent (jail_prepare), root-owned 0555. */
#define JAIL_EMPTY_DIR "/run/holdfast/empty"

struct jail_opts {
    const int *keep_fds; /* besides 0, 1, 2 */
    size_t nkeep;
    int unprivileged;  /* not started as root (holdfast -t by a user): namespaces and ids stay, the rest
                          applies */
    int keep_dac_read; /* holdfast-conf: CAP_DAC_READ_SEARCH until jail_drop_dac() */
};

/* Parent, once at start, as root: makes JAIL_EMPTY_DIR, checks it, checks that the users exist. -1 with e
 * filled. */
struct err;
int jail_prepare(struct err *e);

/* Never returns unjailed. report: what /proc and prctl say afterwards. */
void jail_enter(enum role r, const struct jail_opts *o, struct msg_ready *report);
void jail_drop_dac(void);

/* Parent: does the report match the table? 0, or -1 with why. */
int jail_verify(enum role r, const struct msg_ready *report, char *why, size_t size);

/* The parent's own restriction: reduces permitted and bounding sets to what DESIGN section 1 gives it. */
void jail_parent(int root_scripts);

const char *jail_user(enum role r); /* system user of the role, from the table */
int jail_nice(enum role r);         /* its nice value, unless the configuration says otherwise */

#endif
