/*
 * meter.h - what the metrics tell of checks beyond verdicts: how long attempts take, how many passed and
 * failed, until when a server's certificate is valid. Some additions an attempt. Called by engine.c;
 * check_http.c notes the certificate; read by metrics.c.
 */
#ifndef HOLDFAST_CHECKD_METER_H
#define HOLDFAST_CHECKD_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hist.h"

#define METER_KINDS 16

/* In each checker; survives a reload with it. */
struct meter {
    uint64_t began, took; /* ns; took: of the last attempt that ended, 0: none yet */
    uint64_t passed, failed;
    int64_t expires; /* notAfter of the certificate seen last, 0: none */
};

/* In struct checkd: by kind, in the order of checker_kind_at. */
struct meter_all {
    struct hist took[METER_KINDS];
    struct hist late; /* begin of attempts */
};

struct checkd;
struct checker;

void meter_begin(struct checkd *d, struct checker *k, uint64_t late, uint64_t now);
void meter_end(struct checkd *d, struct checker *k, uint64_t now);

#endif
