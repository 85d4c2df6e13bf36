/*
 * metrics_ask.c - asks the daemon for what metrics.h makes metrics of: the parent's status, then vrrpd and
 * checkd. A process that is just being replaced is asked again for a moment, then left out and said so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "parent/ctl/ctl.h"
#include "parent/ctl/metrics.h"

#define METRICS_TRIES 8
#define METRICS_PAUSE (50 * 1000 * 1000L) /* ns */

/* 0 with *text; or an exit status. */
static int metrics_ask(struct ctl *c, const struct msg_ctl_request *r, char **text)
{
    struct timespec pause = { .tv_nsec = METRICS_PAUSE };
    int status = 0;
    for (int tries = 0; tries < METRICS_TRIES; tries++) {
        int rc = ctl_send(c, r) < 0 ? CTL_FAILED : ctl_receive(c, text, &status);
        if (rc != 0)
            return rc;
        if (status == 0)
            return 0;
        free(*text);
        if (status != CTL_STATUS_AGAIN)
            return CTL_FAILED;
        nanosleep(&pause, NULL);
    }
    return CTL_FAILED;
}

static void metrics_here(struct metrics *m, const char *format, const char *who, int value)
{
    char text[128];
    snprintf(text, sizeof text, format, who, value);
    metrics_add(m, METRICS_HERE, text);
}

int metrics_collect(const char *socket, int wait_ms, char **out, size_t *len)
{
    static const struct {
        enum role role;
        enum metrics_source from;
    } rooms[] = { { ROLE_VRRPD, METRICS_VRRPD }, { ROLE_CHECKD, METRICS_CHECKD } };
    struct ctl c = { .socket = socket, .fd = -1, .wait_ms = wait_ms };
    struct msg_ctl_request r = { .verb = CTL_VERB_STATUS };
    struct metrics *m = metrics_new();
    char *text;
    int rc = ctl_connect(&c);
    if (rc == 0)
        rc = metrics_ask(&c, &r, &text);
    if (rc == 0) {
        metrics_add(m, METRICS_PARENT, text);
        free(text);
    }
    for (size_t i = 0; rc == 0 && i < sizeof rooms / sizeof *rooms; i++) {
        r = (struct msg_ctl_request){ .verb = CTL_VERB_REPORT,
                                      .role = (uint8_t)rooms[i].role,
                                      .what = REPORT_WHAT_METRICS };
        bool got = metrics_ask(&c, &r, &text) == 0;
        metrics_here(m, "[scrape]\ncomplete.%s=%d\n", role_name(rooms[i].role), got);
        if (!got)
            continue;
        metrics_add(m, rooms[i].from, text);
        free(text);
    }
    metrics_here(m, "[scrape%s]\nup=%d\n", "", rc == 0);
    if (c.fd >= 0)
        close(c.fd);
    *out = metrics_end(m, len);
    return rc;
}
