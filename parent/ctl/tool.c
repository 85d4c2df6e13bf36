/* tool.c - see tool.h. */
#include "parent/ctl/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "parent/conf/model.h"
#include "parent/spawn.h"

#define TOOL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define TOOL_ARGS 20

struct tool_pipes {
    int in[2], out[2];
};

static _Noreturn void tool_child(char *const argv[], const struct tool_pipes *p, bool quiet)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (dup2(p->in[0], STDIN_FILENO) < 0 || dup2(p->out[1], STDOUT_FILENO) < 0 ||
        (quiet && dup2(null, STDERR_FILENO) < 0))
        _exit(126);
    signal(SIGPIPE, SIG_DFL);
    if (strchr(argv[0], '/') == NULL)
        setenv("PATH", TOOL_PATH, 1);
    execvp(argv[0], argv);
    _exit(127);
}

static void tool_gather(int fd, char **out, size_t *len)
{
    size_t size = 4096, n = 0;
    char *buf = xmalloc(size);
    for (;;) {
        if (size - n < 4096)
            buf = xrealloc(buf, size *= 2);
        ssize_t got = read(fd, buf + n, size - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    buf[n] = '\0';
    *out = buf;
    *len = n;
}

static int tool_pipes(struct tool_pipes *p)
{
    if (pipe2(p->in, O_CLOEXEC) < 0)
        return -1;
    if (pipe2(p->out, O_CLOEXEC) == 0)
        return 0;
    close(p->in[0]);
    close(p->in[1]);
    return -1;
}

int tool_run(char *const argv[], const void *in, size_t inlen, bool quiet, char **out, size_t *len)
{
    struct tool_pipes p;
    int status = 0;
    *out = NULL;
    if (tool_pipes(&p) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0)
        tool_child(argv, &p, quiet);
    close(p.in[0]);
    close(p.out[1]);
    if (pid < 0) {
        close(p.in[1]);
        close(p.out[0]);
        return -1;
    }
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    if (inlen > 0 && write(p.in[1], in, inlen) < 0)
        status = 0; /* it does not want it: its own status will tell */
    signal(SIGPIPE, old);
    close(p.in[1]);
    tool_gather(p.out[0], out, len);
    close(p.out[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the resolved configuration */

static int tool_model_documents(struct tool_model *m, const char *text, size_t len)
{
    json_error_t e;
    size_t at = 0;
    if (m->quiet) {
        m->diag = json_loadb(text, len, JSON_DISABLE_EOF_CHECK, &e);
        at = m->diag != NULL ? (size_t)e.position : 0;
    }
    while (at < len && text[at] <= ' ')
        at++;
    if (at == len)
        return m->status != 0 ? 0 : -1;
    json_t *doc = json_loadb(text + at, len - at, 0, &e);
    if (doc == NULL)
        return -1;
    m->top = json_incref(json_object_get(doc, "model"));
    json_decref(doc);
    return m->top != NULL ? 0 : -1;
}

int tool_model_load(struct tool_model *m)
{
    char dir[PATH_MAX], path[PATH_MAX], *argv[TOOL_ARGS], *out;
    size_t n = 0, len;
    if (spawn_find_libexec(dir, sizeof dir) < 0 ||
        spawn_path(path, sizeof path, dir, role_binary(ROLE_CONF)) < 0) {
        dprintf(STDERR_FILENO, "holdctl: holdfast-conf is not found beside it or in ../libexec/holdfast\n");
        return -1;
    }
    char *const words[] = { path, "-f", (char *)(uintptr_t)m->file, "--test", "--model" };
    for (; n < sizeof words / sizeof *words; n++)
        argv[n] = words[n];
    if (m->id != NULL) {
        argv[n++] = "-i";
        argv[n++] = (char *)(uintptr_t)m->id;
    }
    const struct {
        bool on;
        char *word;
    } flags[] = { { m->quiet, "--json" },      { m->key != NULL, "--key" }, { m->elsewhere, "--elsewhere" },
                  { m->lenient, "--lenient" }, { m->no_bfd, "--no-bfd" },   { m->strict, "-e" } };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].on)
            argv[n++] = flags[i].word;
    argv[n] = NULL;
    m->status = tool_run(argv, m->key, m->key != NULL ? MODEL_KEY_LEN : 0, false, &out, &len);
    int rc = m->status >= 0 ? tool_model_documents(m, out, len) : -1;
    free(out);
    if (rc < 0)
        dprintf(STDERR_FILENO, "holdctl: %s gave no answer about %s (status %d)\n", path, m->file, m->status);
    return rc;
}

void tool_model_free(struct tool_model *m)
{
    json_decref(m->diag);
    json_decref(m->top);
    m->diag = m->top = NULL;
}

/* ---- one object */

json_t *model_next(const json_t *o, const char *kind, size_t *i)
{
    const json_t *list = json_object_get(o, "children");
    while (*i < json_array_size(list)) {
        json_t *in = json_array_get(list, (*i)++);
        const char *k = json_string_value(json_object_get(in, "kind"));
        if (k != NULL && strcmp(k, kind) == 0)
            return in;
    }
    return NULL;
}

json_t *model_first(const json_t *o, const char *kind)
{
    size_t i = 0;
    return model_next(o, kind, &i);
}

const char *model_name(const json_t *o)
{
    const char *s = json_string_value(json_object_get(o, "name"));
    return s != NULL ? s : "";
}

int model_line(const json_t *o)
{
    return (int)json_integer_value(json_object_get(o, "line"));
}

static json_t *model_value(const json_t *o, const char *name)
{
    return json_object_get(json_object_get(o, "values"), name);
}

const char *model_str(const json_t *o, const char *name, const char *dflt)
{
    const char *s = json_string_value(model_value(o, name));
    return s != NULL ? s : dflt;
}

long long model_int(const json_t *o, const char *name, long long dflt)
{
    const json_t *v = model_value(o, name);
    return json_is_integer(v) ? json_integer_value(v) : dflt;
}

bool model_bool(const json_t *o, const char *name, bool dflt)
{
    const json_t *v = model_value(o, name);
    if (json_is_integer(v))
        return json_integer_value(v) != 0;
    return json_is_boolean(v) ? json_is_true(v) : dflt;
}

bool model_has(const json_t *o, const char *name)
{
    return model_value(o, name) != NULL;
}

json_t *model_list(const json_t *o, const char *name)
{
    json_t *v = model_value(o, name);
    return json_is_array(v) ? v : NULL;
}

json_t *model_named(const json_t *top, const char *kind, const char *name)
{
    json_t *o;
    for (size_t i = 0; (o = model_next(top, kind, &i)) != NULL;)
        if (strcmp(model_name(o), name) == 0)
            return o;
    return NULL;
}
