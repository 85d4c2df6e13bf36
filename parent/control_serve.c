/*
 * control_serve.c - the answers; see control.h. One request at a time for each connection. A child's words
 * are copied as bytes from the file it wrote, never read here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "parent/control_int.h"
#include "parent/events.h"
#include "parent/lifecycle.h"
#include "parent/operator.h"
#include "parent/parent.h"
#include "parent/reload.h"
#include "parent/status.h"

#define CONTROL_PIECES      64 /* messages for one client in one turn */
#define CONTROL_PAUSE       NS_PER_MS
#define CONTROL_SLOW        (20 * NS_PER_MS) /* a reader that does not read is looked at so often */
#define CONTROL_REPORTS_MAX 4                /* asked of one child at the same time */
#define CONTROL_EVENTS      64               /* told in one go */

/* ---- leaving */

void control_answer_end(struct control_client *c)
{
    free(c->answer.text);
    if (c->answer.fd >= 0)
        close(c->answer.fd);
    c->answer = (struct control_answer){ .fd = -1 };
    c->answering = false;
}

/* The next piece; 0: there is none left. */
static uint16_t control_piece(struct control_answer *a, uint8_t *buf, size_t size)
{
    size_t n = a->len - a->done < size ? a->len - a->done : size;
    if (n > 0) {
        memcpy(buf, a->text + a->done, n);
        a->done += n;
        return (uint16_t)n;
    }
    ssize_t got = a->fd >= 0 ? pread(a->fd, buf, size, a->at) : 0;
    a->at += got > 0 ? got : 0;
    return got > 0 ? (uint16_t)got : 0;
}

static void control_send_more(struct control_client *c)
{
    struct msg_ctl_reply m;
    for (int n = 0; n < CONTROL_PIECES && chan_room(c->ch) > 0; n++) {
        m.text_len = control_piece(&c->answer, m.text, sizeof m.text);
        m.last = m.text_len == 0 && !c->follows;
        m.status = (uint8_t)(m.last ? c->answer.status : 0);
        if (m.text_len > 0 || m.last)
            chan_send(c->ch, MSG_ctl_reply, &m, NULL, 0);
        if (m.text_len == 0) {
            control_answer_end(c);
            return;
        }
    }
}

/* Takes text and fd. */
static void control_begin(struct control_client *c, int status, char *text, size_t len, int fd)
{
    control_answer_end(c);
    c->answer = (struct control_answer){ .text = text, .len = len, .fd = fd, .status = status };
    c->answering = true;
    control_send_more(c);
    if (c->answering && !ev_timer_armed(&c->ctl->pump))
        ev_timer_in(c->ctl->p->ev, &c->ctl->pump, CONTROL_PAUSE);
}

void control_reply(struct control_client *c, int status, const char *text, size_t len)
{
    char *copy = xmalloc(len + 1);
    memcpy(copy, text, len);
    control_begin(c, status, copy, len, -1);
}

void control_say(struct control_client *c, int status, const char *text)
{
    control_reply(c, status, text, strlen(text));
}

void control_answer(struct control *ctl, uint32_t client, int status, const char *text, size_t len)
{
    for (struct control_client *c = ctl != NULL ? ctl->clients : NULL; c != NULL; c = c->next)
        if (c->id == client && c->waits_for_order) {
            c->waits_for_order = false;
            control_reply(c, status, text, len);
            return;
        }
}

static void control_tell_events(struct control_client *c)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        return; /* short of memory: at the next event */
    c->seen = events_print(c->ctl->p->events, c->seen, CONTROL_EVENTS, f);
    if (fclose(f) == 0)
        control_begin(c, 0, text, len, -1);
}

/* False: it has everything there is. */
static bool control_serve_more(struct control_client *c)
{
    if (chan_flush(c->ch) != 0)
        return c->answering || c->follows; /* it reads slowly, or is dying: on_dead tells */
    if (c->answering)
        control_send_more(c);
    else if (c->follows && c->seen < events_last(c->ctl->p->events))
        control_tell_events(c);
    return c->answering || (c->follows && c->seen < events_last(c->ctl->p->events));
}

void control_on_pump(struct ev_timer *t, uint64_t now, void *arg)
{
    struct control *ctl = arg;
    bool more = false, slow = true;
    (void)now;
    for (struct control_client *c = ctl->clients; c != NULL; c = c->next) {
        bool wants = control_serve_more(c);
        more = more || wants;
        slow = slow && (!wants || chan_flush(c->ch) != 0);
    }
    if (more)
        ev_timer_in(ctl->p->ev, t, slow ? CONTROL_SLOW : CONTROL_PAUSE);
}

void control_on_event(void *arg)
{
    struct control *ctl = arg;
    bool anybody = false;
    for (const struct control_client *c = ctl->clients; c != NULL && !anybody; c = c->next)
        anybody = c->follows;
    if (anybody && !ev_timer_armed(&ctl->pump))
        ev_timer_in(ctl->p->ev, &ctl->pump, CONTROL_PAUSE);
}

/* ---- reports of the children */

static void control_report_over(struct control_client *c, int status, const char *text)
{
    int fd = c->report;
    c->waits_for_report = false;
    c->report = -1;
    if (status == 0) {
        control_begin(c, 0, NULL, 0, fd);
        return;
    }
    close(fd);
    control_say(c, status, text);
}

void control_on_reported(struct control *ctl, enum role who, const struct msg_reported *m)
{
    for (struct control_client *c = ctl != NULL ? ctl->clients : NULL; c != NULL; c = c->next)
        if (c->waits_for_report && c->reporter == who && c->token == m->token) {
            control_report_over(c, m->ok ? 0 : CTL_STATUS_AGAIN, "a reload came between\n");
            return;
        }
    /* who asked has left */
}

void control_on_death(struct control *ctl, enum role who)
{
    for (struct control_client *c = ctl != NULL ? ctl->clients : NULL; c != NULL; c = c->next)
        if (c->waits_for_report && c->reporter == who)
            control_report_over(c, CTL_STATUS_AGAIN, "that process has just been replaced\n");
}

static size_t control_reports(const struct control *ctl, enum role who)
{
    size_t n = 0;
    for (const struct control_client *c = ctl->clients; c != NULL; c = c->next)
        n += c->waits_for_report && c->reporter == who;
    return n;
}

static void control_ask(struct control_client *c, struct room *m, const struct msg_ctl_request *r)
{
    struct msg_report q = { .token = ++c->ctl->token, .what = r->what, .obj = r->obj };
    int mine = memfd_create("report", MFD_CLOEXEC), theirs = -1;
    if (mine >= 0)
        theirs = fcntl(mine, F_DUPFD_CLOEXEC, 3);
    if (theirs < 0 || chan_send(m->ch, MSG_report, &q, &theirs, 1) < 0) {
        int saved = errno;
        if (mine >= 0)
            close(mine);
        control_say(c, 1, strerror(saved));
        return;
    }
    c->report = mine;
    c->token = q.token;
    c->reporter = m->role;
    c->waits_for_report = true;
}

static void control_report(struct control_client *c, const struct msg_ctl_request *r)
{
    struct parent *p = c->ctl->p;
    struct room *m = r->role >= ROLE_VRRPD && r->role <= ROLE_IPVSD ? &p->room[r->role] : NULL;
    if (m == NULL)
        control_say(c, 1, "only vrrpd, checkd and ipvsd report\n");
    else if (!m->wanted)
        control_say(c, 0, ""); /* not needed: it has nothing to tell */
    else if (m->state != ROOM_STARTED || reload_busy(p->reload))
        control_say(c, CTL_STATUS_AGAIN, "that process is being started or reloaded\n");
    else if (r->generation != 0 && p->cur->generation != r->generation)
        control_say(c, CTL_STATUS_AGAIN, "a reload came between\n");
    else if (control_reports(c->ctl, m->role) >= CONTROL_REPORTS_MAX)
        control_say(c, CTL_STATUS_AGAIN, "too many ask at the same time\n");
    else
        control_ask(c, m, r);
}

/* ---- requests */

static void control_events(struct control_client *c, const struct msg_ctl_request *r)
{
    const struct events *e = c->ctl->p->events;
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        fatal("out of memory");
    bool again = r->since > events_last(e); /* numbers of a daemon before this one */
    c->seen = again ? 0 : r->since;
    fprintf(f, "[events]\nfirst=%llu\nlast=%llu\nrestarted=%s\nlost=%llu\n",
            (unsigned long long)events_first(e), (unsigned long long)events_last(e), again ? "yes" : "no",
            (unsigned long long)(r->since != 0 && c->seen + 1 < events_first(e)
                                     ? events_first(e) - c->seen - 1
                                     : 0));
    c->seen = events_print(e, c->seen, EVENTS_KEPT, f);
    if (fclose(f) != 0)
        fatal("out of memory");
    c->follows = r->follow != 0;
    control_begin(c, 0, text, len, -1);
}

static void control_restart(struct control_client *c, unsigned int role)
{
    struct parent *p = c->ctl->p;
    if (role < ROLE_VRRPD || role > ROLE_IPVSD)
        control_say(c, 1, "only vrrpd, checkd and ipvsd can be restarted\n");
    else if (p->phase != PARENT_PHASE_RUNNING || reload_busy(p->reload))
        control_say(c, 1, "not now: the daemon is starting, reloading or stopping\n");
    else if (supervise_restart(p, (enum role)role) < 0)
        control_say(c, 1, "that role does not run now\n");
    else
        control_say(c, 0, "restarting\n");
}

static void control_text(struct control_client *c, char *text, size_t len)
{
    control_begin(c, 0, text, len, -1);
}

static void control_reload(struct control_client *c, uint32_t trial_s)
{
    struct parent *p = c->ctl->p;
    if (trial_s > 0 &&
        (p->phase != PARENT_PHASE_RUNNING || reload_on_trial(p->reload, trial_s * NS_PER_SEC) < 0)) {
        control_say(c, 1,
                    "not now: the daemon is starting or stopping, or the last reload waits to be confirmed "
                    "(holdctl confirm)\n");
        return;
    }
    c->waits_for_reload = true;
    lifecycle_reload(p);
}

/* Carried out elsewhere; control_answer comes back. */
static void control_order(struct control_client *c, const struct msg_ctl_request *r)
{
    struct parent *p = c->ctl->p;
    c->waits_for_order = true;
    if (r->verb == CTL_VERB_SERVER)
        operator_server(p->operator, c->id, r);
    else if (r->verb == CTL_VERB_SWITCH)
        operator_switch(p->operator, c->id, r);
    else if (p->phase == PARENT_PHASE_RUNNING && reload_plan(p->reload, c->id) == 0)
        return;
    else
        control_answer(c->ctl, c->id, CTL_STATUS_AGAIN, "a start, a reload or a stop is under way\n", 41);
}

int control_serve(struct control_client *c, const struct msg_ctl_request *r)
{
    struct parent *p = c->ctl->p;
    size_t len = 0;
    char *text;
    if (c->answering || c->waits_for_report || c->waits_for_reload || c->waits_for_order || c->follows)
        return -1; /* one after another */
    if (c->reader && (r->verb >= 32 || (CTL_VERBS_READING & 1u << r->verb) == 0)) {
        control_say(c, 1, "this socket answers questions and takes no orders\n");
        return 0;
    }
    switch ((enum ctl_verb)r->verb) {
    case CTL_VERB_STATUS:
        text = status_named(p, r->name, &len);
        control_text(c, text, len);
        return 0;
    case CTL_VERB_SCRIPTS:
        text = status_scripts(p, &len);
        control_text(c, text, len);
        return 0;
    case CTL_VERB_REPORT: control_report(c, r); return 0;
    case CTL_VERB_EVENTS: control_events(c, r); return 0;
    case CTL_VERB_RELOAD: control_reload(c, r->number); return 0;
    case CTL_VERB_RESTART: control_restart(c, r->role); return 0;
    case CTL_VERB_STOP:
        control_say(c, 0, "stopping\n");
        chan_flush(c->ch);
        lifecycle_end(p, 0);
        return 0;
    case CTL_VERB_SERVER:
    case CTL_VERB_SWITCH:
    case CTL_VERB_PLAN: control_order(c, r); return 0;
    case CTL_VERB_CONFIRM:
        if (reload_confirm(p->reload) == 0)
            control_say(c, 0, "confirmed: the configuration in force stays\n");
        else
            control_say(c, 1, "no reload waits to be confirmed\n");
        return 0;
    }
    control_say(c, 1, "this daemon does not know that request\n");
    return 0;
}
