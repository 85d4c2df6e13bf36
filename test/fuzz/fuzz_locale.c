/*
 * fuzz_locale.c - a catalog of messages and the formats in it: no step outside of the bytes, and a
 * translation that is let through as a format takes what the English one takes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/conf/locale.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char id[] = "%s has %u";
    struct locale *l = locale_from_memory(data, len);
    char *text = malloc(len + 1), out[256];

    locale_text(l, "error");
    snprintf(out, sizeof out, locale_format(l, id), "word", 3u);
    locale_free(l);
    if (text == NULL)
        return 0;
    memcpy(text, data, len);
    text[len] = '\0';
    if (locale_same_format(id, text))
        snprintf(out, sizeof out, text, "word", 3u); /* the sanitizer sees any other argument taken */
    free(text);
    return 0;
}
