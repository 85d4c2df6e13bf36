/* ipvs_text.c - see ipvs_text.h. */
#include "parent/ctl/ipvs_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <linux/ip_vs.h>
#include <string.h>

void ipvs_text_title(enum ipvs_text_form form, const struct table_row *info, FILE *f)
{
    fprintf(f, "IP Virtual Server version %u.%u.%u (size=%u)\n", info->version >> 16 & 0xff,
            info->version >> 8 & 0xff, info->version & 0xff, info->size);
    switch (form) {
    case IPVS_TEXT_TABLE:
        fputs("Prot LocalAddress:Port Scheduler Flags\n"
              "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n",
              f);
        break;
    case IPVS_TEXT_STATS:
        fputs("Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n"
              "  -> RemoteAddress:Port\n",
              f);
        break;
    case IPVS_TEXT_RATE:
        fputs("Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n"
              "  -> RemoteAddress:Port\n",
              f);
        break;
    }
}

static void text_end(const struct table_row *r, char *out, size_t size)
{
    if (r->kind == TABLE_SERVICE && r->mark != 0)
        snprintf(out, size, "%u%s", r->mark, r->v6 ? " IPv6" : "");
    else
        snprintf(out, size, r->v6 ? "[%s]:%u" : "%s:%u", r->addr, r->port);
}

static const char *text_proto(const struct table_row *r)
{
    if (r->mark != 0)
        return "FWM";
    return strcmp(r->proto, "tcp") == 0 ? "TCP" : strcmp(r->proto, "udp") == 0 ? "UDP" : "SCTP";
}

static void text_number(uint64_t n, bool exact, char *out, size_t size)
{
    if (exact || n < 100000000)
        snprintf(out, size, "%8llu", (unsigned long long)n);
    else if (n < UINT64_C(100000000000))
        snprintf(out, size, "%7lluK", (unsigned long long)(n / 1000));
    else
        snprintf(out, size, "%7lluM", (unsigned long long)(n / 1000000));
}

static size_t text_counters(enum ipvs_text_form form, bool exact, const struct table_row *r, char *out,
                            size_t size)
{
    size_t first = form == IPVS_TEXT_RATE ? TABLE_CPS : TABLE_CONNS, at = 0;
    for (size_t i = 0; i < 5; i++) {
        char n[32];
        text_number(r->n[first + i], exact, n, sizeof n);
        at += (size_t)snprintf(out + at, size - at, " %s", n);
    }
    return at + (size_t)snprintf(out + at, size - at, "\n");
}

/* What the scheduler's own flags are called. */
static void text_sched_flags(const struct table_row *r, char *out, size_t size)
{
    static const struct {
        const char *sched;
        uint32_t bit;
        const char *word;
    } flags[] = {
        { "sh", IP_VS_SVC_F_SCHED_SH_FALLBACK, "sh-fallback" },
        { "sh", IP_VS_SVC_F_SCHED_SH_PORT, "sh-port" },
        { "mh", IP_VS_SVC_F_SCHED1, "mh-fallback" },
        { "mh", IP_VS_SVC_F_SCHED2, "mh-port" },
        { NULL, IP_VS_SVC_F_SCHED1, "flag-1" },
        { NULL, IP_VS_SVC_F_SCHED2, "flag-2" },
        { NULL, IP_VS_SVC_F_SCHED3, "flag-3" },
    };
    uint32_t left = r->flags & (IP_VS_SVC_F_SCHED1 | IP_VS_SVC_F_SCHED2 | IP_VS_SVC_F_SCHED3);
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if ((left & flags[i].bit) == 0 || (flags[i].sched != NULL && strcmp(flags[i].sched, r->sched) != 0))
            continue;
        left &= ~flags[i].bit;
        at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? "," : " (", flags[i].word);
    }
    if (at > 0)
        snprintf(out + at, size - at, ")");
}

static size_t text_persistence(const struct table_row *r, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, " persistent %u", r->timeout);
    if (r->v6 && r->netmask != 128) {
        at += (size_t)snprintf(out + at, size - at, " mask %u", r->netmask);
    } else if (!r->v6 && r->netmask != UINT32_MAX) {
        struct in_addr a = { .s_addr = htonl(r->netmask) };
        char mask[INET_ADDRSTRLEN];
        at += (size_t)snprintf(out + at, size - at, " mask %s", inet_ntop(AF_INET, &a, mask, sizeof mask));
    }
    if (r->pe[0] != '\0')
        at += (size_t)snprintf(out + at, size - at, " pe %s", r->pe);
    return at;
}

static void text_service(enum ipvs_text_form form, bool exact, const struct table_row *r, char *line)
{
    char end[TABLE_WORD + 16], flags[64];
    size_t at;
    text_end(r, end, sizeof end);
    if (form != IPVS_TEXT_TABLE) {
        at = (size_t)snprintf(line, IPVS_TEXT_LINE, "%-4s %-28s", text_proto(r), end);
        text_counters(form, exact, r, line + at, IPVS_TEXT_LINE - at);
        return;
    }
    text_sched_flags(r, flags, sizeof flags);
    at = (size_t)snprintf(line, IPVS_TEXT_LINE, "%-4s %s %s%s", text_proto(r), end, r->sched, flags);
    if (r->flags & IP_VS_SVC_F_PERSISTENT)
        at += text_persistence(r, line + at, IPVS_TEXT_LINE - at);
    if (r->flags & IP_VS_SVC_F_ONEPACKET)
        at += (size_t)snprintf(line + at, IPVS_TEXT_LINE - at, " ops");
    snprintf(line + at, IPVS_TEXT_LINE - at, "\n");
}

void ipvs_text_row(enum ipvs_text_form form, bool exact, const struct table_row *r, char line[IPVS_TEXT_LINE])
{
    char end[TABLE_WORD + 16];
    if (r->kind == TABLE_SERVICE) {
        text_service(form, exact, r, line);
        return;
    }
    text_end(r, end, sizeof end);
    size_t at = (size_t)snprintf(line, IPVS_TEXT_LINE, "  -> %-28s", end);
    if (form != IPVS_TEXT_TABLE)
        text_counters(form, exact, r, line + at, IPVS_TEXT_LINE - at);
    else
        snprintf(line + at, IPVS_TEXT_LINE - at, " %-7s %-6llu %-10llu %-10llu\n", table_method(r->method),
                 (unsigned long long)r->n[TABLE_WEIGHT], (unsigned long long)r->n[TABLE_ACTIVE],
                 (unsigned long long)r->n[TABLE_INACTIVE]);
}
