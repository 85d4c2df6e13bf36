/* agent.c - see agent.h. */
#include "parent/snmp/agent.h"

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <syslog.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "parent/snmp/master.h"

#define AGENT_TREES 8
#define AGENT_NAME  "holdfast-snmp"
/* Seconds between two attempts at the master agent, and between two looks whether it lives. An attempt at one
 * that answers nothing takes a second and one more for each retry: it must end before the next one is due, or
 * run_alarms() never returns. */
#define AGENT_AGAIN   5
#define AGENT_RETRIES 3

struct agent_tree {
    const char *root;
    netsnmp_handler_registration *reg; /* NULL: not shown */
};

struct agent {
    struct agent_tree tree[AGENT_TREES];
    size_t n;
    agent_image_fn *fn;
    agent_refused_fn *refused;
    void *arg;
    struct master master;
    bool connected;
};

static u_char agent_type(enum image_type t)
{
    switch (t) {
    case IMAGE_INT: return ASN_INTEGER;
    case IMAGE_GAUGE: return ASN_GAUGE;
    case IMAGE_COUNTER: return ASN_COUNTER;
    case IMAGE_COUNTER64: return ASN_COUNTER64;
    case IMAGE_TICKS: return ASN_TIMETICKS;
    case IMAGE_BYTES: return ASN_OCTET_STR;
    case IMAGE_IP: return ASN_IPADDRESS;
    }
    fatal("no such type of value: %d", (int)t);
}

static size_t agent_oid(const uint32_t *from, size_t n, oid *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = from[i];
    return n;
}

/* What the library takes as the value of a cell. */
union agent_room {
    long number;
    struct counter64 big;
};

static const void *agent_value(const struct image *m, const struct image_cell *c, union agent_room *room,
                               size_t *len)
{
    switch (c->type) {
    case IMAGE_BYTES:
    case IMAGE_IP: *len = c->len; return image_data(m, c);
    case IMAGE_COUNTER64:
        room->big.high = (u_long)(c->number >> 32);
        room->big.low = (u_long)(c->number & UINT32_MAX);
        *len = sizeof room->big;
        return &room->big;
    case IMAGE_INT:
    case IMAGE_GAUGE:
    case IMAGE_COUNTER:
    case IMAGE_TICKS: break;
    }
    room->number = (long)c->number;
    *len = sizeof room->number;
    return &room->number;
}

/* ---- questions */

static bool agent_asked(const netsnmp_variable_list *var, uint32_t *out, size_t *n)
{
    *n = var->name_length < IMAGE_OID_MAX ? var->name_length : IMAGE_OID_MAX;
    for (size_t i = 0; i < *n; i++)
        out[i] = (uint32_t)var->name[i];
    return var->name_length <= IMAGE_OID_MAX;
}

static void agent_answer(const struct image *m, netsnmp_agent_request_info *info, netsnmp_request_info *q,
                         const netsnmp_handler_registration *reg)
{
    uint32_t asked[IMAGE_OID_MAX], root[IMAGE_ENTRY_MAX];
    union agent_room room;
    size_t n, len, nroot = reg->rootoid_len;
    bool whole = agent_asked(q->requestvb, asked, &n);
    bool next = info->mode == MODE_GETNEXT;
    const struct image_cell *c = next    ? image_next(m, asked, n, q->inclusive != 0)
                                 : whole ? image_get(m, asked, n)
                                         : NULL;
    for (size_t i = 0; i < nroot && i < IMAGE_ENTRY_MAX; i++)
        root[i] = (uint32_t)reg->rootoid[i];
    if (c == NULL || !image_below(c, root, nroot)) {
        if (!next)
            netsnmp_set_request_error(info, q, SNMP_NOSUCHINSTANCE);
        return; /* none behind it here: the master agent goes on elsewhere */
    }
    if (next) {
        oid name[IMAGE_OID_MAX];
        snmp_set_var_objid(q->requestvb, name, agent_oid(c->oid, c->n, name));
    }
    const void *p = agent_value(m, c, &room, &len);
    snmp_set_var_typed_value(q->requestvb, agent_type(c->type), p, len);
}

/* The first step of a set is the last one: an error in it ends them all. */
static void agent_refuse(const struct agent *a, const struct image *m, netsnmp_agent_request_info *info,
                         netsnmp_request_info *q)
{
    uint32_t asked[IMAGE_OID_MAX];
    size_t n;
    bool there = agent_asked(q->requestvb, asked, &n) && image_get(m, asked, n) != NULL;
    netsnmp_set_request_error(info, q, there ? SNMP_ERR_NOTWRITABLE : SNMP_ERR_NOCREATION);
    a->refused(asked, n, a->arg);
}

static int agent_handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *reg,
                        netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
    const struct agent *a = handler->myvoid;
    bool set = info->mode == MODE_SET_RESERVE1;
    if (info->mode != MODE_GET && info->mode != MODE_GETNEXT && !set)
        return SNMP_ERR_NOERROR; /* the rest of a set that was refused */
    const struct image *m = a->fn(a->arg);
    for (netsnmp_request_info *q = requests; q != NULL; q = q->next) {
        if (q->processed)
            continue;
        if (set)
            agent_refuse(a, m, info, q);
        else
            agent_answer(m, info, q, reg);
    }
    return SNMP_ERR_NOERROR;
}

/* ---- the connection */

/* The library has a session with the master agent, or has none any more. */
static int agent_session(int major, int minor, void *session, void *arg)
{
    struct agent *a = arg;
    (void)major;
    (void)session;
    a->connected = minor == SNMPD_CALLBACK_INDEX_START;
    return 0;
}

/* Warnings and worse. What it has to say about the connection is said by master.c, and less often. */
static void agent_library_log(void)
{
    netsnmp_log_handler *h = netsnmp_register_loghandler(NETSNMP_LOGHANDLER_STDERR, LOG_NOTICE);
    if (h == NULL)
        fatal("out of memory");
    h->token = xstrdup("stderr");
    netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_NO_CONNECTION_WARNINGS, 1);
}

struct agent *agent_new(const char *socket, agent_image_fn *fn, agent_refused_fn *refused, void *arg)
{
    struct agent *a = xcalloc(1, sizeof *a);
    a->fn = fn;
    a->refused = refused;
    a->arg = arg;
    a->master.address = socket != NULL ? socket : "unix:" NETSNMP_AGENTX_SOCKET;
    agent_library_log();
    netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_ROLE, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE, 1);
    if (socket != NULL)
        netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, socket);
    setenv("MIBS", "", 1); /* names are the manager's business */
    if (init_agent(AGENT_NAME) != 0)
        fatal("the SNMP library does not start");
    netsnmp_ds_set_int(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_RETRIES, AGENT_RETRIES);
    /* init_agent() has put its own figure there */
    netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL, AGENT_AGAIN);
    for (int minor = SNMPD_CALLBACK_INDEX_START; minor <= SNMPD_CALLBACK_INDEX_STOP; minor++)
        snmp_register_callback(SNMP_CALLBACK_APPLICATION, minor, agent_session, a);
    init_snmp(AGENT_NAME);
    return a;
}

static struct agent_tree *agent_tree(struct agent *a, const char *root)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->tree[i].root, root) == 0)
            return &a->tree[i];
    if (a->n == AGENT_TREES)
        fatal("more than %d subtrees", AGENT_TREES);
    a->tree[a->n].root = root;
    return &a->tree[a->n++];
}

void agent_show(struct agent *a, const char *root, bool on)
{
    struct agent_tree *t = agent_tree(a, root);
    uint32_t numbers[IMAGE_ENTRY_MAX] = { 0 };
    oid name[IMAGE_ENTRY_MAX];
    if (on == (t->reg != NULL))
        return;
    if (!on) {
        netsnmp_unregister_handler(t->reg);
        t->reg = NULL;
        return;
    }
    size_t n = image_oid(root, numbers, IMAGE_ENTRY_MAX);
    netsnmp_mib_handler *h = netsnmp_create_handler(AGENT_NAME, agent_handle);
    if (h == NULL)
        fatal("out of memory");
    h->myvoid = a;
    t->reg = netsnmp_handler_registration_create(AGENT_NAME, h, name, agent_oid(numbers, n, name),
                                                 HANDLER_CAN_RWRITE);
    if (t->reg == NULL || netsnmp_register_handler(t->reg) != MIB_REGISTERED_OK)
        fatal("the subtree %s cannot be registered", root);
}

/* The library has no limit of its own on waiting that could be given: select() is called here. */
void agent_turn(struct agent *a, unsigned int ms)
{
    struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 }, next = tv;
    fd_set fds;
    int n = 0, block = 0;
    FD_ZERO(&fds);
    snmp_select_info(&n, &fds, &next, &block);
    if (!block && (next.tv_sec < tv.tv_sec || (next.tv_sec == tv.tv_sec && next.tv_usec < tv.tv_usec)))
        tv = next;
    int ready = select(n, &fds, NULL, NULL, &tv);
    if (ready > 0)
        snmp_read(&fds);
    else if (ready == 0)
        snmp_timeout();
    run_alarms();
    netsnmp_check_outstanding_agent_requests();
    master_look(&a->master, a->connected, clock_monotonic_ns(), STDERR_FILENO);
}

uint64_t agent_ticks(void)
{
    return (uint64_t)netsnmp_get_agent_uptime();
}

/* ---- notifications */

void agent_notify(const char *trap, const struct image *values)
{
    static const oid trap_name[] = { 1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0 }; /* snmpTrapOID.0 */
    netsnmp_variable_list *vars = NULL;
    uint32_t numbers[IMAGE_ENTRY_MAX] = { 0 };
    oid name[IMAGE_OID_MAX];
    size_t n = agent_oid(numbers, image_oid(trap, numbers, IMAGE_ENTRY_MAX), name), len;
    snmp_varlist_add_variable(&vars, trap_name, OID_LENGTH(trap_name), ASN_OBJECT_ID, name, n * sizeof(oid));
    for (size_t i = 0; i < values->n; i++) {
        const struct image_cell *c = &values->v[i];
        union agent_room room;
        const void *p = agent_value(values, c, &room, &len);
        n = agent_oid(c->oid, c->n, name);
        snmp_varlist_add_variable(&vars, name, n, agent_type(c->type), p, len);
    }
    send_v2trap(vars);
    snmp_free_varbind(vars);
}
