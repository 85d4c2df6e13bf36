/*
 * fuzz_checkstate.c - checkd's snapshot decoder against anything: a table of three services with 70 checks,
 * fed with keys and bytes. First four bytes: the key. What is refused must have changed nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkd/engine.h"
#include "checkd/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct service_table *table_make(struct checkd *d, struct slice **slice)
{
    struct slice_writer *w = slice_writer_new(ROLE_CHECKD, 1);
    struct err e = { 0 };
    struct ipaddr ip;
    struct service_table *t;
    size_t len;
    const void *p;

    ipaddr_parse("10.0.0.1", &ip);
    for (int v = 0; v < 3; v++) {
        char name[32];
        uint32_t vs;

        snprintf(name, sizeof name, "10.0.0.%d:80:tcp", v);
        vs = slice_put_obj(w, BLK_VS, 0, name, 1);
        for (int i = 0; i < 24; i++) {
            uint32_t rs;

            snprintf(name, sizeof name, "10.1.%d.%d:80", v, i);
            rs = slice_put_obj(w, BLK_RS, vs, name, 2);
            slice_put_obj(w, BLK_TCP, rs, "", 3);
            slice_put_ip(w, KW_TCP_CONNECT_IP, &ip);
        }
    }
    p = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(p, len, ROLE_CHECKD, &e);
    t = service_table_new(s, &e);
    if (t == NULL || engine_build(d, t, s, &e) < 0)
        abort();
    slice_writer_free(w);
    *slice = s; /* lives as long as the table: for ever */
    for (size_t i = 0; i < t->ncheckers; i++)
        t->checkers[i].identity = i + 1; /* within reach of a mutation */
    return t;
}

/* What explain would print: bounded, printable. */
static void evidence_check(const struct service_table *t)
{
    for (size_t i = 0; i < t->ncheckers; i++) {
        const char *text = t->checkers[i].evidence;

        if (text == NULL)
            continue;
        if (text[0] == '\0' || strlen(text) > EVIDENCE_TEXT)
            abort();
        for (; *text != '\0'; text++)
            if (*text < 0x20 || *text > 0x7e)
                abort();
    }
}

static uint64_t sum(const struct service_table *t)
{
    uint64_t n = 0;

    for (size_t i = 0; i < t->ncheckers; i++) {
        const struct checker *k = &t->checkers[i];

        n = 31 * n + (uint64_t)k->up + (uint64_t)k->weight * 3;
        n = 31 * n + k->turned_at + 5 * k->passed_at + 7 * k->failed_at + 11 * k->failures;
        for (const char *c = k->evidence; c != NULL && *c != '\0'; c++)
            n = 31 * n + (uint64_t)*c;
    }
    for (size_t i = 0; i < t->nservices; i++)
        n = 31 * n + (uint64_t)t->services[i].up;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct checkd d;
    static struct service_table *t;
    static struct slice *s;
    bool running = false;
    uint64_t before;
    uint32_t key;

    if (t == NULL)
        t = table_make(&d, &s);
    if (size < sizeof key || size > sizeof key + 65535)
        return 0;
    memcpy(&key, data, sizeof key);
    before = sum(t);
    if (state_decode(t, key, data + sizeof key, size - sizeof key, &running) < 0 &&
        (sum(t) != before || running))
        abort();
    evidence_check(t);
    return 0;
}
