/*
 * parse_special.c - keywords of global_defs, vrrp_instance and the trackers whose arguments are a little
 * grammar of their own: one function a keyword, found by table. Called by parse_kw.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parent/conf/parse.h"

typedef void special_fn(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                        const struct conf_line *l);

static bool need_word(struct conf *c, const struct kw_row *row, const struct conf_line *l, const char *what)
{
    if (l->nwords > 1)
        return true;
    CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "%s needs %s", row->name, diag_tr(c->diag, what));
    return false;
}

static void put_raw(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l,
                    size_t word, const void *p, size_t len)
{
    void *copy = conf_arena_alloc(c->arena, len, 8);
    memcpy(copy, p, len);
    struct conf_value *v = parse_put(c, o, row, l, word);
    if (v != NULL) {
        v->v.raw = copy;
        v->len = (uint16_t)len;
    }
}

static void put_number(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                       const struct conf_line *l, size_t word, uint64_t n)
{
    put_raw(c, o, row, l, word, &n, sizeof n);
}

void parse_put_words(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l,
                     size_t from, size_t most)
{
    size_t len = 0;
    for (size_t i = from; i < l->nwords && i < from + most; i++)
        len += l->words[i].len + 1u;
    if (len > UINT16_MAX) {
        CONF_ERR(c, conf_pos_line(l), "HF-LONG", "%s: too long", row->name);
        return;
    }
    char *buf = conf_arena_alloc(c->arena, len + 1, 1), *at = buf;
    for (size_t i = from; i < l->nwords && i < from + most; i++) {
        memcpy(at, l->words[i].text, l->words[i].len);
        at += l->words[i].len + 1;
    }
    put_raw(c, o, row, l, from, buf, len > 0 ? len : 1);
    parse_extra(c, row, l, from + most);
}

static void special_timeouts(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                             const struct conf_line *l)
{
    if (!need_word(c, row, l, DIAG_ID("at least one of tcp N, tcpfin N, udp N")))
        return;
    struct conf_obj *t = conf_obj_new(c, o, BLK_TIMEOUTS, "", l);
    t->opener = row->kw;
    parse_options(c, t, BLK_TIMEOUTS, l, 1, row->name);
}

/* lvs_sync_daemon IF [INST [ID]] [OPTIONS] */
static void special_syncd(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                          const struct conf_line *l)
{
    if (!need_word(c, row, l, DIAG_ID("an interface")))
        return;
    if (conf_next(o, NULL, BLK_SYNCD) != NULL) {
        CONF_WARN(c, conf_pos_line(l), "HF-TWICE", "%s is given twice; the first one counts", row->name);
        return;
    }
    if (l->words[1].len > 15) {
        CONF_ERR(c, conf_pos_word(l, &l->words[1]), "HF-IFACE-NAME",
                 "interface name %s is longer than 15 characters", l->words[1].text);
        return;
    }
    struct conf_obj *s = conf_obj_new(c, o, BLK_SYNCD, l->words[1].text, l);
    size_t w = 2;
    s->opener = row->kw;
    if (w < l->nwords && schema_find(BLK_SYNCD, l->words[w].text) == NULL) {
        CONF_WARN(c, conf_pos_word(l, &l->words[w]), "HF-DEPRECATED", "write the instance as: inst %s",
                  l->words[w].text);
        conf_add(c, s, KW_SYNCD_INST, l, w)->v.s = l->words[w].text;
        w++;
        int64_t id;
        if (w < l->nwords && conf_number(l->words[w].text, false, &id) == 0) {
            if (id < 0 || id > 255)
                CONF_ERR(c, conf_pos_word(l, &l->words[w]), "HF-RANGE", "id %s is not in 0-255",
                         l->words[w].text);
            else
                conf_set_uint(c, s, KW_SYNCD_ID, (uint64_t)id);
            w++;
        }
    }
    parse_options(c, s, BLK_SYNCD, l, w, row->name);
    const struct ipaddr *group = conf_ip(s, KW_SYNCD_GROUP);
    char text[IPADDR_STRLEN];
    if (group != NULL && !ipaddr_is_multicast(group))
        CONF_ERR(c, conf_pos_value(conf_get(s, KW_SYNCD_GROUP)), "HF-ADDR",
                 "%s: group %s is not a multicast address", row->name, ipaddr_str(group, text));
}

/* An address (of IPv6 perhaps with its interface) or what may be a name: told here, not with the first mail.
 */
static bool mail_host(const char *w)
{
    char host[IPADDR_STRLEN];
    struct ipaddr a;
    size_t n = strcspn(w, "%");
    if (strpbrk(w, ":/[]") == NULL && w[strspn(w, "0123456789.")] != '\0')
        return true;
    if (n >= sizeof host)
        return false;
    memcpy(host, w, n);
    host[n] = '\0';
    return ipaddr_parse(host, &a) == 0 && (w[n] == '\0' || a.family == 6);
}

/* HOST:PORT and [IP]:PORT, habits of other programs, taken apart for the help. */
static void mail_host_bad(struct conf *c, const struct conf_line *l)
{
    const char *w = l->words[1].text, *colon = strrchr(w, ':');
    struct diag_item *it = CONF_ERR(c, conf_pos_word(l, &l->words[1]), "HF-ADDR",
                                    "smtp_server %s is neither an IP address nor a host name", w);
    if (colon == NULL || colon[1] == '\0' || colon[1 + strspn(colon + 1, "0123456789")] != '\0')
        return;
    size_t skip = *w == '[', n = (size_t)(colon - w) - skip;
    n -= skip && n > 0 && w[skip + n - 1] == ']';
    char *host = conf_arena_strndup(c->arena, w + skip, n);
    if (mail_host(host))
        diag_help(it, "write: smtp_server %s %s", host, colon + 1);
}

/* HOST|IP [PORT]; also "HOST:PORT" is not accepted, as documented. */
static void special_smtp_server(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                                const struct conf_line *l)
{
    uint16_t port = 25;
    if (!need_word(c, row, l, DIAG_ID("a host name or address")) || conf_diag_text(c, l, 1, row->name))
        return;
    if (!mail_host(l->words[1].text)) {
        if (!conf_word_undefined(c->text, l, &l->words[1], c->diag))
            mail_host_bad(c, l);
        return;
    }
    if (l->nwords > 2 && conf_word_port(c, l, 2, &port) < 0)
        return;
    if (port == 0) {
        CONF_ERR(c, conf_pos_word(l, &l->words[2]), "HF-PORT", "port %s is not in 1-65535", l->words[2].text);
        return;
    }
    put_raw(c, o, row, l, 1, l->words[1].text, l->words[1].len + 1u);
    parse_extra(c, row, l, 3);
    uint64_t p = port, *copy = conf_arena_alloc(c->arena, sizeof p, 8);
    *copy = p;
    struct conf_value *v = conf_set(c, o, KW_GLOBAL_X_SMTP_PORT);
    v->v.raw = copy;
    v->len = sizeof p;
}

static void special_fifo(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                         const struct conf_line *l)
{
    if (need_word(c, row, l, DIAG_ID("PATH [USER [GROUP]]")))
        parse_put_words(c, o, row, l, 1, 3);
}

static void special_rx_policy(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                              const struct conf_line *l)
{
    int64_t n;
    if (!need_word(c, row, l, DIAG_ID("MTU, ADVERT or a number of bytes")))
        return;
    for (size_t i = 1; i < l->nwords; i++) {
        const char *w = l->words[i].text;
        if (strcasecmp(w, "MTU") != 0 && strcasecmp(w, "ADVERT") != 0 &&
            (conf_number(w, false, &n) < 0 || n < 0 || n > UINT32_MAX))
            CONF_ERR(c, conf_pos_word(l, &l->words[i]), "HF-WORD",
                     "vrrp_rx_bufs_policy %s is not MTU, ADVERT or a number", w);
    }
    parse_put_words(c, o, row, l, 1, 2);
}

/* Octal, or IRUSR|IWUSR|... */
static void special_umask(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                          const struct conf_line *l)
{
    static const struct {
        const char *name;
        unsigned int bit;
    } bits[] = { { "IRUSR", 0400 }, { "IWUSR", 0200 }, { "IXUSR", 0100 }, { "IRWXU", 0700 },
                 { "IRGRP", 040 },  { "IWGRP", 020 },  { "IXGRP", 010 },  { "IRWXG", 070 },
                 { "IROTH", 04 },   { "IWOTH", 02 },   { "IXOTH", 01 },   { "IRWXO", 07 } };
    int64_t v = 0;
    if (!need_word(c, row, l, DIAG_ID("a number or names of permission bits")))
        return;
    if (conf_number(l->words[1].text, true, &v) == 0 && v >= 0 && v <= 0777) {
        put_number(c, o, row, l, 1, (uint64_t)v);
        parse_extra(c, row, l, 2);
        return;
    }
    v = 0;
    for (size_t i = 1; i < l->nwords; i++)
        for (const char *s = l->words[i].text; *s != '\0';) {
            size_t n = strcspn(s, "|");
            bool known = n == 0;
            for (size_t b = 0; b < sizeof bits / sizeof *bits; b++)
                if (strlen(bits[b].name) == n && strncmp(bits[b].name, s, n) == 0) {
                    v |= bits[b].bit;
                    known = true;
                }
            if (!known) {
                CONF_ERR(c, conf_pos_word(l, &l->words[i]), "HF-WORD",
                         "umask %.*s is neither octal nor IRUSR ... IRWXO", (int)n, s);
                return;
            }
            s += n + (s[n] == '|');
        }
    put_number(c, o, row, l, 1, (uint64_t)v);
}

/* [all] SECS: bit 63 of the stored microseconds means all. */
static void special_extra_if(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                             const struct conf_line *l)
{
    uint64_t us, all = 0;
    size_t w = 1;
    if (!need_word(c, row, l, DIAG_ID("[all] SECS")))
        return;
    if (strcmp(l->words[1].text, "all") == 0) {
        all = UINT64_C(1) << 63;
        w = 2;
    }
    if (w >= l->nwords || conf_seconds(l->words[w].text, 0, &us) < 0 || us > (uint64_t)row->max ||
        us < (uint64_t)row->min) {
        CONF_ERR(c, conf_pos_line(l), "HF-RANGE", "%s needs [all] and a number of seconds up to 86400",
                 row->name);
        return;
    }
    put_number(c, o, row, l, w, us | all);
    parse_extra(c, row, l, w + 1);
}

static bool is_mac(const char *w)
{
    size_t n = 0;
    for (const char *s = w;; s++) {
        size_t digits = strspn(s, "0123456789abcdefABCDEF");
        if (digits < 1 || digits > 2)
            return false;
        n++;
        s += digits;
        if (*s == '\0')
            return n == 5 || n == 6;
        if (*s != ':')
            return false;
    }
}

/* use_vmac [NAME|name NAME] [MAC] [netlink_notify_msg] [group G] */
static void special_vmac(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                         const struct conf_line *l)
{
    bool named = false;
    for (size_t i = 1; i < l->nwords; i++) {
        const char *w = l->words[i].text;
        uint32_t group;
        if (strcmp(w, "netlink_notify_msg") == 0 || is_mac(w))
            continue;
        if (strcmp(w, "group") == 0 || strcmp(w, "name") == 0) {
            bool is_group = *w == 'g';
            if (++i >= l->nwords)
                CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "use_vmac: %s needs a value", w);
            else if (is_group && conf_name_lookup(c, NAMES_GROUP, l->words[i].text, &group) < 0)
                CONF_ERR(c, conf_pos_word(l, &l->words[i]), "HF-NAME", "interface group %s is not known",
                         l->words[i].text);
            else if (!is_group && l->words[i].len > 15)
                CONF_ERR(c, conf_pos_word(l, &l->words[i]), "HF-IFACE-NAME",
                         "interface name %s is longer than 15 characters", l->words[i].text);
            continue;
        }
        if (strchr(w, ':') != NULL) /* which no interface name has */
            CONF_ERR(c, conf_pos_word(l, &l->words[i]), "HF-ADDR", "use_vmac: %s is not a MAC address", w);
        else if (l->words[i].len > 15)
            CONF_ERR(c, conf_pos_word(l, &l->words[i]), "HF-IFACE-NAME",
                     "interface name %s is longer than 15 characters", w);
        else if (named)
            parse_option_unknown(c, BLK_VI, l, i, "use_vmac");
        named = true;
    }
    parse_put_words(c, o, row, l, 1, 8);
}

/* use_ipvlan [NAME|name NAME] [IP/LEN] [bridge|private|vepa] [group G] */
static void special_ipvlan(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                           const struct conf_line *l)
{
    for (size_t i = 1; i < l->nwords; i++) {
        int64_t mode;
        struct ipaddr a;
        const char *w = l->words[i].text;
        if ((strcmp(w, "group") == 0 || strcmp(w, "name") == 0) && i + 1 < l->nwords)
            i++;
        else if (schema_word_find(ENUM_IPVLAN, w, &mode) < 0 && ipaddr_parse_prefix(w, &a) < 0 &&
                 l->words[i].len > 15)
            CONF_ERR(c, conf_pos_word(l, &l->words[i]), "HF-IFACE-NAME",
                     "interface name %s is longer than 15 characters", w);
    }
    parse_put_words(c, o, row, l, 1, 8);
}

static void special_old_checksum(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                                 const struct conf_line *l)
{
    uint64_t v = 1;
    if (l->nwords > 1 && strcmp(l->words[1].text, "never") == 0) {
        v = 2;
        parse_extra(c, row, l, 2);
    } else {
        parse_extra_option(c, row, l, 1);
    }
    put_number(c, o, row, l, 0, v);
}

/* A key in a file: readable by its owner (and group) alone. The bytes are read here, once. */
static ssize_t key_file(struct conf *c, const struct conf_line *l, size_t word, const char *path, char *buf,
                        size_t size)
{
    struct stat st;
    struct conf_pos pos = conf_pos_word(l, &l->words[word]);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        CONF_ERR(c, pos, "HF-FILE", "key file %s: %s", path,
                 fd < 0 ? diag_tr(c->diag, strerror(errno)) : diag_tr(c->diag, "not a regular file"));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (st.st_mode & S_IROTH) {
        struct diag_item *it =
            CONF_ERR(c, pos, "HF-SECRET-READABLE", "key file %s can be read by everybody", path);
        diag_help(it, "chmod 600 %s", path);
        diag_class(it, DIAG_CLASS_SECURITY);
    }
    ssize_t n = read(fd, buf, size);
    close(fd);
    while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
        n--;
    return n;
}

static ssize_t key_hex(const char *s, char *out, size_t size)
{
    size_t n = strlen(s) / 2;
    if (strlen(s) % 2 != 0 || n > size || strspn(s, "0123456789abcdefABCDEF") != strlen(s))
        return -1;
    for (size_t i = 0; i < n; i++) {
        char two[3] = { s[2 * i], s[2 * i + 1], '\0' };
        out[i] = (char)strtoul(two, NULL, 16);
    }
    return (ssize_t)n;
}

/* key ID STRING|hex:DIGITS|file:PATH: stored as the id byte and the key. */
static void special_hmac_key(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                             const struct conf_line *l)
{
    int64_t id;
    char buf[512];
    if (l->nwords < 3) {
        diag_hide(CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING",
                           "key needs ID and STRING, hex:DIGITS or file:PATH"));
        return;
    }
    if (conf_number(l->words[1].text, false, &id) < 0 || id < 1 || id > 255) {
        diag_hide(CONF_ERR(c, conf_pos_word(l, &l->words[1]), "HF-RANGE", "key: the id is not in 1-255"));
        return;
    }
    for (const struct conf_value *v = o->values; v != NULL; v = v->next)
        if (v->kw == row->kw && *(const uint8_t *)v->v.raw == (uint8_t)id) {
            diag_hide(CONF_WARN(c, conf_pos_word(l, &l->words[1]), "HF-TWICE",
                                "key %lld is given twice; the first counts", (long long)id));
            return;
        }
    const char *text = l->words[2].text;
    ssize_t n;
    if (strncmp(text, "hex:", 4) == 0)
        n = key_hex(text + 4, buf + 1, sizeof buf - 1);
    else if (strncmp(text, "file:", 5) == 0)
        n = key_file(c, l, 2, text + 5, buf + 1, sizeof buf - 1);
    else {
        n = (ssize_t)strlen(text);
        if ((size_t)n < sizeof buf - 1)
            memcpy(buf + 1, text, (size_t)n);
    }
    if (n < 32 || n > 64) {
        if (n >= 0 || strncmp(text, "file:", 5) != 0)
            diag_hide(CONF_ERR(c, conf_pos_word(l, &l->words[2]), "HF-RANGE",
                               "key %lld: a key has 32 to 64 bytes", (long long)id));
        return;
    }
    buf[0] = (char)(uint8_t)id;
    put_raw(c, o, row, l, 2, buf, (size_t)n + 1);
    explicit_bzero(buf, sizeof buf);
}

/* smtp_password WORD | file:PATH: stored as text. */
static void special_smtp_password(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                                  const struct conf_line *l)
{
    char buf[512];
    conf_fail(c, o, row->kw); /* until there is one */
    if (l->nwords < 2) {
        diag_hide(
            CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "%s needs a word or file:PATH", row->name));
        return;
    }
    const char *text = l->words[1].text;
    ssize_t n = (ssize_t)strlen(text);
    if (strncmp(text, "file:", 5) == 0)
        n = key_file(c, l, 1, text + 5, buf, sizeof buf);
    else if ((size_t)n < sizeof buf)
        memcpy(buf, text, (size_t)n);
    if (n < 0)
        return;
    if (n == 0 || (size_t)n >= sizeof buf || memchr(buf, '\0', (size_t)n) != NULL) {
        diag_hide(CONF_ERR(c, conf_pos_word(l, &l->words[1]), "HF-RANGE",
                           "%s: a password has 1 to %zu bytes, none of them NUL", row->name, sizeof buf - 1));
        return;
    }
    buf[n] = '\0';
    put_raw(c, o, row, l, 1, buf, (size_t)n + 1);
    explicit_bzero(buf, sizeof buf);
}

static void special_process(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                            const struct conf_line *l)
{
    if (need_word(c, row, l, DIAG_ID("a process name")))
        parse_put_words(c, o, row, l, 1, 64);
}

/* init_file [VALUE] [overwrite], in either order */
static void special_init_file(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                              const struct conf_line *l)
{
    int64_t v = 0, got;
    bool number = false, overwrite = false;
    size_t w = 1;
    for (; w < l->nwords; w++) {
        const char *word = l->words[w].text;
        if (!overwrite && strcmp(word, "overwrite") == 0) {
            overwrite = true;
        } else if (!number && conf_number(word, false, &got) == 0 && got >= row->min && got <= row->max) {
            number = true;
            v = got;
        } else if (!number) {
            CONF_ERR(c, conf_pos_word(l, &l->words[w]), "HF-RANGE", "init_file %s is no number of 32 bits",
                     word);
            return;
        } else {
            break;
        }
    }
    if (overwrite) {
        uint64_t *one = conf_arena_alloc(c->arena, sizeof *one, 8);
        *one = 1;
        struct conf_value *x = conf_set(c, o, KW_TFILE_X_OVERWRITE);
        x->v.raw = one;
        x->len = sizeof *one;
    }
    put_raw(c, o, row, l, 1, &v, sizeof v);
    if (overwrite)
        parse_extra(c, row, l, w);
    else
        parse_extra_option(c, row, l, w);
}

void parse_special(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l)
{
    static const struct {
        enum kw kw;
        special_fn *fn;
    } table[] = {
        { KW_GLOBAL_LVS_TIMEOUTS, special_timeouts },
        { KW_GLOBAL_LVS_SYNC_DAEMON, special_syncd },
        { KW_GLOBAL_SMTP_SERVER, special_smtp_server },
        { KW_GLOBAL_SMTP_PASSWORD, special_smtp_password },
        { KW_GLOBAL_NOTIFY_FIFO, special_fifo },
        { KW_GLOBAL_VRRP_NOTIFY_FIFO, special_fifo },
        { KW_GLOBAL_LVS_NOTIFY_FIFO, special_fifo },
        { KW_GLOBAL_VRRP_RX_BUFS_POLICY, special_rx_policy },
        { KW_GLOBAL_UMASK, special_umask },
        { KW_GLOBAL_VRRP_GARP_EXTRA_IF, special_extra_if },
        { KW_GLOBAL_VRRP_VMAC_GARP_INTVL, special_extra_if },
        { KW_VI_GARP_EXTRA_IF, special_extra_if },
        { KW_VI_VMAC_GARP_INTVL, special_extra_if },
        { KW_VI_USE_VMAC, special_vmac },
        { KW_VI_USE_IPVLAN, special_ipvlan },
        { KW_VI_OLD_UNICAST_CHECKSUM, special_old_checksum },
        { KW_VI_HMAC_KEY, special_hmac_key },
        { KW_PROC_PROCESS, special_process },
        { KW_TFILE_INIT_FILE, special_init_file },
    };
    if (l->bad)
        return;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].kw == row->kw) {
            table[i].fn(c, o, row, l);
            return;
        }
    parse_lvs_special(c, o, row, l);
}
