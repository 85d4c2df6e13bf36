/*
 * bfd_int.h - what bfd_life.c (whose sessions, who hears of them), bfd_conf.c (what is asked), bfd_io.c
 * (bytes in and out) and bfd_take.c (whose packet is it) share, and what dump_bfd.c tells of. Of the others
 * only tests include it.
 */
#ifndef HOLDFAST_VRRPD_BFD_INT_H
#define HOLDFAST_VRRPD_BFD_INT_H

#include "common/addr.h"
#include "common/ev.h"
#include "common/log.h"
#include "vrrpd/bfd.h"
#include "vrrpd/bfd_life.h"
#include "vrrpd/bfd_snapshot.h"

#define BFD_BUCKETS 256
enum { BFD_IO_KINDS = 4 }; /* family * hops */

struct bfd_sess {
    struct bfd_life *l;
    uint32_t id;
    char name[BFD_NAME_MAX + 1];
    struct ipaddr src, dst; /* src: family 0, the kernel chooses */
    bool multihop, vrrp, checker;
    uint8_t ttl, min_ttl; /* sent; least that counts */
    struct bfd b;
    struct ev_timer timer;
    int fd;     /* to send with; -1: none */
    int error;  /* why, errno; 0: not told yet */
    bool stale; /* a reload has changed what it should be like: the next one replaces it */
    bool keep, dirty;
    bool begun; /* with this configuration, not taken over from a dead vrrpd: down until it is up */
    bool send_failed;
    uint32_t said;          /* faults already logged, bits */
    uint64_t refused, far;  /* packets: malformed; from too many hops away */
    struct bfd_saved saved; /* as said last, or (resumes) where to go on once there are sockets */
    bool resumes;
    struct bfd_sess *next_disc, *next_dirty;
};

struct bfd_rx {
    struct bfd_life *l;
    int fd, error;
    struct ev_io *io;
    uint64_t empty_at, polled_at;
};

struct bfd_life {
    struct vrrpd *v;
    struct ev *ev;
    bfd_watch_fn *watch;
    struct bfd_sess **sess;
    size_t n;
    struct bfd_sess *by_disc[BFD_BUCKETS]; /* by our own discriminator */
    struct bfd_sess *dirty;
    struct bfd_rx rx[BFD_IO_KINDS];
    struct bfd_snapshot *snaps; /* of the former incarnation */
    size_t nsnaps;
    bool started; /* what is new now is new by a reload */
    struct log_limit strangers;
    uint64_t unknown; /* packets of no session */
    bool stopping;
};

/* bfd_io.c */
struct bfd_rx *bfd_io_rx(struct bfd_life *l, uint8_t family, bool multihop);
void bfd_io_attach(struct bfd_rx *r, int fd); /* takes fd; what the former one holds is read first */
void bfd_io_detach(struct bfd_rx *r);
void bfd_io_poll(struct bfd_rx *r);                              /* everything that waits, once a turn */
int bfd_io_send(struct bfd_sess *s, const struct bfd_packet *p); /* 0, or errno */

/* bfd_conf.c */
/* What makes it this session is decoded into s, the rest into cfg and s. */
void bfd_sess_read(struct bfd_sess *s, struct bfd_cfg *cfg, const struct slice_obj *o);
bool bfd_sess_same(const struct bfd_sess *a, const struct bfd_sess *b);
bool bfd_cfg_same(const struct bfd_cfg *a, const struct bfd_cfg *b);

/* bfd_life.c */
void bfd_sess_rx(struct bfd_sess *s, const struct bfd_packet *p, uint64_t rx_at);
struct bfd_sess *bfd_sess_by_disc(struct bfd_life *l, uint32_t disc);

#endif
