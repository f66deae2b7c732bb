/* A growable byte buffer with sticky errors. */
#include "base/buf.h"

#include <string.h>

#include "base/alloc.h"
#include "base/endian.h"

enum { FIRST_CAPACITY = 256 };

void kopi_buf_init(kopi_buf *b, const kop_alloc *alloc, size_t limit) {
  *b = (kopi_buf){.alloc = alloc, .limit = limit};
}

void kopi_buf_free(kopi_buf *b) {
  kopi_free(b->alloc, b->data);
  *b = (kopi_buf){.alloc = b->alloc, .limit = b->limit};
}

void kopi_buf_reset(kopi_buf *b) {
  b->len = 0;
  b->status = KOP_OK;
}

static void grow(kopi_buf *b, size_t need) {
  size_t cap = b->cap < FIRST_CAPACITY ? FIRST_CAPACITY : b->cap;
  while (cap < need) {
    cap = cap > b->limit / 2 ? b->limit : cap * 2;
  }
  uint8_t *data = kopi_realloc(b->alloc, b->data, cap);
  if (data == NULL) {
    b->status = KOP_ERR_NOMEM;
    return;
  }
  b->data = data;
  b->cap = cap;
}

uint8_t *kopi_buf_reserve(kopi_buf *b, size_t n) {
  if (b->status != KOP_OK) return NULL;
  if (n > b->limit - b->len) {
    b->status = KOP_ERR_LIMIT;
    return NULL;
  }
  if (b->len + n > b->cap) grow(b, b->len + n);
  return b->status == KOP_OK ? b->data + b->len : NULL;
}

void kopi_buf_put(kopi_buf *b, const void *bytes, size_t n) {
  if (n == 0) return;
  uint8_t *p = kopi_buf_reserve(b, n);
  if (p == NULL) return;
  memcpy(p, bytes, n);
  b->len += n;
}

void kopi_buf_put_u8(kopi_buf *b, uint8_t v) {
  kopi_buf_put(b, &v, 1);
}

void kopi_buf_put_be16(kopi_buf *b, uint16_t v) {
  uint8_t bytes[2];
  kopi_store_be16(bytes, v);
  kopi_buf_put(b, bytes, sizeof bytes);
}

void kopi_buf_put_be32(kopi_buf *b, uint32_t v) {
  uint8_t bytes[4];
  kopi_store_be32(bytes, v);
  kopi_buf_put(b, bytes, sizeof bytes);
}

void kopi_buf_put_be64(kopi_buf *b, uint64_t v) {
  uint8_t bytes[8];
  kopi_store_be64(bytes, v);
  kopi_buf_put(b, bytes, sizeof bytes);
}
