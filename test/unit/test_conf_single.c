/*
 * test_conf_single.c - one mistake is one sentence, and the first one names it: nothing is called missing
 * that stands there, nothing undefined whose definition was misspelt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/unit/conf_tree_util.h"

#define VI VI_TEXT("W", "7", VIPS("10.0.0.9/24\n"))
#define RS "real_server 10.0.0.2 80 {\n }\n"

/* The only error or warning is at this line and holds part. */
static void only(const char *text, uint32_t line, const char *part)
{
    struct tree s;
    struct diag_view v = { .message = "" };
    size_t n = 0;
    tree_load(&s, text);
    for (size_t i = 0; i < diag_total(s.d); i++) {
        struct diag_view one;
        diag_view(s.d, i, &one);
        if (one.severity == DIAG_NOTE)
            continue;
        v = one;
        n++;
    }
    bool ok = n == 1 && v.line == line && strstr(v.message, part) != NULL;
    if (!ok) {
        print_error("wanted one at line %u (%s) of:\n%s", line, part, text);
        tree_show(&s);
    }
    tree_unload(&s);
    assert_true(ok);
}

/* Two errors may be said of the word itself; nothing is said of the line of its block. */
static void nothing_at(const char *text, uint32_t line)
{
    struct tree s;
    bool said = false;
    tree_load(&s, text);
    for (size_t i = 0; i < diag_total(s.d); i++) {
        struct diag_view v;
        diag_view(s.d, i, &v);
        said = said || (v.severity != DIAG_NOTE && v.line == line);
    }
    if (said || tree_errors(&s) == 0)
        tree_show(&s);
    assert_true(tree_errors(&s) > 0);
    tree_unload(&s);
    assert_false(said);
}

static void refused_default(void **state)
{
    (void)state;
    only("virtual_server 10.0.0.1 80 {\n lb_algo x\n lb_kind NAT\n protocol TCP\n " RS "}\n", 2, "lb_algo");
    only("virtual_server 10.0.0.1 80 {\n lvs_sched x\n lb_kind NAT\n protocol TCP\n " RS "}\n", 2,
         "lvs_sched");
    only("virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind X\n protocol TCP\n " RS "}\n", 3, "lb_kind");
    only("virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol X\n " RS "}\n", 4, "protocol");
    only("virtual_server 10.0.0.1 80 {\n lb_algo\n lb_kind NAT\n protocol TCP\n " RS "}\n", 2, "lb_algo");
}

static void refused_is_not_missing(void **state)
{
    (void)state;
    only("vrrp_instance V {\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority 100\n "
         "unicast_src_ip 198.51.100.1\n unicast_peer {\n  192.0.2.300\n }\n" VIPS("10.0.0.1/24\n") "}\n",
         8, "192.0.2.300");
    only("garp_group {\n garp_interval x\n interface eth0\n}\n" VI, 2, "garp_interval");
    nothing_at("garp_group {\n garp_interval 1\n interface {\n  eth0\n }\n}\n" VI, 1);
    only("virtual_server_group g {\n fwmark x\n}\n" VI, 2, "x");
    only("vrrp_track_process p {\n process\n}\n" VI, 2, "process");
    nothing_at("vrrp_script chk {\n script {\n }\n}\n" VI, 1);
    only(
        "virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.2 80 {\n"
        " MISC_CHECK {\n misc_path\n }\n }\n}\n",
        7, "misc_path");
}

static void behind_another(void **state)
{
    (void)state;
    struct tree s;
    tree_load(&s,
              "vrrp_instance V {\n state BACKUP interface eth0 virtual_router_id 51\n priority 100\n" VIPS(
                  "10.0.0.1/24\n") "}\n");
    assert_true(tree_said(&s, DIAG_WARNING, "HF-EXTRA", 2, "from interface"));
    assert_true(tree_said(&s, DIAG_ERROR, "HF-MISSING", 2, "no virtual_router_id"));
    tree_unload(&s);
    nothing_at("virtual_server 10.0.0.1 80 {\n lb_algo rr lb_kind DR\n protocol X\n " RS "}\n", 1);
}

static void misspelt_definition(void **state)
{
    (void)state;
    only("vrrp_scripts chk {\n script \"/bin/true\"\n}\n" VI_TEXT(
             "V", "51", VIPS("10.0.0.1/24\n") " track_script {\n chk\n }\n"),
         1, "vrrp_scripts");
    only("track_files f {\n file /run/f\n}\n" VI_TEXT("V", "51",
                                                      VIPS("10.0.0.1/24\n") " track_file {\n f\n }\n"),
         1, "track_files");
    only("vrrp_trak_process p {\n process x\n}\n" VI_TEXT("V", "51",
                                                          VIPS("10.0.0.1/24\n") " track_process {\n p\n }\n"),
         1, "vrrp_trak_process");
    only("bfd_instanse b {\n neighbor_ip 10.0.0.7\n}\n" VI_TEXT(
             "V", "51", VIPS("10.0.0.1/24\n") " track_bfd {\n b\n }\n"),
         1, "bfd_instanse");
    only("virtual_server_groop g {\n 10.0.0.1 80\n}\nvirtual_server group g {\n lb_algo rr\n lb_kind NAT\n"
         " protocol TCP\n " RS "}\n",
         1, "virtual_server_groop");
    only("vrrp_sync_group G {\n group {\n V\n VI_2\n }\n}\n" VI_TEXT(
             "V", "51", VIPS("10.0.0.1/24\n")) "vrrp_instace VI_2 {\n state BACKUP\n}\n",
         16, "vrrp_instace");
    nothing_at("vrrp_scripts chk {\n script \"/bin/true\"\n}\n" VI_TEXT(
                   "V", "51", VIPS("10.0.0.1/24\n") " track_script {\n other\n }\n"),
               2); /* other names are still looked for */
}

static void closed_early(void **state)
{
    (void)state;
    only("vrrp_instance V {\n state BACKUP }\n interface eth0\n virtual_router_id 51\n priority 100\n" VIPS(
             "10.0.0.1/24\n") "}\n",
         2, "closes vrrp_instance V too early: interface follows in line 3");
    only("vrrp_instance V {\n state BACKUP\n interface eth0\n}\n virtual_router_id 51\n priority 100\n" VIPS(
             "10.0.0.1/24\n") "}\n" VI,
         4, "too early");
    only(VI "}\n", 10, "closes nothing");
}

#define OPEN  "\xef\xbc\x88"
#define CLOSE "\xef\xbc\x89"

static void brackets(void **state)
{
    (void)state;
    only("vrrp_instance V [\n state BACKUP\n interface eth0\n virtual_router_id 5\n priority 100\n" VIPS(
             "10.0.0.1/24\n") "]\n",
         1, "\"[\" where \"{\" is expected");
    only(VI_TEXT("V", "5", " virtual_ipaddress (\n  10.0.0.1/24\n )\n"), 6, "\"(\" where");
    only(VI_TEXT("V", "5", " virtual_ipaddress " OPEN "\n  10.0.0.1/24\n " CLOSE "\n"), 6, OPEN "\" where");
    only(VI_TEXT("V", "5", " virtual_ipaddress (\n  10.0.0.1/24\n }\n"), 6, "\"(\" where");
    only(VI_TEXT("V", "5", " virtual_ipaddress {\n  10.0.0.1/24\n )\n"), 8, "\")\" where \"}\" is expected");
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* The block was opened in m.conf: a "}" too many in the file it includes is the one. */
static void closed_elsewhere(void **state)
{
    (void)state;
    char dir[] = "/tmp/conf_single_XXXXXX";
    struct conf_text_opts o = { .config_id = "test" };
    struct tree s = { 0 };
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    put("inc.conf", " priority 90\n}\n");
    put("m.conf",
        "vrrp_instance V {\n state BACKUP\n interface eth0\n include inc.conf\n virtual_router_id 5\n" VIPS(
            "10.0.0.1/24\n") "}\n");
    s.d = diag_new();
    assert_int_equal(conf_text_load(&s.t, "m.conf", &o, s.d), 0);
    s.c = conf_new(&s.t, s.d, &s.env);
    conf_parse(s.c);
    conf_resolve(s.c);
    conf_validate(s.c, conf_prove_all());
    bool said = tree_said(&s, DIAG_ERROR, "HF-BRACE-EXTRA", 2, "closes nothing") && tree_errors(&s) == 1;
    if (!said)
        tree_show(&s);
    tree_unload(&s);
    unlink("inc.conf");
    unlink("m.conf");
    rmdir(dir);
    assert_true(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_default),  cmocka_unit_test(refused_is_not_missing),
        cmocka_unit_test(behind_another),   cmocka_unit_test(misspelt_definition),
        cmocka_unit_test(closed_early),     cmocka_unit_test(brackets),
        cmocka_unit_test(closed_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
