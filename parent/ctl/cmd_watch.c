/*
 * cmd_watch.c - holdctl watch: the screen of status, live. It is drawn anew at every event the daemon tells
 * (it is not polled for them) and once a second for the clocks; on the terminal's other screen, so that what
 * was there comes back however it ends.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "common/err.h"
#include "parent/ctl/show.h"

#define WATCH_EVERY_MS 1000
#define WATCH_ENTER    "\033[?1049h\033[?25l"
#define WATCH_LEAVE    "\033[?25h\033[?1049l"

struct watch {
    struct ctl *c;     /* asks for the status */
    struct ctl events; /* hears of events */
    struct termios was;
    int signals;
};

static void watch_put(const char *s)
{
    for (size_t n = strlen(s); n > 0;) {
        ssize_t w = write(STDOUT_FILENO, s, n);
        if (w <= 0)
            return;
        s += w;
        n -= (size_t)w;
    }
}

static int watch_enter(struct watch *w)
{
    struct termios t;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGWINCH);
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &w->was) < 0)
        return ctl_lost("watch draws on a terminal; for a pipe there is: holdctl events --follow --json");
    sigprocmask(SIG_BLOCK, &set, NULL);
    w->signals = signalfd(-1, &set, SFD_CLOEXEC);
    t = w->was;
    t.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &t);
    watch_put(WATCH_ENTER);
    return 0;
}

static void watch_leave(const struct watch *w)
{
    watch_put(WATCH_LEAVE);
    tcsetattr(STDIN_FILENO, TCSANOW, &w->was);
    close(w->signals);
}

/* Lines that do not fit are left out; each is cleared to its end, so nothing flickers. */
static void watch_draw_text(const char *text, size_t rows)
{
    char *out = NULL;
    size_t len, row = 0;
    FILE *f = open_memstream(&out, &len);
    if (f == NULL)
        return;
    fputs("\033[H", f);
    for (const char *p = text, *nl; *p != '\0' && row + 1 < rows; p = nl + 1, row++) {
        nl = strchr(p, '\n');
        if (nl == NULL)
            break;
        fprintf(f, "%.*s\033[K\r\n", (int)(nl - p), p);
    }
    fputs("\033[J\033[2mq leaves\033[0m", f);
    fclose(f);
    watch_put(out);
    free(out);
}

static int watch_draw(struct watch *w)
{
    struct doc d = { 0 };
    struct out o, screen;
    char *text = NULL;
    size_t len;
    int rc = show_fetch(w->c, &d);
    out_init(&screen, stdout);
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        fatal("out of memory");
    o = screen;
    o.f = f;
    if (rc == 0)
        show_screen(&d, &o);
    if (fclose(f) != 0)
        fatal("out of memory");
    if (rc == 0)
        watch_draw_text(text, screen.height > 1 ? screen.height : 24);
    free(text);
    doc_free(&d);
    return rc;
}

static int watch_subscribe(struct watch *w)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_EVENTS, .since = UINT64_MAX - 1, .follow = 1 };
    int rc = ctl_connect_for(&w->events, CTL_VERB_EVENTS);
    if (rc == 0 && ctl_send(&w->events, &r) < 0)
        rc = ctl_lost("the request cannot be sent");
    return rc;
}

/* 1: go on; 0: the user wants to leave; -1: the daemon has left. */
static int watch_wait(const struct watch *w)
{
    struct pollfd p[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                          { .fd = w->signals, .events = POLLIN },
                          { .fd = w->events.fd, .events = POLLIN } };
    struct signalfd_siginfo si;
    struct msg_ctl_reply part;
    char key;
    if (poll(p, 3, WATCH_EVERY_MS) <= 0)
        return 1;
    if (p[0].revents != 0 && (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q'))
        return 0;
    if (p[1].revents != 0 && read(w->signals, &si, sizeof si) == sizeof si)
        return si.ssi_signo == SIGWINCH;
    /* what it says is read and thrown away: the status has it */
    for (ssize_t n = 1; p[2].revents != 0 && n > 0;)
        if ((n = recv(w->events.fd, &part, sizeof part, MSG_DONTWAIT)) == 0)
            return -1;
    return 1;
}

int cmd_watch(struct ctl *c, int argc, char **argv)
{
    struct watch w = { .c = c, .events = { .socket = c->socket, .fd = -1 } };
    (void)argv;
    if (argc != 0)
        return ctl_misused("watch");
    int rc = watch_subscribe(&w);
    if (rc == 0)
        rc = watch_enter(&w);
    if (rc != 0)
        return rc;
    int go = 1;
    while (go > 0 && (rc = watch_draw(&w)) == 0)
        go = watch_wait(&w);
    watch_leave(&w);
    return go < 0 ? ctl_lost("the daemon has ended") : rc;
}
