/*
 * test_nft_accept.c - no_accept: which addresses are dropped while, what a reload carries over, what is told
 * to the kernel and in which order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "ipvsd/nft_accept_batch.h"
#include "ipvsd/nft_accept_plan.h"
#include "test/unit/conf_tree_util.h"

static struct ipaddr ip(const char *text)
{
    struct ipaddr a;
    assert_int_equal(ipaddr_parse_prefix(text, &a), 0);
    return a;
}

static void add(struct nft_accept_elems *e, const char *text, const char *dev)
{
    struct ipaddr a = ip(text);
    nft_accept_elems_add(e, &a, dev);
}

static struct nft_accept_elem *get(const struct nft_accept_elems *e, const char *text, const char *dev)
{
    struct ipaddr a = ip(text);
    return nft_accept_elems_find(e, &a, dev);
}

/* ---- when
 * ------------------------------------------------------------------------------------------------------------
 */

/* Before anybody has spoken every instance may be MASTER; an address that is still there keeps its element.
 */
static void needed(void **state)
{
    static const struct {
        struct nft_accept_case c;
        bool want;
    } cases[] = {
        { { .known = false }, true },
        { { .known = false, .present = true }, true },
        { { .known = true }, false },
        { { .known = true, .master = true }, true },
        { { .known = true, .present = true, .leaving = true }, true },
        { { .known = true, .present = false, .leaving = true }, false },
        { { .known = true, .present = true }, false }, /* the host's own: it is not ours to silence */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(nft_accept_needed(&cases[i].c), cases[i].want);
}

/* ---- which
 * -----------------------------------------------------------------------------------------------------------
 */

static void elements(void **state)
{
    struct nft_accept_elems e = { 0 }, none = { 0 };
    (void)state;
    add(&e, "10.0.0.2/24", "eth0");
    add(&e, "10.0.0.2/32", "eth1"); /* the same on every interface, whatever its prefix */
    add(&e, "fd00::1/64", "eth0");
    add(&e, "fe80::1/64", "eth0"); /* one of its interface */
    add(&e, "fe80::1/64", "eth1");
    nft_accept_elems_seal(&e, &none);
    assert_int_equal(e.n, 4);
    assert_ptr_equal(get(&e, "10.0.0.2/8", "eth7"), get(&e, "10.0.0.2", "eth0"));
    assert_non_null(get(&e, "fe80::1", "eth1"));
    assert_ptr_not_equal(get(&e, "fe80::1", "eth1"), get(&e, "fe80::1", "eth0"));
    assert_null(get(&e, "fe80::1", "eth2"));
    assert_null(get(&e, "10.0.0.3", "eth0"));
    nft_accept_elems_free(&e);
}

/* What a reload drops stays in the list until the kernel has let go of it; the rest keeps what it is. */
static void reload(void **state)
{
    struct nft_accept_elems old = { 0 }, now = { 0 }, none = { 0 };
    bool family[2];
    (void)state;
    add(&old, "10.0.0.1", "eth0");
    add(&old, "10.0.0.2", "eth0");
    add(&old, "fe80::1", "eth0");
    add(&old, "fe80::2", "eth0");
    nft_accept_elems_seal(&old, &none);
    for (size_t i = 0; i < old.n; i++)
        old.v[i].refs = 1;
    get(&old, "10.0.0.1", "eth0")->in = true;
    get(&old, "fe80::1", "eth0")->in = true;
    get(&old, "fe80::1", "eth0")->in_index = 7;
    add(&now, "10.0.0.3", "eth0");
    add(&now, "10.0.0.1", "eth0");
    nft_accept_elems_seal(&now, &old);
    assert_int_equal(now.n, 3);
    assert_true(get(&now, "10.0.0.1", "eth0")->in && get(&now, "10.0.0.1", "eth0")->named);
    assert_int_equal(get(&now, "10.0.0.1", "eth0")->refs, 0); /* counted anew */
    assert_false(get(&now, "10.0.0.3", "eth0")->in);
    assert_null(get(&now, "fe80::2", "eth0"));
    const struct nft_accept_elem *left = get(&now, "fe80::1", "eth0");
    assert_true(left->in && !left->named && left->refs == 0 && left->in_index == 7);
    nft_accept_elems_families(&now, true, family);
    assert_true(family[0] && family[1]);
    nft_accept_elems_families(&now, false, family);
    assert_true(family[0] && !family[1]);
    nft_accept_elems_free(&old);
    nft_accept_elems_free(&now);
}

static void shapes(void **state)
{
    struct nft_accept_shape a, b;
    struct tree t;
    (void)state;
    tree_load(&t, "global_defs {\n}\n");
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    nft_accept_shape_read(&a, s);
    assert_string_equal(a.table, "keepalived");
    assert_int_equal(a.priority, -1);
    assert_false(a.counters || a.by_index || nft_accept_shape_any(&a));
    slice_free(s);
    tree_unload(&t);
    tree_load(
        &t,
        "global_defs {\n nftables mine\n nftables_priority -300\n nftables_counters\n nftables_ifindex\n}\n");
    s = tree_slice(&t, ROLE_IPVSD);
    nft_accept_shape_read(&b, s);
    assert_string_equal(b.table, "mine");
    assert_int_equal(b.priority, -300);
    assert_true(b.counters && b.by_index);
    slice_free(s);
    tree_unload(&t);
    assert_false(nft_accept_shape_same(&a, &b));
    b = a;
    assert_true(nft_accept_shape_same(&a, &b));
    b.family[1] = true;
    assert_false(nft_accept_shape_same(&a, &b));
}

/* ---- what the kernel hears
 * ------------------------------------------------------------------------------------------- */

static const struct nft_accept_shape by_name = { .family = { true, true }, .priority = -1, .table = "t" };
static const struct nft_accept_shape by_index = {
    .family = { true, true }, .by_index = true, .priority = -1, .table = "t"
};

/* Letters of the messages: T table, t its end, S set, E elements, e their end, C chain, R rule. */
static const char *spell(const struct nft_msgs *b)
{
    static char out[256];
    size_t n = 0, acks = 0;
    for (size_t at = 0; at < b->len && n + 1 < sizeof out;) {
        const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(b->buf + at);
        acks += (h->nlmsg_flags & NLM_F_ACK) != 0;
        if (h->nlmsg_flags & NLM_F_ACK)
            assert_int_equal(h->nlmsg_seq, b->last_seq);
        switch (h->nlmsg_type) {
        case NFNL_MSG_BATCH_BEGIN: out[n++] = '<'; break;
        case NFNL_MSG_BATCH_END: out[n++] = '>'; break;
        case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE: out[n++] = 'T'; break;
        case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE: out[n++] = 't'; break;
        case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET: out[n++] = 'S'; break;
        case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM: out[n++] = 'E'; break;
        case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSETELEM: out[n++] = 'e'; break;
        case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN: out[n++] = 'C'; break;
        case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE: out[n++] = 'R'; break;
        default: fail_msg("message type %x", h->nlmsg_type);
        }
        at += NLMSG_ALIGN(h->nlmsg_len);
    }
    out[n] = '\0';
    assert_int_equal(acks, 1);
    return out;
}

static bool holds(const struct nft_msgs *b, const void *what, size_t len)
{
    return memmem(b->buf, b->len, what, len) != NULL;
}

/* Only what is needed, and nothing is ever not there: old and new are exchanged in one transaction. */
static void whole(void **state)
{
    struct nft_accept_elems e = { 0 }, none = { 0 };
    struct nft_accept_shape sh = by_name;
    struct nft_msgs b;
    (void)state;
    add(&e, "10.0.0.1", "eth0");
    add(&e, "10.0.0.2", "eth0");
    add(&e, "fe80::1", "eth0");
    nft_accept_elems_seal(&e, &none);
    get(&e, "10.0.0.1", "eth0")->refs = get(&e, "fe80::1", "eth0")->refs = 1;
    nft_accept_build(&b, 1, NULL, &sh, &e);
    assert_string_equal(spell(&b), "<TtTSCRCRETtT"
                                   "SSESCCRRRRCCRRRRE>");
    nft_msgs_free(&b);
    nft_accept_elems_free(&e);
}

static void changes(void **state)
{
    struct nft_accept_elems e = { 0 }, none = { 0 };
    struct nft_msgs b;
    (void)state;
    add(&e, "10.0.0.1", "eth0");
    add(&e, "10.0.0.2", "eth0");
    nft_accept_elems_seal(&e, &none);
    struct nft_accept_elem *one = get(&e, "10.0.0.1", "eth0"), *two = get(&e, "10.0.0.2", "eth0");
    one->refs = 1;  /* comes */
    two->in = true; /* goes */
    assert_int_equal(nft_accept_change(&b, 1, &by_name, &e, true), 1);
    assert_string_equal(spell(&b), "<E>");
    assert_true(holds(&b, one->addr.b, 4) && !holds(&b, two->addr.b, 4));
    nft_msgs_free(&b);
    assert_int_equal(nft_accept_change(&b, 1, &by_name, &e, false), 1);
    assert_string_equal(spell(&b), "<e>");
    assert_true(!holds(&b, one->addr.b, 4) && holds(&b, two->addr.b, 4));
    nft_msgs_free(&b);
    one->in = true;
    two->in = false;
    assert_int_equal(nft_accept_change(&b, 1, &by_name, &e, true), 0);
    nft_msgs_free(&b);
    nft_accept_elems_free(&e);
}

/* An interface that is not there has no index; one that came back has another. By name nothing changes. */
static void moves(void **state)
{
    struct nft_accept_elems e = { 0 }, none = { 0 };
    struct nft_msgs b;
    (void)state;
    add(&e, "fe80::1", "eth0");
    nft_accept_elems_seal(&e, &none);
    struct nft_accept_elem *x = get(&e, "fe80::1", "eth0");
    x->refs = 1;
    assert_false(nft_accept_elem_comes(&by_index, x));
    assert_true(nft_accept_elem_comes(&by_name, x));
    x->ifindex = 0x01020304;
    assert_int_equal(nft_accept_change(&b, 1, &by_index, &e, true), 1);
    assert_true(holds(&b, &x->ifindex, 4));
    nft_msgs_free(&b);
    x->in = true;
    x->in_index = x->ifindex;
    x->ifindex = 0x05060708;
    assert_int_equal(nft_accept_change(&b, 1, &by_index, &e, true), 2);
    assert_string_equal(spell(&b), "<eE>"); /* the old one out, then the new one in, at once */
    nft_msgs_free(&b);
    assert_int_equal(nft_accept_change(&b, 1, &by_index, &e, false), 0);
    nft_msgs_free(&b);
    assert_int_equal(nft_accept_change(&b, 1, &by_name, &e, true), 0);
    nft_msgs_free(&b);
    nft_accept_elems_free(&e);
}

/* Thousands of addresses are still one transaction of messages that fit. */
static void many(void **state)
{
    struct nft_accept_elems e = { 0 }, none = { 0 };
    struct nft_msgs b;
    size_t n = 0;
    (void)state;
    for (unsigned int i = 0; i < 2000; i++) {
        struct ipaddr a = { .family = 6,
                            .plen = 64,
                            .b = { 0xfe, 0x80, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i } };
        nft_accept_elems_add(&e, &a, "fifteen-letters");
    }
    nft_accept_elems_seal(&e, &none);
    for (size_t i = 0; i < e.n; i++)
        e.v[i].refs = 1;
    assert_int_equal(e.n, 2000);
    assert_int_equal(nft_accept_change(&b, 1, &by_name, &e, true), 2000);
    for (const char *p = spell(&b); *p != '\0'; p++)
        n += *p == 'E';
    assert_int_equal(n, 2000 / NFT_MSGS_ELEMS);
    nft_msgs_free(&b);
    nft_accept_elems_free(&e);
}

/* A table of ours says so; one of the same name that does not is somebody else's. */
static void ours(void **state)
{
    static const char *const comments[] = { "holdfast", "holdfasT", "holdfast ", "holdfas", "" };
    (void)state;
    for (size_t i = 0; i < sizeof comments / sizeof *comments; i++) {
        struct {
            struct nlmsghdr h;
            uint8_t family[4];
            struct nlattr attr;
            uint8_t kind, size;
            char text[14];
        } *m = test_calloc(1, sizeof *m);
        struct nlmsghdr *h = &m->h;
        size_t n = strlen(comments[i]) + 1, len = (offsetof(__typeof__(*m), text) + n + 3) / 4 * 4;
        h->nlmsg_len = (uint32_t)len;
        h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE;
        m->attr = (struct nlattr){ (uint16_t)(sizeof m->attr + 2 + n), NFTA_TABLE_USERDATA };
        m->size = (uint8_t)n;
        memcpy(m->text, comments[i], n);
        assert_int_equal(nft_msgs_ours(h, len), i == 0);
        for (size_t cut = 0; cut < len; cut++)
            assert_false(nft_msgs_ours(h, cut));
        h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET;
        assert_false(nft_msgs_ours(h, len));
        test_free(h);
    }
}

/* ---- the configuration
 * ------------------------------------------------------------------------------------------------ */

#define SILENT    VI_TEXT("V", "1", " no_accept\n" VIPS("10.0.1.1/24\n"))
#define LOUD      VI_TEXT("V", "1", " accept\n" VIPS("10.0.1.1/24\n"))
#define GLOBAL(x) "global_defs {\n" x "}\n"
#define VS(address)                                                                                          \
    "virtual_server " address " 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n"                            \
    " real_server 10.0.9.1 80 {\n }\n}\n"

static void said(const char *text, const char *code, const char *part, const char *table)
{
    struct nft_accept_shape sh;
    struct tree t;
    tree_load(&t, text);
    if (tree_errors(&t) != 0 || (part != NULL && !tree_said(&t, DIAG_WARNING, code, 0, part)))
        tree_show(&t);
    assert_int_equal(tree_errors(&t), 0);
    assert_int_equal(tree_said(&t, DIAG_WARNING, code, 0, part != NULL ? part : ""), part != NULL);
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    nft_accept_shape_read(&sh, s);
    assert_string_equal(sh.table, table);
    slice_free(s);
    tree_unload(&t);
}

/* The incumbent shares a table; ours would take each other's place. */
static void conf_names(void **state)
{
    (void)state;
    said(GLOBAL(" nftables x\n nftables_ipvs y\n") SILENT, "HF-CONFLICT", NULL, "x");
    said(GLOBAL(" nftables x\n nftables_ipvs x\n") SILENT, "HF-CONFLICT", "called keepalived", "keepalived");
    said(GLOBAL(" nftables_ipvs keepalived\n") SILENT, "HF-CONFLICT", "keepalived_vrrp", "keepalived_vrrp");
    said(GLOBAL(" nftables keepalived_vmac\n") SILENT, "HF-CONFLICT", "macvlans", "keepalived");
    said(GLOBAL(" nftables x\n nftables_ipvs x\n") LOUD, "HF-CONFLICT", NULL, "x"); /* there is none */
}

static void conf_services(void **state)
{
    (void)state;
    said(SILENT VS("10.0.1.1"), "HF-NO-ACCEPT", "no_accept", "keepalived");
    said(VS("10.0.1.1") GLOBAL(" vrrp_strict\n") VI_TEXT("V", "1", VIPS("10.0.1.1/24\n")), "HF-NO-ACCEPT",
         "strict mode", "keepalived");
    said(SILENT VS("10.0.1.2"), "HF-NO-ACCEPT", NULL, "keepalived");
    said(LOUD VS("10.0.1.1"), "HF-NO-ACCEPT", NULL, "keepalived");
    said(GLOBAL(" nftables_priority 200\n") SILENT VS("10.0.1.1"), "HF-NO-ACCEPT", NULL, "keepalived");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needed),     cmocka_unit_test(elements),      cmocka_unit_test(reload),
        cmocka_unit_test(shapes),     cmocka_unit_test(whole),         cmocka_unit_test(changes),
        cmocka_unit_test(moves),      cmocka_unit_test(many),          cmocka_unit_test(ours),
        cmocka_unit_test(conf_names), cmocka_unit_test(conf_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
