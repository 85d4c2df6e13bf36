/*
 * slice.c - the plan of a house as vrrpd is told it: a slice, as holdfast-conf would write it. Called by
 * house.c.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "test/sim/house.h"

static const char *const own_link = "eth0", *const group_name = "G";

void house_name(char *buf, size_t size, enum track_kind kind, unsigned int target)
{
    static const char *const what[TRACK_KINDS] = { [TRACK_IF] = "eth",
                                                   [TRACK_SCRIPT] = "script",
                                                   [TRACK_FILE] = "file",
                                                   [TRACK_PROC] = "proc",
                                                   [TRACK_BFD] = "bfd" };
    snprintf(buf, size, "%s%u", what[kind], target + 1);
}

/* ---- configuration */

static void slice_targets(struct slice_writer *w, const struct plan *p)
{
    char name[32];
    for (unsigned int k = 0; k < TARGETS; k++) {
        house_name(name, sizeof name, TRACK_IF, k);
        slice_put_obj(w, BLK_IFACE, 0, name, 0);
    }
    for (unsigned int k = 0; k < TARGETS; k++) {
        house_name(name, sizeof name, TRACK_SCRIPT, k);
        slice_put_obj(w, BLK_SCRIPT, 0, name, 0);
        slice_put_raw(w, KW_SCRIPT_SCRIPT, name, strlen(name) + 1);
        slice_put_us(w, KW_SCRIPT_INTERVAL, p->script_interval / NS_PER_US);
        slice_put_uint(w, KW_SCRIPT_RISE, SCRIPT_RISE);
        slice_put_uint(w, KW_SCRIPT_FALL, SCRIPT_FALL);
        slice_put_bool(w, KW_SCRIPT_INIT_FAIL, k == 0);
    }
    for (unsigned int k = 0; k < TARGETS; k++) {
        house_name(name, sizeof name, TRACK_FILE, k);
        slice_put_obj(w, BLK_TFILE, 0, name, 0);
    }
    for (unsigned int k = 0; k < TARGETS; k++) {
        house_name(name, sizeof name, TRACK_PROC, k);
        slice_put_obj(w, BLK_PROC, 0, name, 0);
        slice_put_uint(w, KW_PROC_QUORUM, 1);
        slice_put_us(w, KW_PROC_TERMINATE_DELAY, p->proc_delay / NS_PER_US);
        slice_put_us(w, KW_PROC_FORK_DELAY, p->proc_delay / NS_PER_US);
    }
    if (p->link_delay > 0) {
        slice_put_obj(w, BLK_UPDOWN, 0, own_link, 0);
        slice_put_us(w, KW_UPDOWN_X_DOWN, p->link_delay / NS_PER_US);
        slice_put_us(w, KW_UPDOWN_X_UP, 2 * p->link_delay / NS_PER_US);
    }
}

static void slice_lines(struct slice_writer *w, uint32_t parent, const struct line_plan *line, unsigned int n)
{
    static const struct {
        enum blk blk;
        enum kw weight, reverse;
    } rows[TRACK_KINDS] = {
        [TRACK_IF] = { BLK_TRK_IF, KW_TRK_IF_WEIGHT, KW_TRK_IF_X_REVERSE },
        [TRACK_SCRIPT] = { BLK_TRK_SCRIPT, KW_TRK_SCRIPT_WEIGHT, KW_TRK_SCRIPT_X_REVERSE },
        [TRACK_FILE] = { BLK_TRK_FILE, KW_TRK_FILE_WEIGHT, KW_TRK_FILE_X_REVERSE },
        [TRACK_PROC] = { BLK_TRK_PROC, KW_TRK_PROC_WEIGHT, KW_TRK_PROC_X_REVERSE },
        [TRACK_BFD] = { BLK_TRK_BFD, KW_TRK_BFD_WEIGHT, KW_TRK_BFD_X_REVERSE },
    };
    char name[32];
    for (unsigned int k = 0; k < n; k++) {
        house_name(name, sizeof name, line[k].kind, line[k].target);
        slice_put_obj(w, rows[line[k].kind].blk, parent, name, 0);
        slice_put_int(w, rows[line[k].kind].weight, line[k].weight);
        slice_put_bool(w, rows[line[k].kind].reverse, line[k].reverse);
    }
}

const struct ipaddr *house_addr(const struct house *h, uint8_t family)
{
    return family == 6 ? &h->addr6 : &h->addr;
}

/* As parent/conf/resolve_sock.c names them. */
void house_sock_name(char *buf, size_t size, const struct house *h, unsigned int member)
{
    const struct vi_plan *p = &h->plan.vi[member];
    char addr[IPADDR_STRLEN] = "";
    if (p->unicast && p->with_src)
        ipaddr_str(house_addr(h, p->family), addr);
    snprintf(buf, size, "%s/%u/%s%s/%s", own_link, p->family, p->unicast ? "uni" : "mcast",
             p->auth == AUTH_AH ? "-ah" : "", addr);
}

static void slice_socks(struct slice_writer *w, const struct house *h)
{
    char name[96], other[96];
    for (unsigned int m = 0; m < h->t->nmembers; m++) {
        unsigned int k = 0;
        house_sock_name(name, sizeof name, h, m);
        for (; k < m; k++) {
            house_sock_name(other, sizeof other, h, k);
            if (strcmp(name, other) == 0)
                break;
        }
        if (k < m)
            continue;
        slice_put_obj(w, BLK_SOCKET, 0, name, 0);
        slice_put_uint(w, KW_SOCKET_X_FAMILY, h->plan.vi[m].family);
        slice_put_str(w, KW_SOCKET_X_IFACE, own_link);
    }
}

static void slice_bfd(struct slice_writer *w, const struct house *h)
{
    const struct plan *p = &h->plan;
    char name[32];
    for (unsigned int k = 0; k < h->t->nhouses; k++) {
        if (!h->t->bfd[h->nr][k])
            continue;
        uint8_t family = h->t->bfd6 ? 6 : 4;
        house_name(name, sizeof name, TRACK_BFD, k);
        slice_put_obj(w, BLK_BFD, 0, name, 0);
        slice_put_ip(w, KW_BFD_NEIGHBOR_IP, house_addr(&h->t->house[k], family));
        if (k % 2 == 0)
            slice_put_ip(w, KW_BFD_SOURCE_IP, house_addr(h, family));
        slice_put_us(w, KW_BFD_MIN_TX, p->bfd_tx / NS_PER_US);
        slice_put_us(w, KW_BFD_MIN_RX, p->bfd_tx / NS_PER_US);
        slice_put_us(w, KW_BFD_IDLE_TX, 2 * h->t->base / NS_PER_US);
        slice_put_uint(w, KW_BFD_MULTIPLIER, p->bfd_mult);
        slice_put_bool(w, KW_BFD_PASSIVE, p->bfd_passive && h->nr < k);
        slice_put_uint(w, KW_BFD_TTL, h->t->bfd_ttl);
        slice_put_bool(w, KW_BFD_MULTIHOP, h->t->far[h->nr][k]);
        slice_put_int(w, KW_BFD_MAX_HOPS, h->t->far[h->nr][k] ? p->bfd_hops : 0);
    }
}

static void slice_peers(struct slice_writer *w, const struct house *h, uint32_t id, const struct vi_plan *p)
{
    char name[IPADDR_STRLEN];
    for (unsigned int k = 0; k < h->t->nhouses; k++) {
        const struct house *peer = &h->t->house[k];
        if (k == h->nr || peer->side != h->side)
            continue;
        slice_put_obj(w, BLK_VI_PEER, id, ipaddr_str(house_addr(peer, p->family), name), 3);
        slice_put_ip(w, KW_VI_PEER_IP, house_addr(peer, p->family));
    }
}

static void slice_auth(struct slice_writer *w, const struct house *h, uint32_t id, const struct vi_plan *p)
{
    struct keys_plan keys = plan_keys(h->plan.key_step);
    uint8_t key[17];
    if (p->auth == AUTH_AH) {
        slice_put_obj(w, BLK_VI_AUTH, id, "", 3);
        slice_put_uint(w, KW_VI_AUTH_AUTH_TYPE, PACKET_AUTH_AH);
        slice_put_str(w, KW_VI_AUTH_AUTH_PASS, "password");
    }
    if (p->auth != AUTH_HMAC)
        return;
    slice_put_obj(w, BLK_VI_HMAC, id, "", 3);
    key[0] = keys.active;
    plan_key(key[0], key + 1);
    slice_put_raw(w, KW_VI_HMAC_KEY, key, sizeof key);
    if (keys.also != 0) {
        key[0] = keys.also;
        plan_key(key[0], key + 1);
        slice_put_raw(w, KW_VI_HMAC_KEY, key, sizeof key);
    }
    slice_put_uint(w, KW_VI_HMAC_ACTIVE_KEY, keys.active);
    slice_put_uint(w, KW_VI_HMAC_MODE, plan_mode(h->plan.mode_step));
    slice_put_uint(w, KW_VI_HMAC_ANTI_REPLAY, p->monotonic);
    if (p->window > 0)
        slice_put_us(w, KW_VI_HMAC_TIME_WINDOW, p->window / NS_PER_US);
}

static void slice_vi(struct slice_writer *w, const struct house *h, unsigned int m)
{
    const struct vi_plan *p = &h->plan.vi[m];
    char name[32], addr[32], sock[96];
    struct ipaddr a;
    snprintf(name, sizeof name, "VI_%u", m + 1);
    snprintf(addr, sizeof addr, p->family == 6 ? "fe80::1:%u/64" : "10.0.1.%u/24", m + 1);
    house_sock_name(sock, sizeof sock, h, m);
    ipaddr_parse_prefix(addr, &a);
    uint32_t id = slice_put_obj(w, BLK_VI, 0, name, 1);
    slice_put_uint(w, KW_VI_VIRTUAL_ROUTER_ID, p->vrid);
    slice_put_uint(w, KW_VI_PRIORITY, p->priority);
    slice_put_uint(w, KW_VI_VERSION, p->version);
    slice_put_uint(w, KW_VI_X_FAMILY, p->family);
    slice_put_str(w, KW_VI_INTERFACE, own_link);
    slice_put_str(w, KW_VI_X_SOCKET, sock);
    slice_put_us(w, KW_VI_ADVERT_INT, p->interval / NS_PER_US);
    slice_put_bool(w, KW_VI_NOPREEMPT, p->nopreempt);
    slice_put_us(w, KW_VI_PREEMPT_DELAY, p->preempt_delay / NS_PER_US);
    slice_put_bool(w, KW_VI_LOWER_PRIO_NO_ADVERT, p->lower_no_advert);
    slice_put_bool(w, KW_VI_HIGHER_PRIO_SEND_ADVERT, p->higher_advert);
    if (p->grouped)
        slice_put_str(w, KW_VI_X_SYNC, group_name);
    if (p->unicast) {
        slice_put_bool(w, KW_VI_CHECK_UNICAST_SRC, p->check_src);
        if (p->with_src)
            slice_put_ip(w, KW_VI_X_SRC, house_addr(h, p->family));
        slice_peers(w, h, id, p);
    }
    slice_auth(w, h, id, p);
    slice_put_obj(w, BLK_ADDR, id, addr, 2);
    slice_put_ip(w, KW_ADDR_ADDRESS, &a);
    slice_lines(w, id, p->line, p->nlines);
}

struct slice *house_slice(struct house *h)
{
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, ++h->generation);
    const struct plan *p = &h->plan;
    char name[32];
    size_t len;
    struct err e;
    slice_put_obj(w, BLK_IFACE, 0, own_link, 0);
    slice_socks(w, h);
    slice_targets(w, p);
    slice_bfd(w, h);
    if (p->vi[0].grouped) {
        uint32_t g = slice_put_obj(w, BLK_SYNC, 0, group_name, 0);
        for (unsigned int m = 0; m < h->t->nmembers; m++) {
            snprintf(name, sizeof name, "VI_%u", m + 1);
            if (p->vi[m].grouped)
                slice_put_str(w, KW_SYNC_GROUP, name);
        }
        slice_put_bool(w, KW_SYNC_SYNC_GROUP_TRACKING_WEIGHT, p->group_weights);
        slice_lines(w, g, p->line, p->nlines);
    }
    for (unsigned int m = 0; m < h->t->nmembers; m++)
        slice_vi(w, h, m);
    const void *bytes = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(bytes, len, ROLE_VRRPD, &e);
    if (s == NULL)
        rule_broken(h->t, "the slice of house %u: %s", h->nr, e.text);
    slice_writer_free(w);
    return s;
}
