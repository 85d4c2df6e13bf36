/* status.c - see status.h. Values end at the end of the line; control characters cannot be in them (proto,
 * schema). */
#include "parent/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/jail.h"
#include "common/report.h"
#include "parent/director.h"
#include "parent/events.h"
#include "parent/logsink.h"
#include "parent/operator.h"
#include "parent/parent.h"
#include "parent/reload.h"
#include "parent/script.h"

#define STATUS_LINES_MAX 40

static const char *status_phase(const struct parent *p)
{
    static const char *const names[] = { "starting", "running", "stopping" };
    return reload_busy(p->reload) ? "reloading" : names[p->phase];
}

static void status_daemon(FILE *f, const struct parent *p)
{
    uint64_t now = clock_monotonic_ns(), wall = clock_realtime_ns();
    fprintf(f, "[daemon]\n");
    report_line(f, "version", "%s", OPTIONS_VERSION);
    fprintf(f, "pid=%d\nphase=%s\nuptime_ms=%llu\n", (int)getpid(), status_phase(p),
            (unsigned long long)((now - p->began_ns) / NS_PER_MS));
    report_time(f, "at", wall);
    report_time(f, "started", wall - (now - p->began_ns));
    report_line(f, "config_file", "%s", p->config_file);
    fprintf(f, "last_event=%llu\n", (unsigned long long)events_last(p->events));
    if (p->cur != NULL)
        fprintf(f, "generation=%u\nconfig_errors=%u\nconfig_warnings=%u\nservices=%llu\nreal_servers=%llu\n",
                p->cur->generation, p->cur->errors, p->cur->warnings,
                (unsigned long long)config_top_uint(p->cur, KW_TOP_X_SERVICES, 0),
                (unsigned long long)config_top_uint(p->cur, KW_TOP_X_REAL_SERVERS, 0));
    fprintf(f, "log_lines_lost=%llu\n", (unsigned long long)logsink_lost(p->log));
}

/* For holdfast-dbus, which no process here knows. */
static void status_dbus(FILE *f, const struct parent *p)
{
    const struct slice_obj *g = slice_next(p->cur->slice, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    const char *netns = p->opt.netns != NULL ? p->opt.netns : config_top_str(p->cur, KW_TOP_NET_NAMESPACE);
    const char *instance = config_top_str(p->cur, KW_TOP_INSTANCE);
    bool on = g != NULL && slice_bool(g, KW_GLOBAL_ENABLE_DBUS, false);
    fprintf(f, "[dbus]\nenabled=%s\n", on ? "yes" : "no");
    if (!on)
        return;
    report_line(f, "service_name", "%s", slice_str(g, KW_GLOBAL_DBUS_SERVICE_NAME, "org.keepalived.Vrrp1"));
    report_line(f, "no_interface_name", "%s", slice_str(g, KW_GLOBAL_DBUS_NO_INTERFACE_NAME, "none"));
    if (netns != NULL)
        report_line(f, "net_namespace", "%s", netns);
    if (instance != NULL)
        report_line(f, "instance", "%s", instance);
}

/* For holdfast-snmp: what -x and -A say; the rest is in the configuration. */
static void status_snmp(FILE *f, const struct parent *p)
{
    fprintf(f, "[snmp]\nall=%s\n", p->opt.snmp ? "yes" : "no");
    if (p->opt.snmp_socket != NULL)
        report_line(f, "agent_socket", "%s", p->opt.snmp_socket);
}

static void status_room(FILE *f, const struct room *m)
{
    const struct msg_ready *j = &m->report;
    fprintf(f, "[role %s]\nstate=%s\nrestarts=%u\nneeded=%s\n", role_name(m->role), room_state_name(m->state),
            m->restarts, m->wanted ? "yes" : "no");
    if (m->pid == 0)
        return;
    fprintf(f, "pid=%d\nsnapshots=%zu\n", (int)m->pid, snapshots_count(m->snaps));
    if (m->started_ns != 0)
        report_time(f, "started", clock_realtime_ns() - (clock_monotonic_ns() - m->started_ns));
    if (m->state < ROOM_READY)
        return;
    fprintf(f,
            "jail_user=%s\njail_uid=%u\njail_gid=%u\njail_groups=%u\njail_cap_effective=%llx\njail_cap_"
            "bounding=%llx\n"
            "jail_no_new_privs=%u\njail_dumpable=%u\njail_seccomp=%u\njail_own_netns=%u\njail_empty_root=%u\n"
            "jail_landlock_abi=%u\n",
            jail_user(m->role), j->uid, j->gid, j->groups, (unsigned long long)j->cap_effective,
            (unsigned long long)j->cap_bounding, j->no_new_privs, j->dumpable, j->seccomp, j->own_netns,
            j->empty_root, j->landlock_abi);
}

static void status_since(FILE *f, const struct config_inst *n)
{
    report_time(f, "since", n->at);
    if (n->at != 0)
        report_line(f, "cause", "%s", config_cause(n));
}

static void status_instances(FILE *f, const struct config *c, const char *name)
{
    for (size_t i = 0; c != NULL && i < c->ninst; i++) {
        const struct config_inst *n = &c->inst[i];
        if (name[0] != '\0' && strcmp(name, n->name) != 0)
            continue;
        report_section(f, "instance", n->name);
        fprintf(f, "id=%u\nstate=%s\nvrid=%u\ninterface=%s\nbase_priority=%u\npriority=%u\n", n->id,
                vrrp_state_name(n->state), n->vrid, n->iface, n->base_priority, n->priority);
        status_since(f, n);
    }
    for (size_t i = 0; c != NULL && i < c->ngroup; i++) {
        const struct config_inst *n = &c->group[i];
        if (name[0] != '\0' && strcmp(name, n->name) != 0)
            continue;
        report_section(f, "group", n->name);
        fprintf(f, "id=%u\nstate=%s\n", n->id, vrrp_state_name(n->state));
        status_since(f, n);
    }
}

/* The diagnosis of the last reload, as far as a person reads it. */
static void status_lines(FILE *f, const struct reload_report *r)
{
    const char *p = r->text, *end = p + r->len;
    for (unsigned int n = 0; p < end && n < STATUS_LINES_MAX; n++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((nl != NULL ? nl : end) - p);
        report_line(f, "diagnosis", "%.*s", (int)len, p);
        p += len + 1;
    }
}

static void status_reload(FILE *f, const struct parent *p)
{
    struct reload_report r;
    reload_report(p->reload, &r);
    fprintf(f, "[reload]\ncount=%u\n", r.count);
    if (r.count == 0)
        return;
    fprintf(f, "status=%d\ngeneration=%u\n", r.status, r.generation);
    report_time(f, "at", r.at);
    fprintf(f, "result=%s\n",
            r.status != 0   ? "refused, the old configuration is in force"
            : r.rolled_back ? "not confirmed and taken back, the configuration before it is in force"
                            : "in force");
    if (r.confirm_left > 0)
        fprintf(f, "waits_for=holdctl confirm\nconfirm_left_s=%llu\n",
                (unsigned long long)(r.confirm_left / NS_PER_SEC));
    status_lines(f, &r);
}

static void status_all(FILE *f, const struct parent *p, const char *name)
{
    status_daemon(f, p);
    if (p->cur != NULL && name[0] == '\0')
        status_dbus(f, p);
    if (name[0] == '\0')
        status_snmp(f, p);
    for (int r = ROLE_VRRPD; name[0] == '\0' && r <= ROLE_IPVSD; r++)
        status_room(f, &p->room[r]);
    status_instances(f, p->cur, name);
    if (p->cur != NULL)
        director_status(p->cur->director, name, f);
    operator_status(p->operator, name, f);
    if (name[0] == '\0')
        status_reload(f, p);
}

char *status_named(const struct parent *p, const char *name, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    if (f != NULL)
        status_all(f, p, name);
    if (f == NULL || fclose(f) != 0)
        fatal("out of memory");
    return text;
}

char *status_text(const struct parent *p, size_t *len)
{
    return status_named(p, "", len);
}

static void status_script(FILE *f, const struct script *s)
{
    const struct script_who *w = s->who;
    report_section(f, "script", s->label);
    fprintf(f, "object=%u\n", s->obj);
    report_line(f, "keyword", "%s", s->kw != KW_NONE ? schema_kw(s->kw)->name : "");
    report_line(f, "owner", "%s", s->owner);
    for (size_t i = 0; i < s->argc; i++)
        report_line(f, "argv", "%s", s->argv[i]);
    report_line(f, "user", "%s", w->user != NULL ? w->user : "(default)");
    fprintf(f, "user_known=%s\n", w->known ? "yes" : "no");
    if (w->known)
        fprintf(f, "uid=%u\ngid=%u\n", (unsigned int)w->uid, (unsigned int)w->gid);
    else if (w->why[0] != '\0')
        report_line(f, "why", "%s", w->why);
    if (s->said[0] != '\0')
        report_line(f, "complaint", "%s", s->said);
    if (s->limit_ns != 0)
        report_time(f, "timeout", s->limit_ns);
}

char *status_scripts(const struct parent *p, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    const struct script *s;
    for (size_t i = 0; f != NULL && p->cur != NULL && (s = scripts_at(p->cur->scripts, i)) != NULL; i++)
        status_script(f, s);
    if (f == NULL || fclose(f) != 0)
        fatal("out of memory");
    return text;
}

void status_write_fd(const struct parent *p, int fd)
{
    size_t len;
    char *text = status_text(p, &len);
    for (size_t done = 0; done < len;) {
        ssize_t w = write(fd, text + done, len - done);
        if (w <= 0)
            break;
        done += (size_t)w;
    }
    free(text);
}

void status_line(const struct parent *p, char *buf, size_t size)
{
    size_t n[VRRP_STATE_STOP + 1] = { 0 }, services = 0, servers = 0;
    const struct config *c = p->cur;
    for (size_t i = 0; c != NULL && i < c->ninst; i++)
        n[c->inst[i].state]++;
    struct reload_report r;
    reload_report(p->reload, &r);
    if (c != NULL)
        director_sums(c->director, &services, &servers);
    snprintf(buf, size,
             "%zu master, %zu backup, %zu fault; %zu of %llu services and %zu of %llu real servers up%s%s",
             n[VRRP_STATE_MASTER], n[VRRP_STATE_BACKUP], n[VRRP_STATE_FAULT], services,
             (unsigned long long)config_top_uint(c, KW_TOP_X_SERVICES, 0), servers,
             (unsigned long long)config_top_uint(c, KW_TOP_X_REAL_SERVERS, 0),
             c != NULL && c->errors > 0 ? "; RUNNING WITHOUT statements that are errors (--lenient)" : "",
             r.count > 0 && r.status != 0 ? "; LAST RELOAD REFUSED, old configuration in force" : "");
}
