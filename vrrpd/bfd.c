/* bfd.c - see bfd.h. Section numbers are those of RFC 5880. */
#include "vrrpd/bfd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BFD_LOST_RX 1 /* RequiredMinRx of a peer nobody has heard (6.8.1) */

/* ---- numbers */

static uint32_t bfd_most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

uint64_t bfd_detection_ns(const struct bfd *b)
{
    if (b->remote.disc == 0)
        return 0;
    return (uint64_t)b->remote.mult * bfd_most(b->rx_us, b->remote.min_tx) * NS_PER_US;
}

uint64_t bfd_interval_ns(const struct bfd *b)
{
    return (uint64_t)bfd_most(b->tx_us, b->remote.min_rx) * NS_PER_US;
}

/* What we ask for in this state. */
static uint32_t bfd_wish(const struct bfd *b)
{
    return b->state == BFD_UP ? b->cfg.min_tx : b->cfg.idle_tx;
}

static uint64_t bfd_random(struct bfd *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return b->random;
}

/* Reduced by 10 to 25 per cent (6.8.7; 10 is the least when the multiplier is 1). */
static uint64_t bfd_jittered(struct bfd *b)
{
    uint64_t ns = bfd_interval_ns(b), tenth = ns / 10, range = ns * 3 / 20;
    return ns - tenth - (range > 0 ? bfd_random(b) % (range + 1) : 0);
}

uint64_t bfd_deadline(const struct bfd *b)
{
    return b->tx_at < b->detect_at ? b->tx_at : b->detect_at;
}

bool bfd_detect_due(const struct bfd *b, uint64_t now)
{
    return b->detect_at <= now;
}

static void bfd_arm(struct bfd *b)
{
    b->ops->arm(b->arg, bfd_deadline(b));
}

/* ---- sending */

static void bfd_send(struct bfd *b, uint64_t now, bool final)
{
    struct bfd_packet p = { .state = b->state,
                            .diag = b->diag,
                            .mult = b->cfg.mult,
                            .my_disc = b->disc,
                            .your_disc = b->remote.disc,
                            .min_tx = bfd_wish(b),
                            .min_rx = b->cfg.min_rx };
    if (final || b->final_owed) {
        p.flags = BFD_FLAG_FINAL;
        b->final_at = now;
        b->final_owed = false;
    } else if (b->polling) {
        p.flags = BFD_FLAG_POLL;
    }
    b->stats.sent++;
    b->sent_at = now;
    b->ops->send(b->arg, &p);
}

/* May packets leave by the clock? (6.8.7) */
static bool bfd_speaks(const struct bfd *b)
{
    if (b->state == BFD_ADMIN_DOWN)
        return false;
    if (b->cfg.passive && b->remote.disc == 0)
        return false;
    if (b->remote.min_rx == 0)
        return false;
    return !b->remote.demand || b->state != BFD_UP || b->remote.state != BFD_UP || b->polling ||
           b->final_owed;
}

/* The next packet, counted from the last one, so that no change of mind of the peer can put it off for ever;
 * never in the past. */
static void bfd_schedule(struct bfd *b, uint64_t now)
{
    if (!bfd_speaks(b)) {
        b->tx_at = TIME_NEVER;
        return;
    }
    uint64_t at = (b->sent_at != 0 ? b->sent_at : now) + bfd_jittered(b);
    b->tx_at = at > now ? at : now;
}

/* ---- states */

static void bfd_event(struct bfd *b, bool up)
{
    if (b->known && b->up == up)
        return;
    b->known = true;
    b->up = up;
    b->ops->event(b->arg, up);
}

/* A longer interval of ours waits for the peer's answer while up, a shorter one is in force at once; a
 * shorter detection time waits, a longer one does not (6.8.3). */
static void bfd_intervals(struct bfd *b)
{
    uint32_t wish = bfd_wish(b);
    if (b->state != BFD_UP || !b->polling) {
        b->tx_us = wish;
        b->rx_us = b->cfg.min_rx;
        return;
    }
    b->tx_us = wish < b->tx_us ? wish : b->tx_us;
    b->rx_us = bfd_most(b->cfg.min_rx, b->rx_us);
}

static void bfd_enter(struct bfd *b, enum bfd_state to, uint8_t diag, bool event, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
static void bfd_enter(struct bfd *b, enum bfd_state to, uint8_t diag, bool event, const char *fmt, ...)
{
    char cause[BFD_CAUSE_MAX];
    enum bfd_state from = b->state;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(cause, sizeof cause, fmt, ap);
    va_end(ap);
    b->state = to;
    b->diag = diag;
    b->polling = to == BFD_UP; /* our interval changes: the peer must confirm */
    bfd_intervals(b);
    b->stats.ups += to == BFD_UP;
    b->stats.downs += from == BFD_UP;
    b->ops->state(b->arg, from, cause);
    if (event && (to == BFD_UP || from == BFD_UP))
        bfd_event(b, to == BFD_UP);
}

/* The peer is a stranger again; it is met under another discriminator. */
static void bfd_forget(struct bfd *b)
{
    b->remote = (struct bfd_remote){ .state = BFD_DOWN, .min_rx = BFD_LOST_RX };
    b->detect_at = TIME_NEVER;
    b->disc = b->ops->discriminator(b->arg);
}

void bfd_init(struct bfd *b, const struct bfd_cfg *cfg, const struct bfd_ops *ops, void *arg, uint64_t seed)
{
    memset(b, 0, sizeof *b);
    b->cfg = *cfg;
    b->ops = ops;
    b->arg = arg;
    b->random = seed | 1; /* xorshift stays at 0 forever */
    b->state = BFD_ADMIN_DOWN;
    b->tx_at = TIME_NEVER;
    b->detect_at = TIME_NEVER;
    b->remote = (struct bfd_remote){ .state = BFD_DOWN, .min_rx = BFD_LOST_RX };
    bfd_intervals(b);
}

void bfd_start(struct bfd *b, uint64_t now)
{
    if (b->state != BFD_ADMIN_DOWN)
        return;
    bfd_forget(b);
    bfd_enter(b, BFD_DOWN, BFD_DIAG_NONE, false, "its socket is there");
    if (bfd_speaks(
            b)) { /* sessions that start together do not speak together: somewhere in the first tenth */
        b->sent_at = 0;
        b->tx_at = now + bfd_random(b) % (bfd_interval_ns(b) / 10 + 1);
    }
    bfd_arm(b);
}

/* Who follows it hears "down", also when it has never been up: a guard that cannot look has failed. */
void bfd_stop(struct bfd *b, uint8_t diag, const char *why)
{
    b->tx_at = TIME_NEVER;
    b->detect_at = TIME_NEVER;
    b->final_owed = false;
    if (b->state != BFD_ADMIN_DOWN)
        bfd_enter(b, BFD_ADMIN_DOWN, diag, true, "%s", why);
    b->diag = diag;
    bfd_event(b, false);
    bfd_arm(b);
}

void bfd_save(const struct bfd *b, struct bfd_saved *out)
{
    *out = (struct bfd_saved){ .state = b->state,
                               .diag = b->diag,
                               .disc = b->disc,
                               .remote = b->remote,
                               .tx_us = b->tx_us,
                               .rx_us = b->rx_us,
                               .known = b->known,
                               .up = b->up,
                               .stats = b->stats };
}

/* The peer is owed a packet at once, and we owe it a whole detection time: what it said while nobody listened
 * waits in the queue, but it may also have been heard last just before. */
void bfd_resume(struct bfd *b, const struct bfd_saved *s, uint64_t now)
{
    b->known = s->known;
    b->up = s->up;
    b->stats = s->stats;
    if (s->state == BFD_ADMIN_DOWN || s->disc == 0 || s->remote.disc == 0 || s->remote.mult == 0) {
        bfd_start(b, now);
        return;
    }
    b->state = s->state;
    b->diag = s->diag;
    b->disc = s->disc;
    b->remote = s->remote;
    b->tx_us = s->tx_us;
    b->rx_us = s->rx_us;
    b->heard_at = now;
    b->polling = b->state == BFD_UP; /* whether one was answered nobody knows: asking again does no harm */
    bfd_intervals(b);
    b->detect_at = now + bfd_detection_ns(b);
    b->tx_at = bfd_speaks(b) ? now : TIME_NEVER;
    bfd_arm(b);
}

/* ---- receiving */

/* 6.8.6, the last third. */
static void bfd_transition(struct bfd *b, const struct bfd_packet *p)
{
    if (p->state == BFD_ADMIN_DOWN) {
        if (b->state != BFD_DOWN)
            bfd_enter(b, BFD_DOWN, BFD_DIAG_NEIGHBOR, false,
                      "the neighbour was put down by its administrator");
        return;
    }
    switch (b->state) {
    case BFD_DOWN:
        if (p->state == BFD_DOWN)
            bfd_enter(b, BFD_INIT, BFD_DIAG_NONE, true, "the neighbour speaks");
        else if (p->state == BFD_INIT)
            bfd_enter(b, BFD_UP, BFD_DIAG_NONE, true, "the neighbour hears us");
        break;
    case BFD_INIT:
        if (p->state == BFD_INIT || p->state == BFD_UP)
            bfd_enter(b, BFD_UP, BFD_DIAG_NONE, true, "the neighbour hears us");
        break;
    case BFD_UP:
        if (p->state == BFD_DOWN)
            bfd_enter(b, BFD_DOWN, BFD_DIAG_NEIGHBOR, true, "the neighbour says DOWN (%s)",
                      bfd_diag_text(p->diag));
        break;
    case BFD_ADMIN_DOWN: break;
    }
}

static void bfd_answer(struct bfd *b, uint64_t now)
{
    if (b->final_at != 0 && now < b->final_at + BFD_FINAL_GAP)
        b->final_owed = true;
    else
        bfd_send(b, now, true);
}

void bfd_rx(struct bfd *b, const struct bfd_packet *p, uint64_t rx_at, uint64_t now)
{
    enum bfd_state before = b->state;
    bool spoke = bfd_speaks(b);
    uint64_t interval = bfd_interval_ns(b);
    if (b->state == BFD_ADMIN_DOWN)
        return;
    b->stats.received++;
    b->heard_at = rx_at;
    b->remote = (struct bfd_remote){ .state = p->state,
                                     .disc = p->my_disc,
                                     .min_tx = p->min_tx,
                                     .min_rx = p->min_rx,
                                     .mult = p->mult,
                                     .diag = p->diag,
                                     .demand = (p->flags & BFD_FLAG_DEMAND) != 0 };
    if ((p->flags & BFD_FLAG_FINAL) && b->polling)
        b->polling = false;
    bfd_intervals(b);
    bfd_transition(b, p);
    b->detect_at = rx_at + bfd_detection_ns(b);
    if (p->flags & BFD_FLAG_POLL)
        bfd_answer(b, now);
    if (b->state != before) { /* news travel at once; the peer needs them to follow */
        if (bfd_speaks(b) && b->sent_at != now)
            bfd_send(b, now, false);
        bfd_schedule(b, now);
    } else if (spoke != bfd_speaks(b) || interval != bfd_interval_ns(b)) {
        bfd_schedule(b, now);
    }
    bfd_arm(b);
}

/* ---- the clock */

static void bfd_expired(struct bfd *b, uint64_t now)
{
    uint64_t silence = now > b->heard_at ? now - b->heard_at : 0, allowed = bfd_detection_ns(b);
    if (b->state == BFD_DOWN) { /* silent for a detection time more: forgotten */
        bfd_forget(b);
        bfd_intervals(b);
        bfd_schedule(b, now);
        return;
    }
    bfd_enter(b, BFD_DOWN, BFD_DIAG_EXPIRED, true,
              "nothing heard of the neighbour for %.1f ms (detection time %.1f ms)", (double)silence / 1e6,
              (double)allowed / 1e6);
    b->detect_at = now + bfd_detection_ns(b);
    if (bfd_speaks(b))
        bfd_send(b, now, false);
    bfd_schedule(b, now);
}

void bfd_timer(struct bfd *b, uint64_t now)
{
    if (b->state == BFD_ADMIN_DOWN)
        return;
    if (b->detect_at <= now)
        bfd_expired(b, now);
    if (b->tx_at <= now) {
        bfd_send(b, now, false);
        bfd_schedule(b, now);
    }
    bfd_arm(b);
}

void bfd_reconfigure(struct bfd *b, const struct bfd_cfg *cfg, uint64_t now)
{
    uint32_t tx = bfd_wish(b), rx = b->cfg.min_rx;
    b->cfg = *cfg;
    if (b->state == BFD_ADMIN_DOWN) {
        bfd_intervals(b);
        return;
    }
    if (b->state == BFD_UP && (tx != bfd_wish(b) || rx != b->cfg.min_rx))
        b->polling = true;
    bfd_intervals(b);
    if (b->remote.disc != 0 && b->detect_at != TIME_NEVER && b->heard_at != 0 &&
        b->detect_at < b->heard_at + bfd_detection_ns(b))
        b->detect_at = b->heard_at + bfd_detection_ns(b);
    bfd_schedule(b, now);
    bfd_arm(b);
}
