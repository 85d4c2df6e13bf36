/*
 * doctor_rules.c - two subjects that are judged from text already at hand: adverts against the firewall's
 * rules (doctor_nft.c), commands and their users against this machine (the model's "runs"). See doctor.h.
 */
#include <string.h>
#include <unistd.h>

#include "parent/ctl/check.h"
#include "parent/ctl/doctor.h"
#include "parent/ctl/tool.h"
#include "parent/ctl/wire.h"

/* ---- firewall */

static void rules_packet(const struct node_vi *v, struct nft_packet *p)
{
    *p = (struct nft_packet){ .family = v->family, .proto = PACKET_PROTO, .iif = v->iface };
    if (strcmp(v->auth, "AH") == 0)
        p->proto = PACKET_PROTO_AH;
    if (v->group != NULL && ipaddr_parse(v->group, &p->dst) < 0)
        p->dst = (struct ipaddr){ 0 };
    if (v->group == NULL)
        p->dst = v->src;
    if (v->npeers == 1 && ipaddr_parse(v->peers[0], &p->src) < 0)
        p->src = (struct ipaddr){ 0 };
}

/* Of all the rules there are: what drops it counts. *legacy: where that is. */
static enum nft_fate rules_judge(const struct doctor *d, const struct nft_packet *p, char *where, size_t size,
                                 bool *legacy)
{
    const json_t *const sets[] = { d->firewall, d->legacy[0], d->legacy[1] };
    enum nft_fate worst = NFT_PASSES;
    for (size_t i = 0; i < sizeof sets / sizeof *sets && worst != NFT_DROPPED; i++) {
        char here[256] = "";
        enum nft_fate fate = sets[i] != NULL ? nft_judge(sets[i], p, here, sizeof here) : NFT_PASSES;
        if (fate == NFT_PASSES || (fate == NFT_DEPENDS && worst == NFT_DEPENDS))
            continue;
        worst = fate;
        *legacy = i > 0;
        snprintf(where, size, "%s", here);
    }
    return worst;
}

static void rules_instance(struct doctor *d, const struct node_vi *v)
{
    struct nft_packet p;
    char where[256] = "";
    bool legacy = false;
    rules_packet(v, &p);
    enum nft_fate fate = rules_judge(d, &p, where, sizeof where, &legacy);
    if (fate == NFT_PASSES)
        return;
    bool sure = fate == NFT_DROPPED;
    struct finding *f = finding_add(
        d->l, sure ? FINDING_ERROR : FINDING_NOTE, "HD-FIREWALL", v->name,
        sure ? "the firewall drops VRRP (protocol %u) on %s: this node does not hear the other and becomes "
               "MASTER as well"
             : "whether the firewall lets VRRP (protocol %u) in on %s depends on things that cannot be seen "
               "here",
        p.proto, v->iface);
    finding_evidence(f, "%s", where);
    if (legacy)
        finding_remedy(f, "%s-legacy -I INPUT -p %u -j ACCEPT", v->family == 6 ? "ip6tables" : "iptables",
                       p.proto);
    else
        wire_firewall(f, v->family, p.proto == PACKET_PROTO_AH);
}

/* A virtual server's own port: only what nobody gets through, sources are the administrator's choice. */
static void rules_service(struct doctor *d, const json_t *vs)
{
    const char *proto = model_str(vs, "protocol", "TCP"), *text = model_str(vs, "x_ip", NULL);
    struct nft_packet p = { .port = (uint16_t)model_int(vs, "x_port", 0), .iif = "" };
    char where[256] = "", about[IPADDR_STRLEN + 32];
    bool legacy = false;
    p.proto = strcmp(proto, "UDP") == 0 ? 17 : strcmp(proto, "SCTP") == 0 ? 132 : 6;
    if (p.port == 0 || text == NULL || ipaddr_parse(text, &p.dst) < 0)
        return;
    p.family = p.dst.family;
    if (rules_judge(d, &p, where, sizeof where, &legacy) != NFT_DROPPED)
        return;
    snprintf(about, sizeof about, p.family == 6 ? "[%s]:%u" : "%s:%u", text, p.port);
    struct finding *f =
        finding_add(d->l, FINDING_ERROR, "HD-FIREWALL-SERVICE", about,
                    "the firewall drops what comes for it (%s): no client reaches the service", proto);
    finding_evidence(f, "%s", where);
    char low[8] = "tcp";
    snprintf(low, sizeof low, "%s", p.proto == 17 ? "udp" : p.proto == 132 ? "sctp" : "tcp");
    if (legacy)
        finding_remedy(f, "%s-legacy -I INPUT -d %s -p %s --dport %u -j ACCEPT",
                       p.family == 6 ? "ip6tables" : "iptables", text, low, p.port);
    else
        finding_remedy(f, "nft insert rule inet filter input %s daddr %s %s dport %u accept",
                       p.family == 6 ? "ip6" : "ip", text, low, p.port);
}

void doctor_firewall(struct doctor *d)
{
    json_t *vs;
    for (size_t i = 0; i < d->node.nvi; i++)
        rules_instance(d, &d->node.vi[i]);
    for (size_t i = 0; d->top != NULL && (vs = model_next(d->top, "vs", &i)) != NULL;)
        rules_service(d, vs);
    if (d->node.nvi > 0 && d->firewall == NULL)
        finding_add(d->l, FINDING_NOTE, "HD-FIREWALL-UNSEEN", "nft",
                    geteuid() == 0
                        ? "the rules of the firewall cannot be read (no nft here); the probe listens instead"
                        : "the rules of the firewall cannot be read without root");
}

/* ---- scripts */

static const char *rules_text(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s != NULL ? s : "";
}

static void rules_script_file(struct doctor *d, const json_t *j, const char *about)
{
    const char *file = rules_text(j, "file"), *path = rules_text(j, "path"), *part = rules_text(j, "part");
    bool root = json_is_true(json_object_get(j, "root"));
    if (strcmp(file, "ok") == 0 || strcmp(file, "unseen") == 0 || (strcmp(file, "unsafe") == 0 && !root))
        return;
    bool unsafe = strcmp(file, "unsafe") == 0;
    struct finding *f = finding_add(
        d->l, unsafe ? FINDING_WARNING : FINDING_ERROR, unsafe ? "HD-SCRIPT-UNSAFE" : "HD-SCRIPT-FILE", about,
        "%s %s", path[0] != '\0' ? path : "its command",
        unsafe ? "runs as root, but others can change it" : rules_text(j, "file_means"));
    if (unsafe) {
        finding_evidence(f, "%s", part);
        finding_remedy(f, "chown root %s; chmod go-w %s; or script_user with another user", part, part);
    } else {
        finding_remedy(f, "put an executable file there, or correct the path in the configuration");
    }
}

void doctor_scripts(struct doctor *d)
{
    json_t *list = explain_json(d->top), *j;
    size_t i;
    json_array_foreach (list, i, j) {
        const char *about = rules_text(j, "of"), *user = rules_text(j, "user");
        if (!json_is_true(json_object_get(j, "user_exists"))) {
            struct finding *f =
                finding_add(d->l, FINDING_ERROR, "HD-SCRIPT-USER", about,
                            "runs as %s, and there is no such user: it counts as failed", user);
            finding_evidence(f, "%s", rules_text(j, "because"));
            finding_remedy(
                f, "useradd --system --no-create-home --shell /usr/sbin/nologin %s, or another script_user",
                user);
        }
        rules_script_file(d, j, about);
    }
    json_decref(list);
}
