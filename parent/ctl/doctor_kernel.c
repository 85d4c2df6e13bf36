/*
 * doctor_kernel.c - the kernel's side: modules that the configuration needs, sysctls of forwarding and of
 * IPVS, connection tracking, ARP of addresses on lo. Reads /proc, /sys and /lib/modules. See doctor.h.
 */
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "parent/ctl/doctor.h"
#include "parent/ctl/procfs.h"
#include "parent/ctl/tool.h"

/* ---- modules */

/* 1: there or loadable, 0: not, -1: cannot be told. */
static int kernel_has_module(const char *name)
{
    char path[512], line[512], slash[128];
    struct utsname u;
    int known = -1;
    snprintf(path, sizeof path, "/sys/module/%s", name);
    if (access(path, F_OK) == 0)
        return 1;
    if (uname(&u) < 0)
        return -1;
    static const char *const lists[] = { "modules.builtin", "modules.dep" };
    snprintf(slash, sizeof slash, "/%s.ko", name);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/lib/modules/%s/%s", u.release, lists[i]);
        FILE *f = fopen(path, "re");
        if (f == NULL)
            continue;
        known = known < 0 ? 0 : known;
        while (fgets(line, sizeof line, f) != NULL) {
            line[strcspn(line, ":\n")] = '\0';
            if (strstr(line, slash) != NULL)
                known = 1;
        }
        fclose(f);
    }
    return known;
}

static void kernel_module(struct doctor *d, const char *name, const char *why)
{
    int has = kernel_has_module(name);
    if (has == 1)
        return;
    struct finding *f = finding_add(d->l, has == 0 ? FINDING_ERROR : FINDING_NOTE, "HD-MODULE", name,
                                    "%s: the module is %s", why,
                                    has == 0 ? "neither loaded nor installed"
                                             : "not loaded, and which are installed "
                                               "cannot be seen from here");
    finding_evidence(f, "not in /sys/module, modules.builtin or modules.dep of the running kernel");
    finding_remedy(f,
                   "modprobe %s; on some distributions it is in an extra package (linux-modules-extra, "
                   "kernel-modules-extra)",
                   name);
}

static void kernel_modules(struct doctor *d)
{
    json_t *vs;
    char name[64];
    if (d->vmac)
        kernel_module(d, "macvlan", "use_vmac makes macvlans");
    if (!d->services)
        return;
    if (access("/proc/net/ip_vs", F_OK) < 0)
        kernel_module(d, "ip_vs", "virtual_server needs IPVS");
    for (size_t i = 0; (vs = model_next(d->top, "vs", &i)) != NULL;) {
        const char *algo = model_str(vs, "lb_algo", model_str(vs, "lvs_sched", "wlc"));
        snprintf(name, sizeof name, "ip_vs_%.40s", algo);
        kernel_module(d, name, "a virtual_server uses this scheduler");
    }
}

/* ---- sysctls */

static void kernel_want(struct doctor *d, enum finding_severity sev, const char *id, const char *sysctl,
                        long want, const char *why)
{
    char dotted[128];
    long now;
    if (procfs_long(sysctl, &now) < 0 || now >= want)
        return;
    snprintf(dotted, sizeof dotted, "%s", sysctl);
    for (char *p = dotted; *p != '\0'; p++)
        *p = *p == '/' ? '.' : *p;
    struct finding *f = finding_add(d->l, sev, id, dotted, "%s", why);
    finding_evidence(f, "%s = %ld", dotted, now);
    finding_remedy(f, "sysctl -w %s=%ld, and the same in /etc/sysctl.d/90-holdfast.conf", dotted, want);
}

static void kernel_sysctls(struct doctor *d)
{
    if (d->nat4)
        kernel_want(d, FINDING_ERROR, "HD-FORWARD", "net/ipv4/ip_forward", 1,
                    "packets to real servers behind NAT are not forwarded");
    if (d->nat6)
        kernel_want(d, FINDING_ERROR, "HD-FORWARD", "net/ipv6/conf/all/forwarding", 1,
                    "packets to real servers behind NAT are not forwarded");
    if (d->services)
        kernel_want(d, FINDING_WARNING, "HD-NODEST", "net/ipv4/vs/expire_nodest_conn", 1,
                    "connections to a server that was taken out hang until they time out");
    if (d->persistent)
        kernel_want(
            d, FINDING_WARNING, "HD-QUIESCENT", "net/ipv4/vs/expire_quiescent_template", 1,
            "persistent clients are sent to a server with weight 0 for as long as their template lives");
    if (d->node.nvi > 0)
        kernel_want(d, FINDING_NOTE, "HD-NONLOCAL", "net/ipv4/ip_nonlocal_bind", 1,
                    "a service that binds the VIP itself cannot start on a BACKUP");
}

static void kernel_conntrack(struct doctor *d)
{
    long count, max, vs;
    if (procfs_long("net/netfilter/nf_conntrack_count", &count) == 0 &&
        procfs_long("net/netfilter/nf_conntrack_max", &max) == 0 && max > 0 && count > max / 10 * 9) {
        struct finding *f = finding_add(d->l, FINDING_ERROR, "HD-CONNTRACK-FULL", "nf_conntrack",
                                        "the table of connections is nearly full: new ones are dropped");
        finding_evidence(f, "%ld of %ld", count, max);
        finding_remedy(f,
                       "sysctl -w net.netfilter.nf_conntrack_max=%ld, or keep the services out of it with a "
                       "notrack rule",
                       max * 4);
    }
    bool nat = d->nat4 || d->nat6;
    if (nat &&
        (nft_masquerades(d->firewall) || nft_masquerades(d->legacy[0]) || nft_masquerades(d->legacy[1])) &&
        procfs_long("net/ipv4/vs/conntrack", &vs) == 0 && vs == 0) {
        struct finding *f =
            finding_add(d->l, FINDING_WARNING, "HD-CONNTRACK", "net.ipv4.vs.conntrack",
                        "the firewall has masquerade or snat rules, which do not see connections of IPVS");
        finding_evidence(f, "net.ipv4.vs.conntrack = 0");
        finding_remedy(f,
                       "sysctl -w net.ipv4.vs.conntrack=1 if those rules are meant for balanced connections");
    }
}

/* ---- this machine as a real server */

static void kernel_loopback_vip(struct doctor *d, const struct ipaddr *ip)
{
    char text[IPADDR_STRLEN];
    long all = 1, lo = 2;
    if (procfs_long("net/ipv4/conf/all/arp_ignore", &all) < 0 ||
        procfs_long("net/ipv4/conf/all/arp_announce", &lo) < 0 || (all >= 1 && lo >= 2))
        return;
    ipaddr_str(ip, text);
    struct finding *f = finding_add(
        d->l, FINDING_ERROR, "HD-ARP-LO", text,
        "stands on lo of this machine, which answers ARP for it: it takes the VIP from the director");
    finding_evidence(f, "net.ipv4.conf.all.arp_ignore = %ld, arp_announce = %ld", all, lo);
    finding_remedy(f, "holdctl realserver up %s", text);
}

static void kernel_loopback(struct doctor *d)
{
    struct ifaddrs *list;
    struct ipaddr ip;
    if (getifaddrs(&list) < 0)
        return;
    for (const struct ifaddrs *a = list; a != NULL; a = a->ifa_next)
        if (a->ifa_addr != NULL && a->ifa_flags & IFF_LOOPBACK && a->ifa_addr->sa_family == AF_INET &&
            ipaddr_from_sockaddr(a->ifa_addr, &ip) == 0 && ip.b[0] != 127)
            kernel_loopback_vip(d, &ip);
    freeifaddrs(list);
}

void doctor_kernel(struct doctor *d)
{
    kernel_modules(d);
    kernel_sysctls(d);
    kernel_conntrack(d);
    kernel_loopback(d);
}
