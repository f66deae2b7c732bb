/* Decimal text against the C library's. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

Test(decimal, is_what_printf_writes) {
  uint64_t power = 1;
  for (int i = 0; i < 20; i++, power *= 10) {
    const uint64_t values[] = {power - 1, power, power + 1, UINT64_MAX - power, UINT64_MAX};
    for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
      char wanted[32];
      uint8_t got[KOPI_DECIMAL_MAX];
      int len = snprintf(wanted, sizeof wanted, "%" PRIu64, values[k]);
      const uint8_t *end = kopi_decimal_put(got, values[k]);
      cr_assert(end - got == len && memcmp(got, wanted, (size_t)len) == 0, "%s", wanted);
    }
  }
}
