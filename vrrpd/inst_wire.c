/*
 * inst_wire.c - what an instance says on the wire: its adverts, prepared for each destination with the
 * priority and, when it resigns, with 0, signed at the moment they leave, and the last will that ipvsd keeps
 * for it. On the path of an advert, but the first one with 0, nothing is allocated or logged. Called by the
 * other inst files, life.c and reload.c.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "vrrpd/inst_int.h"

#define INST_ETHER 14
#define INST_WILL_AHEAD                                                                                      \
    (2 * NS_PER_SEC) /* a signed last will is newer than what is said until the next one */

void inst_wire_free(struct inst *i)
{
    if (i->sock != NULL)
        io_forget(&i->sock->io, i);
    free(i->wire.out);
    free(i->wire.resign);
    i->wire = (struct wire){ 0 };
}

static const struct ipaddr *inst_dest(const struct inst *i, size_t n)
{
    return i->b->check.unicast ? &i->b->peers[n].addr : &i->b->check.group;
}

/* Destination in the checksum: the historical unicast form used the group. */
static struct ipaddr inst_checksum_dst(const struct inst *i, size_t n)
{
    bool old = i->old_checksum || i->b->check.old_checksum == CHECK_OLD_FORCE;
    return old && i->b->check.unicast && i->b->family == 4 ? i->b->check.group : *inst_dest(i, n);
}

/* The parts of a signature are left free before and behind. */
static void inst_build(const struct inst *i, size_t n, bool resign, uint8_t *buf, size_t size)
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
    size_t before = auth_before(b->sign);
    memset(buf, 0, size);
    if (packet_build(&s, buf + before, size - before - auth_behind(b->sign)) != i->wire.pdu)
        fatal("%s: its advert cannot be built", b->name); /* bind_addrs made sure */
}

/* One for each destination. */
static struct io_out *inst_outs(struct inst *i, bool resign)
{
    struct io_out *out = xcalloc(i->wire.ndest, sizeof *out + i->wire.len);
    uint8_t *bytes = (uint8_t *)(out + i->wire.ndest);
    for (size_t n = 0; n < i->wire.ndest; n++, bytes += i->wire.len) {
        struct io_out_spec o = {
            .src = &i->e.src, .dst = inst_dest(i, n), .ifindex = i->wire.ifindex, .ttl = i->b->ttl
        };
        inst_build(i, n, resign, bytes, i->wire.len);
        io_out_set(&out[n], i, bytes, i->wire.len, &o);
    }
    return out;
}

/* Most never resign but once: made when it is time, for it would be a third of what an instance's adverts
 * hold. */
static struct io_out *inst_out(struct inst *i, bool resign)
{
    if (resign && i->wire.resign == NULL && i->wire.ndest > 0)
        i->wire.resign = inst_outs(i, true);
    return resign ? i->wire.resign : i->wire.out;
}

static const struct vlink *inst_leaves_by(const struct inst *i)
{
    return i->vmac != NULL && !i->b->xmit_base ? i->vmac : i->link;
}

uint32_t inst_ifindex(const struct inst *i)
{
    const struct vlink *l = inst_leaves_by(i);
    return l != NULL ? l->ifindex : 0;
}

static size_t inst_pdu(const struct bind_vi *b, size_t naddrs)
{
    return PACKET_HEADER + naddrs * (b->family == 6 ? 16u : 4u) +
           packet_auth_len(b->family, b->engine.version, (uint8_t)b->check.auth_type);
}

/* Counted as keepalived does, which takes the MTU for the length of the whole frame: peers compare the
 * lists, so both have to leave off the same addresses. It stays as it was when the MTU changes: the peers
 * would not follow. */
void inst_fit(struct inst *i)
{
    struct bind_vi *b = i->b;
    const struct vlink *l = inst_leaves_by(i);
    if (l == NULL || l->ifindex == 0 || l->mtu == 0 || b->fitted_to == l->ifindex)
        return;
    size_t frame = INST_ETHER + (b->family == 6 ? 40u : 20u) + auth_before(b->sign) + auth_behind(b->sign);
    b->fitted_to = l->ifindex;
    b->check.naddrs = b->listed;
    while (b->check.naddrs > 0 && frame + inst_pdu(b, b->check.naddrs) > l->mtu)
        b->check.naddrs--;
    if (b->check.naddrs < b->listed)
        log_warn("%s: an advert on %s (MTU %u) has room for %zu of its %zu addresses: the last %zu are not "
                 "advertised, as if they were in virtual_ipaddress_excluded",
                 b->name, l->name, l->mtu, b->check.naddrs, b->listed, b->listed - b->check.naddrs);
}

void inst_rebuild(struct inst *i)
{
    inst_wire_free(i);
    i->wire.ifindex = inst_ifindex(i);
    if (i->e.src.family == 0)
        return;
    inst_fit(i);
    i->wire.pdu = (uint16_t)inst_pdu(i->b, i->b->check.naddrs);
    i->wire.len = (uint16_t)(auth_before(i->b->sign) + i->wire.pdu + auth_behind(i->b->sign));
    i->wire.ndest = i->b->check.unicast ? (uint32_t)i->b->check.npeers : 1;
    i->wire.out = inst_outs(i, false);
    if (i->e.state == VRRP_STATE_MASTER) {
        i->say_will = true;
        vrrpd_dirty(i);
    }
}

/* ---- leaving */

/* The signature is of this moment; one mark for all destinations. */
static void inst_sign(struct inst *i, bool resign)
{
    const struct auth *a = i->b->sign;
    if (!auth_signs(a))
        return;
    uint64_t mark = auth_mark(a, i->chk.auth, clock_realtime_ns());
    struct io_out *o = inst_out(i, resign);
    for (size_t n = 0; n < i->wire.ndest; n++)
        auth_sign(a, mark, &i->e.src, inst_dest(i, n), o[n].buf, i->wire.pdu);
    if (auth_state_ahead(a, i->chk.auth, ev_now(i->v->ev))) {
        i->snap = true;
        vrrpd_dirty(i);
    }
}

void inst_op_send(void *arg, bool resign)
{
    struct inst *i = arg;
    inst_sign(i, resign);
    meter_sent(&i->meter, &i->e, resign, i->e.last_tx);
    struct io_out *o = inst_out(i, resign);
    for (size_t n = 0; n < i->wire.ndest; n++)
        io_send(&i->sock->io, &o[n]);
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

void inst_will(struct inst *i)
{
    struct chan *ipvsd = child_peer(i->v->child, ROLE_IPVSD);
    struct msg_will m = { .inst = i->b->id, .data_len = (uint16_t)i->wire.len };
    if (ipvsd == NULL || i->wire.ndest == 0 || i->wire.len > sizeof m.data)
        return;
    inst_build(i, 0, true, m.data, i->wire.len);
    if (auth_signs(i->b->sign)) {
        uint64_t mark = auth_mark_ahead(i->b->sign, i->chk.auth, clock_realtime_ns(), INST_WILL_AHEAD);
        auth_sign(i->b->sign, mark, &i->e.src, inst_dest(i, 0), m.data, i->wire.pdu);
    }
    chan_send(ipvsd, MSG_will, &m, NULL, 0);
}
