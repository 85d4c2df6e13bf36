/*
 * metrics_ask.c - asks the daemon for what metrics.h makes metrics of: the parent's status, then vrrpd and
 * checkd. All of it within one deadline and without a word on stderr, since the metrics server lives with it
 * too. A process that is just being replaced is asked again for a moment, then left out and said so.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/proto.h"
#include "parent/ctl/metrics.h"

#define METRICS_TRIES    8
#define METRICS_PAUSE    (50 * 1000 * 1000L) /* ns */
#define METRICS_SIZE_MAX (64u << 20)

struct metrics_link {
    int fd;
    uint64_t deadline;
};

static int metrics_connect(const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    errno = ENAMETOOLONG;
    if (strlen(path) >= sizeof sa.sun_path)
        return -1;
    memcpy(sa.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int metrics_send(const struct metrics_link *l, const struct msg_ctl_request *r)
{
    uint8_t buf[PROTO_MAX_SIZE];
    int n = proto_encode(MSG_ctl_request, r, 1, 0, 0, buf, sizeof buf);
    return n > 0 && send(l->fd, buf, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -1;
}

static int metrics_part(const struct metrics_link *l, struct msg_ctl_reply *r)
{
    uint8_t buf[PROTO_MAX_SIZE];
    struct msg_header h;
    union msg_any m;
    struct pollfd p = { .fd = l->fd, .events = POLLIN };
    uint64_t now = clock_monotonic_ns();
    errno = ETIMEDOUT;
    if (now >= l->deadline || poll(&p, 1, (int)((l->deadline - now) / NS_PER_MS) + 1) <= 0)
        return -1;
    errno = ECONNRESET;
    ssize_t n = recv(l->fd, buf, sizeof buf, 0);
    if (n <= 0)
        return -1;
    errno = EPROTO;
    if (proto_decode(buf, (size_t)n, ROLE_PARENT, ROLE_CTL, 0, &h, &m) != PROTO_OK || h.type != MSG_ctl_reply)
        return -1;
    *r = m.ctl_reply;
    return 0;
}

/* The daemon's own verdict, or -1 with errno; *text is the caller's unless -1. */
static int metrics_receive(const struct metrics_link *l, char **text)
{
    struct msg_ctl_reply r;
    size_t len = 0;
    FILE *f = open_memstream(text, &len);
    if (f == NULL)
        fatal("out of memory");
    do {
        if (metrics_part(l, &r) < 0 || (size_t)ftell(f) + r.text_len > METRICS_SIZE_MAX) {
            int saved = errno;
            fclose(f);
            free(*text);
            errno = saved;
            return -1;
        }
        fwrite(r.text, 1, r.text_len, f);
    } while (!r.last);
    if (fclose(f) != 0)
        fatal("out of memory");
    return r.status;
}

static int metrics_ask(const struct metrics_link *l, const struct msg_ctl_request *r, char **text)
{
    const struct timespec pause = { .tv_nsec = METRICS_PAUSE };
    for (int tries = 0; tries < METRICS_TRIES; tries++) {
        int status = metrics_send(l, r) < 0 ? -1 : metrics_receive(l, text);
        if (status <= 0)
            return status;
        free(*text);
        if (status != CTL_STATUS_AGAIN)
            break;
        nanosleep(&pause, NULL);
    }
    errno = EAGAIN;
    return -1;
}

static void metrics_here(struct metrics *m, const char *key, int value)
{
    char text[128];
    snprintf(text, sizeof text, "[scrape]\n%s=%d\n", key, value);
    metrics_add(m, METRICS_HERE, text);
}

static void metrics_rooms(struct metrics *m, const struct metrics_link *l)
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
        bool got = metrics_ask(l, &r, &text) == 0;
        metrics_here(m, rooms[i].key, got);
        if (!got)
            continue;
        metrics_add(m, rooms[i].from, text);
        free(text);
    }
}

int metrics_collect(const char *path, unsigned int wait_ms, char **out, size_t *len)
{
    struct metrics_link l = { .deadline = clock_monotonic_ns() + wait_ms * NS_PER_MS };
    struct msg_ctl_request r = { .verb = CTL_VERB_STATUS };
    struct metrics *m = metrics_new();
    char *text;
    int why = 0;
    l.fd = metrics_connect(path);
    if (l.fd < 0 || metrics_ask(&l, &r, &text) < 0) {
        why = errno != 0 ? errno : EIO;
    } else {
        metrics_add(m, METRICS_PARENT, text);
        free(text);
        metrics_rooms(m, &l);
    }
    metrics_here(m, "up", why == 0);
    if (l.fd >= 0)
        close(l.fd);
    *out = metrics_end(m, len);
    return why;
}
