/* fill_lvs.c - see fill.h: KEEPALIVED-MIB's scalars about the kernel's IPVS: sync daemon and time-outs. */
#include "parent/snmp/fill.h"

#define FILL_SYNC     FILL_CHECK ".6"
#define FILL_TIMEOUTS FILL_CHECK ".7"
#define FILL_SYNCD    "options of lvs_sync_daemon" /* how the report names what has no keyword around it */
#define FILL_TIMES    "options of lvs_timeouts"

static void fill_sync(const struct fill *f)
{
    static const struct {
        uint32_t column;
        const char *key;
    } numbers[] = { { 4, "id" }, { 5, "maxlen" }, { 6, "port" }, { 7, "ttl" } };
    const struct doc_part *o = fill_next(&f->view->kernel, NULL, FILL_SYNCD);
    const char *iface = fill_sync_interface(f);
    struct ipaddr group = view_addr(fill_option(o, "group", NULL));
    struct image_row r = image_row(f->image, FILL_SYNC);
    image_index(&r, 0);
    image_yes(&r, 1, iface != NULL);
    if (iface == NULL)
        return;
    image_text(&r, 2, iface);
    image_text(&r, 3, fill_sync_instance(f));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        image_int(&r, numbers[i].column, fill_option_int(o, numbers[i].key, 0)); /* 0: the kernel's */
    if (group.family != 0)
        image_int(&r, 8, group.family == 6 ? 2 : 1);
    image_addr(&r, 9, &group);
}

static void fill_times(const struct fill *f)
{
    static const char *const keys[] = { "tcp", "tcpfin", "udp" };
    const struct doc_part *o = fill_next(&f->view->kernel, NULL, FILL_TIMES);
    struct image_row r = image_row(f->image, FILL_TIMEOUTS);
    image_index(&r, 0);
    for (uint32_t i = 0; i < 3; i++)
        if (fill_option_int(o, keys[i], 0) > 0) /* what nobody wrote is the kernel's own */
            image_int(&r, i + 1, fill_option_int(o, keys[i], 0));
}

void fill_lvs(const struct fill *f)
{
    if (doc_next(&f->view->kernel, NULL, "object") == NULL)
        return; /* there is no IPVS of ours */
    fill_sync(f);
    fill_times(f);
}
