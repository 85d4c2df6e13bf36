/*
 * value.c - one value by the kind of its row: numbers, times, words, addresses; with ranges, reasons and
 * remedies. The pure parts (conf_number, conf_seconds) take hostile text and are what the fuzzer calls.
 * Called by parse*.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/conf/conf_int.h"

static int digit_of(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F')
        return ch - 'A' + 10;
    return 99;
}

int conf_number(const char *s, bool c_notation, int64_t *out)
{
    bool minus = *s == '-';
    int base = 10;
    uint64_t v = 0, limit = minus ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    if (*s == '-' || *s == '+')
        s++;
    if (c_notation && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    } else if (c_notation && s[0] == '0' && s[1] != '\0') {
        base = 8;
    }
    if (*s == '\0') {
        errno = EINVAL;
        return -1;
    }
    bool over = false;
    for (; *s != '\0'; s++) {
        int d = digit_of(*s);
        if (d >= base) {
            errno = EINVAL;
            return -1;
        }
        if (v > (limit - (uint64_t)d) / (uint64_t)base)
            over = true;
        else
            v = v * (uint64_t)base + (uint64_t)d;
    }
    if (over) {
        errno = ERANGE;
        return -1;
    }
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

/* Seconds with at most `decimals` digits behind the point; more are rounded. The unit is 10^-6. */
int conf_seconds(const char *s, unsigned int decimals, uint64_t *us)
{
    uint64_t whole = 0, frac = 0;
    unsigned int nfrac = 0;
    bool any = false, rounded = false, up = false;
    if (*s == '+')
        s++;
    for (; *s >= '0' && *s <= '9'; s++, any = true) {
        if (whole > UINT64_C(1000000000000))
            goto range;
        whole = whole * 10 + (uint64_t)(*s - '0');
    }
    if (*s == '.')
        for (s++; *s >= '0' && *s <= '9'; s++, any = true) {
            if (nfrac < decimals) {
                frac = frac * 10 + (uint64_t)(*s - '0');
                nfrac++;
            } else if (!rounded && *s != '0') {
                rounded = true;
                up = *s >= '5';
            }
        }
    if (*s != '\0' || !any) {
        errno = EINVAL;
        return -1;
    }
    frac += up;
    for (; nfrac < 6; nfrac++)
        frac *= 10;
    *us = whole * 1000000 + frac;
    return rounded ? 1 : 0;
range:
    errno = s[strspn(s, "0123456789.")] == '\0' ? ERANGE : EINVAL;
    return -1;
}

int conf_bool_word(const char *s)
{
    static const char *const yes[] = { "true", "on", "yes" }, *const no[] = { "false", "off", "no" };
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(s, yes[i]) == 0)
            return 1;
        if (strcmp(s, no[i]) == 0)
            return 0;
    }
    return -1;
}

static void put_us(char *buf, size_t size, int64_t us)
{
    if (us % 1000000 == 0) {
        snprintf(buf, size, "%lld", (long long)(us / 1000000));
        return;
    }
    int n = snprintf(buf, size, "%lld.%06lld", (long long)(us / 1000000), (long long)(us % 1000000));
    while (n > 0 && buf[n - 1] == '0')
        buf[--n] = '\0';
}

const char *conf_range_text(struct conf *c, const struct kw_row *row)
{
    char lo[32], hi[32];
    switch (row->kind) {
    case KIND_TIME:
        put_us(lo, sizeof lo, row->min);
        put_us(hi, sizeof hi, row->max);
        return conf_fmt(c, diag_format(c->diag, "%s-%s seconds"), lo, hi);
    case KIND_MSTIME:
        put_us(lo, sizeof lo, row->min * 1000);
        put_us(hi, sizeof hi, row->max * 1000);
        return conf_fmt(c, diag_format(c->diag, "%s-%s milliseconds"), lo, hi);
    case KIND_BOOL: return diag_tr(c->diag, "on or off");
    case KIND_UINT:
    case KIND_INT:
    case KIND_CNUM:
    case KIND_WEIGHT:
    case KIND_NAMETAB:
        return conf_fmt(c, row->min < 0 ? "%lld..%lld" : "%lld-%lld", (long long)row->min,
                        (long long)row->max);
    case KIND_ENUM: {
        char *s = conf_fmt(c, "%s", schema_word_at((enum schema_enum)row->arg, 0));
        const char *w;
        for (unsigned int i = 1; (w = schema_word_at((enum schema_enum)row->arg, i)) != NULL; i++)
            s = conf_fmt(c,
                         schema_word_at((enum schema_enum)row->arg, i + 1) == NULL
                             ? diag_format(c->diag, "%s or %s")
                             : "%s, %s",
                         s, w);
        return s;
    }
    case KIND_IP:
    case KIND_PREFIX: return diag_tr(c->diag, "an IP address");
    case KIND_IFNAME: return diag_tr(c->diag, "an interface name");
    case KIND_SCRIPT: return diag_tr(c->diag, "a command in quotes");
    case KIND_USER: return diag_tr(c->diag, "USER [GROUP]");
    case KIND_REF: return diag_tr(c->diag, "a name");
    case KIND_HEX: return diag_tr(c->diag, "hexadecimal digits");
    case KIND_WORD:
    case KIND_WORDS:
    case KIND_SPECIAL:
    case KIND_FLAG:
    case KIND_BLOCK:
    case KIND_LINES:
    case KIND_SYNTAX:
    case KIND_DERIVED: break;
    }
    return diag_tr(c->diag, "a value");
}

/* "=" or a trailing ';' or ',': other languages' habits, named before anything else is said. */
static bool habit(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t word)
{
    const struct conf_word *w = &l->words[word];
    struct conf_pos pos = conf_pos_word(l, w);
    if (w->quoted)
        return false;
    if (w->text[0] == '=' || (w->text[0] == ':' && w->len == 1)) {
        const char *value = w->len > 1             ? w->text + 1
                            : word + 1 < l->nwords ? l->words[word + 1].text
                                                   : diag_tr(c->diag, "VALUE");
        struct diag_item *it = CONF_ERR(c, pos, "HF-VALUE", "%s: \"%s\" is not a value", row->name, w->text);
        if (row->flags & KWF_SECRET)
            diag_help(it, "write the keyword and the value with a blank between, without \"=\"");
        else
            diag_help(it, "write: %s %s", row->name, value);
        return true;
    }
    if (w->len > 1 && (w->text[w->len - 1] == ';' || w->text[w->len - 1] == ',') && row->kind != KIND_WORD &&
        row->kind != KIND_WORDS) {
        struct diag_item *it = CONF_ERR(c, pos, "HF-VALUE", "%s: \"%s\" ends in \"%c\"", row->name, w->text,
                                        w->text[w->len - 1]);
        diag_help(it, "a line ends the statement; write: %s %.*s", row->name, (int)w->len - 1, w->text);
        return true;
    }
    return conf_diag_text(c, l, word, row->name);
}

static int bad_range(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t word)
{
    struct diag_item *it = CONF_ERR(c, conf_pos_word(l, &l->words[word]), "HF-RANGE", "%s %s is not in %s",
                                    row->name, l->words[word].text, conf_range_text(c, row));
    if (row->dflt[0] != '\0')
        diag_help(it, "without the line the default is %s", row->dflt);
    return -1;
}

/* 0 with the two documented gentle readings of 0. */
static bool gentle_zero(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t word,
                        struct conf_value *out)
{
    struct conf_pos pos = conf_pos_word(l, &l->words[word]);
    if (row->flags & KWF_ZERO_ONE) {
        CONF_WARN(c, pos, "HF-ZERO", "%s 0 is read as 1", row->name);
        out->v.u = row->kind == KIND_TIME ? 1000000 : 1;
        return true;
    }
    if (row->flags & KWF_ZERO_OFF) {
        struct diag_item *it =
            CONF_WARN(c, pos, "HF-ZERO", "%s 0 means off, which is the default", row->name);
        diag_help(it, "the line can be removed");
        out->v.u = 0;
        return true;
    }
    return false;
}

static int value_number(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t word,
                        struct conf_value *out)
{
    int64_t v;
    if (conf_number(l->words[word].text, row->kind == KIND_CNUM, &v) < 0)
        return bad_range(c, row, l, word);
    if (v == 0 && gentle_zero(c, row, l, word, out))
        return 0;
    if (v < row->min || v > row->max)
        return bad_range(c, row, l, word);
    out->v.i = v;
    return 0;
}

static int value_time(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t word,
                      struct conf_value *out)
{
    uint64_t v;
    int r = conf_seconds(l->words[word].text, row->kind == KIND_MSTIME ? 3 : 6, &v);
    if (r < 0)
        return bad_range(c, row, l, word);
    if (row->kind == KIND_MSTIME)
        v /= 1000;
    if (v == 0 && r == 0 && gentle_zero(c, row, l, word, out))
        return 0;
    if (v < (uint64_t)row->min || v > (uint64_t)row->max)
        return bad_range(c, row, l, word);
    uint64_t step = 1;
    for (int d = row->kind == KIND_MSTIME ? 6 : row->arg; d < 6; d++)
        step *= 10;
    if (v % step != 0 || r == 1) {
        v = (v + step / 2) / step * step;
        if (v < (uint64_t)row->min)
            v = (uint64_t)row->min;
        CONF_WARN(c, conf_pos_word(l, &l->words[word]), "HF-ROUNDED",
                  "%s %s has too many decimals and is rounded", row->name, l->words[word].text);
    }
    out->v.u = v;
    return 0;
}

static int value_enum(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t word,
                      struct conf_value *out)
{
    const char *w = l->words[word].text, *near;
    enum schema_enum e = (enum schema_enum)row->arg;
    if (schema_word_find(e, w, &out->v.i) == 0)
        return 0;
    for (unsigned int i = 0; (near = schema_word_at(e, i)) != NULL; i++)
        if (strcasecmp(near, w) == 0)
            break;
    if (near != NULL && (e == ENUM_PROTOCOL || e == ENUM_DNS_TYPE))
        return schema_word_find(e, near, &out->v.i); /* any letter case, as documented */
    struct diag_item *it = CONF_ERR(c, conf_pos_word(l, &l->words[word]), "HF-WORD",
                                    "%s %s is not known (%s)", row->name, w, conf_range_text(c, row));
    if (near != NULL)
        diag_help(it, "case matters; write: %s %s", row->name, near);
    return -1;
}

int conf_word_ip(struct conf *c, const struct conf_line *l, size_t word, bool prefix, struct ipaddr *out)
{
    const char *w = l->words[word].text, *use;
    struct conf_pos pos = conf_pos_word(l, &l->words[word]);
    if (ipaddr_parse_prefix(w, out) == 0) {
        const char *slash = strchr(w, '/');
        if (slash != NULL && !prefix) {
            out->plen = out->family == 4 ? 32 : 128;
            CONF_WARN(c, pos, "HF-ADDR-PREFIX", "no prefix length is wanted here; %s ignored", slash);
        }
        return 0;
    }
    if (errno == ERANGE && strchr(w, ',') == NULL) {
        const char *slash = strchr(w, '/');
        struct diag_item *it =
            CONF_ERR(c, pos, "HF-ADDR-PREFIX", "%s is not a prefix length of an IPv%d address (0-%d)", slash,
                     out->family, out->family == 4 ? 32 : 128);
        struct ipaddr mask;
        if (ipaddr_parse(slash + 1, &mask) == 0 && mask.family == 4) {
            int n = 0;
            for (int i = 0; i < 32 && (mask.b[i / 8] & (0x80 >> i % 8)); i++)
                n++;
            diag_help(it, "a dotted mask is not understood; write %.*s/%d", (int)(slash - w), w, n);
        }
        return -1;
    }
    if (conf_diag_text(c, l, word, NULL))
        return -1;
    if (strchr(w, ',') != NULL)
        diag_help(CONF_ERR(c, pos, "HF-ADDR", "one address per line: %s", w),
                  "write each address on its own line");
    else if (strspn(w, "0123456789abcdefABCDEF.:/%") == strlen(w) || w[strspn(w, "0123456789.")] == '/')
        CONF_ERR(c, pos, "HF-ADDR", "%s is not an IP address", w);
    else if ((use = conf_word_use(c->text, &l->words[word])) != NULL)
        diag_help(CONF_ERR(c, pos, "HF-ADDR", "\"%s\" is not an IP address", w), "write ${%s}", use);
    else if (w[0] == '<' || strpbrk(w, "<>[]()$") != NULL)
        diag_help(CONF_ERR(c, pos, "HF-ADDR", "\"%s\" is not an IP address", w),
                  "is this a place holder to fill in?");
    else
        diag_help(CONF_ERR(c, pos, "HF-ADDR", "a name where an address is expected: %s", w),
                  "write the address itself; names are not looked up");
    return -1;
}

int conf_word_port(struct conf *c, const struct conf_line *l, size_t word, uint16_t *out)
{
    int64_t v;
    struct conf_pos pos = conf_pos_word(l, &l->words[word]);
    if (conf_number(l->words[word].text, false, &v) < 0 && errno == EINVAL) {
        CONF_ERR(c, pos, "HF-PORT", "port %s is not a number", l->words[word].text);
        return -1;
    }
    if (conf_number(l->words[word].text, false, &v) < 0 || v < 0 || v > 65535) {
        CONF_ERR(c, pos, "HF-PORT", "port %s is not in 1-65535", l->words[word].text);
        return -1;
    }
    *out = (uint16_t)v;
    return 0;
}

static int value_word(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t word,
                      struct conf_value *out)
{
    const struct conf_word *w = &l->words[word];
    size_t most = row->kind == KIND_IFNAME ? 15 : row->kind == KIND_REF ? 255 : (size_t)row->arg;
    struct conf_pos pos = conf_pos_word(l, w);
    out->v.s = w->text;
    if (most == 0 || w->len <= most)
        return 0;
    if (row->kind == KIND_IFNAME) {
        CONF_ERR(c, pos, "HF-IFACE-NAME", "interface name %s is longer than 15 characters", w->text);
        return -1;
    }
    struct diag_item *it = CONF_ERR(c, pos, "HF-LONG", "%s: longer than %zu characters", row->name, most);
    if (row->flags & KWF_SECRET)
        diag_hide(it);
    return -1;
}

static int value_nametab(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t word,
                         struct conf_value *out)
{
    uint32_t v;
    if (conf_name_lookup(c, (enum schema_names)row->arg, l->words[word].text, &v) < 0) {
        struct diag_item *it =
            CONF_ERR(c, conf_pos_word(l, &l->words[word]), "HF-NAME",
                     "%s %s is neither a number nor a known name", row->name, l->words[word].text);
        diag_help(it, "names come from the files in /etc/iproute2 and /usr/share/iproute2");
        return -1;
    }
    if (v > (uint64_t)row->max)
        return bad_range(c, row, l, word);
    out->v.u = v;
    return 0;
}

static int value_one(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t *word,
                     struct conf_value *out)
{
    size_t w = *word;
    switch (row->kind) {
    case KIND_UINT:
    case KIND_INT:
    case KIND_CNUM:
    case KIND_WEIGHT: return value_number(c, row, l, w, out);
    case KIND_TIME:
    case KIND_MSTIME: return value_time(c, row, l, w, out);
    case KIND_ENUM: return value_enum(c, row, l, w, out);
    case KIND_NAMETAB: return value_nametab(c, row, l, w, out);
    case KIND_WORD:
    case KIND_IFNAME:
    case KIND_REF: return value_word(c, row, l, w, out);
    case KIND_IP:
    case KIND_PREFIX: {
        struct ipaddr *a = conf_arena_alloc(c->arena, sizeof *a, _Alignof(struct ipaddr));
        out->v.ip = a;
        return conf_word_ip(c, l, w, row->kind == KIND_PREFIX, a);
    }
    case KIND_FLAG:
    case KIND_BOOL:
    case KIND_SCRIPT:
    case KIND_USER:
    case KIND_WORDS:
    case KIND_HEX:
    case KIND_BLOCK:
    case KIND_LINES:
    case KIND_SPECIAL:
    case KIND_SYNTAX:
    case KIND_DERIVED: break;
    }
    return -1;
}

int conf_value(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t *word,
               struct conf_value *out)
{
    if (*word >= l->nwords) {
        if (row->flags & KWF_OPTVALUE) {
            if (row->kind == KIND_WORD || row->kind == KIND_REF)
                out->v.s = "";
            else
                out->v.i = row->kind == KIND_ENUM ? 1 : row->arg;
            return 0;
        }
        if (!l->bad)
            CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "%s needs a value (%s)", row->name,
                     conf_range_text(c, row));
        return -1;
    }
    if (l->bad && row->kind != KIND_WORD)
        return -1;
    if (row->kind != KIND_WORD && !(row->flags & KWF_SECRET) &&
        conf_word_undefined(c->text, l, &l->words[*word], c->diag))
        return -1;
    if (habit(c, row, l, *word))
        return -1;
    int r = value_one(c, row, l, word, out);
    ++*word;
    return r;
}
