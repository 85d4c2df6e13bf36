/*
 * metrics_ask.c - asks the daemon for what metrics.h makes metrics of: the parent's status, then vrrpd and
 * checkd. All of it within one deadline and without a word on stderr, since the metrics server lives with it
 * too. A process that is just being replaced is asked again for a moment, then left out and said so.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/proto.h"
#include "parent/ctl/ask.h"
#include "parent/ctl/metrics.h"

static void metrics_here(struct metrics *m, const char *key, int value)
{
    char text[128];
    snprintf(text, sizeof text, "[scrape]\n%s=%d\n", key, value);
    metrics_add(m, METRICS_HERE, text);
}

static void metrics_rooms(struct metrics *m, const struct ask *l)
{
    static const struct {
        enum role role;
        enum metrics_source from;
        const char *key;
    } rooms[] = { { ROLE_VRRPD, METRICS_VRRPD, "complete.vrrpd" },
                  { ROLE_CHECKD, METRICS_CHECKD, "complete.checkd" } };
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        struct msg_ctl_request r = { .verb = CTL_VERB_REPORT,
                                     .role = (uint8_t)rooms[i].role,
                                     .what = REPORT_WHAT_METRICS };
        char *text;
        bool got = ask_text(l, &r, &text) == 0;
        metrics_here(m, rooms[i].key, got);
        if (!got)
            continue;
        metrics_add(m, rooms[i].from, text);
        free(text);
    }
}

int metrics_collect(const char *path, unsigned int wait_ms, char **out, size_t *len)
{
    struct ask l;
    struct msg_ctl_request r = { .verb = CTL_VERB_STATUS };
    struct metrics *m = metrics_new();
    char *text;
    int why = 0;
    if (ask_open(&l, path, wait_ms) < 0 || ask_text(&l, &r, &text) < 0) {
        why = errno != 0 ? errno : EIO;
    } else {
        metrics_add(m, METRICS_PARENT, text);
        free(text);
        metrics_rooms(m, &l);
    }
    metrics_here(m, "up", why == 0);
    ask_close(&l);
    *out = metrics_end(m, len);
    return why;
}
