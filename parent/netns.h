/*
 * netns.h - the network namespace of the whole house (-s, net_namespace): entered once, before rooms are
 * started in it.
 */
#ifndef HOLDFAST_PARENT_NETNS_H
#define HOLDFAST_PARENT_NETNS_H

int netns_open(const char *name);  /* the same name; "": the one of PID 1. A descriptor, -1 errno */
int netns_enter(const char *name); /* a name below /run/netns, or an absolute path. -1 errno */
const char *netns_short_name(const char *name); /* for pid directory and log */

#endif
