/*
 * program.h - holdfast-conf is two programs with one jail and one set of options: the whole one, and the lean
 * one, which links none of OpenSSL, PCRE2 and jansson (to load them takes longer than to read a small
 * configuration). The parent runs the lean one; where something must be proven with those libraries it hands
 * out nothing and ends with CONF_EXIT_WHOLE, and the parent runs the whole one. Called by both main.c; the
 * two names are the parent's as well.
 */
#ifndef HOLDFAST_CONF_PROGRAM_H
#define HOLDFAST_CONF_PROGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct conf;
struct conf_prove;
struct diag;

#define CONF_EXIT_WHOLE  7 /* no verdict: ask the whole program */
#define CONF_BINARY_LEAN "holdfast-conf-lean"

/* What only the whole program can do. */
struct program_libs {
    const struct conf_prove *prove;
    int (*print_json)(struct diag *d, FILE *out, int status);
    int (*print_model)(struct conf *c, const uint8_t *key, size_t keylen, FILE *out);
};

/* Returns the exit status. libs NULL: the lean program. */
int program_run(int argc, char **argv, const struct program_libs *libs);

#endif
