/* role.c - names of the rooms; see role.h. */
#include "common/role.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    const char *binary;
} role_rows[ROLE_MAX] = {
    [ROLE_PARENT] = { "parent", "holdfast" },        [ROLE_VRRPD] = { "vrrpd", "holdfast-vrrpd" },
    [ROLE_CHECKD] = { "checkd", "holdfast-checkd" }, [ROLE_IPVSD] = { "ipvsd", "holdfast-ipvsd" },
    [ROLE_CONF] = { "conf", "holdfast-conf" },       [ROLE_CTL] = { "ctl", "holdctl" },
};

const char *role_name(enum role r)
{
    return (unsigned int)r < ROLE_MAX ? role_rows[r].name : "unknown";
}

const char *role_binary(enum role r)
{
    return (unsigned int)r < ROLE_MAX ? role_rows[r].binary : "unknown";
}

int role_parse(const char *s, enum role *out)
{
    for (unsigned int r = 0; r < ROLE_MAX; r++) {
        if (strcmp(s, role_rows[r].name) == 0) {
            *out = (enum role)r;
            return 0;
        }
    }
    return -1;
}
