/* check_log.c - see check_log.h. Trusts the path (the administrator wrote it), not what stands there: through
 * a link in somebody's directory root would empty another file. */
#include "parent/check_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/writeall.h"
#include "parent/config.h"

static int check_log_open(const char *path)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    errno = EPERM;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && ftruncate(fd, 0) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

void check_log_write(const struct config *c, const char *text, size_t len)
{
    const struct slice_obj *g = c != NULL ? slice_next(c->slice, NULL, BLK_GLOBAL, SLICE_ANY_PARENT) : NULL;
    const char *path = g != NULL ? slice_str(g, KW_GLOBAL_RELOAD_CHECK_CONFIG, NULL) : NULL;
    if (path == NULL || path[0] == '\0' || strcmp(path, "/dev/null") == 0)
        return;
    int fd = check_log_open(path);
    if (fd < 0 || write_all(fd, text, len) < 0)
        log_warn("reload_check_config: %s cannot be written: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}
