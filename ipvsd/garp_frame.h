/*
 * garp_frame.h - the bytes of an announcement: gratuitous ARP and unsolicited neighbour advertisement, whole
 * Ethernet frames. Pure. Called by garp.c and the unit test.
 */
#ifndef HOLDFAST_IPVSD_GARP_FRAME_H
#define HOLDFAST_IPVSD_GARP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

#define GARP_FRAME_NA_LEN 86
#define GARP_FRAME_MAX    GARP_FRAME_NA_LEN

/* ip must be of the right family; returns the length. router: this host forwards on that interface. */
size_t garp_frame_arp(uint8_t buf[GARP_FRAME_MAX], const uint8_t mac[6], const struct ipaddr *ip);
size_t garp_frame_na(uint8_t buf[GARP_FRAME_MAX], const uint8_t mac[6], const struct ipaddr *ip, bool router);

#endif
