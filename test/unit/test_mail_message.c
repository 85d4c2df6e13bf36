/*
 * test_mail_message.c - the text of alert mail: subjects and bodies stay on their line whatever is in them,
 * addresses are taken apart and quoted, non-ASCII is encoded, dots are stuffed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "checkd/mail_message.h"

static char *build(const char *from, const char *to, const char *subject, const char *text)
{
    const char *list[] = { to, "second@b.example" };
    struct mail_message m = { .from = from,
                              .to = list,
                              .nto = 2,
                              .subject = subject,
                              .text = text,
                              .host = "lb1",
                              .id = { 1, 2 },
                              .at = { .tm_year = 126,
                                      .tm_mon = 10,
                                      .tm_mday = 21,
                                      .tm_wday = 6,
                                      .tm_hour = 6,
                                      .tm_min = 5,
                                      .tm_sec = 4,
                                      .tm_gmtoff = -12600 } };
    size_t len;
    char *s = mail_message_build(&m, &len);
    assert_int_equal(len, strlen(s));
    return s;
}

static void has(const char *s, const char *part)
{
    if (strstr(s, part) == NULL)
        print_error("no \"%s\" in:\n%s", part, s);
    assert_non_null(strstr(s, part));
}

static void headers(void **state)
{
    (void)state;
    char *s = build("lb@a.example", "Ops <ops@a.example>", "[LB] x", "=> y <=");
    has(s, "Date: Sat, 21 Nov 2026 06:05:04 -0330\r\n");
    has(s, "From: lb@a.example\r\n");
    has(s, "Subject: [LB] x\r\n");
    has(s, "X-Mailer: Keepalived\r\n");
    has(s, "To: Ops <ops@a.example>,\r\n second@b.example\r\n");
    has(s, "Message-ID: <0000000000000001.0000000000000002@lb1>\r\n");
    has(s, "\r\n\r\n=> y <=\r\n.\r\n");
    assert_null(strstr(s, "MIME-Version"));
    free(s);
}

static void display_names(void **state)
{
    (void)state;
    char *s = build("\"Night, Watch\" <a@a.example>", "Chief (night) <b@a.example>", "s", "t");
    has(s, "From: \"Night, Watch\" <a@a.example>\r\n");
    has(s, "To: \"Chief (night)\" <b@a.example>,");
    free(s);
    s = build("K\xc3\xb6ln <a@a.example>", "a\\\"b, <b@a.example>", "s", "t");
    has(s, "From: =?utf-8?B?S8O2bG4=?= <a@a.example>\r\n");
    has(s, "To: \"a\\\\\\\"b,\" <b@a.example>,");
    free(s);
}

static void nothing_adds_a_line(void **state)
{
    (void)state;
    char subject[MAIL_SUBJECT_MAX], text[MAIL_TEXT_MAX];
    mail_subject(subject, "LB\r\nBcc: x@y", "a\nb%s", "\r\n.\r\nc");
    assert_string_equal(subject, "[LB  Bcc: x@y] a b  .  c");
    mail_text_frame(text, "%s", "line\r\n.\r\nQUIT\r\n");
    assert_string_equal(text, "=> line  .  QUIT <=");
    char *s = build("a@a.example", "b@b.example", subject, text);
    assert_null(strstr(s, "\r\n.\r\nQUIT"));
    free(s);
}

static void long_text_is_cut(void **state)
{
    (void)state;
    char text[MAIL_TEXT_MAX], subject[MAIL_SUBJECT_MAX], much[2000];
    memset(much, 'x', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    mail_text_frame(text, "%s", much);
    assert_int_equal(strlen(text), MAIL_TEXT_MAX - 1);
    assert_string_equal(text + strlen(text) - 4, "x <=");
    mail_subject(subject, much, "%s", much);
    assert_int_equal(strlen(subject), MAIL_SUBJECT_MAX - 1);
}

static void dots_and_utf8(void **state)
{
    (void)state;
    char *s = build("a@a.example", "b@b.example", "s", ".hidden");
    has(s, "\r\n\r\n..hidden\r\n.\r\n");
    free(s);
    s = build("a@a.example", "b@b.example", "gr\xc3\xbc\xc3\x9f", ".gr\xc3\xbc\xc3\x9f = 1");
    has(s, "Subject: =?utf-8?B?Z3LDvMOf?=\r\n");
    has(s, "Content-Transfer-Encoding: quoted-printable\r\n");
    has(s, "\r\n\r\n=2Egr=C3=BC=C3=9F =3D 1\r\n.\r\n");
    free(s);
}

/* Every line within the limit of RFC 5322, encoded words within theirs, no character cut in two. */
static void long_utf8_subject(void **state)
{
    (void)state;
    char subject[700] = "";
    for (int i = 0; i < 200; i++)
        strcat(subject, "\xe2\x82\xac");
    char *s = build("a@a.example", "b@b.example", subject, "t");
    for (char *at, *line = strtok_r(s, "\r\n", &at); line != NULL; line = strtok_r(NULL, "\r\n", &at)) {
        assert_true(strlen(line) <= 90);
        char *word = strstr(line, "=?utf-8?B?");
        if (word != NULL) /* whole characters: 45 bytes are 15 of them, "4oKs" each */
            assert_int_equal(strspn(word + 10, "4oKs"), strlen(word) - 12);
    }
    free(s);
}

static void envelopes(void **state)
{
    (void)state;
    char out[MAIL_ENVELOPE_MAX], much[400];
    assert_int_equal(mail_envelope("ops@a.example", out), 0);
    assert_string_equal(out, "ops@a.example");
    assert_int_equal(mail_envelope("\"A <b>\" <ops@a.example>", out), 0);
    assert_string_equal(out, "ops@a.example");
    static const char *const bad[] = { "", "<>", "a b@c", "a@b <c", "x <a@b\r\n>", "a@b>", "\x01@b" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(mail_envelope(bad[i], out), -1);
    memset(much, 'a', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    assert_int_equal(mail_envelope(much, out), -1);
}

static void base64(void **state)
{
    (void)state;
    char out[16];
    static const char *const in[] = { "", "f", "fo", "foo", "foob" };
    static const char *const want[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==" };
    for (size_t i = 0; i < 5; i++) {
        mail_base64(in[i], strlen(in[i]), out, sizeof out);
        assert_string_equal(out, want[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(display_names),
        cmocka_unit_test(nothing_adds_a_line),
        cmocka_unit_test(dots_and_utf8),
        cmocka_unit_test(long_utf8_subject),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(envelopes),
        cmocka_unit_test(base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
