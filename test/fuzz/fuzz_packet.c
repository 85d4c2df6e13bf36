/*
 * fuzz_packet.c - hostile datagrams through the whole receive path: IPv4 header, advert, every check, state
 * machine. Oracle: a view that claims a body has it inside the buffer; what check_packet accepts can be built
 * again byte for byte (checksum, addresses, interval, password included) and nothing that failed a check
 * moves the engine.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "vrrpd/checks.h"
#include "vrrpd/engine.h"
#include "vrrpd/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
    unsigned int calls;
};

static void on_send(void *arg, bool resign)
{
    (void)resign;
    ((struct seen *)arg)->calls++;
}

static void on_state(void *arg, enum vrrp_state from, const char *cause)
{
    (void)from;
    if (strlen(cause) == 0)
        abort();
    ((struct seen *)arg)->calls++;
}

static void on_any(void *arg)
{
    ((struct seen *)arg)->calls++;
}

static void on_arm(void *arg, uint64_t deadline)
{
    (void)arg;
    (void)deadline;
}

static const struct engine_ops ops = { on_send, on_state, on_any, on_any, on_arm, NULL };

/* Two addresses of ours; the corpus has matching adverts. */
static void configure(uint8_t options, struct check_cfg *c, struct ipaddr addrs[2], struct check_peer *peer)
{
    bool six = options & 1;
    ipaddr_parse(six ? "fe80::100" : "10.0.0.100", &addrs[0]);
    ipaddr_parse(six ? "fd00::100" : "10.0.0.101", &addrs[1]);
    *c = (struct check_cfg){ .family = six ? 6 : 4,
                             .version = (options & 2) ? 2 : 3,
                             .priority = (options & 4) ? 255 : 100,
                             .interval = NS_PER_SEC,
                             .auth_type = (options & 8) ? PACKET_AUTH_PASS : PACKET_AUTH_NONE,
                             .unicast = options & 16,
                             .plain_checksum = options & 32,
                             .skip_addrs = options & 64,
                             .check_unicast_src = options & 128,
                             .addrs = addrs,
                             .naddrs = 2,
                             .peers = peer,
                             .npeers = (options & 16) ? 1 : 0 };
    memcpy(c->auth, "s3cr3t\0\0", 8);
    ipaddr_parse(six ? "ff02::12" : "224.0.0.18", &c->group);
    ipaddr_parse(six ? "fe80::2" : "10.0.0.2", &peer->addr);
    peer->max_ttl = 255;
}

static void view_inside(const struct packet_rx *rx)
{
    struct packet_view v;
    if (packet_parse(rx->family, rx->payload, rx->len, &v) < 0)
        return;
    if (v.addrs != NULL && (v.need > rx->len || v.addrs != rx->payload + 8))
        abort();
    if (v.auth != NULL && v.auth + 8 > rx->payload + rx->len)
        abort();
}

/* An accepted advert is one we could have built ourselves. */
static void rebuild(const struct check_cfg *c, const struct packet_rx *rx, unsigned int remarks)
{
    static uint8_t out[PACKET_MAX];
    static struct ipaddr addrs[PACKET_ADDRS_MAX];
    struct packet_view v;
    size_t alen = c->family == 6 ? 16 : 4;
    if (packet_parse(rx->family, rx->payload, rx->len, &v) < 0)
        abort();
    for (size_t i = 0; i < v.count; i++) {
        addrs[i] = (struct ipaddr){ .family = c->family };
        memcpy(addrs[i].b, v.addrs + i * alen, alen);
    }
    struct packet_spec s = { .family = c->family,
                             .version = v.version,
                             .vrid = v.vrid,
                             .priority = v.priority,
                             .interval_ns = v.interval_ns,
                             .auth_type = c->auth_type,
                             .src = rx->src,
                             .dst = (remarks & CHECK_REMARK_OLD_CHECKSUM) ? c->group : rx->dst,
                             .addrs = addrs,
                             .naddrs = v.count };
    memcpy(s.auth, c->auth, sizeof s.auth);
    bool plain = c->plain_checksum && v.version == 3 && c->family == 4;
    bool free_bytes = v.auth != NULL && c->auth_type == PACKET_AUTH_NONE; /* 8 bytes nobody looks at */
    uint8_t reserved = v.version == 3 ? rx->payload[4] & 0xf0 : 0;
    for (int form = 0; form <= plain; form++) {
        s.plain_checksum = form;
        int n = packet_build(&s, out, sizeof out);
        if (n < 0 || (size_t)n != v.need)
            abort();
        if (reserved != 0 || free_bytes)
            return; /* covered by the checksum, not by what we build */
        if (memcmp(out, rx->payload, (size_t)n) == 0)
            return;
        /* one's complement has two zeros */
        if (rx->payload[6] == rx->payload[7] && (rx->payload[6] == 0xff || rx->payload[6] == 0))
            return;
    }
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct check_cfg c;
    struct ipaddr addrs[2];
    struct check_peer peer = { 0 };
    struct check_stats bad = { 0 };
    struct check_state st = { .bad = &bad };
    struct packet_rx rx;
    struct engine_advert a = { 0 };
    unsigned int remarks;
    if (len < 2)
        return 0;
    configure(data[0], &c, addrs, &peer);
    if (c.family == 4) {
        if (packet_split4(data + 2, len - 2, &rx) < 0)
            return 0;
    } else {
        rx = (struct packet_rx){
            .family = 6, .proto = 112, .ttl = data[1], .payload = data + 2, .len = len - 2
        };
        ipaddr_parse("fe80::2", &rx.src);
        ipaddr_parse(c.unicast ? "fe80::1" : "ff02::12", &rx.dst);
    }
    view_inside(&rx);
    struct seen seen = { 0 };
    struct engine e;
    struct engine_cfg ec = {
        .version = c.version, .priority = c.priority, .down_adverts = 3, .interval = c.interval
    };
    engine_init(&e, &ec, &ops, &seen);
    engine_start(&e, NS_PER_SEC, NS_PER_SEC);
    if (data[1] & 1)
        engine_timer(&e, e.down_at);
    enum check_verdict verdict = check_packet(&c, &st, &rx, &a, &remarks);
    if (verdict == CHECK_OK) {
        rebuild(&c, &rx, remarks);
        engine_rx(&e, &a, 5 * NS_PER_SEC, 5 * NS_PER_SEC);
        if (engine_deadline(&e) < 5 * NS_PER_SEC && e.state == VRRP_STATE_BACKUP && !e.discarding &&
            !e.resigned)
            abort();
    } else if (remarks != 0 || a.src.family != 0 || st.last_ok.family != 0) {
        abort();
    }
    return 0;
}
