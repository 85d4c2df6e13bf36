/*
 * controls.c - what each role must be able to do in its jail, or the attempts would prove nothing; and each
 * layer by itself: Landlock without seccomp in front of it, the report against a table that was tampered
 * with.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/chan.h"
#include "common/err.h"
#include "common/ev.h"
#include "common/jail.h"
#include "common/jail_table.h"
#include "test/jail/probe.h"

static void loop_fired(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t, (void)now;
    ev_stop(arg, 7);
}

static void loop_signal(int signo, void *arg)
{
    (void)signo, (void)arg;
}

/* Event loop, timer, signalfd, and a message through a channel with a descriptor. */
static int can_loop(const struct probe_ctx *c)
{
    struct ev *ev = ev_new(NULL);
    struct ev_timer t = { 0 };
    ev_timer_init(&t, loop_fired, ev);
    ev_timer_in(ev, &t, 2 * NS_PER_MS);
    if (ev_signal_add(ev, SIGTERM, loop_signal, NULL) < 0)
        return errno;
    const struct chan_ops ops = { NULL, NULL };
    int end = fcntl(c->fd.pair[0], F_DUPFD_CLOEXEC, 10);
    struct chan *ch = chan_new(ev, end, ROLE_VRRPD, ROLE_PARENT, &ops, NULL);
    struct msg_pong pong = { .nonce = 7 };
    if (end < 0 || chan_send(ch, MSG_pong, &pong, NULL, 0) < 0 || chan_flush_wait(ch, 100) < 0)
        return EIO;
    char buf[PROTO_MAX_SIZE];
    if (read(c->fd.pair[1], buf, sizeof buf) <= 0)
        return errno;
    return ev_run(ev) == 7 ? 0 : EIO;
}

static int cmp_bytes(const void *a, const void *b)
{
    return *(const unsigned char *)a - *(const unsigned char *)b;
}

/* The heap in all its sizes, and glibc's helpers that talk to the kernel behind one's back. */
static int can_compute(const struct probe_ctx *c)
{
    (void)c;
    for (size_t n = 16; n <= 32u << 20; n *= 4) {
        unsigned char *p = malloc(n);
        if (p == NULL)
            return ENOMEM;
        memset(p, (int)n, n);
        p = realloc(p, n * 2);
        if (p == NULL)
            return ENOMEM;
        free(p);
    }
    unsigned char *v = calloc(1, 1 << 16);
    qsort(v, 1 << 16, 1, cmp_bytes);
    free(v);
    char text[64];
    snprintf(text, sizeof text, "%g %s\n", 0.5, strerror(ENOENT));
    printf("%s", ""); /* stdio sizes up its stream */
    fflush(stdout);
    struct stat st;
    return fstat(0, &st) < 0 ? errno : 0;
}

static int can_abort(const struct probe_ctx *c)
{
    (void)c;
    close(STDERR_FILENO);
    abort();
}

static int can_assert(const struct probe_ctx *c)
{
    close(STDERR_FILENO);
    assert(c == NULL);
    return 0;
}

static int can_fatal(const struct probe_ctx *c)
{
    close(STDERR_FILENO);
    fatal("probe: %d", c->port);
}

static int can_send_raw(const struct probe_ctx *c)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char text[] = "advert", in[256];
    struct iovec iov = { text, sizeof text };
    struct mmsghdr m = { .msg_hdr = {
                             .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &iov, .msg_iovlen = 1 } };
    if (sendmmsg(c->fd.raw, &m, 1, 0) != 1)
        return errno;
    iov = (struct iovec){ in, sizeof in };
    m.msg_hdr.msg_name = NULL;
    m.msg_hdr.msg_namelen = 0;
    if (recvmmsg(c->fd.raw, &m, 1, 0, NULL) != 1)
        return errno;
    return m.msg_len == sizeof(struct iphdr) + sizeof text ? 0 : EIO;
}

static int can_seal(const struct probe_ctx *c)
{
    (void)c;
    int fd = memfd_create("probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, 4096) < 0 || pwrite(fd, "x", 1, 0) != 1)
        return errno;
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0 ? errno : 0;
}

static int can_write_sysctl(const struct probe_ctx *c)
{
    (void)c;
    int fd = open("/proc/sys/net/ipv4/conf/lo/promote_secondaries", O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, "1", 1) != 1 ? errno : 0;
}

/* An address on lo, said in netlink. */
static int can_netlink(const struct probe_ctx *c)
{
    (void)c;
    struct {
        struct nlmsghdr h;
        struct ifaddrmsg a;
        struct rtattr at;
        unsigned char addr[4];
    } m = {
        .h = { .nlmsg_len = sizeof m, .nlmsg_type = RTM_NEWADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
        .a = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1 },
        .at = { .rta_len = 8, .rta_type = IFA_LOCAL }
    };
    m.h.nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
    const unsigned char addr[4] = { 127, 0, 0, 9 };
    memcpy(m.addr, addr, sizeof addr);
    struct {
        struct nlmsghdr h;
        struct nlmsgerr e;
        char rest[256];
    } answer;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || send(fd, &m, sizeof m, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0)
        return errno;
    return answer.h.nlmsg_type == NLMSG_ERROR ? -answer.e.error : EPROTO;
}

#define W PROBE_WORKED
#define K PROBE_KILLED
#define D PROBE_DENIED
#define A PROBE_ABORT
#define ROW(name, v, c, i, f)                                                                                \
    {                                                                                                        \
#name, can_##name,                                                                                   \
        {                                                                                                    \
            [ROLE_VRRPD] = (v), [ROLE_CHECKD] = (c), [ROLE_IPVSD] = (i), [ROLE_CONF] = (f)                   \
        }                                                                                                    \
    }

const struct probe_case *probe_controls(size_t *n)
{
    static const struct probe_case cases[] = {
        ROW(loop, W, W, W, W),   ROW(compute, W, W, W, W),      ROW(abort, A, A, A, A),
        ROW(assert, A, A, A, A), ROW(fatal, A, A, A, A),        ROW(send_raw, W, W, W, W),
        ROW(seal, K, K, K, W),   ROW(write_sysctl, K, K, W, K), ROW(netlink, K, K, W, D),
    };
    *n = sizeof cases / sizeof cases[0];
    return cases;
}

struct layer_case {
    enum role role;
    const char *path;
    int flags;
    int want; /* 0 or errno */
};

static int layer_child(const struct layer_case *l)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        jail_landlock_apply(jail_row(l->role), jail_landlock_abi()) < 0)
        return 255;
    int fd = open(l->path, l->flags, 0600);
    return fd < 0 ? errno : 0;
}

int probe_layers(void)
{
    static const struct layer_case cases[] = {
        { ROLE_VRRPD, "/", O_RDONLY, EACCES },
        { ROLE_VRRPD, "/etc/passwd", O_RDONLY, EACCES },
        { ROLE_CHECKD, "/etc/passwd", O_RDONLY, EACCES },
        { ROLE_IPVSD, "/etc/passwd", O_RDONLY, EACCES },
        { ROLE_IPVSD, "/proc/sys/kernel/hostname", O_WRONLY, EACCES },
        { ROLE_IPVSD, "/proc/sys/net/ipv4/ip_forward", O_RDWR, 0 },
        { ROLE_IPVSD, "/proc/1/stat", O_RDONLY, 0 }, /* processes are counted */
        { ROLE_IPVSD, "/proc", O_RDONLY | O_DIRECTORY, 0 },
        { ROLE_IPVSD, "/proc/self/comm", O_WRONLY, EACCES },
        { ROLE_CONF, "/etc/passwd", O_RDONLY, 0 },
        { ROLE_CONF, "/etc", O_RDONLY | O_DIRECTORY, 0 },
        { ROLE_CONF, "/etc/passwd", O_RDWR, EACCES },
        { ROLE_CONF, "/var/tmp/holdfast-probe", O_WRONLY | O_CREAT, EACCES },
    };
    int failed = 0;
    if (jail_landlock_abi() == 0) {
        printf("SKIP landlock: this kernel has none\n");
        return 0;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[128], why[64];
        int st = 0;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            _exit(layer_child(&cases[i]));
        waitpid(pid, &st, 0);
        snprintf(name, sizeof name, "landlock-alone%s-%s", cases[i].path,
                 (cases[i].flags & O_ACCMODE) == O_RDONLY ? "read" : "write");
        snprintf(why, sizeof why, "status 0x%x instead of %s", st, cases[i].want == 0 ? "success" : "EACCES");
        failed +=
            probe_say(WIFEXITED(st) && WEXITSTATUS(st) == cases[i].want, role_name(cases[i].role), name, why);
    }
    return failed;
}

#define FIELD(f)                                                                                             \
    {                                                                                                        \
#f, offsetof(struct msg_ready, f), sizeof((struct msg_ready *)0)->f                                  \
    }

/* A report that differs in any one field must be refused. */
static int report_altered(enum role r, const struct msg_ready *good)
{
    static const struct {
        const char *name;
        size_t at, size;
    } fields[] = {
        FIELD(uid),           FIELD(gid),          FIELD(groups),          FIELD(cap_effective),
        FIELD(cap_permitted), FIELD(cap_bounding), FIELD(cap_inheritable), FIELD(cap_ambient),
        FIELD(no_new_privs),  FIELD(dumpable),     FIELD(seccomp),         FIELD(own_netns),
        FIELD(empty_root),    FIELD(nofile),       FIELD(nproc),
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct msg_ready m = *good;
        char name[64], why[256];
        /* the top byte of a limit (more than the table gives), the lowest of anything else */
        size_t byte = strcmp(fields[i].name, "nofile") == 0 ? fields[i].size - 1 : 0;
        ((unsigned char *)&m)[fields[i].at + byte] ^= 1;
        snprintf(name, sizeof name, "report-altered-%s", fields[i].name);
        failed += probe_say(jail_verify(r, &m, why, sizeof why) < 0, role_name(r), name, "was accepted");
    }
    return failed;
}

/* The true report of a role, sent back through a pipe by a process in its jail. */
static int report_true(enum role r, struct msg_ready *m)
{
    int p[2], st = 0;
    if (pipe(p) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        const struct jail_opts o = { .keep_fds = &p[1], .nkeep = 1 };
        struct msg_ready mine;
        jail_enter(r, &o, &mine);
        _exit(write(p[1], &mine, sizeof mine) == sizeof mine ? 0 : 1);
    }
    close(p[1]);
    ssize_t n = read(p[0], m, sizeof *m);
    close(p[0]);
    waitpid(pid, &st, 0);
    return st == 0 && n == (ssize_t)sizeof *m ? 0 : -1;
}

/* DESIGN section 1, said a second time: a table that was loosened must not verify itself. */
static int report_is_design(enum role r, const struct msg_ready *m)
{
    static const struct {
        uint64_t caps;
        int own_netns, empty_root;
    } design[ROLE_MAX] = {
        [ROLE_VRRPD] = { 0, 1, 1 },
        [ROLE_CHECKD] = { 0, 0, 1 },
        [ROLE_IPVSD] = { 1u << 10 | 1u << 12 | 1u << 13, 0, 0 }, /* NET_BIND_SERVICE, NET_ADMIN, NET_RAW */
        [ROLE_CONF] = { 0, 0, 0 },
    };
    return m->cap_effective == design[r].caps && m->cap_permitted == design[r].caps &&
           m->cap_bounding == design[r].caps && m->own_netns == design[r].own_netns &&
           m->empty_root == design[r].empty_root && m->uid != 0 && m->gid != 0 && m->groups == 0 &&
           m->seccomp == 2;
}

int probe_reports(void)
{
    int failed = 0;
    for (enum role r = ROLE_VRRPD; r <= ROLE_CONF; r++) {
        struct msg_ready m;
        char why[256] = "no report came";
        fflush(stdout);
        int ok = report_true(r, &m) == 0 && jail_verify(r, &m, why, sizeof why) == 0;
        failed += probe_say(ok, role_name(r), "report-true", why);
        if (!ok)
            continue;
        failed += probe_say(report_is_design(r, &m), role_name(r), "report-is-design",
                            "differs from DESIGN section 1");
        failed += report_altered(r, &m);
    }
    return failed;
}
