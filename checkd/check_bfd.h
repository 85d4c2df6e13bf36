/* check_bfd.h - BFD_CHECK; see check_bfd.c. */
#ifndef HOLDFAST_CHECKD_CHECK_BFD_H
#define HOLDFAST_CHECKD_CHECK_BFD_H

#include "checkd/checker.h"
#include "common/proto.h"

const struct checker_kind *check_bfd_kind(void);

/* vrrpd tells the state of a session: every check that follows it is judged. */
void check_bfd_state(struct checkd *d, const struct msg_bfd_state *m);

#endif
