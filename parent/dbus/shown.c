/* shown.c - see shown.h. */
#include "parent/dbus/shown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static const struct {
    const char *daemon, *bus;
    unsigned int number;
} shown_states[] = { { "INIT", "Init", SHOWN_INIT },
                     { "BACKUP", "Backup", 1 },
                     { "MASTER", "Master", 2 },
                     { "FAULT", "Fault", 3 },
                     { "STOP", "Stop", SHOWN_STATE_MAX } };

#define SHOWN_STATES (sizeof shown_states / sizeof *shown_states)

bool shown_state(const char *word, unsigned int *state)
{
    for (size_t i = 0; i < SHOWN_STATES; i++)
        if (strcmp(shown_states[i].daemon, word) == 0) {
            *state = shown_states[i].number;
            return true;
        }
    return false;
}

const char *shown_state_word(unsigned int state)
{
    for (size_t i = 0; i < SHOWN_STATES; i++)
        if (shown_states[i].number == state)
            return shown_states[i].bus;
    return "Unknown";
}

/* ---- what a bus takes */

/* Bytes of the character at s, 0 when it is none: no overlong form, no surrogate. */
static size_t shown_utf8(const unsigned char *s)
{
    static const unsigned long least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;
    if (n == 1)
        return 1;
    if (n == 4 && (s[0] & 0xf8) != 0xf0)
        return 0;
    unsigned long c = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) /* the end of the text is none either */
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

void shown_text(char *buf, size_t size, const char *s)
{
    size_t at = 0, n;
    for (; *s != '\0'; s += n > 0 ? n : 1) {
        n = shown_utf8((const unsigned char *)s);
        if (at + (n > 0 ? n : 1) >= size)
            break;
        if (n > 0)
            memcpy(buf + at, s, n);
        else
            buf[at] = '?';
        at += n > 0 ? n : 1;
    }
    buf[at] = '\0';
}

void shown_path_add(char *buf, size_t size, const char *element)
{
    size_t at = strlen(buf);
    if (element[0] == '\0' || at + 2 >= size)
        return;
    buf[at++] = '/';
    for (; *element != '\0' && at + 1 < size; element++) {
        char c = *element;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        buf[at++] = plain ? c : '_';
    }
    buf[at] = '\0';
}

/* ---- from the daemon's answers */

static void shown_instance(struct shown *m, const struct doc *d, const struct doc_part *p, const char *root)
{
    const struct doc_part *g = doc_named(d, "dbus", ""), *known = doc_named(d, "instance", p->name);
    const char *none = doc_str(g, "no_interface_name", "none"), *on = doc_str(p, "interface", "");
    struct shown_inst *i = &m->v[m->n];
    char vrid[24];
    memset(i, 0, sizeof *i);
    snprintf(i->name, sizeof i->name, "%s", p->name);
    shown_text(i->text, sizeof i->text, p->name);
    snprintf(i->path, sizeof i->path, "%s/Instance", root);
    shown_path_add(i->path, sizeof i->path, on[0] != '\0' ? on : none[0] != '\0' ? none : "none");
    snprintf(vrid, sizeof vrid, "%lld", doc_int(p, "vrid", 0));
    shown_path_add(i->path, sizeof i->path, vrid);
    shown_path_add(i->path, sizeof i->path, doc_int(p, "family", 4) == 6 ? "IPv6" : "IPv4");
    i->state = SHOWN_INIT;
    shown_state(doc_str(known, "state", doc_str(p, "state", "")), &i->state);
    i->after = m->last;
    if (shown_at(m, i->path) == NULL)
        m->n++;
    else
        m->same++;
}

void shown_load(struct shown *m, const struct doc *d)
{
    const struct doc_part *g = doc_named(d, "dbus", ""), *h = doc_named(d, "daemon", "");
    char root[SHOWN_PATH_MAX / 4] = SHOWN_ROOT;
    size_t n = 0;
    memset(m, 0, sizeof *m);
    m->enabled = doc_yes(g, "enabled");
    m->last = strtoull(doc_str(h, "last_event", "0"), NULL, 10);
    m->generation = (unsigned int)doc_int(h, "generation", 0);
    shown_text(m->service, sizeof m->service, doc_str(g, "service_name", ""));
    shown_path_add(root, sizeof root, doc_str(g, "net_namespace", ""));
    shown_path_add(root, sizeof root, doc_str(g, "instance", ""));
    snprintf(m->vrrp, sizeof m->vrrp, "%s/Vrrp", root);
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "vrrp_instance")) != NULL;)
        n++;
    m->v = xcalloc(n + 1, sizeof *m->v);
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "vrrp_instance")) != NULL;)
        shown_instance(m, d, p, root);
}

void shown_free(struct shown *m)
{
    free(m->v);
    memset(m, 0, sizeof *m);
}

void shown_carry(struct shown *now, const struct shown *old)
{
    for (size_t i = 0; i < now->n; i++) {
        const struct shown_inst *was = shown_at(old, now->v[i].path);
        if (was == NULL || strcmp(was->name, now->v[i].name) != 0)
            continue;
        now->v[i].state = was->state;
        now->v[i].after = was->after;
    }
}

struct shown_inst *shown_at(const struct shown *m, const char *path)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->v[i].path, path) == 0)
            return &m->v[i];
    return NULL;
}

struct shown_inst *shown_changed(struct shown *m, const struct doc_part *event)
{
    const char *name = doc_str(event, "object", "");
    uint64_t seq = strtoull(doc_str(event, "seq", "0"), NULL, 10);
    unsigned int state;
    if (strcmp(doc_str(event, "kind", ""), "instance") != 0 ||
        strcmp(doc_str(event, "what", ""), "state") != 0 || !shown_state(doc_str(event, "to", ""), &state))
        return NULL;
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->v[i].name, name) != 0 || seq <= m->v[i].after)
            continue;
        m->v[i].state = state;
        m->v[i].after = seq;
        return &m->v[i];
    }
    return NULL;
}
