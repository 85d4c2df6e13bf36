/*
 * writeall.h - the whole of it into a blocking descriptor (a file, a memfd), however many writes that takes.
 * Used where a short write is a failure; sockets and pipes that may be full have queues of their own
 * (chan.h).
 */
#ifndef HOLDFAST_WRITEALL_H
#define HOLDFAST_WRITEALL_H

#include <stddef.h>

int write_all(int fd, const void *data, size_t len); /* -1 errno */

#endif
