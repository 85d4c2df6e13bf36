/* model.c - see model.h. */
#include "parent/dbus/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static const struct {
    const char *daemon, *bus;
    unsigned int number;
} model_states[] = { { "INIT", "Init", MODEL_INIT },
                     { "BACKUP", "Backup", 1 },
                     { "MASTER", "Master", 2 },
                     { "FAULT", "Fault", 3 },
                     { "STOP", "Stop", MODEL_STATE_MAX } };

#define MODEL_STATES (sizeof model_states / sizeof *model_states)

bool model_state(const char *word, unsigned int *state)
{
    for (size_t i = 0; i < MODEL_STATES; i++)
        if (strcmp(model_states[i].daemon, word) == 0) {
            *state = model_states[i].number;
            return true;
        }
    return false;
}

const char *model_state_word(unsigned int state)
{
    for (size_t i = 0; i < MODEL_STATES; i++)
        if (model_states[i].number == state)
            return model_states[i].bus;
    return "Unknown";
}

/* ---- what a bus takes */

/* Bytes of the character at s, 0 when it is none: no overlong form, no surrogate. */
static size_t model_utf8(const unsigned char *s)
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

void model_text(char *buf, size_t size, const char *s)
{
    size_t at = 0, n;
    for (; *s != '\0'; s += n > 0 ? n : 1) {
        n = model_utf8((const unsigned char *)s);
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

void model_path_add(char *buf, size_t size, const char *element)
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

static void model_instance(struct model *m, const struct doc *d, const struct doc_part *p, const char *root)
{
    const struct doc_part *g = doc_named(d, "dbus", ""), *known = doc_named(d, "instance", p->name);
    const char *none = doc_str(g, "no_interface_name", "none"), *on = doc_str(p, "interface", "");
    struct model_inst *i = &m->v[m->n];
    char vrid[24];
    memset(i, 0, sizeof *i);
    snprintf(i->name, sizeof i->name, "%s", p->name);
    model_text(i->text, sizeof i->text, p->name);
    snprintf(i->path, sizeof i->path, "%s/Instance", root);
    model_path_add(i->path, sizeof i->path, on[0] != '\0' ? on : none[0] != '\0' ? none : "none");
    snprintf(vrid, sizeof vrid, "%lld", doc_int(p, "vrid", 0));
    model_path_add(i->path, sizeof i->path, vrid);
    model_path_add(i->path, sizeof i->path, doc_int(p, "family", 4) == 6 ? "IPv6" : "IPv4");
    i->state = MODEL_INIT;
    model_state(doc_str(known, "state", doc_str(p, "state", "")), &i->state);
    i->after = m->last;
    if (model_at(m, i->path) == NULL)
        m->n++;
    else
        m->same++;
}

void model_load(struct model *m, const struct doc *d)
{
    const struct doc_part *g = doc_named(d, "dbus", ""), *h = doc_named(d, "daemon", "");
    char root[MODEL_PATH_MAX / 4] = MODEL_ROOT;
    size_t n = 0;
    memset(m, 0, sizeof *m);
    m->enabled = doc_yes(g, "enabled");
    m->last = strtoull(doc_str(h, "last_event", "0"), NULL, 10);
    m->generation = (unsigned int)doc_int(h, "generation", 0);
    model_text(m->service, sizeof m->service, doc_str(g, "service_name", ""));
    model_path_add(root, sizeof root, doc_str(g, "net_namespace", ""));
    model_path_add(root, sizeof root, doc_str(g, "instance", ""));
    snprintf(m->vrrp, sizeof m->vrrp, "%s/Vrrp", root);
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "vrrp_instance")) != NULL;)
        n++;
    m->v = xcalloc(n + 1, sizeof *m->v);
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "vrrp_instance")) != NULL;)
        model_instance(m, d, p, root);
}

void model_free(struct model *m)
{
    free(m->v);
    memset(m, 0, sizeof *m);
}

void model_carry(struct model *now, const struct model *old)
{
    for (size_t i = 0; i < now->n; i++) {
        const struct model_inst *was = model_at(old, now->v[i].path);
        if (was == NULL || strcmp(was->name, now->v[i].name) != 0)
            continue;
        now->v[i].state = was->state;
        now->v[i].after = was->after;
    }
}

struct model_inst *model_at(const struct model *m, const char *path)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->v[i].path, path) == 0)
            return &m->v[i];
    return NULL;
}

struct model_inst *model_changed(struct model *m, const struct doc_part *event)
{
    const char *name = doc_str(event, "object", "");
    uint64_t seq = strtoull(doc_str(event, "seq", "0"), NULL, 10);
    unsigned int state;
    if (strcmp(doc_str(event, "kind", ""), "instance") != 0 ||
        strcmp(doc_str(event, "what", ""), "state") != 0 || !model_state(doc_str(event, "to", ""), &state))
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
