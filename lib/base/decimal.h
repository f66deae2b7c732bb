/* Numbers as decimal text: writing, for what is written often enough that snprintf would show, and reading. */
#ifndef KOPI_BASE_DECIMAL_H
#define KOPI_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

enum { KOPI_DECIMAL_MAX = 20 }; /* digits of a uint64_t at most */

/* Writes the digits of `value`, at most KOPI_DECIMAL_MAX, without leading zeros; returns the end. */
uint8_t *kopi_decimal_put(uint8_t *out, uint64_t value);

/*
 * Reads all digits that begin at p. Returns what follows them, or NULL if there is none or their number is above `most`. Signs,
 * leading zeros and what may follow are each caller's rule.
 */
const uint8_t *kopi_decimal_read(const uint8_t *p, const uint8_t *end, uint64_t most,
                                 uint64_t *out);

/* The same for an int64_t that may begin with '-'. */
const uint8_t *kopi_decimal_read_signed(const uint8_t *p, const uint8_t *end, int64_t *out);

#endif
