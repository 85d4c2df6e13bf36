/*
 * tls_files.c - the files of TLS: certificates, keys and trusted authorities that SSL_GET and mail use.
 * checkd opens no file, so what they hold goes into its slice, once for all who use the same (BLK_TLS).
 * Called by program.c between parsing and the loss of CAP_DAC_READ_SEARCH: keys belong to root alone. The
 * contents are judged later, by validate_http.c, without that capability.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hash.h"
#include "parent/conf/conf_int.h"

#define TLS_FILE_MAX (8u << 20)
#define TLS_PIECE    32768u /* a field's length has 16 bits */

/* Where distributions keep what everybody trusts. */
static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt",
                                       "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                       "/etc/ssl/cert.pem" };

struct content {
    char *p;
    size_t len;
};

/* One of each path in a run, however many checks name it. */
struct loaded {
    struct loaded *next;
    const char *path;
    struct content content;
    bool ok;
};

struct tls_load {
    struct conf *c;
    struct loaded *first;
    struct content ca, cert, key; /* of the SSL block */
    const char *ca_path, *password;
};

static int refuse(struct tls_load *t, struct conf_pos pos, const char *what, const char *path,
                  const char *why)
{
    struct diag_item *it =
        CONF_ERR(t->c, pos, "HF-TLS-FILE", "%s %s: %s", what, path, diag_tr(t->c->diag, why));

    diag_help(it, "it must be a readable file in PEM form; checks that need it cannot run without");
    return -1;
}

/* A regular file, whole, behind what content holds already. */
static int append_file(struct tls_load *t, const char *path, struct content *out, struct stat *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t at = out->len;
    char *grown;
    ssize_t n = 0;

    if (fd < 0)
        return -1;
    if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || st->st_size < 0 ||
        (uint64_t)st->st_size > TLS_FILE_MAX || at + (size_t)st->st_size > TLS_FILE_MAX) {
        close(fd);
        errno = S_ISREG(st->st_mode) ? EFBIG : EINVAL;
        return -1;
    }
    grown = conf_arena_alloc(t->c->arena, at + (size_t)st->st_size + 2, 1);
    if (at > 0)
        memcpy(grown, out->p, at);
    while (at < out->len + (size_t)st->st_size) {
        n = read(fd, grown + at, out->len + (size_t)st->st_size - at);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    close(fd);
    if (n < 0)
        return -1;
    grown[at++] = '\n'; /* files of a folder follow each other */
    out->p = grown;
    out->len = at;
    return 0;
}

/* "a1b2c3d4.0": a second name of a file that is there under its own. */
static bool is_hash_link(const char *name)
{
    return strlen(name) >= 10 && strspn(name, "0123456789abcdef") == 8 && name[8] == '.';
}

static int append_folder(struct tls_load *t, const char *path, struct content *out)
{
    DIR *d = opendir(path);
    struct stat st;

    if (d == NULL)
        return -1;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.' && !is_hash_link(e->d_name))
            append_file(t, conf_fmt(t->c, "%s/%s", path, e->d_name), out,
                        &st); /* what is no file is no certificate */
    closedir(d);
    errno = ENOENT;
    return out->len > 0 ? 0 : -1;
}

static void judge_mode(struct tls_load *t, struct conf_pos pos, const char *what, const char *path,
                       const struct stat *st)
{
    struct diag_item *it;

    if ((st->st_mode & S_IROTH) == 0)
        return;
    it = CONF_ERR(t->c, pos, "HF-SECRET-READABLE", "%s %s can be read by everybody", what, path);
    diag_help(it, "chmod 600 %s", path);
    diag_class(it, DIAG_CLASS_SECURITY);
}

static bool holds_key(const struct content *c)
{
    static const char word[] = "PRIVATE KEY-----";

    return c->len > 0 && memmem(c->p, c->len, word, sizeof word - 1) != NULL;
}

/* The contents of path, read once. Reports at pos; what: the keyword. */
static const struct loaded *load(struct tls_load *t, struct conf_pos pos, const char *what, const char *path)
{
    struct loaded *l;
    struct stat st;
    int rc;

    for (l = t->first; l != NULL; l = l->next)
        if (strcmp(l->path, path) == 0)
            return l;
    l = conf_arena_alloc(t->c->arena, sizeof *l, 8);
    l->path = path;
    l->next = t->first;
    t->first = l;
    if (path[0] != '/') {
        refuse(t, pos, what, path, DIAG_ID("write the whole path, beginning with /"));
        return l;
    }
    rc = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? append_folder(t, path, &l->content)
                                                     : append_file(t, path, &l->content, &st);
    if (rc < 0 && errno == EACCES && geteuid() != 0) {
        diag_help(CONF_WARN(t->c, pos, "HF-TLS-FILE", "%s %s cannot be read by you, so it is not judged",
                            what, path),
                  "test the configuration as root");
        return l;
    }
    if (rc < 0) {
        refuse(t, pos, what, path, errno == EFBIG ? DIAG_ID("larger than 8 MiB") : strerror(errno));
        return l;
    }
    if (!S_ISDIR(st.st_mode) && holds_key(&l->content))
        judge_mode(t, pos, what, path, &st);
    l->ok = true;
    return l;
}

static struct content load_value(struct tls_load *t, const struct conf_obj *o, enum kw kw)
{
    const struct conf_value *v = conf_get(o, kw);
    const struct loaded *l;

    if (v == NULL || v->v.s[0] == '\0')
        return (struct content){ .len = 0 };
    l = load(t, conf_pos_value(v), schema_kw(kw)->name, v->v.s);
    return l->ok ? l->content : (struct content){ .len = 0 };
}

/* Tells contents apart, guards against nobody; the files are the administrator's. */
static uint64_t stamp(uint64_t h, const void *p, size_t len)
{
    return hash_u64(hash_bytes(h, p, len), len);
}

static void put(struct conf *c, struct conf_obj *o, enum kw kw, const char *p, size_t len)
{
    for (size_t at = 0; at < len; at += TLS_PIECE) {
        struct conf_value *v = conf_add(c, o, kw, NULL, 0);

        v->v.raw = p + at;
        v->len = (uint16_t)(len - at < TLS_PIECE ? len - at : TLS_PIECE);
    }
}

/* The object that holds this trust and the SSL block's identity; "" when there is neither. */
static const char *material(struct tls_load *t, const struct content *ca, bool identity,
                            const struct conf_line *line)
{
    static const struct content none;
    const struct content *cert = identity ? &t->cert : &none, *key = identity ? &t->key : &none;
    const char *password = identity && t->password != NULL ? t->password : "";
    uint64_t h = HASH_START;
    struct conf_obj *o;
    const char *name;

    if (ca->len + cert->len == 0)
        return "";
    h = stamp(h, ca->p, ca->len);
    h = stamp(h, cert->p, cert->len);
    h = stamp(h, key->p, key->len);
    h = stamp(h, password, strlen(password));
    name = conf_fmt(t->c, "%016llx", (unsigned long long)h);
    if (conf_find(t->c, BLK_TLS, name) != NULL)
        return name;
    o = conf_obj_new(t->c, t->c->top, BLK_TLS, name, line);
    conf_hash_add(t->c, o);
    put(t->c, o, KW_TLS_X_CA, ca->p, ca->len);
    put(t->c, o, KW_TLS_X_CERT, cert->p, cert->len);
    put(t->c, o, KW_TLS_X_KEY, key->p, key->len);
    if (password[0] != '\0')
        put(t->c, o, KW_TLS_X_PASSWORD, password, strlen(password) + 1);
    return name;
}

static struct content system_ca(struct tls_load *t, struct conf_pos pos, const char *how)
{
    for (size_t i = 0; i < sizeof bundles / sizeof bundles[0]; i++)
        if (access(bundles[i], R_OK) == 0) {
            const struct loaded *l = load(t, pos, "ca", bundles[i]);

            return l->ok ? l->content : (struct content){ .len = 0 };
        }
    diag_help(CONF_ERR(t->c, pos, "HF-TLS-FILE", "this system has no file of trusted certificates (%s)",
                       bundles[0]),
              "install the package ca-certificates, or write: %s FILE", how);
    return (struct content){ .len = 0 };
}

static void ssl_block(struct tls_load *t)
{
    struct conf_obj *ssl = NULL;

    for (struct conf_obj *o = NULL; (o = conf_next(t->c->top, o, BLK_SSL)) != NULL;)
        if (!o->drop)
            ssl = o;
    if (ssl == NULL)
        return;
    t->cert = load_value(t, ssl, KW_SSL_CERTIFICATE);
    t->key = load_value(t, ssl, KW_SSL_KEY);
    t->password = conf_str(ssl, KW_SSL_PASSWORD, NULL);
    if (conf_get(ssl, KW_SSL_CA) != NULL) {
        t->ca_path = conf_str(ssl, KW_SSL_CA, "");
        t->ca = load_value(t, ssl, KW_SSL_CA);
    }
    if (conf_get(ssl, KW_SSL_KEY) != NULL && conf_get(ssl, KW_SSL_CERTIFICATE) == NULL)
        CONF_WARN(t->c, conf_pos_value(conf_get(ssl, KW_SSL_KEY)), "HF-NO-EFFECT",
                  "key has no effect without certificate");
}

static void ssl_get(struct tls_load *t, struct conf_obj *k)
{
    const struct conf_value *verify = conf_get(k, KW_SSLGET_VERIFY), *own = conf_get(k, KW_SSLGET_CA);
    struct content ca = { .len = 0 };

    if (verify != NULL && verify->v.u != 0) {
        if (own != NULL)
            ca = load_value(t, k, KW_SSLGET_CA);
        else
            ca = t->ca_path != NULL ? t->ca : system_ca(t, conf_pos_value(verify), "ca");
    } else if (own != NULL) {
        diag_help(CONF_WARN(t->c, conf_pos_value(own), "HF-NO-EFFECT", "ca has no effect without verify"),
                  "write: verify");
    }
    conf_set_str(t->c, k, KW_SSLGET_X_TLS, material(t, &ca, true, k->line));
}

static void mail(struct tls_load *t)
{
    struct conf_obj *g = t->c->global;
    const struct conf_value *tls, *user, *own;
    struct content ca;

    if (g == NULL)
        return;
    tls = conf_get(g, KW_GLOBAL_SMTP_TLS);
    user = conf_get(g, KW_GLOBAL_SMTP_USER);
    own = conf_get(g, KW_GLOBAL_SMTP_TLS_CA);
    if ((tls != NULL && tls->v.u == 0) || (tls == NULL && user == NULL))
        return;
    ca = own != NULL ? load_value(t, g, KW_GLOBAL_SMTP_TLS_CA)
                     : system_ca(t, conf_pos_value(tls != NULL ? tls : user), "smtp_tls_ca");
    conf_set_str(t->c, g, KW_GLOBAL_X_TLS, material(t, &ca, false, g->line));
}

void conf_read_files(struct conf *c)
{
    struct tls_load t = { .c = c };

    ssl_block(&t);
    mail(&t);
    for (struct conf_obj *vs = NULL; (vs = conf_next(c->top, vs, BLK_VS)) != NULL;)
        for (struct conf_obj *rs = NULL; (rs = conf_next(vs, rs, BLK_RS)) != NULL;)
            for (struct conf_obj *k = NULL; (k = conf_next(rs, k, BLK_SSLGET)) != NULL;)
                ssl_get(&t, k);
}
