/*
 * main.c - holdfast-dbus: the daemon on D-Bus, as org.keepalived.Vrrp1 has it. A program of its own beside
 * the daemon: it asks on the read-only socket and follows the events; no process of the daemon knows it or
 * links a bus. Started as root it becomes _holdfast_dbus; in any case it keeps no capability, no file, no
 * other system call than it needs. It outlives the daemon and the bus, and goes on when they are back.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/jail_client.h"
#include "parent/dbus/bus.h"
#include "parent/dbus/watch.h"

#define DBUS_USER      "_holdfast_dbus"
#define DBUS_AGAIN_MS  250 /* nobody answers: the next attempt */
#define DBUS_SLOWLY_MS 1000

#define CALL(name)                                                                                           \
    {                                                                                                        \
        .nr = SCMP_SYS(name)                                                                                 \
    }
#define FAIL(name, err)                                                                                      \
    {                                                                                                        \
        .nr = SCMP_SYS(name), .error = (err)                                                                 \
    }

struct dbus {
    struct shown m;
    struct watch w;
    struct bus *b;
    uint64_t daemon_at, bus_at, refresh_at; /* when to try; refresh_at 0: no need */
    int said_daemon, said_bus;              /* errno last said */
};

/* ---- the daemon */

static void dbus_say_once(int *said, const char *who, const char *help)
{
    if (*said != errno)
        dprintf(STDERR_FILENO, "holdfast-dbus: %s: %s%s; trying again\n", who, strerror(errno),
                errno == EACCES ? help : "");
    *said = errno;
}

/* Takes m over. */
static void dbus_show(struct dbus *s, struct shown *m)
{
    if (s->m.enabled && (!m->enabled || strcmp(s->m.vrrp, m->vrrp) != 0))
        bus_vrrp(s->b, "VrrpStopped");
    shown_free(&s->m);
    s->m = *m;
    bus_own(s->b, s->m.enabled ? s->m.service : NULL);
    if (s->m.same > 0)
        dprintf(
            STDERR_FILENO,
            "holdfast-dbus: %zu instances are not on the bus: another one has the same interface (as a path "
            "has it), VRID and family\n",
            s->m.same);
}

static void dbus_attach(struct dbus *s, uint64_t now)
{
    struct shown m;
    s->daemon_at = now + DBUS_AGAIN_MS * NS_PER_MS;
    if (watch_load(&s->w, &m) < 0) {
        dbus_say_once(&s->said_daemon, s->w.socket, " (may we ask? the group " JAIL_CLIENT_GROUP ")");
        return;
    }
    if (watch_follow(&s->w, m.last) < 0) {
        shown_free(&m);
        return;
    }
    s->said_daemon = 0;
    s->refresh_at = 0;
    dbus_show(s, &m);
    bus_vrrp(s->b, "VrrpStarted");
    for (size_t i = 0; i < s->m.n; i++)
        bus_state(s->b, &s->m.v[i]);
}

static void dbus_detach(struct dbus *s, uint64_t now)
{
    struct shown nothing = { 0 };
    watch_end(&s->w);
    dbus_show(s, &nothing);
    s->refresh_at = 0;
    s->daemon_at = now + DBUS_AGAIN_MS * NS_PER_MS;
}

/* The configuration is another: the stream goes on, and what stands in both is where it was. */
static void dbus_refresh(struct dbus *s, uint64_t now)
{
    struct shown m, old;
    s->refresh_at = now + DBUS_AGAIN_MS * NS_PER_MS;
    if (watch_load(&s->w, &m) < 0)
        return;
    s->refresh_at = 0;
    shown_carry(&m, &s->m);
    bool began = m.enabled && (!s->m.enabled || strcmp(s->m.vrrp, m.vrrp) != 0);
    old = s->m;
    s->m.v = NULL; /* old has them */
    dbus_show(s, &m);
    bus_vrrp(s->b, began ? "VrrpStarted" : "VrrpReloaded");
    for (size_t i = 0; i < s->m.n; i++)
        if (began || shown_at(&old, s->m.v[i].path) == NULL)
            bus_state(s->b, &s->m.v[i]);
    shown_free(&old);
}

/* -1: the stream does not hold together; begin again. */
static int dbus_events(struct dbus *s, const struct doc *d, uint64_t now)
{
    const struct doc_part *h = doc_next(d, NULL, "events");
    const struct shown_inst *i;
    if (doc_yes(h, "restarted") || doc_int(h, "lost", 0) > 0)
        return -1;
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "event")) != NULL;) {
        if ((i = shown_changed(&s->m, p)) != NULL)
            bus_state(s->b, i);
        if (strcmp(doc_str(p, "kind", ""), "reload") == 0 && strcmp(doc_str(p, "what", ""), "in_force") == 0)
            s->refresh_at = now;
    }
    return 0;
}

static void dbus_hear(struct dbus *s, uint64_t now)
{
    struct doc d = { 0 };
    int rc = watch_read(&s->w, &d);
    if (rc > 0 && dbus_events(s, &d, now) < 0)
        rc = -1;
    doc_free(&d);
    if (rc < 0)
        dbus_detach(s, now);
}

/* ---- turns */

static void dbus_try_bus(struct dbus *s, uint64_t now)
{
    s->bus_at = now + DBUS_SLOWLY_MS * NS_PER_MS;
    if (bus_open(s->b) < 0) {
        dbus_say_once(&s->said_bus, "the bus", "");
        return;
    }
    s->said_bus = 0;
    bus_own(s->b, s->m.enabled ? s->m.service : NULL);
}

static int dbus_turn(struct dbus *s)
{
    uint64_t now = clock_monotonic_ns();
    int wait = DBUS_SLOWLY_MS;
    struct pollfd p[2];
    if (!bus_is_open(s->b) && now >= s->bus_at)
        dbus_try_bus(s, now);
    if (s->w.stream.fd < 0 && now >= s->daemon_at)
        dbus_attach(s, now);
    if (s->refresh_at != 0 && now >= s->refresh_at)
        dbus_refresh(s, now);
    if (s->w.stream.fd < 0 || s->refresh_at != 0)
        wait = DBUS_AGAIN_MS;
    bus_poll(s->b, &p[0], &wait);
    p[1] = (struct pollfd){ .fd = s->w.stream.fd, .events = POLLIN };
    if (poll(p, 2, wait) < 0 && errno != EINTR)
        return -1;
    now = clock_monotonic_ns();
    if (p[1].fd >= 0 && p[1].revents != 0)
        dbus_hear(s, now);
    if (bus_is_open(s->b) && bus_work(s->b) < 0)
        s->bus_at = now + DBUS_SLOWLY_MS * NS_PER_MS;
    return 0;
}

/* ---- the start */

static int dbus_fence(void)
{
    static const struct jail_rule rules[] = {
        { .nr = SCMP_SYS(socket), .ncmp = 1, .cmp = { { 0, SCMP_CMP_EQ, AF_UNIX, 0 } } },
        { .nr = SCMP_SYS(getsockopt), .ncmp = 1, .cmp = { { 1, SCMP_CMP_EQ, SOL_SOCKET, 0 } } },
        { .nr = SCMP_SYS(setsockopt), .ncmp = 1, .cmp = { { 1, SCMP_CMP_EQ, SOL_SOCKET, 0 } } },
        { .nr = SCMP_SYS(prctl), .ncmp = 1, .cmp = { { 0, SCMP_CMP_EQ, PR_GET_NAME, 0 } } },
        CALL(connect),
        CALL(getsockname),
        CALL(getpeername),
        CALL(shutdown),
        CALL(getuid),
        CALL(geteuid),
        CALL(getgid),
        CALL(getegid),
        CALL(uname),
        FAIL(openat, EACCES), /* the library looks for names it can do without */
        FAIL(access, EACCES),
    };
    return jail_client_fence(DBUS_USER, rules, sizeof rules / sizeof rules[0]);
}

static int dbus_die(const char *what, const char *help)
{
    dprintf(STDERR_FILENO, "holdfast-dbus: %s: %s%s%s\n", what, strerror(errno), help[0] != '\0' ? "; " : "",
            help);
    return 1;
}

static int dbus_usage(int status)
{
    dprintf(status == 0 ? STDOUT_FILENO : STDERR_FILENO,
            "Usage: holdfast-dbus [-a ADDRESS] [-s SOCKET]\n"
            "  -a  of the bus (default: DBUS_SYSTEM_BUS_ADDRESS, or " BUS_ADDRESS ")\n"
            "  -s  read-only socket of the daemon (default " WATCH_SOCKET ")\n"
            "On the bus while the daemon runs and its configuration says enable_dbus.\n");
    return status;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = { { "address", required_argument, NULL, 'a' },
                                           { "socket", required_argument, NULL, 's' },
                                           { "help", no_argument, NULL, 'h' },
                                           { NULL, 0, NULL, 0 } };
    const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
    struct dbus s = { .w = { .socket = WATCH_SOCKET, .stream = { .fd = -1 } } };
    for (int k; (k = getopt_long(argc, argv, "a:s:h", longs, NULL)) != -1;) {
        switch (k) {
        case 'a': address = optarg; break;
        case 's': s.w.socket = optarg; break;
        case 'h': return dbus_usage(0);
        default: return dbus_usage(2);
        }
    }
    if (optind != argc)
        return dbus_usage(2);
    signal(SIGPIPE, SIG_IGN);
    if (jail_client_drop_root(DBUS_USER) < 0)
        return dbus_die("cannot become " DBUS_USER, "systemd-sysusers makes the user");
    if (dbus_fence() < 0)
        return dbus_die("the jail cannot be built", "");
    s.b = bus_new(address != NULL && address[0] != '\0' ? address : BUS_ADDRESS, &s.m);
    while (dbus_turn(&s) == 0)
        ;
    return dbus_die("poll", "");
}
