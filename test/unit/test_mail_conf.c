/*
 * test_mail_conf.c - what the configuration says about mail: when checkd is needed for it, defaults, our own
 * keywords and their contradictions; and that no password is ever shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "parent/conf/conf_int.h"
#include "test/unit/conf_tree_util.h"

#define MAIL    "notification_email {\n ops@a.example\n}\nsmtp_server 10.0.0.9 2525\n"
#define G(text) "global_defs {\n" text "}\n"
#define VI(text)                                                                                             \
    "vrrp_instance V {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n 10.0.0.1/24\n "       \
    "}\n" text "}\n"
#define VS                                                                                                   \
    "virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.2 80 {\n "  \
    "TCP_CHECK {\n }\n }\n}\n"

static uint64_t top(const char *text, enum kw kw)
{
    struct tree s;
    tree_load(&s, text);
    if (tree_errors(&s) != 0)
        tree_show(&s);
    assert_int_equal(tree_errors(&s), 0);
    uint64_t v = conf_uint(conf_top(s.c), kw, 99);
    tree_unload(&s);
    return v;
}

static void checkd_is_needed(void **state)
{
    (void)state;
    assert_int_equal(top(G(MAIL) VI("smtp_alert\n"), KW_TOP_X_NEED_CHECK), 1);
    assert_int_equal(top(VI("smtp_alert\n") G(MAIL), KW_TOP_X_NEED_CHECK), 1);
    assert_int_equal(top(G(MAIL "smtp_alert\n") VI(""), KW_TOP_X_NEED_CHECK), 1);
    assert_int_equal(top(G(MAIL "smtp_alert_vrrp\n") VI(""), KW_TOP_X_NEED_CHECK), 1);
    assert_int_equal(top(G(MAIL "smtp_alert\nsmtp_alert_vrrp off\n") VI(""), KW_TOP_X_NEED_CHECK), 0);
    assert_int_equal(top(G(MAIL "smtp_alert\n") VI("smtp_alert off\n"), KW_TOP_X_NEED_CHECK), 0);
    assert_int_equal(top(G(MAIL) VI(""), KW_TOP_X_NEED_CHECK), 0);
    assert_int_equal(top(G("smtp_server 10.0.0.9\n") VI("smtp_alert\n"), KW_TOP_X_NEED_CHECK), 0);
    assert_int_equal(top(VI("smtp_alert\n"), KW_TOP_X_NEED_CHECK), 0);
}

static void defaults_of_servers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t vs, rs;
    } t[] = { { G(MAIL) VS, 0, 1 },
              { G(MAIL "smtp_alert off\n") VS, 0, 0 },
              { G(MAIL "smtp_alert\n") VS, 1, 1 },
              { G(MAIL "smtp_alert\nsmtp_alert_checker off\n") VS, 0, 0 } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct tree s;
        tree_load(&s, t[i].text);
        struct conf_obj *vs = conf_next(conf_top(s.c), NULL, BLK_VS), *rs = conf_next(vs, NULL, BLK_RS);
        assert_int_equal(conf_uint(vs, KW_VS_SMTP_ALERT, 9), t[i].vs);
        assert_int_equal(conf_uint(rs, KW_RS_SMTP_ALERT, 9), t[i].rs);
        tree_unload(&s);
    }
}

static void server_and_port(void **state)
{
    (void)state;
    struct tree s;
    tree_load(&s, G(MAIL) VI("smtp_alert\n"));
    assert_false(tree_said(&s, DIAG_WARNING, "HF-EXTRA", 0, "2525")); /* the port is no extra word */
    const struct conf_obj *g = s.c->global;
    assert_string_equal(conf_get(g, KW_GLOBAL_SMTP_SERVER)->v.raw, "10.0.0.9");
    assert_int_equal(*(const uint64_t *)conf_get(g, KW_GLOBAL_X_SMTP_PORT)->v.raw, 2525);
    assert_int_equal(conf_ip(g, KW_GLOBAL_X_SMTP_IP)->b[3], 9);
    assert_non_null(conf_str(g, KW_GLOBAL_ROUTER_ID, NULL));
    assert_non_null(conf_str(g, KW_GLOBAL_NOTIFICATION_EMAIL_FROM, NULL));
    tree_unload(&s);
}

static void complaint(const char *text, enum diag_severity sev, const char *code, const char *part)
{
    struct tree s;
    tree_load(&s, text);
    bool ok = tree_said(&s, sev, code, 0, part) && tree_errors(&s) == (sev == DIAG_ERROR);
    if (!ok)
        tree_show(&s);
    tree_unload(&s);
    assert_true(ok);
}

static void contradictions(void **state)
{
    (void)state;
    complaint(G(MAIL "smtp_user u\n"), DIAG_ERROR, "HF-MISSING", "without smtp_password");
    complaint(G(MAIL "smtp_password p\n"), DIAG_ERROR, "HF-MISSING", "without smtp_user");
    complaint(G(MAIL "smtp_tls off\nsmtp_user u\nsmtp_password p\n"), DIAG_WARNING, "HF-SMTP-TLS",
              "unencrypted");
    complaint(G(MAIL "smtp_tls implicit\n"
                     "smtp_server 10.0.0.9\n"),
              DIAG_WARNING, "HF-SMTP-TLS", "465");
    complaint(G(MAIL "smtp_user u\nsmtp_password file:/nonexistent/x\n"), DIAG_ERROR, "HF-FILE",
              "No such file");
    struct tree s;
    tree_load(&s, G(MAIL "smtp_user u\nsmtp_password p\n"));
    assert_int_equal(conf_uint(s.c->global, KW_GLOBAL_SMTP_TLS, 9), 2); /* a password is protected */
    tree_unload(&s);
}

static void the_password_is_never_shown(void **state)
{
    (void)state;
    static const char *const texts[] = { G(MAIL "smtp_password sesame\n"),
                                         G(MAIL "smtp_user u\nsmtp_password sesame\nsmtp_password sesame\n"),
                                         G(MAIL "smtp_user u\nsmtp_password sesame sesame\n") };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct tree s;
        char *buf = NULL;
        size_t len = 0;
        tree_load(&s, texts[i]);
        FILE *f = open_memstream(&buf, &len);
        diag_print_text(s.d, f);
        diag_print_json(s.d, f, 0);
        fclose(f);
        if (strstr(buf, "sesame") != NULL)
            print_error("%s", buf);
        assert_null(strstr(buf, "sesame"));
        free(buf);
        tree_unload(&s);
    }
}

static void vrrp_secrets_stay_away(void **state)
{
    (void)state;
    struct tree s;
    struct err e;
    tree_load(&s, G(MAIL "smtp_user u\nsmtp_password sesame\n")
                      VI("smtp_alert\nauthentication {\n auth_type PASS\n auth_pass hushhush\n}\n"));
    static const enum role roles[] = { ROLE_PARENT, ROLE_VRRPD, ROLE_CHECKD, ROLE_IPVSD };
    for (size_t i = 0; i < 4; i++) {
        int fd = conf_emit(s.c, roles[i], 1);
        struct slice *sl = slice_open(fd, roles[i], &e);
        char buf[65536];
        ssize_t n = pread(fd, buf, sizeof buf, 0);
        assert_true(n > 0 && n < (ssize_t)sizeof buf);
        assert_int_equal(memmem(buf, (size_t)n, "sesame", 6) != NULL, roles[i] == ROLE_CHECKD);
        assert_int_equal(memmem(buf, (size_t)n, "hushhush", 8) != NULL, roles[i] == ROLE_VRRPD);
        if (roles[i] == ROLE_CHECKD)
            assert_true(slice_bool(slice_find(sl, BLK_VI, "V"), KW_VI_SMTP_ALERT, false));
        slice_free(sl);
        close(fd);
    }
    tree_unload(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkd_is_needed),
        cmocka_unit_test(defaults_of_servers),
        cmocka_unit_test(server_and_port),
        cmocka_unit_test(contradictions),
        cmocka_unit_test(the_password_is_never_shown),
        cmocka_unit_test(vrrp_secrets_stay_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
