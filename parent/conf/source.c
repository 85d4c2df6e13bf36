/*
 * source.c - reads one file whole, and judges whether it is text at all.
 * Trusts nothing: the path may be a folder, a pipe, a device, huge, or change while it is read. Never blocks.
 * Called by include.c and expand.c.
 */
#include "parent/conf/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/err.h"

static enum source_kind source_slurp(int fd, struct source *out, size_t guess)
{
    size_t cap = guess + 4096;

    out->buf = xmalloc(cap);
    for (;;) {
        ssize_t n;

        if (out->len == cap) {
            cap *= 2;
            out->buf = xrealloc(out->buf, cap);
        }
        n = read(fd, out->buf + out->len, cap - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            out->err = errno;
            return SOURCE_ERRNO;
        }
        if (n == 0)
            return SOURCE_OK;
        out->len += (size_t)n;
        if (out->len > TEXT_FILE_SIZE_MAX)
            return SOURCE_TOO_BIG;
    }
}

static enum source_kind source_open(int fd, struct source *out)
{
    struct stat st;

    if (fstat(fd, &st)) {
        out->err = errno;
        return SOURCE_ERRNO;
    }
    out->dev = st.st_dev;
    out->ino = st.st_ino;
    if (S_ISDIR(st.st_mode))
        return SOURCE_DIR;
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) /* /dev/null: an empty file */
        return SOURCE_OK;
    if (!S_ISREG(st.st_mode))
        return SOURCE_NOT_REGULAR;
    if (st.st_size > (off_t)TEXT_FILE_SIZE_MAX)
        return SOURCE_TOO_BIG;
    out->executable = (st.st_mode & 0111) != 0;
    return source_slurp(fd, out, (size_t)st.st_size);
}

void source_read(const char *path, struct source *out)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    *out = (struct source){ .kind = SOURCE_ERRNO };
    if (fd < 0) {
        out->err = errno;
        return;
    }
    out->kind = source_open(fd, out);
    close(fd);
    if (out->kind != SOURCE_OK) {
        free(out->buf);
        out->buf = NULL;
        out->len = 0;
    }
}

static bool source_control(unsigned char ch)
{
    return ch == 0x7f || (ch < 0x20 && ch != 0x1b && !(ch >= '\t' && ch <= '\r'));
}

/* One stray NUL is a mistake in a line; many control bytes are another kind of file. */
enum source_text source_classify(const char *buf, size_t len)
{
    const unsigned char *p = (const unsigned char *)buf;
    size_t look = len < 65536 ? len : 65536, control = 0, nul[2] = { 0, 0 };
    const char *cr;

    if (len >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
        return SOURCE_TEXT_UTF16;
    for (size_t i = 0; i < look; i++) {
        control += source_control(p[i]);
        nul[i & 1] += p[i] == 0;
    }
    if (look >= 8 && (nul[0] > look / 3 || nul[1] > look / 3))
        return SOURCE_TEXT_UTF16;
    if (control > 8 && control > look / 50)
        return SOURCE_TEXT_BINARY;
    cr = len ? memchr(buf, '\r', len) : NULL;
    if (cr && cr + 1 < buf + len && !memchr(buf, '\n', len))
        return SOURCE_TEXT_CR;
    return SOURCE_TEXT;
}
