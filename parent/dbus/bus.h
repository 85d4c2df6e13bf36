/*
 * bus.h - holdfast-dbus's side of the bus, by sd-bus: a connection, the objects to be shown, the signals. The
 * bytes of the bus are the library's to read. No method changes anything: what would be an order is refused
 * with a sentence that names the tool for it. Called by main.c.
 */
#ifndef HOLDFAST_PARENT_DBUS_BUS_H
#define HOLDFAST_PARENT_DBUS_BUS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "parent/dbus/shown.h"

#define BUS_ADDRESS "unix:path=/run/dbus/system_bus_socket"

struct bus;

/* m: what is shown; its content may change between calls. */
struct bus *bus_new(const char *address, const struct shown *m);
int bus_open(struct bus *b); /* -1 errno */
bool bus_is_open(const struct bus *b);
void bus_close(struct bus *b);
/* Wants to own this name, NULL: none. An answer comes later; until it is yes it is asked for again. */
void bus_own(struct bus *b, const char *name);
void bus_vrrp(struct bus *b, const char *signal);             /* of the one object for all */
void bus_state(struct bus *b, const struct shown_inst *inst); /* of one instance */
void bus_poll(struct bus *b, struct pollfd *p, int *timeout_ms);
int bus_work(struct bus *b); /* -1: the connection is lost (and closed) */

#endif
