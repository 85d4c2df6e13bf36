/*
 * model.h - what holdfast-dbus shows: the instances of the daemon with their object paths and states, made of
 * the daemon's answers (ctl/doc.h) and kept up by its events. Pure; knows neither bus nor socket. The text
 * may say anything: names become valid UTF-8, paths valid object paths, a state nobody knows is none.
 */
#ifndef HOLDFAST_PARENT_DBUS_MODEL_H
#define HOLDFAST_PARENT_DBUS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parent/ctl/doc.h"

#define MODEL_ROOT      "/org/keepalived/Vrrp1"
#define MODEL_NAME_MAX  256
#define MODEL_PATH_MAX  1024
#define MODEL_INIT      0u /* the numbers and words of the incumbent */
#define MODEL_STATE_MAX 98u

struct model_inst {
    char name[MODEL_NAME_MAX]; /* as the events say it */
    char text[MODEL_NAME_MAX]; /* as the bus may be told */
    char path[MODEL_PATH_MAX];
    unsigned int state;
    uint64_t after; /* events up to this number are in state already */
};

struct model {
    bool enabled; /* enable_dbus */
    char service[MODEL_NAME_MAX];
    char vrrp[MODEL_PATH_MAX]; /* path of the one object for all */
    uint64_t last;             /* event that the answers stand behind */
    unsigned int generation;
    struct model_inst *v;
    size_t n, same; /* same: left out, since another has their path */
};

void model_free(struct model *m);
/* From status and vrrpd's report, both in d. */
void model_load(struct model *m, const struct doc *d);
/* now is the newer one; what stands in both goes on from where old is, so that no event is passed over. */
void model_carry(struct model *now, const struct model *old);
/* NULL: none. model_changed: the instance whose state this event has changed. */
struct model_inst *model_at(const struct model *m, const char *path);
struct model_inst *model_changed(struct model *m, const struct doc_part *event);

bool model_state(const char *word, unsigned int *state);
const char *model_state_word(unsigned int state);
void model_text(char *buf, size_t size, const char *s);
/* One element of an object path behind what is in buf; an empty one is left out. */
void model_path_add(char *buf, size_t size, const char *element);

#endif
