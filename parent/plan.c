/* plan.c - see plan.h. */
#include "parent/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/err.h"
#include "parent/supervise.h"

#define PLAN_ROOM_MAX (8u << 20) /* of what one room may say */

struct plan {
    int fd[ROLE_MAX];
    char *diagnosis, *text;
    size_t diagnosis_len, len;
    FILE *out; /* into text */
    bool refused;
};

struct plan *plan_new(void)
{
    struct plan *p = xcalloc(1, sizeof *p);
    for (int r = 0; r < ROLE_MAX; r++)
        p->fd[r] = -1;
    p->out = open_memstream(&p->text, &p->len);
    if (p->out == NULL)
        fatal("out of memory");
    return p;
}

void plan_free(struct plan *p)
{
    if (p == NULL)
        return;
    for (int r = 0; r < ROLE_MAX; r++)
        if (p->fd[r] >= 0)
            close(p->fd[r]);
    if (p->out != NULL)
        fclose(p->out);
    free(p->text);
    free(p->diagnosis);
    free(p);
}

int plan_fd(struct plan *p, enum role r)
{
    if (p->fd[r] < 0)
        p->fd[r] = memfd_create("holdfast-plan", MFD_CLOEXEC);
    return p->fd[r] < 0 ? -1 : fcntl(p->fd[r], F_DUPFD_CLOEXEC, 3);
}

void plan_diagnosis(struct plan *p, const char *text, size_t len)
{
    free(p->diagnosis);
    p->diagnosis = xmalloc(len + 1);
    memcpy(p->diagnosis, text, len);
    p->diagnosis[len] = '\0';
    p->diagnosis_len = len;
}

void plan_refused(struct plan *p, const char *why)
{
    p->refused = true;
    fprintf(p->out, "%s\n", why);
}

/* One line; what cannot be printed is not. Behind a tab stand an old value and a new one. */
static void plan_line(struct plan *p, enum role r, const char *s, size_t len)
{
    if (len == 0)
        return;
    fprintf(p->out, "%s\t", role_name(r));
    for (size_t i = 0; i < len; i++)
        fputc(((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f ? '?' : s[i], p->out);
    fputc('\n', p->out);
}

static void plan_read(struct plan *p, enum role r)
{
    char *buf = xmalloc(PLAN_ROOM_MAX);
    size_t len = 0;
    ssize_t n = 1;
    while (p->fd[r] >= 0 && len < PLAN_ROOM_MAX && n > 0) {
        n = pread(p->fd[r], buf + len, PLAN_ROOM_MAX - len, (off_t)len);
        len += n > 0 ? (size_t)n : 0;
    }
    for (size_t at = 0; at < len;) {
        const char *nl = memchr(buf + at, '\n', len - at);
        size_t end = nl != NULL ? (size_t)(nl - buf) : len;
        plan_line(p, r, buf + at, end - at);
        at = end + 1;
    }
    if (len == PLAN_ROOM_MAX)
        fprintf(p->out, "%s\t... and more\n", role_name(r));
    free(buf);
}

void plan_gather(struct plan *p, const struct room *m, bool takes_part, bool wanted)
{
    if (takes_part)
        plan_read(p, m->role);
    else if (wanted && m->state == ROOM_OFF)
        fprintf(p->out, "parent\tstart process %s\n", role_binary(m->role));
    else if (!wanted && m->state != ROOM_OFF)
        fprintf(p->out, "parent\tstop process %s, and take back all it has done\n", role_binary(m->role));
}

char *plan_end(struct plan *p, size_t *len)
{
    char *all = NULL;
    if (fclose(p->out) != 0)
        fatal("out of memory");
    p->out = NULL;
    if (!p->refused || p->diagnosis == NULL) {
        *len = p->len;
        all = p->text;
        p->text = NULL;
        return all;
    }
    int n = asprintf(&all, "%s%s", p->diagnosis, p->text);
    if (n < 0)
        fatal("out of memory");
    *len = (size_t)n;
    return all;
}
