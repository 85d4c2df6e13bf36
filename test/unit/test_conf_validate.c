/*
 * test_conf_validate.c - resolution and validation: inheritance, strict mode, owners, contradictions,
 * duplicates, sync groups, virtual servers, scripts; severities as DECISIONS.md has them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/stat.h>

#include <cmocka.h>

#include "parent/conf/conf_int.h"
#include "test/unit/conf_tree_util.h"

#define VIP1 VIPS("10.0.0.1/24\n")

static void expect(const char *text, enum diag_severity sev, const char *code, const char *part)
{
    assert_true(tree_gets(text, sev, code, part));
}

static uint64_t value_of(const char *text, enum kw kw)
{
    struct tree s;
    tree_load(&s, text);
    const struct conf_obj *vi = conf_find(s.c, BLK_VI, "V");
    if (vi == NULL || tree_errors(&s) != 0)
        tree_show(&s);
    assert_non_null(vi);
    assert_int_equal(tree_errors(&s), 0);
    uint64_t v = conf_uint(vi, kw, UINT64_MAX);
    tree_unload(&s);
    return v;
}

#define G(text)       "global_defs {\n" text "}\n"
#define V(text)       VI_TEXT("V", "51", VIP1 text)
#define SIX(text)     VI_TEXT("V", "51", " virtual_ipaddress {\n fe80::100/64\n }\n" text)
#define NOSTATE(text) "vrrp_instance V {\n interface eth0\n virtual_router_id 51\n" text VIP1 "}\n"

static void defaults(void **state)
{
    (void)state;
    assert_int_equal(value_of(NOSTATE(""), KW_VI_PRIORITY), 100);
    assert_int_equal(value_of(NOSTATE(""), KW_VI_STATE), 1);
    assert_int_equal(value_of(NOSTATE(""), KW_VI_VERSION), 2);
    assert_int_equal(value_of(NOSTATE(""), KW_VI_ADVERT_INT), 1000000);
    assert_int_equal(value_of(NOSTATE(" priority 255\n"), KW_VI_STATE), 2);
    assert_int_equal(value_of(NOSTATE(" state MASTER\n"), KW_VI_PRIORITY), 255);
    assert_int_equal(value_of(NOSTATE(""), KW_VI_DOWN_TIMER_ADVERTS), 3);
    assert_int_equal(value_of(NOSTATE(""), KW_VI_GARP_MASTER_DELAY), 5000000);
    assert_int_equal(value_of(NOSTATE(""), KW_VI_GARP_LOWER_PRIO_REPEAT), 5);
    assert_int_equal(value_of(NOSTATE(""), KW_VI_ACCEPT), 1);
    assert_int_equal(value_of(NOSTATE(" no_accept\n"), KW_VI_ACCEPT), 0);
    assert_int_equal(
        value_of("vrrp_instance V {\n interface eth0\n virtual_router_id 1\n" VIPS("fe80::1\n") "}\n",
                 KW_VI_VERSION),
        3);
    assert_int_equal(
        value_of("vrrp_instance V {\n interface eth0\n virtual_router_id 1\n" VIPS("fe80::1\n") "}\n",
                 KW_VI_X_FAMILY),
        6);
}

static void inheritance(void **state)
{
    (void)state;
    assert_int_equal(value_of(G(" vrrp_garp_master_repeat 9\n") V(""), KW_VI_GARP_MASTER_REPEAT), 9);
    assert_int_equal(value_of(G(" vrrp_garp_master_repeat 9\n") V(""), KW_VI_GARP_LOWER_PRIO_REPEAT), 9);
    assert_int_equal(
        value_of(V(" garp_master_repeat 4\n") G(" vrrp_garp_master_repeat 9\n"), KW_VI_GARP_MASTER_REPEAT),
        4);
    assert_int_equal(value_of(G(" vrrp_min_garp\n") V(""), KW_VI_GARP_MASTER_REPEAT), 1);
    assert_int_equal(value_of(G(" vrrp_min_garp\n") V(""), KW_VI_GARP_MASTER_DELAY), 0);
    assert_int_equal(
        value_of(G(" vrrp_min_garp\n vrrp_garp_master_delay 3\n") V(""), KW_VI_GARP_MASTER_DELAY), 3000000);
    assert_int_equal(value_of(G(" vrrp_version 3\n") V(" advert_int 0.25\n"), KW_VI_ADVERT_INT), 250000);
    assert_int_equal(
        value_of(G(" vrrp_skip_check_adv_addr\n") V(" skip_check_adv_addr off\n"), KW_VI_SKIP_CHECK_ADV_ADDR),
        0);
    assert_int_equal(value_of(G(" vrrp_lower_prio_no_advert\n") V(""), KW_VI_LOWER_PRIO_NO_ADVERT), 1);
}

static void strict(void **state)
{
    (void)state;
    const char *s = G(" vrrp_strict\n") V(" accept off\n down_timer_adverts 5\n");
    assert_int_equal(value_of(s, KW_VI_DOWN_TIMER_ADVERTS), 3);
    assert_int_equal(value_of(s, KW_VI_LOWER_PRIO_NO_ADVERT), 1);
    assert_int_equal(value_of(s, KW_VI_ACCEPT), 0);
    assert_int_equal(value_of(G(" vrrp_strict\n") V(" strict_mode off\n"), KW_VI_ACCEPT), 1);
    assert_int_equal(value_of(G(" vrrp_strict\n") NOSTATE(" priority 255\n"), KW_VI_OWNER_IGNORE_ADVERTS), 1);
    assert_int_equal(value_of(G(" vrrp_strict\n") NOSTATE(" state MASTER\n priority 100\n"), KW_VI_STATE), 1);
    expect(G(" vrrp_strict\n") V(" unicast_peer {\n 10.0.0.2\n }\n"), DIAG_ERROR, "HF-STRICT",
           "unicast_peer");
    expect(G(" vrrp_strict\n") V(" authentication {\n auth_type PASS\n auth_pass x\n }\n"), DIAG_WARNING,
           "HF-AUTH-VOID", "strict");
}

#define RFC(text) G(" vrrp_rfc_defaults\n vrrp_version 3\n") V(text)

/* What is left open is the RFC's; what is written counts. */
static void rfc_defaults(void **state)
{
    struct tree s;
    (void)state;
    tree_load(&s, RFC(""));
    const struct conf_obj *vi = conf_find(s.c, BLK_VI, "V");
    assert_int_equal(conf_uint(vi, KW_VI_ACCEPT, 9), 0);
    assert_int_equal(conf_uint(vi, KW_VI_V3_CHECKSUM_AS_V2, 9), 1);
    assert_string_equal(conf_str(vi, KW_VI_X_VMAC, ""), "vrrp.51");
    tree_unload(&s);
    tree_load(&s, RFC(" rfc_defaults off\n"));
    vi = conf_find(s.c, BLK_VI, "V");
    assert_int_equal(conf_uint(vi, KW_VI_ACCEPT, 9), 1);
    assert_false(conf_flag(vi, KW_VI_V3_CHECKSUM_AS_V2));
    assert_null(conf_get(vi, KW_VI_X_VMAC));
    tree_unload(&s);
    assert_int_equal(value_of(RFC(" accept\n"), KW_VI_ACCEPT), 1);
    assert_int_equal(value_of(RFC(" v3_checksum_as_v2 off\n"), KW_VI_V3_CHECKSUM_AS_V2), 0);
    assert_int_equal(value_of(RFC(" version 2\n"), KW_VI_V3_CHECKSUM_AS_V2),
                     UINT64_MAX); /* off goes without saying */
    assert_int_equal(value_of(NOSTATE(" rfc_defaults\n priority 255\n"), KW_VI_ACCEPT), 1);
    tree_load(&s, RFC(" use_vmac own0\n"));
    assert_string_equal(conf_str(conf_find(s.c, BLK_VI, "V"), KW_VI_X_VMAC, ""), "own0");
    tree_unload(&s);
    tree_load(&s, RFC(" unicast_src_ip 10.0.0.3\n unicast_peer {\n 10.0.0.2\n }\n"));
    assert_null(conf_get(conf_find(s.c, BLK_VI, "V"), KW_VI_X_VMAC));
    tree_unload(&s);
    /* an error of what nobody wrote still has a place */
    expect(G(" vrrp_rfc_defaults\n vmac_prefix fifteen_letters\n") V(""), DIAG_ERROR, "HF-IFACE-NAME",
           "no name");
}

static void contradictions(void **state)
{
    (void)state;
    expect(NOSTATE(" state MASTER\n priority 120\n nopreempt\n"), DIAG_WARNING, "HF-NO-EFFECT", "nopreempt");
    assert_int_equal(value_of(NOSTATE(" state MASTER\n priority 120\n nopreempt\n"), KW_VI_NOPREEMPT), 0);
    assert_int_equal(value_of(V(" nopreempt\n"), KW_VI_NOPREEMPT), 1);
    assert_int_equal(value_of(V(" nopreempt\n preempt\n"), KW_VI_NOPREEMPT), 0);
    expect(V(" nopreempt\n preempt_delay 5\n"), DIAG_WARNING, "HF-NO-EFFECT", "preempt_delay");
    expect(V(" unicast_ttl 0\n unicast_peer {\n 10.0.0.2\n }\n"), DIAG_WARNING, "HF-NO-EFFECT",
           "unicast_ttl 0");
    expect(V(" unicast_peer {\n }\n"), DIAG_WARNING, "HF-EMPTY", "unicast_peer is empty");
    expect(V(" authentication {\n auth_type PASS\n auth_pass \"\"\n }\n"), DIAG_ERROR, "HF-AUTH-PASS",
           "without");
    assert_int_equal(value_of(V(" nopreempt\n preempt_delay 5\n"), KW_VI_PREEMPT_DELAY), 0);
    assert_int_equal(value_of(V(" timer_expired_backup\n nopreempt\n"), KW_VI_TIMER_EXPIRED_BACKUP), 254);
    expect(V(" timer_expired_backup\n"), DIAG_WARNING, "HF-NO-EFFECT", "timer_expired_backup");
    expect(V(" version 3\n authentication {\n auth_type PASS\n auth_pass x\n }\n"), DIAG_WARNING,
           "HF-AUTH-VOID", "version 3");
    expect(SIX(" version 2\n native_ipv6\n"), DIAG_WARNING, "HF-VERSION", "native_ipv6");
    assert_int_equal(value_of(SIX(" version 2\n native_ipv6\n"), KW_VI_VERSION), 3);
    assert_int_equal(value_of(SIX(" version 2\n"), KW_VI_VERSION), 2);
    expect(V(" authentication {\n auth_type PASS\n auth_pass 123456789\n }\n"), DIAG_WARNING, "HF-AUTH-LONG",
           "8 characters");
    expect(V(" authentication {\n auth_type PASS\n }\n"), DIAG_ERROR, "HF-AUTH-PASS", "without auth_pass");
    expect(V(" advert_int 0.5\n"), DIAG_ERROR, "HF-RANGE", "version 2");
    expect(V(" advert_int 1.5\n"), DIAG_WARNING, "HF-ROUNDED", "whole seconds");
    expect(V(" unicast_src_ip 10.0.0.3\n"), DIAG_WARNING, "HF-UNICAST-NO-PEER", "multicast");
    expect(V(" unicast_peer {\n 2001:db8::1\n }\n"), DIAG_ERROR, "HF-FAMILY", "IPv6");
    expect(V(" mcast_src_ip 2001:db8::1\n"), DIAG_ERROR, "HF-FAMILY", "mcast_src_ip");
}

#define ON_ETH1(option)                                                                                      \
    VI_TEXT("V", "51",                                                                                       \
            " virtual_ipaddress {\n 10.0.0.1/24 dev eth1" option "\n }\n"                                    \
            " track_interface {\n eth1 weight 9\n }\n")

/* Where an address of its own is, an interface that fails is a fault, whatever weight is written. */
static void weight_of_own(void **state)
{
    struct tree s;
    (void)state;
    expect(ON_ETH1(""), DIAG_WARNING, "HF-NO-EFFECT", "weight has no effect");
    tree_load(&s, ON_ETH1(""));
    const struct conf_obj *t = conf_next(conf_find(s.c, BLK_VI, "V"), NULL, BLK_TRK_IF);
    assert_int_equal(conf_uint(t, KW_TRK_IF_WEIGHT, 0), 0);
    tree_unload(&s);
    tree_load(&s, ON_ETH1(" no_track"));
    t = conf_next(conf_find(s.c, BLK_VI, "V"), NULL, BLK_TRK_IF);
    assert_int_equal(conf_uint(t, KW_TRK_IF_WEIGHT, 0), 9);
    tree_unload(&s);
}

static void missing(void **state)
{
    (void)state;
    expect("vrrp_instance V {\n interface eth0\n" VIP1 "}\n", DIAG_ERROR, "HF-MISSING", "virtual_router_id");
    expect("vrrp_instance V {\n virtual_router_id 5\n" VIP1 "}\n", DIAG_ERROR, "HF-MISSING", "interface");
}

static void no_interface_unicast(void **state)
{
    (void)state;
    struct tree s;
    tree_load(
        &s,
        "vrrp_instance V {\n virtual_router_id 5\n unicast_src_ip 10.0.0.9\n unicast_peer {\n 10.0.0.2\n }\n"
        " virtual_ipaddress {\n 10.0.0.1/24 dev eth1\n }\n}\n");
    assert_int_equal(tree_errors(&s), 0);
    assert_string_equal(conf_str(conf_find(s.c, BLK_VI, "V"), KW_VI_X_SOCKET, ""), "/4/uni/10.0.0.9");
    tree_unload(&s);
    expect(VI_TEXT("V", "51", ""), DIAG_WARNING, "HF-VIP-NONE", "no virtual_ipaddress");
    expect(VI_TEXT("V", "51", " version 3\n"), DIAG_ERROR, "HF-VIP-NONE", "no virtual_ipaddress");
    assert_int_equal(value_of(VI_TEXT("V", "51", " version 3\n no_virtual_ipaddress\n"), KW_VI_VERSION), 3);
}

static void duplicates(void **state)
{
    (void)state;
    expect(VI_TEXT("A", "51", VIP1) VI_TEXT("B", "51", VIPS("10.0.0.2\n")), DIAG_ERROR, "HF-VRID-DUP",
           "already used on eth0 by A");
    expect(VI_TEXT("A", "51", VIPS("10.0.0.1/24\n 10.0.0.1/24\n")), DIAG_WARNING, "HF-ADDR-TWICE",
           "listed twice in A");
    expect(VI_TEXT("A", "51", VIP1) VI_TEXT("B", "52", VIP1), DIAG_WARNING, "HF-ADDR-TWICE",
           "already an address of A");
    /* a member thrice is told of twice: every pair of a thousand would be half a million */
    struct tree s;
    tree_load(&s, "vrrp_sync_group G {\n group {\n A B\n A\n A\n }\n}\n" VI_TEXT("A", "51", VIP1)
                      VI_TEXT("B", "52", VIPS("10.0.0.2\n")));
    assert_int_equal(diag_count(s.d, DIAG_WARNING), 2);
    tree_unload(&s);
    /* another family, another group or another source is another network */
    tree_load(&s, VI_TEXT("A", "51", VIP1) VI_TEXT("B", "51", VIPS("fe80::1\n"))
                      VI_TEXT("C", "51", " mcast_dst_ip 224.0.0.99\n" VIPS("10.0.0.3\n")));
    assert_int_equal(tree_errors(&s), 0);
    tree_unload(&s);
}

/* A group may say off of what global_defs says on; a member has the last word. */
static void priority_news_of_a_group(void **state)
{
    (void)state;
    struct tree s;
    tree_load(&s, "global_defs {\n vrrp_notify_priority_changes\n}\n"
                  "vrrp_sync_group G {\n notify_priority_changes off\n group {\n A\n B\n }\n}\n" VI_TEXT(
                      "A", "51", VIP1) VI_TEXT("B", "52", " notify_priority_changes\n" VIPS("10.0.0.2\n"))
                      VI_TEXT("C", "53", VIPS("10.0.0.3\n")));
    assert_false(conf_flag(conf_find(s.c, BLK_VI, "A"), KW_VI_NOTIFY_PRIORITY_CHANGES));
    assert_true(conf_flag(conf_find(s.c, BLK_VI, "B"), KW_VI_NOTIFY_PRIORITY_CHANGES));
    assert_true(conf_flag(conf_find(s.c, BLK_VI, "C"), KW_VI_NOTIFY_PRIORITY_CHANGES));
    tree_unload(&s);
}

/* What is advertised comes first, and an address in both lists is advertised. */
static void advertised_first(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool excluded;
    } want[] = { { "10.0.0.9/24@eth0", false }, { "10.0.0.2/24@eth0", false }, { "10.0.0.1/24@eth0", true } };
    struct tree s;
    tree_load(&s, VI_TEXT("V", "51",
                          " virtual_ipaddress_excluded {\n  10.0.0.1/24\n  10.0.0.2/24\n }\n" VIPS(
                              "10.0.0.9/24\n 10.0.0.2/24\n")));
    assert_true(tree_said(&s, DIAG_WARNING, "HF-ADDR-TWICE", 0, "10.0.0.2/24 is listed twice in V"));
    const struct conf_obj *vi = conf_find(s.c, BLK_VI, "V");
    struct conf_obj *a = NULL;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        a = conf_next(vi, a, BLK_ADDR);
        assert_non_null(a);
        assert_string_equal(a->name, want[i].name);
        assert_int_equal(conf_flag(a, KW_ADDR_X_EXCLUDED), want[i].excluded);
    }
    assert_null(conf_next(vi, a, BLK_ADDR));
    tree_unload(&s);
}

#define ON_ETH9(vip) VI_TEXT("V", "51", " interface eth9\n virtual_ipaddress {\n  " vip "\n }\n")

/* Early, or a wrong name? Another interface that holds the network of the addresses decides. */
static void absent_interface(void **state)
{
    (void)state;
    expect(ON_ETH9("192.0.2.9/24"), DIAG_WARNING, "HF-IFACE-MISSING", "until it appears");
    expect(ON_ETH9("203.0.113.9/24"), DIAG_ERROR, "HF-IFACE-WRONG", "is on eth1");
    expect(ON_ETH9("198.51.100.9/24"), DIAG_WARNING, "HF-IFACE-MISSING", "until it appears");
    expect("global_defs {\n dynamic_interfaces\n}\n" ON_ETH9("203.0.113.9/24"), DIAG_NOTE, "HF-IFACE-MISSING",
           "until it appears");
}

static void multicast_groups(void **state)
{
    (void)state;
    expect("global_defs {\n vrrp_mcast_group4 192.0.2.1\n}\n" V(""), DIAG_ERROR, "HF-ADDR",
           "vrrp_mcast_group4 192.0.2.1 is not an IPv4 multicast address");
    expect("global_defs {\n vrrp_mcast_group6 2001:db8::1\n}\n" V(""), DIAG_ERROR, "HF-ADDR",
           "vrrp_mcast_group6 2001:db8::1 is not an IPv6 multicast address");
    expect("global_defs {\n vrrp_mcast_group6 ff05::12\n}\n" V(""), DIAG_WARNING, "HF-ADDR",
           "vrrp_mcast_group6 ff05::12 is not of link-local scope");
}

static void groups_and_trackers(void **state)
{
    (void)state;
    expect("vrrp_sync_group G {\n group {\n V\n X\n }\n}\n" V(""), DIAG_ERROR, "HF-REF",
           "vrrp_instance X is not defined");
    expect("vrrp_sync_group G {\n group {\n V\n }\n}\n" V(""), DIAG_WARNING, "HF-SYNC-ONE", "one member");
    expect(V(" track_interface {\n eth0\n }\n"), DIAG_WARNING, "HF-NO-EFFECT", "tracked anyway");
    expect(V(" track_interface {\n eth7\n }\n"), DIAG_WARNING, "HF-IFACE-MISSING", "does not exist now");
    expect(V(" track_script {\n chk\n }\n"), DIAG_ERROR, "HF-REF", "vrrp_script chk is not defined");
    expect(VI_TEXT("V", "51", " interface eth9\n" VIP1), DIAG_WARNING, "HF-IFACE-MISSING", "FAULT");
}

static void weights_in_a_group(void **state)
{
    (void)state;
#define INGROUP(track) "vrrp_sync_group G {\n group {\n V\n }\n}\n" V(track)
    expect(INGROUP(" track_interface {\n eth1 weight -10\n }\n"), DIAG_WARNING, "HF-SYNC-WEIGHT",
           "all of G goes to FAULT");
    expect("vrrp_script s {\n script \"/bin/true\"\n weight 5\n}\n" INGROUP(" track_script {\n s\n }\n"),
           DIAG_WARNING, "HF-SYNC-WEIGHT", "a weighted vrrp_script is not tracked at all");
    expect("bfd_instance b {\n neighbor_ip 10.0.0.2\n}\n" INGROUP(" track_bfd {\n b weight 5\n }\n"),
           DIAG_WARNING, "HF-SYNC-WEIGHT", "a weighted bfd_instance is not tracked at all");
#undef INGROUP
}

#define RS(ip)         " real_server " ip " 80 {\n  weight 1\n  TCP_CHECK {\n  }\n }\n"
#define RS81(ip)       " real_server " ip " 81 {\n  TCP_CHECK {\n  }\n }\n"
#define GROUP(line)    "virtual_server_group G {\n 10.0.0.1 80\n" line "}\n"
#define VS(head, body) "virtual_server " head " {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n" body "}\n"

/* NAT to the ports of one machine is what groups of addresses are for. */
static void ports_of_one_machine(void **state)
{
    struct tree s;
    (void)state;
    tree_load(&s, GROUP("") VS("group G", RS("10.0.0.2") RS81("10.0.0.2")));
    assert_false(tree_said(&s, DIAG_WARNING, "HF-RS-MERGED", 0, "one server"));
    tree_unload(&s);
    tree_load(&s, GROUP("") "virtual_server group G {\n lb_algo rr\n lb_kind DR\n protocol TCP\n" RS(
                      "10.0.0.2") " real_server 10.0.0.2 81 {\n  lvs_method NAT\n }\n}\n");
    assert_false(tree_said(&s, DIAG_WARNING, "HF-RS-MERGED", 0, "one server"));
    assert_int_equal(tree_errors(&s), 0);
    tree_unload(&s);
}

static void services(void **state)
{
    (void)state;
    expect(VS("10.0.0.1 80", ""), DIAG_WARNING, "HF-VS-EMPTY", "no real_server");
    expect(VS("10.0.0.1", RS("10.0.0.2")), DIAG_ERROR, "HF-PORT", "needs a port");
    expect(VS("10.0.0.1 0", RS("10.0.0.2")), DIAG_WARNING, "HF-PORT", "needs persistence_timeout");
    expect(VS("fwmark 0", RS("10.0.0.2")), DIAG_ERROR, "HF-RANGE", "is not in 1-4294967295"); /* no mark */
    expect(GROUP(" fwmark 0\n") VS("group G", RS("10.0.0.2")), DIAG_ERROR, "HF-RANGE", "not in 1-4294967295");
    expect(VS("10.0.0.1 80", RS("10.0.0.2") RS("10.0.0.2")), DIAG_WARNING, "HF-RS-TWICE", "listed twice");
    expect(GROUP(" fwmark 3\n") VS("group G", RS("10.0.0.2") RS81("10.0.0.2")), DIAG_WARNING, "HF-RS-MERGED",
           "10.0.0.2 81 and 10.0.0.2 80 are one server");
    expect(GROUP("") "virtual_server group G {\n lb_algo rr\n lb_kind DR\n protocol TCP\n" RS("10.0.0.2")
               RS81("10.0.0.2") "}\n",
           DIAG_WARNING, "HF-RS-MERGED", "DR or TUN");
    expect(VS("10.0.0.1 80", RS("2001:db8::1")), DIAG_ERROR, "HF-FAMILY", "only lb_kind TUN");
    expect(VS("group web", RS("10.0.0.2")), DIAG_ERROR, "HF-REF", "virtual_server_group web");
    expect(VS("10.0.0.1 80", " lvs_method dr\n" RS("10.0.0.2")), DIAG_ERROR, "HF-WORD", "in capitals");
    expect(VS("10.0.0.1 80", " real_server 10.0.0.2 80 {\n  HTTP_GET {\n  }\n }\n"), DIAG_ERROR, "HF-MISSING",
           "no url");
    expect(VS("10.0.0.1 80", " real_server 10.0.0.2 80 {\n  MISC_CHECK {\n  }\n }\n"), DIAG_ERROR,
           "HF-MISSING", "no misc_path");
    expect(VS("10.0.0.1 80", " quorum 2\n hysteresis 1\n" RS("10.0.0.2") RS("10.0.0.3")), DIAG_WARNING,
           "HF-QUORUM", "never gains its quorum");
    expect(VS("10.0.0.1 80", " quorum 5\n" RS("10.0.0.2")), DIAG_WARNING, "HF-QUORUM",
           "more than the weights");
    expect("virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n" RS("10.0.0.2") "}\n", DIAG_WARNING,
           "HF-DEFAULT", "UDP");
}

static void service_inheritance(void **state)
{
    (void)state;
    struct tree s;
    tree_load(
        &s,
        VS("10.0.0.1 80",
           " delay_loop 6\n weight 7\n sorry_server 10.0.0.9 81\n real_server 10.0.0.2 8080 {\n  retry 4\n"
           "  TCP_CHECK {\n   connect_timeout 2\n  }\n  DNS_CHECK {\n  }\n }\n"));
    const struct conf_obj *vs = conf_next(conf_top(s.c), NULL, BLK_VS), *rs = NULL, *k;
    assert_int_equal(tree_errors(&s), 0);
    rs = conf_next(vs, NULL, BLK_RS);
    assert_int_equal(conf_uint(rs, KW_RS_X_SORRY, 0), 1);
    assert_int_equal(conf_uint(rs, KW_RS_X_PORT, 0), 81);
    assert_int_equal(conf_uint(rs, KW_RS_WEIGHT, 0), 1); /* of the servers it stands in for, not its own */
    rs = conf_next(vs, rs, BLK_RS);
    assert_int_equal(conf_uint(rs, KW_RS_WEIGHT, 0), 7);
    k = conf_next(rs, NULL, BLK_TCP);
    assert_int_equal(conf_uint(k, KW_TCP_RETRY, 0), 4);
    assert_int_equal(conf_uint(k, KW_TCP_DELAY_LOOP, 0), 6000000);
    assert_int_equal(conf_uint(k, KW_TCP_CONNECT_TIMEOUT, 0), 2000000);
    assert_int_equal(conf_uint(k, KW_TCP_CONNECT_PORT, 0), 8080);
    k = conf_next(rs, NULL, BLK_DNS);
    assert_int_equal(conf_uint(k, KW_DNS_RETRY, 0), 4);
    assert_int_equal(conf_uint(k, KW_DNS_DELAY_BEFORE_RETRY, 0), 6000000);
    tree_unload(&s);
}

/* DR serves the service's port, but what is checked is what was written. */
static void port_without_nat(void **state)
{
    (void)state;
    struct tree s;
    tree_load(&s, VS("10.0.0.1 80", " real_server 10.0.0.2 8080 {\n  lvs_method DR\n  TCP_CHECK {\n  }\n }\n"
                                    " real_server 10.0.0.3 {\n  lvs_method DR\n  TCP_CHECK {\n  }\n }\n"));
    const struct conf_obj *vs = conf_next(conf_top(s.c), NULL, BLK_VS), *rs = conf_next(vs, NULL, BLK_RS);
    assert_int_equal(conf_uint(rs, KW_RS_X_PORT, 0), 80);
    assert_int_equal(conf_uint(conf_next(rs, NULL, BLK_TCP), KW_TCP_CONNECT_PORT, 0), 8080);
    rs = conf_next(vs, rs, BLK_RS);
    assert_int_equal(conf_uint(rs, KW_RS_X_PORT, 0), 80);
    assert_int_equal(conf_uint(conf_next(rs, NULL, BLK_TCP), KW_TCP_CONNECT_PORT, 0), 80);
    tree_unload(&s);
}

static void script_severities(void **state)
{
    (void)state;
    expect(V(" notify \"/no/such/file\"\n"), DIAG_WARNING, "HF-SCRIPT-MISSING", "does not exist");
    expect(V(" notify \"/bin/sh\" nosuchuser\n"), DIAG_WARNING, "HF-USER", "no user nosuchuser");
    expect(V(" notify \"/bin/sh\"\n"), DIAG_NOTE, "HF-SCRIPT-USER", "since no script_user is given");
    expect(G(" script_user root\n") V(" notify \"/bin/sh\"\n"), DIAG_WARNING, "HF-SCRIPT-ROOT",
           "without enable_script_security");
    char path[] = "/tmp/hf-unsafe-XXXXXX", text[1024];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0777), 0);
    snprintf(text, sizeof text, "%s%s notify \"%s\"\n}\n", G(" script_user root\n enable_script_security\n"),
             "vrrp_instance V {\n interface eth0\n virtual_router_id 1\n" VIP1, path);
    struct tree s;
    tree_load(&s, text);
    assert_true(tree_said(&s, DIAG_ERROR, "HF-SCRIPT-UNSAFE", 0, "can be changed by others"));
    assert_int_equal(diag_exit_status(s.d, false), 6);
    tree_unload(&s);
    close(fd);
    unlink(path);
}

static void not_yet_once(void **state)
{
    (void)state;
    struct tree s;
    tree_load(&s, VS("10.0.0.1 80", RS("10.0.0.3")) VS("10.0.0.2 80", RS("10.0.0.4")));
    size_t n = 0;
    for (size_t i = 0; i < diag_total(s.d); i++) {
        struct diag_view v;
        diag_view(s.d, i, &v);
        n += strcmp(v.code, "HF-NOTYET") == 0;
    }
    assert_int_equal(n, schema_kw(KW_TOP_VIRTUAL_SERVER)->flags & KWF_NOTYET ? 1 : 0);
    tree_unload(&s);
    tree_load(&s, "# nothing\n");
    assert_true(conf_is_empty(s.c));
    assert_true(tree_said(&s, DIAG_WARNING, "HF-EMPTY", 0, "nothing is configured"));
    assert_int_equal(diag_total(s.d), 1); /* said once */
    tree_unload(&s);
    tree_load(&s, "global_defs {\n router_id R\n}\n");
    assert_true(tree_said(&s, DIAG_WARNING, "HF-EMPTY", 0, "nothing is configured"));
    assert_int_equal(diag_total(s.d), 1);
    tree_unload(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(inheritance),
        cmocka_unit_test(strict),
        cmocka_unit_test(rfc_defaults),
        cmocka_unit_test(weight_of_own),
        cmocka_unit_test(contradictions),
        cmocka_unit_test(missing),
        cmocka_unit_test(no_interface_unicast),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(advertised_first),
        cmocka_unit_test(priority_news_of_a_group),
        cmocka_unit_test(absent_interface),
        cmocka_unit_test(groups_and_trackers),
        cmocka_unit_test(services),
        cmocka_unit_test(ports_of_one_machine),
        cmocka_unit_test(service_inheritance),
        cmocka_unit_test(port_without_nat),
        cmocka_unit_test(script_severities),
        cmocka_unit_test(not_yet_once),
        cmocka_unit_test(weights_in_a_group),
        cmocka_unit_test(multicast_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
