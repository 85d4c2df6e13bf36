/* rxmeta.c - see rxmeta.h. */
#include "vrrpd/rxmeta.h"

#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

static void rxmeta_read_one(struct cmsghdr *c, struct rxmeta *m)
{
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
        struct timespec ts;
        memcpy(&ts, CMSG_DATA(c), sizeof ts);
        m->stamp = (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
    } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
               (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
        memcpy(&m->ttl, CMSG_DATA(c), sizeof m->ttl);
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo pi;
        memcpy(&pi, CMSG_DATA(c), sizeof pi);
        m->dst = (struct ipaddr){ .family = 4, .plen = 32 };
        memcpy(m->dst.b, &pi.ipi_addr, 4);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo pi;
        memcpy(&pi, CMSG_DATA(c), sizeof pi);
        m->dst = (struct ipaddr){ .family = 6, .plen = 128 };
        memcpy(m->dst.b, &pi.ipi6_addr, 16);
    }
}

struct rxmeta rxmeta_read(struct msghdr *h)
{
    struct rxmeta m = { .ttl = -1 };
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c))
        rxmeta_read_one(c, &m);
    return m;
}

uint64_t rxmeta_time(uint64_t stamp, uint64_t mono, uint64_t real, uint64_t empty_at)
{
    uint64_t age = stamp != 0 && real > stamp ? real - stamp : 0;
    uint64_t at = age < mono ? mono - age : 0;
    return at < empty_at ? empty_at : at;
}
