/*
 * fuzz_bfd.c - hostile BFD packets, a stream of them at chosen distances in time, and hostile snapshots.
 * Oracle: what decodes encodes to the same bytes; the machine never arms a timer in the past, is never up
 * with a peer it has not heard, never answers more than it may; a snapshot that decodes encodes to the same
 * bytes and a session taken up from it keeps these promises too.
 */
#include <stdlib.h>
#include <string.h>

#include "vrrpd/bfd.h"
#include "vrrpd/bfd_snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
    struct bfd b;
    uint64_t deadline;
    uint32_t disc;
    unsigned int sent, finals;
};

static void on_send(void *arg, const struct bfd_packet *p)
{
    struct seen *s = arg;
    struct bfd_packet back;
    uint8_t wire[BFD_PACKET_LEN];
    bfd_packet_encode(p, wire);
    if (bfd_packet_decode(wire, sizeof wire, &back) != BFD_FAULT_NONE)
        abort(); /* we never say what we would refuse */
    s->sent++;
    s->finals += (p->flags & BFD_FLAG_FINAL) != 0;
}

static void on_state(void *arg, enum bfd_state from, const char *cause)
{
    if (from == ((struct seen *)arg)->b.state || strlen(cause) == 0)
        abort();
}

static void on_event(void *arg, bool up)
{
    if (up != (((struct seen *)arg)->b.state == BFD_UP))
        abort();
}

static void on_arm(void *arg, uint64_t deadline)
{
    ((struct seen *)arg)->deadline = deadline;
}

static uint32_t on_disc(void *arg)
{
    return ++((struct seen *)arg)->disc;
}

static const struct bfd_ops ops = { on_send, on_state, on_event, on_arm, on_disc };

static void promises(const struct seen *s, uint64_t now)
{
    if (s->deadline < now || s->b.detect_at < now)
        abort();
    if ((s->b.state == BFD_UP || s->b.state == BFD_INIT) &&
        (s->b.remote.disc == 0 || s->b.detect_at == TIME_NEVER))
        abort();
    if (s->b.disc == 0)
        abort();
}

/* Each step: a byte of time (0 to 127 half milliseconds; the top bit: what you say as discriminator is
 * corrected), then 24 bytes. */
static void stream(struct seen *s, uint64_t now, const uint8_t *data, size_t len)
{
    unsigned int steps = 0;
    uint64_t from = now;
    for (; len >= 1 + BFD_PACKET_LEN; data += 1 + BFD_PACKET_LEN, len -= 1 + BFD_PACKET_LEN) {
        struct bfd_packet p;
        uint8_t out[BFD_PACKET_LEN];
        uint64_t to = now + (data[0] & 127) * NS_PER_MS / 2;
        for (unsigned int turns = 0; s->deadline <= to; turns++) {
            now = s->deadline;
            bfd_timer(&s->b, now);
            if (turns > 10000)
                abort();
        }
        now = to;
        if (bfd_packet_decode(data + 1, BFD_PACKET_LEN, &p) != BFD_FAULT_NONE)
            continue;
        bfd_packet_encode(&p, out);
        if (memcmp(out, data + 1, BFD_PACKET_LEN) != 0)
            abort();
        if (data[0] & 128)
            p.your_disc = s->b.disc;
        bfd_rx(&s->b, &p, now, now);
        promises(s, now);
        steps++;
    }
    if (s->finals > 1 + (now - from) / BFD_FINAL_GAP + steps / 2)
        abort();
}

static void snapshot(const uint8_t *data, size_t len, const struct bfd_cfg *cfg)
{
    static const uint64_t now = 1000 * NS_PER_SEC;
    struct bfd_snapshot snap;
    struct seen s = { .deadline = TIME_NEVER };
    uint8_t out[BFD_SNAPSHOT_MAX];
    if (bfd_snapshot_decode(data, len, &snap) < 0)
        return;
    if (bfd_snapshot_encode(&snap, out) != (int)len || memcmp(out, data, len) != 0)
        abort();
    bfd_init(&s.b, cfg, &ops, &s, 5);
    bfd_resume(&s.b, &snap.saved, now);
    promises(&s, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bfd_cfg cfg = { .min_tx = 20000, .min_rx = 20000, .idle_tx = 300000, .mult = 3 };
    struct seen s = { .deadline = TIME_NEVER };
    uint64_t now = 1000 * NS_PER_SEC;
    struct bfd_packet p;
    if (len < 1)
        return 0;
    bfd_packet_decode(data + 1, len - 1, &p); /* any length */
    cfg.passive = data[0] & 1;
    if (data[0] & 2)
        cfg.min_tx = cfg.idle_tx = 1000; /* the least a file may say */
    snapshot(data, len, &cfg);
    bfd_init(&s.b, &cfg, &ops, &s, data[0]);
    bfd_start(&s.b, now);
    stream(&s, now, data + 1, len - 1);
    return 0;
}
