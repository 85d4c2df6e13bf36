/* packet.c - see packet.h. Byte-wise access everywhere: nothing here depends on alignment or host order. */
#include "vrrpd/packet.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"

#define PACKET_CS   (NS_PER_SEC / 100)
#define PACKET_CSUM 6 /* offset of the checksum */

static uint16_t packet_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static size_t packet_addr_len(uint8_t family)
{
    return family == 6 ? 16 : 4;
}

size_t packet_auth_len(uint8_t family, uint8_t version, uint8_t auth_type)
{
    return version == 2 && (family == 4 || auth_type == PACKET_AUTH_PASS) ? PACKET_AUTH_LEN : 0;
}

int packet_split4(const uint8_t *buf, size_t len, struct packet_rx *out)
{
    memset(out, 0, sizeof *out);
    if (len < 20 || buf[0] >> 4 != 4)
        return -1;
    size_t hlen = (size_t)(buf[0] & 15) * 4;
    if (hlen < 20 || hlen > len)
        return -1;
    out->family = 4;
    out->proto = buf[9];
    out->ttl = buf[8];
    out->total_len = packet_get16(buf + 2);
    out->ip_hlen = (uint16_t)hlen;
    out->src = (struct ipaddr){ .family = 4, .plen = 32 };
    out->dst = (struct ipaddr){ .family = 4, .plen = 32 };
    memcpy(out->src.b, buf + 12, 4);
    memcpy(out->dst.b, buf + 16, 4);
    out->payload = buf + hlen;
    out->len = len - hlen;
    return 0;
}

int packet_unwrap(struct packet_rx *rx)
{
    if (rx->proto != PACKET_PROTO_AH)
        return 0;
    if (rx->ah != NULL || rx->family != 4 || rx->len < PACKET_AH_LEN || rx->payload[0] != PACKET_PROTO ||
        rx->payload[1] != PACKET_AH_LEN / 4 - 2)
        return -1;
    rx->ah = rx->payload;
    rx->payload += PACKET_AH_LEN;
    rx->len -= PACKET_AH_LEN;
    return 0;
}

bool packet_peek(const uint8_t *payload, size_t len, uint8_t *version, uint8_t *vrid)
{
    if (len < 2)
        return false;
    *version = payload[0] >> 4;
    *vrid = payload[1];
    return true;
}

int packet_parse(uint8_t family, const uint8_t *payload, size_t len, struct packet_view *v)
{
    memset(v, 0, sizeof *v);
    if (len < PACKET_HEADER)
        return -1;
    v->version = payload[0] >> 4;
    v->type = payload[0] & 15;
    v->vrid = payload[1];
    v->priority = payload[2];
    v->count = payload[3];
    bool v2 = v->version == 2;
    size_t addrs = (size_t)v->count * packet_addr_len(family);
    v->auth_type = v2 ? payload[4] : 0;
    v->interval_ns = v2 ? payload[5] * NS_PER_SEC : (packet_get16(payload + 4) & 0x0fffu) * PACKET_CS;
    size_t auth = packet_auth_len(family, v->version, v->auth_type);
    v->need = PACKET_HEADER + addrs + auth;
    if (len >= v->need) {
        v->addrs = payload + PACKET_HEADER;
        v->auth = auth > 0 ? payload + PACKET_HEADER + addrs : NULL;
    }
    return 0;
}

size_t packet_length(const struct packet_rx *rx, const struct packet_view *v)
{
    if (rx->len == v->need)
        return v->need;
    /* A sender that lets Ethernet's padding into the IP length: tolerated when it is exactly that. */
    bool padded = rx->family == 4 && rx->len > v->need && rx->ip_hlen + rx->len == PACKET_ETHER_PADDED;
    return padded ? v->need : 0;
}

static uint32_t packet_sum(uint32_t sum, const uint8_t *p, size_t len)
{
    size_t i = 0;
    for (; i + 1 < len; i += 2)
        sum += packet_get16(p + i);
    if (i < len)
        sum += (uint32_t)p[i] << 8;
    return sum;
}

static uint16_t packet_fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

uint16_t packet_checksum(const struct ipaddr *src, const struct ipaddr *dst, const uint8_t *buf, size_t len)
{
    uint32_t sum = packet_sum(0, src->b, ipaddr_len(src));
    sum = packet_sum(sum, dst->b, ipaddr_len(dst));
    sum += PACKET_PROTO + (uint32_t)len;
    return packet_fold(packet_sum(sum, buf, len));
}

uint16_t packet_checksum_plain(const uint8_t *buf, size_t len)
{
    return packet_fold(packet_sum(0, buf, len));
}

static void packet_put_interval(const struct packet_spec *s, uint8_t *buf)
{
    if (s->version == 2) {
        uint64_t secs = s->interval_ns / NS_PER_SEC;
        buf[4] = (uint8_t)s->auth_type;
        buf[5] = (uint8_t)(secs > 255 ? 255 : secs);
        return;
    }
    uint64_t cs = s->interval_ns / PACKET_CS;
    cs = cs > 0x0fff ? 0x0fff : cs;
    buf[4] = (uint8_t)(cs >> 8);
    buf[5] = (uint8_t)(cs & 0xff);
}

int packet_build(const struct packet_spec *s, uint8_t *buf, size_t size)
{
    size_t alen = packet_addr_len(s->family);
    size_t auth = packet_auth_len(s->family, s->version, (uint8_t)s->auth_type);
    size_t len = PACKET_HEADER + s->naddrs * alen + auth;
    if (s->naddrs > PACKET_ADDRS_MAX) {
        errno = EINVAL;
        return -1;
    }
    if (len > size) {
        errno = EMSGSIZE;
        return -1;
    }
    memset(buf, 0, len);
    buf[0] = (uint8_t)(s->version << 4 | PACKET_TYPE_ADVERT);
    buf[1] = s->vrid;
    buf[2] = s->priority;
    buf[3] = (uint8_t)s->naddrs;
    packet_put_interval(s, buf);
    for (size_t i = 0; i < s->naddrs; i++) {
        if (s->addrs[i].family != s->family) {
            errno = EINVAL;
            return -1;
        }
        memcpy(buf + PACKET_HEADER + i * alen, s->addrs[i].b, alen);
    }
    if (auth > 0 && s->auth_type == PACKET_AUTH_PASS)
        memcpy(buf + PACKET_HEADER + s->naddrs * alen, s->auth, PACKET_AUTH_LEN);
    bool pseudo = s->family == 6 || (s->version == 3 && !s->plain_checksum);
    uint16_t sum = pseudo ? packet_checksum(&s->src, &s->dst, buf, len) : packet_checksum_plain(buf, len);
    buf[PACKET_CSUM] = (uint8_t)(sum >> 8);
    buf[PACKET_CSUM + 1] = (uint8_t)sum;
    return (int)len;
}
