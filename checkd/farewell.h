/*
 * farewell.h - what a reload removes says that it is down; see farewell.c.
 */
#ifndef HOLDFAST_CHECKD_FAREWELL_H
#define HOLDFAST_CHECKD_FAREWELL_H

#include <stdint.h>

#include "checkd/mail.h"
#include "checkd/service.h"
#include "common/chan.h"

/* After service_table_adopt(next, cur), before cur is freed and before the mail knows the new names. */
void farewell_say(struct chan *to, struct mail *mail, const struct service_table *next,
                  const struct service_table *cur, uint32_t old_generation, uint32_t generation);

#endif
