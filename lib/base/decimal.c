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
