/* ipvs_types.c - see ipvs_types.h. Pure. */
#include "ipvsd/ipvs_types.h"

#include <linux/ip_vs.h>
#include <stdio.h>
#include <string.h>

#include "common/addr.h"
#include "common/hash.h"

bool ipvs_key_same(const struct ipvs_key *a, const struct ipvs_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool ipvs_svc_same(const struct ipvs_svc *a, const struct ipvs_svc *b)
{
    return strcmp(a->sched, b->sched) == 0 && strcmp(a->pe, b->pe) == 0 && a->flags == b->flags &&
           a->timeout == b->timeout && a->netmask == b->netmask;
}

bool ipvs_dkey_same(const struct ipvs_dkey *a, const struct ipvs_dkey *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool ipvs_dest_same(const struct ipvs_dest *a, const struct ipvs_dest *b)
{
    if (a->method != b->method || a->upper != b->upper || a->lower != b->lower)
        return false;
    /* what a tunnel would look like says nothing where there is none */
    return a->method != IP_VS_CONN_F_TUNNEL ||
           (a->tun_type == b->tun_type && a->tun_port == b->tun_port && a->tun_flags == b->tun_flags);
}

uint32_t ipvs_hash(const void *key, size_t len)
{
    return hash_place(hash_bytes(HASH_START, key, len));
}

static void ipvs_hostport(uint8_t family, const uint8_t addr[16], uint16_t port, char *buf, size_t size)
{
    struct ipaddr a = { .family = family };
    char text[IPADDR_STRLEN];
    memcpy(a.b, addr, sizeof a.b);
    snprintf(buf, size, family == 6 ? "[%s]:%u" : "%s:%u", ipaddr_str(&a, text), port);
}

const char *ipvs_key_text(const struct ipvs_key *k, char buf[IPVS_TEXT_LEN])
{
    const char *proto = k->protocol == 6 ? "tcp" : k->protocol == 17 ? "udp" : "sctp";
    if (k->fwmark != 0) {
        snprintf(buf, IPVS_TEXT_LEN, "fwmark %u%s", k->fwmark, k->family == 6 ? " (IPv6)" : "");
        return buf;
    }
    int n = snprintf(buf, IPVS_TEXT_LEN, "%s ", proto);
    ipvs_hostport(k->family, k->addr, k->port, buf + n, IPVS_TEXT_LEN - (size_t)n);
    return buf;
}

const char *ipvs_dkey_text(const struct ipvs_dkey *k, char buf[IPVS_TEXT_LEN])
{
    ipvs_hostport(k->family, k->addr, k->port, buf, IPVS_TEXT_LEN);
    return buf;
}
