/*
 * asuser.h - file access of the parent on behalf of somebody. It is root without capabilities: what only
 * another user may open or create it opens and creates with that user's eyes (fsuid), never with more rights
 * than he has. Called by fifo.c, trackfile.c and timed.c.
 */
#ifndef HOLDFAST_PARENT_ASUSER_H
#define HOLDFAST_PARENT_ASUSER_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

void asuser_begin(uid_t uid, gid_t gid);
void asuser_end(void); /* root again; errno stays */
/* What lies under path (O_PATH; flags: O_NOFOLLOW, O_DIRECTORY): a directory root may not enter is entered as
 * its owner. -1 errno. */
int asuser_path(const char *path, int flags);
/* inotify_add_watch() of a directory: as root, else as its owner. */
int asuser_watch(int inotify, const char *dir, uint32_t mask);
/* path opened with flags as root, else as its owner. -1 errno. */
int asuser_open(const char *path, int flags);
/* What an O_PATH descriptor stands for, opened for real: as root, else as its owner. -1 errno. */
int asuser_reopen(int fd, int flags);
/* A FIFO that belongs to uid:gid with exactly this mode. -1 errno; EEXIST: something is there. */
int asuser_mkfifo(const char *path, uid_t uid, gid_t gid, mode_t mode);
int asuser_unlink(const char *path);

#endif
