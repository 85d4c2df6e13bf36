/*
 * dump.c - what an operator may read: the statistics file (form of the incumbent, reference/cli.md section
 * 5); the state dump is dump_data.c's, JSON dump_json.c's, BFD's
 * dump_bfd.c's. Secrets never appear. Called by life.c on a dump
 * message; the fd stays the caller's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vrrpd/dump_int.h"

#define DUMP_SIZE_MAX (16u << 20)

static void dump_stats_one(FILE *f, const struct inst *i)
{
    const struct check_stats bad = check_stats(&i->chk), *c = &bad;
    const struct engine_stats *e = &i->e.stats;
    fprintf(f,
            "VRRP Instance: %s\n"
            "  Advertisements:\n    Received: %" PRIu64 "\n    Sent: %" PRIu64 "\n"
            "  Became master: %" PRIu64 "\n  Released master: %" PRIu64 "\n",
            i->b->name, c->received, e->adverts_sent, e->became_master, e->released_master);
    fprintf(f,
            "  Packet Errors:\n    Length: %" PRIu64 "\n    TTL: %" PRIu64 "\n    Invalid Type: %" PRIu64
            "\n    Advertisement Interval: %" PRIu64 "\n    Address List: %" PRIu64 "\n",
            c->length, c->ttl, c->type, c->interval, c->addr_list);
    fprintf(f,
            "  Authentication Errors:\n    Invalid Type: %" PRIu64 "\n    Type Mismatch: %" PRIu64
            "\n    Failure: %" PRIu64 "\n",
            c->auth_unknown, c->auth_mismatch, c->auth_failure);
    fprintf(f,
            "  Authentication Extension Errors:\n    Missing: %" PRIu64 "\n    Malformed: %" PRIu64
            "\n    Unknown Key: %" PRIu64 "\n    Invalid HMAC: %" PRIu64 "\n    Stale: %" PRIu64
            "\n    Replay: %" PRIu64 "\n",
            c->ext_missing, c->ext_malformed, c->ext_key, c->ext_hmac, c->ext_stale, c->ext_replay);
    fprintf(f, "  Priority Zero:\n    Received: %" PRIu64 "\n    Sent: %" PRIu64 "\n", e->prio_zero_rcvd,
            e->prio_zero_sent);
}

static void dump_clear(struct vrrpd *v)
{
    for (size_t n = 0; n < v->ninst; n++) {
        check_stats_set(&v->inst[n]->chk, &(struct check_stats){ 0 });
        memset(&v->inst[n]->e.stats, 0, sizeof v->inst[n]->e.stats);
        v->inst[n]->snap = true;
        vrrpd_dirty(v->inst[n]);
    }
}

static void dump_put(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n <= 0) {
            log_warn("dump is incomplete: %zu bytes could not be written", len);
            return;
        }
        p += n;
        len -= (size_t)n;
    }
}

void dump_write(struct vrrpd *v, enum dump_what what, int fd)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        return;
    if (what == DUMP_WHAT_DATA)
        dump_put_data(v, f);
    else if (what == DUMP_WHAT_JSON)
        dump_put_json(v, f);
    else if (what == DUMP_WHAT_BFD)
        dump_put_bfd(v, f);
    else
        for (size_t n = 0; n < v->ninst; n++)
            dump_stats_one(f, v->inst[n]);
    fclose(f);
    if (len > DUMP_SIZE_MAX) { /* more would be a signal of its own: the jail's limit */
        log_err("no dump: %zu bytes are more than the %u that fit", len, DUMP_SIZE_MAX);
        len = 0;
    }
    dump_put(fd, text, len);
    free(text);
    if (what == DUMP_WHAT_STATS_CLEAR)
        dump_clear(v);
}
