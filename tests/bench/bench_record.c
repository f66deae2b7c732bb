/*
 * Time of validating and iterating batches; BenchRecord.java measures Kafka's classes on the same bytes.
 *
 *   bench_record DIR     writes each set to DIR/NAME.bin, and prints "NAME RECORDS BYTES VALIDATE_NS ITERATE_NS CRC_NS"
 *
 * A set is about 1 MiB of records, uncompressed size, in batches of 16 KiB: what a producer sends. Its records have a key of 10
 * bytes and a value of text-like content. A figure is for the whole set, the best of ROUNDS rounds.
 */
#include <kop/record.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/rng.h"

enum { ROUNDS = 15, ROUND_NS = 30000000, BATCH = 16 * 1024, SET = 1024 * 1024, KEY = 10 };

static const char *const codec_names[] = {"none", "gzip", "snappy", "lz4", "zstd"};

typedef struct set {
  uint8_t *bytes;
  size_t len;
  size_t records;
} set;

static void must(kop_status status, const char *what) {
  if (status == KOP_OK) return;
  fprintf(stderr, "bench_record: %s: %s\n", what, kop_strerror(status));
  exit(1);
}

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Words of a small vocabulary: codecs find about what they find in JSON. */
static void fill(uint8_t *p, size_t n, uint64_t *seed) {
  static const char words[16][9] = {"\"order\":", "\"item\":1",  "\"price\":", "\"user\":2",
                                    "\"state\":", "\"name\":\"", "\"id\":834", "\"time\":1",
                                    "true,   ",   "false,  ",    "null,   ",   "{\"a\":17,",
                                    "}, [    ",   "2026-11-",    "T08:17:3",   "\"tags\":["};
  for (size_t i = 0; i < n; i += 8) {
    uint64_t r = rng_next(seed);
    char word[9];
    memcpy(word, words[r % 16], sizeof word);
    if (r % 3 == 0) word[4] = (char)('0' + (r >> 32) % 10);
    memcpy(p + i, word, n - i < 8 ? n - i : 8);
  }
}

static set make(int codec, size_t record_size) {
  set s = {.bytes = malloc(2 * SET)};
  uint8_t *value = malloc(record_size);
  uint64_t seed = 42;
  kop_batch_builder *b;
  must(kop_batch_builder_new(NULL, &b), "builder");
  for (size_t plain = 0; plain < SET;) {
    kop_batch_options options;
    kop_batch_options_init(&options, sizeof options);
    options.codec = codec;
    must(kop_batch_builder_begin(b, &options), "begin");
    for (size_t in_batch = 0; in_batch + record_size + 20 < BATCH || in_batch == 0;) {
      char key[KEY + 1];
      snprintf(key, sizeof key, "user-%05u", (unsigned)(s.records % 100000));
      fill(value, record_size - KEY, &seed);
      kop_record_in record = {
          .offset = -1,
          .timestamp = 1700000000000 + (int64_t)(s.records / 20),
          .key = {.ptr = (const uint8_t *)key, .len = KEY},
          .value = {.ptr = value, .len = record_size - KEY},
      };
      must(kop_batch_builder_append(b, &record), "append");
      in_batch += record_size + 10;
      plain += record_size + 10;
      s.records++;
    }
    const uint8_t *batch;
    size_t len;
    must(kop_batch_builder_finish(b, &batch, &len), "finish");
    memcpy(s.bytes + s.len, batch, len);
    s.len += len;
  }
  kop_batch_builder_free(b);
  free(value);
  return s;
}

static void validate(kop_record_ctx *ctx, const set *s) {
  kop_batch_rules rules;
  kop_batch_rules_init(&rules, sizeof rules);
  rules.now_ms = 1700000000000;
  for (size_t at = 0, size; at < s->len; at += size) {
    must(kop_batch_next(s->bytes + at, s->len - at, &size, NULL), "next");
    kop_batch_info info;
    must(kop_batch_validate(ctx, s->bytes + at, size, &rules, &info, sizeof info), "validate");
    if (info.error != 0) must(KOP_ERR_INVALID, info.message);
  }
}

static void iterate(kop_record_ctx *ctx, const set *s) {
  size_t records = 0;
  for (size_t at = 0, size; at < s->len; at += size) {
    must(kop_batch_next(s->bytes + at, s->len - at, &size, NULL), "next");
    must(kop_record_begin(ctx, s->bytes + at, size), "begin");
    kop_record record;
    while (kop_record_next(ctx, &record) == KOP_OK) {
      records++;
    }
  }
  if (records != s->records) must(KOP_ERR_INVALID, "a record is missing");
}

static void checksum(kop_record_ctx *ctx, const set *s) {
  (void)ctx;
  for (size_t at = 0, size; at < s->len; at += size) {
    must(kop_batch_next(s->bytes + at, s->len - at, &size, NULL), "next");
    must(kop_batch_check_crc(s->bytes + at, size), "checksum");
  }
}

static double measure(void (*step)(kop_record_ctx *, const set *), kop_record_ctx *ctx,
                      const set *s) {
  double best = 0;
  int n = 1;
  for (int round = -2; round < ROUNDS;) {
    double from = now_ns();
    for (int i = 0; i < n; i++) {
      step(ctx, s);
    }
    double took = now_ns() - from;
    if (took < ROUND_NS) {
      n *= 2;
      continue;
    }
    if (round >= 0 && (round == 0 || took / n < best)) best = took / n;
    round++;
  }
  return best;
}

static void save(const char *dir, const char *name, const set *s) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s.bin", dir, name);
  FILE *f = fopen(path, "wb");
  if (f == NULL || fwrite(s->bytes, 1, s->len, f) != s->len || fclose(f) != 0) {
    perror(path);
    exit(1);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: bench_record DIR\n");
    return 2;
  }
  kop_record_ctx *ctx;
  must(kop_record_ctx_new(NULL, &ctx), "context");
  static const size_t sizes[] = {100, 1000};
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    for (int codec = 0; codec <= 4; codec++) {
      char name[64];
      snprintf(name, sizeof name, "%zuB-%s", sizes[k], codec_names[codec]);
      set s = make(codec, sizes[k]);
      save(argv[1], name, &s);
      printf("%s %zu %zu %.0f %.0f %.0f\n", name, s.records, s.len, measure(validate, ctx, &s),
             measure(iterate, ctx, &s), measure(checksum, ctx, &s));
      fflush(stdout);
      free(s.bytes);
    }
  }
  kop_record_ctx_free(ctx);
  return 0;
}
