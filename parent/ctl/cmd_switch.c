/*
 * cmd_switch.c - holdctl yield, takeover: planned switching of an instance or a sync group; and confirm, for
 * a reload on trial.
 */
#include <string.h>

#include "parent/ctl/ctl.h"

static int switch_run(struct ctl *c, const char *word, enum inst_order_what what, int argc, char **argv)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_SWITCH, .action = (uint8_t)what };
    if (argc != 1)
        return ctl_misused(word);
    if (strlen(argv[0]) >= sizeof r.name)
        return ctl_lost("that name is too long");
    memcpy(r.name, argv[0], strlen(argv[0]) + 1);
    return ctl_order(c, &r);
}

int cmd_yield(struct ctl *c, int argc, char **argv)
{
    return switch_run(c, "yield", INST_ORDER_YIELD, argc, argv);
}

int cmd_takeover(struct ctl *c, int argc, char **argv)
{
    return switch_run(c, "takeover", INST_ORDER_TAKEOVER, argc, argv);
}

int cmd_confirm(struct ctl *c, int argc, char **argv)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_CONFIRM };
    (void)argv;
    return argc == 0 ? ctl_order(c, &r) : ctl_misused("confirm");
}
