/*
 * news.h - what the parent is told, made into events (events.h) and into the states the status shows. Called
 * by main.c, lifecycle.c, notify.c and mourn.c.
 */
#ifndef HOLDFAST_PARENT_NEWS_H
#define HOLDFAST_PARENT_NEWS_H

#include "common/proto.h"
#include "common/role.h"

struct config;
struct parent;

void news_instance(struct parent *p, struct config *c, const struct msg_inst_event *e); /* or a sync group */
void news_server(struct parent *p, struct config *c, const struct msg_rs_event *e);
void news_service(struct parent *p, struct config *c, const struct msg_vs_event *e);
void news_process(struct parent *p, enum role r, const char *what, const char *cause);
void news_reload(struct parent *p);
void news_daemon(struct parent *p, const char *what, const char *cause);

#endif
