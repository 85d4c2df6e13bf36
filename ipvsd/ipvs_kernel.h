/*
 * ipvs_kernel.h - the conversation with the kernel's IPVS: find the family (which makes the kernel load
 * ip_vs), read, change. Called by ipvs_life.c, ipvs_read.c, plan_ipvs.c and syncd.c; ipvs_apply.c sends its
 * batches over the same socket itself. Nothing here decides anything.
 */
#ifndef HOLDFAST_IPVSD_IPVS_KERNEL_H
#define HOLDFAST_IPVSD_IPVS_KERNEL_H

#include "ipvsd/ipvs_codec.h"
#include "ipvsd/netlink.h"
#include "ipvsd/other_ns.h"

#define IPVS_KERNEL_RCVBUF (4 << 20) /* a refusal of every request of a batch fits */

struct ipvs_kernel {
    struct nlsock sock;
    uint16_t family;              /* 0: closed */
    const struct other_ns *other; /* where the table may be; NULL: here */
    enum other_ns_use use;        /* ... and whose socket there is ours */
    struct nlbatch batch;
};

typedef void ipvs_kernel_fn(const struct ipvs_answer *a, void *arg);

/* fd: a generic netlink socket to use, or -1: the other namespace's, or one is made. -1 errno: ENOENT when
 * the kernel has no IPVS. */
int ipvs_kernel_open(struct ipvs_kernel *k, int fd);
void ipvs_kernel_close(struct ipvs_kernel *k);

/* Each -1 errno; ESRCH when the service is not there. EINTR: what came is usable, not complete. */
int ipvs_kernel_services(struct ipvs_kernel *k, ipvs_kernel_fn *fn, void *arg);
int ipvs_kernel_dests(struct ipvs_kernel *k, const struct ipvs_key *key, ipvs_kernel_fn *fn, void *arg);
int ipvs_kernel_service(struct ipvs_kernel *k, const struct ipvs_key *key, struct ipvs_svc *out);
int ipvs_kernel_timeouts(struct ipvs_kernel *k, struct ipvs_timeouts *out);
int ipvs_kernel_timeouts_set(struct ipvs_kernel *k, const struct ipvs_timeouts *t);
int ipvs_kernel_flush(struct ipvs_kernel *k);
int ipvs_kernel_do(struct ipvs_kernel *k,
                   struct nl_msg *m); /* any request whose answer is yes or no; m is freed */

#endif
