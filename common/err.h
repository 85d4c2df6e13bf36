/*
 * err.h - how a failure is told: 0 / -1 with errno inside a process, struct err where a person will read it,
 * fatal() for the impossible (safe: the parent restarts the process, the state survives outside it).
 */
#ifndef HOLDFAST_ERR_H
#define HOLDFAST_ERR_H

#include <stddef.h>

struct err {
    const char *code; /* stable code, "HF-..." */
    char object[64];  /* what it is about: an instance, a file, an interface; "" when nothing in particular */
    char text[256];   /* what, why and what to do, one line */
};

/* Fills e (may be NULL) and returns -1, so that "return err_set(...)" reads well. */
int err_set(struct err *e, const char *code, const char *object, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Logs and aborts this process. Never for bad input: only for what cannot be. */
_Noreturn void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* malloc family that never returns NULL: out of memory is fatal, and a restart is cheaper than a half state.
 */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);

#endif
