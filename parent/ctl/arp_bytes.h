/*
 * arp_bytes.h - ARP of IPv4 over Ethernet, behind the link layer's header: the question doctor asks and what
 * anybody answers. Pure, hostile bytes.
 */
#ifndef HOLDFAST_PARENT_CTL_ARP_BYTES_H
#define HOLDFAST_PARENT_CTL_ARP_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

#define ARP_LEN 28
#define ARP_MAC 6

void arp_question(const uint8_t mac[ARP_MAC], const struct ipaddr *own, const struct ipaddr *ip,
                  uint8_t out[ARP_LEN]);
/* Who says that ip is at mac. -1: no answer, or malformed. */
int arp_answer(const uint8_t *p, size_t len, uint8_t mac[ARP_MAC], struct ipaddr *ip);

#endif
