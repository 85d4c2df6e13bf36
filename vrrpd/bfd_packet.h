/*
 * bfd_packet.h - BFD control packets (RFC 5880 section 4.1) between bytes and numbers. Pure; the decoder
 * takes hostile bytes of any length and refuses what section 6.8.6 refuses before a session is looked for. No
 * authentication: a packet that carries a section for it is refused. Called by bfd.c, bfd_take.c (decode),
 * bfd_io.c (encode), bfd_life.c, tests and fuzzers.
 */
#ifndef HOLDFAST_VRRPD_BFD_PACKET_H
#define HOLDFAST_VRRPD_BFD_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BFD_PACKET_LEN 24

enum bfd_state { BFD_ADMIN_DOWN, BFD_DOWN, BFD_INIT, BFD_UP }; /* as on the wire */
enum bfd_diag {
    BFD_DIAG_NONE,
    BFD_DIAG_EXPIRED,       /* control detection time */
    BFD_DIAG_NEIGHBOR = 3,  /* the neighbour signalled down */
    BFD_DIAG_PATH_DOWN = 5, /* our socket cannot be opened */
    BFD_DIAG_ADMIN = 7
};

enum bfd_flag {
    BFD_FLAG_MULTIPOINT = 1,
    BFD_FLAG_DEMAND = 2,
    BFD_FLAG_AUTH = 4,
    BFD_FLAG_CPI = 8, /* control plane independent */
    BFD_FLAG_FINAL = 16,
    BFD_FLAG_POLL = 32
};

struct bfd_packet {
    enum bfd_state state;
    uint8_t diag, flags, mult;
    uint32_t my_disc, your_disc;
    uint32_t min_tx, min_rx, min_echo_rx; /* microseconds */
};

enum bfd_fault {
    BFD_FAULT_NONE,
    BFD_FAULT_LENGTH, /* too short, or its own length field does not fit */
    BFD_FAULT_VERSION,
    BFD_FAULT_MULT,  /* detection multiplier 0 */
    BFD_FAULT_FLAGS, /* multipoint, or poll and final at once */
    BFD_FAULT_AUTH,  /* we have no keys */
    BFD_FAULT_DISC,  /* its discriminator is 0, or ours is and the state is INIT or UP */
    BFD_FAULT_MAX
};

enum bfd_fault bfd_packet_decode(const uint8_t *buf, size_t len, struct bfd_packet *out);
void bfd_packet_encode(const struct bfd_packet *p, uint8_t out[BFD_PACKET_LEN]);
const char *bfd_fault_text(enum bfd_fault f);
const char *bfd_state_name(enum bfd_state s); /* "ADMIN_DOWN", "DOWN", "INIT", "UP" */
const char *bfd_diag_text(uint8_t diag);

#endif
