/*
 * ipvs_types.h - a service and a server of the kernel's IPVS table, as values. Ports are in host order;
 * unused bytes are zero, so that keys compare and hash as bytes. Shared by the ipvs_ modules; no code behind
 * it but ipvs_types.c.
 */
#ifndef HOLDFAST_IPVSD_IPVS_TYPES_H
#define HOLDFAST_IPVSD_IPVS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPVS_NAME_LEN 16u /* IP_VS_SCHEDNAME_MAXLEN, IP_VS_PENAME_MAXLEN */
#define IPVS_TEXT_LEN 80u

/* What tells services apart. A firewall mark is alone with its family: protocol, port and address are zero.
 */
struct ipvs_key {
    uint8_t family; /* 4 or 6 */
    uint8_t protocol;
    uint16_t port;
    uint32_t fwmark;
    uint8_t addr[16];
};

struct ipvs_svc {
    struct ipvs_key key;
    char sched[IPVS_NAME_LEN];
    char pe[IPVS_NAME_LEN]; /* "" none */
    uint32_t flags;         /* IP_VS_SVC_F_ without HASHED, which is the kernel's own */
    uint32_t timeout;       /* seconds */
    uint32_t netmask;       /* IPv4: in network order; IPv6: prefix length */
};

/* What tells the servers of a service apart. */
struct ipvs_dkey {
    uint8_t family;
    uint8_t zero;
    uint16_t port;
    uint8_t addr[16];
};

struct ipvs_dest {
    struct ipvs_dkey key;
    uint32_t weight, upper, lower;
    uint16_t tun_port, tun_flags;
    uint8_t method, tun_type; /* IP_VS_CONN_F_ of forwarding; IP_VS_CONN_F_TUNNEL_TYPE_ */
};

struct ipvs_timeouts {
    uint32_t v[3]; /* tcp, tcpfin, udp in seconds */
};

bool ipvs_key_same(const struct ipvs_key *a, const struct ipvs_key *b);
bool ipvs_svc_same(const struct ipvs_svc *a, const struct ipvs_svc *b); /* all but the key */
bool ipvs_dkey_same(const struct ipvs_dkey *a, const struct ipvs_dkey *b);
bool ipvs_dest_same(const struct ipvs_dest *a, const struct ipvs_dest *b); /* all but key and weight */
uint32_t ipvs_hash(const void *key, size_t len);
const char *ipvs_key_text(const struct ipvs_key *k,
                          char buf[IPVS_TEXT_LEN]); /* "tcp 10.0.0.1:80", "fwmark 5" */
const char *ipvs_dkey_text(const struct ipvs_dkey *k, char buf[IPVS_TEXT_LEN]);

#endif
