/*
 * main.c of holdfast, the parent: options, daemon, signals, loop. Runs as root and trusts its command line,
 * nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/compat.h"
#include "common/jail.h"
#include "common/log.h"
#include "parent/conf_run.h"
#include "parent/corepattern.h"
#include "parent/dump.h"
#include "parent/events.h"
#include "parent/lifecycle.h"
#include "parent/news.h"
#include "parent/logfile.h"
#include "parent/logsink.h"
#include "parent/netns.h"
#include "parent/operator.h"
#include "parent/parent.h"
#include "parent/reload.h"
#include "parent/script_life.h"
#include "parent/spawn.h"
#include "parent/timed.h"

#define MAIN_LOG_MODE 0600 /* of log files: what is in them is for the administrator */

enum main_status { MAIN_OK = 0, MAIN_FATAL = 1, MAIN_PERMISSION = 4 };

/* ---- what ends before a daemon begins
 * ------------------------------------------------------------------------------ */

static int main_genhash(const char *libexec, char **argv)
{
    char path[PATH_MAX];
    if (spawn_path(path, sizeof path, libexec, "genhash") == 0) {
        argv[1] = path;
        execv(path, argv + 1);
    }
    if (spawn_path(path, sizeof path, libexec, "../../bin/genhash") == 0)
        execv(path, argv + 1);
    dprintf(STDERR_FILENO, "holdfast: genhash cannot be run: %s\n", strerror(errno));
    return MAIN_FATAL;
}

/* -t good.conf judges another file than its author thinks. */
static void main_strays(const struct options *o)
{
    for (int i = 0; i < o->strays; i++)
        dprintf(STDERR_FILENO, "holdfast: argument '%s' is ignored (a configuration is named with -f %s)\n",
                o->stray[i], o->stray[i]);
}

/* True: the program is over, with *status. */
static bool main_short_work(const struct options *o, const char *libexec, int *status)
{
    *status = MAIN_OK;
    if (o->help) {
        options_print_help(STDERR_FILENO);
        return true;
    }
    if (o->version) {
        options_print_version(STDERR_FILENO);
        return true;
    }
    if (o->signum != NULL) {
        dprintf(STDOUT_FILENO, "%d\n", options_signum(o->signum));
        return true;
    }
    if (o->test) {
        *status = conf_test(libexec, o);
        return true;
    }
    if (geteuid() != 0) {
        dprintf(STDERR_FILENO,
                "holdfast: must be started as root; each of its processes then drops what it does not need "
                "(a configuration can be tested by anybody: holdfast -t)\n");
        *status = MAIN_PERMISSION;
        return true;
    }
    return false;
}

/* 0, 1, 2 exist and nothing else does: what our caller left open is not ours. */
static void main_descriptors(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            _exit(MAIN_FATAL);
    syscall(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, 0);
}

static char *main_absolute(const char *file)
{
    char cwd[PATH_MAX], *path;
    if (file[0] == '/' || getcwd(cwd, sizeof cwd) == NULL)
        return xstrdup(file);
    if (asprintf(&path, "%s/%s", cwd, file) < 0)
        fatal("out of memory");
    return path;
}

/* ---- signals
 * -----------------------------------------------------------------------------------------------------------
 */

static void main_on_stop(int signo, void *arg)
{
    struct parent *p = arg;
    log_notice("signal %d received", signo);
    lifecycle_stop(p);
}

static void main_on_hup(int signo, void *arg)
{
    (void)signo;
    lifecycle_reload(arg);
}

static void main_on_child(int signo, void *arg)
{
    (void)signo;
    supervise_on_sigchld(arg);
}

static void main_on_dump(int signo, void *arg)
{
    struct parent *p = arg;
    enum dump_what what = signo == SIGUSR1             ? DUMP_WHAT_DATA
                          : signo == SIGUSR2           ? DUMP_WHAT_STATS
                          : signo == (int)SIGRTMIN + 2 ? DUMP_WHAT_JSON
                                                       : DUMP_WHAT_STATS_CLEAR;
    if (p->phase == PARENT_PHASE_RUNNING)
        dump_request(p->dumps, what);
}

static void main_on_stray(int signo, void *arg)
{
    (void)arg;
    log_notice("signal %d received: it means nothing here, and nothing is done", signo);
}

/* Signals that ask nothing of us, but end a process that does not know them: Ctrl-\ in the terminal, a timer
 * or a limit inherited over exec, a UPS's SIGPWR, a real-time number mistyped. The parent's end is the one
 * end the wire sees, so they are taken and named. Those of a crash stay what they are, and so does SIGABRT,
 * by which a supervisor's watchdog asks for one. */
static void main_signals_stray(struct parent *p)
{
    static const int strays[] = { SIGQUIT, SIGALRM, SIGVTALRM, SIGPROF,  SIGIO,
                                  SIGPWR,  SIGXCPU, SIGXFSZ,   SIGSTKFLT };
    for (size_t i = 0; i < sizeof strays / sizeof strays[0]; i++)
        ev_signal_add(p->ev, strays[i], main_on_stray, p);
    for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
        ev_signal_add(p->ev, s, main_on_stray, p);
}

static void main_signals(struct parent *p)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN);
    main_signals_stray(p); /* before those that mean something: the last handler of a number is its handler */
    signal(SIGCHLD, SIG_DFL); /* an inherited "ignore" would reap our children behind our back */
    ev_signal_add(p->ev, SIGTERM, main_on_stop, p);
    if (p->opt.ignore_sigint)
        signal(SIGINT, SIG_IGN);
    else
        ev_signal_add(p->ev, SIGINT, main_on_stop, p);
    ev_signal_add(p->ev, SIGHUP, main_on_hup, p);
    ev_signal_add(p->ev, SIGCHLD, main_on_child, p);
    ev_signal_add(p->ev, SIGUSR1, main_on_dump, p);
    ev_signal_add(p->ev, SIGUSR2, main_on_dump, p);
    ev_signal_add(p->ev, SIGRTMIN + 2, main_on_dump, p);
    ev_signal_add(p->ev, SIGRTMAX - 1, main_on_dump, p);
}

/* ---- the watchdog of systemd
 * ------------------------------------------------------------------------------------------- */

struct main_watchdog {
    struct ev_timer timer;
    struct parent *p;
};

static void main_on_watchdog(struct ev_timer *t, uint64_t now, void *arg)
{
    struct main_watchdog *w = arg;
    sdnotify_send(&w->p->sd, "WATCHDOG=1");
    ev_timer_at(w->p->ev, t, now + w->p->sd.watchdog_ns);
}

/* ---- the daemon
 * -------------------------------------------------------------------------------------------------------- */

static void main_log_begin(struct parent *p)
{
    const struct options *o = &p->opt;
    struct logsink_opts lo = {
        .syslog = !o->no_syslog, .console = o->console, .stamps = o->foreground, .facility = o->facility
    };
    struct logfile_opts file = { .libexec = p->libexec,
                                 .file = o->log_file,
                                 .at_once = o->flush_log_file,
                                 .mode = o->umask >= 0 ? 0666 & ~(mode_t)o->umask : MAIN_LOG_MODE };
    p->log = logsink_new(&lo);
    if (o->log_to_file)
        logsink_file(p->log, &file);
    log_init(ROLE_PARENT, o->detail > 0 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    log_sink(logsink_emit, p->log);
    log_notice("holdfast %s starts", OPTIONS_VERSION);
    if (o->core_dump) {
        struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };
        setrlimit(RLIMIT_CORE, &r);
        log_info("core dumps: of the parent only, its children are not dumpable on purpose");
    }
}

static void main_core_pattern(const struct options *o, struct corepattern *core)
{
    const char *pattern = o->core_pattern != NULL ? o->core_pattern : "core";
    if (!o->set_core_pattern)
        return;
    if (corepattern_set(core, COREPATTERN_FILE, pattern) < 0)
        log_warn("the kernel's core pattern cannot be set to \"%s\": %s", pattern, strerror(errno));
    else
        log_notice("the kernel's core pattern is \"%s\" until the end, for every process of this machine; "
                   "before: \"%s\"",
                   pattern, core->before);
}

/* 0, or -1 with the reason logged. */
static int main_ground(struct parent *p)
{
    struct err e = { 0 };
    if (p->opt.netns != NULL && netns_enter(p->opt.netns) < 0) {
        log_err("network namespace %s cannot be entered: %s", p->opt.netns, strerror(errno));
        return -1;
    }
    if (jail_prepare(&e) < 0) {
        log_err("%s", e.text);
        if (!p->opt.console)
            dprintf(STDERR_FILENO, "holdfast: %s\n", e.text);
        return -1;
    }
    return 0;
}

static int main_run(struct parent *p)
{
    struct main_watchdog dog = { .p = p };
    p->ev = ev_new(NULL);
    logsink_attach(p->log, p->ev);
    main_signals(p);
    supervise_init(p);
    prio_init(p);
    script_life_init(p);
    p->reload = reload_new(p);
    p->operator= operator_new(p);
    p->dumps = dump_new(p);
    p->timed = timed_new(p);
    p->events = events_new();
    news_daemon(p, "started", NULL);
    if (p->sd.watchdog_ns > 0) {
        ev_timer_init(&dog.timer, main_on_watchdog, &dog);
        ev_timer_in(p->ev, &dog.timer, p->sd.watchdog_ns);
    }
    if (lifecycle_begin(p) < 0)
        lifecycle_end(p, MAIN_FATAL);
    int status = ev_run(p->ev);
    lifecycle_close(p);
    return status;
}

static int main_daemon(struct parent *p)
{
    struct corepattern core = { 0 };
    int status = MAIN_FATAL;
    p->config_file = main_absolute(p->opt.config_file);
    umask(p->opt.umask >= 0 ? (mode_t)p->opt.umask : 022);
    if (!p->opt.foreground)
        daemonise_fork(&p->dm);
    sdnotify_open(&p->sd);
    main_log_begin(p);
    main_core_pattern(&p->opt, &core);
    if (main_ground(p) == 0)
        status = main_run(p);
    else
        daemonise_fail(&p->dm, status);
    corepattern_restore(&core);
    log_sink(NULL, NULL);
    logsink_free(p->log);
    free(p->config_file);
    ev_free(p->ev);
    return status;
}

int main(int argc, char **argv)
{
    static struct parent p = { .began_ns = 0, .dm = { .fd = -1 }, .pids = { .lock = -1 } };
    char why[300];
    int status;
    p.began_ns = clock_monotonic_ns();
    bool found = spawn_find_libexec(p.libexec, sizeof p.libexec) == 0;
    if (argc > 1 && (strcmp(argv[1], "-T") == 0 || strcmp(argv[1], "--genhash") == 0))
        return main_genhash(p.libexec, argv);
    if (options_parse(argc, argv, &p.opt, why, sizeof why) < 0) {
        dprintf(STDERR_FILENO, "holdfast: %s\n", why);
        return MAIN_FATAL;
    }
    main_strays(&p.opt);
    if (!found && !p.opt.help && !p.opt.version && p.opt.signum == NULL) {
        dprintf(STDERR_FILENO,
                "holdfast: its own programs are not found beside it or in ../libexec/holdfast: %s\n",
                strerror(errno));
        return MAIN_FATAL;
    }
    if (main_short_work(&p.opt, p.libexec, &status))
        return status;
    main_descriptors();
    return main_daemon(&p);
}
