/*
 * cmd_daemon.c - holdctl's commands about the daemon as a whole: status, restart, stop.
 */
#include <poll.h>
#include <stdio.h>

#include "parent/ctl/ctl.h"
#include "parent/ctl/show.h"

#define CTL_STOP_MS 20000

int cmd_status(struct ctl *c, int argc, char **argv)
{
    static const char *const always[] = { "role", "instance", "group", "service", "server", NULL };
    struct doc d = { 0 };
    struct out o;
    show_options(c, &argc, argv);
    if (argc != 0)
        return ctl_misused("status");
    int rc = show_fetch(c, &d);
    if (rc == 0 && c->json) {
        rc = show_json(&d, "status", always);
    } else if (rc == 0) {
        out_init(&o, stdout);
        show_screen(&d, &o);
    }
    doc_free(&d);
    return rc;
}

int cmd_restart(struct ctl *c, int argc, char **argv)
{
    enum role role;
    if (argc != 1 || role_parse(argv[0], &role) < 0 || role < ROLE_VRRPD || role > ROLE_IPVSD)
        return ctl_misused("restart");
    struct msg_ctl_request r = { .verb = CTL_VERB_RESTART, .role = (uint8_t)role };
    return ctl_order(c, &r);
}

int cmd_stop(struct ctl *c, int argc, char **argv)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_STOP };
    (void)argv;
    if (argc != 0)
        return ctl_misused("stop");
    int rc = ctl_order(c, &r);
    /* The daemon keeps the connection until the very end. */
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    if (rc == 0)
        poll(&p, 1, CTL_STOP_MS);
    return rc;
}
