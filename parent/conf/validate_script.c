/*
 * validate_script.c - commands and their users, as far as a process without privileges can judge them:
 * missing, not executable, run as root without script security, or changeable by others under it. The parent
 * checks again, on the descriptor it executes; this is for the administrator. Called by validate.c.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parent/conf/conf_int.h"
#include "parent/conf/model.h"

#define SCRIPT_DEFAULT_USER "holdfast_script"
#define SCRIPT_INHERIT_USER "keepalived_script"
#define SCRIPT_PATH         "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct who {
    const char *user;
    bool root;
    bool given; /* by the administrator */
};

static bool user_known(const char *name)
{
    char *end;
    strtoul(name, &end, 10);
    return (*end == '\0' && end != name) || getpwnam(name) != NULL;
}

/* USER [GROUP] of script_user or user: raw words. */
static const char *user_of(struct conf *c, const struct conf_value *v)
{
    if (v == NULL)
        return NULL;
    const char *user = v->v.raw;
    if (conf_once(c, conf_fmt(c, "user/%p", (const void *)v), c->top) != NULL)
        return user;
    if (!user_known(user))
        diag_help(CONF_WARN(c, conf_pos_value(v), "HF-USER", "%s: there is no user %s",
                            schema_kw(v->kw)->name, user),
                  "scripts of that user count as failed until it exists");
    const char *group = strlen(user) + 1 < v->len ? user + strlen(user) + 1 : NULL;
    if (group != NULL && group[0] == ':')
        group = group[1] != '\0' ? group + 1 : NULL;
    if (group != NULL && strspn(group, "0123456789") != strlen(group) && getgrnam(group) == NULL)
        CONF_WARN(c, conf_pos_value(v), "HF-USER", "%s: there is no group %s", schema_kw(v->kw)->name, group);
    return user;
}

/* `user` of the block the command stands in. */
static const struct conf_value *block_user(const struct conf_obj *cmd)
{
    if (cmd->parent->blk == BLK_SCRIPT)
        return conf_get(cmd->parent, KW_SCRIPT_USER);
    return cmd->parent->blk == BLK_MISC ? conf_get(cmd->parent, KW_MISC_USER) : NULL;
}

static bool user_root(const char *name)
{
    return strcmp(name, "root") == 0 || strcmp(name, "0") == 0;
}

static const char *user_default(void)
{
    return user_known(SCRIPT_INHERIT_USER) ? SCRIPT_INHERIT_USER : SCRIPT_DEFAULT_USER;
}

static struct who who_runs(struct conf *c, const struct conf_obj *cmd)
{
    const struct conf_value *own = conf_get(cmd, KW_CMD_X_USER), *block = block_user(cmd);
    const char *user = own != NULL ? (const char *)own->v.raw : user_of(c, block);
    if (own != NULL && !user_known(user)) {
        CONF_WARN(c, conf_pos_line(own->line), "HF-USER", "%s: there is no user %s",
                  schema_kw(cmd->opener)->name, user);
    }
    if (user == NULL)
        user = user_of(c, conf_get(c->global, KW_GLOBAL_SCRIPT_USER));
    struct who w = { .user = user, .given = user != NULL };
    if (user == NULL)
        w.user = user_default();
    w.root = user_root(w.user);
    return w;
}

/* Every component of a resolved path: owned by root, not writable by others. NULL: safe. */
static const char *unsafe_part(struct conf *c, const char *resolved)
{
    struct stat st;
    for (size_t n = 1;; n++) {
        while (resolved[n] != '/' && resolved[n] != '\0')
            n++;
        const char *part = conf_arena_strndup(c->arena, resolved, n);
        if (stat(part, &st) < 0)
            return NULL; /* not ours to see */
        bool sticky = S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX);
        if (st.st_uid != 0 ||
            (!sticky && ((st.st_mode & S_IWOTH) || ((st.st_mode & S_IWGRP) && st.st_gid != 0))))
            return part;
        if (resolved[n] == '\0')
            return NULL;
    }
}

static bool find_in_path(const char *name, char *out, size_t size)
{
    const char *dirs = SCRIPT_PATH;
    while (*dirs != '\0') {
        size_t n = strcspn(dirs, ":");
        snprintf(out, size, "%.*s/%s", (int)n, dirs, name);
        if (access(out, X_OK) == 0)
            return true;
        dirs += n + (dirs[n] == ':');
    }
    return false;
}

static const char *subject(struct conf *c, const struct conf_obj *cmd)
{
    if (cmd->parent->blk == BLK_SCRIPT)
        return diag_tr(c->diag, "script");
    return conf_fmt(c, "%s:", schema_kw(cmd->opener)->name);
}

static void judge_file(struct conf *c, const struct conf_obj *cmd, const struct who *w, const char *path,
                       struct conf_pos pos)
{
    char resolved[4096];
    struct stat st;
    const char *what = subject(c, cmd);
    if (stat(path, &st) < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            diag_help(CONF_WARN(c, pos, "HF-SCRIPT-MISSING", "%s %s does not exist", what, path),
                      "until it exists it counts as failed");
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        CONF_WARN(c, pos, "HF-SCRIPT-KIND", "%s %s is not a regular file", what, path);
        return;
    }
    if (!(st.st_mode & 0111)) {
        diag_help(CONF_WARN(c, pos, "HF-SCRIPT-MODE", "%s %s is not executable", what, path), "chmod +x %s",
                  path);
        return;
    }
    if (!w->root || realpath(path, resolved) == NULL)
        return;
    const char *part = unsafe_part(c, resolved);
    if (part == NULL)
        return;
    bool secure = conf_flag(c->global, KW_GLOBAL_ENABLE_SCRIPT_SECURITY);
    bool refused = secure && c->env->starting;
    struct diag_item *it =
        diag_add(c->diag, secure && !refused ? DIAG_ERROR : DIAG_WARNING, "HF-SCRIPT-UNSAFE", pos,
                 "%s %s runs as root, but %s can be changed by others%s", what, path, part,
                 refused ? diag_tr(c->diag, "; it is not run, and counts as failed") : "");
    diag_help(it, "chown root %s; chmod go-w %s; or run the script as another user", part, part);
    if (secure)
        diag_class(it, DIAG_CLASS_SECURITY);
}

static void judge(struct conf *c, struct conf_obj *cmd)
{
    struct who w = who_runs(c, cmd);
    const struct conf_value *argv0 = NULL;
    char found[4096];
    for (const struct conf_value *v = cmd->values; v != NULL && argv0 == NULL; v = v->next)
        if (v->kw == KW_CMD_X_ARGV)
            argv0 = v;
    if (argv0 == NULL)
        return;
    struct conf_pos pos = conf_pos_value(argv0);
    const char *path = argv0->v.raw;
    if (c->env->elsewhere) /* users and files are those of another machine */
        return;
    if (!w.given && conf_once(c, "script-user-note", c->top) == NULL) {
        struct diag_item *it =
            CONF_NOTE(c, pos, "HF-SCRIPT-USER", "scripts run as %s, since no script_user is given", w.user);
        diag_help(it, "to run them as root add to global_defs: script_user root and enable_script_security");
    }
    if (w.root && !conf_flag(c->global, KW_GLOBAL_ENABLE_SCRIPT_SECURITY) &&
        conf_once(c, "script-root", c->top) == NULL)
        diag_help(CONF_WARN(c, pos, "HF-SCRIPT-ROOT", "%s runs as root without enable_script_security",
                            cmd->parent->blk == BLK_SCRIPT ? conf_label(c, cmd->parent)
                                                           : schema_kw(cmd->opener)->name),
                  "add enable_script_security to global_defs, or another script_user");
    if (path[0] == '<')
        return;
    if (strchr(path, '/') == NULL) {
        if (!find_in_path(path, found, sizeof found)) {
            CONF_WARN(c, pos, "HF-SCRIPT-MISSING", "%s %s is not in the search path", subject(c, cmd), path);
            return;
        }
        diag_help(CONF_WARN(c, pos, "HF-SCRIPT-PATH", "%s %s has no path; %s is used", subject(c, cmd), path,
                            found),
                  "write: %s", found);
        path = conf_fmt(c, "%s", found);
    }
    judge_file(c, cmd, &w, path, pos);
}

/* The same for a reader: nothing is reported. */
static void runs_file(struct conf *c, const char *argv0, struct conf_runs *r)
{
    char buf[4096];
    struct stat st;
    r->path = argv0;
    r->file = c->env->elsewhere ? "elsewhere" : "missing";
    if (c->env->elsewhere)
        return;
    if (strchr(argv0, '/') == NULL) {
        r->path = find_in_path(argv0, buf, sizeof buf) ? conf_fmt(c, "%s", buf) : NULL;
        if (r->path == NULL)
            return;
    }
    if (stat(r->path, &st) < 0) {
        r->file = errno == ENOENT || errno == ENOTDIR ? "missing" : "unseen";
    } else if (!S_ISREG(st.st_mode)) {
        r->file = "not-a-file";
    } else if (!(st.st_mode & 0111)) {
        r->file = "not-executable";
    } else {
        r->part = realpath(r->path, buf) != NULL ? unsafe_part(c, buf) : NULL;
        r->file = r->part != NULL ? "unsafe" : "ok";
    }
}

static void runs_words(const struct conf_value *v, struct conf_runs *r)
{
    const char *group = r->user + strlen(r->user) + 1;
    r->line = conf_lineno(v->line);
    if (group < (const char *)v->v.raw + v->len)
        r->group = group;
}

void conf_script_runs(struct conf *c, const struct conf_obj *cmd, struct conf_runs *r)
{
    const struct conf_value *own = conf_get(cmd, KW_CMD_X_USER), *group = conf_get(cmd, KW_CMD_X_GROUP),
                            *block = block_user(cmd), *all = conf_get(c->global, KW_GLOBAL_SCRIPT_USER),
                            *from = block != NULL ? block : all;
    *r = (struct conf_runs){ .secure = conf_flag(c->global, KW_GLOBAL_ENABLE_SCRIPT_SECURITY) };
    if (own != NULL) {
        r->user = own->v.raw;
        r->group = group != NULL ? group->v.raw : NULL;
        r->line = conf_lineno(own->line);
        r->because = "written behind the command";
    } else if (from != NULL) {
        r->user = from->v.raw;
        runs_words(from, r);
        r->because = block != NULL ? "user of its own block" : "script_user of global_defs";
    } else {
        r->user = user_default();
        r->because = strcmp(r->user, SCRIPT_INHERIT_USER) == 0
                         ? "no script_user is given and the user keepalived_script exists"
                         : "no script_user is given: the default, never root";
    }
    r->root = user_root(r->user);
    r->exists = c->env->elsewhere || user_known(r->user);
    r->file = "missing";
    for (const struct conf_value *v = cmd->values; v != NULL; v = v->next)
        if (v->kw == KW_CMD_X_ARGV) {
            runs_file(c, v->v.raw, r);
            return;
        }
}

/* How long a check may run: its own limit, else until the next one is due. Others have none. */
static void limit(struct conf *c, struct conf_obj *cmd)
{
    const struct conf_obj *o = cmd->parent;
    uint64_t us = 0;
    if (o->blk == BLK_SCRIPT) {
        us = conf_uint(o, KW_SCRIPT_TIMEOUT, 0);
        us = us != 0 ? us : conf_uint(o, KW_SCRIPT_INTERVAL, 1000000);
    } else if (o->blk == BLK_MISC) {
        us = conf_uint(o, KW_MISC_MISC_TIMEOUT, 0);
        us = us != 0 ? us : conf_uint(o, KW_MISC_DELAY_LOOP, 60000000);
    }
    if (us != 0)
        conf_set_uint(c, cmd, KW_CMD_X_TIMEOUT, us);
}

static void walk(struct conf *c, struct conf_obj *o)
{
    for (struct conf_obj *in = o->child; in != NULL; in = in->sibling) {
        if (in->drop)
            continue;
        if (in->blk == BLK_CMD) {
            limit(c, in);
            judge(c, in);
        } else {
            walk(c, in);
        }
    }
}

void conf_validate_scripts(struct conf *c)
{
    walk(c, c->top);
    user_of(c, conf_get(c->global, KW_GLOBAL_SCRIPT_USER));
}
