/*
 * bfd_sock.h - the UDP sockets of BFD, made for vrrpd, which may make none: for each family and port one that
 * hears what configured neighbours send with a plausible hop limit, for each session one that is connected to
 * its neighbour. Duplicates stay here, so a new vrrpd goes on with the same ports and finds what has arrived.
 * All of it is taken from ipvsd's own slice. Called by main.c.
 */
#ifndef HOLDFAST_IPVSD_BFD_SOCK_H
#define HOLDFAST_IPVSD_BFD_SOCK_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

struct ipvsd;
struct bfd_socks;

struct bfd_sock_spec {
    struct ipaddr src, dst; /* src: family 0, the kernel chooses */
    uint8_t ttl, min_ttl;   /* sent; least that may arrive */
    bool multihop;
};

#define BFD_SOCK_FILTER_MAX BPF_MAXINSNS

/* Pure. False: no session (no neighbour, or --no_bfd). */
bool bfd_sock_read(struct bfd_sock_spec *s, const struct slice_obj *o);
/* Pure: the program for packets of this family and port, out has room for BFD_SOCK_FILTER_MAX. With more
 * neighbours than a program can name it looks at the form alone; vrrpd checks all of it in any case. */
size_t bfd_sock_filter(uint8_t family, bool multihop, const struct bfd_sock_spec *v, size_t n,
                       struct sock_filter *out);

struct bfd_socks *bfd_sock_new(struct ipvsd *d);
void bfd_sock_configure(struct bfd_socks *b, const struct slice *now);
void bfd_sock_tell_all(struct bfd_socks *b); /* to a new vrrpd */
void bfd_sock_retry(struct bfd_socks *b);    /* an interface or an address has changed, or it is time */
void bfd_sock_dump(const struct bfd_socks *b, int fd);

#endif
