/*
 * cmd_events.c - holdctl events [--since N] [--follow]: what has happened, and what happens; one line an
 * event, or one JSON object a line while it follows.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/ctl/render.h"
#include "parent/ctl/show.h"

#define EVENTS_WAIT_MS 10000
#define EVENTS_TORN_MS 200

struct events_opts {
    uint64_t since;
    bool follow;
};

static int events_options(int argc, char **argv, struct events_opts *o)
{
    for (int i = 0; i < argc; i++) {
        char *end;
        if (strcmp(argv[i], "--follow") == 0 || strcmp(argv[i], "-f") == 0) {
            o->follow = true;
        } else if (strcmp(argv[i], "--since") == 0 && i + 1 < argc && argv[i + 1][0] != '-') {
            errno = 0;
            o->since = strtoull(argv[++i], &end, 10);
            if (errno != 0 || *end != '\0')
                return -1;
        } else {
            return -1;
        }
    }
    return 0;
}

static void events_line(const struct doc_part *p, const struct out *o)
{
    char at[80];
    const char *to = doc_str(p, "to", "");
    fprintf(o->f, "%6s  %s  %-8s %s", p->name, out_clock(o, doc_real(p, "at", 0), at, sizeof at),
            doc_str(p, "kind", ""), doc_str(p, "object", ""));
    if (doc_str(p, "service", NULL) != NULL)
        fprintf(o->f, " of %s", doc_str(p, "service", ""));
    fprintf(o->f, "  %s", doc_str(p, "what", ""));
    if (doc_str(p, "from", NULL) != NULL)
        fprintf(o->f, " %s ->", doc_str(p, "from", ""));
    if (to[0] != '\0') {
        fputc(' ', o->f);
        out_say(o, out_state(to), "%s", to);
    }
    if (doc_str(p, "cause", NULL) != NULL)
        fprintf(o->f, "  (%s)", doc_str(p, "cause", ""));
    fputc('\n', o->f);
}

static void events_json_line(const struct doc_part *p)
{
    json_t *o = render_part(p);
    json_object_set_new(o, "schema", json_integer(RENDER_SCHEMA));
    char *text = render_dump(o, JSON_COMPACT);
    fputs(text, stdout);
    free(text);
}

static void events_show(const struct doc *d, bool json, struct out *o)
{
    const struct doc_part *h = doc_next(d, NULL, "events");
    if (!json && doc_yes(h, "restarted"))
        out_say(o, OUT_WARN,
                "the daemon was started again since that number was given: everything follows\n");
    if (!json && doc_int(h, "lost", 0) > 0)
        out_say(o, OUT_WARN, "%s events behind that number are not kept any more\n", doc_str(h, "lost", ""));
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "event")) != NULL;) {
        if (json)
            events_json_line(p);
        else
            events_line(p, o);
    }
    fflush(stdout);
}

/* More of the same answer is on its way: a full piece, and something behind it. */
static bool events_torn(const struct ctl *c, const struct msg_ctl_reply *part)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    return part->text_len == sizeof part->text && poll(&p, 1, EVENTS_TORN_MS) > 0;
}

static int events_follow(struct ctl *c, const struct msg_ctl_request *r, struct out *o)
{
    struct msg_ctl_reply part;
    char *text = NULL;
    size_t len = 0;
    int rc = ctl_connect_for(c, CTL_VERB_EVENTS);
    if (rc == 0 && ctl_send(c, r) < 0)
        rc = ctl_lost("the request cannot be sent");
    while (rc == 0 && (rc = ctl_receive_part(c, &part, len == 0 ? -1 : EVENTS_WAIT_MS)) == 0) {
        struct doc d = { 0 };
        char *longer = realloc(text, len + part.text_len + 1);
        if (longer == NULL)
            abort();
        text = longer;
        memcpy(text + len, part.text, part.text_len);
        len += part.text_len;
        text[len] = '\0';
        if (events_torn(c, &part))
            continue;
        doc_add(&d, text);
        events_show(&d, c->json, o);
        doc_free(&d);
        len = 0;
        if (ferror(stdout) || part.last)
            break;
    }
    free(text);
    return rc;
}

int cmd_events(struct ctl *c, int argc, char **argv)
{
    static const char *const always[] = { "event", NULL };
    struct events_opts e = { 0 };
    struct doc d = { 0 };
    struct out o;
    char *text;
    int status;
    show_options(c, &argc, argv);
    if (events_options(argc, argv, &e) < 0)
        return ctl_misused("events");
    struct msg_ctl_request r = { .verb = CTL_VERB_EVENTS, .since = e.since, .follow = e.follow };
    out_init(&o, stdout);
    if (e.follow)
        return events_follow(c, &r, &o);
    int rc = ctl_ask(c, &r, &text, &status);
    if (rc != 0)
        return rc;
    doc_add(&d, text);
    free(text);
    if (c->json)
        show_json(&d, "events", always);
    else
        events_show(&d, false, &o);
    doc_free(&d);
    return CTL_OK;
}
