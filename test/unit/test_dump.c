/* test_dump.c - dump files: where they go, how the parent fills what a child left open, JSON strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/dumpgap.h"
#include "parent/dump_fill.h"
#include "parent/dump_place.h"
#include "parent/script.h"

static void place(enum role r, enum dump_what what, const char *file, const char *inst, const char *want)
{
    struct dump_wish w = { .tmp = "/tmp", .file = file, .instance = inst };
    struct dump_place p;
    char got[PATH_MAX + NAME_MAX + 16];
    bool too_long;
    assert_true(dump_place(r, what, &w, &p, &too_long));
    snprintf(got, sizeof got, "%s|%s%s", p.dir, p.name, p.in_tmp ? "|tmp" : "");
    assert_string_equal(got, want);
}

static void test_place(void **state)
{
    (void)state;
    place(ROLE_VRRPD, DUMP_WHAT_DATA, NULL, NULL, "/tmp|keepalived.data|tmp");
    place(ROLE_PARENT, DUMP_WHAT_DATA, NULL, NULL, "/tmp|keepalived_parent.data|tmp");
    place(ROLE_CHECKD, DUMP_WHAT_DATA, NULL, NULL, "/tmp|keepalived_check.data|tmp");
    place(ROLE_VRRPD, DUMP_WHAT_DATA, NULL, "foo", "/tmp|keepalived.foo.data|tmp");
    place(ROLE_PARENT, DUMP_WHAT_DATA, NULL, "ns_foo", "/tmp|keepalived_parent.ns_foo.data|tmp");
    place(ROLE_VRRPD, DUMP_WHAT_BFD, NULL, NULL, "/tmp|keepalived_bfd.data|tmp");
    place(ROLE_VRRPD, DUMP_WHAT_BFD, "/var/x.y/state.txt", "foo", "/var/x.y|state_bfd.foo.txt");
    place(ROLE_VRRPD, DUMP_WHAT_STATS, NULL, "foo", "/tmp|keepalived.stats|tmp");
    place(ROLE_VRRPD, DUMP_WHAT_STATS_CLEAR, NULL, NULL, "/tmp|keepalived.stats|tmp");
    place(ROLE_VRRPD, DUMP_WHAT_JSON, NULL, "foo", "/tmp|keepalived.json|tmp");
    place(ROLE_CHECKD, DUMP_WHAT_DATA, "/var/x.y/state.txt", NULL, "/var/x.y|state_check.txt");
    place(ROLE_CHECKD, DUMP_WHAT_DATA, "/var/dumps/", "i", "/var/dumps|keepalived_check.i.data");
    place(ROLE_VRRPD, DUMP_WHAT_DATA, "mine", NULL, "/tmp|mine|tmp");
    place(ROLE_PARENT, DUMP_WHAT_DATA, "sub/mine", NULL, "/tmp/sub|mine_parent");
    place(ROLE_VRRPD, DUMP_WHAT_JSON, "/a.json", NULL, "/|a.json");
    place(ROLE_VRRPD, DUMP_WHAT_STATS, ".hidden", NULL, "/tmp|.hidden|tmp");
}

static void test_place_none(void **state)
{
    char name[NAME_MAX + 8];
    struct dump_wish w = { .tmp = "/tmp" };
    struct dump_place p;
    bool too_long;
    (void)state;
    assert_false(dump_place(ROLE_CHECKD, DUMP_WHAT_JSON, &w, &p, &too_long));
    assert_false(too_long);
    assert_false(dump_place(ROLE_IPVSD, DUMP_WHAT_DATA, &w, &p, &too_long));
    assert_false(dump_place(ROLE_CHECKD, DUMP_WHAT_BFD, &w, &p, &too_long));
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    w.file = name;
    assert_false(dump_place(ROLE_VRRPD, DUMP_WHAT_JSON, &w, &p, &too_long));
    assert_true(too_long);
}

static void json(const char *text, const char *want)
{
    char *got = NULL;
    size_t len;
    FILE *f = open_memstream(&got, &len);
    dumpgap_json(f, text);
    fclose(f);
    assert_string_equal(got, want);
    free(got);
}

static void test_json(void **state)
{
    (void)state;
    json("", "\"\"");
    json("a\"b\\c\n\x7f", "\"a\\\"b\\\\c\\u000a\\u007f\"");
    json("gr\xc3\xbc\xc3\x9f \xe4\xb8\xad \xf0\x9f\x98\x80",
         "\"gr\xc3\xbc\xc3\x9f \xe4\xb8\xad \xf0\x9f\x98\x80\"");
    json("\xc3", "\"\\ufffd\"");
    json("\xff\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    json("\xc0\xaf", "\"\\ufffd\\ufffd\"");
}

/* One instance with a notify script, one vrrp_script. */
static struct scripts *some_scripts(uint32_t *inst, uint32_t *script)
{
    struct err e;
    size_t len;
    struct slice_writer *w = slice_writer_new(ROLE_PARENT, 1);
    *inst = slice_put_obj(w, BLK_VI, 0, "VI", 1);
    slice_put_obj(w, BLK_CMD, *inst, "c", 1);
    slice_put_uint(w, KW_CMD_X_KW, KW_VI_NOTIFY_MASTER);
    slice_put_raw(w, KW_CMD_X_ARGV, "/bin/x", 7);
    slice_put_raw(w, KW_CMD_X_ARGV, "a b", 4);
    *script = slice_put_obj(w, BLK_SCRIPT, 0, "chk", 2);
    slice_put_obj(w, BLK_CMD, *script, "d", 2);
    slice_put_uint(w, KW_CMD_X_KW, KW_SCRIPT_SCRIPT);
    slice_put_raw(w, KW_CMD_X_ARGV, "/bin/\"q", 8);
    const void *bytes = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(bytes, len, ROLE_PARENT, &e);
    assert_non_null(s);
    struct scripts *all = scripts_new(s);
    slice_free(s);
    slice_writer_free(w);
    return all;
}

static void fill(struct scripts *all, const void *raw, size_t len, const char *want)
{
    char *got = NULL;
    size_t n;
    FILE *f = open_memstream(&got, &n);
    dump_fill(all, raw, len, f);
    fclose(f);
    assert_int_equal(n, strlen(want));
    assert_string_equal(got, want);
    free(got);
}

static void test_fill(void **state)
{
    uint32_t inst, script;
    struct scripts *all = some_scripts(&inst, &script);
    char *raw = NULL;
    size_t len;
    FILE *f = open_memstream(&raw, &len);
    (void)state;
    fputs("A", f);
    dumpgap_put(f, DUMPGAP_JSON_SCRIPTS, inst);
    dumpgap_put(f, DUMPGAP_JSON_COMMAND, script);
    fputc('|', f);
    dumpgap_put(f, DUMPGAP_TEXT_SCRIPTS, inst);
    dumpgap_put(f, DUMPGAP_TEXT_COMMAND, script);
    dumpgap_put(f, DUMPGAP_JSON_COMMAND, 999);
    dumpgap_put(f, DUMPGAP_TEXT_SCRIPTS, 999);
    fputc('Z', f);
    fclose(f);
    fill(all, raw, len,
         "A,\"script_master\":\"'/bin/x' 'a b'\"\"'/bin/\\\"q'\"|   Master state transition script = "
         "'/bin/x' 'a "
         "b'\n'/bin/\"q'\"\"Z");
    free(raw);
    /* a child that writes nonsense */
    fill(all, "x\0y", 3, "xy");
    fill(all, "x\0\2\1", 4, "x\2\1");
    fill(all, "\0\377\1\0\0\0", 6, "\377\1");
    fill(all, "", 0, "");
    scripts_unref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_place_none),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
