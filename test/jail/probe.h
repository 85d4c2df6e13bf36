/*
 * probe.h - the jail lane's program: enters a role's jail in a process of its own and tries one thing there.
 * What must happen is said here independently of jail_table.c. Run as root in a network namespace of its own.
 */
#ifndef TEST_JAIL_PROBE_H
#define TEST_JAIL_PROBE_H

#include <stddef.h>
#include <sys/types.h>

#include "common/role.h"

/* What came of an attempt. PROBE_DENIED: it returned an error that a fence gives (EPERM, EACCES).
 * PROBE_ABORT: SIGABRT. */
enum probe_end { PROBE_WORKED, PROBE_DENIED, PROBE_KILLED, PROBE_ABORT, PROBE_OTHER };

/* Opened before the jail, kept through it: what a real child would have been handed. */
struct probe_fds {
    int report; /* the attempt's errno goes here */
    int pair[2];
    int raw;      /* AF_INET raw socket */
    int tcp;      /* unconnected TCP socket */
    int packet;   /* AF_PACKET socket */
    int file;     /* an open file of the host */
    int dir;      /* an open directory of the host, "/" */
    int listener; /* TCP on 127.0.0.1 */
};

struct probe_ctx {
    struct probe_fds fd;
    pid_t victim; /* a process to hurt */
    int port;     /* of the listener */
};

typedef int probe_fn(const struct probe_ctx *c); /* 0 worked, else errno */

struct probe_case {
    const char *name;
    probe_fn *fn;
    enum probe_end want[ROLE_MAX]; /* by role; vrrpd, checkd, ipvsd, conf are used */
};

const struct probe_case *probe_attempts(size_t *n); /* what must not be possible (for some role) */
const struct probe_case *probe_controls(size_t *n); /* what must, or the attempts would prove nothing */

int probe_layers(void);  /* Landlock alone, without seccomp; the number of failures */
int probe_reports(void); /* jail_verify against true and altered reports */
int probe_say(int ok, const char *role, const char *name,
              const char *why); /* prints the line; 1 when it failed */

#endif
