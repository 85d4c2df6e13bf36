/* script_user.c - see script_user.h. Trusts the system's user database and the parent's own environment. */
#include "parent/script_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"

#define WHO_DEFAULT "holdfast_script"
#define WHO_INHERIT "keepalived_script"
#define WHO_AGAIN   (5 * NS_PER_SEC)
#define WHO_GROUPS  1024 /* more than any sane account has */
#define WHO_PATH    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool who_number(const char *s, unsigned long *out)
{
    char *end;
    if (s[0] < '0' || s[0] > '9')
        return false;
    errno = 0;
    *out = strtoul(s, &end, 10);
    return errno == 0 && *end == '\0' && *out < UINT32_MAX; /* the highest id means "leave it" */
}

static char *who_variable(const char *name, const char *value)
{
    char *s;
    if (asprintf(&s, "%s=%s", name, value) < 0)
        fatal("out of memory");
    return s;
}

static void who_env_free(struct script_who *w)
{
    for (char **e = w->envp; e != NULL && *e != NULL; e++)
        free(*e);
    free(w->envp);
    w->envp = NULL;
}

/* Nothing of the daemon's own but the language and the time zone. */
static void who_env(struct script_who *w, const struct passwd *pw)
{
    static const char *const own[] = { "LANG", "LC_ALL", "TZ" };
    size_t n = 0;
    who_env_free(w);
    w->envp = xcalloc(9, sizeof *w->envp);
    w->envp[n++] = who_variable("PATH", WHO_PATH);
    w->envp[n++] = who_variable("HOME", pw != NULL ? pw->pw_dir : "/");
    w->envp[n++] = who_variable("SHELL", "/bin/sh");
    if (pw != NULL) {
        w->envp[n++] = who_variable("USER", pw->pw_name);
        w->envp[n++] = who_variable("LOGNAME", pw->pw_name);
    }
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        const char *value = getenv(own[i]);
        if (value != NULL)
            w->envp[n++] = who_variable(own[i], value);
    }
}

static bool who_group(struct script_who *w, const struct passwd *pw)
{
    const char *name = w->group != NULL ? w->group : "";
    unsigned long n;
    if (name[0] == ':')
        name++;
    if (name[0] == '\0') {
        w->gid = pw != NULL ? pw->pw_gid : (gid_t)w->uid;
        return true;
    }
    const struct group *gr = getgrnam(name);
    if (gr != NULL) {
        w->gid = gr->gr_gid;
        return true;
    }
    if (who_number(name, &n)) {
        w->gid = (gid_t)n;
        return true;
    }
    snprintf(w->why, sizeof w->why, "there is no group %s; create it, or correct the configuration", name);
    return false;
}

/* Without the primary group of the database where the configuration names another. */
static void who_groups(struct script_who *w, const struct passwd *pw)
{
    bool all = w->supplementary || (w->group != NULL && w->group[0] == ':');
    gid_t found[WHO_GROUPS];
    int n = WHO_GROUPS;
    free(w->groups);
    w->groups = NULL;
    w->ngroups = 0;
    if (!all || pw == NULL || getgrouplist(pw->pw_name, w->gid, found, &n) < 0)
        return;
    w->groups = xcalloc((size_t)n, sizeof *w->groups);
    for (int i = 0; i < n; i++)
        w->groups[w->ngroups++] = found[i];
}

static void who_look(struct script_who *w)
{
    const char *name = w->user;
    unsigned long n = 0;
    if (name == NULL)
        name = getpwnam(WHO_INHERIT) != NULL ? WHO_INHERIT : WHO_DEFAULT;
    w->known = false;
    const struct passwd *pw = getpwnam(name);
    bool number = pw == NULL && who_number(name, &n);
    if (number)
        pw = getpwuid((uid_t)n);
    if (pw == NULL && !number) {
        snprintf(w->why, sizeof w->why,
                 "there is no user %s; create it (%s) or name another with script_user", name,
                 w->user == NULL ? "systemd-sysusers does" : "useradd --system");
        return;
    }
    w->uid = pw != NULL ? pw->pw_uid : (uid_t)n;
    if (!who_group(w, pw))
        return;
    who_groups(w, pw);
    who_env(w, pw);
    w->known = true;
}

void script_who_init(struct script_who *w, const char *user, const char *group, bool supplementary)
{
    *w = (struct script_who){ .supplementary = supplementary };
    if (user != NULL && user[0] != '\0')
        w->user = xstrdup(user);
    if (w->user != NULL && group != NULL && group[0] != '\0')
        w->group = xstrdup(group);
    who_look(w);
}

void script_who_free(struct script_who *w)
{
    who_env_free(w);
    free(w->groups);
    free(w->user);
    free(w->group);
}

static bool who_text_same(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

bool script_who_same(const struct script_who *w, const char *user, const char *group, bool supplementary)
{
    return w->supplementary == supplementary && who_text_same(w->user, user) &&
           (w->user == NULL || who_text_same(w->group, group));
}

bool script_who_known(struct script_who *w, uint64_t now_ns)
{
    if (w->known || now_ns < w->again_ns)
        return w->known;
    w->again_ns = now_ns + WHO_AGAIN;
    who_look(w);
    return w->known;
}

bool script_who_root(const struct script_who *w)
{
    return w->known && (w->uid == 0 || w->gid == 0);
}
