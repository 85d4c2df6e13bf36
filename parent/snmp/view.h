/*
 * view.h - what the daemon says, fetched over its read-only socket and found again by id: the state (asked
 * each time) and the configuration in force (asked when there is a new one). A child of the daemon may be
 * taken over, so every value is only text until it is read as what it should be. Used by fill*.c, stats.c,
 * trap*.c and snmp.c.
 */
#ifndef HOLDFAST_SNMP_VIEW_H
#define HOLDFAST_SNMP_VIEW_H

#include "common/addr.h"
#include "parent/ctl/doc.h"
#include "parent/ctl/table.h"

struct view_index {
    uint32_t id;
    const struct doc_part *part;
};

struct view_list {
    struct view_index *v;
    size_t n;
};

struct view {
    struct doc state, counts;                /* now; counts: vrrpd's metrics */
    struct doc vrrp, check, kernel, scripts; /* the configuration, as vrrpd, checkd and ipvsd have it */
    struct view_list objects;                /* of kernel */
    struct view_list
        by_id; /* of state: vrrp_instance, vrrp_group, tracker, lvs_service, lvs_server, kernel_entry */
    struct table_row *table; /* IPVS, services and servers */
    size_t ntable;
    long long generation, pid; /* of the configuration kept; 0: none */
    double now;                /* when it was asked: seconds since 1970 */
};

/* What is not asked each time: the table of IPVS; which addresses, routes and rules the kernel has. */
enum view_part { VIEW_TABLE = 1, VIEW_KERNEL = 2 };

/* 0, or -1 with errno: the view is as it was, or (gone) empty, when nobody is there. */
int view_refresh(struct view *v, const char *socket, unsigned int wait_ms, unsigned int parts, bool *gone);
void view_free(struct view *v);

/* The section of the state with this kind and id; NULL. */
const struct doc_part *view_by_id(const struct view *v, const char *kind, uint32_t id);

/* What ipvsd has of an object of the configuration (schedulers, limits are its business only); NULL. */
const struct doc_part *view_kernel(const struct view *v, uint32_t id);

/* Options of global_defs, of the one process or the other; dflt when nothing is said. */
const char *view_global(const struct view *v, const char *key, const char *dflt);
bool view_global_yes(const struct view *v, const char *key);

/* The options of an object's section have this prefix. */
#define VIEW_OPTION "option."

struct ipaddr view_addr(const char *text); /* family 0: no address */
/* ifindex of a link as vrrpd knows it; 0. */
uint32_t view_ifindex(const struct view *v, const char *name);
/* The command line of a registered script as text, words in quotes when they need it; NULL: none. The
 * caller's to free. */
char *view_script(const struct view *v, const char *owner, const char *keyword);

#endif
