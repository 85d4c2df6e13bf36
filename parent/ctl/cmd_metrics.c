/*
 * cmd_metrics.c - "holdctl metrics": OpenMetrics text on stdout, or into a file by rename, as the textfile
 * collector of node_exporter wants it. It asks on the read-only socket, so it needs no root.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parent/ctl/ctl.h"
#include "parent/ctl/metrics.h"
#include "common/writeall.h"

#define METRICS_WAIT_MS 20000

/* The collector may read at any moment: it sees the old file or the new one. */
static int metrics_to_file(const char *path, const char *text, size_t len)
{
    char tmp[PATH_MAX];
    int n = snprintf(tmp, sizeof tmp, "%s.XXXXXX", path);
    errno = ENAMETOOLONG;
    int fd = n > 0 && (size_t)n < sizeof tmp ? mkostemp(tmp, O_CLOEXEC) : -1;
    bool made = fd >= 0;
    bool ok = made && fchmod(fd, 0644) == 0 && write_all(fd, text, len) == 0;
    int saved = errno;
    if (made && close(fd) < 0)
        ok = false;
    if (ok && rename(tmp, path) == 0)
        return CTL_OK;
    if (ok)
        saved = errno;
    if (made)
        unlink(tmp);
    dprintf(STDERR_FILENO, "holdctl: %s cannot be written: %s\n", path, strerror(saved));
    return CTL_FAILED;
}

int cmd_metrics(struct ctl *c, int argc, char **argv)
{
    bool standard = c->socket == NULL || strcmp(c->socket, CTL_SOCKET) == 0;
    const char *path = standard ? METRICS_SOCKET : c->socket;
    char *text;
    size_t len;
    if (argc != 0 && !(argc == 2 && strcmp(argv[0], "-o") == 0))
        return ctl_misused("metrics");
    int why = metrics_collect(path, METRICS_WAIT_MS, &text, &len);
    int written = argc == 2                                  ? metrics_to_file(argv[1], text, len)
                  : write_all(STDOUT_FILENO, text, len) == 0 ? CTL_OK
                                                             : CTL_FAILED;
    free(text);
    if (why == 0)
        return written;
    dprintf(STDERR_FILENO, "holdctl: no answer at %s: %s%s\n", path, strerror(why),
            why == EACCES ? "; root and the group holdfast may ask" : "");
    return why == ENOENT || why == ECONNREFUSED ? CTL_NOT_RUNNING : CTL_FAILED;
}
