/*
 * resolve_mail.c - who is to be told by mail: defaults of smtp_alert, the names a mail carries, and where the
 * mail server is. holdfast-conf has no network and checkd no files, so what files know goes into the slice
 * (addresses of /etc/hosts, name servers and search list of resolv.conf) and checkd asks the DNS itself, each
 * time it wants to connect. Called by resolve.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "parent/conf/resolve.h"

#define MAIL_HOSTS       "/etc/hosts"
#define MAIL_RESOLV      "/etc/resolv.conf"
#define MAIL_NAMES_MAX   8  /* spellings of a name that are tried */
#define MAIL_SERVERS_MAX 3  /* as the C library */
#define MAIL_RCPT_MAX    64 /* recipients; checkd keeps a bit for each */

static void add_ip(struct conf *c, enum kw kw, const struct ipaddr *a)
{
    struct ipaddr *copy = conf_arena_alloc(c->arena, sizeof *copy, 8);
    *copy = *a;
    struct conf_value *v = conf_add(c, c->global, kw, NULL, 0);
    v->form = CONF_FORM_IP;
    v->v.ip = copy;
}

static void add_name(struct conf *c, const char *name)
{
    struct conf_value *v = conf_add(c, c->global, KW_GLOBAL_X_SMTP_NAME, NULL, 0);
    v->form = CONF_FORM_STR;
    v->v.s = name;
}

/* Lines of a small file of the machine, without their comments. */
static void each_line(const char *path, void (*fn)(char *line, void *arg), void *arg)
{
    char line[1024];
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return; /* a machine without it has nothing to say here */
    while (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "#;\r\n")] = '\0';
        fn(line, arg);
    }
    fclose(f);
}

struct hosts {
    struct conf *c;
    const char *name;
    bool found;
};

static void hosts_line(char *line, void *arg)
{
    struct hosts *h = arg;
    struct ipaddr a;
    char *at, *word = strtok_r(line, " \t", &at);
    if (word == NULL || ipaddr_parse(word, &a) < 0)
        return;
    while ((word = strtok_r(NULL, " \t", &at)) != NULL)
        if (strcasecmp(word, h->name) == 0) {
            add_ip(h->c, KW_GLOBAL_X_SMTP_IP, &a);
            h->found = true;
            return;
        }
}

struct resolv {
    struct conf *c;
    size_t nservers;
    char search[512];
};

static void resolv_line(char *line, void *arg)
{
    struct resolv *r = arg;
    struct ipaddr a;
    char *at, *word = strtok_r(line, " \t", &at);
    if (word == NULL)
        return;
    if (strcmp(word, "nameserver") == 0) {
        word = strtok_r(NULL, " \t", &at);
        if (word == NULL || ipaddr_parse(word, &a) < 0 || r->nservers == MAIL_SERVERS_MAX)
            return;
        add_ip(r->c, KW_GLOBAL_X_RESOLVER, &a);
        r->nservers++;
    } else if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0) {
        snprintf(r->search, sizeof r->search, "%s", at != NULL ? at : ""); /* the last one counts */
    }
}

/* The spellings of a name in the order the C library tries them (ndots 1). */
static void spellings(struct conf *c, const char *name, char *search)
{
    size_t len = strlen(name), n = 0;
    bool dotted = strchr(name, '.') != NULL;
    if (dotted)
        add_name(c, name);
    if (len > 0 && name[len - 1] != '.') {
        char *at, *domain = strtok_r(search, " \t", &at);
        for (; domain != NULL && n < MAIL_NAMES_MAX; domain = strtok_r(NULL, " \t", &at), n++)
            add_name(c, conf_fmt(c, "%s.%s", name, domain));
    }
    if (!dotted)
        add_name(c, name);
}

static void mail_server(struct conf *c, const char *host)
{
    struct ipaddr a;
    struct hosts h = { .c = c, .name = host };
    struct resolv r = { .c = c };
    if (ipaddr_parse(host, &a) == 0) {
        add_ip(c, KW_GLOBAL_X_SMTP_IP, &a);
        return;
    }
    each_line(MAIL_HOSTS, hosts_line, &h);
    if (h.found)
        return;
    each_line(MAIL_RESOLV, resolv_line, &r);
    if (r.nservers == 0) { /* what the C library does then */
        ipaddr_parse("127.0.0.1", &a);
        add_ip(c, KW_GLOBAL_X_RESOLVER, &a);
    }
    spellings(c, host, r.search);
}

static void alert_default(struct conf *c, struct conf_obj *o, enum kw own, enum kw kind, uint64_t dflt)
{
    if (conf_get(o, own) != NULL)
        return;
    uint64_t all = conf_uint(c->global, KW_GLOBAL_SMTP_ALERT, dflt);
    conf_set_uint(c, o, own, conf_uint(c->global, kind, all));
}

static void recipients(struct conf *c)
{
    size_t n = 0;
    for (struct conf_value *v = c->global->values; v != NULL; v = v->next) {
        if (v->kw != KW_GLOBAL_NOTIFICATION_EMAIL)
            continue;
        if (++n == MAIL_RCPT_MAX + 1)
            diag_help(CONF_ERR(c, conf_pos_value(v), "HF-MANY", "more than %d notification_email addresses",
                               MAIL_RCPT_MAX),
                      "make a list on the mail server and name that");
        if (strpbrk(v->v.s, "\r\n") != NULL || v->v.s[0] == '\0')
            CONF_ERR(c, conf_pos_value(v), "HF-VALUE", "notification_email: this is no mail address");
    }
}

/* Contradictions of our own keywords; the password itself is never shown. */
static void credentials(struct conf *c)
{
    struct conf_obj *g = c->global;
    const struct conf_value *user = conf_get(g, KW_GLOBAL_SMTP_USER),
                            *pass = conf_get(g, KW_GLOBAL_SMTP_PASSWORD),
                            *tls = conf_get(g, KW_GLOBAL_SMTP_TLS);
    if (user != NULL && pass == NULL && !conf_failed(c, g, KW_GLOBAL_SMTP_PASSWORD))
        CONF_ERR(c, conf_pos_value(user), "HF-MISSING", "smtp_user without smtp_password");
    if (pass != NULL && user == NULL)
        diag_hide(CONF_ERR(c, conf_pos_value(pass), "HF-MISSING", "smtp_password without smtp_user"));
    if (user != NULL && tls == NULL) {
        diag_help(CONF_NOTE(c, conf_pos_value(user), "HF-SMTP-TLS",
                            "smtp_tls is not given: required, since there is a password to protect"),
                  "write: smtp_tls required");
        conf_set_uint(c, g, KW_GLOBAL_SMTP_TLS, 2);
    } else if (user != NULL && tls->v.u == 0) {
        diag_help(CONF_WARN(c, conf_pos_value(tls), "HF-SMTP-TLS",
                            "smtp_tls off: user and password travel unencrypted"),
                  "write: smtp_tls required");
    }
}

/* True: a mail can leave. */
static bool mail_globals(struct conf *c)
{
    struct conf_obj *g = c->global;
    const struct conf_value *server = conf_get(g, KW_GLOBAL_SMTP_SERVER),
                            *to = conf_get(g, KW_GLOBAL_NOTIFICATION_EMAIL);
    char host[256] = "localhost";
    credentials(c);
    recipients(c);
    if (server == NULL || to == NULL)
        return false;
    gethostname(host, sizeof host - 1);
    char *local = conf_fmt(c, "%s", host);
    if (conf_get(g, KW_GLOBAL_ROUTER_ID) == NULL)
        conf_set_str(c, g, KW_GLOBAL_ROUTER_ID, local);
    if (conf_get(g, KW_GLOBAL_SMTP_HELO_NAME) == NULL)
        conf_set_str(c, g, KW_GLOBAL_SMTP_HELO_NAME, local);
    if (conf_get(g, KW_GLOBAL_NOTIFICATION_EMAIL_FROM) == NULL)
        conf_set_str(c, g, KW_GLOBAL_NOTIFICATION_EMAIL_FROM, conf_fmt(c, "root@%s", local));
    if (conf_get(g, KW_GLOBAL_X_SMTP_PORT) != NULL && conf_uint(g, KW_GLOBAL_SMTP_TLS, 0) == 3 &&
        server->line != NULL && server->line->nwords < 3)
        CONF_WARN(c, conf_pos_value(server), "HF-SMTP-TLS",
                  "smtp_tls implicit with the default port 25, where servers do not speak it; write: "
                  "smtp_server %s 465",
                  (const char *)server->v.raw);
    mail_server(c, server->v.raw);
    conf_set_uint(c, g, KW_GLOBAL_X_MAIL, 1);
    return true;
}

void resolve_mail(struct conf *c)
{
    for (struct conf_obj *o = c->top->child; o != NULL; o = o->sibling) {
        if (o->blk == BLK_SYNC)
            alert_default(c, o, KW_SYNC_SMTP_ALERT, KW_GLOBAL_SMTP_ALERT_VRRP, 0);
        else if (o->blk == BLK_VS)
            alert_default(c, o, KW_VS_SMTP_ALERT, KW_GLOBAL_SMTP_ALERT_CHECKER, 0);
    }
    mail_globals(c);
}

bool resolve_mail_needed(const struct conf *c)
{
    if (c->global == NULL || conf_get(c->global, KW_GLOBAL_X_MAIL) == NULL)
        return false;
    for (const struct conf_obj *o = c->top->child; o != NULL; o = o->sibling)
        if (!o->drop && ((o->blk == BLK_VI && conf_uint(o, KW_VI_SMTP_ALERT, 0) != 0) ||
                         (o->blk == BLK_SYNC && conf_uint(o, KW_SYNC_SMTP_ALERT, 0) != 0)))
            return true;
    return false;
}
