/*
 * link.c - holdctl's connection to the daemon; see ctl.h. The one message protocol, over the control socket.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "parent/ctl/ctl.h"

#define CTL_WAIT_MS 150000 /* a reload of a huge configuration */

int ctl_lost(const char *what)
{
    dprintf(STDERR_FILENO, "holdctl: %s\n", what);
    return CTL_FAILED;
}

int ctl_connect(struct ctl *c)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    if (strlen(c->socket) >= sizeof sa.sun_path) {
        dprintf(STDERR_FILENO, "holdctl: %s: the name is too long for a socket\n", c->socket);
        return CTL_FAILED;
    }
    memcpy(sa.sun_path, c->socket, strlen(c->socket) + 1);
    c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (c->fd >= 0 && connect(c->fd, (struct sockaddr *)&sa, sizeof sa) == 0)
        return 0;
    int saved = errno;
    if (saved == ENOENT || saved == ECONNREFUSED) {
        dprintf(STDERR_FILENO,
                "holdctl: holdfast does not run here (nobody answers at %s); start it with "
                "systemctl start holdfast, or name its socket with -s\n",
                c->socket);
        return CTL_NOT_RUNNING;
    }
    dprintf(STDERR_FILENO, "holdctl: %s: %s%s\n", c->socket, strerror(saved),
            saved == EACCES ? "; only root may give orders to the daemon" : "");
    return CTL_FAILED;
}

int ctl_send(const struct ctl *c, const struct msg_ctl_request *r)
{
    uint8_t buf[PROTO_MAX_SIZE];
    int n = proto_encode(MSG_ctl_request, r, 1, 0, 0, buf, sizeof buf);
    return n > 0 && send(c->fd, buf, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -1;
}

static int ctl_receive_part(const struct ctl *c, struct msg_ctl_reply *r)
{
    uint8_t buf[PROTO_MAX_SIZE];
    struct msg_header h;
    union msg_any m;
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    if (poll(&p, 1, CTL_WAIT_MS) <= 0)
        return ctl_lost("the daemon does not answer");
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    if (n <= 0)
        return ctl_lost("the daemon closed the connection (only root may ask; or it was stopped)");
    if (proto_decode(buf, (size_t)n, ROLE_PARENT, ROLE_CTL, 0, &h, &m) != PROTO_OK || h.type != MSG_ctl_reply)
        return ctl_lost("the daemon's answer is not understood: is holdctl of the same version?");
    *r = m.ctl_reply;
    return 0;
}

int ctl_receive(const struct ctl *c, char **text, int *status)
{
    size_t len = 0;
    struct msg_ctl_reply r;
    *text = xcalloc(1, 1);
    do {
        if (ctl_receive_part(c, &r) != 0) {
            free(*text);
            return CTL_FAILED;
        }
        *text = xrealloc(*text, len + r.text_len + 1);
        memcpy(*text + len, r.text, r.text_len);
        len += r.text_len;
        (*text)[len] = '\0';
    } while (!r.last);
    *status = r.status;
    return 0;
}

int ctl_ask(struct ctl *c, const struct msg_ctl_request *r, char **text, int *status)
{
    int rc = ctl_connect(c);
    if (rc != 0)
        return rc;
    if (ctl_send(c, r) < 0)
        return ctl_lost("the request cannot be sent");
    return ctl_receive(c, text, status);
}

void ctl_print(const char *text)
{
    fputs(text, stdout);
    fflush(stdout);
}
