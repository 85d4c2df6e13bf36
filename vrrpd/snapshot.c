/* snapshot.c - see snapshot.h. One walk (snapshot_walk) serves both directions, so they cannot disagree. */
#include "vrrpd/snapshot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define SNAPSHOT_MAGIC   0x56u /* 'V' */
#define SNAPSHOT_ALIVE   0x41u /* 'A' */
#define SNAPSHOT_VERSION 2

struct snapshot_io {
    uint8_t *out;      /* writing */
    const uint8_t *in; /* reading, when out is NULL */
    size_t at, len;
    bool bad;
};

static void snapshot_bytes(struct snapshot_io *io, void *p, size_t n)
{
    if (io->bad || io->len - io->at < n) {
        io->bad = true;
        return;
    }
    if (io->out != NULL)
        memcpy(io->out + io->at, p, n);
    else
        memcpy(p, io->in + io->at, n);
    io->at += n;
}

static void snapshot_u8(struct snapshot_io *io, uint8_t *v)
{
    snapshot_bytes(io, v, 1);
}

static void snapshot_u64(struct snapshot_io *io, uint64_t *v)
{
    uint8_t b[8];
    for (unsigned int i = 0; i < 8; i++)
        b[i] = (uint8_t)(*v >> (8 * i));
    snapshot_bytes(io, b, sizeof b);
    if (io->out == NULL && !io->bad) {
        *v = 0;
        for (unsigned int i = 0; i < 8; i++)
            *v |= (uint64_t)b[i] << (8 * i);
    }
}

/* Length, then the text; room is what the buffer holds besides the NUL. */
static void snapshot_text(struct snapshot_io *io, char *s, size_t room)
{
    uint8_t n = io->out != NULL ? (uint8_t)strnlen(s, room) : 0;
    snapshot_u8(io, &n);
    if (n > room)
        io->bad = true;
    snapshot_bytes(io, s, n);
    if (io->out == NULL && !io->bad) {
        s[n] = '\0';
        if (strlen(s) != n)
            io->bad = true;
    }
}

static void snapshot_addr(struct snapshot_io *io, struct ipaddr *a)
{
    snapshot_u8(io, &a->family);
    if (a->family != 0 && a->family != 4 && a->family != 6)
        io->bad = true;
    else
        snapshot_bytes(io, a->b, ipaddr_len(a));
    if (io->out == NULL)
        a->plen = a->family == 4 ? 32 : a->family == 6 ? 128 : 0;
}

static void snapshot_walk(struct snapshot_io *io, struct snapshot *s)
{
    uint8_t state = (uint8_t)s->saved.state;
    snapshot_text(io, s->name, SNAPSHOT_NAME_MAX);
    snapshot_text(io, s->iface, SNAPSHOT_IFACE_MAX);
    snapshot_u8(io, &s->vrid);
    snapshot_u8(io, &s->family);
    snapshot_u8(io, &state);
    if (state > VRRP_STATE_STOP)
        io->bad = true;
    else
        s->saved.state = (enum vrrp_state)state;
    snapshot_u8(io, &s->saved.master_priority);
    snapshot_addr(io, &s->saved.master);
    uint64_t *const values[] = {
        &s->saved.adv_at,
        &s->saved.taken_at,
        &s->saved.master_interval,
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
        snapshot_u64(io, values[i]);
    for (size_t i = 0; i < AUTH_SENDERS; i++) {
        snapshot_addr(io, &s->senders[i].addr);
        if (s->senders[i].addr.family != 0)
            snapshot_u64(io, &s->senders[i].mark);
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
    buf[0] = SNAPSHOT_MAGIC;
    buf[1] = SNAPSHOT_VERSION;
    struct snapshot_io io = { .out = buf, .at = 2, .len = SNAPSHOT_MAX };
    snapshot_walk(&io, &copy);
    if (io.bad) {
        errno = EINVAL;
        return -1;
    }
    return (int)io.at;
}

int snapshot_decode(const uint8_t *buf, size_t len, struct snapshot *out)
{
    struct snapshot_io io = { .in = buf, .at = 2, .len = len };
    memset(out, 0, sizeof *out);
    if (len < 2 || buf[0] != SNAPSHOT_MAGIC || buf[1] != SNAPSHOT_VERSION)
        io.bad = true;
    else
        snapshot_walk(&io, out);
    if (io.bad || io.at != len) {
        errno = EINVAL;
        return -1;
    }
    return 0;
}

int snapshot_alive_encode(uint64_t alive_at, uint8_t buf[SNAPSHOT_MAX])
{
    buf[0] = SNAPSHOT_ALIVE;
    buf[1] = SNAPSHOT_VERSION;
    struct snapshot_io io = { .out = buf, .at = 2, .len = SNAPSHOT_MAX };
    snapshot_u64(&io, &alive_at);
    return (int)io.at;
}

int snapshot_alive_decode(const uint8_t *buf, size_t len, uint64_t *alive_at)
{
    if (len != 10 || buf[0] != SNAPSHOT_ALIVE || buf[1] != SNAPSHOT_VERSION) {
        errno = EINVAL;
        return -1;
    }
    struct snapshot_io io = { .in = buf, .at = 2, .len = len };
    snapshot_u64(&io, alive_at);
    return 0;
}
