/*
 * test_mail_queue.c - what waits for the mail server: repeated states are no news, changes between the first
 * and the latest are merged, bounds in number and age hold, what is being sent is left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "checkd/mail_queue.h"

static enum mail_put put(struct mail_queue *q, uint64_t now, const char *key, unsigned int state)
{
    char subject[64];
    snprintf(subject, sizeof subject, "%s is %u", key, state);
    return mail_queue_put(
        q, now,
        &(struct mail_entry){ .key = key, .state = state, .subject = subject, .text = "t", .real_ns = now });
}

static void order(void **state)
{
    (void)state;
    struct mail_queue q;
    mail_queue_init(&q, 10, 1000);
    assert_null(mail_queue_next(&q, 0));
    assert_int_equal(mail_queue_due(&q), UINT64_MAX);
    put(&q, 1, "a", 1);
    put(&q, 2, "b", 1);
    struct mail_item *i = mail_queue_next(&q, 2);
    assert_string_equal(i->subject, "a is 1");
    i->not_before = 50;
    assert_string_equal(mail_queue_next(&q, 2)->subject, "b is 1");
    mail_queue_next(&q, 2)->busy = true;
    assert_null(mail_queue_next(&q, 2));
    assert_int_equal(mail_queue_due(&q), 50);
    assert_ptr_equal(mail_queue_next(&q, 50), i);
    mail_queue_done(&q, i);
    mail_queue_done(&q, q.first);
    assert_int_equal(q.count, 0);
    put(&q, 3, "c", 1); /* the end of an emptied list */
    assert_string_equal(mail_queue_next(&q, 3)->key, "c");
    mail_queue_free(&q);
}

static void repeats_and_merges(void **state)
{
    (void)state;
    struct mail_queue q;
    mail_queue_init(&q, 10, 1000);
    assert_int_equal(put(&q, 1, "a", 1), MAIL_PUT_QUEUED);
    assert_int_equal(put(&q, 2, "a", 1), MAIL_PUT_REPEATED);
    assert_int_equal(put(&q, 3, "a", 0), MAIL_PUT_QUEUED);
    assert_int_equal(put(&q, 4, "a", 1), MAIL_PUT_MERGED);
    assert_int_equal(put(&q, 5, "a", 0), MAIL_PUT_MERGED);
    assert_int_equal(put(&q, 6, "a", 0), MAIL_PUT_REPEATED);
    assert_int_equal(q.count, 2);
    struct mail_item *first = q.first, *latest = first->next;
    assert_string_equal(first->subject, "a is 1");
    assert_string_equal(latest->subject, "a is 0");
    assert_int_equal(latest->merged, 2);
    assert_int_equal(latest->real_ns, 5);
    first->busy = latest->busy = true; /* both on their way: what comes now is another mail */
    assert_int_equal(put(&q, 7, "a", 1), MAIL_PUT_QUEUED);
    assert_int_equal(q.count, 3);
    mail_queue_done(&q, first);
    mail_queue_done(&q, latest);
    mail_queue_done(&q, q.first);
    assert_int_equal(put(&q, 8, "a", 1), MAIL_PUT_REPEATED); /* also after it has been sent */
    mail_queue_forget(&q, "a");
    assert_int_equal(put(&q, 9, "a", 1), MAIL_PUT_QUEUED);
    mail_queue_forget(&q, "nobody");
    mail_queue_free(&q);
}

static void bounds(void **state)
{
    (void)state;
    struct mail_queue q;
    char key[16];
    mail_queue_init(&q, 3, 100);
    for (unsigned int i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "o%u", i);
        put(&q, i, key, 1);
        if (i == 0)
            q.first->busy = true;
    }
    assert_int_equal(q.count, 3);
    assert_int_equal(q.overflowed, 2);
    assert_string_equal(q.first->key, "o0"); /* being sent: not given up */
    assert_string_equal(q.first->next->key, "o3");
    assert_int_equal(mail_queue_expire(&q, 102), 0);
    assert_int_equal(mail_queue_expire(&q, 103), 1);
    assert_int_equal(mail_queue_due(&q), 0);
    q.first->done = 7;
    mail_queue_limits(&q, 1, 100);
    assert_int_equal(q.count, 1);
    assert_string_equal(q.first->key, "o0");
    assert_int_equal(q.first->done, 0); /* other recipients: nobody has got it yet */
    mail_queue_free(&q);
}

/* Many objects, all coming and going: the books balance and memory does not grow. */
static void many(void **state)
{
    (void)state;
    struct mail_queue q;
    char key[24];
    mail_queue_init(&q, 1000, 1000000);
    for (unsigned int round = 0; round < 3; round++)
        for (unsigned int i = 0; i < 20000; i++) {
            snprintf(key, sizeof key, "server %u", i);
            assert_int_equal(put(&q, i, key, round), MAIL_PUT_QUEUED);
        }
    assert_int_equal(q.count, 1000);
    assert_int_equal(q.nstates, 20000);
    assert_int_equal(q.queued, 60000);
    assert_int_equal(q.overflowed, 59000);
    mail_queue_forget_all(&q);
    assert_int_equal(q.nstates, 0);
    while (q.first != NULL)
        mail_queue_done(&q, q.first);
    assert_int_equal(q.count, 0);
    mail_queue_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),
        cmocka_unit_test(repeats_and_merges),
        cmocka_unit_test(bounds),
        cmocka_unit_test(many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
