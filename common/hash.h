/*
 * hash.h - FNV-1a, the one hash of this house: equal bytes in, equal number out, in every process and every
 * build. Some numbers outlive the process that made them (the names of commands and of TLS material in a
 * slice, the hash of the schema, the digest of the marks and the source port of a BFD session over a
 * restart): the algorithm is part of those formats, so it is never tuned. test_hash.c holds it to the
 * published values.
 *
 * There is no key in it: whoever chooses the bytes can choose collisions. Every table over it holds what the
 * administrator configured (objects, keywords, addresses, routes, services) or the addresses the kernel
 * already took; what arrives on a wire is looked up, never inserted, so nobody out there can make a chain
 * long. A table that grows by what strangers send needs a keyed hash, not this one.
 */
#ifndef HOLDFAST_HASH_H
#define HOLDFAST_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START   UINT64_C(0xcbf29ce484222325)
#define HASH_START32 UINT32_C(0x811c9dc5)

/* One step with a whole number (a byte when it is below 256): not what hash_bytes makes of its bytes. */
static inline uint64_t hash_u64(uint64_t h, uint64_t v)
{
    return (h ^ v) * UINT64_C(0x100000001b3);
}

/* h: HASH_START, or what came before. The ends of the parts leave no trace: "ab" "c" is "a" "bc". */
static inline uint64_t hash_bytes(uint64_t h, const void *p, size_t len)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < len; i++)
        h = hash_u64(h, b[i]);
    return h;
}

/* Without the end; hash_u64(h, 0) or another byte no text has behind it keeps words apart. */
static inline uint64_t hash_text(uint64_t h, const char *s)
{
    for (; *s != '\0'; s++)
        h = hash_u64(h, (uint8_t)*s);
    return h;
}

/* For the place in a table of any size: every bit of h counts in every bit of it. */
static inline uint32_t hash_place(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}

/* The short form, for the one number that was always made by it. */
static inline uint32_t hash_byte32(uint32_t h, uint8_t b)
{
    return (h ^ b) * UINT32_C(16777619);
}

#endif
