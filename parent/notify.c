/*
 * notify.c - see notify.h. Order on one event: the script of the state, the generic script, the FIFO line.
 * Sync groups: vrrpd tells a group's state as it tells an instance's, by the group's own id, after its
 * members.
 */
#include "parent/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "parent/fifo.h"
#include "parent/news.h"
#include "parent/notify_queue.h"
#include "parent/parent.h"
#include "parent/script.h"

#define NOTIFY_LINE 1024

enum notify_word { NOTIFY_MASTER, NOTIFY_BACKUP, NOTIFY_FAULT, NOTIFY_STOP, NOTIFY_DELETED, NOTIFY_WORDS };

/* What a kind of object can be told with. KW_NONE: not this. */
struct notify_kind {
    const char *word; /* first word of lines and arguments */
    enum kw script[NOTIFY_WORDS], generic, priority_changes;
};

static const struct notify_kind notify_instance = {
    .word = "INSTANCE",
    .script = { KW_VI_NOTIFY_MASTER, KW_VI_NOTIFY_BACKUP, KW_VI_NOTIFY_FAULT, KW_VI_NOTIFY_STOP,
                KW_VI_NOTIFY_DELETED },
    .generic = KW_VI_NOTIFY,
    .priority_changes = KW_VI_NOTIFY_PRIORITY_CHANGES,
};

static const struct notify_kind notify_group = {
    .word = "GROUP",
    .script = { KW_SYNC_NOTIFY_MASTER, KW_SYNC_NOTIFY_BACKUP, KW_SYNC_NOTIFY_FAULT, KW_SYNC_NOTIFY_STOP,
                KW_NONE },
    .generic = KW_SYNC_NOTIFY,
    .priority_changes = KW_NONE,
};

static const char *const notify_words[NOTIFY_WORDS] = { "MASTER", "BACKUP", "FAULT", "STOP", "DELETED" };

static void notify_script(struct parent *p, struct config *c, const struct slice_obj *o, enum kw kw,
                          const char *const *extra, size_t nextra)
{
    struct script *s = kw != KW_NONE ? scripts_find(c->scripts, o->id, kw) : NULL;
    if (s != NULL)
        notify_queue_add(p->notify, s->owner, s, extra, nextra);
}

static void notify_vrrp_line(struct parent *p, const struct notify_kind *k, const char *name,
                             const char *word, unsigned int priority)
{
    char line[NOTIFY_LINE];
    if (!fifos_wanted(p->fifos, FIFO_VRRP))
        return;
    snprintf(line, sizeof line, "%s \"%.900s\" %s %u\n", k->word, name, word, priority);
    fifos_line(p->fifos, FIFO_VRRP, line);
}

/* Those who hear of every state: the generic script and the FIFO. */
static void notify_tell_all(struct parent *p, struct config *c, const struct slice_obj *o,
                            const struct notify_kind *k, enum notify_word word, unsigned int priority)
{
    char number[12];
    const char *extra[] = { k->word, o->name, notify_words[word], number };
    snprintf(number, sizeof number, "%u", priority);
    notify_script(p, c, o, k->generic, extra, sizeof extra / sizeof extra[0]);
    notify_vrrp_line(p, k, o->name, notify_words[word], priority);
}

static void notify_tell(struct parent *p, struct config *c, const struct slice_obj *o,
                        const struct notify_kind *k, enum notify_word word, unsigned int priority)
{
    notify_script(p, c, o, k->script[word], NULL, 0);
    notify_tell_all(p, c, o, k, word, priority);
}

/* False: a state nobody is told of. */
static bool notify_word_of(enum vrrp_state s, enum notify_word *out)
{
    switch (s) {
    case VRRP_STATE_MASTER: *out = NOTIFY_MASTER; return true;
    case VRRP_STATE_BACKUP: *out = NOTIFY_BACKUP; return true;
    case VRRP_STATE_FAULT: *out = NOTIFY_FAULT; return true;
    case VRRP_STATE_STOP: *out = NOTIFY_STOP; return true;
    case VRRP_STATE_INIT: break;
    }
    return false;
}

static const struct notify_kind *notify_kind_of(const struct slice_obj *o)
{
    if (o == NULL)
        return NULL;
    return o->blk == BLK_VI ? &notify_instance : o->blk == BLK_SYNC ? &notify_group : NULL;
}

static void notify_priority(struct parent *p, const struct slice_obj *o, const struct notify_kind *k,
                            const struct msg_inst_event *e)
{
    if (k->priority_changes == KW_NONE || !slice_bool(o, k->priority_changes, false))
        return;
    if (e->state == VRRP_STATE_MASTER)
        notify_vrrp_line(p, k, o->name, "MASTER_PRIORITY", e->priority);
    else /* in FAULT, and before the first state, as well: so does keepalived */
        notify_vrrp_line(p, k, o->name, "BACKUP_PRIORITY", e->priority);
}

void notify_inst_event(struct parent *p, struct config *c, const struct msg_inst_event *e)
{
    const struct slice_obj *o = slice_by_id(c->slice, e->inst);
    const struct notify_kind *k = notify_kind_of(o);
    enum notify_word word;
    if (k == NULL)
        return;
    switch ((enum inst_event_kind)e->kind) {
    case INST_EVENT_STATE:
        if (notify_word_of((enum vrrp_state)e->state, &word))
            notify_tell(p, c, o, k, word, k == &notify_group ? 0 : e->priority);
        break;
    case INST_EVENT_PRIORITY: notify_priority(p, o, k, e); break;
    case INST_EVENT_RX_LOWER:
        if (k != &notify_instance)
            break;
        notify_script(p, c, o, KW_VI_NOTIFY_MASTER_RX_LOWER_PRI, NULL, 0);
        notify_vrrp_line(p, k, o->name, "MASTER_RX_LOWER_PRI", e->priority);
        break;
    }
}

/* ---- servers and services */

void notify_rs_event(struct parent *p, struct config *c, const struct msg_rs_event *e)
{
    char line[NOTIFY_LINE];
    const struct slice_obj *o = slice_by_id(c->slice, e->rs);
    const struct slice_obj *vs = o != NULL ? slice_by_id(c->slice, o->parent) : NULL;
    if (o == NULL || o->blk != BLK_RS || vs == NULL)
        return;
    news_server(p, c, e);
    if (e->tell & EVENT_TELL_SCRIPT)
        notify_script(p, c, o, e->up ? KW_RS_NOTIFY_UP : KW_RS_NOTIFY_DOWN, NULL, 0);
    if (!(e->tell & EVENT_TELL_FIFO) || !fifos_wanted(p->fifos, FIFO_LVS))
        return;
    snprintf(line, sizeof line, "RS %.400s %.400s %s\n", slice_str(o, KW_RS_X_LABEL, o->name),
             slice_str(vs, KW_VS_X_LABEL, vs->name), e->up ? "UP" : "DOWN");
    fifos_line(p->fifos, FIFO_LVS, line);
}

void notify_vs_event(struct parent *p, struct config *c, const struct msg_vs_event *e)
{
    char line[NOTIFY_LINE];
    const struct slice_obj *o = slice_by_id(c->slice, e->vs);
    if (o == NULL || o->blk != BLK_VS)
        return;
    news_service(p, c, e);
    if (e->tell & EVENT_TELL_SCRIPT)
        notify_script(p, c, o, e->up ? KW_VS_QUORUM_UP : KW_VS_QUORUM_DOWN, NULL, 0);
    if (!(e->tell & EVENT_TELL_FIFO) || !fifos_wanted(p->fifos, FIFO_LVS))
        return;
    snprintf(line, sizeof line, "VS %.800s %s\n", slice_str(o, KW_VS_X_LABEL, o->name),
             e->up ? "UP" : "DOWN");
    fifos_line(p->fifos, FIFO_LVS, line);
}

/* ---- reload */

/* With fifo_write_vrrp_states_on_reload: groups first, then instances. */
static void notify_again(struct parent *p, const struct config_inst *v, size_t n, const struct notify_kind *k)
{
    enum notify_word word;
    for (size_t i = 0; i < n; i++)
        if (v[i].at != 0 && notify_word_of(v[i].state, &word))
            notify_vrrp_line(p, k, v[i].name, notify_words[word], k == &notify_group ? 0 : v[i].priority);
}

/* vrrpd's rule: the name, else VRID and interface. */
static bool notify_lives_on(const struct config *now, const struct config_inst *was)
{
    if (slice_find(now->slice, BLK_VI, was->name) != NULL)
        return true;
    for (size_t i = 0; i < now->ninst; i++)
        if (now->inst[i].vrid == was->vrid && strcmp(now->inst[i].iface, was->iface) == 0)
            return true;
    return false;
}

/* Without notify_deleted a deletion is told as FAULT, and notify_fault is not run: nothing has failed.
 * Whoever was told of a fault is not told again. */
static void notify_deleted(struct parent *p, struct config *old, const struct slice_obj *o,
                           const struct config_inst *was)
{
    if (slice_has(o, KW_VI_NOTIFY_DELETED))
        notify_tell(p, old, o, &notify_instance, NOTIFY_DELETED, was->priority);
    else if (was->state != VRRP_STATE_FAULT)
        notify_tell_all(p, old, o, &notify_instance, NOTIFY_FAULT, was->priority);
}

void notify_reloaded(struct parent *p, struct config *old, struct config *now)
{
    const struct slice_obj *g = slice_next(now->slice, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    bool rewrite = g != NULL && slice_bool(g, KW_GLOBAL_FIFO_WRITE_VRRP_STATES_ON_RELOAD, false);
    for (size_t i = 0; i < old->ninst; i++) {
        const struct config_inst *was = &old->inst[i];
        const struct slice_obj *o = slice_by_id(old->slice, was->id);
        if (o != NULL && !notify_lives_on(now, was))
            notify_deleted(p, old, o, was);
    }
    if (!rewrite)
        return;
    notify_again(p, now->group, now->ngroup, &notify_group);
    notify_again(p, now->inst, now->ninst, &notify_instance);
}
