/* daemonise.c - see daemonise.h. */
#include "parent/daemonise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"

#define DAEMONISE_LOST 70 /* the daemon died without a word */

static _Noreturn void daemonise_wait(int fd)
{
    unsigned char status = DAEMONISE_LOST;
    ssize_t n;
    do
        n = read(fd, &status, 1);
    while (n < 0 && errno == EINTR);
    _exit(status);
}

void daemonise_fork(struct daemonise *d)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) < 0)
        fatal("pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        fatal("fork: %s", strerror(errno));
    if (pid > 0) {
        close(fd[1]);
        daemonise_wait(fd[0]);
    }
    close(fd[0]);
    if (setsid() < 0 || chdir("/") < 0)
        fatal("new session: %s", strerror(errno));
    d->fd = fd[1];
}

static void daemonise_tell(struct daemonise *d, unsigned char status)
{
    if (d->fd < 0)
        return;
    ssize_t n = write(d->fd, &status, 1); /* SIGPIPE is ignored: who waited may have been killed */
    (void)n;
    close(d->fd);
    d->fd = -1;
}

void daemonise_release(struct daemonise *d)
{
    if (d->fd < 0)
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        if (null > STDERR_FILENO)
            close(null);
    }
    daemonise_tell(d, 0);
}

void daemonise_fail(struct daemonise *d, int status)
{
    daemonise_tell(d, (unsigned char)status);
}
