/* fill_rule.c - see fill.h: KEEPALIVED-MIB's policy rules, static ones below index 0. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/snmp/fill.h"

/* Three columns: family, address, length; a: /0 when it has no bytes of its own. */
static void fill_prefix(const struct image_row *r, uint32_t first, const struct ipaddr *a)
{
    image_int(r, first, a->family == 6 ? 2 : 1);
    image_addr(r, first + 1, a);
    image_gauge(r, first + 2, a->plen);
}

static void fill_ends(const struct image_row *r, const struct doc_part *o)
{
    struct ipaddr from = view_addr(fill_option(o, "from", NULL)), to = view_addr(fill_option(o, "to", NULL));
    const struct ipaddr any = { .family = from.family == 6 || to.family == 6 || fill_option_yes(o, "inet6")
                                              ? 6
                                              : 4 };
    bool has_from = from.family != 0 || strcmp(o->name, "from") == 0; /* from all: no value of its own */
    bool has_to = to.family != 0 || strcmp(o->name, "to") == 0;
    const struct ipaddr *f = from.family != 0 ? &from : &any, *t = to.family != 0 ? &to : &any;
    image_text(r, 2, has_from && has_to ? "both" : has_to ? "to" : has_from ? "from" : "");
    if (has_from || has_to)
        fill_prefix(r, 3, has_to ? t : f);
    if (has_to)
        fill_prefix(r, 9, t);
    if (has_from)
        fill_prefix(r, 12, f);
}

/* "A-B" in two columns. */
static void fill_range(const struct image_row *r, uint32_t first, const char *text)
{
    const char *dash = text != NULL ? strchr(text, '-') : NULL;
    if (dash == NULL)
        return;
    image_gauge(r, first, strtoul(text, NULL, 10));
    image_gauge(r, first + 1, strtoul(dash + 1, NULL, 10));
}

static void fill_matches(const struct image_row *r, const struct doc_part *o)
{
    const char *mark = fill_option(o, "fwmark", NULL), *group = fill_option(o, "suppress_ifgroup", NULL);
    const char *mask = mark != NULL ? strchr(mark, '/') : NULL;
    long long tunnel = fill_option_int(o, "tunnel-id", -1);
    image_yes(r, 8, fill_option_yes(o, "not"));
    image_gauge(r, 15, (uint64_t)fill_option_int(o, "tos", 0));
    if (mark != NULL)
        image_gauge(r, 16, strtoul(mark, NULL, 10));
    if (mask != NULL)
        image_gauge(r, 17, strtoul(mask + 1, NULL, 10));
    image_text(r, 20, fill_option(o, "dev", NULL));
    image_text(r, 21, fill_option(o, "oif", NULL));
    if (fill_option(o, "suppress_prefixlength", NULL) != NULL)
        image_gauge(r, 26, (uint64_t)fill_option_int(o, "suppress_prefixlength", 0));
    image_text(r, 27, group != NULL && strcmp(group, "0") == 0 ? "default" : group);
    if (tunnel >= 0) {
        image_gauge(r, 28, (uint64_t)tunnel >> 32);
        image_gauge(r, 29, (uint64_t)tunnel & UINT32_MAX);
    }
    fill_range(r, 30, fill_option(o, "uidrange", NULL));
    if (fill_option(o, "ipproto", NULL) != NULL)
        image_gauge(r, 34, (uint64_t)fill_option_int(o, "ipproto", 0));
    fill_range(r, 35, fill_option(o, "sport", NULL));
    fill_range(r, 37, fill_option(o, "dport", NULL));
}

static void fill_action(const struct image_row *r, const struct doc_part *o)
{
    static const struct {
        const char *key;
        int action;
    } flags[] = { { "nop", 3 }, { "blackhole", 6 }, { "unreachable", 7 }, { "prohibit", 8 } };
    int action = 1;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (fill_option_yes(o, flags[i].key))
            action = flags[i].action;
    if (fill_option(o, "goto", NULL) != NULL) {
        action = 2;
        image_gauge(r, 22, (uint64_t)fill_option_int(o, "goto", 0));
    }
    image_int(r, 23, action);
    if (action == 1) { /* l3mdev: the kernel chooses, which is table 0 */
        image_gauge(r, 6, (uint64_t)fill_option_int(o, "table", 0));
        image_gauge(r, 24, (uint64_t)fill_option_int(o, "table", 0));
    }
    if (fill_option_yes(o, "l3mdev"))
        image_yes(r, 32, true);
}

static void fill_rule(const struct fill *f, const struct doc_part *o, uint32_t vi, uint32_t n)
{
    const struct doc_part *k = view_by_id(f->view, "kernel_entry", fill_id(o, "id"));
    struct image_row r = image_row(f->image, FILL_RULES);
    long long preference = fill_option_int(o, "preference", doc_int(k, "preference", -1));
    image_index(&r, vi);
    image_index(&r, n);
    fill_ends(&r, o);
    fill_set(f, &r, 7, o);
    fill_matches(&r, o);
    fill_realms(&r, 18, 19, o);
    fill_action(&r, o);
    if (preference >= 0)
        image_gauge(&r, 25, (uint64_t)preference);
    fill_protocol_id(&r, 33, o);
}

void fill_rules(const struct fill *f)
{
    fill_entries(f, "virtual_rules", fill_rule);
}
