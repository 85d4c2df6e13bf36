/*
 * cmd_wire.c - holdctl vrrp watch IF: listens on a wire, decodes what VRRP speakers say, and says what is
 * wrong with it. Opens one packet socket as root, then is nobody for ever: no hostile byte is read with a
 * privilege. Sends nothing.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "parent/ctl/ctl.h"
#include "parent/ctl/listen.h"
#include "parent/ctl/wire.h"

#define WATCH_SECONDS 10
#define WATCH_NOBODY  65534

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
    if (setgroups(0, NULL) < 0 || setresgid(WATCH_NOBODY, WATCH_NOBODY, WATCH_NOBODY) < 0 ||
        setresuid(WATCH_NOBODY, WATCH_NOBODY, WATCH_NOBODY) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return setuid(0) < 0 ? 0 : -1; /* gone for good, or we do not go on */
}

/* ---- the command */

struct watch {
    struct ctl *c;
    const char *ifname;
    double seconds; /* 0: until interrupted */
    int fd, sig;
    struct wire wire;
};

static void watch_say(const struct watch *t, enum wire_news news, size_t who)
{
    static const char *const words[] = { [WIRE_SAME] = "",
                                         [WIRE_NEW] = "new sender",
                                         [WIRE_CHANGED] = "now says",
                                         [WIRE_RESIGNED] = "resigns",
                                         [WIRE_SPLIT] = "SPLIT BRAIN, also" };
    const struct wire_sender *s = &t->wire.s[who];
    char clock[16];
    time_t now = time(NULL);
    struct tm tm;
    if (news == WIRE_SAME || t->c->json || (news == WIRE_RESIGNED && s->resigned > 1))
        return;
    strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&now, &tm));
    printf("%s VRID %u %s: ", clock, s->vrid, words[news]);
    wire_line(s, stdout);
    putchar('\n');
    fflush(stdout);
}

static void watch_drain(struct watch *t)
{
    uint8_t buf[9216], mac[WIRE_MAC];
    struct wire_advert a;
    size_t who;
    bool own;
    int rc;
    while ((rc = listen_read(t->fd, buf, sizeof buf, &a, mac, &own)) >= 0) {
        if (rc == 0)
            continue;
        enum wire_news news = wire_hear(&t->wire, &a, mac, own, clock_monotonic_ns(), &who);
        if (t->wire.n > 0)
            watch_say(t, news, who);
    }
}

static double watch_loop(struct watch *t)
{
    uint64_t start = clock_monotonic_ns(), now = start;
    uint64_t end = t->seconds > 0 ? start + (uint64_t)(t->seconds * NS_PER_SEC) : UINT64_MAX;
    struct pollfd p[] = { { .fd = t->fd, .events = POLLIN }, { .fd = t->sig, .events = POLLIN } };
    while (now < end && p[1].revents == 0) {
        uint64_t left = end == UINT64_MAX ? 1000 : (end - now) / 1000000 + 1;
        if (poll(p, 2, left > 1000 ? 1000 : (int)left) < 0 && errno != EINTR)
            break;
        watch_drain(t);
        now = clock_monotonic_ns();
    }
    return (double)(now - start) / NS_PER_SEC;
}

static int watch_run(struct watch *t)
{
    struct findings found = { 0 };
    if (!t->c->json)
        printf("listening on %s%s\n", t->ifname, t->seconds > 0 ? "" : "; Ctrl-C ends it with a report");
    fflush(stdout);
    double took = watch_loop(t);
    wire_judge(&t->wire, t->ifname, &found);
    if (t->c->json) {
        json_t *j = wire_json(&t->wire, t->ifname, took, &found);
        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
    } else {
        wire_print(&t->wire, t->ifname, took, stdout);
        putchar('\n');
        findings_print(&found, stdout);
    }
    int status = findings_exit(&found);
    findings_free(&found);
    wire_free(&t->wire);
    return status;
}

static int watch_start(struct watch *t)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    t->fd = listen_open(t->ifname);
    if (t->fd < 0) {
        dprintf(STDERR_FILENO, "holdctl: cannot listen on %s: %s%s\n", t->ifname, strerror(errno),
                errno == EPERM    ? "; run it as root, it drops the right when the socket is open"
                : errno == ENODEV ? "; ip link shows the names"
                                  : "");
        return CTL_FAILED;
    }
    if (listen_drop_privileges() < 0)
        return ctl_lost("privileges cannot be dropped; nothing is read with them");
    sigprocmask(SIG_BLOCK, &ends, NULL);
    t->sig = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    return watch_run(t);
}

int cmd_vrrp(struct ctl *c, int argc, char **argv)
{
    struct watch t = { .c = c, .seconds = WATCH_SECONDS };
    char *end;
    if (argc < 2 || strcmp(argv[0], "watch") != 0)
        return ctl_misused("vrrp");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            c->json = true;
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            t.seconds = strtod(argv[++i], &end);
            if (*end != '\0' || t.seconds < 0 || t.seconds > 1e6)
                return ctl_misused("vrrp");
        } else if (argv[i][0] != '-' && t.ifname == NULL) {
            t.ifname = argv[i];
        } else {
            return ctl_misused("vrrp");
        }
    }
    return t.ifname != NULL ? watch_start(&t) : ctl_misused("vrrp");
}
