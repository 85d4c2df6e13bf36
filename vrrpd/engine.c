/* engine.c - see engine.h. One function an input and state; every change of state goes through engine_become.
 */
#include "vrrpd/engine.h"

#include <stdio.h>
#include <string.h>

#include "vrrpd/engine_int.h"

#define ENGINE_SECS(ns) ((double)(ns) / (double)NS_PER_SEC)
#define ENGINE_GRACE    (50 * NS_PER_MS)

uint64_t engine_skew(const struct engine_cfg *c, uint64_t master_interval)
{
    uint64_t unit = c->version == 2 ? NS_PER_SEC : master_interval;
    return (256u - c->priority) * unit / 256u;
}

uint64_t engine_down_interval(const struct engine_cfg *c, uint64_t master_interval)
{
    return c->down_adverts * master_interval + engine_skew(c, master_interval);
}

uint64_t engine_deadline(const struct engine *e)
{
    switch (e->state) {
    case VRRP_STATE_INIT: return e->start_at;
    case VRRP_STATE_BACKUP: return e->held ? TIME_NEVER : e->down_at;
    case VRRP_STATE_MASTER: return e->answer_at < e->adv_at ? e->answer_at : e->adv_at;
    case VRRP_STATE_FAULT:
    case VRRP_STATE_STOP: return TIME_NEVER;
    }
    return TIME_NEVER;
}

/* An advert that is merely late, or read late, is no news. */
uint64_t engine_overdue_at(const struct engine *e)
{
    uint64_t grace = e->master_interval / 2 > ENGINE_GRACE ? e->master_interval / 2 : ENGINE_GRACE;
    if (e->state != VRRP_STATE_BACKUP || e->held || e->silent)
        return TIME_NEVER;
    return e->down_from + e->master_interval + grace;
}

void engine_arm(struct engine *e)
{
    uint64_t end = engine_deadline(e), look = engine_overdue_at(e);
    e->ops->arm(e->arg, look < end ? look : end);
}

/* Whoever comes after us goes on waiting where we stand; once the master speaks that must not be believed. */
static void engine_silence(struct engine *e, bool silent)
{
    if (e->silent == silent)
        return;
    e->silent = silent;
    e->ops->learned(e->arg);
}

bool engine_nopreempt(const struct engine *e)
{
    return e->cfg.nopreempt && e->cfg.priority != ENGINE_OWNER;
}

void engine_init(struct engine *e, const struct engine_cfg *cfg, const struct engine_ops *ops, void *arg)
{
    memset(e, 0, sizeof *e);
    e->cfg = *cfg;
    e->ops = ops;
    e->arg = arg;
    e->state = VRRP_STATE_INIT;
    e->start_at = TIME_NEVER;
    e->answer_at = TIME_NEVER;
    e->master_interval = cfg->interval;
}

void engine_set_source(struct engine *e, const struct ipaddr *src)
{
    e->src = *src;
}

void engine_send(struct engine *e, bool resign, uint64_t now)
{
    e->stats.adverts_sent++;
    if (resign)
        e->stats.prio_zero_sent++;
    e->last_tx = now;
    e->ops->send(e->arg, resign);
}

/* ---- transitions */

static void engine_become(struct engine *e, enum vrrp_state to, const char *cause)
{
    enum vrrp_state from = e->state;
    e->state = to;
    e->held = false;
    e->silent = false;
    if (to == VRRP_STATE_MASTER)
        e->stats.became_master++;
    else if (from == VRRP_STATE_MASTER)
        e->stats.released_master++;
    e->ops->state(e->arg, from, cause);
}

void engine_wait(struct engine *e, uint64_t from)
{
    e->resigned = false;
    e->discarding = false;
    e->held = false;
    engine_silence(e, false);
    e->down_from = from;
    e->down_at = from + engine_down_interval(&e->cfg, e->master_interval);
}

static void engine_to_master(struct engine *e, uint64_t now, const char *cause)
{
    e->adv_at = now + e->cfg.interval;
    e->answer_at = TIME_NEVER;
    e->owe_advert = false;
    e->owe_garp = false;
    e->preempt_at = 0;
    e->rogue_at = 0;
    e->discarding = false;
    e->resigned = false;
    e->heard_at = 0;
    e->gives_way = false;
    e->master_interval = e->cfg.interval; /* ours again, see behaviour 4 */
    engine_send(e, false, now);           /* advert first, then addresses */
    engine_become(e, VRRP_STATE_MASTER, cause);
}

static bool engine_delayed(const struct engine *e, uint64_t at)
{
    return e->start_at != TIME_NEVER && at < e->start_at; /* never: it has not been started */
}

/* It takes the addresses at once, without asking for a master. */
static bool engine_owns(const struct engine *e)
{
    return e->cfg.priority == ENGINE_OWNER && !e->cfg.start_backup;
}

static void engine_begin(struct engine *e, uint64_t now, const char *why)
{
    bool delayed = engine_delayed(e, now);
    char cause[ENGINE_CAUSE_MAX];
    e->master_interval = e->cfg.interval;
    e->heard_at = 0;
    e->preempt_at = 0;
    memset(&e->master, 0, sizeof e->master);
    if (engine_owns(e)) {
        snprintf(cause, sizeof cause, "%s, and priority 255 owns the addresses", why);
        engine_to_master(e, now, cause);
        return;
    }
    engine_wait(e, delayed ? e->start_at : now);
    if (delayed)
        snprintf(cause, sizeof cause, "%s, after a delay of %.2f s listening for a master for %.2f s", why,
                 ENGINE_SECS(e->start_at - now), ENGINE_SECS(e->down_at - e->down_from));
    else
        snprintf(cause, sizeof cause, "%s, listening for a master for %.2f s", why,
                 ENGINE_SECS(e->down_at - e->down_from));
    engine_become(e, VRRP_STATE_BACKUP, cause);
}

void engine_start(struct engine *e, uint64_t now, uint64_t start_at)
{
    if (e->state != VRRP_STATE_INIT)
        return;
    e->start_at = start_at > now ? start_at : 0; /* 0: what waits in the queue is heard */
    if (start_at <= now || !engine_owns(e))
        engine_begin(e, now, "started");
    engine_arm(e);
}

void engine_fault(struct engine *e, uint64_t now, const char *why)
{
    if (e->state == VRRP_STATE_FAULT || e->state == VRRP_STATE_STOP)
        return;
    if (e->state == VRRP_STATE_MASTER)
        engine_send(e, true, now);
    engine_become(e, VRRP_STATE_FAULT, why);
    engine_arm(e);
}

void engine_fault_clear(struct engine *e, uint64_t now, const char *why)
{
    if (e->state != VRRP_STATE_FAULT)
        return;
    if (engine_delayed(e, now) && engine_owns(e))
        engine_become(e, VRRP_STATE_INIT, why);
    else
        engine_begin(e, now, why);
    engine_arm(e);
}

bool engine_stop(struct engine *e, const char *why)
{
    if (e->state == VRRP_STATE_STOP)
        return false;
    bool was_master = e->state == VRRP_STATE_MASTER;
    engine_become(e, VRRP_STATE_STOP, why);
    engine_arm(e);
    return was_master;
}

void engine_resign(struct engine *e)
{
    engine_send(e, true, e->last_tx);
}

/* ---- adverts */

static void engine_learn(struct engine *e, const struct engine_advert *a, uint64_t rx_at)
{
    uint64_t interval = e->cfg.version == 2 || a->interval == 0 ? e->cfg.interval : a->interval;
    bool news = !ipaddr_same(&a->src, &e->master) || a->priority != e->master_priority ||
                interval != e->master_interval;
    e->master = a->src;
    e->master_priority = a->priority;
    e->master_interval = interval;
    e->heard_at = rx_at;
    if (news)
        e->ops->learned(e->arg);
}

/* A lower master and we may preempt: is it still to be respected because preempt_delay has not ended? */
static bool engine_delaying(struct engine *e, uint64_t rx_at)
{
    if (e->cfg.preempt_delay == 0)
        return false;
    if (e->preempt_at == 0) {
        e->preempt_at = rx_at + e->cfg.preempt_delay;
        e->ops->learned(e->arg); /* a successor is not to begin it anew */
    }
    return rx_at < e->preempt_at;
}

static void engine_rx_backup(struct engine *e, const struct engine_advert *a, uint64_t rx_at)
{
    if (a->priority == 0) {
        uint64_t end = rx_at + engine_skew(&e->cfg, e->master_interval);
        e->stats.prio_zero_rcvd++;
        if (e->held)
            return; /* it wants to already */
        if (e->resigned && end >= e->down_at)
            return; /* repeated resignations do not put the takeover off */
        e->resigned = true;
        e->master = a->src;
        e->down_from = rx_at;
        e->down_at = end;
        e->silent = true; /* told again if it was: the wait ends at another time now */
        e->ops->learned(e->arg);
        return;
    }
    bool lower = a->priority < e->cfg.priority;
    if (!lower)
        e->preempt_at = 0;
    if (!lower || engine_nopreempt(e) || e->gives_way || engine_delaying(e, rx_at)) {
        engine_learn(e, a, rx_at);
        engine_wait(e, rx_at);
        return;
    }
    e->lower = a->src;
    e->lower_priority = a->priority;
    e->discarding = true;
}

static void engine_answer(struct engine *e, uint64_t now)
{
    bool advert = e->owe_advert, garp = e->owe_garp;
    e->answer_at = TIME_NEVER;
    e->owe_advert = false;
    e->owe_garp = false;
    if (advert)
        engine_send(e, false, now);
    if (garp && (e->last_garp == 0 || now - e->last_garp >= ENGINE_GARP_GAP)) {
        e->last_garp = now;
        e->ops->garp(e->arg);
    }
}

/* Owes an answer at once, but not a storm of them. */
static void engine_owe(struct engine *e, uint64_t now, bool advert, bool garp)
{
    e->owe_advert |= advert;
    e->owe_garp |= garp;
    if (now >= e->last_tx + ENGINE_ANSWER_GAP)
        engine_answer(e, now);
    else
        e->answer_at = e->last_tx + ENGINE_ANSWER_GAP;
}

static void engine_yield(struct engine *e, const struct engine_advert *a, uint64_t rx_at, uint64_t now)
{
    char cause[ENGINE_CAUSE_MAX], who[IPADDR_STRLEN];
    ipaddr_str(&a->src, who);
    if (a->priority != e->cfg.priority)
        snprintf(cause, sizeof cause, "%s advertises %s priority %u (ours %u)", who,
                 a->priority > e->cfg.priority ? "higher" : "lower (nopreempt)", a->priority,
                 e->cfg.priority);
    else if (ipaddr_cmp(&a->src, &e->src) > 0)
        snprintf(cause, sizeof cause, "%s advertises equal priority %u from a higher address", who,
                 a->priority);
    else
        snprintf(cause, sizeof cause,
                 "%s says it owns the addresses as well (255) and does not give way: compare the priorities",
                 who);
    if (e->cfg.higher_prio_send_advert)
        engine_send(e, false, now);
    engine_learn(e, a, rx_at);
    engine_wait(e, rx_at);
    engine_become(e, VRRP_STATE_BACKUP, cause);
}

/* Two owners: the one with the lower address has to give way. It may not know how; two masters would be worse
 * than being right: after two adverts of ours it has had its chance. */
static bool engine_rogue(struct engine *e, const struct engine_advert *a, uint64_t now)
{
    uint64_t longer = a->interval > e->cfg.interval ? a->interval : e->cfg.interval;
    uint64_t patience = longer + longer / 5;
    if (e->cfg.priority != ENGINE_OWNER || a->priority != ENGINE_OWNER)
        return false;
    if (e->rogue_at == 0 || now > e->rogue_at + 3 * longer) { /* the first, or the first after a while */
        e->rogue_at = now + patience;
        return false;
    }
    return now >= e->rogue_at;
}

static void engine_rx_master(struct engine *e, const struct engine_advert *a, uint64_t rx_at, uint64_t now)
{
    if (a->priority == 0) {
        e->stats.prio_zero_rcvd++;
        engine_owe(e, now, true, false);
        return;
    }
    int tie = ipaddr_cmp(&a->src, &e->src);
    bool equal = a->priority == e->cfg.priority;
    if (equal && tie == 0)
        return; /* somebody has our address: the caller says so */
    bool better = a->priority > e->cfg.priority || (equal && tie > 0);
    if (better || (e->yield_lower && !equal) || (equal && engine_rogue(e, a, now)))
        engine_yield(e, a, rx_at, now);
    else
        engine_owe(e, now, !e->cfg.lower_prio_no_advert, true);
}

/* So late with our own advert that the best of the others has taken over: it shall stay. */
static void engine_check_late(struct engine *e, uint64_t now)
{
    char cause[ENGINE_CAUSE_MAX];
    struct engine_cfg other = e->cfg;
    if (e->state != VRRP_STATE_MASTER || e->cfg.expired == 0 || e->yield_lower || now < e->adv_at)
        return;
    uint64_t since = now - e->adv_at + e->cfg.interval;
    other.priority = e->cfg.expired;
    if (since <= engine_down_interval(&other, e->cfg.interval))
        return;
    snprintf(cause, sizeof cause,
             "nothing was advertised for %.2f s: others up to priority %u may have taken over "
             "(timer_expired_backup)",
             ENGINE_SECS(since), e->cfg.expired);
    e->master_interval = e->cfg.interval;
    engine_wait(e, now);
    engine_become(e, VRRP_STATE_BACKUP, cause);
}

bool engine_deaf(const struct engine *e, uint64_t at)
{
    if (e->state == VRRP_STATE_MASTER)
        return false;
    return e->state != VRRP_STATE_BACKUP || engine_delayed(e, at);
}

void engine_rx(struct engine *e, const struct engine_advert *a, uint64_t rx_at, uint64_t now)
{
    if (rx_at > now)
        rx_at = now;
    if (engine_deaf(e, rx_at))
        return;
    engine_check_late(e, now);
    if (e->state == VRRP_STATE_BACKUP)
        engine_rx_backup(e, a, rx_at);
    else
        engine_rx_master(e, a, rx_at, now);
    engine_arm(e);
}

/* ---- time */

static void engine_down_cause(const struct engine *e, uint64_t now, char *out, size_t size)
{
    char who[IPADDR_STRLEN];
    uint64_t skew = engine_skew(&e->cfg, e->master_interval);
    if (e->resigned) {
        snprintf(out, size, "%s resigned (priority 0) and nobody better spoke for %.3f s (skew)",
                 ipaddr_str(&e->master, who), ENGINE_SECS(now - e->down_from));
    } else if (e->discarding) {
        snprintf(out, size, "%s has the lower priority %u (ours %u): preempting it",
                 ipaddr_str(&e->lower, who), e->lower_priority, e->cfg.priority);
    } else {
        bool heard = e->heard_at != 0;
        snprintf(out, size, "no advert %s%s for %.2f s (master-down interval %u x %.2f s + %.2f s skew)",
                 heard ? "from " : "heard", heard ? ipaddr_str(&e->master, who) : "",
                 ENGINE_SECS(now - e->down_from), e->cfg.down_adverts, ENGINE_SECS(e->master_interval),
                 ENGINE_SECS(skew));
    }
}

uint64_t engine_grid(uint64_t at, uint64_t interval, uint64_t now)
{
    return at > now ? at : at + ((now - at) / interval + 1) * interval;
}

/* Takes over, unless its sync group is not ready. */
static void engine_timer_backup(struct engine *e, uint64_t now)
{
    char cause[ENGINE_CAUSE_MAX];
    if (e->ops->hold != NULL && e->ops->hold(e->arg)) {
        e->held = true;
        return;
    }
    engine_down_cause(e, now, cause, sizeof cause);
    engine_to_master(e, now, cause);
}

static void engine_timer_master(struct engine *e, uint64_t now)
{
    if (now >= e->adv_at) {
        e->adv_at = engine_grid(e->adv_at, e->cfg.interval, now);
        engine_send(e, false, now);
        e->owe_advert = false; /* this was it */
        if (e->answer_at != TIME_NEVER)
            engine_answer(e, now);
    } else if (now >= e->answer_at) {
        engine_answer(e, now);
    }
}

void engine_timer(struct engine *e, uint64_t now)
{
    engine_check_late(e, now);
    if (now >= engine_overdue_at(e))
        engine_silence(e, true);
    if (now >= engine_deadline(e)) {
        if (e->state == VRRP_STATE_INIT) {
            engine_begin(e, now, "startup delay is over");
        } else if (e->state == VRRP_STATE_BACKUP) {
            engine_timer_backup(e, now);
        } else if (e->state == VRRP_STATE_MASTER) {
            engine_timer_master(e, now);
        }
    }
    engine_arm(e);
}

/* ---- trackers, sync groups */

void engine_adapt(struct engine *e)
{
    e->held = false;
    if (e->state == VRRP_STATE_BACKUP)
        e->down_at = e->down_from + (e->resigned ? engine_skew(&e->cfg, e->master_interval)
                                                 : engine_down_interval(&e->cfg, e->master_interval));
}

void engine_set_priority(struct engine *e, uint8_t priority)
{
    if (priority == e->cfg.priority)
        return;
    e->cfg.priority = priority;
    engine_adapt(e);
    engine_arm(e);
}

void engine_release(struct engine *e, uint64_t now)
{
    char cause[ENGINE_CAUSE_MAX];
    if (e->state != VRRP_STATE_BACKUP || !e->held)
        return;
    engine_down_cause(e, now, cause, sizeof cause);
    engine_to_master(e, now, cause);
    engine_arm(e);
}

void engine_step_down(struct engine *e, uint64_t now, const char *why)
{
    if (e->state != VRRP_STATE_MASTER)
        return;
    engine_send(e, true, now);
    engine_wait(e, now);
    engine_become(e, VRRP_STATE_BACKUP, why);
    engine_arm(e);
}

void engine_give_way(struct engine *e, uint64_t now, const char *why)
{
    e->gives_way = true;
    if (e->state == VRRP_STATE_MASTER) {
        engine_step_down(e, now, why);
    } else if (e->state == VRRP_STATE_BACKUP && e->discarding) {
        engine_wait(e, now); /* it was about to preempt */
        engine_arm(e);
    }
}

void engine_take(struct engine *e, uint64_t now, const char *why)
{
    if (e->state != VRRP_STATE_BACKUP)
        return;
    engine_to_master(e, now, why);
    engine_arm(e);
}

void engine_ask_again(struct engine *e)
{
    if (!e->held)
        return;
    e->held = false;
    engine_arm(e);
}

/* ---- reload */

void engine_reconfigure(struct engine *e, const struct engine_cfg *cfg, uint64_t now, bool packet_changed)
{
    bool news = packet_changed || cfg->priority != e->cfg.priority || cfg->interval != e->cfg.interval;
    bool learned = cfg->version == 3 && e->heard_at != 0;
    if (cfg->preempt_delay != e->cfg.preempt_delay)
        e->preempt_at = 0; /* the new one counts from the next advert on */
    e->cfg = *cfg;
    if (e->state == VRRP_STATE_MASTER && news) {
        e->adv_at = now + cfg->interval;
        engine_send(e, false, now);
    }
    if (!learned)
        e->master_interval = cfg->interval;
    engine_adapt(e);
    engine_arm(e);
}
