/* control.c - see control.h: the sockets, and who may come in. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/control_int.h"
#include "parent/events.h"
#include "parent/parent.h"
#include "parent/reload.h"

#define CONTROL_CLIENTS_MAX 32 /* a door: readers cannot keep root out */
#define CONTROL_GROUPS_MAX  256

static void control_drop(struct control_client *c)
{
    struct control_client **at = &c->ctl->clients;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->ctl->n[c->reader]--;
    control_answer_end(c);
    if (c->report >= 0)
        close(c->report);
    chan_free(c->ch);
    free(c);
}

static int control_on_msg(struct chan *ch, const struct chan_msg *m, void *arg)
{
    struct control_client *c = arg;
    (void)ch;
    return m->type == MSG_ctl_request ? control_serve(c, &m->body->ctl_request) : -1;
}

static void control_on_dead(struct chan *ch, enum chan_end how, const char *why, void *arg)
{
    (void)ch;
    (void)how;
    (void)why;
    control_drop(arg);
}

static const struct chan_ops control_ops = { control_on_msg, control_on_dead };

/* The groups of who called connect, as the kernel noted them then. */
static bool control_in_group(int fd, gid_t main_group, gid_t want)
{
    gid_t groups[CONTROL_GROUPS_MAX];
    socklen_t len = sizeof groups;
    if (main_group == want)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
        return false;
    for (size_t i = 0; i < len / sizeof groups[0]; i++)
        if (groups[i] == want)
            return true;
    return false;
}

static bool control_allowed(const struct control_door *d, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || len != sizeof cred)
        return false;
    if (cred.uid == 0 || cred.uid == geteuid())
        return true;
    return d->reader && d->ctl->has_group && control_in_group(fd, cred.gid, d->ctl->group);
}

static void control_on_accept(struct ev_io *w, unsigned int got, void *arg)
{
    struct control_door *d = arg;
    struct control *ctl = d->ctl;
    (void)got;
    int fd = accept4(ev_io_fd(w), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (!control_allowed(d, fd) || ctl->n[d->reader] >= CONTROL_CLIENTS_MAX) {
        close(fd);
        return;
    }
    struct control_client *c = xcalloc(1, sizeof *c);
    c->ctl = ctl;
    c->reader = d->reader;
    c->id = ++ctl->last_id;
    c->report = c->answer.fd = -1;
    c->ch = chan_new(ctl->p->ev, fd, ROLE_PARENT, ROLE_CTL, &control_ops, c);
    c->next = ctl->clients;
    ctl->clients = c;
    ctl->n[d->reader]++;
}

/* The group comes with the making: the daemon has no right to give files away. */
static int control_bind(const struct control_door *d)
{
    bool shared = d->reader && d->ctl->has_group;
    unlink(d->sa.sun_path); /* we hold the pid file's lock: nobody else is behind it */
    mode_t old = umask(shared ? 0117 : 0177);
    int was = shared ? setfsgid(d->ctl->group) : 0;
    int rc = bind(d->fd, (const struct sockaddr *)&d->sa, sizeof d->sa);
    int saved = errno;
    if (shared)
        setfsgid((gid_t)was);
    umask(old);
    errno = saved;
    return rc < 0 ? -1 : listen(d->fd, 8);
}

static int control_open(struct control *c, bool reader, const char *dir)
{
    struct control_door *d = &c->door[reader];
    d->ctl = c;
    d->reader = reader;
    d->sa.sun_family = AF_UNIX;
    int n = snprintf(d->sa.sun_path, sizeof d->sa.sun_path, "%s/%s", dir,
                     reader ? CONTROL_STATUS : CONTROL_SOCKET);
    errno = ENAMETOOLONG;
    d->fd = n > 0 && (size_t)n < sizeof d->sa.sun_path
                ? socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
                : -1;
    if (d->fd >= 0 && control_bind(d) == 0) {
        d->io = ev_io_add(c->p->ev, d->fd, EV_READ, control_on_accept, d);
        return 0;
    }
    int saved = errno;
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
    errno = saved;
    return -1;
}

static void control_close(struct control *c, bool reader)
{
    struct control_door *d = &c->door[reader];
    if (d->fd < 0)
        return;
    ev_io_del(c->p->ev, d->io);
    close(d->fd);
    unlink(d->sa.sun_path);
}

struct control *control_new(struct parent *p, const char *dir)
{
    struct control *c = xcalloc(1, sizeof *c);
    const struct group *gr = getgrnam(CONTROL_GROUP);
    c->p = p;
    c->has_group = gr != NULL;
    c->group = gr != NULL ? gr->gr_gid : 0;
    ev_timer_init(&c->pump, control_on_pump, c);
    if (control_open(c, false, dir) < 0) {
        int saved = errno;
        free(c);
        errno = saved;
        return NULL;
    }
    if (control_open(c, true, dir) < 0)
        log_warn("no read-only socket in %s: %s; only root can ask this daemon", dir, strerror(errno));
    else if (!c->has_group)
        log_info("group %s does not exist: only root can ask this daemon; systemd-sysusers makes it",
                 CONTROL_GROUP);
    events_hook(p->events, control_on_event, c);
    return c;
}

void control_free(struct control *c)
{
    if (c == NULL)
        return;
    events_hook(c->p->events, NULL, NULL);
    while (c->clients != NULL) {
        chan_flush(c->clients->ch);
        control_drop(c->clients);
    }
    ev_timer_stop(c->p->ev, &c->pump);
    control_close(c, true);
    control_close(c, false);
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
