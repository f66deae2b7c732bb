/* The rules for produced payloads, each by the one field that breaks it, and which error wins. */
#include "support.h"

#include <kop/kafka_error.h>

enum {
  AT_ATTRIBUTES = 22,
  AT_LAST_DELTA = 23,
  AT_MAX_TIMESTAMP = 35,
  AT_PRODUCER = 43,
  AT_SEQUENCE = 53,
  AT_COUNT = 57
};

static kop_record_ctx *ctx;

static void open_ctx(void) {
  ctx = new_ctx();
}

static void close_ctx(void) {
  kop_record_ctx_free(ctx);
}

TestSuite(rules, .init = open_ctx, .fini = close_ctx);

static void put32(uint8_t *p, int32_t v) {
  for (int i = 0; i < 4; i++) {
    p[i] = (uint8_t)((uint32_t)v >> (24 - 8 * i));
  }
}

static int16_t error_of(const uint8_t *ptr, size_t len, const kop_batch_rules *rules) {
  kop_batch_info info = validate(ctx, ptr, len, rules);
  cr_assert_eq(info.error == 0, info.message == NULL);
  return info.error;
}

/* A batch of five records with one byte or field changed and the checksum put right. */
static int16_t error_with(void (*change)(uint8_t *batch), const kop_batch_rules *rules, int codec) {
  bytes batch = make_plain(2, codec, 5, 30);
  change(batch.ptr);
  reseal(batch.ptr, batch.len);
  int16_t error = error_of(batch.ptr, batch.len, rules);
  free(batch.ptr);
  return error;
}

static void no_change(uint8_t *b) {
  (void)b;
}
static void base_offset_1(uint8_t *b) {
  b[7] = 1;
}
static void leader_epoch_5(uint8_t *b) {
  b[15] = 5;
}
static void delta_minus_1(uint8_t *b) {
  put32(b + AT_LAST_DELTA, -1);
}
static void delta_3(uint8_t *b) {
  put32(b + AT_LAST_DELTA, 3);
}
static void count_0(uint8_t *b) {
  put32(b + AT_COUNT, 0);
}
static void count_minus_1(uint8_t *b) {
  put32(b + AT_COUNT, -1);
}
static void one_more(uint8_t *b) {
  put32(b + AT_LAST_DELTA, 5);
  put32(b + AT_COUNT, 6);
}
static void one_less(uint8_t *b) {
  put32(b + AT_LAST_DELTA, 3);
  put32(b + AT_COUNT, 4);
}
static void control(uint8_t *b) {
  b[AT_ATTRIBUTES] |= KOP_BATCH_CONTROL;
}
static void producer_without_sequence(uint8_t *b) {
  memset(b + AT_PRODUCER, 0, 10);
}
static void codec_5(uint8_t *b) {
  b[AT_ATTRIBUTES] = (uint8_t)((b[AT_ATTRIBUTES] & ~7) | 5);
}
static void appended(uint8_t *b) {
  b[AT_ATTRIBUTES] |= KOP_BATCH_LOG_APPEND_TIME;
  memset(b + AT_MAX_TIMESTAMP, 0xFF, 8);
}
static void high_attributes(uint8_t *b) {
  b[21] = 0xFF;
}

Test(rules, heads) {
  static const struct {
    void (*change)(uint8_t *);
    int error;
  } cases[] = {
      {no_change, 0},
      {leader_epoch_5, 0},
      {high_attributes, 0},
      {base_offset_1, KOP_KAFKA_INVALID_RECORD},
      {delta_minus_1, KOP_KAFKA_INVALID_RECORD},
      {delta_3, KOP_KAFKA_INVALID_RECORD},
      {count_0, KOP_KAFKA_INVALID_RECORD},
      {count_minus_1, KOP_KAFKA_INVALID_RECORD},
      {one_more, KOP_KAFKA_INVALID_RECORD},
      {one_less, KOP_KAFKA_INVALID_RECORD},
      {control, KOP_KAFKA_INVALID_RECORD},
      {producer_without_sequence, KOP_KAFKA_INVALID_RECORD},
      {codec_5, KOP_KAFKA_UNSUPPORTED_COMPRESSION_TYPE},
      {appended, KOP_KAFKA_INVALID_TIMESTAMP},
  };
  kop_batch_rules rules = new_rules();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int codec = KOP_CODEC_NONE; codec <= KOP_CODEC_ZSTD; codec++) {
      cr_assert_eq(error_with(cases[i].change, &rules, codec), cases[i].error, "case %zu codec %d",
                   i, codec);
    }
  }
  rules.control_allowed = 1;
  cr_assert_eq(error_with(control, &rules, KOP_CODEC_NONE), 0);
}

Test(rules, the_version_of_produce_decides_first) {
  kop_batch_rules rules = new_rules();
  bytes zstd = make_plain(2, KOP_CODEC_ZSTD, 3, 10);
  rules.produce_version = 6;
  cr_assert_eq(error_of(zstd.ptr, zstd.len, &rules), KOP_KAFKA_UNSUPPORTED_COMPRESSION_TYPE);
  rules.produce_version = 7;
  cr_assert_eq(error_of(zstd.ptr, zstd.len, &rules), 0);
  bytes old = make_plain(1, KOP_CODEC_NONE, 1, 10);
  rules.produce_version = 3;
  cr_assert_eq(error_of(old.ptr, old.len, &rules), KOP_KAFKA_INVALID_RECORD);
  rules.produce_version = 2;
  cr_assert_eq(error_of(old.ptr, old.len, &rules), 0);
  free(zstd.ptr);
  free(old.ptr);
}

Test(rules, exactly_one_batch) {
  bytes batch = make_plain(2, KOP_CODEC_NONE, 2, 10);
  uint8_t two[1024];
  memcpy(two, batch.ptr, batch.len);
  memcpy(two + batch.len, batch.ptr, batch.len);
  kop_batch_rules rules = new_rules();
  cr_assert_eq(error_of(two, 2 * batch.len, &rules), KOP_KAFKA_INVALID_RECORD);
  rules.produce_version = 2; /* message sets: but a batch stands alone there too */
  cr_assert_eq(error_of(two, 2 * batch.len, &rules), KOP_KAFKA_INVALID_RECORD);
  rules.produce_version = 13;
  for (size_t extra = 0; extra < batch.len; extra++) {
    kop_batch_info info = validate(ctx, two, batch.len + extra, &rules);
    cr_assert_eq(info.error, 0, "%zu bytes of a second batch", extra);
    cr_assert_eq(info.payload_len, batch.len);
  }
  memset(two + batch.len, 0, 17);
  cr_assert_eq(error_of(two, batch.len + 17, &rules), KOP_KAFKA_CORRUPT_MESSAGE);
  free(batch.ptr);
}

Test(rules, nothing_and_null) {
  kop_batch_rules rules = new_rules();
  cr_assert_eq(error_of(NULL, 0, &rules), KOP_KAFKA_INVALID_RECORD);
  cr_assert_eq(error_of((const uint8_t *)"", 0, &rules), KOP_KAFKA_INVALID_RECORD);
  rules.produce_version = 0;
  kop_batch_info info = validate(ctx, (const uint8_t *)"", 0, &rules);
  cr_assert_eq(info.error, 0, "nothing to append is no error for a message set");
  cr_assert_eq(info.count, 0);
  cr_assert_eq(info.rebuild, 0);
  bytes cut = make_plain(1, KOP_CODEC_NONE, 1, 40);
  cr_assert_eq(validate(ctx, cut.ptr, cut.len - 1, &rules).payload_len, 0);
  free(cut.ptr);
  uint8_t garbage[64];
  memset(garbage, 0xA5, sizeof garbage);
  cr_assert_eq(error_of(garbage, sizeof garbage, &rules), KOP_KAFKA_CORRUPT_MESSAGE);
}

Test(rules, sizes_come_before_the_checksum_and_that_before_the_content) {
  bytes batch = make_plain(2, KOP_CODEC_NONE, 5, 30);
  kop_batch_rules rules = new_rules();
  rules.max_message_bytes = (int32_t)batch.len;
  cr_assert_eq(error_of(batch.ptr, batch.len, &rules), 0);
  batch.ptr[AT_ATTRIBUTES] |= KOP_BATCH_CONTROL; /* and no reseal */
  cr_assert_eq(error_of(batch.ptr, batch.len, &rules), KOP_KAFKA_CORRUPT_MESSAGE);
  rules.max_message_bytes--;
  cr_assert_eq(error_of(batch.ptr, batch.len, &rules), KOP_KAFKA_MESSAGE_TOO_LARGE);
  batch.ptr[7] = 1;
  cr_assert_eq(error_of(batch.ptr, batch.len, &rules), KOP_KAFKA_INVALID_RECORD);
  free(batch.ptr);
}

Test(rules, the_step_tells_where_it_was_refused) {
  static const struct {
    void (*change)(uint8_t *);
    int step;
  } cases[] = {{no_change, 0},
               {base_offset_1, KOP_STEP_ENTRY},
               {codec_5, KOP_STEP_ENTRY},
               {control, KOP_STEP_HEAD},
               {count_0, KOP_STEP_HEAD},
               {one_more, KOP_STEP_RECORDS},
               {appended, KOP_STEP_RECORDS}};
  kop_batch_rules rules = new_rules();
  bytes batch = make_plain(2, KOP_CODEC_NONE, 5, 30);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t copy[1024];
    memcpy(copy, batch.ptr, batch.len);
    cases[i].change(copy);
    reseal(copy, batch.len);
    cr_assert_eq(validate(ctx, copy, batch.len, &rules).step, cases[i].step, "case %zu", i);
  }
  cr_assert_eq(validate(ctx, batch.ptr, batch.len - 1, &rules).step, KOP_STEP_SHAPE);
  rules.max_segment_bytes = 100;
  cr_assert_eq(validate(ctx, batch.ptr, batch.len, &rules).step, KOP_STEP_SEGMENT);
  free(batch.ptr);
}

Test(rules, without_a_producer_id_epoch_and_sequence_say_nothing) {
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.producer_id = -7;
  options.producer_epoch = 5;
  options.base_sequence = 5;
  bytes batch = make_batch(&options, 2, 10);
  kop_batch_rules rules = new_rules();
  kop_batch_info info = validate(ctx, batch.ptr, batch.len, &rules);
  cr_assert_eq(info.error, 0);
  cr_assert_eq(info.producer_id, -1);
  cr_assert_eq(info.producer_epoch, -1);
  cr_assert_eq(info.first_sequence, -1);
  cr_assert_eq(info.last_sequence, -1);
  free(batch.ptr);
}

Test(rules, a_batch_must_fit_a_segment) {
  bytes batch = make_plain(2, KOP_CODEC_NONE, 5, 30);
  kop_batch_rules rules = new_rules();
  rules.max_segment_bytes = (int32_t)batch.len;
  cr_assert_eq(error_of(batch.ptr, batch.len, &rules), 0);
  rules.max_segment_bytes--;
  cr_assert_eq(error_of(batch.ptr, batch.len, &rules), KOP_KAFKA_RECORD_LIST_TOO_LARGE);
  free(batch.ptr);
}

Test(rules, compacted_topics_list_the_records_without_a_key) {
  for (int codec = KOP_CODEC_NONE; codec <= KOP_CODEC_ZSTD; codec++) {
    bytes batch = make_plain(2, codec, 9, 30);
    kop_batch_rules rules = new_rules();
    rules.key_required = 1;
    kop_batch_info info = validate(ctx, batch.ptr, batch.len, &rules);
    cr_assert_eq(info.error, KOP_KAFKA_INVALID_RECORD);
    cr_assert_eq(info.record_errors_len, 3);
    for (int i = 0; i < 3; i++) {
      cr_assert_eq(info.record_errors[i].index, 3 * i + 2);
      cr_assert(strstr(info.record_errors[i].message, "key") != NULL);
    }
    rules.max_record_errors = 2;
    cr_assert_eq(validate(ctx, batch.ptr, batch.len, &rules).record_errors_len, 2);
    rules.max_record_errors = 0;
    info = validate(ctx, batch.ptr, batch.len, &rules);
    cr_assert_eq(info.record_errors_len, 0);
    cr_assert_eq(info.error, KOP_KAFKA_INVALID_RECORD);
    free(batch.ptr);
  }
}

Test(rules, create_time_must_lie_between_before_and_after) {
  bytes batch = make_plain(2, KOP_CODEC_LZ4, 3, 30); /* timestamps FIRST, FIRST + 7, FIRST + 14 */
  static const struct {
    int64_t now;
    int64_t before;
    int64_t after;
    int bad;
  } cases[] = {
      {FIRST_TIMESTAMP + 14, 14, 0, 0},     {FIRST_TIMESTAMP + 14, 13, 0, 1},
      {FIRST_TIMESTAMP + 14, 6, 0, 2},      {FIRST_TIMESTAMP, 0, 14, 0},
      {FIRST_TIMESTAMP, 0, 13, 1},          {FIRST_TIMESTAMP, 0, 0, 2},
      {FIRST_TIMESTAMP - 1, 0, 0, 3},       {0, INT64_MAX, INT64_MAX, 0},
      {INT64_MIN, INT64_MAX, INT64_MAX, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kop_batch_rules rules = new_rules();
    rules.now_ms = cases[i].now;
    rules.before_max_ms = cases[i].before;
    rules.after_max_ms = cases[i].after;
    kop_batch_info info = validate(ctx, batch.ptr, batch.len, &rules);
    cr_assert_eq(info.record_errors_len, cases[i].bad, "case %zu: %d", i, info.record_errors_len);
    cr_assert_eq(info.error, cases[i].bad == 0 ? 0 : KOP_KAFKA_INVALID_TIMESTAMP);
    rules.timestamp_type = KOP_TIMESTAMP_LOG_APPEND;
    cr_assert_eq(error_of(batch.ptr, batch.len, &rules), 0,
                 "LogAppendTime does not look at the producer's");
  }
  free(batch.ptr);
}

Test(rules, a_record_without_a_timestamp_is_no_old_one) {
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  cr_assert_eq(kop_batch_builder_begin(b, &options), KOP_OK);
  kop_record_in record = {.offset = -1, .timestamp = -1};
  cr_assert_eq(kop_batch_builder_append(b, &record), KOP_OK);
  const uint8_t *batch;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &batch, &len), KOP_OK);
  kop_batch_rules rules = new_rules();
  rules.before_max_ms = 0;
  rules.after_max_ms = 0;
  kop_batch_info info = validate(ctx, batch, len, &rules);
  cr_assert_eq(info.error, 0);
  cr_assert_eq(info.max_timestamp, -1);
  cr_assert_eq(info.offset_of_max, -1);
  kop_batch_builder_free(b);
}

Test(rules, log_append_time_is_patched_into_the_head) {
  for (int codec = KOP_CODEC_NONE; codec <= KOP_CODEC_ZSTD; codec++) {
    bytes batch = make_plain(2, codec, 50, 30);
    kop_batch_rules rules = new_rules();
    rules.timestamp_type = KOP_TIMESTAMP_LOG_APPEND;
    kop_batch_info info = validate(ctx, batch.ptr, batch.len, &rules);
    cr_assert_eq(info.error, 0);
    cr_assert_eq(info.head_differs, 1);
    cr_assert_eq(info.max_timestamp, rules.now_ms);
    cr_assert_eq(kop_batch_accept(batch.ptr, &info), KOP_OK);
    cr_assert_eq(kop_batch_check_crc(batch.ptr, batch.len), KOP_OK);
    kop_record record;
    cr_assert_eq(kop_record_begin(ctx, batch.ptr, batch.len), KOP_OK);
    for (int i = 0; i < 50; i++) {
      cr_assert_eq(kop_record_next(ctx, &record), KOP_OK);
      cr_assert_eq(record.timestamp, rules.now_ms);
      cr_assert_eq(record.timestamp_type, KOP_TIMESTAMP_LOG_APPEND);
    }
    free(batch.ptr);
  }
}

Test(rules, a_wrong_max_timestamp_is_put_right_and_the_high_attributes_go) {
  bytes batch = make_plain(2, KOP_CODEC_NONE, 5, 30);
  memset(batch.ptr + AT_MAX_TIMESTAMP, 0, 8);
  high_attributes(batch.ptr);
  reseal(batch.ptr, batch.len);
  kop_batch_rules rules = new_rules();
  kop_batch_info info = validate(ctx, batch.ptr, batch.len, &rules);
  cr_assert_eq(info.head_differs, 1);
  cr_assert_eq(info.attributes, 0);
  cr_assert_eq(kop_batch_accept(batch.ptr, &info), KOP_OK);
  info = validate(ctx, batch.ptr, batch.len, &rules);
  cr_assert_eq(info.error, 0);
  cr_assert_eq(info.head_differs, 0);
  cr_assert_eq(info.max_timestamp, FIRST_TIMESTAMP + 28);
  cr_assert_eq(info.offset_of_max, 4);
  free(batch.ptr);
}

Test(rules, producer_fields_are_reported_and_sequences_wrap) {
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.producer_id = 99;
  options.producer_epoch = 4;
  options.base_sequence = INT32_MAX - 1;
  options.flags = KOP_BATCH_TRANSACTIONAL;
  bytes batch = make_batch(&options, 4, 10);
  kop_batch_rules rules = new_rules();
  kop_batch_info info = validate(ctx, batch.ptr, batch.len, &rules);
  cr_assert_eq(info.error, 0);
  cr_assert_eq(info.producer_id, 99);
  cr_assert_eq(info.producer_epoch, 4);
  cr_assert_eq(info.first_sequence, INT32_MAX - 1);
  cr_assert_eq(info.last_sequence, 1);
  cr_assert_eq(info.attributes, KOP_BATCH_TRANSACTIONAL);
  int32_t want[4] = {INT32_MAX - 1, INT32_MAX, 0, 1};
  cr_assert_eq(kop_record_begin(ctx, batch.ptr, batch.len), KOP_OK);
  for (int i = 0; i < 4; i++) {
    kop_record record;
    cr_assert_eq(kop_record_next(ctx, &record), KOP_OK);
    cr_assert_eq(record.sequence, want[i]);
  }
  free(batch.ptr);
}

Test(rules, offsets_that_are_not_0_1_2_cause_a_rebuild) {
  for (int codec = KOP_CODEC_NONE; codec <= KOP_CODEC_ZSTD; codec++) {
    kop_batch_builder *b;
    cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
    kop_batch_options options;
    kop_batch_options_init(&options, sizeof options);
    options.codec = codec;
    cr_assert_eq(kop_batch_builder_begin(b, &options), KOP_OK);
    static const int64_t offsets[] = {0, 2, 3};
    for (int i = 0; i < 3; i++) {
      kop_record_in record = {
          .offset = offsets[i], .timestamp = FIRST_TIMESTAMP, .value = {(const uint8_t *)"v", 1}};
      cr_assert_eq(kop_batch_builder_append(b, &record), KOP_OK);
    }
    const uint8_t *lent;
    size_t len;
    cr_assert_eq(kop_batch_builder_finish(b, &lent, &len), KOP_OK);
    uint8_t batch[512];
    memcpy(batch, lent, len);
    put32(batch + AT_LAST_DELTA, 2);
    reseal(batch, len);
    kop_batch_rules rules = new_rules();
    kop_batch_info info = validate(ctx, batch, len, &rules);
    cr_assert_eq(info.error, 0, "%s", info.message);
    cr_assert_eq(info.rebuild, KOP_REBUILD_OFFSETS);
    cr_assert_eq(kop_batch_accept(batch, &info), KOP_ERR_STATE);
    uint8_t *stored;
    size_t stored_len;
    cr_assert_eq(
        kop_batch_rebuild(ctx, batch, len, &rules, KOP_LEVEL_DEFAULT, &stored, &stored_len),
        KOP_OK);
    info = validate(ctx, stored, stored_len, &rules);
    cr_assert_eq(info.error, 0);
    cr_assert_eq(info.rebuild, 0);
    cr_assert_eq(info.count, 3);
    kop_record_bytes_free(ctx, stored);
    kop_batch_builder_free(b);
  }
}

Test(rules, structs_of_another_size) {
  bytes batch = make_plain(2, KOP_CODEC_NONE, 1, 30);
  struct {
    kop_batch_rules rules;
    uint64_t later;
  } newer = {.rules = new_rules()};
  newer.rules.size = sizeof newer;
  cr_assert_eq(error_of(batch.ptr, batch.len, &newer.rules), 0);
  newer.later = 1;
  kop_batch_info info;
  cr_assert_eq(kop_batch_validate(ctx, batch.ptr, batch.len, &newer.rules, &info, sizeof info),
               KOP_ERR_INVALID);
  kop_batch_rules rules = new_rules();
  cr_assert_eq(kop_batch_validate(ctx, batch.ptr, batch.len, &rules, &info, sizeof info - 8),
               KOP_ERR_INVALID);
  rules.codec = 5;
  cr_assert_eq(kop_batch_validate(ctx, batch.ptr, batch.len, &rules, &info, sizeof info),
               KOP_ERR_INVALID);
  rules = new_rules();
  rules.timestamp_type = KOP_TIMESTAMP_NONE;
  cr_assert_eq(kop_batch_validate(ctx, batch.ptr, batch.len, &rules, &info, sizeof info),
               KOP_ERR_INVALID);
  free(batch.ptr);
}
