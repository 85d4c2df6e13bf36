/*
 * sysctl.h - kernel switches below /proc/sys/net: promote_secondaries with a reference count and the reports
 * of link-local groups, put back at stop; forwarding for the router flag. Called by link.c, model.c, garp.c,
 * vmac.c, vmac_switch.c, plan_dump.c and main.c.
 */
#ifndef HOLDFAST_IPVSD_SYSCTL_H
#define HOLDFAST_IPVSD_SYSCTL_H

#include <stdio.h>

#include "ipvsd/ipvsd.h"

void sysctl_restore_snapshot(struct ipvsd *d); /* on_start: values before our predecessor */
void sysctl_promote(struct ipvsd *d, struct iface *i, bool hold); /* one reference more or less */
void sysctl_iface_there(struct ipvsd *d, struct iface *i);        /* (re)appeared */
void sysctl_iface_gone(struct iface *i);                          /* took its value along */
void sysctl_igmp(struct ipvsd *d, const struct slice *s);         /* disable_local_igmp */
/* Which of these a commit of d->next with slice s would write, as plan_dump.h has it. */
void sysctl_foresee(struct ipvsd *d, const struct slice *s, FILE *f);
void sysctl_restore_all(struct ipvsd *d);                  /* stop */
bool sysctl_forwarding6(struct ipvsd *d, struct iface *i); /* read at most once a second */

/* One value between 0 and 9; family "ipv4" or "ipv6". -1 errno. For vmac.c, which puts back what it takes. */
int sysctl_read(const char *family, const char *name, const char *leaf);
int sysctl_write(const char *family, const char *name, const char *leaf, int value);
/* A line of a plan: the path, what it is, what it would become. */
void sysctl_line(FILE *f, const char *family, const char *name, const char *leaf, int was, int value);

#endif
