/*
 * script_user.h - who runs a script: names from the configuration become ids, groups and an environment. The
 * parent looks names up when a configuration is loaded, never while a script starts; who is unknown then is
 * looked for again now and then, and until found his scripts count as failed.
 */
#ifndef HOLDFAST_PARENT_SCRIPT_USER_H
#define HOLDFAST_PARENT_SCRIPT_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct script_who {
    char *user, *group; /* as configured; group may be ":" or ":NAME"; both NULL: the default user */
    bool supplementary; /* the user's other groups too */
    bool known;
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* exactly these besides gid; often none */
    size_t ngroups;
    char **envp; /* the whole environment of his scripts, NULL-terminated */
    uint64_t again_ns;
    char why[160]; /* not known: the reason and what to do */
};

/* user NULL or "": the default user (keepalived_script when it exists, else holdfast_script). */
void script_who_init(struct script_who *w, const char *user, const char *group, bool supplementary);
void script_who_free(struct script_who *w);
bool script_who_same(const struct script_who *w, const char *user, const char *group, bool supplementary);
bool script_who_known(struct script_who *w, uint64_t now_ns); /* looks again when it is time */
bool script_who_root(const struct script_who *w);             /* user or group 0 */

#endif
