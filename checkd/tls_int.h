/*
 * tls_int.h - inside of the TLS layer: shared by tls.c (sessions) and tls_ctx.c (contexts) only.
 */
#ifndef HOLDFAST_CHECKD_TLS_INT_H
#define HOLDFAST_CHECKD_TLS_INT_H

#include <openssl/ssl.h>

#include "checkd/tls.h"

struct tls_ctx {
    SSL_CTX *ctx;
    unsigned int refs;
};

const char *tls_reason(void); /* OpenSSL's reason for the last failure, never NULL */

#endif
