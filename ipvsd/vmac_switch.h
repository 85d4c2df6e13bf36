/*
 * vmac_switch.h - the switches below /proc/sys/net that macvlans need: on themselves (they go with them), and
 * on the interface below, which gets its values back. Called by vmac.c.
 */
#ifndef HOLDFAST_IPVSD_VMAC_SWITCH_H
#define HOLDFAST_IPVSD_VMAC_SWITCH_H

#include <stdio.h>

#include "ipvsd/ipvsd.h"

struct vmac_switches;

struct vmac_switches *vmac_switches_new(struct ipvsd *d);
void vmac_switches_restore_snapshot(struct vmac_switches *s); /* values before our predecessor */
/* Between begin and end each interface still needed is named; the others get their values back at end. */
void vmac_switches_begin(struct vmac_switches *s);
void vmac_switches_end(struct vmac_switches *s);
void vmac_switch_base(struct vmac_switches *s, const struct iface *base);
void vmac_switches_save(struct vmac_switches *s); /* what is new goes into the snapshot */
/* Lines of a plan. own: of one that is there, or (fresh) will be made; bases: of the next configuration. */
void vmac_switch_own_foresee(const char *name, bool v4, bool v6, bool fresh, FILE *f);
void vmac_switch_bases_foresee(const struct vmac_switches *s, const char *const *bases, size_t n, FILE *f);
void vmac_switch_own(const char *name, bool v4, bool v6); /* a macvlan or ipvlan, before it goes up */

#endif
