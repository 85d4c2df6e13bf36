/* amount.c - see amount.h. */
#include "parent/ctl/amount.h"

#include <string.h>

#define AMOUNT_MOST_S (UINT64_C(366) * 86400)

/* How many digits; *out within most, or 0 of them. */
static size_t amount_digits(const char *s, uint64_t most, uint64_t *out)
{
    size_t n = 0;
    for (*out = 0; s[n] >= '0' && s[n] <= '9'; n++) {
        *out = *out * 10 + (uint64_t)(s[n] - '0');
        if (*out > most)
            return 0;
    }
    return n;
}

int amount_number(const char *s, uint64_t most, uint64_t *out)
{
    size_t n = amount_digits(s, most, out);
    return n > 0 && s[n] == '\0' ? 0 : -1;
}

int amount_seconds(const char *s, uint64_t *out)
{
    size_t n = amount_digits(s, AMOUNT_MOST_S, out);
    static const char units[] = "smh";
    static const uint64_t factor[] = { 1, 60, 3600 };
    if (n == 0 || (s[n] != '\0' && s[n + 1] != '\0'))
        return -1;
    if (s[n] == '\0')
        return 0;
    const char *u = strchr(units, s[n]);
    if (u == NULL)
        return -1;
    *out *= factor[u - units];
    return *out <= AMOUNT_MOST_S ? 0 : -1;
}
