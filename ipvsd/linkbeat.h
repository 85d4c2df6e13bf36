/*
 * linkbeat.h - carrier by asking instead of by news: linkbeat_interfaces and linkbeat_use_polling. For
 * drivers whose news come late or never. Called by main.c and, for what it found, by link.c.
 */
#ifndef HOLDFAST_IPVSD_LINKBEAT_H
#define HOLDFAST_IPVSD_LINKBEAT_H

#include "ipvsd/ipvsd.h"

struct linkbeat;

struct linkbeat *linkbeat_new(struct ipvsd *d);
/* Which interfaces are asked about, from now on; they are asked once at once. After link_configure. */
void linkbeat_configure(struct linkbeat *b, const struct slice *now);
/* Has it carrier? What the last poll said, or the kernel's news for who is not polled. */
bool linkbeat_running(const struct iface *i);
const char *linkbeat_method_name(enum linkbeat_method m);
void linkbeat_dump(const struct linkbeat *b, int fd);

#endif
