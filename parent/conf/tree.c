/*
 * tree.c - the tree of configuration objects: making, finding, values, positions. Pure memory, no judgement.
 * Called by every file of the table side. Everything lives in the arena of the text.
 */
#include "parent/conf/conf_int.h"

#include <ctype.h>
#include <ifaddrs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/hash.h"

struct conf *conf_new(struct conf_text *t, struct diag *d, const struct conf_env *env)
{
    struct conf *c = xcalloc(1, sizeof *c);
    c->text = t;
    c->diag = d;
    c->env = env;
    c->arena = t->arena;
    c->nhash = 1024;
    c->hash = xcalloc(c->nhash, sizeof *c->hash);
    c->top = conf_obj_new(c, NULL, BLK_TOP, "", NULL);
    return c;
}

void conf_free(struct conf *c)
{
    if (c == NULL)
        return;
    conf_names_free(c);
    free(c->hash);
    free(c);
}

struct conf_obj *conf_obj_new(struct conf *c, struct conf_obj *parent, enum blk blk, const char *name,
                              const struct conf_line *line)
{
    struct conf_obj *o = conf_arena_alloc(c->arena, sizeof *o, _Alignof(struct conf_obj));
    o->blk = blk;
    o->name = name;
    o->line = line;
    o->parent = parent;
    if (parent == NULL)
        return o;
    if (parent->last_child != NULL)
        parent->last_child->sibling = o;
    else
        parent->child = o;
    parent->last_child = o;
    return o;
}

struct conf_obj *conf_global(struct conf *c)
{
    if (c->global == NULL)
        c->global = conf_obj_new(c, c->top, BLK_GLOBAL, "", NULL);
    return c->global;
}

static size_t hash_name(enum blk blk, const char *s)
{
    return hash_place(hash_text(HASH_START ^ (uint64_t)blk, s));
}

static void hash_grow(struct conf *c)
{
    size_t n = c->nhash * 4;
    struct conf_obj **fresh = xcalloc(n, sizeof *fresh);
    for (size_t i = 0; i < c->nhash; i++)
        for (struct conf_obj *o = c->hash[i], *next; o != NULL; o = next) {
            struct conf_obj **at = &fresh[hash_name(o->blk, o->name) & (n - 1)];
            next = o->hash_next;
            o->hash_next = NULL;
            while (*at != NULL) /* keeps the order of equal names */
                at = &(*at)->hash_next;
            *at = o;
        }
    free(c->hash);
    c->hash = fresh;
    c->nhash = n;
}

void conf_hash_add(struct conf *c, struct conf_obj *o)
{
    if (c->nnamed++ > c->nhash)
        hash_grow(c);
    struct conf_obj **at = &c->hash[hash_name(o->blk, o->name) & (c->nhash - 1)];
    while (*at != NULL)
        at = &(*at)->hash_next;
    *at = o;
}

struct conf_obj *conf_find(const struct conf *c, enum blk blk, const char *name)
{
    for (struct conf_obj *o = c->hash[hash_name(blk, name) & (c->nhash - 1)]; o != NULL; o = o->hash_next)
        if (o->blk == blk && strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

struct conf_obj *conf_next(const struct conf_obj *parent, const struct conf_obj *prev, enum blk blk)
{
    struct conf_obj *o = prev == NULL ? parent->child : prev->sibling;
    while (o != NULL && (o->blk != blk || o->drop))
        o = o->sibling;
    return o;
}

struct conf_obj *conf_top(const struct conf *c)
{
    return c->top;
}

static uint64_t kw_bit(enum kw kw)
{
    return UINT64_C(1) << ((unsigned int)kw % 64);
}

struct conf_value *conf_add(struct conf *c, struct conf_obj *o, enum kw kw, const struct conf_line *l,
                            size_t word)
{
    struct conf_value *v = conf_arena_alloc(c->arena, sizeof *v, _Alignof(struct conf_value));
    v->kw = (uint16_t)kw;
    o->has |= kw_bit(kw);
    v->line = l;
    v->word = (uint16_t)word;
    if (o->last_value != NULL)
        o->last_value->next = v;
    else
        o->values = v;
    o->last_value = v;
    return v;
}

struct conf_value *conf_get(const struct conf_obj *o, enum kw kw)
{
    struct conf_value *found = NULL;
    if ((o->has & kw_bit(kw)) == 0)
        return NULL;
    for (struct conf_value *v = o->values; v != NULL; v = v->next)
        if (v->kw == kw)
            found = v;
    return found;
}

struct conf_value *conf_set(struct conf *c, struct conf_obj *o, enum kw kw)
{
    struct conf_value *v = conf_get(o, kw);
    if (v == NULL) {
        v = conf_add(c, o, kw, NULL, 0);
        v->inherited = true;
    }
    return v;
}

void conf_set_uint(struct conf *c, struct conf_obj *o, enum kw kw, uint64_t u)
{
    struct conf_value *v = conf_set(c, o, kw);
    v->v.u = u;
    v->form = CONF_FORM_UINT;
}

void conf_set_str(struct conf *c, struct conf_obj *o, enum kw kw, const char *s)
{
    struct conf_value *v = conf_set(c, o, kw);
    v->v.s = s;
    v->form = CONF_FORM_STR;
}

void conf_set_ip(struct conf *c, struct conf_obj *o, enum kw kw, const struct ipaddr *a)
{
    struct ipaddr *copy = conf_arena_alloc(c->arena, sizeof *copy, _Alignof(struct ipaddr));
    *copy = *a;
    struct conf_value *v = conf_set(c, o, kw);
    v->v.ip = copy;
    v->form = CONF_FORM_IP;
}

void conf_unset(struct conf_obj *o, enum kw kw)
{
    struct conf_value **at = &o->values, *last = NULL;
    if ((o->has & kw_bit(kw)) == 0)
        return;
    while (*at != NULL) {
        if ((*at)->kw == kw) {
            *at = (*at)->next;
            continue;
        }
        last = *at;
        at = &(*at)->next;
    }
    o->last_value = last;
}

uint64_t conf_uint(const struct conf_obj *o, enum kw kw, uint64_t dflt)
{
    const struct conf_value *v = conf_get(o, kw);
    return v != NULL ? v->v.u : dflt;
}

const char *conf_str(const struct conf_obj *o, enum kw kw, const char *dflt)
{
    const struct conf_value *v = conf_get(o, kw);
    return v != NULL ? v->v.s : dflt;
}

const struct ipaddr *conf_ip(const struct conf_obj *o, enum kw kw)
{
    const struct conf_value *v = conf_get(o, kw);
    return v != NULL ? v->v.ip : NULL;
}

bool conf_flag(const struct conf_obj *o, enum kw kw)
{
    return conf_uint(o, kw, 0) != 0;
}

bool conf_written(const struct conf_obj *o, enum kw kw)
{
    const struct conf_value *v = conf_get(o, kw);
    return v != NULL && !v->inherited;
}

bool conf_tacit(const struct kw_row *row, const struct conf_value *v)
{
    uint64_t u = v->v.u;
    if ((row->flags & KWF_TACIT) == 0)
        return false;
    if (v->len == sizeof u)
        memcpy(&u, v->v.raw, sizeof u);
    return u == 0;
}

struct conf_pos conf_pos_value(const struct conf_value *v)
{
    if (v == NULL || v->line == NULL)
        return (struct conf_pos){ 0 };
    return v->word < v->line->nwords ? conf_pos_word(v->line, &v->line->words[v->word])
                                     : conf_pos_line(v->line);
}

struct conf_pos conf_pos_obj(const struct conf_obj *o)
{
    while (o != NULL && o->line == NULL)
        o = o->parent;
    return o != NULL ? conf_pos_line(o->line) : (struct conf_pos){ 0 };
}

uint32_t conf_lineno(const struct conf_line *l)
{
    return l != NULL && l->src != NULL ? l->src->line : 0;
}

char *conf_join_all(struct conf *c, size_t n, const char *const *s)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += strlen(s[i]);
    char *all = conf_arena_alloc(c->arena, len + 1, 1), *at = all;
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, s[i]);
    return all;
}

char *conf_fmt(struct conf *c, const char *fmt, ...)
{
    char buf[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    if (n < 0)
        fatal("cannot format \"%s\"", fmt);
    return conf_arena_strndup(c->arena, buf, (size_t)n < sizeof buf ? (size_t)n : sizeof buf - 1);
}

const char *conf_label(struct conf *c, const struct conf_obj *o)
{
    const char *kind = schema_blk(o->blk)->name;
    if (o->opener != KW_NONE)
        kind = schema_kw(o->opener)->name;
    return o->name != NULL && o->name[0] != '\0' ? conf_fmt(c, "%s %s", kind, o->name) : kind;
}

void conf_unread(struct conf *c, const struct conf_obj *o, enum kw kw, const struct conf_line *l, size_t word)
{
    struct conf_fail *f = conf_arena_alloc(c->arena, sizeof *f, _Alignof(struct conf_fail));
    f->obj = o;
    f->kw = kw;
    f->line = l;
    f->word = word;
    f->next = c->failed;
    c->failed = f;
}

void conf_fail(struct conf *c, const struct conf_obj *o, enum kw kw)
{
    conf_unread(c, o, kw, NULL, 0);
}

static const struct conf_fail *fail_find(const struct conf *c, const struct conf_obj *o, enum kw kw,
                                         bool unread)
{
    size_t look = 1000; /* beyond that many mistakes a second one more or less does not matter */
    for (const struct conf_fail *f = c->failed; f != NULL && look > 0; f = f->next, look--)
        if (f->obj == o && f->kw == kw && (f->line != NULL) == unread)
            return f;
    return NULL;
}

struct conf_pos conf_pos_missing(const struct conf *c, const struct conf_obj *o, enum kw kw)
{
    const struct conf_fail *f = fail_find(c, o, kw, true);
    return f != NULL ? conf_pos_word(f->line, &f->line->words[f->word]) : conf_pos_obj(o);
}

bool conf_failed(const struct conf *c, const struct conf_obj *o, enum kw kw)
{
    return o->broken || fail_find(c, o, kw, false) != NULL;
}

const struct conf_obj *conf_once(struct conf *c, const char *key, struct conf_obj *o)
{
    struct conf_obj *seen = conf_find(c, BLK_NONE, key);
    if (seen != NULL)
        return seen->parent;
    seen = conf_obj_new(c, NULL, BLK_NONE, key, NULL);
    seen->parent = o;
    conf_hash_add(c, seen);
    return NULL;
}

void conf_lost_add(struct conf *c, const char *name)
{
    conf_once(c, conf_join(c, "lost/", name), c->top);
}

bool conf_lost(struct conf *c, const char *name)
{
    return conf_find(c, BLK_NONE, conf_join(c, "lost/", name)) != NULL;
}

/* Interfaces of IPv4 default routes: first column the name, second the destination, eighth the mask. */
static void env_uplinks(struct conf_env *e)
{
    char line[512], name[16];
    unsigned long dst, mask;
    FILE *f = fopen("/proc/net/route", "re");
    if (f == NULL)
        return;
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "%15s %lx %*x %*x %*d %*d %*d %lx", name, &dst, &mask) != 3 || dst != 0 || mask != 0)
            continue;
        for (size_t i = 0; i < e->naddrs; i++)
            e->addrs[i].uplink |= strcmp(e->addrs[i].ifname, name) == 0;
    }
    fclose(f);
}

/* Interfaces of this network namespace; a machine without /proc is one whose interfaces nobody can judge. */
void conf_env_load(struct conf_env *e)
{
    memset(e, 0, sizeof *e);
    FILE *f = fopen("/proc/net/dev", "re");
    if (f == NULL)
        return;
    char line[512];
    while (fgets(line, sizeof line, f) != NULL) {
        char *colon = strrchr(line, ':'), *name = line;
        if (colon == NULL)
            continue;
        *colon = '\0';
        while (isspace((unsigned char)*name))
            name++;
        e->ifname = xrealloc(e->ifname, (e->nif + 1) * sizeof *e->ifname);
        snprintf(e->ifname[e->nif++], sizeof *e->ifname, "%.15s", name);
    }
    fclose(f);
    e->known = true;
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) < 0)
        return;
    for (struct ifaddrs *a = list; a != NULL; a = a->ifa_next) {
        struct ipaddr addr, mask;
        if (a->ifa_addr == NULL || a->ifa_netmask == NULL || ipaddr_from_sockaddr(a->ifa_addr, &addr) < 0 ||
            ipaddr_from_sockaddr(a->ifa_netmask, &mask) < 0)
            continue;
        addr.plen = 0;
        for (size_t i = 0; i < ipaddr_len(&mask) * 8 && (mask.b[i / 8] & (0x80u >> i % 8)); i++)
            addr.plen++;
        e->addrs = xrealloc(e->addrs, (e->naddrs + 1) * sizeof *e->addrs);
        e->addrs[e->naddrs] = (struct conf_env_addr){ .addr = addr };
        snprintf(e->addrs[e->naddrs++].ifname, sizeof e->addrs->ifname, "%.15s", a->ifa_name);
    }
    freeifaddrs(list);
    env_uplinks(e);
}

void conf_env_free(struct conf_env *e)
{
    free(e->ifname);
    free(e->addrs);
    memset(e, 0, sizeof *e);
}
