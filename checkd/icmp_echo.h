/*
 * icmp_echo.h - echo request and reply, ICMP and ICMPv6, as PING_CHECK says and hears them on a raw socket.
 * Pure functions on (buffer, length).
 */
#ifndef HOLDFAST_CHECKD_ICMP_ECHO_H
#define HOLDFAST_CHECKD_ICMP_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICMP_ECHO_DATA  128                  /* payload, as the incumbent's */
#define ICMP_ECHO_LEN   (8 + ICMP_ECHO_DATA) /* without IP header */
#define ICMP_ECHO_TOKEN 16 /* first bytes of the payload: nobody who has not seen the request knows them */

struct icmp_echo {
    uint16_t ident, seq;
    uint8_t token[ICMP_ECHO_TOKEN];
};

/* family 4: with checksum; 6: the kernel fills it in (a raw ICMPv6 socket always does). */
void icmp_echo_encode(uint8_t family, const struct icmp_echo *e, uint8_t out[ICMP_ECHO_LEN]);

/* Is it the reply to exactly this request? family 4: buf begins with the IP header, as raw sockets deliver
 * it; 6: with the ICMPv6 header (its checksum was the kernel's to check). */
bool icmp_echo_is_reply(uint8_t family, const void *buf, size_t len, const struct icmp_echo *e);

#endif
