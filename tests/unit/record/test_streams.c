/* The many ways in which clients write compressed streams, made here by hand or by the libraries themselves. */
#include "support.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

enum { RECORDS = 40, VALUE = 5000 };

static bytes plain; /* a batch without compression: its records are what the streams carry */

static void open_plain(void) {
  plain = make_plain(2, KOP_CODEC_NONE, RECORDS, VALUE);
}

static void close_plain(void) {
  free(plain.ptr);
}

TestSuite(streams, .init = open_plain, .fini = close_plain);

/* A batch with the plain one's head around another stream. */
static bytes wrap(int codec, const uint8_t *stream, size_t len) {
  bytes out = {.ptr = malloc(61 + len), .len = 61 + len};
  memcpy(out.ptr, plain.ptr, 61);
  memcpy(out.ptr + 61, stream, len);
  out.ptr[22] = (uint8_t)codec;
  for (int i = 0; i < 4; i++) {
    out.ptr[8 + i] = (uint8_t)((out.len - 12) >> (24 - 8 * i));
  }
  reseal(out.ptr, out.len);
  return out;
}

/* What iteration and validation say: the number of records or a negative status, and Kafka's error. */
static void expect(int codec, const uint8_t *stream, size_t len, int32_t records, int16_t error) {
  kop_record_ctx *ctx = new_ctx();
  bytes batch = wrap(codec, stream, len);
  cr_assert_eq(count_records(ctx, batch.ptr, batch.len), records);
  kop_batch_rules rules = new_rules();
  kop_batch_info info = validate(ctx, batch.ptr, batch.len, &rules);
  cr_assert_eq(info.error, error, "%d: %s", info.error, info.message);
  free(batch.ptr);
  kop_record_ctx_free(ctx);
}

static size_t gzip_member(const uint8_t *in, size_t len, uint8_t *out, size_t cap) {
  z_stream z = {0};
  cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  uint8_t *copy = malloc(len);
  memcpy(copy, in, len);
  z.next_in = copy;
  z.avail_in = (uInt)len;
  z.next_out = out;
  z.avail_out = (uInt)cap;
  cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
  size_t n = cap - z.avail_out;
  deflateEnd(&z);
  free(copy);
  return n;
}

static const uint8_t *records(size_t *len) {
  *len = plain.len - 61;
  return plain.ptr + 61;
}

enum { CAP = 1024 * 1024 };
static uint8_t stream[CAP];

Test(streams, gzip_may_have_many_members_and_a_tail) {
  size_t len;
  const uint8_t *in = records(&len);
  size_t n = 0;
  for (size_t at = 0; at < len; at += 10007) {
    size_t part = len - at < 10007 ? len - at : 10007;
    n += gzip_member(in + at, part, stream + n, CAP - n);
  }
  expect(KOP_CODEC_GZIP, stream, n, RECORDS, 0);
  memset(stream + n, 0, 9);
  expect(KOP_CODEC_GZIP, stream, n + 9, RECORDS, 0);
  stream[n - 6] ^= 1; /* the last member's CRC */
  expect(KOP_CODEC_GZIP, stream, n, KOP_ERR_CODEC, 87);
  stream[n - 6] ^= 1;
  expect(KOP_CODEC_GZIP, stream, n - 1, KOP_ERR_CODEC, 87);
}

Test(streams, zstd_may_have_many_frames_with_and_without_their_size) {
  size_t len;
  const uint8_t *in = records(&len);
  size_t n = ZSTD_compress(stream, CAP, in, len / 2, 3);
  ZSTD_CCtx *z = ZSTD_createCCtx();
  ZSTD_outBuffer out = {.dst = stream + n, .size = CAP - n};
  ZSTD_inBuffer from = {.src = in + len / 2, .size = len - len / 2};
  ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
  while (from.pos < from.size) {
    cr_assert_not(ZSTD_isError(ZSTD_compressStream2(z, &out, &from, ZSTD_e_continue)));
  }
  while (ZSTD_compressStream2(z, &out, &from, ZSTD_e_end) != 0) {
  }
  ZSTD_freeCCtx(z);
  n += out.pos;
  expect(KOP_CODEC_ZSTD, stream, n, RECORDS, 0);
  expect(KOP_CODEC_ZSTD, stream, n - 1, KOP_ERR_CODEC, 87);
  expect(KOP_CODEC_ZSTD, stream, ZSTD_compress(stream + n, CAP - n, in, 10, 3), KOP_ERR_CODEC, 87);
  expect(KOP_CODEC_ZSTD, stream, 0, KOP_ERR_CODEC, 87);
}

static size_t xerial_header(uint8_t *out, int little_endian) {
  static const uint8_t big[16] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
  static const uint8_t little[16] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 1, 0, 0, 0, 1, 0, 0, 0};
  memcpy(out, little_endian ? little : big, 16);
  return 16;
}

static size_t xerial_block(const uint8_t *in, size_t len, uint8_t *out, size_t cap) {
  size_t n = cap - 4;
  cr_assert_eq(snappy_compress((const char *)in, len, (char *)out + 4, &n), SNAPPY_OK);
  for (int i = 0; i < 4; i++) {
    out[i] = (uint8_t)(n >> (24 - 8 * i));
  }
  return n + 4;
}

Test(streams, snappy_may_be_raw) {
  size_t len;
  const uint8_t *in = records(&len);
  size_t n = CAP;
  cr_assert_eq(snappy_compress((const char *)in, len, (char *)stream, &n), SNAPPY_OK);
  cr_assert(len > 128 * 1024, "larger than the window, to go through the block buffer");
  expect(KOP_CODEC_SNAPPY, stream, n, RECORDS, 0);
  expect(KOP_CODEC_SNAPPY, stream, n - 1, KOP_ERR_CODEC, 87);
}

Test(streams, snappy_may_have_any_block_size_byte_order_and_repeated_headers) {
  size_t len;
  const uint8_t *in = records(&len);
  for (size_t block = 700; block < 2 * len; block *= 7) {
    size_t n = xerial_header(stream, block % 2 == 0);
    for (size_t at = 0; at < len; at += block) {
      if (at / block % 5 == 3) n += xerial_header(stream + n, 0);
      n += xerial_block(in + at, len - at < block ? len - at : block, stream + n, CAP - n);
    }
    expect(KOP_CODEC_SNAPPY, stream, n, RECORDS, 0);
    expect(KOP_CODEC_SNAPPY, stream, n - 1, KOP_ERR_CODEC, 87);
  }
}

Test(streams, snappy_that_claims_more_than_it_can_hold_gets_no_memory) {
  static const uint8_t liar[] = {0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 'a'};
  expect(KOP_CODEC_SNAPPY, liar, sizeof liar, KOP_ERR_CODEC, 87);
}

/* A frame by the library, with what it can add; `linked` blocks are what Kafka cannot read. */
static size_t lz4_frame(const uint8_t *in, size_t len, int block, int linked, int extras) {
  LZ4F_preferences_t p = {0};
  p.frameInfo.blockSizeID = (LZ4F_blockSizeID_t)block;
  p.frameInfo.blockMode = linked ? LZ4F_blockLinked : LZ4F_blockIndependent;
  p.frameInfo.contentChecksumFlag = extras ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum;
  p.frameInfo.blockChecksumFlag = extras ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum;
  p.frameInfo.contentSize = extras ? len : 0;
  size_t n = LZ4F_compressFrame(stream, CAP, in, len, &p);
  cr_assert_not(LZ4F_isError(n));
  return n;
}

Test(streams, lz4_may_have_large_blocks_checksums_and_its_size) {
  size_t len;
  const uint8_t *in = records(&len);
  for (int block = 4; block <= 7; block++) {
    for (int extras = 0; extras <= 1; extras++) {
      size_t n = lz4_frame(in, len, block, 0, extras);
      expect(KOP_CODEC_LZ4, stream, n, RECORDS, 0);
      stream[n++] = 'x'; /* one frame only: what follows is not looked at */
      expect(KOP_CODEC_LZ4, stream, n, RECORDS, 0);
      n -= 2;
      expect(KOP_CODEC_LZ4, stream, n, KOP_ERR_CODEC, 87);
      n = lz4_frame(in, len, block, 0, extras);
      stream[extras ? 14 : 6] ^= 1; /* the header's checksum */
      expect(KOP_CODEC_LZ4, stream, n, KOP_ERR_CODEC, 87);
    }
  }
  size_t n = lz4_frame(in, len, 4, 1, 0);
  expect(KOP_CODEC_LZ4, stream, n, KOP_ERR_CODEC, 87);
  n = lz4_frame(in, len, 4, 0, 1);
  stream[40] ^= 1; /* in a block that has a checksum */
  expect(KOP_CODEC_LZ4, stream, n, KOP_ERR_CODEC, 87);
}

Test(streams, lz4_in_magic_0_has_the_checksum_that_java_once_wrote) {
  bytes v0 = make_plain(0, KOP_CODEC_LZ4, 20, 50);
  bytes v1 = make_plain(1, KOP_CODEC_LZ4, 20, 50);
  uint8_t *f0 = v0.ptr + 26;
  uint8_t *f1 = v1.ptr + 34;
  cr_assert_eq(f0[6], (uint8_t)(XXH32(f0, 6, 0) >> 8));
  cr_assert_eq(f1[6], (uint8_t)(XXH32(f1 + 4, 2, 0) >> 8));
  cr_assert_neq(f0[6], f1[6]);
  kop_record_ctx *ctx = new_ctx();
  f0[6] = f1[6]; /* some clients write the right one */
  reseal(v0.ptr, v0.len);
  cr_assert_eq(count_records(ctx, v0.ptr, v0.len), 20);
  f1[6] ^= 0x55;
  reseal(v1.ptr, v1.len);
  cr_assert_eq(count_records(ctx, v1.ptr, v1.len), KOP_ERR_CODEC);
  kop_record_ctx_free(ctx);
  free(v0.ptr);
  free(v1.ptr);
}

Test(streams, old_sets_count_from_their_wrapper) {
  kop_record_ctx *ctx = new_ctx();
  bytes set = make_plain(1, KOP_CODEC_GZIP, 5, 30); /* the wrapper's offset is 4 */
  static const struct {
    uint8_t wrapper;
    int64_t first;
  } cases[] = {{4, 0}, {9, 5}, {0, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    set.ptr[7] = cases[i].wrapper;
    kop_record record;
    cr_assert_eq(kop_record_begin(ctx, set.ptr, set.len), KOP_OK);
    cr_assert_eq(kop_record_next(ctx, &record), KOP_OK);
    cr_assert_eq(record.offset, cases[i].first);
  }
  set.ptr[7] = 3;
  cr_assert_eq(kop_record_begin(ctx, set.ptr, set.len), KOP_ERR_MALFORMED);
  kop_batch_rules rules = new_rules();
  rules.produce_version = 2;
  cr_assert_eq(validate(ctx, set.ptr, set.len, &rules).error, 87);
  kop_record_ctx_free(ctx);
  free(set.ptr);
}

/* A compressed message of magic 1 around a set that the test has made. */
static bytes wrap_set(const uint8_t *set, size_t len) {
  bytes out = {.ptr = calloc(1, 34 + len + 1024)};
  size_t n = gzip_member(set, len, out.ptr + 34, len + 1024);
  out.len = 34 + n;
  out.ptr[16] = 1;
  out.ptr[17] = KOP_CODEC_GZIP;
  memset(out.ptr + 26, 0xFF, 4);
  for (int i = 0; i < 4; i++) {
    out.ptr[8 + i] = (uint8_t)((out.len - 12) >> (24 - 8 * i));
    out.ptr[30 + i] = (uint8_t)(n >> (24 - 8 * i));
  }
  reseal(out.ptr, out.len);
  return out;
}

static int16_t error_of_set(kop_record_ctx *ctx, const uint8_t *set, size_t len) {
  bytes message = wrap_set(set, len);
  kop_batch_rules rules = new_rules();
  rules.produce_version = 2;
  int16_t error = validate(ctx, message.ptr, message.len, &rules).error;
  free(message.ptr);
  return error;
}

Test(streams, each_message_in_an_old_set_is_checked) {
  kop_record_ctx *ctx = new_ctx();
  bytes one = make_plain(1, KOP_CODEC_NONE, 1, 30);
  uint8_t set[512];
  memcpy(set, one.ptr, one.len);
  memcpy(set + one.len, one.ptr, one.len);
  size_t len = 2 * one.len;
  cr_assert_eq(error_of_set(ctx, set, len), 0);
  set[len - 1] ^= 1;
  cr_assert_eq(error_of_set(ctx, set, len), 2, "a checksum inside");
  set[len - 1] ^= 1;
  set[one.len + 17] = KOP_CODEC_GZIP;
  reseal(set + one.len, one.len);
  cr_assert_eq(error_of_set(ctx, set, len), 87, "a compressed message inside");
  set[one.len + 17] = 0;
  set[one.len + 16] = 0;
  reseal(set + one.len, one.len);
  cr_assert_eq(error_of_set(ctx, set, len), 87, "another magic inside");
  cr_assert_eq(error_of_set(ctx, set, len - 1), 0, "a partial message at the end is none");
  cr_assert_eq(error_of_set(ctx, set, one.len - 1), 87, "and nothing else is an empty set");
  kop_record_ctx_free(ctx);
  free(one.ptr);
}
