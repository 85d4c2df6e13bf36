/*
 * check_open.c - see check_open.h. The holder of a raw socket could ask for more than it was given: its
 * filter is locked here, and the jail of checkd leaves no setsockopt of the IP layers (IP_HDRINCL) open.
 */
#include "ipvsd/check_open.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"

#define CHECK_OPEN_RCVBUF   (16 << 10) /* of raw sockets: one reply is awaited */
#define CHECK_OPEN_SOL_RAW  255
#define CHECK_OPEN_PASS     0x40000u
#define CHECK_OPEN_IDENT_AT 4 /* behind type, code, checksum */

/* ---- configuration --------------------------------------------------------------------------------------
 */

static const struct {
    enum blk blk;
    enum check_open_type type;
    enum kw to, bindto, bind_port, bind_if, fwmark;
} check_open_rows[] = {
#define ROW(BLK, TYPE)                                                                                       \
    {                                                                                                        \
        BLK_##BLK, CHECK_OPEN_##TYPE, KW_##BLK##_CONNECT_IP, KW_##BLK##_BINDTO, KW_##BLK##_BIND_PORT,        \
            KW_##BLK##_BIND_IF, KW_##BLK##_FWMARK                                                            \
    }
    ROW(HTTP, TCP),     ROW(SSLGET, TCP), ROW(TCP, TCP), ROW(SMTP, TCP),
    ROW(SMTPHOST, TCP), ROW(DNS, UDP),    ROW(UDP, UDP), ROW(PING, ICMP),
#undef ROW
};

bool check_open_read(struct check_open *c, const struct slice *s, const struct slice_obj *o)
{
    size_t i = 0, n = sizeof check_open_rows / sizeof *check_open_rows;
    while (i < n && check_open_rows[i].blk != o->blk)
        i++;
    memset(c, 0, sizeof *c);
    if (i == n)
        return false;
    c->type = check_open_rows[i].type;
    c->bind_port = (uint16_t)slice_uint(o, check_open_rows[i].bind_port, 0);
    c->fwmark = (uint32_t)slice_uint(o, check_open_rows[i].fwmark, 0);
    const char *dev = slice_str(o, check_open_rows[i].bind_if, "");
    memcpy(c->bind_if, dev, strnlen(dev, sizeof c->bind_if - 1));
    if (!slice_ip(o, check_open_rows[i].bindto, &c->bindto))
        c->bindto.family = 0;
    if (slice_ip(o, check_open_rows[i].to, &c->to))
        return true;
    /* A host block without an address means its SMTP_CHECK's, that one the server's. */
    const struct slice_obj *up = slice_by_id(s, o->parent);
    if (up != NULL && up->blk == BLK_SMTP && slice_ip(up, KW_SMTP_CONNECT_IP, &c->to))
        return true;
    up = up != NULL && up->blk == BLK_SMTP ? slice_by_id(s, up->parent) : up;
    return up != NULL && up->blk == BLK_RS && slice_ip(up, KW_RS_X_IP, &c->to);
}

/* ---- the socket ------------------------------------------------------------------------------------------
 */

#define OP(c, v)                                                                                             \
    (struct sock_filter)                                                                                     \
    {                                                                                                        \
        .code = (uint16_t)(c), .k = (v)                                                                      \
    }
/* Where not equal: to the last instruction, n further on. */
#define UNLESS(v, n)                                                                                         \
    (struct sock_filter)                                                                                     \
    {                                                                                                        \
        .code = BPF_JMP | BPF_JEQ | BPF_K, .jf = (n), .k = (v)                                               \
    }

size_t check_open_filter(uint8_t family, uint16_t ident, struct sock_filter out[CHECK_OPEN_FILTER_MAX])
{
    size_t n = 0;
    /* X: where ICMP begins; the kernel hands ICMPv6 without its IP header */
    out[n++] = family == 4 ? OP(BPF_LDX | BPF_B | BPF_MSH, 0) : OP(BPF_LDX | BPF_W | BPF_IMM, 0);
    out[n++] = OP(BPF_LD | BPF_B | BPF_IND, 0);
    out[n++] = UNLESS(family == 4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY, 3);
    out[n++] = OP(BPF_LD | BPF_H | BPF_IND, CHECK_OPEN_IDENT_AT);
    out[n++] = UNLESS(ident, 1);
    out[n++] = OP(BPF_RET | BPF_K, CHECK_OPEN_PASS);
    out[n++] = OP(BPF_RET | BPF_K, 0);
    return n;
}

void check_open_kind(const struct check_open *c, int *domain, int *type, int *protocol)
{
    *domain = ipaddr_af(&c->to);
    switch (c->type) {
    case CHECK_OPEN_TCP:
        *type = SOCK_STREAM;
        *protocol = IPPROTO_TCP;
        break;
    case CHECK_OPEN_UDP:
        *type = SOCK_DGRAM;
        *protocol = IPPROTO_UDP;
        break;
    case CHECK_OPEN_ICMP:
        *type = SOCK_RAW;
        *protocol = c->to.family == 4 ? (int)IPPROTO_ICMP : (int)IPPROTO_ICMPV6;
        break;
    }
}

static void check_open_empty(int fd)
{
    char byte;
    while (recv(fd, &byte, sizeof byte, MSG_DONTWAIT | MSG_TRUNC) >= 0 || errno == EINTR)
        ;
}

/* Two fences, because either alone is enough: the kernel's mask of types and the program. */
static int check_open_fence(const struct check_open *c, int fd, uint16_t ident)
{
    struct sock_filter code[CHECK_OPEN_FILTER_MAX];
    struct sock_fprog prog = { .len = (unsigned short)check_open_filter(c->to.family, ident, code),
                               .filter = code };
    struct icmp6_filter only6;
    struct icmp_filter only4 = { .data = ~(1u << ICMP_ECHOREPLY) };
    int one = 1, size = CHECK_OPEN_RCVBUF;
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0)
        return -1;
    check_open_empty(fd);
    if (c->to.family == 4)
        return setsockopt(fd, CHECK_OPEN_SOL_RAW, ICMP_FILTER, &only4, sizeof only4);
    ICMP6_FILTER_SETBLOCKALL(&only6);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &only6);
    return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only6, sizeof only6);
}

/* As checkd binds those it opens itself: no address, no binding. The interface of a link-local address is the
 * one bound to before. */
static int check_open_bind(const struct check_open *c, int fd)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    struct sockaddr_storage sa;
    uint16_t port = c->type == CHECK_OPEN_ICMP ? 0 : c->bind_port;
    int one = 1;
    if (c->bindto.family == 0)
        return 0;
    if (port != 0) { /* the next attempt needs the same port: nothing may linger on it */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (c->type == CHECK_OPEN_TCP)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    } else if (c->type != CHECK_OPEN_ICMP) {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    }
    socklen_t len = ipaddr_sockaddr(&c->bindto, port, 0, &sa);
    return bind(fd, (struct sockaddr *)&sa, len);
}

int check_open_setup(const struct check_open *c, int fd, uint16_t ident)
{
    struct sockaddr_storage sa;
    if (c->type == CHECK_OPEN_ICMP && check_open_fence(c, fd, ident) < 0)
        return -1;
    if (c->fwmark != 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &c->fwmark, sizeof c->fwmark) < 0)
        return -1;
    if (c->bind_if[0] != '\0' &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->bind_if, (socklen_t)strlen(c->bind_if) + 1) < 0)
        return -1;
    if (check_open_bind(c, fd) < 0)
        return -1;
    if (c->type != CHECK_OPEN_ICMP)
        return 0;
    socklen_t len = ipaddr_sockaddr(&c->to, 0, 0, &sa);
    return connect(fd, (struct sockaddr *)&sa, len);
}
