/* Varints: every length, every truncation, bits that do not fit, and the two kinds of refusal. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/varint.h"

Test(varint, every_boundary_survives_a_round_trip) {
  for (unsigned bit = 0; bit < 32; bit++) {
    for (int32_t step = -1; step <= 1; step++) {
      uint32_t v = (UINT32_C(1) << bit) + (uint32_t)step;
      uint8_t bytes[KOPI_VARINT_MAX];
      uint8_t *end = kopi_uvarint_write(bytes, v);
      cr_assert_eq((size_t)(end - bytes), kopi_uvarint_size(v));
      uint32_t back = ~v;
      cr_assert_eq(kopi_uvarint_read(bytes, end, &back), end, "%u", v);
      cr_assert_eq(back, v);
      for (const uint8_t *cut = bytes; cut < end; cut++) {
        cr_assert_null(kopi_uvarint_read(bytes, cut, &back));
        cr_assert_eq(kopi_varint_status(bytes, cut, KOPI_VARINT_MAX), KOP_ERR_TRUNCATED);
      }
    }
  }
}

Test(varint, zigzag_matches_its_definition) {
  const struct {
    int64_t value;
    uint8_t size;
  } cases[] = {{0, 1},   {-1, 1},        {1, 1},         {-64, 1},        {63, 1},        {64, 2},
               {-65, 2}, {INT32_MAX, 5}, {INT32_MIN, 5}, {INT64_MAX, 10}, {INT64_MIN, 10}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t bytes[KOPI_VARLONG_MAX];
    uint8_t *end = kopi_varlong_write(bytes, cases[i].value);
    cr_assert_eq(end - bytes, cases[i].size);
    cr_assert_eq(kopi_varlong_size(cases[i].value), cases[i].size);
    int64_t back = 0;
    cr_assert_eq(kopi_varlong_read(bytes, end, &back), end);
    cr_assert_eq(back, cases[i].value);
    if (cases[i].value < INT32_MIN || cases[i].value > INT32_MAX) continue;
    int32_t small = (int32_t)cases[i].value, small_back = 0;
    cr_assert_eq(kopi_varint_write(bytes, small) - bytes, cases[i].size);
    cr_assert_eq(kopi_varint_size(small), cases[i].size);
    cr_assert_eq(kopi_varint_read(bytes, end, &small_back), end);
    cr_assert_eq(small_back, small);
  }
}

Test(varint, refuses_a_sixth_byte_and_bits_above_the_type) {
  const uint8_t six[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
  const uint8_t high[] = {0xFF, 0xFF, 0xFF, 0xFF, 0x1F};
  const uint8_t most[] = {0xFF, 0xFF, 0xFF, 0xFF, 0x0F};
  const uint8_t padded[] = {0x81, 0x80, 0x00};
  uint32_t v = 0;
  cr_assert_null(kopi_uvarint_read(six, six + sizeof six, &v));
  cr_assert_eq(kopi_varint_status(six, six + sizeof six, KOPI_VARINT_MAX), KOP_ERR_MALFORMED);
  cr_assert_null(kopi_uvarint_read(high, high + sizeof high, &v));
  cr_assert_eq(kopi_varint_status(high, high + sizeof high, KOPI_VARINT_MAX), KOP_ERR_MALFORMED);
  cr_assert_eq(kopi_uvarint_read(most, most + sizeof most, &v), most + sizeof most);
  cr_assert_eq(v, UINT32_MAX);
  cr_assert_eq(kopi_uvarint_read(padded, padded + sizeof padded, &v), padded + sizeof padded);
  cr_assert_eq(v, 1);
}

Test(varint, refuses_an_eleventh_byte_and_bits_above_64) {
  uint8_t bytes[11];
  memset(bytes, 0x80, sizeof bytes);
  int64_t v = 0;
  cr_assert_null(kopi_varlong_read(bytes, bytes + sizeof bytes, &v));
  memset(bytes, 0xFF, 9);
  bytes[9] = 0x02;
  cr_assert_null(kopi_varlong_read(bytes, bytes + 10, &v));
  bytes[9] = 0x01;
  cr_assert_eq(kopi_varlong_read(bytes, bytes + 10, &v), bytes + 10);
  cr_assert_eq(v, INT64_MIN);
}
