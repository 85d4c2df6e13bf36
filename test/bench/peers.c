/*
 * Simulated real servers of the bench: one listener that is every address of 127.0.0.0/8 on its port,
 * speaking TCP (takes the connection), HTTP (answers 200). It keeps, for each destination address, when it
 * was last asked, and so knows how late a check is. Called by lvs.py: peers tcp|http PORT PERIOD_MS; commands
 * on stdin, one a line: "report" prints a line of figures and starts anew, "fail" closes the listener and
 * resets what is open, so that every server dies at once. Trusts its caller; never shipped.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PEERS_SLOTS = 1 << 18, PEERS_BUCKETS = 4096, PEERS_EVENTS = 512 };

static const char PEERS_PAGE[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

struct peers {
    int ep, listener;
    bool http;
    uint64_t period_ns;
    uint32_t *addr;                              // open-addressed by destination address
    uint64_t *last;                              // when it was last asked
    uint64_t checks, known, late[PEERS_BUCKETS]; // lateness in ms, the last bucket is "and more"
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void peers_seen(struct peers *p, uint32_t addr)
{
    uint32_t i = (addr * 2654435761u) & (PEERS_SLOTS - 1);
    uint64_t now = now_ns();
    while (p->addr[i] && p->addr[i] != addr)
        i = (i + 1) & (PEERS_SLOTS - 1);
    p->checks++;
    if (!p->addr[i]) {
        p->addr[i] = addr;
        p->known++;
    } else if (p->last[i]) {
        uint64_t gap = now - p->last[i];
        uint64_t ms = gap > p->period_ns ? (gap - p->period_ns) / 1000000 : 0;
        p->late[ms < PEERS_BUCKETS ? ms : PEERS_BUCKETS - 1]++;
    }
    p->last[i] = now;
}

static unsigned peers_percentile(const struct peers *p, uint64_t total, double part)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < PEERS_BUCKETS; i++) {
        sum += p->late[i];
        if ((double)sum >= part * (double)total)
            return i;
    }
    return PEERS_BUCKETS;
}

static void peers_report(struct peers *p)
{
    uint64_t total = 0, over = 0;
    unsigned worst = 0;
    for (unsigned i = 0; i < PEERS_BUCKETS; i++) {
        total += p->late[i];
        over += i >= 50 ? p->late[i] : 0;
        worst = p->late[i] ? i : worst;
    }
    printf("{\"checks\":%lu,\"servers\":%lu,\"late_p50\":%u,\"late_p99\":%u,\"late_max\":%u,\"late_over_"
           "50ms\":%lu}\n",
           p->checks, p->known, total ? peers_percentile(p, total, 0.5) : 0,
           total ? peers_percentile(p, total, 0.99) : 0, worst, over);
    p->checks = 0;
    memset(p->late, 0, sizeof p->late);
}

static void peers_accept(struct peers *p)
{
    for (int n = 0; n < 256; n++) {
        int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct sockaddr_in to;
        socklen_t len = sizeof to;
        if (getsockname(fd, (struct sockaddr *)&to, &len) == 0)
            peers_seen(p, to.sin_addr.s_addr);
        struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.fd = fd };
        if (epoll_ctl(p->ep, EPOLL_CTL_ADD, fd, &ev) != 0)
            close(fd);
    }
}

static void peers_talk(const struct peers *p, int fd)
{
    char buf[2048];
    ssize_t n = recv(fd, buf, sizeof buf, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0 && p->http && send(fd, PEERS_PAGE, sizeof PEERS_PAGE - 1, MSG_NOSIGNAL) > 0)
        shutdown(fd, SHUT_WR);
    close(fd);
}

// False when the caller is gone.
static bool peers_told(struct peers *p)
{
    char line[64];
    ssize_t n = read(0, line, sizeof line - 1);
    if (n <= 0)
        return false;
    line[n] = 0;
    if (strncmp(line, "report", 6) == 0) {
        peers_report(p);
    } else if (strncmp(line, "fail", 4) == 0 && p->listener >= 0) {
        close(p->listener);
        p->listener = -1;
        printf("{\"failed\":true}\n");
    }
    fflush(stdout);
    return true;
}

static int peers_listen(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&any, sizeof any) != 0 || listen(fd, 65535) != 0)
        return -1;
    return fd;
}

static void peers_loop(struct peers *p)
{
    for (;;) {
        struct epoll_event ev[PEERS_EVENTS];
        int n = epoll_wait(p->ep, ev, PEERS_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (ev[i].data.fd == 0) {
                if (!peers_told(p))
                    return;
            } else if (ev[i].data.fd == p->listener) {
                peers_accept(p);
            } else {
                peers_talk(p, ev[i].data.fd);
            }
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    struct rlimit many = { 1 << 18, 1 << 18 };
    setrlimit(RLIMIT_NOFILE, &many);
    struct peers p = { .ep = epoll_create1(EPOLL_CLOEXEC), .http = strcmp(argv[1], "http") == 0 };
    p.period_ns = strtoull(argv[3], NULL, 10) * 1000000u;
    p.addr = calloc(PEERS_SLOTS, sizeof *p.addr);
    p.last = calloc(PEERS_SLOTS, sizeof *p.last);
    p.listener = peers_listen((uint16_t)strtoul(argv[2], NULL, 10));
    struct epoll_event in = { .events = EPOLLIN, .data.fd = 0 },
                       new = { .events = EPOLLIN, .data.fd = p.listener };
    if (p.listener < 0 || !p.addr || !p.last || epoll_ctl(p.ep, EPOLL_CTL_ADD, 0, &in) != 0 ||
        epoll_ctl(p.ep, EPOLL_CTL_ADD, p.listener, &new) != 0) {
        perror("peers");
        return 1;
    }
    puts("{\"ready\":true}");
    fflush(stdout);
    peers_loop(&p);
    return 0;
}
