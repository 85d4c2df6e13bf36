/*
 * fuzz_auth.c - signed adverts as they arrive: an IPv4 datagram through the receive checks of an instance
 * with AH and of one with auth_hmac (the first byte says which, and its mode). Nobody here has the key, so
 * whatever comes must not be believed; an unsigned one only where the mode allows it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "vrrpd/checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_auth {
    struct auth *ah, *hmac[3];
};

static struct auth *fuzz_make(int mode)
{
    size_t len;
    struct err e = { 0 };
    struct auth *a = NULL;
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, 1);
    uint32_t vi = slice_put_obj(w, BLK_VI, 0, "V", 1);
    if (mode < 0) {
        slice_put_obj(w, BLK_VI_AUTH, vi, "", 2);
        slice_put_uint(w, KW_VI_AUTH_AUTH_TYPE, PACKET_AUTH_AH);
        slice_put_str(w, KW_VI_AUTH_AUTH_PASS, "n0bodysg");
    } else {
        slice_put_obj(w, BLK_VI_HMAC, vi, "", 2);
        slice_put_raw(w, KW_VI_HMAC_KEY, "\x01nobody can guess these 32 bytes!", 33);
        slice_put_uint(w, KW_VI_HMAC_ACTIVE_KEY, 1);
        slice_put_uint(w, KW_VI_HMAC_MODE, (uint64_t)mode);
    }
    const void *image = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(image, len, ROLE_VRRPD, &e);
    if (s == NULL || auth_new(s, slice_find(s, BLK_VI, "V"), NS_PER_SEC, &a, &e) < 0)
        abort();
    slice_free(s);
    slice_writer_free(w);
    return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_auth f;
    if (f.ah == NULL) {
        f.ah = fuzz_make(-1);
        for (int m = 0; m < 3; m++)
            f.hmac[m] = fuzz_make(m);
    }
    struct packet_rx rx;
    struct engine_advert out;
    unsigned int remarks, mode = size > 0 ? data[0] % 4u : 0;
    struct ipaddr vip = { .family = 4, .plen = 32, .b = { 10, 0, 0, 100 } };
    struct check_cfg c = { .family = 4,
                           .version = mode == 3 ? 2 : 3,
                           .priority = 100,
                           .interval = NS_PER_SEC,
                           .auth_type = mode == 3 ? PACKET_AUTH_AH : PACKET_AUTH_NONE,
                           .sign = mode == 3 ? f.ah : f.hmac[mode],
                           .group = { .family = 4, .plen = 32, .b = { 224, 0, 0, 18 } },
                           .addrs = &vip,
                           .naddrs = 1 };
    struct auth_state memory = { 0 };
    struct check_stats bad = { 0 };
    struct check_state st = { .auth = &memory, .bad = &bad };
    if (size < 1 || packet_split4(data + 1, size - 1, &rx) < 0 || packet_unwrap(&rx) < 0)
        return 0;
    rx.real_at = UINT64_C(1000000000) * NS_PER_SEC;
    enum check_verdict v = check_packet(&c, &st, &rx, &out, &remarks);
    bool bare = mode == 1 || mode == 2;
    if (v == CHECK_OK && (!bare || st.mark != 0))
        abort(); /* believed without the key */
    check_taken(&c, &st, &rx);
    if (memory.own != 0 || memory.few[0].addr.family != 0)
        abort(); /* something was remembered of a stranger */
    return 0;
}
