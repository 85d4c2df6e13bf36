/*
 * udp_match.c - see udp_match.h. The text was checked by holdfast-conf and is checked again; the reply is
 * hostile. Called by check_udp.c.
 */
#include "checkd/udp_match.h"

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int udp_hex_decode(const char *text, size_t len, uint8_t *bytes, uint8_t *mask, size_t size)
{
    if (len % 2 != 0 || len / 2 > size)
        return -1;
    for (size_t i = 0; i < len / 2; i++) {
        unsigned int value = 0, fixed = 0;

        for (size_t j = 0; j < 2; j++) {
            char c = text[2 * i + j];
            bool any = mask != NULL && (c == 'x' || c == 'X');
            int d = any ? 0 : digit(c);

            if (d < 0)
                return -1;
            value = value << 4 | (unsigned int)d;
            fixed = fixed << 4 | (any ? 0 : 0xfu);
        }
        bytes[i] = (uint8_t)value;
        if (mask != NULL)
            mask[i] = (uint8_t)fixed;
    }
    return (int)(len / 2);
}

bool udp_match(const void *buf, size_t len, const uint8_t *bytes, const uint8_t *mask, size_t n)
{
    const uint8_t *p = buf;

    for (size_t i = 0; i < n && i < len; i++)
        if ((p[i] & mask[i]) != bytes[i])
            return false;
    return true;
}
