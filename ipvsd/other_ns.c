/* other_ns.c - see other_ns.h. The helper trusts ipvsd, whose fork it is: it is asked for kinds of sockets,
 * nothing else. */
#include "ipvsd/other_ns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/jail.h"
#include "common/log.h"

struct ns_order {
    uint32_t number;
    int32_t domain, type, protocol;
};

struct ns_goods {
    uint32_t number;
    int32_t error;
};

/* ---- the helper
 * ---------------------------------------------------------------------------------------------------------
 */

/* The descriptor is sent along, or the errno. */
static int ns_answer(int ch, const struct ns_goods *g, int fd)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct ns_goods copy = *g;
    struct iovec iov = { &copy, sizeof copy };
    struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (fd >= 0) {
        memset(control, 0, sizeof control);
        mh.msg_control = control;
        mh.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    return sendmsg(ch, &mh, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static _Noreturn void ns_helper(int ch)
{
    struct ns_order o;
    const struct jail_opts jail = { .keep_fds = &ch, .nkeep = 1 };
    jail_enter(ROLE_IPVSD, &jail, NULL);
    while (recv(ch, &o, sizeof o, 0) == (ssize_t)sizeof o) {
        int fd = socket(o.domain, o.type | SOCK_CLOEXEC | SOCK_NONBLOCK, o.protocol);
        struct ns_goods g = { .number = o.number, .error = fd < 0 ? errno : 0 };
        if (ns_answer(ch, &g, fd) < 0)
            break;
        if (fd >= 0)
            close(fd);
    }
    _exit(0); /* ipvsd is gone */
}

/* ---- before the jail
 * ----------------------------------------------------------------------------------------------- */

static int ns_open_all(struct other_ns *o)
{
    static const int protocol[OTHER_NS_USES] = { NETLINK_GENERIC, NETLINK_GENERIC, NETLINK_NETFILTER,
                                                 NETLINK_NETFILTER };
    int ch[2];
    for (int u = 0; u < OTHER_NS_USES; u++) {
        o->fd[u] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol[u]);
        if (o->fd[u] < 0)
            return -1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ch) < 0)
        return -1;
    pid_t pid = fork();
    if (pid < 0)
        return -1;
    if (pid == 0)
        ns_helper(ch[1]);
    close(ch[1]);
    o->factory = ch[0];
    return fcntl(o->factory, F_SETFL, O_NONBLOCK);
}

int other_ns_open(struct other_ns *o, int nsfd)
{
    memset(o, 0, sizeof *o);
    if (nsfd < 0)
        return 0;
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    o->on = true;
    /* The way back must work, or VRRP would run in the wrong place. */
    if (home < 0 || setns(nsfd, CLONE_NEWNET) < 0 || ns_open_all(o) < 0 || setns(home, CLONE_NEWNET) < 0) {
        log_err("net_namespace_ipvs: its sockets cannot be opened: %s", strerror(errno));
        return -1;
    }
    close(home);
    close(nsfd);
    return 0;
}

size_t other_ns_keep(const struct other_ns *o, int *fds, size_t max)
{
    if (!o->on || max < OTHER_NS_USES + 1)
        return 0;
    memcpy(fds, o->fd, sizeof o->fd);
    fds[OTHER_NS_USES] = o->factory;
    return OTHER_NS_USES + 1;
}

/* ---- in the jail
 * --------------------------------------------------------------------------------------------------- */

int other_ns_take(const struct other_ns *o, enum other_ns_use use, int *fd)
{
    *fd = -1;
    if (!o->on)
        return 0;
    *fd = fcntl(o->fd[use], F_DUPFD_CLOEXEC, 0);
    return *fd < 0 ? -1 : 0;
}

int other_ns_order(const struct other_ns *o, uint32_t number, int domain, int type, int protocol)
{
    struct ns_order m = { number, domain, type, protocol };
    return send(o->factory, &m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int other_ns_goods(const struct other_ns *o, uint32_t *number, int *fd, int *error)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct ns_goods g;
    struct iovec iov = { &g, sizeof g };
    struct msghdr mh = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    ssize_t n = recvmsg(o->factory, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n != (ssize_t)sizeof g)
        return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
    *number = g.number;
    *error = g.error != 0 ? g.error : EMFILE; /* without a descriptor: it did not fit into our table */
    *fd = -1;
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof *fd))
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return 1;
}
