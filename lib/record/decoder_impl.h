/* The decoder's inside, shared by one file per codec. */
#ifndef KOPI_RECORD_DECODER_IMPL_H
#define KOPI_RECORD_DECODER_IMPL_H

#include "record/decoder.h"

#define ZSTD_STATIC_LINKING_ONLY /* for an allocator of our own */
#define ZLIB_CONST               /* zlib only reads its input */
#include <zlib.h>
#include <zstd.h>

enum {
  KOPI_BLOCK_KEPT = 1024 * 1024
}; /* a larger buffer is given back when the next stream begins */

struct kopi_decoder {
  const kop_alloc *alloc;
  size_t max_block;
  const uint8_t *in; /* what is not consumed yet */
  const uint8_t *end;
  int32_t codec;
  int32_t ended; /* the stream is at its end */

  uint8_t *
      block; /* a block that did not fit the caller's buffer: [block_pos, block_len) is still to be given */
  size_t block_cap;
  size_t block_pos;
  size_t block_len;

  z_stream inflate;
  int32_t inflate_ready;

  ZSTD_DCtx *zstd;
  size_t zstd_hint; /* 0 at the end of a frame */

  size_t lz4_block_max;
  int32_t lz4_block_checksums;
  int32_t lz4_content_checksum;

  int32_t snappy_raw; /* not framed: all input is one block */
};

kop_status kopi_gzip_begin(kopi_decoder *d);
kop_status kopi_gzip_read(kopi_decoder *d, uint8_t *out, size_t cap, size_t *n);
void kopi_gzip_free(kopi_decoder *d);

kop_status kopi_zstd_begin(kopi_decoder *d);
kop_status kopi_zstd_read(kopi_decoder *d, uint8_t *out, size_t cap, size_t *n);
void kopi_zstd_free(kopi_decoder *d);

/* Block codecs: decode the next block into out, or into d->block (then *n is 0 and d->block_len tells). */
kop_status kopi_lz4_begin(kopi_decoder *d, int32_t magic);
kop_status kopi_lz4_read(kopi_decoder *d, uint8_t *out, size_t cap, size_t *n);
kop_status kopi_snappy_begin(kopi_decoder *d);
kop_status kopi_snappy_read(kopi_decoder *d, uint8_t *out, size_t cap, size_t *n);

/* Makes d->block hold `size` bytes: KOP_ERR_LIMIT above max_block, KOP_ERR_NOMEM. */
kop_status kopi_decoder_block(kopi_decoder *d, size_t size);

#endif
