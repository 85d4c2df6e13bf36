/*
 * script_walk.c - from "/" to the file, one component at a time, by descriptor: what is judged is what the
 * next step stands on, and what comes out is the file itself, not a name. Symbolic links are read and
 * followed here, never by the kernel. Runs in the child with the user's file access rights (fsuid), so it
 * sees what the user may see; it trusts nothing on the way. See script_child.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "parent/script_child.h"

#define WALK_LINKS 40

int script_fail(struct script_notes *n, enum script_stage stage, int error, const char *what)
{
    size_t len = strnlen(what, sizeof n->fail.what - 1);
    n->fail.stage = stage;
    n->fail.error = error;
    memmove(n->fail.what, what, len);
    n->fail.what[len] = '\0';
    return -1;
}

/* Who besides root and the script's user could change this, or what a name in it means? */
static bool walk_weak(const struct script_safe *s, const struct stat *st, bool privileged)
{
    if (st->st_uid != 0 && (privileged || st->st_uid != s->uid))
        return true;
    if (S_ISLNK(st->st_mode)) /* it cannot be changed, only replaced, and that is the directory's matter */
        return false;
    if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX)) /* only owners replace what is in it */
        return false;
    bool own_group = st->st_gid == 0 || (!privileged && st->st_gid == s->gid);
    return (st->st_mode & S_IWOTH) != 0 || ((st->st_mode & S_IWGRP) != 0 && !own_group);
}

static bool walk_privileged(const struct script_safe *s)
{
    return s->uid == 0 || s->gid == 0;
}

/* 0: go on. -1: refused. */
static int walk_judge(struct script_notes *n, const struct stat *st)
{
    bool set_root = S_ISREG(st->st_mode) && (((st->st_mode & S_ISUID) && st->st_uid == 0) ||
                                             ((st->st_mode & S_ISGID) && st->st_gid == 0));
    bool privileged = walk_privileged(&n->safe) || set_root;
    if (!walk_weak(&n->safe, st, privileged))
        return 0;
    const char *part = n->file.resolved[0] != '\0' ? n->file.resolved : "/";
    if (n->safe.secure && privileged)
        return script_fail(n, SCRIPT_STAGE_UNSAFE, EPERM, part);
    if (!n->file.weak)
        memcpy(n->file.weak_part, part, strlen(part) + 1);
    n->file.weak = true;
    return 0;
}

/* Root without capabilities meets directories only their owner may enter; the script itself will have all of
 * root's rights, so here the owner's eyes are borrowed. */
static int walk_open(struct script_notes *n, int dir, const char *name, int flags)
{
    struct stat st;
    int fd = openat(dir, name, flags);
    if (fd >= 0 || errno != EACCES || n->safe.uid != 0 || fstat(dir, &st) < 0 || st.st_uid == 0)
        return fd;
    setfsuid(st.st_uid);
    fd = openat(dir, name, flags);
    int saved = errno;
    setfsuid(0);
    errno = saved;
    return fd;
}

/* resolved += "/" + name, or minus its last component. */
static int walk_note(struct script_notes *n, const char *name)
{
    char *r = n->file.resolved;
    size_t have = strlen(r), len = strlen(name);
    if (strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0) {
        char *slash = strrchr(r, '/');
        if (slash != NULL)
            *slash = '\0';
        return 0;
    }
    if (have + 1 + len >= sizeof n->file.resolved)
        return script_fail(n, SCRIPT_STAGE_PATH, ENAMETOOLONG, r);
    r[have] = '/';
    memcpy(r + have + 1, name, len + 1);
    return 0;
}

/* The link's text goes in front of what is left. */
static int walk_link(struct script_notes *n, int fd, char *rest)
{
    ssize_t len = readlinkat(fd, "", n->link, sizeof n->link - 1);
    size_t left = strlen(rest);
    if (len <= 0)
        return script_fail(n, SCRIPT_STAGE_PATH, len < 0 ? errno : ENOENT, n->file.resolved);
    if ((size_t)len + 1 + left >= sizeof n->left)
        return script_fail(n, SCRIPT_STAGE_PATH, ENAMETOOLONG, n->file.resolved);
    size_t gap = left > 0 ? 1 : 0;
    memmove(n->left + (size_t)len + gap, rest, left + 1);
    memcpy(n->left, n->link, (size_t)len);
    if (gap > 0)
        n->left[len] = '/';
    return walk_note(n, "..");
}

static int walk_root(struct script_notes *n, int *dir)
{
    struct stat st;
    if (*dir >= 0)
        close(*dir);
    n->file.resolved[0] = '\0';
    *dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir < 0 || fstat(*dir, &st) < 0)
        return script_fail(n, SCRIPT_STAGE_PATH, errno, "/");
    return walk_judge(n, &st);
}

/* Cuts the first component off left; *rest is what follows it, without leading slashes. NULL: none. */
static char *walk_component(struct script_notes *n, char **rest)
{
    char *name = n->left + strspn(n->left, "/");
    size_t len = strcspn(name, "/");
    if (len == 0)
        return NULL;
    *rest = name + len + strspn(name + len, "/");
    name[len] = '\0';
    return name;
}

/* One step. 1: *dir is the file. */
static int walk_step(struct script_notes *n, int *dir, unsigned int *links)
{
    struct stat *st = &n->file.st;
    char *rest, *name = walk_component(n, &rest);
    if (name == NULL)
        return script_fail(n, SCRIPT_STAGE_KIND, EISDIR, n->file.resolved);
    if (walk_note(n, name) < 0)
        return -1;
    int fd = walk_open(n, *dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, st) < 0)
        return script_fail(n, SCRIPT_STAGE_PATH, errno, n->file.resolved);
    if (walk_judge(n, st) < 0)
        return -1;
    if (S_ISLNK(st->st_mode)) {
        if (++*links > WALK_LINKS)
            return script_fail(n, SCRIPT_STAGE_PATH, ELOOP, n->file.resolved);
        if (walk_link(n, fd, rest) < 0)
            return -1;
        close(fd);
        return n->left[0] == '/' ? walk_root(n, dir) : 0;
    }
    close(*dir);
    *dir = fd;
    if (*rest == '\0')
        return 1;
    if (!S_ISDIR(st->st_mode))
        return script_fail(n, SCRIPT_STAGE_PATH, ENOTDIR, n->file.resolved);
    memmove(n->left, rest, strlen(rest) + 1);
    return 0;
}

int script_walk(struct script_notes *n, const char *path)
{
    unsigned int links = 0;
    size_t len = strlen(path);
    int dir = -1, rc;
    n->file.weak = false;
    if (len >= sizeof n->left)
        return script_fail(n, SCRIPT_STAGE_PATH, ENAMETOOLONG, path);
    memcpy(n->left, path, len + 1);
    if (walk_root(n, &dir) < 0)
        return -1;
    while ((rc = walk_step(n, &dir, &links)) == 0)
        continue;
    if (rc < 0)
        return -1; /* the process ends, and its descriptors with it, or the next place is tried */
    n->file.fd = dir;
    return S_ISREG(n->file.st.st_mode) ? 0 : script_fail(n, SCRIPT_STAGE_KIND, EACCES, n->file.resolved);
}
