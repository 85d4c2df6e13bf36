/*
 * nft_msg.h - what every nftables transaction of ours is made of: messages in one buffer, all of them or
 * none; expressions of rules; the exchange with the kernel; whether news of the kernel say that others took
 * something of ours away. Bytes through libnftnl. Called by
 * nft_link.c, nft_batch.c, nft_vmac.c, nft_accept*.c.
 */
#ifndef HOLDFAST_IPVSD_NFT_MSG_H
#define HOLDFAST_IPVSD_NFT_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h> /* what libnftnl's headers need */

struct nlmsghdr;
struct nftnl_expr;
struct nftnl_rule;
struct nftnl_set;

struct nft_msgs {
    uint8_t *buf;
    size_t len, cap;
    uint32_t seq;      /* of the next message */
    uint32_t last_seq; /* of the one that is acknowledged: everything before it has been done then */
};

/* Registers of 16 bytes. */
enum nft_reg { NFT_REGISTER_1 = 1, NFT_REGISTER_2, NFT_REGISTER_3 };

/* Data types as nft(8) numbers them, to be shown by name. */
enum nft_type {
    NFT_TYPE_IP4 = 7,
    NFT_TYPE_IP6 = 8,
    NFT_TYPE_PORT = 13,
    NFT_TYPE_IFINDEX = 20,
    NFT_TYPE_MARK = 19,
    NFT_TYPE_ICMP6 = 29,
    NFT_TYPE_IFNAME = 41,
    NFT_TYPE_BITS = 6 /* a concatenation: first << bits | second */
};

/* How nft(8) is to read values. */
enum nft_order { NFT_ORDER_NONE, NFT_ORDER_HOST, NFT_ORDER_BIG };

/* seq: of the first message. */
void nft_msgs_begin(struct nft_msgs *b, uint32_t seq);
void nft_msgs_end(struct nft_msgs *b); /* the message before the end is acknowledged */
void nft_msgs_free(struct nft_msgs *b);
/* Is there a table of this name? One request without a transaction, acknowledged. */
void nft_msgs_ask(struct nft_msgs *b, uint32_t seq, uint16_t nf, const char *table);

/* Its comment says that it is ours. */
void nft_msgs_table(struct nft_msgs *b, uint16_t nf, const char *table);
void nft_msgs_remove(struct nft_msgs *b, uint16_t nf, const char *table); /* whether or not it is there */
/* A base chain of type filter, policy accept. */
void nft_msgs_hook(struct nft_msgs *b, uint16_t nf, const char *table, const char *chain, uint32_t hook,
                   int32_t priority);
void nft_msgs_chain(struct nft_msgs *b, uint16_t nf, const char *table, const char *chain);

/* id: how rules of the same transaction find it; 0: it is there already. */
struct nftnl_set *nft_set_new(const char *table, const char *name, uint32_t id);
void nft_set_orders(struct nftnl_set *s, enum nft_order key, enum nft_order data);
void nft_msgs_set(struct nft_msgs *b, uint16_t nf, struct nftnl_set *s); /* frees s */
/* type: NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM; frees s. No more than NFT_MSGS_ELEMS in it. */
void nft_msgs_elems(struct nft_msgs *b, uint16_t type, uint16_t nf, struct nftnl_set *s);
#define NFT_MSGS_ELEMS 80u

struct nftnl_rule *nft_rule_new(uint16_t nf, const char *table, const char *chain);
void nft_msgs_rule(struct nft_msgs *b, uint16_t nf, struct nftnl_rule *r); /* frees r */
struct nftnl_expr *nft_expr_new(const char *name);
struct nftnl_expr *nft_rule_expr(struct nftnl_rule *r, const char *name);
void nft_rule_meta(struct nftnl_rule *r, uint32_t key, enum nft_reg to);
void nft_rule_load(struct nftnl_rule *r, uint32_t base, uint32_t off, uint32_t len, uint32_t reg);
void nft_rule_equal(struct nftnl_rule *r, enum nft_reg reg, const void *value, uint32_t len);
/* to 0: whether the key is in the set; else what the map says of it goes there. */
void nft_rule_lookup(struct nftnl_rule *r, const char *set, uint32_t id, enum nft_reg key, enum nft_reg to);
void nft_rule_verdict(struct nftnl_rule *r, int verdict, const char *chain); /* chain NULL: none */

/* Sends it on fd and waits for the answer. -1 errno: the kernel has changed nothing, or does not say. */
int nft_msgs_talk(int fd, const struct nft_msgs *b);
/* The same; fn gets every datagram of the answer. */
typedef void nft_msgs_fn(void *buf, size_t len, void *arg);
int nft_msgs_converse(int fd, const struct nft_msgs *b, nft_msgs_fn *fn, void *arg);
int nft_msgs_socket(void);         /* -1 errno */
#define NFT_MSGS_SNDBUF (16 << 20) /* a transaction is one datagram to the kernel */

/* An answer to nft_msgs_ask: is the table one that we made? buf is aligned for a netlink header. */
bool nft_msgs_ours(void *buf, size_t len);

/* News of the kernel (NFNLGRP_NFTABLES): does a message say that somebody else than portid took something out
 * of this table of IPv4 or IPv6? buf is aligned for a netlink header; *who: his port id (may be NULL). */
bool nft_msgs_hurts(void *buf, size_t len, const char *table, uint32_t portid, uint32_t *who);

#endif
