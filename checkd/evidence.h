/*
 * evidence.h - what holdctl explain says of a check (since when, why, how often), carried over the death of
 * checkd in snapshots of its own beside the verdicts (state.c). A bounded part: checkers that have ever
 * failed, the reason cut to EVIDENCE_TEXT and printable, the first EVIDENCE_CHUNKS snapshots of the table.
 * The reason may be what a hostile server said: it goes to the parent as bytes nobody reads and comes back
 * for display alone. The decoder is pure, strict to the last byte and fuzzed. Called by feed.c and state.c.
 */
#ifndef HOLDFAST_CHECKD_EVIDENCE_H
#define HOLDFAST_CHECKD_EVIDENCE_H

#include "checkd/service.h"

#define EVIDENCE_KEY  0x45000000u /* + chunk; far beyond the keys of state.c */
#define EVIDENCE_TEXT 120u        /* letters of a reason */
#define EVIDENCE_CHUNKS                                                                                      \
    4000u /* of CHUNK_EVIDENCE checkers; two generations leave the verdicts their room                       \
           */

bool evidence_any(const struct checker *k);
/* 0: no checker of the chunk has anything to tell. */
size_t evidence_encode(const struct service_table *t, size_t chunk, uint8_t *buf, size_t size);
/* Under key EVIDENCE_KEY + chunk. -1: not ours; nothing has been changed. */
int evidence_decode(struct service_table *t, size_t chunk, const uint8_t *data, size_t len);
/* Times that lie ahead of now (the clock was set back) are forgotten. */
void evidence_settle(struct service_table *t, uint64_t now);

#endif
