/*
 * fuzz_icmp.c - hostile ICMP on PING_CHECK's socket. First byte even: IPv4, odd: IPv6. What is taken for the
 * reply must carry the whole random token: the fuzzer knows it only from the corpus.
 */
#include <stdlib.h>
#include <string.h>

#include "checkd/icmp_echo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct icmp_echo echo = { .ident = 0x4711, .seq = 7, .token = "0123456789abcde" };

    if (len < 1)
        return 0;
    if (icmp_echo_is_reply(data[0] % 2 == 0 ? 4 : 6, data + 1, len - 1, &echo) &&
        (len - 1 < ICMP_ECHO_LEN || memcmp(data + len - ICMP_ECHO_DATA, echo.token, sizeof echo.token) != 0))
        abort();
    return 0;
}
