/*
 * will.c - see will.h. Source, destination and socket come from the configuration, only the payload from
 * vrrpd.
 */
#include "ipvsd/will.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/err.h"
#include "ipvsd/link.h"
#include "ipvsd/model.h"
#include "ipvsd/sock.h"

#define WILL_HEADER  8
#define WILL_AUTH    8
#define WILL_PASS    1
#define WILL_TRAILER 28 /* auth_hmac */
#define WILL_AH      24
#define WILL_ADVERT  1

int will_check(const struct will_rule *r, const uint8_t *data, size_t len)
{
    size_t skip = r->ah ? WILL_AH : 0;
    if (len < skip + WILL_HEADER)
        return -1;
    const uint8_t *p = data + skip;
    bool auth = r->version == 2 && (r->family == 4 || p[4] == WILL_PASS);
    size_t need = WILL_HEADER + p[3] * (r->family == 6 ? 16u : 4u) + (auth ? WILL_AUTH : 0u);
    if (p[0] != (r->version << 4 | WILL_ADVERT) || p[1] != r->vrid || p[2] != 0)
        return -1;
    return len - skip == need || len - skip == need + WILL_TRAILER ? 0 : -1;
}

struct will_rule will_rule(const struct slice *s, const struct slice_obj *vi)
{
    const struct slice_obj *sock = slice_find(s, BLK_SOCKET, slice_str(vi, KW_VI_X_SOCKET, ""));
    return (struct will_rule){ .version = (uint8_t)slice_uint(vi, KW_VI_VERSION, 0),
                               .vrid = (uint8_t)slice_uint(vi, KW_VI_VIRTUAL_ROUTER_ID, 0),
                               .family = (uint8_t)slice_uint(vi, KW_VI_X_FAMILY, 4),
                               .ah = sock != NULL && slice_bool(sock, KW_SOCKET_X_AH, false) };
}

int will_store(struct inst *i, const uint8_t *data, size_t len)
{
    if (will_check(&i->rule, data, len) < 0)
        return -1;
    i->will = xrealloc(i->will, len);
    i->will_len = (uint16_t)len;
    memcpy(i->will, data, len);
    return 0;
}

void will_move(struct inst *from, struct inst *to)
{
    const struct will_rule *a = &from->rule, *b = &to->rule;
    if (a->version != b->version || a->vrid != b->vrid || a->family != b->family || a->ah != b->ah)
        return;
    to->will = from->will;
    to->will_len = from->will_len;
    from->will = NULL;
}

/* ---- sending
 * ------------------------------------------------------------------------------------------------------------
 */

struct will_path {
    int fd;
    uint32_t ifindex;
    struct ipaddr src; /* family 0: the kernel chooses */
};

static size_t will_control(const struct will_path *w, uint8_t family, void *buf, size_t size)
{
    struct msghdr mh = { .msg_control = buf, .msg_controllen = size };
    struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
    memset(buf, 0, size);
    if (family == 4) {
        struct in_pktinfo pi = { .ipi_ifindex = (int)w->ifindex };
        memcpy(&pi.ipi_spec_dst, w->src.b, 4);
        *cm = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof pi),
                                .cmsg_level = IPPROTO_IP,
                                .cmsg_type = IP_PKTINFO };
        memcpy(CMSG_DATA(cm), &pi, sizeof pi);
        return CMSG_SPACE(sizeof pi);
    }
    struct in6_pktinfo pi = { .ipi6_ifindex = w->ifindex };
    memcpy(&pi.ipi6_addr, w->src.b, 16);
    *cm = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof pi),
                            .cmsg_level = IPPROTO_IPV6,
                            .cmsg_type = IPV6_PKTINFO };
    memcpy(CMSG_DATA(cm), &pi, sizeof pi);
    return CMSG_SPACE(sizeof pi);
}

static int will_send_to(const struct inst *i, const struct will_path *w, const struct ipaddr *dst)
{
    struct sockaddr_storage to;
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control;
    uint32_t scope = ipaddr_is_multicast(dst) || ipaddr_is_linklocal6(dst) ? w->ifindex : 0;
    struct iovec iov = { i->will, i->will_len };
    struct msghdr mh = { .msg_name = &to, .msg_iov = &iov, .msg_iovlen = 1 };
    mh.msg_namelen = ipaddr_sockaddr(dst, 0, scope, &to);
    if (w->src.family == dst->family) {
        mh.msg_control = &control;
        mh.msg_controllen = will_control(w, dst->family, &control, sizeof control);
    }
    return sendmsg(w->fd, &mh, MSG_DONTWAIT) < 0 ? -1 : 0;
}

static void will_send(struct ipvsd *d, struct inst *i)
{
    struct vsock *s = sock_find(d, slice_str(i->obj, KW_VI_X_SOCKET, NULL));
    struct iface *f = link_find(d, slice_str(i->obj, KW_VI_INTERFACE, NULL));
    uint8_t family = (uint8_t)slice_uint(i->obj, KW_VI_X_FAMILY, 4);
    struct will_path w = { .fd = -1 };
    struct ipaddr dst;
    const struct slice_obj *p = NULL;
    int rc = 0;
    if (s == NULL || sock_fd(s) < 0)
        return;
    w.fd = sock_fd(s);
    w.ifindex = sock_ifindex(s);
    if (!slice_ip(i->obj, KW_VI_X_SRC, &w.src) && f != NULL)
        w.src = link_source(d, f, family);
    if (slice_ip(i->obj, KW_VI_MCAST_DST_IP, &dst))
        rc = will_send_to(i, &w, &dst);
    while ((p = slice_next(child_slice(d->child), p, BLK_VI_PEER, i->id)) != NULL)
        if (slice_ip(p, KW_VI_PEER_IP, &dst))
            rc |= will_send_to(i, &w, &dst);
    if (rc < 0)
        log_err("%s: the last will (priority 0) could not be sent: %s", i->obj->name, strerror(errno));
    else
        log_notice("%s: last will (priority 0) sent in vrrpd's place", i->obj->name);
}

void will_send_all(struct ipvsd *d)
{
    for (size_t k = 0; k < d->model->ninsts; k++) {
        struct inst *i = &d->model->insts[k];
        if (i->state == VRRP_STATE_MASTER && i->will != NULL)
            will_send(d, i);
    }
}

void will_owe(struct ipvsd *d)
{
    for (size_t k = 0; k < d->model->ninsts; k++) {
        struct inst *i = &d->model->insts[k];
        i->will_owed |= i->state == VRRP_STATE_MASTER;
    }
}

void will_pay(struct ipvsd *d)
{
    for (size_t k = 0; k < d->model->ninsts; k++) {
        struct inst *i = &d->model->insts[k];
        if (i->will_owed && i->will != NULL)
            will_send(d, i);
        i->will_owed = false;
    }
}
