/*
 * fuzz_dns.c - hostile replies and hostile names. First byte even: the rest is a reply to id 0x1234; odd: a
 * name, which when it is taken must read back label by label and fit a query.
 */
#include <stdlib.h>
#include <string.h>

#include "checkd/dns_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void reply(const uint8_t *data, size_t len)
{
    struct dns_reply r;
    enum dns_verdict v = dns_reply_decode(data, len, 0x1234, &r);

    if (v != DNS_NOT_OURS && (len < 12 || data[0] != 0x12 || data[1] != 0x34 || (data[2] & 0x80) == 0))
        abort();
    if ((v == DNS_ANSWER && r.rcode != 0) || (v == DNS_REFUSED && (r.rcode == 0 || r.rcode > 15)))
        abort();
}

static void name(const char *text)
{
    uint8_t out[DNS_NAME_MAX], query[DNS_QUERY_MAX];
    int n = dns_name_encode(text, out, sizeof out);
    size_t at = 0;

    if (n < 0)
        return;
    if (strcmp(text, ".") == 0)
        text = "";
    while (out[at] != 0) {
        size_t label = out[at];

        if (label > 63 || at + 1 + label >= (size_t)n || memcmp(out + at + 1, text, label) != 0)
            abort();
        text += label;
        if (*text == '.')
            text++;
        at += 1 + label;
    }
    if (*text != '\0' || at + 1 != (size_t)n)
        abort();
    if (dns_query_encode(1, out, (size_t)n, 6, query, sizeof query) != n + 16)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[600];

    if (len < 1)
        return 0;
    if (data[0] % 2 == 0) {
        reply(data + 1, len - 1);
        return 0;
    }
    len = len - 1 < sizeof text - 1 ? len - 1 : sizeof text - 1;
    memcpy(text, data + 1, len);
    text[len] = '\0';
    name(text);
    return 0;
}
