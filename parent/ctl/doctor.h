/*
 * doctor.h - `holdctl doctor`: looks at this machine with the eyes of one configuration, a file a subject.
 * Each part only adds findings; none changes anything. Called by cmd_doctor.c.
 */
#ifndef HOLDFAST_PARENT_CTL_DOCTOR_H
#define HOLDFAST_PARENT_CTL_DOCTOR_H

#include "parent/ctl/finding.h"
#include "parent/ctl/node.h"

#define DOCTOR_METHOD_NAT 0
#define DOCTOR_METHOD_TUN 2
#define DOCTOR_METHOD_DR  3

struct doctor {
    const json_t *top; /* NULL: no configuration */
    struct node node;
    struct findings *l;
    json_t *firewall;  /* `nft -j list ruleset`; NULL: not known */
    json_t *legacy[2]; /* of iptables and ip6tables, where the kernel has these; in the same form */
    bool services, nat4, nat6, dr, tun, vmac, persistent;
    double seconds; /* to listen; 0: no probes */
};

void doctor_kernel(struct doctor *d);   /* modules, sysctls, connection tracking */
void doctor_links(struct doctor *d);    /* interfaces, and who else thinks to own them */
void doctor_scripts(struct doctor *d);  /* who runs what, and whether it can */
void doctor_firewall(struct doctor *d); /* the rules against VRRP and the virtual servers */
void doctor_agents(struct doctor *d);   /* holdfast-snmp, holdfast-dbus where they are asked for */

/* Probes: sockets are opened as root, then everything is dropped, then bytes of others are read. */
struct doctor_probe;
struct doctor_probe *doctor_probe_open(struct doctor *d);
void doctor_probe_run(struct doctor *d, struct doctor_probe *p);
void doctor_probe_free(struct doctor_probe *p);

/* doctor_nft.c, pure: what a ruleset does with a packet that comes in. */
struct nft_packet {
    unsigned int family, proto;
    const char *iif;        /* "": not known, but not lo */
    struct ipaddr src, dst; /* src.family 0: anybody */
    uint16_t port;          /* it goes to; 0: protocols without */
};
enum nft_fate { NFT_PASSES, NFT_DROPPED, NFT_DEPENDS };
enum nft_fate nft_judge(const json_t *ruleset, const struct nft_packet *p, char *where, size_t size);
bool nft_masquerades(const json_t *ruleset); /* a nat chain with snat or masquerade */

/* doctor_legacy.c, pure: what iptables-legacy-save prints as a ruleset for nft_judge. */
json_t *legacy_ruleset(const char *text, unsigned int family);

/* Which interface has this address in its network; 0: none. *own: its first address of the family. */
unsigned int doctor_onlink(const struct ipaddr *ip, struct ipaddr *own);
bool doctor_is_own(const struct ipaddr *ip);

#endif
