/*
 * plan.c - what a commit of the prepared configuration would mean for the instances, a line each (holdctl
 * reload --plan). Called by life.c between prepare and abort; changes nothing.
 */
#include <stdio.h>
#include <string.h>

#include "vrrpd/vrrpd.h"

/* As reload.c pairs them: by name, else by router. */
static const struct inst *plan_former(const struct vrrpd *v, const struct bind_vi *b)
{
    for (size_t n = 0; n < v->ninst; n++)
        if (strcmp(v->inst[n]->b->name, b->name) == 0)
            return v->inst[n];
    for (size_t n = 0; n < v->ninst; n++)
        if (bind_vi_same_router(v->inst[n]->b, b))
            return v->inst[n];
    return NULL;
}

static void plan_instance(const struct inst *was, const struct bind_vi *b, int fd)
{
    if (was == NULL) {
        dprintf(fd, "%s: begin, listening first\n", b->name);
    } else if (!bind_vi_same_router(was->b, b)) {
        dprintf(fd, "%s: start over (another VRID, version, interface or socket)%s\n", b->name,
                was->e.state == VRRP_STATE_MASTER ? ": resign, others take over" : "");
    } else if (!bind_vi_same(was->b, b)) {
        dprintf(fd, "%s: change%s, go on as %s\n", b->name,
                was->b->engine.priority != b->engine.priority ? " the priority and what else is new" : "",
                vrrp_state_name(was->e.state));
    }
}

void plan_write(const struct vrrpd *v, int fd)
{
    for (size_t k = 0; k < v->ninst; k++) {
        bool kept = false;
        for (size_t n = 0; n < v->nnext && !kept; n++)
            kept = plan_former(v, v->next[n]) == v->inst[k];
        if (!kept)
            dprintf(fd, "%s: end%s\n", v->inst[k]->b->name,
                    v->inst[k]->e.state == VRRP_STATE_MASTER ? ", resign (priority 0)" : "");
    }
    for (size_t n = 0; n < v->nnext; n++)
        plan_instance(plan_former(v, v->next[n]), v->next[n], fd);
}
