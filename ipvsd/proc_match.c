/* proc_match.c - see proc_match.h. */
#include "ipvsd/proc_match.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <string.h>

bool proc_stat_parse(const char *buf, size_t len, char comm[PROC_COMM_MAX + 1], bool *alive)
{
    const char *open = memchr(buf, '(', len), *close = NULL;
    for (size_t i = len; i > 0 && close == NULL; i--) /* the name itself may hold any of them */
        if (buf[i - 1] == ')')
            close = buf + i - 1;
    if (open == NULL || close == NULL || close < open)
        return false;
    size_t n = (size_t)(close - open - 1);
    size_t after = (size_t)(close - buf) + 1;
    if (n > PROC_COMM_MAX || after + 1 >= len || buf[after] != ' ')
        return false;
    memset(comm, 0, PROC_COMM_MAX + 1);
    memcpy(comm, open + 1, n);
    char state = buf[after + 1];
    *alive = state != 'Z' && state != 'X' && state != 'x';
    return true;
}

bool proc_name_matches(const struct proc_want *w, const char *comm)
{
    return w->nwords > 0 && strncmp(w->word[0], comm, PROC_COMM_MAX) == 0;
}

bool proc_cmdline_matches(const struct proc_want *w, const char *cmdline, size_t len, bool cut)
{
    size_t at = 0;
    if (len == 0)
        return false;
    for (size_t i = 0; i < w->nwords; i++) {
        size_t want = strlen(w->word[i]);
        const char *end = at < len ? memchr(cmdline + at, '\0', len - at) : NULL;
        size_t have = end != NULL ? (size_t)(end - (cmdline + at)) : len - at;
        bool begins = w->how == PROC_INITIAL && i > 0 && i + 1 == w->nwords;
        if (at >= len || have < want || (have > want && !begins) ||
            memcmp(cmdline + at, w->word[i], want) != 0)
            return false;
        at += have + (end != NULL);
    }
    return w->how != PROC_EXACT || (at >= len && !cut);
}

enum proc_news proc_event_parse(const void *buf, size_t len, uint32_t *pid)
{
    struct cn_msg cn;
    struct proc_event ev;
    size_t head = NLMSG_HDRLEN + sizeof cn;
    size_t least = offsetof(struct proc_event, event_data) + sizeof ev.event_data.exec;
    if (len < head + least)
        return PROC_NEWS_NONE;
    memcpy(&cn, (const char *)buf + NLMSG_HDRLEN, sizeof cn);
    if (cn.id.idx != CN_IDX_PROC || cn.id.val != CN_VAL_PROC || cn.len < least || cn.len > len - head)
        return PROC_NEWS_NONE;
    memset(&ev, 0, sizeof ev);
    memcpy(&ev, (const char *)buf + head, cn.len < sizeof ev ? cn.len : sizeof ev);
    switch (ev.what) {
    case PROC_EVENT_FORK:
        *pid = (uint32_t)ev.event_data.fork.child_tgid;
        return ev.event_data.fork.child_pid == ev.event_data.fork.child_tgid ? PROC_NEWS_FORK
                                                                             : PROC_NEWS_NONE;
    case PROC_EVENT_EXEC: *pid = (uint32_t)ev.event_data.exec.process_tgid; return PROC_NEWS_LOOK;
    case PROC_EVENT_COMM:
        *pid = (uint32_t)ev.event_data.comm.process_tgid;
        return ev.event_data.comm.process_pid == ev.event_data.comm.process_tgid ? PROC_NEWS_LOOK
                                                                                 : PROC_NEWS_NONE;
    case PROC_EVENT_EXIT:
        *pid = (uint32_t)ev.event_data.exit.process_tgid;
        return ev.event_data.exit.process_pid == ev.event_data.exit.process_tgid ? PROC_NEWS_GONE
                                                                                 : PROC_NEWS_NONE;
    default: return PROC_NEWS_NONE; /* users, sessions, core dumps: nothing that is counted changes */
    }
}
