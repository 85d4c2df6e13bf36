/*
 * cmd_check.c - holdctl check: one configuration as `holdfast -t` judges it, with --explain and --simulate
 * what follows from it, and two configurations of one cluster against each other. Files are read by
 * holdfast-conf in its jail; here is only its resolved model. Needs no daemon.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/err.h"
#include "parent/conf/model.h"
#include "parent/ctl/check.h"
#include "parent/ctl/ctl.h"
#include "parent/ctl/render.h"
#include "parent/ctl/simulate.h"
#include "parent/ctl/tool.h"
#include "parent/options.h"

#define CHECK_FILES 2

struct check {
    struct ctl *c;
    bool explain, simulate, lenient, no_bfd, strict, strict_warnings;
    const char *file[CHECK_FILES], *id[CHECK_FILES];
    size_t nfiles, nids;
    char **rest; /* for holdfast -t */
    int nrest;
    struct tool_model model[CHECK_FILES];
    struct node node[CHECK_FILES];
    struct findings found;
    uint8_t key[MODEL_KEY_LEN];
};

/* ---- holdfast -t: beside us in the build tree, in ../sbin when installed */

static bool check_daemon(char *path, size_t size)
{
    static const char *const places[] = { "holdfast", "../sbin/holdfast" };
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;
    if (slash == NULL)
        return false;
    *slash = '\0';
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, size, "%.3000s/%s", self, places[i]);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

static int check_plain(struct check *k)
{
    char path[PATH_MAX];
    char **v = xcalloc((size_t)k->nrest + 10, sizeof *v);
    int n = 0;
    if (!check_daemon(path, sizeof path)) {
        free(v);
        return ctl_lost("holdfast is not found beside holdctl or in ../sbin");
    }
    v[n++] = path;
    v[n++] = xstrdup("-t");
    if (k->c->json)
        v[n++] = xstrdup("--json");
    if (k->nfiles > 0) {
        v[n++] = xstrdup("-f");
        v[n++] = xstrdup(k->file[0]);
    }
    if (k->nids > 0) {
        v[n++] = xstrdup("-i");
        v[n++] = xstrdup(k->id[0]);
    }
    for (int i = 0; i < k->nrest; i++)
        v[n++] = k->rest[i];
    execv(path, v);
    dprintf(STDERR_FILENO, "holdctl: %s cannot be run: %s\n", path, strerror(errno));
    return CTL_FAILED;
}

/* ---- options */

static const char *check_value(int argc, char **argv, int *i, const char *letter, const char *word)
{
    size_t n = strlen(word);
    if (strcmp(argv[*i], letter) == 0 || strcmp(argv[*i], word) == 0)
        return *i + 1 < argc && argv[*i + 1] != NULL ? argv[++*i] : NULL;
    return strncmp(argv[*i], word, n) == 0 && argv[*i][n] == '=' ? argv[*i] + n + 1 : NULL;
}

static bool check_word(struct check *k, const char *arg)
{
    const struct {
        const char *word;
        bool *flag;
        bool ours;
    } words[] = {
        { "--explain", &k->explain, true },
        { "--simulate", &k->simulate, true },
        { "--json", &k->c->json, true },
        { "--lenient", &k->lenient, false },
        { "--no_bfd", &k->no_bfd, false },
        { "-B", &k->no_bfd, false },
        { "--all-config", &k->strict, false },
        { "-e", &k->strict, false },
        { "--warnings-are-errors", &k->strict_warnings, false },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(arg, words[i].word) == 0) {
            *words[i].flag = true;
            return words[i].ours;
        }
    return false;
}

/* -1: misused. */
static int check_options(struct check *k, int argc, char **argv)
{
    k->rest = xcalloc((size_t)argc + 1, sizeof *k->rest);
    for (int i = 0; i < argc && argv[i] != NULL; i++) {
        const char *v;
        if ((v = check_value(argc, argv, &i, "-f", "--use-file")) != NULL ||
            (argv[i][0] != '-' && (v = argv[i]) != NULL)) {
            if (k->nfiles == CHECK_FILES)
                return -1;
            k->file[k->nfiles++] = v;
        } else if ((v = check_value(argc, argv, &i, "-i", "--config-id")) != NULL) {
            if (k->nids == CHECK_FILES)
                return -1;
            k->id[k->nids++] = v;
        } else if (!check_word(k, argv[i])) {
            k->rest[k->nrest++] = argv[i];
        }
    }
    return 0;
}

/* ---- with a model */

static int check_load(struct check *k)
{
    static const char *const labels[CHECK_FILES] = { "A", "B" };
    int worst = 0;
    if (getrandom(k->key, sizeof k->key, 0) != sizeof k->key)
        return ctl_lost("the kernel has no random numbers");
    for (size_t i = 0; i < k->nfiles && i < CHECK_FILES; i++) {
        struct tool_model *m = &k->model[i];
        *m = (struct tool_model){ .file = k->file[i],
                                  .id = k->id[i],
                                  .elsewhere = k->nfiles > 1,
                                  .quiet = k->c->json,
                                  .lenient = k->lenient,
                                  .no_bfd = k->no_bfd,
                                  .strict = k->strict,
                                  .key = k->key };
        if (tool_model_load(m) < 0)
            return CTL_FAILED;
        worst = m->status > worst ? m->status : worst;
        if (m->top != NULL)
            node_read(&k->node[i], labels[i], m->file, m->top);
    }
    return worst;
}

static json_t *check_json(const struct check *k, const struct sim *s, size_t nsim, int status)
{
    json_t *root = json_object(), *files = json_array();
    for (size_t i = 0; i < k->nfiles; i++) {
        json_t *f = json_object();
        json_object_set_new(f, "file", json_string(k->file[i]));
        if (k->node[i].label != NULL)
            json_object_set_new(f, "node", json_string(k->node[i].label));
        json_object_set(f, "diagnosis", k->model[i].diag);
        if (k->explain && k->model[i].top != NULL)
            json_object_set_new(f, "scripts", explain_json(k->model[i].top));
        json_array_append_new(files, f);
    }
    json_object_set_new(root, "format", json_integer(1));
    json_object_set_new(root, "status", json_integer(status));
    json_object_set_new(root, "files", files);
    if (k->simulate)
        json_object_set_new(root, "virtual_routers", simulate_json(s, nsim));
    json_object_set_new(root, "findings", findings_json(&k->found));
    return root;
}

static void check_say(const struct check *k, const struct sim *s, size_t nsim)
{
    for (size_t i = 0; k->nfiles > 1 && i < k->nfiles; i++)
        printf("%s: %s%s%s, %zu virtual router%s\n", k->node[i].label, k->file[i],
               k->node[i].router_id != NULL ? ", router_id " : "",
               k->node[i].router_id != NULL ? k->node[i].router_id : "", k->node[i].nvi,
               k->node[i].nvi == 1 ? "" : "s");
    for (size_t i = 0; k->explain && i < k->nfiles; i++)
        explain_print(k->model[i].top, k->file[i], stdout);
    if (k->simulate)
        simulate_print(s, nsim, stdout);
    findings_print(&k->found, stdout);
    if (k->nfiles > 1 || k->simulate)
        printf("%zu errors, %zu warnings, %zu notes\n", findings_count(&k->found, FINDING_ERROR),
               findings_count(&k->found, FINDING_WARNING), findings_count(&k->found, FINDING_NOTE));
}

static int check_models(struct check *k)
{
    const struct node *nodes[CHECK_FILES] = { &k->node[0], &k->node[1] };
    struct sim *s = NULL;
    size_t nsim = 0;
    int status = check_load(k);
    bool whole = status == 0;
    for (size_t i = 0; i < k->nfiles; i++)
        whole = whole && k->model[i].top != NULL;
    if (whole && (k->simulate || k->nfiles > 1)) {
        nsim = sim_build(nodes, k->nfiles, &s);
        simulate_judge(s, nsim, &k->found);
    }
    if (whole && k->nfiles > 1)
        lint_pair(nodes[0], nodes[1], &k->found);
    if (whole && (findings_count(&k->found, FINDING_ERROR) > 0 ||
                  (k->strict_warnings && findings_count(&k->found, FINDING_WARNING) > 0)))
        status = CTL_BAD;
    if (k->c->json) {
        render_print(check_json(k, s, nsim, status));
    } else if (whole) {
        check_say(k, s, nsim);
    }
    sim_free(s, nsim);
    return status;
}

int cmd_check(struct ctl *c, int argc, char **argv)
{
    struct check k = { .c = c };
    int status = CTL_USAGE;
    if (check_options(&k, argc, argv) < 0) {
        free(k.rest);
        return ctl_misused("check");
    }
    if (k.nfiles < 2 && !k.explain && !k.simulate) {
        status = check_plain(&k);
    } else if (k.nrest > k.lenient + k.no_bfd + k.strict + k.strict_warnings) {
        dprintf(STDERR_FILENO, "holdctl: %s does not go with --explain, --simulate or two files\n",
                k.rest[0]);
    } else {
        if (k.nfiles == 0)
            k.file[k.nfiles++] = OPTIONS_DEFAULT_CONF;
        status = check_models(&k);
    }
    findings_free(&k.found);
    for (size_t i = 0; i < CHECK_FILES; i++) {
        node_free(&k.node[i]);
        tool_model_free(&k.model[i]);
    }
    free(k.rest);
    return status;
}
