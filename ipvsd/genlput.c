/* genlput.c - see genlput.h. */
#include "ipvsd/genlput.h"

#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#include "common/err.h"

struct nl_msg *genlput_new(uint16_t family, uint8_t cmd, uint8_t version, size_t size)
{
    struct nl_msg *m = nlmsg_alloc_size(size);
    if (m == NULL || genlmsg_put(m, 0, 0, family, 0, 0, cmd, version) == NULL)
        fatal("no memory for a netlink message");
    return m;
}

void genlput(struct nl_msg *m, int type, const void *data, size_t len)
{
    if (nla_put(m, type, (int)len, data) < 0)
        fatal("a netlink request does not fit");
}

void genlput_u16(struct nl_msg *m, int type, uint16_t v)
{
    genlput(m, type, &v, sizeof v);
}

void genlput_u32(struct nl_msg *m, int type, uint32_t v)
{
    genlput(m, type, &v, sizeof v);
}

struct nlattr *genlput_nest(struct nl_msg *m, int type)
{
    struct nlattr *n = nla_nest_start(m, type);
    if (n == NULL)
        fatal("a netlink request does not fit");
    return n;
}
