/*
 * test_ipvs_plan.c - the plan against a model of the kernel: from any table to the wanted one, nothing equal
 * touched, help before harm, and a withdrawal of all servers in linear time. Then the wire format, there and
 * back.
 */
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netlink/msg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ipvsd/ipvs_codec.h"
#include "ipvsd/ipvs_plan.h"

#define FAMILY 30

/* One service with n servers, all wanted in with weight 1, nothing in the kernel. */
struct bed {
    struct ipvs_vs vs;
    struct ipvs_ks ks;
    struct ipvs_source src;
    struct ipvs_plan plan;
};

static void bed_make(struct bed *b, uint32_t n)
{
    memset(b, 0, sizeof *b);
    b->vs.rss = calloc(n, sizeof *b->vs.rss);
    b->vs.nrs = n;
    b->src = (struct ipvs_source){ .vs = &b->vs };
    b->ks = (struct ipvs_ks){ .src = &b->src, .nsrc = 1, .nslots = n, .state = IPVS_KS_ABSENT };
    b->ks.svc.key = (struct ipvs_key){ .family = 4, .protocol = 6, .port = 80, .addr = { 10, 0, 1, 1 } };
    b->ks.slots = calloc(n, sizeof *b->ks.slots);
    for (uint32_t i = 0; i < n; i++) {
        b->vs.rss[i] = (struct ipvs_rs){ .id = i + 1, .index = i, .vs = &b->vs, .in = true, .weight = 1 };
        b->vs.rss[i].spec.key = (struct ipvs_dkey){
            .family = 4, .port = 80, .addr = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i }
        };
        b->ks.slots[i] = (struct ipvs_slot){ .rs = &b->vs.rss[i], .canon = i, .alias = IPVS_NONE };
    }
}

static void bed_free(struct bed *b)
{
    free(b->vs.rss);
    free(b->ks.slots);
    ipvs_plan_free(&b->plan);
}

/* The kernel does as told; a request it would refuse fails the test. */
static void bed_do(struct bed *b)
{
    for (size_t i = 0; i < b->plan.n; i++) {
        const struct ipvs_op *op = &b->plan.v[i];
        struct ipvs_slot *s = op->slot != IPVS_NONE ? &b->ks.slots[op->slot] : NULL;
        switch (op->kind) {
        case IPVS_OP_SVC_ADD:
            assert_int_equal(b->ks.state, IPVS_KS_ABSENT);
            b->ks.state = IPVS_KS_PRESENT;
            break;
        case IPVS_OP_SVC_SET: b->ks.differs = false; break;
        case IPVS_OP_SVC_DEL: b->ks.state = IPVS_KS_ABSENT; break;
        case IPVS_OP_DEST_ADD:
            assert_false(s->present);
            assert_int_equal(b->ks.state, IPVS_KS_PRESENT);
            /* fall through */
        case IPVS_OP_DEST_SET:
            assert_true(op->kind == IPVS_OP_DEST_ADD || s->present);
            s->present = true;
            s->wrong = false;
            s->by = op->by;
            s->weight = b->ks.slots[op->by].rs->weight;
            break;
        case IPVS_OP_DEST_DEL:
            if (s != NULL) {
                assert_true(s->present);
                s->present = s->wrong = false;
            }
            break;
        case IPVS_OP_MAX: fail();
        }
    }
    b->plan.n = 0;
}

static void bed_settled(struct bed *b)
{
    for (uint32_t i = 0; i < b->ks.nslots; i++) {
        const struct ipvs_slot *s = &b->ks.slots[i];
        if (s->canon != i)
            continue;
        struct ipvs_want w = ipvs_plan_want(&b->ks, i);
        assert_int_equal(s->present, w.in);
        assert_true(!w.in || (s->weight == w.weight && !s->wrong));
    }
    ipvs_plan_service(&b->plan, &b->ks, NULL, 0);
    assert_int_equal(b->plan.n, 0); /* nothing equal is touched */
}

static uint32_t dice(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

/* Help first: every ADD and every raise of a weight before every DEL and every lowering. */
static void ordered(const struct bed *b)
{
    bool taking = false;
    for (size_t i = 0; i < b->plan.n; i++) {
        const struct ipvs_op *op = &b->plan.v[i];
        bool take =
            op->kind == IPVS_OP_DEST_DEL ||
            (op->kind == IPVS_OP_DEST_SET && b->ks.slots[op->by].rs->weight < b->ks.slots[op->slot].weight);
        if (op->kind == IPVS_OP_SVC_ADD || op->kind == IPVS_OP_SVC_SET)
            assert_int_equal(i, 0);
        else
            assert_true(take || !taking);
        taking = taking || take;
    }
}

static void random_tables(void **state)
{
    uint32_t seed = 1;
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct bed b;
        bed_make(&b, 1 + dice(&seed, 12));
        b.ks.state = dice(&seed, 4) > 0 ? IPVS_KS_PRESENT : IPVS_KS_ABSENT;
        b.ks.differs = b.ks.state == IPVS_KS_PRESENT && dice(&seed, 3) == 0;
        for (uint32_t i = 0; i < b.ks.nslots; i++) {
            struct ipvs_slot *s = &b.ks.slots[i];
            s->rs->in = dice(&seed, 2);
            s->rs->weight = dice(&seed, 4);
            s->by = i;
            if (i > 0 && dice(&seed, 5) == 0 && b.ks.slots[i - 1].canon == i - 1) {
                s->canon = i - 1; /* a twin */
                s->rs->spec.key = b.vs.rss[i - 1].spec.key;
                s->rs->spec.method = (uint8_t)dice(&seed, 2);
                b.ks.slots[i - 1].alias = i;
                continue;
            }
            if (b.ks.state == IPVS_KS_PRESENT && dice(&seed, 2)) {
                s->present = true;
                s->weight = dice(&seed, 4);
                s->wrong = dice(&seed, 4) == 0;
            }
        }
        ipvs_plan_service(&b.plan, &b.ks, NULL, 0);
        ordered(&b);
        bed_do(&b);
        bed_settled(&b);
        bed_free(&b);
    }
}

static void stale_servers(void **state)
{
    struct bed b;
    const struct ipvs_dkey stale[2] = { { .family = 4, .port = 1 }, { .family = 4, .port = 2 } };
    (void)state;
    bed_make(&b, 1);
    b.ks.state = IPVS_KS_PRESENT;
    ipvs_plan_service(&b.plan, &b.ks, stale, 2);
    assert_int_equal(b.plan.n, 3);
    assert_int_equal(b.plan.v[0].kind, IPVS_OP_DEST_ADD);
    assert_int_equal(b.plan.v[1].kind, IPVS_OP_DEST_DEL);
    assert_int_equal(b.plan.v[2].dkey.port, 2);
    bed_free(&b);
}

/* Quorum is lost: the sorry server is in before the last server is out; the other way round when it comes
 * back. */
static void sorry(void **state)
{
    struct bed b;
    const uint32_t both[2] = { 0, 1 };
    (void)state;
    bed_make(&b, 2);
    b.vs.rss[1].in = false; /* the sorry server */
    ipvs_plan_service(&b.plan, &b.ks, NULL, 0);
    bed_do(&b);
    for (int turn = 0; turn < 2; turn++) {
        b.vs.rss[0].in = turn;
        b.vs.rss[1].in = !turn;
        ipvs_plan_slots(&b.plan, &b.ks, both, 2);
        assert_int_equal(b.plan.n, 2);
        assert_int_equal(b.plan.v[0].kind, IPVS_OP_DEST_ADD);
        assert_int_equal(b.plan.v[0].slot, turn ? 0 : 1);
        assert_int_equal(b.plan.v[1].kind, IPVS_OP_DEST_DEL);
        bed_do(&b);
        bed_settled(&b);
    }
    bed_free(&b);
}

static void removal(void **state)
{
    struct bed b;
    (void)state;
    bed_make(&b, 3);
    ipvs_plan_service(&b.plan, &b.ks, NULL, 0);
    bed_do(&b);
    ipvs_plan_remove(&b.plan, &b.ks, true);
    assert_int_equal(b.plan.n, 4);
    assert_int_equal(b.plan.v[0].slot, 2); /* the newest stands first in the kernel's list */
    assert_int_equal(b.plan.v[3].kind, IPVS_OP_SVC_DEL);
    b.plan.n = 0;
    ipvs_plan_remove(&b.plan, &b.ks, false);
    assert_int_equal(b.plan.n, 1);
    bed_free(&b);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double withdraw(uint32_t n)
{
    struct bed b;
    bed_make(&b, n);
    ipvs_plan_service(&b.plan, &b.ks, NULL, 0);
    assert_int_equal(b.plan.n, n + 1);
    bed_do(&b);
    uint32_t *all = malloc(n * sizeof *all);
    for (uint32_t i = 0; i < n; i++) {
        b.vs.rss[i].in = false;
        all[i] = i;
    }
    double t = seconds();
    ipvs_plan_slots(&b.plan, &b.ks, all, n);
    t = seconds() - t;
    assert_int_equal(b.plan.n, n);
    bed_do(&b);
    bed_settled(&b);
    struct ipvs_index x;
    double u = seconds();
    ipvs_index_build(&x, &b.ks);
    for (uint32_t i = 0; i < n; i++) {
        struct ipvs_dkey k = ipvs_model_dkey(&b.ks, &b.vs.rss[i]);
        assert_int_equal(ipvs_index_find(&x, &k), i);
    }
    u = seconds() - u;
    ipvs_index_free(&x);
    free(all);
    bed_free(&b);
    return t + u;
}

/* Twenty times the servers may take a hundred and fifty times as long (they leave the caches), not four
 * hundred. */
static void linear(void **state)
{
    double small = 1e9;
    (void)state;
    for (int i = 0; i < 5; i++) {
        double t = withdraw(5000);
        small = t < small ? t : small;
    }
    double big = withdraw(100000);
    if (big > 150 * small + 0.005)
        fail_msg("5,000 servers: %.6f s, 100,000: %.6f s", small, big);
}

/* ---- the wire
 * ------------------------------------------------------------------------------------------------------ */

struct got {
    struct ipvs_answer a;
    unsigned int n;
};

static void on_answer(const struct ipvs_answer *a, void *arg)
{
    struct got *g = arg;
    g->a = *a;
    g->n++;
}

/* What we say reads as what the kernel answers with the same words. */
static struct got heard(struct nl_msg *m, uint32_t seq)
{
    struct got g = { 0 };
    struct ipvs_walk w = { .seq = 7, .fn = on_answer, .arg = &g };
    struct nlmsghdr *h = nlmsg_hdr(m);
    h->nlmsg_seq = seq;
    ipvs_codec_walk(h, h->nlmsg_len, &w);
    nlmsg_free(m);
    return g;
}

static void codec_services(void **state)
{
    struct ipvs_svc s = { .key = { .family = 6, .protocol = 132, .port = 8080, .addr = { 0xfd, [15] = 9 } },
                          .sched = "wrr",
                          .pe = "sip",
                          .flags = IP_VS_SVC_F_PERSISTENT | IP_VS_SVC_F_SCHED2,
                          .timeout = 77,
                          .netmask = 64 };
    (void)state;
    struct got g = heard(ipvs_codec_svc(FAMILY, IPVS_CMD_NEW_SERVICE, &s), 7);
    assert_int_equal(g.n, 1);
    assert_int_equal(g.a.kind, IPVS_ANSWER_SVC);
    assert_memory_equal(&g.a.svc, &s, sizeof s);
    s.key = (struct ipvs_key){ .family = 4, .fwmark = 5 };
    s.pe[0] = s.pe[1] = s.pe[2] = '\0';
    g = heard(ipvs_codec_svc(FAMILY, IPVS_CMD_NEW_SERVICE, &s), 7);
    assert_memory_equal(&g.a.svc, &s, sizeof s);
    assert_int_equal(heard(ipvs_codec_svc(FAMILY, IPVS_CMD_NEW_SERVICE, &s), 8).n,
                     0); /* somebody else's answer */
    s.flags |= IP_VS_SVC_F_HASHED;
    g = heard(ipvs_codec_svc(FAMILY, IPVS_CMD_NEW_SERVICE, &s), 7);
    assert_int_equal(g.a.svc.flags, s.flags & ~(uint32_t)IP_VS_SVC_F_HASHED); /* the kernel's own */
}

static void codec_dests(void **state)
{
    struct ipvs_key k = { .family = 4, .protocol = 6, .port = 80, .addr = { 10, 0, 0, 1 } };
    struct ipvs_dest d = { .key = { .family = 6, .port = 80, .addr = { 0xfd, [15] = 3 } },
                           .weight = 253,
                           .upper = 9,
                           .lower = 4,
                           .method = IP_VS_CONN_F_TUNNEL,
                           .tun_type = IP_VS_CONN_F_TUNNEL_TYPE_GUE,
                           .tun_port = 6080,
                           .tun_flags = IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM };
    (void)state;
    struct got g = heard(ipvs_codec_dest(FAMILY, IPVS_CMD_NEW_DEST, &k, &d), 7);
    assert_int_equal(g.n, 1);
    assert_int_equal(g.a.kind, IPVS_ANSWER_DEST);
    assert_true(ipvs_dkey_same(&g.a.dest.key, &d.key) && ipvs_dest_same(&g.a.dest, &d));
    assert_int_equal(g.a.dest.weight, 253);
    d.method = IP_VS_CONN_F_DROUTE;
    g = heard(ipvs_codec_dest(FAMILY, IPVS_CMD_NEW_DEST, &k, &d), 7);
    assert_true(ipvs_dest_same(&g.a.dest, &d)); /* tunnel options say nothing without a tunnel */
    struct ipvs_timeouts t = { { 1, 0, 3 } };
    g = heard(ipvs_codec_timeouts(FAMILY, &t), 7);
    assert_int_equal(g.a.kind, IPVS_ANSWER_TIMEOUTS);
    assert_memory_equal(&g.a.timeouts, &t, sizeof t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_tables), cmocka_unit_test(stale_servers), cmocka_unit_test(sorry),
        cmocka_unit_test(removal),       cmocka_unit_test(linear),        cmocka_unit_test(codec_services),
        cmocka_unit_test(codec_dests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
