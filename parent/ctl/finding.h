/*
 * finding.h - what holdctl's stand-alone tools have found: each with a stable id, what it is about, the
 * evidence and the remedy; as text or JSON, and as exit status. Used by check, doctor, vrrp watch and their
 * parts. Texts are made by us from configurations and the kernel; control characters never get out.
 */
#ifndef HOLDFAST_PARENT_CTL_FINDING_H
#define HOLDFAST_PARENT_CTL_FINDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum finding_severity { FINDING_NOTE, FINDING_WARNING, FINDING_ERROR };

struct finding;

struct findings {
    struct finding **v;
    size_t n;
};

/* The new one; valid until findings_free. Twice the same id, object and text is one. */
struct finding *finding_add(struct findings *l, enum finding_severity sev, const char *id, const char *about,
                            const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void finding_evidence(struct finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void finding_remedy(struct finding *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3))); /* may be called again: one line each */
size_t findings_count(const struct findings *l, enum finding_severity sev);
bool finding_is(const struct findings *l, const char *id, const char *about); /* about NULL: any */
json_t *findings_json(const struct findings *l);                              /* worst first */
void findings_print(const struct findings *l, FILE *out);                     /* worst first */
int findings_exit(const struct findings *l); /* CTL_OK, CTL_WARNED, CTL_BAD */
void findings_free(struct findings *l);

bool finding_colour(FILE *out); /* a terminal, and nobody said NO_COLOR */

#endif
