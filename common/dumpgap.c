/* dumpgap.c - see dumpgap.h. Written by vrrpd, read by the parent, which does not trust what a child wrote.
 */
#include "common/dumpgap.h"

#include <stdbool.h>
#include <string.h>

void dumpgap_put(FILE *f, enum dumpgap_kind kind, uint32_t obj)
{
    uint8_t b[DUMPGAP_SIZE] = { 0, (uint8_t)kind };
    memcpy(b + 2, &obj, sizeof obj);
    fwrite(b, 1, sizeof b, f);
}

enum dumpgap_kind dumpgap_read(const uint8_t *p, size_t len, uint32_t *obj)
{
    if (len < DUMPGAP_SIZE || p[0] != 0 || p[1] == DUMPGAP_NONE || p[1] >= DUMPGAP_KINDS)
        return DUMPGAP_NONE;
    memcpy(obj, p + 2, sizeof *obj);
    return (enum dumpgap_kind)p[1];
}

/* Length of the UTF-8 sequence at s, 0 when it is none. */
static size_t dumpgap_utf8(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : 4;
    if (n == 4 && (s[0] < 0xf0 || s[0] > 0xf4))
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool beyond = (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf4 && s[1] >= 0x90);
    return overlong || beyond ? 0 : n;
}

void dumpgap_json(FILE *f, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    fputc('"', f);
    while (*s != '\0') {
        size_t n = dumpgap_utf8(s);
        if (n == 0)
            fputs("\\ufffd", f);
        else if (*s == '"' || *s == '\\')
            fprintf(f, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            fprintf(f, "\\u%04x", *s);
        else
            fwrite(s, 1, n, f);
        s += n > 0 ? n : 1;
    }
    fputc('"', f);
}
