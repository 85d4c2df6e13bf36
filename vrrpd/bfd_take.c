/*
 * bfd_take.c - see bfd_take.h. What arrives is hostile: it is decoded, its session is looked for (by our
 * discriminator and the addresses, or by the addresses alone), and it counts only when it has come no further
 * than it may (GTSM, RFC 5881 section 5). What fails is counted, logged once, and moves nothing.
 */
#include "vrrpd/bfd_take.h"

#include "vrrpd/bfd_int.h"
#include "vrrpd/vrrpd.h"

#define BFD_TAKE_STRANGERS (60 * NS_PER_SEC)

static bool bfd_take_is_of(const struct bfd_sess *s, const struct bfd_arrival *a)
{
    return s->multihop == a->multihop && ipaddr_same(&s->dst, &a->src) &&
           (s->src.family == 0 || ipaddr_same(&s->src, &a->dst));
}

static struct bfd_sess *bfd_take_session(struct bfd_life *l, const struct bfd_arrival *a, uint32_t your_disc)
{
    if (your_disc != 0) {
        struct bfd_sess *s = bfd_sess_by_disc(l, your_disc);
        return s != NULL && bfd_take_is_of(s, a) ? s : NULL;
    }
    for (size_t i = 0; i < l->n; i++)
        if (bfd_take_is_of(l->sess[i], a))
            return l->sess[i];
    return NULL;
}

static void bfd_take_stranger(struct bfd_life *l, const struct bfd_arrival *a, const char *what)
{
    char text[IPADDR_STRLEN];
    uint64_t more = 0;
    l->unknown++;
    if (log_allow(&l->strangers, ev_now(l->ev), BFD_TAKE_STRANGERS, &more))
        log_info("BFD: a packet of %s is ignored: %s (%llu of this kind since the last line)",
                 ipaddr_str(&a->src, text), what, (unsigned long long)more + 1);
}

/* A session's neighbour restarts and names a discriminator of before: no session, and not worth a line. */
void bfd_take(struct bfd_life *l, const struct bfd_arrival *a)
{
    struct bfd_packet p;
    enum bfd_fault f = bfd_packet_decode(a->bytes, a->len, &p);
    struct bfd_sess *s = bfd_take_session(l, a, f == BFD_FAULT_NONE ? p.your_disc : 0);
    if (s == NULL) {
        bfd_take_stranger(l, a,
                          f != BFD_FAULT_NONE ? bfd_fault_text(f)
                                              : "no session has these addresses and discriminator");
        return;
    }
    if (f != BFD_FAULT_NONE) {
        s->refused++;
        if (!(s->said & 1u << f))
            log_warn("bfd_instance %s: a packet of the neighbour is refused: %s (said once)", s->name,
                     bfd_fault_text(f));
        s->said |= 1u << f;
        return;
    }
    if (a->ttl < s->min_ttl) {
        s->far++;
        if (!(s->said & 1u << BFD_FAULT_MAX))
            log_warn(
                "bfd_instance %s: a packet of the neighbour is refused: it came with %s %d, at least %u is "
                "wanted. A neighbour on this link sends 255 (RFC 5881); for one that does not, write its "
                "value as "
                "ttl, or max_hops (said once)",
                s->name, a->src.family == 4 ? "TTL" : "hop limit", a->ttl, s->min_ttl);
        s->said |= 1u << BFD_FAULT_MAX;
        return;
    }
    bfd_sess_rx(s, &p, a->at);
}
