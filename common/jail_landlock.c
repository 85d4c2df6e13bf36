/*
 * jail_landlock.c - the file-system, TCP and signal fence of a role, as far as this kernel has it. The ABI is
 * asked at run time and goes into the READY report; a kernel without Landlock still has chroot, uid and
 * seccomp. Numbers are the kernel's ABI, spelled here because Debian 12's header stops at ABI 2. Called by
 * jail.c and jail_client.c.
 */
#include "common/jail_table.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/compat.h"

enum {
    LANDLOCK_FS_WRITE_FILE = 1 << 1,
    LANDLOCK_FS_READ_FILE = 1 << 2,
    LANDLOCK_FS_READ_DIR = 1 << 3,
    LANDLOCK_FS_ABI1 = (1 << 13) - 1,
    LANDLOCK_FS_REFER = 1 << 13,     /* ABI 2 */
    LANDLOCK_FS_TRUNCATE = 1 << 14,  /* ABI 3 */
    LANDLOCK_FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
    LANDLOCK_NET_BIND_TCP = 1 << 0,  /* ABI 4 */
    LANDLOCK_NET_CONNECT_TCP = 1 << 1,
    LANDLOCK_SCOPE_ABSTRACT_UNIX = 1 << 0, /* ABI 6 */
    LANDLOCK_SCOPE_SIGNAL = 1 << 1,
    LANDLOCK_ASK_VERSION = 1,
    LANDLOCK_PATH_BENEATH = 1,
};

struct landlock_ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

struct landlock_path_rule {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

int jail_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_ASK_VERSION);
    return abi < 0 ? 0 : abi > 255 ? 255 : (int)abi;
}

/* Everything this ABI can forbid is forbidden; what a role may do is added back as a rule. */
static struct landlock_ruleset landlock_handled(const struct jail_row *row, int abi)
{
    struct landlock_ruleset h = { .fs = LANDLOCK_FS_ABI1 };
    if (abi >= 2)
        h.fs |= LANDLOCK_FS_REFER;
    if (abi >= 3)
        h.fs |= LANDLOCK_FS_TRUNCATE;
    if (abi >= 4)
        h.net = row->outbound_tcp ? 0 : LANDLOCK_NET_BIND_TCP | LANDLOCK_NET_CONNECT_TCP; /* "bindto" binds */
    if (abi >= 5)
        h.fs |= LANDLOCK_FS_IOCTL_DEV;
    if (abi >= 6)
        h.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX | LANDLOCK_SCOPE_SIGNAL;
    return h;
}

static size_t landlock_size(int abi)
{
    struct landlock_ruleset r;
    return abi >= 6 ? sizeof r : abi >= 4 ? sizeof r.fs + sizeof r.net : sizeof r.fs;
}

/* *keep: the descriptor of the directory, which the caller may have to hold open. */
static int landlock_allow(int ruleset, const char *path, uint64_t access, int *keep)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct landlock_path_rule r = { .allowed = access, .parent_fd = fd };
    int rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH_BENEATH, &r, 0);
    *keep = fd;
    return rc;
}

static int landlock_add_paths(int ruleset, const struct jail_row *row)
{
    int fd = -1;
    int rc = 0;
    switch (row->landlock) {
    case JAIL_LANDLOCK_NOTHING: return 0;
    case JAIL_LANDLOCK_READ_ALL:
        rc = landlock_allow(ruleset, "/", LANDLOCK_FS_READ_FILE | LANDLOCK_FS_READ_DIR, &fd);
        break;
    case JAIL_LANDLOCK_SYSCTL_NET:
        /* The kernel makes a new inode for a sysctl directory it had dropped from its cache, and the rule
         * would not match that one. Holding the directory open keeps it: fd stays open for the life of the
         * process. */
        rc = landlock_allow(ruleset, "/proc/sys/net", LANDLOCK_FS_READ_FILE | LANDLOCK_FS_WRITE_FILE, &fd);
        if (rc < 0)
            return rc;
        /* Names and command lines of processes (vrrp_track_process). The root of /proc is never made anew. */
        rc = landlock_allow(ruleset, "/proc", LANDLOCK_FS_READ_FILE | LANDLOCK_FS_READ_DIR, &fd);
        break;
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

int jail_landlock_apply(const struct jail_row *row, int abi)
{
    struct landlock_ruleset handled = landlock_handled(row, abi);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &handled, landlock_size(abi), 0);
    if (fd < 0)
        return -1;
    int rc = landlock_add_paths(fd, row);
    if (rc == 0)
        rc = (int)syscall(SYS_landlock_restrict_self, fd, 0);
    int saved = errno;
    close(fd);
    errno = saved;
    return rc;
}
