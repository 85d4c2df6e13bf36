/* master.c - see master.h. */
#include "parent/snmp/master.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

#define MASTER_EVERY        (5 * NS_PER_SEC) /* as often as the library tries */
#define MASTER_SILENT_LOOKS 3 /* one that has just come needs a moment until there is a session */
#define MASTER_AGAIN        "tried again every 5 s, without a word"

/* The path of the socket, or NULL: another kind of address. */
static const char *master_path(const char *address)
{
    if (strncmp(address, "unix:", 5) == 0)
        return address + 5;
    return address[0] == '/' ? address : NULL;
}

int master_try(const char *address)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    const char *path = master_path(address);
    if (path == NULL)
        return 0;
    size_t len = strlen(path);
    if (len >= sizeof sa.sun_path)
        return ENAMETOOLONG;
    memcpy(sa.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int err = connect(fd, (const struct sockaddr *)&sa, sizeof sa) < 0 ? errno : 0;
    close(fd);
    return err == EAGAIN ? 0 : err; /* somebody is there, with more to do than it does */
}

static void master_tell_away(const struct master *m, int fd)
{
    const char *path = master_path(m->address);
    if (m->err == EACCES && path != NULL) {
        const char *end = strrchr(path, '/');
        dprintf(
            fd,
            "holdfast-snmp: this user may not open the socket of the master agent, %s: nothing is answered "
            "by SNMP; write \"agentXPerms 0660 0755 _holdfast_snmp\" in snmpd.conf and restart snmpd, and "
            "let this user into the folder: chmod 0755 %.*s; " MASTER_AGAIN "\n",
            m->address, (int)(end != NULL ? end - path : 0), path);
        return;
    }
    dprintf(
        fd,
        "holdfast-snmp: no master agent at %s (%s): nothing is answered by SNMP; start snmpd, with \"master "
        "agentx\" in snmpd.conf, and the same address at both ends: \"agentXSocket %s\" there, snmp_socket "
        "or -A here; " MASTER_AGAIN "\n",
        m->address, strerror(m->err), m->address);
}

void master_tell(struct master *m, enum master_seen seen, int err, int fd)
{
    if (m->told == seen && (m->err == EACCES) == (err == EACCES))
        return; /* a socket without anybody, or none: the same to do */
    m->told = seen;
    m->err = err;
    switch (seen) {
    case MASTER_UNKNOWN: break;
    case MASTER_THERE: dprintf(fd, "holdfast-snmp: connected to the master agent at %s\n", m->address); break;
    case MASTER_AWAY: master_tell_away(m, fd); break;
    case MASTER_SILENT:
        dprintf(
            fd,
            "holdfast-snmp: no AgentX session with the master agent at %s: nothing is answered by SNMP; see "
            "that snmpd runs, is not stopped, and has \"master agentx\" and \"agentXSocket %s\" in "
            "snmpd.conf; " MASTER_AGAIN "\n",
            m->address, m->address);
        break;
    }
}

void master_look(struct master *m, bool connected, uint64_t now_ns, int fd)
{
    if (connected) {
        m->next_at = 0;
        m->silent = 0;
        master_tell(m, MASTER_THERE, 0, fd);
        return;
    }
    if (now_ns < m->next_at)
        return;
    m->next_at = now_ns + MASTER_EVERY;
    int err = master_try(m->address);
    m->silent = err == 0 ? m->silent + 1 : 0;
    if (err != 0)
        master_tell(m, MASTER_AWAY, err, fd);
    else if (m->silent >= MASTER_SILENT_LOOKS)
        master_tell(m, MASTER_SILENT, 0, fd);
}
