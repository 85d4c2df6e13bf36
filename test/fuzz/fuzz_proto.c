/*
 * fuzz_proto.c - proto_decode on hostile bytes, said by every role to every role. What it accepts must be the
 * one encoding of what it decoded: proto_encode writes the same bytes again.
 */
#include <stdlib.h>
#include <string.h>

#include "common/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void decode_as(const uint8_t *data, size_t len, enum role from, enum role to, unsigned int nfds)
{
    static uint8_t again[PROTO_MAX_SIZE];
    struct msg_header h;
    union msg_any out;
    enum msg_type t;

    memset(&out, 0xee, sizeof out); /* what the decoder leaves unset shows when it is encoded */
    if (proto_decode(data, len, from, to, nfds, &h, &out) != PROTO_OK)
        return;
    t = (enum msg_type)h.type;
    if (!(proto_senders(t) & ROLE_BIT(from)) || !(proto_receivers(t) & ROLE_BIT(to)) ||
        nfds > proto_max_fds(t))
        abort();
    if (proto_encode(t, &out, h.seq, h.generation, h.nfds, again, sizeof again) != (int)len ||
        memcmp(again, data, len) != 0)
        abort();
    (void)proto_key(t, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    unsigned int nfds = len >= sizeof(struct msg_header) ? data[offsetof(struct msg_header, nfds)] : 0;

    for (int from = 0; from < ROLE_MAX; from++)
        for (int to = 0; to < ROLE_MAX; to++)
            decode_as(data, len, (enum role)from, (enum role)to, nfds);
    return 0;
}
