/* nft_link.c - see nft_link.h. */
#include "ipvsd/nft_link.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdalign.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINK_RCVBUF (1 << 20)
#define LINK_BUFFER (16u * 1024)

int nft_link_open(struct nft_link *l, int cmd, int mon, ev_io_fn *fn, void *arg)
{
    int saved = errno;
    if (cmd < 0 || mon < 0) {
        l->cmd.fd = cmd;
        l->mon.fd = mon;
    } else if (nlsock_open_fd(&l->cmd, cmd, 0, LINK_RCVBUF) < 0) {
        saved = errno;
        l->mon.fd = mon;
    } else if (nlsock_open_fd(&l->mon, mon, 1u << (NFNLGRP_NFTABLES - 1), LINK_RCVBUF) < 0) {
        saved = errno;
    } else {
        l->news = ev_io_add(l->ev, l->mon.fd, EV_READ, fn, arg);
        l->open = true;
        return 0;
    }
    nlsock_close(&l->cmd);
    nlsock_close(&l->mon);
    errno = saved;
    return -1;
}

void nft_link_close(struct nft_link *l)
{
    if (!l->open)
        return;
    ev_io_del(l->ev, l->news);
    nlsock_close(&l->mon);
    nlsock_close(&l->cmd);
    l->open = false;
}

int nft_link_send(struct nft_link *l, struct nft_msgs *b)
{
    l->cmd.seq = b->seq;
    int rc = nft_msgs_talk(l->cmd.fd, b), saved = errno;
    nft_msgs_free(b);
    errno = saved;
    return rc;
}

struct nft_link_news nft_link_read(struct nft_link *l, const char *table)
{
    alignas(struct nlmsghdr) uint8_t buf[LINK_BUFFER];
    struct nft_link_news news = { .hurt = false };
    ssize_t len;
    while ((len = recv(l->mon.fd, buf, sizeof buf, MSG_DONTWAIT)) > 0 || (len < 0 && errno != EAGAIN)) {
        if (len < 0 && errno != ENOBUFS && errno != EINTR)
            break;
        news.lost = news.lost || (len < 0 && errno == ENOBUFS);
        if (len > 0 && !news.hurt)
            news.hurt = nft_msgs_hurts(buf, (size_t)len, table, l->cmd.portid, &news.who);
    }
    return news;
}
