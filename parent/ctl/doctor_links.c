/*
 * doctor_links.c - the interfaces of the configuration: are they there, and does systemd-networkd or
 * NetworkManager think they are its own and take our addresses, routes and rules away. Reads /run and /etc.
 * See doctor.h.
 */
#include <glob.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/ctl/doctor.h"
#include "parent/ctl/procfs.h"
#include "parent/ctl/tool.h"

#define LINKS_NETWORKD "/run/systemd/netif/links/"
#define LINKS_NM       "/run/NetworkManager/devices/"

/* The last of the file and its drop-ins. */
static bool links_setting(const char *file, const char *section, const char *key, char *out, size_t size)
{
    static const char *const roots[] = { "/usr/lib/systemd", "/lib/systemd", "/run/systemd", "/etc/systemd" };
    const char *base = strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file;
    bool found = procfs_ini(file, section, key, out, size) == 0;
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        char pattern[512];
        glob_t g;
        snprintf(pattern, sizeof pattern, "%s%s/%.200s.d/*.conf", roots[i],
                 strstr(base, ".network") != NULL ? "/network" : "", base);
        if (glob(pattern, 0, NULL, &g) == 0) {
            for (size_t k = 0; k < g.gl_pathc; k++)
                found = procfs_ini(g.gl_pathv[k], section, key, out, size) == 0 || found;
            globfree(&g);
        }
    }
    return found;
}

static bool links_no(const char *s)
{
    static const char *const words[] = { "no", "false", "0", "off", "n", "f" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(s, words[i]) == 0)
            return true;
    return false;
}

static void links_foreign(struct doctor *d, const char *kind, const char *key, const char *what)
{
    char value[64] = "";
    bool ours = false;
    json_t *o;
    for (size_t i = 0; (o = model_next(d->top, "vi", &i)) != NULL;)
        ours = ours || model_first(o, kind) != NULL;
    ours = ours || model_first(d->top, kind) != NULL;
    if (!ours ||
        (links_setting("/etc/systemd/networkd.conf", "Network", key, value, sizeof value) && links_no(value)))
        return;
    struct finding *f =
        finding_add(d->l, FINDING_WARNING, "HD-NETWORKD-FOREIGN", key,
                    "systemd-networkd removes %s that are not its own when it starts or reloads", what);
    finding_evidence(f, "%s", value[0] != '\0' ? value : "not set: yes is the default");
    finding_remedy(
        f, "in /etc/systemd/networkd.conf below [Network]: %s=no; systemctl restart systemd-networkd", key);
}

static void links_networkd(struct doctor *d, const char *ifname, unsigned int index)
{
    char path[128], file[512] = "", keep[64] = "", text[4096];
    snprintf(path, sizeof path, LINKS_NETWORKD "%u", index);
    if (procfs_read(path, text, sizeof text) < 0 || strstr(text, "ADMIN_STATE=unmanaged") != NULL)
        return;
    const char *at = strstr(text, "NETWORK_FILE=");
    if (at != NULL)
        snprintf(file, sizeof file, "%.*s", (int)strcspn(at + 13, "\n"), at + 13);
    if (file[0] == '\0')
        return;
    links_foreign(d, "route", "ManageForeignRoutes", "routes");
    links_foreign(d, "rule", "ManageForeignRoutingPolicyRules", "policy rules");
    if (links_setting(file, "Network", "KeepConfiguration", keep, sizeof keep) &&
        (strcmp(keep, "yes") == 0 || strcmp(keep, "static") == 0 || strcmp(keep, "true") == 0))
        return;
    struct finding *f = finding_add(
        d->l, FINDING_WARNING, "HD-NETWORKD", ifname,
        "systemd-networkd manages it and removes the VIP when it restarts or reconfigures the link");
    finding_evidence(f, "%s has %s%s", file, keep[0] != '\0' ? "KeepConfiguration=" : "no KeepConfiguration",
                     keep);
    finding_remedy(f, "in %s below [Network]: KeepConfiguration=static; networkctl reload", file);
    finding_remedy(f, "(holdfast puts a VIP back at once, but clients may notice)");
}

static void links_nm(struct doctor *d, const char *ifname, unsigned int index)
{
    char path[128], managed[32] = "";
    snprintf(path, sizeof path, LINKS_NM "%u", index);
    if (procfs_ini(path, "device", "managed", managed, sizeof managed) < 0 || links_no(managed))
        return;
    struct finding *f =
        finding_add(d->l, FINDING_WARNING, "HD-NM", ifname,
                    "NetworkManager manages it and removes the VIP when its connection is activated again");
    finding_evidence(f, "%s says managed=%s", path, managed);
    finding_remedy(
        f,
        "nmcli device set %s managed no, and for good in /etc/NetworkManager/conf.d/holdfast.conf: [keyfile] "
        "unmanaged-devices=interface-name:%s (the interface then needs another owner of its own address)",
        ifname, ifname);
}

static bool links_flag(const char *ifname, unsigned int flag)
{
    struct ifaddrs *list;
    bool set = false;
    if (getifaddrs(&list) < 0)
        return true;
    for (const struct ifaddrs *a = list; a != NULL; a = a->ifa_next)
        set = set || (strcmp(a->ifa_name, ifname) == 0 && (a->ifa_flags & flag) != 0);
    freeifaddrs(list);
    return set;
}

static void links_one(struct doctor *d, const char *ifname)
{
    unsigned int index = if_nametoindex(ifname);
    if (index == 0) {
        finding_remedy(finding_add(d->l, FINDING_ERROR, "HD-IFACE", ifname,
                                   "does not exist: its instances wait in FAULT"),
                       "ip link shows what there is; correct `interface`");
        return;
    }
    if (!links_flag(ifname, IFF_UP) || !links_flag(ifname, IFF_RUNNING))
        finding_remedy(finding_add(d->l, FINDING_ERROR, "HD-IFACE", ifname,
                                   "is down or has no carrier: its instances are in FAULT"),
                       "ip link set %s up; look at the cable and at the switch", ifname);
    links_networkd(d, ifname, index);
    links_nm(d, ifname, index);
}

unsigned int doctor_onlink(const struct ipaddr *ip, struct ipaddr *own)
{
    struct ifaddrs *list;
    unsigned int found = 0;
    struct ipaddr a, m;
    if (getifaddrs(&list) < 0)
        return 0;
    for (const struct ifaddrs *e = list; e != NULL && found == 0; e = e->ifa_next) {
        bool same = e->ifa_addr != NULL && e->ifa_netmask != NULL && !(e->ifa_flags & IFF_LOOPBACK) &&
                    e->ifa_addr->sa_family == ipaddr_af(ip) && ipaddr_from_sockaddr(e->ifa_addr, &a) == 0 &&
                    ipaddr_from_sockaddr(e->ifa_netmask, &m) == 0 && !ipaddr_same(&a, ip);
        unsigned int bits = 0;
        for (size_t i = 0; same && i < ipaddr_len(ip); i++) {
            same = ((a.b[i] ^ ip->b[i]) & m.b[i]) == 0;
            bits |= (unsigned int)(uint8_t)~m.b[i];
        }
        if (same && bits != 0) {
            found = if_nametoindex(e->ifa_name);
            *own = a;
        }
    }
    freeifaddrs(list);
    return found;
}

bool doctor_is_own(const struct ipaddr *ip)
{
    struct ifaddrs *list;
    struct ipaddr a;
    bool own = false;
    if (getifaddrs(&list) < 0)
        return false;
    for (const struct ifaddrs *e = list; e != NULL; e = e->ifa_next)
        own = own || (e->ifa_addr != NULL && e->ifa_addr->sa_family == ipaddr_af(ip) &&
                      ipaddr_from_sockaddr(e->ifa_addr, &a) == 0 && ipaddr_same(&a, ip));
    freeifaddrs(list);
    return own;
}

void doctor_links(struct doctor *d)
{
    for (size_t i = 0; i < d->node.nvi; i++) {
        bool before = d->node.vi[i].iface[0] == '\0';
        for (size_t k = 0; k < i; k++)
            before = before || strcmp(d->node.vi[k].iface, d->node.vi[i].iface) == 0;
        if (!before)
            links_one(d, d->node.vi[i].iface);
    }
}
