/*
 * ask.c - see ask.h. What comes is at most ASK_SIZE_MAX, decoded like any other message; the text itself is
 * not looked at here.
 */
#include "parent/ctl/ask.h"

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

#define ASK_TRIES    8
#define ASK_PAUSE    (50 * 1000 * 1000L) /* ns */
#define ASK_SIZE_MAX (64u << 20)

int ask_connect(const char *path)
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

int ask_send(const struct ask *a, const struct msg_ctl_request *r)
{
    uint8_t buf[PROTO_MAX_SIZE];
    int n = proto_encode(MSG_ctl_request, r, 1, 0, 0, buf, sizeof buf);
    return n > 0 && send(a->fd, buf, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -1;
}

int ask_part(const struct ask *a, struct msg_ctl_reply *r)
{
    uint8_t buf[PROTO_MAX_SIZE];
    struct msg_header h;
    union msg_any m;
    struct pollfd p = { .fd = a->fd, .events = POLLIN };
    uint64_t now = clock_monotonic_ns();
    errno = ETIMEDOUT;
    if (now >= a->deadline || poll(&p, 1, (int)((a->deadline - now) / NS_PER_MS) + 1) <= 0)
        return -1;
    errno = ECONNRESET;
    ssize_t n = recv(a->fd, buf, sizeof buf, 0);
    if (n <= 0)
        return -1;
    errno = EPROTO;
    if (proto_decode(buf, (size_t)n, ROLE_PARENT, ROLE_CTL, 0, &h, &m) != PROTO_OK || h.type != MSG_ctl_reply)
        return -1;
    *r = m.ctl_reply;
    return 0;
}

/* The daemon's own verdict, or -1 with errno; *text is the caller's unless -1. */
static int ask_receive(const struct ask *a, char **text)
{
    struct msg_ctl_reply r;
    size_t len = 0;
    FILE *f = open_memstream(text, &len);
    if (f == NULL)
        fatal("out of memory");
    do {
        if (ask_part(a, &r) < 0 || (size_t)ftell(f) + r.text_len > ASK_SIZE_MAX) {
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

int ask_text(const struct ask *a, const struct msg_ctl_request *r, char **text)
{
    const struct timespec pause = { .tv_nsec = ASK_PAUSE };
    for (int tries = 0; tries < ASK_TRIES; tries++) {
        int status = ask_send(a, r) < 0 ? -1 : ask_receive(a, text);
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

int ask_open(struct ask *a, const char *path, unsigned int wait_ms)
{
    a->deadline = clock_monotonic_ns() + wait_ms * NS_PER_MS;
    a->fd = ask_connect(path);
    return a->fd < 0 ? -1 : 0;
}

void ask_close(struct ask *a)
{
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
}
