/*
 * table.h - the kernel's IPVS table as ipvsd lists it (ipvsd/list.h): asking for it, reading its lines. The
 * lines come from a process that may be taken over: numbers are numbers, names are printable and short, or
 * the line is left out. Used by cmd_ipvs.c, ipvs_text.c, cmd_servers.c, and by holdfast-snmp.
 */
#ifndef HOLDFAST_CTL_TABLE_H
#define HOLDFAST_CTL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "parent/ctl/ctl.h"

#define TABLE_WORD 64

enum table_kind { TABLE_INFO, TABLE_SERVICE, TABLE_SERVER, TABLE_NOTHING, TABLE_TRUNCATED };

enum table_number {
    TABLE_CONNS,
    TABLE_INPKTS,
    TABLE_OUTPKTS,
    TABLE_INBYTES,
    TABLE_OUTBYTES,
    TABLE_CPS,
    TABLE_INPPS,
    TABLE_OUTPPS,
    TABLE_INBPS,
    TABLE_OUTBPS,
    TABLE_COUNTERS, /* above: of a service as of a server */
    TABLE_ACTIVE = TABLE_COUNTERS,
    TABLE_INACTIVE,
    TABLE_PERSISTENT,
    TABLE_WEIGHT,
    TABLE_UPPER,
    TABLE_LOWER,
    TABLE_NUMBERS
};

struct table_row {
    enum table_kind kind;
    char proto[8];         /* tcp, udp, sctp, fwm */
    char addr[TABLE_WORD]; /* IPv6 without brackets */
    bool v6;
    unsigned int port, mark;
    char sched[TABLE_WORD], pe[TABLE_WORD]; /* pe "": none */
    uint32_t flags, timeout, netmask;
    uint32_t version, size; /* INFO */
    unsigned int method, type, tun_port, tun_flags;
    uint64_t n[TABLE_NUMBERS];
    const struct table_row *service; /* of a server */
};

int table_ask(struct ctl *c, char **text);
int table_parse(const char *line, struct table_row *out); /* -1: not a line of the list. Pure */
/* Calls fn for every row; text is modified. */
void table_read(char *text, void (*fn)(const struct table_row *row, void *arg), void *arg);
/* The same, services and their servers in the order ipvsadm lists them. */
void table_read_sorted(char *text, void (*fn)(const struct table_row *row, void *arg), void *arg);
/* A server with that natural key, or "ADDRESS" alone; a service with that key, its protocol left out or not.
 */
bool table_called(const struct table_row *row, const char *name);
bool table_serves(const struct table_row *service, const char *scope);
const char *table_method(unsigned int method); /* as ipvsadm calls it */

#endif
