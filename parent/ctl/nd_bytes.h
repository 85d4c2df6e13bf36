/*
 * nd_bytes.h - neighbour discovery of IPv6, the ICMPv6 message alone: the question doctor asks and what
 * anybody answers. Pure, hostile bytes.
 */
#ifndef HOLDFAST_PARENT_CTL_ND_BYTES_H
#define HOLDFAST_PARENT_CTL_ND_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "parent/ctl/arp_bytes.h"

#define ND_LEN 32

/* Its checksum is the kernel's. group: where it goes to. */
void nd_question(const uint8_t mac[ARP_MAC], const struct ipaddr *ip, uint8_t out[ND_LEN],
                 struct ipaddr *group);
/* Who says that ip is at mac. -1: no answer, malformed, or without a MAC. */
int nd_answer(const uint8_t *p, size_t len, uint8_t mac[ARP_MAC], struct ipaddr *ip);

#endif
