/* Walking a log, heads, restamping and the batch that covers a hole. */
#include "support.h"

Test(walk, finds_the_end_of_each_entry_of_any_magic) {
  bytes parts[3] = {make_plain(0, KOP_CODEC_NONE, 1, 20), make_plain(1, KOP_CODEC_GZIP, 4, 20),
                    make_plain(2, KOP_CODEC_NONE, 2, 20)};
  uint8_t all[4096];
  size_t len = 0;
  for (int i = 0; i < 3; i++) {
    memcpy(all + len, parts[i].ptr, parts[i].len);
    len += parts[i].len;
  }
  size_t at = 0;
  for (int i = 0; i < 3; i++) {
    size_t size;
    int32_t magic;
    cr_assert_eq(kop_batch_next(all + at, len - at, &size, &magic), KOP_OK);
    cr_assert_eq(size, parts[i].len);
    cr_assert_eq(magic, i);
    at += size;
    free(parts[i].ptr);
  }
  size_t size;
  cr_assert_eq(kop_batch_next(all + at, len - at, &size, NULL), KOP_ERR_NOT_FOUND);
}

Test(walk, tells_a_partial_entry_from_an_impossible_one) {
  bytes batch = make_plain(2, KOP_CODEC_NONE, 2, 20);
  for (size_t len = 1; len < batch.len; len++) {
    size_t size;
    int32_t magic;
    cr_assert_eq(kop_batch_next(batch.ptr, len, &size, &magic), KOP_ERR_TRUNCATED, "%zu bytes",
                 len);
    cr_assert_eq(size, len < 12 ? 0 : batch.len, "%zu bytes", len);
    cr_assert_eq(kop_batch_check_crc(batch.ptr, len), KOP_ERR_TRUNCATED);
  }
  static const struct {
    int magic;
    uint8_t length;
    kop_status status;
  } cases[] = {
      {2, 48, KOP_ERR_MALFORMED},
      {1, 21, KOP_ERR_MALFORMED},
      {0, 13, KOP_ERR_MALFORMED},
      {3, 60, KOP_ERR_MALFORMED},
      {-1, 60, KOP_ERR_MALFORMED},
      {2, 49, KOP_OK},
      {1, 22, KOP_OK},
      {0, 14, KOP_OK},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t entry[128] = {[11] = cases[i].length, [16] = (uint8_t)cases[i].magic};
    size_t size;
    cr_assert_eq(kop_batch_next(entry, sizeof entry, &size, NULL), cases[i].status, "case %zu", i);
  }
  uint8_t negative[64] = {[8] = 0xFF, 0xFF, 0xFF, 0xFF, [16] = 2};
  size_t size;
  cr_assert_eq(kop_batch_next(negative, sizeof negative, &size, NULL), KOP_ERR_MALFORMED);
  uint8_t huge[64] = {[8] = 0x7F, 0xFF, 0xFF, 0xFF, [16] = 2};
  cr_assert_eq(kop_batch_next(huge, sizeof huge, &size, NULL), KOP_ERR_TRUNCATED);
  cr_assert_eq(size, (size_t)INT32_MAX + 12);
  free(batch.ptr);
}

Test(head, decodes_what_it_encoded) {
  kop_batch_head head = {
      .base_offset = 0x0102030405060708,
      .base_timestamp = -2,
      .max_timestamp = INT64_MAX,
      .producer_id = 77,
      .length = 500,
      .leader_epoch = -1,
      .last_offset_delta = INT32_MAX,
      .base_sequence = INT32_MIN,
      .count = 3,
      .crc = 0xDEADBEEFu,
      .attributes = -1,
      .producer_epoch = INT16_MIN,
      .magic = 2,
  };
  uint8_t out[KOP_BATCH_HEAD_SIZE];
  kop_batch_head_encode(&head, out);
  kop_batch_head again;
  cr_assert_eq(kop_batch_head_decode(out, sizeof out, &again), KOP_OK);
  cr_assert_arr_eq(&again, &head, sizeof head);
  cr_assert_eq(kop_batch_head_decode(out, sizeof out - 1, &again), KOP_ERR_TRUNCATED);
  out[16] = 1;
  cr_assert_eq(kop_batch_head_decode(out, sizeof out, &again), KOP_ERR_UNSUPPORTED);
}

Test(head, a_position_lies_outside_the_checksum) {
  bytes batch = make_plain(2, KOP_CODEC_ZSTD, 20, 50);
  kop_batch_set_position(batch.ptr, INT64_MAX, 17);
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(batch.ptr, batch.len, &head), KOP_OK);
  cr_assert_eq(head.base_offset, INT64_MAX);
  cr_assert_eq(head.leader_epoch, 17);
  cr_assert_eq(kop_batch_check_crc(batch.ptr, batch.len), KOP_OK);
  free(batch.ptr);
}

Test(head, a_patch_gives_the_checksum_that_a_full_pass_gives) {
  for (int count = 1; count < 400; count += 7) {
    bytes batch = make_plain(2, count % 2 == 0 ? KOP_CODEC_LZ4 : KOP_CODEC_NONE, count, 31);
    kop_batch_head head;
    cr_assert_eq(kop_batch_head_decode(batch.ptr, batch.len, &head), KOP_OK);
    head.attributes |= KOP_BATCH_LOG_APPEND_TIME;
    head.max_timestamp = 1234567890123 + count;
    head.producer_id = count;
    head.base_sequence = -count;
    uint8_t copy[KOP_BATCH_HEAD_SIZE];
    memcpy(copy, batch.ptr, sizeof copy);
    cr_assert_eq(kop_batch_head_patch(copy, &head), KOP_OK);
    memcpy(batch.ptr, copy, sizeof copy);
    cr_assert_eq(kop_batch_check_crc(batch.ptr, batch.len), KOP_OK, "%d records", count);
    batch.ptr[batch.len - 1] ^= 1;
    head.max_timestamp++;
    cr_assert_eq(kop_batch_head_patch(batch.ptr, &head), KOP_OK);
    cr_assert_eq(kop_batch_check_crc(batch.ptr, batch.len), KOP_ERR_CHECKSUM,
                 "a wrong checksum stays wrong");
    free(batch.ptr);
  }
}

Test(head, every_byte_under_the_checksum_counts) {
  bytes batch = make_plain(2, KOP_CODEC_NONE, 3, 40);
  bytes message = make_plain(1, KOP_CODEC_NONE, 1, 40);
  for (size_t i = 17; i < batch.len; i++) {
    batch.ptr[i] ^= 0x10;
    cr_assert_eq(kop_batch_check_crc(batch.ptr, batch.len), KOP_ERR_CHECKSUM, "byte %zu", i);
    batch.ptr[i] ^= 0x10;
  }
  for (size_t i = 17; i < message.len; i++) {
    message.ptr[i] ^= 0x10;
    cr_assert_eq(kop_batch_check_crc(message.ptr, message.len), KOP_ERR_CHECKSUM, "byte %zu", i);
    message.ptr[i] ^= 0x10;
  }
  free(batch.ptr);
  free(message.ptr);
}

Test(empty, covers_a_hole_and_has_no_records) {
  uint8_t out[KOP_BATCH_HEAD_SIZE];
  cr_assert_eq(kop_batch_empty(1000, 1999, 4, out), KOP_OK);
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(out, sizeof out, &head), KOP_OK);
  cr_assert_eq(head.base_offset + head.last_offset_delta, 1999);
  cr_assert_eq(head.count, 0);
  cr_assert_eq(head.leader_epoch, 4);
  cr_assert_eq(kop_batch_check_crc(out, sizeof out), KOP_OK);
  kop_record_ctx *ctx = new_ctx();
  cr_assert_eq(count_records(ctx, out, sizeof out), 0);
  kop_record_ctx_free(ctx);
}

Test(empty, covers_at_most_what_one_batch_can) {
  uint8_t out[KOP_BATCH_HEAD_SIZE];
  kop_batch_head head;
  cr_assert_eq(kop_batch_empty(5, INT64_MAX, 0, out), KOP_OK);
  cr_assert_eq(kop_batch_head_decode(out, sizeof out, &head), KOP_OK);
  cr_assert_eq(head.last_offset_delta, INT32_MAX);
  cr_assert_eq(kop_batch_empty(5, 4, 0, out), KOP_ERR_INVALID);
  cr_assert_eq(kop_batch_empty(-1, 4, 0, out), KOP_ERR_INVALID);
}
