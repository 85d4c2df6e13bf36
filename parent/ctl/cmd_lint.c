/*
 * cmd_lint.c - two configurations of one cluster against each other: what makes a router refuse the other's
 * adverts (and both MASTER), what makes the election undecided, what is missing after a take-over. Part of
 * `holdctl check A.conf B.conf`; see check.h. Secrets are compared as digests.
 */
#include <string.h>

#include "parent/ctl/check.h"
#include "parent/ctl/tool.h"

#define LINT_SPLIT "each would refuse the other's adverts, and both be MASTER"

struct lint {
    const struct node *a, *b;
    struct findings *l;
    char about[128];
};

static void lint_about(struct lint *t, const struct node_vi *v)
{
    snprintf(t->about, sizeof t->about, "VRID %u (%s)", v->vrid, v->name);
}

static bool lint_same_list(const char *const *a, size_t na, const char *const *b, size_t nb)
{
    if (na != nb)
        return false;
    for (size_t i = 0; i < na; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

static bool lint_in(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], s) == 0)
            return true;
    return false;
}

static bool lint_has_address(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (node_same_address(list[i], s))
            return true;
    return false;
}

/* What a has and b has not, "" when nothing. */
static void lint_missing(const char *const *a, size_t na, const char *const *b, size_t nb, char *out,
                         size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < na && n < size; i++)
        if (!lint_has_address(a[i], b, nb))
            n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? " " : "", a[i]);
}

/* ---- what makes adverts refused */

static void lint_version(struct lint *t, const struct node_vi *a, const struct node_vi *b)
{
    if (a->version != b->version) {
        struct finding *f = finding_add(t->l, FINDING_ERROR, "HL-VERSION", t->about,
                                        "VRRP version %u in A, %u in B: " LINT_SPLIT, a->version, b->version);
        finding_remedy(f, "write the same version on both (version 3 or vrrp_version 3 in global_defs)");
    }
    if (a->interval_us == b->interval_us)
        return;
    bool v2 = a->version == 2 || b->version == 2;
    struct finding *f = finding_add(
        t->l, v2 ? FINDING_ERROR : FINDING_WARNING, "HL-INTERVAL", t->about,
        "advert_int is %g s in A, %g s in B%s", (double)a->interval_us / 1e6, (double)b->interval_us / 1e6,
        v2 ? ": " LINT_SPLIT : ": a backup follows the master's interval, so fail-over times differ");
    finding_remedy(f, "write the same advert_int on both");
}

static void lint_checksum(struct lint *t, const struct node_vi *a, const struct node_vi *b)
{
    if (a->version != b->version || a->plain_sum == b->plain_sum)
        return;
    struct finding *f =
        finding_add(t->l, FINDING_ERROR, "HL-CHECKSUM", t->about,
                    "the checksum in %s leaves out the pseudo header, in %s it does not: "
                    "%s refuses the other's adverts, and both are MASTER",
                    a->plain_sum ? "A" : "B", a->plain_sum ? "B" : "A", a->plain_sum ? "B" : "A");
    finding_remedy(f, "write v3_checksum_as_v2 (rfc_defaults means it too) on both or on none");
}

static void lint_auth(struct lint *t, const struct node_vi *a, const struct node_vi *b)
{
    if (a->version != b->version)
        return; /* said already */
    if (strcmp(a->auth, b->auth) != 0) {
        struct finding *f = finding_add(t->l, FINDING_ERROR, "HL-AUTH", t->about,
                                        "authentication is %s in A, %s in B: " LINT_SPLIT, a->auth, b->auth);
        finding_remedy(f, "write the same authentication block on both");
    } else if (strcmp(a->secret, b->secret) != 0) {
        struct finding *f =
            finding_add(t->l, FINDING_ERROR, "HL-AUTH", t->about,
                        strcmp(a->auth, "HMAC") == 0 ? "the keys of auth_hmac differ: " LINT_SPLIT
                                                     : "auth_pass differs: " LINT_SPLIT);
        finding_remedy(f, "write the same secret on both (only the first 8 characters of auth_pass count)");
    }
}

static void lint_vips(struct lint *t, const struct node_vi *a, const struct node_vi *b)
{
    char only_a[512], only_b[512];
    lint_missing(a->vips, a->nvips, b->vips, b->nvips, only_a, sizeof only_a);
    lint_missing(b->vips, b->nvips, a->vips, a->nvips, only_b, sizeof only_b);
    if (only_a[0] != '\0' || only_b[0] != '\0') {
        bool lax = a->skip_addrs && b->skip_addrs;
        struct finding *f =
            finding_add(t->l, FINDING_ERROR, "HL-VIP", t->about, "virtual_ipaddress differs: %s",
                        lax ? "after a take-over addresses are missing" : LINT_SPLIT);
        finding_evidence(f, "only in A: %s; only in B: %s", only_a[0] != '\0' ? only_a : "nothing",
                         only_b[0] != '\0' ? only_b : "nothing");
        finding_remedy(f, "write the same addresses on both");
    } else if (!lint_same_list(a->vips, a->nvips, b->vips, b->nvips)) {
        finding_remedy(finding_add(t->l, FINDING_WARNING, "HL-PREFIX", t->about,
                                   "the addresses have other prefix lengths in A than in B"),
                       "write the same prefix lengths on both: routes come and go with them");
    }
    if (lint_same_list(a->excluded, a->nexcluded, b->excluded, b->nexcluded))
        return;
    lint_missing(a->excluded, a->nexcluded, b->excluded, b->nexcluded, only_a, sizeof only_a);
    lint_missing(b->excluded, b->nexcluded, a->excluded, a->nexcluded, only_b, sizeof only_b);
    struct finding *f =
        finding_add(t->l, FINDING_WARNING, "HL-EXCLUDED", t->about,
                    "virtual_ipaddress_excluded differs: addresses are missing after a take-over");
    finding_evidence(f, "only in A: %s; only in B: %s", only_a[0] != '\0' ? only_a : "nothing",
                     only_b[0] != '\0' ? only_b : "nothing");
    finding_remedy(f, "write the same addresses on both");
}

static void lint_peer_of(struct lint *t, const char *who, const struct node_vi *v, const char *other,
                         const struct node_vi *w)
{
    char text[IPADDR_STRLEN];
    if (v->npeers == 0 || w->src.family == 0 || lint_in(ipaddr_str(&w->src, text), v->peers, v->npeers))
        return;
    struct finding *f =
        finding_add(t->l, FINDING_ERROR, "HL-PEER", t->about,
                    "%s sends from %s, which is not among the unicast_peer of %s: %s never hears it", other,
                    text, who, other);
    finding_remedy(f, "add %s to unicast_peer in %s, or correct unicast_src_ip in %s", text, who, other);
}

static void lint_wire(struct lint *t, const struct node_vi *a, const struct node_vi *b)
{
    if ((a->npeers > 0) != (b->npeers > 0)) {
        struct finding *f = finding_add(t->l, FINDING_ERROR, "HL-UNICAST", t->about,
                                        "%s uses unicast, %s multicast: " LINT_SPLIT,
                                        a->npeers > 0 ? "A" : "B", a->npeers > 0 ? "B" : "A");
        finding_remedy(f, "give both a unicast_peer block, or none");
    } else if (a->group != NULL && b->group != NULL && strcmp(a->group, b->group) != 0) {
        struct finding *f =
            finding_add(t->l, FINDING_ERROR, "HL-GROUP", t->about,
                        "multicast group %s in A, %s in B: neither hears the other", a->group, b->group);
        finding_remedy(f, "write the same mcast_dst_ip or vrrp_mcast_group4 on both");
    }
    lint_peer_of(t, "A", a, "B", b);
    lint_peer_of(t, "B", b, "A", a);
    if (a->npeers == 1 && b->npeers == 1 && strcmp(a->peers[0], b->peers[0]) == 0)
        finding_remedy(finding_add(t->l, FINDING_ERROR, "HL-PEER", t->about,
                                   "both have %s as their only unicast_peer: one of them talks to itself",
                                   a->peers[0]),
                       "each names the address of the other");
}

/* ---- the election */

static void lint_election(struct lint *t, const struct node_vi *a, const struct node_vi *b)
{
    if (a->priority == b->priority) {
        struct finding *f =
            finding_add(t->l, a->priority == 255 ? FINDING_ERROR : FINDING_WARNING, "HL-PRIORITY", t->about,
                        a->priority == 255
                            ? "both have priority 255 (address owner): both are MASTER at once"
                            : "both have priority %u: the higher source address decides, checks and restarts "
                              "move the VIP in ways nobody planned",
                        a->priority);
        finding_remedy(f, "give the router that should be MASTER the higher priority");
    }
    if (a->master && b->master)
        finding_remedy(
            finding_add(t->l, FINDING_WARNING, "HL-STATE", t->about,
                        "state MASTER on both: each starts as MASTER until it hears the other"),
            "state BACKUP on both, the priority decides (with state MASTER nopreempt has no effect)");
    const struct node_vi *m = a->master != b->master ? a->master ? a : b : NULL, *o = m == a ? b : a;
    if (m != NULL && m->priority < o->priority && !o->nopreempt) {
        struct finding *f =
            finding_add(t->l, FINDING_WARNING, "HL-STATE", t->about,
                        "state MASTER stands in %s, but %s has the higher priority (%u over %u) and "
                        "takes over",
                        m == a ? "A" : "B", m == a ? "B" : "A", o->priority, m->priority);
        finding_remedy(f, "priority decides, state only says how to start: give %s the higher one",
                       m == a ? "A" : "B");
    }
    if (a->vmac != b->vmac)
        finding_remedy(finding_add(t->l, FINDING_WARNING, "HL-VMAC", t->about,
                                   "use_vmac in %s only: the MAC of the VIP changes at every take-over",
                                   a->vmac ? "A" : "B"),
                       "use_vmac on both, or on none");
    bool grouped = (a->sync != NULL) != (b->sync != NULL);
    if (grouped)
        finding_remedy(
            finding_add(t->l, FINDING_WARNING, "HL-SYNC", t->about,
                        "is in a vrrp_sync_group in %s only: the other node can hold half of the addresses",
                        a->sync != NULL ? "A" : "B"),
            "write the same vrrp_sync_group on both");
}

static void lint_weights(struct lint *t, const struct node_vi *a, const struct node_vi *b)
{
    for (size_t i = 0; i < a->ntracks; i++) {
        const struct node_track *x = &a->tracks[i], *y = NULL;
        for (size_t k = 0; k < b->ntracks && y == NULL; k++)
            if (b->tracks[k].kind == x->kind && strcmp(b->tracks[k].name, x->name) == 0)
                y = &b->tracks[k];
        if (y == NULL || (y->given == x->given && y->reverse == x->reverse))
            continue;
        struct finding *f =
            finding_add(t->l, FINDING_WARNING, "HL-WEIGHT", t->about, "%s %s has weight %d%s in A, %d%s in B",
                        track_kind_name(x->kind), x->name, x->given, x->reverse ? " reverse" : "", y->given,
                        y->reverse ? " reverse" : "");
        finding_remedy(f, "write the same weight on both, unless this is meant");
    }
}

/* ---- who has no partner */

static void lint_alone(struct lint *t, const struct node_vi *v, const char *here, const struct node *other,
                       const char *there)
{
    lint_about(t, v);
    for (size_t i = 0; i < other->nvi; i++) {
        const struct node_vi *w = &other->vi[i];
        if (w->family != v->family || w->vrid == v->vrid ||
            (!node_share_vip(v, w) && (strcmp(v->name, w->name) != 0 || v->nvips > 0)))
            continue;
        struct finding *f = finding_add(t->l, FINDING_ERROR, "HL-VRID", t->about,
                                        "is virtual_router_id %u in %s, but %s has the same addresses under "
                                        "%u (%s): both would be MASTER",
                                        v->vrid, here, there, w->vrid, w->name);
        finding_remedy(f, "write the same virtual_router_id on both");
        return;
    }
    finding_remedy(finding_add(t->l, FINDING_WARNING, "HL-ALONE", t->about,
                               "stands in %s only: nobody takes over when that node dies", here),
                   "add it to %s, with another priority", there);
}

/* ---- services */

static void lint_key(const json_t *vs, char *out, size_t size)
{
    snprintf(out, size, "%s %lld%s", model_str(vs, "x_ip", model_str(vs, "x_group", "fwmark")),
             model_has(vs, "x_fwmark") ? model_int(vs, "x_fwmark", 0) : model_int(vs, "x_port", 0),
             strcmp(model_str(vs, "protocol", "TCP"), "UDP") == 0 ? " UDP" : "");
}

static const json_t *lint_service(const json_t *top, const char *key)
{
    char other[160];
    json_t *vs;
    for (size_t i = 0; (vs = model_next(top, "vs", &i)) != NULL;) {
        lint_key(vs, other, sizeof other);
        if (strcmp(other, key) == 0)
            return vs;
    }
    return NULL;
}

static const json_t *lint_server(const json_t *vs, const json_t *rs)
{
    json_t *o;
    for (size_t i = 0; (o = model_next(vs, "rs", &i)) != NULL;)
        if (strcmp(model_str(o, "x_ip", ""), model_str(rs, "x_ip", "")) == 0 &&
            model_int(o, "x_port", 0) == model_int(rs, "x_port", 0))
            return o;
    return NULL;
}

static void lint_servers(struct findings *l, const char *key, const json_t *a, const json_t *b,
                         const char *only)
{
    json_t *rs;
    for (size_t i = 0; (rs = model_next(a, "rs", &i)) != NULL;) {
        const json_t *other = lint_server(b, rs);
        if (other == NULL)
            finding_remedy(finding_add(l, FINDING_WARNING, "HL-LVS-SERVER", key,
                                       "real_server %s %lld stands in %s only", model_str(rs, "x_ip", "?"),
                                       model_int(rs, "x_port", 0), only),
                           "after a take-over the service has other servers: write them on both");
        else if (model_int(rs, "lvs_method", 0) != model_int(other, "lvs_method", 0))
            finding_remedy(finding_add(l, FINDING_WARNING, "HL-LVS-METHOD", key,
                                       "real_server %s %lld is forwarded in different ways",
                                       model_str(rs, "x_ip", "?"), model_int(rs, "x_port", 0)),
                           "write the same lb_kind on both");
    }
}

static void lint_services(struct findings *l, const json_t *a, const json_t *b, const char *here,
                          const char *there)
{
    char key[160];
    json_t *vs;
    for (size_t i = 0; (vs = model_next(a, "vs", &i)) != NULL;) {
        lint_key(vs, key, sizeof key);
        const json_t *other = lint_service(b, key);
        if (other == NULL)
            finding_remedy(
                finding_add(l, FINDING_WARNING, "HL-LVS", key, "virtual_server stands in %s only", here),
                "add it to %s: after a take-over nobody would serve it", there);
        else
            lint_servers(l, key, vs, other, here);
    }
}

void lint_pair(const struct node *a, const struct node *b, struct findings *l)
{
    struct lint t = { .a = a, .b = b, .l = l };
    for (size_t i = 0; i < a->nvi; i++) {
        const struct node_vi *v = &a->vi[i], *w = node_partner(v, b);
        if (w == NULL) {
            lint_alone(&t, v, "A", b, "B");
            continue;
        }
        lint_about(&t, v);
        lint_version(&t, v, w);
        lint_checksum(&t, v, w);
        lint_auth(&t, v, w);
        lint_vips(&t, v, w);
        lint_wire(&t, v, w);
        lint_election(&t, v, w);
        lint_weights(&t, v, w);
    }
    for (size_t i = 0; i < b->nvi; i++)
        if (node_partner(&b->vi[i], a) == NULL)
            lint_alone(&t, &b->vi[i], "B", a, "A");
    lint_services(l, a->top, b->top, "A", "B");
    lint_services(l, b->top, a->top, "B", "A");
    if (a->router_id != NULL && b->router_id != NULL && strcmp(a->router_id, b->router_id) == 0)
        finding_remedy(finding_add(l, FINDING_NOTE, "HL-ROUTER-ID", a->router_id, "is the router_id of both"),
                       "give each its own: it is the name in mails");
}
