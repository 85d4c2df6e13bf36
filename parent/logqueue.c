/* logqueue.c - see logqueue.h. */
#include "parent/logqueue.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

void logqueue_drain(struct logqueue *q)
{
    while (q->n > 0) {
        struct logqueue_line *l = &q->line[q->head];
        int rc = q->send(q->arg, l->text, l->len);
        if (rc == 0)
            return;
        if (rc < 0)
            q->lost++;
        free(l->text);
        *l = (struct logqueue_line){ 0 };
        q->head = (q->head + 1) % LOGQUEUE_LINES;
        q->n--;
    }
}

void logqueue_put(struct logqueue *q, const char *text, size_t len)
{
    logqueue_drain(q);
    int rc = q->n > 0 ? 0 : q->send(q->arg, text, len);
    if (rc > 0)
        return;
    if (rc < 0 || q->n == LOGQUEUE_LINES) {
        q->lost++;
        return;
    }
    struct logqueue_line *l = &q->line[(q->head + q->n) % LOGQUEUE_LINES];
    l->text = xmalloc(len);
    memcpy(l->text, text, len);
    l->len = len;
    q->n++;
}

void logqueue_free(struct logqueue *q)
{
    for (size_t i = 0; i < LOGQUEUE_LINES; i++)
        free(q->line[i].text);
}
