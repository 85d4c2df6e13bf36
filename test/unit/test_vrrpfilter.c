/*
 * test_vrrpfilter.c - the socket filters, run by a small interpreter of classic BPF and checked by the
 * kernel's verifier: a packet passes at most one of the two programs, and the one it should.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipvsd/vrrpfilter.h"

struct pkt {
    uint8_t net[128]; /* from the IP header on */
    size_t net_len;
    size_t data; /* where the socket's view begins: 0 for IPv4, 40 for IPv6 */
};

/* false: out of the packet, which ends the program with "drop" */
static bool load(const struct pkt *p, uint32_t off, size_t n, uint32_t *out)
{
    size_t at;
    *out = 0;
    if ((int32_t)off < 0 && (int32_t)off >= SKF_NET_OFF)
        at = off - (uint32_t)SKF_NET_OFF;
    else if ((int32_t)off < 0)
        return false;
    else
        at = p->data + off;
    if (at + n > p->net_len)
        return false;
    for (size_t i = 0; i < n; i++)
        *out = *out << 8 | p->net[at + i];
    return true;
}

static uint32_t run(const struct sock_filter *f, size_t n, const struct pkt *p)
{
    uint32_t a = 0, x = 0, m[16] = { 0 };
    for (size_t pc = 0; pc < n; pc++) {
        const struct sock_filter *i = &f[pc];
        bool ok = true, jump = false;
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS: ok = load(p, i->k, 4, &a); break;
        case BPF_LD | BPF_B | BPF_ABS: ok = load(p, i->k, 1, &a); break;
        case BPF_LD | BPF_B | BPF_IND: ok = load(p, i->k + x, 1, &a); break;
        case BPF_LD | BPF_W | BPF_LEN: a = (uint32_t)(p->net_len - p->data); break;
        case BPF_LD | BPF_W | BPF_IMM: a = i->k; break;
        case BPF_LD | BPF_W | BPF_MEM: a = m[i->k]; break;
        case BPF_LDX | BPF_W | BPF_IMM: x = i->k; break;
        case BPF_LDX | BPF_B | BPF_MSH: ok = load(p, i->k, 1, &x), x = (x & 15) * 4; break;
        case BPF_ST: m[i->k] = a; break;
        case BPF_ALU | BPF_AND | BPF_K: a &= i->k; break;
        case BPF_ALU | BPF_RSH | BPF_K: a >>= i->k; break;
        case BPF_ALU | BPF_LSH | BPF_X: a <<= x; break;
        case BPF_ALU | BPF_SUB | BPF_X: a -= x; break;
        case BPF_MISC | BPF_TAX: x = a; break;
        case BPF_JMP | BPF_JEQ | BPF_K: pc += a == i->k ? i->jt : i->jf, jump = true; break;
        case BPF_JMP | BPF_JGE | BPF_K: pc += a >= i->k ? i->jt : i->jf, jump = true; break;
        case BPF_JMP | BPF_JSET | BPF_K: pc += (a & i->k) != 0 ? i->jt : i->jf, jump = true; break;
        case BPF_RET | BPF_K: return i->k;
        default: fail_msg("instruction %x is not known here", i->code);
        }
        (void)jump;
        if (!ok)
            return 0;
    }
    fail_msg("the program ran over its end");
    return 0;
}

struct shape {
    uint8_t family, ihl, ttl, ver_type, vrid;
    const char *dst;
    size_t payload;
    bool ah;
    uint8_t next;
};

static struct pkt make(struct shape s)
{
    struct pkt p = { .net_len = 0 };
    struct ipaddr dst;
    assert_int_equal(ipaddr_parse(s.dst, &dst), 0);
    size_t hdr = s.family == 4 ? (s.ihl ? s.ihl : 5) * 4u : 40u;
    if (s.family == 4) {
        p.net[0] = (uint8_t)(0x40 | hdr / 4);
        p.net[8] = s.ttl;
        memcpy(p.net + 16, dst.b, 4);
    } else {
        p.net[0] = 0x60;
        p.net[7] = s.ttl;
        memcpy(p.net + 24, dst.b, 16);
        p.data = 40;
    }
    uint8_t *q = p.net + hdr;
    if (s.ah) {
        q[0] = s.next ? s.next : 112;
        q[1] = 4;
        q += 24;
        hdr += 24;
    }
    q[0] = s.ver_type;
    q[1] = s.vrid;
    p.net_len = hdr + s.payload;
    return p;
}

enum verdict { NOBODY, ACCEPT, REJECT };

static enum verdict judge(const struct vrrpfilter_spec *s, const struct pkt *p)
{
    struct sock_filter acc[VRRPFILTER_MAX], rej[VRRPFILTER_MAX];
    size_t na = vrrpfilter_accept(s, acc), nr = vrrpfilter_reject(s, rej);
    bool a = run(acc, na, p) != 0, r = run(rej, nr, p) != 0;
    assert_false(a && r);
    return a ? ACCEPT : r ? REJECT : NOBODY;
}

static struct vrrpfilter_spec spec(uint8_t family, const char *dst, bool multicast, uint8_t versions)
{
    struct vrrpfilter_spec s = { .family = family, .multicast = multicast, .versions = versions };
    if (dst != NULL)
        assert_int_equal(ipaddr_parse(dst, &s.dst), 0);
    return s;
}

#define V2 (1u << 2)
#define V3 (1u << 3)
#define G4 "224.0.0.18"
#define G6 "ff02::12"

static void multicast4(void **state)
{
    (void)state;
    struct vrrpfilter_spec s = spec(4, G4, true, V3);
    vrrpfilter_add_vrid(&s, 51);
    struct {
        struct shape in;
        enum verdict want;
    } t[] = {
        { { 4, 5, 255, 0x31, 51, G4, 12, 0, 0 }, ACCEPT },
        { { 4, 5, 255, 0x31, 51, G4, 8, 0, 0 }, ACCEPT },
        { { 4, 8, 255, 0x31, 51, G4, 12, 0, 0 }, ACCEPT }, /* IP options */
        { { 4, 15, 255, 0x31, 51, G4, 12, 0, 0 }, ACCEPT },
        { { 4, 5, 255, 0x31, 51, G4, 7, 0, 0 }, REJECT },
        { { 4, 5, 255, 0x31, 51, G4, 1, 0, 0 }, REJECT },
        { { 4, 5, 255, 0x31, 51, G4, 0, 0, 0 }, REJECT },
        { { 4, 5, 254, 0x31, 51, G4, 12, 0, 0 }, REJECT },
        { { 4, 5, 255, 0x21, 51, G4, 12, 0, 0 }, REJECT },
        { { 4, 5, 255, 0x32, 51, G4, 12, 0, 0 }, REJECT },
        { { 4, 5, 255, 0x31, 52, G4, 12, 0, 0 }, NOBODY },
        { { 4, 5, 1, 0x21, 52, G4, 12, 0, 0 }, NOBODY },
        { { 4, 5, 255, 0x31, 51, "10.0.0.1", 12, 0, 0 }, NOBODY },
        { { 4, 5, 255, 0x31, 51, "224.0.0.19", 12, 0, 0 }, NOBODY },
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct pkt p = make(t[i].in);
        if (judge(&s, &p) != t[i].want)
            fail_msg("case %zu: %d instead of %d", i, judge(&s, &p), t[i].want);
    }
    s.unknown = true;
    struct pkt p = make((struct shape){ 4, 5, 255, 0x31, 52, G4, 12, 0, 0 });
    assert_int_equal(judge(&s, &p), REJECT);
    s.versions = V2 | V3;
    p = make((struct shape){ 4, 5, 255, 0x21, 51, G4, 12, 0, 0 });
    assert_int_equal(judge(&s, &p), ACCEPT);
}

static void multicast6(void **state)
{
    (void)state;
    struct vrrpfilter_spec s = spec(6, G6, true, V3);
    vrrpfilter_add_vrid(&s, 200);
    struct {
        struct shape in;
        enum verdict want;
    } t[] = {
        { { 6, 0, 255, 0x31, 200, G6, 24, 0, 0 }, ACCEPT },
        { { 6, 0, 64, 0x31, 200, G6, 24, 0, 0 }, REJECT },
        { { 6, 0, 255, 0x21, 200, G6, 24, 0, 0 }, REJECT },
        { { 6, 0, 255, 0x31, 200, G6, 7, 0, 0 }, REJECT },
        { { 6, 0, 255, 0x31, 201, G6, 24, 0, 0 }, NOBODY },
        { { 6, 0, 255, 0x31, 200, "ff02::1", 24, 0, 0 }, NOBODY },
        { { 6, 0, 255, 0x31, 200, "fe80::1", 24, 0, 0 }, NOBODY },
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct pkt p = make(t[i].in);
        if (judge(&s, &p) != t[i].want)
            fail_msg("case %zu: %d instead of %d", i, judge(&s, &p), t[i].want);
    }
}

static void unicast(void **state)
{
    (void)state;
    struct vrrpfilter_spec s = spec(4, NULL, false, V3);
    vrrpfilter_add_vrid(&s, 51);
    struct pkt p = make((struct shape){ 4, 5, 17, 0x31, 51, "10.0.0.1", 12, 0, 0 });
    assert_int_equal(judge(&s, &p), ACCEPT); /* any TTL */
    p = make((struct shape){ 4, 5, 255, 0x31, 51, G4, 12, 0, 0 });
    assert_int_equal(judge(&s, &p), NOBODY);
    s = spec(4, "10.0.0.2", false, V3);
    vrrpfilter_add_vrid(&s, 51);
    p = make((struct shape){ 4, 5, 17, 0x31, 51, "10.0.0.1", 12, 0, 0 });
    assert_int_equal(judge(&s, &p), NOBODY);
    p = make((struct shape){ 4, 5, 17, 0x31, 51, "10.0.0.2", 12, 0, 0 });
    assert_int_equal(judge(&s, &p), ACCEPT);
    s = spec(6, NULL, false, V3);
    vrrpfilter_add_vrid(&s, 1);
    p = make((struct shape){ 6, 0, 64, 0x31, 1, "fd00::1", 24, 0, 0 });
    assert_int_equal(judge(&s, &p), ACCEPT);
    p = make((struct shape){ 6, 0, 64, 0x31, 1, G6, 24, 0, 0 });
    assert_int_equal(judge(&s, &p), NOBODY);
}

static void header_of_authentication(void **state)
{
    (void)state;
    struct vrrpfilter_spec s = spec(4, G4, true, V2);
    s.ah = true;
    vrrpfilter_add_vrid(&s, 51);
    struct pkt p = make((struct shape){ 4, 5, 255, 0x21, 51, G4, 20, true, 0 });
    assert_int_equal(judge(&s, &p), ACCEPT);
    p = make((struct shape){ 4, 5, 255, 0x21, 51, G4, 7, true, 0 });
    assert_int_equal(judge(&s, &p), REJECT);
    p = make((struct shape){ 4, 5, 255, 0x21, 51, G4, 20, true, 6 });
    assert_int_equal(judge(&s, &p), NOBODY); /* somebody else's authenticated traffic */
}

/* Every VRID against random sets, and the kernel takes every program. */
static void every_vrid(void **state)
{
    (void)state;
    int sv[2];
    srandom(7);
    for (int round = 0; round < 64; round++) {
        bool in[256] = { 0 };
        struct vrrpfilter_spec s = spec(round & 1 ? 6 : 4, round & 1 ? G6 : G4, true, V2 | V3);
        s.unknown = round & 2;
        s.ah = (round & 5) == 4;
        int n = round == 0 ? 255 : (int)(random() % 40);
        for (int i = 0; i < n; i++) {
            unsigned int v = round == 0 ? (unsigned int)i + 1 : (unsigned int)(random() % 255 + 1);
            in[v] = true;
            vrrpfilter_add_vrid(&s, (uint8_t)v);
        }
        for (unsigned int v = 0; v < 256; v++) {
            struct pkt p =
                make((struct shape){ s.family, 5, 255, 0x31, (uint8_t)v, round & 1 ? G6 : G4, 24, s.ah, 0 });
            assert_int_equal(judge(&s, &p), in[v] ? ACCEPT : s.unknown ? REJECT : NOBODY);
        }
        struct sock_filter code[VRRPFILTER_MAX];
        for (int kind = 0; kind < 2; kind++) {
            struct sock_fprog f = { .filter = code };
            f.len = (unsigned short)(kind ? vrrpfilter_reject(&s, code) : vrrpfilter_accept(&s, code));
            assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
            assert_int_equal(setsockopt(sv[0], SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof f), 0);
            close(sv[0]);
            close(sv[1]);
        }
    }
}

/* Anything at all: no crash, never both. */
static void noise(void **state)
{
    (void)state;
    srandom(11);
    for (int round = 0; round < 20000; round++) {
        struct vrrpfilter_spec s = spec(round & 1 ? 6 : 4, round & 1 ? G6 : G4, random() & 1, V3);
        vrrpfilter_add_vrid(&s, 5);
        struct pkt p = { .data = round & 1 ? 40 : 0 };
        for (size_t i = 0; i < sizeof p.net; i++)
            p.net[i] = (uint8_t)random();
        p.net_len = p.data + (size_t)random() % (sizeof p.net - p.data);
        if (s.dst.family == 6)
            memcpy(p.net + 24, s.dst.b, 16);
        else
            memcpy(p.net + 16, s.dst.b, 4);
        judge(&s, &p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multicast4), cmocka_unit_test(multicast6),
        cmocka_unit_test(unicast),    cmocka_unit_test(header_of_authentication),
        cmocka_unit_test(every_vrid), cmocka_unit_test(noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
