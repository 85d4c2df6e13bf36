/*
 * diag_text.c - diagnostics as text: file:line:column: severity: message [HF-CODE], the source line, a caret,
 * the remedy. Also the cleaning both renderings need. Trusts nothing in names, lines and messages: what a
 * terminal would obey is shown escaped, what is not UTF-8 as \xNN.
 */
#include "parent/conf/diag_int.h"

#include <string.h>
#include <strings.h>

const char *diag_severity_name(enum diag_severity s)
{
    static const char *const name[] = { DIAG_ID("note"), DIAG_ID("warning"), DIAG_ID("error") };

    return name[s];
}

size_t diag_utf8(const char *s, size_t len, int32_t *cp)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    int32_t c = n == 1 ? p[0] : p[0] & (0x7f >> n);

    for (size_t i = 1; i < n; i++) {
        if (i >= len || (p[i] & 0xc0) != 0x80)
            n = 0;
        else
            c = c << 6 | (p[i] & 0x3f);
    }
    if (!n || (n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
        (c >= 0xd800 && c < 0xe000)) {
        *cp = -1;
        return 1;
    }
    *cp = c;
    return n;
}

/* Characters that would hide, move or command: shown as escapes. */
static bool diag_char_unsafe(int32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069) || c == 0xfeff || c == 0xad;
}

/* Columns of a terminal: two for the characters of East Asian scripts and pictures (Unicode's W and F), none
 * for what sits on the one before. wcwidth() would ask the C library's locale, which here is always C. */
static uint32_t diag_width(int32_t c)
{
    static const struct {
        int32_t lo, hi;
        uint32_t width;
    } ranges[] = {
        { 0x0300, 0x036f, 0 },   { 0x1100, 0x115f, 2 },   { 0x20d0, 0x20ff, 0 },   { 0x2e80, 0x303e, 2 },
        { 0x3041, 0x3247, 2 },   { 0x3250, 0x4dbf, 2 },   { 0x4e00, 0xa4cf, 2 },   { 0xa960, 0xa97c, 2 },
        { 0xac00, 0xd7a3, 2 },   { 0xf900, 0xfaff, 2 },   { 0xfe00, 0xfe0f, 0 },   { 0xfe10, 0xfe19, 2 },
        { 0xfe30, 0xfe6b, 2 },   { 0xff01, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },   { 0x16fe0, 0x18cff, 2 },
        { 0x1b000, 0x1b2ff, 2 }, { 0x1f300, 0x1f64f, 2 }, { 0x1f680, 0x1f6ff, 2 }, { 0x1f900, 0x1f9ff, 2 },
        { 0x20000, 0x3fffd, 2 },
    };

    for (size_t i = 0; c >= ranges[0].lo && i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (c >= ranges[i].lo && c <= ranges[i].hi)
            return ranges[i].width;
    }
    return 1;
}

/* Appends one character of s, safe; returns how many bytes of s were used. *shown: columns it takes. */
static size_t diag_put_char(const char *s, size_t len, char *out, size_t size, size_t *at, uint32_t *shown)
{
    int32_t c;
    size_t n = diag_utf8(s, len, &c);
    char esc[16];
    size_t k;

    if (c == '\t') {
        esc[0] = ' ';
        k = 1;
    } else if (c < 0 || diag_char_unsafe(c)) {
        k = (size_t)snprintf(esc, sizeof(esc), c < 0x100 ? "\\x%02x" : "<U+%04X>",
                             c < 0 ? (unsigned char)s[0] : (unsigned int)c);
    } else {
        memcpy(esc, s, n);
        k = n;
    }
    if (*at + k + 1 > size)
        k = 0;
    memcpy(out + *at, esc, k);
    *at += k;
    *shown = c >= 0 && !diag_char_unsafe(c) ? diag_width(c) : (uint32_t)k;
    if (c == '\t')
        *shown = 1;
    return n;
}

void diag_clean(const char *s, size_t len, char *out, size_t size)
{
    size_t at = 0;
    uint32_t shown;

    for (size_t i = 0; i < len;)
        i += diag_put_char(s + i, len - i, out, size, &at, &shown);
    out[at] = '\0';
}

static uint32_t diag_columns(const char *s, size_t len)
{
    uint32_t n = 0;
    int32_t c;

    for (size_t i = 0; i < len; n++)
        i += diag_utf8(s + i, len - i, &c);
    return n;
}

void diag_place(const struct conf_pos *pos, struct diag_place *out)
{
    const struct conf_src *s = pos->src;
    uint32_t off, len;

    *out = (struct diag_place){ .file = "" };
    if (!s)
        return;
    out->file = s->file->name;
    out->line = s->line;
    if (!s->line)
        return;
    off = pos->off < s->len ? pos->off : s->len;
    len = pos->len < s->len - off ? pos->len : s->len - off;
    out->column = diag_columns(s->text, off) + 1;
    out->length = diag_columns(s->text + off, len);
    if (!out->length)
        out->length = 1;
}

/* From where on a line is not shown: behind auth_pass, auth_key, password ... (misspelt ones included). */
static size_t diag_secret_from(const char *s, size_t len)
{
    for (size_t i = 0; i + 5 <= len; i++) {
        size_t j = i;

        if ((strncasecmp(s + i, "auth_", 5) || (len - i >= 9 && !strncasecmp(s + i, "auth_type", 9))) &&
            strncasecmp(s + i, "passw", 5) && strncasecmp(s + i, "secre", 5))
            continue;
        while (j < len && s[j] != ' ' && s[j] != '\t' && s[j] != '=')
            j++;
        return j < len ? j + 1 : len;
    }
    return len;
}

bool diag_excerpt(const struct diag_item *it, struct diag_excerpt *out)
{
    const struct conf_src *s = it->pos.src;
    size_t at = 0, secret, off, end, from = 0, i;
    uint32_t col = 0, shown;

    *out = (struct diag_excerpt){ .caret = 0 };
    if (it->hidden || !s || !s->line || s->secret || !s->len)
        return false;
    off = it->pos.off < s->len ? it->pos.off : s->len;
    end = off + (it->pos.len < s->len - off ? it->pos.len : s->len - off);
    secret = diag_secret_from(s->text, s->len);
    if (off > DIAG_SHOW_MAX * 3 / 4)
        from = off - DIAG_SHOW_MAX / 2;
    while (from && from < s->len && (s->text[from] & 0xc0) == 0x80)
        from++;
    for (i = from; i < s->len && col < DIAG_SHOW_MAX; col += shown) {
        if (i < off)
            out->column = col;
        if (i >= secret) {
            at += (size_t)snprintf(out->text + at, sizeof(out->text) - at, "****");
            break;
        }
        if (i == off)
            out->column = col;
        i += diag_put_char(s->text + i, s->len - i, out->text, sizeof(out->text), &at, &shown);
        if (i > off && i <= end)
            out->caret = col + shown - out->column;
    }
    if (off >= i)
        out->column = col;
    out->text[at] = '\0';
    if (!out->caret)
        out->caret = 1;
    return true;
}

static void diag_print_place(const struct conf_pos *pos, FILE *out)
{
    struct diag_place p;
    char name[512];

    diag_place(pos, &p);
    if (!p.file[0])
        return;
    diag_clean(p.file, strlen(p.file), name, sizeof(name));
    fputs(name, out);
    if (p.line)
        fprintf(out, ":%u", p.line);
    if (p.line && p.column)
        fprintf(out, ":%u", p.column);
}

static void diag_print_caret(const struct diag_item *it, FILE *out)
{
    struct diag_excerpt e;

    if (!diag_excerpt(it, &e))
        return;
    fprintf(out, "    %s\n    %*s^", e.text, (int)e.column, "");
    for (uint32_t i = 1; i < e.caret && i < DIAG_SHOW_MAX; i++)
        fputc('~', out);
    fputc('\n', out);
}

/* Where the line came from: the use of a definition, then every include up to the main file. */
static void diag_print_chain(const struct diag_item *it, FILE *out)
{
    const struct diag *d = it->owner;
    const struct conf_src *s = it->pos.src;

    if (it->pos.via) {
        fprintf(out, "    = %s ", diag_tr(d, "from the definition used at"));
        diag_print_place(&(struct conf_pos){ .src = it->pos.via, .len = it->pos.via->len }, out);
        fputc('\n', out);
        s = it->pos.via;
    }
    for (s = s ? s->file->from : NULL; s; s = s->file->from) {
        char name[512];

        diag_clean(s->file->name, strlen(s->file->name), name, sizeof(name));
        fprintf(out, "    = %s %s:%u\n", diag_tr(d, "included from"), name, s->line);
    }
}

static void diag_print_item(const struct diag_item *it, FILE *out)
{
    const struct diag *d = it->owner;
    char text[DIAG_TEXT_MAX * 4];

    diag_print_place(&it->pos, out);
    diag_clean(it->message, strlen(it->message), text, sizeof(text));
    fprintf(out, "%s%s: %s", it->pos.src ? ": " : "", diag_tr(d, diag_severity_name(it->severity)), text);
    if (it->demoted)
        fputs(diag_tr(d, "; dropped (--lenient)"), out);
    if (it->suggest) {
        diag_clean(it->suggest, strlen(it->suggest), text, sizeof(text));
        fprintf(out, diag_format(d, " (did you mean %s?)"), text);
    }
    fprintf(out, " [%s]\n", it->code);
    if (it->owner->brief)
        return;
    diag_print_caret(it, out);
    for (size_t i = 0; i < it->nrelated; i++) {
        fputs("    = ", out);
        diag_print_place(&it->related[i].pos, out);
        diag_clean(it->related[i].text, strlen(it->related[i].text), text, sizeof(text));
        fprintf(out, ": %s\n", text);
    }
    if (it->help) {
        diag_clean(it->help, strlen(it->help), text, sizeof(text));
        fprintf(out, "    = %s: %s\n", diag_tr(d, "help"), text);
    }
    diag_print_chain(it, out);
}

int diag_print_text(struct diag *d, FILE *out)
{
    diag_sort(d);
    for (size_t i = 0; i < d->n; i++) {
        if (!diag_repeats(d, i))
            diag_print_item(d->items[i], out);
    }
    if (d->dropped)
        fprintf(out, diag_format(d, "... and %zu more, not shown\n"), d->dropped);
    return fflush(out) || ferror(out) ? -1 : 0;
}
