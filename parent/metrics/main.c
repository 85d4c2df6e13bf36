/*
 * main.c - holdfast-metrics: the metrics over HTTP, on a unix socket or a loopback address. A program of its
 * own beside the daemon: it asks on the read-only socket, and no process of the daemon knows it. Started as
 * root it becomes _holdfast_metrics; in any case it keeps no capability, no file system to write, no other
 * system call than it needs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/jail_client.h"
#include "parent/ctl/metrics.h"
#include "parent/metrics/serve.h"

#define METRICS_LISTEN "127.0.0.1:9650"
#define METRICS_USER   "_holdfast_metrics"

#define CALL(name)                                                                                           \
    {                                                                                                        \
        .nr = SCMP_SYS(name)                                                                                 \
    }

static int metrics_die(const char *what, const char *help)
{
    int saved = errno;
    dprintf(STDERR_FILENO, "holdfast-metrics: %s: %s%s%s\n", what, strerror(saved),
            help[0] != '\0' ? "; " : "", help);
    return 1;
}

/* ---- the socket */

static int metrics_listen_unix(const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    struct stat st;
    errno = ENAMETOOLONG;
    if (strlen(path) >= sizeof sa.sun_path)
        return -1;
    memcpy(sa.sun_path, path, strlen(path) + 1);
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path); /* of a former life; anything else is not ours to remove */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0117);
    int rc = fd >= 0 ? bind(fd, (struct sockaddr *)&sa, sizeof sa) : -1;
    umask(old);
    return rc == 0 && listen(fd, 16) == 0 ? fd : -1;
}

static bool metrics_is_loopback(const struct ipaddr *a)
{
    static const uint8_t six[16] = { [15] = 1 };
    return a->family == 4 ? a->b[0] == 127 : memcmp(a->b, six, sizeof six) == 0;
}

static int metrics_listen_tcp(const char *where, bool anywhere)
{
    char host[IPADDR_STRLEN];
    struct sockaddr_storage ss;
    struct ipaddr a;
    const char *colon = strrchr(where, ':'), *from = where;
    size_t n = colon != NULL ? (size_t)(colon - where) : 0;
    long port = colon != NULL ? strtol(colon + 1, NULL, 10) : 0;
    if (n > 1 && where[0] == '[' && where[n - 1] == ']') {
        from = where + 1;
        n -= 2;
    }
    errno = EINVAL;
    if (n == 0 || n >= sizeof host || port < 1 || port > 65535)
        return -1;
    memcpy(host, from, n);
    host[n] = '\0';
    if (ipaddr_parse(host, &a) < 0)
        return -1;
    errno = EPERM;
    if (!metrics_is_loopback(&a) && !anywhere)
        return -1;
    socklen_t len = ipaddr_sockaddr(&a, (uint16_t)port, 0, &ss);
    int fd = socket(ipaddr_af(&a), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, 16) < 0)
        return -1;
    return fd;
}

/* ---- the jail */

static int metrics_fence(void)
{
    /* jail_seccomp.c adds what every loop over descriptors needs */
    static const struct jail_rule rules[] = {
        { .nr = SCMP_SYS(socket), .ncmp = 1, .cmp = { { 0, SCMP_CMP_EQ, AF_UNIX, 0 } } },
        CALL(connect),
        CALL(accept4),
        CALL(shutdown),
    };
    return jail_client_fence(METRICS_USER, rules, sizeof rules / sizeof rules[0]);
}

static int metrics_usage(int status)
{
    dprintf(status == 0 ? STDOUT_FILENO : STDERR_FILENO,
            "Usage: holdfast-metrics [-l ADDRESS:PORT | -l unix:PATH] [-s SOCKET]\n"
            "  -l  where scrapers call (default " METRICS_LISTEN "); loopback only, unless\n"
            "  --anywhere   says that the figures may be seen by whoever reaches the address\n"
            "  -s  read-only socket of the daemon (default " METRICS_SOCKET ")\n");
    return status;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = { { "listen", required_argument, NULL, 'l' },
                                           { "socket", required_argument, NULL, 's' },
                                           { "anywhere", no_argument, NULL, 'A' },
                                           { "help", no_argument, NULL, 'h' },
                                           { NULL, 0, NULL, 0 } };
    const char *where = METRICS_LISTEN;
    struct serve_opts o = { .daemon = METRICS_SOCKET };
    bool anywhere = false;
    for (int k; (k = getopt_long(argc, argv, "l:s:h", longs, NULL)) != -1;) {
        switch (k) {
        case 'l': where = optarg; break;
        case 's': o.daemon = optarg; break;
        case 'A': anywhere = true; break;
        case 'h': return metrics_usage(0);
        default: return metrics_usage(2);
        }
    }
    if (optind != argc)
        return metrics_usage(2);
    signal(SIGPIPE, SIG_IGN);
    o.listener = strncmp(where, "unix:", 5) == 0 ? metrics_listen_unix(where + 5)
                                                 : metrics_listen_tcp(where, anywhere);
    if (o.listener < 0)
        return metrics_die(where,
                           errno == EPERM ? "not a loopback address: say --anywhere if you mean it" : "");
    if (jail_client_drop_root(METRICS_USER) < 0)
        return metrics_die("cannot become " METRICS_USER, "systemd-sysusers makes the user");
    if (metrics_fence() < 0)
        return metrics_die("the jail cannot be built", "");
    return serve_run(&o);
}
