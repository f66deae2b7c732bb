/* Random batches and comparisons. */
#include "support.h"

kop_slice text_slice(const char *text) {
  return (kop_slice){(const uint8_t *)text, strlen(text)};
}

bytes copy_bytes(const uint8_t *ptr, size_t len) {
  bytes b = {.ptr = malloc(len == 0 ? 1 : len), .len = len};
  cr_assert_not_null(b.ptr);
  if (len != 0) memcpy(b.ptr, ptr, len);
  return b;
}

static size_t put_point(uint8_t *p, uint32_t c) {
  if (c < 0x80) {
    p[0] = (uint8_t)c;
    return 1;
  }
  if (c < 0x800) {
    p[0] = (uint8_t)(0xC0 | c >> 6);
    p[1] = (uint8_t)(0x80 | (c & 63));
    return 2;
  }
  if (c < 0x10000) {
    p[0] = (uint8_t)(0xE0 | c >> 12);
    p[1] = (uint8_t)(0x80 | (c >> 6 & 63));
    p[2] = (uint8_t)(0x80 | (c & 63));
    return 3;
  }
  p[0] = (uint8_t)(0xF0 | c >> 18);
  p[1] = (uint8_t)(0x80 | (c >> 12 & 63));
  p[2] = (uint8_t)(0x80 | (c >> 6 & 63));
  p[3] = (uint8_t)(0x80 | (c & 63));
  return 4;
}

kop_slice random_slice(uint64_t *seed, pool *p, int null_allowed, size_t most) {
  if (null_allowed && rng_below(seed, 6) == 0) return (kop_slice){.ptr = NULL, .len = 0};
  size_t len = rng_below(seed, 8) == 0 ? 0 : 1 + (size_t)rng_below(seed, most);
  cr_assert_leq(p->used + len + 8, sizeof p->bytes);
  uint8_t *at = p->bytes + p->used;
  uint64_t kind = rng_below(seed, 5);
  size_t n = 0;
  if (kind == 0 && rng_below(seed, 2) == 0) {
    memcpy(at, "kop.b.", 6); /* a name that looks like the library's own */
    n = 6;
  }
  while (n < len) {
    uint32_t r = (uint32_t)rng_next(seed);
    if (kind <= 1) {
      at[n++] = (uint8_t)(32 + r % 95);
    } else if (kind == 2) {
      uint32_t c = 0xA0 + r % 0x20000;
      if (c >= 0xD800 && c < 0xE000) c = 0xE4;
      n += put_point(at + n, c);
    } else if (kind == 3) {
      at[n++] = (uint8_t)(r % 128);
    } else {
      at[n++] = (uint8_t)r;
    }
  }
  p->used += n;
  return (kop_slice){at, n};
}

static void patch_head(bytes *batch, uint64_t *seed, const shape *s) {
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(batch->ptr, batch->len, &head), KOP_OK);
  if (s->holes && rng_below(seed, 3) == 0) head.last_offset_delta += (int32_t)rng_below(seed, 20);
  if (s->odd_head && rng_below(seed, 2) == 0) {
    head.base_timestamp += (int64_t)rng_below(seed, 1000) - 500;
    head.max_timestamp += (int64_t)rng_below(seed, 1000);
    head.attributes |= (int16_t)(rng_below(seed, 4) << 6);
  }
  head.leader_epoch = (int32_t)rng_below(seed, 4) - 1;
  cr_assert_eq(kop_batch_head_patch(batch->ptr, &head), KOP_OK);
  kop_batch_set_position(batch->ptr, head.base_offset, head.leader_epoch);
}

bytes random_batch(uint64_t seed, const shape *s) {
  static pool p; /* Criterion runs each test in a process of its own */
  p.used = 0;
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.codec = s->codec;
  if (s->producer && rng_below(&seed, 2) == 0) {
    options.producer_id = (int64_t)rng_below(&seed, 1 << 20);
    options.producer_epoch = (int32_t)rng_below(&seed, 100);
    options.base_sequence = (int32_t)rng_below(&seed, INT32_MAX);
    if (rng_below(&seed, 2) == 0) options.flags = KOP_BATCH_TRANSACTIONAL;
  }
  if (rng_below(&seed, 5) == 0) {
    options.timestamp_type = KOP_TIMESTAMP_LOG_APPEND;
    options.log_append_ms = 1800000000000;
  }
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  cr_assert_eq(kop_batch_builder_begin(b, &options), KOP_OK);
  int n = 1 + (int)rng_below(&seed, (uint64_t)s->records);
  int64_t offset = 0;
  for (int i = 0; i < n; i++) {
    kop_record_header headers[4];
    kop_record_in r = {.offset = offset, .headers = headers};
    r.timestamp = rng_below(&seed, 10) == 0 ? (int64_t)rng_below(&seed, 3) - 1
                                            : 1700000000000 + (int64_t)rng_below(&seed, 100000);
    r.key = random_slice(&seed, &p, 1, 40);
    r.value = random_slice(&seed, &p, 1, rng_below(&seed, 20) == 0 ? 3000 : 120);
    r.header_count = rng_below(&seed, 3) == 0 ? 1 + (int32_t)rng_below(&seed, 4) : 0;
    for (int h = 0; h < r.header_count; h++) {
      headers[h].key =
          h > 0 && rng_below(&seed, 3) == 0 ? headers[0].key : random_slice(&seed, &p, 0, 12);
      headers[h].value = random_slice(&seed, &p, 1, 30);
    }
    cr_assert_eq(kop_batch_builder_append(b, &r), KOP_OK);
    offset += 1 + (s->holes && rng_below(&seed, 4) == 0 ? (int64_t)rng_below(&seed, 5) : 0);
    if (p.used > sizeof p.bytes - 16 * 1024) break;
  }
  const uint8_t *lent;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &lent, &len), KOP_OK);
  bytes batch = copy_bytes(lent, len);
  kop_batch_builder_free(b);
  patch_head(&batch, &seed, s);
  return batch;
}

static bytes join(kop_slice a, kop_slice b) {
  bytes out = {.ptr = malloc(a.len + b.len + 1), .len = a.len + b.len};
  cr_assert_not_null(out.ptr);
  memcpy(out.ptr, a.ptr, a.len);
  if (b.len != 0) memcpy(out.ptr + a.len, b.ptr, b.len);
  return out;
}

bytes entry_bytes(const kop_convert_entry *entry) {
  return join(entry->head, entry->payload);
}

bytes batch_bytes(const kop_convert_batch *batch) {
  return join(batch->head, batch->records);
}

kop_convert *new_convert(void) {
  kop_convert *c;
  cr_assert_eq(kop_convert_new(NULL, &c), KOP_OK);
  return c;
}

kop_to_pulsar_options to_pulsar_defaults(void) {
  kop_to_pulsar_options o;
  kop_to_pulsar_options_init(&o, sizeof o);
  o.publish_time_ms = 1790000000000;
  return o;
}

static void assert_same_slice(kop_slice a, kop_slice b, const char *what) {
  cr_assert_eq(a.ptr == NULL, b.ptr == NULL, "%s: null or not", what);
  cr_assert_eq(a.len, b.len, "%s: length", what);
  cr_assert(a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0, "%s: bytes", what);
}

void assert_same_batch(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len) {
  cr_assert_eq(kop_batch_check_crc(a, a_len), KOP_OK);
  cr_assert_eq(kop_batch_check_crc(b, b_len), KOP_OK);
  kop_batch_head ha;
  kop_batch_head hb;
  cr_assert_eq(kop_batch_head_decode(a, a_len, &ha), KOP_OK);
  cr_assert_eq(kop_batch_head_decode(b, b_len, &hb), KOP_OK);
  ha.length = hb.length;
  ha.crc = hb.crc;
  ha.attributes &= (int16_t)~KOP_BATCH_CODEC_MASK;
  hb.attributes &= (int16_t)~KOP_BATCH_CODEC_MASK;
  cr_assert_eq(memcmp(&ha, &hb, sizeof ha), 0, "heads differ");
  kop_record_ctx *ca;
  kop_record_ctx *cb;
  cr_assert_eq(kop_record_ctx_new(NULL, &ca), KOP_OK);
  cr_assert_eq(kop_record_ctx_new(NULL, &cb), KOP_OK);
  cr_assert_eq(kop_record_begin(ca, a, a_len), KOP_OK);
  cr_assert_eq(kop_record_begin(cb, b, b_len), KOP_OK);
  kop_record ra;
  kop_record rb;
  kop_status status;
  while ((status = kop_record_next(ca, &ra)) == KOP_OK) {
    cr_assert_eq(kop_record_next(cb, &rb), KOP_OK);
    cr_assert_eq(ra.offset, rb.offset);
    cr_assert_eq(ra.timestamp, rb.timestamp);
    assert_same_slice(ra.key, rb.key, "key");
    assert_same_slice(ra.value, rb.value, "value");
    assert_same_slice(ra.headers, rb.headers, "headers");
  }
  cr_assert_eq(status, KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_record_next(cb, &rb), KOP_ERR_NOT_FOUND);
  kop_record_ctx_free(ca);
  kop_record_ctx_free(cb);
}
