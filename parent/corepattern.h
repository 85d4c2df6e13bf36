/*
 * corepattern.h - option -M: the kernel's core pattern (core(5)) is another one while the daemon runs, for
 * the whole machine, and is put back at its end - unless somebody else has changed it meanwhile. A parent
 * that is killed leaves it. Called by main.c.
 */
#ifndef HOLDFAST_PARENT_COREPATTERN_H
#define HOLDFAST_PARENT_COREPATTERN_H

#include <stdbool.h>

#define COREPATTERN_FILE "/proc/sys/kernel/core_pattern"
#define COREPATTERN_SIZE 256 /* the kernel's is 128 */

struct corepattern {
    const char *file;
    bool set;
    char ours[COREPATTERN_SIZE], before[COREPATTERN_SIZE];
};

/* -1 errno: it is as it was. */
int corepattern_set(struct corepattern *c, const char *file, const char *pattern);
void corepattern_restore(struct corepattern *c);

#endif
