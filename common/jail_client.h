/*
 * jail_client.h - the jail of a program that lives beside the daemon and asks on its read-only socket
 * (holdfast-metrics, holdfast-snmp, holdfast-dbus): no process of the daemon starts or knows it; and,
 * narrower, that of holdfast-log, which the parent starts. Called once by its main(), when what needs root is
 * done.
 */
#ifndef HOLDFAST_JAIL_CLIENT_H
#define HOLDFAST_JAIL_CLIENT_H

#include "common/jail_table.h"

#define JAIL_CLIENT_GROUP "holdfast" /* who may ask the daemon */

/* Started as root: becomes that user, with the one group. 0, or -1 with errno (ENOENT: no such user). */
int jail_client_drop_root(const char *user);
/* For ever: no new privileges, no core, no child, few descriptors, no file (Landlock, where the kernel has
 * it), and besides what every loop over descriptors needs only these system calls. 0, or -1 with errno. */
int jail_client_fence(const char *user, const struct jail_rule *rules, size_t n);
/* The same with a row of one's own (outbound_tcp). */
int jail_client_fence_row(const struct jail_row *row);

#endif
