/*
 * Variable-length integers: seven bits a byte, lowest first, the top bit says that more follow.
 *
 *   unsigned varint   300 -> AC 02                 lengths and tags of flexible Kafka messages, 1 to 5 bytes
 *   varint            zigzag, then as above        lengths and offset deltas inside a v2 record, 1 to 5 bytes
 *   varlong           zigzag of 64 bits            timestamp deltas inside a v2 record, 1 to 10 bytes
 *
 * Zigzag maps 0 -1 1 -2 2 ... to 0 1 2 3 4 ..., so that small negative numbers stay short.
 *
 * Readers take [p, end) and give the position behind the number, or NULL when it does not end before `end`
 * or before its last permitted byte, or when that byte carries bits that the result cannot hold. A number
 * padded with zero groups within the permitted length is accepted, as Kafka accepts it. kopi_varint_status
 * tells the two refusals apart.
 */
#ifndef KOPI_BASE_VARINT_H
#define KOPI_BASE_VARINT_H

#include <stddef.h>
#include <stdint.h>

#include <kop/base.h>

enum { KOPI_VARINT_MAX = 5, KOPI_VARLONG_MAX = 10 };

/* The path for more bytes than the readers below take inline; exists so that the inline part stays small. */
const uint8_t *kopi_uvarint_read_slow(const uint8_t *p, const uint8_t *end, uint32_t *out);
const uint8_t *kopi_uvarlong_read_slow(const uint8_t *p, const uint8_t *end, uint64_t *out);

static inline uint32_t kopi_zigzag32(int32_t v) {
  return ((uint32_t)v << 1) ^ (v < 0 ? UINT32_MAX : 0u);
}

static inline int32_t kopi_unzigzag32(uint32_t v) {
  return (int32_t)((v >> 1) ^ (0u - (v & 1u)));
}

static inline uint64_t kopi_zigzag64(int64_t v) {
  return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0u);
}

static inline int64_t kopi_unzigzag64(uint64_t v) {
  return (int64_t)((v >> 1) ^ (0u - (v & 1u)));
}

static inline const uint8_t *kopi_uvarint_read(const uint8_t *p, const uint8_t *end,
                                               uint32_t *out) {
  if (p < end && *p < 0x80u) {
    *out = *p;
    return p + 1;
  }
  if (end - p > 1 && p[1] < 0x80u) {
    *out = (*p & 0x7Fu) | (uint32_t)p[1] << 7;
    return p + 2;
  }
  return kopi_uvarint_read_slow(p, end, out);
}

static inline const uint8_t *kopi_varint_read(const uint8_t *p, const uint8_t *end, int32_t *out) {
  uint32_t raw = 0;
  p = kopi_uvarint_read(p, end, &raw);
  *out = kopi_unzigzag32(raw);
  return p;
}

static inline const uint8_t *kopi_varlong_read(const uint8_t *p, const uint8_t *end, int64_t *out) {
  uint64_t raw = 0;
  if (p < end && *p < 0x80u) {
    raw = *p++;
  } else {
    p = kopi_uvarlong_read_slow(p, end, &raw);
  }
  *out = kopi_unzigzag64(raw);
  return p;
}

/* Why a reader that may take at most `max` bytes refused: KOP_ERR_TRUNCATED when the input ends inside a number that could still be right. */
kop_status kopi_varint_status(const uint8_t *p, const uint8_t *end, size_t max);

/* Bytes that the number takes. */
static inline size_t kopi_uvarint_size(uint32_t v) {
  size_t n = 1;
  while (v >= 0x80u) {
    v >>= 7;
    n++;
  }
  return n;
}

static inline size_t kopi_varint_size(int32_t v) {
  return kopi_uvarint_size(kopi_zigzag32(v));
}

static inline size_t kopi_varlong_size(int64_t v) {
  uint64_t raw = kopi_zigzag64(v);
  size_t n = 1;
  while (raw >= 0x80u) {
    raw >>= 7;
    n++;
  }
  return n;
}

/* Writers: the caller has made room for the longest form; they give the position behind the number. */
static inline uint8_t *kopi_uvarint_write(uint8_t *p, uint32_t v) {
  while (v >= 0x80u) {
    *p++ = (uint8_t)(v | 0x80u);
    v >>= 7;
  }
  *p++ = (uint8_t)v;
  return p;
}

static inline uint8_t *kopi_varint_write(uint8_t *p, int32_t v) {
  return kopi_uvarint_write(p, kopi_zigzag32(v));
}

static inline uint8_t *kopi_varlong_write(uint8_t *p, int64_t v) {
  uint64_t raw = kopi_zigzag64(v);
  while (raw >= 0x80u) {
    *p++ = (uint8_t)(raw | 0x80u);
    raw >>= 7;
  }
  *p++ = (uint8_t)raw;
  return p;
}

#endif
