/*
 * ipvsd.h - the one context of the process and what its modules share: interfaces, instances, virtual
 * addresses. ipvsd is the only hand on the kernel. It trusts the parent and its slice; of vrrpd it believes
 * ids and wanted states, nothing else: everything that reaches the kernel is taken from the configuration.
 */
#ifndef HOLDFAST_IPVSD_IPVSD_H
#define HOLDFAST_IPVSD_IPVSD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/child.h"
#include "common/log.h"
#include "ipvsd/addr_spec.h"
#include "ipvsd/kaddr.h"
#include "ipvsd/netlink.h"
#include "ipvsd/other_ns.h"
#include "ipvsd/repair.h"

struct vip;
TAILQ_HEAD(vip_queue, vip);
LIST_HEAD(vip_bucket, vip);

/* Announcements that wait on an interface; kind: 0 ARP, 1 NA. */
enum garp_kind { GARP_KIND_ARP, GARP_KIND_NA, GARP_KIND_MAX };

struct garp_queue {
    struct vip_queue first; /* never announced since it was asked for: before every repeat */
    struct vip_queue again;
};

/* How close together announcements may leave; shared by interfaces, see garp_space.h. */
struct garp_space {
    uint64_t interval[GARP_KIND_MAX], next_at[GARP_KIND_MAX];
};

/* How the carrier of an interface is polled, see linkbeat.h. */
enum linkbeat_method { LINKBEAT_PROBE, LINKBEAT_MII, LINKBEAT_ETHTOOL, LINKBEAT_IOCTL };
struct linkbeat_state {
    bool wanted, polled;
    bool known, up; /* what the last poll said */
    enum linkbeat_method want, method;
    uint32_t ifindex; /* it was about */
};

/* A configured interface, there or not. Lives as long as the configuration names it. */
struct iface {
    char name[IFNAMSIZ];
    uint32_t id;      /* in the current generation */
    bool named;       /* by the current configuration */
    uint32_t ifindex; /* 0: not there */
    uint32_t flags;   /* IFF_ */
    uint16_t type;    /* ARPHRD_ */
    uint32_t mtu;
    uint8_t mac[32];
    uint8_t mac_len;
    struct kevent_macvlan vlan;
    bool vmac;    /* a macvlan the configuration wants */
    uint32_t fit; /* ifindex that was found to be, or made, as it must be */
    struct kaddr_list addrs;
    struct linkbeat_state beat;
    bool dirty; /* facts to be told */
    bool told;
    struct msg_link last; /* what vrrpd knows */
    struct garp_queue garp[GARP_KIND_MAX];
    struct garp_space own_space, *space;
    uint64_t extra_round; /* garp_extra_if: the last round it was announced in */
    bool garp_active;
    TAILQ_ENTRY(iface) garp_next;
    uint64_t router_at; /* when router was read */
    bool router;
    unsigned int promote_refs;
    int promote_saved; /* value before us; -1: not taken */
    LIST_ENTRY(iface) by_index;
};
TAILQ_HEAD(iface_queue, iface);
LIST_HEAD(iface_bucket, iface);

#define LINKS_BUCKETS 64

struct links {
    struct iface **v; /* sorted by name */
    size_t n;
    struct iface_bucket buckets[LINKS_BUCKETS]; /* those that are there, by ifindex */
    struct kaddr_table addrs;
};

struct inst;
struct nft_accept_elem;

struct vip {
    struct inst *inst; /* NULL: static_ipaddress */
    const struct slice_obj *obj;
    struct addr_spec spec;
    struct iface *iface;
    bool no_track;
    bool changed;                  /* spec differs from what is in the kernel */
    bool ours;                     /* this process added it */
    bool abandoned;                /* no_track and somebody took it away */
    bool lost;                     /* removed behind our back, to be repaired */
    bool failed;                   /* the last attempt */
    uint8_t op;                    /* enum addr_op decided in this exchange */
    bool guarded;                  /* counted by: */
    struct nft_accept_elem *guard; /* what drops its packets; NULL: it accepts them */
    struct repair repair;
    uint32_t pend; /* announcements still to be sent */
    uint32_t owed; /* announcements to be queued once the address is usable */
    bool queued_first, queued_again;
    TAILQ_ENTRY(vip) queue;
    LIST_ENTRY(vip) hash;
};

/* What a last will has to look like (will.h). */
struct will_rule {
    uint8_t version, vrid, family;
    bool ah;
};

struct inst {
    const struct slice_obj *obj;
    uint32_t id;
    bool owner;
    struct vip *vips; /* in the order of the file */
    size_t nvips;
    struct route_entry *routes; /* and rules */
    size_t nroutes;
    enum vrrp_state state;
    bool told;           /* by the present vrrpd, in this generation */
    bool known;          /* by any vrrpd since we began: before that nothing of it is taken away */
    bool fresh;          /* became MASTER this turn: all of it is announced once it is in */
    bool paired;         /* reload: taken over by the next generation */
    struct inst *former; /* reload: whom it takes over (model_pair) */
    bool dirty;          /* queued for addr_apply */
    uint32_t seq;        /* owed an inst_done; 0: none */
    TAILQ_ENTRY(inst) next_dirty, next_settled;
    bool settling; /* planned in this turn, its report is due */
    struct ev_timer burst, refresh, lower, extra;
    struct will_rule rule;
    uint8_t *will;
    bool will_owed; /* nobody has resigned for it */
    uint16_t will_len;
    struct ipvsd *d;
};
TAILQ_HEAD(inst_queue, inst);

struct route_bucket;

/* Routes and rules of a generation by slot of the kernel's tables. */
struct route_model {
    struct route_bucket *buckets;
    size_t nbuckets, n;
};

/* One generation of the configuration, decoded. */
struct model {
    struct inst *insts; /* ascending by id */
    size_t ninsts;
    struct inst statics; /* no obj: the static addresses, always wanted */
    struct vip_bucket *buckets;
    size_t nbuckets;
    struct route_model routes;
};

struct vsock;
struct vsocks {
    struct vsock *v;
    size_t n;
    struct ev_timer retry;
};

struct garp {
    int fd;
    struct garp_space *groups;
    size_t ngroups;
    uint64_t extra_rounds;
    struct iface_queue active;
    struct ev_timer timer;
    struct garp_batch *batch;
    uint64_t sent, dropped, firsts;
    uint64_t firsts_before; /* at the end of the last turn */
    uint64_t burst_until;   /* the last second burst is due then; survives us in a snapshot */
    bool burst_news;
};

struct vmacs;
struct ipvs;
struct list;
struct check_sock;
struct bfd_socks;
struct addrwatch;
struct present;
struct linkbeat;
struct syncd;
struct nft_ipvs;
struct nft_accept;
struct route_entry;
struct route_kernel;
struct proctrack;

struct ipvsd {
    struct child *child;
    struct ev *ev;
    struct nlsock cmd, mon;
    struct ev_io *mon_io;
    bool resync; /* the mirror is not to be trusted */
    struct links links;
    struct model *model, *next;
    struct inst_queue dirty;
    struct nlbatch batch;
    struct addr_req *reqs; /* what batch asks, in its order */
    size_t nreqs, cap_reqs;
    struct ev_timer repair; /* something was held back */
    struct vsocks socks;
    struct garp garp;
    struct vmacs *vmacs;
    struct ipvs *ipvs;
    struct list *list;
    struct check_sock *check_socks;
    struct bfd_socks *bfd;
    struct addrwatch *watch; /* -a; NULL: not wanted */
    struct present *present;
    struct present *sources; /* of unicast instances, and with track_src_ip */
    struct linkbeat *linkbeat;
    uint8_t igmp_was; /* disable_local_igmp: the switch before us, + 1; 0: not taken */
    struct syncd *syncd;
    struct other_ns other; /* net_namespace_ipvs */
    struct nft_ipvs *nft;
    struct nft_accept *accept;
    struct route_kernel *routes;
    struct proctrack *proctrack;
    bool synced;      /* the present vrrpd has told everything */
    bool succeeding;  /* at start, between the former configuration and the present one: see main.c */
    bool ever_synced; /* any vrrpd has: what becomes MASTER from now on is news */
    bool stopping;
    struct ev_timer farewell;
    uint64_t adds, dels, repairs, exchanges, resyncs; /* for the dump */
};

#endif
