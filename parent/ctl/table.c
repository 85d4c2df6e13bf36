/* table.c - see table.h. */
#include "parent/ctl/table.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "parent/ctl/amount.h"

#define TABLE_WORDS 24

int table_ask(struct ctl *c, char **text)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_REPORT, .role = ROLE_IPVSD, .what = REPORT_WHAT_IPVS };
    int status;
    int rc = ctl_ask(c, &r, text, &status);
    if (rc == 0 && status != 0) {
        dprintf(STDERR_FILENO, "holdctl: %s", *text);
        free(*text);
        return CTL_FAILED;
    }
    return rc;
}

/* ---- reading */

struct table_words {
    const char *w[TABLE_WORDS];
    size_t len[TABLE_WORDS], n, at;
    bool bad;
};

static void table_split(const char *line, struct table_words *t)
{
    for (const char *p = line; *p != '\0';) {
        size_t n = strcspn(p, " ");
        if (n == 0 || t->n == TABLE_WORDS) {
            t->bad = true;
            return;
        }
        t->w[t->n] = p;
        t->len[t->n++] = n;
        p += n;
        if (*p == ' ' && *++p == '\0')
            t->bad = true;
    }
}

static void table_text(struct table_words *t, char *out, size_t size)
{
    size_t n = t->at < t->n ? t->len[t->at] : size;
    if (n >= size) {
        t->bad = true;
        return;
    }
    memcpy(out, t->w[t->at++], n);
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (out[i] <= 0x20 || out[i] >= 0x7f)
            t->bad = true;
}

static uint64_t table_number(struct table_words *t, uint64_t most)
{
    char text[24];
    uint64_t v = 0;
    table_text(t, text, sizeof text);
    if (!t->bad && amount_number(text, most, &v) < 0)
        t->bad = true;
    return v;
}

static uint32_t table_u32(struct table_words *t)
{
    return (uint32_t)table_number(t, UINT32_MAX);
}

static void table_addr(struct table_words *t, struct table_row *r)
{
    struct in6_addr a;
    table_text(t, r->addr, sizeof r->addr);
    r->v6 = strchr(r->addr, ':') != NULL;
    if (!t->bad && inet_pton(r->v6 ? AF_INET6 : AF_INET, r->addr, &a) != 1)
        t->bad = true;
    r->port = (unsigned int)table_number(t, UINT16_MAX);
}

static void table_counters(struct table_words *t, struct table_row *r)
{
    for (size_t i = 0; i < TABLE_COUNTERS; i++)
        r->n[i] = table_number(t, UINT64_MAX / 16);
}

static void table_parse_service(struct table_words *t, struct table_row *r)
{
    table_text(t, r->proto, sizeof r->proto);
    table_addr(t, r);
    r->mark = table_u32(t);
    table_text(t, r->sched, sizeof r->sched);
    r->flags = table_u32(t);
    r->timeout = table_u32(t);
    r->netmask = table_u32(t);
    table_text(t, r->pe, sizeof r->pe);
    if (strcmp(r->pe, "-") == 0)
        r->pe[0] = '\0';
    table_counters(t, r);
}

static void table_parse_server(struct table_words *t, struct table_row *r)
{
    table_addr(t, r);
    r->method = (unsigned int)table_number(t, 7);
    static const enum table_number order[] = { TABLE_WEIGHT,     TABLE_ACTIVE, TABLE_INACTIVE,
                                               TABLE_PERSISTENT, TABLE_UPPER,  TABLE_LOWER };
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        r->n[order[i]] = table_u32(t);
    r->type = (unsigned int)table_number(t, UINT8_MAX);
    r->tun_port = (unsigned int)table_number(t, UINT16_MAX);
    r->tun_flags = (unsigned int)table_number(t, UINT16_MAX);
    table_counters(t, r);
}

int table_parse(const char *line, struct table_row *out)
{
    struct table_words t = { .n = 0 };
    char kind[2];
    *out = (struct table_row){ 0 };
    table_split(line, &t);
    if (t.n == 0)
        return -1;
    table_text(&t, kind, sizeof kind);
    switch (t.bad ? '\0' : kind[0]) {
    case 'I':
        out->kind = TABLE_INFO;
        out->version = table_u32(&t);
        out->size = table_u32(&t);
        break;
    case 'S':
        out->kind = TABLE_SERVICE;
        table_parse_service(&t, out);
        break;
    case 'D':
        out->kind = TABLE_SERVER;
        table_parse_server(&t, out);
        break;
    case 'N': out->kind = TABLE_NOTHING; break;
    case 'T': out->kind = TABLE_TRUNCATED; break;
    default: return -1;
    }
    return t.bad || t.at != t.n ? -1 : 0;
}

void table_read(char *text, void (*fn)(const struct table_row *row, void *arg), void *arg)
{
    struct table_row row, service = { 0 };
    char *save = NULL;
    bool any = false;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (table_parse(line, &row) < 0 || (row.kind == TABLE_SERVER && !any))
            continue;
        if (row.kind == TABLE_SERVICE) {
            service = row;
            any = true;
        }
        row.service = row.kind == TABLE_SERVER ? &service : NULL;
        fn(&row, arg);
    }
}

/* ---- in ipvsadm's order */

struct table_all {
    struct table_row *v;
    size_t *of; /* which service a row belongs to, as a place in v */
    size_t n, cap, service;
};

static void table_collect(const struct table_row *row, void *arg)
{
    struct table_all *t = arg;
    if (t->n == t->cap) {
        t->cap = 2 * t->cap + 64;
        t->v = xrealloc(t->v, t->cap * sizeof *t->v);
        t->of = xrealloc(t->of, t->cap * sizeof *t->of);
    }
    if (row->kind == TABLE_SERVICE)
        t->service = t->n;
    t->v[t->n] = *row;
    t->of[t->n++] = t->service;
}

static int table_cmp_u(unsigned int a, unsigned int b)
{
    return a < b ? -1 : a > b;
}

static int table_cmp_end(const struct table_row *a, const struct table_row *b)
{
    uint8_t x[16] = { 0 }, y[16] = { 0 };
    int c = table_cmp_u(a->v6, b->v6);
    inet_pton(a->v6 ? AF_INET6 : AF_INET, a->addr, x);
    inet_pton(b->v6 ? AF_INET6 : AF_INET, b->addr, y);
    c = c != 0 ? c : memcmp(x, y, sizeof x);
    return c != 0 ? c : table_cmp_u(a->port, b->port);
}

/* The names are in the order of the protocols' numbers but for sctp, which is the last. */
static unsigned int table_proto(const struct table_row *r)
{
    return strcmp(r->proto, "tcp") == 0 ? 6 : strcmp(r->proto, "udp") == 0 ? 17 : 132;
}

static int table_cmp_service(const struct table_row *a, const struct table_row *b)
{
    int c = table_cmp_u(a->mark, b->mark);
    c = c != 0 ? c : table_cmp_u(a->v6, b->v6);
    c = c != 0 ? c : table_cmp_u(table_proto(a), table_proto(b));
    return c != 0 ? c : table_cmp_end(a, b);
}

/* What is about the whole table stays in front or behind. */
static int table_rank(const struct table_row *r)
{
    return r->kind == TABLE_INFO ? 0 : r->kind == TABLE_SERVICE || r->kind == TABLE_SERVER ? 1 : 2;
}

static int table_cmp(const void *va, const void *vb, void *arg)
{
    const struct table_all *t = arg;
    size_t i = *(const size_t *)va, k = *(const size_t *)vb;
    const struct table_row *a = &t->v[i], *b = &t->v[k];
    int c = table_rank(a) - table_rank(b);
    if (c != 0 || table_rank(a) != 1)
        return c;
    if (t->of[i] != t->of[k])
        return table_cmp_service(&t->v[t->of[i]], &t->v[t->of[k]]);
    if (a->kind != b->kind)
        return a->kind == TABLE_SERVICE ? -1 : 1;
    return table_cmp_end(a, b);
}

void table_read_sorted(char *text, void (*fn)(const struct table_row *row, void *arg), void *arg)
{
    struct table_all t = { .n = 0 };
    table_read(text, table_collect, &t);
    size_t *order = xcalloc(t.n + 1, sizeof *order);
    for (size_t i = 0; i < t.n; i++)
        order[i] = i;
    if (t.n > 1)
        qsort_r(order, t.n, sizeof *order, table_cmp, &t);
    for (size_t i = 0; i < t.n; i++) {
        struct table_row *r = &t.v[order[i]];
        r->service = r->kind == TABLE_SERVER ? &t.v[t.of[order[i]]] : NULL;
        fn(r, arg);
    }
    free(order);
    free(t.v);
    free(t.of);
}

bool table_called(const struct table_row *row, const char *name)
{
    char key[TABLE_WORD + 16];
    int n = snprintf(key, sizeof key, row->v6 ? "[%s]:%u" : "%s:%u", row->addr, row->port);
    size_t host = strlen(name);
    return strcmp(key, name) == 0 || (host < (size_t)n && strncmp(key, name, host) == 0 && key[host] == ':' &&
                                      strchr(key + host + 1, ':') == NULL);
}

bool table_serves(const struct table_row *v, const char *scope)
{
    char key[TABLE_WORD + 32];
    if (v->mark != 0)
        snprintf(key, sizeof key, "fwmark:%u:inet%s", v->mark, v->v6 ? "6" : "");
    else
        snprintf(key, sizeof key, v->v6 ? "[%s]:%u:%s" : "%s:%u:%s", v->addr, v->port, v->proto);
    size_t n = strlen(scope);
    return strncmp(key, scope, n) == 0 && (key[n] == ':' || key[n] == '\0');
}

const char *table_method(unsigned int method)
{
    static const char *const names[] = { "Masq", "Local", "Tunnel", "Route", "Bypass" };
    return method < sizeof names / sizeof names[0] ? names[method] : "?";
}
