/* report.h - what checkd tells an operator; see report.c. */
#ifndef HOLDFAST_CHECKD_REPORT_H
#define HOLDFAST_CHECKD_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct checkd;

/* The next piece (common/report.h). obj: a service; 0: all. */
bool checkd_report(const struct checkd *d, uint32_t obj, size_t *cursor, FILE *f);

#endif
