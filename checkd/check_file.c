/*
 * check_file.c - FILE_CHECK: the number in a tracked file, times the weight, is added to the server's weight.
 * With weight 0 the file is a switch: anything but 0 takes the server out. A product at the bottom of the
 * 32-bit range is a fault value, and a file that cannot be read or holds no number takes the server out, too:
 * a guard fails closed. No attempts: the parent watches the file and tells. Called by engine.c through
 * checker.h and by kinds.c.
 */
#include "checkd/check_file.h"

#include "checkd/checkd.h"

struct check_file {
    uint32_t file; /* id of the track_file */
    bool reverse;
    int64_t weight;
};

struct check_file_verdict check_file_judge(int32_t value, int64_t weight, bool reverse)
{
    int64_t product = (int64_t)value * weight;

    if (weight == 0)
        return (struct check_file_verdict){ .up = (value == 0) != reverse };
    if (reverse)
        product = -product;
    if (product <= INT32_MIN || value == INT32_MIN)
        return (struct check_file_verdict){ .up = false };
    return (struct check_file_verdict){ .up = true, .add = product < INT32_MAX ? product : INT32_MAX };
}

static void file_tell(struct checker *k, const struct msg_file_value *m)
{
    const struct check_file *s = k->state;
    int32_t value = (int32_t)m->value;
    struct check_file_verdict v = check_file_judge(value, s->weight, s->reverse);

    if (!m->ok) {
        checker_failed(k, "the file cannot be read or holds no number");
    } else if (!v.up) {
        checker_failed(k, "the file holds %d", value);
    } else {
        checker_weight_add(k, v.add);
        checker_passed(k, "the file holds %d", value);
    }
}

void check_file_value(struct checkd *d, const struct msg_file_value *m)
{
    for (struct checker *k = NULL; (k = checkd_next_checker(d, check_file_kind(), k)) != NULL;)
        if (((const struct check_file *)k->state)->file == m->file)
            file_tell(k, m);
}

/* ---- the kind ---------------------------------------------------------------------------------- */

static int file_build(struct checker *k, const struct slice *sl, const struct slice_obj *o, struct err *e)
{
    const char *name = slice_str(o, KW_FILE_TRACK_FILE, "");
    const struct slice_obj *file = slice_find(sl, BLK_TFILE, name);
    struct check_file *s;

    if (file == NULL)
        return err_set(e, "HF-SLICE", o->name,
                       "line %u: FILE_CHECK follows track_file %s, which is not there: a bug "
                       "of holdfast-conf",
                       o->line, name);
    s = xcalloc(1, sizeof *s);
    s->file = file->id;
    s->weight = slice_int(o, KW_FILE_WEIGHT, 1);
    s->reverse = slice_uint(o, KW_FILE_X_REVERSE, 0) != 0;
    k->state = s;
    return 0;
}

const struct checker_kind *check_file_kind(void)
{
    static const struct checker_kind kind = {
        .blk = BLK_FILE, .name = "FILE_CHECK", .build = file_build, .passive = true
    };

    return &kind;
}
