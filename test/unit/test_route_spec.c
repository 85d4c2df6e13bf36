/* test_route_spec.c - route and rule lines as netlink requests, and the comparison of what is wanted with
 * what the kernel tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/lwtunnel.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "ipvsd/route_fact.h"
#include "ipvsd/route_spec.h"
#include "ipvsd/rule_spec.h"

static uint32_t index_of(const char *name, void *arg)
{
    (void)arg;
    return strcmp(name, "eth0") == 0 ? 2 : strcmp(name, "eth1") == 0 ? 3 : 0;
}

static uint32_t vrf_of(const char *name, void *arg)
{
    (void)arg;
    return strcmp(name, "red") == 0 ? 1001 : 0;
}

static const struct route_names names = { index_of, vrf_of, NULL };

static struct ipaddr ip(const char *text)
{
    struct ipaddr a;
    assert_int_equal(ipaddr_parse_prefix(text, &a), 0);
    return a;
}

static void put_ip(struct slice_writer *w, enum kw kw, const char *text)
{
    struct ipaddr a = ip(text);
    if (schema_kw(kw)->kind == KIND_SPECIAL)
        slice_put_raw(w, kw, &a, sizeof a);
    else
        slice_put_ip(w, kw, &a);
}

static void put_number(struct slice_writer *w, enum kw kw, uint64_t v)
{
    slice_put_raw(w, kw, &v, sizeof v);
}

static struct slice *finish(struct slice_writer *w)
{
    struct err e = { 0 };
    size_t len;
    const void *p = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(p, len, ROLE_IPVSD, &e);
    if (s == NULL)
        fail_msg("%s", e.text);
    slice_writer_free(w);
    return s;
}

static struct nl_msg *route_msg(const struct slice *s, bool add)
{
    struct route_spec r;
    route_spec_read(s, slice_next(s, NULL, BLK_ROUTE, 0), &r);
    return route_spec_msg(&r, add, &names);
}

static struct route_fact fact_of(struct nl_msg *m)
{
    struct route_fact f;
    assert_non_null(m);
    assert_int_equal(route_fact_read(nlmsg_hdr(m), &f), 0);
    nlmsg_free(m);
    return f;
}

static struct slice *simple(const char *to, const char *via, const char *dev)
{
    struct slice_writer *w = slice_writer_new(ROLE_IPVSD, 1);
    slice_put_obj(w, BLK_ROUTE, 0, to, 1);
    put_ip(w, KW_ROUTE_TO, to);
    if (via != NULL)
        put_ip(w, KW_ROUTE_VIA, via);
    if (dev != NULL)
        slice_put_str(w, KW_ROUTE_DEV, dev);
    return finish(w);
}

static void test_plain_route(void **state)
{
    (void)state;
    struct slice *s = simple("10.50.0.0/24", "10.0.0.9", "eth0");
    struct nl_msg *m = route_msg(s, true);
    assert_non_null(m);
    const struct rtmsg *rt = nlmsg_data(nlmsg_hdr(m));
    assert_int_equal(nlmsg_hdr(m)->nlmsg_type, RTM_NEWROUTE);
    assert_int_equal(nlmsg_hdr(m)->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND | NLM_F_REPLACE),
                     NLM_F_CREATE);
    assert_int_equal(rt->rtm_protocol, 18);
    assert_int_equal(rt->rtm_type, RTN_UNICAST);
    assert_int_equal(rt->rtm_dst_len, 24);
    struct route_fact f = fact_of(m);
    assert_int_equal(f.table, RT_TABLE_MAIN);
    assert_int_equal(f.npaths, 1);
    assert_int_equal(f.path[0].oif, 2);
    struct ipaddr via = ip("10.0.0.9");
    assert_true(ipaddr_same(&f.path[0].via, &via));
    m = route_msg(s, false);
    assert_int_equal(nlmsg_hdr(m)->nlmsg_type, RTM_DELROUTE);
    nlmsg_free(m);
    slice_free(s);
}

static void test_missing_interface(void **state)
{
    (void)state;
    struct slice *s = simple("10.50.0.0/24", NULL, "eth7");
    errno = 0;
    assert_null(route_msg(s, true));
    assert_int_equal(errno, ENODEV);
    slice_free(s);
}

static void test_default_of_no_family_follows_gateway(void **state)
{
    (void)state;
    struct slice_writer *w = slice_writer_new(ROLE_IPVSD, 1);
    slice_put_obj(w, BLK_ROUTE, 0, "default", 1);
    put_ip(w, KW_ROUTE_VIA, "fd00::9");
    struct slice *s = finish(w);
    struct route_fact f = fact_of(route_msg(s, true));
    assert_int_equal(f.family, 6);
    assert_int_equal(f.priority, 1024);
    slice_free(s);
}

static void put_path(struct slice_writer *w, uint32_t route, const char *via, const char *dev,
                     uint64_t weight)
{
    slice_put_obj(w, BLK_NEXTHOP, route, "", 1);
    put_ip(w, KW_NEXTHOP_VIA, via);
    slice_put_str(w, KW_NEXTHOP_DEV, dev);
    if (weight > 0)
        slice_put_uint(w, KW_NEXTHOP_WEIGHT, weight);
}

static void test_multipath(void **state)
{
    (void)state;
    struct slice_writer *w = slice_writer_new(ROLE_IPVSD, 1);
    uint32_t r = slice_put_obj(w, BLK_ROUTE, 0, "10.7.0.0/16", 1);
    put_ip(w, KW_ROUTE_TO, "10.7.0.0/16");
    put_path(w, r, "10.0.0.9", "eth0", 3);
    put_path(w, r, "fd00::9", "eth1", 0);
    struct slice *s = finish(w);
    struct route_fact f = fact_of(route_msg(s, true)), other;
    assert_int_equal(f.npaths, 2);
    assert_int_equal(f.path[0].hops, 2);
    assert_int_equal(f.path[0].oif, 2);
    assert_int_equal(f.path[1].hops, 0);
    assert_int_equal(f.path[1].via.family, 6);
    other = f;
    other.path[0] = f.path[1];
    other.path[1] = f.path[0];
    assert_true(route_fact_fulfils(&other, &f));
    other.path[0].hops = 9;
    assert_false(route_fact_fulfils(&other, &f));
    slice_free(s);
}

/* IPv6 takes the source out with its address, and a path out with its interface. */
static void test_remains(void **state)
{
    (void)state;
    struct slice_writer *w = slice_writer_new(ROLE_IPVSD, 1);
    uint32_t r = slice_put_obj(w, BLK_ROUTE, 0, "2001:db8::/48", 1);
    put_ip(w, KW_ROUTE_TO, "2001:db8::/48");
    put_ip(w, KW_ROUTE_SRC, "fd00::1");
    put_path(w, r, "fd00::9", "eth0", 3);
    put_path(w, r, "fd01::9", "eth1", 0);
    struct slice *s = finish(w);
    struct route_fact want = fact_of(route_msg(s, true)), have = want;
    assert_false(route_fact_remains(&have, &want)); /* all of it */
    have.prefsrc.family = 0;
    assert_true(route_fact_remains(&have, &want));
    have = want;
    have.npaths = 1;
    have.path[0].hops = 0;
    assert_true(route_fact_remains(&have, &want));
    have.path[0].via = ip("fd00::8"); /* somebody else's */
    assert_false(route_fact_remains(&have, &want));
    have = want;
    have.npaths = 3;
    have.path[2].via = ip("fd00::8");
    assert_false(route_fact_remains(&have, &want));
    slice_free(s);
}

static void test_removal_without_an_interface(void **state)
{
    (void)state;
    struct slice_writer *w = slice_writer_new(ROLE_IPVSD, 1);
    uint32_t r = slice_put_obj(w, BLK_ROUTE, 0, "2001:db8::/48", 1);
    put_ip(w, KW_ROUTE_TO, "2001:db8::/48");
    slice_put_obj(w, BLK_NEXTHOP, r, "", 1);
    slice_put_str(w, KW_NEXTHOP_DEV, "eth7");
    put_path(w, r, "fd01::9", "eth1", 0);
    struct slice *s = finish(w);
    errno = 0;
    assert_null(route_msg(s, true));
    assert_int_equal(errno, ENODEV);
    struct route_fact f = fact_of(route_msg(s, false));
    assert_int_equal(f.npaths, 1);
    assert_int_equal(f.path[0].oif, 3);
    slice_free(s);
}

static void test_mpls_bytes(void **state)
{
    static const uint8_t stack[] = { 0x00, 0x06, 0x40, 0x00, 0x00, 0x0c, 0x81, 0x00 };
    (void)state;
    struct slice_writer *w = slice_writer_new(ROLE_IPVSD, 1);
    uint32_t r = slice_put_obj(w, BLK_ROUTE, 0, "10.7.0.0/16", 1);
    put_ip(w, KW_ROUTE_TO, "10.7.0.0/16");
    put_ip(w, KW_ROUTE_VIA, "10.0.0.9");
    slice_put_obj(w, BLK_ENCAP, r, "mpls", 1);
    put_number(w, KW_ENCAP_X_TYPE, LWTUNNEL_ENCAP_MPLS);
    put_number(w, KW_ENCAP_LABELS, 100);
    put_number(w, KW_ENCAP_LABELS, 200);
    struct slice *s = finish(w);
    struct nl_msg *m = route_msg(s, true);
    struct nlattr *tb[RTA_MAX + 1], *in[3];
    assert_int_equal(nlmsg_parse(nlmsg_hdr(m), sizeof(struct rtmsg), tb, RTA_MAX, NULL), 0);
    assert_int_equal(nla_get_u16(tb[RTA_ENCAP_TYPE]), LWTUNNEL_ENCAP_MPLS);
    assert_int_equal(nla_parse_nested(in, 2, tb[RTA_ENCAP], NULL), 0);
    assert_int_equal(nla_len(in[1]), sizeof stack);
    assert_memory_equal(nla_data(in[1]), stack, sizeof stack);
    nlmsg_free(m);
    slice_free(s);
}

/* What no kernel here keeps: the words must be in what it is asked for. */
static void test_ila_and_propagation(void **state)
{
    static const uint8_t locator[] = { 0x00, 0x01, 0x00, 0x02, 0x00, 0x0a, 0xff, 0xff };
    (void)state;
    for (uint64_t on = 0; on < 2; on++) {
        struct slice_writer *w = slice_writer_new(ROLE_IPVSD, 1);
        uint32_t r = slice_put_obj(w, BLK_ROUTE, 0, "fd07::/80", 1);
        put_ip(w, KW_ROUTE_TO, "fd07::/80");
        slice_put_uint(w, KW_ROUTE_TTL_PROPAGATE, on);
        slice_put_obj(w, BLK_ENCAP, r, "ila", 1);
        put_number(w, KW_ENCAP_X_TYPE, LWTUNNEL_ENCAP_ILA);
        put_number(w, KW_ENCAP_LOCATOR, 0x00010002000affffu);
        struct slice *s = finish(w);
        struct nl_msg *m = route_msg(s, true);
        struct nlattr *tb[RTA_MAX + 1], *in[2];
        assert_int_equal(nlmsg_parse(nlmsg_hdr(m), sizeof(struct rtmsg), tb, RTA_MAX, NULL), 0);
        assert_int_equal(nla_get_u8(tb[RTA_TTL_PROPAGATE]), on);
        assert_int_equal(nla_get_u16(tb[RTA_ENCAP_TYPE]), LWTUNNEL_ENCAP_ILA);
        assert_int_equal(nla_parse_nested(in, 1, tb[RTA_ENCAP], NULL), 0);
        assert_int_equal(nla_len(in[1]), sizeof locator);
        assert_memory_equal(nla_data(in[1]), locator, sizeof locator);
        nlmsg_free(m);
        slice_free(s);
    }
}

static void test_metrics(void **state)
{
    (void)state;
    struct slice_writer *w = slice_writer_new(ROLE_IPVSD, 1);
    slice_put_obj(w, BLK_ROUTE, 0, "10.7.0.0/16", 1);
    put_ip(w, KW_ROUTE_TO, "10.7.0.0/16");
    slice_put_str(w, KW_ROUTE_VRF, "red");
    slice_put_uint(w, KW_ROUTE_MTU, 1400);
    put_number(w, KW_ROUTE_X_LOCK, 1u << RTAX_MTU);
    slice_put_str(w, KW_ROUTE_CONGCTL, "cubic");
    struct slice *s = finish(w);
    struct nl_msg *m = route_msg(s, true);
    struct nlattr *tb[RTA_MAX + 1], *in[RTAX_MAX + 1];
    assert_int_equal(nlmsg_parse(nlmsg_hdr(m), sizeof(struct rtmsg), tb, RTA_MAX, NULL), 0);
    assert_int_equal(nla_parse_nested(in, RTAX_MAX, tb[RTA_METRICS], NULL), 0);
    assert_int_equal(nla_get_u32(in[RTAX_LOCK]), 1u << RTAX_MTU);
    assert_int_equal(nla_get_u32(in[RTAX_MTU]), 1400);
    assert_int_equal(nla_strcmp(in[RTAX_CC_ALGO], "cubic"), 0);
    assert_int_equal(nla_get_u32(tb[RTA_TABLE]), 1001);
    nlmsg_free(m);
    slice_free(s);
}

static void test_rule(void **state)
{
    (void)state;
    struct slice_writer *w = slice_writer_new(ROLE_IPVSD, 1);
    slice_put_obj(w, BLK_RULE, 0, "from", 1);
    put_ip(w, KW_RULE_FROM, "10.60.0.0/24");
    slice_put_uint(w, KW_RULE_TABLE, 61);
    put_number(w, KW_RULE_FWMARK, 5);
    put_number(w, KW_RULE_SPORT, UINT64_C(10) << 32 | 20);
    slice_put_str(w, KW_RULE_DEV, "eth0");
    struct slice *s = finish(w);
    struct rule_spec r;
    rule_spec_read(slice_next(s, NULL, BLK_RULE, 0), 16384, &r);
    struct route_fact f = fact_of(rule_spec_msg(&r, true)), other;
    assert_true(f.rule);
    assert_int_equal(f.priority, 16384);
    assert_int_equal(f.type, FR_ACT_TO_TBL);
    assert_int_equal(f.table, 61);
    assert_int_equal(f.src.plen, 24);
    assert_int_equal(f.r.fwmark, 5);
    assert_int_equal(f.r.fwmask, UINT32_MAX);
    assert_int_equal(f.r.sport[0], 10);
    assert_int_equal(f.r.sport[1], 20);
    assert_string_equal(f.r.iif, "eth0");
    other = f;
    assert_true(route_fact_fulfils(&other, &f));
    other.proto = RTPROT_STATIC; /* somebody else's */
    assert_false(route_fact_fulfils(&other, &f));
    slice_free(s);
}

/* A message cut anywhere is refused or read, never overrun (run under the sanitizers as well). */
static void test_cut_messages(void **state)
{
    (void)state;
    struct slice *s = simple("10.50.0.0/24", "10.0.0.9", "eth0");
    struct nl_msg *m = route_msg(s, true);
    size_t full = nlmsg_hdr(m)->nlmsg_len, read = 0;
    for (size_t n = sizeof(struct nlmsghdr); n <= full; n++) {
        struct nlmsghdr *h = malloc(n);
        struct route_fact f;
        memcpy(h, nlmsg_hdr(m), n);
        h->nlmsg_len = (uint32_t)n;
        read += route_fact_read(h, &f) == 0;
        free(h);
    }
    assert_true(read > 0 && read < full);
    nlmsg_free(m);
    slice_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_route),
        cmocka_unit_test(test_missing_interface),
        cmocka_unit_test(test_default_of_no_family_follows_gateway),
        cmocka_unit_test(test_multipath),
        cmocka_unit_test(test_remains),
        cmocka_unit_test(test_removal_without_an_interface),
        cmocka_unit_test(test_mpls_bytes),
        cmocka_unit_test(test_ila_and_propagation),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_rule),
        cmocka_unit_test(test_cut_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
