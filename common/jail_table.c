/*
 * jail_table.c - the one table: a row a role, exactly DESIGN sections 1 and 6. Data only, trusts nothing,
 * used by the other jail files. A syscall belongs here when the role needs it for its work; killing is the
 * answer to every other.
 */
#include "common/jail_table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common/compat.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

#define CALL(name)                                                                                           \
    {                                                                                                        \
        .nr = SCMP_SYS(name)                                                                                 \
    }
/* argument n, masked, is exactly v */
#define CALL_MASK(name, n, mask, v)                                                                          \
    {                                                                                                        \
        .nr = SCMP_SYS(name), .ncmp = 1, .cmp = { { (n), SCMP_CMP_MASKED_EQ, (mask), (v) } }                 \
    }
#define CALL_EQ(name, n, v)                                                                                  \
    {                                                                                                        \
        .nr = SCMP_SYS(name), .ncmp = 1, .cmp = { { (n), SCMP_CMP_EQ, (v), 0 } }                             \
    }
#define FAIL(name, err)                                                                                      \
    {                                                                                                        \
        .nr = SCMP_SYS(name), .error = (err)                                                                 \
    }

#define INET(family, kind)                                                                                   \
    {                                                                                                        \
        .nr = SCMP_SYS(socket), .ncmp = 2, .cmp = {                                                          \
            { 0, SCMP_CMP_EQ, (family), 0 },                                                                 \
            { 1, SCMP_CMP_MASKED_EQ, SOCK_KIND, (kind) }                                                     \
        }                                                                                                    \
    }
#define OPEN_WRITING ((scmp_datum_t)(O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY)))
#define SOCK_KIND    UINT64_C(0xf)

/* An event loop over descriptors that were given: what every child is. */
static const struct jail_rule rules_common[] = {
    CALL(read),
    CALL(readv),
    CALL(write),
    CALL(writev),
    CALL(pread64),
    CALL(lseek),
    CALL(close),
    CALL_MASK(newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH), /* how glibc spells fstat */
    CALL(fstat),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(epoll_pwait2),
    CALL(sched_getaffinity), /* are we alone on a processor? see ev_brace */
    CALL(signalfd4),
    CALL(timerfd_gettime), /* the dead man's switch: others' timers it cannot reach */
    CALL(timerfd_settime),
    CALL(poll),
    CALL(ppoll),
    CALL(recvmsg),
    CALL(recvmmsg),
    CALL(recvfrom),
    CALL(sendmsg),
    CALL(sendmmsg),
    CALL(sendto),
    CALL(clock_gettime), /* when the vdso cannot answer */
    CALL(gettimeofday),
    CALL(clock_nanosleep),
    CALL(brk),
    CALL_MASK(mmap, 2, PROT_EXEC, 0),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(futex),
    CALL(rt_sigprocmask),
    CALL(rt_sigaction), /* abort() puts SIGABRT back to its default */
    CALL(rt_sigreturn),
    CALL(exit),
    CALL(exit_group),
    CALL(getpid),
    CALL(gettid),
    CALL(getrandom),
    CALL(restart_syscall),
    CALL(sysinfo), /* qsort() asks for the size of memory */
    CALL_EQ(fcntl, 1, F_GETFD),
    CALL_EQ(fcntl, 1, F_SETFD),
    CALL_EQ(fcntl, 1, F_GETFL),
    CALL_EQ(fcntl, 1, F_SETFL),
    CALL_EQ(fcntl, 1, F_DUPFD_CLOEXEC),
    CALL_EQ(fcntl, 1, F_GET_SEALS),
    /* stdio asks whether a stream is a terminal; the answer is no */
    { .nr = SCMP_SYS(ioctl), .error = ENOTTY, .ncmp = 1, .cmp = { { 1, SCMP_CMP_EQ, TCGETS, 0 } } },
};

/* no_swap and the process names of global_defs; both may change at a reload */
#define RULES_PROCESS CALL(mlockall), CALL(munlockall), CALL_EQ(prctl, 0, PR_SET_NAME)

static const struct jail_rule rules_vrrpd[] = { RULES_PROCESS };

static const struct jail_rule rules_checkd[] = {
    RULES_PROCESS,
    CALL_EQ(socket, 0, AF_INET),
    CALL_EQ(socket, 0, AF_INET6),
    CALL(connect),
    CALL(bind),
    /* Nothing of the IP layers: on a raw socket that ipvsd made for a PING_CHECK, IP_HDRINCL would be any
       sender */
    CALL_EQ(setsockopt, 1, SOL_SOCKET),
    CALL_EQ(setsockopt, 1, IPPROTO_TCP),
    { .nr = SCMP_SYS(setsockopt),
      .ncmp = 2,
      .cmp = { { 1, SCMP_CMP_EQ, IPPROTO_IP, 0 }, { 2, SCMP_CMP_EQ, IP_BIND_ADDRESS_NO_PORT, 0 } } },
    CALL(getsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(shutdown),
};

static const struct jail_rule rules_ipvsd[] = {
    RULES_PROCESS,
    CALL_EQ(socket, 0, AF_NETLINK),
    CALL_EQ(socket, 0, AF_PACKET),
    INET(AF_INET, SOCK_RAW),
    INET(AF_INET6, SOCK_RAW),
    /* for checkd: with a mark or a privileged source port; connect: raw ICMP hears its target alone */
    INET(AF_INET, SOCK_STREAM),
    INET(AF_INET, SOCK_DGRAM),
    INET(AF_INET6, SOCK_STREAM),
    INET(AF_INET6, SOCK_DGRAM),
    CALL(connect),
    CALL(bind),
    CALL(setsockopt),
    CALL(getsockopt),
    CALL(getsockname),
    CALL_MASK(openat, 2, O_CREAT | O_TRUNC, 0), /* Landlock leaves /proc/sys/net of it, and /proc to read */
    CALL(getdents64),                           /* vrrp_track_process */
    /* linkbeat_interfaces: three ways to ask a driver for the carrier */
    CALL_EQ(ioctl, 1, SIOCGMIIPHY),
    CALL_EQ(ioctl, 1, SIOCGMIIREG),
    CALL_EQ(ioctl, 1, SIOCETHTOOL),
    CALL_EQ(ioctl, 1, SIOCGIFFLAGS),
};

static const struct jail_rule rules_conf[] = {
    CALL_MASK(openat, 2, OPEN_WRITING, O_RDONLY),
    CALL(newfstatat),
    CALL(statx),
    CALL(stat),
    CALL(lstat),
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(readlink),
    CALL(readlinkat),
    CALL(getdents64),
    CALL(getcwd),
    CALL(chdir),
    CALL(fchdir),
    CALL(uname),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(capget),
    CALL(capset), /* jail_drop_dac: a set can only shrink */
    CALL(memfd_create),
    CALL(ftruncate),
    CALL(pwrite64),
    CALL_EQ(fcntl, 1, F_ADD_SEALS),
    CALL_MASK(mprotect, 2, PROT_EXEC, 0),
    /* The name service may want a daemon or a plug-in; it must hear "no" and go on with the files. */
    FAIL(socket, EPERM),
    FAIL(connect, EPERM),
    { .nr = SCMP_SYS(mmap),
      .error = EPERM,
      .ncmp = 1,
      .cmp = { { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC } } },
};

#define RULES(a)                                                                                             \
    {                                                                                                        \
        (a), N_OF(a)                                                                                         \
    }
#define MIB (UINT64_C(1) << 20)

static const struct jail_row rows[ROLE_MAX] = {
    [ROLE_VRRPD] = { .user = "_holdfast_vrrp",
                     .caps = 0,
                     .own_netns = true,
                     .empty_root = true,
                     .landlock = JAIL_LANDLOCK_NOTHING,
                     .nice = -10,
                     .nofile = 16384,
                     .fsize = 16 * MIB,
                     .rules = RULES(rules_vrrpd) },
    [ROLE_CHECKD] = { .user = "_holdfast_check",
                      .caps = 0,
                      .empty_root = true,
                      .landlock = JAIL_LANDLOCK_NOTHING,
                      .outbound_tcp = true,
                      .nofile = 65536,
                      .fsize = 16 * MIB,
                      .rules = RULES(rules_checkd) },
    [ROLE_IPVSD] = { .user = "_holdfast_net",
                     .caps = JAIL_BIT(CAP_NET_ADMIN) | JAIL_BIT(CAP_NET_RAW) | JAIL_BIT(CAP_NET_BIND_SERVICE),
                     .landlock = JAIL_LANDLOCK_SYSCTL_NET,
                     .outbound_tcp = true, /* checks with a privileged source port are bound here */
                     .nice = -10,
                     .nofile = 16384,
                     .fsize = 16 * MIB,
                     .rules = RULES(rules_ipvsd) },
    [ROLE_CONF] = { .user = "_holdfast_conf",
                    .caps = 0,
                    .landlock = JAIL_LANDLOCK_READ_ALL,
                    .nofile = 256,
                    .fsize = 1024 * MIB, /* a slice of a huge configuration is a big memfd */
                    .rules = RULES(rules_conf) },
};

const struct jail_row *jail_row(enum role r)
{
    return r < ROLE_MAX && rows[r].user != NULL ? &rows[r] : NULL;
}

struct jail_rules jail_rules_common(void)
{
    return (struct jail_rules)RULES(rules_common);
}
