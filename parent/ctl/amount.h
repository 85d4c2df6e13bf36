/*
 * amount.h - numbers and lengths of time as an operator writes them. Pure.
 */
#ifndef HOLDFAST_CTL_AMOUNT_H
#define HOLDFAST_CTL_AMOUNT_H

#include <stdint.h>

int amount_number(const char *s, uint64_t most, uint64_t *out); /* decimal digits and nothing else; -1 */
int amount_seconds(const char *s, uint64_t *out);               /* "90", "90s", "5m", "1h"; -1 */

#endif
