/*
 * feed.h - what waits to be told: wanted states to ipvsd, events and snapshots to the parent. A thing waits
 * in a queue at most once and is told as it is when its turn comes, so 50,000 changes in one turn are 50,000
 * entries and never more; they leave only as fast as the receiver reads (chan_room), and a storm is neither
 * lost nor overflows a channel. Called by engine.c (marks) and by main.c's end of turn (feed_run).
 */
#ifndef HOLDFAST_CHECKD_FEED_H
#define HOLDFAST_CHECKD_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct checkd;
struct server;
struct service;

struct feed_item {
    struct feed_item *next;
    void *owner; /* struct server, struct service or struct chunk, as the queue says */
    bool queued;
    bool service; /* in the queue of events: a service */
};

struct feed_queue {
    struct feed_item *head, *last;
};

/* ipvsd is told everything, then lvs_sync, then changes. */
struct feed {
    struct feed_queue state, event, snap, evidence;
    size_t sweep; /* next server of the full telling */
    bool sweeping;
    bool snap_running;        /* "all is told" waits to be told, behind every snapshot */
    uint64_t evidence_window; /* evidence for explain is worth no flood: so much a window */
    unsigned int evidence_left;
    uint64_t told_states, told_events, told_snaps;
};

void feed_queue_add(struct feed_queue *q, struct feed_item *i);
struct feed_item *feed_queue_take(struct feed_queue *q); /* NULL: empty */

void feed_init(struct checkd *d);       /* after start and commit: forget the queues, tell all states again */
void feed_tell_all(struct checkd *d);   /* ipvsd is new: all states, then lvs_sync */
void feed_status_all(struct checkd *d); /* the parent hears of every server and service, nobody is notified */
void feed_server_state(struct checkd *d, struct server *s);
/* An event, although it is down as it was told before: a fact now, not only an assumption. */
void feed_server_down(struct checkd *d, struct server *s, const char *cause);
void feed_server_event(struct checkd *d, struct server *s, unsigned int tell, const char *cause);
void feed_service_event(struct checkd *d, struct service *v, unsigned int tell, const char *cause);
void feed_checker_snap(struct checkd *d, size_t checker);
void feed_service_snap(struct checkd *d, size_t service);
void feed_checker_evidence(struct checkd *d, size_t checker);
/* Tells what the channels take now; true when nothing waits any more. */
bool feed_run(struct checkd *d);

#endif
