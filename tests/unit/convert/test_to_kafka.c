/* Entries that are holes and why, offsets and compaction, the plug-in's odd batches, and allocations that fail. */
#include "support.h"
#include "support/failing_alloc.h"
#include "unit/pulsar/fixtures.h"

static kop_pulsar_metadata metadata(const char *producer) {
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present =
      KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID | KOP_PULSAR_HAS_PUBLISH_TIME;
  md.producer_name = text_slice(producer);
  md.publish_time = 1700000000000;
  return md;
}

static bytes make_entry(const kop_pulsar_metadata *md, const char *key, const char *value,
                        kop_slice payload) {
  const kop_pulsar_property property = {text_slice(key), text_slice(value)};
  uint8_t head[4096];
  size_t len;
  cr_assert_eq(
      kop_pulsar_entry_write(md, &property, key[0] != 0, &payload, 1, head, sizeof head, &len),
      KOP_OK);
  bytes out = {.ptr = malloc(len + payload.len + 1), .len = len + payload.len};
  memcpy(out.ptr, head, len);
  if (payload.len != 0) memcpy(out.ptr + len, payload.ptr, payload.len);
  return out;
}

static kop_convert_answer answer_of(kop_convert *c, bytes entry, int64_t first, int64_t last,
                                    int32_t flags) {
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  o.flags = flags;
  kop_convert_answer answer;
  cr_assert_eq(kop_convert_to_kafka(c, entry.ptr, entry.len, first, last, &o, &answer), KOP_OK);
  cr_assert_eq(answer.first_offset, first);
  cr_assert_eq(answer.last_offset, last);
  return answer;
}

static void assert_hole(kop_convert *c, bytes entry, int32_t reason) {
  kop_convert_answer answer = answer_of(c, entry, 5, 9, 0);
  cr_assert_eq(answer.kind, KOP_ANSWER_HOLE);
  cr_assert_eq(answer.reason, reason, "reason %d (%s), not %d", answer.reason,
               kop_convert_error_text(c), reason);
  cr_assert_eq(answer.batches_count, 0);
}

Test(to_kafka, what_cannot_be_read_is_a_hole_with_a_reason) {
  kop_convert *c = new_convert();
  kop_pulsar_metadata md = metadata("p");
  bytes e = make_entry(&md, "", "", text_slice("value"));
  e.ptr[e.len - 1] ^= 1;
  assert_hole(c, e, KOP_HOLE_CHECKSUM);
  cr_assert_eq(answer_of(c, e, 0, 0, KOP_TO_KAFKA_TRUST_CRC).kind, KOP_ANSWER_BATCHES);
  for (size_t len = 0; len < e.len; len++) {
    kop_convert_answer answer = answer_of(c, (bytes){e.ptr, len}, 0, 0, 0);
    cr_assert_eq(answer.kind, KOP_ANSWER_HOLE, "cut at %zu", len);
  }
  free(e.ptr);

  md.present |= KOP_PULSAR_HAS_COMPRESSION | KOP_PULSAR_HAS_UNCOMPRESSED_SIZE;
  for (md.compression = 1; md.compression <= 4; md.compression++) {
    md.uncompressed_size = 100;
    e = make_entry(&md, "", "", text_slice("not compressed at all"));
    assert_hole(c, e, KOP_HOLE_CODEC);
    free(e.ptr);
  }
  md.compression = 77;
  e = make_entry(&md, "", "", text_slice("x"));
  assert_hole(c, e, KOP_HOLE_CODEC);
  free(e.ptr);
  md.compression = KOP_PULSAR_COMPRESSION_LZ4;
  md.uncompressed_size = UINT32_MAX;
  e = make_entry(&md, "", "", text_slice("x"));
  assert_hole(c, e, KOP_HOLE_LIMIT);
  free(e.ptr);

  md = metadata("p");
  md.present |= KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  md.num_messages_in_batch = 3;
  e = make_entry(&md, "", "", text_slice("no batch"));
  assert_hole(c, e, KOP_HOLE_MALFORMED);
  free(e.ptr);
  e = make_entry(&md, "entry.format", "kafka", text_slice("no batch in it, but long enough"));
  assert_hole(c, e, KOP_HOLE_MALFORMED);
  free(e.ptr);
  e = make_entry(&md, "entry.format", "kafka", text_slice(""));
  assert_hole(c, e, KOP_HOLE_MALFORMED);
  free(e.ptr);

  md = metadata("p");
  e = make_entry(&md, "kop.batch", "2 what=ever", text_slice("value"));
  assert_hole(c, e, KOP_HOLE_VERSION);
  free(e.ptr);
  static const char *const wrong[] = {
      "",         "1 pid",     "1 pid=",           "1 pid=x",  "1 epoch=40000",
      "1 attr=1", "1 attr=-8", "1 seq=2147483648", "1  pid=1", "1 pid=9223372036854775808"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    e = make_entry(&md, "kop.batch", wrong[i], text_slice("value"));
    assert_hole(c, e, KOP_HOLE_MALFORMED);
    free(e.ptr);
  }
  e = make_entry(&md, "kop.batch", "1 later=thing pid=-9223372036854775808", text_slice("value"));
  kop_convert_answer answer = answer_of(c, e, 0, 0, 0);
  cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES, "fields of a later library are passed over");
  free(e.ptr);
  kop_convert_free(c);
}

Test(to_kafka, an_entry_that_was_read_is_checked_unless_trusted) {
  kop_convert *c = new_convert();
  kop_pulsar_metadata md = metadata("p");
  bytes e = make_entry(&md, "", "", text_slice("value"));
  e.ptr[e.len - 1] ^= 1;
  kop_pulsar_entry entry;
  cr_assert_eq(kop_pulsar_entry_read(e.ptr, e.len, 0, &entry), KOP_OK);
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  kop_convert_answer answer;
  cr_assert_eq(kop_convert_entry_to_kafka(c, &entry, 0, 0, &o, &answer), KOP_OK);
  cr_assert_eq(answer.reason, KOP_HOLE_CHECKSUM);
  o.flags = KOP_TO_KAFKA_TRUST_CRC;
  cr_assert_eq(kop_convert_entry_to_kafka(c, &entry, 0, 0, &o, &answer), KOP_OK);
  cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES);
  o.leader_epoch = 12;
  cr_assert_eq(kop_convert_entry_to_kafka(c, &entry, 0, 0, &o, &answer), KOP_OK);
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(answer.batches[0].head.ptr, KOP_BATCH_HEAD_SIZE, &head),
               KOP_OK);
  cr_assert_eq(head.leader_epoch, 12);
  free(e.ptr);
  kop_convert_free(c);
}

Test(to_kafka, an_encrypted_entry_is_a_hole) {
  kop_convert *c = new_convert();
  kop_pulsar_metadata md = metadata("p");
  static const uint8_t key[] = {0x6a, 6, 0x0a, 1, 'k', 0x12, 1, 'v'};
  md.encryption_keys =
      (kop_pulsar_repeated){.ptr = key, .len = sizeof key, .count = 1, .field = 13};
  bytes e = make_entry(&md, "", "", text_slice("ciphertext"));
  assert_hole(c, e, KOP_HOLE_ENCRYPTED);
  free(e.ptr);
  kop_convert_free(c);
}

Test(to_kafka, markers_hold_no_reader_back) {
  kop_convert *c = new_convert();
  for (int32_t type = 0; type < 30; type++) {
    for (int plugin = 0; plugin < 2; plugin++) {
      kop_pulsar_metadata md = metadata(plugin ? "" : "pulsar.txn.marker");
      md.present |= KOP_PULSAR_HAS_MARKER_TYPE | KOP_PULSAR_HAS_TXNID_LEAST_BITS |
                    KOP_PULSAR_HAS_TXNID_MOST_BITS;
      md.marker_type = type;
      md.txnid_most_bits = 2001;
      md.txnid_least_bits = 4;
      int ends = plugin && (type == 21 || type == 22);
      bytes e = make_entry(&md, "", "", text_slice(""));
      assert_hole(c, e, ends ? KOP_HOLE_CONTROL : KOP_HOLE_MARKER);
      kop_convert_answer answer = answer_of(c, e, 7, 7, KOP_TO_KAFKA_TRANSACTIONS);
      if (!ends) {
        cr_assert_eq(answer.reason, KOP_HOLE_MARKER);
      } else {
        cr_assert_eq(answer.batches_count, 1);
        bytes b = batch_bytes(&answer.batches[0]);
        cr_assert_eq(kop_batch_check_crc(b.ptr, b.len), KOP_OK);
        kop_batch_head head;
        cr_assert_eq(kop_batch_head_decode(b.ptr, b.len, &head), KOP_OK);
        cr_assert_eq(head.producer_id, 2001);
        cr_assert_eq(head.producer_epoch, 4);
        cr_assert_eq(head.base_offset, 7);
        kop_record_ctx *ctx;
        cr_assert_eq(kop_record_ctx_new(NULL, &ctx), KOP_OK);
        cr_assert_eq(kop_record_begin(ctx, b.ptr, b.len), KOP_OK);
        kop_record r;
        kop_control control;
        cr_assert_eq(kop_record_next(ctx, &r), KOP_OK);
        cr_assert_eq(kop_control_decode(&r, &control), KOP_OK);
        cr_assert_eq(control.type, type == 21 ? KOP_CONTROL_COMMIT : KOP_CONTROL_ABORT);
        cr_assert_eq(kop_record_next(ctx, &r), KOP_ERR_NOT_FOUND);
        kop_record_ctx_free(ctx);
        free(b.ptr);
      }
      free(e.ptr);
    }
  }
  kop_convert_free(c);
}

/* A transaction of Pulsar's own has nothing to do with Kafka's producers. */
Test(to_kafka, a_native_transaction_is_no_kafka_transaction) {
  kop_convert *c = new_convert();
  kop_pulsar_metadata md = metadata("native");
  md.present |= KOP_PULSAR_HAS_TXNID_LEAST_BITS | KOP_PULSAR_HAS_TXNID_MOST_BITS;
  md.txnid_most_bits = 5;
  bytes e = make_entry(&md, "", "", text_slice("value"));
  kop_convert_answer answer = answer_of(c, e, 0, 0, KOP_TO_KAFKA_TRANSACTIONS);
  cr_assert_eq(answer.batches[0].attributes, 0);
  free(e.ptr);
  kop_convert_free(c);
}

/* ---- offsets and compaction ---------------------------------------------------------------------- */

/* A batch of `n` messages; those in `gone` have the flag compacted_out. */
static bytes native_batch(int n, uint32_t gone) {
  kop_pulsar_metadata md = metadata("p");
  md.present |= KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  md.num_messages_in_batch = n;
  uint8_t payload[2048];
  size_t used = 0;
  for (int i = 0; i < n; i++) {
    kop_pulsar_single s;
    kop_pulsar_single_init(&s);
    kop_slice value = text_slice("v");
    if ((gone >> i & 1u) != 0) {
      s.present |= KOP_PULSAR_SINGLE_HAS_COMPACTED_OUT;
      s.compacted_out = 1;
      value.len = 0;
    }
    size_t len;
    cr_assert_eq(
        kop_pulsar_batch_put(&s, NULL, 0, value, payload + used, sizeof payload - used, &len),
        KOP_OK);
    used += len;
  }
  return make_entry(&md, "", "", (kop_slice){payload, used});
}

Test(to_kafka, removed_messages_leave_their_offsets_free) {
  kop_convert *c = new_convert();
  kop_record_ctx *ctx;
  cr_assert_eq(kop_record_ctx_new(NULL, &ctx), KOP_OK);
  for (uint32_t gone = 0; gone < 16; gone++) {
    bytes e = native_batch(4, gone);
    kop_convert_answer answer = answer_of(c, e, 40, 43, 0);
    if (gone == 15) {
      cr_assert_eq(answer.reason, KOP_HOLE_COMPACTED);
      free(e.ptr);
      continue;
    }
    cr_assert_eq(answer.batches[0].base_offset, 40);
    cr_assert_eq(answer.batches[0].last_offset, 43);
    bytes b = batch_bytes(&answer.batches[0]);
    cr_assert_eq(kop_record_begin(ctx, b.ptr, b.len), KOP_OK);
    for (int i = 0; i < 4; i++) {
      kop_record r;
      if ((gone >> i & 1u) != 0) continue;
      cr_assert_eq(kop_record_next(ctx, &r), KOP_OK);
      cr_assert_eq(r.offset, 40 + i);
    }
    free(b.ptr);
    free(e.ptr);
  }
  kop_record_ctx_free(ctx);
  kop_convert_free(c);
}

Test(to_kafka, the_last_message_has_the_last_offset) {
  kop_convert *c = new_convert();
  bytes e = native_batch(4, 0);
  kop_convert_answer answer = answer_of(c, e, 40, 49, 0);
  cr_assert_eq(answer.batches[0].base_offset, 46, "the places before are a hole");
  cr_assert_eq(answer.batches[0].last_offset, 49);
  cr_assert_eq(answer.dropped, 0);
  answer = answer_of(c, e, 40, 41, 0);
  cr_assert_eq(answer.batches[0].base_offset, 40);
  cr_assert_eq(answer.batches[0].count, 2);
  cr_assert_eq(answer.dropped, 2);
  free(e.ptr);
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  cr_assert_eq(kop_convert_to_kafka(c, NULL, 0, -1, 0, &o, &answer), KOP_ERR_INVALID);
  cr_assert_eq(kop_convert_to_kafka(c, NULL, 0, 5, 4, &o, &answer), KOP_ERR_INVALID);
  o.codec = 9;
  cr_assert_eq(kop_convert_to_kafka(c, NULL, 0, 0, 0, &o, &answer), KOP_ERR_INVALID);
  o.codec = 0;
  o.flags = 16;
  cr_assert_eq(kop_convert_to_kafka(c, NULL, 0, 0, 0, &o, &answer), KOP_ERR_INVALID);
  kop_convert_free(c);
}

/* Compaction took all messages of a Kafka batch: the head that is left still says how far its producer got. */
Test(to_kafka, an_emptied_batch_of_kafkas_keeps_its_head) {
  kop_convert *c = new_convert();
  kop_pulsar_metadata md = metadata("gateway");
  md.present |= KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  md.num_messages_in_batch = 2;
  static const uint8_t gone[] = {0, 0, 0, 4, 0x18, 0, 0x20, 1, 0, 0, 0, 4, 0x18, 0, 0x20, 1};
  bytes e = make_entry(&md, "kop.batch", "1 pid=7 epoch=1 seq=20 attr=16",
                       (kop_slice){gone, sizeof gone});
  kop_convert_answer answer = answer_of(c, e, 3, 4, 0);
  cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES);
  cr_assert_eq(answer.batches[0].count, 0);
  bytes b = batch_bytes(&answer.batches[0]);
  kop_batch_head head;
  cr_assert_eq(b.len, KOP_BATCH_HEAD_SIZE);
  cr_assert_eq(kop_batch_check_crc(b.ptr, b.len), KOP_OK);
  cr_assert_eq(kop_batch_head_decode(b.ptr, b.len, &head), KOP_OK);
  cr_assert_eq(head.producer_id, 7);
  cr_assert_eq(head.base_sequence, 20);
  cr_assert_eq(head.last_offset_delta, 1);
  free(b.ptr);
  free(e.ptr);
  kop_convert_free(c);
}

/* ---- the plug-in's kafka format ------------------------------------------------------------------ */

static void append(bytes *to, bytes more) {
  to->ptr = realloc(to->ptr, to->len + more.len + 1);
  memcpy(to->ptr + to->len, more.ptr, more.len);
  to->len += more.len;
}

static bytes set_of(int magic, int codec, int count, const char *value) {
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  o.magic = magic;
  o.codec = codec;
  cr_assert_eq(kop_batch_builder_begin(b, &o), KOP_OK);
  for (int i = 0; i < count; i++) {
    const kop_record_in r = {.offset = -1, .timestamp = 1000 + i, .value = text_slice(value)};
    cr_assert_eq(kop_batch_builder_append(b, &r), KOP_OK);
  }
  const uint8_t *lent;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &lent, &len), KOP_OK);
  bytes out = copy_bytes(lent, len);
  kop_batch_builder_free(b);
  return out;
}

static int count_offsets(kop_convert_answer answer, int64_t first) {
  kop_record_ctx *ctx;
  cr_assert_eq(kop_record_ctx_new(NULL, &ctx), KOP_OK);
  int n = 0;
  for (size_t i = 0; i < answer.batches_count; i++) {
    bytes b = batch_bytes(&answer.batches[i]);
    cr_assert_eq(kop_batch_check_crc(b.ptr, b.len), KOP_OK);
    cr_assert_eq(kop_record_begin(ctx, b.ptr, b.len), KOP_OK);
    kop_record r;
    while (kop_record_next(ctx, &r) == KOP_OK) {
      cr_assert_eq(r.offset, first + n);
      n++;
    }
    cr_assert_eq(answer.batches[i].last_offset, first + n - 1);
    free(b.ptr);
  }
  kop_record_ctx_free(ctx);
  return n;
}

Test(to_kafka, batches_and_old_message_sets_are_renumbered) {
  kop_convert *c = new_convert();
  kop_pulsar_metadata md = metadata("");
  md.present |= KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  for (int codec = 0; codec < 4; codec++) {
    bytes all = {.ptr = NULL, .len = 0};
    bytes parts[] = {set_of(2, codec, 3, "a"), set_of(2, 0, 2, "b"), set_of(1, codec, 4, "c"),
                     set_of(0, codec, 2, "d"), set_of(2, 0, 1, "e")};
    for (size_t i = 0; i < 5; i++) {
      append(&all, parts[i]);
      free(parts[i].ptr);
    }
    md.num_messages_in_batch = 12;
    bytes e = make_entry(&md, "entry.format", "kafka", (kop_slice){all.ptr, all.len});
    kop_convert_answer answer = answer_of(c, e, 100, 111, 0);
    cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES, "%s", kop_convert_error_text(c));
    cr_assert_eq(answer.format, KOP_CONVERT_KAFKA);
    cr_assert_eq(answer.writer, KOP_CONVERT_BY_PLUGIN);
    cr_assert_eq(answer.batches_count, 4, "two, one of both sets, one");
    cr_assert_eq(count_offsets(answer, 100), 12);
    free(e.ptr);
    free(all.ptr);
  }
  kop_convert_free(c);
}

/* sarama once wrote a last offset delta of 0 into every batch, and the plug-in counted its records. */
Test(to_kafka, a_batch_that_miscounts_is_written_anew) {
  kop_convert *c = new_convert();
  bytes b = set_of(2, 0, 5, "x");
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(b.ptr, b.len, &head), KOP_OK);
  head.last_offset_delta = 0;
  cr_assert_eq(kop_batch_head_patch(b.ptr, &head), KOP_OK);
  kop_pulsar_metadata md = metadata("");
  md.present |= KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  md.num_messages_in_batch = 5;
  bytes e = make_entry(&md, "entry.format", "kafka", (kop_slice){b.ptr, b.len});
  cr_assert_eq(count_offsets(answer_of(c, e, 10, 14, 0), 10), 5);
  free(e.ptr);
  b.ptr[b.len - 1] ^= 1;
  e = make_entry(&md, "entry.format", "kafka", (kop_slice){b.ptr, b.len});
  assert_hole(c, e, KOP_HOLE_CHECKSUM);
  free(e.ptr);
  free(b.ptr);
  kop_convert_free(c);
}

/* What is within the bound alone, and beyond it together: as one set, and as sets between batches. */
Test(to_kafka, an_entry_expands_to_the_bound_and_no_further) {
  kop_convert_config config;
  kop_convert_config_init(&config, sizeof config);
  config.max_bytes = 50000;
  kop_convert *c;
  cr_assert_eq(kop_convert_new(&config, &c), KOP_OK);
  kop_pulsar_metadata md = metadata("");
  md.present |= KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  bytes bomb = set_of(1, KOP_CODEC_GZIP, 800, "twenty bytes of value");
  bytes between = set_of(2, KOP_CODEC_NONE, 1, "x");
  for (int apart = 0; apart < 2; apart++) {
    for (int many = 1; many < 4; many += 2) {
      bytes all = {.ptr = NULL, .len = 0};
      for (int i = 0; i < many; i++) {
        append(&all, bomb);
        if (apart) append(&all, between);
      }
      md.num_messages_in_batch = many * (800 + apart);
      bytes e = make_entry(&md, "entry.format", "kafka", (kop_slice){all.ptr, all.len});
      kop_convert_answer answer = answer_of(c, e, 0, md.num_messages_in_batch - 1, 0);
      cr_assert_eq(answer.reason, many == 1 ? KOP_HOLE_NONE : KOP_HOLE_LIMIT, "%d %d", apart, many);
      free(e.ptr);
      free(all.ptr);
    }
  }
  free(bomb.ptr);
  free(between.ptr);
  kop_convert_free(c);
}

/* Heads whose count says two thousand million records, twice; the third batch takes all offsets there are. */
Test(to_kafka, what_is_dropped_is_counted_as_far_as_the_counter_goes) {
  kop_convert *c = new_convert();
  bytes all = {.ptr = NULL, .len = 0};
  for (int i = 0; i < 3; i++) {
    bytes b = set_of(2, 0, 1, "x");
    kop_batch_head head;
    cr_assert_eq(kop_batch_head_decode(b.ptr, b.len, &head), KOP_OK);
    if (i < 2) head.count = head.last_offset_delta = INT32_MAX;
    cr_assert_eq(kop_batch_head_patch(b.ptr, &head), KOP_OK);
    append(&all, b);
    free(b.ptr);
  }
  kop_pulsar_metadata md = metadata("");
  md.present |= KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  bytes e = make_entry(&md, "entry.format", "kafka", (kop_slice){all.ptr, all.len});
  kop_convert_answer answer = answer_of(c, e, 7, 7, KOP_TO_KAFKA_TRUST_RECORDS);
  cr_assert_eq(answer.batches_count, 1);
  cr_assert_eq(answer.dropped, INT32_MAX);
  free(e.ptr);
  free(all.ptr);
  kop_convert_free(c);
}

/* A native message may have the property without being in batch format: it is a message. */
Test(to_kafka, the_property_alone_makes_no_kafka_format) {
  kop_convert *c = new_convert();
  kop_pulsar_metadata md = metadata("native");
  bytes e = make_entry(&md, "entry.format", "kafka", text_slice("value"));
  kop_convert_answer answer = answer_of(c, e, 0, 0, 0);
  cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES);
  cr_assert_eq(answer.format, KOP_CONVERT_PULSAR);
  free(e.ptr);
  kop_convert_free(c);
}

/* ---- allocations --------------------------------------------------------------------------------- */

typedef struct scenario {
  kop_convert *c;
  kop_status status;
} scenario;

static void read_fixture(const fixture *f, void *context) {
  scenario *s = context;
  if (s->status != KOP_OK) return;
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  o.flags = KOP_TO_KAFKA_KEEP;
  kop_convert_answer answer;
  s->status = kop_convert_to_kafka(s->c, f->bytes, f->len, 1000, 1007, &o, &answer);
}

static kop_status write_batches(kop_convert *c) {
  for (int codec = 0; codec < 5; codec++) {
    const shape s = {.records = 30, .producer = 1, .holes = 1, .codec = codec};
    bytes batch = random_batch((uint64_t)codec, &s);
    kop_to_pulsar_options o = to_pulsar_defaults();
    const kop_convert_entry *entries;
    size_t n;
    kop_status status = kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n);
    free(batch.ptr);
    if (status != KOP_OK) return status;
  }
  return KOP_OK;
}

static kop_status read_sets(kop_convert *c) {
  kop_pulsar_metadata md = metadata("");
  md.present |= KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  md.num_messages_in_batch = 4;
  bytes set = set_of(1, 1, 4, "c");
  bytes e = make_entry(&md, "entry.format", "kafka", (kop_slice){set.ptr, set.len});
  kop_convert_answer answer;
  kop_status status = kop_convert_to_kafka(c, e.ptr, e.len, 0, 3, NULL, &answer);
  cr_assert(status != KOP_OK || answer.kind == KOP_ANSWER_BATCHES);
  free(e.ptr);
  free(set.ptr);
  return status;
}

Test(to_kafka, every_allocation_may_fail) {
  size_t i;
  for (i = 0; i < 2000; i++) {
    failing_alloc f;
    failing_alloc_init(&f, i);
    kop_convert_config config;
    kop_convert_config_init(&config, sizeof config);
    config.alloc = &f.alloc;
    scenario s = {.c = NULL};
    s.status = kop_convert_new(&config, &s.c);
    if (s.status == KOP_OK) fixture_each("pulsar.entries.tsv", read_fixture, &s);
    if (s.status == KOP_OK) fixture_each("kafka.entries.tsv", read_fixture, &s);
    if (s.status == KOP_OK) s.status = read_sets(s.c);
    if (s.status == KOP_OK) s.status = write_batches(s.c);
    int all = f.made <= i;
    cr_assert_eq(s.status, all ? KOP_OK : KOP_ERR_NOMEM, "allocation %zu: %d", i, s.status);
    kop_convert_free(s.c);
    cr_assert_eq(f.live, 0, "allocation %zu", i);
    if (all) break;
  }
  cr_assert_gt(i, 20);
  cr_assert_lt(i, 2000);
}
