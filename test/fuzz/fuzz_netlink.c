/*
 * fuzz_netlink.c - what the kernel (or something that pretends) says on a netlink socket: links, addresses,
 * answers. Every event must be a value within its bounds whatever the bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipvsd/kevent.h"

static void on_event(const struct kevent *e, void *arg)
{
    size_t *n = arg;
    (*n)++;
    if (e->kind == KEVENT_LINK || e->kind == KEVENT_LINK_GONE) {
        if (e->link.ifindex == 0 || e->link.mac_len > sizeof e->link.mac ||
            memchr(e->link.name, '\0', sizeof e->link.name) == NULL)
            abort();
    } else {
        size_t len = ipaddr_len(&e->addr.addr);
        if ((len != 4 && len != 16) || e->addr.addr.plen > len * 8)
            abort();
    }
}

static void on_ack(uint32_t seq, int err, void *arg)
{
    (void)seq;
    (void)arg;
    if (err < 0 || err > 4095)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kevent_end end = { 0 };
    size_t n = 0;
    void *copy = malloc(size + 1); /* aligned, and its end is watched */
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    kevent_walk(copy, size, on_event, &n, &end);
    kevent_acks(copy, size, on_ack, NULL);
    free(copy);
    return 0;
}
