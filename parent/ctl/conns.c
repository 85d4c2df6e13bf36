/* conns.c - see conns.h. */
#include "parent/ctl/conns.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "parent/ctl/table.h"

#define CONNS_WORDS 12
#define CONNS_FILE  "net/ip_vs_conn"

/* ---- where */

/* The pid of checkd, who works where the table is; 0: it does not run. */
static int conns_pid(const char *status)
{
    const char *p = strstr(status, "[role checkd]\n");
    const char *end = p != NULL ? strstr(p + 1, "\n[") : NULL;
    const char *pid = p != NULL ? strstr(p, "\npid=") : NULL;
    return pid != NULL && (end == NULL || pid < end) ? atoi(pid + 5) : 0;
}

static int conns_slurp(int fd, char **text)
{
    size_t len = 0, cap = 65536;
    char *buf = xmalloc(cap + 1);
    ssize_t n;
    while ((n = read(fd, buf + len, cap - len)) > 0) {
        len += (size_t)n;
        if (len == cap) {
            cap *= 2;
            buf = xrealloc(buf, cap + 1);
        }
    }
    buf[len] = '\0';
    *text = buf;
    return n < 0 ? -1 : 0;
}

int conns_load(struct ctl *c, char **text)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_STATUS };
    char *status, path[64];
    int verdict;
    int rc = ctl_ask(c, &r, &status, &verdict);
    if (rc != 0)
        return rc;
    int pid = conns_pid(status);
    free(status);
    if (pid <= 0)
        return ctl_lost("no virtual server is configured: there are no connections");
    snprintf(path, sizeof path, "/proc/%d/" CONNS_FILE, pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || conns_slurp(fd, text) < 0) {
        dprintf(STDERR_FILENO, "holdctl: %s: %s%s\n", path, strerror(errno),
                errno == EACCES ? "; only root may see connections" : "");
        if (fd >= 0)
            close(fd);
        return CTL_FAILED;
    }
    close(fd);
    return 0;
}

/* ---- reading */

/* "0A4D0009" and "0050", or "fd77:0000:...:0001" and a port. */
static int conns_end(const char *addr, const char *port, char out[CONNS_END])
{
    char text[INET6_ADDRSTRLEN], *stop;
    unsigned long p = strtoul(port, &stop, 16);
    if (*stop != '\0' || p > UINT16_MAX || port[0] == '\0')
        return -1;
    if (strchr(addr, ':') != NULL) {
        struct in6_addr a6;
        if (inet_pton(AF_INET6, addr, &a6) != 1 || inet_ntop(AF_INET6, &a6, text, sizeof text) == NULL)
            return -1;
        snprintf(out, CONNS_END, "[%s]:%lu", text, p);
        return 0;
    }
    unsigned long v = strtoul(addr, &stop, 16);
    if (*stop != '\0' || strlen(addr) != 8)
        return -1;
    struct in_addr a4 = { .s_addr = htonl((uint32_t)v) };
    if (inet_ntop(AF_INET, &a4, text, sizeof text) == NULL)
        return -1;
    snprintf(out, CONNS_END, "%s:%lu", text, p);
    return 0;
}

static bool conns_word(const char *s, size_t size)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++)
        if (!isgraph((unsigned char)s[i]))
            return false;
    return n > 0 && n < size;
}

int conns_parse(const char *line, struct conns_row *out)
{
    char copy[256], *w[CONNS_WORDS], *save = NULL, *stop;
    size_t n = 0, len = strlen(line);
    *out = (struct conns_row){ 0 };
    if (len >= sizeof copy)
        return -1;
    memcpy(copy, line, len + 1);
    for (char *p = strtok_r(copy, " ", &save); p != NULL && n < CONNS_WORDS; p = strtok_r(NULL, " ", &save))
        w[n++] = p;
    if (n < 9 || !conns_word(w[0], sizeof out->proto) || !conns_word(w[7], sizeof out->state))
        return -1;
    for (size_t i = 0; i < 3; i++)
        if (conns_end(w[1 + 2 * i], w[2 + 2 * i], out->end[i]) < 0)
            return -1;
    memcpy(out->proto, w[0], strlen(w[0]));
    memcpy(out->state, w[7], strlen(w[7]));
    out->expires = strtoull(w[8], &stop, 10);
    if (*stop != '\0')
        return -1;
    if (n > 9 && conns_word(w[9], sizeof out->pe))
        memcpy(out->pe, w[9], strlen(w[9]));
    return 0;
}

void conns_read(char *text, void (*fn)(const struct conns_row *r, void *arg), void *arg)
{
    struct conns_row r;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        if (conns_parse(line, &r) == 0)
            fn(&r, arg);
}

static void conns_print_row(const struct conns_row *r, void *arg)
{
    char expires[32];
    snprintf(expires, sizeof expires, "%02llu:%02llu", (unsigned long long)(r->expires / 60),
             (unsigned long long)(r->expires % 60));
    fprintf(arg, "%-3s %-6s %-11s %-18s %-18s %s\n", r->proto, expires, r->state, r->end[0], r->end[1],
            r->end[2]);
}

void conns_print(char *text, FILE *f)
{
    fputs(
        "IPVS connection entries\npro expire state       source             virtual            destination\n",
        f);
    conns_read(text, conns_print_row, f);
}
