/*
 * Records of magic 2 by hand, byte by byte: what is a record and what is not. Each is tried plain and compressed, and behind a value that is
 * larger than the window, so that all three ways of looking at a record decide alike.
 */
#include "support.h"

#include <kop/kafka_error.h>
#include <zlib.h>

enum { LARGE = 300 * 1024, CAP = LARGE + 1024 };

/* attributes 0, timestamp delta 0, offset delta 0, then what the case says */
typedef struct body {
  const char *what;
  const char *bytes; /* after the three fields above */
  size_t len;
  int good;
} body;

#define BODY(text, string, is_good)                                                                \
  { text, string, sizeof(string) - 1, is_good }

static const body bodies[] = {
    BODY("nulls and no headers", "\x01\x01\x00", 1),
    BODY("empty key and value", "\x00\x00\x00", 1),
    BODY("a key of one byte, a value of two", "\x02k\x04vv\x00", 1),
    BODY("a very negative length is null too", "\x03\x05\x00", 1),
    BODY("a header with a null value", "\x01\x01\x02\x02h\x01", 1),
    BODY("a header with an empty key", "\x01\x01\x02\x00\x02v", 1),
    BODY("numbers longer than they need to be", "\x81\x00\x81\x00\x80\x00", 1),
    BODY("nothing after the offset", "", 0),
    BODY("no value", "\x01", 0),
    BODY("no header count", "\x01\x01", 0),
    BODY("a byte too many", "\x01\x01\x00\x00", 0),
    BODY("a byte too many after a header", "\x01\x01\x02\x02h\x01\x00", 0),
    BODY("a key beyond the end", "\x08k\x01\x00", 0),
    BODY("a value beyond the end", "\x01\x08v\x00", 0),
    BODY("a negative header count", "\x01\x01\x01", 0),
    BODY("more headers than bytes", "\x01\x01\x7e\x02h\x01", 0),
    BODY("a header less than counted", "\x01\x01\x04\x02h\x01", 0),
    BODY("a header with a null key", "\x01\x01\x02\x01\x01", 0),
    BODY("a header value beyond the end", "\x01\x01\x02\x02h\x08v", 0),
    BODY("a number of six bytes", "\x80\x80\x80\x80\x80\x00\x01\x00", 0),
    BODY("a number with bits that do not fit", "\x80\x80\x80\x80\x10\x01\x00", 0),
};

static uint8_t *put_varint(uint8_t *p, int32_t v) {
  uint32_t raw = ((uint32_t)v << 1) ^ (v < 0 ? UINT32_MAX : 0);
  for (; raw >= 0x80; raw >>= 7) {
    *p++ = (uint8_t)(raw | 0x80);
  }
  *p++ = (uint8_t)raw;
  return p;
}

/* A record with the fields of the case. */
static size_t make_record(const body *b, uint8_t *out) {
  uint8_t *p = put_varint(out, (int32_t)(3 + b->len));
  memset(p, 0, 3);
  memcpy(p + 3, b->bytes, b->len);
  return (size_t)(p + 3 + b->len - out);
}

/* The same fields behind a key larger than the window: what was the key becomes the value, so one field is left out. */
static size_t make_large(const body *b, uint8_t *out) {
  static uint8_t content[CAP];
  uint8_t *p = content;
  memset(p, 0, 3);
  p = put_varint(p + 3, LARGE);
  memset(p, 'k', LARGE);
  p += LARGE;
  size_t skip = b->len == 0 || b->bytes[0] != '\x01' ? 0 : 1;
  memcpy(p, b->bytes + skip, b->len - skip);
  p += b->len - skip;
  size_t len = (size_t)(p - content);
  p = put_varint(out, (int32_t)len);
  memcpy(p, content, len);
  return (size_t)(p + len - out);
}

static bytes make_entry(const uint8_t *records, size_t len, int compressed) {
  bytes model = make_plain(2, KOP_CODEC_NONE, 1, 1);
  bytes out = {.ptr = malloc(61 + len + 1024)};
  memcpy(out.ptr, model.ptr, 61);
  memset(out.ptr + 35, 0xFF, 8);
  if (compressed) {
    z_stream z = {0};
    cr_assert_eq(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    uint8_t *copy = malloc(len);
    memcpy(copy, records, len);
    z.next_in = copy;
    z.avail_in = (uInt)len;
    z.next_out = out.ptr + 61;
    z.avail_out = (uInt)(len + 1024);
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = 61 + z.total_out;
    deflateEnd(&z);
    free(copy);
    out.ptr[22] = KOP_CODEC_GZIP;
  } else {
    memcpy(out.ptr + 61, records, len);
    out.len = 61 + len;
  }
  for (int i = 0; i < 4; i++) {
    out.ptr[8 + i] = (uint8_t)((out.len - 12) >> (24 - 8 * i));
  }
  reseal(out.ptr, out.len);
  free(model.ptr);
  return out;
}

static void expect(kop_record_ctx *ctx, const uint8_t *records, size_t len, int good,
                   const char *what) {
  for (int compressed = 0; compressed <= 1; compressed++) {
    bytes entry = make_entry(records, len, compressed);
    kop_batch_rules rules = new_rules();
    kop_batch_info info = validate(ctx, entry.ptr, entry.len, &rules);
    cr_assert_eq(info.error, good ? 0 : KOP_KAFKA_INVALID_RECORD, "%s, compressed %d: %d %s", what,
                 compressed, info.error, info.message);
    if (!good) cr_assert_eq(info.step, KOP_STEP_RECORDS);
    cr_assert_eq(count_records(ctx, entry.ptr, entry.len), good ? 1 : KOP_ERR_MALFORMED,
                 "%s, compressed %d", what, compressed);
    free(entry.ptr);
  }
}

Test(records, are_exactly_what_their_fields_say) {
  kop_record_ctx *ctx = new_ctx();
  static uint8_t record[CAP];
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    expect(ctx, record, make_record(&bodies[i], record), bodies[i].good, bodies[i].what);
  }
  kop_record_ctx_free(ctx);
}

Test(records, are_looked_at_alike_when_they_are_larger_than_the_window) {
  kop_record_ctx *ctx = new_ctx();
  static uint8_t record[CAP];
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    if (bodies[i].len == 0 || bodies[i].bytes[0] != '\x01')
      continue; /* only those that begin with a null key */
    expect(ctx, record, make_large(&bodies[i], record), bodies[i].good, bodies[i].what);
  }
  kop_record_ctx_free(ctx);
}

/* Gives an entry another count of records. */
static void set_count(bytes *entry, uint8_t count) {
  entry->ptr[26] = (uint8_t)(count - 1);
  entry->ptr[60] = count;
  reseal(entry->ptr, entry->len);
}

Test(records, a_large_one_does_not_lend_its_bytes_to_the_next) {
  /* Its length takes in a whole second record, which would make two if the length were not looked at. */
  static uint8_t record[CAP];
  static const body two = BODY("", "\x01\x01\x00\x0c\x00\x00\x02\x01\x01\x00", 0);
  kop_record_ctx *ctx = new_ctx();
  bytes entry = make_entry(record, make_large(&two, record), 1);
  set_count(&entry, 2);
  kop_batch_rules rules = new_rules();
  cr_assert_eq(validate(ctx, entry.ptr, entry.len, &rules).error, KOP_KAFKA_INVALID_RECORD);
  free(entry.ptr);
  kop_record_ctx_free(ctx);
}

Test(records, a_large_one_without_a_key_is_seen_to_have_none) {
  static uint8_t record[CAP];
  static uint8_t content[CAP];
  uint8_t *p = put_varint(content + 3, -1);
  p = put_varint(p, LARGE);
  memset(p, 'v', LARGE);
  p = put_varint(p + LARGE, 0);
  size_t len = (size_t)(p - content);
  p = put_varint(record, (int32_t)len);
  memcpy(p, content, len);
  kop_record_ctx *ctx = new_ctx();
  bytes entry = make_entry(record, (size_t)(p + len - record), 1);
  kop_batch_rules rules = new_rules();
  cr_assert_eq(validate(ctx, entry.ptr, entry.len, &rules).error, 0);
  rules.key_required = 1;
  cr_assert_eq(validate(ctx, entry.ptr, entry.len, &rules).record_errors_len, 1);
  free(entry.ptr);
  kop_record_ctx_free(ctx);
}

Test(records, their_own_length_must_be_there_and_above_zero) {
  static const struct {
    const char *what;
    const char *bytes;
    size_t len;
  } cases[] = {
      {"no bytes", "", 0},
      {"a length of 0", "\x00", 1},
      {"a negative length", "\x01\x00\x00\x00\x01\x01\x00", 7},
      {"a length beyond the end", "\x10\x00\x00\x00\x01\x01\x00", 7},
      {"a length below the fields", "\x0a\x00\x00\x00\x01\x01\x00", 7},
      {"a second record that was not counted",
       "\x0c\x00\x00\x00\x01\x01\x00\x0c\x00\x00\x02\x01\x01\x00", 14},
      {"a length of five bytes, too large", "\xfe\xff\xff\xff\x0f\x00", 6},
  };
  kop_record_ctx *ctx = new_ctx();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    expect(ctx, (const uint8_t *)cases[i].bytes, cases[i].len, 0, cases[i].what);
  }
  expect(ctx, (const uint8_t *)"\x0c\x00\x00\x00\x01\x01\x00", 7, 1, "the same, right");
  kop_record_ctx_free(ctx);
}

Test(records, deltas_may_be_as_long_as_their_types) {
  /* Timestamp delta of ten bytes that brings the base to -1, offset delta 0. */
  kop_record_ctx *ctx = new_ctx();
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  cr_assert_eq(kop_batch_builder_begin(b, &options), KOP_OK);
  kop_record_in first = {.offset = -1, .timestamp = INT64_MAX};
  kop_record_in second = {.offset = INT32_MAX, .timestamp = -1};
  cr_assert_eq(kop_batch_builder_append(b, &first), KOP_OK);
  cr_assert_eq(kop_batch_builder_append(b, &second), KOP_OK);
  const uint8_t *batch;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &batch, &len), KOP_OK);
  kop_record record;
  cr_assert_eq(kop_record_begin(ctx, batch, len), KOP_OK);
  cr_assert_eq(kop_record_next(ctx, &record), KOP_OK);
  cr_assert_eq(record.timestamp, INT64_MAX);
  cr_assert_eq(kop_record_next(ctx, &record), KOP_OK);
  cr_assert_eq(record.timestamp, -1);
  cr_assert_eq(record.offset, INT32_MAX);
  cr_assert_eq(record.size, 1 + 1 + 10 + 5 + 3);
  kop_batch_builder_free(b);
  kop_record_ctx_free(ctx);
}
