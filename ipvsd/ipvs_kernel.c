/* ipvs_kernel.c - see ipvs_kernel.h. */
#include "ipvsd/ipvs_kernel.h"

#include <errno.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

static int kernel_walk(void *buf, size_t len, uint32_t seq, void *arg)
{
    struct ipvs_walk *w = arg;
    w->seq = seq;
    ipvs_codec_walk(buf, len, w);
    return w->done;
}

/* Single answers end with their acknowledgement, dumps with NLMSG_DONE; both may be an error. */
static int kernel_ask(struct ipvs_kernel *k, struct nl_msg *m, uint16_t flags, ipvs_kernel_fn *fn, void *arg)
{
    struct ipvs_walk w = { .fn = fn, .arg = arg };
    if (nlsock_ask(&k->sock, m, flags, kernel_walk, &w) < 0)
        return -1;
    errno = w.error != 0 ? w.error : w.interrupted ? EINTR : 0;
    return errno == 0 ? 0 : -1;
}

static void kernel_nothing(const struct ipvs_answer *a, void *arg)
{
    (void)a;
    (void)arg;
}

static void kernel_on_family(const struct ipvs_answer *a, void *arg)
{
    uint16_t *family = arg;
    if (a->kind == IPVS_ANSWER_FAMILY)
        *family = a->family;
}

int ipvs_kernel_open(struct ipvs_kernel *k, int fd)
{
    if (fd < 0 && k->other != NULL && other_ns_take(k->other, k->use, &fd) < 0)
        return -1; /* never the table of the wrong namespace */
    if (fd < 0)
        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);
    if (nlsock_open_fd(&k->sock, fd, 0, IPVS_KERNEL_RCVBUF) < 0)
        return -1;
    k->family = 0;
    if (kernel_ask(k, ipvs_codec_family(), NLM_F_ACK, kernel_on_family, &k->family) == 0 && k->family != 0)
        return 0;
    int saved = errno != 0 ? errno : ENOENT;
    nlsock_close(&k->sock);
    k->family = 0;
    errno = saved;
    return -1;
}

void ipvs_kernel_close(struct ipvs_kernel *k)
{
    if (k->family != 0)
        nlsock_close(&k->sock);
    k->family = 0;
    nlbatch_free(&k->batch);
}

int ipvs_kernel_services(struct ipvs_kernel *k, ipvs_kernel_fn *fn, void *arg)
{
    return kernel_ask(k, ipvs_codec_plain(k->family, IPVS_CMD_GET_SERVICE), NLM_F_DUMP, fn, arg);
}

int ipvs_kernel_dests(struct ipvs_kernel *k, const struct ipvs_key *key, ipvs_kernel_fn *fn, void *arg)
{
    return kernel_ask(k, ipvs_codec_key(k->family, IPVS_CMD_GET_DEST, key), NLM_F_DUMP, fn, arg);
}

static void kernel_on_service(const struct ipvs_answer *a, void *arg)
{
    struct ipvs_svc *out = arg;
    if (a->kind == IPVS_ANSWER_SVC)
        *out = a->svc;
}

int ipvs_kernel_service(struct ipvs_kernel *k, const struct ipvs_key *key, struct ipvs_svc *out)
{
    memset(out, 0, sizeof *out);
    if (kernel_ask(k, ipvs_codec_key(k->family, IPVS_CMD_GET_SERVICE, key), NLM_F_ACK, kernel_on_service,
                   out) < 0)
        return -1;
    errno = ESRCH;
    return out->key.family != 0 ? 0 : -1;
}

static void kernel_on_timeouts(const struct ipvs_answer *a, void *arg)
{
    struct ipvs_timeouts *out = arg;
    if (a->kind == IPVS_ANSWER_TIMEOUTS)
        *out = a->timeouts;
}

int ipvs_kernel_timeouts(struct ipvs_kernel *k, struct ipvs_timeouts *out)
{
    memset(out, 0, sizeof *out);
    return kernel_ask(k, ipvs_codec_plain(k->family, IPVS_CMD_GET_CONFIG), NLM_F_ACK, kernel_on_timeouts,
                      out);
}

int ipvs_kernel_do(struct ipvs_kernel *k, struct nl_msg *m)
{
    return kernel_ask(k, m, NLM_F_ACK, kernel_nothing, NULL);
}

int ipvs_kernel_timeouts_set(struct ipvs_kernel *k, const struct ipvs_timeouts *t)
{
    return ipvs_kernel_do(k, ipvs_codec_timeouts(k->family, t));
}

int ipvs_kernel_flush(struct ipvs_kernel *k)
{
    return ipvs_kernel_do(k, ipvs_codec_plain(k->family, IPVS_CMD_FLUSH));
}
