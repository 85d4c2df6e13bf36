/* sockopt.c - see sockopt.h. */
#include "ipvsd/sockopt.h"

#include <sys/socket.h>

int sockopt_set(int fd, const struct sockopt *o, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (setsockopt(fd, o[i].level, o[i].name, &o[i].value, sizeof o[i].value) < 0)
            return -1;
    return 0;
}
