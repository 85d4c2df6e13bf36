/*
 * doctor_nft.c - what an nftables ruleset (its JSON, as nft prints it; iptables-nft's as well) does with one
 * packet that comes in, rule by rule, in three values: what cannot be known from here (sets, counters of
 * other modules, senders) never makes a sure verdict. Pure. See doctor.h.
 */
#include <stdlib.h>
#include <string.h>

#include "parent/ctl/doctor.h"

#define NFT_DEPTH 16

enum nft_tri { NFT_NO, NFT_YES, NFT_MAYBE };
enum nft_verdict { NFT_GO_ON, NFT_ACCEPT, NFT_DROP, NFT_RETURN };

struct nft_run {
    const json_t *list;
    const struct nft_packet *p;
    const char *family, *table;
    bool maybe_accept;
    char *where;
    size_t size;
    int depth;
};

static const char *nft_text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s != NULL ? s : "";
}

/* ---- one comparison */

static long nft_proto_word(const char *s)
{
    static const struct {
        const char *word;
        long n;
    } words[] = { { "vrrp", 112 }, { "ah", 51 },   { "tcp", 6 },        { "udp", 17 },
                  { "icmp", 1 },   { "igmp", 2 },  { "esp", 50 },       { "gre", 47 },
                  { "sctp", 132 }, { "dccp", 33 }, { "ipv6-icmp", 58 }, { "icmpv6", 58 } };
    for (size_t i = 0; s != NULL && i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].word, s) == 0)
            return words[i].n;
    return -1;
}

static long nft_proto_number(const json_t *v)
{
    return json_is_integer(v) ? (long)json_integer_value(v) : nft_proto_word(json_string_value(v));
}

static bool nft_in_prefix(const struct ipaddr *a, const struct ipaddr *net, unsigned int plen)
{
    for (unsigned int i = 0; i < plen && i < ipaddr_len(a) * 8; i++)
        if ((a->b[i / 8] ^ net->b[i / 8]) & (0x80 >> i % 8))
            return false;
    return a->family == net->family;
}

static enum nft_tri nft_address(const struct ipaddr *a, const json_t *right)
{
    struct ipaddr x, y;
    const json_t *prefix = json_object_get(right, "prefix"), *range = json_object_get(right, "range");
    const char *s = json_string_value(right);
    if (a->family == 0 || (s != NULL && s[0] == '@'))
        return NFT_MAYBE;
    if (s != NULL && ipaddr_parse(s, &x) == 0)
        return ipaddr_same(a, &x) ? NFT_YES : NFT_NO;
    if (prefix != NULL && ipaddr_parse(nft_text(prefix, "addr"), &x) == 0)
        return nft_in_prefix(a, &x, (unsigned int)json_integer_value(json_object_get(prefix, "len")))
                   ? NFT_YES
                   : NFT_NO;
    if (json_array_size(range) == 2 && json_is_string(json_array_get(range, 0)) &&
        ipaddr_parse(json_string_value(json_array_get(range, 0)), &x) == 0 &&
        json_is_string(json_array_get(range, 1)) &&
        ipaddr_parse(json_string_value(json_array_get(range, 1)), &y) == 0)
        return a->family == x.family && ipaddr_cmp(a, &x) >= 0 && ipaddr_cmp(a, &y) <= 0 ? NFT_YES : NFT_NO;
    return NFT_MAYBE;
}

static enum nft_tri nft_number(long n, const json_t *right)
{
    const json_t *range = json_object_get(right, "range");
    if (json_array_size(range) == 2) {
        long lo = nft_proto_number(json_array_get(range, 0)), hi = nft_proto_number(json_array_get(range, 1));
        return lo < 0 || hi < 0 ? NFT_MAYBE : n >= lo && n <= hi ? NFT_YES : NFT_NO;
    }
    long r = nft_proto_number(right);
    return r < 0 ? NFT_MAYBE : r == n ? NFT_YES : NFT_NO;
}

static enum nft_tri nft_word(const char *is, const json_t *right)
{
    const char *s = json_string_value(right);
    size_t n = s != NULL ? strlen(s) : 0;
    if (s == NULL || s[0] == '@')
        return NFT_MAYBE;
    if (n > 0 && s[n - 1] == '*')
        return strncmp(is, s, n - 1) == 0 ? NFT_YES : NFT_NO;
    return strcmp(is, s) == 0 ? NFT_YES : NFT_NO;
}

static enum nft_tri nft_one(const struct nft_packet *p, const json_t *left, const json_t *right)
{
    const json_t *payload = json_object_get(left, "payload"), *meta = json_object_get(left, "meta"),
                 *ct = json_object_get(left, "ct");
    const char *proto = nft_text(payload, "protocol"), *field = nft_text(payload, "field"),
               *key = nft_text(meta, "key");
    bool ip = strcmp(proto, "ip") == 0, ip6 = strcmp(proto, "ip6") == 0;
    if (ct != NULL) /* nothing was ever sent back: each advert, each first packet is new */
        return strcmp(nft_text(ct, "key"), "state") == 0 ? nft_word("new", right) : NFT_MAYBE;
    if (meta != NULL) {
        if (strcmp(key, "l4proto") == 0)
            return nft_number((long)p->proto, right);
        if (strcmp(key, "iifname") == 0 || strcmp(key, "iif") == 0)
            return p->iif[0] == '\0' && nft_word("lo", right) != NFT_YES ? NFT_MAYBE
                                                                         : nft_word(p->iif, right);
        if (strcmp(key, "nfproto") == 0)
            return nft_word(p->family == 6 ? "ipv6" : "ipv4", right);
        if (strcmp(key, "pkttype") == 0)
            return nft_word(ipaddr_is_multicast(&p->dst) ? "multicast" : "host", right);
        return NFT_MAYBE;
    }
    if (ip || ip6) {
        if (ip != (p->family == 4))
            return NFT_NO;
        if (strcmp(field, "protocol") == 0 || strcmp(field, "nexthdr") == 0)
            return nft_number((long)p->proto, right);
        if (strcmp(field, "daddr") == 0)
            return nft_address(&p->dst, right);
        if (strcmp(field, "saddr") == 0)
            return nft_address(&p->src, right);
        return NFT_MAYBE;
    }
    if (p->port != 0 && (strcmp(proto, "th") == 0 || nft_proto_word(proto) == (long)p->proto))
        return strcmp(field, "dport") == 0 ? nft_number(p->port, right) : NFT_MAYBE;
    static const char *const others[] = {
        "tcp", "udp", "icmp", "icmpv6", "igmp", "sctp", "dccp", "esp", "th"
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(proto, others[i]) == 0)
            return NFT_NO;
    return NFT_MAYBE;
}

/* right may be a set or a list of words. */
static enum nft_tri nft_any(const struct nft_packet *p, const json_t *left, const json_t *right)
{
    const json_t *set = json_object_get(right, "set"), *list = json_is_array(right) ? right : set;
    enum nft_tri best = NFT_NO;
    size_t i;
    json_t *v;
    if (list == NULL)
        return nft_one(p, left, right);
    if (!json_is_array(list))
        return nft_one(p, left, list);
    json_array_foreach (list, i, v) {
        const json_t *elem = json_object_get(json_object_get(v, "elem"), "val");
        enum nft_tri t = nft_one(p, left, elem != NULL ? elem : v);
        if (t == NFT_YES)
            return NFT_YES;
        best = t == NFT_MAYBE ? t : best;
    }
    return best;
}

static enum nft_tri nft_match(const struct nft_packet *p, const json_t *m)
{
    const char *op = nft_text(m, "op");
    enum nft_tri t = nft_any(p, json_object_get(m, "left"), json_object_get(m, "right"));
    if (t == NFT_MAYBE || strcmp(op, "==") == 0 || strcmp(op, "in") == 0)
        return t;
    if (strcmp(op, "!=") == 0)
        return t == NFT_YES ? NFT_NO : NFT_YES;
    return NFT_MAYBE;
}

/* ---- rules and chains */

static enum nft_verdict nft_chain(struct nft_run *r, const char *name);

static enum nft_verdict nft_statement(struct nft_run *r, const json_t *e)
{
    if (json_object_get(e, "accept") != NULL)
        return NFT_ACCEPT;
    if (json_object_get(e, "drop") != NULL || json_object_get(e, "reject") != NULL)
        return NFT_DROP;
    if (json_object_get(e, "return") != NULL)
        return NFT_RETURN;
    const json_t *jump = json_object_get(e, "jump"), *to = jump != NULL ? jump : json_object_get(e, "goto");
    if (to == NULL)
        return NFT_GO_ON;
    enum nft_verdict v = nft_chain(r, nft_text(to, "target"));
    return v != NFT_RETURN && v != NFT_GO_ON ? v : jump != NULL ? NFT_GO_ON : NFT_RETURN;
}

static enum nft_verdict nft_vmap(struct nft_run *r, const json_t *m, enum nft_tri *how)
{
    size_t i;
    json_t *pair;
    json_array_foreach (json_object_get(json_object_get(m, "data"), "set"), i, pair) {
        enum nft_tri t = nft_any(r->p, json_object_get(m, "key"), json_array_get(pair, 0));
        if (t == NFT_NO)
            continue;
        *how = *how == NFT_MAYBE ? NFT_MAYBE : t;
        return nft_statement(r, json_array_get(pair, 1));
    }
    return NFT_GO_ON;
}

static enum nft_verdict nft_rule(struct nft_run *r, const json_t *rule)
{
    enum nft_tri how = NFT_YES;
    size_t i;
    json_t *e;
    json_array_foreach (json_object_get(rule, "expr"), i, e) {
        const json_t *m = json_object_get(e, "match"), *vmap = json_object_get(e, "vmap");
        enum nft_verdict v = NFT_GO_ON;
        if (m != NULL) {
            enum nft_tri t = nft_match(r->p, m);
            if (t == NFT_NO)
                return NFT_GO_ON;
            how = t == NFT_MAYBE ? t : how;
        } else if (vmap != NULL) {
            v = nft_vmap(r, vmap, &how);
        } else if (json_object_get(e, "limit") != NULL || json_object_get(e, "xt") != NULL ||
                   json_object_get(e, "queue") != NULL) {
            how = NFT_MAYBE;
        } else {
            v = nft_statement(r, e);
        }
        if (v == NFT_GO_ON)
            continue;
        if (how == NFT_YES) {
            if (v == NFT_DROP && r->where[0] == '\0')
                snprintf(r->where, r->size, "table %s %s chain %s, handle %lld", r->family, r->table,
                         nft_text(rule, "chain"),
                         (long long)json_integer_value(json_object_get(rule, "handle")));
            return v;
        }
        r->maybe_accept = r->maybe_accept || v != NFT_DROP;
        return NFT_GO_ON;
    }
    return NFT_GO_ON;
}

static enum nft_verdict nft_chain(struct nft_run *r, const char *name)
{
    enum nft_verdict v = NFT_GO_ON;
    size_t i;
    json_t *o;
    if (r->depth == NFT_DEPTH) {
        r->maybe_accept = true;
        return NFT_GO_ON;
    }
    r->depth++;
    json_array_foreach (r->list, i, o) {
        const json_t *rule = json_object_get(o, "rule");
        if (rule == NULL || strcmp(nft_text(rule, "family"), r->family) != 0 ||
            strcmp(nft_text(rule, "table"), r->table) != 0 || strcmp(nft_text(rule, "chain"), name) != 0)
            continue;
        v = nft_rule(r, rule);
        if (v != NFT_GO_ON)
            break;
    }
    r->depth--;
    return v;
}

static bool nft_hears(const json_t *chain, const struct nft_packet *p)
{
    const char *hook = nft_text(chain, "hook"), *family = nft_text(chain, "family");
    bool mine = strcmp(family, "inet") == 0 || strcmp(family, p->family == 6 ? "ip6" : "ip") == 0;
    return mine && strcmp(nft_text(chain, "type"), "filter") == 0 &&
           (strcmp(hook, "input") == 0 || strcmp(hook, "prerouting") == 0);
}

enum nft_fate nft_judge(const json_t *ruleset, const struct nft_packet *p, char *where, size_t size)
{
    const json_t *list = json_object_get(ruleset, "nftables");
    enum nft_fate fate = NFT_PASSES;
    size_t i;
    json_t *o;
    json_array_foreach (list, i, o) {
        const json_t *chain = json_object_get(o, "chain");
        char here[256] = "";
        if (chain == NULL || !nft_hears(chain, p))
            continue;
        struct nft_run r = { .list = list,
                             .p = p,
                             .family = nft_text(chain, "family"),
                             .table = nft_text(chain, "table"),
                             .where = here,
                             .size = sizeof here };
        enum nft_verdict v = nft_chain(&r, nft_text(chain, "name"));
        bool drops = v == NFT_DROP;
        if (v != NFT_ACCEPT && v != NFT_DROP && strcmp(nft_text(chain, "policy"), "drop") == 0) {
            drops = true;
            snprintf(here, sizeof here, "policy drop of table %s %s chain %s", r.family, r.table,
                     nft_text(chain, "name"));
        }
        if (!drops || fate == NFT_DROPPED)
            continue;
        fate = r.maybe_accept ? NFT_DEPENDS : NFT_DROPPED;
        snprintf(where, size, "%s", here);
    }
    return fate;
}

bool nft_masquerades(const json_t *ruleset)
{
    size_t i, k;
    json_t *o, *e;
    json_array_foreach (json_object_get(ruleset, "nftables"), i, o)
        json_array_foreach (json_object_get(json_object_get(o, "rule"), "expr"), k, e)
            if (json_object_get(e, "masquerade") != NULL || json_object_get(e, "snat") != NULL)
                return true;
    return false;
}
