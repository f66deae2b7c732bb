/* Compression: both ways with every codec, wrong sizes, damaged bytes, limits, and no allocation in steady state. */
#include <criterion/criterion.h>
#include <kop/pulsar_entry.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "support/failing_alloc.h"
#include "support/rng.h"

enum { CODECS = KOP_PULSAR_COMPRESSION_SNAPPY + 1, MOST = 300000, LARGE = 3000000 };

/* The checksum that ends a zlib stream, and the last code of its last block. */
enum { ZLIB_END = 8 };

static const uint32_t sizes[] = {0, 1, 13, 1000, 65536, 65537, MOST};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* Words of a small vocabulary: compresses, but not to nothing. */
static uint8_t *some_text(uint64_t seed) {
  uint8_t *bytes = malloc(MOST);
  for (size_t i = 0; i < MOST; i++) {
    bytes[i] = (uint8_t)('a' + (rng_next(&seed) % 23) * (i % 5 == 0));
  }
  return bytes;
}

static kop_pulsar_codec *new_codec(const kop_alloc *alloc) {
  kop_pulsar_codec *codec;
  cr_assert_eq(kop_pulsar_codec_new(alloc, &codec), KOP_OK);
  return codec;
}

/* An allocation of exactly the compressed bytes. */
static uint8_t *pack(kop_pulsar_codec *codec, int32_t compression, kop_slice plain, size_t *len) {
  kop_slice packed;
  cr_assert_eq(kop_pulsar_compress(codec, compression, KOP_PULSAR_LEVEL_DEFAULT, plain, &packed),
               KOP_OK);
  cr_assert_not_null(packed.ptr);
  uint8_t *copy = malloc(packed.len == 0 ? 1 : packed.len);
  memcpy(copy, packed.ptr, packed.len);
  *len = packed.len;
  return copy;
}

Test(entry_codec, what_is_compressed_is_decompressed) {
  kop_pulsar_codec *codec = new_codec(NULL);
  uint8_t *plain = some_text(1);
  for (int32_t c = 0; c < CODECS; c++) {
    for (size_t i = 0; i < SIZES; i++) {
      size_t len;
      uint8_t *packed = pack(codec, c, (kop_slice){plain, sizes[i]}, &len);
      if (c != KOP_PULSAR_COMPRESSION_NONE && sizes[i] >= 1000) cr_assert_lt(len, sizes[i]);
      kop_slice out;
      cr_assert_eq(kop_pulsar_decompress(codec, c, (kop_slice){packed, len}, sizes[i], MOST, &out),
                   KOP_OK, "codec %d, %u bytes", c, sizes[i]);
      cr_assert_eq(out.len, sizes[i]);
      cr_assert_not_null(out.ptr);
      cr_assert_eq(memcmp(out.ptr, plain, out.len), 0);
      free(packed);
    }
  }
  free(plain);
  kop_pulsar_codec_free(codec);
}

Test(entry_codec, every_level_that_exists_is_taken_and_no_other) {
  static const struct {
    int32_t compression;
    int32_t lowest;
    int32_t highest;
  } levels[] = {{KOP_PULSAR_COMPRESSION_LZ4, 1, 12},
                {KOP_PULSAR_COMPRESSION_ZLIB, 1, 9},
                {KOP_PULSAR_COMPRESSION_ZSTD, -5, 19}};
  kop_pulsar_codec *codec = new_codec(NULL);
  uint8_t *plain = some_text(2);
  kop_slice in = {plain, 10000};
  kop_slice packed;
  kop_slice out;
  for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
    int32_t c = levels[i].compression;
    for (int32_t level = levels[i].lowest; level <= levels[i].highest; level++) {
      cr_assert_eq(kop_pulsar_compress(codec, c, level, in, &packed), KOP_OK);
      cr_assert_eq(kop_pulsar_decompress(codec, c, packed, 10000, MOST, &out), KOP_OK);
      cr_assert_eq(memcmp(out.ptr, plain, out.len), 0);
    }
    cr_assert_eq(kop_pulsar_compress(codec, c, 100, in, &packed), KOP_ERR_INVALID);
    cr_assert_eq(kop_pulsar_compress(codec, c, -2000000, in, &packed), KOP_ERR_INVALID);
  }
  int32_t snappy = KOP_PULSAR_COMPRESSION_SNAPPY;
  cr_assert_eq(kop_pulsar_compress(codec, snappy, 1, in, &packed), KOP_ERR_INVALID);
  cr_assert_eq(kop_pulsar_compress(codec, 5, 1, in, &packed), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(kop_pulsar_compress(codec, -1, 1, in, &packed), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(kop_pulsar_decompress(codec, 5, in, 1, MOST, &out), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(kop_pulsar_decompress(codec, -1, in, 1, MOST, &out), KOP_ERR_UNSUPPORTED);
  free(plain);
  kop_pulsar_codec_free(codec);
}

Test(entry_codec, another_size_than_the_true_one_is_refused) {
  kop_pulsar_codec *codec = new_codec(NULL);
  uint8_t *plain = some_text(3);
  kop_slice out;
  for (int32_t c = KOP_PULSAR_COMPRESSION_LZ4; c < CODECS; c++) {
    for (size_t i = 0; i < SIZES; i++) {
      size_t len;
      uint8_t *packed = pack(codec, c, (kop_slice){plain, sizes[i]}, &len);
      const uint32_t wrong[] = {sizes[i] + 1, sizes[i] - 1, sizes[i] / 2, sizes[i] * 2, 0, MOST};
      for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
        if (wrong[w] == sizes[i] || wrong[w] > 2 * MOST) continue;
        cr_assert_eq(
            kop_pulsar_decompress(codec, c, (kop_slice){packed, len}, wrong[w], 2 * MOST, &out),
            KOP_ERR_CODEC, "codec %d, %u for %u", c, wrong[w], sizes[i]);
      }
      free(packed);
    }
  }
  free(plain);
  kop_pulsar_codec_free(codec);
}

Test(entry_codec, a_limit_comes_before_everything) {
  failing_alloc f;
  failing_alloc_init(&f, SIZE_MAX);
  kop_pulsar_codec *codec = new_codec(&f.alloc);
  size_t made = f.made;
  kop_slice in = {(const uint8_t *)"x", 1};
  kop_slice out;
  for (int32_t c = KOP_PULSAR_COMPRESSION_LZ4; c < CODECS; c++) {
    cr_assert_eq(kop_pulsar_decompress(codec, c, in, UINT32_MAX, 1 << 20, &out), KOP_ERR_LIMIT);
  }
  cr_assert_eq(kop_pulsar_decompress(codec, 0, in, 0, 0, &out), KOP_ERR_LIMIT);
  cr_assert_eq(kop_pulsar_decompress(codec, 0, in, 0, 1, &out), KOP_OK);
  cr_assert_eq(out.ptr, in.ptr, "without compression nothing is copied");
  /* A single byte cannot be a gigabyte; whoever says so gets no memory for it, if the format tells. */
  static const int32_t tell[] = {KOP_PULSAR_COMPRESSION_LZ4, KOP_PULSAR_COMPRESSION_ZLIB,
                                 KOP_PULSAR_COMPRESSION_SNAPPY};
  for (size_t i = 0; i < 3; i++) {
    cr_assert_eq(kop_pulsar_decompress(codec, tell[i], in, 1u << 30, SIZE_MAX, &out),
                 KOP_ERR_CODEC);
  }
  cr_assert_eq(f.made, made);
  kop_pulsar_codec_free(codec);
  cr_assert_eq(f.live, 0);
}

Test(entry_codec, damaged_bytes_are_refused_or_give_another_payload_of_that_size) {
  kop_pulsar_codec *codec = new_codec(NULL);
  uint8_t *plain = some_text(4);
  uint64_t rng = 5;
  enum { SIZE = 2000 };
  for (int32_t c = KOP_PULSAR_COMPRESSION_LZ4; c < CODECS; c++) {
    size_t len;
    uint8_t *packed = pack(codec, c, (kop_slice){plain, SIZE}, &len);
    int refused = 0;
    for (int round = 0; round < 2000; round++) {
      kop_slice out;
      uint8_t bit = (uint8_t)(1u << rng_below(&rng, 8));
      size_t at = rng_below(&rng, len);
      packed[at] ^= bit;
      kop_status status =
          kop_pulsar_decompress(codec, c, (kop_slice){packed, len}, SIZE, MOST, &out);
      packed[at] ^= bit;
      cr_assert(status == KOP_ERR_CODEC || (status == KOP_OK && out.len == SIZE));
      refused += status == KOP_ERR_CODEC;
    }
    cr_assert_gt(refused, 100, "codec %d", c);
    for (size_t cut = 0; cut < len; cut++) {
      uint8_t *part = malloc(cut == 0 ? 1 : cut);
      kop_slice out;
      memcpy(part, packed, cut);
      kop_status status = kop_pulsar_decompress(codec, c, (kop_slice){part, cut}, SIZE, MOST, &out);
      /* A zlib stream may lack what follows its last block, see below. */
      int whole = c == KOP_PULSAR_COMPRESSION_ZLIB && cut + ZLIB_END >= len && status == KOP_OK &&
                  out.len == SIZE && memcmp(out.ptr, plain, SIZE) == 0;
      cr_assert(whole || status == KOP_ERR_CODEC, "codec %d cut at %zu of %zu", c, cut, len);
      free(part);
    }
    free(packed);
  }
  free(plain);
  kop_pulsar_codec_free(codec);
}

/* What Pulsar's Java client writes: flushed, with no last block and no checksum. */
Test(entry_codec, a_zlib_stream_that_is_flushed_and_not_ended_is_whole) {
  enum { SIZE = 100000, ROOM = 2 * SIZE };
  static const uint32_t wrong[] = {SIZE - 1, SIZE + 1, 0, 1, MOST};
  kop_pulsar_codec *codec = new_codec(NULL);
  uint8_t *plain = some_text(8);
  uint8_t *room = malloc(ROOM);
  z_stream z = {.next_in = plain, .avail_in = SIZE, .next_out = room, .avail_out = ROOM};
  cr_assert_eq(deflateInit(&z, Z_DEFAULT_COMPRESSION), Z_OK);
  cr_assert_eq(deflate(&z, Z_SYNC_FLUSH), Z_OK);
  size_t len = z.total_out;
  deflateEnd(&z);
  uint8_t *packed = malloc(len);
  memcpy(packed, room, len);
  kop_slice in = {packed, len};
  kop_slice out;
  int32_t c = KOP_PULSAR_COMPRESSION_ZLIB;
  cr_assert_eq(kop_pulsar_decompress(codec, c, in, SIZE, MOST, &out), KOP_OK);
  cr_assert_eq(memcmp(out.ptr, plain, SIZE), 0);
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    cr_assert_eq(kop_pulsar_decompress(codec, c, in, wrong[i], MOST, &out), KOP_ERR_CODEC);
  }
  in.len = len / 2;
  cr_assert_eq(kop_pulsar_decompress(codec, c, in, SIZE, MOST, &out), KOP_ERR_CODEC);
  free(packed);
  free(room);
  free(plain);
  kop_pulsar_codec_free(codec);
}

static kop_status there_and_back(kop_pulsar_codec *codec, kop_slice plain) {
  kop_slice packed;
  kop_slice out;
  kop_status status = KOP_OK;
  for (int32_t c = 0; c < CODECS && status == KOP_OK; c++) {
    int32_t level = c == KOP_PULSAR_COMPRESSION_SNAPPY ? KOP_PULSAR_LEVEL_DEFAULT : c;
    status = kop_pulsar_compress(codec, c, level, plain, &packed);
    if (status == KOP_OK) {
      status = kop_pulsar_compress(codec, c, KOP_PULSAR_LEVEL_DEFAULT, plain, &packed);
    }
    if (status == KOP_OK) {
      status = kop_pulsar_decompress(codec, c, packed, (uint32_t)plain.len, MOST, &out);
    }
  }
  return status;
}

Test(entry_codec, each_allocation_may_fail) {
  uint8_t *plain = some_text(6);
  for (size_t i = 0;; i++) {
    failing_alloc f;
    failing_alloc_init(&f, i);
    kop_pulsar_codec *codec = NULL;
    kop_status status = kop_pulsar_codec_new(&f.alloc, &codec);
    if (status == KOP_OK) status = there_and_back(codec, (kop_slice){plain, 5000});
    /* zstd may do without what it was refused. */
    cr_assert(status == KOP_ERR_NOMEM || status == KOP_OK, "allocation %zu: %d", i, status);
    if (status != KOP_OK && codec != NULL) {
      cr_assert_eq(there_and_back(codec, (kop_slice){plain, 5000}), KOP_OK);
    }
    kop_pulsar_codec_free(codec);
    cr_assert_eq(f.live, 0);
    if (f.made <= i) break;
  }
  free(plain);
  kop_pulsar_codec_free(NULL);
}

/* There and back with snappy, whose output buffer is larger than its input: both buffers are. */
static kop_status one_round(kop_pulsar_codec *codec, kop_slice plain) {
  int32_t c = KOP_PULSAR_COMPRESSION_SNAPPY;
  kop_slice packed;
  kop_slice out;
  kop_status status = kop_pulsar_compress(codec, c, KOP_PULSAR_LEVEL_DEFAULT, plain, &packed);
  if (status != KOP_OK) return status;
  return kop_pulsar_decompress(codec, c, packed, (uint32_t)plain.len, LARGE, &out);
}

Test(entry_codec, steady_state_allocates_nothing_and_large_buffers_are_given_back) {
  failing_alloc f;
  failing_alloc_init(&f, SIZE_MAX);
  kop_pulsar_codec *codec = new_codec(&f.alloc);
  uint8_t *plain = some_text(7);
  static const int32_t all[] = {1, 2, 3, 4};
  size_t made = 0;
  for (int round = 0; round < 10; round++) {
    if (round == 2) made = f.made;
    for (size_t i = 0; i < 4; i++) {
      kop_slice packed;
      kop_slice out;
      cr_assert_eq(kop_pulsar_compress(codec, all[i], KOP_PULSAR_LEVEL_DEFAULT,
                                       (kop_slice){plain, 50000}, &packed),
                   KOP_OK);
      cr_assert_eq(kop_pulsar_decompress(codec, all[i], packed, 50000, MOST, &out), KOP_OK);
    }
  }
  cr_assert_eq(f.made, made);
  /* Two buffers grow for a large payload, and shrink for the next small one. */
  uint8_t *large = calloc(1, LARGE);
  size_t live = f.live;
  cr_assert_eq(one_round(codec, (kop_slice){large, LARGE}), KOP_OK);
  cr_assert_eq(f.made, made + 2);
  cr_assert_eq(one_round(codec, (kop_slice){large, LARGE}), KOP_OK);
  cr_assert_eq(f.made, made + 2);
  cr_assert_eq(one_round(codec, (kop_slice){large, 10}), KOP_OK);
  cr_assert_eq(f.made, made + 4);
  cr_assert_eq(f.live, live);
  free(large);
  free(plain);
  kop_pulsar_codec_free(codec);
  cr_assert_eq(f.live, 0);
}

/* ---- bombs --------------------------------------------------------------------------------------- */

static void *note_realloc(void *user_data, void *ptr, size_t size) {
  size_t *largest = user_data;
  if (size > *largest) *largest = size;
  return realloc(ptr, size);
}

static void plain_free(void *user_data, void *ptr) {
  (void)user_data;
  free(ptr);
}

enum { GIGABYTE = 1 << 30, STATE = 512 * 1024 /* more than any codec's own state */ };

Test(entry_codec, a_size_that_cannot_be_true_gets_no_memory) {
  size_t largest = 0;
  const kop_alloc alloc = {
      .size = sizeof alloc, .user_data = &largest, .realloc = note_realloc, .free = plain_free};
  kop_pulsar_codec *codec = new_codec(&alloc);
  uint8_t *plain = some_text(3);
  /* The head of a frame of zstd and an empty block. */
  static const uint8_t zeros[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x53, 0x00, 0x00, 0x00};
  for (int32_t c = KOP_PULSAR_COMPRESSION_LZ4; c < CODECS; c++) {
    size_t len;
    uint8_t *packed = pack(codec, c, (kop_slice){plain, 1000}, &len);
    kop_slice out;
    largest = 0;
    for (size_t n = 0; n <= len; n++) {
      cr_assert_eq(
          kop_pulsar_decompress(codec, c, (kop_slice){packed, n}, GIGABYTE, SIZE_MAX, &out),
          KOP_ERR_CODEC);
      cr_assert_eq(kop_pulsar_decompress(codec, c, (kop_slice){zeros, n < 10 ? n : 10}, GIGABYTE,
                                         SIZE_MAX, &out),
                   KOP_ERR_CODEC);
    }
    cr_assert_lt(largest, STATE, "codec %d got %zu bytes", c, largest);
    /* The limit comes first, whatever the bytes. */
    cr_assert_eq(kop_pulsar_decompress(codec, c, (kop_slice){packed, len}, GIGABYTE, MOST, &out),
                 KOP_ERR_LIMIT);
    free(packed);
  }
  free(plain);
  kop_pulsar_codec_free(codec);
}

/* zstd's frames say how much they hold: a size that contradicts them gets no memory either. */
Test(entry_codec, a_size_that_contradicts_the_frames_gets_no_memory) {
  size_t largest = 0;
  const kop_alloc alloc = {
      .size = sizeof alloc, .user_data = &largest, .realloc = note_realloc, .free = plain_free};
  kop_pulsar_codec *codec = new_codec(&alloc);
  uint8_t *plain = some_text(3);
  const int32_t c = KOP_PULSAR_COMPRESSION_ZSTD;
  size_t len;
  uint8_t *packed = pack(codec, c, (kop_slice){plain, MOST}, &len);
  uint8_t *twice = malloc(2 * len);
  memcpy(twice, packed, len);
  memcpy(twice + len, packed, len);
  kop_slice out;
  static const uint32_t wrong[] = {0, 1, MOST - 1, MOST + 1, 2 * MOST, 100 * MOST};
  largest = 0;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    cr_assert_eq(
        kop_pulsar_decompress(codec, c, (kop_slice){packed, len}, wrong[i], SIZE_MAX, &out),
        KOP_ERR_CODEC);
  }
  cr_assert_eq(largest, 0);
  cr_assert_eq(kop_pulsar_decompress(codec, c, (kop_slice){twice, 2 * len}, MOST, SIZE_MAX, &out),
               KOP_ERR_CODEC);
  cr_assert_eq(largest, 0);
  cr_assert_eq(
      kop_pulsar_decompress(codec, c, (kop_slice){twice, 2 * len}, 2 * MOST, SIZE_MAX, &out),
      KOP_OK);
  cr_assert_eq(memcmp(out.ptr + MOST, plain, MOST), 0);
  free(twice);
  free(packed);
  free(plain);
  kop_pulsar_codec_free(codec);
}

/* The most that each codec can make of its bytes is not taken for a lie: sixteen megabytes of one byte. */
Test(entry_codec, what_compresses_best_is_decompressed) {
  enum { BEST = 16 * 1024 * 1024 };
  kop_pulsar_codec *codec = new_codec(NULL);
  uint8_t *plain = calloc(1, BEST);
  for (int32_t c = KOP_PULSAR_COMPRESSION_LZ4; c < CODECS; c++) {
    size_t len;
    uint8_t *packed = pack(codec, c, (kop_slice){plain, BEST}, &len);
    kop_slice out;
    cr_assert_eq(kop_pulsar_decompress(codec, c, (kop_slice){packed, len}, BEST, BEST, &out),
                 KOP_OK, "codec %d, %zu bytes", c, len);
    cr_assert_eq(out.len, BEST);
    free(packed);
  }
  /* As a hostile sender would: blocks of zstd that are one repeated byte, four bytes each. */
  enum { BLOCKS = 64, BLOCK = 128 * 1024 };
  uint8_t frame[6 + 4 * BLOCKS] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x70};
  for (uint32_t i = 0; i < BLOCKS; i++) {
    uint32_t header = (uint32_t)BLOCK << 3 | 1u << 1 | (i == BLOCKS - 1);
    for (int k = 0; k < 3; k++)
      frame[6 + 4 * i + (uint32_t)k] = (uint8_t)(header >> (8 * k));
  }
  kop_slice out;
  cr_assert_eq(kop_pulsar_decompress(codec, KOP_PULSAR_COMPRESSION_ZSTD,
                                     (kop_slice){frame, sizeof frame}, BLOCKS * BLOCK, BEST, &out),
               KOP_OK);
  cr_assert_eq(memcmp(out.ptr, plain, BLOCKS * BLOCK), 0);
  free(plain);
  kop_pulsar_codec_free(codec);
}
