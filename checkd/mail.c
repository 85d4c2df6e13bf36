/*
 * mail.c - from what happened to what is mailed: is it wanted, in which words, about which object. Ids and
 * reasons are looked up and cleaned; the slice is trusted. See mail.h.
 */
#include "checkd/mail.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checkd/mail_int.h"
#include "common/proto.h"

#define MAIL_KEY_MAX    512
#define MAIL_LAST_WORDS (20 * NS_PER_MS)

void mail_pre_jail(void)
{
    tzset();
}

struct mail *mail_new(struct ev *ev, struct tls_store *tls)
{
    struct mail *m = xcalloc(1, sizeof *m);
    m->ev = ev;
    m->tls = tls;
    mail_queue_init(&m->queue, 1, NS_PER_SEC);
    mail_office_init(m);
    return m;
}

/* ---- configuration */

int mail_prepare(struct mail *m, const struct slice *next, struct err *e)
{
    mail_abort(m);
    m->next = mail_config_new(m->tls, next, e);
    return m->next != NULL ? 0 : -1;
}

void mail_abort(struct mail *m)
{
    mail_config_free(m->next);
    m->next = NULL;
}

static bool mail_same_config(const struct slice *a, const struct slice *b)
{
    const struct slice_obj *x = a != NULL ? slice_next(a, NULL, BLK_GLOBAL, SLICE_ANY_PARENT) : NULL;
    const struct slice_obj *y = slice_next(b, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    return x != NULL && y != NULL && slice_obj_same(x, y);
}

void mail_commit(struct mail *m, const struct slice *now)
{
    bool same = m->now != NULL && mail_same_config(m->slice, now);
    m->slice = now;
    /* Objects that are gone are remembered until they would be more than those that are. */
    if (m->queue.nstates > slice_count(now))
        mail_queue_forget_all(&m->queue);
    if (same) {
        mail_abort(m);
        return;
    }
    if (mail_session_active(&m->session) && m->retired == NULL)
        m->retired = m->now; /* the mail in hand is finished by the rules it began with */
    else
        mail_config_free(m->now);
    m->now = m->next;
    m->next = NULL;
    mail_queue_limits(&m->queue, m->now->limit, m->now->max_age);
    mail_office_changed(m);
}

/* ---- events */

static void mail_put(struct mail *m, const char *key, unsigned int state, const char *subject,
                     const char *text)
{
    struct mail_entry e = {
        .key = key, .state = state, .subject = subject, .text = text, .real_ns = clock_realtime_ns()
    };
    if (mail_queue_put(&m->queue, ev_now(m->ev), &e) != MAIL_PUT_REPEATED)
        mail_office_kick(m);
}

static const struct slice_obj *mail_object(const struct mail *m, uint32_t id, enum blk blk)
{
    const struct slice_obj *o = m->slice != NULL ? slice_by_id(m->slice, id) : NULL;
    return o != NULL && o->blk == blk ? o : NULL;
}

/* The server and its service, when somebody wants to be told about it. */
static const struct slice_obj *mail_server_object(const struct mail *m, uint32_t rs, const char **vs)
{
    const struct slice_obj *o = m != NULL && m->now != NULL && m->now->on ? mail_object(m, rs, BLK_RS) : NULL;
    if (o == NULL || !slice_bool(o, KW_RS_SMTP_ALERT, false))
        return NULL;
    const struct slice_obj *v = mail_object(m, o->parent, BLK_VS);
    *vs = v != NULL ? slice_str(v, KW_VS_X_LABEL, v->name) : "?";
    return o;
}

void mail_server_event(struct mail *m, uint32_t rs, bool up, const char *reason)
{
    char key[MAIL_KEY_MAX], subject[MAIL_SUBJECT_MAX], text[MAIL_TEXT_MAX];
    const char *vs, *label;
    const struct slice_obj *o = mail_server_object(m, rs, &vs);
    if (o == NULL)
        return;
    label = slice_str(o, KW_RS_X_LABEL, o->name);
    snprintf(key, sizeof key, "rs %s %s", label, vs);
    mail_subject(subject, m->now->router_id, "Realserver %s of virtual server %s - %s", label, vs,
                 up ? "UP" : "DOWN");
    mail_text_frame(text, "%s", reason);
    mail_put(m, key, up, subject, text);
}

void mail_checker_event(struct mail *m, uint32_t rs, const char *kind, bool up, const char *reason)
{
    char key[MAIL_KEY_MAX], subject[MAIL_SUBJECT_MAX], text[MAIL_TEXT_MAX];
    const char *vs, *label;
    const struct slice_obj *o = mail_server_object(m, rs, &vs);
    if (o == NULL || m->now->no_checkers)
        return;
    label = slice_str(o, KW_RS_X_LABEL, o->name);
    snprintf(key, sizeof key, "check %s %s %s", label, vs, kind);
    mail_subject(subject, m->now->router_id, "Realserver %s of virtual server %s - %s", label, vs,
                 up ? "UP" : "DOWN");
    mail_text_frame(text, "%s %s: %s", kind, up ? "succeeded" : "failed", reason);
    mail_put(m, key, up, subject, text);
}

void mail_service_event(struct mail *m, uint32_t vs, bool up, const struct mail_quorum *q)
{
    char key[MAIL_KEY_MAX], subject[MAIL_SUBJECT_MAX], text[MAIL_TEXT_MAX];
    const struct slice_obj *o = m != NULL && m->now != NULL && m->now->on ? mail_object(m, vs, BLK_VS) : NULL;
    if (o == NULL || !slice_bool(o, KW_VS_SMTP_ALERT, false))
        return;
    const char *label = slice_str(o, KW_VS_X_LABEL, o->name);
    snprintf(key, sizeof key, "vs %s", label);
    mail_subject(subject, m->now->router_id, "Virtualserver %s - %s", label, up ? "UP" : "DOWN");
    mail_text_frame(text, "%s quorum: live weight %" PRIu64 ", quorum %" PRIu64 ", hysteresis %" PRIu64,
                    up ? "Gained" : "Lost", q->live, q->quorum, q->hysteresis);
    mail_put(m, key, up, subject, text);
}

static const char *const vrrp_subject[] = {
    [VRRP_STATE_BACKUP] = "Entering BACKUP state",
    [VRRP_STATE_MASTER] = "Entering MASTER state",
    [VRRP_STATE_FAULT] = "Entering FAULT state",
    [VRRP_STATE_STOP] = "Stopping",
    [MAIL_VRRP_DELETED] = "Deleted",
};

static const char *const vrrp_text[] = {
    [VRRP_STATE_BACKUP] = "no longer holds its virtual addresses",
    [VRRP_STATE_MASTER] = "now holds its virtual addresses",
    [VRRP_STATE_FAULT] = "cannot run here and holds no virtual addresses",
    [VRRP_STATE_STOP] = "stops and gives up its virtual addresses",
    [MAIL_VRRP_DELETED] = "is no longer configured and has given up its virtual addresses",
};

int mail_vrrp_event(struct mail *m, uint32_t obj, unsigned int state)
{
    char key[MAIL_KEY_MAX], subject[MAIL_SUBJECT_MAX], text[MAIL_TEXT_MAX];
    const struct slice_obj *o = m->slice != NULL ? slice_by_id(m->slice, obj) : NULL;
    if (o == NULL || (o->blk != BLK_VI && o->blk != BLK_SYNC))
        return -1;
    bool group = o->blk == BLK_SYNC;
    bool wanted = slice_bool(o, group ? KW_SYNC_SMTP_ALERT : KW_VI_SMTP_ALERT, false);
    if (m->now == NULL || !m->now->on || !wanted || state > MAIL_VRRP_DELETED || vrrp_subject[state] == NULL)
        return 0;
    if (state == VRRP_STATE_FAULT && m->now->no_faults)
        return 0;
    snprintf(key, sizeof key, "%s %s", group ? "group" : "instance", o->name);
    mail_subject(subject, m->now->router_id, "VRRP %s %s - %s", group ? "Group" : "Instance", o->name,
                 vrrp_subject[state]);
    mail_text_frame(text, "VRRP %s %s %s", group ? "group" : "instance", o->name, vrrp_text[state]);
    mail_put(m, key, state, subject, text);
    if (state == MAIL_VRRP_DELETED)
        mail_queue_forget(&m->queue, key); /* one of the same name later is another one */
    return 0;
}

/* ---- the end */

void mail_stop(struct mail *m, uint64_t patience_ns, void (*done)(void *arg), void *arg)
{
    if (m->now == NULL || !m->now->on) {
        mail_office_close(m);
        done(arg);
        return;
    }
    m->stopped = done;
    m->stopped_arg = arg;
    m->stop_at = ev_now(m->ev) + patience_ns;
    m->failures = 0;
    m->hold_until = 0;
    ev_timer_in(m->ev, &m->timer, MAIL_LAST_WORDS); /* of vrrpd, which may still lie unread */
}

void mail_dump(const struct mail *m, int fd)
{
    if (m->now == NULL || !m->now->on)
        return;
    dprintf(fd, "------< Alert mail >------\n Server = %s\n Recipients = %zu\n Waiting = %zu\n",
            m->now->where, m->now->nto, m->queue.count);
    dprintf(fd,
            " Delivered = %" PRIu64 "\n Refused = %" PRIu64 "\n Merged = %" PRIu64 "\n Repeated = %" PRIu64
            "\n Lost = %" PRIu64 "\n Failed attempts = %" PRIu64 "\n",
            m->delivered, m->refused, m->queue.merged, m->queue.repeated,
            m->queue.overflowed + m->queue.expired, m->failed);
}
