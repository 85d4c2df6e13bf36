/*
 * procset.c - see procset.h. Late is measured from the moment the timer was due, but never from before the
 * last turn began: a timer armed for a moment that has passed is not late, it is meant so.
 */
#include "common/procset.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "common/role.h"

#define PROCSET_LOCK_ENOUGH (UINT64_C(1) << 30)
#define PROCSET_LATE        (1000 * NS_PER_MS)
#define PROCSET_ASK_EVERY   (100 * NS_PER_MS)
#define PROCSET_SAY_EVERY   (60 * NS_PER_SEC)

void procset_init(struct procset *s, enum role r)
{
    struct rlimit l = { 0, 0 };
    *s = (struct procset){ .role = r, .late_ns = PROCSET_LATE, .due = TIME_NEVER };
    s->may_lock = getrlimit(RLIMIT_MEMLOCK, &l) == 0 && l.rlim_max >= PROCSET_LOCK_ENOUGH;
}

/* Only pages that are used: a room of these reserves more than it touches. At the limit the stack could not
 * grow any more and allocations would fail, so it must be far away. */
static void procset_lock(struct procset *s, bool want)
{
    if (want == s->locked)
        return;
    if (!want) {
        munlockall();
        s->locked = false;
        return;
    }
    if (!s->may_lock) {
        log_warn("memory is not locked although no_swap asks for it: RLIMIT_MEMLOCK is not unlimited; set "
                 "LimitMEMLOCK=infinity for the service, or start holdfast with CAP_SYS_RESOURCE");
        return;
    }
    s->locked = mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
    if (!s->locked)
        log_warn("memory cannot be locked as no_swap asks: %s", strerror(errno));
}

void procset_load(struct procset *s, const struct slice *slice)
{
    const struct slice_obj *o = slice_find(slice, BLK_PROCESS, role_name(s->role));
    const char *comm = o != NULL ? slice_str(o, KW_PROCESS_X_COMM, NULL) : NULL;
    prctl(PR_SET_NAME, comm != NULL ? comm : role_binary(s->role), 0, 0, 0);
    procset_lock(s, o != NULL && slice_uint(o, KW_PROCESS_X_LOCK, 0) != 0);
    uint64_t late = o != NULL ? slice_uint(o, KW_PROCESS_X_LATE, 0) : 0;
    s->late_ns = late > 0 ? late * NS_PER_US : PROCSET_LATE;
    s->most = o != NULL ? (unsigned int)slice_uint(o, KW_PROCESS_X_AUTO, 0) : 0;
    s->quiet = o != NULL && slice_uint(o, KW_PROCESS_X_QUIET, 0) != 0;
}

static void procset_complain(struct procset *s, uint64_t now, uint64_t late)
{
    uint64_t more = 0;
    if (s->quiet || !log_allow(&s->said, now, PROCSET_SAY_EVERY, &more))
        return;
    log_notice("a timer ran %.3f ms late: the machine is too busy, or was halted; max_auto_priority in "
               "global_defs lets this process rise to real-time priority by itself (-1: say nothing)",
               (double)late / NS_PER_MS);
}

uint32_t procset_turn(struct procset *s, uint64_t now_ns, uint64_t due_ns)
{
    uint64_t from = s->due > s->turned ? s->due : s->turned, late = now_ns > from ? now_ns - from : 0;
    bool timer = s->due <= now_ns && s->turned != 0;
    s->due = due_ns;
    s->turned = now_ns;
    if (!timer || late < s->late_ns)
        return 0;
    if (s->most == 0) {
        procset_complain(s, now_ns, late);
        return 0;
    }
    if (s->told != 0 && now_ns - s->told < PROCSET_ASK_EVERY)
        return 0;
    s->told = now_ns;
    uint64_t us = late / NS_PER_US;
    return us == 0 ? 1 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}
