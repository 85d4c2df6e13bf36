/* repair.c - see repair.h. */
#include "ipvsd/repair.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REPAIR_SAY_EVERY NS_PER_SEC

void repair_culprit(uint32_t portid, char *buf, size_t size)
{
    char path[48], comm[20] = "";
    if (portid == 0) {
        snprintf(buf, size, "the kernel or an unnamed process");
        return;
    }
    snprintf(path, sizeof path, "/proc/%u/comm", portid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, comm, sizeof comm - 1) : -1;
    if (fd >= 0)
        close(fd);
    comm[n > 0 ? n : 0] = '\0';
    comm[strcspn(comm, "\n")] = '\0';
    snprintf(buf, size, "netlink port %u%s%s%s", portid, comm[0] ? " (" : "", comm, comm[0] ? ")" : "");
}

void repair_count(struct repair *r, uint64_t now)
{
    if (now - r->window >= NS_PER_SEC) {
        r->window = now;
        r->n = 0;
    }
    if (++r->n >= REPAIR_BURST)
        r->held_until = now + REPAIR_PAUSE;
}

void repair_say(struct repair *r, uint64_t now, const char *owner, const char *what)
{
    char who[64];
    uint64_t suppressed = 0;
    if (!log_allow(&r->said, now, REPAIR_SAY_EVERY, &suppressed))
        return;
    repair_culprit(r->culprit, who, sizeof who);
    if (suppressed == 0)
        log_warn(
            "%s: %s was removed by %s and has been put back; whoever does this should leave it to holdfast",
            owner, what, who);
    else
        log_warn("%s: %s keeps being removed, %llu times since the last message, now by %s: put back each "
                 "time, at most every 0.1 s; find and stop whoever does this",
                 owner, what, (unsigned long long)suppressed + 1, who);
}

bool repair_refused(struct repair *r, uint64_t now)
{
    uint64_t suppressed = 0;
    r->held_until = now + REPAIR_FAILED;
    return log_allow(&r->said, now, 30 * REPAIR_SAY_EVERY, &suppressed);
}
