/*
 * script_shebang.c - what the first bytes of a file say about how to run it, as the kernel reads them. Pure:
 * the bytes are the script user's. See script_child.h.
 */
#include <string.h>

#include "parent/script_child.h"

static bool shebang_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* Control bytes mean neither a text nor a program we could hand to a shell. */
static bool shebang_is_text(const uint8_t *head, size_t len)
{
    for (size_t i = 0; i < len && head[i] != '\n'; i++)
        if (head[i] == '\0')
            return false;
    return true;
}

static size_t shebang_line_end(const uint8_t *head, size_t len)
{
    size_t end = 2;
    while (end < len && head[end] != '\n' && head[end] != '\0')
        end++;
    return end;
}

enum script_kind script_head_kind(const uint8_t *head, size_t len, struct script_shebang *out)
{
    memset(out, 0, sizeof *out);
    if (len < 2 || head[0] != '#' || head[1] != '!') {
        if (len >= 4 && memcmp(head, "\177ELF", 4) == 0)
            return SCRIPT_KIND_PROGRAM;
        return shebang_is_text(head, len) ? SCRIPT_KIND_TEXT : SCRIPT_KIND_PROGRAM;
    }
    size_t end = shebang_line_end(head, len), at = 2;
    bool cut = end == len && len == SCRIPT_HEAD; /* the line goes on where nobody looks */
    out->crlf = end > 2 && head[end - 1] == '\r';
    while (end > 2 && (shebang_blank(head[end - 1]) || head[end - 1] == '\r'))
        end--;
    while (at < end && shebang_blank(head[at]))
        at++;
    out->at = at;
    while (at < end && !shebang_blank(head[at]))
        at++;
    out->len = at - out->at;
    bool interpreter_cut = cut && at == end;
    while (at < end && shebang_blank(head[at]))
        at++;
    out->arg_at = at;
    out->arg_len = end - at;
    if (out->len == 0 || interpreter_cut || cut)
        return SCRIPT_KIND_BAD;
    return SCRIPT_KIND_SHEBANG;
}
