/*
 * shown.h - what holdfast-dbus shows: the instances of the daemon with their object paths and states, made of
 * the daemon's answers (ctl/doc.h) and kept up by its events. Pure; knows neither bus nor socket. The text
 * may say anything: names become valid UTF-8, paths valid object paths, a state nobody knows is none.
 */
#ifndef HOLDFAST_PARENT_DBUS_SHOWN_H
#define HOLDFAST_PARENT_DBUS_SHOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parent/ctl/doc.h"

#define SHOWN_ROOT      "/org/keepalived/Vrrp1"
#define SHOWN_NAME_MAX  256
#define SHOWN_PATH_MAX  1024
#define SHOWN_INIT      0u /* the numbers and words of the incumbent */
#define SHOWN_STATE_MAX 98u

struct shown_inst {
    char name[SHOWN_NAME_MAX]; /* as the events say it */
    char text[SHOWN_NAME_MAX]; /* as the bus may be told */
    char path[SHOWN_PATH_MAX];
    unsigned int state;
    uint64_t after; /* events up to this number are in state already */
};

struct shown {
    bool enabled; /* enable_dbus */
    char service[SHOWN_NAME_MAX];
    char vrrp[SHOWN_PATH_MAX]; /* path of the one object for all */
    uint64_t last;             /* event that the answers stand behind */
    unsigned int generation;
    struct shown_inst *v;
    size_t n, same; /* same: left out, since another has their path */
};

void shown_free(struct shown *m);
/* From status and vrrpd's report, both in d. */
void shown_load(struct shown *m, const struct doc *d);
/* now is the newer one; what stands in both goes on from where old is, so that no event is passed over. */
void shown_carry(struct shown *now, const struct shown *old);
/* NULL: none. shown_changed: the instance whose state this event has changed. */
struct shown_inst *shown_at(const struct shown *m, const char *path);
struct shown_inst *shown_changed(struct shown *m, const struct doc_part *event);

bool shown_state(const char *word, unsigned int *state);
const char *shown_state_word(unsigned int state);
void shown_text(char *buf, size_t size, const char *s);
/* One element of an object path behind what is in buf; an empty one is left out. */
void shown_path_add(char *buf, size_t size, const char *element);

#endif
