/*
 * genhash.h - the tool that makes the digest of a page for HTTP_GET and SSL_GET: what was asked for, the
 * connection, the dumps. One shot, one connection, everything before one deadline. The server's bytes are
 * hostile (http.c reads them), the options are the caller's own.
 */
#ifndef HOLDFAST_GENHASH_H
#define HOLDFAST_GENHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

enum genhash_protocol { GENHASH_PROTOCOL_10, GENHASH_PROTOCOL_10C, GENHASH_PROTOCOL_11 };

struct genhash_options {
    struct ipaddr server;
    uint32_t scope; /* interface of a link-local address */
    uint16_t port;
    const char *url;
    const char *vhost; /* NULL: address:port */
    bool ssl, sni, verbose;
    enum genhash_protocol protocol;
    bool has_mark;
    uint32_t mark;
    uint64_t timeout_ns; /* for everything together */
};

/* 0: go. -1: usage or a message has been printed, exit status 1. */
int genhash_options_parse(int argc, char **argv, struct genhash_options *o);

/* ---- connection: 0 / -1, and then a text that says what failed */
struct genhash_conn;

struct genhash_conn *genhash_conn_open(const struct genhash_options *o, char *why,
                                       size_t size); /* NULL: why */
int genhash_conn_write(struct genhash_conn *c, const void *p, size_t len, char *why, size_t size);
/* Bytes read; 0: closed orderly; -1: why. */
long genhash_conn_read(struct genhash_conn *c, void *p, size_t len, char *why, size_t size);
void genhash_conn_close(struct genhash_conn *c);

/* ---- the whole errand: connect, ask, read, hash. -1: why. */
#define GENHASH_MD5_LEN 16
int genhash_fetch(const struct genhash_options *o, uint8_t md5[GENHASH_MD5_LEN], char *why, size_t size);

/* Hex and ASCII on stdout, 16 bytes a line. */
void genhash_dump(const void *p, size_t len);

#endif
