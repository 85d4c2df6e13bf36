/*
 * proc_match.h - which processes a vrrp_track_process means, and what the kernel says of processes: pure
 * functions on bytes anybody on the machine may have chosen (names, command lines). Called by proctrack.c,
 * tests and a fuzz target.
 */
#ifndef HOLDFAST_IPVSD_PROC_MATCH_H
#define HOLDFAST_IPVSD_PROC_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROC_COMM_MAX 15 /* the kernel keeps that much of a name */

/* Of the parameters: all; the first ones, the last of which only begins so; the first ones exactly. */
enum proc_how { PROC_NAME, PROC_EXACT, PROC_INITIAL, PROC_PARTIAL };

struct proc_want {
    enum proc_how how;
    const char *const *word; /* the command and its parameters */
    size_t nwords;
};

/* /proc/PID/stat: its name and whether it is more than a zombie. False: it is no such line. */
bool proc_stat_parse(const char *buf, size_t len, char comm[PROC_COMM_MAX + 1], bool *alive);
bool proc_name_matches(const struct proc_want *w, const char *comm);
/* cmdline: words, each ended by NUL. cut: it is longer than what was read. */
bool proc_cmdline_matches(const struct proc_want *w, const char *cmdline, size_t len, bool cut);

/* FORK and LOOK: look whether it counts now; LOOK: after an exec or under a new name. */
enum proc_news { PROC_NEWS_NONE, PROC_NEWS_FORK, PROC_NEWS_LOOK, PROC_NEWS_GONE };
/* A datagram of the process connector, netlink header included. *pid: which process. */
enum proc_news proc_event_parse(const void *buf, size_t len, uint32_t *pid);

#endif
