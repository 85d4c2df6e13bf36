/* snapwalk.c - see snapwalk.h. */
#include "vrrpd/snapwalk.h"

#include <errno.h>
#include <string.h>

struct snapwalk snapwalk_write(uint8_t *buf, size_t room, uint8_t kind, uint8_t version)
{
    buf[0] = kind;
    buf[1] = version;
    return (struct snapwalk){ .out = buf, .at = 2, .len = room };
}

struct snapwalk snapwalk_read(const uint8_t *buf, size_t len, uint8_t kind, uint8_t version)
{
    return (struct snapwalk){
        .in = buf, .at = 2, .len = len, .bad = len < 2 || buf[0] != kind || buf[1] != version
    };
}

int snapwalk_end(const struct snapwalk *w)
{
    if (w->bad || (w->out == NULL && w->at != w->len)) {
        errno = EINVAL;
        return -1;
    }
    return (int)w->at;
}

static void snapwalk_bytes(struct snapwalk *w, void *p, size_t n)
{
    if (w->bad || w->len - w->at < n) {
        w->bad = true;
        return;
    }
    if (w->out != NULL)
        memcpy(w->out + w->at, p, n);
    else
        memcpy(p, w->in + w->at, n);
    w->at += n;
}

static void snapwalk_uint(struct snapwalk *w, uint64_t *v, unsigned int bytes)
{
    uint8_t b[8];
    for (unsigned int i = 0; i < bytes; i++)
        b[i] = (uint8_t)(*v >> (8 * i));
    snapwalk_bytes(w, b, bytes);
    if (w->out != NULL || w->bad)
        return;
    *v = 0;
    for (unsigned int i = 0; i < bytes; i++)
        *v |= (uint64_t)b[i] << (8 * i);
}

void snapwalk_u8(struct snapwalk *w, uint8_t *v)
{
    snapwalk_bytes(w, v, 1);
}

void snapwalk_u32(struct snapwalk *w, uint32_t *v)
{
    uint64_t x = *v;
    snapwalk_uint(w, &x, 4);
    *v = (uint32_t)x;
}

void snapwalk_u64(struct snapwalk *w, uint64_t *v)
{
    snapwalk_uint(w, v, 8);
}

void snapwalk_count(struct snapwalk *w, uint64_t *v)
{
    uint64_t left = *v, got = 0;
    uint8_t b = 0;
    for (unsigned int shift = 0; shift < 64; shift += 7) {
        b = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80u : 0));
        left >>= 7;
        snapwalk_bytes(w, &b, 1);
        w->bad = w->bad || (shift > 0 && b == 0) || (shift == 63 && b > 1); /* longer than need be; 64 bits */
        got |= (uint64_t)(b & 0x7f) << shift;
        if (w->bad || b < 0x80)
            break;
    }
    if (w->out == NULL && !w->bad)
        *v = got;
}

uint8_t snapwalk_small(struct snapwalk *w, uint8_t v, uint8_t most)
{
    snapwalk_bytes(w, &v, 1);
    if (v > most)
        w->bad = true;
    return w->bad ? 0 : v;
}

void snapwalk_text(struct snapwalk *w, char *s, uint8_t room)
{
    uint8_t n = snapwalk_small(w, w->out != NULL ? (uint8_t)strnlen(s, room) : 0, room);
    snapwalk_bytes(w, s, n);
    if (w->out == NULL && !w->bad) {
        s[n] = '\0';
        w->bad = strlen(s) != n;
    }
}

void snapwalk_addr(struct snapwalk *w, struct ipaddr *a)
{
    uint8_t family = snapwalk_small(w, a->family, 6);
    if (family != 0 && family != 4 && family != 6)
        w->bad = true;
    if (w->bad)
        return;
    a->family = family;
    snapwalk_bytes(w, a->b, ipaddr_len(a));
    if (w->out == NULL)
        a->plen = family == 4 ? 32 : family == 6 ? 128 : 0;
}
