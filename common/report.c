/* report.c - see report.h. */
#include "common/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"

#define REPORT_JOBS_MAX 8
#define REPORT_BUDGET   (500 * UINT64_C(1000)) /* ns a turn */
#define REPORT_PAUSE    NS_PER_MS
#define REPORT_FLUSH    (64u << 10)
#define REPORT_SIZE_MAX (64u << 20)

struct report_job {
    struct report_job *next;
    struct chan *parent;
    uint32_t token, obj;
    enum report_what what;
    int fd;
    size_t cursor, written;
};

struct reports {
    struct ev *ev;
    report_fn *fn;
    void *arg;
    struct ev_timer timer;
    struct report_job *head;
    size_t n;
};

static void report_end(struct reports *r, bool ok)
{
    struct report_job *j = r->head;
    struct msg_reported m = { .token = j->token, .ok = ok };
    r->head = j->next;
    r->n--;
    close(j->fd);
    chan_send(j->parent, MSG_reported, &m, NULL, 0);
    free(j);
}

static bool report_put(struct report_job *j, const char *p, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(j->fd, p + done, len - done);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    j->written += len;
    return j->written <= REPORT_SIZE_MAX;
}

/* One bounded piece of the first job. 1: it goes on; 0: complete; -1: it cannot be written. */
static int report_work(struct reports *r, struct report_job *j)
{
    char *text = NULL;
    size_t len = 0;
    uint64_t until = clock_monotonic_ns() + REPORT_BUDGET;
    bool more = true;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        return -1;
    do
        more = r->fn(j->what, j->obj, &j->cursor, f, r->arg);
    while (more && ftell(f) < (long)REPORT_FLUSH && clock_monotonic_ns() < until);
    fclose(f);
    bool written = report_put(j, text, len);
    free(text);
    return !written ? -1 : more;
}

static void report_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    struct reports *r = arg;
    (void)now;
    if (r->head == NULL)
        return;
    int rc = report_work(r, r->head);
    if (rc <= 0)
        report_end(r, rc == 0);
    if (r->head != NULL)
        ev_timer_in(r->ev, t, REPORT_PAUSE);
}

struct reports *report_new(struct ev *ev, report_fn *fn, void *arg)
{
    struct reports *r = xcalloc(1, sizeof *r);
    r->ev = ev;
    r->fn = fn;
    r->arg = arg;
    ev_timer_init(&r->timer, report_on_timer, r);
    return r;
}

void report_void(struct reports *r)
{
    while (r != NULL && r->head != NULL)
        report_end(r, false);
}

void report_free(struct reports *r)
{
    if (r == NULL)
        return;
    while (r->head != NULL) {
        struct report_job *j = r->head;
        r->head = j->next;
        close(j->fd);
        free(j);
    }
    ev_timer_stop(r->ev, &r->timer);
    free(r);
}

int report_begin(struct reports *r, struct chan *parent, const struct chan_msg *m)
{
    const struct msg_report *q = &m->body->report;
    struct report_job **at = &r->head;
    if (m->nfds != 1 || r->n >= REPORT_JOBS_MAX)
        return -1;
    struct report_job *j = xcalloc(1, sizeof *j);
    j->parent = parent;
    j->token = q->token;
    j->what = (enum report_what)q->what;
    j->obj = q->obj;
    j->fd = m->fds[0];
    m->fds[0] = -1;
    while (*at != NULL)
        at = &(*at)->next;
    *at = j;
    r->n++;
    if (!ev_timer_armed(&r->timer))
        ev_timer_in(r->ev, &r->timer, 0);
    return 0;
}

/* ---- words */

static void report_text(FILE *f, const char *s)
{
    for (size_t n = 0; n < REPORT_LINE_MAX && s[n] != '\0'; n++)
        fputc((unsigned char)s[n] < 0x20 || s[n] == 0x7f ? '?' : s[n], f);
    fputc('\n', f);
}

void report_section(FILE *f, const char *kind, const char *name)
{
    char head[REPORT_LINE_MAX];
    snprintf(head, sizeof head, "[%s%s%.400s]", kind, name[0] != '\0' ? " " : "", name);
    report_text(f, head);
}

void report_line(FILE *f, const char *key, const char *fmt, ...)
{
    char value[REPORT_LINE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    fprintf(f, "%s=", key);
    report_text(f, value);
}

void report_time(FILE *f, const char *key, uint64_t ns)
{
    if (ns != 0)
        fprintf(f, "%s=%llu.%06llu\n", key, (unsigned long long)(ns / NS_PER_SEC),
                (unsigned long long)(ns % NS_PER_SEC / 1000));
}
