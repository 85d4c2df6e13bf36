/* jail_client.c - see jail_client.h. */
#include "common/jail_client.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

int jail_client_drop_root(const char *user)
{
    const struct passwd *pw;
    const struct group *gr;
    if (geteuid() != 0)
        return 0;
    errno = ENOENT;
    if ((pw = getpwnam(user)) == NULL)
        return -1;
    uid_t uid = pw->pw_uid;
    gid_t gid = pw->pw_gid, more = gid;
    if ((gr = getgrnam(JAIL_CLIENT_GROUP)) != NULL)
        more = gr->gr_gid;
    return setgroups(1, &more) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ? -1 : 0;
}

int jail_client_fence(const char *user, const struct jail_rule *rules, size_t n)
{
    const struct jail_row row = { .user = user, .landlock = JAIL_LANDLOCK_NOTHING, .rules = { rules, n } };
    return jail_client_fence_row(&row);
}

int jail_client_fence_row(const struct jail_row *row)
{
    const struct rlimit none = { 0, 0 }, files = { 64, 64 };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        setrlimit(RLIMIT_NPROC, &none) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
        setrlimit(RLIMIT_NOFILE, &files) < 0)
        return -1;
    int abi = jail_landlock_abi();
    if (abi > 0 && jail_landlock_apply(row, abi) < 0)
        return -1;
    return jail_seccomp_load(row);
}
