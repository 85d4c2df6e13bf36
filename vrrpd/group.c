/*
 * group.c - see group.h. Faults travel through inst_evaluate (a mate's obstacle is ours), taking over through
 * the engine's hold, giving up at the end of the turn in which one has left MASTER.
 */
#include "vrrpd/group.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/report.h"
#include "vrrpd/vrrpd.h"

struct group {
    struct vrrpd *v;
    struct group *next;
    uint32_t id;
    char *name;
    struct inst **member;
    struct group_member *seen; /* room for one look at them */
    size_t n;
    enum vrrp_state state; /* told last; INIT: nothing yet */
    bool moved;            /* before its first word a member that had begun has changed its state */
    bool smtp_alert, say_alert;
};

/* ---- the rules, pure */

enum vrrp_state group_common(const struct group_member *m, size_t n)
{
    size_t count[VRRP_STATE_STOP + 1] = { 0 };
    for (size_t i = 0; i < n; i++)
        count[m[i].state]++;
    if (n > 0 && count[VRRP_STATE_STOP] == n)
        return VRRP_STATE_STOP;
    if (count[VRRP_STATE_FAULT] > 0)
        return VRRP_STATE_FAULT;
    if (n == 0 || count[VRRP_STATE_INIT] > 0)
        return VRRP_STATE_INIT;
    return count[VRRP_STATE_MASTER] == n ? VRRP_STATE_MASTER : VRRP_STATE_BACKUP;
}

bool group_may_lead(const struct group_member *m, size_t n, size_t self)
{
    for (size_t i = 0; i < n; i++)
        if (i != self && m[i].state != VRRP_STATE_MASTER && !m[i].wants)
            return false;
    return true;
}

bool group_torn(const struct group_member *m, size_t n)
{
    size_t masters = 0, backups = 0;
    for (size_t i = 0; i < n; i++) {
        masters += m[i].state == VRRP_STATE_MASTER;
        backups += m[i].state == VRRP_STATE_BACKUP;
    }
    return masters > 0 && backups > 0 && masters + backups == n;
}

/* ---- looking */

static const struct group_member *group_look(struct group *g)
{
    for (size_t k = 0; k < g->n; k++)
        g->seen[k] = (struct group_member){ .state = g->member[k]->e.state, .wants = g->member[k]->e.held };
    return g->seen;
}

static size_t group_place(const struct group *g, const struct inst *i)
{
    size_t k = 0;
    while (k < g->n && g->member[k] != i)
        k++;
    return k;
}

void group_leave(struct inst *i)
{
    struct group *g = i->group;
    size_t at = g != NULL ? group_place(g, i) : 0;
    i->group = NULL;
    if (g == NULL || at == g->n)
        return;
    g->n--;
    memmove(&g->member[at], &g->member[at + 1], (g->n - at) * sizeof(struct inst *));
}

bool group_hold(struct inst *i)
{
    struct group *g = i->group;
    if (g == NULL)
        return false;
    if (!group_may_lead(group_look(g), g->n, group_place(g, i)))
        return true;
    for (size_t k = 0; k < g->n; k++)
        if (g->member[k] != i)
            engine_release(&g->member[k]->e, ev_now(g->v->ev));
    return false;
}

const char *group_obstacle(const struct inst *i, char *buf, size_t size)
{
    const struct group *g = i->group;
    for (size_t k = 0; g != NULL && k < g->n; k++) {
        const struct inst *m = g->member[k];
        if (m != i && m->obstructed) {
            snprintf(buf, size, "%.60s of its sync group %.60s is in FAULT", m->b->name, g->name);
            return buf;
        }
    }
    return NULL;
}

bool group_awaits(const struct inst *i)
{
    const struct group *g = i->group;
    for (size_t k = 0; g != NULL && g->state == VRRP_STATE_INIT && k < g->n; k++)
        if (g->member[k] != i && g->member[k]->waiting && g->member[k]->pending)
            return true;
    return false;
}

void group_evaluate_mates(const struct inst *i)
{
    const struct group *g = i->group;
    for (size_t k = 0; g != NULL && k < g->n; k++)
        if (g->member[k] != i)
            inst_evaluate(g->member[k]);
}

struct inst *group_first(struct vrrpd *v, uint32_t id)
{
    for (const struct group *g = v->groups; g != NULL; g = g->next)
        if (g->id == id && g->n > 0)
            return g->member[0];
    return NULL;
}

void group_garp_mates(const struct inst *i)
{
    const struct group *g = i->group;
    for (size_t k = 0; g != NULL && k < g->n; k++)
        if (g->member[k] != i)
            inst_garp_lower(g->member[k]);
}

/* ---- telling */

static void group_alert_say(struct group *g)
{
    struct chan *checkd = child_peer(g->v->child, ROLE_CHECKD);
    struct msg_alert m = { .obj = g->id, .state = (uint8_t)g->state };
    if (!g->say_alert || checkd == NULL || chan_room(checkd) == 0)
        return;
    g->say_alert = false;
    if (g->smtp_alert)
        chan_send(checkd, MSG_alert, &m, NULL, 0);
}

void group_alert_say_all(struct vrrpd *v)
{
    for (struct group *g = v->groups; g != NULL; g = g->next)
        group_alert_say(g);
}

static void group_tell(struct group *g, enum vrrp_state to)
{
    struct chan *parent = child_parent(g->v->child);
    struct msg_inst_event m = {
        .inst = g->id, .kind = INST_EVENT_STATE, .state = (uint8_t)to, .at = clock_realtime_ns()
    };
    log_notice("sync group %s: %s -> %s", g->name, vrrp_state_name(g->state), vrrp_state_name(to));
    snprintf(m.cause, sizeof m.cause, "its members are");
    g->state = to;
    g->say_alert = g->smtp_alert;
    if (parent != NULL)
        chan_send(parent, MSG_inst_event, &m, NULL, 0);
    group_alert_say(g);
}

/* At start the group's word comes before its members'. */
void group_news(struct inst *i, enum vrrp_state from)
{
    struct group *g = i->group;
    if (g == NULL || g->state != VRRP_STATE_INIT || i->e.state == VRRP_STATE_INIT)
        return;
    g->moved |= from != VRRP_STATE_INIT;
    enum vrrp_state to = i->e.state == VRRP_STATE_FAULT || group_obstacle(i, (char[160]){ 0 }, 160) != NULL
                             ? VRRP_STATE_FAULT
                             : i->e.state;
    for (size_t k = 0; k < g->n; k++) /* the rest of a predecessor's group: no start at all */
        if (g->member[k] != i && g->member[k]->e.state != VRRP_STATE_INIT)
            return;
    group_tell(g, to);
}

/* Its members may have been made to do so one after another; in the end they agree. */
static void group_mend(struct group *g)
{
    char why[ENGINE_CAUSE_MAX];
    uint64_t now = ev_now(g->v->ev);
    if (!group_torn(group_look(g), g->n))
        return;
    const struct inst *who = NULL;
    for (size_t k = 0; k < g->n && who == NULL; k++)
        if (g->member[k]->e.state == VRRP_STATE_BACKUP)
            who = g->member[k];
    if (who == NULL)
        return; /* torn by other states: they have their own ways */
    snprintf(why, sizeof why, "%.60s of its sync group %.60s is BACKUP", who->b->name, g->name);
    for (size_t k = 0; k < g->n; k++)
        engine_step_down(&g->member[k]->e, now, why);
}

void group_settle(struct vrrpd *v)
{
    for (struct group *g = v->groups; g != NULL; g = g->next) {
        if (!v->stopping)
            group_mend(g);
        enum vrrp_state now = group_common(group_look(g), g->n);
        if (now == g->state || now == VRRP_STATE_INIT)
            continue;
        if (g->state == VRRP_STATE_INIT && !g->moved)
            g->state = now; /* a predecessor has told it, or the members were there before the group */
        else
            group_tell(g, now);
    }
}

/* ---- configuration */

/* Out of the list, or a new one. */
static struct group *group_take(struct vrrpd *v, struct group **from, const char *name)
{
    for (struct group **p = from; *p != NULL; p = &(*p)->next) {
        struct group *g = *p;
        if (strcmp(g->name, name) != 0)
            continue;
        *p = g->next;
        return g;
    }
    struct group *g = xcalloc(1, sizeof *g);
    g->v = v;
    g->name = xstrdup(name);
    return g;
}

static void group_fill(struct group *g, struct vrrpd *v)
{
    free(g->member);
    free(g->seen);
    g->member = xcalloc(v->ninst + 1, sizeof(struct inst *));
    g->n = 0;
    for (size_t k = 0; k < v->ninst; k++)
        if (v->inst[k]->b->group != NULL && strcmp(v->inst[k]->b->group, g->name) == 0) {
            v->inst[k]->group = g;
            g->member[g->n++] = v->inst[k];
        }
    g->seen = xcalloc(g->n + 1, sizeof *g->seen);
}

static void group_free_all(struct group *g)
{
    while (g != NULL) {
        struct group *next = g->next;
        free(g->name);
        free(g->member);
        free(g->seen);
        free(g);
        g = next;
    }
}

void group_load(struct vrrpd *v, const struct slice *s)
{
    struct group *old = v->groups, **end = &v->groups; /* what they say is in the configuration's order */
    v->groups = NULL;
    for (size_t k = 0; k < v->ninst; k++)
        v->inst[k]->group = NULL;
    for (const struct slice_obj *o = slice_next(s, NULL, BLK_SYNC, SLICE_ANY_PARENT); o != NULL;
         o = slice_next(s, o, BLK_SYNC, SLICE_ANY_PARENT)) {
        struct group *g = group_take(v, &old, o->name);
        *end = g;
        end = &g->next;
        g->next = NULL;
        g->id = o->id;
        g->smtp_alert = slice_bool(o, KW_SYNC_SMTP_ALERT, false);
        group_fill(g, v);
    }
    group_free_all(old);
    for (size_t k = 0; k < v->ninst; k++)
        engine_ask_again(&v->inst[k]->e); /* others decide now */
}

void group_end(struct vrrpd *v)
{
    group_free_all(v->groups);
    v->groups = NULL;
}

void group_dump(const struct vrrpd *v, FILE *f)
{
    for (const struct group *g = v->groups; g != NULL; g = g->next) {
        fprintf(f, "VRRP Sync Group = %s\n  state = %s\n", g->name, vrrp_state_name(g->state));
        for (size_t k = 0; k < g->n; k++)
            fprintf(f, "  member = %s\n", g->member[k]->b->name);
    }
}

void group_report(const struct vrrpd *v, uint32_t id, FILE *f)
{
    for (const struct group *g = v->groups; g != NULL; g = g->next) {
        if (id != 0 && g->id != id)
            continue;
        report_section(f, "vrrp_group", g->name);
        fprintf(f, "id=%u\nstate=%s\n", g->id, vrrp_state_name(g->state));
        for (size_t k = 0; k < g->n; k++)
            report_line(f, "member", "%s", g->member[k]->b->name);
    }
}
