/*
 * dns_msg.h - the two DNS messages a check needs (RFC 1035 section 4): one question out, the head of a reply
 * in. Pure functions on (buffer, length); used by DNS_CHECK.
 */
#ifndef HOLDFAST_CHECKD_DNS_MSG_H
#define HOLDFAST_CHECKD_DNS_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_MAX  255 /* encoded, the root's zero included */
#define DNS_QUERY_MAX (12 + DNS_NAME_MAX + 4)

/* The name as labels on the wire; "" and "." are the root, a dot at the end is fine. Its length, or -1: empty
 * label, label longer than 63, name longer than 255. */
int dns_name_encode(const char *name, uint8_t *out, size_t size);

/* A standard query of class IN, recursion desired. name: encoded. Its length, or -1 when size is too small.
 */
int dns_query_encode(uint16_t id, const uint8_t *name, size_t name_len, uint16_t type, uint8_t *out,
                     size_t size);

enum dns_verdict {
    DNS_ANSWER,   /* a reply to id, rcode 0 */
    DNS_REFUSED,  /* a reply to id, another rcode */
    DNS_NOT_OURS, /* too short, a query, another opcode or another id: it says nothing about our question */
};

struct dns_reply {
    unsigned int rcode;
    unsigned int answers;
    bool truncated;
};

enum dns_verdict dns_reply_decode(const void *buf, size_t len, uint16_t id, struct dns_reply *out);

const char *dns_rcode_name(unsigned int rcode); /* "SERVFAIL"; NULL: no name known */

#endif
