/*
 * main.c - holdfast-snmp: KEEPALIVED-MIB, VRRP-MIB and VRRPV3-MIB for a master agent (snmpd), by AgentX. A
 * program of its own beside the daemon: it asks on the read-only socket, and no process of the daemon knows
 * it or links an SNMP library. Started as root it becomes _holdfast_snmp; in any case it keeps no capability,
 * no file system to write, no other system call than it needs.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/jail_client.h"
#include "parent/ctl/ctl.h"
#include "parent/snmp/snmp.h"

#define SNMP_USER "_holdfast_snmp"

#define CALL(name)                                                                                           \
    {                                                                                                        \
        .nr = SCMP_SYS(name)                                                                                 \
    }
#define REFUSED(name)                                                                                        \
    {                                                                                                        \
        .nr = SCMP_SYS(name), .error = EACCES                                                                \
    }

static int snmp_die(const char *what, const char *help)
{
    dprintf(STDERR_FILENO, "holdfast-snmp: %s: %s%s%s\n", what, strerror(errno), help[0] != '\0' ? "; " : "",
            help);
    return 1;
}

static int snmp_fence(void)
{
    /* jail_seccomp.c adds what every loop over descriptors needs. The library looks for files of its own now
     * and then: it is told there are none, which is no reason to die. It talks to itself by a pipe, a new one
     * when a master agent that answered no longer is back. */
    static const struct jail_rule rules[] = {
        { .nr = SCMP_SYS(socket), .ncmp = 1, .cmp = { { 0, SCMP_CMP_EQ, AF_UNIX, 0 } } },
        { .nr = SCMP_SYS(socket), .ncmp = 1, .cmp = { { 0, SCMP_CMP_EQ, AF_INET, 0 } } },
        { .nr = SCMP_SYS(socket), .ncmp = 1, .cmp = { { 0, SCMP_CMP_EQ, AF_INET6, 0 } } },
        { .nr = SCMP_SYS(socket), .error = EACCES, .ncmp = 1, .cmp = { { 0, SCMP_CMP_EQ, AF_NETLINK, 0 } } },
        CALL(connect),
        CALL(bind),
        CALL(shutdown),
        CALL(select),
        CALL(pselect6),
        CALL(setsockopt),
        CALL(getsockopt),
        CALL(getsockname),
        CALL(getpeername),
        CALL(pipe),
        CALL(pipe2),
        CALL(newfstatat),
        REFUSED(ioctl),
        REFUSED(open),
        REFUSED(openat),
        REFUSED(stat),
        REFUSED(access),
    };
    static const struct jail_row row = { .user = SNMP_USER,
                                         .landlock = JAIL_LANDLOCK_NOTHING,
                                         .outbound_tcp = true,
                                         .rules = { rules, sizeof rules / sizeof rules[0] } };
    return jail_client_fence_row(&row);
}

static int snmp_usage(int status)
{
    dprintf(status == 0 ? STDOUT_FILENO : STDERR_FILENO,
            "Usage: holdfast-snmp [-s SOCKET] [-A ADDRESS] [-x]\n"
            "  -s  read-only socket of the daemon (default " CTL_SOCKET_STATUS ")\n"
            "  -A  AgentX socket of the master agent (default: snmp_socket of the configuration, or\n"
            "      unix:/var/agentx/master); user _holdfast_snmp must be allowed to write to it\n"
            "  -x  show everything; else what enable_snmp_* of the configuration says\n");
    return status;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = { { "socket", required_argument, NULL, 's' },
                                           { "snmp-agent-socket", required_argument, NULL, 'A' },
                                           { "snmp", no_argument, NULL, 'x' },
                                           { "help", no_argument, NULL, 'h' },
                                           { NULL, 0, NULL, 0 } };
    struct snmp_opts o = { .daemon = CTL_SOCKET_STATUS };
    for (int k; (k = getopt_long(argc, argv, "s:A:xh", longs, NULL)) != -1;) {
        switch (k) {
        case 's': o.daemon = optarg; break;
        case 'A': o.agentx = optarg; break;
        case 'x': o.all = true; break;
        case 'h': return snmp_usage(0);
        default: return snmp_usage(2);
        }
    }
    if (optind != argc)
        return snmp_usage(2);
    signal(SIGPIPE, SIG_IGN);
    if (jail_client_drop_root(SNMP_USER) < 0)
        return snmp_die("cannot become " SNMP_USER, "systemd-sysusers makes the user");
    struct snmp *s = snmp_new(&o);
    if (snmp_fence() < 0)
        return snmp_die("the jail cannot be built", "");
    return snmp_run(s);
}
