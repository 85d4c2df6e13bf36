/*
 * tls.h - TLS as a client, never blocking, over OpenSSL: for SSL_GET and for mail (STARTTLS). The material
 * (certificates, keys) arrives in the slice as BLK_TLS objects, which holdfast-conf filled from the files:
 * checkd opens none. A context is made once per distinct material and shared by name; a session belongs to
 * one connected descriptor, which stays the caller's. What the peer sends is hostile; its worst is TLS_FAILED
 * with a text. No session resumption.
 *
 *   pre_jail:  tls_init()                      store: one per process, tls_store_new(), in struct checkd
 *   prepare:   ctx = tls_store_get(...)        attempt: tls_open(ctx, fd, &opts), tls_handshake() until
 *   free:      tls_ctx_unref(ctx)              TLS_OK, tls_write(), tls_read(), tls_close()
 */
#ifndef HOLDFAST_CHECKD_TLS_H
#define HOLDFAST_CHECKD_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/slice.h"

struct tls_store; /* contexts by name of their material */
struct tls_ctx;   /* counted */
struct tls;       /* a session */

/* Before the jail: what OpenSSL loads from files or lazily. 0, -1: said why in e. */
int tls_init(struct err *e);

struct tls_store *tls_store_new(void);
void tls_store_free(struct tls_store *st); /* contexts still held stay valid */
/* The context for the BLK_TLS object of this name in s ("" : no material at all: nothing is trusted, no
 * certificate is shown). One reference for the caller. NULL with e: the material makes no sense to OpenSSL.
 * Contexts that only the store holds any more are dropped on the way. */
struct tls_ctx *tls_store_get(struct tls_store *st, const struct slice *s, const char *name, struct err *e);
struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);
void tls_ctx_unref(struct tls_ctx *ctx); /* NULL: nothing */

/* The material itself, for those who have it elsewhere (tests). Any part may be absent (length 0). */
struct tls_material {
    const char *ca, *cert, *key; /* PEM; cert may be a chain, key may stand in cert */
    size_t ca_len, cert_len, key_len;
    const char *password; /* of key, NULL: none */
};
struct tls_ctx *tls_ctx_new(const struct tls_material *m, struct err *e);

struct tls_opts {
    const char *sni;                /* NULL or "": none is sent. An address literal is never sent */
    bool verify;                    /* chain against the context's CA, validity, and the name or address: */
    const char *verify_name;        /* NULL: the address */
    const struct ipaddr *verify_ip; /* used when verify_name is NULL or an address literal itself */
    unsigned int min_version;       /* 10, 11, 12, 13 (ENUM_TLS); 0: the system's default */
};

enum tls_step { TLS_OK, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };

/* fd: connected, non-blocking, the caller's; must not be closed before tls_close. NULL with why. */
struct tls *tls_open(struct tls_ctx *ctx, int fd, const struct tls_opts *o, char *why, size_t size);

/* One step each. TLS_WANT_*: again when the descriptor is ready for that (also tls_read may want to write).
 * TLS_CLOSED: closed orderly by the peer. TLS_FAILED: tls_why() says what happened. n: bytes done. A
 * tls_write that wanted something must be repeated with the same bytes. A close without close_notify counts
 * as TLS_CLOSED in tls_read and sets tls_cut(): the caller knows whether the end was to be expected there. */
enum tls_step tls_handshake(struct tls *t);
enum tls_step tls_read(struct tls *t, void *buf, size_t len, size_t *n);
enum tls_step tls_write(struct tls *t, const void *buf, size_t len, size_t *n);
bool tls_pending(const struct tls *t); /* decrypted bytes wait: read again without waiting for the fd */
bool tls_cut(const struct tls *t);
const char *tls_why(const struct tls *t); /* "TLS handshake: certificate verify failed (expired)" */

/* After the handshake. */
const char *tls_version(const struct tls *t);                     /* "TLSv1.3" */
bool tls_peer_expiry(const struct tls *t, int64_t *unix_seconds); /* notAfter of the server's certificate */

/* Frees. notify: tells the peer (close_notify, one try, never waits); else quiet. NULL: nothing. */
void tls_close(struct tls *t, bool notify);

/* Is this text an address and not a name (no SNI for it)? "[::1]" is one. */
bool tls_is_address(const char *name);

#endif
