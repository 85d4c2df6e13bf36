/*
 * check_smtp.c - SMTP_CHECK: greeting 220, HELO, 250, QUIT. Replies may have several lines. With host blocks
 * (the old form) each is asked in turn and all must pass. Every reply has connect_timeout for itself, however
 * slowly it drips. The verdict is known with the 250; the answer to QUIT is waited for out of politeness,
 * whatever it is. Replies are read by smtp_reply.c (pure); nothing a server sends is kept but a few printable
 * characters for the log. Called by engine.c through checker.h.
 */
#include "checkd/check_smtp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "checkd/conn.h"
#include "checkd/smtp_reply.h"

enum { READ_SIZE = 2048, READS_A_TURN = 16, LINE_SIZE = 280 };

enum smtp_phase { SMTP_PHASE_GREETING, SMTP_PHASE_HELO, SMTP_PHASE_QUIT };

/* One attempt; freed with its verdict. */
struct smtp_attempt {
    struct checker *k;
    struct conn conn;
    size_t host;
    enum smtp_phase phase;
    struct smtp_reply reply;
};

struct check_smtp {
    char *helo; /* the whole line */
    struct smtp_attempt *attempt;
    size_t nhosts;
    struct checker_dest hosts[];
};

static void smtp_end(struct smtp_attempt *a)
{
    struct check_smtp *s = a->k->state;

    conn_close(&a->conn);
    s->attempt = NULL;
    free(a);
}

static const char *smtp_where(const struct smtp_attempt *a, char *buf, size_t size)
{
    const struct checker_dest *d = a->conn.dest;
    char text[IPADDR_STRLEN];

    snprintf(buf, size, d->to.family == 6 ? "[%s]:%u" : "%s:%u", ipaddr_str(&d->to, text), d->port);
    return buf;
}

static const char *smtp_asked(const struct smtp_attempt *a)
{
    switch (a->phase) {
    case SMTP_PHASE_GREETING: return "greeting";
    case SMTP_PHASE_HELO: return "answer to HELO";
    case SMTP_PHASE_QUIT: return "answer to QUIT";
    }
    return "answer";
}

static void smtp_fail(struct smtp_attempt *a, const char *what)
{
    struct checker *k = a->k;
    char where[IPADDR_STRLEN + 8], why[160];

    snprintf(why, sizeof why, "%s: %s: %s", smtp_where(a, where, sizeof where), smtp_asked(a), what);
    smtp_end(a);
    checker_failed(k, "%s", why);
}

static const struct conn_ops smtp_ops;

static void smtp_open(struct smtp_attempt *a)
{
    struct check_smtp *s = a->k->state;

    a->phase = SMTP_PHASE_GREETING;
    smtp_reply_init(&a->reply);
    conn_open(&a->conn, a->k, &s->hosts[a->host], CONN_TCP, &smtp_ops, a);
}

/* This host has passed. */
static void smtp_next(struct smtp_attempt *a)
{
    struct checker *k = a->k;
    struct check_smtp *s = k->state;

    if (++a->host < s->nhosts) {
        conn_close(&a->conn);
        smtp_open(a);
        return;
    }
    smtp_end(a);
    checker_passed(k, "greeted and answered HELO");
}

/* The lines are far shorter than any socket buffer: a send that does not take them whole has failed. */
static int smtp_say(struct smtp_attempt *a, const char *line)
{
    size_t len = strlen(line);
    ssize_t n = send(conn_fd(&a->conn), line, len, MSG_NOSIGNAL);

    return n == (ssize_t)len ? 0 : -1;
}

static void smtp_refused(struct smtp_attempt *a, int want)
{
    char what[SMTP_TEXT_MAX + 40];

    snprintf(what, sizeof what, "%d, wanted %d (%s)", a->reply.code, want, a->reply.text);
    smtp_fail(a, what);
}

/* A whole reply is here. 0: the dialogue goes on; -1: the attempt is over (or at the next host). */
static int smtp_replied(struct smtp_attempt *a)
{
    struct check_smtp *s = a->k->state;
    int want = a->phase == SMTP_PHASE_GREETING ? 220 : 250;

    if (a->phase == SMTP_PHASE_QUIT) {
        smtp_next(a);
        return -1;
    }
    if (a->reply.code != want) {
        if (smtp_say(a, "QUIT\r\n") < 0) { /* politeness only: the verdict stands */
        }
        smtp_refused(a, want);
        return -1;
    }
    if (smtp_say(a, a->phase == SMTP_PHASE_GREETING ? s->helo : "QUIT\r\n") < 0) {
        a->phase++;
        if (a->phase == SMTP_PHASE_QUIT)
            smtp_next(a);
        else
            smtp_fail(a, strerror(errno));
        return -1;
    }
    a->phase++;
    smtp_reply_init(&a->reply);
    conn_step(&a->conn);
    return 0;
}

/* What arrived; several replies at once when the server does not wait. */
static int smtp_take(struct smtp_attempt *a, const char *buf, size_t len)
{
    while (len > 0) {
        size_t used;
        enum smtp_progress p = smtp_reply_feed(&a->reply, buf, len, &used);

        buf += used;
        len -= used;
        if (p == SMTP_MORE)
            return 0;
        if (p == SMTP_FAILED) {
            if (a->phase == SMTP_PHASE_QUIT)
                smtp_next(a);
            else
                smtp_fail(a, smtp_error_text(a->reply.error));
            return -1;
        }
        if (smtp_replied(a) < 0)
            return -1;
    }
    return 0;
}

static void smtp_closed(struct smtp_attempt *a, const char *how)
{
    if (a->phase == SMTP_PHASE_QUIT)
        smtp_next(a);
    else
        smtp_fail(a, how);
}

static void smtp_io(struct conn *c, unsigned int got, void *arg)
{
    struct smtp_attempt *a = arg;
    char buf[READ_SIZE];

    (void)got;
    for (int i = 0; i < READS_A_TURN; i++) { /* then others have their turn; the loop calls again */
        ssize_t n = recv(conn_fd(c), buf, sizeof buf, 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            smtp_closed(a, n == 0 ? "connection closed" : strerror(errno));
            return;
        }
        if (smtp_take(a, buf, (size_t)n) < 0)
            return;
        if ((size_t)n < sizeof buf)
            return;
    }
}

static void smtp_connected(struct conn *c, void *arg)
{
    (void)arg;
    conn_want(c, EV_READ);
}

static void smtp_failed(struct conn *c, const char *why, void *arg)
{
    struct smtp_attempt *a = arg;
    struct checker *k = a->k;
    char text[240];

    (void)c;
    if (a->phase == SMTP_PHASE_QUIT) { /* no answer to it in time: that is no fault of the service */
        smtp_next(a);
        return;
    }
    snprintf(text, sizeof text, "%s (%s)", why, smtp_asked(a));
    smtp_end(a);
    checker_failed(k, "%s", text);
}

static const struct conn_ops smtp_ops = { .connected = smtp_connected, .failed = smtp_failed, .io = smtp_io };

/* ---- the kind ---------------------------------------------------------------------------------- */

/* The name goes into a line of the dialogue: whatever would end the line early is no name. */
static char *smtp_helo_line(const struct slice_obj *o, struct err *e)
{
    const char *name = slice_str(o, KW_SMTP_HELO_NAME, "smtpchecker.keepalived.org");
    char line[LINE_SIZE];

    for (const char *p = name; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            err_set(e, "HF-SLICE", o->name, "line %u: helo_name holds a control character", o->line);
            return NULL;
        }
    snprintf(line, sizeof line, "HELO %s\r\n", name);
    return xstrdup(line);
}

static int smtp_build(struct checker *k, const struct slice *sl, const struct slice_obj *o, struct err *e)
{
    const struct slice_obj *h = NULL;
    struct check_smtp *s;
    size_t n = 0;

    while ((h = slice_next(sl, h, BLK_SMTPHOST, o->id)) != NULL)
        n++;
    s = xcalloc(1, sizeof *s + (n > 0 ? n : 1) * sizeof s->hosts[0]);
    k->state = s;
    while ((h = slice_next(sl, h, BLK_SMTPHOST, o->id)) != NULL) {
        if (checker_dest_read(&s->hosts[s->nhosts], h, e) < 0)
            return -1;
        s->hosts[s->nhosts++].timeout = slice_ns(h, KW_SMTPHOST_CONNECT_TIMEOUT, k->common.connect_timeout);
    }
    if (n == 0 && checker_dest_read(&s->hosts[s->nhosts++], o, e) < 0)
        return -1;
    s->helo = smtp_helo_line(o, e);
    return s->helo != NULL ? 0 : -1;
}

static void smtp_start(struct checker *k)
{
    struct check_smtp *s = k->state;

    s->attempt = xcalloc(1, sizeof *s->attempt);
    s->attempt->k = k;
    smtp_open(s->attempt);
}

static void smtp_cancel(struct checker *k)
{
    struct check_smtp *s = k->state;

    if (s->attempt != NULL)
        smtp_end(s->attempt);
}

static void smtp_free(struct checker *k)
{
    struct check_smtp *s = k->state;

    if (s != NULL)
        free(s->helo);
}

const struct checker_kind *check_smtp_kind(void)
{
    static const struct checker_kind kind = { .blk = BLK_SMTP,
                                              .name = "SMTP_CHECK",
                                              .build = smtp_build,
                                              .start = smtp_start,
                                              .cancel = smtp_cancel,
                                              .free = smtp_free };

    return &kind;
}
