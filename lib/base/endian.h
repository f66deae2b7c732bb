/* Big-endian loads and stores on unaligned memory: Kafka's byte order. */
#ifndef KOPI_BASE_ENDIAN_H
#define KOPI_BASE_ENDIAN_H

#include <stdint.h>

static inline uint16_t kopi_load_be16(const uint8_t *p) {
  return (uint16_t)(((uint32_t)p[0] << 8) | (uint32_t)p[1]);
}

static inline uint32_t kopi_load_be32(const uint8_t *p) {
  return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | (uint32_t)p[3];
}

static inline uint64_t kopi_load_be64(const uint8_t *p) {
  return ((uint64_t)kopi_load_be32(p) << 32) | (uint64_t)kopi_load_be32(p + 4);
}

static inline void kopi_store_be16(uint8_t *p, uint16_t v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}

static inline void kopi_store_be32(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)(v >> 24);
  p[1] = (uint8_t)(v >> 16);
  p[2] = (uint8_t)(v >> 8);
  p[3] = (uint8_t)v;
}

static inline void kopi_store_be64(uint8_t *p, uint64_t v) {
  kopi_store_be32(p, (uint32_t)(v >> 32));
  kopi_store_be32(p + 4, (uint32_t)v);
}

#endif
