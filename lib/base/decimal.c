/* Numbers as decimal text. */
#include "base/decimal.h"

uint8_t *kopi_decimal_put(uint8_t *out, uint64_t value) {
  uint8_t digits[KOPI_DECIMAL_MAX];
  int n = 0;
  do {
    digits[n++] = (uint8_t)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (n > 0)
    *out++ = digits[--n];
  return out;
}

const uint8_t *kopi_decimal_read(const uint8_t *p, const uint8_t *end, uint64_t most,
                                 uint64_t *out) {
  uint64_t value = 0;
  const uint8_t *first = p;
  for (; p < end && *p >= '0' && *p <= '9'; p++) {
    uint64_t digit = *p - (uint64_t)'0';
    if (digit > most || value > (most - digit) / 10) return NULL;
    value = value * 10 + digit;
  }
  *out = value;
  return p == first ? NULL : p;
}

const uint8_t *kopi_decimal_read_signed(const uint8_t *p, const uint8_t *end, int64_t *out) {
  int negative = p < end && *p == '-';
  uint64_t value;
  p = kopi_decimal_read(p + negative, end, (uint64_t)INT64_MAX + (uint64_t)negative, &value);
  if (p != NULL) *out = (int64_t)(negative ? 0 - value : value);
  return p;
}
