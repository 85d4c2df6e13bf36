/* listen.c - see listen.h. */
#include "parent/ctl/listen.h"

#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_NOBODY 65534

/* Kernel side: IPv4 with protocol 112 or 51, IPv6 with 112 or an extension header, tagged frames. */
static int listen_filter(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_VLAN, 8, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x88a8, 7, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IPV6, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 6),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_NET_OFF + 9)),
        BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_NET_OFF + 6)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_PROTO, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_PROTO_AH, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog p = { .len = sizeof code / sizeof *code, .filter = code };
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
}

int listen_open(const char *ifname)
{
    unsigned int ifindex = if_nametoindex(ifname);
    int on = 1;
    if (ifindex == 0)
        return -1;
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
    struct packet_mreq all = { .mr_ifindex = (int)ifindex, .mr_type = PACKET_MR_ALLMULTI };
    ll.sll_ifindex = (int)ifindex;
    if (listen_filter(fd) < 0 || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0 ||
        bind(fd, (struct sockaddr *)&ll, sizeof ll) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* The tag the network card or the kernel took off. */
static uint16_t listen_vlan(struct msghdr *m)
{
    struct tpacket_auxdata aux;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
            c->cmsg_len < CMSG_LEN(sizeof aux))
            continue;
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        return aux.tp_status & TP_STATUS_VLAN_VALID ? aux.tp_vlan_tci & 0x0fff : 0;
    }
    return 0;
}

int listen_read(int fd, uint8_t *buf, size_t size, struct wire_advert *a, uint8_t mac[WIRE_MAC], bool *own)
{
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
    struct sockaddr_ll from = { 0 };
    struct iovec iov = { buf, size };
    struct msghdr m = { .msg_name = &from,
                        .msg_namelen = sizeof from,
                        .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof control };
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
    if (n < 0)
        return -1;
    uint16_t vlan = listen_vlan(&m);
    if (wire_decode(ntohs(from.sll_protocol), buf, (size_t)n, a) < 0)
        return 0;
    if (vlan != 0)
        a->vlan = vlan;
    memset(mac, 0, WIRE_MAC);
    memcpy(mac, from.sll_addr, from.sll_halen < WIRE_MAC ? from.sll_halen : WIRE_MAC);
    *own = from.sll_pkttype == PACKET_OUTGOING;
    return 1;
}

int listen_drop_privileges(void)
{
    if (geteuid() != 0)
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (setgroups(0, NULL) < 0 || setresgid(LISTEN_NOBODY, LISTEN_NOBODY, LISTEN_NOBODY) < 0 ||
        setresuid(LISTEN_NOBODY, LISTEN_NOBODY, LISTEN_NOBODY) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return setuid(0) < 0 ? 0 : -1; /* gone for good, or we do not go on */
}
