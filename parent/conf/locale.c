/*
 * locale.c - see locale.h. The catalog is a file of ours beside the binary, yet nothing in it is believed:
 * every offset is checked once when it is loaded, and a translation becomes a format only with exactly the
 * conversions of the English one. The environment only picks from a fixed list and never becomes a path.
 */
#include "parent/conf/locale.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"

#define LOCALE_MAGIC    0x950412deu
#define LOCALE_HEADER   28
#define LOCALE_MAX      (1u << 20)
#define LOCALE_ARGS_MAX 9

struct locale {
    uint32_t n, ids, texts; /* entries; offsets of the two tables of (length, offset) */
    bool swapped;
    size_t len;
    unsigned char *buf;
};

/* ---- which language */

static const char *locale_env(const char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (; env && *env; env++) {
        if (!strncmp(*env, name, n) && (*env)[n] == '=' && (*env)[n + 1])
            return *env + n + 1;
    }
    return NULL;
}

/* len bytes of s: language[_territory][.codeset][@modifier] */
static const char *locale_language(const char *s, size_t len)
{
    return len >= 2 && !strncmp(s, "zh", 2) && (len == 2 || strchr("_.@", s[2])) ? "zh_CN" : NULL;
}

static bool locale_is_english(const char *s, size_t len)
{
    return (len >= 2 && !strncmp(s, "en", 2)) || (len >= 1 && s[0] == 'C' && (len == 1 || s[1] == '.')) ||
           (len == 5 && !strncmp(s, "POSIX", 5));
}

static bool locale_is_utf8(const char *s)
{
    const char *dot = strchr(s, '.');
    size_t n = dot ? strcspn(dot + 1, "@") : 0;

    return !dot || (n == 5 && !strncasecmp(dot + 1, "UTF-8", n)) ||
           (n == 4 && !strncasecmp(dot + 1, "utf8", n));
}

const char *locale_choose(const char *const *env)
{
    const char *s = locale_env(env, "LC_ALL"), *list, *found;

    if (!s)
        s = locale_env(env, "LC_MESSAGES");
    if (!s)
        s = locale_env(env, "LANG");
    if (!s || !strcmp(s, "POSIX") || !strcmp(s, "C") || !strncmp(s, "C.", 2) || !locale_is_utf8(s))
        return NULL;
    list = locale_env(env, "LANGUAGE");
    if (!list)
        return locale_language(s, strlen(s));
    for (size_t n; *list; list += n + (list[n] == ':')) {
        n = strcspn(list, ":");
        found = locale_language(list, n);
        if (found || locale_is_english(list, n))
            return found;
    }
    return NULL;
}

/* ---- the catalog */

static uint32_t locale_u32(const struct locale *l, size_t at)
{
    uint32_t v;

    memcpy(&v, l->buf + at, sizeof(v));
    return l->swapped ? __builtin_bswap32(v) : v;
}

/* String i of a table, NULL: it leaves the file or does not end in NUL. */
static const char *locale_string(const struct locale *l, uint32_t table, uint32_t i)
{
    size_t at = table + (size_t)i * 8, n = locale_u32(l, at), off = locale_u32(l, at + 4);

    if (off >= l->len || n >= l->len - off || l->buf[off + n])
        return NULL;
    return (const char *)l->buf + off;
}

static bool locale_sound(struct locale *l)
{
    uint32_t magic = locale_u32(l, 0);

    l->swapped = magic == __builtin_bswap32(LOCALE_MAGIC);
    if ((magic != LOCALE_MAGIC && !l->swapped) || locale_u32(l, 4) >> 16)
        return false;
    l->n = locale_u32(l, 8);
    l->ids = locale_u32(l, 12);
    l->texts = locale_u32(l, 16);
    if (l->n > l->len / 8 || l->ids > l->len - (size_t)l->n * 8 || l->texts > l->len - (size_t)l->n * 8)
        return false;
    for (uint32_t i = 0; i < l->n; i++) {
        if (!locale_string(l, l->ids, i) || !locale_string(l, l->texts, i))
            return false;
    }
    return true;
}

struct locale *locale_from_memory(const void *buf, size_t len)
{
    struct locale *l;

    if (len < LOCALE_HEADER || len > LOCALE_MAX)
        return NULL;
    l = xcalloc(1, sizeof(*l));
    l->len = len;
    l->buf = xmalloc(len);
    memcpy(l->buf, buf, len);
    if (locale_sound(l))
        return l;
    locale_free(l);
    return NULL;
}

void locale_free(struct locale *l)
{
    if (!l)
        return;
    free(l->buf);
    free(l);
}

static struct locale *locale_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct locale *l = NULL;
    struct stat st;
    unsigned char *buf;
    size_t len = 0;
    ssize_t n = 1;

    if (fd < 0)
        return NULL;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= LOCALE_MAX) {
        buf = xmalloc((size_t)st.st_size);
        while (n > 0 && len < (size_t)st.st_size) {
            n = read(fd, buf + len, (size_t)st.st_size - len);
            len += n > 0 ? (size_t)n : 0;
        }
        l = locale_from_memory(buf, len);
        free(buf);
    }
    close(fd);
    return l;
}

struct locale *locale_open(const char *language)
{
    /* the build tree; installed: PREFIX/libexec/holdfast and PREFIX/share */
    static const char *const places[] = { "locale", "../../share/locale" };
    char self[PATH_MAX], path[PATH_MAX];
    ssize_t n = language ? readlink("/proc/self/exe", self, sizeof(self) - 1) : -1;
    struct locale *l = NULL;
    char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;

    if (!slash)
        return NULL;
    *slash = '\0';
    for (size_t i = 0; !l && i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, sizeof(path), "%.3800s/%s/%.16s/LC_MESSAGES/holdfast.mo", self, places[i], language);
        l = locale_read(path);
    }
    return l;
}

const char *locale_text(const struct locale *l, const char *id)
{
    size_t low = 0, high = l && *id ? l->n : 0;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(id, locale_string(l, l->ids, (uint32_t)mid));

        if (!c) {
            const char *text = locale_string(l, l->texts, (uint32_t)mid);
            return *text ? text : id;
        }
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return id;
}

/* ---- formats */

/* What the conversions of a format take: slot[0] the first argument. A conversion is its whole text without
 * the position, so that %5zu is not %zu: nothing of a translation is to differ but order. */
struct locale_args {
    struct {
        const char *s;
        size_t len;
    } slot[LOCALE_ARGS_MAX];
    size_t n;
};

/* false: not a format we use: more than nine arguments, one taken twice, some with a position and some
 * without,
 * '*' with a position, %n. */
static bool locale_scan(const char *f, struct locale_args *a)
{
    size_t placed = 0, stars = 0;

    *a = (struct locale_args){ .n = 0 };
    while ((f = strchr(f, '%'))) {
        size_t at = a->n, len;

        if (*++f == '%') {
            f++;
            continue;
        }
        if (f[0] >= '1' && f[0] <= '9' && f[1] == '$') {
            at = (size_t)(f[0] - '1');
            placed++;
            f += 2;
        }
        len = strcspn(f, "diouxXeEfFgGaAcspn");
        if (!f[len] || f[len] == 'n' || at >= LOCALE_ARGS_MAX || a->slot[at].s)
            return false;
        stars += memchr(f, '*', len) != NULL;
        a->slot[at].s = f;
        a->slot[at].len = len + 1;
        a->n++;
        f += len + 1;
    }
    return !placed || (placed == a->n && !stars);
}

bool locale_same_format(const char *id, const char *str)
{
    struct locale_args a, b;

    if (!locale_scan(id, &a) || !locale_scan(str, &b) || a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (!b.slot[i].s || !a.slot[i].s || a.slot[i].len != b.slot[i].len ||
            memcmp(a.slot[i].s, b.slot[i].s, a.slot[i].len) != 0)
            return false;
    }
    return true;
}

const char *locale_format(const struct locale *l, const char *id)
{
    const char *text = locale_text(l, id);

    return text == id || locale_same_format(id, text) ? text : id;
}
