/* auth.c - see auth.h. Hostile: every byte of a received datagram; trusted: the slice. */
#include "vrrpd/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

#define AUTH_AH_ICV     12 /* offset of the check value in the header, and its length */
#define AUTH_HMAC_LEN   16 /* of the trailer's code, at its end */
#define AUTH_TYPE       1  /* HMAC-SHA-256 truncated to 128 bits */
#define AUTH_CHECKSUM   6  /* offset in the advert */
#define AUTH_WINDOW_MIN (5 * NS_PER_SEC)
#define AUTH_WINDOW_MAX (300 * NS_PER_SEC)
#define AUTH_AH_AHEAD   64 /* adverts a prepared one is ahead of those sent meanwhile */
#define AUTH_RESUME_MORE                                                                                     \
    128 /* adverts our predecessor may have sent since its last snapshot, beyond one a second */
#define AUTH_RESUME_SLACK (100 * NS_PER_MS) /* of a clock that is being slewed, between two snapshots */
#define AUTH_IP4          20

enum { AUTH_MODE_ENFORCE, AUTH_MODE_PERMISSIVE, AUTH_MODE_RECEIVE_ONLY }; /* ENUM_HMAC_MODE */

struct auth_key {
    uint8_t id, len;
    uint8_t bytes[AUTH_KEY_MAX];
    EVP_MAC_CTX *mac;
};

struct auth {
    enum auth_kind kind;
    unsigned int mode;
    bool monotonic;
    uint64_t window;
    uint8_t active;
    size_t nkeys;
    struct auth_key keys[];
};

/* ---- the codes */

static EVP_MAC_CTX *auth_mac_new(const char *digest, const uint8_t *key, size_t len)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    char name[16];
    strncpy(name, digest, sizeof name - 1);
    name[sizeof name - 1] = '\0';
    OSSL_PARAM p[] = { OSSL_PARAM_construct_utf8_string("digest", name, 0), OSSL_PARAM_construct_end() };
    EVP_MAC_free(mac); /* the context holds it */
    if (ctx != NULL && EVP_MAC_init(ctx, key, len, p) == 1)
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

struct auth_part {
    const void *p;
    size_t len;
};

/* The code over the parts, cut to len bytes. */
static void auth_code(const struct auth_key *k, const struct auth_part *parts, size_t n, uint8_t *out,
                      size_t len)
{
    uint8_t full[EVP_MAX_MD_SIZE];
    size_t got = 0;
    bool ok = EVP_MAC_init(k->mac, NULL, 0, NULL) == 1; /* again with the same key */
    for (size_t i = 0; i < n; i++)
        ok = ok && EVP_MAC_update(k->mac, parts[i].p, parts[i].len) == 1;
    if (!ok || EVP_MAC_final(k->mac, full, &got, sizeof full) != 1 || got < len)
        fatal("OpenSSL computes no HMAC any more");
    memcpy(out, full, len);
}

/* The first of each: OpenSSL loads what it needs for it. *plain: all of it is built in. */
static int auth_warm(bool *plain, struct err *e)
{
    static const char *const digest[] = { "MD5", "SHA256" };
    *plain = true;
    for (size_t i = 0; i < 2; i++) {
        struct auth_key k = { .mac = auth_mac_new(digest[i], (const uint8_t *)"warm", 4) };
        uint8_t out[AUTH_AH_ICV];
        if (k.mac == NULL) { /* MD5 may be forbidden here: an instance that wants it says so */
            *plain = false;
            if (i > 0)
                return err_set(e, "HF-OPENSSL", "", "OpenSSL has no HMAC-SHA256");
            continue;
        }
        const OSSL_PROVIDER *from = EVP_MAC_get0_provider(EVP_MAC_CTX_get0_mac(k.mac));
        *plain = *plain && strcmp(OSSL_PROVIDER_get0_name(from), "default") == 0;
        auth_code(&k, &(struct auth_part){ "up", 2 }, 1, out, sizeof out);
        EVP_MAC_CTX_free(k.mac);
    }
    return 0;
}

/* Another process tries it, and takes what that needs along when it ends. */
static bool auth_is_plain(void)
{
    struct err e;
    bool plain;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(auth_warm(&plain, &e) == 0 && plain ? 0 : 1);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Few sign their adverts, and OpenSSL at work holds as much memory as hundreds of instances. Where its
 * configuration changes nothing (no FIPS module, nothing forbidden) it needs no file, so it may begin inside
 * the jail, with the first instance that has keys. */
int auth_init(struct err *e)
{
    bool plain;
    if (auth_is_plain())
        return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1
                   ? 0
                   : err_set(e, "HF-OPENSSL", "", "OpenSSL cannot be used");
    return auth_warm(&plain, e);
}

/* ---- configuration */

static int auth_add_key(struct auth *a, const char *digest, uint8_t id, const void *bytes, size_t len)
{
    struct auth_key *k = &a->keys[a->nkeys];
    if (len > AUTH_KEY_MAX || (k->mac = auth_mac_new(digest, bytes, len)) == NULL)
        return -1;
    k->id = id;
    k->len = (uint8_t)len;
    memcpy(k->bytes, bytes, len);
    a->nkeys++;
    return 0;
}

static struct auth *auth_alloc(enum auth_kind kind, size_t keys)
{
    struct auth *a = xcalloc(1, sizeof *a + keys * sizeof a->keys[0]);
    a->kind = kind;
    return a;
}

static struct auth *auth_new_ah(const struct slice_obj *o, const char *name, struct err *e)
{
    struct auth *a = auth_alloc(AUTH_AH, 1);
    const char *pass = slice_str(o, KW_VI_AUTH_AUTH_PASS, "");
    a->mode = AUTH_MODE_ENFORCE;
    if (auth_add_key(a, "MD5", 0, pass, strnlen(pass, PACKET_AUTH_LEN)) == 0)
        return a;
    auth_free(a);
    err_set(e, "HF-OPENSSL", name,
            "auth_type AH needs HMAC-MD5, which OpenSSL does not offer on this machine");
    return NULL;
}

static const struct auth_key *auth_key(const struct auth *a, uint8_t id)
{
    for (size_t i = 0; i < a->nkeys; i++)
        if (a->keys[i].id == id)
            return &a->keys[i];
    return NULL;
}

static uint64_t auth_window_default(uint64_t interval)
{
    uint64_t w = 3 * interval;
    return w < AUTH_WINDOW_MIN ? AUTH_WINDOW_MIN : w > AUTH_WINDOW_MAX ? AUTH_WINDOW_MAX : w;
}

static struct auth *auth_new_hmac(const struct slice_obj *o, const char *name, uint64_t interval,
                                  struct err *e)
{
    const uint8_t *raw;
    size_t n = 0, len;
    while (slice_raw(o, KW_VI_HMAC_KEY, n, &len) != NULL)
        n++;
    struct auth *a = auth_alloc(AUTH_HMAC, n);
    a->mode = (unsigned int)slice_uint(o, KW_VI_HMAC_MODE, AUTH_MODE_ENFORCE);
    a->monotonic = slice_uint(o, KW_VI_HMAC_ANTI_REPLAY, 0) != 0;
    a->window = a->monotonic ? 0 : slice_ns(o, KW_VI_HMAC_TIME_WINDOW, auth_window_default(interval));
    a->active = (uint8_t)slice_uint(o, KW_VI_HMAC_ACTIVE_KEY, 0);
    for (size_t i = 0; i < n; i++) {
        raw = slice_raw(o, KW_VI_HMAC_KEY, i, &len);
        if (len >= 2 && auth_add_key(a, "SHA256", raw[0], raw + 1, len - 1) == 0)
            continue;
        auth_free(a);
        err_set(e, "HF-VRRPD", name, "a key of auth_hmac cannot be used");
        return NULL;
    }
    if (auth_key(a, a->active) != NULL)
        return a;
    auth_free(a);
    err_set(e, "HF-VRRPD", name, "auth_hmac without its active_key");
    return NULL;
}

int auth_new(const struct slice *s, const struct slice_obj *vi, uint64_t interval_ns, struct auth **out,
             struct err *e)
{
    const struct slice_obj *hmac = slice_next(s, NULL, BLK_VI_HMAC, vi->id),
                           *pass = slice_next(s, NULL, BLK_VI_AUTH, vi->id);
    *out = NULL;
    if (hmac != NULL)
        *out = auth_new_hmac(hmac, vi->name, interval_ns, e);
    else if (pass != NULL && slice_uint(pass, KW_VI_AUTH_AUTH_TYPE, 0) == PACKET_AUTH_AH)
        *out = auth_new_ah(pass, vi->name, e);
    else
        return 0;
    return *out != NULL ? 0 : -1;
}

void auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->nkeys; i++)
        EVP_MAC_CTX_free(a->keys[i].mac);
    explicit_bzero(a, sizeof *a + a->nkeys * sizeof a->keys[0]);
    free(a);
}

bool auth_same(const struct auth *a, const struct auth *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->kind != b->kind || a->mode != b->mode || a->monotonic != b->monotonic || a->window != b->window ||
        a->active != b->active || a->nkeys != b->nkeys)
        return false;
    for (size_t i = 0; i < a->nkeys; i++)
        if (a->keys[i].id != b->keys[i].id || a->keys[i].len != b->keys[i].len ||
            CRYPTO_memcmp(a->keys[i].bytes, b->keys[i].bytes, a->keys[i].len) != 0)
            return false;
    return true;
}

enum auth_kind auth_kind(const struct auth *a)
{
    return a != NULL ? a->kind : AUTH_NONE;
}

bool auth_signs(const struct auth *a)
{
    return a != NULL && a->mode != AUTH_MODE_RECEIVE_ONLY;
}

size_t auth_before(const struct auth *a)
{
    return auth_kind(a) == AUTH_AH ? PACKET_AH_LEN : 0;
}

size_t auth_behind(const struct auth *a)
{
    return auth_kind(a) == AUTH_HMAC && auth_signs(a) ? AUTH_TRAILER : 0;
}

uint64_t auth_window(const struct auth *a)
{
    return a != NULL ? a->window : 0;
}

/* ---- marks */

void auth_state_resize(struct auth_state *st, size_t senders)
{
    if (senders <= AUTH_SENDERS)
        senders = 0;
    if (senders == st->nmany)
        return;
    struct auth_sender *many = senders > 0 ? xcalloc(senders, sizeof *many) : NULL;
    size_t n = st->nmany > 0 ? st->nmany : AUTH_SENDERS, room = senders > 0 ? senders : AUTH_SENDERS;
    const struct auth_sender *from = st->nmany > 0 ? st->many : st->few;
    struct auth_sender few[AUTH_SENDERS] = { 0 };
    memcpy(many != NULL ? many : few, from, (n < room ? n : room) * sizeof *from);
    memcpy(st->few, few, sizeof few);
    free(st->many);
    st->many = many;
    st->nmany = senders;
}

void auth_state_free(struct auth_state *st)
{
    free(st->many);
    st->many = NULL;
    st->nmany = 0;
}

static struct auth_sender *auth_senders(struct auth_state *st, size_t *n)
{
    *n = st->nmany > 0 ? st->nmany : AUTH_SENDERS;
    return st->nmany > 0 ? st->many : st->few;
}

static uint64_t auth_last_of(const struct auth_state *st, const struct ipaddr *from)
{
    size_t n = st->nmany > 0 ? st->nmany : AUTH_SENDERS;
    const struct auth_sender *s = st->nmany > 0 ? st->many : st->few;
    for (size_t i = 0; i < n; i++)
        if (s[i].addr.family == from->family && ipaddr_cmp(&s[i].addr, from) == 0)
            return s[i].mark;
    return 0;
}

void auth_heard(const struct auth *a, struct auth_state *st, const struct ipaddr *from, uint64_t mark)
{
    size_t n;
    if (a == NULL || mark == 0)
        return;
    struct auth_sender *s = auth_senders(st, &n), *to = &s[0];
    for (size_t i = 0; i < n; i++) {
        if (s[i].addr.family == from->family && ipaddr_cmp(&s[i].addr, from) == 0) {
            to = &s[i];
            break;
        }
        if (s[i].used < to->used)
            to = &s[i];
    }
    *to = (struct auth_sender){ .addr = *from, .mark = mark, .used = ++st->uses };
    if (a->kind == AUTH_AH && mark > st->own) /* one sequence for all: go on from the highest */
        st->own = mark;
}

/* Seconds, 1/65536 s, counter. */
static uint64_t auth_stamp(uint64_t real)
{
    uint64_t frac = (real % NS_PER_SEC << 16) / NS_PER_SEC;
    return (real / NS_PER_SEC & 0xffffffff) << 32 | frac << 16;
}

static uint64_t auth_stamp_ns(uint64_t stamp)
{
    return (stamp >> 32) * NS_PER_SEC + ((stamp >> 16 & 0xffff) * NS_PER_SEC >> 16);
}

static uint64_t auth_next(const struct auth *a, uint64_t own, uint64_t real)
{
    uint64_t secs = real / NS_PER_SEC & 0xffffffff;
    if (a->kind == AUTH_AH) { /* the first one is the time of day, then one by one */
        uint64_t next = own > 0 ? own + 1 : secs;
        return next > UINT32_MAX ? 1 : next;
    }
    uint64_t now = auth_stamp(real);
    /* A clock that went back far was wrong before: nobody has believed its stamps. */
    bool astray = !a->monotonic && own > now && auth_stamp_ns(own) - auth_stamp_ns(now) > a->window;
    return now > own || astray ? now : own + 1;
}

uint64_t auth_mark(const struct auth *a, struct auth_state *st, uint64_t now_real)
{
    st->own = auth_next(a, st->own, now_real);
    return st->own;
}

uint64_t auth_mark_ahead(const struct auth *a, const struct auth_state *st, uint64_t now_real,
                         uint64_t ahead_ns)
{
    if (a->kind == AUTH_AH)
        return auth_next(a, st->own + AUTH_AH_AHEAD, now_real);
    return auth_next(a, st->own, now_real + ahead_ns);
}

/* Where a mark may be so much later, as long as nobody sets the clock. */
static uint64_t auth_later(uint64_t mark, uint64_t ns)
{
    return auth_stamp(auth_stamp_ns(mark) + ns + AUTH_RESUME_SLACK);
}

void auth_state_kept(struct auth_state *st, uint64_t now)
{
    st->kept = st->own;
    st->kept_at = now;
}

bool auth_state_ahead(const struct auth *a, const struct auth_state *st, uint64_t now)
{
    if (auth_kind(a) == AUTH_AH)
        return st->own > st->kept + AUTH_RESUME_MORE / 2;
    return st->own > auth_later(st->kept, now - st->kept_at);
}

/* The clock may have gone back meanwhile. */
void auth_state_age(const struct auth *a, struct auth_state *st, uint64_t age_ns)
{
    if (auth_kind(a) == AUTH_HMAC && st->own > 0)
        st->own = auth_later(st->own, age_ns);
}

void auth_state_resume(const struct auth *a, struct auth_state *st, uint64_t now_real)
{
    uint64_t secs = now_real / NS_PER_SEC & 0xffffffff;
    if (auth_kind(a) == AUTH_AH && st->own > UINT32_MAX) /* left by another kind of signature */
        st->own = 0;
    if (auth_kind(a) == AUTH_AH && st->own > 0)
        st->own = (st->own > secs ? st->own : secs) + AUTH_RESUME_MORE;
}

/* ---- AH */

static void auth_put32(uint8_t *p, uint32_t v)
{
    for (unsigned int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t auth_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The check value over the IPv4 header (what routers may change as zero; of multicast the TTL stays in, it is
 * 255 by definition, as the incumbent has it), the header without its check value, and the advert. */
static void auth_ah_code(const struct auth *a, const uint8_t ip[AUTH_IP4], const uint8_t *ah,
                         const uint8_t *pdu, size_t len, uint8_t out[AUTH_AH_ICV])
{
    static const uint8_t zero[AUTH_AH_ICV];
    uint8_t h[AUTH_IP4];
    memcpy(h, ip, sizeof h);
    if (h[16] >> 4 != 14) /* no multicast destination */
        h[8] = 0;
    h[1] = 0;          /* type of service */
    h[6] = h[7] = 0;   /* flags, fragment offset */
    h[10] = h[11] = 0; /* checksum */
    const struct auth_part parts[] = {
        { h, sizeof h }, { ah, AUTH_AH_ICV }, { zero, sizeof zero }, { pdu, len }
    };
    auth_code(&a->keys[0], parts, 4, out, AUTH_AH_ICV);
}

static void auth_sign_ah(const struct auth *a, uint64_t mark, const struct ipaddr *src,
                         const struct ipaddr *dst, uint8_t *buf, size_t len)
{
    uint8_t ip[AUTH_IP4] = { 0x45 };
    size_t total = sizeof ip + PACKET_AH_LEN + len;
    /* As the kernel will write it: the socket asks for "don't fragment", hence the id is 0. */
    ip[2] = (uint8_t)(total >> 8);
    ip[3] = (uint8_t)total;
    ip[8] = 255;
    ip[9] = PACKET_PROTO_AH;
    memcpy(ip + 12, src->b, 4);
    memcpy(ip + 16, dst->b, 4);
    memset(buf, 0, PACKET_AH_LEN);
    buf[0] = PACKET_PROTO;
    buf[1] = PACKET_AH_LEN / 4 - 2;
    memcpy(buf + 4, src->b, 4); /* the SPI is the source address */
    auth_put32(buf + 8, (uint32_t)mark);
    auth_ah_code(a, ip, buf, buf + PACKET_AH_LEN, len, buf + AUTH_AH_ICV);
}

static enum auth_result auth_verify_ah(const struct auth *a, const struct auth_state *st,
                                       const struct packet_rx *rx, uint64_t *mark)
{
    uint8_t code[AUTH_AH_ICV];
    if (rx->ah == NULL || rx->family != 4 || rx->ip_hlen != AUTH_IP4)
        return AUTH_MALFORMED;
    if (memcmp(rx->ah + 4, rx->src.b, 4) != 0)
        return AUTH_INVALID;
    auth_ah_code(a, rx->ah - rx->ip_hlen, rx->ah, rx->payload, rx->len, code);
    if (CRYPTO_memcmp(code, rx->ah + AUTH_AH_ICV, sizeof code) != 0)
        return AUTH_INVALID;
    *mark = auth_get32(rx->ah + 8);
    return *mark > auth_last_of(st, &rx->src) ? AUTH_OK : AUTH_REPLAY;
}

/* ---- auth_hmac */

static void auth_hmac_code(const struct auth_key *k, const struct ipaddr *src, const uint8_t *pdu, size_t len,
                           const uint8_t *trailer, uint8_t out[AUTH_HMAC_LEN])
{
    static const uint8_t zero[AUTH_HMAC_LEN];
    uint8_t pseudo[20] = { src->family, (uint8_t)(pdu[0] >> 4), pdu[1], 0 };
    memcpy(pseudo + 4, src->b, ipaddr_len(src));
    const struct auth_part parts[] = { { pseudo, sizeof pseudo },
                                       { pdu, AUTH_CHECKSUM },
                                       { zero, 2 },
                                       { pdu + AUTH_CHECKSUM + 2, len - AUTH_CHECKSUM - 2 },
                                       { trailer, AUTH_TRAILER - AUTH_HMAC_LEN },
                                       { zero, AUTH_HMAC_LEN } };
    auth_code(k, parts, sizeof parts / sizeof *parts, out, AUTH_HMAC_LEN);
}

static void auth_sign_hmac(const struct auth *a, uint64_t mark, const struct ipaddr *src, uint8_t *buf,
                           size_t len)
{
    uint8_t *t = buf + len;
    memset(t, 0, AUTH_TRAILER);
    t[0] = AUTH_TYPE;
    t[1] = a->active;
    auth_put32(t + 4, (uint32_t)(mark >> 32));
    auth_put32(t + 8, (uint32_t)mark);
    auth_hmac_code(auth_key(a, a->active), src, buf, len, t, t + AUTH_TRAILER - AUTH_HMAC_LEN);
}

static enum auth_result auth_verify_hmac(const struct auth *a, const struct auth_state *st,
                                         const struct packet_rx *rx, size_t len, uint64_t *mark,
                                         int64_t *skew_ns)
{
    uint8_t code[AUTH_HMAC_LEN];
    const uint8_t *t = rx->payload + len;
    if (rx->len != len + AUTH_TRAILER)
        return a->mode == AUTH_MODE_ENFORCE ? AUTH_MISSING : AUTH_OK;
    if (t[0] != AUTH_TYPE || t[1] == 0 || t[2] != 0 || t[3] != 0)
        return AUTH_MALFORMED;
    const struct auth_key *k = auth_key(a, t[1]);
    if (k == NULL)
        return AUTH_UNKNOWN_KEY;
    auth_hmac_code(k, &rx->src, rx->payload, len, t, code);
    if (CRYPTO_memcmp(code, t + AUTH_TRAILER - AUTH_HMAC_LEN, sizeof code) != 0)
        return AUTH_INVALID;
    uint64_t last = auth_last_of(st, &rx->src);
    *mark = (uint64_t)auth_get32(t + 4) << 32 | auth_get32(t + 8);
    if (!a->monotonic) {
        /* Of a time that is not yet: both clocks have been set back since. It must not make all that is said
         * until then a replay; what bounds replays here is the window. */
        if (auth_stamp_ns(last) > rx->real_at + a->window)
            last = 0;
        *skew_ns = (int64_t)(auth_stamp_ns(*mark) - rx->real_at);
        if ((uint64_t)(*skew_ns < 0 ? -*skew_ns : *skew_ns) > a->window)
            return AUTH_STALE;
    }
    return *mark > last ? AUTH_OK : AUTH_REPLAY;
}

/* ---- both */

void auth_sign(const struct auth *a, uint64_t mark, const struct ipaddr *src, const struct ipaddr *dst,
               uint8_t *buf, size_t len)
{
    if (!auth_signs(a))
        return;
    if (a->kind == AUTH_AH)
        auth_sign_ah(a, mark, src, dst, buf, len);
    else
        auth_sign_hmac(a, mark, src, buf, len);
}

enum auth_result auth_verify(const struct auth *a, const struct auth_state *st, const struct packet_rx *rx,
                             size_t len, uint64_t *mark, int64_t *skew_ns)
{
    *mark = 0;
    *skew_ns = 0;
    if (a == NULL)
        return AUTH_OK;
    return a->kind == AUTH_AH ? auth_verify_ah(a, st, rx, mark)
                              : auth_verify_hmac(a, st, rx, len, mark, skew_ns);
}
