/*
 * instance.h - what vrrpd wants: the messages of the one peer that speaks to us, checked against the
 * configuration. Ids are looked up, nothing of a message reaches the kernel. Called by main.c.
 */
#ifndef HOLDFAST_IPVSD_INSTANCE_H
#define HOLDFAST_IPVSD_INSTANCE_H

#include "ipvsd/ipvsd.h"

int instance_msg(struct ipvsd *d, const struct chan_msg *m); /* -1: not allowed */
void instance_new_peer(struct ipvsd *d);     /* a new vrrpd (or generation): it will tell everything */
void instance_withdraw_all(struct ipvsd *d); /* nobody is MASTER any more */

#endif
