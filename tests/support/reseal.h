/* The right checksum for a batch or message that a test has changed; computed bit by bit, apart from the library. */
#ifndef TESTS_SUPPORT_RESEAL_H
#define TESTS_SUPPORT_RESEAL_H

#include <stddef.h>
#include <stdint.h>

static inline void reseal(uint8_t *entry, size_t len) {
  int batch = entry[16] == 2;
  uint32_t poly = batch ? 0x82F63B78u : 0xEDB88320u;
  uint32_t crc = UINT32_MAX;
  for (size_t i = batch ? 21 : 16; i < len; i++) {
    crc ^= entry[i];
    for (int bit = 0; bit < 8; bit++) {
      crc = (crc >> 1) ^ (poly & (0u - (crc & 1u)));
    }
  }
  uint8_t *p = entry + (batch ? 17 : 12);
  for (int i = 0; i < 4; i++) {
    p[i] = (uint8_t)(~crc >> (24 - 8 * i));
  }
}

#endif
