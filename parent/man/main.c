/*
 * main.c of mkman: makes a manual page of its template in etc/man. Text of the template goes through as it
 * is; a line @KEYWORDS@ becomes the keywords of the configuration (schema), @COMMANDS@ the commands of
 * holdctl (commands.def), @OPTIONS@ the options of the daemon (parent/options.c), @VERSION@ the version: from
 * the very tables the programs go by, so no page can be behind them. Run by make at build time, installed
 * nowhere.
 *
 *   mkman TEMPLATE > PAGE
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/schema/schema.h"
#include "parent/options.h"

struct man_command {
    const char *word, *args, *help;
};

static const struct man_command man_commands[] = {
#define CMD(word, fn, args, help) { #word, args, help },
#include "parent/ctl/commands.def"
};

#define MAN_COMMANDS (sizeof man_commands / sizeof man_commands[0])
#define MAN_COLUMNS  76

/* ---- mdoc: what has a meaning there is put so that it has none */

static void man_char(char ch)
{
    if (ch == '\\')
        fputs("\\e", stdout);
    else
        putchar(ch);
}

/* A paragraph, in lines that no eye minds. */
static void man_text(const char *s)
{
    size_t column = 0;
    while (*s != '\0') {
        size_t n = strcspn(s, " ");
        if (column > 0 && column + n >= MAN_COLUMNS) {
            putchar('\n');
            column = 0;
        } else if (column > 0) {
            putchar(' ');
        }
        if (column == 0 && n > 0 && (*s == '.' || *s == '\''))
            fputs("\\&", stdout);
        for (size_t i = 0; i < n; i++)
            man_char(s[i]);
        column += n + 1;
        s += n + strspn(s + n, " ");
    }
    putchar('\n');
}

/* One argument of a macro: never a macro or a delimiter itself. */
static void man_argument(const char *s)
{
    fputs(" \"\\&", stdout);
    for (; *s != '\0'; s++) {
        if (*s == '"')
            putchar('"');
        man_char(*s);
    }
    putchar('"');
}

static void man_sentence(const char *s)
{
    char first[2] = { s[0], '\0' };
    if (first[0] >= 'a' && first[0] <= 'z' && strcspn(s, "_") > strcspn(s, " "))
        first[0] = (char)(first[0] - 'a' + 'A');
    char line[1024];
    size_t n = strlen(s);
    snprintf(line, sizeof line, "%s%s%s", first, n > 0 ? s + 1 : "", n > 0 && s[n - 1] == '.' ? "" : ".");
    man_text(line);
}

/* ---- keywords */

static bool man_opens(const struct kw_row *r, enum blk blk)
{
    return (r->kind == KIND_BLOCK || r->kind == KIND_LINES) && r->arg == (int)blk;
}

/* Whether a person can come to write something in this block. */
static bool man_written(enum blk blk)
{
    unsigned int n;
    const struct kw_row *r = schema_rows(blk, &n);
    if (blk != BLK_TOP && schema_blk(blk)->parent == BLK_NONE)
        return false;
    for (unsigned int i = 0; i < n; i++)
        if (r[i].kind != KIND_DERIVED)
            return true;
    return false;
}

/* The words that open it and where they stand; the help of a line grammar says it where no row does. */
static void man_block_where(enum blk blk)
{
    bool any = false;
    for (int k = KW_NONE + 1; k < KW_MAX; k++) {
        const struct kw_row *r = schema_kw((enum kw)k);
        if (!man_opens(r, blk) || !man_written(r->blk))
            continue;
        const char *in = schema_blk(r->blk)->name;
        printf("%s.Ic", any                                ? "and\n"
                        : schema_blk(blk)->name[0] != '\0' ? ".Pp\nOpened by\n"
                                                           : "Opened by\n");
        man_argument(r->name);
        printf("\n(%s%s)\n", in[0] != '\0' ? "in " : "at the top of the file", in);
        any = true;
    }
}

static void man_block_title(enum blk blk)
{
    const struct blk_row *b = schema_blk(blk);
    fputs(".Ss", stdout);
    if (blk == BLK_TOP)
        fputs(" The file itself", stdout);
    else if (b->name[0] != '\0')
        man_argument(b->name);
    else
        man_argument(b->help);
    putchar('\n');
    if (blk != BLK_TOP && b->name[0] != '\0')
        man_sentence(b->help);
    man_block_where(blk);
}

static void man_range(const struct kw_row *r)
{
    bool time = r->kind == KIND_TIME || r->kind == KIND_MSTIME;
    bool number =
        r->kind == KIND_UINT || r->kind == KIND_INT || r->kind == KIND_CNUM || r->kind == KIND_WEIGHT;
    double unit = r->kind == KIND_TIME ? 1e6 : time ? 1e3 : 1;
    const char *word = r->kind == KIND_TIME ? " seconds" : time ? " milliseconds" : "";
    char line[160];
    if ((time || number) && r->max > r->min) {
        snprintf(line, sizeof line, "Range %.10g to %.10g%s.", (double)r->min / unit, (double)r->max / unit,
                 word);
        man_text(line);
    }
    if (r->dflt[0] != '\0') {
        snprintf(line, sizeof line, "Default %s.", r->dflt);
        man_text(line);
    }
}

static void man_flags(const struct kw_row *r)
{
    static const struct {
        unsigned int flag;
        const char *text;
    } says[] = {
        { KWF_REQUIRED, "Mandatory." },
        { KWF_REPEAT, "May be given several times." },
        { KWF_FIRST_WINS, "Of several the first counts." },
        { KWF_OPTVALUE, "The value may be left out." },
        { KWF_ZERO_OFF, "0 means off and draws a warning." },
        { KWF_ZERO_ONE, "0 is read as 1 and draws a warning." },
        { KWF_NO_RELOAD, "A change needs a restart." },
        { KWF_SECRET, "Never shown in dumps or diagnostics." },
        { KWF_DEPRECATED, "Deprecated: works, and a warning says the modern name." },
        { KWF_OBSOLETE, "Obsolete: accepted, without effect, with a warning." },
        { KWF_NOTYET, "Not in force in this release: accepted and checked, with a warning (HF-NOTYET)." },
        { KWF_OURS, "Of holdfast alone: keepalived does not know it (-t --portable lists it)." },
    };
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
        if (r->flags & says[i].flag)
            man_text(says[i].text);
}

static void man_keyword(const struct kw_row *r)
{
    const char *word;
    bool itself = (r->flags & KWF_POSITIONAL) || r->kind == KIND_SYNTAX || r->kind == KIND_FLAG;
    printf(".It %s", r->flags & KWF_POSITIONAL ? "Ar" : "Ic");
    man_argument(r->name);
    if (r->kind == KIND_ENUM) {
        fputs(" Ar", stdout);
        for (unsigned int i = 0; (word = schema_word_at((enum schema_enum)r->arg, i)) != NULL; i++) {
            char text[64];
            snprintf(text, sizeof text, "%s%s", i > 0 ? "| " : "", word);
            man_argument(text);
        }
    } else if (!itself && r->kind != KIND_SPECIAL) {
        bool named = r->kind == KIND_BLOCK && (schema_blk((enum blk)r->arg)->flags & KWF_NAMED);
        fputs(named ? " Ar NAME" : " Ar", stdout);
        man_argument(schema_argument(r));
    }
    putchar('\n');
    man_sentence(r->help);
    man_range(r);
    man_flags(r);
}

static void man_keywords(void)
{
    for (int b = BLK_NONE + 1; b < BLK_MAX; b++) {
        unsigned int n;
        const struct kw_row *r = schema_rows((enum blk)b, &n);
        if (!man_written((enum blk)b))
            continue;
        man_block_title((enum blk)b);
        puts(".Bl -tag -width 4n");
        for (unsigned int i = 0; i < n; i++)
            if (r[i].kind != KIND_DERIVED)
                man_keyword(&r[i]);
        puts(".El");
    }
}

/* ---- commands and options */

static void man_all_commands(void)
{
    puts(".Bl -tag -width 4n");
    for (size_t i = 0; i < MAN_COMMANDS; i++) {
        fputs(".It Ic", stdout);
        man_argument(man_commands[i].word);
        if (man_commands[i].args[0] != '\0') {
            fputs(" Ar", stdout);
            man_argument(man_commands[i].args);
        }
        putchar('\n');
        man_sentence(man_commands[i].help);
    }
    puts(".El");
}

static void man_all_options(void)
{
    struct options_row r;
    puts(".Bl -tag -width 4n");
    for (size_t i = 0; options_row(i, &r); i++) {
        if (r.letter != 0)
            printf(".It Fl %c , Fl -%s", r.letter, r.name);
        else
            printf(".It Fl -%s", r.name);
        if (r.arg != NULL) {
            fputs(" Ar", stdout);
            man_argument(r.arg);
        }
        putchar('\n');
        man_sentence(r.help);
    }
    puts(".El");
}

static void man_line(const char *line)
{
    if (strcmp(line, "@KEYWORDS@\n") == 0)
        man_keywords();
    else if (strcmp(line, "@COMMANDS@\n") == 0)
        man_all_commands();
    else if (strcmp(line, "@OPTIONS@\n") == 0)
        man_all_options();
    else if (strcmp(line, "@VERSION@\n") == 0)
        puts(".Os holdfast " OPTIONS_VERSION);
    else
        fputs(line, stdout);
}

int main(int argc, char **argv)
{
    char line[1024];
    FILE *f = argc == 2 ? fopen(argv[1], "re") : NULL;
    if (f == NULL) {
        fprintf(stderr, "usage: mkman TEMPLATE > PAGE\n");
        return 2;
    }
    while (fgets(line, sizeof line, f) != NULL)
        man_line(line);
    bool bad = ferror(f);
    fclose(f);
    return bad || fflush(stdout) != 0 ? 1 : 0;
}
