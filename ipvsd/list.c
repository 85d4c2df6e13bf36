/* list.c - see list.h. Asks by a conversation of its own over the socket that is open anyway. */
#include "ipvsd/list.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ipvsd/ipvs.h"
#include "ipvsd/ipvsd.h"

#define LIST_BYTES_MAX (15u << 20) /* the jail lets us write files of 16 MiB */
#define LIST_TRIES     5           /* while others change theirs a list may be torn */

struct list_svc {
    struct ipvs_svc svc;
    struct ipvs_numbers num;
};

struct list {
    struct ipvsd *d;
    struct list_svc *v; /* of the report under way */
    size_t n, cap, written;
};

struct list *list_new(struct ipvsd *d)
{
    struct list *l = xcalloc(1, sizeof *l);
    l->d = d;
    return l;
}

/* ---- asking */

static int list_walk(void *buf, size_t len, uint32_t seq, void *arg)
{
    struct ipvs_walk *w = arg;
    w->seq = seq;
    ipvs_codec_walk(buf, len, w);
    return w->done;
}

static int list_ask(struct list *l, struct nl_msg *m, uint16_t flags,
                    void (*fn)(const struct ipvs_answer *a, void *arg), void *arg)
{
    struct ipvs_walk w = { .fn = fn, .arg = arg, .numbers = true };
    if (nlsock_ask(&l->d->ipvs->k.sock, m, flags, list_walk, &w) < 0)
        return -1;
    errno = w.error != 0 ? w.error : w.interrupted ? EINTR : 0;
    return errno == 0 ? 0 : -1;
}

/* ---- writing */

static void list_numbers(FILE *f, const struct ipvs_numbers *num)
{
    for (size_t i = 0; i < IPVS_NUMBERS; i++)
        fprintf(f, " %llu", (unsigned long long)num->n[i]);
    fputc('\n', f);
}

static const char *list_addr(uint8_t family, const uint8_t *addr, char buf[INET6_ADDRSTRLEN])
{
    return inet_ntop(family == 6 ? AF_INET6 : AF_INET, addr, buf, INET6_ADDRSTRLEN) != NULL ? buf : "?";
}

static const char *list_proto(const struct ipvs_key *k)
{
    if (k->fwmark != 0)
        return "fwm";
    return k->protocol == IPPROTO_TCP ? "tcp" : k->protocol == IPPROTO_SCTP ? "sctp" : "udp";
}

static void list_write_svc(FILE *f, const struct list_svc *s)
{
    const struct ipvs_key *k = &s->svc.key;
    char addr[INET6_ADDRSTRLEN];
    fprintf(f, "S %s %s %u %u %s %u %u %u %s", list_proto(k), list_addr(k->family, k->addr, addr), k->port,
            k->fwmark, s->svc.sched, s->svc.flags, s->svc.timeout,
            k->family == 4 ? ntohl(s->svc.netmask) : s->svc.netmask, s->svc.pe[0] != '\0' ? s->svc.pe : "-");
    list_numbers(f, &s->num);
}

struct list_dests {
    FILE *f;
    uint8_t family;
};

static void list_on_dest(const struct ipvs_answer *a, void *arg)
{
    const struct list_dests *w = arg;
    const struct ipvs_dest *d = &a->dest;
    char addr[INET6_ADDRSTRLEN];
    if (a->kind != IPVS_ANSWER_DEST)
        return;
    fprintf(w->f, "D %s %u %u %u %u %u %u %u %u %u %u %u",
            list_addr(d->key.family != 0 ? d->key.family : w->family, d->key.addr, addr), d->key.port,
            d->method, d->weight, a->num.active, a->num.inactive, a->num.persistent, d->upper, d->lower,
            d->tun_type, d->tun_port, d->tun_flags);
    list_numbers(w->f, &a->num);
}

static void list_on_info(const struct ipvs_answer *a, void *arg)
{
    if (a->kind == IPVS_ANSWER_INFO)
        fprintf(arg, "I %u %u\n", a->info.version, a->info.size);
}

/* ---- pieces */

static void list_on_svc(const struct ipvs_answer *a, void *arg)
{
    struct list *l = arg;
    if (a->kind != IPVS_ANSWER_SVC)
        return;
    if (l->n == l->cap) {
        l->cap = 2 * l->cap + 64;
        l->v = xrealloc(l->v, l->cap * sizeof *l->v);
    }
    l->v[l->n++] = (struct list_svc){ .svc = a->svc, .num = a->num };
}

static bool list_begin(struct list *l, FILE *f)
{
    uint16_t family = l->d->ipvs->k.family;
    l->n = l->written = 0;
    if (family == 0) {
        fputs("N\n", f);
        return false;
    }
    (void)list_ask(l, ipvs_codec_plain(family, IPVS_CMD_GET_INFO), NLM_F_ACK, list_on_info, f);
    for (int i = 0; i < LIST_TRIES; i++) {
        l->n = 0;
        if (list_ask(l, ipvs_codec_plain(family, IPVS_CMD_GET_SERVICE), NLM_F_DUMP, list_on_svc, l) == 0 ||
            errno != EINTR)
            break;
    }
    return true;
}

static bool list_service(struct list *l, size_t i, FILE *f)
{
    uint16_t family = l->d->ipvs->k.family;
    struct list_dests w = { .f = f, .family = l->v[i].svc.key.family };
    if (family == 0)
        return false;
    list_write_svc(f, &l->v[i]);
    (void)list_ask(l, ipvs_codec_key(family, IPVS_CMD_GET_DEST, &l->v[i].svc.key), NLM_F_DUMP, list_on_dest,
                   &w); /* gone meanwhile: without servers */
    return true;
}

bool list_report(struct list *l, size_t *cursor, FILE *f)
{
    size_t at = (*cursor)++;
    long before = ftell(f);
    bool more = at == 0 ? list_begin(l, f) : at <= l->n && list_service(l, at - 1, f);
    long after = ftell(f);
    l->written += after > before ? (size_t)(after - before) : 0;
    if (more && l->written < LIST_BYTES_MAX)
        return true;
    if (more)
        fputs("T\n", f);
    free(l->v);
    l->v = NULL;
    l->n = l->cap = 0;
    return false;
}
