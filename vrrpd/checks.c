/* checks.c - see checks.h. The order matters: it decides which counter an operator sees. */
#include "vrrpd/checks.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

/* ---- counters */

struct check_stats check_stats(const struct check_state *st)
{
    struct check_stats s = st->bad != NULL ? *st->bad : (struct check_stats){ 0 };
    s.received = st->received;
    return s;
}

struct check_stats *check_bad(struct check_state *st)
{
    if (st->bad == NULL)
        st->bad = xcalloc(1, sizeof *st->bad);
    return st->bad;
}

void check_stats_free(struct check_state *st)
{
    free(st->bad);
    st->bad = NULL;
}

void check_stats_set(struct check_state *st, const struct check_stats *s)
{
    const struct check_stats none = { .received = s->received };
    check_stats_free(st);
    st->received = s->received;
    if (memcmp(s, &none, sizeof none) != 0) {
        *check_bad(st) = *s;
        st->bad->received = 0;
    }
}

/* ---- verdicts */

const char *check_text(enum check_verdict v)
{
    static const char *const text[CHECK_MAX] = {
        [CHECK_OK] = "accepted",
        [CHECK_AH] = "authentication header where none is configured",
        [CHECK_LENGTH] = "length does not match its address count",
        [CHECK_TTL] = "TTL is not 255: not from this link",
        [CHECK_VERSION] = "another protocol version",
        [CHECK_AUTH_UNKNOWN] = "unknown authentication type",
        [CHECK_AUTH_TYPE] = "authentication type differs from ours",
        [CHECK_AUTH_FAIL] = "wrong password",
        [CHECK_AUTH_REPLAY] = "its sequence number was heard before: a replay",
        [CHECK_EXT_MISSING] = "not signed, and auth_hmac says it must be",
        [CHECK_EXT_MALFORMED] = "its auth_hmac trailer makes no sense",
        [CHECK_EXT_KEY] = "signed with a key id that auth_hmac does not list",
        [CHECK_EXT_HMAC] = "wrong auth_hmac signature",
        [CHECK_EXT_STALE] = "signed outside the time window: a replay, or compare the clocks",
        [CHECK_EXT_REPLAY] = "not newer than what this sender said before: a replay",
        [CHECK_INTERVAL] = "advert interval differs from ours",
        [CHECK_TYPE] = "not an advertisement",
        [CHECK_TOTAL_LENGTH] = "IP total length is wrong",
        [CHECK_CHECKSUM] = "wrong checksum",
        [CHECK_CAST] = "unicast to a multicast instance or the reverse",
        [CHECK_OWNER] = "the address owner ignores adverts",
        [CHECK_PEER] = "sender is not a configured unicast_peer",
        [CHECK_PEER_TTL] = "TTL outside the range of this unicast_peer",
    };
    return v < CHECK_MAX ? text[v] : "?";
}

/* Equal in constant time: the answer must not tell how many bytes of a password were right. */
static bool check_same_secret(const uint8_t *a, const uint8_t *b, size_t n)
{
    unsigned int diff = 0;
    for (size_t i = 0; i < n; i++)
        diff |= (unsigned int)(a[i] ^ b[i]);
    return diff == 0;
}

static enum check_verdict check_ext(const struct check_cfg *c, struct check_state *st,
                                    const struct packet_rx *rx, size_t len, unsigned int *remarks)
{
    static const enum check_verdict verdicts[] = {
        [AUTH_OK] = CHECK_OK,
        [AUTH_MISSING] = CHECK_EXT_MISSING,
        [AUTH_MALFORMED] = CHECK_EXT_MALFORMED,
        [AUTH_UNKNOWN_KEY] = CHECK_EXT_KEY,
        [AUTH_INVALID] = CHECK_EXT_HMAC,
        [AUTH_STALE] = CHECK_EXT_STALE,
        [AUTH_REPLAY] = CHECK_EXT_REPLAY,
    };
    static const size_t counters[] = {
        [AUTH_MISSING] = offsetof(struct check_stats, ext_missing),
        [AUTH_MALFORMED] = offsetof(struct check_stats, ext_malformed),
        [AUTH_UNKNOWN_KEY] = offsetof(struct check_stats, ext_key),
        [AUTH_INVALID] = offsetof(struct check_stats, ext_hmac),
        [AUTH_STALE] = offsetof(struct check_stats, ext_stale),
        [AUTH_REPLAY] = offsetof(struct check_stats, ext_replay),
    };
    int64_t skew;
    if (auth_kind(c->sign) != AUTH_HMAC)
        return CHECK_OK;
    enum auth_result r = auth_verify(c->sign, st->auth, rx, len, &st->mark, &skew);
    if (r != AUTH_OK)
        ++*(uint64_t *)((char *)check_bad(st) + counters[r]);
    if ((uint64_t)(skew < 0 ? -skew : skew) > auth_window(c->sign) / 2)
        *remarks |= CHECK_REMARK_SKEW;
    return verdicts[r];
}

static enum check_verdict check_ah(const struct check_cfg *c, struct check_state *st,
                                   const struct packet_rx *rx, size_t len)
{
    int64_t skew;
    enum auth_result r = auth_verify(c->sign, st->auth, rx, len, &st->mark, &skew);
    if (r == AUTH_OK)
        return CHECK_OK;
    check_bad(st)->auth_failure++;
    return r == AUTH_REPLAY ? CHECK_AUTH_REPLAY : CHECK_AUTH_FAIL;
}

static enum check_verdict check_auth(const struct check_cfg *c, struct check_state *st,
                                     const struct packet_rx *rx, const struct packet_view *v, size_t len)
{
    if (v->version != 2)
        return CHECK_OK;
    if (v->auth_type > PACKET_AUTH_AH) {
        check_bad(st)->auth_unknown++;
        return CHECK_AUTH_UNKNOWN;
    }
    if (v->auth_type != (uint8_t)c->auth_type) {
        check_bad(st)->auth_mismatch++;
        return CHECK_AUTH_TYPE;
    }
    if (c->auth_type == PACKET_AUTH_PASS && !check_same_secret(v->auth, c->auth, PACKET_AUTH_LEN)) {
        check_bad(st)->auth_failure++;
        return CHECK_AUTH_FAIL;
    }
    return c->auth_type == PACKET_AUTH_AH ? check_ah(c, st, rx, len) : CHECK_OK;
}

static bool check_checksum(const struct check_cfg *c, const struct packet_rx *rx, const struct packet_view *v,
                           size_t len, unsigned int *remarks)
{
    if (rx->family == 4 && v->version == 2)
        return packet_checksum_plain(rx->payload, len) == 0;
    /* IPv6: the kernel computes it, over the trailer too. */
    if (packet_checksum(&rx->src, &rx->dst, rx->payload, rx->family == 6 ? rx->len : len) == 0)
        return true;
    if (rx->family == 6)
        return false;
    if (c->plain_checksum && packet_checksum_plain(rx->payload, len) == 0)
        return true;
    if (c->unicast && c->old_checksum != CHECK_OLD_NEVER &&
        packet_checksum(&rx->src, &c->group, rx->payload, len) == 0) {
        *remarks |= CHECK_REMARK_OLD_CHECKSUM;
        return true;
    }
    return false;
}

/* Same number, same set; the order is the sender's business. */
static bool check_addrs(const struct check_cfg *c, const struct packet_view *v)
{
    size_t alen = c->family == 6 ? 16 : 4;
    if (v->count != c->naddrs)
        return false;
    for (size_t i = 0; i < c->naddrs; i++) {
        /* nearly always the same order: look there first */
        if (memcmp(v->addrs + i * alen, c->addrs[i].b, alen) == 0)
            continue;
        size_t j = 0;
        while (j < v->count && memcmp(v->addrs + j * alen, c->addrs[i].b, alen) != 0)
            j++;
        if (j == v->count)
            return false;
    }
    return true;
}

static enum check_verdict check_peer(const struct check_cfg *c, struct check_state *st,
                                     const struct packet_rx *rx)
{
    const struct check_peer *p = NULL;
    bool ranges = false;
    for (size_t i = 0; i < c->npeers; i++) {
        ranges |= c->peers[i].has_ttl;
        if (ipaddr_same(&c->peers[i].addr, &rx->src))
            p = &c->peers[i];
    }
    if (p == NULL && (c->check_unicast_src || ranges)) { /* a TTL range implies check_unicast_src */
        check_bad(st)->peer++;
        return CHECK_PEER;
    }
    if (p != NULL && p->has_ttl && (rx->ttl < p->min_ttl || rx->ttl > p->max_ttl)) {
        check_bad(st)->ttl++;
        return CHECK_PEER_TTL;
    }
    return CHECK_OK;
}

/* With auth_hmac the advert may be followed by its trailer. */
static size_t check_length(const struct check_cfg *c, const struct packet_rx *rx, const struct packet_view *v)
{
    if (auth_kind(c->sign) == AUTH_HMAC && rx->len == v->need + AUTH_TRAILER)
        return v->need;
    return packet_length(rx, v);
}

/* Checks 1 to 4: what can be said before the version is known to be ours. */
static enum check_verdict check_form(const struct check_cfg *c, struct check_state *st,
                                     const struct packet_rx *rx, struct packet_view *v, size_t *len)
{
    if ((rx->proto == PACKET_PROTO_AH) != (c->auth_type == PACKET_AUTH_AH)) {
        check_bad(st)->auth_mismatch++;
        return CHECK_AH;
    }
    if (packet_parse(rx->family, rx->payload, rx->len, v) < 0 || (*len = check_length(c, rx, v)) == 0) {
        check_bad(st)->length++;
        return CHECK_LENGTH;
    }
    if (!c->unicast && rx->ttl != 255) {
        check_bad(st)->ttl++;
        return CHECK_TTL;
    }
    if (v->version != c->version) {
        check_bad(st)->version++;
        return CHECK_VERSION;
    }
    return CHECK_OK;
}

/* Checks 5 to 12. */
static enum check_verdict check_content(const struct check_cfg *c, struct check_state *st,
                                        const struct packet_rx *rx, const struct packet_view *v, size_t len,
                                        unsigned int *remarks)
{
    enum check_verdict verdict = check_ext(c, st, rx, len, remarks);
    if (verdict == CHECK_OK)
        verdict = check_auth(c, st, rx, v, len);
    if (verdict != CHECK_OK)
        return verdict;
    if (v->version == 2 && v->interval_ns != c->interval) {
        check_bad(st)->interval++;
        return CHECK_INTERVAL;
    }
    if (v->type != PACKET_TYPE_ADVERT) {
        check_bad(st)->type++;
        return CHECK_TYPE;
    }
    size_t before = rx->ah != NULL ? PACKET_AH_LEN : 0;
    if (rx->family == 4 && rx->total_len != rx->ip_hlen + before + rx->len) {
        check_bad(st)->length++;
        return CHECK_TOTAL_LENGTH;
    }
    if (!check_checksum(c, rx, v, len, remarks)) {
        check_bad(st)->checksum++;
        return CHECK_CHECKSUM;
    }
    if (ipaddr_is_multicast(&rx->dst) == c->unicast || (!c->unicast && !ipaddr_same(&rx->dst, &c->group))) {
        check_bad(st)->addr_list++;
        return CHECK_CAST;
    }
    if (c->owner_ignore && c->priority == ENGINE_OWNER) {
        check_bad(st)->owner_ignored++;
        return CHECK_OWNER;
    }
    return CHECK_OK;
}

enum check_verdict check_packet(const struct check_cfg *c, struct check_state *st, const struct packet_rx *rx,
                                struct engine_advert *out, unsigned int *remarks)
{
    struct packet_view v;
    size_t len = 0;
    unsigned int seen = 0;
    *remarks = 0;
    st->mark = 0;
    enum check_verdict verdict = check_form(c, st, rx, &v, &len);
    if (verdict == CHECK_OK)
        verdict = check_content(c, st, rx, &v, len, &seen);
    if (verdict != CHECK_OK)
        return verdict;
    st->received++;
    if (!(c->skip_addrs && ipaddr_same(&rx->src, &st->last_ok)) && !check_addrs(c, &v)) {
        check_bad(st)->addr_list++;
        seen |= CHECK_REMARK_ADDRS;
    }
    if (c->unicast && (verdict = check_peer(c, st, rx)) != CHECK_OK)
        return verdict;
    if (v.version == 3 && v.interval_ns != c->interval)
        seen |= CHECK_REMARK_INTERVAL;
    *remarks = seen;
    st->last_ok = rx->src;
    *out = (struct engine_advert){ .src = rx->src, .priority = v.priority, .interval = v.interval_ns };
    return CHECK_OK;
}

void check_taken(const struct check_cfg *c, struct check_state *st, const struct packet_rx *rx)
{
    auth_heard(c->sign, st->auth, &rx->src, st->mark);
}
