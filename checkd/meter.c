/* meter.c - see meter.h. */
#include "checkd/checkd.h"

void meter_begin(struct checkd *d, struct checker *k, uint64_t late, uint64_t now)
{
    k->meter.began = now;
    hist_add(&d->meter.late, HIST_FINE, late);
}

void meter_end(struct checkd *d, struct checker *k, uint64_t now)
{
    k->meter.took = now > k->meter.began ? now - k->meter.began : 1;
    for (size_t i = 0; i < METER_KINDS && checker_kind_at(i) != NULL; i++)
        if (checker_kind_at(i) == k->kind)
            hist_add(&d->meter.took[i], HIST_WORK, k->meter.took);
}
