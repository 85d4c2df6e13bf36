/*
 * cmd_completion.c - holdctl completion bash|zsh|fish: shell completion made of the same rows that are the
 * commands (commands.def: words, what their arguments look like, help) and of the schema's blocks and
 * keywords (holdctl keyword). `make install` puts the output where shells look for it, so it is never behind
 * the program. Names of instances, services and servers are asked of the running daemon (holdctl completion
 * names), silently and for half a second at most. Also holdctl keyword [WORD...]: what a keyword of the
 * configuration means, from its row.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema/schema.h"
#include "parent/ctl/ask.h"
#include "parent/ctl/ctl.h"
#include "parent/ctl/doc.h"

#define COMPLETION_WORD   64
#define COMPLETION_ASK_MS 500

struct completion_row {
    const char *word, *args, *help;
};

static const struct completion_row completion_rows[] = {
#define CMD(word, fn, args, help) { #word, args, help },
#include "parent/ctl/commands.def"
};

#define COMPLETION_ROWS (sizeof completion_rows / sizeof completion_rows[0])

/* What stands for itself in the arguments of a row: lower case words and options, "a|b|c" one by one. What is
 * written in capitals is for the person to fill in. NULL: no more. */
static const char *completion_next(const char **at, char out[COMPLETION_WORD])
{
    static const char ends[] = " |[]().,";
    while (**at != '\0') {
        *at += strspn(*at, ends);
        size_t n = strcspn(*at, ends);
        const char *w = *at;
        *at += n;
        bool literal = n > 1 && n < COMPLETION_WORD && strcspn(w, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_'\"$`\\:") >= n;
        if (!literal || strncmp(w, "of", n) == 0 || strncmp(w, "holdfast", n) == 0)
            continue;
        memcpy(out, w, n);
        out[n] = '\0';
        return out;
    }
    return NULL;
}

/* Which kind of word the person fills in: of what the shell itself can offer. */
static bool completion_wants(const struct completion_row *r, const char *capital)
{
    const char *p = strstr(r->args, capital);
    size_t n = strlen(capital);
    for (; p != NULL; p = strstr(p + 1, capital))
        if ((p == r->args || strchr(" [|", p[-1]) != NULL) && (p[n] == '\0' || strchr(" ]|.", p[n]) != NULL))
            return true;
    return false;
}

static bool completion_files(const struct completion_row *r)
{
    return completion_wants(r, "FILE") || completion_wants(r, "CONF");
}

/* ---- the words behind each command */

static void completion_words(const struct completion_row *r, const char *before, const char *after)
{
    char w[COMPLETION_WORD];
    for (const char *at = r->args; completion_next(&at, w) != NULL;)
        printf("%s%s%s", before, w, after);
}

static void completion_keywords(const char *before, const char *after)
{
    for (int k = KW_NONE + 1; k < KW_MAX; k++) {
        const struct kw_row *row = schema_kw((enum kw)k);
        bool first = row->name[0] != '\0' && strcspn(row->name, " '\"$`\\[]<>~@") == strlen(row->name) &&
                     row->name[0] >= 'a' && row->name[0] <= 'z';
        for (int i = KW_NONE + 1; first && i < k; i++)
            first = strcmp(schema_kw((enum kw)i)->name, row->name) != 0;
        if (first)
            printf("%s%s%s", before, row->name, after);
    }
}

/* What the running daemon can say about an argument; NULL: nothing. */
static const char *completion_kind(const struct completion_row *r)
{
    if (completion_wants(r, "NAME"))
        return "all";
    if (completion_wants(r, "INSTANCE"))
        return "instances";
    return completion_wants(r, "REAL_SERVER") ? "servers" : NULL;
}

/* ---- bash */

static void completion_bash_names(const struct completion_row *r)
{
    if (completion_kind(r) != NULL)
        printf("        kind=%s\n", completion_kind(r));
    if (completion_wants(r, "VS"))
        printf("        [[ $prev != --service ]] || { kind=services; words=\"\"; }\n");
}

static void completion_bash_row(const struct completion_row *r)
{
    printf("    %s)\n        words=\"", r->word);
    if (strcmp(r->word, "keyword") == 0)
        completion_keywords("", " ");
    completion_words(r, "", " ");
    printf("\"\n");
    if (completion_wants(r, "IF"))
        printf("        words=\"$words $(ls /sys/class/net 2>/dev/null)\"\n");
    completion_bash_names(r);
    if (completion_files(r))
        printf("        COMPREPLY=($(compgen -f -- \"$cur\"))\n");
    printf("        ;;\n");
}

static void completion_bash(void)
{
    printf("# bash completion of holdctl; made by holdctl completion bash\n_holdctl() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=\"\" words=\"\" kind=\"\" command=\"\" i line\n    "
           "local -a at=()\n"
           "    COMPREPLY=()\n"
           "    # a colon ends a word for bash, not for an address\n"
           "    line=${COMP_LINE:0:${COMP_POINT:-0}}\n    [[ -z $line ]] || cur=${line##*[[:space:]]}\n"
           "    read -ra line <<<\"${line%%\"$cur\"}\"\n    ((${#line[@]} == 0)) || prev=${line[-1]}\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} in\n"
           "        -s | --socket) ((i++)); at=(-s \"${COMP_WORDS[i]}\") ;;\n        -*) ;;\n        *) "
           "command=${COMP_WORDS[i]}; break ;;\n"
           "        esac\n    done\n    case $command in\n    \"\")\n        words=\"--json --socket --help");
    for (size_t i = 0; i < COMPLETION_ROWS; i++)
        printf(" %s", completion_rows[i].word);
    printf("\"\n        ;;\n");
    for (size_t i = 0; i < COMPLETION_ROWS; i++)
        completion_bash_row(&completion_rows[i]);
    printf("    esac\n    COMPREPLY+=($(compgen -W \"$words\" -- \"$cur\"))\n"
           "    [[ -z $kind ]] || while read -r i; do\n"
           "        [[ $i != \"$cur\"* ]] || COMPREPLY+=(\"$i\")\n"
           "    done < <(\"${COMP_WORDS[0]}\" \"${at[@]}\" completion names \"$kind\" 2>/dev/null)\n"
           "    i=${cur%%\"${cur##*:}\"}\n    COMPREPLY=(\"${COMPREPLY[@]#\"$i\"}\")\n}\n"
           "complete -o filenames -F _holdctl holdctl\n");
}

/* ---- zsh and fish: help texts in single quotes */

static void completion_quoted(const char *s, const char *drop)
{
    for (; *s != '\0'; s++) {
        if (*s == '\'')
            printf("%s", "\u2019");
        else if (strchr(drop, *s) == NULL)
            putchar(*s);
    }
}

/* The first words find the command and the socket as bash's do: zsh's own _arguments takes an option's value
 * behind the command for a word of the command line. */
static void completion_zsh_head(void)
{
    printf("#compdef holdctl\n# zsh completion of holdctl; made by holdctl completion zsh\n"
           "_holdctl_names() {\n    local -a names\n"
           "    names=(${(f)\"$($prog $at completion names $1 2>/dev/null)\"})\n    compadd -a -- names\n}\n"
           "_holdctl() {\n    local prog=${(Q)words[1]} command=\"\" i\n    local -a at commands\n"
           "    for ((i = 2; i < CURRENT; i++)); do\n        case $words[i] in\n"
           "        -s | --socket)\n            ((++i < CURRENT)) || { _files; return; }\n"
           "            at=(-s \"${(Q)words[i]}\")\n            ;;\n        -*) ;;\n"
           "        *) command=$words[i]; break ;;\n        esac\n    done\n    commands=(\n");
    for (size_t i = 0; i < COMPLETION_ROWS; i++) {
        printf("        '%s:", completion_rows[i].word);
        completion_quoted(completion_rows[i].help, ":");
        printf("'\n");
    }
    printf("    )\n    case $command in\n    \"\")\n        _describe command commands\n"
           "        compadd -- --json --socket --help\n        ;;\n");
}

static void completion_zsh_row(const struct completion_row *r)
{
    printf("    %s)\n", r->word);
    if (completion_wants(r, "VS"))
        printf("        [[ $words[CURRENT-1] != --service ]] || { _holdctl_names services; return; }\n");
    printf("        compadd -- ");
    if (strcmp(r->word, "keyword") == 0)
        completion_keywords("", " ");
    completion_words(r, "", " ");
    printf("\n");
    if (completion_wants(r, "IF"))
        printf("        compadd -- ${(f)\"$(ls /sys/class/net 2>/dev/null)\"}\n");
    if (completion_kind(r) != NULL)
        printf("        _holdctl_names %s\n", completion_kind(r));
    if (completion_files(r))
        printf("        _files\n");
    printf("        ;;\n");
}

static void completion_zsh(void)
{
    completion_zsh_head();
    for (size_t i = 0; i < COMPLETION_ROWS; i++)
        completion_zsh_row(&completion_rows[i]);
    /* found by compinit, this text is the function's body; sourced by hand, it only defines it */
    printf("    esac\n}\nif [[ ${funcstack[1]} == _holdctl ]]; then\n    _holdctl \"$@\"\nelse\n"
           "    compdef _holdctl holdctl\nfi\n");
}

/* Words first, then the conditions every row asks: __holdctl_at COMMAND, and with --service behind the option
 * that wants a service. fish's own __fish_seen_subcommand_from takes a socket's path, or an instance that
 * bears a command's name, for the command. */
static void completion_fish_head(void)
{
    printf(
        "# fish completion of holdctl; made by holdctl completion fish\n"
        "function __holdctl_words --description 'the command typed, or nothing; then -s and its socket'\n"
        "    set -l command ''\n    set -l at\n    set -l words (commandline -opc)\n    set -e words[1]\n"
        "    while set -q words[1]; and test -z \"$command\"\n        switch $words[1]\n"
        "            case -s --socket\n                set -e words[1]\n                set at -s $words[1]\n"
        "            case '-*'\n            case '*'\n                set command $words[1]\n        end\n"
        "        set -e words[1]\n    end\n    printf '%%s\\n' \"$command\" $at\nend\n"
        "function __holdctl_at --argument-names command option\n    set -l words (__holdctl_words)\n"
        "    set -l typed (commandline -opc)\n    set -l last ''\n"
        "    string match -q -- --service $typed[-1]; and set last --service\n"
        "    test \"$words[1]\" = \"$command\" -a \"$last\" = \"$option\"\nend\n"
        "function __holdctl_names\n    set -l words (__holdctl_words)\n    set -l typed (commandline -opc)\n"
        "    command -q $typed[1]; and $typed[1] $words[2..-1] completion names $argv[1] 2>/dev/null\nend\n"
        "complete -c holdctl -f\n"
        "complete -c holdctl -n \"__holdctl_at ''\" -l json -d 'JSON'\n"
        "complete -c holdctl -n \"__holdctl_at ''\" -s h -l help -d 'help'\n"
        "complete -c holdctl -n \"__holdctl_at ''\" -s s -l socket -r -F -d 'control socket'\n");
}

static void completion_fish_row(const struct completion_row *r)
{
    char at[COMPLETION_WORD * 2];
    snprintf(at, sizeof at, "complete -c holdctl -n '__holdctl_at %.32s' ", r->word);
    printf("complete -c holdctl -n \"__holdctl_at ''\" -a %s -d '", r->word);
    completion_quoted(r->help, "");
    printf("'\n%s-a '", at);
    if (strcmp(r->word, "keyword") == 0)
        completion_keywords("", " ");
    completion_words(r, "", " ");
    printf("'\n");
    if (completion_wants(r, "IF"))
        printf("%s-a '(ls /sys/class/net)'\n", at);
    if (completion_kind(r) != NULL)
        printf("%s-a '(__holdctl_names %s)'\n", at, completion_kind(r));
    if (completion_wants(r, "VS"))
        printf("complete -c holdctl -n '__holdctl_at %s --service' -a '(__holdctl_names services)'\n",
               r->word);
    if (completion_files(r))
        printf("%s-F\n", at);
}

static void completion_fish(void)
{
    completion_fish_head();
    for (size_t i = 0; i < COMPLETION_ROWS; i++)
        completion_fish_row(&completion_rows[i]);
}

/* ---- names the running daemon has */

/* Names of one kind of section; what a shell would take apart is no help on its command line. */
static void completion_print(const struct doc *d, const char *kind)
{
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, kind)) != NULL;)
        if (p->name[0] != '\0' && strpbrk(p->name, " \t\"'`$\\") == NULL)
            puts(p->name);
}

/* Nobody there, or too slow: nothing. */
static void completion_ask(const char *socket, const struct msg_ctl_request *r, const char *const kinds[])
{
    struct doc d = { 0 };
    struct ask a;
    char *text;
    if (ask_open(&a, socket, COMPLETION_ASK_MS) < 0)
        return;
    if (ask_text(&a, r, &text) == 0) {
        doc_add(&d, text);
        free(text);
    }
    ask_close(&a);
    for (size_t i = 0; kinds[i] != NULL; i++)
        completion_print(&d, kinds[i]);
    doc_free(&d);
}

static int completion_names(const struct ctl *c, const char *kind)
{
    static const char *const instances[] = { "instance", "group", NULL };
    static const char *const services[] = { "lvs_service", NULL }, *const servers[] = { "lvs_server", NULL };
    const struct msg_ctl_request status = { .verb = CTL_VERB_STATUS };
    const struct msg_ctl_request checks = { .verb = CTL_VERB_REPORT,
                                            .role = ROLE_CHECKD,
                                            .what = REPORT_WHAT_STATE };
    const char *socket = c->socket != NULL ? c->socket : CTL_SOCKET_STATUS;
    bool all = strcmp(kind, "all") == 0, known = all;
    if (all || strcmp(kind, "instances") == 0) {
        completion_ask(socket, &status, instances);
        known = true;
    }
    if (all || strcmp(kind, "services") == 0) {
        completion_ask(socket, &checks, services);
        known = true;
    }
    if (all || strcmp(kind, "servers") == 0) {
        completion_ask(socket, &checks, servers);
        known = true;
    }
    return known ? CTL_OK : ctl_misused("completion");
}

int cmd_completion(struct ctl *c, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[0], "names") == 0)
        return completion_names(c, argv[1]);
    if (argc != 1)
        return ctl_misused("completion");
    if (strcmp(argv[0], "bash") == 0)
        completion_bash();
    else if (strcmp(argv[0], "zsh") == 0)
        completion_zsh();
    else if (strcmp(argv[0], "fish") == 0)
        completion_fish();
    else
        return ctl_misused("completion");
    return CTL_OK;
}

/* ---- holdctl keyword */

static void keyword_print(const struct kw_row *r)
{
    const char *block = schema_blk(r->blk)->name, *word;
    bool time = r->kind == KIND_TIME || r->kind == KIND_MSTIME;
    double unit = r->kind == KIND_TIME ? 1e6 : time ? 1e3 : 1;
    printf("%s%s%s %s", block, block[0] != '\0' ? ": " : "", r->name, schema_argument(r));
    for (unsigned int i = 0;
         r->kind == KIND_ENUM && (word = schema_word_at((enum schema_enum)r->arg, i)) != NULL; i++)
        printf(" %s", word);
    printf("\n    %s\n", r->help);
    if (r->max > r->min && (time || r->kind == KIND_UINT || r->kind == KIND_INT || r->kind == KIND_WEIGHT))
        printf("    range %.10g to %.10g%s%s\n", (double)r->min / unit, (double)r->max / unit,
               r->dflt[0] != '\0' ? ", default " : "", r->dflt);
    else if (r->dflt[0] != '\0')
        printf("    default %s\n", r->dflt);
    if (r->flags & (KWF_REQUIRED | KWF_DEPRECATED | KWF_OBSOLETE | KWF_NOTYET | KWF_OURS))
        printf(
            "    %s%s%s%s%s\n", r->flags & KWF_REQUIRED ? "mandatory " : "",
            r->flags & KWF_DEPRECATED ? "deprecated " : "", r->flags & KWF_OBSOLETE ? "without effect " : "",
            r->flags & KWF_NOTYET ? "not in force yet " : "", r->flags & KWF_OURS ? "of holdfast alone" : "");
}

int cmd_keyword(struct ctl *c, int argc, char **argv)
{
    bool all = true;
    (void)c;
    if (argc == 0)
        return ctl_misused("keyword");
    for (int i = 0; i < argc; i++) {
        bool found = false;
        for (int k = KW_NONE + 1; k < KW_MAX; k++) {
            const struct kw_row *r = schema_kw((enum kw)k);
            if (r->kind == KIND_DERIVED || strcmp(r->name, argv[i]) != 0)
                continue;
            keyword_print(r);
            found = true;
        }
        if (!found)
            dprintf(2, "holdctl: there is no keyword %s\n", argv[i]);
        all = all && found;
    }
    return all ? CTL_OK : CTL_FAILED;
}
