/*
 * parse_near.c - what an unknown word may have meant: wrong case, another language's habit, a merge conflict,
 * a template, a keyword of another block, or a slip of the fingers (edit distance). Called by parse.c and
 * parse_line.c.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "parent/conf/parse.h"

#define NEAR_WORD_MAX 40

/* Damerau-Levenshtein (adjacent transposition counts 1), given up above `most`. */
static unsigned int distance(const char *a, const char *b, unsigned int most)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned int d[3][NEAR_WORD_MAX + 1];
    if (la > NEAR_WORD_MAX || lb > NEAR_WORD_MAX || (la > lb ? la - lb : lb - la) > most)
        return most + 1;
    for (size_t j = 0; j <= lb; j++)
        d[0][j] = (unsigned int)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned int *row = d[i % 3], *before = d[(i + 2) % 3], *before2 = d[(i + 1) % 3];
        row[0] = (unsigned int)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned int cost =
                before[j - 1] + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            if (before[j] + 1 < cost)
                cost = before[j] + 1;
            if (row[j - 1] + 1 < cost)
                cost = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before2[j - 2] + 1 < cost)
                cost = before2[j - 2] + 1;
            row[j] = cost;
        }
    }
    return d[la % 3][lb];
}

static bool offered(const struct kw_row *r)
{
    return r->name[0] != '\0' && r->kind != KIND_SYNTAX && !(r->flags & (KWF_POSITIONAL | KWF_OBSOLETE));
}

/* What people write who know the thing but not its name. */
static const char *near_habit(enum blk blk, const char *word)
{
    static const struct {
        enum blk blk;
        const char *word, *meant;
    } habits[] = {
        { BLK_VI, "vmac_addr", "use_vmac_addr" },
        { BLK_VI_AUTH, "auth_key", "auth_pass" },
        { BLK_TOP, "track_process", "vrrp_track_process" },
        { BLK_TOP, "track_script", "vrrp_script" },
        { BLK_RS, "HTTPS_GET", "SSL_GET" },
        { BLK_RS, "HTTPS_CHECK", "SSL_GET" },
        { BLK_RS, "HTTP_CHECK", "HTTP_GET" },
        { BLK_RS, "ICMP_CHECK", "PING_CHECK" },
        { BLK_TFILE, "path", "file" },
        { BLK_GLOBAL, "lvs_id", "router_id" },
        { BLK_TCP, "timeout", "connect_timeout" },
        { BLK_HTTP, "timeout", "connect_timeout" },
        { BLK_SSLGET, "timeout", "connect_timeout" },
        { BLK_SMTP, "timeout", "connect_timeout" },
        { BLK_DNS, "timeout", "connect_timeout" },
        { BLK_PING, "timeout", "connect_timeout" },
        { BLK_UDP, "timeout", "connect_timeout" },
    };
    for (size_t i = 0; i < sizeof habits / sizeof *habits; i++)
        if (habits[i].blk == blk && strcmp(habits[i].word, word) == 0)
            return habits[i].meant;
    return NULL;
}

/* A slip of the fingers. */
static const char *near_slip(enum blk blk, const char *word)
{
    unsigned int n, best = (unsigned int)(strlen(word) < 5 ? 1 : strlen(word) < 8 ? 2 : 3), limit = best + 1;
    const struct kw_row *r = schema_rows(blk, &n);
    const char *found = NULL;
    for (unsigned int i = 0; i < n; i++) {
        unsigned int d = offered(&r[i]) ? distance(word, r[i].name, best) : limit;
        if (d < limit) {
            limit = d;
            found = r[i].name;
        }
    }
    return found;
}

/* The same beginning: lb_algorithm -> lb_algo. That of a family (vmac_, auth_) says nothing. */
static const char *near_stem(enum blk blk, const char *word)
{
    unsigned int n;
    const struct kw_row *r = schema_rows(blk, &n);
    const char *found = NULL;
    size_t longest = 0;
    for (unsigned int i = 0; i < n; i++) {
        size_t same = 0;
        while (r[i].name[same] != '\0' && r[i].name[same] == word[same])
            same++;
        if (offered(&r[i]) && same >= 5 && word[same - 1] != '_' && same > longest) {
            longest = same;
            found = r[i].name;
        }
    }
    return found;
}

const char *parse_near(enum blk blk, const char *word)
{
    const char *found = near_habit(blk, word);
    if (found == NULL)
        found = near_slip(blk, word);
    return found != NULL ? found : near_stem(blk, word);
}

static const struct kw_row *elsewhere(const char *word)
{
    static const enum blk order[] = { BLK_VI,      BLK_GLOBAL,  BLK_TOP,  BLK_RS,         BLK_VS,
                                      BLK_SYNC,    BLK_SCRIPT,  BLK_HTTP, BLK_SSLGET,     BLK_URL,
                                      BLK_VI_AUTH, BLK_VI_HMAC, BLK_TCP,  BLK_MISC,       BLK_SMTP,
                                      BLK_DNS,     BLK_UDP,     BLK_BFD,  BLK_PROC,       BLK_TFILE,
                                      BLK_GARPG,   BLK_SSL,     BLK_FILE, BLK_TRACK_GROUP };
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const struct kw_row *r = schema_find(order[i], word);
        if (r != NULL && !(r->flags & KWF_OBSOLETE))
            return r;
    }
    return NULL;
}

bool parse_known_elsewhere(const char *word)
{
    return elsewhere(word) != NULL;
}

static const char *place_name(struct conf *c, const struct conf_obj *o)
{
    return o->blk == BLK_TOP ? diag_tr(c->diag, "at the top level")
                             : conf_fmt(c, diag_format(c->diag, "in %s"), conf_label(c, o));
}

static bool is_marker(const char *w)
{
    return strncmp(w, "<<<<<<<", 7) == 0 || strncmp(w, "=======", 7) == 0 || strncmp(w, ">>>>>>>", 7) == 0 ||
           strncmp(w, "|||||||", 7) == 0;
}

bool conf_diag_text(struct conf *c, const struct conf_line *l, size_t word, const char *what)
{
    const struct conf_word *w = &l->words[word];
    struct conf_pos pos = conf_pos_word(l, w);
    if (w->quoted)
        return false;
    if (is_marker(w->text)) {
        diag_help(CONF_ERR(c, pos, "HF-MERGE", "%s: a left-over merge conflict", w->text),
                  "settle the conflict and remove its three marker lines");
        return true;
    }
    if ((w->text[0] == '<' && w->len > 2 && w->text[w->len - 1] == '>') || strncmp(w->text, "<%", 2) == 0 ||
        strstr(w->text, "%%") != NULL) {
        CONF_ERR(c, pos, "HF-PLACEHOLDER", "%s%s\"%s\" is a place holder that was not filled in",
                 what != NULL ? what : "", what != NULL ? ": " : "", w->text);
        return true;
    }
    return false;
}

/* state: BACKUP, priority=100, State: habits with a known keyword inside. */
static bool habit_keyword(struct conf *c, const struct conf_obj *o, const struct conf_line *l)
{
    const char *w = l->words[0].text;
    size_t n = strcspn(w, ":=;");
    struct conf_pos pos = conf_pos_word(l, &l->words[0]);
    if (w[n] == '\0' || n == 0)
        return false;
    char *bare = conf_arena_strndup(c->arena, w, n);
    const struct kw_row *r = schema_find(o->blk, bare);
    if (r == NULL)
        return false;
    struct diag_item *it = CONF_ERR(c, pos, "HF-KEYWORD", "unknown keyword \"%s\" %s", w, place_name(c, o));
    const char *value = w[n + 1] != '\0' ? w + n + 1 : l->nwords > 1 ? l->words[1].text : "";
    if (r->flags & KWF_SECRET)
        diag_help(it, "write the keyword and its value with a blank between");
    else
        diag_help(it, "write: %s%s%s", bare, value[0] != '\0' ? " " : "", value);
    return true;
}

/* The marks of other languages, and what copying leaves behind. */
static const char *unknown_help(struct conf *c, const struct conf_obj *o, const struct conf_line *l)
{
    const char *w = l->words[0].text;
    if (l->words[0].quoted && schema_find(o->blk, w) != NULL)
        return diag_tr(c->diag, "write the keyword without quotes, and its value after a blank");
    if (strncmp(w, "//", 2) == 0 || strncmp(w, "/*", 2) == 0 || strncmp(w, "*/", 2) == 0 ||
        strncmp(w, "--", 2) == 0 || strncmp(w, "<!--", 4) == 0 || strcmp(w, ";") == 0)
        return diag_tr(c->diag, "a comment begins with # or !");
    if (strncmp(w, "```", 3) == 0 || strcmp(w, "+") == 0 || strcmp(w, "-") == 0 || strcmp(w, "$") == 0 ||
        strcmp(w, ">") == 0)
        return diag_tr(c->diag, "left over from copying? remove it");
    return NULL;
}

static void unknown_elsewhere(struct conf *c, const struct conf_obj *o, const struct conf_line *l,
                              const struct kw_row *other)
{
    const char *w = l->words[0].text, *near = near_slip(o->blk, w);
    const char *in = other->blk == BLK_TOP
                         ? diag_tr(c->diag, "at the top level")
                         : conf_fmt(c, diag_format(c->diag, "inside %s"), schema_blk(other->blk)->name);
    struct diag_item *it =
        CONF_ERR(c, conf_pos_word(l, &l->words[0]), "HF-KEYWORD-PLACE", "%s belongs %s, not %s%s", w, in,
                 o->blk == BLK_TOP ? "" : diag_tr(c->diag, "inside "),
                 o->blk == BLK_TOP ? diag_tr(c->diag, "at the top level") : conf_label(c, o));
    if (near != NULL)
        diag_suggest(it, near);
}

void conf_unknown(struct conf *c, const struct conf_obj *o, const struct conf_line *l)
{
    const char *w = l->words[0].text, *near = NULL;
    struct conf_pos pos = conf_pos_word(l, &l->words[0]);
    unsigned int n;
    if (conf_diag_text(c, l, 0, NULL) || habit_keyword(c, o, l) ||
        (l->words[0].undefined && conf_word_undefined(c->text, l, &l->words[0], c->diag)))
        return;
    const struct kw_row *rows = schema_rows(o->blk, &n), *other = elsewhere(w);
    for (unsigned int i = 0; i < n && !l->words[0].quoted; i++)
        if (offered(&rows[i]) && strcasecmp(rows[i].name, w) == 0)
            near = rows[i].name;
    if (near == NULL && other != NULL && near_habit(o->blk, w) == NULL && !l->words[0].quoted) {
        unknown_elsewhere(c, o, l, other);
        return;
    }
    struct diag_item *it = CONF_ERR(c, pos, "HF-KEYWORD", "unknown keyword %s %s", w, place_name(c, o));
    const char *help = unknown_help(c, o, l);
    if (help != NULL) {
        diag_help(it, "%s", help);
        return;
    }
    if (near != NULL)
        diag_help(it, "keywords are case-sensitive: %s", near);
    else
        near = parse_near(o->blk, w);
    if (near != NULL)
        diag_suggest(it, near);
}
