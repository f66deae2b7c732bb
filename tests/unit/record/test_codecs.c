/* Every magic with every codec: what the builder wrote, the iterator reads and the validation accepts. */
#include "support.h"

#include "support/failing_alloc.h"

typedef struct combination {
  int magic;
  int codec;
  int count;
  size_t size;
} combination;

static const combination combinations[] = {
    {2, KOP_CODEC_NONE, 1, 0},        {2, KOP_CODEC_NONE, 500, 100},
    {2, KOP_CODEC_NONE, 3, 300000},   {2, KOP_CODEC_GZIP, 1, 0},
    {2, KOP_CODEC_GZIP, 500, 100},    {2, KOP_CODEC_GZIP, 3, 300000},
    {2, KOP_CODEC_SNAPPY, 1, 0},      {2, KOP_CODEC_SNAPPY, 500, 100},
    {2, KOP_CODEC_SNAPPY, 3, 300000}, {2, KOP_CODEC_LZ4, 1, 0},
    {2, KOP_CODEC_LZ4, 500, 100},     {2, KOP_CODEC_LZ4, 3, 300000},
    {2, KOP_CODEC_ZSTD, 1, 0},        {2, KOP_CODEC_ZSTD, 500, 100},
    {2, KOP_CODEC_ZSTD, 3, 300000},   {2, KOP_CODEC_NONE, 20000, 90},
    {2, KOP_CODEC_LZ4, 20000, 90},    {2, KOP_CODEC_ZSTD, 20000, 90},
    {1, KOP_CODEC_NONE, 1, 50},       {1, KOP_CODEC_GZIP, 500, 100},
    {1, KOP_CODEC_SNAPPY, 500, 100},  {1, KOP_CODEC_LZ4, 500, 100},
    {1, KOP_CODEC_LZ4, 3, 300000},    {1, KOP_CODEC_SNAPPY, 3, 300000},
    {0, KOP_CODEC_NONE, 1, 50},       {0, KOP_CODEC_GZIP, 500, 100},
    {0, KOP_CODEC_SNAPPY, 500, 100},  {0, KOP_CODEC_LZ4, 500, 100},
};

static void assert_slice(kop_slice got, kop_slice want, const char *what, int index) {
  cr_assert_eq(got.ptr == NULL, want.ptr == NULL, "%s of record %d", what, index);
  cr_assert_eq(got.len, want.len, "%s of record %d: %zu, not %zu", what, index, got.len, want.len);
  if (want.len != 0)
    cr_assert(memcmp(got.ptr, want.ptr, want.len) == 0, "%s of record %d", what, index);
}

static void read_back(const combination *c) {
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.magic = c->magic;
  options.codec = c->codec;
  options.base_offset = 70000;
  bytes batch = make_batch(&options, c->count, c->size);
  kop_record_ctx *ctx = new_ctx();

  size_t size;
  int32_t magic;
  cr_assert_eq(kop_batch_next(batch.ptr, batch.len, &size, &magic), KOP_OK);
  cr_assert_eq(size, batch.len);
  cr_assert_eq(magic, c->magic);
  cr_assert_eq(kop_batch_check_crc(batch.ptr, batch.len), KOP_OK);
  cr_assert_eq(kop_record_begin(ctx, batch.ptr, batch.len), KOP_OK);
  for (int i = 0; i < c->count; i++) {
    kop_record_in want;
    record_store store;
    nth_record(i, c->size, c->magic, &want, &store);
    kop_record got;
    kop_status status = kop_record_next(ctx, &got);
    cr_assert_eq(status, KOP_OK, "record %d: %s", i, kop_strerror(status));
    cr_assert_eq(got.offset, 70000 + i);
    cr_assert_eq(got.timestamp, c->magic == 0 ? -1 : want.timestamp);
    cr_assert_eq(got.sequence, -1);
    assert_slice(got.key, want.key, "key", i);
    assert_slice(got.value, want.value, "value", i);
    cr_assert_eq(got.header_count, want.header_count);
    kop_slice rest = got.headers;
    for (int h = 0; h < want.header_count; h++) {
      kop_record_header header;
      cr_assert_eq(kop_record_header_next(&rest, &header), KOP_OK);
      assert_slice(header.key, want.headers[h].key, "header key", i);
      assert_slice(header.value, want.headers[h].value, "header value", i);
    }
    kop_record_header none;
    cr_assert_eq(kop_record_header_next(&rest, &none), KOP_ERR_NOT_FOUND);
    free(store.value);
  }
  kop_record none;
  cr_assert_eq(kop_record_next(ctx, &none), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_record_next(ctx, &none), KOP_ERR_NOT_FOUND);
  kop_record_ctx_free(ctx);
  free(batch.ptr);
}

Test(codecs, read_back_what_was_written) {
  for (size_t i = 0; i < sizeof combinations / sizeof *combinations; i++)
    read_back(&combinations[i]);
}

static void validate_one(const combination *c) {
  bytes batch = make_plain(c->magic, c->codec, c->count, c->size);
  kop_record_ctx *ctx = new_ctx();
  kop_batch_rules rules = new_rules();
  rules.max_message_bytes = 16 * 1024 * 1024;
  if (c->magic < 2) rules.produce_version = 2;
  kop_batch_info info = validate(ctx, batch.ptr, batch.len, &rules);
  cr_assert_eq(info.error, 0, "%d: %s", info.error, info.message);
  cr_assert_eq(info.count, c->count);
  cr_assert_eq(info.codec, c->codec);
  cr_assert_eq(info.payload_len, batch.len);
  cr_assert_eq(info.rebuild, c->magic < 2 ? KOP_REBUILD_MAGIC : 0);
  cr_assert_eq(info.head_differs, 0);
  if (c->magic > 0) {
    int64_t max = FIRST_TIMESTAMP;
    int64_t at = 0;
    for (int i = 0; i < c->count; i++) {
      if (FIRST_TIMESTAMP + (i * 7) % 1000 > max) {
        max = FIRST_TIMESTAMP + (i * 7) % 1000;
        at = i;
      }
    }
    cr_assert_eq(info.max_timestamp, max);
    cr_assert_eq(info.offset_of_max, at);
  }
  kop_record_ctx_free(ctx);
  free(batch.ptr);
}

Test(codecs, validate_what_was_written) {
  for (size_t i = 0; i < sizeof combinations / sizeof *combinations; i++)
    validate_one(&combinations[i]);
}

Test(codecs, a_context_serves_all_of_them_in_turn_without_allocating_in_steady_state) {
  bytes batches[12];
  int n = 0;
  for (int magic = 0; magic <= 2; magic++) {
    for (int codec = 1; codec <= (magic == 2 ? 4 : 3); codec++) {
      batches[n++] = make_plain(magic, codec, 300, 200);
    }
  }
  failing_alloc f;
  failing_alloc_init(&f, SIZE_MAX);
  kop_record_ctx_config config;
  kop_record_ctx_config_init(&config, sizeof config);
  config.alloc = &f.alloc;
  kop_record_ctx *ctx;
  cr_assert_eq(kop_record_ctx_new(&config, &ctx), KOP_OK);
  size_t before = 0;
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < n; i++) {
      cr_assert_eq(count_records(ctx, batches[i].ptr, batches[i].len), 300);
      kop_batch_rules rules = new_rules();
      if (batches[i].ptr[16] < 2) rules.produce_version = 2;
      cr_assert_eq(validate(ctx, batches[i].ptr, batches[i].len, &rules).error, 0);
    }
    if (round == 0) before = f.made;
  }
  cr_assert_eq(f.made, before, "%zu more", f.made - before);
  kop_record_ctx_free(ctx);
  cr_assert_eq(f.live, 0);
  for (int i = 0; i < n; i++) {
    free(batches[i].ptr);
  }
}

Test(codecs, levels_are_the_ones_that_kafka_admits) {
  static const struct {
    int codec;
    int level;
    kop_status status;
  } cases[] = {
      {KOP_CODEC_GZIP, 9, KOP_OK},           {KOP_CODEC_GZIP, 10, KOP_ERR_INVALID},
      {KOP_CODEC_LZ4, 17, KOP_OK},           {KOP_CODEC_LZ4, 0, KOP_ERR_INVALID},
      {KOP_CODEC_ZSTD, 22, KOP_OK},          {KOP_CODEC_ZSTD, -5, KOP_OK},
      {KOP_CODEC_ZSTD, 23, KOP_ERR_INVALID}, {KOP_CODEC_SNAPPY, 1, KOP_ERR_INVALID},
  };
  kop_record_ctx *ctx = new_ctx();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kop_batch_options options;
    kop_batch_options_init(&options, sizeof options);
    options.codec = cases[i].codec;
    options.level = cases[i].level;
    if (cases[i].status == KOP_OK) {
      bytes batch = make_batch(&options, 200, 300);
      cr_assert_eq(count_records(ctx, batch.ptr, batch.len), 200);
      free(batch.ptr);
      continue;
    }
    kop_batch_builder *b;
    cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
    cr_assert_eq(kop_batch_builder_begin(b, &options), cases[i].status, "case %zu", i);
    kop_batch_builder_free(b);
  }
  kop_record_ctx_free(ctx);
}
