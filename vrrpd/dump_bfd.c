/*
 * dump_bfd.c - keepalived_bfd.data (SIGUSR1): the sessions of BFD in the incumbent's words and order. What is
 * an address in its memory, or a timer it saves over a reload, has no counterpart and is left out. Called by
 * dump.c.
 */
#include <inttypes.h>

#include "vrrpd/bfd_int.h"
#include "vrrpd/dump_int.h"

static const char *bfd_word_state(enum bfd_state s)
{
    static const char *const words[] = { "AdminDown", "Down", "Init", "Up" };
    return (size_t)s < sizeof words / sizeof *words ? words[s] : "Unknown";
}

static const char *bfd_word_diag(uint8_t diag)
{
    static const char *const words[] = { "No Diagnostic",
                                         "Control Detection Time Expired",
                                         "Echo Function Failed",
                                         "Neighbor Signaled Session Down",
                                         "Forwarding Plane Reset",
                                         "Path Down",
                                         "Concatenated Path Down",
                                         "Administratively Down",
                                         "Reverse Concatenated Path Down" };
    return diag < sizeof words / sizeof *words ? words[diag] : "Unknown";
}

static const char *bfd_word(bool b, const char *yes, const char *no)
{
    return b ? yes : no;
}

static void bfd_put_asked(const struct bfd_sess *s, const struct slice *slice, FILE *f)
{
    const struct slice_obj *o = slice_by_id(slice, s->id);
    const struct bfd_cfg *c = &s->b.cfg;
    char a[IPADDR_STRLEN];
    fprintf(f, " BFD Instance = %s\n   Neighbor IP = %s\n", s->name, ipaddr_str(&s->dst, a));
    if (s->src.family != 0)
        fprintf(f, "   Source IP = %s\n", ipaddr_str(&s->src, a));
    fprintf(f,
            "   Required min RX interval = %u us\n   Desired min TX interval = %u us\n"
            "   Desired idle TX interval = %u us\n   Detection multiplier = %u\n   %s = %u\n"
            "   max_hops = %" PRId64 "\n",
            c->min_rx, c->min_tx, c->idle_tx, c->mult, s->dst.family == 6 ? "hoplimit" : "TTL", s->ttl,
            o != NULL ? slice_int(o, KW_BFD_MAX_HOPS, 0) : 0);
    fprintf(f,
            "   passive = %s\n   send event to VRRP process = %s\n   send event to checker process = %s\n"
            "   fd_out %d\n   send error = %s\n",
            bfd_word(c->passive, "true", "false"), bfd_word(s->vrrp, "Yes", "No"),
            bfd_word(s->checker, "Yes", "No"), s->fd, bfd_word(s->send_failed, "true", "false"));
}

/* As ctime has it, but UTC: the C library would open files, and the jail leaves no way to them. */
static void bfd_put_when(uint64_t s, unsigned int us, FILE *f)
{
    static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
    static const char *const months[] = { "Mar", "Apr", "May", "Jun", "Jul", "Aug",
                                          "Sep", "Oct", "Nov", "Dec", "Jan", "Feb" };
    uint64_t day = s / 86400, n = day + 719468, era = n / 146097, of = n % 146097;
    uint64_t year = (of - of / 1460 + of / 36524 - of / 146096) / 365;
    uint64_t left = of - (365 * year + year / 4 - year / 100), month = (5 * left + 2) / 153;
    fprintf(f, "(%s %s %2u %02u:%02u:%02u %" PRIu64 ".%06u)\n", days[day % 7], months[month],
            (unsigned int)(left - (153 * month + 2) / 5 + 1), (unsigned int)(s % 86400 / 3600),
            (unsigned int)(s % 3600 / 60), (unsigned int)(s % 60), year + era * 400 + (month >= 10), us);
}

/* heard_at is of the monotonic clock. */
static void bfd_put_seen(const struct bfd *b, uint64_t now, FILE *f)
{
    uint64_t at = clock_realtime_ns();
    if (b->stats.received == 0 || b->heard_at == 0) {
        fputs("   last_seen = [never]\n", f);
        return;
    }
    at -= now > b->heard_at && now - b->heard_at < at ? now - b->heard_at : 0;
    unsigned int us = (unsigned int)(at % NS_PER_SEC / NS_PER_US);
    fprintf(f, "   last seen = %" PRIu64 ".%06u ", at / NS_PER_SEC, us);
    bfd_put_when(at / NS_PER_SEC, us, f);
}

static void bfd_put_state(const struct bfd *b, uint64_t now, FILE *f)
{
    const struct bfd_remote *r = &b->remote;
    bool heard = r->disc != 0;
    uint64_t tx = bfd_interval_ns(b) / NS_PER_US;
    fprintf(f,
            "   local state = %s\n   remote state = %s\n   local discriminator = 0x%x\n"
            "   remote discriminator = 0x%x\n   local diag = %s\n   remote diag = %s\n",
            bfd_word_state(b->state), bfd_word_state(heard ? r->state : BFD_DOWN), b->disc, r->disc,
            bfd_word_diag(b->diag), bfd_word_diag(r->diag));
    fprintf(f,
            "   remote min tx intv = %u us\n   remote min rx intv = %u us\n   local demand = 0\n"
            "   remote demand = %u\n   remote detect multiplier = %u\n   %spoll, %sfinal\n",
            r->min_tx, heard ? r->min_rx : 0, (unsigned int)r->demand, r->mult, bfd_word(b->polling, "", "!"),
            bfd_word(b->final_owed, "", "!"));
    fprintf(f,
            "   local tx intv = %" PRIu64 " us\n   remote tx intv = %u us\n   local detection time = %" PRIu64
            " us\n   remote detection time = %" PRIu64 " us\n",
            tx,
            !heard                 ? 0
            : r->min_tx > b->rx_us ? r->min_tx
                                   : b->rx_us,
            bfd_detection_ns(b) / NS_PER_US, heard ? b->cfg.mult * tx : 0);
    bfd_put_seen(b, now, f);
}

void dump_put_bfd(struct vrrpd *v, FILE *f)
{
    const struct bfd_life *l = v->bfd;
    const struct slice *s = child_slice(v->child);
    if (l == NULL || l->n == 0)
        return;
    fputs("------< BFD Data >------\n", f);
    for (size_t i = 0; i < BFD_IO_KINDS; i++)
        if (l->rx[i].io != NULL)
            fprintf(f, " fd_in = %d\n", l->rx[i].fd);
    fputs("------< BFD Topology >------\n", f);
    for (size_t i = 0; i < l->n; i++) {
        bfd_put_asked(l->sess[i], s, f);
        bfd_put_state(&l->sess[i]->b, ev_now(l->ev), f);
    }
}
