/* dump.h - checkd's part of the data dump; see dump.c. */
#ifndef HOLDFAST_CHECKD_DUMP_H
#define HOLDFAST_CHECKD_DUMP_H

#include "checkd/checkd.h"

void dump_data(struct checkd *d, int fd);

#endif
