/*
 * doc.h - what the daemon answers, taken apart: sections "[kind name]" with lines "key=value", in order, keys
 * perhaps several times. Pure functions on text; a child of the daemon may be taken over, so its text may be
 * anything: what is no section and no line is left out, control characters become '?'. Used by every command
 * that shows something, by holdfast-snmp and by holdfast-dbus.
 */
#ifndef HOLDFAST_CTL_DOC_H
#define HOLDFAST_CTL_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doc_pair {
    const char *key, *value;
};

struct doc_part {
    const char *kind, *name; /* name "" when there is none */
    struct doc_pair *v;
    size_t n;
};

struct doc {
    struct doc_part *v;
    size_t n;
    char **text; /* what the words above lie in */
    size_t ntext;
};

void doc_add(struct doc *d, const char *text); /* d: zero-initialised; behind what is there */
void doc_free(struct doc *d);

/* The next part of this kind behind prev (NULL: the first); NULL ends. */
const struct doc_part *doc_next(const struct doc *d, const struct doc_part *prev, const char *kind);
const struct doc_part *doc_named(const struct doc *d, const char *kind, const char *name);
/* The next one whose key has this value. */
const struct doc_part *doc_with(const struct doc *d, const struct doc_part *prev, const char *kind,
                                const char *key, const char *value);

/* The first value of a key; p may be NULL: dflt. */
const char *doc_str(const struct doc_part *p, const char *key, const char *dflt);
const char *doc_at(const struct doc_part *p, const char *key, size_t i); /* the i-th; NULL past the end */
long long doc_int(const struct doc_part *p, const char *key, long long dflt);
double doc_real(const struct doc_part *p, const char *key, double dflt);
bool doc_yes(const struct doc_part *p, const char *key);

#endif
