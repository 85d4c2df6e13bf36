/*
 * parent.h - the one context of the parent process, passed down to every module of parent/.
 * The parent keeps: it starts and watches the rooms, holds their configuration slices and snapshots, and
 * writes the log. It parses no text and opens no network socket; what children say arrives through
 * proto_decode.
 */
#ifndef HOLDFAST_PARENT_PARENT_H
#define HOLDFAST_PARENT_PARENT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/ev.h"
#include "common/role.h"
#include "parent/config.h"
#include "parent/daemonise.h"
#include "parent/options.h"
#include "parent/pidfile.h"
#include "parent/sdnotify.h"
#include "parent/supervise.h"

enum parent_phase { PARENT_PHASE_STARTING, PARENT_PHASE_RUNNING, PARENT_PHASE_STOPPING };

struct checks;
struct conf_run;
struct control;
struct dumps;
struct events;
struct fifos;
struct logsink;
struct notify_queues;
struct operator;
struct reload;
struct run;
struct runner;
struct script_life;
struct timed;
struct trackfiles;

struct parent {
    struct ev *ev;
    struct options opt;
    char *config_file;      /* absolute: the working directory may change */
    char libexec[PATH_MAX]; /* where the children's binaries are */
    char rundir[PATH_MAX];  /* pid directory and control socket */
    struct logsink *log;
    struct sdnotify sd;
    struct daemonise dm;
    struct room room[ROLE_MAX];
    struct ev_timer link;  /* a channel between two rooms could not be made: again */
    struct ev_timer tell;  /* the status line for systemd is due */
    struct conf_run *conf; /* the first reading; NULL afterwards */
    struct config *cur;    /* what is in force; NULL before the first */
    struct reload *reload;
    struct control *control;
    struct dumps *dumps;
    struct operator* operator; /* what was ordered, and stays in force */
    struct timed *timed;
    struct events *events;
    struct runner *runner;        /* scripts: processes, */
    struct checks *checks;        /* those the children ask for, */
    struct notify_queues *notify; /* those events start, */
    struct fifos *fifos;
    struct run *once; /* and startup_script or shutdown_script while it runs */
    struct script_life *life;
    bool has_netns_ipvs;
    int netns_ipvs; /* net_namespace_ipvs: opened once, as root; a name that is taken away later does no harm
                     */
    struct ev_timer wind_down; /* the rooms are off; scripts get a moment */
    struct trackfiles *tracks;
    struct pidfiles pids;
    enum parent_phase phase;
    uint64_t began_ns, stop_ns;
    int exit_status;
    bool first_script;             /* startup_script runs: nobody is told anything yet */
    bool root_scripts;             /* the bounding set is what scripts of root need */
    struct ev_timer stop_patience; /* a stop waits for the start it came into */
    bool stop_waiting;
    bool stop_again; /* ipvsd died in the stop; a second one does its part */
    bool hurried;
    bool hup_waiting; /* SIGHUP came during start or reload */
};

#endif
