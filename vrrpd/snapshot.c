/* snapshot.c - see snapshot.h. One walk (snapshot_walk) serves both directions, so they cannot disagree. */
#include "vrrpd/snapshot.h"

#include <string.h>

#include "vrrpd/snapwalk.h"

#define SNAPSHOT_MAGIC   0x56u /* 'V' */
#define SNAPSHOT_ALIVE   0x41u /* 'A' */
#define SNAPSHOT_VERSION 5

static void snapshot_walk(struct snapwalk *w, struct snapshot *s)
{
    snapwalk_text(w, s->name, SNAPSHOT_NAME_MAX);
    snapwalk_text(w, s->iface, SNAPSHOT_IFACE_MAX);
    snapwalk_u8(w, &s->vrid);
    snapwalk_u8(w, &s->family);
    s->saved.state = (enum vrrp_state)snapwalk_small(w, (uint8_t)s->saved.state, VRRP_STATE_STOP);
    snapwalk_u8(w, &s->saved.master_priority);
    snapwalk_addr(w, &s->saved.master);
    s->saved.resigned = snapwalk_small(w, s->saved.resigned, 1) != 0;
    uint64_t *const values[] = {
        s->saved.state == VRRP_STATE_MASTER ? &s->saved.adv_at : &s->saved.down_from,
        &s->saved.taken_at,
        &s->saved.master_interval,
        &s->saved.preempt_at,
        &s->saved.stats.became_master,
        &s->saved.stats.released_master,
        &s->saved.stats.prio_zero_rcvd,
        &s->saved.stats.prio_zero_sent,
        &s->saved.stats.adverts_sent,
        &s->stats.received,
        &s->stats.length,
        &s->stats.ttl,
        &s->stats.type,
        &s->stats.interval,
        &s->stats.addr_list,
        &s->stats.auth_unknown,
        &s->stats.auth_mismatch,
        &s->stats.auth_failure,
        &s->stats.version,
        &s->stats.checksum,
        &s->stats.owner_ignored,
        &s->stats.peer,
        &s->stats.ext_missing,
        &s->stats.ext_malformed,
        &s->stats.ext_key,
        &s->stats.ext_hmac,
        &s->stats.ext_stale,
        &s->stats.ext_replay,
        &s->auth_own,
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        snapwalk_count(w, values[i]);
    for (size_t i = 0; i < AUTH_SENDERS; i++) {
        snapwalk_addr(w, &s->senders[i].addr);
        if (s->senders[i].addr.family != 0)
            snapwalk_u64(w, &s->senders[i].mark);
    }
}

void snapshot_auth_take(struct snapshot *s, const struct auth_state *st)
{
    const struct auth_sender *from = st->nmany > 0 ? st->many : st->few;
    s->auth_own = st->own;
    memcpy(s->senders, from, sizeof s->senders);
    for (size_t i = 0; i < AUTH_SENDERS; i++)
        s->senders[i].used = 0;
}

void snapshot_auth_give(const struct snapshot *s, struct auth_state *st)
{
    struct auth_sender *to = st->nmany > 0 ? st->many : st->few;
    st->own = s->auth_own;
    memcpy(to, s->senders, sizeof s->senders);
    for (size_t i = 0; i < AUTH_SENDERS; i++) /* a new sender takes a free place, not one of theirs */
        if (to[i].addr.family != 0)
            to[i].used = ++st->uses;
}

int snapshot_encode(const struct snapshot *s, uint8_t buf[SNAPSHOT_MAX])
{
    struct snapshot copy = *s; /* the walk takes one type of pointer for both directions */
    struct snapwalk w = snapwalk_write(buf, SNAPSHOT_MAX, SNAPSHOT_MAGIC, SNAPSHOT_VERSION);
    snapshot_walk(&w, &copy);
    return snapwalk_end(&w);
}

int snapshot_decode(const uint8_t *buf, size_t len, struct snapshot *out)
{
    struct snapwalk w = snapwalk_read(buf, len, SNAPSHOT_MAGIC, SNAPSHOT_VERSION);
    memset(out, 0, sizeof *out);
    snapshot_walk(&w, out);
    return snapwalk_end(&w) < 0 ? -1 : 0;
}

int snapshot_alive_encode(uint64_t alive_at, uint8_t buf[SNAPSHOT_MAX])
{
    struct snapwalk w = snapwalk_write(buf, SNAPSHOT_MAX, SNAPSHOT_ALIVE, SNAPSHOT_VERSION);
    snapwalk_u64(&w, &alive_at);
    return snapwalk_end(&w);
}

int snapshot_alive_decode(const uint8_t *buf, size_t len, uint64_t *alive_at)
{
    struct snapwalk w = snapwalk_read(buf, len, SNAPSHOT_ALIVE, SNAPSHOT_VERSION);
    uint64_t at = 0;
    snapwalk_u64(&w, &at);
    if (snapwalk_end(&w) < 0)
        return -1;
    *alive_at = at;
    return 0;
}
