/* Decimal text against the C library's, and back. */
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

static const uint8_t *read(const char *text, uint64_t most, uint64_t *out) {
  const uint8_t *p = (const uint8_t *)text;
  return kopi_decimal_read(p, p + strlen(text), most, out);
}

Test(decimal, what_was_written_is_read) {
  uint64_t power = 1;
  for (int i = 0; i < 20; i++, power *= 10) {
    const uint64_t values[] = {power - 1, power, power + 1, UINT64_MAX - power, UINT64_MAX};
    for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
      uint8_t text[KOPI_DECIMAL_MAX];
      const uint8_t *end = kopi_decimal_put(text, values[k]);
      uint64_t got;
      cr_assert_eq(kopi_decimal_read(text, end, UINT64_MAX, &got), end);
      cr_assert_eq(got, values[k]);
      cr_assert_eq(kopi_decimal_read(text, end, values[k], &got), end);
      cr_assert(values[k] == 0 || kopi_decimal_read(text, end, values[k] - 1, &got) == NULL);
    }
  }
}

Test(decimal, reading_ends_where_digits_do) {
  uint64_t n;
  cr_assert_null(read("", 9, &n));
  cr_assert_null(read("-1", 9, &n));
  cr_assert_null(read(" 1", 9, &n));
  cr_assert_null(read("18446744073709551616", UINT64_MAX, &n));
  cr_assert_null(read("99999999999999999999999999", UINT64_MAX, &n));
  cr_assert_null(read("5", 4, &n));
  cr_assert_str_eq((const char *)read("0012:7", 12, &n), ":7");
  cr_assert_eq(n, 12);
  cr_assert_str_eq((const char *)read("0", 0, &n), "");
  cr_assert_eq(n, 0);
}

Test(decimal, signed_numbers_reach_both_ends) {
  static const struct {
    const char *text;
    int64_t value;
    int good;
  } cases[] = {{"0", 0, 1},
               {"-1", -1, 1},
               {"9223372036854775807", INT64_MAX, 1},
               {"-9223372036854775808", INT64_MIN, 1},
               {"9223372036854775808", 0, 0},
               {"-9223372036854775809", 0, 0},
               {"-", 0, 0},
               {"", 0, 0},
               {"--1", 0, 0},
               {"+1", 0, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const uint8_t *p = (const uint8_t *)cases[i].text;
    const uint8_t *end = p + strlen(cases[i].text);
    int64_t got = 77;
    cr_assert_eq(kopi_decimal_read_signed(p, end, &got), cases[i].good ? end : NULL);
    cr_assert_eq(got, cases[i].good ? cases[i].value : 77, "%s", cases[i].text);
  }
}
