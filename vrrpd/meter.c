/* meter.c - see meter.h. Pure on numbers. */
#include "vrrpd/meter.h"

#include <string.h>

void meter_init(struct meter *m)
{
    memset(m, 0, sizeof *m);
    m->least_rx = m->least_tx = TIME_NEVER;
}

void meter_free(struct meter *m)
{
    hist_set_free(&m->hist);
}

static uint64_t meter_apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void meter_margin(struct meter *m, enum meter_hist which, uint64_t *least, uint64_t left,
                         uint64_t whole)
{
    if (whole == 0)
        return;
    hist_set_add(&m->hist, which, HIST_RATIO, (uint64_t)((double)left / (double)whole * (double)NS_PER_SEC));
    if (left < *least)
        *least = left;
}

/* Before the engine has it: its timer still says how long we would have waited. */
void meter_heard(struct meter *m, const struct engine *e, const struct engine_advert *a, uint64_t rx_at)
{
    bool regular = e->state == VRRP_STATE_BACKUP && a->priority > 0 && e->heard_at != 0 &&
                   rx_at > e->heard_at && ipaddr_same(&a->src, &e->master);
    m->heard_at = rx_at;
    if (!regular)
        return;
    hist_set_add(&m->hist, METER_JITTER_RX, HIST_FINE, meter_apart(rx_at - e->heard_at, e->master_interval));
    if (!e->held && !e->discarding && !e->resigned && e->down_at > e->down_from)
        meter_margin(m, METER_MARGIN_RX, &m->least_rx, e->down_at > rx_at ? e->down_at - rx_at : 0,
                     e->down_at - e->down_from);
}

/* Our peers wait as long as the least patient of them: priority 254, who has the smallest skew. */
static uint64_t meter_patience(const struct engine *e)
{
    struct engine_cfg peer = e->cfg;
    peer.priority = ENGINE_OWNER - 1;
    return engine_down_interval(&peer, e->cfg.interval);
}

void meter_sent(struct meter *m, const struct engine *e, bool resign, uint64_t now)
{
    uint64_t gap = now - m->sent_at, patience = meter_patience(e);
    /* a second advert on the grid; answers to others come between */
    bool regular =
        e->state == VRRP_STATE_MASTER && !resign && m->sent_at != 0 && gap >= e->cfg.interval / 10 * 9;
    m->sent_at = resign ? 0 : now;
    if (!regular)
        return;
    hist_set_add(&m->hist, METER_JITTER_TX, HIST_FINE, meter_apart(gap, e->cfg.interval));
    meter_margin(m, METER_MARGIN_TX, &m->least_tx, patience > gap ? patience - gap : 0, patience);
}

void meter_state(struct meter *m, enum vrrp_state to, uint64_t now)
{
    m->to[to]++;
    m->least_rx = m->least_tx = TIME_NEVER;
    m->decided_at = to == VRRP_STATE_MASTER ? now : 0;
    if (to != VRRP_STATE_MASTER)
        m->sent_at = 0;
}

void meter_done(struct meter *m, uint64_t now)
{
    if (m->decided_at == 0)
        return;
    hist_set_add(&m->hist, METER_TAKEOVER, HIST_WORK, now - m->decided_at);
    if (m->heard_at != 0 && m->heard_at <= m->decided_at)
        hist_set_add(&m->hist, METER_FAILOVER, HIST_WORK, now - m->heard_at);
    m->decided_at = 0;
}

void meter_timer(struct meter_all *all, uint64_t deadline, uint64_t now)
{
    uint64_t late = now > deadline ? now - deadline : 0;
    hist_add(&all->late, HIST_FINE, late);
    all->late_timers += late > METER_LATE;
}
