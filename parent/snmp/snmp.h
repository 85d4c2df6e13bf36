/*
 * snmp.h - holdfast-snmp put together: view, image, agent and notifications in one place. Called by main.c
 * (run) and the others for what they share.
 */
#ifndef HOLDFAST_SNMP_SNMP_H
#define HOLDFAST_SNMP_SNMP_H

#include "parent/snmp/agent.h"
#include "parent/snmp/fill.h"
#include "parent/snmp/trap.h"

struct snmp_opts {
    const char *daemon; /* its read-only socket */
    const char *agentx; /* -A; NULL: snmp_socket, or the library's */
    bool all;           /* -x: everything, whatever the configuration says */
};

/* The parts that are on. */
struct snmp_wish {
    bool vrrp, check, rfc2, rfc3, traps;
    char socket[256]; /* "": the library's own */
};

void snmp_wish(const struct view *v, const struct snmp_opts *o, struct snmp_wish *out);

/* Before the jail: waits until the daemon says what it wants shown. */
struct snmp *snmp_new(const struct snmp_opts *o);
/* Until another socket is configured (then 0: to be started again). */
int snmp_run(struct snmp *s);

#endif
