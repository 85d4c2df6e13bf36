/* nd_bytes.c - see nd_bytes.h. */
#include "parent/ctl/nd_bytes.h"

#include <string.h>

#define ND_SOLICITATION  135
#define ND_ADVERTISEMENT 136
#define ND_HEAD          24 /* type, code, checksum, flags, target */
#define ND_SOURCE_MAC    1
#define ND_TARGET_MAC    2

void nd_question(const uint8_t mac[ARP_MAC], const struct ipaddr *ip, uint8_t out[ND_LEN],
                 struct ipaddr *group)
{
    static const uint8_t solicited[13] = { 0xff, 0x02, [11] = 0x01, [12] = 0xff };
    memset(out, 0, ND_LEN);
    out[0] = ND_SOLICITATION;
    memcpy(out + 8, ip->b, 16);
    out[ND_HEAD] = ND_SOURCE_MAC;
    out[ND_HEAD + 1] = 1;
    memcpy(out + ND_HEAD + 2, mac, ARP_MAC);
    *group = (struct ipaddr){ .family = 6, .plen = 128 };
    memcpy(group->b, solicited, sizeof solicited);
    memcpy(group->b + 13, ip->b + 13, 3);
}

int nd_answer(const uint8_t *p, size_t len, uint8_t mac[ARP_MAC], struct ipaddr *ip)
{
    if (len < ND_HEAD || p[0] != ND_ADVERTISEMENT || p[1] != 0)
        return -1;
    for (size_t at = ND_HEAD; len - at >= 8;) {
        size_t n = (size_t)p[at + 1] * 8;
        if (n == 0 || n > len - at)
            return -1;
        if (p[at] == ND_TARGET_MAC && n == 8) {
            memcpy(mac, p + at + 2, ARP_MAC);
            *ip = (struct ipaddr){ .family = 6, .plen = 128 };
            memcpy(ip->b, p + 8, 16);
            return 0;
        }
        at += n;
    }
    return -1;
}
