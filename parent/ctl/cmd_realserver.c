/*
 * cmd_realserver.c - holdctl realserver up|down VIP...: makes this machine a real server of LVS-DR (or TUN
 * over lo) and undoes it: the address with a host prefix on lo, no answer to ARP for it. What the sysctls
 * were before stands in RS_DIR, one file for each network namespace, until the last address goes. Doing it
 * twice changes nothing. Runs with the caller's rights (root); IPv6 needs no sysctl, the kernel does not
 * answer for lo there.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/err.h"
#include "parent/ctl/ctl.h"
#include "parent/ctl/procfs.h"
#include "parent/ctl/render.h"

#define RS_DIR      "/run/holdfast"
#define RS_LOOPBACK "lo"
#define RS_VIPS     256

static const struct {
    const char *path;
    long least;
} rs_sysctls[] = {
    { "net/ipv4/conf/all/arp_ignore", 1 },
    { "net/ipv4/conf/all/arp_announce", 2 },
    { "net/ipv4/conf/lo/arp_ignore", 1 },
    { "net/ipv4/conf/lo/arp_announce", 2 },
};

struct rs {
    struct ctl *c;
    struct nl_sock *nl;
    char file[128];
    int lock;
    json_t *vips;    /* what we put on lo */
    json_t *sysctls; /* path: value before us */
    int failed;
    size_t changes;
};

/* ---- what was before */

static int rs_open(struct rs *t)
{
    struct stat st;
    if (stat("/proc/self/ns/net", &st) < 0)
        return ctl_lost("/proc is not mounted");
    snprintf(t->file, sizeof t->file, RS_DIR "/realserver-%llu.json", (unsigned long long)st.st_ino);
    if ((mkdir(RS_DIR, 0755) < 0 && errno != EEXIST) ||
        (t->lock = open(RS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || flock(t->lock, LOCK_EX) < 0) {
        dprintf(STDERR_FILENO, "holdctl: " RS_DIR ": %s\n", strerror(errno));
        return CTL_FAILED;
    }
    json_t *doc = json_load_file(t->file, 0, NULL);
    t->vips = json_incref(json_object_get(doc, "vips"));
    t->sysctls = json_incref(json_object_get(doc, "sysctls"));
    json_decref(doc);
    t->vips = json_is_array(t->vips) ? t->vips : json_array();
    t->sysctls = json_is_object(t->sysctls) ? t->sysctls : json_object();
    return 0;
}

/* Written before the kernel is touched: whatever happens then can be undone. */
static int rs_save(const struct rs *t)
{
    char tmp[160];
    if (json_array_size(t->vips) == 0 && json_object_size(t->sysctls) == 0)
        return unlink(t->file) < 0 && errno != ENOENT ? -1 : 0;
    json_t *doc = json_pack("{s:i,s:O,s:O}", "format", 1, "vips", t->vips, "sysctls", t->sysctls);
    snprintf(tmp, sizeof tmp, "%s.new", t->file);
    unlink(tmp);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    int rc = fd >= 0 ? json_dumpfd(doc, fd, JSON_INDENT(1)) : -1;
    if (fd >= 0)
        close(fd);
    json_decref(doc);
    return rc < 0 || rename(tmp, t->file) < 0 ? -1 : 0;
}

static void rs_say(struct rs *t, const char *what, const char *about, const char *more)
{
    t->changes++;
    if (!t->c->json)
        printf("%s %s%s\n", about, what, more);
}

static void rs_fail(struct rs *t, const char *about, const char *why)
{
    dprintf(STDERR_FILENO, "holdctl: %s: %s\n", about, why);
    t->failed = CTL_FAILED;
}

/* ---- ARP */

static void rs_sysctls_up(struct rs *t)
{
    long now, before[sizeof rs_sysctls / sizeof *rs_sysctls];
    bool set[sizeof rs_sysctls / sizeof *rs_sysctls] = { false };
    for (size_t i = 0; i < sizeof rs_sysctls / sizeof *rs_sysctls; i++) {
        if (procfs_long(rs_sysctls[i].path, &now) < 0) {
            rs_fail(t, rs_sysctls[i].path, strerror(errno));
            continue;
        }
        before[i] = now;
        set[i] = now < rs_sysctls[i].least;
        if (set[i] && json_object_get(t->sysctls, rs_sysctls[i].path) == NULL)
            json_object_set_new(t->sysctls, rs_sysctls[i].path, json_integer(before[i]));
    }
    if (rs_save(t) < 0)
        rs_fail(t, t->file, strerror(errno));
    for (size_t i = 0; i < sizeof rs_sysctls / sizeof *rs_sysctls && t->failed == 0; i++) {
        char more[64];
        if (!set[i])
            continue;
        snprintf(more, sizeof more, " = %ld (was %ld)", rs_sysctls[i].least, before[i]);
        if (procfs_set_long(rs_sysctls[i].path, rs_sysctls[i].least) < 0)
            rs_fail(t, rs_sysctls[i].path, strerror(errno));
        else
            rs_say(t, "set", rs_sysctls[i].path, more);
    }
}

static void rs_sysctls_down(struct rs *t)
{
    for (size_t i = 0; i < sizeof rs_sysctls / sizeof *rs_sysctls; i++) {
        const json_t *old = json_object_get(t->sysctls, rs_sysctls[i].path);
        char more[64];
        long now;
        if (!json_is_integer(old))
            continue;
        snprintf(more, sizeof more, " = %lld", (long long)json_integer_value(old));
        if (procfs_long(rs_sysctls[i].path, &now) < 0 || now != rs_sysctls[i].least) {
            if (!t->c->json)
                printf("%s was changed by somebody else meanwhile and stays\n", rs_sysctls[i].path);
        } else if (procfs_set_long(rs_sysctls[i].path, (long)json_integer_value(old)) < 0) {
            rs_fail(t, rs_sysctls[i].path, strerror(errno));
            continue;
        } else {
            rs_say(t, "put back", rs_sysctls[i].path, more);
        }
        json_object_del(t->sysctls, rs_sysctls[i].path);
    }
}

/* ---- addresses */

static struct rtnl_addr *rs_addr(const struct ipaddr *ip)
{
    struct rtnl_addr *a = rtnl_addr_alloc();
    struct nl_addr *local = nl_addr_build(ipaddr_af(ip), (void *)(uintptr_t)ip->b, ipaddr_len(ip));
    if (a == NULL || local == NULL)
        fatal("out of memory");
    nl_addr_set_prefixlen(local, (int)ipaddr_len(ip) * 8);
    rtnl_addr_set_ifindex(a, (int)if_nametoindex(RS_LOOPBACK));
    rtnl_addr_set_local(a, local);
    nl_addr_put(local);
    if (ip->family == 6) { /* never a source address of its own accord */
        rtnl_addr_set_flags(a, IFA_F_NODAD);
        rtnl_addr_set_preferred_lifetime(a, 0);
        rtnl_addr_set_valid_lifetime(a, UINT32_MAX);
    }
    return a;
}

/* The interface that holds it, 0: none. */
static int rs_holder(struct rs *t, const struct ipaddr *ip)
{
    struct nl_cache *cache;
    int found = 0;
    if (rtnl_addr_alloc_cache(t->nl, &cache) < 0)
        return 0;
    for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
        struct rtnl_addr *a = (struct rtnl_addr *)o;
        struct nl_addr *l = rtnl_addr_get_local(a);
        if (l != NULL && nl_addr_get_family(l) == ipaddr_af(ip) && nl_addr_get_len(l) == ipaddr_len(ip) &&
            memcmp(nl_addr_get_binary_addr(l), ip->b, ipaddr_len(ip)) == 0)
            found = rtnl_addr_get_ifindex(a);
    }
    nl_cache_free(cache);
    return found;
}

static void rs_remember(struct rs *t, const char *vip, bool there)
{
    size_t i;
    json_t *v;
    json_array_foreach (t->vips, i, v)
        if (strcmp(json_string_value(v), vip) == 0) {
            if (!there)
                json_array_remove(t->vips, i);
            return;
        }
    if (there)
        json_array_append_new(t->vips, json_string(vip));
}

static void rs_vip_up(struct rs *t, const struct ipaddr *ip)
{
    char text[IPADDR_STRLEN], name[IF_NAMESIZE] = "?", why[160];
    int there = rs_holder(t, ip);
    ipaddr_str(ip, text);
    if (there != 0 && there != (int)if_nametoindex(RS_LOOPBACK)) {
        snprintf(why, sizeof why, "is on %s: this machine serves it as director now; not touched",
                 if_indextoname((unsigned int)there, name) != NULL ? name : "another interface");
        rs_fail(t, text, why);
        return;
    }
    rs_remember(t, text, true);
    if (rs_save(t) < 0) {
        rs_fail(t, t->file, strerror(errno));
        return;
    }
    if (there != 0)
        return;
    struct rtnl_addr *a = rs_addr(ip);
    int rc = rtnl_addr_add(t->nl, a, 0);
    rtnl_addr_put(a);
    if (rc < 0)
        rs_fail(t, text, nl_geterror(rc));
    else
        rs_say(t, "is on lo now", text, ip->family == 6 ? "/128" : "/32");
}

static void rs_vip_down(struct rs *t, const struct ipaddr *ip)
{
    char text[IPADDR_STRLEN];
    ipaddr_str(ip, text);
    if (rs_holder(t, ip) == (int)if_nametoindex(RS_LOOPBACK)) {
        struct rtnl_addr *a = rs_addr(ip);
        int rc = rtnl_addr_delete(t->nl, a, 0);
        rtnl_addr_put(a);
        if (rc < 0) {
            rs_fail(t, text, nl_geterror(rc));
            return;
        }
        rs_say(t, "is gone from lo", text, "");
    }
    rs_remember(t, text, false);
}

static void rs_loopback_up(struct rs *t)
{
    struct rtnl_link *link, *want;
    if (rtnl_link_get_kernel(t->nl, 0, RS_LOOPBACK, &link) < 0)
        return;
    if (!(rtnl_link_get_flags(link) & IFF_UP)) {
        want = rtnl_link_alloc();
        rtnl_link_set_flags(want, IFF_UP);
        if (rtnl_link_change(t->nl, link, want, 0) == 0)
            rs_say(t, "is up now", RS_LOOPBACK, "");
        rtnl_link_put(want);
    }
    rtnl_link_put(link);
}

/* ---- the command */

static void rs_up(struct rs *t, const struct ipaddr *vips, size_t n)
{
    bool four = false;
    for (size_t i = 0; i < n; i++)
        four = four || vips[i].family == 4;
    rs_loopback_up(t);
    if (four)
        rs_sysctls_up(t); /* before the address: not one wrong answer */
    for (size_t i = 0; i < n && t->failed == 0; i++)
        rs_vip_up(t, &vips[i]);
}

static bool rs_any_four(const struct rs *t)
{
    size_t i;
    json_t *v;
    json_array_foreach (t->vips, i, v)
        if (strchr(json_string_value(v), ':') == NULL)
            return true;
    return false;
}

static void rs_down(struct rs *t, const struct ipaddr *vips, size_t n)
{
    struct ipaddr ip;
    for (size_t i = 0; i < n; i++)
        rs_vip_down(t, &vips[i]);
    for (size_t i = json_array_size(t->vips); n == 0 && i > 0; i--)
        if (ipaddr_parse(json_string_value(json_array_get(t->vips, i - 1)), &ip) == 0)
            rs_vip_down(t, &ip);
    if (!rs_any_four(t))
        rs_sysctls_down(t);
    if (rs_save(t) < 0)
        rs_fail(t, t->file, strerror(errno));
}

static void rs_show(const struct rs *t)
{
    size_t i;
    json_t *v;
    if (t->c->json) {
        render_print(json_pack("{s:i,s:O,s:O,s:i}", "format", 1, "vips", t->vips, "sysctls_before",
                               t->sysctls, "changes", (int)t->changes));
        return;
    }
    if (t->changes == 0)
        printf("nothing to do\n");
    json_array_foreach (t->vips, i, v)
        printf("real server of %s\n", json_string_value(v));
}

static int rs_work(struct rs *t, const char *word, const struct ipaddr *vips, size_t n)
{
    int rc = rs_open(t);
    if (rc != 0)
        return rc;
    t->nl = nl_socket_alloc();
    if (t->nl == NULL || nl_connect(t->nl, NETLINK_ROUTE) < 0)
        return ctl_lost("netlink cannot be opened");
    if (strcmp(word, "up") == 0)
        rs_up(t, vips, n);
    else if (strcmp(word, "down") == 0)
        rs_down(t, vips, n);
    rs_show(t);
    nl_socket_free(t->nl);
    close(t->lock);
    json_decref(t->vips);
    json_decref(t->sysctls);
    return t->failed;
}

int cmd_realserver(struct ctl *c, int argc, char **argv)
{
    struct rs t = { .c = c, .lock = -1 };
    struct ipaddr vips[RS_VIPS];
    const char *word = NULL;
    size_t n = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            c->json = true;
        } else if (word == NULL) {
            word = argv[i];
        } else if (n == RS_VIPS || ipaddr_parse_prefix(argv[i], &vips[n]) < 0 ||
                   ipaddr_is_multicast(&vips[n])) {
            dprintf(STDERR_FILENO, "holdctl: %s is no address of a service\n", argv[i]);
            return CTL_USAGE;
        } else {
            n++;
        }
    }
    bool up = word != NULL && strcmp(word, "up") == 0, down = word != NULL && strcmp(word, "down") == 0;
    if ((!up && !down && (word == NULL || strcmp(word, "show") != 0)) || (up && n == 0) ||
        (!up && !down && n > 0))
        return ctl_misused("realserver");
    return rs_work(&t, word, vips, n);
}
