/* check_ping.h - PING_CHECK; see check_ping.c. */
#ifndef HOLDFAST_CHECKD_CHECK_PING_H
#define HOLDFAST_CHECKD_CHECK_PING_H

#include "checkd/checker.h"

const struct checker_kind *check_ping_kind(void);

#endif
