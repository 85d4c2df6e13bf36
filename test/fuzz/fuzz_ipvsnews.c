/*
 * fuzz_ipvsnews.c - what the kernel says about its connection sync daemons, and its news of nftables: read by
 * pure functions, whatever the bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipvsd/nft_msg.h"
#include "ipvsd/syncd_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct syncd_walk w = { .seq = 7 };
    void *copy = malloc(size + 1); /* aligned, and its end is watched */
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    syncd_walk(copy, size, &w);
    if (w.error < 0 || w.error > 4095)
        abort();
    for (int k = 0; k < SYNCD_KINDS; k++) {
        const struct syncd_params *p = &w.have[k].p;
        if (memchr(p->ifname, '\0', sizeof p->ifname) == NULL ||
            (p->group.family != 0 && p->group.family != 4 && p->group.family != 6))
            abort();
        syncd_fits(p, p);
    }
    if (nft_msgs_hurts(copy, size < 15 ? size : 15, "keepalived_ipvs", 7, NULL))
        abort(); /* shorter than a header */
    nft_msgs_hurts(copy, size, "keepalived_ipvs", 7, NULL);
    nft_msgs_ours(copy, size);
    free(copy);
    return 0;
}
