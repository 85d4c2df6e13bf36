/* ipvs_expand.c - see ipvs_expand.h. */
#include "ipvsd/ipvs_expand.h"

uint32_t ipvs_expand_prefix(const struct ipaddr *a, struct ipaddr *first)
{
    unsigned int bits = (unsigned int)ipaddr_len(a) * 8;
    *first = *a;
    if (a->plen > bits || bits - a->plen > 16)
        return 0;
    for (unsigned int i = a->plen; i < bits; i++)
        first->b[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
    first->plen = (uint8_t)bits;
    return UINT32_C(1) << (bits - a->plen);
}

struct ipaddr ipvs_expand_add(const struct ipaddr *a, uint32_t n)
{
    struct ipaddr out = *a;
    uint64_t carry = n;
    for (size_t i = ipaddr_len(a); i-- > 0 && carry != 0;) {
        carry += out.b[i];
        out.b[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return out;
}
