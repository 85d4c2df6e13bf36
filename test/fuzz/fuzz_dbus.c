/*
 * fuzz_dbus.c - whatever the daemon and its children say: every path is one a bus takes, every text valid
 * UTF-8 as it is made again, and an event changes only who it names.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/dbus/shown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_path(const char *p)
{
    if (strncmp(p, SHOWN_ROOT "/", sizeof SHOWN_ROOT) != 0)
        abort();
    for (; *p != '\0'; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '_' ||
              (*p == '/' && p[1] != '/' && p[1] != '\0')))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct doc d = { 0 };
    struct shown m, again;
    char *text = xmalloc(size + 1), twice[SHOWN_NAME_MAX];
    memcpy(text, data, size);
    text[size] = '\0';
    doc_add(&d, text);
    free(text);
    shown_load(&m, &d);
    shown_load(&again, &d);
    fuzz_path(m.vrrp);
    for (size_t i = 0; i < m.n; i++) {
        fuzz_path(m.v[i].path);
        shown_text(twice, sizeof twice, m.v[i].text);
        if (strcmp(twice, m.v[i].text) != 0 || shown_at(&m, m.v[i].path) != &m.v[i])
            abort();
    }
    for (const struct doc_part *p = NULL; (p = doc_next(&d, p, "event")) != NULL;) {
        const struct shown_inst *i = shown_changed(&m, p);
        if (i != NULL && strcmp(i->name, doc_str(p, "object", "")) != 0)
            abort();
    }
    shown_carry(&again, &m);
    shown_free(&again);
    shown_free(&m);
    doc_free(&d);
    return 0;
}
