/*
 * wire_frame.c - from the bytes behind a link layer's header to an advert, whatever is wrong with it: a tool
 * that looks for mistakes must show them. Pure, hostile bytes, length first. See wire.h.
 */
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#include "parent/ctl/wire.h"

#define WIRE_TAGS    2  /* 802.1ad around 802.1Q */
#define WIRE_OPTIONS 4  /* extension headers of IPv6 that are stepped over */
#define WIRE_IP6     40 /* its fixed header */
#define WIRE_TRAILER 28 /* what auth_hmac appends */
#define WIRE_TTL     255

static uint16_t wire_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static int wire_ip4(const uint8_t *data, size_t len, struct wire_advert *out)
{
    struct packet_rx *rx = &out->rx;
    if (packet_split4(data, len, rx) < 0)
        return -1;
    /* What Ethernet added to a short packet is not the sender's. */
    if (rx->total_len >= rx->ip_hlen && (size_t)(rx->total_len - rx->ip_hlen) < rx->len)
        rx->len = (size_t)(rx->total_len - rx->ip_hlen);
    out->ah = rx->proto == PACKET_PROTO_AH;
    if (rx->proto != PACKET_PROTO && !out->ah)
        return -1;
    return packet_unwrap(rx);
}

static int wire_ip6(const uint8_t *data, size_t len, struct wire_advert *out)
{
    struct packet_rx *rx = &out->rx;
    if (len < WIRE_IP6 || data[0] >> 4 != 6)
        return -1;
    *rx = (struct packet_rx){ .family = 6, .proto = data[6], .ttl = data[7] };
    rx->src = rx->dst = (struct ipaddr){ .family = 6, .plen = 128 };
    memcpy(rx->src.b, data + 8, 16);
    memcpy(rx->dst.b, data + 24, 16);
    size_t said = wire_get16(data + 4), room = len - WIRE_IP6;
    rx->payload = data + WIRE_IP6;
    rx->len = said < room ? said : room;
    for (int i = 0; i < WIRE_OPTIONS && (rx->proto == IPPROTO_HOPOPTS || rx->proto == IPPROTO_DSTOPTS); i++) {
        size_t n = rx->len >= 2 ? ((size_t)rx->payload[1] + 1) * 8 : 0;
        if (n == 0 || n > rx->len)
            return -1;
        rx->proto = rx->payload[0];
        rx->payload += n;
        rx->len -= n;
    }
    return rx->proto == PACKET_PROTO ? 0 : -1;
}

/* Both forms are seen in the field: with pseudo header and, IPv4 only, without. */
static void wire_checksum(const struct packet_rx *rx, const struct packet_view *v, size_t len,
                          struct wire_advert *out)
{
    bool plain = rx->family == 4 && packet_checksum_plain(rx->payload, len) == 0;
    bool pseudo =
        (v->version == 3 || rx->family == 6) && packet_checksum(&rx->src, &rx->dst, rx->payload, len) == 0;
    out->bad_checksum = !plain && !pseudo;
    out->plain = v->version == 3 && plain && !pseudo;
}

int wire_decode(uint16_t ethertype, const uint8_t *data, size_t len, struct wire_advert *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < WIRE_TAGS && (ethertype == ETHERTYPE_VLAN || ethertype == 0x88a8); i++) {
        if (len < 4)
            return -1;
        out->vlan = wire_get16(data) & 0x0fff;
        ethertype = wire_get16(data + 2);
        data += 4;
        len -= 4;
    }
    int rc = ethertype == ETHERTYPE_IP     ? wire_ip4(data, len, out)
             : ethertype == ETHERTYPE_IPV6 ? wire_ip6(data, len, out)
                                           : -1;
    if (rc < 0 || packet_parse(out->rx.family, out->rx.payload, out->rx.len, &out->view) < 0 ||
        out->view.type != PACKET_TYPE_ADVERT || (out->view.version != 2 && out->view.version != 3))
        return -1;
    const struct packet_view *v = &out->view;
    out->body = out->rx.len >= v->need;
    out->trailer = out->rx.len == v->need + WIRE_TRAILER;
    out->bad_length = !out->trailer && packet_length(&out->rx, v) == 0;
    out->bad_ttl = ipaddr_is_multicast(&out->rx.dst) && out->rx.ttl != WIRE_TTL;
    out->bad_checksum = true;
    if (out->body)
        wire_checksum(&out->rx, v, v->need, out);
    return 0;
}
