/*
 * ipvs_expand.h - the members a line of a virtual_server_group stands for. Pure. Called by ipvs_model.c.
 */
#ifndef HOLDFAST_IPVSD_IPVS_EXPAND_H
#define HOLDFAST_IPVSD_IPVS_EXPAND_H

#include "common/addr.h"

#define IPVS_EXPAND_MAX 65536u /* addresses in one line */

/* How many addresses the prefix of a holds; 0: more than IPVS_EXPAND_MAX. *first: the lowest of them. */
uint32_t ipvs_expand_prefix(const struct ipaddr *a, struct ipaddr *first);
/* a + n, carried over octets; n is below 2^32. */
struct ipaddr ipvs_expand_add(const struct ipaddr *a, uint32_t n);

#endif
