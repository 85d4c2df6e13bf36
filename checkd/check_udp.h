/* check_udp.h - UDP_CHECK; see check_udp.c. */
#ifndef HOLDFAST_CHECKD_CHECK_UDP_H
#define HOLDFAST_CHECKD_CHECK_UDP_H

#include "checkd/checker.h"

const struct checker_kind *check_udp_kind(void);

#endif
