/* check_dns.h - DNS_CHECK; see check_dns.c. */
#ifndef HOLDFAST_CHECKD_CHECK_DNS_H
#define HOLDFAST_CHECKD_CHECK_DNS_H

#include "checkd/checker.h"

const struct checker_kind *check_dns_kind(void);

#endif
