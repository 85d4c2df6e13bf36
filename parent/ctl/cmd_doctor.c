/*
 * cmd_doctor.c - holdctl doctor: this machine and one configuration, every subject of doctor.h in turn. First
 * what needs the caller's rights (files, the firewall's rules, sockets), then those rights are dropped, then
 * the wire is listened to. Changes nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/ctl/ctl.h"
#include "parent/ctl/doctor.h"
#include "parent/ctl/listen.h"
#include "parent/ctl/procfs.h"
#include "parent/ctl/tool.h"
#include "parent/options.h"

#define DOCTOR_SECONDS 4

static void doctor_facts(struct doctor *d)
{
    json_t *vs, *rs;
    for (size_t i = 0; (vs = model_next(d->top, "vs", &i)) != NULL;) {
        d->services = true;
        d->persistent = d->persistent || model_has(vs, "persistence_timeout");
        for (size_t k = 0; (rs = model_next(vs, "rs", &k)) != NULL;) {
            long long method = model_int(rs, "lvs_method", DOCTOR_METHOD_NAT);
            bool six = strchr(model_str(rs, "x_ip", ""), ':') != NULL;
            d->nat4 = d->nat4 || (method == DOCTOR_METHOD_NAT && !six);
            d->nat6 = d->nat6 || (method == DOCTOR_METHOD_NAT && six);
            d->dr = d->dr || method == DOCTOR_METHOD_DR;
            d->tun = d->tun || method == DOCTOR_METHOD_TUN;
        }
    }
    for (size_t i = 0; i < d->node.nvi; i++)
        d->vmac = d->vmac || d->node.vi[i].vmac;
}

static void doctor_conf(struct doctor *d, struct tool_model *m)
{
    if (tool_model_load(m) == 0 && m->top != NULL) {
        d->top = m->top;
        node_read(&d->node, "A", m->file, m->top);
        doctor_facts(d);
        return;
    }
    struct finding *f =
        finding_add(d->l, FINDING_ERROR, "HD-CONF", m->file,
                    "has errors or cannot be read: only what needs no configuration is judged");
    finding_evidence(f, "holdfast -t gives status %d", m->status);
    finding_remedy(f, "holdctl check %s", m->file);
}

static void doctor_ruleset(struct doctor *d)
{
    char *const argv[] = { "nft", "-j", "list", "ruleset", NULL };
    char *out = NULL;
    size_t len;
    if (geteuid() == 0 && tool_run(argv, NULL, 0, true, &out, &len) == 0 && out != NULL)
        d->firewall = json_loadb(out, len, 0, NULL);
    free(out);
}

/* Only where the kernel has such tables already: the tool would make them. */
static void doctor_ruleset_legacy(struct doctor *d)
{
    static const struct {
        const char *tables, *tool;
        unsigned int family;
    } kinds[] = { { "/proc/net/ip_tables_names", "iptables-legacy-save", 4 },
                  { "/proc/net/ip6_tables_names", "ip6tables-legacy-save", 6 } };
    char names[256];
    for (size_t i = 0; i < 2; i++) {
        char *const argv[] = { (char *)(uintptr_t)kinds[i].tool, NULL };
        char *out = NULL;
        size_t len;
        if (procfs_read(kinds[i].tables, names, sizeof names) < 0 || names[0] == '\0')
            continue; /* none there, or not ours to read */
        if (tool_run(argv, NULL, 0, true, &out, &len) == 0 && out != NULL)
            d->legacy[i] = legacy_ruleset(out, kinds[i].family);
        else
            finding_remedy(finding_add(d->l, FINDING_NOTE, "HD-FIREWALL-UNSEEN", kinds[i].tool,
                                       "the kernel has rules of legacy iptables, and they cannot be read"),
                           "apt install iptables; iptables-legacy-save shows them");
        free(out);
    }
}

/* Two daemons on one machine fight for the same addresses. */
static void doctor_other_daemon(struct doctor *d)
{
    static const char *const files[] = { "/run/keepalived.pid", "/run/keepalived/keepalived.pid" };
    char text[64], path[64], comm[64];
    for (size_t i = 0; i < 2; i++) {
        if (procfs_read(files[i], text, sizeof text) < 0)
            continue;
        snprintf(path, sizeof path, "/proc/%ld/comm", strtol(text, NULL, 10));
        if (procfs_read(path, comm, sizeof comm) < 0 || strncmp(comm, "keepalived", 10) != 0)
            continue;
        struct finding *f =
            finding_add(d->l, FINDING_WARNING, "HD-KEEPALIVED", "keepalived",
                        "runs on this machine: it and holdfast would fight for the same addresses");
        finding_evidence(f, "%s", files[i]);
        finding_remedy(f, "systemctl disable --now keepalived, then start holdfast");
    }
}

static int doctor_show(const struct doctor *d, const struct ctl *c, const char *file)
{
    int status = findings_exit(d->l);
    if (c->json) {
        json_t *j = json_pack("{s:i,s:s,s:i,s:o}", "format", 1, "configuration", file, "status", status,
                              "findings", findings_json(d->l));
        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
        return status;
    }
    findings_print(d->l, stdout);
    printf("%s: %zu errors, %zu warnings, %zu notes\n", file, findings_count(d->l, FINDING_ERROR),
           findings_count(d->l, FINDING_WARNING), findings_count(d->l, FINDING_NOTE));
    return status;
}

static int doctor_run(struct doctor *d, const struct ctl *c, struct tool_model *m)
{
    doctor_conf(d, m);
    doctor_ruleset(d);
    doctor_ruleset_legacy(d);
    doctor_other_daemon(d);
    doctor_kernel(d);
    doctor_links(d);
    if (d->top != NULL) {
        doctor_scripts(d);
        doctor_agents(d);
    }
    doctor_firewall(d);
    if (geteuid() != 0) {
        finding_remedy(finding_add(d->l, FINDING_NOTE, "HD-ROOT", "probes",
                                   "need root: nothing was listened to or asked"),
                       "sudo holdctl doctor");
        d->seconds = 0;
    }
    struct doctor_probe *p = doctor_probe_open(d);
    int rc = 0;
    if (listen_drop_privileges() < 0)
        rc = ctl_lost("privileges cannot be dropped; the probes are left out");
    else
        doctor_probe_run(d, p);
    doctor_probe_free(p);
    int status = doctor_show(d, c, m->file);
    return rc != 0 ? rc : status;
}

int cmd_doctor(struct ctl *c, int argc, char **argv)
{
    struct findings found = { 0 };
    struct doctor d = { .l = &found, .seconds = DOCTOR_SECONDS };
    struct tool_model m = { .quiet = true };
    char *end;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            c->json = true;
        } else if (strcmp(argv[i], "--no-probe") == 0) {
            d.seconds = 0;
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            d.seconds = strtod(argv[++i], &end);
            if (*end != '\0' || d.seconds < 0 || d.seconds > 3600)
                return ctl_misused("doctor");
        } else if (argv[i][0] != '-' && m.file == NULL) {
            m.file = argv[i];
        } else {
            return ctl_misused("doctor");
        }
    }
    m.file = m.file != NULL ? m.file : OPTIONS_DEFAULT_CONF;
    int status = doctor_run(&d, c, &m);
    json_decref(d.firewall);
    json_decref(d.legacy[0]);
    json_decref(d.legacy[1]);
    node_free(&d.node);
    tool_model_free(&m);
    findings_free(&found);
    return status;
}
