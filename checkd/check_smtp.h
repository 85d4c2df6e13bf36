/* check_smtp.h - SMTP_CHECK; see check_smtp.c. */
#ifndef HOLDFAST_CHECKD_CHECK_SMTP_H
#define HOLDFAST_CHECKD_CHECK_SMTP_H

#include "checkd/checker.h"

const struct checker_kind *check_smtp_kind(void);

#endif
