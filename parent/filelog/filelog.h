/*
 * filelog.h - the log files of -g, in a process of their own (holdfast-log): a disk that stalls or is full
 * stops that process and nobody else. It opens the files as root, then becomes _holdfast_log and keeps
 * nothing but them and the descriptor where lines come from. Its parent is parent/logfile.c; what it is sent
 * are lines for people, which it writes as they are.
 */
#ifndef HOLDFAST_FILELOG_H
#define HOLDFAST_FILELOG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A datagram: FILELOG_LINE, the file's number, a line with its newline; or FILELOG_AGAIN alone: end, and be
 * started anew, so that files which were moved away are made again. */
enum filelog_word { FILELOG_LINE = 'L', FILELOG_AGAIN = 'A' };
enum filelog_file { FILELOG_PARENT, FILELOG_VRRP, FILELOG_CHECK, FILELOG_IPVS, FILELOG_FILES };

#define FILELOG_FD      3 /* ROLE_PARENT_FD: where the lines come from */
#define FILELOG_MESSAGE 2048
#define FILELOG_REFUSED 4 /* exit status: no file, or no jail; the reason stands on stderr */
#define FILELOG_TMP     "/tmp"

/* ---- names: pure */

struct filelog_place {
    char dir[PATH_MAX];
    char name[FILELOG_FILES][NAME_MAX + 1];
};

/* file: as given, NULL or a name without '/' lies in FILELOG_TMP; suffix: "_NETNS_INSTANCE" or "". -1: too
 * long, or no name. */
int filelog_place(const char *file, const char *suffix, struct filelog_place *out);

/* ---- opening: as root */

/* Every directory down to dir belongs to root and cannot be written by everybody, unless it is one like /tmp
 * (sticky). A descriptor of the last one; -1 errno, with the one in bad. */
int filelog_open_dir(const char *dir, char *bad, size_t size);
/* For appending; only a plain file of our own with one name is accepted, never a link. -1 errno. */
int filelog_open(int dirfd, const char *name, mode_t mode);

/* ---- writing */

#define FILELOG_BUFFER 16384

struct filelog_out {
    int fd;
    size_t len, lines; /* of the buffer */
    bool torn;         /* the last line in the file has no end */
    uint64_t missing;  /* lines lost since the last one that is there */
    uint64_t lost;     /* in all */
    int error;         /* of the last write that failed, 0: none since */
    char buf[FILELOG_BUFFER];
};

void filelog_put(struct filelog_out *o, const char *line, size_t len, bool at_once);
void filelog_flush(struct filelog_out *o);

#endif
