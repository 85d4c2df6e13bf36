/*
 * will.h - the last will of a MASTER: its priority-0 advert, made by vrrpd while it was well, sent by ipvsd
 * only when the parent orders a handover. Checked so that it can be nothing but the resignation of that
 * router. Called by main.c and instance.c.
 */
#ifndef HOLDFAST_IPVSD_WILL_H
#define HOLDFAST_IPVSD_WILL_H

#include "ipvsd/ipvsd.h"

struct will_rule will_rule(const struct slice *s, const struct slice_obj *vi);

/* Pure. 0: may be sent. */
int will_check(const struct will_rule *r, const uint8_t *data, size_t len);

int will_store(struct inst *i, const uint8_t *data, size_t len); /* -1: not a resignation of this instance */
/* At a reload. That of a router which is another one now stays behind: its successor has none until vrrpd
 * says it. */
void will_move(struct inst *from, struct inst *to);
void will_send_all(struct ipvsd *d); /* those of MASTERs */
/* At the end: who is MASTER still, though vrrpd is done, has not been resigned for. */
void will_owe(struct ipvsd *d);
void will_pay(struct ipvsd *d);

#endif
