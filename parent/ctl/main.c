/*
 * main.c of holdctl, the operator's tool. Runs as the caller, speaks the one message protocol with the parent
 * over its control socket and waits for the answer. `check` becomes holdfast -t.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/proto.h"
#include "parent/ctl/render.h"

#define CTL_SOCKET      "/run/holdfast/control"
#define CTL_WAIT_MS     150000 /* a reload of a huge configuration */
#define CTL_STOP_MS     20000
#define CTL_FAILED      1
#define CTL_NOT_RUNNING 3 /* as init scripts say "not running" */

struct ctl {
    const char *socket;
    bool json;
    int fd;
};

static int ctl_usage(int fd, int status)
{
    dprintf(fd,
            "Usage: holdctl [--json] [-s SOCKET] COMMAND\n"
            "  status               processes, jails, instances, last reload\n"
            "  reload               read the configuration again and say what came of it\n"
            "  restart ROLE         replace vrrpd, checkd or ipvsd by a new process, unseen from outside\n"
            "  stop                 orderly stop of the daemon\n"
            "  check [OPTIONS]      holdfast -t OPTIONS\n"
            "  -s SOCKET            control socket of the daemon (default " CTL_SOCKET ")\n");
    return status;
}

static int ctl_connect(struct ctl *c)
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

static int ctl_send(const struct ctl *c, const struct msg_ctl_request *r)
{
    uint8_t buf[PROTO_MAX_SIZE];
    int n = proto_encode(MSG_ctl_request, r, 1, 0, 0, buf, sizeof buf);
    return n > 0 && send(c->fd, buf, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -1;
}

static int ctl_lost(const char *what)
{
    dprintf(STDERR_FILENO, "holdctl: %s\n", what);
    return CTL_FAILED;
}

/* The whole answer into text (grown); its exit status in *status. 0, or an exit status of our own. */
static int ctl_receive(const struct ctl *c, char **text, int *status)
{
    size_t len = 0;
    *text = xcalloc(1, 1);
    for (;;) {
        uint8_t buf[PROTO_MAX_SIZE];
        struct msg_header h;
        union msg_any m;
        struct pollfd p = { .fd = c->fd, .events = POLLIN };
        if (poll(&p, 1, CTL_WAIT_MS) <= 0)
            return ctl_lost("the daemon does not answer");
        ssize_t n = recv(c->fd, buf, sizeof buf, 0);
        if (n <= 0)
            return ctl_lost("the daemon closed the connection (only root may ask; or it was stopped)");
        if (proto_decode(buf, (size_t)n, ROLE_PARENT, ROLE_CTL, 0, &h, &m) != PROTO_OK ||
            h.type != MSG_ctl_reply)
            return ctl_lost("the daemon's answer is not understood: is holdctl of the same version?");
        *text = xrealloc(*text, len + m.ctl_reply.text_len + 1);
        memcpy(*text + len, m.ctl_reply.text, m.ctl_reply.text_len);
        len += m.ctl_reply.text_len;
        (*text)[len] = '\0';
        *status = m.ctl_reply.status;
        if (m.ctl_reply.last)
            return 0;
    }
}

static void ctl_print(const char *text)
{
    fputs(text, stdout);
    fflush(stdout);
}

/* The daemon keeps the connection until the very end. */
static void ctl_wait_gone(const struct ctl *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    poll(&p, 1, CTL_STOP_MS);
}

static int ctl_ask(struct ctl *c, const struct msg_ctl_request *r)
{
    char *text = NULL;
    int status = 0, rc = ctl_connect(c);
    if (rc != 0)
        return rc;
    if (ctl_send(c, r) < 0)
        return ctl_lost("the request cannot be sent");
    rc = ctl_receive(c, &text, &status);
    if (rc != 0) {
        free(text);
        return rc;
    }
    if (r->verb == CTL_VERB_STATUS) {
        char *out = c->json ? render_json(text) : render_people(text);
        ctl_print(out);
        free(out);
    } else {
        ctl_print(text);
        if (r->verb == CTL_VERB_STOP)
            ctl_wait_gone(c);
        if (r->verb == CTL_VERB_RELOAD && status == 0)
            ctl_print("reload complete\n");
    }
    free(text);
    return status;
}

/* holdfast lives beside us, in the build tree as installed. */
static int ctl_check(int argc, char **argv, bool json)
{
    char path[PATH_MAX];
    char **v = xcalloc((size_t)argc + 4, sizeof *v);
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);
    if (n <= 0)
        return ctl_lost("/proc is not mounted");
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    strcpy(slash != NULL ? slash + 1 : path, "holdfast");
    int k = 0;
    v[k++] = path;
    v[k++] = xstrdup("-t");
    if (json)
        v[k++] = xstrdup("--json");
    for (int i = 0; i < argc; i++)
        v[k++] = argv[i];
    execv(path, v);
    dprintf(STDERR_FILENO, "holdctl: %s cannot be run: %s\n", path, strerror(errno));
    return CTL_FAILED;
}

static int ctl_restart(struct ctl *c, int argc, char **argv)
{
    enum role role;
    if (argc != 1 || role_parse(argv[0], &role) < 0 || role < ROLE_VRRPD || role > ROLE_IPVSD) {
        dprintf(STDERR_FILENO, "holdctl: restart takes one of vrrpd, checkd, ipvsd\n");
        return CTL_FAILED;
    }
    struct msg_ctl_request r = { .verb = CTL_VERB_RESTART, .role = (uint8_t)role };
    return ctl_ask(c, &r);
}

static int ctl_command(struct ctl *c, int argc, char **argv)
{
    static const struct {
        const char *word;
        enum ctl_verb verb;
    } verbs[] = { { "status", CTL_VERB_STATUS }, { "reload", CTL_VERB_RELOAD }, { "stop", CTL_VERB_STOP } };
    if (strcmp(argv[0], "check") == 0)
        return ctl_check(argc - 1, argv + 1, c->json);
    if (strcmp(argv[0], "restart") == 0)
        return ctl_restart(c, argc - 1, argv + 1);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(argv[0], verbs[i].word) != 0)
            continue;
        struct msg_ctl_request r = { .verb = (uint8_t)verbs[i].verb, .json = c->json };
        return argc == 1 ? ctl_ask(c, &r) : ctl_usage(STDERR_FILENO, CTL_FAILED);
    }
    dprintf(STDERR_FILENO, "holdctl: unknown command '%s'\n", argv[0]);
    return ctl_usage(STDERR_FILENO, CTL_FAILED);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "json", no_argument, NULL, 'j' },
        { "socket", required_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct ctl c = { .socket = CTL_SOCKET, .fd = -1 };
    for (int o; (o = getopt_long(argc, argv, "+js:h", longs, NULL)) != -1;) {
        switch (o) {
        case 'j': c.json = true; break;
        case 's': c.socket = optarg; break;
        case 'h': return ctl_usage(STDOUT_FILENO, 0);
        default: return ctl_usage(STDERR_FILENO, CTL_FAILED);
        }
    }
    if (optind >= argc)
        return ctl_usage(STDERR_FILENO, CTL_FAILED);
    return ctl_command(&c, argc - optind, argv + optind);
}
