/*
 * instance.c - see instance.h. States are noted here; the end of the turn (addr_apply.c) carries them out
 * together.
 */
#include "ipvsd/instance.h"

#include "ipvsd/garp.h"
#include "ipvsd/model.h"
#include "ipvsd/route_apply.h"
#include "ipvsd/will.h"

static void instance_set(struct ipvsd *d, struct inst *i, enum vrrp_state state)
{
    bool was = i->state == VRRP_STATE_MASTER, is = state == VRRP_STATE_MASTER;
    if (is && !was) {
        /* A successor of a dead ipvsd hears of MASTERs that have long been announced. */
        if (child_restarted(d->child) && !d->ever_synced)
            garp_resume(d, i);
        else
            i->fresh = true;
    }
    if (was && !is)
        garp_stop(d, i);
    if (was != is) {
        for (size_t n = 0; n < i->nvips; n++) {
            i->vips[n].abandoned = i->vips[n].lost = false;
            i->vips[n].repair.held_until = 0;
        }
        route_apply_forgive(i);
    }
    i->state = state;
    i->known = true;
    model_touch(d, i);
}

static int instance_on_state(struct ipvsd *d, const struct msg_inst_state *m)
{
    struct inst *i = model_inst(d->model, m->inst);
    if (i == NULL)
        return -1;
    if (!i->told && m->state == VRRP_STATE_STOP) /* a successor stops before it knows that it is MASTER */
        i->will_owed = i->state == VRRP_STATE_MASTER;
    i->told = true;
    i->seq = m->seq;
    instance_set(d, i, (enum vrrp_state)m->state);
    return 0;
}

static int instance_on_sync(struct ipvsd *d)
{
    d->synced = d->ever_synced = true;
    for (size_t k = 0; k < d->model->ninsts; k++) {
        struct inst *i = &d->model->insts[k];
        if (!i->told)
            instance_set(d, i, VRRP_STATE_BACKUP);
        model_touch(d, i);
    }
    return 0;
}

static int instance_on_garp(struct ipvsd *d, const struct msg_garp *m)
{
    struct inst *i = model_inst(d->model, m->inst);
    if (i == NULL)
        return -1;
    if (m->why == GARP_WHY_SOURCE)
        garp_source(d, i);
    if (i->state != VRRP_STATE_MASTER || i->fresh)
        return 0; /* it lost the mastership, or everything is about to be announced anyway */
    switch ((enum garp_why)m->why) {
    case GARP_WHY_LOWER_PRIO: garp_lower(d, i); break;
    case GARP_WHY_MASTER:
    case GARP_WHY_OPERATOR: garp_again(d, i); break;
    case GARP_WHY_SOURCE: break;
    }
    return 0;
}

static int instance_on_will(struct ipvsd *d, const struct msg_will *m)
{
    struct inst *i = model_inst(d->model, m->inst);
    return i == NULL ? -1 : will_store(i, m->data, m->data_len);
}

int instance_msg(struct ipvsd *d, const struct chan_msg *m)
{
    if (m->generation != child_generation(d->child))
        return 0; /* said before the reload reached it: it says everything again */
    switch (m->type) {
    case MSG_brace: ev_stay_awake(d->ev, ev_now(d->ev) + m->body->brace.for_ns); return 0;
    case MSG_inst_state: return instance_on_state(d, &m->body->inst_state);
    case MSG_sync: return instance_on_sync(d);
    case MSG_garp: return instance_on_garp(d, &m->body->garp);
    case MSG_will: return instance_on_will(d, &m->body->will);
    default: return -1;
    }
}

void instance_new_peer(struct ipvsd *d)
{
    d->synced = false;
    for (size_t k = 0; k < d->model->ninsts; k++)
        d->model->insts[k].told = false;
}

void instance_withdraw_all(struct ipvsd *d)
{
    for (size_t k = 0; k < d->model->ninsts; k++)
        instance_set(d, &d->model->insts[k], VRRP_STATE_STOP);
}
