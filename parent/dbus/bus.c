/* bus.c - see bus.h. */
#include "parent/dbus/bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"

#define BUS_VRRP_IF     "org.keepalived.Vrrp1.Vrrp"
#define BUS_INSTANCE_IF "org.keepalived.Vrrp1.Instance"
#define BUS_NAME_AGAIN  (5 * NS_PER_SEC)
#define BUS_WORK_MOST   100 /* messages in one turn */

struct bus {
    const char *address;
    const struct shown *m;
    sd_bus *bus; /* NULL: no connection */
    char name[SHOWN_NAME_MAX];
    bool owned, asked;
    uint64_t again; /* when to ask for the name, once more */
    int said;       /* why it is not ours, as last said */
};

/* ---- methods and properties */

static int bus_refuse(sd_bus_message *call, void *arg, sd_bus_error *e)
{
    static const struct {
        const char *member, *instead;
    } orders[] = {
        { "ReloadConfig", "'holdctl reload', as root, makes the daemon read its configuration again" },
        { "SendGarp",
          "the daemon announces by itself (garp_master_refresh); 'holdctl takeover INSTANCE', as root, "
          "makes it MASTER now" },
        { "PrintData",
          "'holdctl show config' and 'holdctl show vrrp' print it; SIGUSR1 makes the daemon write its file" },
        { "PrintStats",
          "'holdctl show vrrp' and 'holdctl metrics' print them; SIGUSR2 makes the daemon write its file" },
        { "PrintStatsClear", "'holdctl show vrrp' and 'holdctl metrics' print them" },
    };
    const char *member = sd_bus_message_get_member(call), *instead = "see holdctl(8)";
    (void)arg;
    for (size_t i = 0; member != NULL && i < sizeof orders / sizeof *orders; i++)
        if (strcmp(orders[i].member, member) == 0)
            instead = orders[i].instead;
    return sd_bus_error_setf(e, SD_BUS_ERROR_ACCESS_DENIED,
                             "holdfast-dbus only reads and gives no orders: %s", instead);
}

/* The incumbent says 's' and sends (s): what is sent is what its clients read. */
static int bus_get_name(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *arg, sd_bus_error *e)
{
    const struct shown_inst *i = arg;
    (void)bus, (void)path, (void)interface, (void)property, (void)e;
    return sd_bus_message_append(reply, "(s)", i->text);
}

static int bus_get_state(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *arg, sd_bus_error *e)
{
    const struct shown_inst *i = arg;
    (void)bus, (void)path, (void)interface, (void)property, (void)e;
    return sd_bus_message_append(reply, "(us)", i->state, shown_state_word(i->state));
}

static const sd_bus_vtable bus_vrrp_table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("PrintData", "", "", bus_refuse, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("PrintStats", "", "", bus_refuse, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("PrintStatsClear", "", "", bus_refuse, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ReloadConfig", "", "", bus_refuse, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("VrrpStarted", "", 0),
    SD_BUS_SIGNAL("VrrpReloaded", "", 0),
    SD_BUS_SIGNAL("VrrpStopped", "", 0),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable bus_instance_table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("SendGarp", "", "", bus_refuse, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL_WITH_NAMES("VrrpStatusChange", "u", SD_BUS_PARAM(status), 0),
    SD_BUS_PROPERTY("Name", "(s)", bus_get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("State", "(us)", bus_get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_VTABLE_END,
};

/* ---- which objects are there */

static int bus_find_vrrp(sd_bus *bus, const char *path, const char *interface, void *arg, void **found,
                         sd_bus_error *e)
{
    struct bus *b = arg;
    (void)bus, (void)interface, (void)e;
    *found = b;
    return b->m->enabled && strcmp(path, b->m->vrrp) == 0;
}

static int bus_find_instance(sd_bus *bus, const char *path, const char *interface, void *arg, void **found,
                             sd_bus_error *e)
{
    const struct bus *b = arg;
    (void)bus, (void)interface, (void)e;
    *found = b->m->enabled ? shown_at(b->m, path) : NULL;
    return *found != NULL;
}

/* The element of path directly below prefix, behind what is in v; only once. */
static size_t bus_list_one(char **v, size_t n, const char *prefix, const char *path)
{
    size_t len = strlen(prefix);
    if (strncmp(path, prefix, len) != 0 || path[len] != '/')
        return n;
    char *child = xstrdup(path);
    child[len + 1 + strcspn(path + len + 1, "/")] = '\0';
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i], child) == 0) {
            free(child);
            return n;
        }
    v[n] = child;
    return n + 1;
}

static int bus_list(sd_bus *bus, const char *prefix, void *arg, char ***nodes, sd_bus_error *e)
{
    const struct bus *b = arg;
    size_t n = 0;
    (void)bus, (void)e;
    char **v = xcalloc(b->m->n + 2, sizeof *v); /* the library frees it */
    if (b->m->enabled)
        n = bus_list_one(v, n, prefix, b->m->vrrp);
    for (size_t i = 0; b->m->enabled && i < b->m->n; i++)
        n = bus_list_one(v, n, prefix, b->m->v[i].path);
    *nodes = v;
    return 0;
}

/* ---- the connection */

struct bus *bus_new(const char *address, const struct shown *m)
{
    struct bus *b = xcalloc(1, sizeof *b);
    b->address = address;
    b->m = m;
    return b;
}

bool bus_is_open(const struct bus *b)
{
    return b->bus != NULL;
}

void bus_close(struct bus *b)
{
    b->bus = sd_bus_close_unref(b->bus);
    b->owned = b->asked = false;
    b->again = 0;
}

static int bus_objects(struct bus *b)
{
    int rc =
        sd_bus_add_fallback_vtable(b->bus, NULL, SHOWN_ROOT, BUS_VRRP_IF, bus_vrrp_table, bus_find_vrrp, b);
    if (rc >= 0)
        rc = sd_bus_add_fallback_vtable(b->bus, NULL, SHOWN_ROOT, BUS_INSTANCE_IF, bus_instance_table,
                                        bus_find_instance, b);
    return rc < 0 ? rc : sd_bus_add_node_enumerator(b->bus, NULL, SHOWN_ROOT, bus_list, b);
}

int bus_open(struct bus *b)
{
    int rc = sd_bus_new(&b->bus);
    if (rc >= 0)
        rc = sd_bus_set_address(b->bus, b->address);
    if (rc >= 0)
        rc = sd_bus_set_bus_client(b->bus, 1);
    if (rc >= 0)
        rc = bus_objects(b);
    if (rc >= 0)
        rc = sd_bus_start(b->bus);
    if (rc >= 0)
        return 0;
    bus_close(b);
    errno = -rc;
    return -1;
}

/* ---- the name */

static void bus_not_ours(struct bus *b, int why, const char *text)
{
    b->again = clock_monotonic_ns() + BUS_NAME_AGAIN;
    if (b->said != why)
        dprintf(STDERR_FILENO, "holdfast-dbus: the bus name %s is not ours: %s\n", b->name, text);
    b->said = why;
}

static int bus_on_name(sd_bus_message *reply, void *arg, sd_bus_error *e)
{
    enum { NAME_OWNER = 1, NAME_ALREADY = 4 };
    struct bus *b = arg;
    uint32_t answer = 0;
    (void)e;
    b->asked = false;
    if (sd_bus_message_is_method_error(reply, NULL))
        bus_not_ours(b, EACCES,
                     "the bus does not allow it; its policy (holdfast-dbus.conf in dbus-1/system.d) has to "
                     "name it, and _holdfast_dbus");
    else if (sd_bus_message_read(reply, "u", &answer) < 0 || (answer != NAME_OWNER && answer != NAME_ALREADY))
        bus_not_ours(b, EEXIST, "another program has it; does keepalived run here?");
    else
        b->owned = true;
    return 0;
}

static void bus_ask_name(struct bus *b)
{
    if (b->bus == NULL || b->name[0] == '\0' || b->owned || b->asked || clock_monotonic_ns() < b->again)
        return;
    b->asked = sd_bus_request_name_async(b->bus, NULL, b->name, 0, bus_on_name, b) >= 0;
    if (!b->asked)
        bus_not_ours(b, EINVAL, "it is no valid bus name (dbus_service_name)");
}

void bus_own(struct bus *b, const char *name)
{
    const char *want = name != NULL ? name : "";
    if (strcmp(want, b->name) != 0) {
        if (b->bus != NULL && b->name[0] != '\0')
            sd_bus_release_name_async(b->bus, NULL, b->name, NULL, NULL);
        snprintf(b->name, sizeof b->name, "%s", want);
        b->owned = b->asked = false;
        b->again = 0;
        b->said = 0;
    }
    bus_ask_name(b);
}

/* ---- signals. Whoever listens to a bus that is not there hears nothing: no error of ours. */

void bus_vrrp(struct bus *b, const char *signal)
{
    if (b->bus != NULL && b->m->enabled)
        sd_bus_emit_signal(b->bus, b->m->vrrp, BUS_VRRP_IF, signal, "");
}

void bus_state(struct bus *b, const struct shown_inst *inst)
{
    if (b->bus == NULL || !b->m->enabled)
        return;
    sd_bus_emit_signal(b->bus, inst->path, BUS_INSTANCE_IF, "VrrpStatusChange", "u", inst->state);
    sd_bus_emit_properties_changed(b->bus, inst->path, BUS_INSTANCE_IF, "State", NULL);
}

/* ---- turns */

void bus_poll(struct bus *b, struct pollfd *p, int *timeout_ms)
{
    uint64_t until = UINT64_MAX, now = clock_monotonic_ns() / 1000;
    *p = (struct pollfd){ .fd = -1 };
    if (b->bus == NULL)
        return;
    int events = sd_bus_get_events(b->bus);
    *p = (struct pollfd){ .fd = sd_bus_get_fd(b->bus), .events = (short)(events > 0 ? events : POLLIN) };
    if (sd_bus_get_timeout(b->bus, &until) < 0 || until == UINT64_MAX)
        return;
    uint64_t ms = until > now ? (until - now) / 1000 + 1 : 0;
    if (*timeout_ms < 0 || ms < (uint64_t)*timeout_ms)
        *timeout_ms = (int)ms;
}

int bus_work(struct bus *b)
{
    int rc = b->bus != NULL ? 1 : 0;
    for (int n = 0; rc > 0 && n < BUS_WORK_MOST; n++)
        rc = sd_bus_process(b->bus, NULL);
    if (rc < 0) {
        dprintf(STDERR_FILENO, "holdfast-dbus: the bus is gone (%s); trying again\n", strerror(-rc));
        bus_close(b);
        return -1;
    }
    bus_ask_name(b);
    return 0;
}
