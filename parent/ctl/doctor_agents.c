/*
 * doctor_agents.c - the programs beside the daemon that the configuration counts on: enable_snmp_* without a
 * holdfast-snmp that runs, or without a master agent for it, and enable_dbus without holdfast-dbus, show
 * nothing and say nothing. Reads /proc. See doctor.h.
 */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "parent/ctl/doctor.h"
#include "parent/ctl/procfs.h"
#include "parent/ctl/tool.h"

#define AGENTS_AGENTX "/var/agentx/master" /* of net-snmp, when nobody says another */

static bool agents_same_net(const char *pid, const char *as)
{
    char one[300], two[300];
    struct stat a, b;
    snprintf(one, sizeof one, "/proc/%.60s/ns/net", pid);
    snprintf(two, sizeof two, "/proc/%.60s/ns/net", as);
    return stat(one, &a) == 0 && stat(two, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* In our network or the machine's: another network's may belong to another daemon. */
static bool agents_runs(const char *name)
{
    DIR *d = opendir("/proc");
    bool found = false;
    for (struct dirent *e; d != NULL && !found && (e = readdir(d)) != NULL;) {
        char path[300], comm[64];
        if (e->d_name[0] < '1' || e->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%.60s/comm", e->d_name);
        found = procfs_read(path, comm, sizeof comm) > 0 && strcspn(comm, "\n") == strlen(name) &&
                strncmp(comm, name, strlen(name)) == 0 &&
                (agents_same_net(e->d_name, "self") || agents_same_net(e->d_name, "1"));
    }
    if (d != NULL)
        closedir(d);
    return found;
}

static void agents_absent(struct doctor *d, const char *id, const char *name, const char *asked,
                          const char *means)
{
    struct finding *f = finding_add(d->l, FINDING_WARNING, id, name,
                                    "does not run, and the configuration asks for it: %s", means);
    finding_evidence(f, "%s in global_defs; no process %s", asked, name);
    finding_remedy(f, "systemctl enable --now %s", name);
}

/* global_defs may be written several times. */
static bool agents_asked(const struct doctor *d, const char *key)
{
    const json_t *g;
    bool yes = false;
    for (size_t i = 0; (g = model_next(d->top, "global", &i)) != NULL;)
        yes = yes || model_bool(g, key, false);
    return yes;
}

static const char *agents_socket(const struct doctor *d)
{
    const char *socket = AGENTS_AGENTX;
    const json_t *g;
    for (size_t i = 0; (g = model_next(d->top, "global", &i)) != NULL;)
        socket = model_str(g, "snmp_socket", socket);
    return socket;
}

static void agents_snmp(struct doctor *d)
{
    static const char *const wants[] = { "enable_snmp_vrrp", "enable_snmp_keepalived", "enable_snmp_checker",
                                         "enable_snmp_rfc",  "enable_snmp_rfcv2",      "enable_snmp_rfcv3" };
    const char *asked = NULL, *socket = agents_socket(d);
    struct stat st;
    for (size_t i = 0; asked == NULL && i < sizeof wants / sizeof *wants; i++)
        if (agents_asked(d, wants[i]))
            asked = wants[i];
    if (asked == NULL)
        return;
    if (!agents_runs("holdfast-snmp"))
        agents_absent(d, "HD-SNMP", "holdfast-snmp", asked, "managers see nothing and hear no notification");
    const char *path = strncmp(socket, "unix:", 5) == 0 ? socket + 5 : socket;
    if (path[0] != '/' || stat(path, &st) == 0)
        return;
    struct finding *f = finding_add(d->l, FINDING_WARNING, "HD-SNMP-MASTER", path,
                                    "is not there: no master agent (snmpd) for holdfast-snmp to connect to");
    finding_evidence(f, "%s",
                     strcmp(path, AGENTS_AGENTX) == 0 ? "the usual place; snmp_socket says no other"
                                                      : "snmp_socket in global_defs");
    finding_remedy(f,
                   "in /etc/snmp/snmpd.conf: master agentx, agentXPerms 0660 0755 root _holdfast_snmp, "
                   "agentXSocket unix:%s; systemctl restart snmpd",
                   path);
}

void doctor_agents(struct doctor *d)
{
    agents_snmp(d);
    if (agents_asked(d, "enable_dbus") && !agents_runs("holdfast-dbus"))
        agents_absent(d, "HD-DBUS", "holdfast-dbus", "enable_dbus", "nothing is on the bus");
}
