/*
 * script_child.h - inside of script_exec.c, script_child.c and script_walk.c only: the notes a starting
 * script and the parent share. What is written here by the child is read by the parent after the exec or the
 * end.
 */
#ifndef HOLDFAST_PARENT_SCRIPT_CHILD_H
#define HOLDFAST_PARENT_SCRIPT_CHILD_H

#include "parent/script_exec.h"

#define SCRIPT_ARGS_MAX   1024
#define SCRIPT_NEST_MAX   4
#define SCRIPT_HEAD       256 /* of the file; the kernel looks at as much */
#define SCRIPT_DEFAULT_SH "/bin/sh"

/* As rt_sigaction(2) has it: glibc keeps signals 32 and 33 from its own sigaction(), yet who started us (make
 * is one) may have left them ignored, and a script is not to inherit that. All zero: the default. */
#define SCRIPT_SIGNALS 64
struct script_sigaction {
    uint64_t handler, rest[7];
};

struct script_shebang {
    size_t at, len;         /* the interpreter, in the head */
    size_t arg_at, arg_len; /* its one argument; arg_len 0: none */
    bool crlf;
};

enum script_kind { SCRIPT_KIND_PROGRAM, SCRIPT_KIND_SHEBANG, SCRIPT_KIND_TEXT, SCRIPT_KIND_BAD };

/* script_shebang.c. Pure: what the first bytes of a file say. BAD: #! and no interpreter, or one that is cut
 * off. */
enum script_kind script_head_kind(const uint8_t *head, size_t len, struct script_shebang *out);

struct script_safe {
    bool secure; /* refuse what is unsafe and privileged */
    uid_t uid;
    gid_t gid;
};

struct script_file {
    int fd; /* O_PATH */
    struct stat st;
    char resolved[PATH_MAX]; /* without symbolic links */
    bool weak;               /* somebody besides root and the user can change it: */
    char weak_part[PATH_MAX];
};

struct script_notes {
    /* from the parent */
    const struct script_launch *launch;
    struct script_safe safe;
    int devnull, alive;
    uint64_t not_default; /* signals the parent ignores or handles, bits */
    /* for the parent */
    struct script_failure fail;
    bool weak, shell;
    char weak_part[PATH_MAX];
    /* the child's scratch paper */
    struct script_file file;
    char left[PATH_MAX], link[PATH_MAX], pool[SCRIPT_NEST_MAX * (2 * SCRIPT_HEAD + 2) + PATH_MAX];
    size_t pooled;
    uint8_t head[SCRIPT_HEAD];
    char *argv[SCRIPT_ARGS_MAX + 3 * SCRIPT_NEST_MAX + 1];
    char *const *argv_at; /* filled from the end: interpreters come in front */
};

/* script_walk.c: opens path component by component, nothing but descriptors in between. 0, or -1 with
 * n->fail. */
int script_walk(struct script_notes *n, const char *path);
int script_fail(struct script_notes *n, enum script_stage stage, int error, const char *what); /* -1 */

/* script_child.c: runs in the child on struct script_notes, never returns. */
int script_child(void *notes);

#endif
