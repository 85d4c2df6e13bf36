/*
 * ipvs_codec.h - requests to and answers from the kernel's generic netlink family IPVS. Encoding builds one
 * message; decoding is a pure function on (buffer, length), fuzzed. Called by ipvs_kernel.c, ipvs_apply.c and
 * list.c.
 */
#ifndef HOLDFAST_IPVSD_IPVS_CODEC_H
#define HOLDFAST_IPVSD_IPVS_CODEC_H

#include "ipvsd/ipvs_types.h"

struct nl_msg;

/* The caller owns what comes back. Each message is a whole request without flags. */
struct nl_msg *
ipvs_codec_family(void); /* which number has the family IPVS? Makes the kernel load the module */
struct nl_msg *ipvs_codec_svc(uint16_t family, uint8_t cmd, const struct ipvs_svc *svc); /* NEW, SET */
struct nl_msg *ipvs_codec_key(uint16_t family, uint8_t cmd, const struct ipvs_key *key); /* DEL, GET, dumps */
struct nl_msg *ipvs_codec_dest(uint16_t family, uint8_t cmd, const struct ipvs_key *key,
                               const struct ipvs_dest *dest); /* NEW, SET */
struct nl_msg *ipvs_codec_dkey(uint16_t family, uint8_t cmd, const struct ipvs_key *key,
                               const struct ipvs_dkey *dest);  /* DEL */
struct nl_msg *ipvs_codec_plain(uint16_t family, uint8_t cmd); /* FLUSH, GET_CONFIG, dump of services */
struct nl_msg *ipvs_codec_timeouts(uint16_t family, const struct ipvs_timeouts *t); /* 0: as it is */

enum ipvs_answer_kind {
    IPVS_ANSWER_SVC,
    IPVS_ANSWER_DEST,
    IPVS_ANSWER_TIMEOUTS,
    IPVS_ANSWER_FAMILY,
    IPVS_ANSWER_INFO
};

/* What the kernel counts of a service or a server. */
enum ipvs_number {
    IPVS_CONNS,
    IPVS_INPKTS,
    IPVS_OUTPKTS,
    IPVS_INBYTES,
    IPVS_OUTBYTES,
    IPVS_CPS,
    IPVS_INPPS,
    IPVS_OUTPPS,
    IPVS_INBPS,
    IPVS_OUTBPS,
    IPVS_NUMBERS
};

struct ipvs_numbers {
    uint64_t n[IPVS_NUMBERS];
    uint32_t active, inactive, persistent; /* of a server */
};

struct ipvs_answer {
    enum ipvs_answer_kind kind;
    struct ipvs_numbers num; /* SVC, DEST; only when the walk asks for them */
    union {
        struct ipvs_svc svc;
        struct ipvs_dest dest; /* key.family 0: the kernel does not say; it is the service's */
        struct ipvs_timeouts timeouts;
        uint16_t family;
        struct {
            uint32_t version, size; /* of ip_vs, of its table of connections */
        } info;
    };
};

struct ipvs_walk {
    uint32_t seq; /* of the request: answers to others are passed over */
    void (*fn)(const struct ipvs_answer *a, void *arg);
    void *arg;
    bool numbers;           /* counters too */
    bool done, interrupted; /* the end was there; the table changed meanwhile */
    int error;              /* errno */
    size_t strange;         /* messages that could not be read */
};

void ipvs_codec_walk(void *buf, size_t len, struct ipvs_walk *w); /* buf is aligned for a netlink header */

#endif
