/* linequeue.c - see linequeue.h. */
#include "parent/linequeue.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"

/* The longest run of whole lines that one write may carry. */
static size_t linequeue_piece(const struct linequeue *q)
{
    size_t left = q->len - q->at, most = left < PIPE_BUF ? left : PIPE_BUF;
    const char *end = memrchr(q->buf + q->at, '\n', most);
    return end != NULL ? (size_t)(end - (q->buf + q->at)) + 1 : most;
}

static void linequeue_flush(struct linequeue *q)
{
    while (q->at < q->len) {
        ssize_t n = write(q->fd, q->buf + q->at, linequeue_piece(q));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        q->at += (size_t)n;
    }
    q->at = q->len = 0;
}

static void linequeue_told(struct linequeue *q)
{
    if (q->lost > 0)
        log_warn("%s: %llu lines were lost, nobody read them in time", q->name, (unsigned long long)q->lost);
    q->lost = 0;
}

/* Everything that waited is out. */
static void linequeue_idle(struct linequeue *q)
{
    if (q->io != NULL)
        ev_io_del(q->ev, q->io);
    q->io = NULL;
    free(q->buf);
    q->buf = NULL;
    q->cap = 0;
    linequeue_told(q);
}

static void linequeue_on_room(struct ev_io *w, unsigned int got, void *arg)
{
    struct linequeue *q = arg;
    (void)w;
    (void)got;
    linequeue_flush(q);
    if (q->len == 0)
        linequeue_idle(q);
}

static void linequeue_keep(struct linequeue *q, const char *line, size_t len)
{
    if (q->len - q->at + len > LINEQUEUE_MAX) {
        if (q->lost++ == 0)
            log_warn("%s is full: lines are lost until its reader reads again", q->name);
        return;
    }
    if (q->len + len > q->cap && q->at > 0) {
        memmove(q->buf, q->buf + q->at, q->len - q->at);
        q->len -= q->at;
        q->at = 0;
    }
    if (q->len + len > q->cap) {
        q->cap = 2 * (q->len + len);
        q->buf = xrealloc(q->buf, q->cap);
    }
    memcpy(q->buf + q->len, line, len);
    q->len += len;
    if (q->io == NULL)
        q->io = ev_io_add(q->ev, q->fd, EV_WRITE, linequeue_on_room, q);
}

void linequeue_open(struct linequeue *q, struct ev *ev, int fd, const char *name)
{
    *q = (struct linequeue){ .ev = ev, .fd = fd, .name = name };
}

void linequeue_put(struct linequeue *q, const char *line, size_t len)
{
    if (q->len == 0 && write(q->fd, line, len) == (ssize_t)len)
        linequeue_told(q);
    else
        linequeue_keep(q, line, len);
}

void linequeue_close(struct linequeue *q)
{
    if (q->fd < 0)
        return;
    linequeue_flush(q);
    for (size_t i = q->at; i < q->len; i++)
        q->lost += q->buf[i] == '\n';
    q->at = q->len = 0;
    linequeue_idle(q);
    q->fd = -1;
}
