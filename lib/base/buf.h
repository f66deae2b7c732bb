/*
 * A growable byte buffer: what encoders write into.
 *
 * Errors stick: after a refused allocation or a passed limit every later call does nothing, so that a
 * writer checks `status` once, at the end.
 */
#ifndef KOPI_BASE_BUF_H
#define KOPI_BASE_BUF_H

#include <kop/base.h>

typedef struct kopi_buf {
  const kop_alloc *alloc;
  uint8_t *data;
  size_t len;
  size_t cap;
  size_t limit; /* len never passes it */
  kop_status status;
} kopi_buf;

/* Starts empty; nothing is allocated until the first byte. */
void kopi_buf_init(kopi_buf *b, const kop_alloc *alloc, size_t limit);
/* Frees the memory; the buffer can be used again after kopi_buf_init. */
void kopi_buf_free(kopi_buf *b);
/* Forgets content and error, keeps the memory. */
void kopi_buf_reset(kopi_buf *b);
/* Room for n more bytes at data + len; the caller writes there and adds to len. NULL on error. */
uint8_t *kopi_buf_reserve(kopi_buf *b, size_t n);
void kopi_buf_put(kopi_buf *b, const void *bytes, size_t n);
void kopi_buf_put_u8(kopi_buf *b, uint8_t v);
void kopi_buf_put_be16(kopi_buf *b, uint16_t v);
void kopi_buf_put_be32(kopi_buf *b, uint32_t v);
void kopi_buf_put_be64(kopi_buf *b, uint64_t v);

#endif
