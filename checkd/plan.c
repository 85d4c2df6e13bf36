/*
 * plan.c - what a commit of the prepared configuration would mean for the checks (holdctl reload --plan).
 * Called by main.c between prepare and abort: the table aside is told who its former selves are, which an
 * abort throws away with it.
 */
#include "checkd/plan.h"

#include <stdio.h>

void plan_write(struct checkd *d, int fd)
{
    struct service_change c;

    service_table_adopt(d->next, d->now, &c);
    for (size_t i = 0; i < d->next->nservers; i++) {
        const struct server *s = &d->next->servers[i];

        if (s->former == NULL)
            dprintf(fd, "begin with %u checks of real server %s, virtual server %s\n", s->nchecks, s->label,
                    s->vs->label);
    }
    if (c.services_removed + c.servers_removed > 0)
        dprintf(fd,
                "end the checks of %zu real servers and %zu virtual servers that are configured no more\n",
                c.servers_removed, c.services_removed);
}
