/*
 * fill.h - the daemon's words as the objects of the MIBs. Each file fills one part: the numbers in it are the
 * columns of the MIB named there. Pure: a view in, cells out; what is unknown is no cell, never a guess.
 * Called by snmp.c, stats.c and trap.c.
 */
#ifndef HOLDFAST_SNMP_FILL_H
#define HOLDFAST_SNMP_FILL_H

#include "parent/snmp/image.h"
#include "parent/snmp/view.h"

#define FILL_KEEPALIVED "1.3.6.1.4.1.9586.100.5"
#define FILL_GLOBAL     FILL_KEEPALIVED ".1"
#define FILL_VRRP       FILL_KEEPALIVED ".2"
#define FILL_ROUTES     FILL_VRRP ".7.1"
#define FILL_RULES      FILL_VRRP ".8.1"
#define FILL_PATHS      FILL_VRRP ".11.1"
#define FILL_INSTANCES  FILL_VRRP ".3.1"
#define FILL_GROUPS     FILL_VRRP ".1.1"
#define FILL_CHECK      FILL_KEEPALIVED ".3"
#define FILL_SERVICES   FILL_CHECK ".3.1"
#define FILL_SERVERS    FILL_CHECK ".4.1"
#define FILL_VRRP_MIB   "1.3.6.1.2.1.68"
#define FILL_VRRPV3_MIB "1.3.6.1.2.1.207"
#define FILL_V2_ROUTERS FILL_VRRP_MIB ".1.3.1"
#define FILL_V3_ROUTERS FILL_VRRPV3_MIB ".1.1.1.1"
#define FILL_V3_STATS   FILL_VRRPV3_MIB ".1.2.5.1"

/* Why an instance is MASTER (vrrpv3StatisticsNewMasterReason), and since when it runs: known from the events.
 */
enum fill_reason { FILL_NOT_MASTER, FILL_PRIORITY, FILL_PREEMPTED, FILL_NO_RESPONSE };
struct fill_past {
    double up_since; /* seconds since 1970; 0: not up */
    enum fill_reason reason;
};
typedef void fill_past_fn(const char *instance, struct fill_past *out, void *arg);

struct fill {
    const struct view *view;
    struct image *image;
    bool traps;         /* enable_traps */
    fill_past_fn *past; /* may be NULL */
    void *arg;
    uint64_t agent_ticks; /* the master agent's sysUpTime when the view was asked */
};

void fill_global(const struct fill *f);
void fill_vrrp(const struct fill *f);     /* KEEPALIVED-MIB: instances, groups, addresses */
void fill_trackers(const struct fill *f); /* and what they watch */
void fill_routes(const struct fill *f);   /* and their paths */
void fill_rules(const struct fill *f);
void fill_check(const struct fill *f);
void fill_lvs(const struct fill *f); /* sync daemon, time-outs */
void fill_rfc2787(const struct fill *f);
void fill_rfc6527(const struct fill *f);

/* VrrpState of KEEPALIVED-MIB; state as the daemon calls it. */
int fill_state(const char *state);
bool fill_is(const struct doc_part *p, const char *key, const char *value);
const char *fill_option(const struct doc_part *object, const char *key, const char *dflt);
long long fill_option_int(const struct doc_part *object, const char *key, long long dflt);
double fill_option_real(const struct doc_part *object, const char *key, double dflt);
bool fill_option_yes(const struct doc_part *object, const char *key);
uint32_t fill_id(const struct doc_part *p, const char *key);
void fill_script(const struct fill *f, const struct image_row *r, uint32_t column, const char *owner,
                 const char *keyword);
/* InetScopeType of a scope of rtnetlink: the same numbers only by name. */
int fill_scope(long long scope, const struct ipaddr *a);
/* Each route or rule (block): static ones with vi 0, then those of each instance, vi and n from 1. */
typedef void fill_entry_fn(const struct fill *f, const struct doc_part *o, uint32_t vi, uint32_t n);
void fill_entries(const struct fill *f, const char *block, fill_entry_fn *fn);
/* Columns of routes and rules: protocol, realms, whether the kernel has it. */
void fill_protocol_id(const struct image_row *r, uint32_t column, const struct doc_part *p);
void fill_realms(const struct image_row *r, uint32_t dst, uint32_t src, const struct doc_part *p);
void fill_set(const struct fill *f, const struct image_row *r, uint32_t column, const struct doc_part *p);
/* lvs_sync_daemon: its interface and the instance it follows; NULL: none. */
const char *fill_sync_interface(const struct fill *f);
const char *fill_sync_instance(const struct fill *f);
/* What names a virtual_server (columns 2 to 8), o: its object in the configuration. */
void fill_service_name(const struct image_row *r, const struct doc_part *o);
/* "[ADDRESS]:PROTOCOL:PORT" of a server. */
void fill_server_name(const struct image_row *r, const char *name);
/* The next object of this block in the configuration behind prev. */
const struct doc_part *fill_next(const struct doc *d, const struct doc_part *prev, const char *block);
/* The same among the children, which follow their parent at once. */
const struct doc_part *fill_child(const struct doc *d, const struct doc_part *of, const struct doc_part *prev,
                                  const char *block);
/* What is known of its past; nothing: zeroes. */
struct fill_past fill_past(const struct fill *f, const char *instance);
/* Whether the kernel has the addresses of this instance. */
bool fill_addresses_set(const struct fill *f, const char *instance);

#endif
