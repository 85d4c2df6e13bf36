/* corepattern.c - see corepattern.h. */
#include "parent/corepattern.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

static int corepattern_read(const char *file, char out[COREPATTERN_SIZE])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, out, COREPATTERN_SIZE - 1);
    int saved = errno;
    close(fd);
    errno = saved;
    if (n < 0)
        return -1;
    out[n] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return 0;
}

/* The whole of it in one write, as the kernel wants it. */
static int corepattern_write(const char *file, const char *pattern)
{
    int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t len = strlen(pattern);
    ssize_t n = len > 0 ? write(fd, pattern, len) : write(fd, "\n", 1);
    int saved = n < 0 ? errno : EIO;
    close(fd);
    errno = saved;
    return n == (ssize_t)(len > 0 ? len : 1) ? 0 : -1;
}

int corepattern_set(struct corepattern *c, const char *file, const char *pattern)
{
    c->file = file;
    snprintf(c->ours, sizeof c->ours, "%s", pattern);
    if (corepattern_read(file, c->before) < 0 || corepattern_write(file, pattern) < 0)
        return -1;
    c->set = true;
    return 0;
}

void corepattern_restore(struct corepattern *c)
{
    char now[COREPATTERN_SIZE];
    if (!c->set)
        return;
    c->set = false;
    if (corepattern_read(c->file, now) == 0 && strcmp(now, c->ours) != 0)
        log_notice("the kernel's core pattern is not the one of -M any more: it stays as it is");
    else if (corepattern_write(c->file, c->before) < 0)
        log_warn("the kernel's core pattern is not put back to \"%s\": %s", c->before, strerror(errno));
}
