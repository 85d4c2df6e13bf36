/* check_file.h - FILE_CHECK; see check_file.c. */
#ifndef HOLDFAST_CHECKD_CHECK_FILE_H
#define HOLDFAST_CHECKD_CHECK_FILE_H

#include "checkd/checker.h"
#include "common/proto.h"

const struct checker_kind *check_file_kind(void);

/* The parent tells what stands in a tracked file: every check that follows it is judged. */
void check_file_value(struct checkd *d, const struct msg_file_value *m);

/* What value makes of a check with this weight. Pure. */
struct check_file_verdict {
    bool up;
    int64_t add; /* to the server's weight */
};
struct check_file_verdict check_file_judge(int32_t value, int64_t weight, bool reverse);

#endif
