/* Decompression: which codec, and the buffer for blocks that do not fit the caller's. */
#include "record/decoder_impl.h"

#include <string.h>

#include "base/alloc.h"

kop_status kopi_decoder_new(const kop_alloc *alloc, size_t max_block, kopi_decoder **out) {
  kopi_decoder *d = kopi_calloc(alloc, 1, sizeof *d);
  if (d == NULL) return KOP_ERR_NOMEM;
  d->alloc = alloc;
  d->max_block = max_block;
  *out = d;
  return KOP_OK;
}

void kopi_decoder_free(kopi_decoder *d) {
  if (d == NULL) return;
  kopi_gzip_free(d);
  kopi_zstd_free(d);
  kopi_free(d->alloc, d->block);
  kopi_free(d->alloc, d);
}

kop_status kopi_decoder_begin(kopi_decoder *d, int32_t codec, int32_t magic, const uint8_t *in,
                              size_t len) {
  d->in = in;
  d->end = in + len;
  d->codec = codec;
  d->ended = 0;
  d->block_pos = 0;
  d->block_len = 0;
  if (d->block_cap > KOPI_BLOCK_KEPT) {
    kopi_free(d->alloc, d->block);
    d->block = NULL;
    d->block_cap = 0;
  }
  switch (codec) {
  case KOP_CODEC_GZIP:
    return kopi_gzip_begin(d);
  case KOP_CODEC_SNAPPY:
    return kopi_snappy_begin(d);
  case KOP_CODEC_LZ4:
    return kopi_lz4_begin(d, magic);
  case KOP_CODEC_ZSTD:
    return kopi_zstd_begin(d);
  default:
    return KOP_ERR_UNSUPPORTED;
  }
}

kop_status kopi_decoder_block(kopi_decoder *d, size_t size) {
  if (size > d->max_block) return KOP_ERR_LIMIT;
  if (size <= d->block_cap) return KOP_OK;
  uint8_t *block = kopi_realloc(d->alloc, d->block, size);
  if (block == NULL) return KOP_ERR_NOMEM;
  d->block = block;
  d->block_cap = size;
  return KOP_OK;
}

static kop_status read_blocks(kopi_decoder *d, uint8_t *out, size_t cap, size_t *n) {
  while (!d->ended && d->block_pos == d->block_len) {
    d->block_pos = 0;
    d->block_len = 0;
    kop_status status = d->codec == KOP_CODEC_LZ4 ? kopi_lz4_read(d, out, cap, n)
                                                  : kopi_snappy_read(d, out, cap, n);
    if (status != KOP_OK || *n != 0) return status;
  }
  size_t left = d->block_len - d->block_pos;
  *n = left < cap ? left : cap;
  if (*n != 0) memcpy(out, d->block + d->block_pos, *n);
  d->block_pos += *n;
  return KOP_OK;
}

kop_status kopi_decoder_read(kopi_decoder *d, uint8_t *out, size_t cap, size_t *n) {
  *n = 0;
  switch (d->codec) {
  case KOP_CODEC_GZIP:
    return d->ended ? KOP_OK : kopi_gzip_read(d, out, cap, n);
  case KOP_CODEC_ZSTD:
    return d->ended ? KOP_OK : kopi_zstd_read(d, out, cap, n);
  default:
    return read_blocks(d, out, cap, n);
  }
}
