/*
 * inst.c - one instance in real life: engine, receive checks, prepared adverts, timer, log. On the path of an
 * advert (timer or packet in, datagram out) nothing is allocated, logged or snapshotted; transitions only
 * mark the instance dirty, life.c says the rest at the end of the turn.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "vrrpd/vrrpd.h"

#define INST_WILL_AHEAD                                                                                      \
    (2 * NS_PER_SEC)          /* a signed last will is newer than what is said until the next one */
#define INST_REMARK_SHIFT  24 /* bits of `said` above the verdicts */
#define INST_DEFAULT_GROUP "224.0.0.18"

struct inst *inst_by_id(struct vrrpd *v, uint32_t id)
{
    size_t lo = 0, hi = v->ninst;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (v->inst[mid]->b->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < v->ninst && v->inst[lo]->b->id == id ? v->inst[lo] : NULL;
}

/* ---- prepared adverts */

static void inst_wire_free(struct inst *i)
{
    if (i->sock != NULL)
        io_forget(&i->sock->io, i);
    free(i->wire.out);
    free(i->wire.bytes);
    i->wire = (struct wire){ 0 };
}

static const struct ipaddr *inst_dest(const struct inst *i, size_t n)
{
    return i->b->check.unicast ? &i->b->peers[n].addr : &i->b->check.group;
}

/* Destination in the checksum: the historical unicast form used the group. */
static struct ipaddr inst_checksum_dst(const struct inst *i, size_t n)
{
    struct ipaddr a = *inst_dest(i, n);
    bool old = i->old_checksum || i->b->check.old_checksum == CHECK_OLD_FORCE;
    if (old && i->b->check.unicast && i->b->family == 4)
        ipaddr_parse(INST_DEFAULT_GROUP, &a);
    return a;
}

static void inst_build(struct inst *i, size_t n, bool resign, uint8_t *buf, size_t size)
{
    const struct bind_vi *b = i->b;
    struct packet_spec s = { .family = b->family,
                             .version = b->engine.version,
                             .vrid = b->vrid,
                             .priority = resign ? 0 : i->e.cfg.priority,
                             .interval_ns = b->engine.interval,
                             .auth_type = b->check.auth_type,
                             .plain_checksum = b->check.plain_checksum,
                             .src = i->e.src,
                             .dst = inst_checksum_dst(i, n),
                             .addrs = b->addrs,
                             .naddrs = b->check.naddrs };
    memcpy(s.auth, b->check.auth, sizeof s.auth);
    size_t before = auth_before(b->sign), behind = auth_behind(b->sign);
    int len = packet_build(&s, buf + before, size - before - behind);
    if (len < 0)
        fatal("%s: its advert cannot be built", b->name); /* bind_addrs made sure */
    i->wire.pdu = (size_t)len;
    i->wire.len = before + (size_t)len + behind;
    size_t slot = resign ? i->wire.ndest + n : n;
    struct io_out_spec o = {
        .src = &i->e.src, .dst = inst_dest(i, n), .ifindex = i->wire.ifindex, .ttl = b->ttl
    };
    io_out_set(&i->wire.out[slot], i, buf, i->wire.len, &o);
}

/* Where adverts leave. */
static uint32_t inst_ifindex(const struct inst *i)
{
    const struct vlink *l = i->vmac != NULL && !i->b->xmit_base ? i->vmac : i->link;
    return l != NULL ? l->ifindex : 0;
}

void inst_rebuild(struct inst *i)
{
    inst_wire_free(i);
    i->wire.ifindex = inst_ifindex(i);
    if (i->e.src.family == 0)
        return;
    size_t addr = i->b->family == 6 ? 16 : 4;
    size_t size = auth_before(i->b->sign) + PACKET_HEADER + i->b->check.naddrs * addr + PACKET_AUTH_LEN +
                  auth_behind(i->b->sign);
    i->wire.ndest = i->b->check.unicast ? i->b->check.npeers : 1;
    i->wire.out = xcalloc(2 * i->wire.ndest, sizeof *i->wire.out);
    i->wire.bytes = xcalloc(2 * i->wire.ndest, size);
    for (size_t n = 0; n < i->wire.ndest; n++) {
        inst_build(i, n, false, i->wire.bytes + n * size, size);
        inst_build(i, n, true, i->wire.bytes + (i->wire.ndest + n) * size, size);
    }
    if (i->e.state == VRRP_STATE_MASTER) {
        i->say_will = true;
        vrrpd_dirty(i);
    }
}

/* ---- what the engine says */

/* The signature is of this moment; one mark for all destinations. */
static void inst_sign(struct inst *i, bool resign)
{
    const struct auth *a = i->b->sign;
    if (!auth_signs(a))
        return;
    uint64_t mark = auth_mark(a, &i->chk.auth, clock_realtime_ns());
    for (size_t n = 0; n < i->wire.ndest; n++) {
        struct io_out *o = &i->wire.out[resign ? i->wire.ndest + n : n];
        auth_sign(a, mark, &i->e.src, inst_dest(i, n), o->iov.iov_base, i->wire.pdu);
    }
}

static void inst_op_send(void *arg, bool resign)
{
    struct inst *i = arg;
    inst_sign(i, resign);
    for (size_t n = 0; n < i->wire.ndest; n++)
        io_send(&i->sock->io, &i->wire.out[resign ? i->wire.ndest + n : n]);
}

static void inst_event(struct inst *i, enum inst_event_kind kind, const char *cause)
{
    struct msg_inst_event m = { .inst = i->b->id,
                                .kind = (uint8_t)kind,
                                .state = (uint8_t)i->e.state,
                                .priority = i->e.cfg.priority,
                                .at = i->changed_at };
    snprintf(m.cause, sizeof m.cause, "%s", cause);
    if (child_parent(i->v->child) != NULL && !i->removed)
        chan_send(child_parent(i->v->child), MSG_inst_event, &m, NULL, 0);
}

static void inst_op_state(void *arg, enum vrrp_state from, const char *cause)
{
    struct inst *i = arg;
    i->changed_at = clock_realtime_ns();
    i->said = 0;
    i->say_state = true;
    i->say_will = i->e.state == VRRP_STATE_MASTER;
    i->snap = true;
    alert_mark(i);
    vrrpd_dirty(i);
    log_notice("%s: %s -> %s: %s", i->b->name, vrrp_state_name(from), vrrp_state_name(i->e.state), cause);
    group_news(i);
    inst_event(i, INST_EVENT_STATE, cause);
}

/* Told once a second: whoever may send valid adverts must not be able to start scripts at his pace. */
static void inst_lower_event(struct inst *i, const struct engine_advert *a)
{
    char cause[ENGINE_CAUSE_MAX], who[IPADDR_STRLEN];
    uint64_t now = ev_now(i->v->ev);
    if (i->e.state != VRRP_STATE_MASTER || (i->lower_said_at != 0 && now - i->lower_said_at < NS_PER_SEC))
        return;
    i->lower_said_at = now;
    snprintf(cause, sizeof cause, "%s advertises lower priority %u", ipaddr_str(&a->src, who), a->priority);
    inst_event(i, INST_EVENT_RX_LOWER, cause);
}

static void inst_op_garp(void *arg)
{
    struct inst *i = arg;
    struct chan *ipvsd = child_peer(i->v->child, ROLE_IPVSD);
    struct msg_garp m = { .inst = i->b->id, .why = GARP_WHY_LOWER_PRIO };
    if (ipvsd != NULL && !i->b->strict)
        chan_send(ipvsd, MSG_garp, &m, NULL, 0);
}

static void inst_op_learned(void *arg)
{
    struct inst *i = arg;
    i->snap = true;
    vrrpd_dirty(i);
}

static void inst_op_arm(void *arg, uint64_t deadline)
{
    struct inst *i = arg;
    if (deadline == TIME_NEVER)
        ev_timer_stop(i->v->ev, &i->timer);
    else
        ev_timer_at(i->v->ev, &i->timer, deadline);
}

static bool inst_op_hold(void *arg)
{
    return group_hold(arg);
}

static const struct engine_ops inst_engine_ops = {
    .send = inst_op_send,
    .state = inst_op_state,
    .garp = inst_op_garp,
    .learned = inst_op_learned,
    .arm = inst_op_arm,
    .hold = inst_op_hold,
};

/* ---- time */

static void inst_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    struct inst *i = arg;
    (void)t;
    bool late = i->e.state == VRRP_STATE_MASTER && now > i->e.adv_at + i->b->engine.interval;
    /* Before taking over, or after a long sleep: what has the queue to say? Once a turn and socket. */
    if (i->sock != NULL && (late || i->e.state == VRRP_STATE_BACKUP))
        io_sock_poll(&i->sock->io);
    engine_timer(&i->e, now);
}

/* ---- packets */

static struct inst *inst_for(struct vsock *s, const struct packet_rx *rx, uint8_t vrid)
{
    struct inst *first = s->vrid[vrid];
    if (first == NULL || first->next_vrid == NULL)
        return first;
    for (struct inst *i = first; i != NULL; i = i->next_vrid)
        for (size_t n = 0; n < i->b->check.npeers; n++)
            if (ipaddr_same(&i->b->peers[n].addr, &rx->src))
                return i;
    return first;
}

static void inst_unknown(struct vsock *s, const struct packet_rx *rx, uint8_t vrid, const struct vrrpd *v)
{
    char who[IPADDR_STRLEN];
    uint64_t more;
    if (v->global.log_unknown_vrids && log_allow(&s->unknown, ev_now(v->ev), 10 * NS_PER_SEC, &more))
        log_info("%s: advert for VRID %u from %s, which nobody here is configured for (%" PRIu64
                 " more not said)",
                 s->name, vrid, ipaddr_str(&rx->src, who), more);
}

static void inst_refused(struct inst *i, const struct packet_rx *rx, enum check_verdict verdict)
{
    char who[IPADDR_STRLEN];
    if (i->said & (1u << verdict))
        return;
    i->said |= 1u << verdict;
    log_warn("%s: advert from %s ignored: %s (said once until the state or the sender changes)", i->b->name,
             ipaddr_str(&rx->src, who), check_text(verdict));
}

static void inst_remark(struct inst *i, unsigned int remark, const char *who, const char *text)
{
    uint32_t bit = remark << INST_REMARK_SHIFT;
    if (i->said & bit)
        return;
    i->said |= bit;
    log_warn("%s: advert from %s: %s", i->b->name, who, text);
}

static void inst_remarks(struct inst *i, const struct packet_rx *rx, unsigned int remarks)
{
    char who[IPADDR_STRLEN];
    ipaddr_str(&rx->src, who);
    if (remarks & CHECK_REMARK_ADDRS)
        inst_remark(i, CHECK_REMARK_ADDRS, who,
                    "its addresses are not ours; used all the same, but compare the two configurations");
    if (remarks & CHECK_REMARK_INTERVAL)
        inst_remark(i, CHECK_REMARK_INTERVAL, who,
                    "its interval is not ours; as a backup we follow the master's");
    if (remarks & CHECK_REMARK_SKEW)
        inst_remark(
            i, CHECK_REMARK_SKEW, who,
            "its clock and ours differ by more than half of auth_hmac's time window: set both by NTP");
    if ((remarks & CHECK_REMARK_OLD_CHECKSUM) && !i->old_checksum &&
        i->b->check.old_checksum == CHECK_OLD_AUTO) {
        log_notice("%s: %s uses the historical unicast checksum; so do we from now on", i->b->name, who);
        i->old_checksum = true;
        inst_rebuild(i);
    }
}

void inst_packet(struct io_sock *s, const struct packet_rx *got, uint64_t rx_at, bool rejected, void *arg)
{
    struct vrrpd *v = arg;
    struct vsock *sock = s->arg;
    struct packet_rx inner = *got, *rx = &inner;
    struct engine_advert a;
    unsigned int remarks;
    uint8_t version, vrid;
    if (v->stopping || packet_unwrap(rx) < 0 || !packet_peek(rx->payload, rx->len, &version, &vrid))
        return;
    struct inst *i = inst_for(sock, rx, vrid);
    if (i == NULL) {
        inst_unknown(sock, rx, vrid, v);
        return;
    }
    /* Not begun, in fault or delayed: nothing is heard. */
    if (i->e.state != VRRP_STATE_BACKUP && i->e.state != VRRP_STATE_MASTER)
        return;
    struct ipaddr before = i->chk.last_ok;
    enum check_verdict verdict = check_packet(&i->b->check, &i->chk, rx, &a, &remarks);
    if (verdict != CHECK_OK) {
        inst_refused(i, rx, verdict);
        return;
    }
    if (rejected) { /* the filter's opinion stands; what is not in the accept queue moves nothing */
        i->chk.last_ok = before;
        return;
    }
    check_taken(&i->b->check, &i->chk, rx);
    if (!ipaddr_same(&before, &a.src))
        i->said = 0;
    if (remarks != 0)
        inst_remarks(i, rx, remarks);
    if (i->e.state == VRRP_STATE_MASTER && ipaddr_same(&a.src, &i->e.src))
        inst_remark(i, 8, "our own address", "another router uses it, or the network sends our adverts back");
    bool lower = i->e.state == VRRP_STATE_MASTER && a.priority > 0 && a.priority < i->e.cfg.priority;
    engine_rx(&i->e, &a, rx_at, ev_now(v->ev));
    if (lower)
        inst_lower_event(i, &a);
}

void inst_sent(struct io_out *o, int error, void *arg)
{
    struct inst *i = o->owner;
    (void)arg;
    if (error == i->send_error)
        return;
    if (error != 0)
        log_err("%s: advert not sent: %s", i->b->name, strerror(error));
    else
        log_info("%s: adverts leave again", i->b->name);
    i->send_error = error;
    i->send_errors += error != 0;
}

/* ---- facts */

/* The source address now: configured, or the interface's own. */
static struct ipaddr inst_source(const struct inst *i)
{
    if (i->b->src.family != 0)
        return i->b->src;
    if (i->link == NULL)
        return (struct ipaddr){ 0 };
    return i->b->family == 6 ? i->link->a6 : i->link->a4;
}

/* Why it cannot run now; NULL: nothing against it. *early: only because it has not been told yet. */
static const char *inst_obstacle(const struct inst *i, char *buf, size_t size, bool *early)
{
    const struct vlink *l = i->link;
    *early = false;
    if (i->b->broken != NULL)
        return i->b->broken;
    if (l != NULL) {
        *early = !l->told;
        if (l->ifindex == 0)
            return snprintf(buf, size, "interface %s does not exist", l->name), buf;
        if (!l->up && !i->b->dont_track_primary)
            return snprintf(buf, size, "interface %s is down", l->name), buf;
        if (!l->running && !i->b->dont_track_primary)
            return snprintf(buf, size, "interface %s has no carrier", l->name), buf;
    }
    if (i->vmac != NULL) {
        *early = *early || !i->vmac->told;
        if (i->vmac->ifindex == 0)
            return snprintf(buf, size, "its macvlan %s does not exist", i->vmac->name), buf;
        if (!i->vmac->up)
            return snprintf(buf, size, "its macvlan %s is down", i->vmac->name), buf;
    }
    if (inst_source(i).family == 0)
        return snprintf(buf, size, "no source address: interface %s has no %s",
                        l != NULL ? l->name : "(none)",
                        i->b->family == 6 ? "link-local IPv6 address" : "IPv4 address"),
               buf;
    if (!io_sock_ready(&i->sock->io)) {
        *early = !i->sock->told;
        return snprintf(buf, size, "its socket %s could not be opened: %s", i->sock->name,
                        i->sock->error != 0 ? strerror(i->sock->error) : "not there yet"),
               buf;
    }
    return NULL;
}

/* Our predecessor was alive a moment ago: go on where it stood. True: the engine runs. */
static bool inst_resume(struct inst *i, uint64_t now)
{
    const struct engine_saved *s = &i->snapshot->saved;
    bool master = s->state == VRRP_STATE_MASTER;
    if (!master && s->state != VRRP_STATE_BACKUP)
        return false;
    uint64_t alive = i->v->alive_at > s->taken_at ? i->v->alive_at : s->taken_at;
    if (master && !engine_fresh(&i->b->engine, alive, LIFE_HEARTBEAT, now)) {
        log_warn("%s: was MASTER, but this process was away too long to assume it still is", i->b->name);
        return false;
    }
    engine_resume(&i->e, s, now);
    io_sock_poll(&i->sock->io); /* a better master may have spoken meanwhile */
    engine_resume_end(&i->e, now, alive > now ? now : alive);
    i->say_state = true;
    i->say_will = i->e.state == VRRP_STATE_MASTER;
    i->snap = true;
    vrrpd_dirty(i);
    log_notice("%s: goes on as %s after a restart of this process", i->b->name, vrrp_state_name(i->e.state));
    return true;
}

static void inst_begin(struct inst *i, const char *obstacle)
{
    uint64_t now = ev_now(i->v->ev);
    i->waiting = false;
    if (i->snapshot != NULL && obstacle != NULL && i->snapshot->saved.state == VRRP_STATE_FAULT) {
        i->e.state = VRRP_STATE_FAULT; /* as before, nothing to announce */
        i->e.stats = i->snapshot->saved.stats;
        i->say_state = true;
        vrrpd_dirty(i);
    } else if (obstacle != NULL) {
        engine_fault(&i->e, now, obstacle);
    } else if (i->snapshot == NULL || !inst_resume(i, now)) {
        bool delayed = i->v->start_at > now && !(i->snapshot != NULL && child_restarted(i->v->child));
        if (delayed)
            log_info("%s: waits %.3f s (startup delay)", i->b->name,
                     (double)(i->v->start_at - now) / (double)NS_PER_SEC);
        engine_start(&i->e, now, delayed ? i->v->start_at : now);
    }
    i->snapshot = NULL;
}

/* What its trackers make of the priority. Nothing is sent for it; what is sent next carries it. */
static void inst_priority(struct inst *i, const struct track_sum *sum)
{
    char cause[ENGINE_CAUSE_MAX];
    uint8_t was = i->e.cfg.priority, now = track_priority(i->b->engine.priority, sum);
    if (was == now)
        return;
    io_flush(i->v->io); /* what waits goes as it was prepared */
    engine_set_priority(&i->e, now);
    inst_rebuild(i);
    if (i->waiting)
        return;
    snprintf(cause, sizeof cause, "priority is now %u", now);
    log_notice("%s: priority %u -> %u (configured %u, trackers %+ld)", i->b->name, was, now,
               i->b->engine.priority, sum->delta);
    inst_event(i, INST_EVENT_PRIORITY, cause);
}

/* Everything against its running now, trackers included. *early: it is only not known yet. */
static const char *inst_against(struct inst *i, char *buf, size_t size, bool *early, bool *pending)
{
    char text[ENGINE_CAUSE_MAX];
    struct track_sum sum = track_judge(i, text, sizeof text);
    const char *obstacle = inst_obstacle(i, buf, size, early);
    inst_priority(i, &sum);
    *pending = sum.wait;
    if (obstacle == NULL && sum.fault) {
        *early = false;
        snprintf(buf, size, "%s", text);
        obstacle = buf;
    }
    return obstacle;
}

struct inst_look {
    const char *obstacle; /* its own, or a mate's */
    bool wait;            /* what is against it may only not be known yet */
    bool pending;         /* nothing is, but a tracker has not spoken */
};

static struct inst_look inst_look(struct inst *i, char *buf, size_t size)
{
    struct inst_look l = { 0 };
    bool early;
    l.obstacle = inst_against(i, buf, size, &early, &l.pending);
    l.wait =
        i->waiting && l.obstacle != NULL && early && i->v->facts_generation < child_generation(i->v->child);
    i->obstructed = l.obstacle != NULL && !l.wait;
    if (l.obstacle == NULL)
        l.obstacle = group_obstacle(i, buf, size);
    return l;
}

void inst_judge_only(struct inst *i)
{
    char buf[ENGINE_CAUSE_MAX];
    if (i->e.state != VRRP_STATE_STOP)
        inst_look(i, buf, sizeof buf);
}

void inst_evaluate(struct inst *i)
{
    char buf[ENGINE_CAUSE_MAX];
    bool was = i->obstructed;
    struct ipaddr src = inst_source(i);
    uint64_t now = ev_now(i->v->ev);
    if (i->e.state == VRRP_STATE_STOP)
        return;
    struct inst_look l = inst_look(i, buf, sizeof buf);
    if (l.obstacle != NULL && !i->waiting) { /* with the old source: a priority 0 may still leave */
        engine_fault(&i->e, now, l.obstacle);
        io_flush(i->v->io);
    }
    bool moved = inst_ifindex(i) != i->wire.ifindex;
    if (moved || !(src.family == i->e.src.family && ipaddr_cmp(&src, &i->e.src) == 0) || i->wire.ndest == 0) {
        engine_set_source(&i->e, &src);
        inst_rebuild(i);
    }
    snprintf(i->fault, sizeof i->fault, "%s", l.obstacle != NULL ? l.obstacle : "");
    if (i->waiting) {
        if (i->v->running && !l.wait && (l.obstacle != NULL || !l.pending))
            inst_begin(i, l.obstacle);
    } else if (l.obstacle == NULL && !l.pending) {
        engine_fault_clear(&i->e, now, "the fault is over");
    }
    if (i->obstructed != was)
        group_evaluate_mates(i);
}

/* ---- snapshot, will */

void inst_snapshot(struct inst *i)
{
    uint8_t buf[SNAPSHOT_MAX];
    struct snapshot s = { .vrid = i->b->vrid, .family = i->b->family, .stats = i->chk.stats };
    snapshot_auth_take(&s, &i->chk.auth);
    memcpy(s.name, i->b->name, strnlen(i->b->name, sizeof s.name - 1));
    memcpy(s.iface, i->b->iface, sizeof s.iface);
    engine_save(&i->e, ev_now(i->v->ev), &s.saved);
    int len = snapshot_encode(&s, buf);
    if (len < 0)
        fatal("%s: snapshot cannot be encoded", i->b->name);
    child_snapshot(i->v->child, i->b->id, buf, (size_t)len);
}

void inst_will(struct inst *i)
{
    struct chan *ipvsd = child_peer(i->v->child, ROLE_IPVSD);
    struct msg_will m = { .inst = i->b->id, .data_len = (uint16_t)i->wire.len };
    if (ipvsd == NULL || i->wire.ndest == 0 || i->wire.len > sizeof m.data)
        return;
    memcpy(m.data, i->wire.out[i->wire.ndest].iov.iov_base, i->wire.len);
    if (auth_signs(i->b->sign)) {
        uint64_t mark = auth_mark_ahead(i->b->sign, &i->chk.auth, clock_realtime_ns(), INST_WILL_AHEAD);
        auth_sign(i->b->sign, mark, &i->e.src, inst_dest(i, 0), m.data, i->wire.pdu);
    }
    chan_send(ipvsd, MSG_will, &m, NULL, 0);
}

/* ---- life */

struct inst *inst_new(struct vrrpd *v, struct bind_vi *b)
{
    struct inst *i = xcalloc(1, sizeof *i);
    i->v = v;
    i->b = b;
    i->waiting = true;
    i->link = b->iface[0] != '\0' ? facts_link(v, b->iface) : NULL;
    i->vmac = b->vmac[0] != '\0' ? facts_link(v, b->vmac) : NULL;
    i->sock = facts_sock(v, b->sock);
    auth_state_resize(&i->chk.auth, b->check.unicast ? b->check.npeers : 0);
    engine_init(&i->e, &b->engine, &inst_engine_ops, i);
    ev_timer_init(&i->timer, inst_on_timer, i);
    return i;
}

void inst_free(struct inst *i)
{
    group_leave(i);
    ev_timer_stop(i->v->ev, &i->timer);
    inst_wire_free(i);
    if (i->dirty) {
        for (struct inst **p = &i->v->dirty; *p != NULL; p = &(*p)->next_dirty) {
            if (*p == i) {
                *p = i->next_dirty;
                break;
            }
        }
    }
    auth_state_free(&i->chk.auth);
    bind_vi_free(i->b);
    free(i);
}
