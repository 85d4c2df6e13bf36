/*
 * vrrpfilter.h - classic BPF programs for a VRRP socket pair. Pure: a description in, instructions out.
 * The accept program passes what a cheap look finds plausible; the reject program passes what the other
 * refused and somebody may want to count. Every packet passes at most one of the two. Called by sock.c and
 * the unit test.
 */
#ifndef HOLDFAST_IPVSD_VRRPFILTER_H
#define HOLDFAST_IPVSD_VRRPFILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

#define VRRPFILTER_MAX 80

struct vrrpfilter_spec {
    uint8_t family;    /* 4: the packet begins with its IP header; 6: with the VRRP header */
    bool multicast;    /* demand TTL / hop limit 255 and this group */
    bool ah;           /* an authentication header (RFC 4302, 24 bytes as VRRP uses it) comes first */
    bool unknown;      /* the reject socket also takes VRIDs nobody configured */
    uint8_t versions;  /* bit n: protocol version n */
    struct ipaddr dst; /* group, or our unicast address; family 0: any unicast destination */
    uint32_t vrids[8]; /* bit map of the configured VRIDs */
};

void vrrpfilter_add_vrid(struct vrrpfilter_spec *s, uint8_t vrid);
size_t vrrpfilter_accept(const struct vrrpfilter_spec *s, struct sock_filter out[VRRPFILTER_MAX]);
size_t vrrpfilter_reject(const struct vrrpfilter_spec *s, struct sock_filter out[VRRPFILTER_MAX]);

#endif
