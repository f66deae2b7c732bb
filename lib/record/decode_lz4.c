/* lz4: reads the frame that lz4_frame.h draws, block by block. */
#include "record/decoder_impl.h"

#include <lz4.h>
#include <string.h>
#include <xxhash.h>

#include "record/lz4_frame.h"

static uint32_t load_le32(const uint8_t *p) {
  return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

kop_status kopi_lz4_begin(kopi_decoder *d, int32_t magic) {
  const uint8_t *p = d->in;
  size_t len = (size_t)(d->end - d->in);
  if (len < 7 || load_le32(p) != KOPI_LZ4_MAGIC) return KOP_ERR_CODEC;
  uint8_t flags = p[4];
  uint8_t sizes = p[5];
  if ((flags & KOPI_LZ4_FLG_VERSION_MASK) != KOPI_LZ4_FLG_VERSION) return KOP_ERR_CODEC;
  if ((flags & KOPI_LZ4_FLG_RESERVED) != 0) return KOP_ERR_CODEC;
  if ((flags & KOPI_LZ4_FLG_INDEPENDENT) == 0) return KOP_ERR_CODEC;
  if ((sizes & KOPI_LZ4_BD_RESERVED) != 0 || sizes < KOPI_LZ4_BD_64K) return KOP_ERR_CODEC;
  size_t described = (flags & KOPI_LZ4_FLG_CONTENT_SIZE) != 0 ? 10 : 2;
  if (len < 4 + described + 1) return KOP_ERR_CODEC;
  uint8_t check = (uint8_t)(XXH32(p + 4, described, 0) >> 8);
  if (magic > 0 && check != p[4 + described]) return KOP_ERR_CODEC;
  d->lz4_block_max = (size_t)1 << (8 + 2 * (sizes >> 4));
  d->lz4_block_checksums = (flags & KOPI_LZ4_FLG_BLOCK_CHECKSUM) != 0;
  d->lz4_content_checksum = (flags & KOPI_LZ4_FLG_CONTENT_CHECKSUM) != 0;
  d->in += 4 + described + 1;
  return KOP_OK;
}

static kop_status unpack(kopi_decoder *d, const uint8_t *block, size_t size, uint8_t *out,
                         size_t cap, size_t *n) {
  size_t room = cap < d->lz4_block_max ? cap : d->lz4_block_max;
  int got = LZ4_decompress_safe((const char *)block, (char *)out, (int)size, (int)room);
  if (got >= 0) {
    *n = (size_t)got;
    return KOP_OK;
  }
  if (room == d->lz4_block_max) return KOP_ERR_CODEC;
  /* It may only have been too large for the caller's buffer. No byte of lz4 expands to more than 255. */
  size_t need = size > d->lz4_block_max / 255 ? d->lz4_block_max : size * 255;
  kop_status status = kopi_decoder_block(d, need);
  if (status != KOP_OK) return status;
  got = LZ4_decompress_safe((const char *)block, (char *)d->block, (int)size, (int)need);
  if (got < 0) return KOP_ERR_CODEC;
  d->block_len = (size_t)got;
  return KOP_OK;
}

static kop_status copy_stored(kopi_decoder *d, const uint8_t *block, size_t size, uint8_t *out,
                              size_t cap, size_t *n) {
  if (size <= cap) {
    memcpy(out, block, size);
    *n = size;
    return KOP_OK;
  }
  kop_status status = kopi_decoder_block(d, size);
  if (status != KOP_OK) return status;
  memcpy(d->block, block, size);
  d->block_len = size;
  return KOP_OK;
}

kop_status kopi_lz4_read(kopi_decoder *d, uint8_t *out, size_t cap, size_t *n) {
  if (d->end - d->in < 4) return KOP_ERR_CODEC;
  uint32_t word = load_le32(d->in);
  d->in += 4;
  if (word == 0) {
    d->ended = 1;
    return d->lz4_content_checksum && d->end - d->in < 4 ? KOP_ERR_CODEC : KOP_OK;
  }
  size_t size = word & ~KOPI_LZ4_STORED;
  size_t check = d->lz4_block_checksums ? 4 : 0;
  if (size > d->lz4_block_max || size + check > (size_t)(d->end - d->in)) return KOP_ERR_CODEC;
  const uint8_t *block = d->in;
  d->in += size + check;
  if (check != 0 && XXH32(block, size, 0) != load_le32(block + size)) return KOP_ERR_CODEC;
  return (word & KOPI_LZ4_STORED) != 0 ? copy_stored(d, block, size, out, cap, n)
                                       : unpack(d, block, size, out, cap, n);
}
