/* stats.c - see stats.h. */
#include "parent/snmp/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "parent/snmp/fill.h"

/* The last part of an address: what a range counts in. */
static uint32_t stats_tail(const struct ipaddr *a)
{
    return a->family == 4 ? a->b[3] : (uint32_t)(a->b[14] << 8 | a->b[15]);
}

int stats_member(const char *text, struct stats_member *out)
{
    char copy[200], *save = NULL;
    *out = (struct stats_member){ 0 };
    snprintf(copy, sizeof copy, "%s", text);
    char *first = strtok_r(copy, " ", &save), *second = strtok_r(NULL, " ", &save);
    if (first == NULL)
        return -1;
    if (strcmp(first, "fwmark") == 0) {
        out->mark = second != NULL ? (uint32_t)strtoul(second, NULL, 10) : 0;
        return second != NULL ? 0 : -1;
    }
    char *dash = strchr(first, '-');
    if (dash != NULL)
        *dash++ = '\0';
    out->first = out->last = view_addr(first);
    if (out->first.family == 0)
        return -1;
    out->port = (uint16_t)(second != NULL ? strtoul(second, NULL, 10) : 0);
    if (dash == NULL)
        return 0;
    uint32_t end = (uint32_t)strtoul(dash, NULL, out->first.family == 4 ? 10 : 16),
             at = stats_tail(&out->first);
    if (end < at || end > (out->first.family == 4 ? 0xffu : 0xffffu))
        return -1;
    out->more = end - at;
    if (out->first.family == 6)
        out->last.b[14] = (uint8_t)(end >> 8);
    out->last.b[out->first.family == 4 ? 3 : 15] = (uint8_t)end;
    return 0;
}

static bool stats_is(const struct stats_member *m, const struct table_row *row, const char *proto)
{
    if (m->first.family == 0)
        return strcmp(row->proto, "fwm") == 0 && row->mark == m->mark;
    struct ipaddr a = view_addr(row->addr);
    if (strcasecmp(row->proto, proto) != 0 || row->port != m->port || a.family != m->first.family)
        return false;
    return ipaddr_cmp(&a, &m->first) >= 0 && ipaddr_cmp(&a, &m->last) <= 0;
}

static void stats_take(const struct view *v, const struct stats_member *m, const char *proto,
                       struct stats_service *out)
{
    for (size_t i = 0; i < v->ntable; i++) {
        if (v->table[i].kind != TABLE_SERVICE || !stats_is(m, &v->table[i], proto))
            continue;
        size_t last = i;
        while (last + 1 < v->ntable && v->table[last + 1].kind == TABLE_SERVER)
            last++;
        out->v = xrealloc(out->v, (out->n + last - i + 1) * sizeof(const struct table_row *));
        for (; i <= last; i++)
            out->v[out->n++] = &v->table[i];
        i = last;
    }
}

void stats_find(const struct view *v, const struct doc_part *o, struct stats_service *out)
{
    const char *proto = fill_option(o, "protocol", "TCP");
    struct stats_member m;
    char key[300];
    *out = (struct stats_service){ 0 };
    snprintf(key, sizeof key, "%s", o->name);
    char *last = strrchr(key, ':');
    if (last == NULL)
        return;
    *last = '\0';
    if (strncmp(key, "group:", 6) == 0) {
        const struct doc_part *g = NULL;
        while ((g = fill_next(&v->check, g, "virtual_server_group")) != NULL && strcmp(g->name, key + 6) != 0)
            ;
        for (const struct doc_part *p = NULL;
             g != NULL && (p = fill_child(&v->check, g, p, STATS_MEMBER)) != NULL;)
            if (stats_member(p->name, &m) == 0)
                stats_take(v, &m, proto, out);
        return;
    }
    char *second = strrchr(key, ':');
    if (second == NULL)
        return;
    *second = ' ';
    if (stats_member(key, &m) == 0)
        stats_take(v, &m, proto, out);
}

void stats_free(struct stats_service *s)
{
    free(s->v);
    *s = (struct stats_service){ 0 };
}

static void stats_add(struct stats_sum *sum, const struct table_row *row)
{
    sum->any = true;
    for (int i = 0; i < TABLE_NUMBERS; i++)
        sum->n[i] += row->n[i];
}

void stats_sum(const struct stats_service *s, struct stats_sum *out)
{
    *out = (struct stats_sum){ 0 };
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i]->kind == TABLE_SERVICE)
            stats_add(out, s->v[i]);
}

void stats_server(const struct stats_service *s, const char *name, struct stats_sum *out)
{
    char copy[200];
    *out = (struct stats_sum){ 0 };
    snprintf(copy, sizeof copy, "%s", name[0] == '[' ? name + 1 : name);
    char *end = strchr(copy, ']'), *port = strrchr(copy, ':');
    if (end == NULL || port == NULL || port < end)
        return;
    *end = '\0';
    struct ipaddr want = view_addr(copy);
    for (size_t i = 0; i < s->n; i++) {
        struct ipaddr a = view_addr(s->v[i]->addr);
        if (s->v[i]->kind == TABLE_SERVER && s->v[i]->port == strtoul(port + 1, NULL, 10) &&
            ipaddr_same(&a, &want))
            stats_add(out, s->v[i]);
    }
}
