/* dump_fill.c - see dump_fill.h. The child chooses where and for which id; a wrong id shows a wrong command
 * to root's reader, nothing else. */
#include "parent/dump_fill.h"

#include <stdlib.h>
#include <string.h>

#include "common/dumpgap.h"
#include "common/err.h"
#include "parent/script.h"

struct dump_row {
    enum kw kw;
    const char *json, *text;
};

static const struct dump_row dump_rows[] = {
    { KW_VI_NOTIFY_BACKUP, "script_backup", "Backup state transition script" },
    { KW_VI_NOTIFY_MASTER, "script_master", "Master state transition script" },
    { KW_VI_NOTIFY_FAULT, "script_fault", "Fault state transition script" },
    { KW_VI_NOTIFY_STOP, "script_stop", "Stop state transition script" },
    { KW_VI_NOTIFY_DELETED, "script_deleted", "Deleted state transition script" },
    { KW_VI_NOTIFY, "script", "Generic state transition script" },
    { KW_VI_NOTIFY_MASTER_RX_LOWER_PRI, "script_master_rx_lower_pri", "Master rx lower pri script" },
};

/* 'word' 'word': as the incumbent shows a command. */
static char *dump_command(const struct script *s)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        fatal("out of memory");
    for (size_t i = 0; i < s->argc; i++)
        fprintf(f, "%s'%s'", i > 0 ? " " : "", s->argv[i]);
    if (fclose(f) != 0)
        fatal("out of memory");
    return text;
}

static void dump_one(const struct script *s, const char *before, bool json, FILE *out)
{
    if (s == NULL)
        return;
    char *text = dump_command(s);
    fputs(before, out);
    if (json)
        dumpgap_json(out, text);
    else
        fputs(text, out);
    free(text);
}

static void dump_scripts(struct scripts *all, uint32_t obj, bool json, FILE *out)
{
    char before[64];
    for (size_t i = 0; i < sizeof dump_rows / sizeof *dump_rows; i++) {
        const struct dump_row *r = &dump_rows[i];
        const struct script *s = scripts_find(all, obj, r->kw);
        if (s == NULL)
            continue;
        snprintf(before, sizeof before, json ? ",\"%s\":" : "   %s = ", json ? r->json : r->text);
        dump_one(s, before, json, out);
        if (!json)
            fputc('\n', out);
    }
}

static void dump_gap(struct scripts *all, enum dumpgap_kind kind, uint32_t obj, FILE *out)
{
    struct script *s;
    switch (kind) {
    case DUMPGAP_JSON_SCRIPTS: dump_scripts(all, obj, true, out); break;
    case DUMPGAP_TEXT_SCRIPTS: dump_scripts(all, obj, false, out); break;
    case DUMPGAP_JSON_COMMAND:
        s = scripts_find(all, obj, KW_SCRIPT_SCRIPT);
        if (s != NULL)
            dump_one(s, "", true, out);
        else
            fputs("\"\"", out); /* it has to stay JSON */
        break;
    case DUMPGAP_TEXT_COMMAND: dump_one(scripts_find(all, obj, KW_SCRIPT_SCRIPT), "", false, out); break;
    case DUMPGAP_NONE:
    case DUMPGAP_KINDS: break;
    }
}

void dump_fill(struct scripts *all, const uint8_t *buf, size_t len, FILE *out)
{
    while (len > 0) {
        const uint8_t *nul = memchr(buf, 0, len);
        size_t plain = nul != NULL ? (size_t)(nul - buf) : len;
        uint32_t obj;
        fwrite(buf, 1, plain, out);
        if (nul == NULL)
            return;
        enum dumpgap_kind kind = dumpgap_read(nul, len - plain, &obj);
        size_t skip = kind != DUMPGAP_NONE ? DUMPGAP_SIZE : 1;
        if (kind != DUMPGAP_NONE && all != NULL)
            dump_gap(all, kind, obj, out);
        buf += plain + skip;
        len -= plain + skip;
    }
}
