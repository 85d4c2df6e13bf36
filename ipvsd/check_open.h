/*
 * check_open.h - the socket of one check that checkd may not open itself: marked, bound to a device, an
 * address, a privileged port; for PING_CHECK a raw one that can hear nothing but echo replies to its own
 * identifier. What it shall be is read from ipvsd's own slice. Called by check_sock.c and its test.
 */
#ifndef HOLDFAST_IPVSD_CHECK_OPEN_H
#define HOLDFAST_IPVSD_CHECK_OPEN_H

#include <linux/filter.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"

enum check_open_type { CHECK_OPEN_TCP, CHECK_OPEN_UDP, CHECK_OPEN_ICMP };

struct check_open {
    enum check_open_type type;
    struct ipaddr to;     /* gives the family; ICMP: the target, the only one heard */
    struct ipaddr bindto; /* family 0: none */
    uint16_t bind_port;   /* 0: the kernel's choice */
    char bind_if[IFNAMSIZ];
    uint32_t fwmark;
};

#define CHECK_OPEN_FILTER_MAX 8

/* Pure. False: o is no check with a socket, or does not say where to. */
bool check_open_read(struct check_open *c, const struct slice *s, const struct slice_obj *o);
/* Pure: passes echo replies with this identifier. family 4: packets begin with the IP header, 6: with ICMPv6.
 */
size_t check_open_filter(uint8_t family, uint16_t ident, struct sock_filter out[CHECK_OPEN_FILTER_MAX]);

/* What to ask socket(2) for. */
void check_open_kind(const struct check_open *c, int *domain, int *type, int *protocol);
/* fd: a fresh socket of that kind. ident: host order, of ICMP. -1 errno; fd stays the caller's. */
int check_open_setup(const struct check_open *c, int fd, uint16_t ident);

#endif
