/*
 * test_nft_marks.c - nftables_ipvs: which groups get a mark and which packets it, marks that stay over a
 * reload, ranges the kernel would refuse; the one service ipvsd then keeps; what counts as damage by others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include "ipvsd/ipvs_model.h"
#include "ipvsd/nft_batch.h"
#include "ipvsd/nft_marks.h"
#include "ipvsd/plan_nft.h"
#include "test/unit/conf_tree_util.h"

#define GLOBAL(more)       "global_defs {\n nftables_ipvs\n" more "}\n"
#define GROUP(name, lines) "virtual_server_group " name " {\n" lines "}\n"
#define VS(group, proto)                                                                                     \
    "virtual_server group " group " {\n lb_algo rr\n lb_kind NAT\n protocol " proto                          \
    "\n real_server 10.0.9.1 8080 {\n weight 1\n }\n}\n"
#define VS6(group, proto)                                                                                    \
    "virtual_server group " group " {\n lb_algo rr\n lb_kind TUN\n protocol " proto                          \
    "\n real_server fd00::9 8080 {\n weight 1\n }\n}\n"
#define FWM(n)                                                                                               \
    "virtual_server fwmark " #n                                                                              \
    " {\n lb_algo rr\n lb_kind NAT\n real_server 10.0.9.1 8080 {\n weight 1\n }\n}\n"

static struct slice *load(const char *text)
{
    struct tree t;
    tree_load(&t, text);
    if (tree_errors(&t) != 0)
        tree_show(&t);
    assert_int_equal(tree_errors(&t), 0);
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    assert_non_null(s);
    tree_unload(&t);
    return s;
}

static uint32_t mark(const struct nft_marks *m, const char *vs)
{
    const struct nft_mark *k = nft_marks_find(m, vs);
    return k != NULL ? k->mark : 0;
}

static void range_is(const struct nft_marks *m, size_t i, const char *first, const char *last, uint16_t from,
                     uint16_t to, uint32_t want)
{
    char buf[IPADDR_STRLEN];
    assert_true(i < m->nranges);
    assert_string_equal(ipaddr_str(&m->ranges[i].first, buf), first);
    assert_string_equal(ipaddr_str(&m->ranges[i].last, buf), last);
    assert_int_equal(m->ranges[i].port_first, from);
    assert_int_equal(m->ranges[i].port_last, to);
    assert_int_equal(m->ranges[i].mark, want);
}

static void off(void **state)
{
    (void)state;
    struct slice *s = load(GROUP("G", " 10.0.1.1 80\n") VS("G", "TCP"));
    struct nft_marks *m = nft_marks_build(s, NULL);
    assert_false(m->on);
    assert_int_equal(m->n, 0);
    nft_marks_free(m);
    slice_free(s);
}

/* As seen on the incumbent: a mark a service in the order of the file, none for a group that has one of its
 * own. */
static void layout(void **state)
{
    (void)state;
    struct slice *s = load(
        GLOBAL(" nftables_ipvs_priority 7\n nftables_counters\n")
            GROUP("G", " 10.0.1.1 80\n 10.0.1.5-9 8080\n 10.0.2.250-10.0.3.4 90\n 10.3.0.9/28 91\n")
                GROUP("F", " 10.0.5.1 80\n fwmark 1001\n") GROUP("S", " fd00::1:1 80\n fd00::5:0/124 82\n")
                    VS("G", "TCP") VS("F", "TCP") VS("G", "UDP") VS6("S", "SCTP"));
    struct nft_marks *m = nft_marks_build(s, NULL);
    assert_true(m->on);
    assert_true(m->counters);
    assert_int_equal(m->priority, 7);
    assert_string_equal(m->table, "keepalived_ipvs");
    assert_int_equal(m->n, 3);
    assert_int_equal(mark(m, "group:G:TCP"), 1000);
    assert_int_equal(mark(m, "group:F:TCP"), 0);
    assert_int_equal(mark(m, "group:G:UDP"), 1002); /* 1001 is the administrator's */
    assert_int_equal(mark(m, "group:S:SCTP"), 1003);
    assert_int_equal(m->nranges, 10);
    range_is(m, 0, "10.0.1.1", "10.0.1.1", 80, 80, 1000);
    range_is(m, 1, "10.0.1.5", "10.0.1.9", 8080, 8080, 1000);
    range_is(m, 2, "10.0.2.250", "10.0.3.4", 90, 90, 1000);
    range_is(m, 3, "10.3.0.0", "10.3.0.15", 91, 91, 1000);
    range_is(m, 4, "10.0.1.1", "10.0.1.1", 80, 80, 1002);
    range_is(m, 9, "fd00::5:0", "fd00::5:f", 82, 82, 1003);
    assert_int_equal(m->ranges[9].protocol, IPPROTO_SCTP);
    assert_true(nft_marks_find(m, "group:S:SCTP")->has[1]);
    assert_false(nft_marks_find(m, "group:S:SCTP")->has[0]);
    nft_marks_free(m);
    slice_free(s);
}

/* One service a mark in the table; NAT to the server's own port, for the members' ports may differ. */
static void services(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct slice *s = load(GLOBAL("") GROUP("G", " 10.0.1.1 80\n 10.0.1.5-9 8080\n") VS("G", "TCP"));
    struct nft_marks *m = nft_marks_build(s, NULL);
    struct ipvs_model *with = ipvs_model_build(s, m, &e), *without = ipvs_model_build(s, NULL, &e);
    assert_int_equal(without->nks, 6);
    assert_int_equal(with->nks, 1);
    assert_int_equal(with->kss[0]->svc.key.fwmark, 1000);
    assert_int_equal(with->kss[0]->svc.key.family, 4);
    assert_int_equal(ipvs_model_dest(with->kss[0], &with->rss[0]).key.port, 8080);
    ipvs_model_free(with);
    ipvs_model_free(without);
    nft_marks_free(m);
    slice_free(s);
}

static void port_zero_is_every_port(void **state)
{
    (void)state;
    struct slice *s =
        load(GLOBAL("") GROUP("G", " 10.0.1.1 0\n") "virtual_server group G {\n lb_algo rr\n lb_kind DR\n "
                                                    "protocol TCP\n persistence_timeout 60\n"
                                                    " real_server 10.0.9.1 {\n weight 1\n }\n}\n");
    struct nft_marks *m = nft_marks_build(s, NULL);
    assert_int_equal(m->nranges, 1);
    range_is(m, 0, "10.0.1.1", "10.0.1.1", 0, 65535, 1000);
    nft_marks_free(m);
    slice_free(s);
}

static void reload(void **state)
{
    (void)state;
    struct slice *s = load(GLOBAL("") GROUP("A", " 10.0.1.1 80\n") GROUP("B", " 10.0.1.2 80\n") VS("A", "TCP")
                               VS("B", "TCP"));
    struct slice *n = load(GLOBAL("") GROUP("C", " 10.0.1.3 80\n") GROUP("B", " 10.0.1.2 81\n") VS("C", "TCP")
                               VS("B", "TCP"));
    struct nft_marks *a = nft_marks_build(s, NULL), *b = nft_marks_build(n, a), *same = nft_marks_build(s, a);
    assert_int_equal(mark(a, "group:B:TCP"), 1001);
    assert_int_equal(mark(b, "group:B:TCP"), 1001); /* its connections live on */
    assert_int_equal(mark(b, "group:C:TCP"), 1002); /* 1000 may still have packets under way */
    assert_true(nft_marks_digest(a) == nft_marks_digest(same));
    assert_true(nft_marks_digest(a) != nft_marks_digest(b));
    struct slice *g = load(GLOBAL("") GROUP("A", " 10.0.1.1 80\n") GROUP("B", " 10.0.1.2 80\n") VS("A", "TCP")
                               VS("B", "TCP") FWM(1001));
    struct nft_marks *c = nft_marks_build(g, a);
    assert_int_equal(mark(c, "group:A:TCP"), 1000);
    assert_int_equal(mark(c, "group:B:TCP"), 1002); /* given away meanwhile */
    struct slice *f =
        load(GLOBAL(" nftables_ipvs_start_fwmark 5000\n") GROUP("A", " 10.0.1.1 80\n") VS("A", "TCP"));
    struct nft_marks *d = nft_marks_build(f, a);
    assert_int_equal(mark(d, "group:A:TCP"), 5000);
    nft_marks_free(a);
    nft_marks_free(b);
    nft_marks_free(c);
    nft_marks_free(d);
    nft_marks_free(same);
    slice_free(s);
    slice_free(n);
    slice_free(g);
    slice_free(f);
}

static void overlaps(void **state)
{
    (void)state;
    struct slice *s = load(GLOBAL("") GROUP("A", " 10.0.1.5-20 80\n 10.0.2.1 80\n")
                               GROUP("B", " 10.0.1.1-5 80\n 10.0.1.6-9 81\n 10.0.2.1 0\n 10.0.3.1 80\n")
                                   VS("A", "TCP") VS("B", "TCP") VS("B", "UDP"));
    struct nft_marks *m = nft_marks_build(s, NULL);
    assert_int_equal(m->dropped, 2); /* of B under TCP: the first and the third line */
    assert_int_equal(m->nranges, 2 + 2 + 4);
    for (size_t i = 0; i < m->nranges; i++)
        for (size_t k = 0; k < i; k++) {
            const struct nft_range *a = &m->ranges[i], *b = &m->ranges[k];
            assert_false(a->protocol == b->protocol && ipaddr_cmp(&a->first, &b->last) <= 0 &&
                         ipaddr_cmp(&b->first, &a->last) <= 0 && a->port_first <= b->port_last &&
                         b->port_first <= a->port_last);
        }
    nft_marks_free(m);
    slice_free(s);
}

static void the_last_mark(void **state)
{
    (void)state;
    struct slice *s = load(GLOBAL(" nftables_ipvs_start_fwmark 4294967295\n") GROUP("A", " 10.0.1.1 80\n")
                               GROUP("B", " 10.0.1.2 80\n") VS("A", "TCP") VS("B", "TCP"));
    struct nft_marks *m = nft_marks_build(s, NULL);
    assert_int_equal(mark(m, "group:A:TCP"), UINT32_MAX);
    assert_int_equal(m->n, 1);
    assert_int_equal(m->left, 1);
    nft_marks_free(m);
    slice_free(s);
}

/* ---- news
 * -------------------------------------------------------------------------------------------------- */

static void damage(void **state)
{
    (void)state;
    struct nft_msgs b;
    nft_msgs_ask(&b, 1, 2, "mine");
    struct nlmsghdr *h = (struct nlmsghdr *)(void *)b.buf;
    size_t n = h->nlmsg_len;
    h->nlmsg_pid = 77;
    for (uint16_t type = 0; type < NFT_MSG_MAX; type++) {
        h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
        bool loss = type == NFT_MSG_DELTABLE || type == NFT_MSG_DELCHAIN || type == NFT_MSG_DELRULE ||
                    type == NFT_MSG_DELSET || type == NFT_MSG_DELSETELEM;
        assert_int_equal(nft_msgs_hurts(b.buf, n, "mine", 5, NULL), loss);
        assert_false(nft_msgs_hurts(b.buf, n, "mine", 77, NULL)); /* our own doing */
        assert_false(nft_msgs_hurts(b.buf, n, "min", 5, NULL));
        assert_false(nft_msgs_hurts(b.buf, n, "mine2", 5, NULL));
        for (size_t cut = 0; cut < n; cut++)
            assert_false(nft_msgs_hurts(b.buf, cut, "mine", 5, NULL));
    }
    nft_msgs_free(&b);
}

/* Every message of a transaction is whole, ascending, begins and ends it; the last before the end is
 * answered. */
static void transaction(void **state)
{
    (void)state;
    struct slice *s = load(GLOBAL("") "virtual_server_group G {\n 10.5.0.0/16 80\n fd00::1:1 80\n}\n"
                                      "virtual_server group G {\n lb_algo rr\n lb_kind TUN\n protocol TCP\n "
                                      "real_server 10.0.9.1 80 {\n weight 1\n }\n}\n");
    struct nft_marks *m = nft_marks_build(s, NULL);
    struct nft_msgs b;
    unsigned int made = 0, gone = 0, acks = 0;
    nft_batch_build(&b, 10, "older", m);
    uint32_t seq = 10;
    for (size_t at = 0; at < b.len;) {
        struct nlmsghdr *h = (struct nlmsghdr *)(void *)(b.buf + at);
        assert_true(h->nlmsg_len >= NLMSG_HDRLEN && at + h->nlmsg_len <= b.len);
        assert_int_equal(h->nlmsg_seq, seq);
        made += h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE);
        gone += h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE);
        acks += (h->nlmsg_flags & NLM_F_ACK) != 0;
        if (h->nlmsg_flags & NLM_F_ACK)
            assert_int_equal(h->nlmsg_seq, b.last_seq);
        if (seq == 10)
            assert_int_equal(h->nlmsg_type, NFNL_MSG_BATCH_BEGIN);
        seq++;
        at += NLMSG_ALIGN(h->nlmsg_len);
        if (at == b.len)
            assert_int_equal(h->nlmsg_type, NFNL_MSG_BATCH_END);
    }
    assert_int_equal(gone, 4); /* two names, two families */
    assert_int_equal(made, 6);
    assert_int_equal(acks, 1);
    assert_int_equal(b.seq, seq);
    nft_msgs_free(&b);
    nft_marks_free(m);
    slice_free(s);
}

/* ---- reload --plan */

static char *planned(const char *table, const struct nft_marks *now, const struct nft_marks *next)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    plan_nft_marks(f, table, now, next);
    fclose(f);
    return text;
}

static void plan_is(const char *table, const char *was, const char *next, const char *want)
{
    struct slice *s = load(was), *n = load(next);
    struct nft_marks *a = nft_marks_build(s, NULL), *b = nft_marks_build(n, a);
    char *text = planned(table, a, b);
    assert_string_equal(text, want);
    free(text);
    nft_marks_free(a);
    nft_marks_free(b);
    slice_free(s);
    slice_free(n);
}

#define PLAN_A GLOBAL("") GROUP("G", " 10.0.1.1 80\n 10.0.1.5-9 8080\n") VS("G", "TCP")
#define PLAN_B GLOBAL("") GROUP("G", " 10.0.1.5-9 8080\n 10.0.1.7 90\n") VS("G", "TCP")
#define T      "keepalived_ipvs"

static void foreseen(void **state)
{
    (void)state;
    plan_is(T, PLAN_A, PLAN_A, "");
    plan_is(T, PLAN_A, PLAN_B,
            "put in anew nftables table ip " T " (nftables_ipvs)\n"
            "remove from nftables map ip " T " tcp_map: 10.0.1.1 . 80\n"
            "add to nftables map ip " T " tcp_map: 10.0.1.7 . 90 : mark 1000\n");
    plan_is("", PLAN_A, PLAN_A, /* it does not stand: a new one with everything */
            "add nftables table ip " T " (nftables_ipvs)\n"
            "add to nftables map ip " T " tcp_map: 10.0.1.1 . 80 : mark 1000\n"
            "add to nftables map ip " T " tcp_map: 10.0.1.5-10.0.1.9 . 8080 : mark 1000\n");
    plan_is(T, PLAN_A, GROUP("G", " 10.0.1.1 80\n") VS("G", "TCP"),
            "remove nftables table ip " T " (nftables_ipvs)\n");
    plan_is("old", PLAN_A, GLOBAL("") GROUP("G", " 10.0.1.1 80\n") VS("G", "TCP"),
            "remove nftables table ip old (nftables_ipvs)\nadd nftables table ip " T " (nftables_ipvs)\n"
            "add to nftables map ip " T " tcp_map: 10.0.1.1 . 80 : mark 1000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off),           cmocka_unit_test(layout),
        cmocka_unit_test(services),      cmocka_unit_test(port_zero_is_every_port),
        cmocka_unit_test(reload),        cmocka_unit_test(overlaps),
        cmocka_unit_test(the_last_mark), cmocka_unit_test(damage),
        cmocka_unit_test(transaction),   cmocka_unit_test(foreseen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
