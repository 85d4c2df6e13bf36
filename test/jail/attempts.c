/*
 * attempts.c - what a taken-over child would try, one function each, and what must come of it in each role.
 * The table is written from DESIGN sections 1 and 6, not from jail_table.c. Called by main.c inside a jail.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "test/jail/probe.h"

#define DONE(call) ((call) < 0 ? errno : 0)

static int try_socket_tcp(const struct probe_ctx *c)
{
    (void)c;
    return DONE(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_socket_raw(const struct probe_ctx *c)
{
    (void)c;
    return DONE(socket(AF_INET, SOCK_RAW, 112));
}

static int try_socket_packet(const struct probe_ctx *c)
{
    (void)c;
    return DONE(socket(AF_PACKET, SOCK_RAW, 0));
}

static int try_socket_netlink(const struct probe_ctx *c)
{
    (void)c;
    return DONE(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int try_socket_unix(const struct probe_ctx *c)
{
    (void)c;
    return DONE(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int try_socket_vsock(const struct probe_ctx *c)
{
    (void)c;
    return DONE(socket(AF_VSOCK, SOCK_STREAM, 0));
}

static int try_connect(const struct probe_ctx *c)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)c->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    return DONE(connect(c->fd.tcp, (struct sockaddr *)&to, sizeof to));
}

static int try_listen(const struct probe_ctx *c)
{
    return DONE(listen(c->fd.tcp, 1));
}

static int try_accept(const struct probe_ctx *c)
{
    return DONE(accept4(c->fd.listener, NULL, NULL, SOCK_NONBLOCK));
}

/* The holder of a raw socket who may set this writes whole IP headers. */
static int try_hdrincl(const struct probe_ctx *c)
{
    int on = 1;
    return DONE(setsockopt(c->fd.raw, IPPROTO_IP, IP_HDRINCL, &on, sizeof on));
}

static int try_bind_packet(const struct probe_ctx *c)
{
    struct sockaddr_storage sa = { .ss_family = AF_PACKET };
    return DONE(bind(c->fd.packet, (struct sockaddr *)&sa, 20));
}

static int try_open_passwd(const struct probe_ctx *c)
{
    (void)c;
    return DONE(open("/etc/passwd", O_RDONLY));
}

/* Out of an empty root by a directory that was left open. */
static int try_open_at(const struct probe_ctx *c)
{
    return DONE(openat(c->fd.dir, "etc/passwd", O_RDONLY));
}

static int try_open_write(const struct probe_ctx *c)
{
    (void)c;
    return DONE(open("/var/tmp/holdfast-probe", O_WRONLY | O_CREAT, 0600));
}

static int try_open_append(const struct probe_ctx *c)
{
    (void)c;
    return DONE(open("/etc/hostname", O_WRONLY | O_APPEND));
}

static int try_open_truncate(const struct probe_ctx *c)
{
    (void)c; /* O_RDONLY | O_TRUNC truncates on Linux */
    return DONE(open("/etc/hostname", O_RDONLY | O_TRUNC));
}

static int try_open_tmpfile(const struct probe_ctx *c)
{
    (void)c;
    int fd = open("/tmp", O_RDWR | O_TMPFILE, 0600);
    if (fd < 0 && errno == EOPNOTSUPP) /* an overlay: no fence was asked */
        fd = open("/dev/shm", O_RDWR | O_TMPFILE, 0600);
    return DONE(fd);
}

static int try_open_proc_mem(const struct probe_ctx *c)
{
    (void)c;
    return DONE(open("/proc/1/mem", O_RDWR));
}

static int try_open_sysctl_kernel(const struct probe_ctx *c)
{
    (void)c;
    return DONE(open("/proc/sys/kernel/core_pattern", O_WRONLY));
}

static int try_open_sysctl_net(const struct probe_ctx *c)
{
    (void)c;
    return DONE(open("/proc/sys/net/ipv4/ip_forward", O_WRONLY));
}

static int try_openat2(const struct probe_ctx *c)
{
    unsigned long long how[3] = { O_RDONLY, 0, 0 };
    return DONE(syscall(SYS_openat2, c->fd.dir, "etc/passwd", how, sizeof how));
}

static int try_exec(const struct probe_ctx *c)
{
    (void)c;
    char *const argv[] = { (char *)"true", NULL };
    char *const envp[] = { NULL };
    return DONE(execve("/bin/true", argv, envp));
}

static int try_fexec(const struct probe_ctx *c)
{
    char *const argv[] = { (char *)"x", NULL };
    return DONE(syscall(SYS_execveat, c->fd.file, "", argv, argv + 1, AT_EMPTY_PATH));
}

static int try_fork(const struct probe_ctx *c)
{
    (void)c;
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return DONE(pid);
}

static int try_thread(const struct probe_ctx *c)
{
    (void)c;
    struct {
        unsigned long long flags, rest[10];
    } args = { .flags = CLONE_VM | CLONE_VFORK };
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(0);
    return DONE(pid);
}

static int try_mmap_exec(const struct probe_ctx *c)
{
    (void)c;
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}

static int try_mprotect_exec(const struct probe_ctx *c)
{
    (void)c;
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? 0 : DONE(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int try_ptrace(const struct probe_ctx *c)
{
    return DONE(ptrace(PTRACE_ATTACH, c->victim, NULL, NULL));
}

static int try_vm_write(const struct probe_ctx *c)
{
    struct iovec v = { (void *)&errno, 1 };
    return DONE(process_vm_writev(c->victim, &v, 1, &v, 1, 0));
}

static int try_kill(const struct probe_ctx *c)
{
    return DONE(kill(c->victim, SIGCONT));
}

static int try_tgkill(const struct probe_ctx *c)
{
    return DONE(syscall(SYS_tgkill, c->victim, c->victim, SIGCONT));
}

static int try_pidfd(const struct probe_ctx *c)
{
    return DONE(syscall(SYS_pidfd_open, c->victim, 0));
}

static int try_setuid(const struct probe_ctx *c)
{
    (void)c;
    return DONE(setuid(0));
}

static int try_setresgid(const struct probe_ctx *c)
{
    (void)c;
    return DONE(setresgid(0, 0, 0));
}

static int try_setgroups(const struct probe_ctx *c)
{
    (void)c;
    gid_t g = 0;
    return DONE(syscall(SYS_setgroups, 1, &g));
}

static int try_capset(const struct probe_ctx *c)
{
    (void)c;
    struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct d[2] = { { ~0u, ~0u, ~0u }, { 0x1ff, 0x1ff, 0x1ff } };
    return DONE(syscall(SYS_capset, &h, d));
}

static int try_dumpable(const struct probe_ctx *c)
{
    (void)c;
    return DONE(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

/* The parent gives scheduling (holdfast-prio); nobody takes it. */
static int try_realtime(const struct probe_ctx *c)
{
    (void)c;
    struct sched_param sp = { .sched_priority = 1 };
    return DONE(sched_setscheduler(0, SCHED_RR, &sp));
}

static int try_nicer(const struct probe_ctx *c)
{
    (void)c;
    return DONE(setpriority(PRIO_PROCESS, 0, -19));
}

static int try_affinity(const struct probe_ctx *c)
{
    (void)c;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    return DONE(sched_setaffinity(0, sizeof set, &set));
}

static int try_unshare(const struct probe_ctx *c)
{
    (void)c;
    return DONE(unshare(CLONE_NEWUSER));
}

static int try_setns(const struct probe_ctx *c)
{
    return DONE(setns(c->fd.file, 0));
}

static int try_chroot(const struct probe_ctx *c)
{
    (void)c;
    return DONE(chroot("."));
}

static int try_fchdir(const struct probe_ctx *c)
{
    return DONE(fchdir(c->fd.dir));
}

static int try_mount(const struct probe_ctx *c)
{
    (void)c;
    return DONE(mount("none", "/mnt", "tmpfs", 0, NULL));
}

static int try_unlink(const struct probe_ctx *c)
{
    (void)c;
    return DONE(unlink("/var/tmp/holdfast-probe"));
}

static int try_mkdir(const struct probe_ctx *c)
{
    (void)c;
    return DONE(mkdir("/var/tmp/holdfast-probe-dir", 0700));
}

static int try_fchmod(const struct probe_ctx *c)
{
    return DONE(fchmod(c->fd.file, 0777));
}

static int try_tiocsti(const struct probe_ctx *c)
{
    char x = 'x';
    return DONE(ioctl(c->fd.file, TIOCSTI, &x));
}

static int try_async_signal(const struct probe_ctx *c)
{
    return DONE(fcntl(c->fd.pair[0], F_SETOWN, c->victim));
}

static int try_io_uring(const struct probe_ctx *c)
{
    (void)c;
    char params[120] = { 0 };
    return DONE(syscall(SYS_io_uring_setup, 4, params));
}

static int try_bpf(const struct probe_ctx *c)
{
    (void)c;
    union bpf_attr a;
    memset(&a, 0, sizeof a);
    return DONE(syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof a));
}

static int try_keyctl(const struct probe_ctx *c)
{
    (void)c;
    return DONE(syscall(SYS_keyctl, 0, -3, 0));
}

static int try_perf(const struct probe_ctx *c)
{
    (void)c;
    char attr[128] = { 0 };
    return DONE(syscall(SYS_perf_event_open, attr, 0, -1, -1, 0));
}

static int try_memfd(const struct probe_ctx *c)
{
    (void)c;
    return DONE(memfd_create("probe", MFD_CLOEXEC));
}

static int try_limits(const struct probe_ctx *c)
{
    (void)c;
    struct rlimit l = { 10, 10 };
    return DONE(setrlimit(RLIMIT_NPROC, &l));
}

/* The x32 twin of getpid: a filter that forgets the second numbering lets everything through there. */
static int try_x32(const struct probe_ctx *c)
{
    (void)c;
    return DONE(syscall(0x40000000 | SYS_getpid));
}

#define W   PROBE_WORKED
#define DEN PROBE_DENIED
#define K   PROBE_KILLED
#define ROW(name, v, c, i, f)                                                                                \
    {                                                                                                        \
#name, try_##name,                                                                                   \
        {                                                                                                    \
            [ROLE_VRRPD] = (v), [ROLE_CHECKD] = (c), [ROLE_IPVSD] = (i), [ROLE_CONF] = (f)                   \
        }                                                                                                    \
    }

static const struct probe_case cases[] = {
    /*  attempt             vrrpd checkd ipvsd conf */
    ROW(socket_tcp, K, W, W, DEN),
    ROW(socket_raw, K, DEN, W, DEN),
    ROW(socket_packet, K, K, W, DEN),
    ROW(socket_netlink, K, K, W, DEN),
    ROW(socket_unix, K, K, K, DEN),
    ROW(socket_vsock, K, K, K, DEN),
    ROW(connect, K, W, W, DEN),
    ROW(listen, K, K, K, K),
    ROW(accept, K, K, K, K),
    ROW(hdrincl, K, K, W, K),
    ROW(bind_packet, K, W, W, K),
    ROW(open_passwd, K, K, DEN, W),
    ROW(open_at, K, K, DEN, W),
    ROW(open_write, K, K, K, K),
    ROW(open_append, K, K, DEN, K),
    ROW(open_truncate, K, K, K, K),
    ROW(open_tmpfile, K, K, DEN, K),
    ROW(open_proc_mem, K, K, DEN, K),
    ROW(open_sysctl_kernel, K, K, DEN, K),
    ROW(open_sysctl_net, K, K, W, K),
    ROW(openat2, K, K, K, K),
    ROW(exec, K, K, K, K),
    ROW(fexec, K, K, K, K),
    ROW(fork, K, K, K, K),
    ROW(thread, K, K, K, K),
    ROW(mmap_exec, K, K, K, DEN),
    ROW(mprotect_exec, K, K, K, K),
    ROW(ptrace, K, K, K, K),
    ROW(vm_write, K, K, K, K),
    ROW(kill, K, K, K, K),
    ROW(tgkill, K, K, K, K),
    ROW(pidfd, K, K, K, K),
    ROW(setuid, K, K, K, K),
    ROW(setresgid, K, K, K, K),
    ROW(setgroups, K, K, K, K),
    ROW(capset, K, K, K, DEN),
    ROW(dumpable, K, K, K, K),
    ROW(realtime, K, K, K, K),
    ROW(nicer, K, K, K, K),
    ROW(affinity, K, K, K, K),
    ROW(unshare, K, K, K, K),
    ROW(setns, K, K, K, K),
    ROW(chroot, K, K, K, K),
    ROW(fchdir, K, K, K, W),
    ROW(mount, K, K, K, K),
    ROW(unlink, K, K, K, K),
    ROW(mkdir, K, K, K, K),
    ROW(fchmod, K, K, K, K),
    ROW(tiocsti, K, K, K, K),
    ROW(async_signal, K, K, K, K),
    ROW(io_uring, K, K, K, K),
    ROW(bpf, K, K, K, K),
    ROW(keyctl, K, K, K, K),
    ROW(perf, K, K, K, K),
    ROW(memfd, K, K, K, W),
    ROW(limits, K, K, K, K),
    ROW(x32, K, K, K, K),
};

const struct probe_case *probe_attempts(size_t *n)
{
    *n = sizeof cases / sizeof cases[0];
    return cases;
}
