/* CRC-32C: known values, both implementations against each other, and the linear patch. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

static uint64_t rng_state = 88172645463325252u;

static uint64_t rng(void) {
  rng_state ^= rng_state << 13;
  rng_state ^= rng_state >> 7;
  rng_state ^= rng_state << 17;
  return rng_state;
}

Test(crc32c, gives_the_check_value_of_its_catalogue_entry) {
  cr_assert_eq(kopi_crc32c(0, "123456789", 9), 0xE3069283u);
  cr_assert_eq(kopi_crc32c_portable(0, "123456789", 9), 0xE3069283u);
  cr_assert_eq(kopi_crc32c(0, "", 0), 0);
}

Test(crc32c, gives_the_values_of_rfc_3720) {
  uint8_t block[32];
  memset(block, 0, sizeof block);
  cr_assert_eq(kopi_crc32c(0, block, sizeof block), 0x8A9136AAu);
  memset(block, 0xFF, sizeof block);
  cr_assert_eq(kopi_crc32c(0, block, sizeof block), 0x62A8AB43u);
}

Test(crc32c, both_ways_agree_at_every_length_and_alignment) {
  uint8_t bytes[600];
  for (size_t i = 0; i < sizeof bytes; i++) {
    bytes[i] = (uint8_t)rng();
  }
  for (size_t start = 0; start < 9; start++) {
    for (size_t n = 0; n + start <= sizeof bytes; n++) {
      uint32_t seed = (uint32_t)rng();
      cr_assert_eq(kopi_crc32c(seed, bytes + start, n),
                   kopi_crc32c_portable(seed, bytes + start, n), "start %zu length %zu", start, n);
    }
  }
}

Test(crc32c, continues_where_it_was_cut) {
  uint8_t bytes[300];
  for (size_t i = 0; i < sizeof bytes; i++) {
    bytes[i] = (uint8_t)rng();
  }
  uint32_t whole = kopi_crc32c(0, bytes, sizeof bytes);
  for (size_t cut = 0; cut <= sizeof bytes; cut++) {
    cr_assert_eq(kopi_crc32c(kopi_crc32c(0, bytes, cut), bytes + cut, sizeof bytes - cut), whole);
  }
}

Test(crc32c, delta_equals_the_checksum_of_the_changed_bytes) {
  static uint8_t bytes[1 << 20];
  for (size_t i = 0; i < sizeof bytes; i++) {
    bytes[i] = (uint8_t)rng();
  }
  for (int round = 0; round < 200; round++) {
    size_t total = 41 + (size_t)(rng() % (sizeof bytes - 41));
    if (round < 64) total = 41 + (size_t)round;
    uint32_t before = kopi_crc32c(0, bytes, total);
    uint8_t diff[40];
    for (size_t i = 0; i < sizeof diff; i++) {
      diff[i] = (uint8_t)rng();
      bytes[i] ^= diff[i];
    }
    uint32_t after = kopi_crc32c(0, bytes, total);
    cr_assert_eq(before ^ kopi_crc32c_delta(diff, sizeof diff, (uint32_t)(total - sizeof diff)),
                 after, "length %zu", total);
  }
}

Test(crc32c, checksums_join) {
  static uint8_t bytes[100000];
  for (size_t i = 0; i < sizeof bytes; i++) {
    bytes[i] = (uint8_t)rng();
  }
  for (int round = 0; round < 200; round++) {
    size_t total = round < 40 ? (size_t)round : (size_t)(rng() % sizeof bytes);
    size_t cut = total == 0 ? 0 : (size_t)(rng() % (total + 1));
    uint32_t first = kopi_crc32c(0, bytes, cut);
    uint32_t second = kopi_crc32c(0, bytes + cut, total - cut);
    cr_assert_eq(kopi_crc32c_join(first, second, (uint32_t)(total - cut)),
                 kopi_crc32c(0, bytes, total), "%zu bytes cut at %zu", total, cut);
  }
}
