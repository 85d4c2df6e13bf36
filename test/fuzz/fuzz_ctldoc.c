/*
 * fuzz_ctldoc.c - what a daemon (or a child of it that has been taken over) may answer holdctl: taken apart,
 * rendered as JSON and for people, explained. Nothing of it may crash the operator's tool or reach the
 * terminal as control characters.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/ctl/explain.h"
#include "parent/ctl/render.h"
#include "parent/ctl/show.h"

static void fuzz_explain(const struct doc *d, const struct out *o, FILE *f)
{
    struct explain x = { .d = d, .o = o, .f = f };
    const struct doc_part *p;
    if ((p = doc_next(d, NULL, "instance")) != NULL)
        explain_instance(&x, p->name);
    if ((p = doc_next(d, NULL, "group")) != NULL)
        explain_group(&x, p->name);
    if ((p = doc_next(d, NULL, "lvs_service")) != NULL)
        explain_service(&x, p);
    if ((p = doc_next(d, NULL, "lvs_server")) != NULL)
        explain_server(&x, p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *out = NULL;
    size_t len;
    struct doc d = { 0 };
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    FILE *f = open_memstream(&out, &len);
    struct out o = { .f = f, .colour = false, .width = 80, .now = 2e9 };
    doc_add(&d, text);
    show_screen(&d, &o);
    fuzz_explain(&d, &o, f);
    fclose(f);
    for (const char *c = out; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 && *c != '\n')
            abort();
    free(out);
    free(render_dump(render_doc(&d, "fuzz", NULL), JSON_COMPACT));
    doc_free(&d);
    free(text);
    return 0;
}
