/* The encoder's inside, shared by its files. */
#ifndef KOPI_RECORD_ENCODER_IMPL_H
#define KOPI_RECORD_ENCODER_IMPL_H

#include "record/encoder.h"

#define ZSTD_STATIC_LINKING_ONLY /* for an allocator of our own */
#define ZLIB_CONST               /* zlib only reads its input */
#include <zlib.h>
#include <zstd.h>

struct kopi_encoder {
  const kop_alloc *alloc;
  kopi_buf *out;
  int32_t codec;
  int32_t level;

  z_stream deflate;
  int32_t deflate_ready;
  int32_t deflate_level; /* that the state was made with */

  ZSTD_CCtx *zstd;

  uint8_t *block; /* block codecs gather a block here */
  size_t block_len;
  size_t block_max;
  void *lz4_fast;
  void *lz4_high;
};

kop_status kopi_deflate_begin(kopi_encoder *e);
kop_status kopi_deflate_write(kopi_encoder *e, const uint8_t *bytes, size_t len, int finish);
void kopi_deflate_free(kopi_encoder *e);

kop_status kopi_zstd_encode_begin(kopi_encoder *e);
kop_status kopi_zstd_encode_write(kopi_encoder *e, const uint8_t *bytes, size_t len, int finish);
void kopi_zstd_encode_free(kopi_encoder *e);

/* Block codecs: a header at the start, one call per full block, a trailer at the end. */
kop_status kopi_lz4_encode_begin(kopi_encoder *e, int32_t magic);
kop_status kopi_lz4_encode_block(kopi_encoder *e);
void kopi_lz4_encode_end(kopi_encoder *e);
kop_status kopi_snappy_encode_begin(kopi_encoder *e);
kop_status kopi_snappy_encode_block(kopi_encoder *e);

#endif
