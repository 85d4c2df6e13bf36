/*
 * model.h - the resolved configuration as JSON (holdfast-conf --test --model), read by holdctl. One object:
 *   { "format": 1, "model": OBJECT }, OBJECT = { "kind": block id in lower case ("vi", "trk_script"), "name",
 *   "line", "values": { keyword id without its block, lower case: value; lists as arrays; times in
 *   microseconds; derived ones begin with x_ }, "children": [OBJECT] }; a command has "runs" as well (struct
 *   conf_runs). Only after conf_validate.
 */
#ifndef HOLDFAST_CONF_MODEL_H
#define HOLDFAST_CONF_MODEL_H

#include <stdio.h>

#include "parent/conf/conf.h"

#define MODEL_KEY_LEN 32

/* Who runs a command, and what is found at its path. */
struct conf_runs {
    const char *user, *group; /* group NULL: the user's own */
    const char *because;      /* which statement says so, or why this default */
    uint32_t line;            /* of that statement; 0: none */
    bool root, exists, secure;
    const char *path; /* as it would be executed; NULL: not found */
    const char *file; /* "ok", "missing", "not-a-file", "not-executable", "unsafe", "unseen", "elsewhere" */
    const char *part; /* unsafe: the component others can change */
};

/* validate_script.c; says nothing to the diagnostics. */
void conf_script_runs(struct conf *c, const struct conf_obj *cmd, struct conf_runs *out);

/* key NULL: secrets are only "set". -1: the stream failed. */
int conf_model_print(struct conf *c, const uint8_t *key, size_t keylen, FILE *out);

#endif
