/*
 * addr.h - one IP address of either family, as configured, sent and compared.
 * Pure values; every parser of addresses in the house ends here.
 */
#ifndef HOLDFAST_ADDR_H
#define HOLDFAST_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct ipaddr {
    uint8_t family; /* 4, 6, or 0 = none */
    uint8_t plen;   /* prefix length; 32/128 when none was given */
    uint8_t b[16];  /* network order; IPv4 in b[0..3], the rest zero */
};

#define IPADDR_STRLEN 64

int ipaddr_parse(const char *s, struct ipaddr *out); /* "10.0.0.1", "fe80::1": no prefix; -1 EINVAL */
int ipaddr_parse_prefix(const char *s,
                        struct ipaddr *out); /* with optional "/N"; -1 EINVAL (address) or ERANGE (prefix) */
const char *ipaddr_str(const struct ipaddr *a, char buf[IPADDR_STRLEN]);        /* without prefix */
const char *ipaddr_prefix_str(const struct ipaddr *a, char buf[IPADDR_STRLEN]); /* with /plen */
int ipaddr_cmp(const struct ipaddr *a,
               const struct ipaddr *b); /* address bytes only, as unsigned integers (RFC tie-break) */
bool ipaddr_same(const struct ipaddr *a, const struct ipaddr *b); /* family and address */
bool ipaddr_is_multicast(const struct ipaddr *a);
bool ipaddr_is_linklocal6(const struct ipaddr *a);
size_t ipaddr_len(const struct ipaddr *a); /* 4, 16 or 0 */
int ipaddr_af(const struct ipaddr *a);     /* AF_INET, AF_INET6, AF_UNSPEC */
socklen_t ipaddr_sockaddr(const struct ipaddr *a, uint16_t port, uint32_t scope,
                          struct sockaddr_storage *out);
int ipaddr_from_sockaddr(const struct sockaddr *sa, struct ipaddr *out);

#endif
