/* refuse.c - see refuse.h. */
#include "parent/snmp/refuse.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "parent/snmp/fill.h"

#define REFUSE_OID 512

const char *refuse_instead(const uint32_t *oid, size_t n)
{
    static const struct {
        const char *column, *instead;
    } rows[] = {
        { FILL_INSTANCES ".7",
          "; who is to be MASTER now: holdctl takeover or holdctl yield; for good: priority "
          "in the configuration, then holdctl reload" },
        { FILL_INSTANCES ".13",
          "; write nopreempt in the configuration or take it out, then holdctl reload" },
        { FILL_INSTANCES ".27", "; write accept or no_accept in the configuration, then holdctl reload" },
        { FILL_INSTANCES ".28", "; write promote_secondaries in the configuration, then holdctl reload" },
        { FILL_INSTANCES ".29", "; write linkbeat_use_polling in the configuration, then holdctl reload" },
        { FILL_INSTANCES ".33", "; write notify_deleted in the configuration, then holdctl reload" },
        { FILL_SERVERS ".7", "; the weight of a server: holdctl weight, holdctl drain, holdctl enable" },
    };
    uint32_t column[IMAGE_ENTRY_MAX] = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = image_oid(rows[i].column, column, IMAGE_ENTRY_MAX);
        if (n >= len && memcmp(oid, column, len * sizeof *column) == 0)
            return rows[i].instead;
    }
    return "";
}

void refuse_log(struct refuse *r, uint64_t now_ns, const uint32_t *oid, size_t n, int fd)
{
    char text[REFUSE_OID] = "";
    if (r->from != 0 && now_ns - r->from < NS_PER_SEC) {
        r->count++;
        return;
    }
    for (size_t i = 0, at = 0; i < n && at < sizeof text - 12; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%" PRIu32, i > 0 ? "." : "", oid[i]);
    if (r->count > 0)
        dprintf(fd, "holdfast-snmp: %" PRIu64 " more requests to set something were refused\n", r->count);
    dprintf(fd,
            "holdfast-snmp: a manager may not set %s: refused (notWritable), nothing can be set by SNMP, "
            "which reads the daemon's read-only socket%s\n",
            text, refuse_instead(oid, n));
    *r = (struct refuse){ .from = now_ns };
}
