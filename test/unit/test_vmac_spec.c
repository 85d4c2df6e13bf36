/*
 * test_vmac_spec.c - macvlans and ipvlans of a configuration: names and their collisions, addresses, what
 * sockets and addresses are told, the requests to the kernel, and whether a link that is there is the one
 * that is wanted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

#include <cmocka.h>

#include "ipvsd/nft_vmac.h"
#include "ipvsd/vmac_spec.h"
#include "test/unit/conf_tree_util.h"

#define VI(name, vrid, more, vips)                                                                           \
    "vrrp_instance " name " {\n interface eth0\n virtual_router_id " #vrid "\n" more                         \
    " virtual_ipaddress {\n" vips " }\n}\n"

static struct vmac_spec spec(const struct slice *s, const char *name)
{
    struct vmac_spec v;
    const struct slice_obj *o = slice_find(s, BLK_VMAC, name);
    assert_non_null(o);
    assert_int_equal(vmac_spec_read(o, &v), 0);
    return v;
}

static void is_mac(const struct vmac_spec *v, uint64_t want)
{
    uint64_t is = 0;
    for (int i = 0; i < 6; i++)
        is = is << 8 | v->mac[i];
    assert_true(is == want);
}

static void names(void **state)
{
    struct tree t;
    (void)state;
    tree_load(&t, VI("A", 51, " use_vmac\n", " 10.0.0.1/24\n")
                      VI("B", 51, " version 3\n use_vmac\n", " fe80::1\n")
                          VI("C", 51, " use_vmac\n mcast_dst_ip 224.0.0.81\n", " 10.0.0.2/24\n")
                              VI("D", 52, " use_vmac vrrp.53\n", " 10.0.0.3/24\n")
                                  VI("E", 53, " use_vmac 02:01:02:03:04\n", " 10.0.0.4/24\n fd00::1\n")
                                      VI("F", 54, "", " 10.0.0.5/24\n"));
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    struct vmac_spec v = spec(s, "vrrp.51");
    assert_string_equal(v.base, "eth0");
    is_mac(&v, UINT64_C(0x00005e000133));
    assert_true(v.v4 && !v.v6 && !v.grouped);
    v = spec(s, "vrrp6.51");
    is_mac(&v, UINT64_C(0x00005e000233));
    assert_true(v.v6 && !v.v4);
    v = spec(s, "vrrp1.51");
    is_mac(&v, UINT64_C(0x00005e000133));
    v = spec(s, "vrrp.53"); /* chosen by D: E yields */
    is_mac(&v, UINT64_C(0x00005e000134));
    v = spec(s, "vrrp1.53");
    is_mac(&v, UINT64_C(0x020102030435)); /* five octets and the VRID */
    assert_string_equal(slice_str(slice_find(s, BLK_VI, "E"), KW_VI_X_VMAC, ""), "vrrp1.53");
    assert_false(slice_has(slice_find(s, BLK_VI, "F"), KW_VI_X_VMAC));
    slice_free(s);
    tree_unload(&t);
}

static void users(void **state)
{
    struct tree t;
    (void)state;
    tree_load(&t, VI("A", 51, " use_vmac name m1 group 7\n", " 10.0.0.1/24\n 10.0.1.1/24 dev eth1\n")
                      VI("B", 52, " use_vmac\n vmac_xmit_base\n", " 10.0.0.2/24\n"));
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    const struct slice_obj *a = slice_find(s, BLK_VI, "A"), *b = slice_find(s, BLK_VI, "B"), *o;
    struct vmac_spec v = spec(s, "m1");
    assert_true(v.grouped && v.group == 7);
    o = slice_find(s, BLK_SOCKET, slice_str(a, KW_VI_X_SOCKET, ""));
    assert_string_equal(o->name, "m1/4/mcast/224.0.0.18");
    assert_string_equal(slice_str(o, KW_SOCKET_X_IFACE, ""), "m1");
    assert_string_equal(slice_str(o, KW_SOCKET_X_BASE, ""), "eth0");
    o = slice_find(s, BLK_SOCKET, slice_str(b, KW_VI_X_SOCKET, ""));
    assert_string_equal(slice_str(o, KW_SOCKET_X_IFACE, ""), "eth0");
    assert_false(slice_has(o, KW_SOCKET_X_BASE));
    assert_non_null(slice_find(s, BLK_ADDR, "10.0.0.1/24@m1"));
    assert_non_null(slice_find(s, BLK_ADDR, "10.0.1.1/24@eth1"));
    assert_non_null(slice_find(s, BLK_ADDR, "10.0.0.2/24@vrrp.52"));
    assert_non_null(slice_find(s, BLK_IFACE, "m1"));
    assert_non_null(slice_find(s, BLK_IFACE, "vrrp.52"));
    slice_free(s);
    tree_unload(&t);
}

static void addresses_elsewhere(void **state)
{
    struct tree t;
    (void)state;
    tree_load(&t, "global_defs {\n vmac_prefix v\n vmac_addr_prefix x\n}\n" VI(
                      "A", 51, " use_vmac\n use_vmac_addr\n",
                      " 10.0.0.1/24\n 10.0.1.1/24 dev eth1\n 10.0.1.2/24 dev eth1\n")
                      VI("B", 52, "", " 10.0.0.2/24 use_vmac\n 10.0.0.3/24\n"));
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    struct vmac_spec v = spec(s, "v.51");
    v = spec(s, "x.51");
    assert_string_equal(v.base, "eth1");
    is_mac(&v, UINT64_C(0x00005e000133));
    assert_null(slice_find(s, BLK_VMAC, "x1.51")); /* two addresses, one macvlan */
    assert_non_null(slice_find(s, BLK_ADDR, "10.0.1.1/24@x.51"));
    assert_non_null(slice_find(s, BLK_ADDR, "10.0.1.2/24@x.51"));
    assert_non_null(slice_find(s, BLK_IFACE, "eth1"));
    v = spec(s, "x.52");
    assert_string_equal(v.base, "eth0");
    assert_non_null(slice_find(s, BLK_ADDR, "10.0.0.2/24@x.52"));
    assert_non_null(slice_find(s, BLK_ADDR, "10.0.0.3/24@eth0"));
    slice_free(s);
    tree_unload(&t);
}

/* The macvlan of an IPv4 instance has the wrong MAC for an IPv6 address, and the other way round. */
static void addresses_of_the_other_family(void **state)
{
    struct tree t;
    (void)state;
    tree_load(
        &t, VI("A", 51, " use_vmac\n use_vmac_addr\n virtual_ipaddress_excluded {\n fd00::5\n }\n",
               " 10.0.0.1/24\n")
                VI("B", 52, " use_vmac_addr\n virtual_ipaddress_excluded {\n fd00::6\n }\n", " 10.0.0.2/24\n")
                    VI("C", 53, " use_vmac\n virtual_ipaddress_excluded {\n fd00::7\n fd00::8 use_vmac\n }\n",
                       " 10.0.0.3/24\n"));
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    struct vmac_spec v = spec(s, "vrrp6.51");
    assert_string_equal(v.base, "eth0");
    is_mac(&v, UINT64_C(0x00005e000233));
    assert_non_null(slice_find(s, BLK_ADDR, "fd00::5/128@vrrp6.51"));
    assert_non_null(slice_find(s, BLK_ADDR, "10.0.0.1/24@vrrp.51"));
    assert_non_null(slice_find(s, BLK_ADDR, "fd00::6/128@vrrp.52"));
    assert_non_null(slice_find(s, BLK_ADDR, "10.0.0.2/24@eth0"));
    assert_non_null(slice_find(s, BLK_ADDR, "fd00::7/128@vrrp.53")); /* as the manual says */
    assert_non_null(slice_find(s, BLK_ADDR, "fd00::8/128@vrrp6.53"));
    slice_free(s);
    tree_unload(&t);
}

/* One network, one VRID: a macvlan makes no difference. */
static void same_vrid(void **state)
{
    struct tree t;
    (void)state;
    tree_load(&t, VI("A", 51, " use_vmac\n", " 10.0.0.1/24\n") VI("B", 51, "", " 10.0.0.2/24\n"));
    assert_true(tree_said(&t, DIAG_ERROR, "HF-VRID-DUP", 0, "eth0"));
    tree_unload(&t);
    tree_load(&t, VI("A", 51, " use_vmac\n", " 10.0.0.1/24\n") VI("B", 52, "", " 10.0.0.2/24\n"));
    assert_false(tree_said(&t, DIAG_ERROR, "HF-VRID-DUP", 0, "eth0"));
    tree_unload(&t);
}

static void unicast(void **state)
{
    struct tree t;
    (void)state;
    tree_load(&t, VI("A", 51, " use_vmac\n unicast_peer {\n 10.0.0.9\n }\n", " 10.0.0.1/24\n"));
    assert_true(tree_said(&t, DIAG_WARNING, "HF-VMAC-UNICAST", 0, "eth0"));
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    const struct slice_obj *a = slice_find(s, BLK_VI, "A");
    assert_true(slice_bool(a, KW_VI_VMAC_XMIT_BASE, false));
    assert_string_equal(
        slice_str(slice_find(s, BLK_SOCKET, slice_str(a, KW_VI_X_SOCKET, "")), KW_SOCKET_X_IFACE, ""),
        "eth0");
    slice_free(s);
    tree_unload(&t);
}

static void fits(void **state)
{
    (void)state;
    struct vmac_spec v = { .name = "vrrp.51", .base = "eth0", .mac = { 0, 0, 0x5e, 0, 1, 51 } };
    uint8_t other[6] = { 2, 0, 0, 0, 0, 1 };
    struct kevent_macvlan is = { .macvlan = true, .lower = 3, .mode = MACVLAN_MODE_PRIVATE };
    assert_int_equal(vmac_spec_fit(&v, 3, &is, v.mac, 6), VMAC_FIT_YES);
    assert_int_equal(vmac_spec_fit(&v, 3, &is, other, 6), VMAC_FIT_MAC);
    assert_int_equal(vmac_spec_fit(&v, 3, &is, v.mac, 0), VMAC_FIT_MAC);
    assert_int_equal(vmac_spec_fit(&v, 4, &is, v.mac, 6), VMAC_FIT_OTHER);
    is.mode = MACVLAN_MODE_BRIDGE;
    assert_int_equal(vmac_spec_fit(&v, 3, &is, v.mac, 6), VMAC_FIT_OTHER);
    is = (struct kevent_macvlan){ .lower = 3 };
    assert_int_equal(vmac_spec_fit(&v, 3, &is, v.mac, 6), VMAC_FIT_OTHER);
}

/* use_ipvlan: an interface like a macvlan's, its address a static one and the source of adverts. */
static void ipvlans(void **state)
{
    struct tree t;
    struct ipaddr src, want;
    (void)state;
    tree_load(&t, VI("A", 51, " use_ipvlan 10.0.0.51/24 private\n", " 10.0.0.1/24\n")
                      VI("B", 52, " use_ipvlan name iv 10.0.0.52/24 group 7\n", " 10.0.0.2/24\n")
                          VI("C", 53, " version 3\n use_ipvlan\n", " fe80::1\n")
                              VI("D", 54, " version 3\n use_ipvlan fe80::54/64 vepa\n", " fe80::2\n"));
    assert_true(tree_said(&t, DIAG_WARNING, "HF-IPVLAN-MODE", 0, "that of A counts"));
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    const struct slice_obj *a = slice_find(s, BLK_VI, "A"), *o;
    struct vmac_spec v = spec(s, "vrrp.51");
    assert_true(v.ipvlan && v.flags == IPVLAN_F_PRIVATE && v.v4 && !v.v6);
    assert_string_equal(v.base, "eth0");
    v = spec(s, "iv");
    assert_true(v.ipvlan && v.flags == IPVLAN_F_PRIVATE && v.grouped && v.group == 7);
    assert_true(spec(s, "vrrp.53").v6 && spec(s, "vrrp.54").v6);
    o = slice_find(s, BLK_ADDR, "10.0.0.51/24@vrrp.51");
    assert_non_null(o);
    assert_int_equal(o->parent, 0); /* there as long as the interface is */
    assert_non_null(slice_find(s, BLK_ADDR, "10.0.0.1/24@vrrp.51"));
    assert_non_null(slice_find(s, BLK_ADDR, "fe80::54/64@vrrp.54"));
    o = slice_find(s, BLK_SOCKET, slice_str(a, KW_VI_X_SOCKET, ""));
    assert_string_equal(slice_str(o, KW_SOCKET_X_IFACE, ""), "vrrp.51");
    slice_free(s);
    s = tree_slice(&t, ROLE_VRRPD);
    a = slice_find(s, BLK_VI, "A");
    assert_true(slice_ip(a, KW_VI_X_SRC, &src) && ipaddr_parse("10.0.0.51", &want) == 0);
    assert_true(ipaddr_same(&src, &want));
    assert_false(slice_ip(slice_find(s, BLK_VI, "C"), KW_VI_X_SRC, &src));
    slice_free(s);
    tree_unload(&t);
}

static void ipvlans_refused(void **state)
{
    struct tree t;
    (void)state;
    tree_load(&t, VI("A", 51, " use_ipvlan\n", " 10.0.0.1/24\n"));
    assert_true(tree_said(&t, DIAG_ERROR, "HF-IPVLAN-ADDR", 0, "needs an IPv4 address"));
    tree_unload(&t);
    tree_load(&t, VI("A", 51, " use_ipvlan fd00::5/64\n", " 10.0.0.1/24\n"));
    assert_true(tree_said(&t, DIAG_ERROR, "HF-FAMILY", 0, "IPv6"));
    tree_unload(&t);
    tree_load(&t, VI("A", 51, " use_ipvlan 10.0.0.1/24\n", " 10.0.0.1/24\n"));
    assert_true(tree_said(&t, DIAG_ERROR, "HF-IPVLAN-ADDR", 0, "virtual address"));
    tree_unload(&t);
    tree_load(&t, VI("A", 51, " use_vmac\n use_ipvlan 10.0.0.5/24\n", " 10.0.0.1/24\n"));
    assert_true(tree_said(&t, DIAG_WARNING, "HF-NO-EFFECT", 0, "use_vmac"));
    tree_unload(&t);
}

/* vrf is where the socket of a unicast instance without interface is bound. */
static void vrfs(void **state)
{
    struct tree t;
    (void)state;
#define VRF(name, dev)                                                                                       \
    "vrrp_instance " name " {\n vrf " dev "\n virtual_router_id 51\n unicast_src_ip 10.0.0.1\n"              \
    " unicast_peer {\n 10.0.0.2\n }\n virtual_ipaddress {\n 10.0.0.9/24 dev eth0\n }\n}\n"
    tree_load(&t, VRF("A", "blue") VRF("B", "red"));
    assert_false(tree_said(&t, DIAG_ERROR, "HF-VRID-DUP", 0, ""));
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    const struct slice_obj *o =
        slice_find(s, BLK_SOCKET, slice_str(slice_find(s, BLK_VI, "A"), KW_VI_X_SOCKET, ""));
    assert_string_equal(o->name, "blue/4/uni/10.0.0.1");
    assert_string_equal(slice_str(o, KW_SOCKET_X_IFACE, ""), "blue");
    assert_non_null(slice_find(s, BLK_IFACE, "red"));
    slice_free(s);
    tree_unload(&t);
    tree_load(&t, VI("A", 51, " vrf blue\n", " 10.0.0.1/24\n"));
    assert_true(tree_said(&t, DIAG_WARNING, "HF-NO-EFFECT", 0, "vrf"));
    tree_unload(&t);
}

static void fits_ipvlan(void **state)
{
    (void)state;
    struct vmac_spec v = { .name = "vrrp.51", .base = "eth0", .ipvlan = true, .flags = IPVLAN_F_VEPA };
    uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
    struct kevent_macvlan is = { .ipvlan = true, .lower = 3, .mode = IPVLAN_MODE_L2, .flags = IPVLAN_F_VEPA };
    assert_int_equal(vmac_spec_fit(&v, 3, &is, mac, 6), VMAC_FIT_YES); /* whatever its address */
    assert_int_equal(vmac_spec_fit(&v, 4, &is, mac, 6), VMAC_FIT_OTHER);
    is.flags = 0;
    assert_int_equal(vmac_spec_fit(&v, 3, &is, mac, 6), VMAC_FIT_MAC);
    is.mode = IPVLAN_MODE_L3;
    assert_int_equal(vmac_spec_fit(&v, 3, &is, mac, 6), VMAC_FIT_OTHER);
    is = (struct kevent_macvlan){ .macvlan = true, .lower = 3, .mode = MACVLAN_MODE_PRIVATE };
    assert_int_equal(vmac_spec_fit(&v, 3, &is, mac, 6), VMAC_FIT_OTHER);
}

static void keep(const struct kevent *e, void *arg)
{
    *(struct kevent *)arg = *e;
}

/* What we ask for is what we would recognise in the kernel's news. */
static void requests(void **state)
{
    (void)state;
    struct vmac_spec v = { .name = "vrrp.51", .base = "eth0", .mac = { 0, 0, 0x5e, 0, 1, 51 } };
    struct kevent e = { 0 };
    struct kevent_end end = { 0 };
    struct nl_msg *m = vmac_spec_create(&v, 3);
    assert_non_null(m);
    struct nlmsghdr *h = nlmsg_hdr(m);
    assert_int_equal(h->nlmsg_type, RTM_NEWLINK);
    assert_int_equal(h->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL), NLM_F_CREATE | NLM_F_EXCL);
    ((struct ifinfomsg *)nlmsg_data(h))->ifi_index = 9; /* the kernel's answer has one */
    kevent_walk(h, h->nlmsg_len, keep, &e, &end);
    assert_int_equal(e.kind, KEVENT_LINK);
    assert_string_equal(e.link.name, "vrrp.51");
    assert_int_equal(vmac_spec_fit(&v, 3, &e.link.vlan, e.link.mac, e.link.mac_len), VMAC_FIT_YES);
    assert_false(e.link.vlan.ours);
    nlmsg_free(m);
    m = vmac_spec_raise(&v, 9, &(struct vmac_change){ .near = true, .ours = true });
    h = nlmsg_hdr(m);
    struct ifinfomsg *ifi = nlmsg_data(h);
    assert_true((ifi->ifi_flags & IFF_UP) != 0 && (ifi->ifi_change & IFF_UP) != 0 && ifi->ifi_index == 9);
    assert_int_equal(h->nlmsg_flags & NLM_F_CREATE, 0);
    struct nlattr *alias = nlmsg_find_attr(h, sizeof *ifi, IFLA_IFALIAS);
    assert_non_null(alias);
    assert_int_equal(nla_strcmp(alias, KEVENT_OUR_ALIAS), 0);
    nlmsg_free(m);
    m = vmac_spec_raise(&v, 9, &(struct vmac_change){ 0 }); /* an administrator's is not marked */
    assert_null(nlmsg_find_attr(nlmsg_hdr(m), sizeof *ifi, IFLA_IFALIAS));
    nlmsg_free(m);
    m = vmac_spec_delete(9);
    assert_int_equal(nlmsg_hdr(m)->nlmsg_type, RTM_DELLINK);
    nlmsg_free(m);
}

static void requests_ipvlan(void **state)
{
    (void)state;
    struct vmac_spec v = { .name = "vrrp.51", .base = "eth0", .ipvlan = true, .flags = IPVLAN_F_PRIVATE };
    struct kevent e = { 0 };
    struct kevent_end end = { 0 };
    struct nl_msg *m = vmac_spec_create(&v, 3);
    struct nlmsghdr *h = nlmsg_hdr(m);
    ((struct ifinfomsg *)nlmsg_data(h))->ifi_index = 9;
    kevent_walk(h, h->nlmsg_len, keep, &e, &end);
    assert_int_equal(e.link.mac_len, 0); /* it has that of the interface below */
    assert_int_equal(vmac_spec_fit(&v, 3, &e.link.vlan, e.link.mac, e.link.mac_len), VMAC_FIT_YES);
    nlmsg_free(m);
    m = vmac_spec_raise(&v, 9, &(struct vmac_change){ .near = true, .ours = true, .move = true, .vrf = 12 });
    struct nlattr *master = nlmsg_find_attr(nlmsg_hdr(m), sizeof(struct ifinfomsg), IFLA_MASTER);
    assert_non_null(master);
    assert_int_equal(nla_get_u32(master), 12);
    assert_null(nlmsg_find_attr(nlmsg_hdr(m), sizeof(struct ifinfomsg), IFLA_ADDRESS));
    assert_non_null(nlmsg_find_attr(nlmsg_hdr(m), sizeof(struct ifinfomsg), IFLA_LINKINFO));
    nlmsg_free(m);
}

static unsigned int count(const struct nft_msgs *b, uint32_t acked)
{
    unsigned int n = 0;
    int left = (int)b->len;
    for (struct nlmsghdr *h = (void *)b->buf; nlmsg_ok(h, left); h = nlmsg_next(h, &left), n++)
        assert_int_equal((h->nlmsg_flags & NLM_F_ACK) != 0 && h->nlmsg_seq == acked, h->nlmsg_seq == acked);
    assert_int_equal(left, 0);
    return n;
}

/* Tables of both families are replaced in one transaction, however many macvlans there are. */
static void firewall(void **state)
{
    static struct nft_vmac_pair pairs[450];
    const struct nft_vmac_form form = { .table = "keepalived_vmac", .priority = -1 };
    struct nft_msgs b;
    (void)state;
    for (uint32_t i = 0; i < 450; i++)
        pairs[i] = (struct nft_vmac_pair){ i + 10, 3 };
    nft_vmac_build(&b, 1, &form, pairs, 0);
    assert_int_equal(count(&b, b.last_seq), 6); /* begin, twice made and removed, end */
    free(b.buf);
    nft_vmac_build(&b, 1, &form, pairs, 2);
    assert_int_equal(count(&b, b.last_seq), 16); /* and table, map, its content, chain, rule */
    free(b.buf);
    nft_vmac_build(&b, 1, &form, pairs, 450);
    assert_int_equal(count(&b, b.last_seq), 26); /* 80 in a message */
    free(b.buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(users),
        cmocka_unit_test(addresses_elsewhere),
        cmocka_unit_test(addresses_of_the_other_family),
        cmocka_unit_test(same_vrid),
        cmocka_unit_test(unicast),
        cmocka_unit_test(fits),
        cmocka_unit_test(ipvlans),
        cmocka_unit_test(ipvlans_refused),
        cmocka_unit_test(vrfs),
        cmocka_unit_test(fits_ipvlan),
        cmocka_unit_test(requests_ipvlan),
        cmocka_unit_test(requests),
        cmocka_unit_test(firewall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
