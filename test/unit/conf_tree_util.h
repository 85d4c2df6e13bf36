/*
 * conf_tree_util.h - shared by the unit tests of the table side: a text through parse, resolve and validate,
 * and questions about what came out. Each test links it as source.
 */
#ifndef TEST_CONF_TREE_UTIL_H
#define TEST_CONF_TREE_UTIL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/slice.h"
#include "parent/conf/conf.h"
#include "parent/conf/prove.h"

struct tree {
    struct conf_text t;
    struct diag *d;
    struct conf *c;
    struct conf_env env;
};

/* The machine of the tests: eth0 leads to the world, eth1 to the servers. */
static inline void tree_addr(struct tree *s, const char *ifname, const char *addr, bool uplink)
{
    s->env.addrs = realloc(s->env.addrs, (s->env.naddrs + 1) * sizeof *s->env.addrs);
    struct conf_env_addr *a = &s->env.addrs[s->env.naddrs++];
    memset(a, 0, sizeof *a);
    snprintf(a->ifname, sizeof a->ifname, "%s", ifname);
    ipaddr_parse_prefix(addr, &a->addr);
    a->uplink = uplink;
}

static inline struct tree *tree_load(struct tree *s, const char *text)
{
    static const char *const names[] = { "lo", "eth0", "eth1" };
    struct conf_text_opts o = { .no_files = true, .config_id = "test" };
    memset(s, 0, sizeof *s);
    s->env.known = true;
    s->env.ifname = calloc(3, sizeof *s->env.ifname);
    for (; s->env.nif < 3; s->env.nif++)
        snprintf(s->env.ifname[s->env.nif], sizeof *s->env.ifname, "%s", names[s->env.nif]);
    tree_addr(s, "eth0", "198.51.100.1/24", true);
    tree_addr(s, "eth1", "203.0.113.1/24", false);
    s->d = diag_new();
    conf_text_load_buf(&s->t, "t.conf", text, strlen(text), &o, s->d);
    s->c = conf_new(&s->t, s->d, &s->env);
    conf_parse(s->c);
    conf_resolve(s->c);
    conf_validate(s->c, conf_prove_all());
    return s;
}

static inline void tree_unload(struct tree *s)
{
    conf_free(s->c);
    diag_free(s->d);
    conf_text_free(&s->t);
    conf_env_free(&s->env);
}

static inline size_t tree_errors(const struct tree *s)
{
    return diag_count(s->d, DIAG_ERROR);
}

/* Is there one of this code and severity at this line (0: any line) whose message holds part? */
static inline bool tree_said(const struct tree *s, enum diag_severity sev, const char *code, uint32_t line,
                             const char *part)
{
    for (size_t i = 0; i < diag_total(s->d); i++) {
        struct diag_view v;
        diag_view(s->d, i, &v);
        if (v.severity == sev && strcmp(v.code, code) == 0 && (line == 0 || v.line == line) &&
            strstr(v.message, part) != NULL)
            return true;
    }
    return false;
}

/* For the reader of a failed test. */
static inline void tree_show(const struct tree *s)
{
    for (size_t i = 0; i < diag_total(s->d); i++) {
        struct diag_view v;
        diag_view(s->d, i, &v);
        fprintf(stderr, "  %d %s:%u %s\n", (int)v.severity, v.code, v.line, v.message);
    }
}

static inline struct slice *tree_slice(struct tree *s, enum role role)
{
    struct err e = { 0 };
    int fd = conf_emit(s->c, role, 7);
    struct slice *sl = fd >= 0 ? slice_open(fd, role, &e) : NULL;
    if (sl == NULL)
        fprintf(stderr, "slice of %s: fd %d, %s\n", role_name(role), fd, e.text);
    if (fd >= 0)
        close(fd);
    return sl;
}

/* Does the text get a diagnostic of this severity and code, and no error besides? Shows what it got if not.
 */
static inline bool tree_gets(const char *text, enum diag_severity sev, const char *code, const char *part)
{
    struct tree s;
    tree_load(&s, text);
    bool ok = tree_said(&s, sev, code, 0, part) && tree_errors(&s) == (sev == DIAG_ERROR);
    if (!ok) {
        fprintf(stderr, "wanted %s (%s) of:\n%s", code, part, text);
        tree_show(&s);
    }
    tree_unload(&s);
    return ok;
}

/* A complete instance with extra lines. */
#define VI_TEXT(name, vrid, extra)                                                                           \
    "vrrp_instance " name " {\n state BACKUP\n interface eth0\n virtual_router_id " vrid                     \
    "\n priority 100\n" extra "}\n"
#define VIPS(list) " virtual_ipaddress {\n" list " }\n"

#endif
