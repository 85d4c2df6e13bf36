/*
 * procfs.h - small reads and writes below /proc and /run for the tools of holdctl.
 */
#ifndef HOLDFAST_PARENT_CTL_PROCFS_H
#define HOLDFAST_PARENT_CTL_PROCFS_H

#include <stddef.h>

/* sysctl: a path below /proc/sys. -1 errno. */
int procfs_long(const char *sysctl, long *out);
int procfs_set_long(const char *sysctl, long value);

/* A whole file, at most size - 1 bytes, terminated; -1 errno. */
int procfs_read(const char *path, char *out, size_t size);

/* KEY of [SECTION] in a file of systemd's or NetworkManager's kind, the last one; -1: not there. */
int procfs_ini(const char *path, const char *section, const char *key, char *out, size_t size);

#endif
