/*
 * snmp.c - see snmp.h. The daemon is asked when a manager asks, at most once a second, and not again in the
 * middle of its being busy: then the last answer stands, for half a minute. Statistics of IPVS are read as
 * seldom as snmp_vs_stats_update_interval says. Events are looked for twice a second, when there are
 * notifications to send or uptimes to know.
 */
#include "parent/snmp/snmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "parent/ctl/ask.h"
#include "parent/snmp/refuse.h"
#include "parent/snmp/trap_error.h"

#define SNMP_FRESH   NS_PER_SEC
#define SNMP_STALE   (30 * NS_PER_SEC)
#define SNMP_LOOK    (2 * NS_PER_SEC) /* what the configuration wants */
#define SNMP_EVENTS  (NS_PER_SEC / 2)
#define SNMP_ASK_MS  3000
#define SNMP_TURN_MS 250
#define SNMP_WAIT_US 500000

struct snmp {
    const struct snmp_opts *o;
    struct snmp_wish wish;
    struct view view;
    struct image image;
    struct traps traps;
    struct trap_errors errors;
    struct refuse refused;
    struct agent *agent;
    uint64_t asked_at, answered_at, table_at, looked_at, events_at;
};

void snmp_wish(const struct view *v, const struct snmp_opts *o, struct snmp_wish *out)
{
    const struct doc_part *daemon = doc_next(&v->state, NULL, "snmp"); /* its -x and -A */
    bool all = o->all || doc_yes(daemon, "all");
    bool rfc = all || view_global_yes(v, "enable_snmp_rfc");
    *out = (struct snmp_wish){ .vrrp = all || view_global_yes(v, "enable_snmp_vrrp") ||
                                       view_global_yes(v, "enable_snmp_keepalived"),
                               .check = all || view_global_yes(v, "enable_snmp_checker"),
                               .rfc2 = rfc || view_global_yes(v, "enable_snmp_rfcv2"),
                               .rfc3 = rfc || view_global_yes(v, "enable_snmp_rfcv3"),
                               .traps = view_global_yes(v, "enable_traps") };
    snprintf(out->socket, sizeof out->socket, "%s",
             o->agentx != NULL ? o->agentx
                               : doc_str(daemon, "agent_socket", view_global(v, "snmp_socket", "")));
}

static struct fill snmp_fill(struct snmp *s, struct image *into)
{
    return (struct fill){ .view = &s->view,
                          .image = into,
                          .traps = s->wish.traps,
                          .past = traps_past,
                          .arg = &s->traps,
                          .agent_ticks = s->agent != NULL ? agent_ticks() : 0 };
}

static void snmp_build(struct snmp *s)
{
    struct image fresh = { 0 };
    struct fill f = snmp_fill(s, &fresh);
    if (s->wish.vrrp || s->wish.check)
        fill_global(&f);
    if (s->wish.vrrp) {
        fill_vrrp(&f);
        fill_trackers(&f);
        fill_routes(&f);
        fill_rules(&f);
    }
    if (s->wish.check) {
        fill_check(&f);
        fill_lvs(&f);
    }
    if (s->wish.rfc2)
        fill_rfc2787(&f);
    if (s->wish.rfc3)
        fill_rfc6527(&f);
    image_sort(&fresh);
    image_free(&s->image);
    s->image = fresh;
}

/* How old statistics may be; both intervals are served by one list, so the shorter one counts. */
static uint64_t snmp_table_age(const struct view *v)
{
    double vs = strtod(view_global(v, "snmp_vs_stats_update_interval", "5"), NULL);
    double rs = strtod(view_global(v, "snmp_rs_stats_update_interval", "0"), NULL);
    double age = rs > 0 && rs < vs ? rs : vs;
    return age > 0 && age <= 30 ? (uint64_t)(age * (double)NS_PER_SEC) : 5 * NS_PER_SEC;
}

static void snmp_refresh(struct snmp *s)
{
    uint64_t now = clock_monotonic_ns();
    bool gone, table = s->wish.check && (s->table_at == 0 || now - s->table_at >= snmp_table_age(&s->view));
    if (s->asked_at != 0 && now - s->asked_at < SNMP_FRESH)
        return;
    unsigned int parts = (table ? VIEW_TABLE : 0) | (s->wish.vrrp ? VIEW_KERNEL : 0);
    int rc = view_refresh(&s->view, s->o->daemon, SNMP_ASK_MS, parts, &gone);
    s->asked_at = clock_monotonic_ns();
    if (rc == 0)
        s->answered_at = s->asked_at;
    if (rc == 0 && table)
        s->table_at = s->asked_at;
    if (rc < 0 && !gone && s->asked_at - s->answered_at < SNMP_STALE)
        return; /* busy: a reload, a restart of a process */
    if (rc < 0)
        view_free(&s->view);
    snmp_build(s);
}

static const struct image *snmp_image(void *arg)
{
    struct snmp *s = arg;
    snmp_refresh(s);
    return &s->image;
}

static void snmp_refused(const uint32_t *oid, size_t n, void *arg)
{
    struct snmp *s = arg;
    refuse_log(&s->refused, clock_monotonic_ns(), oid, n, STDERR_FILENO);
}

/* ---- events */

static struct trap_on snmp_on(const struct snmp *s)
{
    return (struct trap_on){ s->wish.vrrp, s->wish.check, s->wish.rfc2, s->wish.rfc3 };
}

static void snmp_on_event(const struct doc_part *e, void *arg)
{
    struct snmp *s = arg;
    struct fill f = snmp_fill(s, NULL);
    const struct trap_on on = snmp_on(s);
    if (s->wish.traps)
        trap_send(&on, &f, e);
}

static void snmp_events(struct snmp *s)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_EVENTS, .since = s->traps.last };
    struct doc d = { 0 };
    struct ask a;
    char *text;
    if (ask_open(&a, s->o->daemon, SNMP_ASK_MS) < 0)
        return;
    bool got = ask_text(&a, &r, &text) == 0;
    ask_close(&a);
    if (!got)
        return;
    doc_add(&d, text);
    free(text);
    if (doc_next(&d, NULL, "event") != NULL) {
        s->asked_at = 0; /* what we know is of before */
        snmp_refresh(s);
        traps_read(&s->traps, &d, snmp_on_event, s);
        snmp_build(s);
    } else {
        traps_read(&s->traps, &d, NULL, NULL);
    }
    doc_free(&d);
}

/* ---- the loop */

static void snmp_show(struct snmp *s)
{
    bool global = s->wish.vrrp || s->wish.check;
    agent_show(s->agent, FILL_GLOBAL, global);
    agent_show(s->agent, FILL_VRRP, s->wish.vrrp);
    agent_show(s->agent, FILL_CHECK, s->wish.check);
    agent_show(s->agent, FILL_VRRP_MIB, s->wish.rfc2);
    agent_show(s->agent, FILL_VRRPV3_MIB, s->wish.rfc3);
}

/* False: another socket of the master agent is configured. A daemon that is away wants what it wanted. */
static bool snmp_look(struct snmp *s)
{
    struct snmp_wish now;
    snmp_refresh(s);
    if (s->view.pid == 0)
        return true;
    snmp_wish(&s->view, s->o, &now);
    if (strcmp(now.socket, s->wish.socket) != 0)
        return false;
    s->wish = now;
    snmp_show(s);
    struct fill f = snmp_fill(s, NULL);
    const struct trap_on on = snmp_on(s);
    if (now.traps)
        trap_errors_look(&s->errors, &on, &f);
    return true;
}

struct snmp *snmp_new(const struct snmp_opts *o)
{
    struct snmp *s = xcalloc(1, sizeof *s);
    s->o = o;
    for (bool told = false; s->view.pid == 0; told = true) {
        bool gone;
        if (view_refresh(&s->view, o->daemon, SNMP_ASK_MS, 0, &gone) < 0 && !told)
            dprintf(STDERR_FILENO, "holdfast-snmp: waiting for the daemon at %s\n", o->daemon);
        if (s->view.pid == 0)
            usleep(SNMP_WAIT_US);
    }
    snmp_wish(&s->view, o, &s->wish);
    s->agent = agent_new(s->wish.socket[0] != '\0' ? s->wish.socket : NULL, snmp_image, snmp_refused, s);
    return s;
}

int snmp_run(struct snmp *s)
{
    snmp_show(s);
    for (;;) {
        uint64_t now = clock_monotonic_ns();
        if (now - s->events_at >= SNMP_EVENTS) {
            s->events_at = now;
            snmp_events(s);
        }
        if (now - s->looked_at >= SNMP_LOOK) {
            s->looked_at = now;
            if (!snmp_look(s)) {
                dprintf(STDERR_FILENO,
                        "holdfast-snmp: snmp_socket has changed: this ends, to be started again\n");
                return 0;
            }
        }
        agent_turn(s->agent, SNMP_TURN_MS);
    }
}
