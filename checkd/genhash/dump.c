/*
 * dump.c - hex and ASCII, as genhash --verbose shows it. Called by fetch.c and main.c with bytes of any kind.
 */
#include "checkd/genhash/genhash.h"

#include <stdio.h>

static void dump_line(const uint8_t *b, size_t at, size_t n)
{
    printf("%04zu ", at);
    for (size_t i = 0; i < 16; i++) {
        if (i == 8)
            printf(" -");
        if (i < n)
            printf(" %02x", b[i]);
        else
            printf("   ");
    }
    printf("   ");
    for (size_t i = 0; i < n; i++)
        putchar(b[i] >= 0x20 && b[i] < 0x7f ? b[i] : '.');
    putchar('\n');
}

void genhash_dump(const void *p, size_t len)
{
    const uint8_t *b = p;

    for (size_t at = 0; at < len; at += 16)
        dump_line(b + at, at, len - at < 16 ? len - at : 16);
    putchar('\n');
}
