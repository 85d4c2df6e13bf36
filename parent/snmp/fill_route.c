/*
 * fill_route.c - see fill.h: KEEPALIVED-MIB's routes and their paths, static ones below index 0. Numbers are
 * the MIB's where keepalived sends the kernel's: 112 is its own protocol, 2 is encapsulation in IP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/snmp/fill.h"

#define FILL_PATH  "one path of a multipath route" /* how the report names what has no keyword around it */
#define FILL_ENCAP "light-weight tunnel of a route or path"
#define FILL_MAIN  254 /* the table without a name */

static int fill_word(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (words[i] != NULL && strcmp(words[i], word) == 0)
            return (int)i;
    return 0;
}

void fill_protocol_id(const struct image_row *r, uint32_t column, const struct doc_part *p)
{
    const char *said = fill_option(p, "protocol", NULL);
    if (!fill_option_yes(p, "no_track")) {
        image_int(r, column, 112); /* that is how ours are known again */
        return;
    }
    long long n = said != NULL ? fill_option_int(p, "protocol", -1) : -1;
    if ((n >= 0 && n <= 4) || (n >= 8 && n <= 16))
        image_int(r, column, n + 1);
    else if (n == 18 || said == NULL)
        image_int(r, column, 112);
}

void fill_realms(const struct image_row *r, uint32_t dst, uint32_t src, const struct doc_part *p)
{
    const char *text = fill_option(p, "realms", NULL);
    const char *slash = text != NULL ? strchr(text, '/') : NULL;
    if (text == NULL)
        return;
    image_gauge(r, dst, strtoul(slash != NULL ? slash + 1 : text, NULL, 10));
    if (slash != NULL)
        image_gauge(r, src, strtoul(text, NULL, 10));
}

void fill_set(const struct fill *f, const struct image_row *r, uint32_t column, const struct doc_part *p)
{
    const struct doc_part *k = view_by_id(f->view, "kernel_entry", fill_id(p, "id"));
    if (k != NULL)
        image_yes(r, column, doc_yes(k, "set"));
}

void fill_entries(const struct fill *f, const char *block, fill_entry_fn *fn)
{
    const struct doc *d = &f->view->vrrp;
    uint32_t n = 0, vi = 0;
    for (const struct doc_part *o = NULL; (o = fill_next(d, o, block)) != NULL;)
        if (fill_id(o, "parent") == 0)
            fn(f, o, 0, ++n);
    for (const struct doc_part *i = NULL; (i = fill_next(d, i, "vrrp_instance")) != NULL;) {
        n = 0;
        vi++;
        for (const struct doc_part *o = NULL; (o = fill_child(d, i, o, block)) != NULL;)
            fn(f, o, vi, ++n);
    }
}

static void fill_dev(const struct fill *f, const struct image_row *r, uint32_t column,
                     const struct doc_part *p)
{
    const char *dev = fill_option(p, "dev", NULL);
    if (dev != NULL && view_ifindex(f->view, dev) != 0)
        image_int(r, column, view_ifindex(f->view, dev));
    image_text(r, column + 1, dev);
}

/* Columns of an encapsulation, in the order of both tables: labels, id, destination, source, TOS, TTL, flags,
 * locator. */
static void fill_encap(const struct fill *f, const struct image_row *r, uint32_t type, uint32_t first,
                       const struct doc_part *of)
{
    static const char *const types[] = { NULL, "mpls", "ip", "ila", "ip6" };
    const struct doc_part *e = fill_child(&f->view->vrrp, of, NULL, FILL_ENCAP);
    struct ipaddr dst = view_addr(fill_option(e, "dst", NULL)), src = view_addr(fill_option(e, "src", NULL));
    int kind = e != NULL ? fill_word(e->name, types, sizeof types / sizeof *types) : 0;
    char labels[256] = "";
    const char *label;
    if (kind == 0)
        return;
    if (type != 0)
        image_int(r, type, kind);
    for (size_t i = 0, n = 0; (label = doc_at(e, VIEW_OPTION "LABELS", i)) != NULL && n < sizeof labels; i++)
        n += (size_t)snprintf(labels + n, sizeof labels - n, "%s%s", i > 0 ? "/" : "", label);
    if (kind == 1)
        image_text(r, first, labels);
    if (fill_option(e, "id", NULL) != NULL)
        image_number(r, first + 1, IMAGE_COUNTER64, (uint64_t)fill_option_int(e, "id", 0));
    image_addr(r, first + 2, &dst);
    image_addr(r, first + 3, &src);
    long long tos = fill_option_int(e, "tos", fill_option_int(e, "tc", -1));
    long long ttl = fill_option_int(e, "ttl", fill_option_int(e, "hoplimit", -1));
    if (tos >= 0)
        image_gauge(r, first + 4, (uint64_t)tos);
    if (ttl >= 0)
        image_gauge(r, first + 5, (uint64_t)ttl);
    if (fill_option(e, "flags", NULL) != NULL)
        image_gauge(r, first + 6, (uint64_t)fill_option_int(e, "flags", 0));
    if (fill_option(e, "LOCATOR", NULL) != NULL)
        image_number(r, first + 7, IMAGE_COUNTER64, strtoull(fill_option(e, "LOCATOR", "0"), NULL, 10));
}

/* ---- paths */

static void fill_gateway(const struct image_row *r, const char *text)
{
    struct ipaddr via = view_addr(text);
    if (via.family == 0)
        return;
    image_int(r, 2, via.family == 6 ? 2 : 1);
    image_addr(r, 3, &via);
}

static void fill_path(const struct fill *f, struct image_row *r, const struct doc_part *p)
{
    fill_gateway(r, fill_option(p, "via", NULL));
    fill_dev(f, r, 4, p);
    if (fill_option(p, "weight", NULL) != NULL)
        image_gauge(r, 6, (uint64_t)fill_option_int(p, "weight", 0));
    image_yes(r, 7, fill_option_yes(p, "onlink"));
    fill_realms(r, 8, 9, p);
    fill_encap(f, r, 0, 11, p);
}

static uint32_t fill_paths(const struct fill *f, const struct doc_part *o, uint32_t vi, uint32_t n)
{
    static const char *const both[] = { "via", "or" };
    uint32_t count = 0;
    struct image_row r = image_row(f->image, FILL_PATHS);
    image_index(&r, vi);
    image_index(&r, n);
    image_index(&r, 0);
    for (const struct doc_part *p = NULL; (p = fill_child(&f->view->vrrp, o, p, FILL_PATH)) != NULL;) {
        r.index[2] = ++count;
        fill_path(f, &r, p);
    }
    for (size_t i = 0; i < 2 && count == i && fill_option(o, "or", NULL) != NULL; i++) {
        r.index[2] = ++count;
        fill_gateway(&r, fill_option(o, both[i], NULL));
        image_yes(&r, 7, false);
    }
    return count;
}

/* ---- routes */

static unsigned int fill_family(const struct fill *f, const struct doc_part *o, const struct ipaddr *to)
{
    static const char *const telling[] = { "from", "src", "via" };
    if (to->family != 0 || fill_option_yes(o, "inet6"))
        return to->family != 0 ? to->family : 6;
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++) {
        struct ipaddr a = view_addr(fill_option(o, telling[i], NULL));
        if (a.family != 0)
            return a.family;
    }
    const struct doc_part *p = fill_child(&f->view->vrrp, o, NULL, FILL_PATH);
    struct ipaddr a = view_addr(fill_option(p, "via", NULL));
    return a.family == 6 || strcmp(o->name, "default6") == 0 ? 6 : 4;
}

/* "lock 1400" or "1400" */
static void fill_metrics(const struct image_row *r, const struct doc_part *o)
{
    static const struct {
        const char *key;
        uint32_t column, lock, unit; /* the kernel's unit in ours */
    } metrics[] = { { "mtu", 22, 23, 1 },     { "hoplimit", 24, 0, 1 }, { "advmss", 25, 26, 1 },
                    { "rtt", 27, 28, 8 },     { "rttvar", 29, 30, 4 },  { "reordering", 31, 32, 1 },
                    { "window", 33, 0, 1 },   { "cwnd", 34, 35, 1 },    { "ssthresh", 36, 37, 1 },
                    { "rto_min", 38, 39, 1 }, { "initcwnd", 40, 0, 1 }, { "initrwnd", 41, 0, 1 } };
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        const char *text = fill_option(o, metrics[i].key, NULL);
        bool lock = text != NULL && strncmp(text, "lock ", 5) == 0;
        if (text == NULL)
            continue;
        image_gauge(r, metrics[i].column, strtoul(lock ? text + 5 : text, NULL, 10) / metrics[i].unit);
        if (metrics[i].lock != 0)
            image_yes(r, metrics[i].lock, lock);
    }
    image_yes(r, 19, strcmp(fill_option(o, "features", ""), "ecn") == 0);
    image_yes(r, 20, fill_option_int(o, "quickack", 0) != 0);
    if (fill_option(o, "expires", NULL) != NULL)
        image_int(r, 21, fill_option_int(o, "expires", 0));
    image_text(r, 42, fill_option(o, "congctl", NULL));
    if (fill_option(o, "fastopen_no_cookie", NULL) != NULL)
        image_yes(r, 55, fill_option_int(o, "fastopen_no_cookie", 0) != 0);
    switch (fill_option_int(o, "pref", -1)) { /* as router advertisements have it */
    case 0: image_int(r, 43, 2); break;
    case 1: image_int(r, 43, 3); break;
    case 3: image_int(r, 43, 1); break;
    default: break; /* none, or none of the MIB's */
    }
}

static void fill_where(const struct fill *f, const struct image_row *r, const struct doc_part *o)
{
    struct ipaddr to = view_addr(fill_option(o, "[to] PREFIX", NULL)),
                  from = view_addr(fill_option(o, "from", NULL)),
                  src = view_addr(fill_option(o, "src", NULL));
    if (to.family == 0)
        to.family = (uint8_t)fill_family(f, o, &to); /* all: /0 */
    image_int(r, 2, to.family == 6 ? 2 : 1);
    image_addr(r, 3, &to);
    image_gauge(r, 4, to.plen);
    image_addr(r, 7, &src);
    image_int(r, 9, fill_scope(fill_option_int(o, "scope", 0), &to));
    if (from.family != 0) {
        image_addr(r, 15, &from);
        image_gauge(r, 16, from.plen);
    }
}

/* Types of one address, which the kernel keeps in the table local: that has no default here. */
static bool fill_in_main(int type)
{
    return type != 0 && type != 4 && type != 6 && type != 10;
}

static void fill_route(const struct fill *f, const struct doc_part *o, uint32_t vi, uint32_t n)
{
    static const char *const types[] = { NULL,       "unicast",   NULL,        "blackhole",
                                         "anycast",  "multicast", "broadcast", "unreachable",
                                         "prohibit", "throw",     "nat",       "xresolve" };
    struct image_row r = image_row(f->image, FILL_ROUTES);
    struct ipaddr via = view_addr(fill_option(o, "via", NULL));
    int type = fill_word(fill_option(o, "TYPE", "unicast"), types, sizeof types / sizeof *types);
    image_index(&r, vi);
    image_index(&r, n);
    bool several = fill_paths(f, o, vi, n) > 0;
    fill_where(f, &r, o);
    if (!several)
        image_addr(&r, 5, &via);
    image_gauge(&r, 8, (uint64_t)fill_option_int(o, "metric", 0));
    if (several || type != 0)
        image_int(&r, 10, several ? 2 : type);
    fill_dev(f, &r, 11, o);
    if (fill_option(o, "table", NULL) != NULL || (fill_option(o, "vrf", NULL) == NULL && fill_in_main(type)))
        image_gauge(&r, 13, (uint64_t)fill_option_int(o, "table", FILL_MAIN));
    fill_set(f, &r, 14, o);
    if (fill_option_int(o, "tos", 0) != 0)
        image_gauge(&r, 17, (uint64_t)fill_option_int(o, "tos", 0));
    fill_protocol_id(&r, 18, o);
    fill_metrics(&r, o);
    fill_realms(&r, 44, 45, o);
    fill_encap(f, &r, 46, 47, o);
}

void fill_routes(const struct fill *f)
{
    fill_entries(f, "virtual_routes", fill_route);
}
