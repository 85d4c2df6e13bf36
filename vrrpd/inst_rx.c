/*
 * inst_rx.c - an advert comes in: whose it is, whether it passes the receive checks, what is said about it
 * in the log (once, until the state or the sender changes). The bytes are hostile; packet.c and checks.c
 * judge them. Called by io.c through life.c.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/err.h"
#include "vrrpd/inst_int.h"

#define INST_REMARK_SHIFT 24 /* bits of `said` above the verdicts */

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
    if (!v->global.log_unknown_vrids)
        return;
    if (s->unknown == NULL)
        s->unknown = xcalloc(256, sizeof *s->unknown);
    if (log_allow(&s->unknown[vrid], ev_now(v->ev), 10 * NS_PER_SEC, &more))
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

/* What we have signed ourselves nobody else can have said: somebody sends it back. */
static enum check_verdict inst_own(struct inst *i, const struct packet_rx *rx)
{
    if (i->chk.mark == 0 || !ipaddr_same(&rx->src, &i->e.src))
        return CHECK_OK;
    if (auth_kind(i->b->sign) == AUTH_AH) {
        check_bad(&i->chk)->auth_failure++;
        return CHECK_AUTH_REPLAY;
    }
    check_bad(&i->chk)->ext_replay++;
    return CHECK_EXT_REPLAY;
}

/* As engine_rx_master() sees it: an equal priority counts as lower from a lower address. */
static bool inst_lower(const struct inst *i, const struct engine_advert *a)
{
    if (a->priority == i->e.cfg.priority)
        return ipaddr_cmp(&a->src, &i->e.src) < 0;
    return a->priority > 0 && a->priority < i->e.cfg.priority;
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
    if (engine_deaf(&i->e, rx_at))
        return;
    struct ipaddr before = i->chk.last_ok;
    enum check_verdict verdict = check_packet(&i->b->check, &i->chk, rx, &a, &remarks);
    if (verdict == CHECK_OK && (verdict = inst_own(i, rx)) != CHECK_OK)
        i->chk.last_ok = before;
    if (verdict != CHECK_OK) {
        heard_note(&i->heard, &rx->src, rx_at, verdict, NULL);
        inst_refused(i, rx, verdict);
        return;
    }
    if (rejected) { /* the filter's opinion stands; what is not in the accept queue moves nothing */
        i->chk.last_ok = before;
        return;
    }
    check_taken(&i->b->check, &i->chk, rx);
    heard_note(&i->heard, &a.src, rx_at, CHECK_OK, &a);
    if (!ipaddr_same(&before, &a.src))
        i->said = 0;
    if (remarks != 0)
        inst_remarks(i, rx, remarks);
    if (i->e.state == VRRP_STATE_MASTER && ipaddr_same(&a.src, &i->e.src))
        inst_remark(i, 8, "our own address", "another router uses it, or the network sends our adverts back");
    bool lower = i->e.state == VRRP_STATE_MASTER && inst_lower(i, &a);
    meter_heard(&i->meter, &i->e, &a, rx_at);
    engine_rx(&i->e, &a, rx_at, ev_now(v->ev));
    if (lower)
        inst_lower_event(i, &a);
}
