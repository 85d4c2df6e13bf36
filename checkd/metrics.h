/* metrics.h - checkd's part of the metrics; see metrics.c. */
#ifndef HOLDFAST_CHECKD_METRICS_H
#define HOLDFAST_CHECKD_METRICS_H

#include "checkd/checkd.h"

/* The next piece; false: there is none. */
bool metrics_checks(struct checkd *d, size_t *cursor, FILE *f);

#endif
