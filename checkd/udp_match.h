/*
 * udp_match.h - payloads of UDP_CHECK: hexadecimal text of the configuration into bytes, with or without
 * wildcard digits, and the comparison of a reply with them. Pure functions.
 */
#ifndef HOLDFAST_CHECKD_UDP_MATCH_H
#define HOLDFAST_CHECKD_UDP_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* text: an even number of hexadecimal digits in either case; with mask != NULL also x for any digit. bytes
 * and mask (0xf a fixed digit, 0 a wildcard, digit by digit) hold len/2 each. The number of bytes, or -1. */
int udp_hex_decode(const char *text, size_t len, uint8_t *bytes, uint8_t *mask, size_t size);

/* Does buf begin with the pattern, as far as both go? */
bool udp_match(const void *buf, size_t len, const uint8_t *bytes, const uint8_t *mask, size_t n);

#endif
