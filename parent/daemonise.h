/*
 * daemonise.h - into the background, without -n. The first process waits until the daemon is ready or has
 * failed and ends with that status: whoever starts us knows whether it worked.
 */
#ifndef HOLDFAST_PARENT_DAEMONISE_H
#define HOLDFAST_PARENT_DAEMONISE_H

struct daemonise {
    int fd; /* towards the waiting process; -1: nobody waits */
};

/* Returns only in the daemon. The standard descriptors stay until daemonise_release. */
void daemonise_fork(struct daemonise *d);
/* Ready: lets the waiting process go with status 0 and leaves the terminal. */
void daemonise_release(struct daemonise *d);
/* Failed: the waiting process ends with this status. */
void daemonise_fail(struct daemonise *d, int status);

#endif
