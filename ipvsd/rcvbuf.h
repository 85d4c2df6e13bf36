/*
 * rcvbuf.h - receive buffers of the netlink sockets: *_netlink_cmd_rcv_bufs, *_netlink_monitor_rcv_bufs,
 * process_monitor_rcv_bufs and their _force. They are there against overruns: what ipvsd needs for itself is
 * never undercut. Called by whoever has such a socket, when it is opened and when another configuration is in
 * force.
 */
#ifndef HOLDFAST_IPVSD_RCVBUF_H
#define HOLDFAST_IPVSD_RCVBUF_H

#include "common/slice.h"

enum rcvbuf_kind {
    RCVBUF_VRRP_CMD, /* requests about links, addresses, routes and rules */
    RCVBUF_MONITOR,  /* news about them: VRRP's, and the checker's for ha_suspend */
    RCVBUF_VRRP_MONITOR,
    RCVBUF_LVS_CMD, /* IPVS */
    RCVBUF_PROCESS, /* process events */
};

/* own: what the socket has without being told; fd -1: none yet. Returns what it has now. */
int rcvbuf_fit(const struct slice *s, enum rcvbuf_kind kind, int fd, int own);

#endif
