/*
 * mail_office.c - when the mail server is called, and what becomes of what waits: one dialogue at a time
 * takes all that waits; after a failure the next address, then patience that doubles; what a server put off
 * has a patience of its own. Nothing is lost silently: what is given up is said in the log, and in a mail as
 * soon as one gets through. Called by mail.c and from the loop.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "checkd/mail_int.h"

#define OFFICE_PATIENCE     (5 * NS_PER_SEC)
#define OFFICE_PATIENCE_MAX (300 * NS_PER_SEC)
#define OFFICE_LOG_EVERY    (60 * NS_PER_SEC)

/* 5 s, 10 s ... 300 s, a fifth more or less so that a rack of directors does not knock in step. */
static uint64_t office_patience(uint32_t failures)
{
    uint64_t d = OFFICE_PATIENCE, dice = 0;
    for (uint32_t i = 1; i < failures && d < OFFICE_PATIENCE_MAX; i++)
        d *= 2;
    if (d > OFFICE_PATIENCE_MAX)
        d = OFFICE_PATIENCE_MAX;
    if (getrandom(&dice, sizeof dice, 0) != sizeof dice)
        dice = 0;
    return d - d / 5 + dice % (2 * d / 5);
}

static const struct mail_config *office_config(const struct mail *m)
{
    return m->retired != NULL ? m->retired : m->now;
}

/* ---- one mail */

static void office_build(struct mail *m, const struct mail_config *c, struct mail_item *i,
                         struct mail_letter *out)
{
    time_t at = (time_t)(i->real_ns / NS_PER_SEC);
    struct mail_message msg = { .from = c->from,
                                .to = (const char *const *)c->to,
                                .nto = c->nto,
                                .subject = i->subject,
                                .text = i->text,
                                .host = c->server.helo,
                                .id = { m->id, i->serial },
                                .merged = i->merged };
    localtime_r(&at, &msg.at); /* the zone was read by mail_pre_jail */
    free(m->data);
    m->data = mail_message_build(&msg, &out->len);
    out->data = m->data;
    out->from = c->from_env;
    out->to = (const char *const *)c->to_env;
    out->nto = c->nto;
    out->done = &i->done;
}

/* How many were given up for want of room, to those who would have got them. */
static void office_say_lost(struct mail *m)
{
    char subject[MAIL_SUBJECT_MAX], text[MAIL_TEXT_MAX];
    uint64_t lost = m->queue.overflowed + m->queue.expired - m->lost_told;
    struct mail_entry e = { .key = "lost",
                            .state = (unsigned int)(m->queue.overflowed + m->queue.expired),
                            .subject = subject,
                            .text = text,
                            .real_ns = clock_realtime_ns() };
    if (lost == 0)
        return;
    mail_subject(subject, m->now->router_id, "Alert mails lost: %" PRIu64, lost);
    mail_text_frame(text,
                    "%" PRIu64 " alert mails were given up: more than %zu waited, or longer than %" PRIu64
                    " s, while the mail server took none",
                    lost, m->now->limit, m->now->max_age / NS_PER_SEC);
    m->lost_told += lost;
    mail_queue_put(&m->queue, ev_now(m->ev), &e);
}

static bool office_next(void *arg, struct mail_letter *out)
{
    struct mail *m = arg;
    if (m->retired != NULL) /* the rest goes by the new configuration */
        return false;
    m->item = mail_queue_next(&m->queue, ev_now(m->ev));
    if (m->item == NULL)
        return false;
    m->item->busy = true;
    office_build(m, m->now, m->item, out);
    return true;
}

static void office_verdict(void *arg, enum mail_result r, const char *why)
{
    struct mail *m = arg;
    struct mail_item *i = m->item;
    uint64_t more, now = ev_now(m->ev);
    m->item = NULL;
    i->busy = false;
    if (r == MAIL_LATER) {
        i->not_before = now + office_patience(++i->attempts);
        if (m->retired != NULL)
            i->done = 0; /* bits of recipients of former days */
        if (log_allow(&m->refused_limit, now, OFFICE_LOG_EVERY, &more))
            log_warn("mail \"%s\" was put off, it is tried again: %s (%" PRIu64 " more not said)", i->subject,
                     why, more);
        return;
    }
    if (r == MAIL_NEVER) {
        m->refused++;
        log_err("mail \"%s\" is given up, the server does not want it: %s", i->subject, why);
    } else {
        log_debug("mail \"%s\": %s", i->subject, why);
        m->delivered++;
        if (m->failures > 0)
            log_notice("the mail server %s takes alerts again, %zu wait", office_config(m)->where,
                       m->queue.count - 1);
        m->failures = 0;
    }
    mail_queue_done(&m->queue, i);
    if (r == MAIL_DELIVERED)
        office_say_lost(m);
}

static void office_refused(void *arg, const char *to, const char *why)
{
    struct mail *m = arg;
    uint64_t more;
    if (log_allow(&m->refused_limit, ev_now(m->ev), OFFICE_LOG_EVERY, &more))
        log_warn("mail to %s: %s (%" PRIu64 " more not said)", to, why, more);
}

/* ---- the dialogue */

static void office_failed(struct mail *m, const char *why)
{
    char who[IPADDR_STRLEN] = "";
    uint64_t more, now = ev_now(m->ev);
    m->failed++;
    if (m->addr < m->naddrs)
        ipaddr_str(&m->addrs[m->addr], who);
    if (m->naddrs > 0 && ++m->addr < m->naddrs && m->stop_at == 0) {
        m->hold_until = now;
    } else {
        m->naddrs = m->addr = 0; /* ask again next time */
        m->hold_until = now + office_patience(++m->failures);
    }
    if (log_allow(&m->failed_limit, now, m->failures > 1 ? OFFICE_LOG_EVERY : 0, &more))
        log_warn("mail server %s%s%s%s: %s; %zu alerts wait, next try in %" PRIu64 " s (%" PRIu64
                 " more failures not said)",
                 office_config(m)->where, who[0] != '\0' ? " [" : "", who, who[0] != '\0' ? "]" : "", why,
                 m->queue.count, (m->hold_until - now) / NS_PER_SEC, more);
}

static void office_ended(void *arg, const char *why)
{
    struct mail *m = arg;
    if (m->item != NULL)
        m->item->busy = false;
    m->item = NULL;
    if (why != NULL && m->retired == NULL)
        office_failed(m, why);
    mail_config_free(m->retired);
    m->retired = NULL;
    mail_office_kick(m);
}

static const struct mail_session_ops office_ops = {
    .next = office_next,
    .verdict = office_verdict,
    .refused = office_refused,
    .ended = office_ended,
};

static void office_found(void *arg, const struct ipaddr *a, size_t n, const char *why)
{
    struct mail *m = arg;
    memcpy(m->addrs, a, n * sizeof *a);
    m->naddrs = n;
    m->addr = 0;
    if (n == 0)
        office_failed(m, why);
    mail_office_kick(m);
}

static void office_call(struct mail *m)
{
    const struct mail_config *c = m->now;
    if (m->naddrs == 0 && c->naddrs > 0) {
        memcpy(m->addrs, c->addrs, sizeof m->addrs);
        m->naddrs = c->naddrs;
        m->addr = 0;
    }
    if (m->naddrs == 0)
        mail_lookup_start(&m->lookup, (const char *const *)c->names, c->nnames, c->resolvers, c->nresolvers,
                          office_found, m);
    else
        mail_session_start(&m->session, &c->server, &m->addrs[m->addr], &office_ops, m);
}

/* ---- when */

static void office_expire(struct mail *m, uint64_t now)
{
    uint64_t more;
    size_t n = mail_queue_expire(&m->queue, now);
    if (n > 0 && log_allow(&m->lost_limit, now, OFFICE_LOG_EVERY, &more))
        log_err("%zu alert mails are given up: the mail server has taken none for %" PRIu64 " s", n,
                m->now->max_age / NS_PER_SEC);
}

/* True: it is over. */
static bool office_stopping(struct mail *m, uint64_t now)
{
    if (m->stop_at == 0)
        return false;
    bool busy = mail_session_active(&m->session) || m->lookup.active;
    if (m->queue.count > 0 && now < m->stop_at && (busy || m->failures == 0))
        return false;
    if (m->queue.count > 0)
        log_warn("%zu alert mails have not been taken by the mail server before the end", m->queue.count);
    mail_office_close(m);
    m->stop_at = 0;
    m->stopped(m->stopped_arg);
    return true;
}

static void office_run(struct ev_timer *t, uint64_t now, void *arg)
{
    struct mail *m = arg;
    (void)t;
    if (m->now == NULL || office_stopping(m, now))
        return;
    office_expire(m, now);
    uint64_t due = mail_queue_due(&m->queue);
    bool busy = mail_session_active(&m->session) || m->lookup.active;
    if (!busy && m->now->on && now >= m->hold_until && mail_queue_next(&m->queue, now) != NULL) {
        office_call(m);
        return; /* its end kicks */
    }
    if (due <= now) /* held back: not before */
        due = m->hold_until > now ? m->hold_until : now + OFFICE_PATIENCE;
    if (m->stop_at != 0 && m->stop_at < due)
        due = m->stop_at;
    if (due != UINT64_MAX && !busy)
        ev_timer_at(m->ev, &m->timer, due);
    else if (m->stop_at != 0)
        ev_timer_at(m->ev, &m->timer, m->stop_at);
}

void mail_office_init(struct mail *m)
{
    ev_timer_init(&m->timer, office_run, m);
    mail_session_init(&m->session, m->ev);
    mail_lookup_init(&m->lookup, m->ev);
    if (getrandom(&m->id, sizeof m->id, 0) != sizeof m->id)
        m->id = clock_realtime_ns();
}

void mail_office_kick(struct mail *m)
{
    if (!mail_session_active(&m->session) && !m->lookup.active)
        ev_timer_in(m->ev, &m->timer, 0);
}

void mail_office_changed(struct mail *m)
{
    mail_lookup_abandon(&m->lookup);
    m->naddrs = m->addr = 0;
    m->failures = 0;
    m->hold_until = 0;
    mail_office_kick(m);
}

void mail_office_close(struct mail *m)
{
    ev_timer_stop(m->ev, &m->timer);
    mail_session_abandon(&m->session);
    mail_lookup_abandon(&m->lookup);
    if (m->item != NULL)
        m->item->busy = false;
    m->item = NULL;
    free(m->data);
    m->data = NULL;
    mail_config_free(m->retired);
    m->retired = NULL;
}
