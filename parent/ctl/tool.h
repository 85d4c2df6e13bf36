/*
 * tool.h - running another program and keeping what it says: holdfast-conf for the resolved configuration,
 * nft for the rules of the firewall. No shell, the caller's own rights. Used by check and doctor.
 */
#ifndef HOLDFAST_PARENT_CTL_TOOL_H
#define HOLDFAST_PARENT_CTL_TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* argv[0] is searched in the usual folders when it has no slash; in (may be NULL) is its standard input.
 * *out: its standard output, terminated, the caller's to free. quiet: its standard error goes nowhere. Its
 * exit status, 128 + signal, or -1 with errno when it cannot be started. */
int tool_run(char *const argv[], const void *in, size_t inlen, bool quiet, char **out, size_t *len);

/* A file's resolved configuration (parent/conf/model.h). */
struct tool_model {
    const char *file;
    const char *id; /* for @ID lines; NULL: this machine's */
    bool elsewhere; /* of another machine */
    bool quiet;     /* diagnostics as JSON in diag, not as text on stderr */
    bool lenient, no_bfd, strict;
    const uint8_t *key; /* 32 bytes; NULL: none */
    json_t *diag;       /* quiet: the document of -t --json */
    json_t *top;        /* NULL: it has errors */
    int status;         /* of holdfast-conf */
};

/* 0, or -1 (said on stderr): holdfast-conf did not run. */
int tool_model_load(struct tool_model *m);
void tool_model_free(struct tool_model *m);

/* Reading one object of it. Absent: dflt. */
json_t *model_first(const json_t *o, const char *kind);           /* child of this kind; NULL */
json_t *model_next(const json_t *o, const char *kind, size_t *i); /* *i from 0; NULL ends */
const char *model_name(const json_t *o);
int model_line(const json_t *o);
const char *model_str(const json_t *o, const char *name, const char *dflt);
long long model_int(const json_t *o, const char *name, long long dflt);
bool model_bool(const json_t *o, const char *name, bool dflt); /* true, or a number that is not 0 */
bool model_has(const json_t *o, const char *name);
json_t *model_list(const json_t *o, const char *name); /* NULL: none */
json_t *model_named(const json_t *top, const char *kind, const char *name);

#endif
