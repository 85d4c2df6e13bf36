/*
 * wire_report.c - what was heard on a wire, for people and as JSON, and what it means: two masters with the
 * likely cause, adverts nobody accepts, virtual router ids still free. See wire.h.
 */
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "parent/ctl/wire.h"

#define WIRE_LIST 768

static const char *wire_auth(const struct wire_sender *s)
{
    if (s->ah)
        return "AH";
    if (s->trailer)
        return "HMAC";
    return s->version == 2 && s->auth_type == PACKET_AUTH_PASS ? "PASS" : "none";
}

static void wire_mac(const struct wire_sender *s, char out[18])
{
    snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", s->mac[0], s->mac[1], s->mac[2], s->mac[3], s->mac[4],
             s->mac[5]);
}

static void wire_vip_list(const struct wire_sender *s, char *out, size_t size)
{
    char ip[IPADDR_STRLEN];
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < s->nvips && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i > 0 ? " " : "", ipaddr_str(&s->vips[i], ip));
}

static void wire_about(const struct wire_sender *s, char *out, size_t size)
{
    if (s->vlan != 0)
        snprintf(out, size, "VRID %u IPv%u VLAN %u", s->vrid, s->family, s->vlan);
    else
        snprintf(out, size, "VRID %u IPv%u", s->vrid, s->family);
}

void wire_line(const struct wire_sender *s, FILE *out)
{
    char src[IPADDR_STRLEN], dst[IPADDR_STRLEN], mac[18], vips[WIRE_LIST];
    ipaddr_str(&s->src, src);
    ipaddr_str(&s->dst, dst);
    wire_mac(s, mac);
    wire_vip_list(s, vips, sizeof vips);
    fprintf(out, "%s%s (%s) v%u priority %u every %g s auth %s to %s VIPs %s", src,
            s->own ? " (this machine)" : "", mac, s->version, s->priority,
            (double)s->interval_ns / NS_PER_SEC, wire_auth(s), dst, vips[0] != '\0' ? vips : "none");
}

void wire_free_vrids(const struct wire *w, char *out, size_t size)
{
    bool used[257] = { [0] = true, [256] = true };
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < w->n; i++)
        used[w->s[i].vrid] = true;
    for (unsigned int from = 1; from < 256; from++) {
        unsigned int to = from;
        if (used[from])
            continue;
        while (!used[to + 1])
            to++;
        if (n < size)
            n += (size_t)snprintf(out + n, size - n, from == to ? "%s%u" : "%s%u-%u", n > 0 ? " " : "", from,
                                  to);
        from = to;
    }
}

void wire_firewall(struct finding *f, unsigned int family, bool ah)
{
    if (family == 6) {
        finding_remedy(f, "nft insert rule inet filter input meta l4proto 112 accept");
        finding_remedy(f, "ip6tables -I INPUT -p 112 -j ACCEPT");
    } else {
        finding_remedy(f, "nft insert rule inet filter input ip protocol %s accept",
                       ah ? "{ 51, 112 }" : "112");
        finding_remedy(f, "iptables -I INPUT -p 112 -j ACCEPT%s",
                       ah ? "; iptables -I INPUT -p ah -j ACCEPT" : "");
    }
    finding_remedy(
        f,
        "firewall-cmd --permanent --add-rich-rule='rule protocol value=\"%s\" accept' && firewall-cmd "
        "--reload",
        ah ? "ah" : "vrrp");
    finding_remedy(
        f,
        "ufw: in /etc/ufw/before%s.rules before COMMIT: -A ufw%s-before-input -p 112 -j ACCEPT; ufw reload",
        family == 6 ? "6" : "", family == 6 ? "6" : "");
}

/* ---- why two are MASTER */

static bool wire_any_vip_shared(const struct wire_sender *a, const struct wire_sender *b)
{
    for (size_t i = 0; i < a->nvips; i++)
        for (size_t k = 0; k < b->nvips; k++)
            if (ipaddr_same(&a->vips[i], &b->vips[k]))
                return true;
    return false;
}

static bool wire_vips_equal(const struct wire_sender *a, const struct wire_sender *b)
{
    bool same = a->nvips == b->nvips;
    for (size_t i = 0; same && i < a->nvips; i++)
        same = ipaddr_same(&a->vips[i], &b->vips[i]);
    return same;
}

static void wire_cause_firewall(const struct wire_sender *a, const struct wire_sender *b, struct finding *f)
{
    char one[IPADDR_STRLEN];
    const struct wire_sender *deaf = a->priority <= b->priority ? a : b;
    finding_evidence(
        f,
        "both agree in version, interval, authentication and addresses, so %s, the lower one, does not "
        "hear the other: a firewall on it drops protocol 112, or a switch does not carry the group",
        ipaddr_str(&deaf->src, one));
    wire_firewall(f, deaf->family, deaf->ah);
    finding_remedy(f, "holdctl doctor on both finds the rule that drops it");
}

static void wire_cause(const struct wire *w, const struct wire_sender *a, const struct wire_sender *b,
                       struct finding *f)
{
    char one[WIRE_LIST], two[WIRE_LIST];
    wire_vip_list(a, one, sizeof one);
    wire_vip_list(b, two, sizeof two);
    if (a->version != b->version) {
        finding_evidence(f, "VRRP version %u and version %u: each refuses the other", a->version, b->version);
        finding_remedy(f, "write the same version in both configurations");
    } else if (!wire_any_vip_shared(a, b) && a->nvips > 0 && b->nvips > 0) {
        finding_evidence(f, "no address in common (%s; %s): two clusters use the same virtual router id", one,
                         two);
        wire_free_vrids(w, one, sizeof one);
        finding_remedy(f, "give one of them a virtual_router_id nobody uses here: %s", one);
    } else if (strcmp(wire_auth(a), wire_auth(b)) != 0) {
        finding_evidence(f, "authentication %s and %s: each refuses the other", wire_auth(a), wire_auth(b));
        finding_remedy(f, "write the same authentication block in both configurations");
    } else if (a->version == 2 && a->auth_type == PACKET_AUTH_PASS && !a->ah &&
               memcmp(a->auth, b->auth, sizeof a->auth) != 0) {
        finding_evidence(f, "auth_pass differs: each refuses the other");
        finding_remedy(f, "write the same auth_pass in both configurations (8 characters count)");
    } else if (a->version == 2 && a->interval_ns != b->interval_ns) {
        finding_evidence(f, "advert_int %g s and %g s: version 2 refuses another interval",
                         (double)a->interval_ns / NS_PER_SEC, (double)b->interval_ns / NS_PER_SEC);
        finding_remedy(f, "write the same advert_int in both configurations");
    } else if (!wire_vips_equal(a, b)) {
        finding_evidence(f, "the addresses differ (%s; %s): each refuses the other", one, two);
        finding_remedy(f, "write the same virtual_ipaddress in both configurations");
    } else if (ipaddr_is_multicast(&a->dst) != ipaddr_is_multicast(&b->dst) ||
               (ipaddr_is_multicast(&a->dst) && !ipaddr_same(&a->dst, &b->dst))) {
        finding_evidence(f, "they speak to %s and to %s: neither listens to the other",
                         ipaddr_str(&a->dst, one), ipaddr_str(&b->dst, two));
        finding_remedy(f,
                       "write unicast_peer in both configurations or in none, and the same multicast group");
    } else if (a->plain != b->plain && a->bad_checksum + b->bad_checksum == 0) {
        finding_evidence(
            f,
            "the checksum of %s leaves out the pseudo header of IPv4 (RFC 9568), that of %s does "
            "not (RFC 5798): who expects the other form refuses it",
            ipaddr_str(a->plain ? &a->src : &b->src, one), ipaddr_str(a->plain ? &b->src : &a->src, two));
        finding_remedy(f, "write v3_checksum_as_v2 in both configurations or in none");
    } else if (a->bad_checksum + a->bad_length + a->bad_ttl + b->bad_checksum + b->bad_length + b->bad_ttl >
               0) {
        finding_evidence(f, "adverts arrive damaged (see below), which nobody accepts");
        finding_remedy(f, "look at what stands between them: offloading, tunnels, a router in between");
    } else {
        wire_cause_firewall(a, b, f);
    }
}

static void wire_judge_pair(const struct wire *w, size_t i, size_t k, struct findings *l)
{
    const struct wire_sender *a = &w->s[i], *b = &w->s[k];
    char about[64], one[IPADDR_STRLEN], two[IPADDR_STRLEN];
    if (!wire_is_split(w, i, k))
        return;
    wire_about(a, about, sizeof about);
    struct finding *f =
        finding_add(l, FINDING_ERROR, "HW-SPLIT", about,
                    "SPLIT BRAIN: %s (priority %u) and %s (priority %u) are both MASTER",
                    ipaddr_str(&a->src, one), a->priority, ipaddr_str(&b->src, two), b->priority);
    wire_cause(w, a, b, f);
}

static void wire_judge_one(const struct wire_sender *s, struct findings *l)
{
    char about[64], ip[IPADDR_STRLEN];
    wire_about(s, about, sizeof about);
    ipaddr_str(&s->src, ip);
    if (s->bad_checksum > 0)
        finding_remedy(
            finding_add(l, FINDING_WARNING, "HW-CHECKSUM", about,
                        "%lu of %lu adverts of %s have a wrong checksum: receivers drop them",
                        s->bad_checksum, s->adverts, ip),
            "old_unicast_checksum or v3_checksum_as_v2 for a peer that computes it in its own way; "
            "otherwise the path damages packets");
    if (s->bad_length > 0)
        finding_remedy(finding_add(l, FINDING_WARNING, "HW-LENGTH", about,
                                   "%lu of %lu adverts of %s have a wrong length: receivers drop them",
                                   s->bad_length, s->adverts, ip),
                       "find out what sends them: %s is no sound VRRP speaker", ip);
    if (s->bad_ttl > 0)
        finding_remedy(finding_add(l, FINDING_WARNING, "HW-TTL", about,
                                   "%lu of %lu adverts of %s do not have TTL 255: receivers drop them",
                                   s->bad_ttl, s->adverts, ip),
                       "they passed a router or were forged from afar: adverts belong to one network");
    if (s->two_macs)
        finding_remedy(
            finding_add(l, FINDING_WARNING, "HW-MAC", about, "adverts of %s come from more than one MAC", ip),
            "two machines have the address %s, or use_vmac was switched just now", ip);
}

void wire_judge(const struct wire *w, const char *ifname, struct findings *l)
{
    for (size_t i = 0; i < w->n; i++) {
        wire_judge_one(&w->s[i], l);
        for (size_t k = i + 1; k < w->n; k++)
            wire_judge_pair(w, i, k, l);
    }
    if (w->ignored > 0)
        finding_remedy(finding_add(l, FINDING_WARNING, "HW-MANY", ifname,
                                   "more than %d senders: %lu adverts of others are not counted",
                                   WIRE_SENDERS, w->ignored),
                       "somebody floods this wire with forged adverts");
}

/* ---- the report */

static bool wire_first_of(const struct wire *w, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (w->s[k].vrid == w->s[i].vrid && w->s[k].family == w->s[i].family && w->s[k].vlan == w->s[i].vlan)
            return false;
    return true;
}

static void wire_print_router(const struct wire *w, size_t i, FILE *out)
{
    char about[64];
    wire_about(&w->s[i], about, sizeof about);
    fprintf(out, "\n%s\n", about);
    for (size_t k = i; k < w->n; k++) {
        char other[64];
        wire_about(&w->s[k], other, sizeof other);
        if (strcmp(about, other) != 0)
            continue;
        fprintf(out, "    ");
        wire_line(&w->s[k], out);
        fprintf(out, " (%lu adverts%s)\n", w->s[k].adverts,
                w->s[k].row == 0 && w->s[k].resigned > 0 ? ", resigned" : "");
    }
}

void wire_print(const struct wire *w, const char *ifname, double seconds, FILE *out)
{
    char list[2048];
    fprintf(out, "\n%s: %lu adverts of %zu senders in %.1f s\n", ifname, w->adverts, w->n, seconds);
    for (size_t i = 0; i < w->n; i++)
        if (wire_first_of(w, i))
            wire_print_router(w, i, out);
    wire_free_vrids(w, list, sizeof list);
    fprintf(out, "\nfree virtual router ids (not heard): %s\n", list);
    if (w->n == 0)
        fprintf(out, "nobody speaks VRRP here: another interface or VLAN, unicast between others, or nobody "
                     "is MASTER\n");
}

static json_t *wire_json_sender(const struct wire_sender *s)
{
    char src[IPADDR_STRLEN], dst[IPADDR_STRLEN], mac[18];
    json_t *j, *vips = json_array();
    wire_mac(s, mac);
    j = json_pack("{s:s,s:s,s:s,s:b,s:i,s:i,s:i,s:i,s:f,s:s}", "source", ipaddr_str(&s->src, src), "mac", mac,
                  "destination", ipaddr_str(&s->dst, dst), "own", s->own, "vrid", s->vrid, "family",
                  s->family, "version", s->version, "priority", s->priority, "interval",
                  (double)s->interval_ns / NS_PER_SEC, "auth", wire_auth(s));
    for (size_t i = 0; i < s->nvips; i++)
        json_array_append_new(vips, json_string(ipaddr_str(&s->vips[i], src)));
    json_object_set_new(j, "vlan", json_integer(s->vlan));
    json_object_set_new(j, "vips", vips);
    json_object_set_new(j, "adverts", json_integer((json_int_t)s->adverts));
    json_object_set_new(j, "resigned", json_integer((json_int_t)s->resigned));
    json_object_set_new(j, "bad_checksum", json_integer((json_int_t)s->bad_checksum));
    json_object_set_new(j, "bad_length", json_integer((json_int_t)s->bad_length));
    json_object_set_new(j, "bad_ttl", json_integer((json_int_t)s->bad_ttl));
    return j;
}

json_t *wire_json(const struct wire *w, const char *ifname, double seconds, const struct findings *l)
{
    char list[2048];
    bool used[256] = { false };
    json_t *j = json_object(), *senders = json_array(), *unused = json_array();
    for (size_t i = 0; i < w->n; i++) {
        used[w->s[i].vrid] = true;
        json_array_append_new(senders, wire_json_sender(&w->s[i]));
    }
    for (int v = 1; v < 256; v++)
        if (!used[v])
            json_array_append_new(unused, json_integer(v));
    wire_free_vrids(w, list, sizeof list);
    json_object_set_new(j, "format", json_integer(1));
    json_object_set_new(j, "interface", json_string(ifname));
    json_object_set_new(j, "seconds", json_real(seconds));
    json_object_set_new(j, "adverts", json_integer((json_int_t)w->adverts));
    json_object_set_new(j, "senders", senders);
    json_object_set_new(j, "free_vrids", unused);
    json_object_set_new(j, "findings", findings_json(l));
    return j;
}
