/* Numbers as decimal text, for what is written often enough that snprintf would show. */
#ifndef KOPI_BASE_DECIMAL_H
#define KOPI_BASE_DECIMAL_H

#include <stdint.h>

enum { KOPI_DECIMAL_MAX = 20 }; /* digits of a uint64_t at most */

/* Writes the digits of `value`, at most KOPI_DECIMAL_MAX, without leading zeros; returns the end. */
uint8_t *kopi_decimal_put(uint8_t *out, uint64_t value);

#endif
