/* arp_bytes.c - see arp_bytes.h. */
#include "parent/ctl/arp_bytes.h"

#include <string.h>

static const uint8_t arp_head[7] = {
    0, 1, 8, 0, 6, 4, 0
}; /* Ethernet, IPv4, lengths, high byte of the operation */

void arp_question(const uint8_t mac[ARP_MAC], const struct ipaddr *own, const struct ipaddr *ip,
                  uint8_t out[ARP_LEN])
{
    memset(out, 0, ARP_LEN);
    memcpy(out, arp_head, sizeof arp_head);
    out[7] = 1;
    memcpy(out + 8, mac, ARP_MAC);
    memcpy(out + 14, own->b, 4);
    memcpy(out + 24, ip->b, 4);
}

int arp_answer(const uint8_t *p, size_t len, uint8_t mac[ARP_MAC], struct ipaddr *ip)
{
    if (len < ARP_LEN || memcmp(p, arp_head, sizeof arp_head) != 0 || p[7] != 2)
        return -1;
    memcpy(mac, p + 8, ARP_MAC);
    *ip = (struct ipaddr){ .family = 4, .plen = 32 };
    memcpy(ip->b, p + 14, 4);
    return 0;
}
