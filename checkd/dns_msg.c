/*
 * dns_msg.c - see dns_msg.h. The reply is hostile: only its fixed header is looked at, which is all the
 * verdict needs (any reply with our id and rcode 0 passes, answers or not, as the incumbent judges). Called
 * by check_dns.c.
 */
#include "checkd/dns_msg.h"

#include <string.h>

enum { HEADER = 12, LABEL_MAX = 63, CLASS_IN = 1 };

int dns_name_encode(const char *name, uint8_t *out, size_t size)
{
    size_t at = 0;

    if (strcmp(name, ".") == 0)
        name = "";
    while (*name != '\0') {
        size_t n = strcspn(name, ".");

        if (n == 0 || n > LABEL_MAX || at + 1 + n + 1 > DNS_NAME_MAX || at + 1 + n + 1 > size)
            return -1;
        out[at++] = (uint8_t)n;
        memcpy(out + at, name, n);
        at += n;
        name += n;
        if (*name == '.')
            name++;
    }
    if (at + 1 > size)
        return -1;
    out[at++] = 0;
    return (int)at;
}

static size_t put16(uint8_t *p, unsigned int v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
    return 2;
}

int dns_query_encode(uint16_t id, const uint8_t *name, size_t name_len, uint16_t type, uint8_t *out,
                     size_t size)
{
    size_t at = 0;

    if (name_len > DNS_NAME_MAX || size < HEADER + name_len + 4)
        return -1;
    at += put16(out + at, id);
    at += put16(out + at, 0x0100); /* RD */
    at += put16(out + at, 1);      /* one question, no records */
    memset(out + at, 0, 6);
    at += 6;
    memcpy(out + at, name, name_len);
    at += name_len;
    at += put16(out + at, type);
    at += put16(out + at, CLASS_IN);
    return (int)at;
}

enum dns_verdict dns_reply_decode(const void *buf, size_t len, uint16_t id, struct dns_reply *out)
{
    const uint8_t *p = buf;

    *out = (struct dns_reply){ 0 };
    if (len < HEADER)
        return DNS_NOT_OURS;
    if (((unsigned int)p[0] << 8 | p[1]) != id || (p[2] & 0x80) == 0 || (p[2] & 0x78) != 0)
        return DNS_NOT_OURS;
    out->truncated = (p[2] & 0x02) != 0;
    out->rcode = p[3] & 0x0fu;
    out->answers = (unsigned int)p[6] << 8 | p[7];
    return out->rcode == 0 ? DNS_ANSWER : DNS_REFUSED;
}

const char *dns_rcode_name(unsigned int rcode)
{
    static const char *const names[] = { "NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                                         "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE" };

    return rcode < sizeof names / sizeof names[0] ? names[rcode] : NULL;
}
