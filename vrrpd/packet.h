/*
 * packet.h - the bytes of a VRRP advert (RFC 3768 version 2, RFC 5798/9568 version 3, both families), built
 * and taken apart by pure functions on (buffer, length). Trusts nothing it parses. Called by io.c, inst_rx.c
 * and checks.c (in), inst_wire.c (out), parent/ctl/wire_frame.c, tests and fuzzers.
 */
#ifndef HOLDFAST_VRRPD_PACKET_H
#define HOLDFAST_VRRPD_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

#define PACKET_PROTO        112
#define PACKET_PROTO_AH     51
#define PACKET_AH_LEN       24 /* fixed part 12, check value 12 */
#define PACKET_HEADER       8
#define PACKET_AUTH_LEN     8
#define PACKET_TYPE_ADVERT  1
#define PACKET_ADDRS_MAX    255
#define PACKET_MAX          (PACKET_HEADER + PACKET_ADDRS_MAX * 16 + PACKET_AUTH_LEN)
#define PACKET_ETHER_PADDED 46 /* bytes of IP a minimal Ethernet frame carries */

enum packet_auth { PACKET_AUTH_NONE, PACKET_AUTH_PASS, PACKET_AUTH_AH };

/* One received datagram as the socket layer saw it; payload begins behind the IP header. */
struct packet_rx {
    struct ipaddr src, dst;
    uint8_t family;     /* 4 or 6 */
    uint8_t proto;      /* 112, 51 */
    int ttl;            /* -1: not known */
    uint16_t total_len; /* IPv4: total length field; 0 for IPv6 */
    uint16_t ip_hlen;   /* IPv4: header length; 0 for IPv6 */
    const uint8_t *payload;
    size_t len;
    const uint8_t *ah; /* the authentication header taken off by packet_unwrap, behind the IP header; NULL */
    uint64_t real_at;  /* CLOCK_REALTIME of its arrival, ns */
};

/* The fixed part of an advert. Only meaningful when packet_parse said 0. */
struct packet_view {
    uint8_t version, type, vrid, priority, count, auth_type;
    uint64_t interval_ns;
    size_t need; /* bytes this advert must have: header, addresses, version 2's authentication data */
    const uint8_t *addrs; /* count * address length bytes, only when the payload has need bytes */
    const uint8_t *auth;  /* version 2: 8 bytes, else NULL */
};

/* What to build. */
struct packet_spec {
    uint8_t family, version, vrid, priority;
    uint64_t interval_ns;
    enum packet_auth auth_type;
    uint8_t auth[PACKET_AUTH_LEN];
    bool plain_checksum; /* v3_checksum_as_v2: no pseudo header for IPv4 */
    struct ipaddr src, dst;
    const struct ipaddr *addrs;
    size_t naddrs;
};

/* Version 2 ends in room for a password, over IPv6 only if there is one: keepalived's has none there (and its
 * backup dies of a type PASS without). */
size_t packet_auth_len(uint8_t family, uint8_t version, uint8_t auth_type);
/* Splits an IPv4 datagram (as a raw socket delivers it). -1: not even an IPv4 header. */
int packet_split4(const uint8_t *buf, size_t len, struct packet_rx *out);

/* Takes an authentication header (proto 51) off the payload; anything else stays as it is. -1: it says 51 and
 * is none that holds an advert. */
int packet_unwrap(struct packet_rx *rx);

/* VRID and version of any payload, without judging it. false: too short to have one. */
bool packet_peek(const uint8_t *payload, size_t len, uint8_t *version, uint8_t *vrid);

/* Reads the fixed part. -1: shorter than it. v->addrs and v->auth are NULL when len < v->need. */
int packet_parse(uint8_t family, const uint8_t *payload, size_t len, struct packet_view *v);

/* Bytes that belong to the advert: need when len is exact or padded by Ethernet; 0: wrong length. */
size_t packet_length(const struct packet_rx *rx, const struct packet_view *v);

/* Internet checksum over a (pseudo header of src, dst, proto 112, len) and buf; 0 means a received sum is
 * right. */
uint16_t packet_checksum(const struct ipaddr *src, const struct ipaddr *dst, const uint8_t *buf, size_t len);
uint16_t packet_checksum_plain(const uint8_t *buf, size_t len);

/* Length of the PDU, -1 EINVAL (more than 255 addresses, foreign family) or EMSGSIZE. */
int packet_build(const struct packet_spec *s, uint8_t *buf, size_t size);

#endif
