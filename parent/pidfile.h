/*
 * pidfile.h - pid files: 0644, "PID\n". The parent's own carries an open-file-description write lock, which
 * is how a second daemon learns that the first one runs. The children's are replaced by rename, so a reader
 * never sees half a number. Written by root, in directories of the administrator's choice.
 */
#ifndef HOLDFAST_PARENT_PIDFILE_H
#define HOLDFAST_PARENT_PIDFILE_H

#include <limits.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/role.h"

struct pidfiles {
    char parent[PATH_MAX], vrrp[PATH_MAX], check[PATH_MAX];
    char bfd[PATH_MAX]; /* "": not asked for */
    int lock;           /* the parent's, held open; -1 */
};

struct pidfile_place {
    const char *rundir;   /* "/run" */
    const char *instance; /* NULL: none */
    const char *netns;    /* NULL: none */
    int use_pid_dir;
    const char *given_parent, *given_vrrp, *given_check,
        *given_bfd; /* command line; NULL: default place, of BFD none */
};

void pidfile_places(struct pidfiles *p, const struct pidfile_place *at); /* pure: names only */
/* 0 locked and written; 1 another daemon holds it; -1 errno. */
int pidfile_lock(struct pidfiles *p);
int pidfile_child(struct pidfiles *p, enum role r, pid_t pid); /* pid 0: remove. -1 errno */
void pidfile_remove(struct pidfiles *p);

#endif
