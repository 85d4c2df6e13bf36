/* script.c - see script.h. The slice was written by holdfast-conf and checked by slice_open. */
#include "parent/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"

#define SCRIPT_CHECK_LIMIT (60 * NS_PER_SEC) /* when holdfast-conf named none */

struct scripts {
    unsigned int refs;
    struct script *v; /* ascending by obj, kw */
    size_t n;
    struct script_who **who; /* each user once */
    size_t nwho;
    char *user, *group; /* script_user */
    bool secure, symlink_paths, supplementary;
};

const char *scripts_word(const struct slice_obj *o, enum kw kw, size_t i)
{
    size_t len = 0;
    const char *p = o != NULL ? slice_raw(o, kw, 0, &len) : NULL;
    if (p == NULL || len == 0 || p[len - 1] != '\0')
        return NULL;
    for (const char *end = p + len; p < end; p += strlen(p) + 1)
        if (i-- == 0)
            return p[0] != '\0' ? p : NULL;
    return NULL;
}

char *scripts_owner_key(const struct slice *s, const struct slice_obj *o)
{
    char *key = xstrdup("");
    for (; o != NULL; o = o->parent != 0 ? slice_by_id(s, o->parent) : NULL) {
        char *longer;
        if (asprintf(&longer, "%s%s%s%s%s", schema_blk(o->blk)->name, o->name[0] != '\0' ? " " : "", o->name,
                     key[0] != '\0' ? " / " : "", key) < 0)
            fatal("out of memory");
        free(key);
        key = longer;
    }
    return key;
}

struct script_who *scripts_who(struct scripts *s, const char *user, const char *group)
{
    if (user == NULL) {
        user = s->user;
        group = s->group;
    }
    for (size_t i = 0; i < s->nwho; i++)
        if (script_who_same(s->who[i], user, group, s->supplementary))
            return s->who[i];
    s->who = xrealloc(s->who, (s->nwho + 1) * sizeof *s->who);
    struct script_who *w = xcalloc(1, sizeof *w);
    script_who_init(w, user, group, s->supplementary);
    s->who[s->nwho++] = w;
    return w;
}

static struct script_who *script_user_of(struct scripts *s, const struct slice_obj *cmd,
                                         const struct slice_obj *owner)
{
    const char *user = slice_str(cmd, KW_CMD_X_USER, NULL);
    if (user != NULL)
        return scripts_who(s, user, slice_str(cmd, KW_CMD_X_GROUP, NULL));
    enum kw kw = owner == NULL              ? KW_NONE
                 : owner->blk == BLK_SCRIPT ? KW_SCRIPT_USER
                 : owner->blk == BLK_MISC   ? KW_MISC_USER
                                            : KW_NONE;
    if (kw == KW_NONE)
        return scripts_who(s, NULL, NULL);
    return scripts_who(s, scripts_word(owner, kw, 0), scripts_word(owner, kw, 1));
}

static void script_load(struct scripts *s, struct script *x, const struct slice *slice,
                        const struct slice_obj *cmd)
{
    const struct slice_obj *owner = slice_by_id(slice, cmd->parent);
    while (slice_str_at(cmd, KW_CMD_X_ARGV, x->argc) != NULL)
        x->argc++;
    x->argv = xcalloc(x->argc + 1, sizeof *x->argv);
    for (size_t i = 0; i < x->argc; i++)
        x->argv[i] = xstrdup(slice_str_at(cmd, KW_CMD_X_ARGV, i));
    x->all = s;
    x->obj = cmd->parent;
    x->kw = (enum kw)slice_uint(cmd, KW_CMD_X_KW, KW_NONE);
    if (x->kw >= KW_MAX)
        x->kw = KW_NONE;
    x->who = script_user_of(s, cmd, owner);
    bool check = x->kw == KW_MISC_MISC_PATH || x->kw == KW_SCRIPT_SCRIPT;
    x->limit_ns = slice_ns(cmd, KW_CMD_X_TIMEOUT, check ? SCRIPT_CHECK_LIMIT : 0);
    x->owner = scripts_owner_key(slice, owner);
    if (asprintf(&x->label, "%s, %s", x->owner, x->kw != KW_NONE ? schema_kw(x->kw)->name : "?") < 0)
        fatal("out of memory");
}

static int script_cmp(const void *a, const void *b)
{
    const struct script *x = a, *y = b;
    if (x->obj != y->obj)
        return x->obj < y->obj ? -1 : 1;
    return (x->kw > y->kw) - (x->kw < y->kw);
}

struct scripts *scripts_new(const struct slice *slice)
{
    struct scripts *s = xcalloc(1, sizeof *s);
    const struct slice_obj *g = slice_next(slice, NULL, BLK_GLOBAL, SLICE_ANY_PARENT), *o = NULL;
    size_t n = 0;
    s->refs = 1;
    if (g != NULL) {
        const char *user = scripts_word(g, KW_GLOBAL_SCRIPT_USER, 0);
        const char *group = scripts_word(g, KW_GLOBAL_SCRIPT_USER, 1);
        s->user = user != NULL ? xstrdup(user) : NULL;
        s->group = group != NULL ? xstrdup(group) : NULL;
        s->secure = slice_bool(g, KW_GLOBAL_ENABLE_SCRIPT_SECURITY, false);
        s->symlink_paths = slice_bool(g, KW_GLOBAL_USE_SYMLINK_PATHS, false);
        s->supplementary = slice_bool(g, KW_GLOBAL_SET_SUPPLEMENTARY_GROUPS, false);
    }
    while ((o = slice_next(slice, o, BLK_CMD, SLICE_ANY_PARENT)) != NULL)
        n++;
    s->v = xcalloc(n > 0 ? n : 1, sizeof *s->v);
    while ((o = slice_next(slice, o, BLK_CMD, SLICE_ANY_PARENT)) != NULL)
        if (slice_str_at(o, KW_CMD_X_ARGV, 0) != NULL)
            script_load(s, &s->v[s->n++], slice, o);
    qsort(s->v, s->n, sizeof *s->v, script_cmp);
    return s;
}

struct scripts *scripts_ref(struct scripts *s)
{
    s->refs++;
    return s;
}

void scripts_unref(struct scripts *s)
{
    if (s == NULL || --s->refs > 0)
        return;
    for (size_t i = 0; i < s->n; i++) {
        for (char **a = s->v[i].argv; *a != NULL; a++)
            free(*a);
        free(s->v[i].argv);
        free(s->v[i].owner);
        free(s->v[i].label);
    }
    for (size_t i = 0; i < s->nwho; i++) {
        script_who_free(s->who[i]);
        free(s->who[i]);
    }
    free(s->who);
    free(s->v);
    free(s->user);
    free(s->group);
    free(s);
}

struct script *scripts_find(struct scripts *s, uint32_t obj, enum kw kw)
{
    struct script key = { .obj = obj, .kw = kw };
    return bsearch(&key, s->v, s->n, sizeof *s->v, script_cmp);
}

struct script *scripts_check(struct scripts *s, uint32_t obj)
{
    struct script *x = scripts_find(s, obj, KW_MISC_MISC_PATH);
    return x != NULL ? x : scripts_find(s, obj, KW_SCRIPT_SCRIPT);
}

static bool script_same(const struct script *a, const struct script *b)
{
    if (a->kw != b->kw || a->argc != b->argc || strcmp(a->owner, b->owner) != 0)
        return false;
    for (size_t i = 0; i < a->argc; i++)
        if (strcmp(a->argv[i], b->argv[i]) != 0)
            return false;
    return true;
}

struct script *scripts_like(struct scripts *s, const struct script *other)
{
    size_t turn = 0; /* of several equal ones (two checks of a server alike) the one in the same place */
    for (size_t i = 0; i < other->all->n && &other->all->v[i] != other; i++)
        turn += script_same(&other->all->v[i], other);
    for (size_t i = 0; i < s->n; i++)
        if (script_same(&s->v[i], other) && turn-- == 0)
            return &s->v[i];
    return NULL;
}

bool scripts_any_root(const struct scripts *s)
{
    for (size_t i = 0; i < s->nwho; i++)
        if (script_who_root(s->who[i]))
            return true;
    return false;
}

const struct script *scripts_at(const struct scripts *s, size_t i)
{
    return i < s->n ? &s->v[i] : NULL;
}

bool scripts_secure(const struct scripts *s)
{
    return s->secure;
}

bool scripts_symlink_paths(const struct scripts *s)
{
    return s->symlink_paths;
}
