/* control.c - see control.h. */
#include "parent/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/lifecycle.h"
#include "parent/parent.h"
#include "parent/reload.h"
#include "parent/status.h"

#define CONTROL_CLIENTS_MAX 32

struct control_client {
    struct control *ctl;
    struct chan *ch;
    bool waits_for_reload;
    struct control_client *next;
};

struct control {
    struct parent *p;
    int fd;
    struct ev_io *io;
    struct sockaddr_un sa;
    struct control_client *clients;
    size_t n;
};

static void control_drop(struct control_client *c)
{
    struct control_client **at = &c->ctl->clients;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->ctl->n--;
    chan_free(c->ch);
    free(c);
}

static void control_reply(struct control_client *c, int status, const char *text, size_t len)
{
    struct msg_ctl_reply m;
    size_t done = 0;
    do {
        size_t n = len - done < sizeof m.text ? len - done : sizeof m.text;
        m.text_len = (uint16_t)n;
        memcpy(m.text, text + done, n);
        done += n;
        m.last = done == len;
        m.status = (uint8_t)(m.last ? status : 0);
        chan_send(c->ch, MSG_ctl_reply, &m, NULL, 0);
    } while (done < len);
}

static void control_say(struct control_client *c, int status, const char *text)
{
    control_reply(c, status, text, strlen(text));
}

static void control_restart(struct control_client *c, unsigned int role)
{
    struct parent *p = c->ctl->p;
    if (role < ROLE_VRRPD || role > ROLE_IPVSD)
        control_say(c, 1, "only vrrpd, checkd and ipvsd can be restarted\n");
    else if (p->phase != PARENT_PHASE_RUNNING || reload_busy(p->reload))
        control_say(c, 1, "not now: the daemon is starting, reloading or stopping\n");
    else if (supervise_restart(p, (enum role)role) < 0)
        control_say(c, 1, "that role does not run now\n");
    else
        control_say(c, 0, "restarting\n");
}

static int control_on_msg(struct chan *ch, const struct chan_msg *m, void *arg)
{
    struct control_client *c = arg;
    struct parent *p = c->ctl->p;
    const struct msg_ctl_request *r = &m->body->ctl_request;
    (void)ch;
    if (m->type != MSG_ctl_request)
        return -1;
    switch ((enum ctl_verb)r->verb) {
    case CTL_VERB_STATUS: {
        size_t len;
        char *text = status_text(p, &len);
        control_reply(c, 0, text, len);
        free(text);
        return 0;
    }
    case CTL_VERB_RELOAD:
        c->waits_for_reload = true;
        lifecycle_reload(p);
        return 0;
    case CTL_VERB_RESTART: control_restart(c, r->role); return 0;
    case CTL_VERB_STOP:
        control_say(c, 0, "stopping\n");
        chan_flush(c->ch);
        lifecycle_end(p, 0);
        return 0;
    }
    control_say(c, 1, "this daemon does not know that request\n");
    return 0;
}

static void control_on_dead(struct chan *ch, enum chan_end how, const char *why, void *arg)
{
    (void)ch;
    (void)how;
    (void)why;
    control_drop(arg);
}

static const struct chan_ops control_ops = { control_on_msg, control_on_dead };

static bool control_allowed(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && len == sizeof cred &&
           (cred.uid == 0 || cred.uid == geteuid());
}

static void control_on_accept(struct ev_io *w, unsigned int got, void *arg)
{
    struct control *ctl = arg;
    (void)got;
    int fd = accept4(ev_io_fd(w), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (!control_allowed(fd) || ctl->n >= CONTROL_CLIENTS_MAX) {
        close(fd);
        return;
    }
    struct control_client *c = xcalloc(1, sizeof *c);
    c->ctl = ctl;
    c->ch = chan_new(ctl->p->ev, fd, ROLE_PARENT, ROLE_CTL, &control_ops, c);
    c->next = ctl->clients;
    ctl->clients = c;
    ctl->n++;
}

static int control_bind(int fd, struct sockaddr_un *sa)
{
    unlink(sa->sun_path); /* we hold the pid file's lock: nobody else is behind it */
    mode_t old = umask(0177);
    int rc = bind(fd, (struct sockaddr *)sa, sizeof *sa);
    umask(old);
    return rc < 0 ? -1 : listen(fd, 8);
}

struct control *control_new(struct parent *p, const char *dir)
{
    struct control *c = xcalloc(1, sizeof *c);
    c->p = p;
    c->sa.sun_family = AF_UNIX;
    int n = snprintf(c->sa.sun_path, sizeof c->sa.sun_path, "%s/%s", dir, CONTROL_SOCKET);
    errno = ENAMETOOLONG;
    c->fd = n > 0 && (size_t)n < sizeof c->sa.sun_path
                ? socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
                : -1;
    if (c->fd < 0 || control_bind(c->fd, &c->sa) < 0) {
        int saved = errno;
        if (c->fd >= 0)
            close(c->fd);
        free(c);
        errno = saved;
        return NULL;
    }
    c->io = ev_io_add(p->ev, c->fd, EV_READ, control_on_accept, c);
    return c;
}

void control_free(struct control *c)
{
    if (c == NULL)
        return;
    for (struct control_client *k = c->clients, *next; k != NULL; k = next) {
        next = k->next;
        chan_flush(k->ch);
        chan_free(k->ch);
        free(k);
    }
    ev_io_del(c->p->ev, c->io);
    close(c->fd);
    unlink(c->sa.sun_path);
    free(c);
}

void control_on_reload_done(struct control *c)
{
    struct reload_report r;
    if (c == NULL)
        return;
    reload_report(c->p->reload, &r);
    for (struct control_client *k = c->clients; k != NULL; k = k->next) {
        if (!k->waits_for_reload)
            continue;
        k->waits_for_reload = false;
        control_reply(k, r.status, r.text != NULL ? r.text : "", r.len);
    }
}
