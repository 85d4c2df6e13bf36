/*
 * spawn.h - the only place where a role of the house is started: posix_spawn (vfork underneath: no copy of
 * the parent's page tables), a session of its own so terminal signals do not reach it, empty signal mask, fd
 * 3 = channel, fd 0 and 1 = /dev/null, fd 2 = a pipe the parent reads, everything else closed by CLOEXEC.
 */
#ifndef HOLDFAST_PARENT_SPAWN_H
#define HOLDFAST_PARENT_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

/* Fills dir with where the binaries are: beside our own executable (build tree), else ../libexec/holdfast. -1
 * errno. */
int spawn_find_libexec(char *dir, size_t size);
/* dir + "/" + name into path; -1 ENAMETOOLONG. */
int spawn_path(char *path, size_t size, const char *dir, const char *name);

/* chan_fd, err_fd and netns_fd (ROLE_NETNS_FD of the child; -1: none) stay the caller's. Returns a pidfd, or
 * -1 with errno. */
int spawn_process(const char *path, char *const argv[], char *const envp[], int chan_fd, int err_fd,
                  int netns_fd, pid_t *pid);

/* PATH, LANG and nothing that came in from outside: for the roles. Static storage of constants plus lang's
 * copy. */
char **spawn_env_clean(void);
/* Our own environment without what could steer the loader or speak in our name: for holdfast-conf (${_ENV
 * NAME}). */
char **spawn_env_conf(void);
void spawn_env_free(char **envp);

#endif
