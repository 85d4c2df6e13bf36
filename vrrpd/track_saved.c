/* track_saved.c - what the parent keeps of a tracker's result for our successor; see track_life.h. Pure. */
#include <errno.h>
#include <string.h>

#include "vrrpd/track_life.h"

#define SAVED_MAGIC   0x54u /* 'T' */
#define SAVED_VERSION 1u
#define SAVED_HEAD    17u /* magic, version, kind, result, value, at, length of the name */

static void saved_put(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t saved_get(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

size_t track_saved_encode(const struct track_saved *s, uint8_t buf[TRACK_SAVED_MAX])
{
    size_t name = strnlen(s->name, TRACK_NAME_MAX);
    buf[0] = SAVED_MAGIC;
    buf[1] = SAVED_VERSION;
    buf[2] = (uint8_t)s->kind;
    buf[3] = (uint8_t)s->result;
    saved_put(buf + 4, (uint32_t)s->value, 4);
    saved_put(buf + 8, s->at, 8);
    buf[16] = (uint8_t)name;
    memcpy(buf + SAVED_HEAD, s->name, name);
    return SAVED_HEAD + name;
}

int track_saved_decode(const uint8_t *buf, size_t len, struct track_saved *out)
{
    memset(out, 0, sizeof *out);
    if (len < SAVED_HEAD || buf[0] != SAVED_MAGIC || buf[1] != SAVED_VERSION || buf[2] >= TRACK_KINDS ||
        buf[3] > TRACK_OK || len != SAVED_HEAD + (size_t)buf[16] ||
        memchr(buf + SAVED_HEAD, '\0', buf[16]) != NULL) {
        errno = EINVAL;
        return -1;
    }
    out->kind = (enum track_kind)buf[2];
    out->result = (enum track_result)buf[3];
    out->value = (int32_t)(uint32_t)saved_get(buf + 4, 4);
    out->at = saved_get(buf + 8, 8);
    memcpy(out->name, buf + SAVED_HEAD, buf[16]);
    return 0;
}
