/*
 * link.c - holdctl's connection to the daemon, see ctl.h: the one message protocol, over the control socket
 * or, for questions, the read-only one.
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
#include "parent/ctl/ask.h"
#include "parent/ctl/ctl.h"

#define CTL_WAIT_MS  150000 /* a reload of a huge configuration */
#define CTL_TRIES    100    /* while a process is being replaced */
#define CTL_AGAIN_MS 50

int ctl_lost(const char *what)
{
    dprintf(STDERR_FILENO, "holdctl: %s\n", what);
    return CTL_FAILED;
}

int ctl_connect_for(struct ctl *c, enum ctl_verb verb)
{
    bool reads = (CTL_VERBS_READING & 1u << verb) != 0;
    const char *path = c->socket != NULL ? c->socket : reads ? CTL_SOCKET_STATUS : CTL_SOCKET;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = ask_connect(path);
    int saved = errno; /* what the first one says is what the caller may do about it */
    if (c->fd < 0 && c->socket == NULL && reads)
        c->fd = ask_connect(CTL_SOCKET);
    if (c->fd >= 0)
        return 0;
    if (saved == ENOENT || saved == ECONNREFUSED) {
        dprintf(STDERR_FILENO,
                "holdctl: holdfast does not run here (nobody answers at %s); start it with "
                "systemctl start holdfast, or name its socket with -s\n",
                path);
        return CTL_NOT_RUNNING;
    }
    dprintf(STDERR_FILENO, "holdctl: %s: %s%s\n", path, strerror(saved),
            saved != EACCES ? ""
            : reads         ? "; who is in the group holdfast may ask (usermod -aG holdfast USER)"
                            : "; only root may give orders to the daemon");
    return CTL_FAILED;
}

int ctl_send(const struct ctl *c, const struct msg_ctl_request *r)
{
    uint8_t buf[PROTO_MAX_SIZE];
    int n = proto_encode(MSG_ctl_request, r, 1, 0, 0, buf, sizeof buf);
    return n > 0 && send(c->fd, buf, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -1;
}

int ctl_receive_part(const struct ctl *c, struct msg_ctl_reply *r, int timeout_ms)
{
    uint8_t buf[PROTO_MAX_SIZE];
    struct msg_header h;
    union msg_any m;
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    if (poll(&p, 1, timeout_ms) <= 0)
        return ctl_lost("the daemon does not answer");
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    if (n <= 0)
        return ctl_lost("the daemon closed the connection: it was stopped, or you may not ask it (the group "
                        "holdfast may, "
                        "root may)");
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
        if (ctl_receive_part(c, &r, CTL_WAIT_MS) != 0) {
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
    for (int tries = 0;; tries++) {
        int rc = ctl_connect_for(c, (enum ctl_verb)r->verb);
        if (rc != 0)
            return rc;
        if (ctl_send(c, r) < 0)
            return ctl_lost("the request cannot be sent");
        rc = ctl_receive(c, text, status);
        if (rc != 0 || *status != CTL_STATUS_AGAIN || tries == CTL_TRIES)
            return rc;
        free(*text);
        poll(NULL, 0, CTL_AGAIN_MS);
    }
}

int ctl_order(struct ctl *c, const struct msg_ctl_request *r)
{
    char *text;
    int status, rc = ctl_ask(c, r, &text, &status);
    if (rc != 0)
        return rc;
    ctl_print(text);
    free(text);
    return status;
}

void ctl_print(const char *text)
{
    fputs(text, stdout);
    fflush(stdout);
}
