/*
 * fuzz_mail_lookup.c - an answer of a name server as the alert mail reads it. The first byte chooses the type
 * asked for, the next two the id; the question is fixed. Whatever comes: at most what was asked for, and the
 * same twice.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checkd/mail_lookup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t name[] = { 4, 'p', 'o', 's', 't', 1, 'a', 0 };
    struct ipaddr a[4], b[4];
    if (size < 3)
        return 0;
    uint16_t type = data[0] & 1 ? 1 : 28, id = (uint16_t)(data[1] << 8 | data[2]);
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    int n = mail_lookup_read(data + 3, size - 3, id, name, sizeof name, type, a, 4);
    if (n > 4 || n < -1 || n != mail_lookup_read(data + 3, size - 3, id, name, sizeof name, type, b, 4) ||
        memcmp(a, b, sizeof a) != 0)
        abort();
    for (int i = 0; i < n; i++)
        if (a[i].family != (type == 1 ? 4 : 6))
            abort();
    return 0;
}
