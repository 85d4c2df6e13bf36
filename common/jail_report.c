/*
 * jail_report.c - what the kernel says about the jail, read back instead of assumed, and the comparison with
 * the table. The child fills struct msg_ready; the parent, which trusts the kernel's answer only as far as
 * the child has not been taken over yet (it has read nothing from anybody), calls jail_verify before it tells
 * the child anything.
 */
#include "common/jail.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/jail_table.h"

int jail_report_open(struct jail_report *rep)
{
    struct stat st;
    rep->proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    rep->status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (rep->proc < 0 || rep->status < 0 || fstatat(rep->proc, "ns/net", &st, 0) < 0)
        return -1;
    rep->netns = st.st_ino;
    return 0;
}

/* "/" has no entry and this process could not make one. */
static bool report_root_is_empty(void)
{
    return jail_dir_is_empty("/") && faccessat(AT_FDCWD, "/", W_OK, AT_EACCESS) != 0;
}

static uint32_t report_limit(int resource)
{
    struct rlimit l = { 0, 0 };
    if (getrlimit((__rlimit_resource_t)resource, &l) < 0 || l.rlim_max > UINT32_MAX)
        return UINT32_MAX;
    return (uint32_t)l.rlim_max;
}

int jail_report_before(struct jail_report *rep, struct msg_ready *out, int abi)
{
    struct stat st;
    int dumpable = prctl(PR_GET_DUMPABLE);
    if (fstatat(rep->proc, "ns/net", &st, 0) < 0 || dumpable < 0)
        return -1;
    out->own_netns = st.st_ino != rep->netns;
    out->dumpable = (uint8_t)dumpable;
    out->empty_root = report_root_is_empty();
    out->nofile = report_limit(RLIMIT_NOFILE);
    out->nproc = report_limit(RLIMIT_NPROC);
    out->landlock_abi = (uint8_t)abi;
    close(rep->proc); /* a way back to the host's /proc must not outlive the jail's making */
    rep->proc = -1;
    return 0;
}

/* The value behind "Name:" in /proc/PID/status; NULL when the line is not there. */
static const char *report_find(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = text; p != NULL; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, name, n) == 0 && p[n] == ':')
            return p + n + 1;
    }
    return NULL;
}

static int report_number(const char *text, const char *name, int base, uint64_t *out)
{
    const char *v = report_find(text, name);
    if (v == NULL)
        return -1;
    *out = strtoull(v, NULL, base);
    return 0;
}

/* Uid and Gid are four numbers; all four must agree or the report says none of them. */
static int report_id(const char *text, const char *name, uint32_t *out)
{
    unsigned int id[4];
    const char *v = report_find(text, name);
    if (v == NULL || sscanf(v, "%u %u %u %u", &id[0], &id[1], &id[2], &id[3]) != 4)
        return -1;
    *out = id[0] == id[1] && id[1] == id[2] && id[2] == id[3] ? id[0] : UINT32_MAX;
    return 0;
}

static uint32_t report_count_groups(const char *text)
{
    const char *v = report_find(text, "Groups");
    uint32_t n = 0;
    for (; v != NULL && *v != '\n' && *v != '\0'; v++)
        n += isdigit((unsigned char)*v) != 0 && isdigit((unsigned char)v[1]) == 0;
    return n;
}

static int report_parse(const char *text, struct msg_ready *out)
{
    uint64_t nnp, seccomp;
    if (report_id(text, "Uid", &out->uid) < 0 || report_id(text, "Gid", &out->gid) < 0 ||
        report_number(text, "CapInh", 16, &out->cap_inheritable) < 0 ||
        report_number(text, "CapPrm", 16, &out->cap_permitted) < 0 ||
        report_number(text, "CapEff", 16, &out->cap_effective) < 0 ||
        report_number(text, "CapBnd", 16, &out->cap_bounding) < 0 ||
        report_number(text, "CapAmb", 16, &out->cap_ambient) < 0 ||
        report_number(text, "NoNewPrivs", 10, &nnp) < 0 || report_number(text, "Seccomp", 10, &seccomp) < 0) {
        errno = EPROTO;
        return -1;
    }
    out->groups = report_count_groups(text);
    out->no_new_privs = (uint8_t)nnp;
    out->seccomp = (uint8_t)seccomp;
    return 0;
}

int jail_report_after(struct jail_report *rep, struct msg_ready *out)
{
    char text[4096];
    size_t len = 0;
    for (;;) {
        ssize_t n = read(rep->status, text + len, sizeof text - 1 - len);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
    close(rep->status);
    rep->status = -1;
    return report_parse(text, out);
}

static int report_differs(char *why, size_t size, const char *what, uint64_t is, uint64_t should)
{
    snprintf(why, size, "%s is 0x%llx, the jail table says 0x%llx", what, (unsigned long long)is,
             (unsigned long long)should);
    return -1;
}

int jail_verify(enum role r, const struct msg_ready *m, char *why, size_t size)
{
    const struct jail_row *row = jail_row(r);
    const struct passwd *pw = row != NULL ? getpwnam(row->user) : NULL;
    if (pw == NULL) {
        snprintf(why, size, "user %s of role %s does not exist", row != NULL ? row->user : "-", role_name(r));
        return -1;
    }
    const struct {
        const char *what;
        uint64_t is, should;
    } same[] = {
        { "uid", m->uid, pw->pw_uid },
        { "gid", m->gid, pw->pw_gid },
        { "number of supplementary groups", m->groups, 0 },
        { "effective capability set", m->cap_effective, row->caps },
        { "permitted capability set", m->cap_permitted, row->caps },
        { "bounding capability set", m->cap_bounding, row->caps },
        { "inheritable capability set", m->cap_inheritable, 0 },
        { "ambient capability set", m->cap_ambient, 0 },
        { "no_new_privs", m->no_new_privs, 1 },
        { "dumpable", m->dumpable, 0 },
        { "seccomp mode", m->seccomp, 2 },
        { "own network namespace", m->own_netns, row->own_netns },
        { "empty root", m->empty_root, row->empty_root },
        { "process limit", m->nproc, 0 },
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (same[i].is != same[i].should)
            return report_differs(why, size, same[i].what, same[i].is, same[i].should);
    if (m->nofile > row->nofile)
        return report_differs(why, size, "descriptor limit", m->nofile, row->nofile);
    return 0;
}
