/*
 * alert.c - tells checkd, which holds the mail queue, of the transitions of instances with smtp_alert. News
 * of the least hurry: said after adverts, states, wills and snapshots, and it may linger. While checkd is
 * away or lags only the latest state of an instance is kept. Called by inst.c (marks), life.c and reload.c.
 */
#include "vrrpd/vrrpd.h"

#define ALERT_DELETED   5 /* behind enum vrrp_state, see proto.def */
#define ALERT_LINGER_NS (10 * NS_PER_MS)

void alert_mark(struct inst *i)
{
    i->say_alert = i->b->smtp_alert;
}

void alert_say(struct inst *i)
{
    struct chan *checkd = child_peer(i->v->child, ROLE_CHECKD);
    struct msg_alert m = { .obj = i->b->id, .state = (uint8_t)i->e.state };
    if (!i->say_alert || checkd == NULL || chan_room(checkd) == 0)
        return;
    i->say_alert = false;
    if (i->b->smtp_alert) /* a reload may have changed our mind */
        chan_send(checkd, MSG_alert, &m, NULL, 0);
}

void alert_say_all(struct vrrpd *v)
{
    for (size_t n = 0; n < v->ninst; n++)
        alert_say(v->inst[n]);
}

void alert_peer(struct vrrpd *v, struct chan *checkd)
{
    chan_linger(checkd, ALERT_LINGER_NS);
    group_alert_say_all(v); /* now: the next state would take its place */
    alert_say_all(v);
}

/* In the middle of a commit: checkd, which commits after us, knows the object by its former id. */
void alert_deleted(struct inst *i)
{
    struct chan *checkd = child_peer(i->v->child, ROLE_CHECKD);
    struct msg_alert m = { .obj = i->b->id, .state = ALERT_DELETED };
    i->say_alert = false;
    if (!i->b->smtp_alert || checkd == NULL || i->waiting)
        return;
    chan_set_generation(checkd, i->v->generation);
    chan_send(checkd, MSG_alert, &m, NULL, 0);
    chan_set_generation(checkd, child_generation(i->v->child));
    chan_flush(checkd);
}
