/*
 * test_doctor.c - the pure parts of `holdctl doctor`: what a firewall's rules do with an advert, in three
 * values, and the bytes of ARP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "parent/ctl/arp_bytes.h"
#include "parent/ctl/doctor.h"
#include "parent/ctl/nd_bytes.h"

#define BASE(policy)                                                                                         \
    "{\"nftables\":[{\"chain\":{\"family\":\"inet\",\"table\":\"f\",\"name\":\"in\",\"type\":\"filter\","    \
    "\"hook\":\"input\",\"policy\":\"" policy "\"}}"
#define RULE(chain, expr)                                                                                    \
    ",{\"rule\":{\"family\":\"inet\",\"table\":\"f\",\"chain\":\"" chain "\",\"handle\":7,\"expr\":[" expr   \
    "]}}"
#define MATCH(left, op, right) "{\"match\":{\"op\":\"" op "\",\"left\":" left ",\"right\":" right "}}"
#define PROTO                  "{\"payload\":{\"protocol\":\"ip\",\"field\":\"protocol\"}}"
#define L4                     "{\"meta\":{\"key\":\"l4proto\"}}"
#define SADDR                  "{\"payload\":{\"protocol\":\"ip\",\"field\":\"saddr\"}}"
#define DADDR                  "{\"payload\":{\"protocol\":\"ip\",\"field\":\"daddr\"}}"
#define STATE                  "{\"ct\":{\"key\":\"state\"}}"
#define IIF                    "{\"meta\":{\"key\":\"iifname\"}}"
#define ACCEPT                 "{\"accept\":null}"
#define DROP                   "{\"drop\":null}"
#define END                    "]}"

struct wall {
    const char *text;
    enum nft_fate fate;
};

static const struct wall walls[] = {
    { BASE("accept") END, NFT_PASSES },
    { BASE("drop") END, NFT_DROPPED },
    { BASE("drop") RULE("in", MATCH(PROTO, "==", "112") "," ACCEPT) END, NFT_PASSES },
    { BASE("drop") RULE("in", MATCH(PROTO, "==", "\"vrrp\"") "," ACCEPT) END, NFT_PASSES },
    { BASE("drop") RULE("in", MATCH(L4, "==", "{\"set\":[51,112]}") "," ACCEPT) END, NFT_PASSES },
    { BASE("drop") RULE("in", MATCH(PROTO, "==", "6") "," ACCEPT) END, NFT_DROPPED },
    { BASE("drop") RULE("in", MATCH(STATE, "in", "[\"established\",\"related\"]") "," ACCEPT) END,
      NFT_DROPPED },
    { BASE("drop") RULE("in", MATCH(STATE, "in", "\"new\"") "," ACCEPT) END, NFT_PASSES },
    { BASE("drop") RULE("in", MATCH(IIF, "==", "\"eth*\"") "," ACCEPT) END, NFT_PASSES },
    { BASE("drop") RULE("in", MATCH(IIF, "!=", "\"eth0\"") "," ACCEPT) END, NFT_DROPPED },
    { BASE("drop")
          RULE("in", MATCH(DADDR, "==", "{\"prefix\":{\"addr\":\"224.0.0.0\",\"len\":4}}") "," ACCEPT) END,
      NFT_PASSES },
    { BASE("drop") RULE("in", MATCH(SADDR, "==", "\"10.0.0.7\"") "," ACCEPT) END, NFT_DEPENDS },
    { BASE("accept") RULE("in", MATCH(SADDR, "==", "\"10.0.0.7\"") "," DROP) END, NFT_PASSES },
    { BASE("accept") RULE("in", MATCH(PROTO, "==", "112") "," DROP) END, NFT_DROPPED },
    { BASE("accept") RULE("in", "{\"jump\":{\"target\":\"x\"}}") RULE("x", MATCH(L4, "==", "112") "," DROP)
          END,
      NFT_DROPPED },
    { BASE("accept") RULE("in", "{\"jump\":{\"target\":\"x\"}}") RULE("x", "{\"return\":null}")
          RULE("x", DROP) END,
      NFT_PASSES },
    { BASE("accept") RULE("in", "{\"jump\":{\"target\":\"in\"}}") END,
      NFT_PASSES }, /* no end: not ours to hang on */
    { BASE("drop") RULE("in", "{\"vmap\":{\"key\":" STATE ",\"data\":{\"set\":[[\"established\"," ACCEPT
                              "],[\"new\"," DROP "]]}}}") END,
      NFT_DROPPED },
    { BASE("drop") RULE("in", "{\"vmap\":{\"key\":" L4 ",\"data\":{\"set\":[[112," ACCEPT "]]}}}") END,
      NFT_PASSES },
};

static void test_walls(void **state)
{
    struct nft_packet p = { .family = 4, .proto = 112, .iif = "eth0" };
    (void)state;
    ipaddr_parse("224.0.0.18", &p.dst);
    for (size_t i = 0; i < sizeof walls / sizeof *walls; i++) {
        char where[256] = "";
        json_t *j = json_loads(walls[i].text, 0, NULL);
        assert_non_null(j);
        enum nft_fate fate = nft_judge(j, &p, where, sizeof where);
        if (fate != walls[i].fate)
            print_message("ruleset %zu: %s\n", i, walls[i].text);
        assert_int_equal(fate, walls[i].fate);
        assert_int_equal(fate != NFT_PASSES, where[0] != '\0');
        json_decref(j);
    }
}

static void test_arp(void **state)
{
    uint8_t q[ARP_LEN], mac[ARP_MAC] = { 2, 0, 0, 0, 0, 1 }, got[ARP_MAC];
    struct ipaddr own, ip, who;
    (void)state;
    ipaddr_parse("10.0.0.1", &own);
    ipaddr_parse("10.0.0.2", &ip);
    arp_question(mac, &own, &ip, q);
    assert_int_equal(arp_answer(q, sizeof q, got, &who), -1); /* a question is no answer */
    q[7] = 2;
    assert_int_equal(arp_answer(q, sizeof q, got, &who), 0);
    assert_memory_equal(got, mac, ARP_MAC);
    assert_true(ipaddr_same(&who, &own));
    for (size_t n = 0; n < sizeof q; n++)
        assert_int_equal(arp_answer(q, n, got, &who), -1);
    q[4] = 8; /* other lengths of addresses */
    assert_int_equal(arp_answer(q, sizeof q, got, &who), -1);
}

/* Of what iptables-legacy-save prints: what comes of a packet to a service and of an advert. */
static void test_legacy(void **state)
{
    static const struct {
        const char *rules;
        enum nft_fate vrrp, web;
    } rows[] = {
        { "", NFT_PASSES, NFT_PASSES },
        { "-A INPUT -p vrrp -j DROP\n", NFT_DROPPED, NFT_PASSES },
        { "-A INPUT -p 112 -m comment --comment \"a \\\"b -j ACCEPT\" -j DROP\n", NFT_DROPPED, NFT_PASSES },
        { "-A INPUT ! -p tcp -j DROP\n", NFT_DROPPED, NFT_PASSES },
        { "-A INPUT -d 224.0.0.0/4 -j DROP\n", NFT_DROPPED, NFT_PASSES },
        { "-A INPUT ! -i eth+ -j DROP\n", NFT_PASSES, NFT_PASSES },
        { "-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 80:90 -j REJECT\n", NFT_PASSES,
          NFT_DROPPED },
        { "-A INPUT -p tcp -m multiport --dports 22,443 -j DROP\n", NFT_PASSES, NFT_PASSES },
        { "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n-A INPUT -j mine\n-A mine -j "
          "DROP\n",
          NFT_DROPPED, NFT_DROPPED },
        { "-A INPUT -m set --match-set bad src -j ACCEPT\n-A INPUT -j DROP\n", NFT_DEPENDS, NFT_DEPENDS },
        { "-A INPUT -g nowhere\n-A INPUT -j\n-A\n-A INPUT -p\n:\n*\n", NFT_PASSES, NFT_PASSES },
    };
    struct nft_packet vrrp = { .family = 4, .proto = 112, .iif = "eth0" };
    struct nft_packet web = { .family = 4, .proto = 6, .iif = "", .port = 80 };
    (void)state;
    ipaddr_parse("224.0.0.18", &vrrp.dst);
    ipaddr_parse("10.77.0.200", &web.dst);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[1024], where[256] = "";
        snprintf(text, sizeof text, "# x\n*filter\n:INPUT ACCEPT [0:0]\n:mine - [0:0]\n%sCOMMIT\n",
                 rows[i].rules);
        json_t *j = legacy_ruleset(text, 4);
        assert_non_null(j);
        if (nft_judge(j, &vrrp, where, sizeof where) != rows[i].vrrp ||
            nft_judge(j, &web, where, sizeof where) != rows[i].web)
            fail_msg("rules %zu: %s", i, rows[i].rules);
        json_decref(j);
    }
}

static void test_nd(void **state)
{
    const uint8_t mac[ARP_MAC] = { 2, 0, 0, 0, 0, 7 };
    uint8_t q[ND_LEN], got[ARP_MAC];
    struct ipaddr ip, group, who;
    (void)state;
    ipaddr_parse("fd77::12:3456", &ip);
    nd_question(mac, &ip, q, &group);
    ipaddr_parse("ff02::1:ff12:3456", &who);
    assert_true(ipaddr_same(&group, &who));
    assert_int_equal(nd_answer(q, sizeof q, got, &who), -1); /* a question is no answer */
    q[0] = 136;
    assert_int_equal(nd_answer(q, sizeof q, got, &who), -1); /* a source's MAC is not the target's */
    q[24] = 2;
    assert_int_equal(nd_answer(q, sizeof q, got, &who), 0);
    assert_true(ipaddr_same(&ip, &who));
    assert_memory_equal(got, mac, sizeof mac);
    for (size_t len = 0; len < sizeof q; len++)
        assert_int_equal(nd_answer(q, len, got, &who), -1);
    q[25] = 0;
    assert_int_equal(nd_answer(q, sizeof q, got, &who), -1); /* would not end */
    q[25] = 9;
    assert_int_equal(nd_answer(q, sizeof q, got, &who), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_walls), cmocka_unit_test(test_legacy),
                                        cmocka_unit_test(test_arp), cmocka_unit_test(test_nd) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
