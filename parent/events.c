/* events.c - see events.h. An event is kept as the text its readers get: nothing is made when somebody looks.
 */
#include "parent/events.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/report.h"

struct events {
    char *text[EVENTS_KEPT];
    uint64_t last;
    void (*hook)(void *arg);
    void *hook_arg;
};

const char *events_kind_name(enum event_kind k)
{
    switch (k) {
    case EVENT_INSTANCE: return "instance";
    case EVENT_GROUP: return "group";
    case EVENT_SERVICE: return "service";
    case EVENT_SERVER: return "server";
    case EVENT_PROCESS: return "process";
    case EVENT_RELOAD: return "reload";
    case EVENT_DAEMON: return "daemon";
    case EVENT_OPERATOR: return "operator";
    }
    return "?";
}

struct events *events_new(void)
{
    return xcalloc(1, sizeof(struct events));
}

void events_free(struct events *e)
{
    for (size_t i = 0; e != NULL && i < EVENTS_KEPT; i++)
        free(e->text[i]);
    free(e);
}

static void events_optional(FILE *f, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0')
        report_line(f, key, "%s", value);
}

void events_add(struct events *e, const struct event *n)
{
    size_t len;
    char number[24], *text = NULL;
    if (e == NULL)
        return;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        return; /* short of memory: what happens matters more than its story */
    e->last++;
    snprintf(number, sizeof number, "%llu", (unsigned long long)e->last);
    report_section(f, "event", number);
    report_line(f, "seq", "%s", number);
    report_time(f, "at", n->at != 0 ? n->at : clock_realtime_ns());
    report_line(f, "kind", "%s", events_kind_name(n->kind));
    report_line(f, "object", "%s", n->name);
    report_line(f, "what", "%s", n->what);
    events_optional(f, "service", n->of);
    events_optional(f, "from", n->from);
    events_optional(f, "to", n->to);
    events_optional(f, "cause", n->cause);
    if (fclose(f) != 0)
        fatal("out of memory");
    char **slot = &e->text[e->last % EVENTS_KEPT];
    free(*slot);
    *slot = text;
    if (e->hook != NULL)
        e->hook(e->hook_arg);
}

void events_hook(struct events *e, void (*fn)(void *arg), void *arg)
{
    if (e == NULL)
        return;
    e->hook = fn;
    e->hook_arg = arg;
}

uint64_t events_last(const struct events *e)
{
    return e != NULL ? e->last : 0;
}

uint64_t events_first(const struct events *e)
{
    uint64_t last = events_last(e);
    return last > EVENTS_KEPT ? last - EVENTS_KEPT + 1 : 1;
}

uint64_t events_print(const struct events *e, uint64_t since, size_t max, FILE *f)
{
    uint64_t next = since + 1;
    if (next < events_first(e))
        next = events_first(e);
    for (; max > 0 && next <= events_last(e); max--)
        fputs(e->text[next++ % EVENTS_KEPT], f);
    return next - 1 > since ? next - 1 : since;
}
