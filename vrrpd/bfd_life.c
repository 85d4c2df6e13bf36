/* bfd_life.c - see bfd_life.h. */
#include "vrrpd/bfd_life.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/err.h"
#include "vrrpd/bfd_int.h"
#include "vrrpd/vrrpd.h"

/* ---- tables */

static uint64_t bfd_dice(void)
{
    uint64_t v;
    if (getrandom(&v, sizeof v, 0) != (ssize_t)sizeof v)
        fatal("the kernel has no random numbers");
    return v;
}

struct bfd_sess *bfd_sess_by_disc(struct bfd_life *l, uint32_t disc)
{
    struct bfd_sess *s = l->by_disc[disc % BFD_BUCKETS];
    while (s != NULL && s->b.disc != disc)
        s = s->next_disc;
    return s;
}

static void bfd_disc_unlink(struct bfd_sess *s)
{
    struct bfd_sess **p = &s->l->by_disc[s->b.disc % BFD_BUCKETS];
    while (*p != NULL && *p != s)
        p = &(*p)->next_disc;
    if (*p == s)
        *p = s->next_disc;
    s->next_disc = NULL;
}

static void bfd_disc_link(struct bfd_sess *s, uint32_t disc)
{
    s->next_disc = s->l->by_disc[disc % BFD_BUCKETS];
    s->l->by_disc[disc % BFD_BUCKETS] = s;
}

static struct bfd_sess *bfd_by_id(struct bfd_life *l, uint32_t id)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->sess[i]->id == id)
            return l->sess[i];
    return NULL;
}

/* ---- what the machine asks for */

static void bfd_mark(struct bfd_sess *s)
{
    if (s->dirty)
        return;
    s->dirty = true;
    s->next_dirty = s->l->dirty;
    s->l->dirty = s;
}

static void bfd_on_send(void *arg, const struct bfd_packet *p)
{
    struct bfd_sess *s = arg;
    int error = s->fd >= 0 && !s->l->stopping ? bfd_io_send(s, p) : 0;
    if (error != 0 && !s->send_failed && error != ECONNREFUSED)
        log_warn("bfd_instance %s: cannot send: %s; it goes on trying", s->name, strerror(error));
    s->send_failed = error != 0;
}

static void bfd_on_state(void *arg, enum bfd_state from, const char *cause)
{
    struct bfd_sess *s = arg;
    bool loud = s->b.state == BFD_UP || from == BFD_UP || s->b.state == BFD_ADMIN_DOWN;
    bfd_mark(s);
    log_emit(loud ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO, "bfd_instance %s: %s -> %s: %s", s->name,
             bfd_state_name(from), bfd_state_name(s->b.state), cause);
}

/* A session that has not been up yet is down: a neighbour that never answers is not to be served. Only after
 * a crash is it unknown what it was, and checkd remembers that. */
static void bfd_tell(struct bfd_sess *s, struct chan *checkd)
{
    struct msg_bfd_state m = { .bfd = s->id, .up = s->b.known && s->b.up };
    if (checkd == NULL || !s->checker || !(s->b.known || s->begun))
        return;
    chan_send(checkd, MSG_bfd_state, &m, NULL, 0);
}

static void bfd_on_event(void *arg, bool up)
{
    struct bfd_sess *s = arg;
    struct chan *checkd = child_peer(s->l->v->child, ROLE_CHECKD);
    bfd_mark(s);
    bfd_tell(s, checkd);
    if (checkd != NULL && s->checker)
        chan_flush(checkd); /* it lingers otherwise, for mail */
    if (s->vrrp && s->l->watch != NULL)
        s->l->watch(s->l->v, s->name, up);
}

static void bfd_on_arm(void *arg, uint64_t deadline)
{
    struct bfd_sess *s = arg;
    if (deadline == TIME_NEVER)
        ev_timer_stop(s->l->ev, &s->timer);
    else
        ev_timer_at(s->l->ev, &s->timer, deadline);
}

static uint32_t bfd_on_discriminator(void *arg)
{
    struct bfd_sess *s = arg;
    uint32_t disc;
    do
        disc = (uint32_t)bfd_dice();
    while (disc == 0 || bfd_sess_by_disc(s->l, disc) != NULL);
    bfd_disc_unlink(s);
    bfd_disc_link(s, disc);
    return disc;
}

static const struct bfd_ops bfd_life_ops = { .send = bfd_on_send,
                                             .state = bfd_on_state,
                                             .event = bfd_on_event,
                                             .arm = bfd_on_arm,
                                             .discriminator = bfd_on_discriminator };

static void bfd_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    struct bfd_sess *s = arg;
    (void)t;
    if (bfd_detect_due(&s->b, now)) /* we may be what is late, not the neighbour */
        bfd_io_poll(bfd_io_rx(s->l, s->dst.family, s->multihop));
    bfd_timer(&s->b, now);
}

static bool bfd_same_remote(const struct bfd_remote *a, const struct bfd_remote *b)
{
    return a->state == b->state && a->disc == b->disc && a->min_tx == b->min_tx && a->min_rx == b->min_rx &&
           a->mult == b->mult && a->demand == b->demand;
}

/* Counters move with every packet; the rest, which a successor needs, rarely does. */
void bfd_sess_rx(struct bfd_sess *s, const struct bfd_packet *p, uint64_t rx_at)
{
    struct bfd_saved now;
    bfd_rx(&s->b, p, rx_at, ev_now(s->l->ev));
    bfd_save(&s->b, &now);
    if (!bfd_same_remote(&now.remote, &s->saved.remote) || now.tx_us != s->saved.tx_us ||
        now.rx_us != s->saved.rx_us)
        bfd_mark(s);
}

/* ---- sockets */

/* Where our predecessor stood. */
static void bfd_take_up(struct bfd_sess *s, uint64_t now)
{
    struct bfd_saved saved = s->saved;
    s->resumes = false;
    if (saved.disc == 0 || bfd_sess_by_disc(s->l, saved.disc) != NULL) {
        saved.disc = 0; /* of another session: a snapshot of nonsense */
    } else {
        s->b.disc = saved.disc;
        bfd_disc_link(s, saved.disc);
    }
    bfd_resume(&s->b, &saved, now);
    bfd_mark(s);
    log_info("bfd_instance %s: goes on as %s", s->name, bfd_state_name(s->b.state));
}

/* Begins, or puts down, as the sockets say. */
static void bfd_evaluate(struct bfd_sess *s)
{
    const struct bfd_rx *r = bfd_io_rx(s->l, s->dst.family, s->multihop);
    char why[BFD_CAUSE_MAX];
    uint64_t now = ev_now(s->l->ev);
    if (s->l->stopping)
        return;
    if (s->fd >= 0 && r->fd >= 0) {
        if (s->b.state != BFD_ADMIN_DOWN)
            return;
        if (s->resumes)
            bfd_take_up(s, now);
        else
            bfd_start(&s->b, now);
        return;
    }
    int error = r->fd < 0 ? r->error : s->error;
    if (error == 0)
        return; /* not told yet */
    snprintf(why, sizeof why, "its socket cannot be opened: %s", strerror(error));
    s->resumes = false;
    bfd_stop(&s->b, BFD_DIAG_PATH_DOWN, why);
}

static int bfd_on_rx_sock(struct bfd_life *l, const struct chan_msg *m)
{
    const struct msg_bfd_rx *b = &m->body->bfd_rx;
    if (b->family == 5 || (b->ok ? m->nfds != 1 : m->nfds != 0))
        return -1;
    struct bfd_rx *r = bfd_io_rx(l, b->family, b->multihop != 0);
    r->error = (int)b->error;
    if (b->ok) {
        bfd_io_attach(r, m->fds[0]);
        m->fds[0] = -1;
    } else if (r->error == 0) {
        return -1;
    }
    for (size_t i = 0; i < l->n; i++)
        bfd_evaluate(l->sess[i]);
    return 0;
}

static int bfd_on_tx_sock(struct bfd_life *l, const struct chan_msg *m)
{
    const struct msg_bfd_tx *b = &m->body->bfd_tx;
    struct bfd_sess *s = bfd_by_id(l, b->bfd);
    if (s == NULL || (b->ok ? m->nfds != 1 : m->nfds != 0 || b->error == 0))
        return -1;
    s->error = (int)b->error;
    /* RFC 5881 section 4: one source port as long as the session lives, whoever of us dies */
    if (s->fd >= 0 && !s->stale && !b->fresh)
        return 0;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->stale = false;
    if (b->ok) {
        s->fd = m->fds[0];
        m->fds[0] = -1;
    }
    bfd_evaluate(s);
    return 0;
}

int bfd_life_msg(struct bfd_life *l, const struct chan_msg *m)
{
    return m->type == MSG_bfd_rx ? bfd_on_rx_sock(l, m) : bfd_on_tx_sock(l, m);
}

/* ---- what our successor needs */

static void bfd_keep(struct bfd_sess *s)
{
    struct bfd_snapshot snap = { .src = s->src, .dst = s->dst, .multihop = s->multihop };
    uint8_t buf[BFD_SNAPSHOT_MAX];
    bfd_save(&s->b, &s->saved);
    snap.saved = s->saved;
    memcpy(snap.name, s->name, sizeof snap.name);
    int len = bfd_snapshot_encode(&snap, buf);
    if (len < 0)
        fatal("the snapshot of a BFD session does not fit");
    child_snapshot(s->l->v->child, BFD_SNAPSHOT_KEY | s->id, buf, (size_t)len);
}

static void bfd_on_turn(void *arg)
{
    struct bfd_life *l = arg;
    while (l->dirty != NULL) {
        struct bfd_sess *s = l->dirty;
        l->dirty = s->next_dirty;
        s->dirty = false;
        if (!l->stopping && !s->resumes)
            bfd_keep(s);
    }
}

bool bfd_life_snapshot(struct bfd_life *l, const struct child_snapshot *cs)
{
    if (!bfd_snapshot_is(cs->data, cs->len))
        return false;
    l->snaps = xrealloc(l->snaps, (l->nsnaps + 1) * sizeof *l->snaps);
    if (bfd_snapshot_decode(cs->data, cs->len, &l->snaps[l->nsnaps]) == 0)
        l->nsnaps++;
    else
        log_warn("a stored snapshot of a BFD session is of another build: the session starts anew");
    return true;
}

static const struct bfd_snapshot *bfd_snapshot_of(struct bfd_life *l, const struct bfd_sess *s)
{
    for (size_t i = 0; i < l->nsnaps; i++) {
        const struct bfd_snapshot *p = &l->snaps[i];
        if (strcmp(p->name, s->name) == 0 && ipaddr_same(&p->src, &s->src) && ipaddr_same(&p->dst, &s->dst) &&
            p->multihop == s->multihop)
            return p;
    }
    return NULL;
}

void bfd_life_pause(struct bfd_life *l)
{
    for (size_t i = 0; i < l->n; i++)
        bfd_mark(l->sess[i]);
    bfd_on_turn(l);
}

/* Nothing more is said, as the incumbent: the neighbour's detection time tells it. "Administratively down"
 * would leave its users in the belief that all is well. */
void bfd_life_stop(struct bfd_life *l)
{
    l->stopping = true;
    for (size_t i = 0; i < l->n; i++)
        ev_timer_stop(l->ev, &l->sess[i]->timer);
    for (size_t k = 0; k < BFD_IO_KINDS; k++)
        bfd_io_detach(&l->rx[k]);
}

/* ---- configuration */

static struct bfd_sess *bfd_new(struct bfd_life *l, const struct bfd_sess *like, const struct bfd_cfg *cfg)
{
    struct bfd_sess *s = xcalloc(1, sizeof *s);
    *s = *like;
    s->l = l;
    s->fd = -1;
    ev_timer_init(&s->timer, bfd_on_timer, s);
    bfd_init(&s->b, cfg, &bfd_life_ops, s, bfd_dice());
    const struct bfd_snapshot *snap = bfd_snapshot_of(l, s);
    if (snap != NULL) {
        s->resumes = true;
        s->saved = snap->saved;
        s->b.known = snap->saved.known; /* users need not wait for the sockets */
        s->b.up = snap->saved.up;
    }
    return s;
}

/* The same session under its new id and settings. */
static void bfd_adopt(struct bfd_sess *s, const struct bfd_sess *like, const struct bfd_cfg *cfg)
{
    if (s->ttl != like->ttl)
        s->stale = true;
    if (s->id != like->id)
        bfd_mark(s);
    s->id = like->id;
    s->ttl = like->ttl;
    s->min_ttl = like->min_ttl;
    s->vrrp = like->vrrp;
    s->checker = like->checker;
    s->said = 0;
    if (!bfd_cfg_same(&s->b.cfg, cfg)) {
        bfd_reconfigure(&s->b, cfg, ev_now(s->l->ev));
        log_info("bfd_instance %s: changed by reload, goes on as %s", s->name, bfd_state_name(s->b.state));
    }
}

static void bfd_free(struct bfd_sess *s)
{
    struct bfd_life *l = s->l;
    ev_timer_stop(l->ev, &s->timer);
    bfd_disc_unlink(s);
    for (struct bfd_sess **p = &l->dirty; *p != NULL; p = &(*p)->next_dirty) {
        if (*p == s) {
            *p = s->next_dirty;
            break;
        }
    }
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

static void bfd_drop_old(struct bfd_life *l, struct bfd_sess **old, size_t n, const uint32_t *ids)
{
    for (size_t i = 0; i < n; i++) {
        if (!old[i]->keep) {
            log_notice("bfd_instance %s: removed from the configuration, or another one now", old[i]->name);
            bfd_free(old[i]);
        }
        if (bfd_by_id(l, ids[i]) == NULL)
            child_snapshot_gone(l->v->child, BFD_SNAPSHOT_KEY | ids[i]);
    }
}

/* Ports no session of now uses. */
static void bfd_close_ports(struct bfd_life *l)
{
    for (size_t k = 0; k < BFD_IO_KINDS; k++) {
        bool used = false;
        for (size_t i = 0; i < l->n && !used; i++)
            used = bfd_io_rx(l, l->sess[i]->dst.family, l->sess[i]->multihop) == &l->rx[k];
        if (!used) {
            bfd_io_detach(&l->rx[k]);
            l->rx[k].error = 0;
        }
    }
}

static struct bfd_sess *bfd_one(struct bfd_life *l, struct bfd_sess **old, size_t n,
                                const struct slice_obj *o)
{
    struct bfd_sess like = { .fd = -1 }, *s = NULL;
    struct bfd_cfg cfg;
    bfd_sess_read(&like, &cfg, o);
    for (size_t i = 0; i < n && s == NULL; i++)
        s = !old[i]->keep && bfd_sess_same(old[i], &like) ? old[i] : NULL;
    if (s != NULL)
        bfd_adopt(s, &like, &cfg);
    else {
        s = bfd_new(l, &like, &cfg);
        s->begun = l->started || !child_restarted(l->v->child);
    }
    s->keep = true;
    return s;
}

void bfd_life_commit(struct bfd_life *l, const struct slice *now)
{
    struct bfd_sess **old = l->sess;
    size_t nold = l->n, total = 0;
    const struct slice_obj *o = NULL;
    while ((o = slice_next(now, o, BLK_BFD, SLICE_ANY_PARENT)) != NULL)
        total++;
    uint32_t *ids = xcalloc(nold + 1, sizeof *ids);
    struct bfd_sess **sess = xcalloc(total + 1, sizeof(struct bfd_sess *));
    for (size_t i = 0; i < nold; i++) {
        ids[i] = old[i]->id;
        old[i]->keep = false;
    }
    total = 0;
    while ((o = slice_next(now, o, BLK_BFD, SLICE_ANY_PARENT)) != NULL)
        if (slice_uint(o, KW_BFD_X_OFF, 0) == 0) /* else --no_bfd: followed, but never up */
            sess[total++] = bfd_one(l, old, nold, o);
    l->sess = sess;
    l->n = total;
    bfd_drop_old(l, old, nold, ids);
    free(old);
    free(ids);
    bfd_close_ports(l);
    free(l->snaps); /* of no use to a session of a later configuration */
    l->snaps = NULL;
    l->nsnaps = 0;
    l->started = true;
    bfd_life_tell(l);
    for (size_t i = 0; i < l->n && l->watch != NULL; i++)
        if (l->sess[i]->vrrp && l->sess[i]->b.known)
            l->watch(l->v, l->sess[i]->name, l->sess[i]->b.up);
}

void bfd_life_tell(struct bfd_life *l)
{
    struct chan *checkd = child_peer(l->v->child, ROLE_CHECKD);
    for (size_t i = 0; i < l->n; i++)
        bfd_tell(l->sess[i], checkd);
}

struct bfd_life *bfd_life_new(struct vrrpd *v)
{
    struct bfd_life *l = xcalloc(1, sizeof *l);
    l->v = v;
    l->ev = v->ev;
    for (size_t k = 0; k < BFD_IO_KINDS; k++)
        l->rx[k] = (struct bfd_rx){ .l = l, .fd = -1 };
    ev_hook_add(l->ev, bfd_on_turn, l);
    return l;
}

void bfd_life_free(struct bfd_life *l)
{
    if (l == NULL)
        return;
    for (size_t k = 0; k < BFD_IO_KINDS; k++)
        bfd_io_detach(&l->rx[k]);
    for (size_t i = 0; i < l->n; i++)
        bfd_free(l->sess[i]);
    free(l->sess);
    free(l->snaps);
    free(l);
}

void bfd_life_watch(struct bfd_life *l, bfd_watch_fn *fn)
{
    l->watch = fn;
}

bool bfd_up(const struct bfd_life *l, const char *name, bool *known)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct bfd_sess *s = l->sess[i];
        if (strcmp(s->name, name) != 0 || !s->vrrp)
            continue;
        *known = s->b.known;
        return s->b.up;
    }
    *known = false;
    return false;
}

/* ---- dump */

static void bfd_dump_one(const struct bfd_sess *s, uint64_t now, FILE *f)
{
    const struct bfd *b = &s->b;
    char src[IPADDR_STRLEN] = "any", dst[IPADDR_STRLEN];
    if (s->src.family != 0)
        ipaddr_str(&s->src, src);
    fprintf(f, " BFD session %s: %s, diagnosis: %s\n", s->name, bfd_state_name(b->state),
            bfd_diag_text(b->diag));
    fprintf(f, "   from %s to %s, %s, ttl %u, at least %u wanted%s%s%s\n", src, ipaddr_str(&s->dst, dst),
            s->multihop ? "multihop" : "one hop", s->ttl, s->min_ttl, b->cfg.passive ? ", passive" : "",
            s->vrrp ? ", for VRRP" : "", s->checker ? ", for checks" : "");
    fprintf(f,
            "   sends every %.3f ms (min_tx %.3f, idle_tx %.3f), detection time %.3f ms (multiplier %u of "
            "the neighbour)\n",
            (double)bfd_interval_ns(b) / 1e6, b->cfg.min_tx / 1e3, b->cfg.idle_tx / 1e3,
            (double)bfd_detection_ns(b) / 1e6, b->remote.mult);
    fprintf(f, "   discriminators %08x, neighbour %08x, which is %s%s\n", b->disc, b->remote.disc,
            bfd_state_name(b->remote.state), b->remote.demand ? " in demand mode" : "");
    fprintf(f,
            "   sent %llu, received %llu (last %.3f s ago), refused %llu, from too far %llu, ups %llu, downs "
            "%llu\n",
            (unsigned long long)b->stats.sent, (unsigned long long)b->stats.received,
            b->heard_at != 0 && now > b->heard_at ? (double)(now - b->heard_at) / 1e9 : 0.0,
            (unsigned long long)s->refused, (unsigned long long)s->far, (unsigned long long)b->stats.ups,
            (unsigned long long)b->stats.downs);
}

void bfd_life_dump(const struct bfd_life *l, FILE *f)
{
    for (size_t i = 0; i < l->n; i++)
        bfd_dump_one(l->sess[i], ev_now(l->ev), f);
    if (l->n > 0)
        fprintf(f, " BFD packets of no session: %llu\n", (unsigned long long)l->unknown);
}
