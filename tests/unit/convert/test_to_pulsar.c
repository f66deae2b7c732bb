/* What a native consumer sees of a Kafka batch, how large batches are split, and what is refused. */
#include "support.h"

typedef struct one {
  kop_pulsar_entry entry;
  kop_pulsar_message message;
  bytes bytes;
} one;

/* One record through conversion, as a native consumer gets it. */
static one convert_one(kop_convert *c, const kop_record_in *r, const kop_batch_options *given,
                       const kop_to_pulsar_options *o) {
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  cr_assert_eq(kop_batch_builder_begin(b, given), KOP_OK);
  cr_assert_eq(kop_batch_builder_append(b, r), KOP_OK);
  const uint8_t *batch;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &batch, &len), KOP_OK);
  const kop_convert_entry *entries;
  size_t n;
  cr_assert_eq(kop_convert_to_pulsar(c, batch, len, o, &entries, &n), KOP_OK);
  one x = {.bytes = entry_bytes(&entries[0])};
  kop_batch_builder_free(b);
  cr_assert_eq(kop_pulsar_entry_read(x.bytes.ptr, x.bytes.len, KOP_PULSAR_ENTRY_CHECK, &x.entry),
               KOP_OK);
  kop_pulsar_batch_iter it;
  cr_assert_eq(kop_pulsar_batch_begin(&it, &x.entry.metadata, x.entry.payload), KOP_OK);
  cr_assert_eq(kop_pulsar_batch_next(&it, &x.message), KOP_OK);
  return x;
}

static kop_batch_options plain_batch(void) {
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  return o;
}

static void assert_text(kop_slice s, const char *text) {
  cr_assert_eq(s.len, strlen(text), "%.*s", (int)s.len, s.ptr);
  cr_assert_eq(memcmp(s.ptr, text, s.len), 0, "%.*s", (int)s.len, s.ptr);
}

static void assert_property(kop_pulsar_repeated *rest, const char *key, const char *value) {
  kop_pulsar_property p;
  cr_assert_eq(kop_pulsar_property_next(rest, &p), KOP_OK);
  assert_text(p.key, key);
  assert_text(p.value, value);
}

Test(to_pulsar, a_record_is_a_message_that_native_consumers_read) {
  kop_convert *c = new_convert();
  const kop_record_header headers[] = {
      {text_slice("h"), text_slice("text")},
      {text_slice("h"), text_slice("again")},
      {text_slice("empty"), text_slice("")},
      {text_slice("bin"), {(const uint8_t *)"\x00\xff", 2}},
      {text_slice("null"), {.ptr = NULL, .len = 0}},
      {text_slice("kop.b.x"), text_slice("y")},
      {{(const uint8_t *)"\xff", 1}, text_slice("v")},
      {{(const uint8_t *)"\xff", 1}, {.ptr = NULL, .len = 0}},
      {text_slice(""), text_slice("no name")},
      {text_slice("tab"), text_slice("a\tb\r\n")},
  };
  const kop_record_in r = {.offset = -1,
                           .timestamp = 1700000000001,
                           .key = text_slice("user-\xc3\xa4"),
                           .value = text_slice("value"),
                           .headers = headers,
                           .header_count = 10};
  kop_batch_options b = plain_batch();
  kop_to_pulsar_options o = to_pulsar_defaults();
  o.sequence_id = 5;
  one x = convert_one(c, &r, &b, &o);
  const kop_pulsar_metadata *md = &x.entry.metadata;
  cr_assert_eq(md->num_messages_in_batch, 1);
  cr_assert_eq(md->sequence_id, 5);
  cr_assert_eq(md->publish_time, (uint64_t)o.publish_time_ms);
  cr_assert_eq(md->present & (KOP_PULSAR_HAS_MARKER_TYPE | KOP_PULSAR_HAS_TXNID_MOST_BITS |
                              KOP_PULSAR_HAS_TXNID_LEAST_BITS | KOP_PULSAR_HAS_COMPRESSION),
               0);
  assert_text(md->partition_key, "user-\xc3\xa4");
  kop_pulsar_repeated rest = md->properties;
  assert_property(&rest, "kop.batch", "1");
  const kop_pulsar_single *s = &x.message.single;
  assert_text(s->partition_key, "user-\xc3\xa4");
  cr_assert_eq(s->partition_key_b64_encoded, 0);
  cr_assert_eq(s->present & KOP_PULSAR_SINGLE_HAS_ORDERING_KEY, 0);
  cr_assert_eq(s->event_time, 1700000000001);
  assert_text(x.message.payload, "value");
  rest = s->properties;
  assert_property(&rest, "h", "text");
  assert_property(&rest, "h", "again");
  assert_property(&rest, "empty", "");
  assert_property(&rest, "kop.b.bin", "AP8=");
  assert_property(&rest, "kop.n.null", "");
  assert_property(&rest, "kop.t.kop.b.x", "y");
  assert_property(&rest, "kop.x./w==", "dg==");
  assert_property(&rest, "kop.y./w==", "");
  assert_property(&rest, "", "no name");
  assert_property(&rest, "tab", "a\tb\r\n");
  cr_assert_eq(rest.count, 0);
  free(x.bytes.ptr);
  kop_convert_free(c);
}

Test(to_pulsar, keys_and_values_of_every_kind) {
  kop_convert *c = new_convert();
  kop_batch_options b = plain_batch();
  kop_to_pulsar_options o = to_pulsar_defaults();
  kop_record_in r = {.offset = -1, .timestamp = -1};
  one x = convert_one(c, &r, &b, &o);
  cr_assert_eq(x.message.single.present,
               KOP_PULSAR_SINGLE_HAS_PAYLOAD_SIZE | KOP_PULSAR_SINGLE_HAS_NULL_VALUE);
  cr_assert_eq(x.message.single.null_value, 1);
  cr_assert_eq(x.entry.metadata.present & KOP_PULSAR_HAS_PARTITION_KEY, 0);
  free(x.bytes.ptr);

  r.key = text_slice("");
  r.value = text_slice("");
  x = convert_one(c, &r, &b, &o);
  cr_assert_eq(x.message.single.present,
               KOP_PULSAR_SINGLE_HAS_PAYLOAD_SIZE | KOP_PULSAR_SINGLE_HAS_PARTITION_KEY);
  cr_assert_eq(x.message.payload.len, 0);
  free(x.bytes.ptr);

  r.key = (kop_slice){(const uint8_t *)"\x00\x00\x00\x01", 4}; /* valid UTF-8, but no text */
  x = convert_one(c, &r, &b, &o);
  assert_text(x.message.single.partition_key, "AAAAAQ==");
  cr_assert_eq(x.message.single.partition_key_b64_encoded, 1);
  assert_text(x.entry.metadata.partition_key, "AAAAAQ==");
  cr_assert_eq(x.entry.metadata.partition_key_b64_encoded, 1);
  free(x.bytes.ptr);

  r.key = text_slice("k1");
  o.key = KOP_CONVERT_KEY_BASE64;
  x = convert_one(c, &r, &b, &o);
  assert_text(x.message.single.partition_key, "azE=");
  cr_assert_eq(x.message.single.partition_key_b64_encoded, 1);
  free(x.bytes.ptr);
  kop_convert_free(c);
}

Test(to_pulsar, a_control_record_is_an_ordinary_message_with_properties) {
  kop_convert *c = new_convert();
  const uint8_t key[] = {0, 0, 0, 1};
  const uint8_t value[] = {0, 0, 0, 0, 0, 7};
  kop_record_in r = {.offset = -1,
                     .timestamp = 1700000000000,
                     .key = {key, sizeof key},
                     .value = {value, sizeof value}};
  kop_batch_options b = plain_batch();
  b.producer_id = 2001;
  b.producer_epoch = 3;
  b.flags = KOP_BATCH_CONTROL | KOP_BATCH_TRANSACTIONAL;
  kop_to_pulsar_options o = to_pulsar_defaults();
  for (int with_key = 0; with_key < 2; with_key++) {
    if (with_key) o.control_key = text_slice("kop.ctl/2001");
    one x = convert_one(c, &r, &b, &o);
    kop_pulsar_repeated rest = x.message.single.properties;
    assert_property(&rest, "kop.ctl", "commit");
    assert_property(&rest, "kop.ctl.key", "AAAAAQ==");
    assert_property(&rest, "kop.ctl.value", "AAAAAAAH");
    cr_assert_eq(x.message.single.null_value, 1);
    cr_assert_eq((x.message.single.present & KOP_PULSAR_SINGLE_HAS_PARTITION_KEY) != 0, with_key);
    cr_assert_eq(x.entry.metadata.present &
                     (KOP_PULSAR_HAS_MARKER_TYPE | KOP_PULSAR_HAS_TXNID_MOST_BITS),
                 0, "or the broker hides it");
    kop_convert_facts facts;
    cr_assert_eq(kop_convert_facts_read(&x.entry.metadata, &facts), KOP_OK);
    cr_assert_eq(facts.producer_id, 2001);
    cr_assert_eq(facts.producer_epoch, 3);
    cr_assert_eq(facts.attributes, KOP_BATCH_CONTROL | KOP_BATCH_TRANSACTIONAL);

    kop_convert_answer answer;
    cr_assert_eq(kop_convert_to_kafka(c, x.bytes.ptr, x.bytes.len, 9, 9, NULL, &answer), KOP_OK);
    cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES);
    bytes back = batch_bytes(&answer.batches[0]);
    kop_record_ctx *ctx;
    cr_assert_eq(kop_record_ctx_new(NULL, &ctx), KOP_OK);
    cr_assert_eq(kop_record_begin(ctx, back.ptr, back.len), KOP_OK);
    kop_record got;
    cr_assert_eq(kop_record_next(ctx, &got), KOP_OK);
    kop_control control;
    cr_assert_eq(kop_control_decode(&got, &control), KOP_OK);
    cr_assert_eq(control.type, KOP_CONTROL_COMMIT);
    cr_assert_eq(control.coordinator_epoch, 7);
    cr_assert_eq(got.header_count, 0);
    cr_assert_eq(answer.batches[0].attributes, KOP_BATCH_CONTROL | KOP_BATCH_TRANSACTIONAL);
    kop_record_ctx_free(ctx);
    free(back.ptr);
    free(x.bytes.ptr);
  }
  kop_convert_free(c);
}

/* ---- splitting ----------------------------------------------------------------------------------- */

/* Puts the records of all entries into one batch again and compares it with the source. */
static void assert_joined(kop_convert *c, const kop_convert_entry *entries, size_t n, bytes batch,
                          size_t most) {
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(batch.ptr, batch.len, &head), KOP_OK);
  bytes *all = calloc(n, sizeof *all);
  int32_t delta = 0;
  int32_t *sizes = calloc(n, sizeof *sizes);
  for (size_t i = 0; i < n; i++) {
    cr_assert_eq(entries[i].first_delta, delta, "entries follow each other");
    cr_assert_gt(entries[i].num_messages, 0);
    sizes[i] = entries[i].num_messages;
    delta += sizes[i];
    all[i] = entry_bytes(&entries[i]);
    cr_assert_leq(all[i].len, most);
  }
  cr_assert_eq(delta, head.last_offset_delta + 1, "all offsets are taken");
  kop_record_ctx *ctx;
  kop_record_ctx *part;
  cr_assert_eq(kop_record_ctx_new(NULL, &ctx), KOP_OK);
  cr_assert_eq(kop_record_ctx_new(NULL, &part), KOP_OK);
  cr_assert_eq(kop_record_begin(ctx, batch.ptr, batch.len), KOP_OK);
  int64_t offset = 0;
  kop_record want;
  for (size_t i = 0; i < n; i++) {
    kop_convert_answer answer;
    cr_assert_eq(kop_convert_to_kafka(c, all[i].ptr, all[i].len, offset, offset + sizes[i] - 1,
                                      NULL, &answer),
                 KOP_OK);
    cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES);
    bytes back = batch_bytes(&answer.batches[0]);
    cr_assert_eq(kop_record_begin(part, back.ptr, back.len), KOP_OK);
    kop_record got;
    while (kop_record_next(part, &got) == KOP_OK) {
      cr_assert_eq(kop_record_next(ctx, &want), KOP_OK);
      cr_assert_eq(got.offset, want.offset);
      cr_assert_eq(got.timestamp, want.timestamp);
      cr_assert_eq(got.timestamp_type, want.timestamp_type);
      cr_assert_eq(got.key.len, want.key.len);
      cr_assert_eq(got.value.len, want.value.len);
      cr_assert(got.value.len == 0 || memcmp(got.value.ptr, want.value.ptr, got.value.len) == 0);
      cr_assert_eq(got.header_count, want.header_count);
    }
    offset += sizes[i];
    free(back.ptr);
    free(all[i].ptr);
  }
  cr_assert_eq(kop_record_next(ctx, &want), KOP_ERR_NOT_FOUND);
  kop_record_ctx_free(ctx);
  kop_record_ctx_free(part);
  free(all);
  free(sizes);
}

Test(to_pulsar, a_large_batch_is_split_between_records) {
  kop_convert *c = new_convert();
  uint64_t seed = 21;
  int many = 0;
  for (int turn = 0; turn < 1500; turn++) {
    const shape s = {.records = 60, .holes = turn % 2, .codec = turn % 5};
    bytes batch = random_batch(rng_next(&seed), &s);
    kop_to_pulsar_options o = to_pulsar_defaults();
    o.compression = (int32_t)rng_below(&seed, 6) - 1;
    o.max_entry_bytes = 6000 + (size_t)rng_below(&seed, 4000);
    const kop_convert_entry *entries;
    size_t n;
    kop_status status = kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n);
    cr_assert_eq(status, KOP_OK, "%s", kop_convert_error_text(c));
    many += n > 1;
    for (size_t i = 0; i < n; i++) {
      cr_assert_eq(entries[i].sequence_id, i);
    }
    assert_joined(c, entries, n, batch, o.max_entry_bytes);
    free(batch.ptr);
  }
  cr_assert_gt(many, 100);
  kop_convert_free(c);
}

static bytes batch_of(int records, size_t value_size, int64_t producer_id, int32_t codec) {
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  kop_batch_options o = plain_batch();
  o.producer_id = producer_id;
  o.producer_epoch = producer_id == -1 ? -1 : 0;
  o.base_sequence = producer_id == -1 ? -1 : 0;
  o.codec = codec;
  cr_assert_eq(kop_batch_builder_begin(b, &o), KOP_OK);
  uint8_t *value = malloc(value_size);
  uint64_t seed = 3;
  for (size_t i = 0; i < value_size; i++) {
    value[i] = (uint8_t)rng_next(&seed);
  }
  for (int i = 0; i < records; i++) {
    const kop_record_in r = {.offset = -1, .timestamp = 1, .value = {value, value_size}};
    cr_assert_eq(kop_batch_builder_append(b, &r), KOP_OK);
  }
  free(value);
  const uint8_t *lent;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &lent, &len), KOP_OK);
  bytes out = copy_bytes(lent, len);
  kop_batch_builder_free(b);
  return out;
}

/* How far a piece shrinks is a guess from the piece before: it must not refuse a message that shrinks more. */
Test(to_pulsar, a_large_message_that_shrinks_is_sent_beside_small_ones_that_do_not) {
  enum { LARGE = 20000, SMALL = 1000, COUNT = 20 };
  static uint8_t zeros[LARGE];
  static uint8_t noise[COUNT][SMALL];
  uint64_t seed = 3;
  kop_convert *c = new_convert();
  for (int place = 0; place <= COUNT; place += COUNT) {
    kop_batch_options given = plain_batch();
    kop_batch_builder *b;
    cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
    cr_assert_eq(kop_batch_builder_begin(b, &given), KOP_OK);
    for (int i = 0; i <= COUNT; i++) {
      kop_record_in r = {.offset = -1, .timestamp = 1, .value = {zeros, sizeof zeros}};
      if (i != place) {
        uint8_t *value = noise[i < COUNT ? i : 0];
        for (int k = 0; k < SMALL; k++)
          value[k] = (uint8_t)rng_next(&seed);
        r.value = (kop_slice){value, SMALL};
      }
      cr_assert_eq(kop_batch_builder_append(b, &r), KOP_OK);
    }
    const uint8_t *batch;
    size_t len;
    cr_assert_eq(kop_batch_builder_finish(b, &batch, &len), KOP_OK);
    kop_to_pulsar_options o = to_pulsar_defaults();
    o.max_entry_bytes = 8000;
    for (o.compression = 1; o.compression <= 4; o.compression++) {
      const kop_convert_entry *entries;
      size_t n;
      cr_assert_eq(kop_convert_to_pulsar(c, batch, len, &o, &entries, &n), KOP_OK, "%d: %s",
                   o.compression, kop_convert_error_text(c));
      int32_t count = 0;
      for (size_t i = 0; i < n; i++) {
        cr_assert_leq(entries[i].head.len + entries[i].payload.len, o.max_entry_bytes);
        count += entries[i].count;
      }
      cr_assert_eq(count, COUNT + 1);
    }
    kop_batch_builder_free(b);
  }
  kop_convert_free(c);
}

Test(to_pulsar, sequence_ids_can_count_messages) {
  kop_convert *c = new_convert();
  bytes batch = batch_of(30, 1000, -1, KOP_CODEC_NONE);
  kop_to_pulsar_options o = to_pulsar_defaults();
  o.flags = KOP_TO_PULSAR_COUNT_MESSAGES;
  o.sequence_id = 1000;
  o.max_entry_bytes = 10000;
  const kop_convert_entry *entries;
  size_t n;
  cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
  cr_assert_gt(n, 1);
  for (size_t i = 0; i < n; i++) {
    cr_assert_eq(entries[i].sequence_id, 1000 + (uint64_t)entries[i].first_delta);
    cr_assert_eq(entries[i].highest_sequence_id,
                 entries[i].sequence_id + (uint64_t)entries[i].num_messages - 1);
  }
  free(batch.ptr);
  kop_convert_free(c);
}

static kop_status convert(kop_convert *c, bytes batch, const kop_to_pulsar_options *o) {
  const kop_convert_entry *entries;
  size_t n;
  return kop_convert_to_pulsar(c, batch.ptr, batch.len, o, &entries, &n);
}

Test(to_pulsar, a_split_that_would_break_sequences_is_refused_with_the_reason) {
  kop_convert *c = new_convert();
  for (int codec = 0; codec < 5; codec++) {
    kop_to_pulsar_options o = to_pulsar_defaults();
    o.max_entry_bytes = 10000;
    bytes batch = batch_of(30, 1000, 7, codec);
    o.compression = KOP_PULSAR_COMPRESSION_NONE;
    cr_assert_eq(convert(c, batch, &o), KOP_ERR_LIMIT);
    cr_assert_not_null(strstr(kop_convert_error_text(c), "producer id"));
    o.max_entry_bytes = 40000;
    cr_assert_eq(convert(c, batch, &o), KOP_OK);
    cr_assert_str_empty(kop_convert_error_text(c));
    free(batch.ptr);

    batch = batch_of(2, 20000, -1, codec);
    o.max_entry_bytes = 10000;
    cr_assert_eq(convert(c, batch, &o), KOP_ERR_LIMIT);
    cr_assert_not_null(strstr(kop_convert_error_text(c), "a record is larger"));
    o.format = KOP_CONVERT_KAFKA;
    o.max_entry_bytes = 2000;
    cr_assert_eq(convert(c, batch, &o), KOP_ERR_LIMIT);
    free(batch.ptr);
  }
  /* Random bytes do not compress: the try with everything fails, and a record alone as well. */
  kop_to_pulsar_options o = to_pulsar_defaults();
  o.max_entry_bytes = 10000;
  o.compression = KOP_PULSAR_COMPRESSION_LZ4;
  bytes batch = batch_of(2, 20000, -1, 0);
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_LIMIT);
  free(batch.ptr);
  batch = batch_of(1, 20000, 7, 0);
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_LIMIT);
  free(batch.ptr);
  kop_convert_free(c);
}

/* Old clients wrote the same delta into every record; the count says what was meant. */
Test(to_pulsar, deltas_that_do_not_rise_are_counted) {
  kop_convert *c = new_convert();
  bytes batch = batch_of(3, 10, -1, 0);
  enum { RECORD = 17, DELTA = 3 };
  for (size_t i = 0; i < 3; i++) {
    cr_assert_eq(batch.ptr[KOP_BATCH_HEAD_SIZE + i * RECORD + DELTA], 2 * i, "zigzag");
    batch.ptr[KOP_BATCH_HEAD_SIZE + i * RECORD + DELTA] = 0;
  }
  kop_to_pulsar_options o = to_pulsar_defaults();
  o.flags = KOP_TO_PULSAR_TRUST_CRC;
  const kop_convert_entry *entries;
  size_t n;
  cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
  cr_assert_eq(entries[0].num_messages, 3);
  cr_assert_eq(entries[0].count, 3);
  free(batch.ptr);

  /* Where the count does not say it, two records would have one offset. */
  batch = batch_of(3, 10, -1, 0);
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(batch.ptr, batch.len, &head), KOP_OK);
  head.last_offset_delta = 5;
  cr_assert_eq(kop_batch_head_patch(batch.ptr, &head), KOP_OK);
  batch.ptr[KOP_BATCH_HEAD_SIZE + RECORD + DELTA] = 0;
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_MALFORMED);
  free(batch.ptr);
  kop_convert_free(c);
}

Test(to_pulsar, damaged_batches_and_wrong_options_are_refused) {
  kop_convert *c = new_convert();
  kop_to_pulsar_options o = to_pulsar_defaults();
  bytes batch = batch_of(3, 10, -1, 0);
  batch.ptr[70] ^= 1;
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_CHECKSUM);
  batch.ptr[70] ^= 1;
  bytes shorter = {batch.ptr, batch.len - 1};
  cr_assert_eq(convert(c, shorter, &o), KOP_ERR_TRUNCATED);
  shorter.len = 0;
  cr_assert_eq(convert(c, shorter, &o), KOP_ERR_TRUNCATED);
  o.flags = KOP_TO_PULSAR_TRUST_CRC;
  batch.ptr[62] = 0x7F; /* the length of the first record */
  batch.ptr[61] = 0xFE;
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_MALFORMED);
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(batch.ptr, batch.len, &head), KOP_OK);
  head.count = 4; /* more than there are offsets */
  cr_assert_eq(kop_batch_head_patch(batch.ptr, &head), KOP_OK);
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_MALFORMED);
  head.last_offset_delta = INT32_MAX - 1; /* two thousand million holes */
  cr_assert_eq(kop_batch_head_patch(batch.ptr, &head), KOP_OK);
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_LIMIT);
  head.count = 3;
  head.last_offset_delta = 2;
  head.attributes = 5;
  cr_assert_eq(kop_batch_head_patch(batch.ptr, &head), KOP_OK);
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_UNSUPPORTED);
  free(batch.ptr);

  /* More records than the count says: nobody would miss them. */
  for (int codec = 0; codec < 5; codec++) {
    batch = batch_of(3, 10, -1, codec);
    cr_assert_eq(kop_batch_head_decode(batch.ptr, batch.len, &head), KOP_OK);
    head.count = 2;
    head.last_offset_delta = 1;
    cr_assert_eq(kop_batch_head_patch(batch.ptr, &head), KOP_OK);
    o = to_pulsar_defaults();
    for (o.compression = 0; o.compression < 2; o.compression++) {
      cr_assert_eq(convert(c, batch, &o), KOP_ERR_MALFORMED, "codec %d", codec);
    }
    free(batch.ptr);
  }

  batch = batch_of(3, 10, -1, 0);
  o = to_pulsar_defaults();
  o.max_entry_bytes = 100;
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_LIMIT);
  o = to_pulsar_defaults();
  o.compression = 5;
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_UNSUPPORTED);
  o.compression = 0;
  o.format = 2;
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_INVALID);
  o.format = 0;
  o.key = 2;
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_INVALID);
  o.key = 0;
  o.flags = 16;
  cr_assert_eq(convert(c, batch, &o), KOP_ERR_INVALID);
  free(batch.ptr);
  kop_convert_free(c);
}

Test(to_pulsar, a_batch_that_expands_too_far_is_refused) {
  kop_convert_config config;
  kop_convert_config_init(&config, sizeof config);
  config.max_bytes = 100000;
  kop_convert *c;
  cr_assert_eq(kop_convert_new(&config, &c), KOP_OK);
  kop_to_pulsar_options o = to_pulsar_defaults();
  for (int codec = 1; codec < 5; codec++) {
    bytes batch = batch_of(2000, 1000, -1, codec);
    cr_assert_eq(convert(c, batch, &o), KOP_ERR_LIMIT, "codec %d", codec);
    free(batch.ptr);
  }
  kop_convert_free(c);
  config.max_bytes = 0;
  cr_assert_eq(kop_convert_new(&config, &c), KOP_ERR_INVALID);
  kop_convert_free(NULL);
}
