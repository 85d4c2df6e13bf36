/*
 * script.h - the commands of one configuration, registered once: argv, user, time limit, all from the
 * parent's own slice. A child names an object; what runs is what stands here. Reference-counted, since a run
 * may outlive its configuration.
 */
#ifndef HOLDFAST_PARENT_SCRIPT_H
#define HOLDFAST_PARENT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"
#include "parent/script_user.h"

struct scripts;

struct script {
    struct scripts *all;
    uint32_t obj; /* the object it belongs to: what messages carry */
    enum kw kw;   /* the keyword that names it */
    char **argv;  /* NULL-terminated */
    size_t argc;
    struct script_who *who;
    uint64_t limit_ns; /* 0: none of its own */
    char *owner;       /* the object's natural key, from the outermost block inwards */
    char *label;       /* owner and keyword, for the log */
    char said[200];    /* the last complaint logged: told again only when it changes */
};

struct scripts *scripts_new(const struct slice *s);
struct scripts *scripts_ref(struct scripts *s);
void scripts_unref(struct scripts *s);
struct script *scripts_find(struct scripts *s, uint32_t obj, enum kw kw); /* NULL: none */
struct script *scripts_check(struct scripts *s, uint32_t obj);            /* what run{obj} means */
struct script *scripts_like(struct scripts *s,
                            const struct script *other); /* same in another configuration */
bool scripts_any_root(const struct scripts *s);
const struct script *scripts_at(const struct scripts *s, size_t i); /* NULL past the end */
bool scripts_secure(const struct scripts *s);                       /* enable_script_security */
bool scripts_symlink_paths(const struct scripts *s);                /* use_symlink_paths */
/* Whoever USER GROUP of an object is, as raw words; NULL words: the configuration's default user. */
struct script_who *scripts_who(struct scripts *s, const char *user, const char *group);
/* The i-th of words that lie behind each other in one field, NULL past the end. */
const char *scripts_word(const struct slice_obj *o, enum kw kw, size_t i);
/* The natural key of an object: its names from the outermost block inwards. Caller frees. */
char *scripts_owner_key(const struct slice *s, const struct slice_obj *o);

#endif
