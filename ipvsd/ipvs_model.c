/* ipvs_model.c - see ipvs_model.h. Linear in servers times members; trusts the slice, which holdfast-conf has
 * checked, and refuses what it does not understand. */
#include "ipvsd/ipvs_model.h"

#include <linux/ip_vs.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "ipvsd/ipvs_expand.h"

/* ---- the servers
 * ---------------------------------------------------------------------------------------------------- */

/* Options of TUN are an object of their own below the server. */
static void model_tunnel(const struct slice_obj *o, struct ipvs_dest *d)
{
    if (o == NULL || d->method != IP_VS_CONN_F_TUNNEL)
        return;
    d->tun_type = (uint8_t)slice_uint(o, KW_LBKIND_TYPE, 0);
    d->tun_port = (uint16_t)slice_uint(o, KW_LBKIND_PORT, 0);
    if (slice_bool(o, KW_LBKIND_CSUM, false))
        d->tun_flags |= IP_VS_TUNNEL_ENCAP_FLAG_CSUM;
    if (slice_bool(o, KW_LBKIND_REMCSUM, false))
        d->tun_flags |= IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM;
    if (slice_bool(o, KW_LBKIND_NOCSUM, false))
        d->tun_flags = IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM;
}

static int model_rs(const struct slice *s, struct ipvs_vs *vs, const struct slice_obj *o, struct err *e)
{
    struct ipvs_rs *rs = &vs->rss[vs->nrs];
    struct ipaddr ip;
    if (!slice_ip(o, KW_RS_X_IP, &ip))
        return err_set(e, "HF-INTERNAL", o->name, "server without an address in the slice");
    *rs = (struct ipvs_rs){ .id = o->id, .index = vs->nrs, .vs = vs };
    rs->spec.key.family = ip.family;
    rs->spec.key.port = (uint16_t)slice_uint(o, KW_RS_X_PORT, 0);
    memcpy(rs->spec.key.addr, ip.b, sizeof rs->spec.key.addr);
    rs->spec.method = (uint8_t)slice_uint(o, KW_RS_LVS_METHOD, IP_VS_CONN_F_MASQ);
    rs->spec.upper = (uint32_t)slice_uint(o, KW_RS_UTHRESHOLD, 0);
    rs->spec.lower = (uint32_t)slice_uint(o, KW_RS_LTHRESHOLD, 0);
    rs->spec.weight = (uint32_t)slice_uint(o, KW_RS_WEIGHT, 1);
    model_tunnel(slice_next(s, NULL, BLK_LBKIND, o->id), &rs->spec);
    vs->nrs++;
    return 0;
}

struct ipvs_dkey ipvs_model_dkey(const struct ipvs_ks *ks, const struct ipvs_rs *rs)
{
    struct ipvs_dkey k = rs->spec.key;
    bool nat = rs->spec.method == IP_VS_CONN_F_MASQ;
    if (ks->svc.key.fwmark != 0)
        k.port = nat && !rs->vs->group ? k.port : 0;
    else if (!nat || k.port == 0)
        k.port = ks->svc.key.port;
    return k;
}

struct ipvs_dest ipvs_model_dest(const struct ipvs_ks *ks, const struct ipvs_rs *rs)
{
    struct ipvs_dest d = rs->spec;
    d.key = ipvs_model_dkey(ks, rs);
    return d;
}

struct ipvs_rs *ipvs_model_rs(const struct ipvs_model *m, uint32_t id)
{
    size_t lo = 0, hi = m->nrs;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->rss[mid].id == id)
            return &m->rss[mid];
        if (m->rss[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* ---- services by key
 * ------------------------------------------------------------------------------------------------ */

static size_t model_place(const struct ipvs_model *m, const struct ipvs_key *key)
{
    size_t at = ipvs_hash(key, sizeof *key) & m->mask;
    while (m->table[at] != IPVS_NONE && !ipvs_key_same(&m->kss[m->table[at]]->svc.key, key))
        at = (at + 1) & m->mask;
    return at;
}

struct ipvs_ks *ipvs_model_ks(const struct ipvs_model *m, const struct ipvs_key *key)
{
    uint32_t i = m->table[model_place(m, key)];
    return i == IPVS_NONE ? NULL : m->kss[i];
}

static void model_rehash(struct ipvs_model *m)
{
    size_t places = 16;
    while (places < m->cap * 2)
        places *= 2;
    m->table = xrealloc(m->table, places * sizeof *m->table);
    memset(m->table, 0xff, places * sizeof *m->table);
    m->mask = places - 1;
    for (size_t i = 0; i < m->nks; i++)
        m->table[model_place(m, &m->kss[i]->svc.key)] = (uint32_t)i;
}

static struct ipvs_ks *model_ks_new(struct ipvs_model *m, const struct ipvs_svc *svc)
{
    struct ipvs_ks *ks = xcalloc(1, sizeof *ks);
    ks->svc = *svc;
    if (m->nks == m->cap) {
        m->cap = 2 * m->cap + 16;
        m->kss = xrealloc(m->kss, m->cap * sizeof(struct ipvs_ks *));
        model_rehash(m);
    }
    m->table[model_place(m, &svc->key)] = (uint32_t)m->nks;
    m->kss[m->nks++] = ks;
    return ks;
}

/* ---- slots
 * ----------------------------------------------------------------------------------------------------------
 */

void ipvs_index_build(struct ipvs_index *x, const struct ipvs_ks *ks)
{
    uint32_t places = 8;
    while (places < ks->nslots * 2)
        places *= 2;
    *x = (struct ipvs_index){ .ks = ks, .table = xmalloc(places * sizeof *x->table), .mask = places - 1 };
    memset(x->table, 0xff, places * sizeof *x->table);
    for (uint32_t i = 0; i < ks->nslots; i++) {
        if (ks->slots[i].canon != i)
            continue;
        struct ipvs_dkey k = ipvs_model_dkey(ks, ks->slots[i].rs);
        uint32_t at = ipvs_hash(&k, sizeof k) & x->mask;
        while (x->table[at] != IPVS_NONE)
            at = (at + 1) & x->mask;
        x->table[at] = i;
    }
}

uint32_t ipvs_index_find(const struct ipvs_index *x, const struct ipvs_dkey *key)
{
    for (uint32_t at = ipvs_hash(key, sizeof *key) & x->mask; x->table[at] != IPVS_NONE;
         at = (at + 1) & x->mask) {
        struct ipvs_dkey k = ipvs_model_dkey(x->ks, x->ks->slots[x->table[at]].rs);
        if (ipvs_dkey_same(&k, key))
            return x->table[at];
    }
    return IPVS_NONE;
}

void ipvs_index_free(struct ipvs_index *x)
{
    free(x->table);
    x->table = NULL;
}

/* Every slot its own, then twins are joined to the first of them. */
static void model_slots(struct ipvs_ks *ks)
{
    struct ipvs_index x;
    for (uint32_t i = 0; i < ks->nsrc; i++)
        ks->nslots += ks->src[i].vs->nrs;
    ks->slots = xcalloc(ks->nslots + 1, sizeof *ks->slots);
    for (uint32_t i = 0, at = 0; i < ks->nsrc; i++) {
        ks->src[i].base = at;
        for (uint32_t k = 0; k < ks->src[i].vs->nrs; k++, at++)
            ks->slots[at] =
                (struct ipvs_slot){ .rs = &ks->src[i].vs->rss[k], .canon = at, .alias = IPVS_NONE };
    }
    ipvs_index_build(&x, ks);
    for (uint32_t i = 0; i < ks->nslots; i++) {
        struct ipvs_dkey key = ipvs_model_dkey(ks, ks->slots[i].rs);
        uint32_t first = ipvs_index_find(&x, &key);
        if (first == i)
            continue;
        ks->slots[i].canon = first;
        uint32_t last = first;
        while (ks->slots[last].alias != IPVS_NONE)
            last = ks->slots[last].alias;
        ks->slots[last].alias = i;
    }
    ipvs_index_free(&x);
}

/* ---- services
 * ------------------------------------------------------------------------------------------------------- */

static void model_add(struct ipvs_model *m, struct ipvs_vs *vs, const struct ipvs_svc *svc)
{
    struct ipvs_ks *ks = m->nks > 0 ? ipvs_model_ks(m, &svc->key) : NULL;
    if (ks == NULL)
        ks = model_ks_new(m, svc);
    for (uint32_t i = 0; i < ks->nsrc; i++)
        if (ks->src[i].vs == vs)
            return; /* the same member twice in one group */
    ks->src = xrealloc(ks->src, (ks->nsrc + 1) * sizeof *ks->src);
    ks->src[ks->nsrc++] = (struct ipvs_source){ .vs = vs };
    if (vs->nks == vs->cap) {
        vs->cap = 2 * vs->cap + 1;
        vs->kss = xrealloc(vs->kss, vs->cap * sizeof(struct ipvs_ks *));
    }
    vs->kss[vs->nks++] = ks;
}

static uint32_t model_flags(const struct slice_obj *o, const char *sched)
{
    bool sh = strcmp(sched, "sh") == 0, mh = strcmp(sched, "mh") == 0;
    uint32_t f = 0;
    if (slice_has(o, KW_VS_PERSISTENCE_TIMEOUT))
        f |= IP_VS_SVC_F_PERSISTENT;
    if (slice_bool(o, KW_VS_OPS, false))
        f |= IP_VS_SVC_F_ONEPACKET;
    if (slice_bool(o, KW_VS_FLAG_1, false) || (sh && slice_bool(o, KW_VS_SH_FALLBACK, false)) ||
        (mh && slice_bool(o, KW_VS_MH_FALLBACK, false)))
        f |= IP_VS_SVC_F_SCHED1;
    if (slice_bool(o, KW_VS_FLAG_2, false) || (sh && slice_bool(o, KW_VS_SH_PORT, false)) ||
        (mh && slice_bool(o, KW_VS_MH_PORT, false)))
        f |= IP_VS_SVC_F_SCHED2;
    if (slice_bool(o, KW_VS_FLAG_3, false))
        f |= IP_VS_SVC_F_SCHED3;
    return f;
}

/* The kernel keeps an IPv4 granularity as a mask in network order, an IPv6 one as a length. */
static uint32_t model_netmask(const struct slice_obj *o, uint8_t family)
{
    uint32_t plen = (uint32_t)slice_uint(o, KW_VS_PERSISTENCE_GRANULARITY, family == 6 ? 128 : 32), mask = 0;
    uint8_t b[4] = { 0 };
    if (family == 6)
        return plen;
    for (uint32_t i = 0; i < plen && i < 32; i++)
        b[i / 8] |= (uint8_t)(0x80u >> i % 8);
    memcpy(&mask, b, sizeof mask);
    return mask;
}

/* Everything of a service but its key. */
static struct ipvs_svc model_svc(const struct slice_obj *o, uint8_t family)
{
    const char *sched = schema_word(ENUM_SCHED, (int64_t)slice_uint(o, KW_VS_LB_ALGO, 4));
    const char *pe = slice_str(o, KW_VS_PERSISTENCE_ENGINE, "");
    struct ipvs_svc svc = { .key.family = family };
    strncpy(svc.sched, sched != NULL ? sched : "wlc", sizeof svc.sched - 1);
    strncpy(svc.pe, pe, sizeof svc.pe - 1);
    svc.flags = model_flags(o, svc.sched);
    svc.timeout = (uint32_t)slice_uint(o, KW_VS_PERSISTENCE_TIMEOUT, 0);
    svc.netmask = model_netmask(o, family);
    return svc;
}

static void model_member(struct ipvs_model *m, struct ipvs_vs *vs, const struct ipaddr *a, uint16_t port)
{
    struct ipvs_svc svc = model_svc(vs->obj, a->family);
    svc.key.protocol = (uint8_t)slice_uint(vs->obj, KW_VS_PROTOCOL, IPPROTO_UDP);
    svc.key.port = port;
    memcpy(svc.key.addr, a->b, sizeof svc.key.addr);
    model_add(m, vs, &svc);
}

static void model_mark(struct ipvs_model *m, struct ipvs_vs *vs, uint64_t mark, uint64_t family)
{
    struct ipvs_svc svc = model_svc(vs->obj, family == 6 ? 6 : 4);
    if (mark == 0) {
        log_warn("%s: fwmark 0 is no mark, the kernel has no such service: give the packets another one",
                 vs->obj->name);
        return;
    }
    svc.key.fwmark = (uint32_t)mark;
    model_add(m, vs, &svc);
}

static int model_line(struct ipvs_model *m, struct ipvs_vs *vs, const struct slice_obj *o, struct err *e)
{
    struct ipaddr a, first;
    uint16_t port = (uint16_t)slice_uint(o, KW_VSG_LINE_X_PORT, 0);
    uint64_t n = 0;
    if (slice_has(o, KW_VSG_LINE_FWMARK)) {
        model_mark(m, vs, slice_uint(o, KW_VSG_LINE_FWMARK, 0),
                   slice_uint(o, KW_VSG_LINE_X_FAMILY, slice_uint(vs->obj, KW_VS_X_FAMILY, 4)));
        return 0;
    }
    if (slice_ip(o, KW_VSG_LINE_RANGE, &first))
        n = slice_uint(o, KW_VSG_LINE_X_COUNT, 1);
    else if (slice_ip(o, KW_VSG_LINE_IP, &a))
        n = ipvs_expand_prefix(&a, &first);
    if (n == 0 || n > IPVS_EXPAND_MAX)
        return err_set(e, "HF-RANGE", o->name, "a line of a group holds 1 to %u addresses", IPVS_EXPAND_MAX);
    for (uint32_t i = 0; i < n; i++) {
        a = ipvs_expand_add(&first, i);
        model_member(m, vs, &a, port);
    }
    return 0;
}

static int model_vs(const struct slice *s, const struct nft_marks *marks, struct ipvs_model *m,
                    struct ipvs_vs *vs, struct err *e)
{
    const struct slice_obj *o = vs->obj, *line = NULL;
    const char *name = slice_str(o, KW_VS_X_GROUP, NULL);
    struct ipaddr a;
    if (slice_ip(o, KW_VS_X_IP, &a)) {
        model_member(m, vs, &a, (uint16_t)slice_uint(o, KW_VS_X_PORT, 0));
        return 0;
    }
    if (slice_has(o, KW_VS_X_FWMARK)) {
        model_mark(m, vs, slice_uint(o, KW_VS_X_FWMARK, 0), slice_uint(o, KW_VS_X_FAMILY, 4));
        return 0;
    }
    const struct slice_obj *g = name != NULL ? slice_find(s, BLK_VSG, name) : NULL;
    if (g == NULL)
        return err_set(e, "HF-INTERNAL", o->name, "service without address, mark or group in the slice");
    const struct nft_mark *mark = nft_marks_find(marks, o->name);
    if (mark !=
        NULL) { /* a service of a mark, which happens to be made by nftables: servers keep their ports */
        for (uint8_t i = 0; i < 2; i++)
            if (mark->has[i])
                model_mark(m, vs, mark->mark, i == 0 ? 4 : 6);
        return 0;
    }
    vs->group = true;
    while ((line = slice_next(s, line, BLK_VSG_LINE, g->id)) != NULL)
        if (model_line(m, vs, line, e) < 0)
            return -1;
    return 0;
}

static void model_globals(const struct slice *s, struct ipvs_model *m)
{
    const struct slice_obj *g = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT), *t = NULL;
    if (g == NULL)
        return;
    m->flush = slice_bool(g, KW_GLOBAL_LVS_FLUSH, false);
    m->flush_on_stop = (uint8_t)slice_uint(g, KW_GLOBAL_LVS_FLUSH_ON_STOP, 0);
    while ((t = slice_next(s, t, BLK_TIMEOUTS, SLICE_ANY_PARENT)) != NULL) {
        m->has_timeouts = true;
        m->timeouts.v[0] = (uint32_t)slice_uint(t, KW_TIMEOUTS_TCP, m->timeouts.v[0]);
        m->timeouts.v[1] = (uint32_t)slice_uint(t, KW_TIMEOUTS_TCPFIN, m->timeouts.v[1]);
        m->timeouts.v[2] = (uint32_t)slice_uint(t, KW_TIMEOUTS_UDP, m->timeouts.v[2]);
    }
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------------------ */

static int model_servers(const struct slice *s, struct ipvs_model *m, struct ipvs_vs *vs, struct err *e)
{
    const struct slice_obj *o = NULL;
    vs->rss = m->rss + m->nrs;
    STAILQ_INIT(&vs->dirty);
    while ((o = slice_next(s, o, BLK_RS, vs->obj->id)) != NULL)
        if (model_rs(s, vs, o, e) < 0)
            return -1;
    m->nrs += vs->nrs;
    return 0;
}

struct ipvs_model *ipvs_model_build(const struct slice *s, const struct nft_marks *marks, struct err *e)
{
    struct ipvs_model *m = xcalloc(1, sizeof *m);
    const struct slice_obj *o = NULL;
    size_t nvs = 0, nrs = 0;
    while ((o = slice_next(s, o, BLK_VS, SLICE_ANY_PARENT)) != NULL)
        nvs++;
    while ((o = slice_next(s, o, BLK_RS, SLICE_ANY_PARENT)) != NULL)
        nrs++;
    m->vss = xcalloc(nvs + 1, sizeof *m->vss);
    m->rss = xcalloc(nrs + 1, sizeof *m->rss);
    model_rehash(m);
    model_globals(s, m);
    while ((o = slice_next(s, o, BLK_VS, SLICE_ANY_PARENT)) != NULL) {
        struct ipvs_vs *vs = &m->vss[m->nvs++];
        vs->obj = o;
        if (model_servers(s, m, vs, e) < 0 || model_vs(s, marks, m, vs, e) < 0) {
            ipvs_model_free(m);
            return NULL;
        }
    }
    for (size_t i = 0; i < m->nks; i++)
        model_slots(m->kss[i]);
    return m;
}

void ipvs_model_free(struct ipvs_model *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->nks; i++) {
        free(m->kss[i]->src);
        free(m->kss[i]->slots);
        free(m->kss[i]);
    }
    for (size_t i = 0; i < m->nvs; i++)
        free(m->vss[i].kss);
    free(m->kss);
    free(m->table);
    free(m->vss);
    free(m->rss);
    free(m);
}
