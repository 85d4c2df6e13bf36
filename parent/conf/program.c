/*
 * program.c - see program.h. One shot: into the jail, read the configuration, check it, hand back four sealed
 * slices or the diagnostics. Started by the parent at start, reload and -t; may be run by hand with --test by
 * anybody. Trusts its command line and descriptor 3 (the parent), nothing in the files.
 *
 *   holdfast-conf -f PATTERN [-i ID] [-e] [--test] [--json] [--warnings-are-errors] [--lenient] [--portable]
 *                 [--generation N] [--no-detail] [--model [--key] [--elsewhere]]
 *
 * Diagnostics: text on stderr; with --test --json one JSON document on stdout. Without --test and without
 * errors one datagram leaves on descriptor 3: "OK <errors> <warnings>\n" with the slices of parent, vrrpd,
 * checkd, ipvsd. --model (with --test): the resolved configuration as one more JSON document on stdout when
 * it has no errors (model.h); --key: 32 bytes on stdin, under which digests of secrets are made; --elsewhere:
 * the file is of another machine, whose interfaces, users and scripts are not here. Exit status: see
 * diag_exit_status(); 1 for a bad option or a failure of our own. The lean program knows neither --json nor
 * --model.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/jail.h"
#include "common/log.h"
#include "parent/conf/conf.h"
#include "parent/conf/diag.h"
#include "parent/conf/lex.h"
#include "parent/conf/locale.h"
#include "parent/conf/model.h"
#include "parent/conf/program.h"

#define PROGRAM_SLICES 4

struct program_opts {
    const char *pattern;
    const char *id;
    uint32_t generation;
    bool strict, test, json, warnings_are_errors, lenient, portable, brief, no_bfd, model, elsewhere;
    bool keyed;
    uint8_t key[MODEL_KEY_LEN];
};

static int program_usage(void)
{
    fputs(
        "holdfast-conf is started by holdfast. By hand: holdfast-conf -f FILE [-i ID] [-e] --test [--json]\n"
        "[--warnings-are-errors] [--lenient] [--portable] [--no-detail] [--no-bfd] [--model [--key] "
        "[--elsewhere]]\n",
        stderr);
    return -1;
}

enum {
    OPT_TEST = 256,
    OPT_JSON,
    OPT_WARN,
    OPT_LENIENT,
    OPT_PORTABLE,
    OPT_GENERATION,
    OPT_BRIEF,
    OPT_NO_BFD,
    OPT_MODEL,
    OPT_KEY,
    OPT_ELSEWHERE
};

static const struct option program_longs[] = {
    { "test", no_argument, NULL, OPT_TEST },
    { "json", no_argument, NULL, OPT_JSON },
    { "warnings-are-errors", no_argument, NULL, OPT_WARN },
    { "lenient", no_argument, NULL, OPT_LENIENT },
    { "portable", no_argument, NULL, OPT_PORTABLE },
    { "generation", required_argument, NULL, OPT_GENERATION },
    { "no-detail", no_argument, NULL, OPT_BRIEF },
    { "no-bfd", no_argument, NULL, OPT_NO_BFD },
    { "model", no_argument, NULL, OPT_MODEL },
    { "key", no_argument, NULL, OPT_KEY },
    { "elsewhere", no_argument, NULL, OPT_ELSEWHERE },
    { NULL, 0, NULL, 0 },
};

static int program_options(int argc, char **argv, struct program_opts *o)
{
    int ch;

    *o = (struct program_opts){ .generation = 1 };
    while ((ch = getopt_long(argc, argv, "f:i:e", program_longs, NULL)) != -1) {
        char *end = NULL;
        unsigned long n;

        switch (ch) {
        case 'f': o->pattern = optarg; break;
        case 'i': o->id = optarg; break;
        case 'e': o->strict = true; break;
        case OPT_TEST: o->test = true; break;
        case OPT_JSON: o->json = true; break;
        case OPT_WARN: o->warnings_are_errors = true; break;
        case OPT_LENIENT: o->lenient = true; break;
        case OPT_PORTABLE: o->portable = true; break;
        case OPT_BRIEF: o->brief = true; break;
        case OPT_NO_BFD: o->no_bfd = true; break;
        case OPT_MODEL: o->model = true; break;
        case OPT_KEY: o->keyed = true; break;
        case OPT_ELSEWHERE: o->elsewhere = true; break;
        case OPT_GENERATION:
            n = strtoul(optarg, &end, 10);
            if (*end || !*optarg || n == 0 || n > UINT32_MAX)
                return program_usage();
            o->generation = (uint32_t)n;
            break;
        default: return program_usage(); /* getopt has said which one */
        }
    }
    return optind == argc && o->pattern ? 0 : program_usage();
}

/* Before the jail, from who started us. */
static int program_key(struct program_opts *o)
{
    size_t n = 0;
    while (o->keyed && n < sizeof o->key) {
        ssize_t got = read(STDIN_FILENO, o->key + n, sizeof o->key - n);
        if (got <= 0) {
            fputs("holdfast-conf: --key: 32 bytes are wanted on standard input\n", stderr);
            return -1;
        }
        n += (size_t)got;
    }
    return 0;
}

static void program_jail(const struct program_opts *o)
{
    static const int keep[] = { ROLE_PARENT_FD };
    struct jail_opts jo = { .keep_fds = keep, .nkeep = o->test ? 0 : 1, .keep_dac_read = 1 };
    struct msg_ready report;

    jo.unprivileged = geteuid() != 0;
    if (jo.unprivileged)
        jo.keep_dac_read = 0;
    jail_enter(ROLE_CONF, &jo, &report);
}

static void program_say_ours(const struct kw_row *row, struct conf_pos pos, void *arg)
{
    diag_help(
        diag_add(arg, DIAG_NOTE, "HF-PORTABLE", pos,
                 "%s is a keyword of holdfast, keepalived does not know it", row->name),
        "put it on a line of its own in a file that only holdfast includes to keep this file usable on both");
}

/* The four slices, in the order the parent expects. -1: said why. */
static int program_emit(struct conf *c, uint32_t generation, int fds[PROGRAM_SLICES])
{
    static const enum role order[PROGRAM_SLICES] = { ROLE_PARENT, ROLE_VRRPD, ROLE_CHECKD, ROLE_IPVSD };

    for (int i = 0; i < PROGRAM_SLICES; i++) {
        fds[i] = conf_emit(c, order[i], generation);
        if (fds[i] >= 0)
            continue;
        fprintf(stderr, "holdfast-conf: cannot write the configuration of %s: %s\n", role_name(order[i]),
                strerror(errno));
        while (i-- > 0)
            close(fds[i]);
        return -1;
    }
    return 0;
}

/* Four slices, and the text for config_save_dir when there is one. */
static int program_send(const struct diag *d, const int *fds, size_t n)
{
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int) * (PROGRAM_SLICES + 1))];
    } ctl = { .buf = { 0 } };
    char text[64];
    struct iovec iov = { .iov_base = text };
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = ctl.buf,
                        .msg_controllen = CMSG_SPACE(sizeof(int) * n) };
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);

    iov.iov_len = (size_t)snprintf(text, sizeof(text), "OK %zu %zu\n", diag_count(d, DIAG_ERROR),
                                   diag_count(d, DIAG_WARNING));
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int) * n);
    memcpy(CMSG_DATA(h), fds, sizeof(int) * n);
    if (sendmsg(ROLE_PARENT_FD, &m, MSG_NOSIGNAL) < 0) {
        fprintf(stderr, "holdfast-conf: cannot hand the configuration to the parent on descriptor 3: %s\n",
                strerror(errno));
        return -1;
    }
    return 0;
}

/* Everything that can be wrong is said, whatever was wrong before. */
static struct conf *program_check(const struct program_opts *o, struct conf_text *t,
                                  const struct conf_env *env, struct diag *d, const struct conf_prove *prove)
{
    struct conf_text_opts to = { .config_id = o->id,
                                 .strict = o->strict ? CONF_INCLUDE_ALL : 0,
                                 .env = environ };
    struct conf *c;
    int rc = conf_text_load(t, o->pattern, &to, d);

    if (rc) {
        jail_drop_dac();
        return NULL;
    }
    c = conf_new(t, d, env);
    conf_parse(c); /* reads key files, which others must not read */
    conf_read_files(c);
    jail_drop_dac(); /* every file is in memory now */
    conf_resolve(c);
    conf_validate(c, prove);
    if (o->portable)
        conf_each_ours(c, program_say_ours, d);
    return c;
}

static int program_report(const struct program_opts *o, struct diag *d, int status,
                          const struct program_libs *libs)
{
    return o->test && o->json ? libs->print_json(d, stdout, status) : diag_print_text(d, stderr);
}

int program_run(int argc, char **argv, const struct program_libs *libs)
{
    static char buffer[65536];
    int fds[PROGRAM_SLICES + 1], status;
    struct program_opts o;
    struct conf_text text;
    struct conf_env env = { .known = false };
    struct locale *words = NULL;
    struct diag *d;
    struct conf *c;

    log_init(ROLE_CONF, LOG_LEVEL_INFO);
    if (program_options(argc, argv, &o) || program_key(&o))
        return 1;
    if (libs == NULL && (o.json || o.model)) {
        program_usage();
        return 1;
    }
    if (!o.elsewhere)
        conf_env_load(&env);
    env.elsewhere = o.elsewhere;
    env.starting = !o.test;
    env.no_bfd = o.no_bfd;
    if (!(o.test && o.json)) /* programs read the English words */
        words = locale_open(locale_choose((const char *const *)environ));
    program_jail(&o);
    setvbuf(stderr, buffer, _IOFBF, sizeof(buffer));
    d = diag_new();
    diag_set_lenient(d, o.lenient);
    diag_set_brief(d, o.brief);
    diag_set_locale(d, words);
    c = program_check(&o, &text, &env, d, libs != NULL ? libs->prove : NULL);
    if (c && conf_unproven(c))
        return CONF_EXIT_WHOLE; /* which will say everything there is to say */
    status = diag_exit_status(d, o.test && o.warnings_are_errors);
    if (program_report(&o, d, status, libs))
        status = status ? status : 1;
    if (o.test && o.model && c && diag_count(d, DIAG_ERROR) == 0 &&
        libs->print_model(c, o.keyed ? o.key : NULL, sizeof(o.key), stdout))
        status = 1;
    if (!status && !o.test && c) {
        fds[PROGRAM_SLICES] = conf_save(c);
        if (program_emit(c, o.generation, fds) ||
            program_send(d, fds, PROGRAM_SLICES + (fds[PROGRAM_SLICES] >= 0)))
            status = 1;
    }
    fflush(stderr);
    return status; /* the kernel frees faster than we could */
}
