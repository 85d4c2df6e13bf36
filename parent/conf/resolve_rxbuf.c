/*
 * resolve_rxbuf.c - how large the receive buffer of a VRRP socket is: kernel_rx_buf_size of an instance, else
 * vrrp_rx_bufs_policy with its multiplier, summed up over the instances that share the socket. MTU stays a
 * number of packets: ipvsd knows the interface. Nothing written: ipvsd's own size. Called by resolve_sock.c.
 */
#include <string.h>
#include <strings.h>

#include "parent/conf/resolve.h"

/* What the kernel counts for a small packet beside its bytes; it doubles what it is told. */
#define PACKET_OVERHEAD UINT64_C(768)

struct policy {
    bool mtu, advert;
    uint64_t bytes;
};

static struct policy policy_of(const struct conf *c)
{
    const struct conf_value *v = conf_get(c->global, KW_GLOBAL_VRRP_RX_BUFS_POLICY);
    struct policy p = { .mtu = false };
    const char *at = v != NULL ? v->v.raw : NULL, *end = v != NULL ? at + v->len : NULL;
    for (; at != NULL && at < end && *at != '\0'; at += strlen(at) + 1) {
        int64_t n;
        if (strcasecmp(at, "MTU") == 0)
            p.mtu = true;
        else if (strcasecmp(at, "ADVERT") == 0)
            p.advert = true;
        else if (conf_number(at, false, &n) == 0 && n > 0)
            p.bytes = (uint64_t)n;
    }
    return p;
}

/* An advert of this instance as the socket gets it. */
static uint64_t advert_size(const struct conf_obj *vi)
{
    bool v6 = conf_uint(vi, KW_VI_X_FAMILY, 4) == 6;
    uint64_t size = v6 ? 8 : conf_uint(vi, KW_VI_VERSION, 2) == 2 ? 20 + 8 + 8 : 20 + 8;
    for (const struct conf_obj *a = NULL; (a = conf_next(vi, a, BLK_ADDR)) != NULL;)
        if (a->opener == KW_VI_VIRTUAL_IPADDRESS)
            size += v6 ? 16 : 4;
    return size;
}

void resolve_rx_buffer(struct conf *c, const struct conf_obj *vi, struct conf_obj *sock)
{
    struct policy p = policy_of(c);
    uint64_t times = conf_uint(c->global, KW_GLOBAL_VRRP_RX_BUFS_MULTIPLIER, 3);
    uint64_t own = conf_uint(vi, KW_VI_KERNEL_RX_BUF_SIZE, 0), bytes = 0;
    if (own > 0)
        bytes = own;
    else if (p.mtu)
        conf_set_uint(c, sock, KW_SOCKET_X_RCVMTU, conf_uint(sock, KW_SOCKET_X_RCVMTU, 0) + times);
    else
        bytes = p.advert ? times * (advert_size(vi) + PACKET_OVERHEAD) / 2 : p.bytes;
    if (bytes > 0)
        conf_set_uint(c, sock, KW_SOCKET_X_RCVBUF, conf_uint(sock, KW_SOCKET_X_RCVBUF, 0) + bytes);
}
