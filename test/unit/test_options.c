/* test_options.c - the command line: every form of every kind of option, and what is refused. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "parent/options.h"

static char why[300];

static int parse(struct options *o, const char *a, const char *b, const char *c, const char *d)
{
    const char *v[] = { "holdfast", a, b, c, d, NULL };
    int n = 1;
    while (v[n] != NULL)
        n++;
    return options_parse(n, (char **)(uintptr_t)v, o, why, sizeof why);
}

static void test_defaults(void **state)
{
    struct options o;
    (void)state;
    assert_int_equal(parse(&o, NULL, NULL, NULL, NULL), 0);
    assert_string_equal(o.config_file, "/etc/keepalived/keepalived.conf");
    assert_int_equal(o.facility, 3);
    assert_int_equal(o.umask, -1);
    assert_true(options_want_vrrp(&o) && options_want_check(&o));
    assert_false(o.foreground || o.console || o.test || o.lenient);
}

static void test_forms(void **state)
{
    struct options o;
    (void)state;
    assert_int_equal(parse(&o, "-f", "/x", "-nl", "-DD"), 0);
    assert_string_equal(o.config_file, "/x");
    assert_true(o.foreground && o.console);
    assert_int_equal(o.detail, 2);
    assert_int_equal(parse(&o, "--use-file=/y", "--pid", "/p", "--dont-fo"),
                     0); /* an unambiguous abbreviation */
    assert_string_equal(o.config_file, "/y");
    assert_string_equal(o.pid_file, "/p");
    assert_true(o.foreground);
    assert_int_equal(parse(&o, "-r/v", "-c/c", "-b/b", "-itwo"), 0);
    assert_string_equal(o.vrrp_pid_file, "/v");
    assert_string_equal(o.check_pid_file, "/c");
    assert_string_equal(o.bfd_pid_file, "/b");
    assert_string_equal(o.config_id, "two");
}

static void test_config_test(void **state)
{
    struct options o;
    (void)state;
    assert_int_equal(parse(&o, "-t", "-f", "/x", NULL), 0);
    assert_true(o.test);
    assert_null(o.test_log);
    assert_int_equal(parse(&o, "--config-test=/log", "--json", "--portable", "--warnings-are-errors"), 0);
    assert_true(o.test && o.json && o.portable && o.warnings_are_errors);
    assert_string_equal(o.test_log, "/log");
    assert_int_equal(parse(&o, "-t/log", "--lenient", NULL, NULL), 0);
    assert_string_equal(o.test_log, "/log");
    assert_true(o.lenient);
}

static void test_roles(void **state)
{
    struct options o;
    (void)state;
    parse(&o, "-P", NULL, NULL, NULL);
    assert_true(options_want_vrrp(&o) && !options_want_check(&o));
    parse(&o, "--check", NULL, NULL, NULL);
    assert_true(!options_want_vrrp(&o) && options_want_check(&o));
    parse(&o, "-P", "-C", NULL, NULL);
    assert_true(options_want_vrrp(&o) && options_want_check(&o));
}

static void test_refused(void **state)
{
    struct options o;
    (void)state;
    assert_int_equal(parse(&o, "--nonsense", NULL, NULL, NULL), -1);
    assert_non_null(strstr(why, "--nonsense"));
    assert_int_equal(parse(&o, "-z", NULL, NULL, NULL), -1);
    assert_int_equal(parse(&o, "-f", NULL, NULL, NULL), -1);
    assert_non_null(strstr(why, "missing"));
    assert_int_equal(parse(&o, "--dont", NULL, NULL, NULL), -1); /* ambiguous */
    assert_int_equal(parse(&o, "-S", "9", NULL, NULL), -1);
    assert_int_equal(parse(&o, "-S", "mail", NULL, NULL), -1);
    assert_int_equal(parse(&o, "-u", "01777", NULL, NULL), -1);
    assert_int_equal(parse(&o, "-u", "-1", NULL, NULL), -1);
    assert_int_equal(parse(&o, "-u", "022x", NULL, NULL), -1);
    assert_int_equal(parse(&o, "--signum=TDUMP", NULL, NULL, NULL), -1);
}

/* Remarked on (main.c) and ignored, as ever. */
static void test_strays(void **state)
{
    const char *v[] = { "holdfast", "one", "-t", "two", "-f", "/x", NULL };
    struct options o;
    (void)state;
    assert_int_equal(options_parse(6, (char **)(uintptr_t)v, &o, why, sizeof why), 0);
    assert_true(o.test);
    assert_string_equal(o.config_file, "/x");
    assert_int_equal(o.strays, 2);
    assert_string_equal(o.stray[0], "one");
    assert_string_equal(o.stray[1], "two");
    assert_int_equal(parse(&o, "-t", NULL, NULL, NULL), 0);
    assert_int_equal(o.strays, 0);
}

/* What would start a daemon although something else was meant. */
static void test_senseless(void **state)
{
    struct options o;
    (void)state;
    assert_int_equal(parse(&o, "--json", NULL, NULL, NULL), -1);
    assert_non_null(strstr(why, "--json"));
    assert_int_equal(parse(&o, "--warnings-are-errors", "-n", NULL, NULL), -1);
    assert_non_null(strstr(why, "--warnings-are-errors"));
    assert_int_equal(parse(&o, "-n", "--portable", NULL, NULL), -1);
    assert_non_null(strstr(why, "--portable"));
    assert_int_equal(parse(&o, "--portable", "-t", NULL, NULL), 0);
    assert_int_equal(parse(&o, "--lenient", NULL, NULL, NULL), 0); /* the daemon's, too */
    assert_int_equal(parse(&o, "-t", "-T", NULL, NULL), -1);
    assert_non_null(strstr(why, "first"));
    assert_int_equal(parse(&o, "-t", "--use-file=", NULL, NULL), -1);
    assert_non_null(strstr(why, "name"));
    assert_int_equal(parse(&o, "-f", "", NULL, NULL), -1);
}

static void test_words(void **state)
{
    struct options o;
    (void)state;
    assert_int_equal(options_signum("STOP"), SIGTERM);
    assert_int_equal(options_signum("RELOAD"), SIGHUP);
    assert_int_equal(options_signum("DATA"), SIGUSR1);
    assert_int_equal(options_signum("STATS"), SIGUSR2);
    assert_int_equal(options_signum("STATS_CLEAR"), 63);
    assert_int_equal(options_signum("JSON"), 36);
    assert_int_equal(options_facility("0"), 16);
    assert_int_equal(options_facility("local7"), 23);
    assert_int_equal(options_facility("user"), 1);
    assert_int_equal(options_facility("daemon"), 3);
    assert_int_equal(options_facility(""), -1);
    assert_int_equal(parse(&o, "-u", "0177", "-S", "local3"), 0);
    assert_int_equal(o.umask, 0177);
    assert_int_equal(o.facility, 19);
}

static void test_kept_promises(void **state)
{
    struct options o;
    (void)state;
    assert_int_equal(parse(&o, "-x", "-a", "-A", "unix:/x"), 0);
    assert_true(o.snmp && o.watch_addresses);
    assert_string_equal(o.snmp_socket, "unix:/x");
    assert_int_equal(parse(&o, "-g", "--flush-log-file", "-M", NULL), 0);
    assert_true(o.log_to_file && o.flush_log_file && o.set_core_pattern && o.core_dump);
    assert_null(o.log_file);
    assert_null(o.core_pattern);
    assert_int_equal(parse(&o, "--log-file=/x.log", "-M/cores/%e.%p", NULL, NULL), 0);
    assert_string_equal(o.log_file, "/x.log");
    assert_string_equal(o.core_pattern, "/cores/%e.%p");
    assert_false(o.flush_log_file || o.snmp || o.watch_addresses);
    assert_int_equal(parse(&o, "-m", NULL, NULL, NULL), 0);
    assert_true(o.core_dump && !o.set_core_pattern && !o.log_to_file);
    assert_int_equal(parse(&o, "-Mone\ntwo", NULL, NULL, NULL), -1);
    assert_int_equal(parse(&o, "--core-dump-pattern=", NULL, NULL, NULL), -1);
    assert_int_equal(parse(&o, "-A", "unix:/x\n[daemon]", NULL, NULL), -1);
    assert_int_equal(parse(&o, "-g/tmp/a\tb", NULL, NULL, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_forms),
        cmocka_unit_test(test_config_test),   cmocka_unit_test(test_roles),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_words),
        cmocka_unit_test(test_kept_promises), cmocka_unit_test(test_strays),
        cmocka_unit_test(test_senseless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
