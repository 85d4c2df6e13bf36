/*
 * test_vrrpd_told.c - what a user's scripts, FIFO and mails are told, compared with keepalived: lower adverts
 * a MASTER hears, a sync group at start and at a reload, what an owner's trackers may do. The process around
 * it is false (vrrpd_false.h).
 */
#include "test/unit/vrrpd_false.h"

struct member {
    const char *name;
    uint8_t vrid, priority;
    bool file;     /* tracks the file F, weight 0 */
    int if_weight; /* of eth1; 0: not tracked */
};

struct plan {
    uint32_t generation;
    bool group, mail;
    size_t n;
    struct member m[2];
};

static void put_member(struct slice_writer *w, const struct member *m, bool group)
{
    uint32_t id = slice_put_obj(w, BLK_VI, 0, m->name, 1);
    struct ipaddr a;
    slice_put_uint(w, KW_VI_VIRTUAL_ROUTER_ID, m->vrid);
    slice_put_uint(w, KW_VI_PRIORITY, m->priority);
    slice_put_uint(w, KW_VI_VERSION, 3);
    slice_put_uint(w, KW_VI_X_FAMILY, 4);
    slice_put_str(w, KW_VI_INTERFACE, "eth0");
    slice_put_str(w, KW_VI_X_SOCKET, "eth0/4/mcast/224.0.0.18");
    slice_put_us(w, KW_VI_ADVERT_INT, 1000000);
    if (group)
        slice_put_str(w, KW_VI_X_SYNC, "G");
    slice_put_obj(w, BLK_ADDR, id, "10.0.0.100/24", 2);
    assert_int_equal(ipaddr_parse_prefix("10.0.0.100/24", &a), 0);
    slice_put_ip(w, KW_ADDR_ADDRESS, &a);
    if (m->file) {
        slice_put_obj(w, BLK_TRK_FILE, id, "F", 3);
        slice_put_int(w, KW_TRK_FILE_WEIGHT, 0);
    }
    if (m->if_weight != 0) {
        slice_put_obj(w, BLK_TRK_IF, id, "eth1", 4);
        slice_put_int(w, KW_TRK_IF_WEIGHT, m->if_weight);
    }
}

static struct slice *slice_of(const struct plan *p)
{
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, p->generation);
    struct err e;
    size_t len;
    slice_put_obj(w, BLK_IFACE, 0, "eth0", 0);
    slice_put_obj(w, BLK_IFACE, 0, "eth1", 0);
    slice_put_obj(w, BLK_SOCKET, 0, "eth0/4/mcast/224.0.0.18", 0);
    slice_put_uint(w, KW_SOCKET_X_FAMILY, 4);
    slice_put_str(w, KW_SOCKET_X_IFACE, "eth0");
    slice_put_obj(w, BLK_TFILE, 0, "F", 0);
    if (p->group) {
        slice_put_obj(w, BLK_SYNC, 0, "G", 0);
        for (size_t n = 0; n < p->n; n++)
            slice_put_str(w, KW_SYNC_GROUP, p->m[n].name);
        if (p->mail)
            slice_put_bool(w, KW_SYNC_SMTP_ALERT, true);
    }
    for (size_t n = 0; n < p->n; n++)
        put_member(w, &p->m[n], p->group);
    const void *bytes = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(bytes, len, ROLE_VRRPD, &e);
    assert_non_null(s);
    slice_writer_free(w);
    return s;
}

/* Everything is up; of the file nothing is known. */
static struct child *boot(const struct plan *p)
{
    struct child *c = start(slice_of(p), NULL);
    meet_ipvsd(c);
    tell_link(c, "eth0", true);
    tell_link(c, "eth1", true);
    tell_sock(c, "eth0");
    tell_done(c);
    turns(c);
    return c;
}

static void forget(struct child *c)
{
    c->test->to_parent.text[0] = '\0';
}

static unsigned int told(const struct child *c, enum blk blk, const char *name, const char *what)
{
    char want[64];
    unsigned int n = 0;
    snprintf(want, sizeof want, "%u%s ", id_of(c, blk, name), what);
    for (const char *at = c->test->to_parent.text; (at = strstr(at, want)) != NULL; at++)
        n += at == c->test->to_parent.text || at[-1] == ' ';
    return n;
}

static void test_owner_has_no_weighted_interface(void **state)
{
    (void)state;
    static const struct plan p = { .generation = 1, .n = 1, .m = { { "A", 1, 255, false, -20 } } };
    struct child *c = boot(&p);
    assert_int_equal(state_of(c, 0), VRRP_STATE_MASTER);
    tell_link(c, "eth1", false);
    turns(c);
    assert_int_equal(state_of(c, 0), VRRP_STATE_MASTER);
    finish(c);
}

/* What the trackers make of the priority is told before the first BACKUP, which carries it. */
static void test_priority_at_start(void **state)
{
    (void)state;
    char want[64];
    static const struct plan p = { .generation = 1, .n = 1, .m = { { "A", 1, 100, false, 20 } } };
    struct child *c = boot(&p);
    uint32_t id = id_of(c, BLK_VI, "A");
    snprintf(want, sizeof want, "%u:priority120 %u=BACKUP ", id, id);
    assert_string_equal(c->test->to_parent.text, want);
    finish(c);
}

static const struct plan alone = { .generation = 1, .n = 1, .m = { { "A", 1, 100, false, 0 } } };

static struct child *master(const struct plan *p)
{
    struct child *c = boot(p);
    pass(c, T0 + 4 * NS_PER_SEC);
    assert_int_equal(state_of(c, 0), VRRP_STATE_MASTER);
    forget(c);
    return c;
}

/* Equal priority from a lower address is a lower one; its own address is nobody. */
static void test_equal_from_a_lower_address(void **state)
{
    (void)state;
    struct child *c = master(&alone);
    advert_from(c->test->accept_far, 1, 100, "10.0.0.100", "10.0.0.4");
    turns(c);
    assert_int_equal(told(c, BLK_VI, "A", ":lower100"), 1);
    advert_from(c->test->accept_far, 1, 100, "10.0.0.100", "10.0.0.5");
    turns(c);
    assert_int_equal(told(c, BLK_VI, "A", ":lower100"), 1);
    assert_int_equal(state_of(c, 0), VRRP_STATE_MASTER);
    finish(c);
}

/* Who advertises at an ordinary pace is told every time, a flood is not. */
static void test_lower_adverts(void **state)
{
    (void)state;
    struct child *c = master(&alone);
    for (int n = 0; n < 20; n++) {
        advert_to(c->test->accept_far, 1, 50, "10.0.0.100");
        pass(c, c->test->now + 300 * NS_PER_MS);
    }
    assert_int_equal(told(c, BLK_VI, "A", ":lower100"), 20);
    pass(c, c->test->now + 10 * NS_PER_SEC);
    forget(c);
    for (int n = 0; n < 100; n++) {
        advert_to(c->test->accept_far, 1, 50, "10.0.0.100");
        pass(c, c->test->now + 10 * NS_PER_MS);
    }
    assert_in_range(told(c, BLK_VI, "A", ":lower100"), 8, 12);
    finish(c);
}

/* The mail queue comes late: the group's BACKUP is not overtaken by its MASTER. */
static void test_group_mail_at_start(void **state)
{
    (void)state;
    char want[32];
    static const struct plan p = {
        .generation = 1, .group = true, .mail = true, .n = 1, .m = { { "A", 1, 100, false, 0 } }
    };
    struct child *c = boot(&p);
    meet_checkd(c);
    pass(c, c->test->now + 20 * NS_PER_MS);
    snprintf(want, sizeof want, "%u=BACKUP ", id_of(c, BLK_SYNC, "G"));
    assert_string_equal(c->test->to_checkd.text, want);
    finish(c);
}

static const struct plan apart = { .generation = 1,
                                   .n = 2,
                                   .m = { { "A", 1, 100, false, 0 }, { "B", 2, 100, true, 0 } } };

/* A reload makes a group of two that were apart: what it makes of them is its first word. */
static void test_reload_makes_a_group(void **state)
{
    (void)state;
    for (unsigned int bad = 0; bad < 2; bad++) {
        struct plan together = apart;
        struct child *c = boot(&apart);
        tell_file(c, bad);
        pass(c, c->test->now + 5 * NS_PER_SEC);
        assert_int_equal(state_of(c, 0), VRRP_STATE_MASTER);
        assert_int_equal(state_of(c, 1), bad ? VRRP_STATE_FAULT : VRRP_STATE_MASTER);
        forget(c);
        together.generation = 2;
        together.group = true;
        chan_set_generation(c->test->ipvsd_far, 2);
        commit(c, slice_of(&together));
        turns(c);
        assert_int_equal(told(c, BLK_VI, "A", "=FAULT"), bad);
        assert_int_equal(told(c, BLK_SYNC, "G", "=FAULT"), bad);
        assert_true(bad || strcmp(c->test->to_parent.text, "") == 0);
        finish(c);
    }
}

/* A member waits for its first result: its mates wait with it, and nobody is told a BACKUP that ends. */
static void test_group_waits_for_a_first_result(void **state)
{
    (void)state;
    for (unsigned int bad = 0; bad < 2; bad++) {
        struct plan p = apart;
        p.group = true;
        struct child *c = boot(&p);
        pass(c, c->test->now + NS_PER_SEC);
        assert_string_equal(c->test->to_parent.text, "");
        tell_file(c, bad);
        turns(c);
        const char *yes = bad ? "=FAULT" : "=BACKUP", *no = bad ? "=BACKUP" : "=FAULT";
        static const struct {
            enum blk blk;
            const char *name;
        } who[] = { { BLK_SYNC, "G" }, { BLK_VI, "A" }, { BLK_VI, "B" } };
        for (size_t n = 0; n < 3; n++) {
            assert_int_equal(told(c, who[n].blk, who[n].name, yes), 1);
            assert_int_equal(told(c, who[n].blk, who[n].name, no), 0);
        }
        finish(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owner_has_no_weighted_interface),
        cmocka_unit_test(test_priority_at_start),
        cmocka_unit_test(test_equal_from_a_lower_address),
        cmocka_unit_test(test_lower_adverts),
        cmocka_unit_test(test_group_mail_at_start),
        cmocka_unit_test(test_reload_makes_a_group),
        cmocka_unit_test(test_group_waits_for_a_first_result),
    };
    log_init(ROLE_VRRPD, LOG_LEVEL_DEBUG);
    log_sink(quiet, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
