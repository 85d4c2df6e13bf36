/* addr.c - IP addresses as values; see addr.h. Parsing goes through inet_pton, never a resolver. */
#include "common/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ipaddr_parse(const char *s, struct ipaddr *out)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, s, out->b) == 1) {
        out->family = 4;
        out->plen = 32;
        return 0;
    }
    memset(out->b, 0, sizeof out->b);
    if (inet_pton(AF_INET6, s, out->b) == 1) {
        out->family = 6;
        out->plen = 128;
        return 0;
    }
    memset(out, 0, sizeof *out);
    errno = EINVAL;
    return -1;
}

static int ipaddr_parse_plen(const char *s, unsigned int max, uint8_t *out)
{
    unsigned int v = 0;
    size_t n = strlen(s);
    if (n == 0 || n > 3 || strspn(s, "0123456789") != n)
        return -1;
    for (; *s != '\0'; s++)
        v = v * 10 + (unsigned int)(*s - '0');
    if (v > max)
        return -1;
    *out = (uint8_t)v;
    return 0;
}

int ipaddr_parse_prefix(const char *s, struct ipaddr *out)
{
    char host[IPADDR_STRLEN];
    const char *slash = strchr(s, '/');
    size_t n = slash != NULL ? (size_t)(slash - s) : strlen(s);
    if (n >= sizeof host) {
        memset(out, 0, sizeof *out);
        errno = EINVAL;
        return -1;
    }
    memcpy(host, s, n);
    host[n] = '\0';
    if (ipaddr_parse(host, out) < 0)
        return -1;
    if (slash != NULL && ipaddr_parse_plen(slash + 1, out->family == 4 ? 32 : 128, &out->plen) < 0) {
        errno = ERANGE;
        return -1;
    }
    return 0;
}

const char *ipaddr_str(const struct ipaddr *a, char buf[IPADDR_STRLEN])
{
    if (a->family == 0 || inet_ntop(ipaddr_af(a), a->b, buf, IPADDR_STRLEN) == NULL)
        snprintf(buf, IPADDR_STRLEN, "none");
    return buf;
}

const char *ipaddr_prefix_str(const struct ipaddr *a, char buf[IPADDR_STRLEN])
{
    ipaddr_str(a, buf);
    size_t n = strlen(buf);
    snprintf(buf + n, IPADDR_STRLEN - n, "/%u", a->plen);
    return buf;
}

int ipaddr_cmp(const struct ipaddr *a, const struct ipaddr *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}

bool ipaddr_same(const struct ipaddr *a, const struct ipaddr *b)
{
    return a->family == b->family && ipaddr_cmp(a, b) == 0;
}

bool ipaddr_is_multicast(const struct ipaddr *a)
{
    return (a->family == 4 && (a->b[0] & 0xf0) == 0xe0) || (a->family == 6 && a->b[0] == 0xff);
}

bool ipaddr_is_linklocal6(const struct ipaddr *a)
{
    return a->family == 6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

size_t ipaddr_len(const struct ipaddr *a)
{
    return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

int ipaddr_af(const struct ipaddr *a)
{
    return a->family == 4 ? AF_INET : a->family == 6 ? AF_INET6 : AF_UNSPEC;
}

socklen_t ipaddr_sockaddr(const struct ipaddr *a, uint16_t port, uint32_t scope, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (a->family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, a->b, 4);
        return sizeof *in;
    }
    if (a->family == 6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        in6->sin6_scope_id = scope;
        memcpy(&in6->sin6_addr, a->b, 16);
        return sizeof *in6;
    }
    return 0;
}

int ipaddr_from_sockaddr(const struct sockaddr *sa, struct ipaddr *out)
{
    memset(out, 0, sizeof *out);
    if (sa->sa_family == AF_INET) {
        out->family = 4;
        out->plen = 32;
        memcpy(out->b, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
        return 0;
    }
    if (sa->sa_family == AF_INET6) {
        out->family = 6;
        out->plen = 128;
        memcpy(out->b, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
        return 0;
    }
    errno = EAFNOSUPPORT;
    return -1;
}
