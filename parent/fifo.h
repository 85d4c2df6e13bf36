/*
 * fifo.h - the notify FIFOs: created when missing, written line by line without ever blocking, their reader
 * scripts kept running. Called by notify.c (lines) and script_life.c (life).
 */
#ifndef HOLDFAST_PARENT_FIFO_H
#define HOLDFAST_PARENT_FIFO_H

#include <stdbool.h>

struct parent;
struct config;
struct fifos;

enum fifo_kind { FIFO_VRRP, FIFO_LVS }; /* what a line is about; notify_fifo gets both */

struct fifos *fifos_new(struct parent *p);
void fifos_free(struct fifos *f);
/* Opens what the configuration names, closes what it does not; what did not change stays open. */
void fifos_load(struct fifos *f, const struct config *c);
/* A whole line with its newline, at most PIPE_BUF bytes. */
void fifos_line(struct fifos *f, enum fifo_kind kind, const char *line);
bool fifos_wanted(const struct fifos *f, enum fifo_kind kind);
/* The daemon ends. close: readers see the end of the file, ours are removed. */
void fifos_close(struct fifos *f);
void fifos_end_readers(struct fifos *f);   /* SIGTERM to those that still run */
bool fifos_readers(const struct fifos *f); /* does one run? */

#endif
