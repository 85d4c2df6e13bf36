/*
 * agent.h - the AgentX side: the connection to the master agent, the subtrees that are ours in it, answers
 * out of an image, notifications. The only file that knows net-snmp is agent.c. What a manager sends comes
 * through the master agent and the library; nothing can be set. Called by snmp.c, trap.c and trap_error.c.
 */
#ifndef HOLDFAST_SNMP_AGENT_H
#define HOLDFAST_SNMP_AGENT_H

#include <stddef.h>
#include <stdint.h>

#include "parent/snmp/image.h"

/* The image to answer from, as fresh as it should be. */
typedef const struct image *agent_image_fn(void *arg);
/* A manager wants to set this, and hears notWritable or noCreation. */
typedef void agent_refused_fn(const uint32_t *oid, size_t n, void *arg);

struct agent;

/* Before the jail: the library reads no file afterwards. socket NULL: the library's default. */
struct agent *agent_new(const char *socket, agent_image_fn *fn, agent_refused_fn *refused, void *arg);
/* This subtree is ours, or is not any more. name: for the log. */
void agent_show(struct agent *a, const char *root, bool on);
/* Waits for the master agent's questions and answers them, for so long at most. */
void agent_turn(struct agent *a, unsigned int ms);
uint64_t agent_ticks(void); /* sysUpTime */

/* A notification: its identifier, then every cell of the image in the order they were put there. */
void agent_notify(const char *trap, const struct image *values);

#endif
