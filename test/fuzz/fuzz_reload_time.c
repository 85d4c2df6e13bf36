/*
 * fuzz_reload_time.c - the first line of a reload_time_file: what is taken has one of the three lengths and
 * is in range, and what comes next lies ahead.
 */
#include <stdlib.h>
#include <string.h>

#include "parent/reload_time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reload_time t;
    int64_t now = 0, at = 0;
    if (len < 4)
        return 0;
    for (int i = 0; i < 4; i++)
        now = now << 8 | data[i];
    size_t n = len - 4 < RELOAD_TIME_MAX ? len - 4 : RELOAD_TIME_MAX;
    char *line = malloc(n > 0 ? n : 1); /* exactly as long as it is: the sanitizer sees a step too far */
    if (n > 0)
        memcpy(line, data + 4, n);
    if (reload_time_parse(line, n, &t)) {
        const char *end = memchr(line, '\n', n);
        size_t text = (end != NULL ? (size_t)(end - line) : n) - (t.utc ? 1 : 0);
        if (text != 8 && text != 17 && text != 19)
            abort();
        if (t.hour > 23 || t.minute > 59 || t.second > 59 || t.dated != (text != 8))
            abort();
        if (reload_time_next(&t, now, &at) ? at <= now : !t.dated)
            abort();
    }
    free(line);
    return 0;
}
