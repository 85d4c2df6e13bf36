/*
 * listen.h - the packet socket of `vrrp watch` (cmd_wire.c) and of doctor's probes (doctor_probe.c): opened
 * with the caller's right, which is dropped for ever before a byte is read from it. What comes is hostile:
 * wire.h takes it apart.
 */
#ifndef HOLDFAST_PARENT_CTL_LISTEN_H
#define HOLDFAST_PARENT_CTL_LISTEN_H

#include "parent/ctl/wire.h"

int listen_open(const char *ifname); /* -1 errno */
/* 1: an advert; 0: something else was read; -1: nothing more now. buf holds what *a points into. */
int listen_read(int fd, uint8_t *buf, size_t size, struct wire_advert *a, uint8_t mac[WIRE_MAC], bool *own);
int listen_drop_privileges(void); /* for ever; -1: it did not work */

#endif
