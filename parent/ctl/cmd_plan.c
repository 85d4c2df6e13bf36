/*
 * cmd_plan.c - holdctl reload: for good, on trial (--confirm TIME: taken back by itself unless holdctl
 * confirm comes), or only planned (--plan: what would be done, none of it done).
 */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/ctl/amount.h"
#include "parent/ctl/ctl.h"
#include "parent/ctl/render.h"

/* "ROLE\tTEXT" or "ROLE\tTEXT\tOLD\tNEW" a line. */
struct plan_line {
    const char *who, *does, *from, *to; /* to NULL: no value changes */
};

/* False: the end. *at moves on; the text is taken apart. */
static bool plan_next(char **at, struct plan_line *out)
{
    for (char *line; (line = strsep(at, "\n")) != NULL;) {
        out->who = strsep(&line, "\t");
        out->does = strsep(&line, "\t");
        out->from = strsep(&line, "\t");
        out->to = line;
        if (out->does != NULL)
            return true;
    }
    return false;
}

static json_t *plan_text(const char *s)
{
    json_t *t = json_string(s);
    return t != NULL ? t : json_string("(not UTF-8)");
}

static void plan_json(char *text)
{
    json_t *root = json_pack("{s:i, s:s}", "schema", RENDER_SCHEMA, "command", "reload --plan");
    json_t *list = json_array();
    struct plan_line l;
    while (plan_next(&text, &l)) {
        json_t *o = json_pack("{s:s, s:o}", "process", l.who, "does", plan_text(l.does));
        if (l.to != NULL) {
            json_object_set_new(o, "from", plan_text(l.from));
            json_object_set_new(o, "to", plan_text(l.to));
        }
        json_array_append_new(list, o);
    }
    json_object_set_new(root, "plan", list);
    render_print(root);
}

static void plan_people(char *text)
{
    struct plan_line l;
    size_t n = 0;
    while (plan_next(&text, &l)) {
        printf("%-7s %s", l.who, l.does);
        if (l.to != NULL)
            printf(" %s -> %s", l.from, l.to);
        putchar('\n');
        n++;
    }
    if (n == 0)
        printf("nothing would be done\n");
}

static int plan_run(struct ctl *c)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_PLAN };
    char *text;
    int status;
    int rc = ctl_ask(c, &r, &text, &status);
    if (rc != 0)
        return rc;
    if (status != 0)
        ctl_print(text);
    else if (c->json)
        plan_json(text);
    else
        plan_people(text);
    free(text);
    return status;
}

int cmd_reload(struct ctl *c, int argc, char **argv)
{
    static const struct option longs[] = {
        { "plan", no_argument, NULL, 'p' },
        { "confirm", required_argument, NULL, 'c' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    struct msg_ctl_request r = { .verb = CTL_VERB_RELOAD };
    bool plan = false;
    uint64_t s = 0;
    optind = 0; /* main.c has used getopt before */
    for (int k; (k = getopt_long(argc + 1, argv - 1, "", longs, NULL)) != -1;) {
        if (k == 'p')
            plan = true;
        else if (k == 'j')
            c->json = true;
        else if (k != 'c' || amount_seconds(optarg, &s) < 0 || s == 0)
            return ctl_misused("reload");
    }
    if (optind != argc + 1 || (plan && s > 0))
        return ctl_misused("reload");
    if (plan)
        return plan_run(c);
    r.number = (uint32_t)s;
    int rc = ctl_order(c, &r);
    if (rc == 0 && s > 0)
        printf("reload complete; it is taken back in %llu s unless holdctl confirm comes\n",
               (unsigned long long)s);
    else if (rc == 0)
        ctl_print("reload complete\n");
    return rc;
}
