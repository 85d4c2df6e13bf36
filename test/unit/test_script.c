/*
 * test_script.c - what the parent knows of commands: the registry from a slice, users, first lines of
 * scripts, numbers in tracked files. Nothing is executed here; see test_script_run.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "parent/conf/conf_int.h"
#include "parent/script.h"
#include "parent/script_child.h"
#include "parent/trackfile.h"
#include "test/unit/conf_tree_util.h"

static const char text[] =
    "global_defs {\n script_user root\n notify_fifo /run/f root root\n notify_fifo_script \"/bin/r a\"\n"
    " startup_script \"/bin/true\" daemon\n}\n"
    "vrrp_script S {\n script \"/bin/check 'a b'\"\n interval 3\n timeout 2\n user nobody nogroup\n}\n"
    "vrrp_instance A {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  10.0.0.1\n }\n"
    " notify_master \"/bin/m\" daemon :\n notify_deleted\n notify /bin/n\n track_script {\n  S\n }\n}\n"
    "virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n delay_loop 7\n quorum_up "
    "\"/bin/q up\"\n"
    " real_server 10.0.1.1 80 {\n  notify_down \"/bin/d\"\n"
    "  MISC_CHECK {\n   misc_path \"/bin/c one\"\n   misc_timeout 4\n  }\n"
    "  MISC_CHECK {\n   misc_path \"/bin/c one\"\n  }\n }\n}\n";

static struct slice *load(const char *what, struct tree *t)
{
    tree_load(t, what);
    if (tree_errors(t) != 0)
        tree_show(t);
    assert_int_equal(tree_errors(t), 0);
    struct slice *s = tree_slice(t, ROLE_PARENT);
    assert_non_null(s);
    return s;
}

static const struct slice_obj *first(const struct slice *s, enum blk blk)
{
    const struct slice_obj *o = slice_next(s, NULL, blk, SLICE_ANY_PARENT);
    assert_non_null(o);
    return o;
}

static void test_registry(void **state)
{
    struct tree t;
    struct slice *s = load(text, &t);
    struct scripts *r = scripts_new(s);
    (void)state;
    assert_non_null(scripts_at(r, 8));
    assert_null(scripts_at(r, 9));
    const struct slice_obj *g = first(s, BLK_GLOBAL), *a = first(s, BLK_VI), *sc = first(s, BLK_SCRIPT);
    const struct slice_obj *vs = first(s, BLK_VS), *rs = first(s, BLK_RS), *m = first(s, BLK_MISC);
    struct script *x = scripts_find(r, a->id, KW_VI_NOTIFY_MASTER);
    assert_non_null(x);
    assert_string_equal(x->argv[0], "/bin/m");
    assert_string_equal(x->who->user, "daemon");
    assert_string_equal(x->who->group, ":");
    assert_int_equal(x->limit_ns, 0);
    assert_string_equal(x->owner, "vrrp_instance A");
    assert_null(scripts_find(r, a->id, KW_VI_NOTIFY_DELETED));
    assert_true(slice_has(a, KW_VI_NOTIFY_DELETED));
    x = scripts_find(r, a->id, KW_VI_NOTIFY);
    assert_non_null(x);
    assert_string_equal(x->who->user, "root");
    assert_true(script_who_root(x->who));
    x = scripts_check(r, sc->id);
    assert_non_null(x);
    assert_int_equal(x->argc, 2);
    assert_string_equal(x->argv[1], "a b");
    assert_string_equal(x->who->user, "nobody");
    assert_string_equal(x->who->group, "nogroup");
    assert_true(x->limit_ns == 2 * NS_PER_SEC);
    x = scripts_check(r, m->id);
    assert_non_null(x);
    assert_true(x->limit_ns == 4 * NS_PER_SEC);
    m = slice_next(s, m, BLK_MISC, SLICE_ANY_PARENT);
    assert_non_null(m);
    assert_true(scripts_check(r, m->id)->limit_ns == 7 * NS_PER_SEC);
    assert_non_null(scripts_find(r, vs->id, KW_VS_QUORUM_UP));
    assert_non_null(scripts_find(r, rs->id, KW_RS_NOTIFY_DOWN));
    assert_null(scripts_find(r, rs->id, KW_RS_NOTIFY_UP));
    assert_null(scripts_check(r, rs->id)); /* a notify script is nobody's to ask for */
    assert_string_equal(scripts_find(r, g->id, KW_GLOBAL_STARTUP_SCRIPT)->who->user, "daemon");
    assert_string_equal(scripts_word(g, KW_GLOBAL_NOTIFY_FIFO, 0), "/run/f");
    assert_string_equal(scripts_word(g, KW_GLOBAL_NOTIFY_FIFO, 2), "root");
    assert_null(scripts_word(g, KW_GLOBAL_NOTIFY_FIFO, 3));
    assert_true(scripts_any_root(r));
    scripts_unref(r);
    slice_free(s);
    tree_unload(&t);
}

/* Two equal checks of one server are told apart by their place; ids may move. */
static void test_like(void **state)
{
    struct tree t, u;
    char moved[sizeof text + 200];
    (void)state;
    snprintf(moved, sizeof moved,
             "vrrp_instance Z {\n interface eth0\n virtual_router_id 9\n virtual_ipaddress {\n 10.9.9.9\n "
             "}\n}\n%s",
             text);
    struct slice *a = load(text, &t), *b = load(moved, &u);
    struct scripts *ra = scripts_new(a), *rb = scripts_new(b);
    const struct slice_obj *ma = first(a, BLK_MISC), *mb = first(b, BLK_MISC);
    assert_int_not_equal(ma->id, mb->id);
    assert_int_equal(scripts_like(rb, scripts_check(ra, ma->id))->obj, mb->id);
    ma = slice_next(a, ma, BLK_MISC, SLICE_ANY_PARENT);
    mb = slice_next(b, mb, BLK_MISC, SLICE_ANY_PARENT);
    assert_int_equal(scripts_like(rb, scripts_check(ra, ma->id))->obj, mb->id);
    const struct slice_obj *z = slice_find(b, BLK_VI, "Z"), *vi = slice_find(a, BLK_VI, "A");
    assert_null(scripts_find(rb, z->id, KW_VI_NOTIFY));
    assert_string_equal(scripts_like(rb, scripts_find(ra, vi->id, KW_VI_NOTIFY))->owner, "vrrp_instance A");
    scripts_unref(ra);
    scripts_unref(rb);
    slice_free(a);
    slice_free(b);
    tree_unload(&t);
    tree_unload(&u);
}

/* As Debian's keepalived 2.2.7 writes them to its FIFO. */
static void test_labels(void **state)
{
    static const char lvs[] =
        "virtual_server_group GRP {\n 10.0.1.1 80\n}\nvirtual_server_group GM {\n fwmark 7\n}\n"
        "virtual_server group GRP {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.1 81 {\n "
        "}\n}\n"
        "virtual_server group GM {\n lb_algo rr\n lb_kind NAT\n real_server 10.0.0.2 82 {\n }\n}\n"
        "virtual_server group GRP {\n lb_algo rr\n lb_kind NAT\n protocol UDP\n real_server 10.0.0.1 81 {\n "
        "}\n}\n"
        "virtual_server group GM {\n lb_algo rr\n lb_kind NAT\n protocol UDP\n real_server 10.0.0.2 82 {\n "
        "}\n}\n"
        "virtual_server fwmark 8 {\n lb_algo rr\n lb_kind DR\n real_server 10.0.0.3 83 {\n }\n}\n"
        "virtual_server fwmark 9 {\n lb_algo rr\n lb_kind NAT\n real_server 10.0.0.3 83 {\n }\n}\n"
        "virtual_server fd00::1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server fd00::2 84 {\n "
        "}\n}\n";
    static const struct {
        const char *vs, *rs;
    } want[] = { { "[GRP]:0", "[10.0.0.1]:tcp:81" },        { "[GM]:0", "[10.0.0.2]:none:82" },
                 { "[GRP]:1", "[10.0.0.1]:udp:81" },        { "[GM]:1", "[10.0.0.2]:none:82" },
                 { "FWM 8", "[10.0.0.3]:none:0" },          { "FWM 9", "[10.0.0.3]:none:83" },
                 { "[fd00::1]:tcp:80", "[fd00::2]:tcp:84" } };
    struct tree t;
    struct slice *s = load(lvs, &t);
    const struct slice_obj *vs = NULL, *rs = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        vs = slice_next(s, vs, BLK_VS, SLICE_ANY_PARENT);
        rs = slice_next(s, rs, BLK_RS, SLICE_ANY_PARENT);
        assert_non_null(vs);
        assert_non_null(rs);
        assert_string_equal(slice_str(vs, KW_VS_X_LABEL, ""), want[i].vs);
        assert_string_equal(slice_str(rs, KW_RS_X_LABEL, ""), want[i].rs);
    }
    slice_free(s);
    tree_unload(&t);
}

static void test_who(void **state)
{
    struct script_who w;
    (void)state;
    script_who_init(&w, "root", NULL, false);
    assert_true(w.known && w.uid == 0 && w.gid == 0 && w.ngroups == 0 && script_who_root(&w));
    bool path = false, home = false;
    for (char **e = w.envp; *e != NULL; e++) {
        path = path || strncmp(*e, "PATH=", 5) == 0;
        home = home || strcmp(*e, "HOME=/root") == 0;
        assert_true(strncmp(*e, "CMOCKA", 6) != 0);
    }
    assert_true(path && home);
    script_who_free(&w);
    script_who_init(&w, "no-such-user-hf", NULL, false);
    assert_false(w.known || script_who_root(&w));
    assert_non_null(strstr(w.why, "no-such-user-hf"));
    script_who_free(&w);
    script_who_init(&w, "root", "no-such-group-hf", false);
    assert_false(w.known);
    script_who_free(&w);
    script_who_init(&w, "4242", ":", false);
    assert_true(w.known && w.uid == 4242 && w.gid == 4242 && w.ngroups == 0 && !script_who_root(&w));
    script_who_free(&w);
    script_who_init(&w, "4294967295", NULL, false); /* "leave it as it is" to the kernel: root */
    assert_false(w.known);
    script_who_free(&w);
}

static void head(const char *h, size_t len, enum script_kind want, const char *interp, const char *arg,
                 bool crlf)
{
    struct script_shebang s;
    assert_int_equal(script_head_kind((const uint8_t *)h, len, &s), want);
    assert_int_equal(s.crlf, crlf);
    if (interp != NULL) {
        assert_int_equal(s.len, strlen(interp));
        assert_memory_equal(h + s.at, interp, s.len);
        assert_int_equal(s.arg_len, strlen(arg));
        assert_memory_equal(h + s.arg_at, arg, s.arg_len);
    }
}

#define HEAD(h, ...) head(h, sizeof(h) - 1, __VA_ARGS__)

static void test_shebang(void **state)
{
    char big[SCRIPT_HEAD];
    (void)state;
    HEAD("#!/bin/sh\necho", SCRIPT_KIND_SHEBANG, "/bin/sh", "", false);
    HEAD("#!/bin/sh", SCRIPT_KIND_SHEBANG, "/bin/sh", "", false);
    HEAD("#! \t/usr/bin/env  python3 -u \t\n", SCRIPT_KIND_SHEBANG, "/usr/bin/env", "python3 -u", false);
    HEAD("#!/bin/sh\r\necho\r\n", SCRIPT_KIND_SHEBANG, "/bin/sh", "", true);
    HEAD("#!/bin/sh -e\r\n", SCRIPT_KIND_SHEBANG, "/bin/sh", "-e", true);
    HEAD("#!\n", SCRIPT_KIND_BAD, NULL, NULL, false);
    HEAD("#!", SCRIPT_KIND_BAD, NULL, NULL, false);
    HEAD("#!  \n/bin/sh\n", SCRIPT_KIND_BAD, NULL, NULL, false);
    HEAD("\177ELF\2\1\1", SCRIPT_KIND_PROGRAM, NULL, NULL, false);
    HEAD("echo hello\n", SCRIPT_KIND_TEXT, NULL, NULL, false);
    HEAD("", SCRIPT_KIND_TEXT, NULL, NULL, false);
    HEAD("MZ\0\0", SCRIPT_KIND_PROGRAM, NULL, NULL, false);
    memset(big, 'a', sizeof big);
    memcpy(big, "#!/", 3);
    head(big, sizeof big, SCRIPT_KIND_BAD, NULL, NULL, false); /* the end is out of sight */
}

static void number(const char *s, bool ok, int32_t want)
{
    int32_t v = 0;
    assert_int_equal(trackfile_parse(s, strlen(s), &v), ok);
    if (ok)
        assert_int_equal(v, want);
}

static void test_number(void **state)
{
    (void)state;
    number("5\n", true, 5);
    number("-254", true, -254);
    number("  +7 \r\n", true, 7);
    number("0\nmore\n", true, 0);
    number("2147483647", true, INT32_MAX);
    number("-2147483648", true, INT32_MIN);
    number("2147483648", false, 0);
    number("-2147483649", false, 0);
    number("99999999999999999999999999999999999999", false, 0);
    number("", false, 0);
    number("\n5", false, 0);
    number("-", false, 0);
    number("5x", false, 0);
    number("0x10", false, 0);
    number("1.5", false, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry), cmocka_unit_test(test_like),    cmocka_unit_test(test_labels),
        cmocka_unit_test(test_who),      cmocka_unit_test(test_shebang), cmocka_unit_test(test_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
