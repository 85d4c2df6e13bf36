/*
 * doctor_legacy.c - the rules of legacy iptables, as iptables-legacy-save prints them, in the form nft has
 * (doctor_nft.c judges that). What is not understood becomes an "xt", of which nobody knows whether it
 * matches: never a sure verdict. Pure. See doctor.h.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "parent/ctl/doctor.h"

#define LEGACY_WORD 512
#define LEGACY_TABLE                                                                                         \
    "%.30s of iptables-legacy" /* a name of its own: iptables-nft has tables of these names */

struct legacy {
    json_t *list;
    const char *family;
    char table[64];
    unsigned long number; /* of the rule in its chain, which follow each other */
    char chain[64];
};

struct legacy_rule {
    json_t *expr;
    bool inverted;
};

/* The next word; quotes and what is escaped in them are taken away. */
static bool legacy_word(const char **p, char word[LEGACY_WORD])
{
    size_t n = 0;
    bool quoted = false;
    while (**p == ' ')
        ++*p;
    if (**p == '\0')
        return false;
    for (; **p != '\0' && (quoted || **p != ' '); ++*p) {
        if (**p == '"') {
            quoted = !quoted;
            continue;
        }
        if (**p == '\\' && (*p)[1] != '\0')
            ++*p;
        if (n + 1 < LEGACY_WORD)
            word[n++] = **p;
    }
    word[n] = '\0';
    return true;
}

/* Takes over left and right. */
static void legacy_match(struct legacy_rule *r, json_t *left, json_t *right)
{
    json_array_append_new(r->expr, json_pack("{s:{s:s,s:o,s:o}}", "match", "op",
                                             r->inverted ? "!=" : "==", "left", left, "right", right));
    r->inverted = false;
}

static void legacy_unknown(struct legacy_rule *r)
{
    json_array_append_new(r->expr, json_pack("{s:n}", "xt"));
    r->inverted = false;
}

static json_t *legacy_meta(const char *key)
{
    return json_pack("{s:{s:s}}", "meta", "key", key);
}

static json_t *legacy_payload(const char *proto, const char *field)
{
    return json_pack("{s:{s:s,s:s}}", "payload", "protocol", proto, "field", field);
}

static void legacy_address(const struct legacy *l, struct legacy_rule *r, const char *field, const char *text)
{
    struct ipaddr a;
    char addr[IPADDR_STRLEN];
    if (ipaddr_parse_prefix(text, &a) < 0) {
        legacy_unknown(r); /* a mask that is no prefix */
        return;
    }
    legacy_match(r, legacy_payload(l->family, field),
                 json_pack("{s:{s:s,s:i}}", "prefix", "addr", ipaddr_str(&a, addr), "len", (int)a.plen));
}

static json_t *legacy_number(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10), m = n;
    if (*end == ':')
        m = strtol(end + 1, NULL, 10);
    return m == n ? json_integer(n) : json_pack("{s:[i,i]}", "range", (int)n, (int)m);
}

/* A list with commas, each made by fn. */
static json_t *legacy_set(char *text, json_t *(*fn)(const char *word))
{
    json_t *set = json_array();
    char *save = NULL;
    for (char *w = strtok_r(text, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save))
        json_array_append_new(set, fn(w));
    return json_pack("{s:o}", "set", set);
}

static json_t *legacy_lower(const char *word)
{
    char low[LEGACY_WORD];
    size_t n = 0;
    for (; word[n] != '\0' && n + 1 < sizeof low; n++)
        low[n] = (char)tolower((unsigned char)word[n]);
    low[n] = '\0';
    return json_string(low);
}

static void legacy_proto(struct legacy_rule *r, const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (strcmp(text, "all") == 0)
        return;
    legacy_match(r, legacy_meta("l4proto"), *end == '\0' ? json_integer(n) : json_string(text));
}

static void legacy_iface(struct legacy_rule *r, char *text)
{
    size_t n = strlen(text);
    if (n > 0 && text[n - 1] == '+')
        text[n - 1] = '*';
    legacy_match(r, legacy_meta("iifname"), json_string(text));
}

/* Matches that say no more than the options that follow them. */
static bool legacy_plain(const char *module)
{
    static const char *const names[] = { "tcp",     "udp",   "sctp",    "icmp",      "icmp6",    "icmpv6",
                                         "comment", "state", "pkttype", "conntrack", "multiport" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], module) == 0)
            return true;
    return false;
}

static void legacy_option(const struct legacy *l, struct legacy_rule *r, const char *key, char *value)
{
    if (strcmp(key, "-p") == 0)
        legacy_proto(r, value);
    else if (strcmp(key, "-s") == 0 || strcmp(key, "-d") == 0)
        legacy_address(l, r, key[1] == 's' ? "saddr" : "daddr", value);
    else if (strcmp(key, "-i") == 0)
        legacy_iface(r, value);
    else if (strcmp(key, "--ctstate") == 0 || strcmp(key, "--state") == 0)
        legacy_match(r, json_pack("{s:{s:s}}", "ct", "key", "state"), legacy_set(value, legacy_lower));
    else if (strcmp(key, "--pkt-type") == 0)
        legacy_match(r, legacy_meta("pkttype"), json_string(value));
    else if (strcmp(key, "--dport") == 0 || strcmp(key, "--dports") == 0)
        legacy_match(r, legacy_payload("th", "dport"), legacy_set(value, legacy_number));
    else if (strcmp(key, "--comment") != 0 && (strcmp(key, "-m") != 0 || !legacy_plain(value)))
        legacy_unknown(r);
}

static bool legacy_is_chain(const struct legacy *l, const char *name)
{
    size_t i;
    json_t *o;
    json_array_foreach (l->list, i, o) {
        const json_t *c = json_object_get(o, "chain");
        const char *n = json_string_value(json_object_get(c, "name")),
                   *t = json_string_value(json_object_get(c, "table"));
        if (n != NULL && t != NULL && strcmp(n, name) == 0 && strcmp(t, l->table) == 0)
            return true;
    }
    return false;
}

static void legacy_target(const struct legacy *l, struct legacy_rule *r, bool go, const char *name)
{
    static const struct {
        const char *target, *statement;
    } words[] = { { "ACCEPT", "accept" }, { "DROP", "drop" },
                  { "REJECT", "reject" }, { "RETURN", "return" },
                  { "NFQUEUE", "queue" }, { "QUEUE", "queue" },
                  { "SNAT", "snat" },     { "MASQUERADE", "masquerade" } };
    if (legacy_is_chain(l, name)) {
        json_array_append_new(r->expr, json_pack("{s:{s:s}}", go ? "goto" : "jump", "target", name));
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].target, name) == 0)
            json_array_append_new(r->expr, json_pack("{s:n}", words[i].statement));
    /* the others (LOG, MARK, CT ...) let the packet go on */
}

/* Behind "-A ". */
static void legacy_rule(struct legacy *l, const char *p)
{
    char chain[LEGACY_WORD], key[LEGACY_WORD], value[LEGACY_WORD];
    struct legacy_rule r = { .expr = json_array() };
    bool done = !legacy_word(&p, chain);
    while (!done && legacy_word(&p, key)) {
        if (strcmp(key, "!") == 0) {
            r.inverted = true;
            continue;
        }
        if (key[0] != '-')
            continue;                                            /* a further value of what is not known */
        done = strcmp(key, "-j") == 0 || strcmp(key, "-g") == 0; /* what follows belongs to the target */
        const char *at = p;
        bool has = legacy_word(&p, value) && (value[0] != '-' || done || strcmp(key, "--comment") == 0);
        if (!has)
            p = at;
        if (!has)
            legacy_unknown(&r);
        else if (done)
            legacy_target(l, &r, key[1] == 'g', value);
        else
            legacy_option(l, &r, key, value);
    }
    l->number = strncmp(l->chain, chain, sizeof l->chain - 1) == 0 ? l->number + 1 : 1;
    snprintf(l->chain, sizeof l->chain, "%.63s", chain);
    json_array_append_new(l->list, json_pack("{s:{s:s,s:s,s:s,s:I,s:o}}", "rule", "family", l->family,
                                             "table", l->table, "chain", chain, "handle",
                                             (json_int_t)l->number, "expr", r.expr));
}

/* ":INPUT DROP [0:0]" and ":mine - [0:0]" */
static void legacy_chain(struct legacy *l, const char *p)
{
    char name[LEGACY_WORD], policy[LEGACY_WORD];
    if (!legacy_word(&p, name) || !legacy_word(&p, policy))
        return;
    json_t *c = json_pack("{s:s,s:s,s:s}", "family", l->family, "table", l->table, "name", name);
    if (strcmp(policy, "-") != 0) {
        json_object_set_new(c, "type", json_string(strncmp(l->table, "nat ", 4) == 0 ? "nat" : "filter"));
        json_object_set_new(c, "hook", legacy_lower(name));
        json_object_set_new(c, "policy", legacy_lower(policy));
    }
    json_array_append_new(l->list, json_pack("{s:o}", "chain", c));
}

json_t *legacy_ruleset(const char *text, unsigned int family)
{
    struct legacy l = { .list = json_array(), .family = family == 6 ? "ip6" : "ip" };
    char *copy = strdup(text), *save = NULL;
    for (char *line = copy != NULL ? strtok_r(copy, "\n", &save) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (line[0] == '*') {
            snprintf(l.table, sizeof l.table, LEGACY_TABLE, line + 1);
            l.chain[0] = '\0';
        } else if (line[0] == ':') {
            legacy_chain(&l, line + 1);
        } else if (strncmp(line, "-A ", 3) == 0) {
            legacy_rule(&l, line + 3);
        }
    }
    free(copy);
    return json_pack("{s:o}", "nftables", l.list);
}
