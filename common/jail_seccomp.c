/*
 * jail_seccomp.c - turns the rules of a row into the process's last filter. Everything not listed kills the
 * whole process: a taken-over child must not get a second try. Called by jail.c and jail_client.c as the last
 * step.
 */
#include "common/jail_table.h"

#include <errno.h>
#include <unistd.h>

static int seccomp_add_rules(scmp_filter_ctx ctx, struct jail_rules list)
{
    for (size_t i = 0; i < list.n; i++) {
        const struct jail_rule *r = &list.rule[i];
        uint32_t act = r->error == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint32_t)r->error);
        int e = seccomp_rule_add_array(ctx, act, r->nr, r->ncmp, r->cmp);
        if (e < 0) {
            errno = -e;
            return -1;
        }
    }
    return 0;
}

/* abort() signals this very process; the number is not known to the table. */
static int seccomp_add_abort(scmp_filter_ctx ctx)
{
    const struct scmp_arg_cmp self = { 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 };
    int e = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self);
    if (e < 0) {
        errno = -e;
        return -1;
    }
    return 0;
}

int jail_seccomp_load(const struct jail_row *row)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (ctx == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int rc = seccomp_add_rules(ctx, jail_rules_common());
    if (rc == 0)
        rc = seccomp_add_rules(ctx, row->rules);
    if (rc == 0)
        rc = seccomp_add_abort(ctx);
    if (rc == 0) {
        int e = seccomp_load(ctx);
        if (e < 0) {
            errno = -e;
            rc = -1;
        }
    }
    int saved = errno;
    seccomp_release(ctx);
    errno = saved;
    return rc;
}
