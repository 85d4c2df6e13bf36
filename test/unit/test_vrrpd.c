/*
 * test_vrrpd.c - vrrpd's life with a false parent and a false ipvsd (vrrpd_false.h): start, facts, takeover,
 * reload with shifting ids, a crash with snapshots, an ipvsd that dies, stop in the right order.
 */
#include "test/unit/vrrpd_false.h"

static const struct vi one[] = { { "VI_1", "eth0", 51, 128, 1000000, "10.0.0.100/24" } };

static struct child *master_of(const struct vi *v)
{
    struct child *c = start(make_slice(1, v, 1), NULL);
    meet_ipvsd(c);
    tell_link(c, "eth0", true);
    tell_sock(c, "eth0");
    tell_done(c);
    turns(c);
    pass(c, T0 + 3600 * NS_PER_MS);
    memset(c->test->to_parent.text, 0, sizeof c->test->to_parent.text);
    memset(c->test->to_ipvsd.text, 0, sizeof c->test->to_ipvsd.text);
    return c;
}

static struct child *master(void)
{
    return master_of(one);
}

static uint64_t stat_of(struct child *c, const char *name)
{
    char buf[4096] = { 0 };
    int fd = memfd_create("stats", MFD_CLOEXEC);
    assert_true(fd >= 0);
    c->ops->on_dump(c, DUMP_WHAT_STATS, fd, c->arg);
    assert_true(pread(fd, buf, sizeof buf - 1, 0) > 0);
    close(fd);
    const char *at = strstr(buf, name);
    assert_non_null(at);
    return strtoull(at + strlen(name), NULL, 10);
}

/* ---- tests */

static void test_cold_start(void **state)
{
    (void)state;
    struct child *c = start(make_slice(1, one, 1), NULL);
    meet_ipvsd(c);
    tell_link(c, "eth0", true);
    tell_sock(c, "eth0");
    turns(c);
    assert_string_equal(c->test->to_ipvsd.text,
                        ""); /* nothing is known to be wanted before everything has been told */
    assert_string_equal(c->test->to_parent.text, "");
    tell_done(c);
    turns(c);
    uint32_t id = id_of(c, BLK_VI, "VI_1");
    char want[128];
    snprintf(want, sizeof want, "%u=BACKUP ", id);
    assert_string_equal(c->test->to_parent.text, want);
    snprintf(want, sizeof want, "g1:%u=BACKUP g1:sync ", id);
    assert_string_equal(c->test->to_ipvsd.text, want);
    pass(c, T0 + 3499 * NS_PER_MS);
    assert_string_equal(c->test->to_ipvsd.text, want);
    assert_true(stat_of(c, "Sent: ") == 0);
    pass(c, T0 + 3501 * NS_PER_MS);
    snprintf(want, sizeof want, "g1:%u=BACKUP g1:sync g1:%u=MASTER will%u ", id, id, id);
    assert_string_equal(c->test->to_ipvsd.text, want);
    assert_true(stat_of(c, "Sent: ") == 1);
    pass(c, T0 + 13501 * NS_PER_MS);
    assert_true(stat_of(c, "Sent: ") == 11);
    finish(c);
}

static void test_facts_decide(void **state)
{
    (void)state;
    struct child *c = start(make_slice(1, one, 1), NULL);
    uint32_t id = id_of(c, BLK_VI, "VI_1");
    char want[128];
    meet_ipvsd(c);
    tell_link(c, "eth0", false);
    tell_sock(c, "eth0");
    tell_done(c);
    turns(c);
    snprintf(want, sizeof want, "%u=FAULT ", id);
    assert_string_equal(c->test->to_parent.text, want);
    pass(c, T0 + 100 * NS_PER_SEC);
    assert_true(stat_of(c, "Sent: ") == 0);
    tell_link(c, "eth0", true);
    pass(c, T0 + 110 * NS_PER_SEC);
    snprintf(want, sizeof want, "%u=FAULT %u=BACKUP %u=MASTER ", id, id, id);
    assert_string_equal(c->test->to_parent.text, want);
    tell_link(c, "eth0", false);
    turns(c);
    assert_true(stat_of(c, "Priority Zero:\n    Received: 0\n    Sent: ") == 1);
    finish(c);
}

static void test_packets(void **state)
{
    (void)state;
    struct child *c = master();
    uint32_t id = id_of(c, BLK_VI, "VI_1");
    char want[128];
    advert_to(c->test->reject_far, 51, 200,
              "10.0.0.100"); /* a perfect advert, but not where adverts come in */
    advert_to(c->test->accept_far, 52, 200, "10.0.0.100"); /* nobody's VRID */
    turns(c);
    assert_string_equal(c->test->to_parent.text, "");
    for (int i = 0; i < 200; i++)
        advert_to(c->test->reject_far, 51, 200, "10.0.0.100");
    pass(c, c->test->now + 5 * NS_PER_SEC);
    assert_string_equal(c->test->to_parent.text, "");
    uint64_t sent = stat_of(c, "Sent: ");
    advert_to(c->test->accept_far, 51, 50, "10.0.0.100"); /* lower: answered and announced again */
    turns(c);
    snprintf(want, sizeof want, "garp%u ", id);
    assert_string_equal(c->test->to_ipvsd.text, want);
    assert_true(stat_of(c, "Sent: ") == sent + 1);
    for (int i = 0; i < 20; i++)
        advert_to(c->test->accept_far, 51, 50, "10.0.0.100");
    turns(c);
    char lower[256] = "";
    snprintf(want, sizeof want, "%u:lower128 ", id);
    for (int i = 0; i < 8; i++) /* a burst, not each of them */
        strcat(lower, want);
    assert_string_equal(c->test->to_parent.text, lower);
    advert_to(c->test->accept_far, 51, 200, "10.0.0.100");
    turns(c);
    snprintf(want, sizeof want, "%u=BACKUP ", id);
    assert_string_equal(c->test->to_parent.text, strcat(lower, want));
    snprintf(want, sizeof want, "garp%u g1:%u=BACKUP ", id, id);
    assert_string_equal(c->test->to_ipvsd.text, want);
    finish(c);
}

#define TICK (10 * NS_PER_MS + NS_PER_MS / 4) /* of routers with an interval of 1 s, and a little more */

/* Many adverts are read by the clock, and still every one of them is heard; a quiet socket wakes us again. */
static void test_busy_socket(void **state)
{
    (void)state;
    struct child *c = master();
    uint32_t id = id_of(c, BLK_VI, "VI_1");
    char want[64];
    for (int i = 0; i < 100; i++) {
        advert_to(c->test->accept_far, 52, 200, "10.0.0.102");
        c->test->now += 100 * NS_PER_US;
        ev_turn(c->ev, 0);
    }
    advert_to(c->test->accept_far, 51, 200, "10.0.0.100");
    turns(c);
    assert_string_equal(c->test->to_parent.text, ""); /* not a wake-up each */
    pass(c, c->test->now + TICK);
    snprintf(want, sizeof want, "%u=BACKUP ", id);
    assert_string_equal(c->test->to_parent.text, want);
    pass(c, c->test->now + 5 * NS_PER_SEC); /* silence: MASTER again */
    c->test->to_parent.text[0] = '\0';
    advert_to(c->test->accept_far, 51, 200, "10.0.0.100");
    turns(c);
    assert_string_equal(c->test->to_parent.text, want);
    finish(c);
}

/* Adverts that come further apart than a tick's half are many all the same: over many interfaces they would
 * be a wake-up each. When there are few the clock gives the socket back. */
static void test_busy_rate(void **state)
{
    (void)state;
    struct child *c = master();
    char want[64];
    snprintf(want, sizeof want, "%u=BACKUP ", id_of(c, BLK_VI, "VI_1"));
    for (int i = 0; i < 80; i++) {
        advert_to(c->test->accept_far, 52, 200, "10.0.0.102");
        pass(c, c->test->now + 1500 * NS_PER_US);
    }
    c->test->to_parent.text[0] = '\0';
    pass(c, c->test->now + NS_PER_MS / 4); /* off the ticks */
    advert_to(c->test->accept_far, 51, 200, "10.0.0.100");
    turns(c);
    assert_string_equal(c->test->to_parent.text, "");
    pass(c, c->test->now + TICK);
    assert_string_equal(c->test->to_parent.text, want);
    for (int i = 0; i < 20; i++) { /* few: one in 40 ms, less than what 32 ticks are worth */
        advert_to(c->test->accept_far, 51, 200, "10.0.0.100");
        pass(c, c->test->now + 40 * NS_PER_MS);
    }
    assert_int_equal(c->test->now + 40 * NS_PER_MS <= ev_next_deadline(c->ev), true); /* no tick */
    finish(c);
}

/* Nothing waits longer in the kernel than the skew time, 7.8 ms here: a resignation is heard in time. */
static void test_busy_skew(void **state)
{
    (void)state;
    static const struct vi high[] = { { "VI_1", "eth0", 51, 254, 1000000, "10.0.0.100/24" } };
    struct child *c = master_of(high);
    char want[64];
    snprintf(want, sizeof want, "%u=BACKUP ", id_of(c, BLK_VI, "VI_1"));
    for (int i = 0; i < 100; i++) {
        advert_to(c->test->accept_far, 52, 200, "10.0.0.102");
        pass(c, c->test->now + 500 * NS_PER_US);
    }
    uint64_t tick = ev_next_deadline(c->ev); /* just behind one */
    pass(c, tick);
    c->test->to_parent.text[0] = '\0';
    advert_to(c->test->accept_far, 51, 255, "10.0.0.100");
    turns(c);
    assert_string_equal(c->test->to_parent.text, "");
    pass(c, tick + 2 * NS_PER_SEC / 256 + NS_PER_MS / 4);
    assert_string_equal(c->test->to_parent.text, want);
    finish(c);
}

/* A flood fills the socket's buffer in a long tick: it gets short ones, and what is true is heard among it.
 */
static void test_busy_flood(void **state)
{
    (void)state;
    struct child *c = master();
    char want[64];
    snprintf(want, sizeof want, "%u=BACKUP ", id_of(c, BLK_VI, "VI_1"));
    for (int i = 0; i < 400; i++) {
        advert_to(c->test->accept_far, 52, 200, "10.0.0.102");
        pass(c, c->test->now + 20 * NS_PER_US);
    }
    c->test->to_parent.text[0] = '\0';
    advert_to(c->test->accept_far, 51, 200, "10.0.0.100");
    pass(c, c->test->now + 3 * NS_PER_MS);
    assert_string_equal(c->test->to_parent.text, want);
    finish(c);
}

static const struct vi three[] = {
    { "NEW", "eth1", 9, 50, 1000000, "10.1.0.100/24" },
    { "VI_1", "eth0", 51, 140, 300000, "10.0.0.100/24" },
    { "VI_2", "eth0", 52, 140, 1000000, "10.0.0.102/24" },
};

static void test_reload_shifts_ids(void **state)
{
    (void)state;
    struct child *c = master();
    struct slice *next = make_slice(2, three, 3);
    uint32_t was = id_of(c, BLK_VI, "VI_1");
    uint64_t sent = stat_of(c, "Sent: ");
    struct slice *old = c->slice;
    /* ipvsd commits first and speaks in the new generation before we are told to commit */
    c->slice = next;
    chan_set_generation(c->test->ipvsd_far, 2);
    tell_link(c, "eth1", true);
    tell_sock(c, "eth1");
    tell_done(c);
    c->slice = old;
    turns(c);
    assert_string_equal(c->test->to_parent.text, "");
    commit(c, next);
    turns(c);
    uint32_t new_id = id_of(c, BLK_VI, "NEW"), id1 = id_of(c, BLK_VI, "VI_1"), id2 = id_of(c, BLK_VI, "VI_2");
    assert_int_not_equal(was, id1);
    char want[256];
    snprintf(want, sizeof want, "%u:priority140 %u=BACKUP %u=BACKUP ", id1, id2, new_id);
    char other[256];
    snprintf(other, sizeof other, "%u:priority140 %u=BACKUP %u=BACKUP ", id1, new_id, id2);
    assert_true(strcmp(c->test->to_parent.text, want) == 0 || strcmp(c->test->to_parent.text, other) == 0);
    snprintf(want, sizeof want, "g2:%u=BACKUP g2:%u=MASTER will%u g2:%u=BACKUP g2:sync ", new_id, id1, id1,
             id2);
    assert_string_equal(c->test->to_ipvsd.text, want);
    assert_true(stat_of(c, "VI_1\n  Advertisements:\n    Received: 0\n    Sent: ") == sent + 1); /* at once */
    pass(c, c->test->now + 3 * NS_PER_SEC);
    assert_true(stat_of(c, "VI_1\n  Advertisements:\n    Received: 0\n    Sent: ") == sent + 11);
    /* and back: the others resign, VI_1 stays */
    pass(c, c->test->now + 10 * NS_PER_SEC);
    memset(c->test->to_parent.text, 0, sizeof c->test->to_parent.text);
    memset(c->test->to_ipvsd.text, 0, sizeof c->test->to_ipvsd.text);
    chan_set_generation(c->test->ipvsd_far, 3);
    commit(c, make_slice(3, &three[1], 1));
    turns(c);
    assert_string_equal(c->test->to_parent.text, "");
    snprintf(want, sizeof want, "g3:%u=MASTER will%u g3:sync ", id_of(c, BLK_VI, "VI_1"),
             id_of(c, BLK_VI, "VI_1"));
    assert_string_equal(c->test->to_ipvsd.text, want);
    size_t kept = 0;
    for (size_t k = 0; k < FALSE_KEPT; k++)
        kept += c->kept[k].used && c->kept[k].key != SNAPSHOT_KEY_ALIVE;
    assert_int_equal(kept, 1);
    finish(c);
}

static void test_reload_unchanged(void **state)
{
    (void)state;
    struct child *c = master();
    uint64_t sent = stat_of(c, "Sent: ");
    chan_set_generation(c->test->ipvsd_far, 2);
    commit(c, make_slice(2, one, 1));
    turns(c);
    assert_true(stat_of(c, "Sent: ") == sent);
    assert_string_equal(c->test->to_parent.text, "");
    struct vi renumbered = one[0];
    renumbered.vrid = 52; /* another virtual router: the old one resigns, the new one starts over */
    chan_set_generation(c->test->ipvsd_far, 3);
    commit(c, make_slice(3, &renumbered, 1));
    turns(c);
    char want[64];
    snprintf(want, sizeof want, "%u=BACKUP ", id_of(c, BLK_VI, "VI_1"));
    assert_string_equal(c->test->to_parent.text, want);
    finish(c);
}

static struct child *successor(struct child *dead, uint64_t after)
{
    dead->test->now += after;
    struct child *c = start(make_slice(1, one, 1), dead);
    meet_ipvsd(c);
    tell_link(c, "eth0", true);
    tell_sock(c, "eth0");
    tell_done(c);
    return c;
}

static void test_crash(void **state)
{
    (void)state;
    char want[128];
    static const struct {
        uint64_t after;
        uint8_t heard; /* priority of an advert in the queue, 0: none */
        const char *parent, *ipvsd;
    } rows[] = {
        { 50 * NS_PER_MS, 0, "", "g1:%u=MASTER will%u g1:sync " },
        { 2000 * NS_PER_MS, 0, "", "g1:%u=MASTER will%u g1:sync " },
        { 50 * NS_PER_MS, 50, "%u:lower128 ", "garp%u g1:%u=MASTER will%u g1:sync " },
        { 50 * NS_PER_MS, 200, "%u=BACKUP ", "g1:%u=BACKUP g1:sync " },
        { 30 * NS_PER_SEC, 0, "%u=BACKUP ", "g1:%u=BACKUP g1:sync " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct child *dead = master();
        uint32_t id = id_of(dead, BLK_VI, "VI_1");
        struct child *c = successor(dead, rows[i].after);
        if (rows[i].heard != 0)
            advert_to(c->test->accept_far, 51, rows[i].heard, "10.0.0.100");
        turns(c);
        snprintf(want, sizeof want, rows[i].parent, id);
        assert_string_equal(c->test->to_parent.text, want);
        snprintf(want, sizeof want, rows[i].ipvsd, id, id, id);
        assert_string_equal(c->test->to_ipvsd.text, want);
        finish(c);
        finish(dead);
    }
}

static void test_crash_keeps_the_grid(void **state)
{
    (void)state;
    struct child *dead = master(); /* MASTER at 3.5 s, the next point of the grid is 4.5 s; now 3.6 s */
    struct child *c = successor(dead, 400 * NS_PER_MS);
    turns(c);
    uint64_t sent = stat_of(c, "Sent: ");
    pass(c, T0 + 4499 * NS_PER_MS);
    assert_true(stat_of(c, "Sent: ") == sent);
    pass(c, T0 + 4501 * NS_PER_MS);
    assert_true(stat_of(c, "Sent: ") == sent + 1);
    finish(c);
    finish(dead);
}

static void test_ipvsd_dies(void **state)
{
    (void)state;
    struct child *c = master();
    uint32_t id = id_of(c, BLK_VI, "VI_1");
    char want[128];
    uint64_t sent = stat_of(c, "Sent: ");
    lose_ipvsd(c);
    pass(c, c->test->now + 5 * NS_PER_SEC);
    assert_true(stat_of(c, "Sent: ") == sent + 5); /* the sockets at hand go on */
    meet_ipvsd(c);
    turns(c);
    snprintf(want, sizeof want, "g1:%u=MASTER will%u g1:sync ", id, id);
    assert_string_equal(c->test->to_ipvsd.text, want);
    advert_to(c->test->accept_far, 51, 200,
              "10.0.0.100"); /* still in the old queue when the new sockets come */
    tell_sock(c, "eth0");
    turns(c);
    snprintf(want, sizeof want, "%u=BACKUP ", id);
    assert_string_equal(c->test->to_parent.text, want);
    finish(c);
}

static void test_stop(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) { /* confirmed, not confirmed, -V, without ipvsd */
        struct child *c = master();
        uint32_t id = id_of(c, BLK_VI, "VI_1");
        uint64_t sent = stat_of(c, "Sent: ");
        char want[64];
        c->keep = how == 2;
        if (how == 3)
            lose_ipvsd(c);
        c->ops->on_stop(c, STOP_WHY_SHUTDOWN, c->arg);
        turns(c);
        snprintf(want, sizeof want, "g1:%u=STOP ", id);
        assert_string_equal(c->test->to_ipvsd.text, how >= 2 ? "" : want);
        if (how < 2) { /* the addresses go before priority 0 leaves */
            assert_false(c->stopped);
            assert_true(stat_of(c, "Sent: ") == sent);
        }
        if (how == 0) {
            struct msg_inst_done m = { .inst = id, .seq = c->test->to_ipvsd.seq[id] };
            chan_send(c->test->ipvsd_far, MSG_inst_done, &m, NULL, 0);
            turns(c);
        } else if (how == 1) {
            pass(c, c->test->now + 101 * NS_PER_MS);
        }
        assert_true(c->stopped);
        assert_true(stat_of(c, "Sent: ") == sent + 1);
        assert_true(stat_of(c, "Priority Zero:\n    Received: 0\n    Sent: ") == 1);
        pass(c, c->test->now + 5 * NS_PER_SEC);
        assert_true(stat_of(c, "Sent: ") == sent + 1);
        finish(c);
    }
}

static void test_restart_on_purpose(void **state)
{
    (void)state;
    struct child *dead = master();
    dead->ops->on_stop(dead, STOP_WHY_RESTART, dead->arg);
    turns(dead);
    assert_true(dead->stopped);
    assert_string_equal(dead->test->to_ipvsd.text, "");
    assert_true(stat_of(dead, "Priority Zero:\n    Received: 0\n    Sent: ") == 0);
    struct child *c = successor(dead, 30 * NS_PER_MS);
    turns(c);
    assert_string_equal(c->test->to_parent.text, "");
    finish(c);
    finish(dead);
}

/* ---- a sync group: what the simulation of towns (test/sim) has found */

static void put_vi(struct slice_writer *w, const char *name, uint8_t vrid, bool tracks)
{
    uint32_t id = slice_put_obj(w, BLK_VI, 0, name, 1);
    struct ipaddr a;
    slice_put_uint(w, KW_VI_VIRTUAL_ROUTER_ID, vrid);
    slice_put_uint(w, KW_VI_PRIORITY, 100);
    slice_put_uint(w, KW_VI_VERSION, 3);
    slice_put_uint(w, KW_VI_X_FAMILY, 4);
    slice_put_str(w, KW_VI_INTERFACE, "eth0");
    slice_put_str(w, KW_VI_X_SOCKET, "eth0/4/mcast/224.0.0.18");
    slice_put_us(w, KW_VI_ADVERT_INT, 1000000);
    slice_put_str(w, KW_VI_X_SYNC, "G");
    slice_put_obj(w, BLK_ADDR, id, "10.0.0.100/24", 2);
    assert_int_equal(ipaddr_parse_prefix("10.0.0.100/24", &a), 0);
    slice_put_ip(w, KW_ADDR_ADDRESS, &a);
    if (tracks)
        slice_put_obj(w, BLK_TRK_FILE, id, "F", 3);
    if (tracks)
        slice_put_int(w, KW_TRK_FILE_WEIGHT, 0);
}

static struct slice *group_slice(uint32_t generation, bool a_tracks, bool b_tracks)
{
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, generation);
    struct err e;
    size_t len;
    slice_put_obj(w, BLK_IFACE, 0, "eth0", 0);
    slice_put_obj(w, BLK_SOCKET, 0, "eth0/4/mcast/224.0.0.18", 0);
    slice_put_uint(w, KW_SOCKET_X_FAMILY, 4);
    slice_put_str(w, KW_SOCKET_X_IFACE, "eth0");
    slice_put_obj(w, BLK_TFILE, 0, "F", 0);
    slice_put_obj(w, BLK_SYNC, 0, "G", 0);
    slice_put_str(w, KW_SYNC_GROUP, "A");
    slice_put_str(w, KW_SYNC_GROUP, "B");
    put_vi(w, "A", 1, a_tracks);
    put_vi(w, "B", 2, b_tracks);
    const void *bytes = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(bytes, len, ROLE_VRRPD, &e);
    assert_non_null(s);
    slice_writer_free(w);
    return s;
}

/* A member in FAULT that does not yet know whether it may leave it keeps the others there. */
static void test_pending_member_holds_group_in_fault(void **state)
{
    (void)state;
    struct child *c = start(group_slice(1, false, true), NULL);
    meet_ipvsd(c);
    tell_sock(c, "eth0");
    tell_link(c, "eth0", false);
    tell_done(c);
    turns(c);
    assert_int_equal(state_of(c, 0), VRRP_STATE_FAULT);
    assert_int_equal(state_of(c, 1), VRRP_STATE_FAULT);
    tell_link(c, "eth0", true); /* B's file has not been told */
    turns(c);
    assert_int_equal(state_of(c, 1), VRRP_STATE_FAULT);
    assert_int_equal(state_of(c, 0), VRRP_STATE_FAULT);
    tell_file(c, 0);
    turns(c);
    assert_int_equal(state_of(c, 0), VRRP_STATE_BACKUP);
    assert_int_equal(state_of(c, 1), VRRP_STATE_BACKUP);
    finish(c);
}

/* A reload frees A, and with it B whose own turn has not come: B's word carries the id it has now. */
static void test_reload_of_a_group_says_new_ids(void **state)
{
    (void)state;
    char want[32];
    struct child *c = start(group_slice(1, true, false), NULL);
    meet_ipvsd(c);
    tell_sock(c, "eth0");
    tell_link(c, "eth0", true);
    tell_file(c, 1);
    tell_done(c);
    turns(c);
    assert_int_equal(state_of(c, 1), VRRP_STATE_FAULT);
    uint32_t before = id_of(c, BLK_VI, "B");
    c->test->to_parent.text[0] = '\0';
    commit(c, group_slice(2, false, false));
    turns(c);
    assert_int_equal(state_of(c, 1), VRRP_STATE_BACKUP);
    assert_int_not_equal(id_of(c, BLK_VI, "B"), before);
    snprintf(want, sizeof want, "%u=BACKUP ", id_of(c, BLK_VI, "B"));
    assert_non_null(strstr(c->test->to_parent.text, want));
    finish(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cold_start),
        cmocka_unit_test(test_facts_decide),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_busy_socket),
        cmocka_unit_test(test_busy_rate),
        cmocka_unit_test(test_busy_skew),
        cmocka_unit_test(test_busy_flood),
        cmocka_unit_test(test_reload_shifts_ids),
        cmocka_unit_test(test_reload_unchanged),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_crash_keeps_the_grid),
        cmocka_unit_test(test_ipvsd_dies),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_restart_on_purpose),
        cmocka_unit_test(test_pending_member_holds_group_in_fault),
        cmocka_unit_test(test_reload_of_a_group_says_new_ids),
    };
    log_init(ROLE_VRRPD, LOG_LEVEL_DEBUG);
    log_sink(quiet, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
