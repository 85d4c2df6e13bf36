/*
 * main.c - holdfast-log: see filelog.h. Started by the parent (parent/logfile.c) for -g, as root; trusts its
 * command line. Complaints go to stderr, which the parent logs elsewhere, at most one in ten seconds.
 *
 *   holdfast-log FILE|- SUFFIX MODE at-once|gathered
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/jail_client.h"
#include "common/role.h"
#include "parent/filelog/filelog.h"

#define FILELOG_USER     "_holdfast_log"
#define FILELOG_GATHER   NS_PER_SEC
#define FILELOG_COMPLAIN (10 * NS_PER_SEC)

struct filelog {
    struct filelog_place at;
    struct filelog_out out[FILELOG_FILES];
    bool at_once;
    uint64_t told, next_told_ns, flush_ns;
};

static int main_die(const char *what, const char *remedy)
{
    dprintf(STDERR_FILENO, "%s: %s; %s\n", what, strerror(errno), remedy);
    return FILELOG_REFUSED;
}

static int main_open(struct filelog *l, mode_t mode)
{
    char bad[PATH_MAX + NAME_MAX + 2];
    int dir = filelog_open_dir(l->at.dir, bad, sizeof bad);
    if (dir < 0)
        return main_die(bad,
                        "a log file lies in directories of root that not everybody can write to, or in one "
                        "like /tmp");
    for (int i = 0; i < FILELOG_FILES; i++) {
        l->out[i].fd = filelog_open(dir, l->at.name[i], mode);
        if (l->out[i].fd < 0) {
            snprintf(bad, sizeof bad, "%s/%s", l->at.dir, l->at.name[i]);
            return main_die(bad, "a log file is a plain file of root, and no link: move away what is there");
        }
    }
    close(dir);
    return 0;
}

static int main_fence(void)
{
    const struct jail_row row = { .user = FILELOG_USER, .landlock = JAIL_LANDLOCK_NOTHING };
    if (jail_client_drop_root(FILELOG_USER) < 0)
        return main_die("cannot become " FILELOG_USER, "systemd-sysusers makes the user");
    return jail_client_fence_row(&row) < 0 ? main_die("the jail cannot be built", "") : 0;
}

static void main_flush(struct filelog *l)
{
    for (int i = 0; i < FILELOG_FILES; i++)
        filelog_flush(&l->out[i]);
}

static bool main_waiting(const struct filelog *l)
{
    for (int i = 0; i < FILELOG_FILES; i++)
        if (l->out[i].len > 0)
            return true;
    return false;
}

/* Sleeps until there is something to read; what has waited long enough is written. */
static void main_wait(struct filelog *l)
{
    struct pollfd p = { .fd = FILELOG_FD, .events = POLLIN };
    uint64_t now = clock_monotonic_ns();
    if (!main_waiting(l)) {
        l->flush_ns = now + FILELOG_GATHER;
        return;
    }
    int left = now < l->flush_ns ? (int)((l->flush_ns - now) / NS_PER_MS) + 1 : 0;
    if (left == 0 || poll(&p, 1, left) == 0)
        main_flush(l);
}

static void main_complain(struct filelog *l)
{
    uint64_t lost = 0, now = clock_monotonic_ns();
    int worst = 0;
    for (int i = 0; i < FILELOG_FILES; i++) {
        lost += l->out[i].lost;
        if (l->out[i].missing > 0)
            worst = i;
    }
    if (lost == l->told || now < l->next_told_ns)
        return;
    dprintf(STDERR_FILENO, "%s/%s: %s; %llu lines were lost\n", l->at.dir, l->at.name[worst],
            strerror(l->out[worst].error), (unsigned long long)(lost - l->told));
    l->told = lost;
    l->next_told_ns = now + FILELOG_COMPLAIN;
}

/* Until the parent is gone or says so. */
static int main_serve(struct filelog *l)
{
    char m[FILELOG_MESSAGE];
    for (;;) {
        main_wait(l);
        main_complain(l);
        ssize_t n = recv(FILELOG_FD, m, sizeof m, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || m[0] == FILELOG_AGAIN)
            break;
        unsigned int file = n > 2 ? (unsigned char)m[1] : FILELOG_FILES;
        if (m[0] == FILELOG_LINE && file < FILELOG_FILES)
            filelog_put(&l->out[file], m + 2, (size_t)n - 2, l->at_once);
    }
    main_flush(l);
    main_complain(l);
    return 0;
}

int main(int argc, char **argv)
{
    static struct filelog l;
    int rc;
    if (argc != 5)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    umask(0);
    l.at_once = strcmp(argv[4], "at-once") == 0;
    if (filelog_place(strcmp(argv[1], "-") == 0 ? NULL : argv[1], argv[2], &l.at) < 0)
        return main_die(argv[1], "that is no name for a log file");
    if (syscall(SYS_close_range, FILELOG_FD + 1u, ~0u, 0u) < 0)
        return main_die("descriptors", "needs Linux 5.9 or later");
    if ((rc = main_open(&l, (mode_t)strtoul(argv[3], NULL, 8) & 0666)) != 0 || (rc = main_fence()) != 0)
        return rc;
    return main_serve(&l);
}
