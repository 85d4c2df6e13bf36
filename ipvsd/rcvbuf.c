/* rcvbuf.c - see rcvbuf.h. */
#include "ipvsd/rcvbuf.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"

struct rcvbuf_rows {
    enum kw size, force, size2, force2; /* the second pair may be none: the larger size counts */
};

static const struct rcvbuf_rows rcvbuf_rows[] = {
    [RCVBUF_VRRP_CMD] = { KW_GLOBAL_VRRP_NETLINK_CMD_RCV_BUFS, KW_GLOBAL_VRRP_NETLINK_CMD_RCV_BUFS_FORCE,
                          KW_NONE, KW_NONE },
    [RCVBUF_MONITOR] = { KW_GLOBAL_VRRP_NETLINK_MONITOR_RCV_BUFS,
                         KW_GLOBAL_VRRP_NETLINK_MONITOR_RCV_BUFS_FORCE,
                         KW_GLOBAL_LVS_NETLINK_MONITOR_RCV_BUFS,
                         KW_GLOBAL_LVS_NETLINK_MONITOR_RCV_BUFS_FORCE },
    [RCVBUF_VRRP_MONITOR] = { KW_GLOBAL_VRRP_NETLINK_MONITOR_RCV_BUFS,
                              KW_GLOBAL_VRRP_NETLINK_MONITOR_RCV_BUFS_FORCE, KW_NONE, KW_NONE },
    [RCVBUF_LVS_CMD] = { KW_GLOBAL_LVS_NETLINK_CMD_RCV_BUFS, KW_GLOBAL_LVS_NETLINK_CMD_RCV_BUFS_FORCE,
                         KW_NONE, KW_NONE },
    [RCVBUF_PROCESS] = { KW_GLOBAL_PROCESS_MONITOR_RCV_BUFS, KW_GLOBAL_PROCESS_MONITOR_RCV_BUFS_FORCE,
                         KW_NONE, KW_NONE },
};

static int rcvbuf_force(int fd, int size)
{
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        log_warn("a receive buffer of %d bytes was refused: %s", size, strerror(errno));
    return size;
}

int rcvbuf_fit(const struct slice *s, enum rcvbuf_kind kind, int fd, int own)
{
    const struct rcvbuf_rows *r = &rcvbuf_rows[kind];
    const struct slice_obj *g = s != NULL ? slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT) : NULL;
    if (fd < 0 || g == NULL)
        return own;
    enum kw size = r->size, force = r->force;
    if (r->size2 != KW_NONE && slice_uint(g, r->size2, 0) > slice_uint(g, size, 0)) {
        size = r->size2;
        force = r->force2;
    }
    uint64_t written = slice_uint(g, size, 0);
    int want = written > INT_MAX / 2 ? INT_MAX / 2 : (int)written, got = 0; /* the kernel doubles it */
    socklen_t len = sizeof got;
    if (want <= own || slice_bool(g, force, false))
        return rcvbuf_force(fd, want > own ? want : own);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof want);
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &len) == 0 && got / 2 >= want)
        return want;
    int used = got / 2 < own ? rcvbuf_force(fd, own) : got / 2;
    log_warn("%s %d: the system allows %d (net.core.rmem_max), %d is used; raise that, or write %s",
             schema_kw(size)->name, want, got / 2, used, schema_kw(force)->name);
    return used;
}
