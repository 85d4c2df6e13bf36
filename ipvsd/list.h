/*
 * list.h - the kernel's IPVS table for an operator (holdctl ipvs): what ipvsadm would list, as lines of
 * words. Reading only; a service a piece, so that addresses never wait for a big table. Called by main.c
 * (on_report).
 *
 *   I VERSION SIZE                                    of ip_vs (0xMMmmpp) and of its table of connections
 *   S PROTO ADDR PORT MARK SCHED FLAGS TIMEOUT NETMASK PE NUMBERS
 *   D ADDR PORT METHOD WEIGHT ACTIVE INACTIVE PERSISTENT UPPER LOWER TYPE TUNPORT TUNFLAGS NUMBERS
 *   N                                                 this daemon has nothing to do with IPVS
 *   T                                                 there is more than can be told
 *
 * PROTO: tcp, udp, sctp, fwm (with ADDR 0.0.0.0 or ::). PE: "-" when none. NUMBERS: ten, in the order of enum
 * ipvs_number. D lines belong to the S line before them.
 */
#ifndef HOLDFAST_IPVSD_LIST_H
#define HOLDFAST_IPVSD_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct ipvsd;
struct list;

struct list *list_new(struct ipvsd *d);
bool list_report(struct list *l, size_t *cursor, FILE *f); /* a report_fn's work */

#endif
