/*
 * icmp_echo.c - see icmp_echo.h. Everything received is hostile: the socket hears what anybody sends to this
 * host. A reply counts only with our identifier, sequence number, full length and random token. Called by
 * check_ping.c.
 */
#include "checkd/icmp_echo.h"

#include <string.h>

enum { V4_REPLY = 0, V4_REQUEST = 8, V6_REQUEST = 128, V6_REPLY = 129, PROTO_ICMP = 1, HEAD = 8 };

static uint16_t checksum(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    if (len % 2 != 0)
        sum += (uint32_t)p[len - 1] << 8;
    sum = (sum >> 16) + (sum & 0xffff);
    sum += sum >> 16;
    return (uint16_t)~sum;
}

static void put16(uint8_t *p, unsigned int v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static unsigned int get16(const uint8_t *p)
{
    return (unsigned int)p[0] << 8 | p[1];
}

void icmp_echo_encode(uint8_t family, const struct icmp_echo *e, uint8_t out[ICMP_ECHO_LEN])
{
    out[0] = family == 4 ? V4_REQUEST : V6_REQUEST;
    out[1] = 0;
    put16(out + 2, 0);
    put16(out + 4, e->ident);
    put16(out + 6, e->seq);
    memcpy(out + HEAD, e->token, ICMP_ECHO_TOKEN);
    for (size_t i = ICMP_ECHO_TOKEN; i < ICMP_ECHO_DATA; i++)
        out[HEAD + i] = (uint8_t)i;
    if (family == 4)
        put16(out + 2, checksum(out, ICMP_ECHO_LEN));
}

/* What stands behind an IPv4 header, *len its length; NULL: no header, not ICMP, or a fragment. */
static const uint8_t *ipv4_inside(const uint8_t *p, size_t *len)
{
    size_t head;

    if (*len < 20 || p[0] >> 4 != 4)
        return NULL;
    head = (size_t)(p[0] & 0x0f) * 4;
    if (head < 20 || head > *len || p[9] != PROTO_ICMP || (get16(p + 6) & 0x1fff) != 0)
        return NULL;
    *len -= head;
    return p + head;
}

static bool reply_is_ours(const uint8_t *p, const struct icmp_echo *e)
{
    if (p[1] != 0 || get16(p + 4) != e->ident || get16(p + 6) != e->seq ||
        memcmp(p + HEAD, e->token, ICMP_ECHO_TOKEN) != 0)
        return false;
    for (size_t i = ICMP_ECHO_TOKEN; i < ICMP_ECHO_DATA; i++)
        if (p[HEAD + i] != (uint8_t)i)
            return false;
    return true;
}

bool icmp_echo_is_reply(uint8_t family, const void *buf, size_t len, const struct icmp_echo *e)
{
    const uint8_t *p = buf;

    if (family == 4) {
        p = ipv4_inside(p, &len);
        return p != NULL && len == ICMP_ECHO_LEN && p[0] == V4_REPLY && checksum(p, len) == 0 &&
               reply_is_ours(p, e);
    }
    return len == ICMP_ECHO_LEN && p[0] == V6_REPLY && reply_is_ours(p, e);
}
