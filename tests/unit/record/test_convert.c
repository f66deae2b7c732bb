/* Rebuilding for the log, converting down for old consumers, and what the builder refuses. */
#include "support.h"

static kop_record_ctx *ctx;

static void open_ctx(void) {
  ctx = new_ctx();
}

static void close_ctx(void) {
  kop_record_ctx_free(ctx);
}

TestSuite(rebuild, .init = open_ctx, .fini = close_ctx);
TestSuite(down, .init = open_ctx, .fini = close_ctx);

static kop_batch_head head_of(const uint8_t *batch, size_t len) {
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(batch, len, &head), KOP_OK);
  return head;
}

Test(rebuild, gives_one_batch_with_the_codec_and_time_of_the_topic) {
  for (int magic = 0; magic <= 2; magic++) {
    for (int from = 0; from <= (magic == 2 ? 4 : 3); from++) {
      for (int to = KOP_CODEC_KEEP; to <= 4; to++) {
        bytes batch = make_plain(magic, from, 60, 40);
        kop_batch_rules rules = new_rules();
        rules.produce_version = magic == 2 ? 9 : 2;
        rules.codec = to;
        rules.timestamp_type = to == 2 ? KOP_TIMESTAMP_LOG_APPEND : KOP_TIMESTAMP_CREATE;
        kop_batch_info info = validate(ctx, batch.ptr, batch.len, &rules);
        cr_assert_eq(info.error, 0);
        int want = (magic < 2 ? KOP_REBUILD_MAGIC : 0) |
                   (to != KOP_CODEC_KEEP && to != from ? KOP_REBUILD_CODEC : 0);
        cr_assert_eq(info.rebuild, want, "magic %d from %d to %d: %d", magic, from, to,
                     info.rebuild);
        uint8_t *out;
        size_t len;
        cr_assert_eq(
            kop_batch_rebuild(ctx, batch.ptr, batch.len, &rules, KOP_LEVEL_DEFAULT, &out, &len),
            KOP_OK);
        kop_batch_head head = head_of(out, len);
        cr_assert_eq(head.attributes & KOP_BATCH_CODEC_MASK, to == KOP_CODEC_KEEP ? from : to);
        cr_assert_eq(head.base_offset, 0);
        cr_assert_eq(head.count, 60);
        if (to == 2) cr_assert_eq(head.max_timestamp, rules.now_ms);
        cr_assert_eq(count_records(ctx, out, len), 60);
        kop_record_bytes_free(ctx, out);
        free(batch.ptr);
      }
    }
  }
}

Test(rebuild, takes_a_set_of_single_messages_together) {
  uint8_t set[4096];
  size_t len = 0;
  for (int i = 0; i < 10; i++) {
    bytes one =
        make_plain(1, KOP_CODEC_NONE, 1, 30); /* all with offset 0, as some clients send them */
    memcpy(set + len, one.ptr, one.len);
    len += one.len;
    free(one.ptr);
  }
  kop_batch_rules rules = new_rules();
  rules.produce_version = 1;
  kop_batch_info info = validate(ctx, set, len, &rules);
  cr_assert_eq(info.error, 0);
  cr_assert_eq(info.count, 10);
  uint8_t *out;
  size_t out_len;
  cr_assert_eq(kop_batch_rebuild(ctx, set, len, &rules, KOP_LEVEL_DEFAULT, &out, &out_len), KOP_OK);
  cr_assert_eq(kop_record_begin(ctx, out, out_len), KOP_OK);
  for (int i = 0; i < 10; i++) {
    kop_record record;
    cr_assert_eq(kop_record_next(ctx, &record), KOP_OK);
    cr_assert_eq(record.offset, i);
  }
  kop_record_bytes_free(ctx, out);
}

Test(rebuild, keeps_producer_and_transaction) {
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.producer_id = 5;
  options.producer_epoch = 6;
  options.base_sequence = 7;
  options.flags = KOP_BATCH_TRANSACTIONAL;
  bytes batch = make_batch(&options, 3, 20);
  kop_batch_rules rules = new_rules();
  rules.codec = KOP_CODEC_GZIP;
  uint8_t *out;
  size_t len;
  cr_assert_eq(kop_batch_rebuild(ctx, batch.ptr, batch.len, &rules, 9, &out, &len), KOP_OK);
  kop_batch_head head = head_of(out, len);
  cr_assert_eq(head.producer_id, 5);
  cr_assert_eq(head.producer_epoch, 6);
  cr_assert_eq(head.base_sequence, 7);
  cr_assert_eq(head.attributes, KOP_BATCH_TRANSACTIONAL | KOP_CODEC_GZIP);
  kop_record_bytes_free(ctx, out);
  free(batch.ptr);
}

Test(rebuild, is_bounded_to_the_byte) {
  bytes batch = make_plain(2, KOP_CODEC_ZSTD, 3000, 100);
  for (int codec = 0; codec <= 4; codec++) {
    kop_batch_rules rules = new_rules();
    rules.codec = codec;
    uint8_t *out;
    size_t len;
    cr_assert_eq(
        kop_batch_rebuild(ctx, batch.ptr, batch.len, &rules, KOP_LEVEL_DEFAULT, &out, &len),
        KOP_OK);
    kop_record_bytes_free(ctx, out);
    rules.max_message_bytes = (int32_t)len;
    cr_assert_eq(
        kop_batch_rebuild(ctx, batch.ptr, batch.len, &rules, KOP_LEVEL_DEFAULT, &out, &len),
        KOP_OK);
    kop_record_bytes_free(ctx, out);
    rules.max_message_bytes--;
    cr_assert_eq(
        kop_batch_rebuild(ctx, batch.ptr, batch.len, &rules, KOP_LEVEL_DEFAULT, &out, &len),
        KOP_ERR_LIMIT);
    cr_assert_null(out);
  }
  free(batch.ptr);
}

/* Two batches with a control batch between them, base offsets 100, 120 and 121. */
static bytes make_log(int codec) {
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.codec = codec;
  options.base_offset = 100;
  bytes first = make_batch(&options, 20, 30);
  options.codec = KOP_CODEC_NONE;
  options.base_offset = 120;
  options.producer_id = 1;
  options.flags = KOP_BATCH_CONTROL | KOP_BATCH_TRANSACTIONAL;
  bytes control = make_batch(&options, 1, 6);
  options.flags = 0;
  options.producer_id = -1;
  options.base_offset = 121;
  bytes second = make_batch(&options, 5, 30);
  bytes all = {.ptr = malloc(first.len + control.len + second.len)};
  bytes parts[3] = {first, control, second};
  for (int i = 0; i < 3; i++) {
    memcpy(all.ptr + all.len, parts[i].ptr, parts[i].len);
    all.len += parts[i].len;
    free(parts[i].ptr);
  }
  return all;
}

Test(down, keeps_offsets_and_leaves_out_control_batches_and_what_was_not_asked_for) {
  for (int codec = 0; codec <= 3; codec++) {
    for (int magic = 0; magic <= 1; magic++) {
      bytes log = make_log(codec);
      uint8_t *set;
      size_t len;
      cr_assert_eq(
          kop_batch_down_convert(ctx, log.ptr, log.len - 1, magic, 105, SIZE_MAX, &set, &len),
          KOP_OK);
      int64_t expected = codec == KOP_CODEC_NONE ? 105 : 100;
      int records = 0;
      for (size_t at = 0, size; at < len; at += size) {
        int32_t found;
        cr_assert_eq(kop_batch_next(set + at, len - at, &size, &found), KOP_OK);
        cr_assert_eq(found, magic);
        cr_assert_eq(kop_batch_check_crc(set + at, size), KOP_OK);
        cr_assert_eq(kop_record_begin(ctx, set + at, size), KOP_OK);
        kop_record record;
        while (kop_record_next(ctx, &record) == KOP_OK) {
          cr_assert_eq(record.offset, expected++, "codec %d magic %d", codec, magic);
          cr_assert_eq(record.header_count, 0);
          cr_assert_eq(record.timestamp_type,
                       magic == 0 ? KOP_TIMESTAMP_NONE : KOP_TIMESTAMP_CREATE);
          records++;
        }
      }
      /* The last batch was cut by a byte and is left out. */
      cr_assert_eq(records, codec == KOP_CODEC_NONE ? 15 : 20);
      kop_record_bytes_free(ctx, set);
      free(log.ptr);
    }
  }
}

Test(down, of_what_is_old_already_is_a_copy) {
  bytes old = make_plain(0, KOP_CODEC_GZIP, 9, 30);
  uint8_t *set;
  size_t len;
  cr_assert_eq(kop_batch_down_convert(ctx, old.ptr, old.len, 1, 0, SIZE_MAX, &set, &len), KOP_OK);
  cr_assert_eq(len, old.len);
  cr_assert_arr_eq(set, old.ptr, len);
  kop_record_bytes_free(ctx, set);
  free(old.ptr);
}

Test(down, refuses_what_it_cannot_do) {
  bytes zstd = make_plain(2, KOP_CODEC_ZSTD, 9, 30);
  bytes plain = make_plain(2, KOP_CODEC_NONE, 9, 30);
  uint8_t *set;
  size_t len;
  cr_assert_eq(kop_batch_down_convert(ctx, zstd.ptr, zstd.len, 1, 0, SIZE_MAX, &set, &len),
               KOP_ERR_UNSUPPORTED);
  cr_assert_eq(kop_batch_down_convert(ctx, plain.ptr, plain.len, 2, 0, SIZE_MAX, &set, &len),
               KOP_ERR_INVALID);
  cr_assert_eq(kop_batch_down_convert(ctx, plain.ptr, plain.len, 1, 0, 100, &set, &len),
               KOP_ERR_LIMIT);
  cr_assert_null(set);
  cr_assert_eq(kop_batch_down_convert(ctx, plain.ptr, plain.len, 1, 9, SIZE_MAX, &set, &len),
               KOP_OK);
  cr_assert_null(set);
  cr_assert_eq(len, 0);
  free(zstd.ptr);
  free(plain.ptr);
}

Test(builder, refuses_contradictions) {
  static const struct {
    int magic, codec, flags, type;
    int64_t producer;
    kop_status status;
  } cases[] = {
      {3, 0, 0, 0, -1, KOP_ERR_UNSUPPORTED},
      {-1, 0, 0, 0, -1, KOP_ERR_UNSUPPORTED},
      {2, 5, 0, 0, -1, KOP_ERR_UNSUPPORTED},
      {2, KOP_CODEC_KEEP, 0, 0, -1, KOP_ERR_UNSUPPORTED},
      {1, KOP_CODEC_ZSTD, 0, 0, -1, KOP_ERR_UNSUPPORTED},
      {1, 0, KOP_BATCH_TRANSACTIONAL, 0, -1, KOP_ERR_INVALID},
      {1, 0, 0, 0, 7, KOP_ERR_INVALID},
      {2, 0, KOP_BATCH_DELETE_HORIZON, 0, -1, KOP_ERR_INVALID},
      {2, 0, 0, KOP_TIMESTAMP_NONE, -1, KOP_ERR_INVALID},
  };
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kop_batch_options options;
    kop_batch_options_init(&options, sizeof options);
    options.magic = cases[i].magic;
    options.codec = cases[i].codec;
    options.flags = cases[i].flags;
    options.timestamp_type = cases[i].type;
    options.producer_id = cases[i].producer;
    cr_assert_eq(kop_batch_builder_begin(b, &options), cases[i].status, "case %zu", i);
    kop_record_in record = {.offset = -1};
    cr_assert_eq(kop_batch_builder_append(b, &record), KOP_ERR_STATE);
  }
  kop_batch_builder_free(b);
}

Test(builder, refuses_records_that_do_not_fit_and_goes_on) {
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.max_bytes = 200;
  options.base_offset = 10;
  const uint8_t *batch;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &batch, &len), KOP_ERR_STATE);
  cr_assert_eq(kop_batch_builder_begin(b, &options), KOP_OK);
  cr_assert_eq(kop_batch_builder_finish(b, &batch, &len), KOP_ERR_STATE,
               "a batch without a record");
  uint8_t value[100] = {0};
  kop_record_header no_key = {.value = {value, 1}};
  kop_record_in fits = {.offset = 11, .timestamp = 5, .value = {value, 60}};
  kop_record_in too_large = {.offset = -1, .timestamp = 5, .value = {value, 100}};
  kop_record_in backwards = {.offset = 11, .timestamp = 5};
  kop_record_in before_time = {.offset = -1, .timestamp = -2};
  kop_record_in bad_header = {.offset = -1, .timestamp = 5, .headers = &no_key, .header_count = 1};
  kop_record_in far = {.offset = 11 + (int64_t)INT32_MAX, .timestamp = 5};
  cr_assert_eq(kop_batch_builder_append(b, &fits), KOP_OK);
  cr_assert_eq(kop_batch_builder_append(b, &too_large), KOP_ERR_LIMIT);
  cr_assert_eq(kop_batch_builder_append(b, &backwards), KOP_ERR_INVALID);
  cr_assert_eq(kop_batch_builder_append(b, &before_time), KOP_ERR_INVALID);
  cr_assert_eq(kop_batch_builder_append(b, &bad_header), KOP_ERR_INVALID);
  cr_assert_eq(kop_batch_builder_append(b, &far), KOP_ERR_LIMIT);
  fits.offset = -1;
  fits.value.len = 30;
  cr_assert_eq(kop_batch_builder_append(b, &fits), KOP_OK);
  size_t size = kop_batch_builder_size(b);
  cr_assert_eq(kop_batch_builder_finish(b, &batch, &len), KOP_OK);
  cr_assert_eq(len, size);
  kop_batch_head head = head_of(batch, len);
  cr_assert_eq(head.count, 2);
  cr_assert_eq(head.last_offset_delta, 2);
  kop_batch_builder_free(b);
  kop_batch_builder_free(NULL);
}

Test(builder, log_append_time_and_control) {
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.producer_id = 3;
  options.flags = KOP_BATCH_CONTROL | KOP_BATCH_TRANSACTIONAL;
  options.timestamp_type = KOP_TIMESTAMP_LOG_APPEND;
  options.log_append_ms = 777;
  static const uint8_t key[] = {0, 0, 0, 1};
  static const uint8_t value[] = {0, 0, 0, 0, 0, 9};
  kop_record_in marker = {.offset = -1, .timestamp = 5, .key = {key, 4}, .value = {value, 6}};
  cr_assert_eq(kop_batch_builder_begin(b, &options), KOP_OK);
  cr_assert_eq(kop_batch_builder_append(b, &marker), KOP_OK);
  const uint8_t *batch;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &batch, &len), KOP_OK);
  kop_record_ctx *reader = new_ctx();
  kop_record record;
  cr_assert_eq(kop_record_begin(reader, batch, len), KOP_OK);
  cr_assert_eq(kop_record_next(reader, &record), KOP_OK);
  cr_assert_eq(record.timestamp, 777);
  kop_control control;
  cr_assert_eq(kop_control_decode(&record, &control), KOP_OK);
  cr_assert_eq(control.type, KOP_CONTROL_COMMIT);
  cr_assert_eq(control.coordinator_epoch, 9);
  record.value.len = 5;
  cr_assert_eq(kop_control_decode(&record, &control), KOP_ERR_MALFORMED);
  record.key.len = 3;
  cr_assert_eq(kop_control_decode(&record, &control), KOP_ERR_MALFORMED);
  static const uint8_t later[] = {0, 7, 0, 99, 1, 2};
  record.key = (kop_slice){later, sizeof later};
  record.value.ptr = NULL;
  cr_assert_eq(kop_control_decode(&record, &control), KOP_OK);
  cr_assert_eq(control.version, 7);
  cr_assert_eq(control.type, 99);
  cr_assert_eq(control.coordinator_epoch, -1);
  kop_record_ctx_free(reader);
  kop_batch_builder_free(b);
}
