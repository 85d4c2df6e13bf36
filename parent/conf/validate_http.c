/*
 * validate_http.c - regular expressions, certificates and keys: what is right about them only the libraries
 * of checkd can say, asked through prove.h. Without them the configuration stays unproven, and nobody gets
 * it. Called by validate.c and validate_lvs.c; no file is opened here.
 */
#include <stdlib.h>
#include <string.h>

#include "checkd/tls.h"
#include "parent/conf/conf_int.h"
#include "parent/conf/prove.h"

static void no_effect(struct conf *c, const struct conf_obj *url, enum kw kw)
{
    const struct conf_value *v = conf_get(url, kw);

    if (v != NULL)
        CONF_WARN(c, conf_pos_value(v), "HF-NO-EFFECT", "%s has no effect without regex",
                  schema_kw(kw)->name);
}

void conf_validate_regex(struct conf *c, const struct conf_obj *url)
{
    static const enum kw others[] = { KW_URL_REGEX_NO_MATCH, KW_URL_REGEX_OPTIONS, KW_URL_REGEX_MIN_OFFSET,
                                      KW_URL_REGEX_MAX_OFFSET, KW_URL_REGEX_STACK };
    const struct conf_value *v = conf_get(url, KW_URL_REGEX), *options = conf_get(url, KW_URL_REGEX_OPTIONS);
    const struct conf_value *stack = conf_get(url, KW_URL_REGEX_STACK),
                            *last = conf_get(url, KW_URL_REGEX_MAX_OFFSET);
    uint64_t min = conf_uint(url, KW_URL_REGEX_MIN_OFFSET, 0),
             max = conf_uint(url, KW_URL_REGEX_MAX_OFFSET, 0);
    uint64_t bits = 0;
    char why[200];

    if (v == NULL) {
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            no_effect(c, url, others[i]);
        return;
    }
    if (options != NULL && options->len == sizeof bits)
        memcpy(&bits, options->v.raw, sizeof bits);
    if (c->prove == NULL)
        c->unproven = true;
    else if (!c->prove->pattern(v->v.raw, bits, min, max, why, sizeof why))
        diag_help(CONF_ERR(c, conf_pos_value(v), "HF-REGEX", "regex: %s", why),
                  "the patterns are those of PCRE2 (man pcre2pattern); write the pattern in quotes");
    if (last != NULL && max < min)
        CONF_ERR(c, conf_pos_value(last), "HF-RANGE",
                 "regex_max_offset is below regex_min_offset: nothing can match");
    if (stack != NULL)
        CONF_NOTE(c, conf_pos_value(stack), "HF-NO-EFFECT",
                  "regex_stack has no effect: patterns are interpreted, with limits of their own");
}

static char *pieces(const struct conf_obj *o, enum kw kw, size_t *total)
{
    char *buf;

    *total = 0;
    for (const struct conf_value *v = o->values; v != NULL; v = v->next)
        *total += v->kw == kw ? v->len : 0;
    buf = xmalloc(*total + 1);
    *total = 0;
    for (const struct conf_value *v = o->values; v != NULL; v = v->next)
        if (v->kw == kw) {
            memcpy(buf + *total, v->v.raw, v->len);
            *total += v->len;
        }
    return buf;
}

/* Where the administrator named the file: in the SSL block, else in the statement that wanted it. */
static struct conf_pos named_at(struct conf *c, const struct conf_obj *o, const char *what)
{
    const struct conf_obj *ssl = NULL;
    const struct kw_row *row = schema_find(BLK_SSL, what);

    for (struct conf_obj *s = NULL; (s = conf_next(c->top, s, BLK_SSL)) != NULL;)
        if (!s->drop)
            ssl = s;
    if (ssl != NULL && row != NULL && strcmp(what, "ca") != 0 && conf_get(ssl, row->kw) != NULL)
        return conf_pos_value(conf_get(ssl, row->kw));
    return conf_pos_obj(o);
}

static void material(struct conf *c, const struct conf_obj *o)
{
    struct tls_material m = { .ca_len = 0 };
    size_t plen;
    char *ca = pieces(o, KW_TLS_X_CA, &m.ca_len), *cert = pieces(o, KW_TLS_X_CERT, &m.cert_len);
    char *key = pieces(o, KW_TLS_X_KEY, &m.key_len), *password = pieces(o, KW_TLS_X_PASSWORD, &plen);
    struct err e = { 0 };

    m.ca = ca;
    m.cert = cert;
    m.key = key;
    m.password = plen > 0 ? password : NULL;
    if (!c->prove->material(&m, &e))
        diag_help(
            CONF_ERR(c, named_at(c, o, e.object), "HF-TLS", "%s: %s", e.object, diag_tr(c->diag, e.text)),
            "openssl x509 -in FILE -noout -text shows a certificate, openssl pkey -in FILE -noout "
            "proves a key");
    free(ca);
    free(cert);
    explicit_bzero(key, m.key_len);
    free(key);
    explicit_bzero(password, plen);
    free(password);
}

/* Said once, not for each of a thousand checks. */
static void unverified(struct conf *c)
{
    const struct conf_obj *first = NULL;
    size_t n = 0;

    for (struct conf_obj *vs = NULL; (vs = conf_next(c->top, vs, BLK_VS)) != NULL;)
        for (struct conf_obj *rs = NULL; (rs = conf_next(vs, rs, BLK_RS)) != NULL;)
            for (struct conf_obj *k = NULL; (k = conf_next(rs, k, BLK_SSLGET)) != NULL;)
                if (!conf_flag(k, KW_SSLGET_VERIFY)) {
                    first = first == NULL ? k : first;
                    n++;
                }
    if (first != NULL)
        diag_help(CONF_NOTE(c, conf_pos_obj(first), "HF-NO-VERIFY",
                            "%zu SSL_GET %s any certificate, also an expired or foreign one", n,
                            n == 1 ? diag_tr(c->diag, "accepts") : diag_tr(c->diag, "checks accept")),
                  "write verify into SSL_GET to have it checked (a keyword of holdfast)");
}

void conf_validate_tls(struct conf *c)
{
    for (struct conf_obj *o = NULL; (o = conf_next(c->top, o, BLK_TLS)) != NULL;) {
        if (c->prove == NULL)
            c->unproven = true;
        else
            material(c, o);
    }
    unverified(c);
}
