/*
 * options.c - see options.h. The table is the command line: getopt's strings, the help text and the effect of
 * every option come from its rows.
 */
#include "parent/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <syslog.h>
#include <unistd.h>

enum option_kind {
    OPTION_FLAG,  /* bool at offset */
    OPTION_COUNT, /* unsigned at offset, one more a time */
    OPTION_TEXT,  /* const char * at offset */
    OPTION_MAYBE, /* a flag with an optional argument: bool at offset, text at offset2 */
};

struct option_row {
    char letter; /* 0: long form only */
    const char *name;
    const char *arg; /* NULL: none; "[X]": optional */
    enum option_kind kind;
    size_t offset, offset2;
    const char *help;
};

#define OPTION_AT(field) offsetof(struct options, field)

static const struct option_row option_rows[] = {
    { 'f', "use-file", "FILE", OPTION_TEXT, OPTION_AT(config_file), 0,
      "configuration file or pattern (default " OPTIONS_DEFAULT_CONF ")" },
    { 'P', "vrrp", NULL, OPTION_FLAG, OPTION_AT(only_vrrp), 0, "run VRRP only, no health checks" },
    { 'C', "check", NULL, OPTION_FLAG, OPTION_AT(only_check), 0, "run health checks only, no VRRP" },
    { 'B', "no_bfd", NULL, OPTION_FLAG, OPTION_AT(no_bfd), 0, "do not run BFD" },
    { 0, "all", NULL, OPTION_FLAG, OPTION_AT(all_children), 0, "start every process, configured or not" },
    { 'l', "log-console", NULL, OPTION_FLAG, OPTION_AT(console), 0, "log also to stderr" },
    { 'D', "log-detail", NULL, OPTION_COUNT, OPTION_AT(detail), 0, "detailed log" },
    { 'S', "log-facility", "FACILITY", OPTION_TEXT, OPTION_AT(facility_word), 0,
      "syslog facility: 0-7, local0-local7, user, daemon" },
    { 'g', "log-file", "[FILE]", OPTION_MAYBE, OPTION_AT(log_to_file), OPTION_AT(log_file),
      "log also to FILE, and per process to FILE with _vrrp, _healthcheckers, _ipvs before its last dot "
      "(default " OPTIONS_DEFAULT_LOG "; a relative name is one there); opened anew at a reload" },
    { 0, "flush-log-file", NULL, OPTION_FLAG, OPTION_AT(flush_log_file), 0,
      "write each line to that file at once, not within a second" },
    { 'G', "no-syslog", NULL, OPTION_FLAG, OPTION_AT(no_syslog), 0, "no syslog" },
    { 'u', "umask", "MASK", OPTION_TEXT, OPTION_AT(umask_word), 0, "umask, overrides the configuration" },
    { 'X', "release-vips", NULL, OPTION_FLAG, OPTION_AT(release_vips), 0,
      "remove virtual addresses even when not believed set (always so here)" },
    { 'V', "dont-release-vrrp", NULL, OPTION_FLAG, OPTION_AT(keep_addresses), 0,
      "leave virtual addresses at stop" },
    { 'I', "dont-release-ipvs", NULL, OPTION_FLAG, OPTION_AT(keep_ipvs), 0, "leave IPVS entries at stop" },
    { 'R', "dont-respawn", NULL, OPTION_FLAG, OPTION_AT(no_respawn), 0, "end when a child dies" },
    { 'n', "dont-fork", NULL, OPTION_FLAG, OPTION_AT(foreground), 0, "stay in the foreground" },
    { 'd', "dump-conf", NULL, OPTION_FLAG, OPTION_AT(dump_conf), 0,
      "log a summary of the configuration at start" },
    { 'p', "pid", "FILE", OPTION_TEXT, OPTION_AT(pid_file), 0, "pid file of the parent" },
    { 'r', "vrrp_pid", "FILE", OPTION_TEXT, OPTION_AT(vrrp_pid_file), 0, "pid file of the VRRP process" },
    { 'c', "checkers_pid", "FILE", OPTION_TEXT, OPTION_AT(check_pid_file), 0,
      "pid file of the checker process" },
    { 'b', "bfd_pid", "FILE", OPTION_TEXT, OPTION_AT(bfd_pid_file), 0,
      "pid file of the BFD process (part of VRRP here)" },
    { 'a', "address-monitoring", NULL, OPTION_FLAG, OPTION_AT(watch_addresses), 0,
      "log every address that comes or goes, on any interface, whoever did it" },
    { 'x', "snmp", NULL, OPTION_FLAG, OPTION_AT(snmp), 0,
      "all of SNMP, as if enable_snmp_vrrp, _checker and _rfc were configured: holdfast-snmp serves it" },
    { 'A', "snmp-agent-socket", "ADDR", OPTION_TEXT, OPTION_AT(snmp_socket), 0,
      "AgentX socket for holdfast-snmp, overrides snmp_socket" },
    { 's', "namespace", "NAME", OPTION_TEXT, OPTION_AT(netns), 0,
      "network namespace, overrides the configuration" },
    { 'm', "core-dump", NULL, OPTION_FLAG, OPTION_AT(core_dump), 0, "no limit on the parent's core file" },
    { 'M', "core-dump-pattern", "[PATTERN]", OPTION_MAYBE, OPTION_AT(set_core_pattern),
      OPTION_AT(core_pattern),
      "-m, and set the kernel's core pattern (default core) for the whole machine until the daemon ends" },
    { 'e', "all-config", NULL, OPTION_FLAG, OPTION_AT(strict_includes), 0,
      "every include problem is an error" },
    { 'i', "config-id", "ID", OPTION_TEXT, OPTION_AT(config_id), 0,
      "id for @ID lines (default: short host name)" },
    { 0, "ignore-sigint", NULL, OPTION_FLAG, OPTION_AT(ignore_sigint), 0, "ignore SIGINT" },
    { 0, "signum", "WORD", OPTION_TEXT, OPTION_AT(signum), 0,
      "print a signal's number: STOP RELOAD DATA STATS STATS_CLEAR JSON" },
    { 't', "config-test", "[FILE]", OPTION_MAYBE, OPTION_AT(test), OPTION_AT(test_log),
      "check the configuration; the verdict goes to stderr or is appended to FILE" },
    { 0, "json", NULL, OPTION_FLAG, OPTION_AT(json), 0, "with -t: diagnostics as JSON" },
    { 0, "warnings-are-errors", NULL, OPTION_FLAG, OPTION_AT(warnings_are_errors), 0,
      "with -t: a warning exits 5" },
    { 0, "lenient", NULL, OPTION_FLAG, OPTION_AT(lenient), 0,
      "run without the statements that are errors, listing them" },
    { 0, "portable", NULL, OPTION_FLAG, OPTION_AT(portable), 0,
      "with -t: list keywords keepalived does not know" },
    { 'T', "genhash", NULL, OPTION_FLAG, OPTION_AT(genhash), 0, "first option only: act as genhash" },
    { 'v', "version", NULL, OPTION_FLAG, OPTION_AT(version), 0, "version" },
    { 'h', "help", NULL, OPTION_FLAG, OPTION_AT(help), 0, "this text" },
};

#define OPTION_ROWS (sizeof option_rows / sizeof option_rows[0])
#define OPTION_LONG_BASE                                                                                     \
    0x100 /* getopt's value of row i is base + i: short and long forms meet in one place */

static int option_argument(const struct option_row *r)
{
    if (r->arg == NULL)
        return no_argument;
    return r->arg[0] == '[' ? optional_argument : required_argument;
}

static void option_tables(struct option longs[], char *shorts)
{
    char *s = shorts;
    *s++ = ':'; /* a missing argument is told apart from an unknown option */
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const struct option_row *r = &option_rows[i];
        longs[i] = (struct option){ r->name, option_argument(r), NULL, OPTION_LONG_BASE + (int)i };
        if (r->letter == 0)
            continue;
        *s++ = r->letter;
        for (int n = option_argument(r); n > 0; n--) /* one colon: required, two: optional */
            *s++ = ':';
    }
    *s = '\0';
    longs[OPTION_ROWS] = (struct option){ 0 };
}

static const struct option_row *option_find(int c)
{
    if (c >= OPTION_LONG_BASE)
        return &option_rows[c - OPTION_LONG_BASE];
    for (size_t i = 0; i < OPTION_ROWS; i++)
        if (option_rows[i].letter == c)
            return &option_rows[i];
    return NULL;
}

static void option_apply(const struct option_row *r, const char *arg, struct options *o)
{
    char *base = (char *)o;
    switch (r->kind) {
    case OPTION_FLAG: *(bool *)(void *)(base + r->offset) = true; break;
    case OPTION_COUNT: ++*(unsigned int *)(void *)(base + r->offset); break;
    case OPTION_TEXT: *(const char **)(void *)(base + r->offset) = arg; break;
    case OPTION_MAYBE:
        *(bool *)(void *)(base + r->offset) = true;
        if (arg != NULL)
            *(const char **)(void *)(base + r->offset2) = arg;
        break;
    }
}

int options_facility(const char *word)
{
    static const int local[] = { LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3,
                                 LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7 };
    if (strcmp(word, "user") == 0)
        return LOG_USER >> 3;
    if (strcmp(word, "daemon") == 0)
        return LOG_DAEMON >> 3;
    if (strncmp(word, "local", 5) == 0)
        word += 5;
    if (word[0] < '0' || word[0] > '7' || word[1] != '\0')
        return -1;
    return local[word[0] - '0'] >> 3;
}

static int option_umask(const char *word)
{
    char *end;
    if (!isdigit((unsigned char)word[0]))
        return -1;
    errno = 0;
    unsigned long v = strtoul(word, &end, 0);
    return errno == 0 && *end == '\0' && v <= 0777 ? (int)v : -1;
}

static bool option_plain(const char *word)
{
    for (; *word != '\0'; word++)
        if ((unsigned char)*word < 0x20 || *word == 0x7f)
            return false;
    return true;
}

static bool option_core_pattern(const char *word)
{
    size_t n = strlen(word);
    return n > 0 && n <= OPTIONS_CORE_PATTERN_MAX && option_plain(word);
}

/* Options whose words mean something of their own. */
static int option_words(struct options *o, char *why, size_t size)
{
    if (o->facility_word != NULL && (o->facility = options_facility(o->facility_word)) < 0) {
        snprintf(why, size, "unknown syslog facility '%s': use 0-7, local0-local7, user or daemon",
                 o->facility_word);
        return -1;
    }
    if (o->core_pattern != NULL && !option_core_pattern(o->core_pattern)) {
        snprintf(why, size, "bad core pattern '%.60s': 1 to %d printable characters, see core(5)",
                 o->core_pattern, OPTIONS_CORE_PATTERN_MAX);
        return -1;
    }
    if (o->snmp_socket != NULL && (o->snmp_socket[0] == '\0' || !option_plain(o->snmp_socket))) {
        snprintf(why, size, "bad AgentX socket '%.60s': e.g. unix:/var/agentx/master", o->snmp_socket);
        return -1;
    }
    if (o->log_file != NULL && !option_plain(o->log_file)) {
        snprintf(why, size, "the name of the log file has control characters");
        return -1;
    }
    o->core_dump = o->core_dump || o->set_core_pattern;
    if (o->umask_word != NULL && (o->umask = option_umask(o->umask_word)) < 0) {
        snprintf(why, size, "bad umask '%s': use a number up to 0777", o->umask_word);
        return -1;
    }
    if (o->signum != NULL && options_signum(o->signum) < 0) {
        snprintf(why, size, "unknown signal word '%s': use STOP, RELOAD, DATA, STATS, STATS_CLEAR or JSON",
                 o->signum);
        return -1;
    }
    return 0;
}

/* What is no mistake of a word, but of what was meant: better no daemon than one nobody asked for. */
static int option_sense(const struct options *o, char *why, size_t size)
{
    const char *tests = o->json                  ? "--json"
                        : o->warnings_are_errors ? "--warnings-are-errors"
                        : o->portable            ? "--portable"
                                                 : NULL;
    if (tests != NULL && !o->test) {
        snprintf(why, size, "%s belongs to a configuration test: give -t with it", tests);
        return -1;
    }
    if (o->genhash) {
        snprintf(why, size, "-T (--genhash) must be the first option: what follows it is genhash's");
        return -1;
    }
    if (o->config_file[0] == '\0') {
        snprintf(why, size, "-f (--use-file) needs the name of a configuration file");
        return -1;
    }
    return 0;
}

int options_parse(int argc, char **argv, struct options *o, char *why, size_t size)
{
    struct option longs[OPTION_ROWS + 1];
    char shorts[3 * OPTION_ROWS + 2];
    *o = (struct options){ .config_file = OPTIONS_DEFAULT_CONF, .facility = LOG_DAEMON >> 3, .umask = -1 };
    option_tables(longs, shorts);
    optind = 0;
    opterr = 0;
    for (;;) {
        int at = optind > 0 ? optind : 1;
        int c = getopt_long(argc, argv, shorts, longs, NULL);
        if (c == -1)
            break;
        if (c == '?' || c == ':') {
            const char *word = at < argc ? argv[at] : "";
            snprintf(why, size, "%s '%s' (--help lists what there is)",
                     c == ':' ? "an argument is missing after" : "unknown or ambiguous option", word);
            return -1;
        }
        option_apply(option_find(c), optarg, o);
    }
    o->stray = argv + optind; /* getopt has moved them behind the options */
    o->strays = argc - optind;
    return option_words(o, why, size) < 0 ? -1 : option_sense(o, why, size);
}

bool options_want_vrrp(const struct options *o)
{
    return o->only_vrrp || !o->only_check;
}

bool options_want_check(const struct options *o)
{
    return o->only_check || !o->only_vrrp;
}

int options_signum(const char *word)
{
    const struct {
        const char *word;
        int signo;
    } words[] = { { "STOP", SIGTERM },
                  { "RELOAD", SIGHUP },
                  { "DATA", SIGUSR1 },
                  { "STATS", SIGUSR2 },
                  { "STATS_CLEAR", SIGRTMAX - 1 },
                  { "JSON", SIGRTMIN + 2 } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].signo;
    return -1;
}

void options_print_help(int fd)
{
    dprintf(fd, "Usage: holdfast [options]\n");
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const struct option_row *r = &option_rows[i];
        char form[64];
        const char *arg = r->arg != NULL ? r->arg : "", *eq = r->arg != NULL ? "=" : "";
        if (arg[0] == '[') /* --name[=ARG] */
            snprintf(form, sizeof form, "--%s[=%s", r->name, arg + 1);
        else
            snprintf(form, sizeof form, "--%s%s%s", r->name, eq, arg);
        dprintf(fd, "  %c%c%s %-28s %s\n", r->letter != 0 ? '-' : ' ', r->letter != 0 ? r->letter : ' ',
                r->letter != 0 ? "," : " ", form, r->help);
    }
}

bool options_row(size_t i, struct options_row *out)
{
    if (i >= OPTION_ROWS)
        return false;
    const struct option_row *r = &option_rows[i];
    *out = (struct options_row){ .letter = r->letter, .name = r->name, .arg = r->arg, .help = r->help };
    return true;
}

void options_print_version(int fd)
{
    struct utsname u;
    dprintf(fd, "holdfast %s\n", OPTIONS_VERSION);
    dprintf(fd,
            "VRRP and BFD, IPVS and health checks from a keepalived.conf (reference: keepalived 2.4.3)\n");
    if (uname(&u) == 0)
        dprintf(fd, "Running on %s %s %s\n", u.sysname, u.release, u.machine);
}
