/* check_misc.h - MISC_CHECK; see check_misc.c. */
#ifndef HOLDFAST_CHECKD_CHECK_MISC_H
#define HOLDFAST_CHECKD_CHECK_MISC_H

#include "checkd/checker.h"
#include "common/proto.h"

const struct checker_kind *check_misc_kind(void);

/* The parent tells how a run ended. Goes by the token: a run may have begun under the ids of the
 * configuration before, so any generation may say this. */
void check_misc_ran(struct checkd *d, const struct msg_ran *m);

#endif
