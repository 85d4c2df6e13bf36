/* dump_place.c - see dump_place.h. */
#include "parent/dump_place.h"

#include <stdio.h>
#include <string.h>

struct dump_names {
    const char *base, *suffix, *ext;
    bool told; /* data_use_instance is meant */
};

static bool dump_names(enum role r, enum dump_what what, struct dump_names *n)
{
    static const char *const suffix[ROLE_MAX] = {
        [ROLE_PARENT] = "_parent", [ROLE_VRRPD] = "", [ROLE_CHECKD] = "_check", [ROLE_IPVSD] = NULL
    };
    switch (what) {
    case DUMP_WHAT_DATA:
        *n = (struct dump_names){ "keepalived", suffix[r], ".data", true };
        return suffix[r] != NULL;
    case DUMP_WHAT_BFD:
        *n = (struct dump_names){ "keepalived", "_bfd", ".data", true };
        return r == ROLE_VRRPD;
    case DUMP_WHAT_STATS:
    case DUMP_WHAT_STATS_CLEAR:
        *n = (struct dump_names){ "keepalived", "", ".stats", false };
        return r == ROLE_VRRPD;
    case DUMP_WHAT_JSON: *n = (struct dump_names){ "keepalived", "", ".json", false }; return r == ROLE_VRRPD;
    }
    return false;
}

/* "a/b.c" is base "b", extension ".c"; a name without one has none. */
static void dump_split(const char *name, int *base_len, const char **ext)
{
    const char *dot = strrchr(name, '.');
    *ext = dot != NULL && dot != name ? dot : "";
    *base_len = (int)(strlen(name) - strlen(*ext));
}

bool dump_place(enum role r, enum dump_what what, const struct dump_wish *w, struct dump_place *out,
                bool *too_long)
{
    struct dump_names n;
    *too_long = false;
    if (r >= ROLE_MAX || !dump_names(r, what, &n))
        return false;
    const char *file = w->file != NULL ? w->file : "", *slash = strrchr(file, '/');
    const char *name = slash != NULL ? slash + 1 : file, *ext = n.ext;
    int len = (int)strlen(n.base), dlen = slash != NULL ? (int)(slash - file) : 0;
    if (name[0] != '\0')
        dump_split(name, &len, &ext);
    else
        name = n.base;
    bool absolute = file[0] == '/';
    int d = absolute
                ? snprintf(out->dir, sizeof out->dir, "%.*s", dlen > 0 ? dlen : 1, file)
                : snprintf(out->dir, sizeof out->dir, "%s%s%.*s", w->tmp, dlen > 0 ? "/" : "", dlen, file);
    bool inst = n.told && w->instance != NULL && w->instance[0] != '\0';
    int k = snprintf(out->name, sizeof out->name, "%.*s%s%s%s%s", len, name, n.suffix, inst ? "." : "",
                     inst ? w->instance : "", ext);
    out->in_tmp = !absolute && dlen == 0;
    *too_long = d < 0 || (size_t)d >= sizeof out->dir || k < 0 || (size_t)k >= sizeof out->name;
    return !*too_long;
}
