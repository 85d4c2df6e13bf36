/*
 * conns.h - the kernel's table of IPVS connections, /proc/net/ip_vs_conn of the process that works in the
 * right network namespace, in ipvsadm's words. Its lines are the kernel's, but read with care all the same.
 * Used by cmd_ipvs.c.
 */
#ifndef HOLDFAST_CTL_CONNS_H
#define HOLDFAST_CTL_CONNS_H

#include <stdint.h>
#include <stdio.h>

#include "parent/ctl/ctl.h"

#define CONNS_END 64

struct conns_row {
    char proto[8], state[16];
    char end[3][CONNS_END]; /* client, service, server: ADDRESS:PORT */
    uint64_t expires;       /* seconds */
    char pe[32];            /* persistence engine and its data; "" */
};

int conns_load(struct ctl *c, char **text); /* 0, or an exit status (said on stderr); the caller frees */
int conns_parse(const char *line, struct conns_row *out); /* -1: not a connection (the title). Pure */
void conns_read(char *text, void (*fn)(const struct conns_row *r, void *arg), void *arg); /* modifies text */
void conns_print(char *text, FILE *f);

#endif
