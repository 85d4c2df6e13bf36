/*
 * mail_config.c - what the slice says about mail, copied out of it. Defaults were set by holdfast-conf; what
 * a mail cannot do without and the slice lacks means that there is no mail. Called by mail.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkd/mail_int.h"

static char *copy(const struct slice_obj *o, enum kw kw)
{
    const char *s = slice_str(o, kw, NULL);
    return s != NULL ? xstrdup(s) : NULL;
}

static size_t read_ips(const struct slice_obj *o, enum kw kw, struct ipaddr *out, size_t max)
{
    size_t n = 0, len;
    const void *p;
    while (n < max && (p = slice_raw(o, kw, n, &len)) != NULL && len == sizeof *out)
        memcpy(&out[n++], p, len);
    return n;
}

static void read_recipients(struct mail_config *c, const struct slice_obj *o)
{
    char spec[MAIL_ENVELOPE_MAX];
    const char *to;
    for (size_t i = 0;
         c->nto < MAIL_RCPT_MAX && (to = slice_str_at(o, KW_GLOBAL_NOTIFICATION_EMAIL, i)) != NULL; i++) {
        if (mail_envelope(to, spec) < 0) {
            log_warn("notification_email %s is no mail address: nothing is sent there", to);
            continue;
        }
        c->to[c->nto] = xstrdup(to);
        c->to_env[c->nto++] = xstrdup(spec);
    }
}

static int read_from(struct mail_config *c, const struct slice_obj *o)
{
    char spec[MAIL_ENVELOPE_MAX];
    c->from = copy(o, KW_GLOBAL_NOTIFICATION_EMAIL_FROM);
    if (c->from == NULL || mail_envelope(c->from, spec) < 0) {
        log_err("notification_email_from %s is no mail address: no alert can be mailed",
                c->from != NULL ? c->from : "(none)");
        return -1;
    }
    c->from_env = xstrdup(spec);
    return 0;
}

/* Raw text with its NUL. */
static const char *raw_text(const struct slice_obj *o, enum kw kw)
{
    size_t len;
    const char *p = slice_raw(o, kw, 0, &len);
    return p != NULL && len > 0 && p[len - 1] == '\0' ? p : NULL;
}

static int read_server(struct mail_config *c, struct tls_store *tls, const struct slice *s,
                       const struct slice_obj *o, struct err *e)
{
    char where[320];
    const char *host = raw_text(o, KW_GLOBAL_SMTP_SERVER), *name = copy(o, KW_GLOBAL_SMTP_TLS_NAME);
    const char *password = raw_text(o, KW_GLOBAL_SMTP_PASSWORD);
    struct mail_server *v = &c->server;
    struct ipaddr a;
    if (host == NULL)
        return err_set(e, "HF-SLICE", "smtp_server", "no name of a mail server: a bug of holdfast-conf");
    v->port = (uint16_t)slice_uint(o, KW_GLOBAL_X_SMTP_PORT, 25);
    v->timeout = slice_ns(o, KW_GLOBAL_SMTP_CONNECT_TIMEOUT, 30 * NS_PER_SEC);
    v->tls = (enum mail_tls)slice_uint(o, KW_GLOBAL_SMTP_TLS, MAIL_TLS_OFF);
    snprintf(where, sizeof where, "%s port %u", host, v->port);
    c->where = xstrdup(where);
    c->helo = copy(o, KW_GLOBAL_SMTP_HELO_NAME);
    c->user = copy(o, KW_GLOBAL_SMTP_USER);
    c->password = password != NULL ? xstrdup(password) : NULL;
    if (name == NULL && ipaddr_parse(host, &a) < 0)
        name = xstrdup(host);
    c->tls_name = (char *)name;
    v->helo = c->helo != NULL ? c->helo : "localhost";
    v->user = c->password != NULL ? c->user : NULL;
    v->password = c->password;
    v->tls_name = c->tls_name;
    if (v->tls == MAIL_TLS_OFF)
        return 0;
    v->ctx = tls_store_get(tls, s, slice_str(o, KW_GLOBAL_X_TLS, ""), e);
    return v->ctx != NULL ? 0 : -1;
}

static int read_all(struct mail_config *c, struct tls_store *tls, const struct slice *s,
                    const struct slice_obj *o, struct err *e)
{
    const char *name;
    if (read_server(c, tls, s, o, e) < 0)
        return -1;
    read_recipients(c, o);
    c->naddrs = read_ips(o, KW_GLOBAL_X_SMTP_IP, c->addrs, MAIL_LOOKUP_ADDRS);
    c->nresolvers = read_ips(o, KW_GLOBAL_X_RESOLVER, c->resolvers, MAIL_LOOKUP_ADDRS);
    while (c->nnames < MAIL_NAMES_MAX && (name = slice_str_at(o, KW_GLOBAL_X_SMTP_NAME, c->nnames)) != NULL)
        c->names[c->nnames++] = xstrdup(name);
    c->on = read_from(c, o) == 0 && c->nto > 0 && (c->naddrs > 0 || (c->nnames > 0 && c->nresolvers > 0));
    return 0;
}

struct mail_config *mail_config_new(struct tls_store *tls, const struct slice *s, struct err *e)
{
    struct mail_config *c = xcalloc(1, sizeof *c);
    const struct slice_obj *o = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    const char *router = o != NULL ? slice_str(o, KW_GLOBAL_ROUTER_ID, NULL) : NULL;
    c->router_id = xstrdup(router != NULL ? router : "localhost");
    c->limit = o != NULL ? (size_t)slice_uint(o, KW_GLOBAL_SMTP_QUEUE_LIMIT, 1000) : 1000;
    c->max_age = (o != NULL ? slice_ns(o, KW_GLOBAL_SMTP_QUEUE_AGE, 0) : 0);
    if (c->max_age == 0)
        c->max_age = 14400 * NS_PER_SEC;
    if (o == NULL || slice_uint(o, KW_GLOBAL_X_MAIL, 0) == 0)
        return c;
    c->no_faults = slice_bool(o, KW_GLOBAL_NO_EMAIL_FAULTS, false);
    c->no_checkers = slice_bool(o, KW_GLOBAL_NO_CHECKER_EMAILS, false);
    if (read_all(c, tls, s, o, e) < 0) {
        mail_config_free(c);
        return NULL;
    }
    return c;
}

void mail_config_free(struct mail_config *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->nto; i++) {
        free(c->to[i]);
        free(c->to_env[i]);
    }
    for (size_t i = 0; i < c->nnames; i++)
        free(c->names[i]);
    if (c->password != NULL)
        explicit_bzero(c->password, strlen(c->password));
    tls_ctx_unref(c->server.ctx);
    free(c->where);
    free(c->router_id);
    free(c->from);
    free(c->helo);
    free(c->user);
    free(c->password);
    free(c->tls_name);
    free(c->from_env);
    free(c);
}
