/* test_metrics.c - histograms, what is made of words that lie, and requests that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/hist.h"
#include "parent/ctl/metrics.h"
#include "parent/metrics/serve.h"
#include "vrrpd/meter.h"

static void test_hist(void **state)
{
    struct hist h = { 0 };
    char *text = NULL;
    size_t len;
    (void)state;
    FILE *f = open_memstream(&text, &len);
    hist_write(f, "k", &h, HIST_FINE);
    assert_int_equal(ftell(f), 0);
    hist_add(&h, HIST_FINE, 100 * NS_PER_US); /* a bound belongs to its bucket */
    hist_add(&h, HIST_FINE, 100 * NS_PER_US + 1);
    hist_add(&h, HIST_FINE, 6 * NS_PER_SEC);
    assert_int_equal(hist_count(&h), 3);
    hist_write(f, "k", &h, HIST_FINE);
    fclose(f);
    assert_non_null(strstr(text, "k=6.000200001 3 0.0001:1 0.00025:2 "));
    assert_non_null(strstr(text, " 5:2 +Inf:3\n"));
    free(text);
}

static uint64_t set_count(const struct hist_set *set, unsigned int which)
{
    struct hist h = hist_of_set(set, which);
    return hist_count(&h);
}

/* The set says what whole ones say, in whatever order histograms and buckets come. */
static void test_hist_set(void **state)
{
    const enum hist_scale scale[] = { HIST_FINE, HIST_WORK, HIST_RATIO };
    uint64_t rnd = 4711;
    (void)state;
    for (size_t round = 0; round < 300; round++) {
        struct hist h[HIST_SET_MAX] = { 0 }, got;
        struct hist_set set = { 0 };
        got = hist_of_set(&set, 0);
        assert_memory_equal(&h[0], &got, sizeof got);
        for (size_t i = 0; i < 1 + round / 3; i++) {
            rnd = rnd * UINT64_C(6364136223846793005) + 1442695040888963407;
            uint64_t v = rnd >> (rnd >> 58 & 31) >> 27;
            unsigned int which = rnd >> 20 & (HIST_SET_MAX - 1);
            hist_add(&h[which], scale[which % 3], v);
            hist_set_add(&set, which, scale[which % 3], v);
            for (unsigned int k = 0; k < HIST_SET_MAX; k++) {
                got = hist_of_set(&set, k);
                assert_memory_equal(&h[k], &got, sizeof got);
            }
        }
        hist_set_free(&set);
    }
}

static char *told(enum metrics_source from, const char *words)
{
    struct metrics *m = metrics_new();
    char *copy = strdup(words);
    size_t len;
    metrics_add(m, from, copy);
    free(copy);
    return metrics_end(m, &len);
}

static void says(enum metrics_source from, const char *words, const char *want)
{
    char *got = told(from, words);
    assert_string_equal(got, want);
    free(got);
}

static void test_text(void **state)
{
    (void)state;
    says(METRICS_VRRPD, "[instance a\"b\\c]\nsent=5\nrejected.ttl=2\n",
         "# TYPE holdfast_vrrp_adverts_sent counter\n# HELP holdfast_vrrp_adverts_sent Adverts sent\n"
         "holdfast_vrrp_adverts_sent_total{vrrp_instance=\"a\\\"b\\\\c\"} 5\n"
         "# TYPE holdfast_vrrp_adverts_rejected counter\n"
         "# HELP holdfast_vrrp_adverts_rejected Adverts that were refused, by the check that failed\n"
         "holdfast_vrrp_adverts_rejected_total{vrrp_instance=\"a\\\"b\\\\c\",reason=\"ttl\"} 2\n# EOF\n");
    says(METRICS_CHECKD, "[check s]\nl.service=v\nl.check=TCP_CHECK\nup=1\n",
         "# TYPE holdfast_check_up gauge\n# HELP holdfast_check_up Verdict of a check\n"
         "holdfast_check_up{server=\"s\",service=\"v\",check=\"TCP_CHECK\"} 1\n# EOF\n");
    says(METRICS_PARENT, "[daemon]\nuptime_ms=1500\n",
         "# TYPE holdfast_uptime_seconds gauge\n# UNIT holdfast_uptime_seconds seconds\n"
         "# HELP holdfast_uptime_seconds Time since the daemon started\nholdfast_uptime_seconds 1.500\n# "
         "EOF\n");
}

/* What a process that was taken over could try. */
static void test_lies(void **state)
{
    static const char *const words[] = {
        "[instance x]\nsent=5 # {} 7\n",
        "[instance x]\nsent=NaN\n",
        "[instance x]\nsent=\n",
        "[instance x]\nsent=1e9\n",
        "[instance x]\nsent.more=5\n",
        "[instance x]\nrejected=5\n",
        "[instance x]\nnobody_knows=5\n",
        "sent=5\n",
        "[instance x]\ntakeover=1 2\n",
        "[instance x]\ntakeover=1 2 0.1:1\n",
        "[instance x]\ntakeover=1 x +Inf:2\n",
        "[instance x]\ntakeover=1 2 a:1 0.1:1\n",
        "[daemon]\nuptime_ms=5\n",
        "[instance",
        "=\n==\n[]\n[ ]\n[instance x]\n.=1\n",
        "",
    };
    char longer[70000];
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        says(METRICS_VRRPD, words[i], "# EOF\n");
    /* labels of any length, and labels that are none */
    memset(longer, 'x', sizeof longer);
    memcpy(longer, "[instance ", 10);
    memcpy(longer + sizeof longer - 20, "]\nl.A=1\nl.b c=2\nup=1", 20);
    char *copy = strndup(longer, sizeof longer);
    char *got = told(METRICS_VRRPD, copy);
    assert_true(strlen(got) < 8000);
    free(copy);
    free(got);
}

static void wish(const char *request, enum serve_wish want)
{
    assert_int_equal(serve_request((const uint8_t *)request, strlen(request)), want);
}

static void test_request(void **state)
{
    char big[SERVE_REQUEST_MAX];
    (void)state;
    wish("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", SERVE_METRICS);
    wish("GET /metrics?a=b HTTP/1.0\n\n", SERVE_METRICS);
    wish("HEAD /metrics HTTP/1.1\r\n\r\n", SERVE_HEAD);
    wish("GET / HTTP/1.1\r\n\r\n", SERVE_HELLO);
    wish("GET /metrics2 HTTP/1.1\r\n\r\n", SERVE_NOWHERE);
    wish("POST /metrics HTTP/1.1\r\n\r\n", SERVE_METHOD);
    wish("GET /metrics HTTP/1.1\r\nHost: x\r\n", SERVE_MORE);
    wish("", SERVE_MORE);
    wish("\n\n", SERVE_BAD);
    wish("GET /metrics\r\n\r\n", SERVE_BAD);
    wish("GET metrics HTTP/1.1\r\n\r\n", SERVE_BAD);
    wish("GET /metrics HTTP/2.0\r\n\r\n", SERVE_BAD);
    wish(" /metrics HTTP/1.1\r\n\r\n", SERVE_BAD);
    memset(big, 'a', sizeof big);
    assert_int_equal(serve_request((const uint8_t *)big, sizeof big), SERVE_LONG);
    assert_int_equal(serve_request((const uint8_t *)big, sizeof big - 1), SERVE_MORE);
}

/* A backup that hears its master, misses it, and takes over. */
static void test_meter(void **state)
{
    struct engine e = { .cfg = { .version = 3, .priority = 100, .down_adverts = 3, .interval = NS_PER_SEC },
                        .state = VRRP_STATE_BACKUP,
                        .master_interval = NS_PER_SEC };
    struct engine_advert a = { .priority = 200, .src = { .family = 4, .b = { 10, 0, 0, 1 } } };
    struct meter m;
    uint64_t t = 100 * NS_PER_SEC;
    (void)state;
    meter_init(&m);
    meter_heard(&m, &e, &a, t); /* the first says nothing about evenness */
    assert_int_equal(set_count(&m.hist, METER_JITTER_RX), 0);
    e.heard_at = e.down_from = t;
    e.master = a.src;
    e.down_at = t + 4 * NS_PER_SEC;
    meter_heard(&m, &e, &a, t + NS_PER_SEC + 30 * NS_PER_MS);
    assert_int_equal(set_count(&m.hist, METER_JITTER_RX), 1);
    assert_int_equal(hist_of_set(&m.hist, METER_JITTER_RX).sum, 30 * NS_PER_MS);
    assert_int_equal(m.least_rx, 2970 * NS_PER_MS);
    assert_int_equal(set_count(&m.hist, METER_MARGIN_RX), 1);
    a.priority = 0; /* a resignation is no regular advert, but a sign of life */
    meter_heard(&m, &e, &a, t + 2 * NS_PER_SEC);
    assert_int_equal(set_count(&m.hist, METER_JITTER_RX), 1);
    e.state = VRRP_STATE_MASTER;
    meter_state(&m, VRRP_STATE_MASTER, t + 3 * NS_PER_SEC);
    assert_int_equal(m.to[VRRP_STATE_MASTER], 1);
    assert_int_equal(m.least_rx, TIME_NEVER);
    meter_done(&m, t + 3 * NS_PER_SEC + 5 * NS_PER_MS);
    meter_done(&m, t + 4 * NS_PER_SEC); /* told again: nothing was awaited */
    assert_int_equal(hist_of_set(&m.hist, METER_TAKEOVER).sum, 5 * NS_PER_MS);
    assert_int_equal(hist_of_set(&m.hist, METER_FAILOVER).sum, NS_PER_SEC + 5 * NS_PER_MS);
    assert_int_equal(set_count(&m.hist, METER_FAILOVER), 1);
    meter_sent(&m, &e, false, t);
    meter_sent(&m, &e, false, t + 10 * NS_PER_MS); /* an answer between, off the grid */
    meter_sent(&m, &e, false, t + 1012 * NS_PER_MS);
    assert_int_equal(set_count(&m.hist, METER_JITTER_TX), 1);
    assert_int_equal(hist_of_set(&m.hist, METER_JITTER_TX).sum, 2 * NS_PER_MS);
    meter_sent(&m, &e, true, t + 2 * NS_PER_SEC);
    assert_int_equal(m.sent_at, 0);
    meter_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hist_set), cmocka_unit_test(test_hist),    cmocka_unit_test(test_text),
        cmocka_unit_test(test_lies),     cmocka_unit_test(test_request), cmocka_unit_test(test_meter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
