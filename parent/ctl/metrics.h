/*
 * metrics.h - OpenMetrics text from what the daemon's processes say (metrics.def is the list). metrics_text.c
 * is pure: words in, text out, and trusts neither numbers nor names in them. metrics_ask.c asks the daemon.
 * Called by cmd_metrics.c and by the metrics server (parent/metrics).
 */
#ifndef HOLDFAST_PARENT_CTL_METRICS_H
#define HOLDFAST_PARENT_CTL_METRICS_H

#include <stdbool.h>
#include <stddef.h>

enum metrics_source { METRICS_PARENT, METRICS_VRRPD, METRICS_CHECKD, METRICS_HERE };

#define METRICS_SOCKET "/run/holdfast/status" /* answers questions, takes no orders */

struct metrics;

struct metrics *metrics_new(void);
void metrics_add(struct metrics *m, enum metrics_source from, char *text); /* text is changed */
/* The whole exposition, "# EOF" included; malloc'ed. Ends m. */
char *metrics_end(struct metrics *m, size_t *len);

/* Asks the daemon behind this socket, for wait_ms at most, quietly. 0; or errno, and then the text says
 * holdfast_up 0. */
int metrics_collect(const char *socket, unsigned int wait_ms, char **text, size_t *len);

#endif
