/* sockopt.h - the options of a socket that are whole numbers, as a table. Called by sock.c and bfd_sock.c. */
#ifndef HOLDFAST_IPVSD_SOCKOPT_H
#define HOLDFAST_IPVSD_SOCKOPT_H

#include <stddef.h>

struct sockopt {
    int level, name, value;
};

int sockopt_set(int fd, const struct sockopt *o, size_t n); /* in this order; the first that is refused: -1 */

#endif
