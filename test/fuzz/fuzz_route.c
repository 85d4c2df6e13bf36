/* fuzz_route.c - what the kernel says of routes and rules: every fact must be a value within its bounds. */
#include <linux/netlink.h>
#include <netlink/msg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipvsd/route_fact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nlmsghdr *h = malloc(size + 1); /* aligned, and its end is watched */
    int left = size > INT32_MAX ? 0 : (int)size;
    if (h == NULL)
        return 0;
    memcpy(h, data, size);
    for (struct nlmsghdr *m = h; nlmsg_ok(m, left); m = nlmsg_next(m, &left)) {
        struct route_fact f;
        if (route_fact_read(m, &f) < 0)
            continue;
        if ((f.family != 4 && f.family != 6) || f.dst.plen > 128 || memchr(f.r.iif, '\0', IFNAMSIZ) == NULL ||
            !route_fact_fulfils(&f, &f))
            abort();
        (void)route_fact_hash(&f);
    }
    free(h);
    return 0;
}
