/*
 * serve.h - the metrics server's connections: HTTP/1.1 as far as a scraper speaks it. request.c is pure and
 * reads hostile bytes; serve.c holds a handful of clients with a patience each; main.c makes the socket and
 * the jail. One thread, no allocation per client.
 */
#ifndef HOLDFAST_PARENT_METRICS_SERVE_H
#define HOLDFAST_PARENT_METRICS_SERVE_H

#include <stddef.h>
#include <stdint.h>

#define SERVE_REQUEST_MAX 4096

enum serve_wish {
    SERVE_MORE,    /* the request is not complete */
    SERVE_METRICS, /* GET /metrics */
    SERVE_HEAD,    /* HEAD /metrics */
    SERVE_HELLO,   /* GET /: says where metrics are */
    SERVE_NOWHERE, /* another path */
    SERVE_METHOD,  /* another method */
    SERVE_BAD,     /* not HTTP */
    SERVE_LONG,    /* more than SERVE_REQUEST_MAX */
};

/* Pure: what the len bytes of a request so far want. */
enum serve_wish serve_request(const uint8_t *buf, size_t len);

struct serve_opts {
    int listener;
    const char *daemon; /* socket of the daemon */
};
int serve_run(const struct serve_opts *o); /* until a signal; exit status */

#endif
