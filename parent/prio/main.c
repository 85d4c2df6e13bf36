/*
 * main.c of holdfast-prio - one shot: gives one process its scheduling. Started by the parent (parent/prio.c)
 * as root, it keeps CAP_SYS_NICE alone and becomes the user of that process, so that a limit may be set
 * without any capability. Trusts its command line and descriptor 3, the pidfd of that process; reads nothing
 * else. Says on stderr in one line what was refused and what to do.
 *
 *   holdfast-prio PID USER NICE+20 RR RTTIME CPU[,CPU...]     (RR 0: SCHED_OTHER; RTTIME in us, 0: no limit)
 */
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/role.h"

#define PRIO_NEEDS "give holdfast CAP_SYS_NICE (its unit file does)"

struct order {
    pid_t pid;
    const char *user;
    int nice;
    int rt;
    rlim_t rttime;
    cpu_set_t cpus;
};

/* Digits only, and no more than max. */
static int main_number(const char *s, char end, unsigned long long max, unsigned long long *out)
{
    unsigned long long v = 0;
    size_t n = 0;
    for (; s[n] >= '0' && s[n] <= '9' && n < 18; n++)
        v = 10 * v + (unsigned long long)(s[n] - '0');
    if (n == 0 || v > max || (s[n] != '\0' && s[n] != end))
        return -1;
    *out = v;
    return (int)n;
}

static int main_cpus(const char *s, cpu_set_t *set)
{
    CPU_ZERO(set);
    for (;;) {
        unsigned long long cpu;
        int n = main_number(s, ',', CPU_SETSIZE - 1, &cpu);
        if (n < 0)
            return -1;
        CPU_SET((size_t)cpu, set);
        s += n;
        if (*s == '\0')
            return 0;
        s++;
    }
}

static int main_order(int argc, char **argv, struct order *o)
{
    unsigned long long pid, nice_value, rt, rttime;
    if (argc != 7 || main_number(argv[1], '\0', INT_MAX, &pid) < 0 || pid < 2 ||
        main_number(argv[3], '\0', 39, &nice_value) < 0 || main_number(argv[4], '\0', 99, &rt) < 0 ||
        main_number(argv[5], '\0', ULONG_MAX, &rttime) < 0 || main_cpus(argv[6], &o->cpus) < 0)
        return -1;
    o->pid = (pid_t)pid;
    o->user = argv[2];
    o->nice = (int)nice_value - 20;
    o->rt = (int)rt;
    o->rttime = rttime == 0 ? RLIM_INFINITY : (rlim_t)rttime;
    return 0;
}

static int main_refused(const char *what, const char *remedy)
{
    fprintf(stderr, "%s was refused: %s; %s\n", what, strerror(errno), remedy);
    return 1;
}

static int main_become(const char *user)
{
    const struct passwd *pw = getpwnam(user);
    if (pw == NULL || pw->pw_uid == 0)
        return -1;
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
        return -1;
    capng_clear(CAPNG_SELECT_CAPS);
    if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SYS_NICE) < 0 ||
        capng_apply(CAPNG_SELECT_CAPS) < 0)
        return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* The parent reaps its children, so a number belongs to the process of the descriptor as long as that lives.
 */
static bool main_alive(void)
{
    struct pollfd p = { .fd = ROLE_PARENT_FD, .events = POLLIN };
    return poll(&p, 1, 0) == 0;
}

/* The hard limit stays as it was: nobody could raise it again. Beyond the soft one the kernel sends SIGXCPU,
 * of which a room dies. Less first, more last: nothing runs as real-time without its limit. */
static int main_apply(const struct order *o)
{
    struct sched_param sp = { .sched_priority = o->rt };
    struct rlimit l;
    if (o->rt == 0 && sched_setscheduler(o->pid, SCHED_OTHER | SCHED_RESET_ON_FORK, &sp) < 0)
        return main_refused("ordinary scheduling", PRIO_NEEDS);
    if (sched_setaffinity(o->pid, sizeof o->cpus, &o->cpus) < 0)
        return main_refused("the list of processors",
                            errno == EINVAL ? "name processors that this machine has and holdfast may use"
                                            : PRIO_NEEDS);
    if (setpriority(PRIO_PROCESS, (id_t)o->pid, o->nice) < 0)
        return main_refused("the nice value", PRIO_NEEDS);
    if (prlimit(o->pid, RLIMIT_RTTIME, NULL, &l) < 0)
        return main_refused("the real-time limit", "is that process of another user?");
    l.rlim_cur = o->rttime < l.rlim_max ? o->rttime : l.rlim_max;
    if (prlimit(o->pid, RLIMIT_RTTIME, &l, NULL) < 0)
        return main_refused("the real-time limit", "is that process of another user?");
    if (o->rt > 0 && sched_setscheduler(o->pid, SCHED_RR | SCHED_RESET_ON_FORK, &sp) < 0)
        return main_refused("real-time scheduling", PRIO_NEEDS " and a control group with real-time runtime");
    return 0;
}

int main(int argc, char **argv)
{
    struct order o;
    if (main_order(argc, argv, &o) < 0) {
        fputs("holdfast-prio is started by holdfast\n", stderr);
        return 2;
    }
    if (main_become(o.user) < 0)
        return main_refused("its user", "holdfast must be started as root");
    if (!main_alive())
        return 0; /* there will be a successor */
    return main_apply(&o);
}
