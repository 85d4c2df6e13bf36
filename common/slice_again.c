/*
 * slice_again.c - the same configuration under another generation: what a reload that is taken back needs.
 * Copies one sealed memfd into another and changes the one number; the reader of the copy trusts it no more
 * than any other slice. Called by parent/reload.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/slice.h"
#include "common/slice_format.h"
#include "common/writeall.h"

#define SLICE_AGAIN_PIECE 65536
#define SLICE_AGAIN_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static int again_copy(int from, int to, size_t size, uint32_t generation)
{
    uint8_t buf[SLICE_AGAIN_PIECE];
    struct slice_head h;
    for (size_t at = 0; at < size;) {
        ssize_t n = pread(from, buf, sizeof buf, (off_t)at);
        errno = n == 0 ? EIO : errno;
        if (n <= 0)
            return -1;
        if (at == 0) {
            if ((size_t)n < sizeof h) {
                errno = EINVAL;
                return -1;
            }
            memcpy(&h, buf, sizeof h);
            h.generation = generation;
            memcpy(buf, &h, sizeof h);
        }
        if (write_all(to, buf, (size_t)n) < 0)
            return -1;
        at += (size_t)n;
    }
    return 0;
}

int slice_again(int fd, uint32_t generation)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -1;
    errno = EINVAL;
    if (st.st_size < (off_t)sizeof(struct slice_head) || st.st_size > (off_t)SLICE_MAX_SIZE)
        return -1;
    int to = memfd_create("holdfast-slice", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (to >= 0 && again_copy(fd, to, (size_t)st.st_size, generation) == 0 &&
        fcntl(to, F_ADD_SEALS, SLICE_AGAIN_SEALS) == 0)
        return to;
    int saved = errno;
    if (to >= 0)
        close(to);
    errno = saved;
    return -1;
}
