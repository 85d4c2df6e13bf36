/*
 * check_http_int.h - inside of HTTP_GET and SSL_GET: shared by check_http.c (attempts, the turn of the urls)
 * and check_http_conf.c (what was configured).
 */
#ifndef HOLDFAST_CHECKD_CHECK_HTTP_INT_H
#define HOLDFAST_CHECKD_CHECK_HTTP_INT_H

#include "checkd/check_http.h"
#include "checkd/conn.h"
#include "checkd/http.h"
#include "checkd/http_match.h"
#include "checkd/tls.h"

struct http_url {
    char *request; /* as it is sent */
    size_t request_len;
    char *name;      /* TLS: of the host, without port; NULL: none but the address */
    bool send_name;  /* as SNI */
    bool tls_notify; /* close_notify at the end */
    struct http_want want;
};

struct http_attempt;

/* All of its own memory: the state outlives the slice it was read from (take_over). */
struct check_http {
    struct checker_dest dest;
    struct http_url *urls;
    uint32_t nurls;
    uint32_t at;     /* whose turn it is */
    uint32_t passed; /* in a row while the checker is down */
    bool fast_recovery, v11, verify;
    unsigned int min_version;
    struct tls_ctx *tls;          /* NULL: HTTP_GET */
    int64_t expires;              /* of the certificate seen last, seconds of the epoch; 0: none seen */
    uint64_t expiry_said;         /* ns, when that was last a line in the log */
    struct http_attempt *attempt; /* NULL: none runs */
};

int check_http_build(struct checker *k, const struct slice *s, const struct slice_obj *o, struct err *e);
void check_http_free(struct checker *k);

#endif
