/*
 * test_addr_plan.c - the policy of addresses over its whole input space (every combination of its switches),
 * the mirror of the kernel, last wills, and what the kernel says about addresses.
 */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/compat.h"
#include "ipvsd/addr_plan.h"
#include "ipvsd/addr_spec.h"
#include "ipvsd/kaddr.h"
#include "ipvsd/kevent.h"
#include "ipvsd/will.h"

static void plan(void **state)
{
    (void)state;
    static const uint8_t protos[] = { 0, 1, 3, COMPAT_PROTO_VRRP };
    unsigned int seen[4] = { 0 };
    for (unsigned int bits = 0; bits < 1u << 11; bits++) {
        for (size_t p = 0; p < 4; p++) {
            struct addr_case c = { .wanted = bits & 1,
                                   .shared = bits & 2,
                                   .changed = bits & 4,
                                   .present = bits & 8,
                                   .plen_equal = bits & 16,
                                   .ours = bits & 32,
                                   .owner = bits & 64,
                                   .link_exists = bits & 128,
                                   .link_up = bits & 256,
                                   .ipv6 = bits & 512,
                                   .held_back = bits & 1024,
                                   .proto = protos[p] };
            enum addr_op op = addr_plan_decide(&c);
            bool foreign = c.proto == 1 || c.proto == 3;
            seen[op]++;
            if (op != ADDR_OP_NONE)
                assert_true(c.link_exists);
            if (op == ADDR_OP_ADD)
                assert_true(c.wanted && !c.present && !c.held_back && (c.link_up || !c.ipv6));
            if (op == ADDR_OP_DEL)
                assert_true(!c.wanted && c.present && !c.shared && (!foreign || c.ours));
            if (op == ADDR_OP_REPLACE)
                assert_true(c.wanted && c.present && (!foreign || c.ours) && (c.changed || !c.plen_equal));
            if ((op == ADDR_OP_DEL || op == ADDR_OP_REPLACE) && c.owner)
                assert_true(c.ours || c.proto == COMPAT_PROTO_VRRP); /* never the interface's own address */
            if (c.wanted && c.present && !c.changed && c.plen_equal)
                assert_int_equal(op, ADDR_OP_NONE);
            if (c.wanted && !c.present && c.link_exists && c.link_up && !c.held_back)
                assert_int_equal(op, ADDR_OP_ADD);
            if (!c.wanted && c.present && !c.shared && c.link_exists && c.proto == COMPAT_PROTO_VRRP)
                assert_int_equal(op, ADDR_OP_DEL);
        }
    }
    for (int i = 0; i < 4; i++)
        assert_true(seen[i] > 0);
}

static struct kevent_addr addr_of(uint32_t ifindex, const char *text)
{
    struct kevent_addr a = { .ifindex = ifindex };
    assert_int_equal(ipaddr_parse_prefix(text, &a.addr), 0);
    return a;
}

static void mirror(void **state)
{
    (void)state;
    struct kaddr_table t;
    struct kaddr_list l[2];
    kaddr_init(&t);
    TAILQ_INIT(&l[0]);
    TAILQ_INIT(&l[1]);
    struct kevent_addr a = addr_of(1, "10.0.0.1/24"), b = addr_of(1, "10.0.0.1/32"),
                       c = addr_of(2, "10.0.0.1/24");
    struct kevent_addr d = addr_of(1, "fd00::1/64"), e = addr_of(1, "fd00::1/128");
    kaddr_put(&t, &l[0], &a);
    assert_null(kaddr_find(&t, 1, &b.addr)); /* IPv4: another prefix length is another address */
    assert_null(kaddr_find(&t, 2, &c.addr));
    kaddr_put(&t, &l[0], &b);
    kaddr_put(&t, &l[1], &c);
    struct kaddr *k = kaddr_put(&t, &l[0], &d);
    assert_ptr_equal(kaddr_find(&t, 1, &e.addr), k); /* IPv6: it is the same */
    assert_ptr_equal(kaddr_put(&t, &l[0], &e), k);
    assert_int_equal(t.n, 4);
    for (unsigned int i = 0; i < 5000; i++) {
        struct kevent_addr x = addr_of(1, "10.1.0.0/32");
        x.addr.b[2] = (uint8_t)(i >> 8);
        x.addr.b[3] = (uint8_t)i;
        kaddr_put(&t, &l[0], &x);
        assert_non_null(kaddr_find(&t, 1, &x.addr));
    }
    assert_ptr_equal(TAILQ_FIRST(&l[0]), kaddr_find(&t, 1, &a.addr)); /* order of arrival */
    kaddr_drop(&t, &l[0], kaddr_find(&t, 1, &a.addr));
    assert_null(kaddr_find(&t, 1, &a.addr));
    assert_non_null(kaddr_find(&t, 2, &c.addr));
    kaddr_drop_all(&t, &l[0]);
    kaddr_drop_all(&t, &l[1]);
    assert_int_equal(t.n, 0);
    kaddr_free(&t);
}

static void wills(void **state)
{
    (void)state;
    uint8_t p[64] = { 0x31, 51, 0, 1 };
    struct will_rule r = { .version = 3, .vrid = 51, .family = 4 };
    assert_int_equal(will_check(&r, p, 12), 0);
    assert_int_equal(will_check(&r, p, 12 + 28), 0);
    assert_int_equal(will_check(&r, p, 11), -1);
    assert_int_equal(will_check(&r, p, 13), -1);
    assert_int_equal(will_check(&r, p, 0), -1);
    p[2] = 1; /* a priority that would win */
    assert_int_equal(will_check(&r, p, 12), -1);
    p[2] = 0;
    p[1] = 52;
    assert_int_equal(will_check(&r, p, 12), -1);
    p[1] = 51;
    p[0] = 0x32;
    assert_int_equal(will_check(&r, p, 12), -1);
    p[0] = 0x21;
    assert_int_equal(will_check(&r, p, 12), -1);
    r.version = 2;
    assert_int_equal(will_check(&r, p, 20), 0);
    r.family = 6;
    assert_int_equal(will_check(&r, p, 24), 0); /* over IPv6 room for a password only if there is one */
    p[4] = 1;
    assert_int_equal(will_check(&r, p, 24), -1);
    assert_int_equal(will_check(&r, p, 32), 0);
    p[4] = 0;
    r.version = 3;
    p[0] = 0x31;
    assert_int_equal(will_check(&r, p, 24), 0);
    memmove(p + 24, p, 8);
    r = (struct will_rule){ .version = 3, .vrid = 51, .family = 4, .ah = true };
    assert_int_equal(will_check(&r, p, 24 + 12), 0);
    assert_int_equal(will_check(&r, p, 20), -1);
}

/* At a reload a will follows its router, never the name alone: sent for VRID 52, that of VRID 51 would resign
 * what nobody has any more. */
static void will_moves(void **state)
{
    (void)state;
    const uint8_t p[12] = { 0x31, 51, 0, 1 };
    const struct will_rule rule = { .version = 3, .vrid = 51, .family = 4 };
    const struct will_rule others[] = { { .version = 3, .vrid = 52, .family = 4 },
                                        { .version = 2, .vrid = 51, .family = 4 },
                                        { .version = 3, .vrid = 51, .family = 6 },
                                        { .version = 3, .vrid = 51, .family = 4, .ah = true } };
    struct inst from = { .rule = rule };
    assert_int_equal(will_store(&from, p, sizeof p), 0);
    for (size_t n = 0; n < sizeof others / sizeof others[0]; n++) {
        struct inst to = { .rule = others[n] };
        will_move(&from, &to);
        assert_null(to.will);
        assert_non_null(from.will);
    }
    struct inst to = { .rule = rule };
    will_move(&from, &to);
    assert_null(from.will);
    assert_int_equal(to.will_len, sizeof p);
    assert_memory_equal(to.will, p, sizeof p);
    free(to.will);
}

/* ---- requests are what the kernel would tell back
 * --------------------------------------------------------------- */

static void keep(const struct kevent *e, void *arg)
{
    *(struct kevent *)arg = *e;
}

static struct kevent round_trip(struct nl_msg *m)
{
    struct kevent e = { .kind = KEVENT_LINK };
    struct kevent_end end = { 0 };
    assert_non_null(m);
    struct nlmsghdr *h = nlmsg_hdr(m);
    kevent_walk(h, h->nlmsg_len, keep, &e, &end);
    assert_int_equal(end.strange + (size_t)end.error, 0);
    nlmsg_free(m);
    return e;
}

static void requests(void **state)
{
    (void)state;
    struct addr_spec s = { .flags = IFA_F_NODAD | IFA_F_NOPREFIXROUTE, .preferred = UINT32_MAX };
    assert_int_equal(ipaddr_parse_prefix("fd00::100/64", &s.addr), 0);
    struct kevent e = round_trip(addr_spec_add(&s, 7));
    assert_int_equal(e.kind, KEVENT_ADDR);
    assert_int_equal(e.addr.ifindex, 7);
    assert_int_equal(e.addr.flags, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
    assert_int_equal(e.addr.proto, COMPAT_PROTO_VRRP);
    assert_memory_equal(&e.addr.addr, &s.addr, sizeof s.addr);
    s = (struct addr_spec){ .scope = 253, .label = "eth0:vip", .preferred = 0 };
    assert_int_equal(ipaddr_parse_prefix("10.0.0.100/24", &s.addr), 0);
    assert_int_equal(ipaddr_parse_prefix("10.0.9.1/24", &s.peer), 0);
    assert_int_equal(ipaddr_parse("10.0.0.255", &s.brd), 0);
    e = round_trip(addr_spec_add(&s, 9));
    assert_memory_equal(&e.addr.addr, &s.addr, sizeof s.addr); /* ours, not the peer's */
    assert_int_equal(e.addr.scope, 253);
    e = round_trip(addr_spec_del(&s.addr, 9));
    assert_int_equal(e.kind, KEVENT_ADDR_GONE);
    assert_memory_equal(&e.addr.addr, &s.addr, sizeof s.addr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan),       cmocka_unit_test(mirror),   cmocka_unit_test(wills),
        cmocka_unit_test(will_moves), cmocka_unit_test(requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
