/* watch.c - see watch.h. */
#include "parent/dbus/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"

#define WATCH_ASK_MS   3000
#define WATCH_PART_MS  2000
#define WATCH_TORN_MS  200
#define WATCH_TEXT_MAX (16u << 20) /* a thousand events are far below */

int watch_load(const struct watch *w, struct shown *m)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_STATUS };
    struct doc d = { 0 };
    struct ask a;
    char *text;
    if (ask_open(&a, w->socket, WATCH_ASK_MS) < 0)
        return -1;
    int rc = ask_text(&a, &r, &text);
    if (rc == 0) {
        doc_add(&d, text);
        free(text);
        r = (struct msg_ctl_request){ .verb = CTL_VERB_REPORT,
                                      .role = ROLE_VRRPD,
                                      .what = REPORT_WHAT_STATE,
                                      .generation =
                                          (uint32_t)doc_int(doc_named(&d, "daemon", ""), "generation", 0) };
        rc = ask_text(&a, &r, &text);
    }
    if (rc == 0) {
        doc_add(&d, text);
        free(text);
        shown_load(m, &d);
    }
    int saved = errno;
    ask_close(&a);
    doc_free(&d);
    errno = saved;
    return rc;
}

int watch_follow(struct watch *w, uint64_t since)
{
    const struct msg_ctl_request r = { .verb = CTL_VERB_EVENTS, .since = since, .follow = 1 };
    watch_end(w);
    if (ask_open(&w->stream, w->socket, WATCH_ASK_MS) == 0 && ask_send(&w->stream, &r) == 0)
        return 0;
    int saved = errno;
    watch_end(w);
    errno = saved;
    return -1;
}

int watch_read(struct watch *w, struct doc *d)
{
    struct pollfd more = { .fd = w->stream.fd, .events = POLLIN };
    struct msg_ctl_reply r;
    w->stream.deadline = clock_monotonic_ns() + WATCH_PART_MS * NS_PER_MS;
    if (ask_part(&w->stream, &r) < 0 || r.status != 0 || w->len + r.text_len > WATCH_TEXT_MAX)
        return -1;
    w->text = xrealloc(w->text, w->len + r.text_len + 1);
    memcpy(w->text + w->len, r.text, r.text_len);
    w->len += r.text_len;
    w->text[w->len] = '\0';
    /* a full piece, and something behind it: the rest of the same */
    if (r.text_len == sizeof r.text && poll(&more, 1, WATCH_TORN_MS) > 0)
        return 0;
    doc_add(d, w->text);
    w->len = 0;
    return 1;
}

void watch_end(struct watch *w)
{
    ask_close(&w->stream);
    free(w->text);
    w->text = NULL;
    w->len = 0;
}
