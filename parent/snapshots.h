/*
 * snapshots.h - what a child wants its successor to know: bytes by key, kept unread.
 * The bytes come from a child that may be taken over: only their number and size matter here. Keys are object
 * ids and change with the generation, so the generation is part of the key; the older ones go first into the
 * hand-over, and the reader, who finds the natural key in the bytes, lets the later win.
 */
#ifndef HOLDFAST_PARENT_SNAPSHOTS_H
#define HOLDFAST_PARENT_SNAPSHOTS_H

#include <stddef.h>
#include <stdint.h>

struct snapshots;

struct snapshots *snapshots_new(size_t max_entries);
void snapshots_free(struct snapshots *s);
int snapshots_put(struct snapshots *s, uint32_t generation, uint32_t key, const void *data,
                  uint16_t len); /* -1 ENOSPC */
void snapshots_remove(struct snapshots *s, uint32_t generation, uint32_t key);
void snapshots_forget_before(struct snapshots *s, uint32_t generation); /* older generations */
void snapshots_clear(struct snapshots *s);
size_t snapshots_count(const struct snapshots *s);

/* The hand-over: { u32 key, u16 len, u16 zero, data padded to 4 } ... Caller frees. */
void *snapshots_bytes(const struct snapshots *s, size_t *len);
int snapshots_memfd(const struct snapshots *s); /* sealed; -1 */

#endif
