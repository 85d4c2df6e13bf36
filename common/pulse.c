/* pulse.c - see pulse.h. Written by a child about itself, read by the parent, who believes nothing but "it
 * moved". */
#include "common/pulse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define PULSE_SIZE  4096
#define PULSE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct pulse {
    _Atomic uint64_t last;
};

int pulse_create(void)
{
    int fd = memfd_create("holdfast-pulse", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, PULSE_SIZE) < 0 || fcntl(fd, F_ADD_SEALS, PULSE_SEALS) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

struct pulse *pulse_map(int fd, bool writer)
{
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return NULL;
    if ((seals & PULSE_SEALS) != PULSE_SEALS) {
        errno = EPERM;
        return NULL;
    }
    void *p = mmap(NULL, PULSE_SIZE, PROT_READ | (writer ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

void pulse_unmap(struct pulse *p)
{
    if (p != NULL)
        munmap(p, PULSE_SIZE);
}

void pulse_beat(struct pulse *p, uint64_t now_ns)
{
    atomic_store_explicit(&p->last, now_ns, memory_order_relaxed);
}

uint64_t pulse_last(const struct pulse *p)
{
    return p != NULL ? atomic_load_explicit(&p->last, memory_order_relaxed) : 0;
}
