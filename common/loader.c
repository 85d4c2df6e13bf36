/*
 * loader.c - see loader.h. The linker puts headers, symbols and relocations into a first segment of their
 * own, readable and nothing else; code, constants and what was relocated lie behind it.
 */
#include "common/loader.h"

#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int loader_one(struct dl_phdr_info *o, size_t size, void *arg)
{
    const uintptr_t page = *(const uintptr_t *)arg;
    (void)size;
    for (int i = 0; i < o->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &o->dlpi_phdr[i];
        if (p->p_type != PT_LOAD)
            continue;
        if (p->p_flags == PF_R && p->p_offset == 0) /* refused while memory is locked: then it stays */
            (void)madvise((void *)((o->dlpi_addr + p->p_vaddr) & ~(page - 1)), p->p_filesz, MADV_DONTNEED);
        break;
    }
    return 0;
}

void loader_rest(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    dl_iterate_phdr(loader_one, &page);
}
