/*
 * names.c - numbers behind the names of iproute2's tables (tables, scopes, dsfield, groups, protocols,
 * realms): the etc file wins over the vendor file, *.conf of the .d folders are read too, and what every
 * system has is built in. Called by the parser when a word is no number. The files belong to the
 * administrator; a bad line is passed over.
 */
#include <glob.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/conf/conf_int.h"

struct name_entry {
    char name[32];
    uint32_t value;
};

struct name_table {
    bool loaded;
    struct name_entry *e;
    size_t n;
};

#define NAMES_COUNT (NAMES_PREF + 1)

struct conf_names {
    struct name_table table[NAMES_COUNT];
};

struct builtin {
    enum schema_names which;
    const char *name;
    uint32_t value;
};

static const struct builtin builtins[] = {
    { NAMES_TABLE, "default", 253 }, { NAMES_TABLE, "main", 254 },    { NAMES_TABLE, "local", 255 },
    { NAMES_TABLE, "unspec", 0 },    { NAMES_SCOPE, "global", 0 },    { NAMES_SCOPE, "universe", 0 },
    { NAMES_SCOPE, "site", 200 },    { NAMES_SCOPE, "link", 253 },    { NAMES_SCOPE, "host", 254 },
    { NAMES_SCOPE, "nowhere", 255 }, { NAMES_GROUP, "default", 0 },   { NAMES_PROTO, "unspec", 0 },
    { NAMES_PROTO, "redirect", 1 },  { NAMES_PROTO, "kernel", 2 },    { NAMES_PROTO, "boot", 3 },
    { NAMES_PROTO, "static", 4 },    { NAMES_PROTO, "ra", 9 },        { NAMES_PROTO, "zebra", 11 },
    { NAMES_PROTO, "bird", 12 },     { NAMES_PROTO, "dhcp", 16 },     { NAMES_PROTO, "keepalived", 18 },
    { NAMES_PROTO, "babel", 42 },    { NAMES_PROTO, "bgp", 186 },     { NAMES_PROTO, "isis", 187 },
    { NAMES_PROTO, "ospf", 188 },    { NAMES_PROTO, "rip", 189 },     { NAMES_PROTO, "eigrp", 192 },
    { NAMES_REALM, "cosmos", 0 },    { NAMES_PREF, "low", 3 },        { NAMES_PREF, "medium", 0 },
    { NAMES_PREF, "high", 1 },       { NAMES_DSFIELD, "default", 0 }, { NAMES_DSFIELD, "CS1", 0x20 },
    { NAMES_DSFIELD, "CS2", 0x40 },  { NAMES_DSFIELD, "CS3", 0x60 },  { NAMES_DSFIELD, "CS4", 0x80 },
    { NAMES_DSFIELD, "CS5", 0xa0 },  { NAMES_DSFIELD, "CS6", 0xc0 },  { NAMES_DSFIELD, "CS7", 0xe0 },
    { NAMES_DSFIELD, "EF", 0xb8 },   { NAMES_DSFIELD, "AF11", 0x28 }, { NAMES_DSFIELD, "AF12", 0x30 },
    { NAMES_DSFIELD, "AF13", 0x38 }, { NAMES_DSFIELD, "AF21", 0x48 }, { NAMES_DSFIELD, "AF22", 0x50 },
    { NAMES_DSFIELD, "AF23", 0x58 }, { NAMES_DSFIELD, "AF31", 0x68 }, { NAMES_DSFIELD, "AF32", 0x70 },
    { NAMES_DSFIELD, "AF33", 0x78 }, { NAMES_DSFIELD, "AF41", 0x88 }, { NAMES_DSFIELD, "AF42", 0x90 },
    { NAMES_DSFIELD, "AF43", 0x98 },
};

static const char *const files[NAMES_COUNT] = {
    [NAMES_TABLE] = "rt_tables", [NAMES_SCOPE] = "rt_scopes", [NAMES_DSFIELD] = "rt_dsfield",
    [NAMES_GROUP] = "group",     [NAMES_PROTO] = "rt_protos", [NAMES_REALM] = "rt_realms",
};

static void table_add(struct name_table *t, const char *name, uint32_t value)
{
    if (t->n % 32 == 0)
        t->e = xrealloc(t->e, (t->n + 32) * sizeof *t->e);
    snprintf(t->e[t->n].name, sizeof t->e->name, "%s", name);
    t->e[t->n++].value = value;
}

static void table_file(struct name_table *t, const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return;
    char line[512], number[32], name[32];
    while (fgets(line, sizeof line, f) != NULL) {
        int64_t v;
        line[strcspn(line, "#")] = '\0';
        if (sscanf(line, "%31s %31s", number, name) == 2 && conf_number(number, true, &v) == 0 && v >= 0 &&
            v <= UINT32_MAX)
            table_add(t, name, (uint32_t)v);
    }
    fclose(f);
}

static void table_folder(struct name_table *t, const char *dir, const char *file)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    table_file(t, path);
    snprintf(path, sizeof path, "%s/%s.d/*.conf", dir, file);
    glob_t g;
    if (glob(path, 0, NULL, &g) == 0) {
        for (size_t i = 0; i < g.gl_pathc; i++)
            table_file(t, g.gl_pathv[i]);
        globfree(&g);
    }
}

/* The folder may be named anywhere in the file; it is looked for in the text since names are needed while
 * parsing. */
static const char *names_folder(const struct conf *c, const char *keyword, const char *dflt)
{
    for (size_t i = 0; i < c->text->nlines; i++) {
        const struct conf_line *l = &c->text->lines[i];
        if (l->nwords == 2 && strcmp(l->words[0].text, keyword) == 0)
            return l->words[1].text;
    }
    return dflt;
}

static void table_load(struct conf *c, enum schema_names which, struct name_table *t)
{
    t->loaded = true;
    if (files[which] != NULL) {
        table_folder(t, names_folder(c, "iproute_etc_dir", "/etc/iproute2"), files[which]);
        table_folder(t, names_folder(c, "iproute_usr_dir", "/usr/share/iproute2"), files[which]);
        table_folder(t, "/usr/lib/iproute2", files[which]);
    }
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (builtins[i].which == which)
            table_add(t, builtins[i].name, builtins[i].value);
}

int conf_name_lookup(struct conf *c, enum schema_names which, const char *word, uint32_t *out)
{
    int64_t v;
    if (conf_number(word, true, &v) == 0 && v >= 0 && v <= UINT32_MAX) {
        *out = (uint32_t)v;
        return 0;
    }
    if (which == NAMES_IPPROTO) {
        struct protoent *p = getprotobyname(word);
        if (p == NULL || p->p_proto < 0)
            return -1;
        *out = (uint32_t)p->p_proto;
        return 0;
    }
    if (c->names == NULL)
        c->names = xcalloc(1, sizeof *c->names);
    struct name_table *t = &c->names->table[which];
    if (!t->loaded)
        table_load(c, which, t);
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->e[i].name, word) == 0) {
            *out = t->e[i].value;
            return 0;
        }
    return -1;
}

void conf_names_free(struct conf *c)
{
    if (c->names == NULL)
        return;
    for (size_t i = 0; i < NAMES_COUNT; i++)
        free(c->names->table[i].e);
    free(c->names);
    c->names = NULL;
}
