/* procfs.c - see procfs.h. */
#include "parent/ctl/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCFS_INI (64u << 10)

int procfs_read(const char *path, char *out, size_t size)
{
    size_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    while (n + 1 < size) {
        ssize_t got = read(fd, out + n, size - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    out[n] = '\0';
    close(fd);
    return (int)n;
}

int procfs_long(const char *sysctl, long *out)
{
    char path[PATH_MAX], text[64], *end;
    snprintf(path, sizeof path, "/proc/sys/%.2000s", sysctl);
    if (procfs_read(path, text, sizeof text) < 0)
        return -1;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (end == text)
        errno = EINVAL;
    return errno != 0 ? -1 : 0;
}

int procfs_set_long(const char *sysctl, long value)
{
    char path[PATH_MAX], text[32];
    int n = snprintf(text, sizeof text, "%ld\n", value);
    snprintf(path, sizeof path, "/proc/sys/%.2000s", sysctl);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t put = write(fd, text, (size_t)n);
    int saved = errno;
    close(fd);
    errno = saved;
    return put == n ? 0 : -1;
}

static char *procfs_trim(char *s)
{
    s += strspn(s, " \t");
    for (size_t n = strlen(s); n > 0 && strchr(" \t\r", s[n - 1]) != NULL; n--)
        s[n - 1] = '\0';
    return s;
}

int procfs_ini(const char *path, const char *section, const char *key, char *out, size_t size)
{
    char *text = malloc(PROCFS_INI), *save = NULL;
    bool inside = false;
    int rc = -1;
    size_t n = strlen(section);
    if (text == NULL || procfs_read(path, text, PROCFS_INI) < 0) {
        free(text);
        return -1;
    }
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        line = procfs_trim(line);
        char *eq = strchr(line, '=');
        if (line[0] == '[') {
            inside = strncmp(line + 1, section, n) == 0 && line[n + 1] == ']';
        } else if (inside && eq != NULL && line[0] != '#' && line[0] != ';') {
            *eq = '\0';
            if (strcmp(procfs_trim(line), key) != 0)
                continue;
            snprintf(out, size, "%s", procfs_trim(eq + 1));
            rc = 0;
        }
    }
    free(text);
    return rc;
}
