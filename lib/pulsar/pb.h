/*
 * The bytes of protobuf: what the hand-written readers and writers of metadata and hot commands stand on.
 *
 *   message  field field field ...
 *   field    tag varint = number << 3 | wire type, then
 *              0  varint                 integers, flags, enums; a negative int32 is sign-extended to ten bytes
 *              1  8 bytes, little-endian
 *              2  length varint, bytes   strings, bytes, messages, packed repeated numbers
 *              5  4 bytes, little-endian
 *
 * Readers are as lenient as protobuf's own: a varint may be padded, bits above the 64th are dropped, the last of several
 * values of a singular field counts. Groups (wire types 3 and 4), which Pulsar never uses, are refused.
 */
#ifndef KOPI_PULSAR_PB_H
#define KOPI_PULSAR_PB_H

#include <kop/pulsar_entry.h>
#include <string.h>

enum { KOPI_PB_VARINT = 0, KOPI_PB_FIXED64 = 1, KOPI_PB_BYTES = 2, KOPI_PB_FIXED32 = 5 };

enum { KOPI_PB_VARINT_MAX = 10 };

/* A field as it stands: `value` of a varint, `bytes` of the other wire types. */
typedef struct kopi_pb_field {
  uint32_t number;
  uint32_t wire;
  uint64_t value;
  kop_slice bytes;
} kopi_pb_field;

/* Varints of any length up to ten bytes; NULL when it does not end before `end` or its tenth byte. */
const uint8_t *kopi_pb_varint_slow(const uint8_t *p, const uint8_t *end, uint64_t *out);

/* Reads a KeyValue. 0 when it is none. */
int kopi_pb_property(kop_slice bytes, kop_pulsar_property *out);

/* Adds the field in [start, end) to a repeated one: `n` elements. */
static inline void kopi_pb_repeat(kop_pulsar_repeated *r, const uint8_t *start, const uint8_t *end,
                                  int32_t n) {
  if (r->ptr == NULL) r->ptr = start;
  r->len = (uint32_t)(end - r->ptr);
  r->count += n;
}

/* Moves `rest` to the next element's bytes. KOP_ERR_NOT_FOUND, KOP_ERR_MALFORMED. */
kop_status kopi_pb_repeated_next(kop_pulsar_repeated *rest, kop_slice *out);

/* Elements in a packed run of varints, or -1. */
int32_t kopi_pb_packed_count(kop_slice bytes);

/* What the second to eighth byte of a word hold, seven bits each, put together. */
static inline uint64_t kopi_pb_join7(uint64_t w) {
  w = (w & UINT64_C(0x007f007f007f007f)) | (w & UINT64_C(0x7f007f007f007f00)) >> 1;
  w = (w & UINT64_C(0x00003fff00003fff)) | (w & UINT64_C(0x3fff00003fff0000)) >> 2;
  return (w & UINT64_C(0x0fffffff)) | (w & UINT64_C(0x0fffffff00000000)) >> 4;
}

/* A varint; NULL when there is none. Timestamps take six bytes, so up to eight are read as one word. */
static inline const uint8_t *kopi_pb_varint(const uint8_t *p, const uint8_t *end, uint64_t *out) {
  if (p < end && *p < 0x80u) {
    *out = *p;
    return p + 1;
  }
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  if (end - p >= 8) {
    uint64_t w;
    memcpy(&w, p, sizeof w);
    uint64_t last = ~w & UINT64_C(0x8080808080808080);
    if (last != 0) {
      /* `last` has the top bit of the byte that ends it lowest; what is behind that byte is masked off. */
      *out = kopi_pb_join7(w & (last ^ (last - 1)));
      return p + (unsigned)__builtin_ctzll(last) / 8 + 1;
    }
  }
#endif
  return kopi_pb_varint_slow(p, end, out);
}

/* Length and bytes, behind a tag. NULL when they pass the end. */
static inline const uint8_t *kopi_pb_sized(const uint8_t *p, const uint8_t *end, kop_slice *out) {
  uint64_t len;
  p = kopi_pb_varint(p, end, &len);
  if (p == NULL || len > (size_t)(end - p)) return NULL;
  *out = (kop_slice){p, (size_t)len};
  return p + len;
}

/* The field at p, or NULL when there is no whole one; p must be below end. */
static inline const uint8_t *kopi_pb_next(const uint8_t *p, const uint8_t *end,
                                          kopi_pb_field *out) {
  uint64_t tag;
  p = kopi_pb_varint(p, end, &tag);
  if (p == NULL || tag > UINT32_MAX || tag >> 3 == 0) return NULL;
  out->number = (uint32_t)tag >> 3;
  out->wire = (uint32_t)tag & 7u;
  if (out->wire == KOPI_PB_VARINT) return kopi_pb_varint(p, end, &out->value);
  if (out->wire == KOPI_PB_BYTES) return kopi_pb_sized(p, end, &out->bytes);
  if (out->wire != KOPI_PB_FIXED64 && out->wire != KOPI_PB_FIXED32) return NULL;
  size_t len = out->wire == KOPI_PB_FIXED64 ? 8 : 4;
  if (len > (size_t)(end - p)) return NULL;
  out->bytes = (kop_slice){p, len};
  return p + len;
}

/* ---- writing: sizes first, so that the writers need no bounds ----------------------------------- */

static inline size_t kopi_pb_varint_size(uint64_t v) {
  /* 7 bits a byte: ceil(bits / 7) without a loop. */
  unsigned bits = 64u - (unsigned)__builtin_clzll(v | 1u);
  return (bits * 9 + 64) / 64;
}

static inline uint8_t *kopi_pb_put(uint8_t *p, uint64_t v) {
  while (v >= 0x80u) {
    *p++ = (uint8_t)(v | 0x80u);
    v >>= 7;
  }
  *p++ = (uint8_t)v;
  return p;
}

static inline size_t kopi_pb_tag_size(uint32_t number) {
  return kopi_pb_varint_size((uint64_t)number << 3);
}

static inline uint8_t *kopi_pb_put_tag(uint8_t *p, uint32_t number, uint32_t wire) {
  return kopi_pb_put(p, (uint64_t)number << 3 | wire);
}

static inline uint64_t kopi_pb_int32(int32_t v) {
  return (uint64_t)(int64_t)v;
}

static inline size_t kopi_pb_uint_size(uint32_t number, uint64_t v) {
  return kopi_pb_tag_size(number) + kopi_pb_varint_size(v);
}

static inline uint8_t *kopi_pb_put_uint(uint8_t *p, uint32_t number, uint64_t v) {
  return kopi_pb_put(kopi_pb_put_tag(p, number, KOPI_PB_VARINT), v);
}

static inline size_t kopi_pb_bytes_size(uint32_t number, size_t len) {
  return kopi_pb_tag_size(number) + kopi_pb_varint_size(len) + len;
}

static inline uint8_t *kopi_pb_put_raw(uint8_t *p, kop_slice bytes) {
  if (bytes.len != 0) memcpy(p, bytes.ptr, bytes.len);
  return p + bytes.len;
}

static inline uint8_t *kopi_pb_put_bytes(uint8_t *p, uint32_t number, kop_slice bytes) {
  p = kopi_pb_put_tag(p, number, KOPI_PB_BYTES);
  return kopi_pb_put_raw(kopi_pb_put(p, bytes.len), bytes);
}

/* A repeated field whose elements are bytes, copied from where it stands under the number `number`. */
size_t kopi_pb_repeated_size(kop_pulsar_repeated r, uint32_t number);
uint8_t *kopi_pb_put_repeated(uint8_t *p, kop_pulsar_repeated r, uint32_t number);
/* KOP_ERR_MALFORMED unless all elements can be walked. */
kop_status kopi_pb_repeated_check(kop_pulsar_repeated r);

/* Properties as an array, each a KeyValue under the number `number`. SIZE_MAX when a text is too long. */
size_t kopi_pb_properties_size(const kop_pulsar_property *properties, size_t n, uint32_t number);
uint8_t *kopi_pb_put_properties(uint8_t *p, const kop_pulsar_property *properties, size_t n,
                                uint32_t number);

#endif
