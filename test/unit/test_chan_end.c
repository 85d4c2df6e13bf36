/*
 * test_chan_end.c - how a channel ends: every way a peer can break the rules, callbacks that free the
 * channel, the last words of a peer that dies, and the limit on descriptors in flight that must not end it.
 */
#include "test/unit/chan_util.h"

#include <sys/resource.h>
#include <sys/wait.h>

/* ---- a peer that breaks the rules
 * --------------------------------------------------------------------------- */

/* What the bytes lead to: one on_dead with PROTOCOL, no message, and silence after it. */
static void broken(const void *p, size_t len, const char *why)
{
    static struct end e;
    int fd;

    open_raw(&e, &fd);
    assert_int_equal(send(fd, p, len, 0), (ssize_t)len);
    raw_state(fd, 1); /* said after the offence: never heard */
    turns(&e, 3);
    assert_int_equal(e.dead, 1);
    assert_int_equal(e.how, CHAN_END_PROTOCOL);
    if (strstr(e.why, why) == NULL)
        fail_msg("%s, wanted %s", e.why, why);
    assert_int_equal(e.n, 0);
    assert_int_equal(chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0),
                     -1);
    turns(&e, 2);
    assert_int_equal(e.dead, 1);
    shut(&e);
    close(fd);
}

static void test_protocol(void **state)
{
    struct msg_inst_done done = { .inst = 1, .seq = 1 };
    static uint8_t buf[PROTO_MAX_SIZE + 100];
    int len;

    (void)state;
    broken("", 0, "empty message");
    broken("x", 1, "cut short");
    memset(buf, 0, sizeof buf);
    broken(buf, 100, "magic");
    len = proto_encode(MSG_inst_done, &done, 1, 1, 0, buf, sizeof buf); /* ipvsd's own word, said by vrrpd */
    broken(buf, (size_t)len, "may not say");
    broken(buf, sizeof buf, "truncated");
}

static void test_not_allowed_now(void **state)
{
    static struct end e;
    int fd;

    (void)state;
    open_raw(&e, &fd);
    e.answer = -1;
    raw_state(fd, 1);
    raw_state(fd, 2);
    turns(&e, 3);
    assert_int_equal(e.n, 1);
    assert_int_equal(e.dead, 1);
    assert_int_equal(e.how, CHAN_END_PROTOCOL);
    shut(&e);
    close(fd);
}

/* Many messages in one datagram: each is judged by itself, and nothing behind the first bad one is heard. */
static void test_packed(void **state)
{
    struct msg_inst_state m = { .inst = 7, .state = 1, .seq = 1 };
    static uint8_t buf[PROTO_MAX_SIZE];
    static struct end e;
    size_t one = (size_t)proto_encode(MSG_inst_state, &m, 1, 9, 0, buf, sizeof buf);
    const uint32_t lies[] = { 0, 19, (uint32_t)one - 4, (uint32_t)one + 4, UINT32_MAX };
    int fd;

    (void)state;
    for (size_t k = 1; k < 4; k++)
        memcpy(buf + k * one, buf, one);
    open_raw(&e, &fd);
    assert_int_equal(send(fd, buf, 4 * one, 0), (ssize_t)(4 * one));
    turns(&e, 1);
    assert_int_equal(e.n, 4);
    assert_int_equal(e.dead, 0);
    assert_int_equal(send(fd, buf, 2 * one + 3, 0), (ssize_t)(2 * one + 3));
    turns(&e, 2);
    assert_int_equal(e.n, 6);
    assert_int_equal(e.how, CHAN_END_PROTOCOL);
    shut(&e);
    close(fd);
    for (size_t k = 0; k < sizeof lies / sizeof *lies; k++) { /* the second lies about its length */
        memcpy(buf + one + offsetof(struct msg_header, length), &lies[k], sizeof lies[k]);
        open_raw(&e, &fd);
        assert_int_equal(send(fd, buf, 4 * one, 0), (ssize_t)(4 * one));
        turns(&e, 2);
        assert_int_equal(e.n, 1);
        assert_int_equal(e.dead, 1);
        assert_int_equal(e.how, CHAN_END_PROTOCOL);
        shut(&e);
        close(fd);
    }
}

/* Who frees the channel at the first hears no second; who refuses the first neither. */
static void test_packed_last(void **state)
{
    struct msg_inst_state m = { .inst = 7, .state = 1, .seq = 1 };
    static uint8_t buf[PROTO_MAX_SIZE];
    size_t one = (size_t)proto_encode(MSG_inst_state, &m, 1, 9, 0, buf, sizeof buf);

    (void)state;
    memcpy(buf + one, buf, one);
    for (int refuse = 0; refuse < 2; refuse++) {
        static struct end e;
        int fd;

        open_raw(&e, &fd);
        e.free_on_msg = refuse == 0;
        e.answer = refuse ? -1 : 0;
        assert_int_equal(send(fd, buf, 2 * one, 0), (ssize_t)(2 * one));
        turns(&e, 2);
        assert_int_equal(e.n, 1);
        assert_int_equal(e.dead, refuse);
        shut(&e);
        close(fd);
    }
}

/* With descriptors a message is alone: whose they are would be a guess. */
static void test_packed_fds(void **state)
{
    struct msg_inst_state m = { .inst = 7, .state = 1, .seq = 1 };
    static uint8_t buf[PROTO_MAX_SIZE];
    size_t one = (size_t)proto_encode(MSG_inst_state, &m, 1, 9, 0, buf, sizeof buf);
    int before = open_fds(), fd;
    static struct end e;

    (void)state;
    memcpy(buf + one, buf, one);
    open_raw(&e, &fd);
    raw_send_fds(fd, buf, 2 * one, 0, 1);
    turns(&e, 2);
    assert_int_equal(e.n, 0);
    assert_int_equal(e.how, CHAN_END_PROTOCOL);
    shut(&e);
    close(fd);
    assert_int_equal(open_fds(), before);
}

/* Descriptors nobody asked for, a few and too many: all closed. */
static void test_foreign_fds(void **state)
{
    struct msg_inst_state m = { .inst = 1, .state = 1, .seq = 1 };
    const unsigned int counts[] = { 1, 4, 8, 9, 32 };
    int before = open_fds();

    (void)state;
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        static struct end e;
        uint8_t buf[PROTO_MAX_SIZE];
        int fd, len = proto_encode(MSG_inst_state, &m, 1, 9, 0, buf, sizeof buf);

        open_raw(&e, &fd);
        raw_send_fds(fd, buf, (size_t)len, 0, counts[k]);
        turns(&e, 2);
        assert_int_equal(e.n, 0);
        assert_int_equal(e.dead, 1);
        assert_int_equal(e.how, CHAN_END_PROTOCOL);
        shut(&e);
        close(fd);
        assert_int_equal(open_fds(), before);
    }
}

/* ---- callbacks that free
 * ------------------------------------------------------------------------------------ */

static void test_free_inside(void **state)
{
    static struct end e;
    int fd, before = open_fds();

    (void)state;
    open_raw(&e, &fd);
    e.free_on_msg = true;
    raw_state(fd, 1);
    raw_state(fd, 2);
    turns(&e, 3);
    assert_int_equal(e.n, 1);
    assert_int_equal(e.dead, 0); /* it freed the channel itself: nothing to tell */
    shut(&e);
    close(fd);

    open_raw(&e, &fd);
    e.free_on_msg = true;
    e.answer = -1;
    raw_state(fd, 1);
    turns(&e, 3);
    assert_int_equal(e.dead, 0);
    shut(&e);
    close(fd);

    open_raw(&e, &fd);
    e.free_on_dead = true;
    close(fd);
    turns(&e, 3);
    assert_int_equal(e.dead, 1);
    assert_null(e.c);
    shut(&e);
    assert_int_equal(open_fds(), before);
}

/* ---- last words -------------------------------------------------------------------------------------------
 */

/* A peer that dies with our messages unread: the kernel says ECONNRESET first, its last words wait behind
 * that. */
static void test_last_words_reset(void **state)
{
    static struct end e;
    int fd;

    (void)state;
    open_raw(&e, &fd);
    assert_int_equal(chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0),
                     0);
    turns(&e, 1); /* in the peer's queue now, never to be read */
    raw_state(fd, 5);
    raw_state(fd, 6);
    close(fd);
    turns(&e, 4);
    assert_int_equal(e.n, 2);
    assert_int_equal(e.first[1], 6);
    assert_int_equal(e.dead, 1);
    assert_int_equal(e.how, CHAN_END_EOF);
    shut(&e);
}

/* We speak first and find the peer gone: what it said before is heard all the same. */
static void test_last_words_pipe(void **state)
{
    static struct end e;
    int fd;

    (void)state;
    open_raw(&e, &fd);
    raw_state(fd, 5);
    close(fd);
    assert_int_equal(chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0),
                     0);
    assert_int_equal(chan_flush(e.c), -1);
    assert_false(chan_alive(e.c)); /* nobody listens any more */
    assert_int_equal(chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0),
                     -1);
    turns(&e, 4);
    assert_int_equal(e.n, 1);
    assert_int_equal(e.first[0], 5);
    assert_int_equal(e.dead, 1);
    assert_int_equal(e.how, CHAN_END_EOF);
    shut(&e);
}

/* Many more than one turn reads. */
static void test_last_words_many(void **state)
{
    static struct end e;
    int fd;

    (void)state;
    open_raw(&e, &fd);
    for (uint32_t k = 1; k <= 200; k++)
        raw_state(fd, k);
    close(fd);
    chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0);
    turns(&e, 6);
    assert_int_equal(e.n, 200);
    assert_int_equal(e.dead, 1);
    assert_int_equal(e.how, CHAN_END_EOF);
    shut(&e);
}

/* It only stops its ears and lives on: as good as gone, whatever it said before, also when that is just what
 * a turn reads. */
static void test_deaf(void **state)
{
    (void)state;
    for (uint32_t words = 0; words <= 130; words++) {
        static struct end e;
        int fd;

        open_raw(&e, &fd);
        for (uint32_t k = 1; k <= words; k++)
            raw_state(fd, k);
        shutdown(fd, SHUT_RD);
        chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0);
        chan_flush(e.c);
        turns(&e, 5);
        assert_int_equal(e.n, words);
        assert_int_equal(e.dead, 1);
        assert_int_equal(e.how, CHAN_END_EOF);
        shut(&e);
        close(fd);
    }
}

/* The kernel limits descriptors in flight (an unprivileged sender: RLIMIT_NOFILE of them): the rest waits,
 * nobody dies. */
static void in_flight(void)
{
    struct msg_sock m = { .sock = 3, .ok = 1 };
    static struct end v, i;
    struct rlimit few = { 60, 60 };
    unsigned int said = 0;

    open_both(&v, &i);
    if (setrlimit(RLIMIT_NOFILE, &few) < 0 || (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0)))
        _exit(3);
    for (; said < 60; said++) {
        int a = dup(0), b = dup(0);

        if (a < 0 || b < 0)
            _exit(4);
        chan_send(i.c, MSG_sock, &m, (int[]){ a, b }, 2);
        chan_flush(i.c);
        if (!chan_alive(i.c))
            _exit(5);
        if (said >= 36)
            turns(&v, said % 2); /* a reader who lags */
    }
    drain(&i, &v);
    _exit(v.n == 60 && v.dead + i.dead == 0 ? 0 : 6);
}

static void test_in_flight(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0)
        in_flight();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocol),
        cmocka_unit_test(test_not_allowed_now),
        cmocka_unit_test(test_foreign_fds),
        cmocka_unit_test(test_free_inside),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_packed_last),
        cmocka_unit_test(test_packed_fds),
        cmocka_unit_test(test_last_words_reset),
        cmocka_unit_test(test_last_words_pipe),
        cmocka_unit_test(test_last_words_many),
        cmocka_unit_test(test_deaf),
        cmocka_unit_test(test_in_flight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
