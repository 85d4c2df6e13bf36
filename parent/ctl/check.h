/*
 * check.h - the parts of `holdctl check`: explanation of scripts, two-node lint, simulation. All of them read
 * the resolved model (tool.h, node.h) and never a configuration.
 */
#ifndef HOLDFAST_PARENT_CTL_CHECK_H
#define HOLDFAST_PARENT_CTL_CHECK_H

#include <stdio.h>

#include "parent/ctl/finding.h"
#include "parent/ctl/node.h"

/* cmd_explain.c: which user runs what and why. */
json_t *explain_json(const json_t *top);
void explain_print(const json_t *top, const char *file, FILE *out);

/* cmd_lint.c: two configurations of one cluster against each other. */
void lint_pair(const struct node *a, const struct node *b, struct findings *l);

/* cmd_simulate.c: tables and what is wrong with them. */
struct sim;
json_t *simulate_json(const struct sim *s, size_t n);
void simulate_print(const struct sim *s, size_t n, FILE *out);
void simulate_judge(const struct sim *s, size_t n, struct findings *l);

#endif
