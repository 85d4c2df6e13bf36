/* sdnotify.c - see sdnotify.h. A few lines instead of a library in the process that holds root. */
#include "parent/sdnotify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

static int sdnotify_connect(const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    size_t n = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || n >= sizeof sa.sun_path)
        return -1;
    memcpy(sa.sun_path, path, n);
    if (path[0] == '@')
        sa.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, len) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static uint64_t sdnotify_watchdog(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (usec == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    return strtoull(usec, NULL, 10) * NS_PER_US / 2; /* twice as often as asked for */
}

void sdnotify_open(struct sdnotify *s)
{
    const char *path = getenv("NOTIFY_SOCKET");
    *s = (struct sdnotify){ .fd = -1 };
    if (path != NULL)
        s->fd = sdnotify_connect(path);
    if (s->fd >= 0)
        s->watchdog_ns = sdnotify_watchdog();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void sdnotify_close(struct sdnotify *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void sdnotify_send(const struct sdnotify *s, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    if (s->fd < 0)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n > 0)
        (void)send(s->fd, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1,
                   MSG_DONTWAIT | MSG_NOSIGNAL);
}

void sdnotify_ready(const struct sdnotify *s)
{
    sdnotify_send(s, "READY=1\nMAINPID=%d", (int)getpid());
}

void sdnotify_reloading(const struct sdnotify *s)
{
    sdnotify_send(s, "RELOADING=1\nMONOTONIC_USEC=%llu",
                  (unsigned long long)(clock_monotonic_ns() / NS_PER_US));
}
