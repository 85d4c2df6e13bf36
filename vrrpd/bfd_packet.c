/* bfd_packet.c - see bfd_packet.h. */
#include "vrrpd/bfd_packet.h"

#include <string.h>

#define BFD_VERSION 1

static uint32_t bfd_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void bfd_put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

enum bfd_fault bfd_packet_decode(const uint8_t *buf, size_t len, struct bfd_packet *out)
{
    memset(out, 0, sizeof *out);
    if (len < BFD_PACKET_LEN || buf[3] < BFD_PACKET_LEN || buf[3] > len)
        return BFD_FAULT_LENGTH;
    if (buf[0] >> 5 != BFD_VERSION)
        return BFD_FAULT_VERSION;
    struct bfd_packet p = { .state = (enum bfd_state)(buf[1] >> 6),
                            .diag = buf[0] & 0x1f,
                            .flags = buf[1] & 0x3f,
                            .mult = buf[2],
                            .my_disc = bfd_get32(buf + 4),
                            .your_disc = bfd_get32(buf + 8),
                            .min_tx = bfd_get32(buf + 12),
                            .min_rx = bfd_get32(buf + 16),
                            .min_echo_rx = bfd_get32(buf + 20) };
    if (p.mult == 0)
        return BFD_FAULT_MULT;
    if ((p.flags & BFD_FLAG_MULTIPOINT) ||
        (p.flags & (BFD_FLAG_POLL | BFD_FLAG_FINAL)) == (BFD_FLAG_POLL | BFD_FLAG_FINAL))
        return BFD_FAULT_FLAGS;
    if (p.flags & BFD_FLAG_AUTH)
        return BFD_FAULT_AUTH;
    if (p.my_disc == 0 || (p.your_disc == 0 && p.state != BFD_DOWN && p.state != BFD_ADMIN_DOWN))
        return BFD_FAULT_DISC;
    *out = p;
    return BFD_FAULT_NONE;
}

void bfd_packet_encode(const struct bfd_packet *p, uint8_t out[BFD_PACKET_LEN])
{
    out[0] = (uint8_t)(BFD_VERSION << 5 | (p->diag & 0x1f));
    out[1] = (uint8_t)((unsigned int)p->state << 6 | (p->flags & 0x3f));
    out[2] = p->mult;
    out[3] = BFD_PACKET_LEN;
    bfd_put32(out + 4, p->my_disc);
    bfd_put32(out + 8, p->your_disc);
    bfd_put32(out + 12, p->min_tx);
    bfd_put32(out + 16, p->min_rx);
    bfd_put32(out + 20, p->min_echo_rx);
}

const char *bfd_fault_text(enum bfd_fault f)
{
    static const char *const text[BFD_FAULT_MAX] = {
        [BFD_FAULT_NONE] = "fine",
        [BFD_FAULT_LENGTH] = "wrong length",
        [BFD_FAULT_VERSION] = "not version 1",
        [BFD_FAULT_MULT] = "detection multiplier 0",
        [BFD_FAULT_FLAGS] = "multipoint, or poll and final at once",
        [BFD_FAULT_AUTH] = "authentication, which we have none of",
        [BFD_FAULT_DISC] = "discriminator 0",
    };
    return f < BFD_FAULT_MAX ? text[f] : "unknown";
}

const char *bfd_state_name(enum bfd_state s)
{
    static const char *const name[] = { "ADMIN_DOWN", "DOWN", "INIT", "UP" };
    return (unsigned int)s < sizeof name / sizeof *name ? name[s] : "?";
}

const char *bfd_diag_text(uint8_t diag)
{
    static const char *const text[] = { "no diagnostic",
                                        "control detection time expired",
                                        "echo failed",
                                        "neighbour signalled session down",
                                        "forwarding plane reset",
                                        "path down",
                                        "concatenated path down",
                                        "administratively down",
                                        "reverse concatenated path down" };
    return diag < sizeof text / sizeof *text ? text[diag] : "unknown diagnostic";
}
