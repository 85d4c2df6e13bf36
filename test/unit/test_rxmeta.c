/* test_rxmeta.c - what the kernel tells beside a datagram, as IPv4 and IPv6 sockets get it, and its clock. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <time.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "vrrpd/rxmeta.h"

struct told {
    uint8_t control[256] __attribute__((aligned(16)));
    struct msghdr h;
};

static void tell(struct told *t, int level, int type, const void *p, size_t len)
{
    struct cmsghdr c = { .cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type };
    uint8_t *at = t->control + t->h.msg_controllen;
    memcpy(at, &c, sizeof c);
    memcpy(at + CMSG_LEN(0), p, len);
    t->h.msg_control = t->control;
    t->h.msg_controllen += CMSG_SPACE(len);
}

static void test_rxmeta_nothing(void **state)
{
    (void)state;
    struct told t = { 0 };
    struct rxmeta m = rxmeta_read(&t.h);
    assert_true(m.stamp == 0 && m.ttl == -1 && m.dst.family == 0);
}

static void test_rxmeta_ipv4(void **state)
{
    (void)state;
    struct told t = { 0 };
    const struct timespec ts = { .tv_sec = 7, .tv_nsec = 5 };
    struct in_pktinfo pi = { .ipi_ifindex = 3 };
    const int ttl = 254;
    inet_pton(AF_INET, "192.0.2.9", &pi.ipi_addr);
    tell(&t, SOL_SOCKET, SCM_TIMESTAMPNS, &ts, sizeof ts);
    tell(&t, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    tell(&t, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi);
    struct rxmeta m = rxmeta_read(&t.h);
    assert_true(m.stamp == UINT64_C(7000000005) && m.ttl == 254);
    assert_true(m.dst.family == 4 && m.dst.plen == 32 && memcmp(m.dst.b, &pi.ipi_addr, 4) == 0);
}

static void test_rxmeta_ipv6(void **state)
{
    (void)state;
    struct told t = { 0 };
    struct in6_pktinfo pi = { .ipi6_ifindex = 3 };
    const int hops = 255;
    inet_pton(AF_INET6, "ff02::12", &pi.ipi6_addr);
    tell(&t, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi);
    tell(&t, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof hops);
    struct rxmeta m = rxmeta_read(&t.h);
    assert_true(m.stamp == 0 && m.ttl == 255);
    assert_true(m.dst.family == 6 && m.dst.plen == 128 && memcmp(m.dst.b, &pi.ipi6_addr, 16) == 0);
}

static void test_rxmeta_time(void **state)
{
    (void)state;
    assert_true(rxmeta_time(900, 5000, 1000, 0) == 4900);    /* 100 ago */
    assert_true(rxmeta_time(0, 5000, 1000, 0) == 5000);      /* not told: now */
    assert_true(rxmeta_time(1500, 5000, 1000, 0) == 5000);   /* stepped back: never in the future */
    assert_true(rxmeta_time(900, 5000, 1000, 4950) == 4950); /* stepped on: not before the queue was empty */
    assert_true(rxmeta_time(1, 50, 1000, 0) == 0);           /* older than our clock */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rxmeta_nothing),
        cmocka_unit_test(test_rxmeta_ipv4),
        cmocka_unit_test(test_rxmeta_ipv6),
        cmocka_unit_test(test_rxmeta_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
