/*
 * test_director.c - what the status says of services and servers: sums follow the events, unknown ids are
 * ignored, the news of nothing new keeps its date.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "parent/director.h"

static char *text_of(const struct director *d)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    director_status(d, "", f);
    fclose(f);
    return text;
}

static void server(struct director *d, uint32_t id, uint8_t up, uint64_t at, const char *cause)
{
    struct msg_rs_event m = { .rs = id, .up = up, .weight = 3, .at = at };
    struct director_change was;
    snprintf(m.cause, sizeof m.cause, "%s", cause);
    assert_int_equal(director_server_event(d, &m, &was), id != 4711);
}

static void test_sums(void **state)
{
    struct slice_writer *w = slice_writer_new(ROLE_PARENT, 1);
    uint32_t vs = slice_put_obj(w, BLK_VS, 0, "10.0.1.1:80:TCP", 1);
    slice_put_str(w, KW_VS_X_LABEL, "[10.0.1.1]:tcp:80");
    uint32_t a = slice_put_obj(w, BLK_RS, vs, "10.0.0.1:80", 2);
    slice_put_str(w, KW_RS_X_LABEL, "[10.0.0.1]:tcp:80");
    uint32_t b = slice_put_obj(w, BLK_RS, vs, "sorry:10.0.0.9:80", 3);
    slice_put_bool(w, KW_RS_X_SORRY, true);
    size_t len, services, servers;
    const void *p = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(p, len, ROLE_PARENT, NULL);
    struct director *d = director_new(s);
    (void)state;
    char *text = text_of(d);
    assert_non_null(strstr(text, "[service [10.0.1.1]:tcp:80]\nid=1\nstate=not told yet\nreal_servers=1\n"));
    free(text);
    server(d, a, 1, 1000000000, "");
    server(d, a, 1, 9000000000, ""); /* nothing new */
    server(d, b, 1, 1, "");
    server(d, 4711, 1, 1, "");
    struct director_change was;
    assert_true(
        director_service_event(d, &(struct msg_vs_event){ .vs = vs, .up = 1, .at = 2000000000 }, &was));
    assert_false(was.known);
    director_sums(d, &services, &servers);
    assert_int_equal(services, 1);
    assert_int_equal(servers, 1);
    text = text_of(d);
    assert_non_null(strstr(
        text,
        "[server [10.0.0.1]:tcp:80]\nid=2\nsorry=no\nservice=[10.0.1.1]:tcp:80\nservice_id=1\nstate=UP\n"
        "since=1.000000\nweight=3\n"));
    free(text);
    server(d, a, 0, 3000000000, "connect: refused");
    server(d, a, 0, 4000000000, "connect: refused again");
    director_sums(d, &services, &servers);
    assert_int_equal(servers, 0);
    text = text_of(d);
    assert_non_null(strstr(text, "state=DOWN\nsince=4.000000\ncause=connect: refused again\n"));
    free(text);
    director_free(d);
    slice_free(s);
    slice_writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_sums) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
