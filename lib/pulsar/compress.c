/*
 * Pulsar's compression: a payload is one piece in memory whose plain size the metadata tells.
 *
 *   LZ4      one block        (Kafka: a frame of blocks)
 *   ZLIB     a zlib stream    (Kafka: gzip)
 *   ZSTD     frames           (as Kafka)
 *   SNAPPY   one block        (Kafka: Xerial's framing)
 *
 * So there is no streaming here: the plain payload gets a buffer of exactly that size, once it is known to be
 * permitted and possible, and must fill it. Possible: no codec makes more of a byte than its ratio below, so whoever claims
 * that ten bytes are a gigabyte lies, and gets no memory for it.
 */
#include <kop/pulsar_entry.h>

#include <lz4.h>
#include <lz4hc.h>
#include <snappy-c.h>
#include <zstd_errors.h>

#include "base/alloc.h"
#include "record/zalloc.h"

enum {
  KEPT = 1024 * 1024, /* a larger buffer is given back when less is needed */
  LZ4_RATIO = 255,    /* no byte of a block stands for more */
  ZLIB_RATIO = 1040,  /* the same for deflate, rounded up */
  ZSTD_RATIO = 32768, /* a block of 128 KiB takes at least four bytes */
  SNAPPY_RATIO = 22   /* three bytes say at most "copy 64" */
};

typedef struct buffer {
  uint8_t *ptr;
  size_t cap;
} buffer;

struct kop_pulsar_codec {
  kop_alloc alloc;
  buffer plain;
  buffer packed;
  z_stream inflate;
  z_stream deflate;
  ZSTD_DCtx *zstd_in;
  ZSTD_CCtx *zstd_out;
  void *lz4_fast;
  void *lz4_high;
  int32_t inflate_ready;
  int32_t deflate_ready;
  int32_t deflate_level; /* that the state was made with */
};

kop_status kop_pulsar_codec_new(const kop_alloc *alloc, kop_pulsar_codec **out) {
  kop_alloc own;
  kop_status status = kopi_alloc_init(&own, alloc);
  if (status != KOP_OK) return status;
  kop_pulsar_codec *codec = kopi_calloc(&own, 1, sizeof *codec);
  if (codec == NULL) return KOP_ERR_NOMEM;
  codec->alloc = own;
  *out = codec;
  return KOP_OK;
}

void kop_pulsar_codec_free(kop_pulsar_codec *codec) {
  if (codec == NULL) return;
  kop_alloc alloc = codec->alloc;
  if (codec->inflate_ready) inflateEnd(&codec->inflate);
  if (codec->deflate_ready) deflateEnd(&codec->deflate);
  ZSTD_freeDCtx(codec->zstd_in);
  ZSTD_freeCCtx(codec->zstd_out);
  kopi_free(&alloc, codec->lz4_fast);
  kopi_free(&alloc, codec->lz4_high);
  kopi_free(&alloc, codec->plain.ptr);
  kopi_free(&alloc, codec->packed.ptr);
  kopi_free(&alloc, codec);
}

/* Room for `size` bytes; what was in the buffer is lost. */
static kop_status make_room(kop_pulsar_codec *codec, buffer *b, size_t size) {
  if (size == 0) size = 1;
  if (size <= b->cap && (b->cap <= KEPT || size > KEPT)) return KOP_OK;
  kopi_free(&codec->alloc, b->ptr);
  b->ptr = kopi_malloc(&codec->alloc, size);
  b->cap = b->ptr != NULL ? size : 0;
  return b->ptr != NULL ? KOP_OK : KOP_ERR_NOMEM;
}

static kop_status zstd_status(size_t result) {
  return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation ? KOP_ERR_NOMEM : KOP_ERR_CODEC;
}

/* ---- decompression: each fills the buffer of `size` bytes or fails ------------------------------ */

static kop_status unpack_lz4(kop_pulsar_codec *codec, kop_slice in, size_t size) {
  if (in.len > INT32_MAX || size > INT32_MAX || size / LZ4_RATIO > in.len) return KOP_ERR_CODEC;
  kop_status status = make_room(codec, &codec->plain, size);
  if (status != KOP_OK) return status;
  int got =
      LZ4_decompress_safe((const char *)in.ptr, (char *)codec->plain.ptr, (int)in.len, (int)size);
  return got >= 0 && (size_t)got == size ? KOP_OK : KOP_ERR_CODEC;
}

static kop_status unpack_zlib(kop_pulsar_codec *codec, kop_slice in, uint32_t size) {
  if (in.len > UINT32_MAX || size / ZLIB_RATIO > in.len) return KOP_ERR_CODEC;
  kop_status status = make_room(codec, &codec->plain, size);
  if (status != KOP_OK) return status;
  z_stream *z = &codec->inflate;
  if (!codec->inflate_ready) {
    *z = (z_stream){
        .zalloc = kopi_zalloc, .zfree = kopi_zfree, .opaque = kopi_zopaque(&codec->alloc)};
    if (inflateInit(z) != Z_OK) return KOP_ERR_NOMEM;
    codec->inflate_ready = 1;
  } else if (inflateReset(z) != Z_OK) {
    return KOP_ERR_CODEC;
  }
  z->next_in = in.ptr;
  z->avail_in = (uInt)in.len;
  z->next_out = codec->plain.ptr;
  z->avail_out = size;
  int result = inflate(z, Z_SYNC_FLUSH);
  if (result == Z_MEM_ERROR) return KOP_ERR_NOMEM;
  /* Pulsar's Java client flushes its streams and never ends them: a stream that is used up when the payload is whole
     is a good one. What is left of one that goes on, its checksum at least, shows that the size is wrong. */
  int whole = result == Z_STREAM_END || (result == Z_OK && z->avail_in == 0);
  return whole && z->avail_out == 0 ? KOP_OK : KOP_ERR_CODEC;
}

/* Whether frames can give `size` bytes, by their length and by what they say of themselves; nothing is decompressed. */
static int zstd_may_give(kop_slice in, size_t size) {
  if (in.len == 0 || size / ZSTD_RATIO > in.len) return 0;
  int exact = 1;
  uint64_t sum = 0;
  while (in.len != 0) {
    size_t frame = ZSTD_findFrameCompressedSize(in.ptr, in.len);
    if (ZSTD_isError(frame)) return 0;
    unsigned long long said = ZSTD_getFrameContentSize(in.ptr, in.len);
    if (said == ZSTD_CONTENTSIZE_ERROR) return 0;
    if (said == ZSTD_CONTENTSIZE_UNKNOWN) {
      exact = 0;
    } else if (said > size - sum) {
      return 0;
    } else {
      sum += said;
    }
    in = (kop_slice){in.ptr + frame, in.len - frame};
  }
  return !exact || sum == size;
}

static kop_status unpack_zstd(kop_pulsar_codec *codec, kop_slice in, size_t size) {
  if (!zstd_may_give(in, size)) return KOP_ERR_CODEC;
  kop_status status = make_room(codec, &codec->plain, size);
  if (status != KOP_OK) return status;
  if (codec->zstd_in == NULL) {
    codec->zstd_in = ZSTD_createDCtx_advanced(kopi_zstd_mem(&codec->alloc));
    if (codec->zstd_in == NULL) return KOP_ERR_NOMEM;
  }
  size_t got = ZSTD_decompressDCtx(codec->zstd_in, codec->plain.ptr, size, in.ptr, in.len);
  if (ZSTD_isError(got)) return zstd_status(got);
  return got == size ? KOP_OK : KOP_ERR_CODEC;
}

static kop_status unpack_snappy(kop_pulsar_codec *codec, kop_slice in, size_t size) {
  size_t got;
  if (snappy_uncompressed_length((const char *)in.ptr, in.len, &got) != SNAPPY_OK || got != size) {
    return KOP_ERR_CODEC;
  }
  if (size / SNAPPY_RATIO > in.len) return KOP_ERR_CODEC;
  kop_status status = make_room(codec, &codec->plain, size);
  if (status != KOP_OK) return status;
  return snappy_uncompress((const char *)in.ptr, in.len, (char *)codec->plain.ptr, &got) ==
                 SNAPPY_OK
             ? KOP_OK
             : KOP_ERR_CODEC;
}

kop_status kop_pulsar_decompress(kop_pulsar_codec *codec, int32_t compression, kop_slice in,
                                 uint32_t uncompressed_size, size_t limit, kop_slice *out) {
  static const uint8_t nothing[1];
  if (in.ptr == NULL) in = (kop_slice){nothing, 0};
  if (compression < KOP_PULSAR_COMPRESSION_NONE || compression > KOP_PULSAR_COMPRESSION_SNAPPY) {
    return KOP_ERR_UNSUPPORTED;
  }
  size_t size = compression == KOP_PULSAR_COMPRESSION_NONE ? in.len : uncompressed_size;
  if (size > limit) return KOP_ERR_LIMIT;
  kop_status status = KOP_OK;
  switch (compression) {
  case KOP_PULSAR_COMPRESSION_NONE:
    *out = in;
    return KOP_OK;
  case KOP_PULSAR_COMPRESSION_LZ4:
    status = unpack_lz4(codec, in, size);
    break;
  case KOP_PULSAR_COMPRESSION_ZLIB:
    status = unpack_zlib(codec, in, uncompressed_size);
    break;
  case KOP_PULSAR_COMPRESSION_ZSTD:
    status = unpack_zstd(codec, in, size);
    break;
  default:
    status = unpack_snappy(codec, in, size);
    break;
  }
  if (status == KOP_OK) *out = (kop_slice){codec->plain.ptr, size};
  return status;
}

/* ---- compression: each fills a buffer that is as large as its library may need ------------------ */

static kop_status pack_lz4(kop_pulsar_codec *codec, int32_t level, kop_slice in, size_t *len) {
  if (in.len > LZ4_MAX_INPUT_SIZE) return KOP_ERR_LIMIT;
  int fast = level == KOP_PULSAR_LEVEL_DEFAULT;
  if (!fast && (level < 1 || level > LZ4HC_CLEVEL_MAX)) return KOP_ERR_INVALID;
  int room = LZ4_compressBound((int)in.len);
  kop_status status = make_room(codec, &codec->packed, (size_t)room);
  if (status != KOP_OK) return status;
  void **state = fast ? &codec->lz4_fast : &codec->lz4_high;
  int state_size = fast ? LZ4_sizeofState() : LZ4_sizeofStateHC();
  if (*state == NULL) *state = kopi_malloc(&codec->alloc, (size_t)state_size);
  if (*state == NULL) return KOP_ERR_NOMEM;
  const char *from = (const char *)in.ptr;
  char *to = (char *)codec->packed.ptr;
  int got = fast ? LZ4_compress_fast_extState(*state, from, to, (int)in.len, room, 1)
                 : LZ4_compress_HC_extStateHC(*state, from, to, (int)in.len, room, level);
  *len = (size_t)got;
  return got > 0 ? KOP_OK : KOP_ERR_CODEC;
}

static kop_status ready_deflate(kop_pulsar_codec *codec, int32_t level) {
  z_stream *z = &codec->deflate;
  if (codec->deflate_ready && codec->deflate_level == level) {
    return deflateReset(z) == Z_OK ? KOP_OK : KOP_ERR_CODEC;
  }
  if (codec->deflate_ready) deflateEnd(z);
  codec->deflate_ready = 0;
  *z =
      (z_stream){.zalloc = kopi_zalloc, .zfree = kopi_zfree, .opaque = kopi_zopaque(&codec->alloc)};
  if (deflateInit(z, level == KOP_PULSAR_LEVEL_DEFAULT ? Z_DEFAULT_COMPRESSION : level) != Z_OK) {
    return KOP_ERR_NOMEM;
  }
  codec->deflate_ready = 1;
  codec->deflate_level = level;
  return KOP_OK;
}

static kop_status pack_zlib(kop_pulsar_codec *codec, int32_t level, kop_slice in, size_t *len) {
  if (level != KOP_PULSAR_LEVEL_DEFAULT && (level < 1 || level > 9)) return KOP_ERR_INVALID;
  kop_status status = ready_deflate(codec, level);
  if (status != KOP_OK) return status;
  z_stream *z = &codec->deflate;
  uLong bound = deflateBound(z, (uLong)in.len);
  if (bound > UINT32_MAX) return KOP_ERR_LIMIT;
  status = make_room(codec, &codec->packed, bound);
  if (status != KOP_OK) return status;
  z->next_in = in.ptr;
  z->avail_in = (uInt)in.len;
  z->next_out = codec->packed.ptr;
  z->avail_out = (uInt)bound;
  if (deflate(z, Z_FINISH) != Z_STREAM_END) return KOP_ERR_CODEC;
  *len = bound - z->avail_out;
  return KOP_OK;
}

static kop_status pack_zstd(kop_pulsar_codec *codec, int32_t level, kop_slice in, size_t *len) {
  if (level == KOP_PULSAR_LEVEL_DEFAULT) level = ZSTD_CLEVEL_DEFAULT;
  if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel()) return KOP_ERR_INVALID;
  if (codec->zstd_out == NULL) {
    codec->zstd_out = ZSTD_createCCtx_advanced(kopi_zstd_mem(&codec->alloc));
    if (codec->zstd_out == NULL) return KOP_ERR_NOMEM;
  }
  kop_status status = make_room(codec, &codec->packed, ZSTD_compressBound(in.len));
  if (status != KOP_OK) return status;
  size_t got = ZSTD_compressCCtx(codec->zstd_out, codec->packed.ptr, codec->packed.cap, in.ptr,
                                 in.len, level);
  if (ZSTD_isError(got)) return zstd_status(got);
  *len = got;
  return KOP_OK;
}

static kop_status pack_snappy(kop_pulsar_codec *codec, int32_t level, kop_slice in, size_t *len) {
  if (level != KOP_PULSAR_LEVEL_DEFAULT) return KOP_ERR_INVALID;
  *len = snappy_max_compressed_length(in.len);
  kop_status status = make_room(codec, &codec->packed, *len);
  if (status != KOP_OK) return status;
  return snappy_compress((const char *)in.ptr, in.len, (char *)codec->packed.ptr, len) == SNAPPY_OK
             ? KOP_OK
             : KOP_ERR_CODEC;
}

kop_status kop_pulsar_compress(kop_pulsar_codec *codec, int32_t compression, int32_t level,
                               kop_slice in, kop_slice *out) {
  static const uint8_t nothing[1];
  if (in.ptr == NULL) in = (kop_slice){nothing, 0};
  if (in.len > UINT32_MAX) return KOP_ERR_LIMIT;
  kop_status status;
  size_t len = 0;
  switch (compression) {
  case KOP_PULSAR_COMPRESSION_NONE:
    *out = in;
    return KOP_OK;
  case KOP_PULSAR_COMPRESSION_LZ4:
    status = pack_lz4(codec, level, in, &len);
    break;
  case KOP_PULSAR_COMPRESSION_ZLIB:
    status = pack_zlib(codec, level, in, &len);
    break;
  case KOP_PULSAR_COMPRESSION_ZSTD:
    status = pack_zstd(codec, level, in, &len);
    break;
  case KOP_PULSAR_COMPRESSION_SNAPPY:
    status = pack_snappy(codec, level, in, &len);
    break;
  default:
    return KOP_ERR_UNSUPPORTED;
  }
  if (status == KOP_OK) *out = (kop_slice){codec->packed.ptr, len};
  return status;
}
