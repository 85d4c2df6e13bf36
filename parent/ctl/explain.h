/*
 * explain.h - why an object is in its state, in words: pure functions from facts (sections of the status, of
 * vrrpd's and checkd's reports, of events) to one section [explanation NAME]. They compute nothing the daemon
 * has not said; sums are shown so that they can be checked by hand. Called by cmd_cause.c and the unit tests.
 */
#ifndef HOLDFAST_CTL_EXPLAIN_H
#define HOLDFAST_CTL_EXPLAIN_H

#include <stdio.h>

#include "parent/ctl/doc.h"
#include "parent/ctl/out.h"

struct explain {
    const struct doc *d;
    const struct out *o; /* its now */
    FILE *f;             /* lines of the section */
};

void explain_because(const struct explain *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void explain_advice(const struct explain *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "3.2 s ago" of a TIME key; "never" when it is absent. */
const char *explain_ago(const struct explain *x, const struct doc_part *p, const char *key, char *buf,
                        size_t size);

void explain_instance(const struct explain *x, const char *name);
void explain_group(const struct explain *x, const char *name);
void explain_service(const struct explain *x, const struct doc_part *service); /* lvs_service */
void explain_server(const struct explain *x, const struct doc_part *server);   /* lvs_server */

#endif
