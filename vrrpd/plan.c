/*
 * plan.c - what a commit of the prepared configuration would mean for the instances, a line each (holdctl
 * reload --plan). Called by life.c between prepare and abort; changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vrrpd/vrrpd.h"

static void plan_instance(const struct inst *was, const struct bind_vi *b, int fd)
{
    if (was == NULL) {
        dprintf(fd, "%s: begin, listening first\n", b->name);
    } else if (!bind_vi_same_router(was->b, b)) {
        dprintf(fd, "%s: start over (another VRID, interface or socket)%s\n", b->name,
                was->e.state == VRRP_STATE_MASTER ? ": resign, others take over" : "");
    } else if (!bind_vi_same(was->b, b)) {
        dprintf(fd, "%s: change%s, go on as %s\n", b->name,
                was->b->engine.priority != b->engine.priority ? " the priority and what else is new" : "",
                vrrp_state_name(was->e.state));
    }
}

void plan_write(const struct vrrpd *v, int fd)
{
    struct inst **left = xcalloc(v->ninst + 1, sizeof(struct inst *));
    struct inst **match = xcalloc(v->nnext + 1, sizeof(struct inst *));
    for (size_t k = 0; k < v->ninst; k++)
        left[k] = v->inst[k];
    reload_match(v, left, v->ninst, match);
    for (size_t k = 0; k < v->ninst; k++)
        if (left[k] != NULL)
            dprintf(fd, "%s: end%s\n", left[k]->b->name,
                    left[k]->e.state == VRRP_STATE_MASTER ? ", resign (priority 0)" : "");
    for (size_t k = 0; k < v->nnext; k++)
        plan_instance(match[k], v->next[k], fd);
    free(left);
    free(match);
}
