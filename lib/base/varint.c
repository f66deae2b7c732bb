/* The long forms of varint.h's readers. */
#include "base/varint.h"

const uint8_t *kopi_uvarint_read_slow(const uint8_t *p, const uint8_t *end, uint32_t *out) {
  uint32_t v = 0;
  for (unsigned shift = 0; shift < 35 && p < end; shift += 7) {
    uint32_t byte = *p++;
    if (shift == 28 && byte > 0x0Fu) return NULL;
    v |= (byte & 0x7Fu) << shift;
    if (byte < 0x80u) {
      *out = v;
      return p;
    }
  }
  return NULL;
}

const uint8_t *kopi_uvarlong_read_slow(const uint8_t *p, const uint8_t *end, uint64_t *out) {
  uint64_t v = 0;
  for (unsigned shift = 0; shift < 70 && p < end; shift += 7) {
    uint64_t byte = *p++;
    if (shift == 63 && byte > 1u) return NULL;
    v |= (byte & 0x7Fu) << shift;
    if (byte < 0x80u) {
      *out = v;
      return p;
    }
  }
  return NULL;
}

kop_status kopi_varint_status(const uint8_t *p, const uint8_t *end, size_t max) {
  size_t n = 0;
  while (n < max && p + n < end && p[n] >= 0x80u) {
    n++;
  }
  return n < max && p + n == end ? KOP_ERR_TRUNCATED : KOP_ERR_MALFORMED;
}
