/* netns.c - see netns.h. */
#include "parent/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int netns_open(const char *name)
{
    char path[PATH_MAX];
    if (name[0] == '\0')
        name = "/proc/1/ns/net";
    snprintf(path, sizeof path, "%s%s", name[0] == '/' ? "" : "/run/netns/", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

int netns_enter(const char *name)
{
    int fd = netns_open(name);
    if (fd < 0)
        return -1;
    int rc = setns(fd, CLONE_NEWNET);
    close(fd);
    return rc;
}

const char *netns_short_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash != NULL ? slash + 1 : name;
}
