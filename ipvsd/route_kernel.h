/*
 * route_kernel.h - what the kernel has of the configured routes and rules: by dump at the start and whenever
 * news were lost or an interface changed (the kernel drops IPv4 routes with their interface without a word),
 * else by news. Off as long as the configuration names none. Called by addr_apply.c, route_model.c, link.c
 * and main.c.
 */
#ifndef HOLDFAST_IPVSD_ROUTE_KERNEL_H
#define HOLDFAST_IPVSD_ROUTE_KERNEL_H

#include "ipvsd/ipvsd.h"

struct route_kernel;

struct route_kernel *route_kernel_new(struct ipvsd *d);
void route_kernel_links_changed(struct ipvsd *d); /* an interface came, went, or an address with it */
void route_kernel_rcvbuf(struct ipvsd *d);        /* as the configuration in force says */
void route_kernel_doubt(struct ipvsd *d);         /* compare with the kernel before the next plan */
bool route_kernel_pending(const struct ipvsd *d);
void route_kernel_sync(struct ipvsd *d);                      /* reads the news, compares when in doubt */
uint32_t route_kernel_vrf(struct ipvsd *d, const char *name); /* table of this VRF; 0: no such thing */

#endif
