/*
 * One record of a batch with magic 2, which is what a broker looks at most often.
 *
 *    length varint | attributes i8 | timestamp delta varlong | offset delta varint
 *    key length varint, key | value length varint, value | header count varint
 *    headers: key length varint, key, value length varint, value
 *
 * The length counts what follows it and must be met exactly. A negative length of a key or value means null.
 * Almost every number takes one or two bytes, so those two are taken inline; longer ones go out of line.
 */
#ifndef KOPI_RECORD_RECORD2_H
#define KOPI_RECORD_RECORD2_H

#include <kop/record.h>

#include "base/compiler.h"
#include "base/varint.h"

typedef struct kopi_record2 {
  int64_t timestamp_delta;
  int32_t offset_delta;
  int32_t header_count;
  kop_slice key;
  kop_slice value;
  kop_slice headers;
} kopi_record2;

/* Like kopi_varint_read, with two bytes inline. */
static inline const uint8_t *kopi_varint_read2(const uint8_t *p, const uint8_t *end, int32_t *out) {
  if (end - p >= 2) {
    uint32_t v = p[0];
    if (v < 0x80u) {
      *out = kopi_unzigzag32(v);
      return p + 1;
    }
    if (p[1] < 0x80u) {
      *out = kopi_unzigzag32((v & 0x7Fu) | ((uint32_t)p[1] << 7));
      return p + 2;
    }
  }
  return kopi_varint_read(p, end, out);
}

static inline const uint8_t *kopi_varlong_read2(const uint8_t *p, const uint8_t *end,
                                                int64_t *out) {
  if (end - p >= 2) {
    uint32_t v = p[0];
    if (v < 0x80u) {
      *out = kopi_unzigzag32(v);
      return p + 1;
    }
    if (p[1] < 0x80u) {
      *out = kopi_unzigzag32((v & 0x7Fu) | ((uint32_t)p[1] << 7));
      return p + 2;
    }
  }
  return kopi_varlong_read(p, end, out);
}

/* A length-prefixed field; NULL if it does not fit. */
static inline const uint8_t *kopi_field_read(const uint8_t *p, const uint8_t *end, kop_slice *out) {
  int32_t len;
  p = kopi_varint_read2(p, end, &len);
  if (p == NULL) return NULL;
  if (len < 0) {
    *out = (kop_slice){.ptr = NULL, .len = 0};
    return p;
  }
  if (len > end - p) return NULL;
  *out = (kop_slice){.ptr = p, .len = (size_t)len};
  return p + len;
}

/* The end of `count` headers that begin at p, or NULL. A header's key must not be null. */
const uint8_t *kopi_headers_skip(const uint8_t *p, const uint8_t *end, int32_t count);

/* Parses the body [p, end), which must be used up; 0 if it is malformed. */
KOPI_INLINE int kopi_record2_parse(const uint8_t *p, const uint8_t *end, kopi_record2 *r) {
  if (p == end) return 0;
  p = kopi_varlong_read2(p + 1, end, &r->timestamp_delta);
  if (p == NULL) return 0;
  p = kopi_varint_read2(p, end, &r->offset_delta);
  if (p == NULL) return 0;
  p = kopi_field_read(p, end, &r->key);
  if (p == NULL) return 0;
  p = kopi_field_read(p, end, &r->value);
  if (p == NULL) return 0;
  p = kopi_varint_read2(p, end, &r->header_count);
  if (p == NULL) return 0;
  r->headers = (kop_slice){.ptr = p, .len = (size_t)(end - p)};
  if (r->header_count == 0) return p == end;
  return kopi_headers_skip(p, end, r->header_count) == end;
}

/*
 * Bytes of the record's body, SIZE_MAX if the length field cannot hold it. `raw`, if not NULL, is the record's
 * header_count headers as they stand in another batch; record->headers is not read then.
 */
size_t kopi_record2_body_size(int64_t timestamp_delta, int32_t offset_delta,
                              const kop_record_in *record, const kop_slice *raw);

/* Writes length and body; `body` is kopi_record2_body_size(). Gives the end. */
uint8_t *kopi_record2_write(uint8_t *p, size_t body, int64_t timestamp_delta, int32_t offset_delta,
                            const kop_record_in *record, const kop_slice *raw);

#endif
