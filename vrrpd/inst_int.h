/*
 * inst_int.h - what the inst files say to each other. inst.c: life, engine, timer; inst_wire.c: adverts out;
 * inst_rx.c: adverts in; inst_judge.c: can it run now.
 */
#ifndef HOLDFAST_VRRPD_INST_INT_H
#define HOLDFAST_VRRPD_INST_INT_H

#include "vrrpd/vrrpd.h"

/* inst.c */
void inst_event(struct inst *i, enum inst_event_kind kind, const char *cause); /* to the parent */
void inst_lower_event(struct inst *i, const struct engine_advert *a);

/* inst_wire.c */
void inst_wire_free(struct inst *i);
uint32_t inst_ifindex(const struct inst *i); /* where adverts leave; 0: nowhere now */
void inst_op_send(void *arg, bool resign);   /* engine_ops */

#endif
