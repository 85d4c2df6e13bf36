/*
 * cmd_wire.c - holdctl vrrp watch IF: listens on a wire, decodes what VRRP speakers say, and says what is
 * wrong with it. Opens one packet socket as root, then is nobody for ever: no hostile byte is read with a
 * privilege. Sends nothing.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "parent/ctl/ctl.h"
#include "parent/ctl/listen.h"
#include "parent/ctl/render.h"
#include "parent/ctl/wire.h"

#define WATCH_SECONDS 10

struct watch {
    struct ctl *c;
    const char *ifname;
    double seconds; /* 0: until interrupted */
    int fd, sig;
    struct wire wire;
};

static void watch_say(const struct watch *t, enum wire_news news, size_t who)
{
    static const char *const words[] = { [WIRE_SAME] = "",
                                         [WIRE_NEW] = "new sender",
                                         [WIRE_CHANGED] = "now says",
                                         [WIRE_RESIGNED] = "resigns",
                                         [WIRE_SPLIT] = "SPLIT BRAIN, also" };
    const struct wire_sender *s = &t->wire.s[who];
    char clock[16];
    time_t now = time(NULL);
    struct tm tm;
    if (news == WIRE_SAME || t->c->json || (news == WIRE_RESIGNED && s->resigned > 1))
        return;
    strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&now, &tm));
    printf("%s VRID %u %s: ", clock, s->vrid, words[news]);
    wire_line(s, stdout);
    putchar('\n');
    fflush(stdout);
}

static void watch_drain(struct watch *t)
{
    uint8_t buf[9216], mac[WIRE_MAC];
    struct wire_advert a;
    size_t who;
    bool own;
    int rc;
    while ((rc = listen_read(t->fd, buf, sizeof buf, &a, mac, &own)) >= 0) {
        if (rc == 0)
            continue;
        enum wire_news news = wire_hear(&t->wire, &a, mac, own, clock_monotonic_ns(), &who);
        if (t->wire.n > 0)
            watch_say(t, news, who);
    }
}

static double watch_loop(struct watch *t)
{
    uint64_t start = clock_monotonic_ns(), now = start;
    uint64_t end = t->seconds > 0 ? start + (uint64_t)(t->seconds * NS_PER_SEC) : UINT64_MAX;
    struct pollfd p[] = { { .fd = t->fd, .events = POLLIN }, { .fd = t->sig, .events = POLLIN } };
    while (now < end && p[1].revents == 0) {
        uint64_t left = end == UINT64_MAX ? 1000 : (end - now) / 1000000 + 1;
        if (poll(p, 2, left > 1000 ? 1000 : (int)left) < 0 && errno != EINTR)
            break;
        watch_drain(t);
        now = clock_monotonic_ns();
    }
    return (double)(now - start) / NS_PER_SEC;
}

static int watch_run(struct watch *t)
{
    struct findings found = { 0 };
    if (!t->c->json)
        printf("listening on %s%s\n", t->ifname, t->seconds > 0 ? "" : "; Ctrl-C ends it with a report");
    fflush(stdout);
    double took = watch_loop(t);
    wire_judge(&t->wire, t->ifname, &found);
    if (t->c->json) {
        render_print(wire_json(&t->wire, t->ifname, took, &found));
    } else {
        wire_print(&t->wire, t->ifname, took, stdout);
        putchar('\n');
        findings_print(&found, stdout);
    }
    int status = findings_exit(&found);
    findings_free(&found);
    wire_free(&t->wire);
    return status;
}

static int watch_start(struct watch *t)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    t->fd = listen_open(t->ifname);
    if (t->fd < 0) {
        dprintf(STDERR_FILENO, "holdctl: cannot listen on %s: %s%s\n", t->ifname, strerror(errno),
                errno == EPERM    ? "; run it as root, it drops the right when the socket is open"
                : errno == ENODEV ? "; ip link shows the names"
                                  : "");
        return CTL_FAILED;
    }
    if (listen_drop_privileges() < 0)
        return ctl_lost("privileges cannot be dropped; nothing is read with them");
    sigprocmask(SIG_BLOCK, &ends, NULL);
    t->sig = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    return watch_run(t);
}

int cmd_vrrp(struct ctl *c, int argc, char **argv)
{
    struct watch t = { .c = c, .seconds = WATCH_SECONDS };
    char *end;
    if (argc < 2 || strcmp(argv[0], "watch") != 0)
        return ctl_misused("vrrp");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            c->json = true;
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            t.seconds = strtod(argv[++i], &end);
            if (*end != '\0' || t.seconds < 0 || t.seconds > 1e6)
                return ctl_misused("vrrp");
        } else if (argv[i][0] != '-' && t.ifname == NULL) {
            t.ifname = argv[i];
        } else {
            return ctl_misused("vrrp");
        }
    }
    return t.ifname != NULL ? watch_start(&t) : ctl_misused("vrrp");
}
