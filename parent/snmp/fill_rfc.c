/*
 * fill_rfc.c - see fill.h: VRRP-MIB (RFC 2787) for IPv4 instances of version 2, VRRPV3-MIB (RFC 6527) for
 * all. A virtual router is named by interface index and VRID, in the second also by its family.
 */
#include <stdio.h>
#include <string.h>

#include "parent/snmp/fill.h"

#define FILL_V2_ADDRESSES FILL_VRRP_MIB ".1.4.1"
#define FILL_V2_STATS     FILL_VRRP_MIB ".2.4.1"
#define FILL_V3_ADDRESSES FILL_VRRPV3_MIB ".1.1.2.1"

struct fill_router {
    const struct doc_part *s;
    uint32_t ifindex, vrid, type; /* InetAddressType */
    uint32_t naddrs;
    struct ipaddr source, master;
};

/* False: this virtual router has no place in these tables (its interface does not exist). */
static bool fill_router(const struct fill *f, const struct doc_part *s, struct fill_router *out)
{
    *out = (struct fill_router){ .s = s,
                                 .vrid = (uint32_t)doc_int(s, "vrid", 0),
                                 .type = doc_int(s, "family", 4) == 6 ? 2 : 1,
                                 .source = view_addr(doc_str(s, "source", NULL)),
                                 .master = view_addr(doc_str(s, "master", NULL)) };
    out->ifindex = view_ifindex(f->view, doc_str(s, "vmac", ""));
    if (out->ifindex == 0)
        out->ifindex = view_ifindex(f->view, doc_str(s, "interface", ""));
    if (fill_is(s, "state", "MASTER"))
        out->master = out->source;
    while (doc_at(s, "address", out->naddrs) != NULL)
        out->naddrs++;
    return out->ifindex != 0 && out->vrid >= 1 && out->vrid <= 255;
}

static int fill_rfc_state(const struct doc_part *s)
{
    return fill_is(s, "state", "MASTER") ? 3 : fill_is(s, "state", "BACKUP") ? 2 : 1;
}

static void fill_mac(const struct image_row *r, uint32_t column, const struct fill_router *v)
{
    const uint8_t mac[6] = { 0x00, 0x00, 0x5e, 0x00, v->type == 2 ? 0x02 : 0x01, (uint8_t)v->vrid };
    image_bytes(r, column, mac, sizeof mac);
}

/* Hundredths of a second since it left initialize. */
static uint64_t fill_up_ticks(const struct fill *f, const struct doc_part *s)
{
    struct fill_past past = fill_past(f, s->name);
    if (fill_rfc_state(s) == 1)
        return 0;
    double since = past.up_since > 0 ? past.up_since : doc_real(s, "since", f->view->now);
    return since < f->view->now ? (uint64_t)((f->view->now - since) * 100) : 0;
}

static uint64_t fill_sum(const struct fill *f, const char *key, bool only_v2)
{
    uint64_t sum = 0;
    for (const struct doc_part *s = NULL; (s = doc_next(&f->view->state, s, "vrrp_instance")) != NULL;)
        if (!only_v2 || (doc_int(s, "version", 2) == 2 && doc_int(s, "family", 4) == 4))
            sum += (uint64_t)doc_int(s, key, 0);
    return sum;
}

static void fill_counter(const struct image_row *r, uint32_t column, enum image_type t,
                         const struct doc_part *s, const char *key)
{
    image_number(r, column, t, (uint64_t)doc_int(s, key, 0));
}

/* ---- RFC 2787 */

static void fill_v2_stats(const struct fill *f, const struct fill_router *v)
{
    static const struct {
        uint32_t column;
        const char *key;
    } counters[] = { { 1, "became_master" },
                     { 2, "adverts_received" },
                     { 3, "rejected_interval" },
                     { 4, "rejected_auth_failure" },
                     { 5, "rejected_ttl" },
                     { 6, "priority_zero_received" },
                     { 7, "priority_zero_sent" },
                     { 8, "rejected_type" },
                     { 9, "rejected_address_list" },
                     { 10, "rejected_auth_unknown" },
                     { 11, "rejected_auth_mismatch" },
                     { 12, "rejected_length" } };
    struct image_row r = image_row(f->image, FILL_V2_STATS);
    image_index(&r, v->ifindex);
    image_index(&r, v->vrid);
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        fill_counter(&r, counters[i].column, IMAGE_COUNTER, v->s, counters[i].key);
}

static void fill_v2_router(const struct fill *f, const struct fill_router *v)
{
    struct image_row r = image_row(f->image, FILL_V2_ROUTERS), a = image_row(f->image, FILL_V2_ADDRESSES);
    uint64_t up = fill_up_ticks(f, v->s);
    const char *text;
    image_index(&r, v->ifindex);
    image_index(&r, v->vrid);
    fill_mac(&r, 2, v);
    image_int(&r, 3, fill_rfc_state(v->s));
    image_int(&r, 4, fill_is(v->s, "state", "FAULT") || fill_is(v->s, "state", "STOP") ? 2 : 1);
    image_int(&r, 5, doc_int(v->s, "priority", 0));
    image_int(&r, 6, v->naddrs);
    image_ip(&r, 7, &v->master);
    image_ip(&r, 8, &v->source);
    image_int(&r, 9, fill_is(v->s, "auth", "PASS") ? 2 : fill_is(v->s, "auth", "AH") ? 3 : 1);
    image_bytes(&r, 10, "", 0); /* the key is never told */
    image_int(&r, 11, (int64_t)(doc_real(v->s, "advert_interval", 1) + 0.5));
    image_yes(&r, 12, !doc_yes(v->s, "nopreempt"));
    image_number(&r, 13, IMAGE_TICKS, up != 0 && up < f->agent_ticks ? f->agent_ticks - up : 0);
    image_int(&r, 14, 1); /* ip */
    image_int(&r, 15, 1); /* active */
    for (size_t i = 0; (text = doc_at(v->s, "address", i)) != NULL; i++) {
        struct ipaddr ip = view_addr(text);
        a.nindex = 0;
        image_index(&a, v->ifindex);
        image_index(&a, v->vrid);
        image_index_addr(&a, &ip, false);
        if (ip.family == 4)
            image_int(&a, 2, 1);
    }
}

void fill_rfc2787(const struct fill *f)
{
    struct image_row node = image_row(f->image, FILL_VRRP_MIB ".1"),
                     sum = image_row(f->image, FILL_VRRP_MIB ".2");
    if (doc_next(&f->view->state, NULL, "daemon") == NULL)
        return;
    image_index(&node, 0);
    image_index(&sum, 0);
    image_int(&node, 1, 2);
    image_yes(&node, 2, f->traps);
    image_number(&sum, 1, IMAGE_COUNTER, fill_sum(f, "rejected_checksum", true));
    image_number(&sum, 2, IMAGE_COUNTER, fill_sum(f, "rejected_version", true));
    /* 3, VrIdErrors: what is for no virtual router of ours is dropped in the kernel, uncounted */
    for (const struct doc_part *s = NULL; (s = doc_next(&f->view->state, s, "vrrp_instance")) != NULL;) {
        struct fill_router v;
        if (doc_int(s, "version", 2) != 2 || doc_int(s, "family", 4) != 4 || !fill_router(f, s, &v))
            continue;
        fill_v2_router(f, &v);
        fill_v2_stats(f, &v);
    }
}

/* ---- RFC 6527 */

static void fill_v3_index(struct image_row *r, const struct fill_router *v)
{
    r->nindex = 0;
    image_index(r, v->ifindex);
    image_index(r, v->vrid);
    image_index(r, v->type);
}

/* Why the last advert was refused that was, if the MIB has a name for it; the words are vrrpd/checks.c's. */
static int fill_error(const struct fill *f, const struct doc_part *s)
{
    static const struct {
        const char *words;
        int error;
    } errors[] = { { "TTL", 1 }, { "protocol version", 2 }, { "checksum", 3 } };
    double last = 0;
    int error = 0;
    for (const struct doc_part *p = NULL;
         (p = doc_with(&f->view->state, p, "sender", "instance", s->name)) != NULL;) {
        double at = doc_real(p, "rejected_at", 0);
        if (at <= last)
            continue;
        last = at;
        error = 0;
        for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
            if (strstr(doc_str(p, "reason", ""), errors[i].words) != NULL)
                error = errors[i].error;
    }
    return error;
}

static void fill_v3_stats(const struct fill *f, const struct fill_router *v)
{
    static const struct {
        uint32_t column;
        const char *key;
    } counters[] = { { 3, "adverts_received" },       { 4, "rejected_interval" },  { 5, "rejected_ttl" },
                     { 7, "priority_zero_received" }, { 8, "priority_zero_sent" }, { 9, "rejected_type" },
                     { 10, "rejected_address_list" }, { 11, "rejected_length" } };
    struct image_row r = image_row(f->image, FILL_V3_STATS);
    struct fill_past past = fill_past(f, v->s->name);
    fill_v3_index(&r, v);
    fill_counter(&r, 1, IMAGE_COUNTER, v->s, "became_master");
    image_int(&r, 2, past.reason);
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        fill_counter(&r, counters[i].column, IMAGE_COUNTER64, v->s, counters[i].key);
    image_int(&r, 6, fill_error(f, v->s));
    image_number(&r, 12, IMAGE_TICKS, 0);
    image_gauge(&r, 13, 1000);
}

static void fill_v3_router(const struct fill *f, const struct fill_router *v)
{
    struct image_row r = image_row(f->image, FILL_V3_ROUTERS), a = image_row(f->image, FILL_V3_ADDRESSES);
    const char *text;
    fill_v3_index(&r, v);
    image_addr(&r, 3, &v->master);
    image_addr(&r, 4, &v->source);
    fill_mac(&r, 5, v);
    image_int(&r, 6, fill_rfc_state(v->s));
    image_gauge(&r, 7, (uint64_t)doc_int(v->s, "priority", 0));
    image_int(&r, 8, v->naddrs);
    image_int(&r, 9, (int64_t)(doc_real(v->s, "advert_interval", 1) * 100 + 0.5));
    image_yes(&r, 10, !doc_yes(v->s, "nopreempt"));
    image_yes(&r, 11, doc_yes(v->s, "accept"));
    image_number(&r, 12, IMAGE_TICKS, fill_up_ticks(f, v->s));
    image_int(&r, 13, 1);
    for (size_t i = 0; (text = doc_at(v->s, "address", i)) != NULL; i++) {
        struct ipaddr ip = view_addr(text);
        fill_v3_index(&a, v);
        image_index_addr(&a, &ip, true);
        image_int(&a, 2, 1);
    }
}

void fill_rfc6527(const struct fill *f)
{
    struct image_row sum = image_row(f->image, FILL_VRRPV3_MIB ".1.2");
    if (doc_next(&f->view->state, NULL, "daemon") == NULL)
        return;
    image_index(&sum, 0);
    image_number(&sum, 1, IMAGE_COUNTER64, fill_sum(f, "rejected_checksum", false));
    image_number(&sum, 2, IMAGE_COUNTER64, fill_sum(f, "rejected_version", false));
    image_number(&sum, 4, IMAGE_TICKS, 0);
    for (const struct doc_part *s = NULL; (s = doc_next(&f->view->state, s, "vrrp_instance")) != NULL;) {
        struct fill_router v;
        if (!fill_router(f, s, &v))
            continue;
        fill_v3_router(f, &v);
        fill_v3_stats(f, &v);
    }
}
