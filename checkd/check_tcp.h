/* check_tcp.h - TCP_CHECK; see check_tcp.c. */
#ifndef HOLDFAST_CHECKD_CHECK_TCP_H
#define HOLDFAST_CHECKD_CHECK_TCP_H

#include "checkd/checker.h"

const struct checker_kind *check_tcp_kind(void);

#endif
