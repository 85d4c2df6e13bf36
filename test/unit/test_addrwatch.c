/* test_addrwatch.c - -a: a line for each address that comes or goes, once, with who did it; dumps and
 * interfaces that go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "ipvsd/addrwatch.h"

#define OWN 4242

struct heard {
    size_t n;
    char last[LOG_LINE_MAX];
};

static void hear(enum role who, enum log_level level, const char *text, void *arg)
{
    struct heard *h = arg;
    (void)who;
    (void)level;
    h->n++;
    snprintf(h->last, sizeof h->last, "%s", text);
}

static void addr(struct addrwatch *w, enum kevent_kind kind, const char *text, uint32_t ifindex,
                 uint32_t portid)
{
    struct kevent e = { .kind = kind, .portid = portid, .addr.ifindex = ifindex };
    assert_int_equal(ipaddr_parse_prefix(text, &e.addr.addr), 0);
    addrwatch_on_event(w, &e);
}

static void link(struct addrwatch *w, enum kevent_kind kind, const char *name, uint32_t ifindex)
{
    struct kevent e = { .kind = kind, .link.ifindex = ifindex };
    snprintf(e.link.name, sizeof e.link.name, "%s", name);
    addrwatch_on_event(w, &e);
}

static void test_life(void **state)
{
    struct heard h = { 0 };
    struct addrwatch *w = addrwatch_new(OWN);
    (void)state;
    log_sink(hear, &h);
    link(w, KEVENT_LINK, "eth0", 3);
    addrwatch_dump_begin(w);
    addr(w, KEVENT_ADDR, "10.0.0.1/24", 3, OWN); /* an answer to us: nobody did that now */
    assert_string_equal(h.last, "Netlink reflector reports IP 10.0.0.1 present on eth0 (/24)");
    addrwatch_dump_end(w);
    addr(w, KEVENT_ADDR, "10.0.0.9/32", 3, OWN);
    assert_string_equal(h.last, "Netlink reflector reports IP 10.0.0.9 added to eth0 (/32, by this daemon)");
    addr(w, KEVENT_ADDR, "10.0.0.9/32", 3, 0); /* its lifetime, say: it was there */
    assert_int_equal(h.n, 2);
    addr(w, KEVENT_ADDR, "fd00::1/64", 3, 0x7fffffff);
    assert_string_equal(
        h.last, "Netlink reflector reports IP fd00::1 added to eth0 (/64, by netlink port 2147483647)");
    addr(w, KEVENT_ADDR_GONE, "10.0.0.9/32", 3, 0);
    assert_string_equal(h.last, "Netlink reflector reports IP 10.0.0.9 removed from eth0 (/32)");
    addr(w, KEVENT_ADDR_GONE, "10.0.0.9/32", 3, 0);
    assert_int_equal(h.n, 4);
    addr(w, KEVENT_ADDR, "10.0.0.1/24", 77, 0); /* the same address on an interface nobody has named yet */
    assert_string_equal(h.last, "Netlink reflector reports IP 10.0.0.1 added to if77 (/24)");
    addrwatch_free(w);
    log_sink(NULL, NULL);
}

/* News were lost: the dump says what changed meanwhile. */
static void test_dump(void **state)
{
    struct heard h = { 0 };
    struct addrwatch *w = addrwatch_new(OWN);
    (void)state;
    log_sink(hear, &h);
    link(w, KEVENT_LINK, "eth0", 3);
    addrwatch_dump_begin(w);
    addr(w, KEVENT_ADDR, "10.0.0.1/24", 3, OWN);
    addr(w, KEVENT_ADDR, "10.0.0.2/24", 3, OWN);
    addrwatch_dump_end(w);
    assert_int_equal(h.n, 2);
    addrwatch_dump_begin(w);
    addr(w, KEVENT_ADDR, "10.0.0.1/24", 3, OWN);
    addr(w, KEVENT_ADDR, "10.0.0.3/24", 3, OWN);
    assert_string_equal(h.last, "Netlink reflector reports IP 10.0.0.3 added to eth0 (/24)");
    addrwatch_dump_end(w);
    assert_string_equal(h.last, "Netlink reflector reports IP 10.0.0.2 removed from eth0 (/24)");
    assert_int_equal(h.n, 4);
    link(w, KEVENT_LINK, "wan", 3); /* renamed */
    link(w, KEVENT_LINK_GONE, "wan", 3);
    assert_int_equal(h.n, 6);
    assert_string_equal(h.last, "Netlink reflector reports IP 10.0.0.3 removed from wan (/24)");
    link(w, KEVENT_LINK_GONE, "wan", 3);
    addrwatch_on_event(NULL, &(struct kevent){ .kind = KEVENT_LINK });
    addrwatch_dump_begin(NULL);
    addrwatch_dump_end(NULL);
    addrwatch_free(w);
    addrwatch_free(NULL);
    log_sink(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_life), cmocka_unit_test(test_dump) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
