/*
 * metrics_text.c - see metrics.h. Whatever does not look like a number is left out, whatever stands in a
 * label is escaped: a process that was taken over can lie in its own figures and say nothing else.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/ctl/metrics.h"

#define METRICS_LABELS 2048

enum metrics_type { METRICS_GAUGE, METRICS_COUNTER, METRICS_HISTOGRAM, METRICS_INFO };
enum metrics_reading {
    METRICS_NUMBER,
    METRICS_MILLI,   /* thousandths */
    METRICS_ZERO,    /* 1 when it is 0 */
    METRICS_YES,     /* 1 for "yes" */
    METRICS_STARTED, /* 1 for "started" */
    METRICS_WORD,    /* the value is a label */
    METRICS_HIST,
};

struct metrics_row {
    enum metrics_source from;
    const char *section, *key, *name;
    enum metrics_type type;
    const char *unit, *label;
    enum metrics_reading reading;
    const char *help;
};

static const struct metrics_row metrics_rows[] = {
#define M(from, section, key, name, type, unit, label, reading, help)                                        \
    { METRICS_##from, section, key, name, METRICS_##type, unit, label, METRICS_##reading, help },
#include "parent/ctl/metrics.def"
};

#define METRICS_ROWS (sizeof metrics_rows / sizeof metrics_rows[0])

struct metrics {
    struct {
        FILE *f;
        char *text;
        size_t len;
    } family[METRICS_ROWS];
    enum metrics_source from;
    char section[64];
    char labels[METRICS_LABELS]; /* of everything in the section: a="b",c="d" */
    char more[METRICS_LABELS];   /* of its info alone */
};

struct metrics *metrics_new(void)
{
    return xcalloc(1, sizeof(struct metrics));
}

/* ---- labels */

/* Appends name="value", escaped; what does not fit is cut at the value's end. */
static void metrics_label(char *buf, size_t size, const char *name, const char *value)
{
    size_t n = strlen(buf), need = strlen(name) + 8;
    if (n + need >= size)
        return;
    n += (size_t)snprintf(buf + n, size - n, "%s%s=\"", n > 0 ? "," : "", name);
    for (const char *s = value; *s != '\0' && n + 4 < size; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            buf[n++] = '\\';
        buf[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    buf[n++] = '"';
    buf[n] = '\0';
}

static bool metrics_word(const char *s, size_t len)
{
    if (len == 0 || len > 40)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!islower((unsigned char)s[i]) && s[i] != '_')
            return false;
    return true;
}

/* What a section's name means. */
static const char *metrics_name_label(const char *section)
{
    static const struct {
        const char *section, *label;
    } rows[] = { { "role", "role" },       { "instance", "vrrp_instance" }, { "tracker", "name" },
                 { "service", "service" }, { "server", "server" },          { "sorry_server", "server" },
                 { "check", "server" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].section, section) == 0)
            return rows[i].label;
    return NULL;
}

static void metrics_section(struct metrics *m, char *head)
{
    char *name = strchr(head, ' ');
    if (name != NULL)
        *name++ = '\0';
    snprintf(m->section, sizeof m->section, "%s", head);
    m->labels[0] = m->more[0] = '\0';
    const char *label = metrics_name_label(m->section);
    if (label != NULL && name != NULL)
        metrics_label(m->labels, sizeof m->labels, label, name);
}

/* ---- values */

/* Digits, one point, perhaps a sign: nothing else is a number here. */
static bool metrics_is_number(const char *s)
{
    size_t digits = 0, points = 0;
    if (*s == '-')
        s++;
    for (; *s != '\0'; s++) {
        digits += isdigit((unsigned char)*s) != 0;
        points += *s == '.';
        if (!isdigit((unsigned char)*s) && *s != '.')
            return false;
    }
    return digits > 0 && digits < 40 && points <= 1;
}

static void metrics_sample(FILE *f, const char *name, const char *suffix, const char *labels,
                           const char *value)
{
    fprintf(f, "%s%s%s%s%s %s\n", name, suffix, labels[0] != '\0' ? "{" : "", labels,
            labels[0] != '\0' ? "}" : "", value);
}

/* One "LE:COUNT" of a histogram; bounds look like floats, as OpenMetrics wants them. */
static bool metrics_bucket(FILE *f, const struct metrics_row *r, const char *labels, char *pair)
{
    char all[METRICS_LABELS + 64], le[48];
    char *count = strchr(pair, ':');
    if (count == NULL)
        return false;
    *count++ = '\0';
    bool inf = strcmp(pair, "+Inf") == 0;
    if ((!inf && !metrics_is_number(pair)) || !metrics_is_number(count))
        return false;
    snprintf(le, sizeof le, "%.40s%s", pair, inf || strchr(pair, '.') != NULL ? "" : ".0");
    snprintf(all, sizeof all, "%s", labels);
    metrics_label(all, sizeof all, "le", le);
    metrics_sample(f, r->name, "_bucket", all, count);
    return inf;
}

/* "SUM COUNT LE:N ... +Inf:N" */
static void metrics_hist(FILE *out, const struct metrics_row *r, const char *labels, char *value)
{
    char *save = NULL, *text = NULL, *word;
    size_t len;
    const char *sum = strtok_r(value, " ", &save), *count = strtok_r(NULL, " ", &save);
    bool whole = false;
    if (sum == NULL || count == NULL || !metrics_is_number(sum) || !metrics_is_number(count))
        return;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        fatal("out of memory");
    while ((word = strtok_r(NULL, " ", &save)) != NULL)
        whole = metrics_bucket(f, r, labels, word);
    metrics_sample(f, r->name, "_count", labels, count);
    metrics_sample(f, r->name, "_sum", labels, sum);
    fclose(f);
    if (whole)
        fwrite(text, 1, len, out);
    free(text);
}

static void metrics_put(FILE *f, const struct metrics_row *r, const char *labels, char *value)
{
    const char *suffix = r->type == METRICS_COUNTER ? "_total" : r->type == METRICS_INFO ? "_info" : "";
    char thousandth[64];
    const char *shown = value;
    switch (r->reading) {
    case METRICS_HIST: metrics_hist(f, r, labels, value); return;
    case METRICS_WORD: shown = "1"; break;
    case METRICS_YES: shown = strcmp(value, "yes") == 0 ? "1" : "0"; break;
    case METRICS_STARTED: shown = strcmp(value, "started") == 0 ? "1" : "0"; break;
    case METRICS_ZERO: shown = strcmp(value, "0") == 0 ? "1" : "0"; break;
    case METRICS_MILLI:
        if (!metrics_is_number(value))
            return;
        snprintf(thousandth, sizeof thousandth, "%.3f", strtod(value, NULL) / 1000);
        shown = thousandth;
        break;
    case METRICS_NUMBER: break;
    }
    if (metrics_is_number(shown))
        metrics_sample(f, r->name, suffix, labels, shown);
}

static FILE *metrics_family(struct metrics *m, size_t row)
{
    if (m->family[row].f == NULL)
        m->family[row].f = open_memstream(&m->family[row].text, &m->family[row].len);
    if (m->family[row].f == NULL)
        fatal("out of memory");
    return m->family[row].f;
}

static void metrics_pair(struct metrics *m, const char *key, char *value)
{
    size_t stem = strcspn(key, ".");
    char labels[METRICS_LABELS];
    for (size_t i = 0; i < METRICS_ROWS; i++) {
        const struct metrics_row *r = &metrics_rows[i];
        bool sub = key[stem] == '.', word = r->reading == METRICS_WORD;
        if (r->from != m->from || strcmp(r->section, m->section) != 0 || strlen(r->key) != stem ||
            strncmp(r->key, key, stem) != 0 || sub != (r->label[0] != '\0' && !word))
            continue;
        snprintf(labels, sizeof labels, "%s", m->labels);
        if (sub || word)
            metrics_label(labels, sizeof labels, r->label, word ? value : key + stem + 1);
        if (r->type == METRICS_INFO && m->more[0] != '\0' &&
            strlen(labels) + strlen(m->more) + 2 < sizeof labels)
            snprintf(labels + strlen(labels), sizeof labels - strlen(labels), "%s%s",
                     labels[0] != '\0' ? "," : "", m->more);
        metrics_put(metrics_family(m, i), r, labels, value);
        return;
    }
}

static void metrics_line(struct metrics *m, char *line)
{
    size_t n = strlen(line);
    char *eq = strchr(line, '=');
    if (n > 2 && line[0] == '[' && line[n - 1] == ']') {
        line[n - 1] = '\0';
        metrics_section(m, line + 1);
        return;
    }
    if (eq == NULL)
        return;
    *eq++ = '\0';
    bool own = line[0] == 'l', info = line[0] == 'i';
    if ((own || info) && line[1] == '.') {
        if (metrics_word(line + 2, strlen(line + 2)))
            metrics_label(own ? m->labels : m->more, METRICS_LABELS, line + 2, eq);
        return;
    }
    metrics_pair(m, line, eq);
}

void metrics_add(struct metrics *m, enum metrics_source from, char *text)
{
    char *save = NULL;
    m->from = from;
    m->section[0] = m->labels[0] = m->more[0] = '\0';
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        metrics_line(m, line);
}

char *metrics_end(struct metrics *m, size_t *len)
{
    static const char *const types[] = { "gauge", "counter", "histogram", "info" };
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    if (f == NULL)
        fatal("out of memory");
    for (size_t i = 0; i < METRICS_ROWS; i++) {
        const struct metrics_row *r = &metrics_rows[i];
        if (m->family[i].f == NULL)
            continue;
        fclose(m->family[i].f);
        if (m->family[i].len > 0) {
            fprintf(f, "# TYPE %s %s\n", r->name, types[r->type]);
            if (r->unit[0] != '\0')
                fprintf(f, "# UNIT %s %s\n", r->name, r->unit);
            fprintf(f, "# HELP %s %s\n", r->name, r->help);
            fwrite(m->family[i].text, 1, m->family[i].len, f);
        }
        free(m->family[i].text);
    }
    fputs("# EOF\n", f);
    if (fclose(f) != 0)
        fatal("out of memory");
    free(m);
    return text;
}
