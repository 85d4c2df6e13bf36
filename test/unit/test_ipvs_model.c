/*
 * test_ipvs_model.c - from configuration text to the services and servers ipvsd wants in the kernel: keys,
 * ports, options, groups expanded, twins joined.
 */
#include <linux/ip_vs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipvsd/ipvs_expand.h"
#include "ipvsd/ipvs_model.h"
#include "parent/conf/conf_int.h"
#include "test/unit/conf_tree_util.h"

struct case_ {
    struct tree t;
    struct slice *s;
    struct ipvs_model *m;
};

static void load(struct case_ *c, const char *text)
{
    struct err e = { 0 };
    tree_load(&c->t, text);
    if (tree_errors(&c->t) != 0)
        tree_show(&c->t);
    assert_int_equal(tree_errors(&c->t), 0);
    c->s = tree_slice(&c->t, ROLE_IPVSD);
    assert_non_null(c->s);
    c->m = ipvs_model_build(c->s, NULL, &e);
    assert_non_null(c->m);
}

static void unload(struct case_ *c)
{
    ipvs_model_free(c->m);
    slice_free(c->s);
    tree_unload(&c->t);
}

/* The service that reads so; its place in the file does not matter. */
static struct ipvs_ks *service(const struct case_ *c, const char *text)
{
    char buf[IPVS_TEXT_LEN];
    for (size_t i = 0; i < c->m->nks; i++)
        if (strcmp(ipvs_key_text(&c->m->kss[i]->svc.key, buf), text) == 0) {
            assert_ptr_equal(ipvs_model_ks(c->m, &c->m->kss[i]->svc.key), c->m->kss[i]);
            return c->m->kss[i];
        }
    fail_msg("no service %s", text);
    return NULL;
}

static struct ipvs_dest dest(const struct ipvs_ks *ks, uint32_t slot)
{
    assert_true(slot < ks->nslots);
    return ipvs_model_dest(ks, ks->slots[slot].rs);
}

static void is_dest(const struct ipvs_ks *ks, uint32_t slot, const char *text)
{
    struct ipvs_dest d = dest(ks, slot);
    char buf[IPVS_TEXT_LEN];
    assert_string_equal(ipvs_dkey_text(&d.key, buf), text);
}

static void plain(void **state)
{
    struct case_ c;
    (void)state;
    load(&c,
         "virtual_server 10.0.1.1 80 {\n lb_algo wrr\n lb_kind NAT\n protocol TCP\n persistence_timeout 77\n"
         " persistence_granularity 255.255.255.0\n sorry_server 10.0.0.9 81\n"
         " real_server 10.0.0.1 8080 {\n weight 3\n uthreshold 100\n lthreshold 40\n }\n"
         " real_server 10.0.0.2 8080 {\n lvs_method DR\n }\n}\n"
         "virtual_server fd00::1 53 {\n lb_algo sh\n lb_kind DR\n protocol UDP\n ops\n sh-port\n flag-3\n"
         " persistence_timeout\n persistence_granularity 64\n persistence_engine sip\n"
         " real_server fd00::2 53 {\n }\n}\n"
         "global_defs {\n lvs_timeouts tcp 1234 udp 77\n lvs_flush\n lvs_flush_on_stop VS\n}\n");
    struct ipvs_ks *a = service(&c, "tcp 10.0.1.1:80"), *b = service(&c, "udp [fd00::1]:53");
    const uint8_t mask[4] = { 255, 255, 255, 0 };
    assert_int_equal(c.m->nks, 2);
    assert_string_equal(a->svc.sched, "wrr");
    assert_int_equal(a->svc.flags, IP_VS_SVC_F_PERSISTENT);
    assert_int_equal(a->svc.timeout, 77);
    assert_memory_equal(&a->svc.netmask, mask, 4);
    assert_int_equal(a->nslots, 3);
    bool seen[3] = { false };
    for (uint32_t i = 0; i < 3; i++) {
        struct ipvs_dest d = dest(a, i);
        char buf[IPVS_TEXT_LEN];
        ipvs_dkey_text(&d.key, buf);
        if (strcmp(buf, "10.0.0.1:8080") == 0) {
            seen[0] = d.method == IP_VS_CONN_F_MASQ && d.upper == 100 && d.lower == 40 && d.weight == 3;
        } else if (strcmp(buf, "10.0.0.2:80") == 0) {
            seen[1] = d.method == IP_VS_CONN_F_DROUTE && d.weight == 1;
        } else if (strcmp(buf, "10.0.0.9:81") == 0) {
            seen[2] = d.method == IP_VS_CONN_F_MASQ;
        }
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    assert_string_equal(b->svc.sched, "sh");
    assert_string_equal(b->svc.pe, "sip");
    assert_int_equal(b->svc.flags, IP_VS_SVC_F_PERSISTENT | IP_VS_SVC_F_ONEPACKET | IP_VS_SVC_F_SCHED2 |
                                       IP_VS_SVC_F_SCHED3);
    assert_int_equal(b->svc.timeout, 360);
    assert_int_equal(b->svc.netmask, 64);
    assert_true(c.m->has_timeouts && c.m->flush);
    assert_int_equal(c.m->flush_on_stop, 2);
    assert_int_equal(c.m->timeouts.v[0], 1234);
    assert_int_equal(c.m->timeouts.v[1], 0);
    assert_int_equal(c.m->timeouts.v[2], 77);
    for (size_t i = 0; i < c.m->nrs; i++)
        assert_ptr_equal(ipvs_model_rs(c.m, c.m->rss[i].id), &c.m->rss[i]);
    assert_null(ipvs_model_rs(c.m, 0));
    assert_null(ipvs_model_rs(c.m, UINT32_MAX));
    unload(&c);
}

static void without_persistence(void **state)
{
    struct case_ c;
    (void)state;
    load(&c, "virtual_server 10.0.1.1 80 {\n protocol TCP\n lb_algo rr\n real_server 10.0.0.1 80 {\n }\n}\n"
             "virtual_server fd00::1 80 {\n protocol TCP\n lb_algo mh\n mh-fallback\n sh-port\n real_server "
             "fd00::2 80 {\n "
             "}\n}\n");
    assert_int_equal(service(&c, "tcp 10.0.1.1:80")->svc.flags, 0);
    assert_int_equal(service(&c, "tcp 10.0.1.1:80")->svc.netmask, UINT32_MAX);
    assert_int_equal(service(&c, "tcp [fd00::1]:80")->svc.netmask, 128);
    assert_int_equal(service(&c, "tcp [fd00::1]:80")->svc.flags,
                     IP_VS_SVC_F_SCHED1); /* sh-port is not mh's */
    unload(&c);
}

static void marks(void **state)
{
    struct case_ c;
    (void)state;
    load(&c, "virtual_server fwmark 5 {\n lb_algo rr\n lb_kind DR\n real_server 10.0.0.1 80 {\n }\n}\n"
             "virtual_server fwmark 6 {\n lb_algo rr\n lb_kind NAT\n real_server fd00::1 8080 {\n }\n}\n");
    is_dest(service(&c, "fwmark 5"), 0, "10.0.0.1:0");
    is_dest(service(&c, "fwmark 6 (IPv6)"), 0, "[fd00::1]:8080");
    unload(&c);
}

static void tunnels(void **state)
{
    struct case_ c;
    (void)state;
    load(&c,
         "virtual_server 10.0.1.1 80 {\n lb_algo rr\n protocol TCP\n lb_kind TUN type gue port 6080 csum\n"
         " sorry_server 10.0.0.9 80\n sorry_server_lvs_method TUN type gre csum\n"
         " real_server 10.0.0.1 80 {\n }\n"
         " real_server fd00::2 80 {\n lvs_method TUN type gue port 6081 remcsum\n }\n"
         " real_server 10.0.0.3 80 {\n lvs_method TUN\n }\n}\n");
    struct ipvs_ks *ks = service(&c, "tcp 10.0.1.1:80");
    unsigned int seen = 0;
    for (uint32_t i = 0; i < ks->nslots; i++) {
        struct ipvs_dest d = dest(ks, i);
        char buf[IPVS_TEXT_LEN];
        ipvs_dkey_text(&d.key, buf);
        assert_int_equal(d.method, IP_VS_CONN_F_TUNNEL);
        if (strcmp(buf, "10.0.0.1:80") == 0) {
            assert_int_equal(d.tun_type, IP_VS_CONN_F_TUNNEL_TYPE_GUE);
            assert_int_equal(d.tun_port, 6080);
            assert_int_equal(d.tun_flags, IP_VS_TUNNEL_ENCAP_FLAG_CSUM);
            seen |= 1;
        } else if (strcmp(buf, "[fd00::2]:80") == 0) {
            assert_int_equal(d.tun_port, 6081);
            assert_int_equal(d.tun_flags, IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM);
            seen |= 2;
        } else if (strcmp(buf, "10.0.0.3:80") == 0) {
            assert_int_equal(d.tun_type, IP_VS_CONN_F_TUNNEL_TYPE_IPIP);
            assert_int_equal(d.tun_port, 0);
            seen |= 4;
        } else {
            assert_string_equal(buf, "10.0.0.9:80");
            assert_int_equal(d.tun_type, IP_VS_CONN_F_TUNNEL_TYPE_GRE);
            assert_int_equal(d.tun_port, 0);
            assert_int_equal(d.tun_flags, IP_VS_TUNNEL_ENCAP_FLAG_CSUM);
            seen |= 8;
        }
    }
    assert_int_equal(seen, 15);
    unload(&c);
}

static void groups(void **state)
{
    struct case_ c;
    static const char *const want[] = { "tcp 10.0.2.1:80",  "tcp 10.0.2.10:81",  "tcp 10.0.2.11:81",
                                        "tcp 10.0.2.12:81", "tcp 10.0.3.254:82", "tcp 10.0.3.255:82",
                                        "tcp 10.0.4.0:82",  "tcp 10.0.4.1:82",   "tcp 10.0.5.8:83",
                                        "tcp 10.0.5.9:83",  "tcp 10.0.5.10:83",  "tcp 10.0.5.11:83" };
    (void)state;
    char text[2048];
    snprintf(text, sizeof text, "%s%s",
             "virtual_server_group g {\n 10.0.2.1 80\n 10.0.2.10-12 81\n"
             " 10.0.3.254-10.0.4.1 82\n 10.0.5.9/30 83\n fwmark 11\n}\n",
             "virtual_server group g {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.1 8080 "
             "{\n }\n"
             " real_server 10.0.0.2 {\n }\n real_server 10.0.0.3 9 {\n lvs_method DR\n }\n}\n"
             "virtual_server group g {\n lb_algo rr\n lb_kind NAT\n protocol UDP\n real_server 10.0.0.1 8080 "
             "{\n }\n}\n");
    load(&c, text);
    assert_int_equal(c.m->nks, 2 * 12 + 1); /* the mark is one service for both protocols */
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        service(&c, want[i]);
    struct ipvs_ks *ks = service(&c, "tcp 10.0.2.11:81"), *mark = service(&c, "fwmark 11");
    is_dest(ks, 0, "10.0.0.1:8080");
    is_dest(ks, 1, "10.0.0.2:81");
    is_dest(ks, 2, "10.0.0.3:81");
    assert_int_equal(mark->nsrc, 2);
    assert_int_equal(mark->nslots, 4);
    is_dest(mark, 0, "10.0.0.1:0");
    assert_int_equal(mark->slots[3].canon, 0); /* the UDP block's server is the same one there */
    assert_int_equal(mark->slots[0].alias, 3);
    assert_int_equal(service(&c, "udp 10.0.2.11:81")->nslots, 1);
    unload(&c);
}

static void group6(void **state)
{
    struct case_ c;
    (void)state;
    load(&c,
         "virtual_server_group g {\n fd00::fffe-ffff 84\n fd00:1::ffff-fd00:1::1:1 85\n fd00:2::7/127 86\n}\n"
         "virtual_server group g {\n lb_algo rr\n protocol TCP\n real_server fd00:9::1 80 {\n }\n}\n");
    assert_int_equal(c.m->nks, 2 + 3 + 2);
    service(&c, "tcp [fd00::ffff]:84");
    service(&c, "tcp [fd00:1::1:0]:85");
    service(&c, "tcp [fd00:1::1:1]:85");
    service(&c, "tcp [fd00:2::6]:86");
    unload(&c);
}

/* Lines that cannot be meant are refused when the configuration is read. */
static void bad_lines(void **state)
{
    static const char *const bad[] = { "10.0.4.1-10.0.3.254 80", "10.0.0.0-10.3.0.0 80",
                                       "10.0.0.0/8 80",          "fd00::/64 80",
                                       "10.0.0.1-fd00::1 80",    "10.0.0.1-10.0.0.x 80" };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tree t;
        char text[512];
        snprintf(text, sizeof text,
                 "virtual_server_group g {\n %s\n}\nvirtual_server group g {\n lb_algo rr\n protocol TCP\n "
                 "real_server "
                 "10.0.0.1 80 {\n }\n}\n",
                 bad[i]);
        tree_load(&t, text);
        if (tree_errors(&t) == 0)
            fail_msg("accepted: %s", bad[i]);
        tree_unload(&t);
    }
}

static void expand(void **state)
{
    struct ipaddr a, first;
    char buf[IPADDR_STRLEN];
    (void)state;
    ipaddr_parse("10.0.255.255", &a);
    a = ipvs_expand_add(&a, 1);
    assert_string_equal(ipaddr_str(&a, buf), "10.1.0.0");
    ipaddr_parse("fd00::ffff:ffff", &a);
    a = ipvs_expand_add(&a, 0x10001);
    assert_string_equal(ipaddr_str(&a, buf), "fd00::1:1:0");
    ipaddr_parse_prefix("10.0.5.9/32", &a);
    assert_int_equal(ipvs_expand_prefix(&a, &first), 1);
    ipaddr_parse_prefix("10.0.5.9/16", &a);
    assert_int_equal(ipvs_expand_prefix(&a, &first), 65536);
    assert_string_equal(ipaddr_str(&first, buf), "10.0.0.0");
    ipaddr_parse_prefix("10.0.5.9/15", &a);
    assert_int_equal(ipvs_expand_prefix(&a, &first), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),  cmocka_unit_test(without_persistence),
        cmocka_unit_test(marks),  cmocka_unit_test(tunnels),
        cmocka_unit_test(groups), cmocka_unit_test(group6),
        cmocka_unit_test(expand), cmocka_unit_test(bad_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
