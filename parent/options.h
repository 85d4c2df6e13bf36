/*
 * options.h - the command line, one row an option (options.c). Pure: reads argv, touches nothing, so tests
 * can call it. Called by main.c once; the result is constant afterwards. Trusts the caller of the process
 * only as far as it is root.
 */
#ifndef HOLDFAST_PARENT_OPTIONS_H
#define HOLDFAST_PARENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_DEFAULT_CONF     "/etc/keepalived/keepalived.conf"
#define OPTIONS_VERSION          "0.1"
#define OPTIONS_DEFAULT_LOG      "/tmp/keepalived.log"
#define OPTIONS_CORE_PATTERN_MAX 126 /* the kernel's CORENAME_MAX_SIZE, less end of line and of text */

struct options {
    const char *config_file;
    const char *config_id;
    const char *netns;
    const char *pid_file, *vrrp_pid_file, *check_pid_file, *bfd_pid_file;
    const char *test_log; /* -tFILE: where the verdict is appended */
    const char *signum;   /* word to explain */
    const char *facility_word, *umask_word;
    int facility;        /* syslog facility number */
    int umask;           /* -1: not given */
    unsigned int detail; /* how many -D */
    bool only_vrrp, only_check, no_bfd, all_children;
    bool console, no_syslog, foreground, dump_conf;
    bool keep_addresses, keep_ipvs, release_vips, no_respawn, ignore_sigint;
    bool core_dump, strict_includes;
    bool test, json, warnings_are_errors, lenient, portable;
    bool genhash, version, help;
    bool log_to_file, flush_log_file; /* -g; every line at once */
    const char *log_file;             /* NULL: the default one */
    bool watch_addresses, snmp;       /* -a, -x */
    const char *snmp_socket;
    bool set_core_pattern;
    const char *core_pattern; /* NULL: "core" */
    char **stray;             /* arguments that belong to no option: remarked on and ignored */
    int strays;
};

/* 0; or -1 with a sentence in why (the daemon then exits 1). */
int options_parse(int argc, char **argv, struct options *o, char *why, size_t size);

bool options_want_vrrp(const struct options *o); /* -P -C: neither or both given = both run */
bool options_want_check(const struct options *o);
int options_signum(const char *word);   /* STOP, RELOAD, ...; -1: unknown word */
int options_facility(const char *word); /* "0".."7", "local3", "user", "daemon"; -1: unknown */
void options_print_help(int fd);

/* One option as the manual needs it: row i of the table; false: there are no more. */
struct options_row {
    char letter; /* 0: long form only */
    const char *name, *arg, *help;
};
bool options_row(size_t i, struct options_row *out);
void options_print_version(int fd);

#endif
