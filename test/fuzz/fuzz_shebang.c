/*
 * fuzz_shebang.c - the first bytes of a script and the content of a tracked file, both somebody else's: what
 * is found lies inside, holds no blanks where there must be none, and a number is one.
 */
#include <stdlib.h>
#include <string.h>

#include "parent/script_child.h"
#include "parent/trackfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct script_shebang s;
    size_t n = len < SCRIPT_HEAD ? len : SCRIPT_HEAD;
    uint8_t *head = malloc(n > 0 ? n : 1); /* exactly as long as it is: the sanitizer sees a step too far */
    int32_t v;

    if (n > 0)
        memcpy(head, data, n);
    if (script_head_kind(head, n, &s) == SCRIPT_KIND_SHEBANG) {
        if (s.len == 0 || s.at + s.len > n || s.arg_at + s.arg_len > n || s.at < 2)
            abort();
        if (memchr(head + s.at, '\n', s.len) != NULL || memchr(head + s.at, ' ', s.len) != NULL)
            abort();
        if (s.arg_len > 0 && memchr(head + s.arg_at, '\n', s.arg_len) != NULL)
            abort();
    }
    trackfile_parse((const char *)head, n, &v);
    free(head);
    return 0;
}
