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

/* "ROLE\tTEXT" a line. */
static void plan_json(char *text)
{
    json_t *root = json_object(), *list = json_array();
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char *tab = strchr(line, '\t');
        if (tab == NULL)
            continue;
        *tab = '\0';
        json_t *what = json_string(tab + 1);
        json_array_append_new(list, json_pack("{s:s, s:o}", "process", line, "does",
                                              what != NULL ? what : json_string("(not UTF-8)")));
    }
    json_object_set_new(root, "plan", list);
    render_print(root);
}

static void plan_people(char *text)
{
    size_t n = 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char *tab = strchr(line, '\t');
        if (tab == NULL)
            continue;
        *tab = '\0';
        printf("%-7s %s\n", line, tab + 1);
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
