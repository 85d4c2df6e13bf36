/* operator.c - see operator.h. Nothing here parses: a name either equals one of the slice or it does not. */
#include "parent/operator.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/report.h"
#include "parent/control.h"
#include "parent/order.h"
#include "parent/parent.h"
#include "parent/reload.h"

#define OPERATOR_FILE "orders"
#define OPERATOR_NEW  "orders.new"

/* Somebody who asked for a switch and hears of it when vrrpd has answered. */
struct operator_wait {
    uint32_t token, client;
    struct operator_wait *next;
};

struct operator
{
    struct parent *p;
    struct orders all;
    uint32_t token;
    struct operator_wait *waits;
};

struct operator* operator_new(struct parent *p)
{
    struct operator* o = xcalloc(1, sizeof *o);
    o->p = p;
    return o;
}

void operator_free(struct operator* o)
{
    if (o == NULL)
        return;
    for (struct operator_wait *w = o->waits, *next; w != NULL; w = next) {
        next = w->next;
        free(w);
    }
    orders_free(&o->all);
    free(o);
}

/* ---- the file
 * ------------------------------------------------------------------------------------------------------ */

static int operator_dir(const struct operator* o)
{
    return open(o->p->rundir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* 0, or -1 errno; buf is the caller's. */
static int operator_read(int fd, uint8_t **buf, size_t *len)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -1;
    errno = EPERM;
    if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0)
        return -1;
    errno = EFBIG;
    if (st.st_size > (off_t)ORDER_FILE_MAX)
        return -1;
    *buf = xmalloc((size_t)st.st_size + 1);
    ssize_t n = read(fd, *buf, (size_t)st.st_size);
    *len = n > 0 ? (size_t)n : 0;
    return n < 0 ? -1 : 0;
}

void operator_load(struct operator* o)
{
    uint8_t *buf = NULL;
    size_t len = 0;
    int dir = operator_dir(o);
    int fd = dir >= 0 ? openat(dir, OPERATOR_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0 && (dir < 0 || errno == ENOENT)) {
        if (dir >= 0)
            close(dir);
        return;
    }
    if (fd < 0 || operator_read(fd, &buf, &len) < 0 || orders_decode(&o->all, buf, len) < 0)
        log_warn(
            "the operator's orders in %s/%s cannot be used (%s): no server is drained, no instance yields; "
            "give them again",
            o->p->rundir, OPERATOR_FILE, strerror(errno));
    else if (o->all.n > 0)
        log_notice(
            "%zu orders of the operator are in force, as before the daemon was restarted: holdctl status "
            "lists them",
            o->all.n);
    free(buf);
    if (fd >= 0)
        close(fd);
    close(dir);
}

static int operator_write(int dir, const uint8_t *buf, size_t len)
{
    unlinkat(dir, OPERATOR_NEW, 0);
    int fd = openat(dir, OPERATOR_NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(fd, buf + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    close(fd);
    return done == len ? renameat(dir, OPERATOR_NEW, dir, OPERATOR_FILE) : -1;
}

static void operator_save(struct operator* o)
{
    size_t len;
    int dir = operator_dir(o), rc = -1;
    if (dir >= 0 && o->all.n == 0) {
        rc = unlinkat(dir, OPERATOR_FILE, 0);
        rc = rc < 0 && errno != ENOENT ? -1 : 0;
    } else if (dir >= 0) {
        uint8_t *buf = orders_encode(&o->all, &len);
        rc = operator_write(dir, buf, len);
        free(buf);
    }
    if (rc < 0)
        log_warn("%s/%s cannot be written (%s): the orders in force will not outlive this daemon",
                 o->p->rundir, OPERATOR_FILE, strerror(errno));
    if (dir >= 0)
        close(dir);
}

/* ---- names and ids
 * ------------------------------------------------------------------------------------------------- */

static const struct slice_obj *operator_instance(const struct operator* o, const char *name)
{
    const struct slice_obj *i = slice_find(o->p->cur->slice, BLK_VI, name);
    return i != NULL ? i : slice_find(o->p->cur->slice, BLK_SYNC, name);
}

/* Its natural key, its label, or "ADDRESS" for every port of it. */
static bool operator_called(const struct slice_obj *r, enum kw label, const char *name)
{
    size_t n = strlen(name);
    return strcmp(r->name, name) == 0 || strcmp(slice_str(r, label, ""), name) == 0 ||
           (strncmp(r->name, name, n) == 0 && r->name[n] == ':' && strchr(r->name + n + 1, ':') == NULL);
}

static bool operator_scope(const struct slice_obj *v, const char *scope)
{
    size_t n = strlen(scope); /* without its protocol, too */
    return n == 0 || strcmp(slice_str(v, KW_VS_X_LABEL, ""), scope) == 0 ||
           (strncmp(v->name, scope, n) == 0 && (v->name[n] == ':' || v->name[n] == '\0'));
}

/* The next server that is meant, after at; *vs: its service. */
static const struct slice_obj *operator_next_server(const struct operator* o, const struct slice_obj *at,
                                                    const struct msg_ctl_request *r,
                                                    const struct slice_obj **vs)
{
    const struct slice *s = o->p->cur->slice;
    while ((at = slice_next(s, at, BLK_RS, SLICE_ANY_PARENT)) != NULL) {
        *vs = slice_by_id(s, at->parent);
        if (*vs != NULL && operator_called(at, KW_RS_X_LABEL, r->name) && operator_scope(*vs, r->scope))
            return at;
    }
    return NULL;
}

/* Equal blocks of one service are one server: all of them follow. */
static void operator_tell_server(struct operator* o, const struct order *k, bool set)
{
    const struct slice *s = o->p->cur->slice;
    struct room *m = &o->p->room[ROLE_CHECKD];
    const struct slice_obj *vs = slice_find(s, BLK_VS, k->scope);
    for (const struct slice_obj *r = NULL; vs != NULL && (r = slice_next(s, r, BLK_RS, vs->id)) != NULL;) {
        struct msg_rs_order t = { .rs = r->id, .set = set, .weight = set ? k->weight : 0 };
        if (strcmp(r->name, k->name) == 0)
            chan_send(m->ch, MSG_rs_order, &t, NULL, 0);
    }
}

static void operator_tell_instance(struct operator* o, const struct order *k)
{
    const struct slice_obj *i = slice_find(o->p->cur->slice, BLK_VI, k->name);
    struct msg_inst_order t = { .what = k->kind == ORDER_YIELD ? INST_ORDER_YIELD : INST_ORDER_TAKEOVER,
                                .raise = k->raise };
    if (i == NULL)
        return;
    t.obj = i->id;
    chan_send(o->p->room[ROLE_VRRPD].ch, MSG_inst_order, &t, NULL, 0);
}

void operator_tell(struct operator* o, enum role r, bool starting)
{
    struct msg_rs_order end = { .rs = 0 };
    for (size_t i = 0; i < o->all.n; i++) {
        const struct order *k = &o->all.v[i];
        if (r == ROLE_CHECKD && k->kind == ORDER_WEIGHT)
            operator_tell_server(o, k, true);
        else if (r == ROLE_VRRPD && k->kind != ORDER_WEIGHT)
            operator_tell_instance(o, k);
    }
    if (r == ROLE_CHECKD && starting)
        chan_send(o->p->room[r].ch, MSG_rs_order, &end, NULL, 0);
}

/* ---- orders for servers
 * -------------------------------------------------------------------------------------------- */

static void operator_say(struct operator* o, uint32_t client, int status, const char *text)
{
    control_answer(o->p->control, client, status, text, strlen(text));
}

/* True: not now, and that was said. */
static bool operator_unready(struct operator* o, uint32_t client, enum role r)
{
    const struct room *m = &o->p->room[r];
    if (o->p->phase != PARENT_PHASE_RUNNING || reload_busy(o->p->reload)) {
        operator_say(o, client, CTL_STATUS_AGAIN, "a start, a reload or a stop is under way\n");
        return true;
    }
    if (m->state == ROOM_STARTED && chan_alive(m->ch))
        return false;
    if (m->state == ROOM_OFF)
        operator_say(o, client, 1,
                     r == ROLE_VRRPD ? "no VRRP instance is configured\n"
                                     : "no virtual server is configured\n");
    else
        operator_say(o, client, CTL_STATUS_AGAIN, "the process that does it is being replaced\n");
    return true;
}

static void operator_describe(FILE *f, const struct msg_ctl_request *r, const struct slice_obj *rs,
                              const struct slice_obj *vs)
{
    unsigned int configured = (unsigned int)slice_uint(rs, KW_RS_WEIGHT, 1);
    fprintf(f, "%s of %s: ", rs->name, vs->name);
    if (r->action == CTL_ACTION_ENABLE)
        fprintf(f, "nothing is ordered any more, configuration and checks decide\n");
    else if (r->action == CTL_ACTION_DRAIN || r->number == 0)
        fprintf(f, "drained: weight 0, no new connections, those there are go on\n");
    else
        fprintf(f, "weight %u by order%s\n", r->number, configured == r->number ? ", as configured" : "");
}

/* -1: there are too many. */
static int operator_order(struct operator* o, const struct msg_ctl_request *r, const struct slice_obj *rs,
                          const struct slice_obj *vs)
{
    struct order *k = orders_find(&o->all, ORDER_WEIGHT, vs->name, rs->name);
    if (r->action == CTL_ACTION_ENABLE) {
        if (k == NULL)
            return 0;
        operator_tell_server(o, k, false);
        orders_remove(&o->all, (size_t)(k - o->all.v));
        return 0;
    }
    if (strlen(vs->name) > ORDER_NAME_MAX || strlen(rs->name) > ORDER_NAME_MAX)
        return -1;
    if (k == NULL && (k = orders_add(&o->all)) == NULL)
        return -1;
    k->kind = ORDER_WEIGHT;
    k->weight = r->action == CTL_ACTION_WEIGHT ? r->number : 0;
    k->since = clock_realtime_ns();
    snprintf(k->scope, sizeof k->scope, "%s", vs->name);
    snprintf(k->name, sizeof k->name, "%s", rs->name);
    operator_tell_server(o, k, true);
    return 0;
}

/* How many were meant; text says what became of them. */
static size_t operator_each(struct operator* o, const struct msg_ctl_request *r, FILE *f, size_t *sorry,
                            int *status)
{
    const struct slice_obj *vs = NULL;
    size_t n = 0;
    for (const struct slice_obj *rs = NULL; (rs = operator_next_server(o, rs, r, &vs)) != NULL;) {
        if (slice_bool(rs, KW_RS_X_SORRY, false)) {
            ++*sorry;
            continue;
        }
        n++;
        if (operator_order(o, r, rs, vs) < 0) {
            fprintf(f, "%s of %s: too many orders are in force, this one is not\n", rs->name, vs->name);
            *status = 1;
            continue;
        }
        operator_describe(f, r, rs, vs);
        log_notice("order of the operator: real server %s of virtual server %s %s %u",
                   slice_str(rs, KW_RS_X_LABEL, rs->name), slice_str(vs, KW_VS_X_LABEL, vs->name),
                   r->action == CTL_ACTION_ENABLE ? "is enabled, configured weight" : "has the weight",
                   r->action == CTL_ACTION_ENABLE   ? (unsigned int)slice_uint(rs, KW_RS_WEIGHT, 1)
                   : r->action == CTL_ACTION_WEIGHT ? r->number
                                                    : 0);
    }
    return n;
}

void operator_server(struct operator* o, uint32_t client, const struct msg_ctl_request *r)
{
    char *text = NULL;
    size_t len, sorry = 0;
    int status = 0;
    if (r->action > CTL_ACTION_WEIGHT || r->number > INT32_MAX) {
        operator_say(o, client, 1, "this daemon does not know that request\n");
        return;
    }
    if (operator_unready(o, client, ROLE_CHECKD))
        return;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        fatal("out of memory");
    if (operator_each(o, r, f, &sorry, &status) == 0) {
        status = 1;
        if (sorry > 0)
            fprintf(f, "%s is a sorry server: it serves when nobody else can, and cannot be drained\n",
                    r->name);
        else
            fprintf(
                f,
                "no real server is called %s%s%s; name it ADDRESS:PORT (IPv6: [ADDRESS]:PORT), as holdctl "
                "status does\n",
                r->name, r->scope[0] != '\0' ? " in virtual server " : "", r->scope);
    }
    if (fclose(f) != 0)
        fatal("out of memory");
    operator_save(o);
    control_answer(o->p->control, client, status, text, len);
    free(text);
}

/* ---- orders for instances
 * ------------------------------------------------------------------------------------------ */

void operator_switch(struct operator* o, uint32_t client, const struct msg_ctl_request *r)
{
    struct room *m = &o->p->room[ROLE_VRRPD];
    if (r->action != INST_ORDER_YIELD && r->action != INST_ORDER_TAKEOVER) {
        operator_say(o, client, 1, "this daemon does not know that request\n");
        return;
    }
    if (operator_unready(o, client, ROLE_VRRPD))
        return;
    const struct slice_obj *i = operator_instance(o, r->name);
    if (i == NULL) {
        operator_say(o, client, 1,
                     "no vrrp_instance and no vrrp_sync_group is called that; holdctl status lists "
                     "them\n");
        return;
    }
    struct operator_wait *w = xcalloc(1, sizeof *w);
    *w = (struct operator_wait){ .token = ++o->token, .client = client, .next = o->waits };
    if (w->token == 0)
        w->token = ++o->token;
    o->waits = w;
    struct msg_inst_order t = { .obj = i->id, .what = r->action, .token = w->token };
    log_notice("order of the operator: %s %s", i->name,
               r->action == INST_ORDER_YIELD ? "yields" : "takes over");
    chan_send(m->ch, MSG_inst_order, &t, NULL, 0);
    chan_flush(m->ch);
}

static void operator_end_wait(struct operator* o, struct operator_wait **at, int status, const char *text)
{
    struct operator_wait *w = *at;
    *at = w->next;
    operator_say(o, w->client, status, text);
    free(w);
}

int operator_on_ordered(struct operator* o, const struct msg_inst_ordered *m)
{
    char text[sizeof m->text + 1];
    struct operator_wait **at = &o->waits;
    while (*at != NULL && (*at)->token != m->token)
        at = &(*at)->next;
    if (*at == NULL)
        return -1;
    snprintf(text, sizeof text, "%s\n", m->text);
    operator_end_wait(o, at, m->ok ? 0 : 1, text);
    return 0;
}

void operator_on_death(struct operator* o, enum role r)
{
    while (o != NULL && r == ROLE_VRRPD && o->waits != NULL)
        operator_end_wait(o, &o->waits, CTL_STATUS_AGAIN, "vrrpd died before it could answer\n");
}

void operator_on_held(struct operator* o, const struct config *c, const struct msg_inst_held *m)
{
    const struct slice_obj *i = slice_by_id(c->slice, m->inst);
    if (i == NULL || i->blk != BLK_VI || strlen(i->name) > ORDER_NAME_MAX)
        return;
    struct order *k = orders_find(&o->all, ORDER_YIELD, "", i->name);
    if (m->what == INST_ORDER_NONE) {
        if (k == NULL)
            return;
        log_notice("%s: the operator's order is over", i->name);
        orders_remove(&o->all, (size_t)(k - o->all.v));
    } else {
        if (k == NULL && (k = orders_add(&o->all)) == NULL)
            return;
        k->kind = m->what == INST_ORDER_YIELD ? ORDER_YIELD : ORDER_TAKEOVER;
        k->raise = k->kind == ORDER_TAKEOVER ? m->raise : 0;
        k->since = clock_realtime_ns();
        snprintf(k->name, sizeof k->name, "%s", i->name);
    }
    operator_save(o);
}

/* ---- reload, status
 * ------------------------------------------------------------------------------------------------ */

static bool operator_configured(const struct operator* o, const struct order *k)
{
    const struct slice *s = o->p->cur->slice;
    if (k->kind != ORDER_WEIGHT)
        return slice_find(s, BLK_VI, k->name) != NULL;
    const struct slice_obj *vs = slice_find(s, BLK_VS, k->scope);
    for (const struct slice_obj *r = NULL; vs != NULL && (r = slice_next(s, r, BLK_RS, vs->id)) != NULL;)
        if (strcmp(r->name, k->name) == 0)
            return true;
    return false;
}

void operator_reloaded(struct operator* o)
{
    bool changed = false;
    for (size_t i = o->all.n; i-- > 0;) {
        const struct order *k = &o->all.v[i];
        if (operator_configured(o, k))
            continue;
        log_notice("%s is not configured any more: the operator's order is forgotten", k->name);
        orders_remove(&o->all, i);
        changed = true;
    }
    if (changed)
        operator_save(o);
}

void operator_status(const struct operator* o, const char *name, FILE *f)
{
    static const char *const kinds[] = {
        [ORDER_WEIGHT] = "weight", [ORDER_YIELD] = "yield", [ORDER_TAKEOVER] = "takeover"
    };
    for (size_t i = 0; o != NULL && i < o->all.n; i++) {
        const struct order *k = &o->all.v[i];
        bool weight = k->kind == ORDER_WEIGHT;
        if (name[0] != '\0' && strcmp(name, k->name) != 0 && strcmp(name, k->scope) != 0)
            continue;
        report_section(f, "order", k->name);
        report_line(f, "kind", "%s", weight && k->weight == 0 ? "drain" : kinds[k->kind]);
        if (weight) {
            report_line(f, "service", "%s", k->scope);
            report_line(f, "weight", "%u", k->weight);
        }
        if (k->kind == ORDER_TAKEOVER)
            report_line(f, "priority_raise", "%u", k->raise);
        report_time(f, "since", k->since);
    }
}
