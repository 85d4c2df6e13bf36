/*
 * check_bfd.c - BFD_CHECK: the server is up as long as the session is. No attempts: vrrpd has the sessions
 * and tells their states. Until it has told, the server is what alpha says. vrrpd may have been taken over:
 * it can move the verdicts of these checks, which are about its sessions, and of no others. Called by
 * engine.c through checker.h and by kinds.c.
 */
#include "checkd/check_bfd.h"

#include "checkd/checkd.h"

struct check_bfd {
    uint32_t session; /* id of the bfd_instance */
    const char *name; /* in the slice, which outlives the checker */
};

void check_bfd_state(struct checkd *d, const struct msg_bfd_state *m)
{
    for (struct checker *k = NULL; (k = checkd_next_checker(d, check_bfd_kind(), k)) != NULL;) {
        const struct check_bfd *s = k->state;

        if (s->session != m->bfd)
            continue;
        if (m->up)
            checker_passed(k, "session %s is up", s->name);
        else
            checker_failed(k, "session %s is down", s->name);
    }
}

/* ---- the kind ---------------------------------------------------------------------------------- */

static int bfd_build(struct checker *k, const struct slice *sl, const struct slice_obj *o, struct err *e)
{
    const char *name = slice_str(o, KW_BFDCHK_NAME, "");
    const struct slice_obj *session = slice_find(sl, BLK_BFD, name);
    struct check_bfd *s;

    if (session == NULL)
        return err_set(e, "HF-SLICE", o->name,
                       "line %u: BFD_CHECK follows bfd_instance %s, which is not there: a bug "
                       "of holdfast-conf",
                       o->line, name);
    s = xcalloc(1, sizeof *s);
    s->session = session->id;
    s->name = session->name;
    k->state = s;
    return 0;
}

const struct checker_kind *check_bfd_kind(void)
{
    static const struct checker_kind kind = {
        .blk = BLK_BFDCHK, .name = "BFD_CHECK", .build = bfd_build, .passive = true
    };

    return &kind;
}
