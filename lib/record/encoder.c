/* Compression: which codec and level, and the gathering of blocks. */
#include "record/encoder_impl.h"

#include <string.h>

#include "base/alloc.h"
#include "record/lz4_frame.h"

kop_status kopi_encoder_new(const kop_alloc *alloc, kopi_encoder **out) {
  kopi_encoder *e = kopi_calloc(alloc, 1, sizeof *e);
  if (e == NULL) return KOP_ERR_NOMEM;
  e->alloc = alloc;
  *out = e;
  return KOP_OK;
}

void kopi_encoder_free(kopi_encoder *e) {
  if (e == NULL) return;
  kopi_deflate_free(e);
  kopi_zstd_encode_free(e);
  kopi_free(e->alloc, e->block);
  kopi_free(e->alloc, e->lz4_fast);
  kopi_free(e->alloc, e->lz4_high);
  kopi_free(e->alloc, e);
}

/* The levels that Kafka's `compression.*.level` settings admit. */
static int level_exists(int32_t codec, int32_t level) {
  if (level == KOP_LEVEL_DEFAULT) return 1;
  switch (codec) {
  case KOP_CODEC_GZIP:
    return level == -1 || (level >= 1 && level <= 9);
  case KOP_CODEC_LZ4:
    return level >= 1 && level <= 17;
  case KOP_CODEC_ZSTD:
    return level >= ZSTD_minCLevel() && level <= ZSTD_maxCLevel();
  default:
    return 0;
  }
}

static kop_status gather_begin(kopi_encoder *e, size_t block_max) {
  if (e->block == NULL) {
    e->block = kopi_malloc(e->alloc, KOPI_LZ4_BLOCK_WRITTEN); /* the larger of the two codecs' */
    if (e->block == NULL) return KOP_ERR_NOMEM;
  }
  e->block_len = 0;
  e->block_max = block_max;
  return KOP_OK;
}

kop_status kopi_encoder_begin(kopi_encoder *e, int32_t codec, int32_t magic, int32_t level,
                              kopi_buf *out) {
  if (codec < KOP_CODEC_GZIP || codec > KOP_CODEC_ZSTD) return KOP_ERR_UNSUPPORTED;
  if (!level_exists(codec, level)) return KOP_ERR_INVALID;
  e->out = out;
  e->codec = codec;
  e->level = level;
  kop_status status = KOP_OK;
  switch (codec) {
  case KOP_CODEC_GZIP:
    return kopi_deflate_begin(e);
  case KOP_CODEC_ZSTD:
    return kopi_zstd_encode_begin(e);
  case KOP_CODEC_LZ4:
    status = gather_begin(e, KOPI_LZ4_BLOCK_WRITTEN);
    return status == KOP_OK ? kopi_lz4_encode_begin(e, magic) : status;
  default:
    status = gather_begin(e, 32 * 1024);
    return status == KOP_OK ? kopi_snappy_encode_begin(e) : status;
  }
}

static kop_status flush_block(kopi_encoder *e) {
  kop_status status =
      e->codec == KOP_CODEC_LZ4 ? kopi_lz4_encode_block(e) : kopi_snappy_encode_block(e);
  e->block_len = 0;
  return status;
}

static kop_status gather(kopi_encoder *e, const uint8_t *bytes, size_t len) {
  while (len != 0) {
    size_t room = e->block_max - e->block_len;
    size_t n = len < room ? len : room;
    memcpy(e->block + e->block_len, bytes, n);
    e->block_len += n;
    bytes += n;
    len -= n;
    if (e->block_len == e->block_max) {
      kop_status status = flush_block(e);
      if (status != KOP_OK) return status;
    }
  }
  return KOP_OK;
}

kop_status kopi_encoder_write(kopi_encoder *e, const uint8_t *bytes, size_t len) {
  if (len == 0) return e->out->status;
  switch (e->codec) {
  case KOP_CODEC_GZIP:
    return kopi_deflate_write(e, bytes, len, 0);
  case KOP_CODEC_ZSTD:
    return kopi_zstd_encode_write(e, bytes, len, 0);
  default:
    return gather(e, bytes, len);
  }
}

kop_status kopi_encoder_finish(kopi_encoder *e) {
  switch (e->codec) {
  case KOP_CODEC_GZIP:
    return kopi_deflate_write(e, NULL, 0, 1);
  case KOP_CODEC_ZSTD:
    return kopi_zstd_encode_write(e, NULL, 0, 1);
  default:
    break;
  }
  kop_status status = e->block_len != 0 ? flush_block(e) : KOP_OK;
  if (status == KOP_OK && e->codec == KOP_CODEC_LZ4) kopi_lz4_encode_end(e);
  return status != KOP_OK ? status : e->out->status;
}

size_t kopi_encoder_bound(size_t len) {
  /* Snappy is the most generous: 32 + n + n / 6 for a block of 32 KiB, and 4 for its size. */
  return len + len / 6 + (len / (32 * 1024) + 1) * 64 + 64;
}
