/*
 * save.c - config_save_dir: the configuration as it was understood, in one text: files included, definitions
 * expanded, comments gone, one statement a line. Secrets are in it as they were in the files; the parent
 * keeps it where root alone may look. Called by program.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "parent/conf/conf_int.h"

static void save_lines(const struct conf_text *t, FILE *f)
{
    unsigned int depth = 0;
    for (size_t i = 0; i < t->nlines; i++) {
        const struct conf_line *l = &t->lines[i];
        if (l->kind == CONF_LINE_OPEN)
            continue; /* stands behind the words before it */
        if (l->kind == CONF_LINE_CLOSE && depth > 0)
            depth--;
        fprintf(f, "%*s", (int)(4 * (depth < 16 ? depth : 16)), "");
        if (l->kind == CONF_LINE_CLOSE)
            fputs("}", f);
        else
            fwrite(l->raw, 1, l->raw_len, f);
        if (i + 1 < t->nlines && t->lines[i + 1].kind == CONF_LINE_OPEN) {
            fputs(" {", f);
            depth++;
        }
        fputc('\n', f);
    }
}

int conf_save(const struct conf *c)
{
    if (conf_str(c->global, KW_GLOBAL_CONFIG_SAVE_DIR, NULL) == NULL)
        return -1;
    int fd = memfd_create("holdfast-text", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    FILE *f = copy >= 0 ? fdopen(copy, "w") : NULL;
    if (f == NULL) {
        if (copy >= 0)
            close(copy);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    save_lines(c->text, f);
    bool bad = ferror(f) != 0;
    if (fclose(f) == 0 && !bad &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}
