/*
 * master.h - what the log says of the master agent (snmpd): once that there is none, why and what to do, once
 * that it is there; nothing in between. Called by agent.c, which knows of the connection; the only thing done
 * here is to try the socket, for the reason that the library keeps to itself. The words are pure.
 */
#ifndef HOLDFAST_SNMP_MASTER_H
#define HOLDFAST_SNMP_MASTER_H

#include <stdbool.h>
#include <stdint.h>

enum master_seen {
    MASTER_UNKNOWN,
    MASTER_THERE,
    MASTER_AWAY,   /* the reason is in err */
    MASTER_SILENT, /* it takes connections and answers nothing */
};

struct master {
    const char *address;   /* unix:/var/agentx/master, tcp:localhost:705 */
    enum master_seen told; /* what the log said last */
    int err;
    uint64_t next_at;
    unsigned int silent; /* so many looks in a row found somebody there, without a session */
};

/* After every turn: says what is new. connected: the library has a session. */
void master_look(struct master *m, bool connected, uint64_t now_ns, int fd);

/* 0: somebody takes connections there, or that cannot be told; else errno. */
int master_try(const char *address);
/* One line, in one write, when it is another one than the last. err: why MASTER_AWAY. */
void master_tell(struct master *m, enum master_seen seen, int err, int fd);

#endif
