/*
 * engine_resume.c - see engine.h. What a dead process leaves to the next one, and how that goes on so that
 * nobody on the wire sees it: on the grid of a MASTER, in the wait of a BACKUP. Trusts what was saved no
 * further than the clock and the configuration bear it out.
 */
#include "vrrpd/engine_int.h"

bool engine_fresh(const struct engine_cfg *c, uint64_t alive, uint64_t beat, uint64_t now)
{
    uint64_t longest_skew = c->version == 2 ? NS_PER_SEC : c->interval;
    return alive <= now && now - alive <= c->down_adverts * c->interval + longest_skew + beat;
}

void engine_save(const struct engine *e, uint64_t now, struct engine_saved *out)
{
    *out = (struct engine_saved){ .state = e->state,
                                  .adv_at = e->adv_at,
                                  .taken_at = now,
                                  .master = e->master,
                                  .master_priority = e->master_priority,
                                  .master_interval = e->master_interval,
                                  .preempt_at = e->preempt_at,
                                  .down_from = e->silent ? e->down_from : 0,
                                  .resigned = e->silent && e->resigned,
                                  .stats = e->stats };
}

/* In a silence a crash changes nothing. Else the last advert came at most until now: counted from here no
 * master is wronged, and the next crash goes on from here. */
static void engine_resume_wait(struct engine *e, const struct engine_saved *s, uint64_t now)
{
    e->silent = true;
    if (s->down_from == 0 || s->down_from > now)
        return;
    e->down_from = s->down_from;
    e->resigned = s->resigned;
    engine_adapt(e);
}

void engine_resume(struct engine *e, const struct engine_saved *s, uint64_t now)
{
    e->stats = s->stats;
    e->master = s->master;
    e->master_priority = s->master_priority;
    e->start_at = 0;
    if (s->state == VRRP_STATE_MASTER) {
        e->state = VRRP_STATE_MASTER;
        e->gives_way = false;
        e->yield_lower = engine_nopreempt(e);
        e->adv_at = s->adv_at;
    } else {
        e->state = VRRP_STATE_BACKUP;
        if (e->cfg.version == 3 && s->master_interval > 0 && s->master_interval <= ENGINE_LEARNED_MAX)
            e->master_interval = s->master_interval;
        e->heard_at = s->master.family != 0 ? now : 0;
        if (s->preempt_at <= now || s->preempt_at - now <= e->cfg.preempt_delay)
            e->preempt_at = s->preempt_at; /* else of another configuration */
        engine_wait(e, now);
        engine_resume_wait(e, s, now);
    }
}

void engine_resume_end(struct engine *e, uint64_t now, uint64_t alive)
{
    e->yield_lower = false;
    if (e->state == VRRP_STATE_MASTER) {
        uint64_t next = e->adv_at;
        if (next == 0 || next > now + e->cfg.interval || alive > now)
            next = now; /* another interval, or no sense: speak */
        else
            next = engine_grid(next, e->cfg.interval, alive);
        e->adv_at = next;
        if (next <= now) {
            e->adv_at = engine_grid(next, e->cfg.interval, now);
            engine_send(e, false, now);
        }
    }
    engine_arm(e);
}
