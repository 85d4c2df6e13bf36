/*
 * garp_frame.c - see garp_frame.h. ARP: a broadcast request whose sender and target are the address, the form
 * every switch and stack learns from. NA: RFC 4861 4.4, unsolicited with the override flag, from the address
 * itself to all nodes.
 */
#include "ipvsd/garp_frame.h"

#include <string.h>

#define NA_PAYLOAD_LEN   32 /* advertisement 24, target link-layer option 8 */
#define NA_TYPE          136
#define NA_FLAG_ROUTER   0x80
#define NA_FLAG_OVERRIDE 0x20

static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };

static uint8_t *frame_put(uint8_t *p, const void *b, size_t n)
{
    memcpy(p, b, n);
    return p + n;
}

size_t garp_frame_arp(uint8_t buf[GARP_FRAME_MAX], const uint8_t mac[6], const struct ipaddr *ip)
{
    /* ethertype ARP; Ethernet, IPv4, lengths 6 and 4, request */
    static const uint8_t fixed[] = { 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1 };
    uint8_t *p = buf;
    memset(p, 0xff, 6);
    p = frame_put(p + 6, mac, 6);
    p = frame_put(p, fixed, sizeof fixed);
    p = frame_put(p, mac, 6);
    p = frame_put(p, ip->b, 4);
    memset(p, 0xff, 6);
    p = frame_put(p + 6, ip->b, 4);
    return (size_t)(p - buf);
}

static uint32_t sum_bytes(uint32_t sum, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)(b[i] << 8 | b[i + 1]);
    return sum;
}

static void na_checksum(uint8_t *ip6, uint8_t *icmp)
{
    uint32_t sum = sum_bytes(0, ip6 + 8, 32); /* source and destination */
    sum += NA_PAYLOAD_LEN + IPPROTO_ICMPV6;
    sum = sum_bytes(sum, icmp, NA_PAYLOAD_LEN);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    icmp[2] = (uint8_t)(~sum >> 8);
    icmp[3] = (uint8_t)~sum;
}

size_t garp_frame_na(uint8_t buf[GARP_FRAME_MAX], const uint8_t mac[6], const struct ipaddr *ip, bool router)
{
    static const uint8_t eth_dst[6] = { 0x33, 0x33, 0, 0, 0, 1 };
    static const uint8_t eth_type[2] = { 0x86, 0xdd };
    static const uint8_t ip6_fixed[8] = { 0x60, 0, 0, 0, 0, NA_PAYLOAD_LEN, IPPROTO_ICMPV6, 255 };
    uint8_t icmp_fixed[8] = { NA_TYPE, 0, 0, 0, NA_FLAG_OVERRIDE, 0, 0, 0 };
    static const uint8_t option[2] = { 2, 1 };
    if (router)
        icmp_fixed[4] |= NA_FLAG_ROUTER;
    uint8_t *p = frame_put(buf, eth_dst, 6);
    p = frame_put(p, mac, 6);
    p = frame_put(p, eth_type, 2);
    uint8_t *ip6 = p;
    p = frame_put(p, ip6_fixed, 8);
    p = frame_put(p, ip->b, 16);
    p = frame_put(p, all_nodes, 16);
    uint8_t *icmp = p;
    p = frame_put(p, icmp_fixed, 8);
    p = frame_put(p, ip->b, 16);
    p = frame_put(p, option, 2);
    p = frame_put(p, mac, 6);
    na_checksum(ip6, icmp);
    return (size_t)(p - buf);
}
