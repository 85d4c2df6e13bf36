/*
 * wire.h - what is said on a wire with VRRP: frames to adverts (pure, hostile bytes), who says what (pure),
 * and what that means. The decoder of the advert itself is vrrpd's (vrrpd/packet.h). Called by cmd_wire.c,
 * doctor and tests.
 */
#ifndef HOLDFAST_PARENT_CTL_WIRE_H
#define HOLDFAST_PARENT_CTL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "parent/ctl/finding.h"
#include "vrrpd/packet.h"

#define WIRE_SENDERS 1024
#define WIRE_MAC     6

/* One advert as it came from the wire. */
struct wire_advert {
    struct packet_rx rx;
    struct packet_view view;
    uint16_t vlan; /* 0: untagged */
    bool ah, trailer;
    bool bad_checksum, bad_length, bad_ttl;
    bool plain; /* version 3, IPv4: the checksum is right, without a pseudo header */
    bool body;  /* the addresses are there */
};

/* data begins behind the link layer's header (packet socket, SOCK_DGRAM); ethertype in host order. -1: no
 * VRRP. */
int wire_decode(uint16_t ethertype, const uint8_t *data, size_t len, struct wire_advert *out);

struct wire_sender {
    struct ipaddr src, dst;
    uint8_t mac[WIRE_MAC];
    uint16_t vlan;
    uint8_t family, vrid, version, priority, auth_type;
    uint8_t auth[PACKET_AUTH_LEN]; /* version 2: a password in clear; compared, never shown */
    bool own;                      /* this machine sends it */
    bool ah, trailer, two_macs, plain;
    uint64_t interval_ns;
    struct ipaddr *vips; /* sorted */
    size_t nvips;
    uint64_t first_ns, last_ns;
    unsigned long adverts, resigned, bad_checksum, bad_length, bad_ttl;
    unsigned int row;   /* adverts in a row without another sender of this virtual router */
    unsigned int turns; /* how often it spoke right after another one, lately */
};

struct wire {
    struct wire_sender *s;
    size_t n;
    unsigned long ignored; /* adverts of senders beyond WIRE_SENDERS */
    unsigned long adverts;
};

enum wire_news { WIRE_SAME, WIRE_NEW, WIRE_CHANGED, WIRE_RESIGNED, WIRE_SPLIT };

/* Takes one advert in. *who: its sender. WIRE_SPLIT: from this one on there are two masters. */
enum wire_news wire_hear(struct wire *w, const struct wire_advert *a, const uint8_t mac[WIRE_MAC], bool own,
                         uint64_t now_ns, size_t *who);
bool wire_is_split(const struct wire *w, size_t a, size_t b);
void wire_free(struct wire *w);

/* wire_report.c */
void wire_judge(const struct wire *w, const char *ifname, struct findings *l);
void wire_line(const struct wire_sender *s, FILE *out);
void wire_print(const struct wire *w, const char *ifname, double seconds, FILE *out);
json_t *wire_json(const struct wire *w, const char *ifname, double seconds, const struct findings *l);
void wire_free_vrids(const struct wire *w, char *out, size_t size); /* "1-50 52-255" */

/* The lines that let VRRP through each of the usual firewalls; ah: also protocol 51. */
void wire_firewall(struct finding *f, unsigned int family, bool ah);

#endif
