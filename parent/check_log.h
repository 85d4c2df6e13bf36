/*
 * check_log.h - the LOGFILE of reload_check_config: what was said of the configuration read last at a reload;
 * empty when there was nothing to say. Every reload is checked, with the keyword or without. Called by
 * reload.c.
 */
#ifndef HOLDFAST_PARENT_CHECK_LOG_H
#define HOLDFAST_PARENT_CHECK_LOG_H

#include <stddef.h>

struct config;

/* c: the configuration in force, which names the file. */
void check_log_write(const struct config *c, const char *text, size_t len);

#endif
