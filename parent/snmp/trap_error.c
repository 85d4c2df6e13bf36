/* trap_error.c - see trap_error.h. */
#include "parent/snmp/trap_error.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/snmp/agent.h"

#define TRAP_ERROR_SECONDS 10

struct trap_word {
    const char *words;
    int error;
};

static int trap_word(const char *reason, const struct trap_word *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strstr(reason, w[i].words) != NULL)
            return w[i].error;
    return 0;
}

int trap_error_auth(const char *reason)
{
    static const struct trap_word words[] = { { "unknown authentication type", 1 },
                                              { "authentication type differs", 2 },
                                              { "authentication header where none", 2 },
                                              { "wrong password", 3 },
                                              { "sequence number was heard", 3 } };
    return trap_word(reason, words, sizeof words / sizeof *words);
}

int trap_error_proto(const char *reason)
{
    static const struct trap_word words[] = { { "TTL is not 255", 1 },
                                              { "protocol version", 2 },
                                              { "wrong checksum", 3 } };
    return trap_word(reason, words, sizeof words / sizeof *words);
}

static void trap_auth_failure(const struct doc_part *sender, int error)
{
    struct ipaddr src = view_addr(sender->name);
    struct image m = { 0 };
    struct image_row r = image_row(&m, FILL_VRRP_MIB ".1");
    image_index(&r, 0);
    image_ip(&r, 5, &src);
    image_int(&r, 6, error);
    agent_notify(FILL_VRRP_MIB ".0.2", &m);
    image_free(&m);
}

static void trap_proto_error(const struct fill *f, const struct doc_part *instance, int error)
{
    struct image m = { 0 };
    struct image_row r = image_row(&m, FILL_V3_STATS);
    uint32_t ifindex = view_ifindex(f->view, doc_str(instance, "vmac", ""));
    if (ifindex == 0)
        ifindex = view_ifindex(f->view, doc_str(instance, "interface", ""));
    image_index(&r, ifindex);
    image_index(&r, (uint32_t)doc_int(instance, "vrid", 0));
    image_index(&r, doc_int(instance, "family", 4) == 6 ? 2 : 1);
    image_int(&r, 6, error);
    agent_notify(FILL_VRRPV3_MIB ".0.2", &m);
    image_free(&m);
}

static bool trap_error_send(const struct trap_on *on, const struct fill *f, const struct doc_part *sender)
{
    const struct doc_part *i = doc_named(&f->view->state, "vrrp_instance", doc_str(sender, "instance", ""));
    const char *reason = doc_str(sender, "reason", "");
    int auth = trap_error_auth(reason), proto = trap_error_proto(reason);
    bool old = doc_int(i, "version", 2) == 2 && doc_int(i, "family", 4) == 4;
    if (i == NULL)
        return false;
    if (auth != 0 && on->rfc2 && old)
        trap_auth_failure(sender, auth);
    if (proto != 0 && on->rfc3)
        trap_proto_error(f, i, proto);
    return auth != 0 || proto != 0;
}

/* In the same order as last time, nearly always: i is where to begin. */
static const struct trap_error *trap_error_find(const struct trap_errors *t, size_t i, const char *instance,
                                                const char *sender)
{
    for (size_t k = 0; k < t->n; k++) {
        const struct trap_error *e = &t->v[(i + k) % t->n];
        if (strcmp(e->sender, sender) == 0 && strcmp(e->instance, instance) == 0)
            return e;
    }
    return NULL;
}

void trap_errors_look(struct trap_errors *t, const struct trap_on *on, const struct fill *f)
{
    struct trap_errors now = { .known = true };
    const double at = f->view->now;
    for (const struct doc_part *p = NULL; (p = doc_next(&f->view->state, p, "sender")) != NULL;) {
        const char *instance = doc_str(p, "instance", "");
        long long rejected = doc_int(p, "rejected", 0);
        if (rejected <= 0)
            continue;
        const struct trap_error *was = trap_error_find(t, now.n, instance, p->name);
        struct trap_error e = { .rejected = rejected, .told = was != NULL ? was->told : 0 };
        bool news = t->known && rejected != (was != NULL ? was->rejected : 0);
        if (news && at - e.told < TRAP_ERROR_SECONDS)
            e.rejected = was != NULL ? was->rejected : 0; /* later */
        else if (news && trap_error_send(on, f, p))
            e.told = at;
        e.instance = xstrdup(instance);
        e.sender = xstrdup(p->name);
        now.v = xrealloc(now.v, (now.n + 1) * sizeof *now.v);
        now.v[now.n++] = e;
    }
    trap_errors_free(t);
    *t = now;
}

void trap_errors_free(struct trap_errors *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->v[i].instance);
        free(t->v[i].sender);
    }
    free(t->v);
    *t = (struct trap_errors){ 0 };
}
