/*
 * prove.h - what only the libraries of checkd can say of a configuration, asked before it is in force: is
 * this a regular expression, is this a certificate, does this key belong to it. Answered by the functions
 * checkd will use, behind pointers, so that holdfast-conf-lean can do without them (program.h). Used by
 * validate_http.c.
 */
#ifndef HOLDFAST_CONF_PROVE_H
#define HOLDFAST_CONF_PROVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct tls_material; /* checkd/tls.h */

struct conf_prove {
    bool (*pattern)(const char *pattern, uint64_t options, uint64_t min, uint64_t max, char *why,
                    size_t size);
    bool (*material)(const struct tls_material *m, struct err *e);
};

const struct conf_prove *conf_prove_all(void);

#endif
