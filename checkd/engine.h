/*
 * engine.h - when is whose turn, what a failure means, who is told. The engine owns timers, retries and
 * verdicts; the kinds (checker.h) only say passed or failed. Split: engine.c attempts and verdicts,
 * engine_table.c building, start, reload and end of a table, identity.c what makes a checker the same one,
 * state.c snapshots, feed.c telling. Called by main.c.
 */
#ifndef HOLDFAST_CHECKD_ENGINE_H
#define HOLDFAST_CHECKD_ENGINE_H

#include "checkd/checkd.h"
#include "checkd/verdict.h"

/* Servers that are believed in from the start are in the table before the first check can take one out. */
#define ENGINE_MARGIN_NS NS_PER_SEC

/* ---- a table (engine_table.c) */
/* Builds the checkers of a table, aside. -1 with e: the configuration cannot be run; engine_drop what there
 * is. */
int engine_build(struct checkd *d, struct service_table *t, const struct slice *s, struct err *e);
void engine_begin(struct checkd *d,
                  bool restart); /* d->now begins; restart: where the former incarnation stood */
void engine_take_over(struct checkd *d, struct service_table *next, struct service_table *cur);
void engine_drop(struct checkd *d, struct service_table *t); /* no attempt, no timer; t is freed */
void engine_omega(struct checkd *d); /* before an orderly end: what has omega is announced as down */

/* ---- verdicts (engine.c) */
/* End of the turn: what was due too much for it, quorums. True: more waits, the loop must not sleep. */
bool engine_settle(struct checkd *d);
void engine_present(struct checkd *d, struct service *v, bool present);
bool engine_active(const struct checker *k); /* its service's checks run now */
/* Arms it for an attempt within spread after margin. */
void engine_first(struct checkd *d, struct checker *k, uint64_t margin, uint64_t spread);
void engine_schedule(struct checkd *d, struct checker *k, uint64_t at);
void engine_cancel(struct checkd *d, struct checker *k); /* attempt and timer */
void engine_due(struct ev_timer *t, uint64_t now, void *arg);
/* Counts a server's checkers and weight anew and tells what changed by it. */
void engine_judge_server(struct checkd *d, struct server *s, const char *cause);
void engine_judge_later(struct checkd *d, struct service *v);
struct verdict_wanted engine_wanted(const struct server *s);
void engine_order(struct checkd *d, struct server *s, bool set, uint32_t weight); /* the operator's word */

/* ---- identity.c */
/* Of the check block o: kind, options and what stands in it, timers and flags of the engine left out, and the
 * names of its server and service; nth distinguishes equal ones of one server. */
uint64_t identity_of(const struct slice *s, const struct slice_obj *o, const struct server *r, uint32_t nth);
uint64_t identity_of_service(const struct service *v);

/* ---- state.c */
bool state_restore(struct checkd *d); /* from the former incarnation's snapshots; false: there are none */
size_t state_encode_running(uint8_t *buf, size_t size);
size_t state_encode_checkers(const struct service_table *t, size_t chunk, uint8_t *buf, size_t size);
size_t state_encode_services(const struct service_table *t, size_t chunk, uint8_t *buf, size_t size);
/* What one snapshot says, put into the table (checkers and services whose identity it names). -1: not ours,
 * or of another build; nothing has been changed. *running: it is the record that says there was a former
 * life; what younger snapshots do not repeat is forgotten. */
int state_decode(struct service_table *t, uint32_t key, const uint8_t *data, size_t len, bool *running);

#endif
