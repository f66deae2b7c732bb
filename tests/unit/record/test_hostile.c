/* Input that means harm: bombs, cuts at every byte, changes at every byte, and memory that runs out at every allocation. */
#include "support.h"

#include <kop/kafka_error.h>
#include <zlib.h>

#include "support/failing_alloc.h"
#include "support/rng.h"

static void put32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++) {
    p[i] = (uint8_t)(v >> (24 - 8 * i));
  }
}

/* A batch of one record whose value is `size` zeros, written by the builder: tiny when compressed. */
static bytes make_bomb(int magic, int codec, size_t size) {
  uint8_t *zeros = calloc(1, size);
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.codec = codec;
  options.magic = magic;
  cr_assert_eq(kop_batch_builder_begin(b, &options), KOP_OK);
  kop_record_in record = {.offset = -1, .timestamp = FIRST_TIMESTAMP, .value = {zeros, size}};
  cr_assert_eq(kop_batch_builder_append(b, &record), KOP_OK);
  const uint8_t *ptr;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &ptr, &len), KOP_OK);
  bytes out = {.ptr = malloc(len), .len = len};
  memcpy(out.ptr, ptr, len);
  kop_batch_builder_free(b);
  free(zeros);
  return out;
}

Test(hostile, bombs_are_refused_and_cost_no_memory) {
  enum { SIZE = 48 * 1024 * 1024, LIMIT = 4 * 1024 * 1024 };
  for (int codec = 1; codec <= 4; codec++) {
    bytes bomb = make_bomb(2, codec, SIZE);
    failing_alloc f;
    failing_alloc_init(&f, SIZE_MAX);
    kop_record_ctx_config config;
    kop_record_ctx_config_init(&config, sizeof config);
    config.alloc = &f.alloc;
    config.max_decompressed_bytes = LIMIT;
    kop_record_ctx *ctx;
    cr_assert_eq(kop_record_ctx_new(&config, &ctx), KOP_OK);
    kop_batch_rules rules = new_rules();
    rules.max_message_bytes = 16 * 1024 * 1024;
    kop_batch_info info = validate(ctx, bomb.ptr, bomb.len, &rules);
    cr_assert_eq(info.error, KOP_KAFKA_MESSAGE_TOO_LARGE, "codec %d: %d", codec, info.error);
    cr_assert_eq(count_records(ctx, bomb.ptr, bomb.len), KOP_ERR_LIMIT);
    uint8_t *out;
    size_t len;
    cr_assert_eq(kop_batch_rebuild(ctx, bomb.ptr, bomb.len, &rules, KOP_LEVEL_DEFAULT, &out, &len),
                 KOP_ERR_LIMIT);
    kop_record_ctx_free(ctx);
    cr_assert_eq(f.live, 0);
    free(bomb.ptr);
  }
}

Test(hostile, a_record_larger_than_the_window_is_validated_without_being_held) {
  enum { SIZE = 20 * 1024 * 1024 };
  for (int codec = 1; codec <= 4; codec++) {
    bytes large = make_bomb(2, codec, SIZE);
    kop_record_ctx_config config;
    kop_record_ctx_config_init(&config, sizeof config);
    config.max_record_bytes = 1024 * 1024;
    kop_record_ctx *ctx;
    cr_assert_eq(kop_record_ctx_new(&config, &ctx), KOP_OK);
    kop_batch_rules rules = new_rules();
    rules.max_message_bytes = 16 * 1024 * 1024;
    cr_assert_eq(validate(ctx, large.ptr, large.len, &rules).error, 0, "codec %d", codec);
    cr_assert_eq(count_records(ctx, large.ptr, large.len), KOP_ERR_LIMIT);
    kop_record_ctx_free(ctx);
    free(large.ptr);
  }
}

/* Adds up what is allocated at the moment. */
typedef struct metered {
  size_t bytes;
  size_t most;
} metered;

static void *metered_realloc(void *user_data, void *ptr, size_t size) {
  metered *m = user_data;
  size_t *block = realloc(ptr == NULL ? NULL : (size_t *)ptr - 2, size + 2 * sizeof(size_t));
  if (block == NULL) return NULL;
  if (ptr != NULL) m->bytes -= block[0];
  block[0] = size;
  m->bytes += size;
  if (m->bytes > m->most) m->most = m->bytes;
  return block + 2;
}

static void metered_free(void *user_data, void *ptr) {
  metered *m = user_data;
  if (ptr == NULL) return;
  size_t *block = (size_t *)ptr - 2;
  m->bytes -= block[0];
  free(block);
}

Test(hostile, memory_stays_small_and_what_a_large_record_took_is_given_back) {
  enum { SIZE = 20 * 1024 * 1024 };
  metered m = {0};
  kop_alloc alloc = {
      .size = sizeof alloc, .user_data = &m, .realloc = metered_realloc, .free = metered_free};
  kop_record_ctx_config config;
  kop_record_ctx_config_init(&config, sizeof config);
  config.alloc = &alloc;
  kop_record_ctx *ctx;
  cr_assert_eq(kop_record_ctx_new(&config, &ctx), KOP_OK);
  bytes small = make_plain(2, KOP_CODEC_LZ4, 10, 100);
  for (int codec = 1; codec <= 4; codec++) {
    bytes large = make_bomb(2, codec, SIZE);
    kop_batch_rules rules = new_rules();
    rules.max_message_bytes = 64 * 1024 * 1024;
    m.most = m.bytes;
    cr_assert_eq(validate(ctx, large.ptr, large.len, &rules).error, 0);
    cr_assert_lt(m.most, 5 * 1024 * 1024, "codec %d: validation held %zu bytes", codec, m.most);
    cr_assert_eq(count_records(ctx, large.ptr, large.len), 1);
    cr_assert_gt(m.most, SIZE);
    cr_assert_eq(count_records(ctx, small.ptr, small.len), 10);
    cr_assert_lt(m.bytes, 5 * 1024 * 1024, "codec %d: %zu bytes are kept", codec, m.bytes);
    free(large.ptr);
  }
  kop_record_ctx_free(ctx);
  cr_assert_eq(m.bytes, 0);
  free(small.ptr);
}

Test(hostile, a_length_that_nothing_follows_gets_no_memory) {
  /* A set of one message that claims 2 GiB, and a record that does. */
  uint8_t claim[30] = {[8] = 0x7F, 0xFF, 0xFF, 0xFF, [16] = 1};
  uint8_t record[6] = {0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 0};
  for (int magic = 1; magic <= 2; magic++) {
    bytes batch = make_plain(magic, KOP_CODEC_GZIP, 1, 10);
    uint8_t out[256];
    size_t head = magic == 2 ? 61 : 34;
    memcpy(out, batch.ptr, head);
    z_stream z = {0};
    cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = magic == 2 ? record : claim;
    z.avail_in = magic == 2 ? sizeof record : sizeof claim;
    z.next_out = out + head;
    z.avail_out = (uInt)(sizeof out - head);
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t len = sizeof out - z.avail_out;
    deflateEnd(&z);
    put32(out + 8, (uint32_t)len - 12);
    if (magic == 1) put32(out + 30, (uint32_t)(len - head));
    reseal(out, len);
    kop_record_ctx *ctx = new_ctx();
    cr_assert_lt(count_records(ctx, out, len), 0);
    kop_batch_rules rules = new_rules();
    if (magic == 1) rules.produce_version = 2;
    cr_assert_eq(validate(ctx, out, len, &rules).error, KOP_KAFKA_INVALID_RECORD);
    kop_record_ctx_free(ctx);
    free(batch.ptr);
  }
}

/* Shortens an entry to `len` bytes, with a length and checksum that agree. */
static void cut_to(uint8_t *entry, size_t len) {
  put32(entry + 8, (uint32_t)len - 12);
  if (len > 26) reseal(entry, len);
}

/* Whether validation lets a payload through to the log. */
static int stores(kop_record_ctx *ctx, const uint8_t *ptr, size_t len,
                  const kop_batch_rules *rules) {
  kop_batch_info info = validate(ctx, ptr, len, rules);
  return info.error == 0 && info.count > 0;
}

Test(hostile, cut_at_every_byte_an_entry_is_refused_or_partial) {
  kop_record_ctx *ctx = new_ctx();
  for (int magic = 0; magic <= 2; magic++) {
    for (int codec = 0; codec <= (magic == 2 ? 4 : 3); codec++) {
      bytes batch = make_plain(magic, codec, magic < 2 && codec == 0 ? 1 : 12, 25);
      kop_batch_rules rules = new_rules();
      if (magic < 2) rules.produce_version = 2;
      for (size_t len = 1; len < batch.len; len++) {
        uint8_t *copy = malloc(len + 1);
        memcpy(copy, batch.ptr, len);
        cr_assert_not(stores(ctx, copy, len, &rules), "magic %d codec %d, %zu bytes", magic, codec,
                      len);
        cr_assert_lt(count_records(ctx, copy, len), 0);
        if (len >= 12) {
          cut_to(copy, len);
          cr_assert_not(stores(ctx, copy, len, &rules), "sealed, magic %d codec %d, %zu bytes",
                        magic, codec, len);
        }
        free(copy);
      }
      free(batch.ptr);
    }
  }
  kop_record_ctx_free(ctx);
}

Test(hostile, changed_at_every_byte_nothing_breaks_and_what_is_accepted_can_be_stored) {
  kop_record_ctx *ctx = new_ctx();
  uint64_t seed = 3;
  for (int magic = 0; magic <= 2; magic++) {
    for (int codec = 0; codec <= (magic == 2 ? 4 : 3); codec++) {
      bytes batch = make_plain(magic, codec, magic < 2 && codec == 0 ? 1 : 12, 25);
      kop_batch_rules rules = new_rules();
      if (magic < 2) rules.produce_version = 2;
      for (size_t i = 12; i < batch.len; i++) {
        uint8_t before = batch.ptr[i];
        for (int k = 0; k < 4; k++) {
          batch.ptr[i] = k == 0 ? 0xFF : k == 1 ? 0x80 : (uint8_t)rng_next(&seed);
          reseal(batch.ptr, batch.len);
          (void)count_records(ctx, batch.ptr, batch.len);
          kop_batch_info info = validate(ctx, batch.ptr, batch.len, &rules);
          if (info.error != 0) continue;
          uint8_t *out;
          size_t len;
          cr_assert_eq(kop_batch_rebuild(ctx, batch.ptr, info.payload_len, &rules,
                                         KOP_LEVEL_DEFAULT, &out, &len),
                       KOP_OK, "magic %d codec %d byte %zu", magic, codec, i);
          cr_assert_eq(count_records(ctx, out, len), info.count);
          kop_record_bytes_free(ctx, out);
        }
        batch.ptr[i] = before;
      }
      free(batch.ptr);
    }
  }
  kop_record_ctx_free(ctx);
}

Test(hostile, headers_are_bounded_by_the_record) {
  kop_record_header header;
  static const uint8_t null_key[] = {1, 0};
  static const uint8_t past_end[] = {2, 'k', 6, 'v'};
  kop_slice rest = {null_key, sizeof null_key};
  cr_assert_eq(kop_record_header_next(&rest, &header), KOP_ERR_MALFORMED);
  rest = (kop_slice){past_end, sizeof past_end};
  cr_assert_eq(kop_record_header_next(&rest, &header), KOP_ERR_MALFORMED);
}

Test(state, another_call_ends_an_iteration) {
  kop_record_ctx *ctx = new_ctx();
  kop_record record;
  cr_assert_eq(kop_record_next(ctx, &record), KOP_ERR_STATE);
  bytes batch = make_plain(2, KOP_CODEC_LZ4, 3, 10);
  cr_assert_eq(kop_record_begin(ctx, batch.ptr, batch.len), KOP_OK);
  cr_assert_eq(kop_record_next(ctx, &record), KOP_OK);
  kop_batch_rules rules = new_rules();
  cr_assert_eq(validate(ctx, batch.ptr, batch.len, &rules).error, 0);
  cr_assert_eq(kop_record_next(ctx, &record), KOP_ERR_STATE);
  kop_record_ctx_free(ctx);
  kop_record_ctx_free(NULL);
  free(batch.ptr);
}

/* Everything the layer does, once; the first status that is no success. */
static kop_status do_everything(const kop_alloc *alloc, const bytes *batches, int n) {
  kop_record_ctx_config config;
  kop_record_ctx_config_init(&config, sizeof config);
  config.alloc = alloc;
  kop_record_ctx *ctx;
  kop_status status = kop_record_ctx_new(&config, &ctx);
  if (status != KOP_OK) return status;
  for (int i = 0; i < n && status == KOP_OK; i++) {
    int32_t magic = batches[i].ptr[16];
    int32_t counted = count_records(ctx, batches[i].ptr, batches[i].len);
    if (counted < 0) status = counted;
    kop_batch_rules rules = new_rules();
    rules.key_required = 1;
    if (magic < 2) rules.produce_version = 2;
    kop_batch_info info;
    if (status == KOP_OK)
      status = kop_batch_validate(ctx, batches[i].ptr, batches[i].len, &rules, &info, sizeof info);
    rules.codec = 1 + i % 4;
    uint8_t *out = NULL;
    size_t len;
    if (status == KOP_OK) {
      int32_t level = rules.codec == KOP_CODEC_LZ4 && i % 2 == 0 ? 3 : KOP_LEVEL_DEFAULT;
      status = kop_batch_rebuild(ctx, batches[i].ptr, batches[i].len, &rules, level, &out, &len);
      kop_record_bytes_free(ctx, out);
    }
    if (status == KOP_OK && (batches[i].ptr[magic == 2 ? 22 : 17] & 7) != KOP_CODEC_ZSTD) {
      status =
          kop_batch_down_convert(ctx, batches[i].ptr, batches[i].len, 0, 0, SIZE_MAX, &out, &len);
      kop_record_bytes_free(ctx, out);
    }
  }
  kop_record_ctx_free(ctx);
  return status;
}

Test(memory, every_allocation_may_fail) {
  bytes batches[12];
  int n = 0;
  for (int magic = 0; magic <= 2; magic++) {
    for (int codec = 0; codec <= (magic == 2 ? 4 : 3); codec++) {
      if (magic < 2 && codec == 0) continue;
      batches[n++] = make_plain(magic, codec, 60, 4000);
    }
  }
  size_t failures = 0;
  for (size_t i = 0;; i++) {
    failing_alloc f;
    failing_alloc_init(&f, i);
    kop_status status = do_everything(&f.alloc, batches, n);
    cr_assert_eq(f.live, 0, "allocation %zu leaks", i);
    if (f.made <= i) {
      cr_assert_eq(status, KOP_OK, "%s", kop_strerror(status));
      break;
    }
    cr_assert(status == KOP_ERR_NOMEM, "allocation %zu: %s", i, kop_strerror(status));
    failures++;
  }
  cr_assert_gt(failures, 20);
  for (int i = 0; i < n; i++) {
    free(batches[i].ptr);
  }
}
