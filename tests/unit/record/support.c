/* What the record tests share. */
#include "support.h"

#include <stdio.h>

#include "support/rng.h"

void nth_record(int index, size_t size, int magic, kop_record_in *record, record_store *store) {
  uint64_t random = 1000003u * (uint64_t)index + 17;
  store->value = malloc(size + 1);
  for (size_t i = 0; i < size; i++) {
    /* Half noise, half repetition, so that every codec has something to do. */
    store->value[i] = i % 16 < 8 ? (uint8_t)rng_next(&random) : (uint8_t)('a' + i % 16);
  }
  int key_len = snprintf((char *)store->key, sizeof store->key, "key-%d", index);
  *record = (kop_record_in){
      .offset = -1,
      .timestamp = FIRST_TIMESTAMP + (index * 7) % 1000,
      .key = {.ptr = store->key, .len = (size_t)key_len},
      .value = {.ptr = store->value, .len = size},
  };
  if (index % 3 == 2) record->key = (kop_slice){.ptr = NULL, .len = 0};
  if (index % 7 == 6) record->value = (kop_slice){.ptr = NULL, .len = 0};
  if (index % 11 == 10) record->value = (kop_slice){.ptr = store->value, .len = 0};
  if (magic == 2 && index % 5 == 4) {
    store->headers[0] = (kop_record_header){.key = {(const uint8_t *)"h", 1}, .value = {NULL, 0}};
    store->headers[1] = (kop_record_header){.key = {(const uint8_t *)"", 0},
                                            .value = {(const uint8_t *)"\0\xff", 2}};
    record->headers = store->headers;
    record->header_count = 2;
  }
}

bytes make_batch(const kop_batch_options *options, int count, size_t size) {
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  cr_assert_eq(kop_batch_builder_begin(b, options), KOP_OK);
  for (int i = 0; i < count; i++) {
    kop_record_in record;
    record_store store;
    nth_record(i, size, options->magic, &record, &store);
    cr_assert_eq(kop_batch_builder_append(b, &record), KOP_OK, "record %d", i);
    free(store.value);
  }
  size_t bound = kop_batch_builder_size(b);
  const uint8_t *ptr;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &ptr, &len), KOP_OK);
  cr_assert(len <= bound, "%zu bytes, bound %zu", len, bound);
  bytes out = {.ptr = malloc(len), .len = len};
  memcpy(out.ptr, ptr, len);
  kop_batch_builder_free(b);
  return out;
}

bytes make_plain(int magic, int codec, int count, size_t size) {
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.magic = magic;
  options.codec = codec;
  return make_batch(&options, count, size);
}

int32_t count_records(kop_record_ctx *ctx, const uint8_t *batch, size_t len) {
  kop_status status = kop_record_begin(ctx, batch, len);
  int32_t n = 0;
  while (status == KOP_OK) {
    kop_record record;
    status = kop_record_next(ctx, &record);
    if (status == KOP_OK) n++;
  }
  return status == KOP_ERR_NOT_FOUND ? n : status;
}

kop_record_ctx *new_ctx(void) {
  kop_record_ctx *ctx;
  cr_assert_eq(kop_record_ctx_new(NULL, &ctx), KOP_OK);
  return ctx;
}

kop_batch_rules new_rules(void) {
  kop_batch_rules rules;
  kop_batch_rules_init(&rules, sizeof rules);
  rules.now_ms = FIRST_TIMESTAMP + 5000;
  return rules;
}

kop_batch_info validate(kop_record_ctx *ctx, const uint8_t *ptr, size_t len,
                        const kop_batch_rules *rules) {
  kop_batch_info info;
  cr_assert_eq(kop_batch_validate(ctx, ptr, len, rules, &info, sizeof info), KOP_OK);
  return info;
}
