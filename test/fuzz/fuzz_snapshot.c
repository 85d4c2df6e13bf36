/*
 * fuzz_snapshot.c - what the parent gives back to vrrpd, hostile. Oracle: what decodes encodes to the same
 * bytes, and an engine resumed from it ends in a state with a sane deadline whatever the numbers say.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "vrrpd/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void on_send(void *arg, bool resign)
{
    (void)arg;
    (void)resign;
}

static void on_state(void *arg, enum vrrp_state from, const char *cause)
{
    (void)arg;
    (void)from;
    (void)cause;
}

static void on_any(void *arg)
{
    (void)arg;
}

static void on_arm(void *arg, uint64_t deadline)
{
    (void)arg;
    (void)deadline;
}

static const struct engine_ops ops = { on_send, on_state, on_any, on_any, on_arm, NULL };

static void resume(const struct engine_saved *s, uint8_t version)
{
    static const uint64_t now = 1000 * NS_PER_SEC;
    struct engine e;
    struct engine_cfg c = { .version = version, .priority = 100, .down_adverts = 3, .interval = NS_PER_SEC };
    engine_init(&e, &c, &ops, NULL);
    engine_resume(&e, s, now);
    engine_resume_end(&e, now, s->taken_at > now ? now : s->taken_at);
    uint64_t limit = now + 4 * ENGINE_LEARNED_MAX;
    if (e.state == VRRP_STATE_MASTER && (e.adv_at <= now || e.adv_at > now + c.interval))
        abort();
    bool speaks = s->down_from == 0 || s->down_from > now; /* else the wait may be over already */
    if (e.state == VRRP_STATE_BACKUP && ((speaks && e.down_at <= now) || e.down_at > limit))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct snapshot s;
    uint8_t out[SNAPSHOT_MAX];
    uint64_t alive;
    if (snapshot_alive_decode(data, len, &alive) == 0 &&
        (snapshot_alive_encode(alive, out) != (int)len || memcmp(out, data, len) != 0))
        abort();
    if (snapshot_decode(data, len, &s) < 0)
        return 0;
    if (snapshot_encode(&s, out) != (int)len || memcmp(out, data, len) != 0)
        abort();
    resume(&s.saved, 2);
    resume(&s.saved, 3);
    return 0;
}
