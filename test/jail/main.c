/*
 * main.c - jail-probe: for each role, each attempt and each control in a process of its own inside that
 * role's jail. One line a test. Run by test/jail/run.py as root in a fresh network namespace (lo up, a victim
 * process for signals).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/chan.h"
#include "common/err.h"
#include "common/jail.h"
#include "test/jail/probe.h"

#define SECRET "/run/holdfast-probe-secret"

int probe_say(int ok, const char *role, const char *name, const char *why)
{
    if (ok)
        printf("PASS %s/%s\n", role, name);
    else
        printf("FAIL %s/%s: %s\n", role, name, why);
    return !ok;
}

static const char *end_name(enum probe_end e)
{
    static const char *const names[] = { "worked", "was denied", "was killed by seccomp", "aborted",
                                         "ended in another way" };
    return names[e];
}

static enum probe_end probe_judge(int status, int got, int error)
{
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS    ? PROBE_KILLED
               : WTERMSIG(status) == SIGABRT ? PROBE_ABORT
                                             : PROBE_OTHER;
    if (!got || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return PROBE_OTHER;
    if (error == 0)
        return PROBE_WORKED;
    return error == EPERM || error == EACCES ? PROBE_DENIED : PROBE_OTHER;
}

static _Noreturn void probe_child(enum role r, const struct probe_case *pc, struct probe_ctx *c)
{
    const int keep[] = { c->fd.report, c->fd.pair[0], c->fd.pair[1], c->fd.raw,     c->fd.tcp,
                         c->fd.packet, c->fd.file,    c->fd.dir,     c->fd.listener };
    const struct jail_opts o = { .keep_fds = keep, .nkeep = sizeof keep / sizeof keep[0] };
    jail_enter(r, &o, NULL);
    int error = pc->fn(c);
    _exit(write(c->fd.report, &error, sizeof error) == sizeof error ? 0 : 1);
}

static int probe_one(enum role r, const struct probe_case *pc, const struct probe_ctx *base)
{
    struct probe_ctx c = *base;
    int p[2], status = 0, error = -1;
    if (pipe(p) < 0 || chan_pair(c.fd.pair) < 0)
        return probe_say(0, role_name(r), pc->name, strerror(errno));
    c.fd.report = p[1];
    c.fd.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c.fd.raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 253);
    c.fd.packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        probe_child(r, pc, &c);
    close(p[1]);
    int got = read(p[0], &error, sizeof error) == sizeof error;
    waitpid(pid, &status, 0);
    const int done[] = { p[0], c.fd.pair[0], c.fd.pair[1], c.fd.tcp, c.fd.raw, c.fd.packet };
    for (size_t i = 0; i < sizeof done / sizeof done[0]; i++)
        close(done[i]);
    enum probe_end end = probe_judge(status, got, error);
    char why[160];
    snprintf(why, sizeof why, "%s (status 0x%x, %s); must be: %s", end_name(end), (unsigned int)status,
             got ? strerror(error) : "no answer", end_name(pc->want[r]));
    return probe_say(end == pc->want[r], role_name(r), pc->name, why);
}

static int probe_listen(struct probe_ctx *c)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sa;
    c->fd.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(c->fd.listener, (struct sockaddr *)&sa, len) < 0 || listen(c->fd.listener, 64) < 0 ||
        getsockname(c->fd.listener, (struct sockaddr *)&sa, &len) < 0)
        return -1;
    c->port = ntohs(sa.sin_port);
    return 0;
}

/* Reading a root-only file: with CAP_DAC_READ_SEARCH kept, after dropping it, and never having had it. */
static int probe_dac_child(int keep, int drop)
{
    const struct jail_opts o = { .keep_dac_read = keep };
    jail_enter(ROLE_CONF, &o, NULL);
    if (drop)
        jail_drop_dac();
    return open(SECRET, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

static int probe_dac(void)
{
    static const struct {
        const char *name;
        int keep, drop, want;
    } cases[] = { { "dac-kept-reads", 1, 0, 0 },
                  { "dac-dropped-does-not", 1, 1, EACCES },
                  { "dac-never-had-does-not", 0, 0, EACCES } };
    int failed = 0;
    close(open(SECRET, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int st = 0;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            _exit(probe_dac_child(cases[i].keep, cases[i].drop));
        waitpid(pid, &st, 0);
        char why[64];
        snprintf(why, sizeof why, "status 0x%x", (unsigned int)st);
        failed += probe_say(WIFEXITED(st) && WEXITSTATUS(st) == cases[i].want, "conf", cases[i].name, why);
    }
    unlink(SECRET);
    return failed;
}

static int cache_open_sysctl(void)
{
    int fd = open("/proc/sys/net/ipv4/ip_forward", O_RDWR | O_CLOEXEC);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

/* ipvsd's Landlock rule hangs on an inode of /proc that the kernel may drop from its cache and make anew. */
static int probe_cache_child(int told, int go)
{
    const int keep[] = { told, go };
    const struct jail_opts o = { .keep_fds = keep, .nkeep = 2 };
    char c;
    jail_enter(ROLE_IPVSD, &o, NULL);
    int before = cache_open_sysctl();
    if (before != 0 || write(told, "x", 1) != 1 || read(go, &c, 1) != 1)
        return 255;
    return cache_open_sysctl();
}

static int probe_cache(void)
{
    static const char name[] = "sysctl-after-the-kernel-dropped-its-cache";
    int told[2], go[2], st = 0;
    int drop = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    if (drop < 0) {
        printf("SKIP ipvsd/%s: cannot drop caches here: %s\n", name, strerror(errno));
        return 0;
    }
    if (pipe(told) < 0 || pipe(go) < 0)
        return probe_say(0, "ipvsd", name, strerror(errno));
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(probe_cache_child(told[1], go[0]));
    char c, why[64];
    close(told[1]); /* so that a child that died is not waited for */
    int ok = read(told[0], &c, 1) == 1 && write(drop, "2", 1) == 1 && write(go[1], "x", 1) == 1;
    waitpid(pid, &st, 0);
    close(told[0]);
    close(go[0]);
    close(go[1]);
    close(drop);
    snprintf(why, sizeof why, "status 0x%x", (unsigned int)st);
    return probe_say(ok && st == 0, "ipvsd", name, why);
}

static int probe_all(const struct probe_case *cases, size_t n, const struct probe_ctx *c)
{
    int failed = 0;
    for (enum role r = ROLE_VRRPD; r <= ROLE_CONF; r++)
        for (size_t i = 0; i < n; i++)
            failed += probe_one(r, &cases[i], c);
    return failed;
}

int main(void)
{
    struct err e;
    struct probe_ctx c = { 0 };
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (jail_prepare(&e) < 0) {
        printf("FAIL prepare: %s\n", e.text);
        return 1;
    }
    c.fd.file = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
    c.fd.dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    c.victim = fork();
    if (c.victim == 0) {
        pause();
        _exit(0);
    }
    int failed = probe_listen(&c) < 0 ? probe_say(0, "probe", "listener", strerror(errno)) : 0;
    size_t n;
    const struct probe_case *cases = probe_controls(&n);
    failed += probe_all(cases, n, &c);
    cases = probe_attempts(&n);
    failed += probe_all(cases, n, &c);
    failed += probe_dac();
    failed += probe_cache();
    failed += probe_layers();
    failed += probe_reports();
    kill(c.victim, SIGKILL);
    waitpid(c.victim, NULL, 0);
    return failed != 0;
}
