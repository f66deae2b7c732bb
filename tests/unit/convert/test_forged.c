/*
 * What a producer who wishes us ill can send: facts, control records and batches of Kafka's that no Kafka broker wrote. Whatever
 * is given out is read by every consumer (tests/support/consumer.h); the rest is a hole, or refused on the way in.
 */
#include <stdio.h>

#include "support.h"
#include "support/consumer.h"
#include "support/reseal.h"

#define CONTROL_BATCH "1 pid=7 epoch=1 attr=48"

/* A message of a control record; a null text leaves its property out. */
typedef struct control_text {
  const char *key;
  const char *value;
} control_text;

static bytes payload_of(const control_text *records, size_t n) {
  static uint8_t room[4096];
  size_t len = 0;
  for (size_t i = 0; i < n; i++) {
    kop_pulsar_single single;
    kop_pulsar_single_init(&single);
    single.present = KOP_PULSAR_SINGLE_HAS_NULL_VALUE;
    single.null_value = 1;
    kop_pulsar_property properties[3] = {{text_slice("kop.ctl"), text_slice("commit")}};
    size_t count = 1;
    if (records[i].key != NULL) {
      properties[count++] =
          (kop_pulsar_property){text_slice("kop.ctl.key"), text_slice(records[i].key)};
    }
    if (records[i].value != NULL) {
      properties[count++] =
          (kop_pulsar_property){text_slice("kop.ctl.value"), text_slice(records[i].value)};
    }
    size_t took;
    const kop_slice nothing = {.ptr = NULL, .len = 0};
    cr_assert_eq(kop_pulsar_batch_put(&single, properties, count, nothing, room + len,
                                      sizeof room - len, &took),
                 KOP_OK);
    len += took;
  }
  return copy_bytes(room, len);
}

static bytes entry_of(const char *name, const char *text, int32_t count, bytes payload) {
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present = KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID |
               KOP_PULSAR_HAS_PUBLISH_TIME | KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  md.producer_name = text_slice("forger");
  md.publish_time = 1700000000000;
  md.num_messages_in_batch = count;
  const kop_pulsar_property property = {text_slice(name), text_slice(text)};
  const kop_slice slice = {payload.ptr, payload.len};
  uint8_t head[1024];
  size_t len;
  cr_assert_eq(kop_pulsar_entry_write(&md, &property, 1, &slice, 1, head, sizeof head, &len),
               KOP_OK);
  bytes out = {.ptr = malloc(len + payload.len), .len = len + payload.len};
  memcpy(out.ptr, head, len);
  if (payload.len != 0) memcpy(out.ptr + len, payload.ptr, payload.len);
  return out;
}

static kop_convert_answer answer_of(kop_convert *c, bytes entry, int32_t count, int32_t flags) {
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  o.flags = flags;
  kop_convert_answer answer;
  const int64_t first = 1000;
  cr_assert_eq(kop_convert_to_kafka(c, entry.ptr, entry.len, first, first + count - 1, &o, &answer),
               KOP_OK);
  return answer;
}

/* Fails unless every consumer reads all of it; gives the number of batches. */
static size_t assert_read_by_all(const kop_convert_answer *answer) {
  kop_record_ctx *ctx;
  cr_assert_eq(kop_record_ctx_new(NULL, &ctx), KOP_OK);
  for (size_t i = 0; i < answer->batches_count; i++) {
    bytes b = batch_bytes(&answer->batches[i]);
    const char *why = consumer_refuses(ctx, b.ptr, b.len);
    cr_assert_null(why, "%s", why);
    free(b.ptr);
  }
  kop_record_ctx_free(ctx);
  return answer->batches_count;
}

/* ---- control records ----------------------------------------------------------------------------- */

#define COMMIT       "AAAAAQ==" /* version 0, type 1 */
#define END          "AAAAAAAH" /* version 0, coordinator epoch 7 */
#define OF_VERSION_1 "AAEAAf//" /* two bytes more */

static const struct control_case {
  control_text record;
  int32_t good;
} control_cases[] = {
    {{COMMIT, END}, 1},
    {{COMMIT, "AAAAAAAHAAAA"}, 1}, /* a longer value */
    {{OF_VERSION_1, END}, 1},      /* a later version says more */
    {{"AABNAA==", END}, 1},        /* type 19712 */
    {{"AAD//w==", NULL}, 1},       /* type -1, no value */
    {{"AAAAAg==", NULL}, 1},       /* a leader change, of which the value is never read */
    {{NULL, END}, 0},              /* no key: Java's consumer fails with a null pointer */
    {{"", END}, 0},                /* an empty one */
    {{"AAA=", END}, 0},            /* two bytes */
    {{"AAAA", END}, 0},            /* three */
    {{"no base64", END}, 0},       /* as good as none */
    {{"AAAAAQA=", END}, 0},        /* five bytes of version 0: librdkafka fails */
    {{"//8AAQ==", END}, 0},        /* version -1 */
    {{COMMIT, NULL}, 0},           /* sarama and brokers read the epoch */
    {{COMMIT, ""}, 0},             /* the same */
    {{COMMIT, "AAAAAAA="}, 0},     /* five bytes */
    {{COMMIT, "//8AAAAH"}, 0},     /* version -1 */
    {{"AAAAAA==", NULL}, 0},       /* an abort */
    {{OF_VERSION_1, "AAAA"}, 0},   /* a commit of version 1 */
};

enum { CONTROL_CASES = sizeof control_cases / sizeof control_cases[0] };

Test(forged, a_control_record_is_one_that_all_pass_over_or_a_hole) {
  kop_convert *c = new_convert();
  static const char *const facts[] = {CONTROL_BATCH, "1 attr=32", "1 pid=7 epoch=1 seq=3 attr=32",
                                      "1 attr=48"};
  for (size_t i = 0; i < CONTROL_CASES; i++) {
    for (size_t f = 0; f < 4; f++) {
      for (int32_t count = 1; count <= 2; count++) {
        /* The odd one last: a consumer has passed the first by then. */
        control_text both[2] = {{COMMIT, END}, control_cases[i].record};
        bytes payload = payload_of(both + (count == 1), (size_t)count);
        bytes e = entry_of("kop.batch", facts[f], count, payload);
        kop_convert_answer answer = answer_of(c, e, count, 0);
        int good = control_cases[i].good;
        cr_assert_eq(answer.reason, good ? KOP_HOLE_NONE : KOP_HOLE_MALFORMED, "case %zu", i);
        cr_assert_eq(assert_read_by_all(&answer), (size_t)good);
        if (!good) cr_assert_str_eq(kop_convert_error_text(c), "a control record is malformed");
        free(e.ptr);
        free(payload.ptr);
      }
    }
  }
  kop_convert_free(c);
}

/* The records of messages that say nothing of control are none, whatever facts say: native ones of a compacted topic, for one. */
Test(forged, the_control_bit_makes_no_control_records_of_messages) {
  kop_convert *c = new_convert();
  kop_pulsar_single single;
  kop_pulsar_single_init(&single);
  single.present = KOP_PULSAR_SINGLE_HAS_PARTITION_KEY;
  single.partition_key = text_slice("user");
  uint8_t room[64];
  size_t len;
  cr_assert_eq(kop_pulsar_batch_put(&single, NULL, 0, text_slice("v"), room, sizeof room, &len),
               KOP_OK);
  bytes e = entry_of("kop.batch", CONTROL_BATCH, 1, (bytes){room, len});
  cr_assert_eq(answer_of(c, e, 1, 0).reason, KOP_HOLE_MALFORMED);
  free(e.ptr);
  e = entry_of("kop.batch", "1 pid=7 epoch=1 seq=0 attr=16", 1, (bytes){room, len});
  kop_convert_answer answer = answer_of(c, e, 1, 0);
  cr_assert_eq(assert_read_by_all(&answer), 1);
  free(e.ptr);
  kop_convert_free(c);
}

/* What base64 stands for, in `room`; null for null. */
static kop_slice decode_base64(const char *text, uint8_t *room) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t len = 0;
  uint32_t bits = 0;
  if (text == NULL) return (kop_slice){.ptr = NULL, .len = 0};
  for (size_t digit = 0; text[digit] != 0 && text[digit] != '='; digit++) {
    bits = bits << 6 | (uint32_t)(strchr(alphabet, text[digit]) - alphabet);
    if (digit % 4 != 0) room[len++] = (uint8_t)(bits >> (6 - 2 * (digit % 4)));
  }
  return (kop_slice){room, len};
}

/* A batch with these control records. */
static bytes control_batch(const control_text *records, size_t n, const kop_record_header *headers,
                           int32_t header_count) {
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  o.producer_id = 7;
  o.producer_epoch = 1;
  o.flags = KOP_BATCH_CONTROL | KOP_BATCH_TRANSACTIONAL;
  cr_assert_eq(kop_batch_builder_begin(b, &o), KOP_OK);
  for (size_t i = 0; i < n; i++) {
    uint8_t room[2][64];
    const kop_slice key = decode_base64(records[i].key, room[0]);
    const kop_slice value = decode_base64(records[i].value, room[1]);
    const kop_record_in r = {.offset = -1,
                             .timestamp = 1700000000000,
                             .key = key,
                             .value = value,
                             .headers = headers,
                             .header_count = header_count};
    cr_assert_eq(kop_batch_builder_append(b, &r), KOP_OK);
  }
  const uint8_t *lent;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &lent, &len), KOP_OK);
  bytes out = copy_bytes(lent, len);
  kop_batch_builder_free(b);
  return out;
}

/* The same records on the way in, and in an entry that holds the batch as it is. */
Test(forged, a_control_batch_that_would_be_a_hole_is_refused) {
  kop_convert *c = new_convert();
  for (size_t i = 0; i < CONTROL_CASES; i++) {
    const char *text = control_cases[i].record.key;
    if (text != NULL && strchr(text, ' ') != NULL) continue; /* no base64 */
    for (size_t count = 1; count <= 2; count++) {
      control_text both[2] = {{COMMIT, END}, control_cases[i].record};
      bytes batch = control_batch(both + (count == 1), count, NULL, 0);
      int good = control_cases[i].good;
      kop_to_pulsar_options o = to_pulsar_defaults();
      const kop_convert_entry *entries;
      size_t n;
      for (o.format = KOP_CONVERT_PULSAR; o.format <= KOP_CONVERT_KAFKA; o.format++) {
        kop_status status = kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n);
        cr_assert_eq(status, good ? KOP_OK : KOP_ERR_MALFORMED, "case %zu: %d", i, status);
        if (!good) cr_assert_neq(kop_convert_error_text(c)[0], 0);
      }
      o.format = KOP_CONVERT_KAFKA;
      o.flags = KOP_TO_PULSAR_TRUST_RECORDS;
      cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);

      bytes e = entry_of("entry.format", "kafka", (int32_t)count, batch);
      kop_convert_answer answer = answer_of(c, e, (int32_t)count, 0);
      cr_assert_eq(answer.reason, good ? KOP_HOLE_NONE : KOP_HOLE_MALFORMED, "case %zu", i);
      cr_assert_eq(assert_read_by_all(&answer), (size_t)good);
      answer = answer_of(c, e, (int32_t)count, KOP_TO_KAFKA_TRUST_RECORDS);
      cr_assert_eq(answer.batches_count, 1, "whoever trusts the records gets them");
      free(e.ptr);
      free(batch.ptr);
    }
  }
  kop_convert_free(c);
}

/* A control record's own headers are not taken for the record. */
Test(forged, headers_named_like_the_librarys_properties_stay_headers) {
  kop_convert *c = new_convert();
  const kop_record_header headers[] = {{text_slice("kop.ctl.key"), text_slice("AAA=")},
                                       {text_slice("kop.ctl"), text_slice("other")},
                                       {text_slice("kop.ctl.value"), text_slice("")},
                                       {text_slice("kop.t.kop.ctl"), text_slice("x")},
                                       {text_slice("kop.ctl.more"), text_slice("y")}};
  const control_text leader_change = {"AAAAAg==", NULL};
  bytes batch = control_batch(&leader_change, 1, headers, 5);
  kop_to_pulsar_options o = to_pulsar_defaults();
  const kop_convert_entry *entries;
  size_t n;
  cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
  bytes e = entry_bytes(&entries[0]);
  kop_convert_answer answer;
  cr_assert_eq(kop_convert_to_kafka(c, e.ptr, e.len, 0, 0, NULL, &answer), KOP_OK);
  cr_assert_eq(answer.batches_count, 1);
  bytes back = batch_bytes(&answer.batches[0]);
  cr_assert_eq(back.len, batch.len);
  cr_assert_eq(memcmp(back.ptr, batch.ptr, back.len), 0);
  free(back.ptr);
  free(e.ptr);
  free(batch.ptr);
  kop_convert_free(c);
}

/* ---- facts --------------------------------------------------------------------------------------- */

static int append_field(uint64_t *seed, char *text, size_t room) {
  static const char *const names[] = {"pid",    "epoch", "seq", "attr",
                                      "leader", "base",  "max", "new"};
  static const int64_t edges[] = {
      0,         -1,    1,          8,         16,         32,        48,
      64,        -2,    INT16_MAX,  INT16_MIN, INT32_MAX,  INT32_MIN, INT64_MAX,
      INT64_MIN, 65528, 2147483648, 40000,     4294967295, 7,         120};
  return snprintf(text, room, " %s=%lld", names[rng_below(seed, 8)],
                  (long long)edges[rng_below(seed, sizeof edges / sizeof edges[0])]);
}

/* Any facts over any records: Java does not check one of them, and none of them hides a batch or breaks it. */
Test(forged, no_fact_breaks_a_batch) {
  enum { TURNS = 8000 };
  kop_convert *c = new_convert();
  kop_convert *back = new_convert();
  uint64_t seed = 11;
  size_t read = 0;
  size_t holes = 0;
  for (int turn = 0; turn < TURNS; turn++) {
    char text[256] = "1";
    size_t len = 1;
    for (uint64_t n = rng_below(&seed, 5); n > 0; n--) {
      len += (size_t)append_field(&seed, text + len, sizeof text - len);
    }
    const shape s = {.records = 4, .holes = turn % 3 == 0};
    bytes batch = random_batch(rng_next(&seed), &s);
    kop_to_pulsar_options o = to_pulsar_defaults();
    o.compression = (int32_t)rng_below(&seed, 5);
    const kop_convert_entry *entries;
    size_t n;
    cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
    /* The payload stays, under a head that says something else. */
    bytes whole = entry_bytes(&entries[0]);
    int32_t count = entries[0].num_messages;
    kop_pulsar_entry entry;
    cr_assert_eq(kop_pulsar_entry_read(whole.ptr, whole.len, 0, &entry), KOP_OK);
    kop_pulsar_metadata md = entry.metadata;
    md.properties.count = 0;
    const kop_pulsar_property forged = {text_slice("kop.batch"), text_slice(text)};
    uint8_t head[1024];
    size_t head_len;
    cr_assert_eq(
        kop_pulsar_entry_write(&md, &forged, 1, &entry.payload, 1, head, sizeof head, &head_len),
        KOP_OK);
    bytes e = {.ptr = malloc(head_len + entry.payload.len), .len = head_len + entry.payload.len};
    memcpy(e.ptr, head, head_len);
    memcpy(e.ptr + head_len, entry.payload.ptr, entry.payload.len);
    kop_convert_answer answer = answer_of(c, e, count, 0);
    if (answer.kind == KOP_ANSWER_HOLE) {
      cr_assert_eq(answer.reason, KOP_HOLE_MALFORMED, "%s", text);
      holes++;
    } else {
      cr_assert_eq(assert_read_by_all(&answer), 1, "%s", text);
      read++;
      bytes b = batch_bytes(&answer.batches[0]);
      o = to_pulsar_defaults();
      cr_assert_eq(kop_convert_to_pulsar(back, b.ptr, b.len, &o, &entries, &n), KOP_OK, "%s", text);
      free(b.ptr);
    }
    free(e.ptr);
    free(whole.ptr);
    free(batch.ptr);
  }
  cr_assert_gt(read, TURNS / 4);
  cr_assert_gt(holes, TURNS / 20);
  kop_convert_free(c);
  kop_convert_free(back);
}

/* ---- batches of Kafka's -------------------------------------------------------------------------- */

static bytes batch_of(int count, int codec) {
  kop_batch_builder *b;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  o.codec = codec;
  cr_assert_eq(kop_batch_builder_begin(b, &o), KOP_OK);
  for (int i = 0; i < count; i++) {
    const kop_record_in r = {
        .offset = -1, .timestamp = 1700000000000, .value = text_slice("value")};
    cr_assert_eq(kop_batch_builder_append(b, &r), KOP_OK);
  }
  const uint8_t *lent;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &lent, &len), KOP_OK);
  bytes out = copy_bytes(lent, len);
  kop_batch_builder_free(b);
  return out;
}

/* Sets count and last offset delta. */
static void say(bytes batch, int32_t count, int32_t last) {
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(batch.ptr, batch.len, &head), KOP_OK);
  head.count = count;
  head.last_offset_delta = last;
  cr_assert_eq(kop_batch_head_patch(batch.ptr, &head), KOP_OK);
}

static void assert_reason(kop_convert *c, bytes batch, int32_t reason) {
  bytes e = entry_of("entry.format", "kafka", 10, batch);
  kop_convert_answer answer = answer_of(c, e, 10, 0);
  cr_assert_eq(answer.reason, reason, "%d, not %d: %s", answer.reason, reason,
               kop_convert_error_text(c));
  assert_read_by_all(&answer);
  kop_to_pulsar_options o = to_pulsar_defaults();
  o.format = KOP_CONVERT_KAFKA;
  const kop_convert_entry *entries;
  size_t n;
  kop_status status = kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n);
  cr_assert_eq(status == KOP_OK, reason == KOP_HOLE_NONE);
  cr_assert_eq(status != KOP_OK, kop_convert_error_text(c)[0] != 0, "a refusal has a reason");
  free(e.ptr);
}

enum { RECORD = 12, LENGTH = 0, DELTA = 3, HEADERS = 11 }; /* of batch_of's records */

Test(forged, a_batch_that_no_consumer_reads_is_a_hole_and_is_refused) {
  kop_convert *c = new_convert();
  for (int codec = 0; codec < 5; codec++) {
    bytes b = batch_of(3, codec);
    assert_reason(c, b, KOP_HOLE_NONE);
    say(b, 3, 9); /* holes behind them */
    assert_reason(c, b, KOP_HOLE_NONE);
    say(b, 2, 2); /* librdkafka reads what the count leaves out, Java fails */
    assert_reason(c, b, KOP_HOLE_MALFORMED);
    say(b, 4, 4);
    assert_reason(c, b, KOP_HOLE_MALFORMED);
    say(b, 0, 2);
    assert_reason(c, b, KOP_HOLE_MALFORMED);
    say(b, -1, 2);
    assert_reason(c, b, KOP_HOLE_MALFORMED);
    say(b, 1, -1);
    assert_reason(c, b, KOP_HOLE_MALFORMED);
    free(b.ptr);
  }
  static const struct {
    size_t at;
    uint8_t byte;
  } spoiled[] = {{LENGTH, 20}, {LENGTH, 24}, {LENGTH, 0}, {LENGTH, 1}, {HEADERS, 1}, {HEADERS, 2}};
  for (size_t i = 0; i < sizeof spoiled / sizeof spoiled[0]; i++) {
    for (size_t record = 0; record < 3; record++) {
      bytes b = batch_of(3, 0);
      cr_assert_eq(b.len, KOP_BATCH_HEAD_SIZE + 3 * RECORD);
      b.ptr[KOP_BATCH_HEAD_SIZE + record * RECORD + spoiled[i].at] = spoiled[i].byte;
      reseal(b.ptr, b.len);
      assert_reason(c, b, KOP_HOLE_MALFORMED);
      free(b.ptr);
    }
  }
  kop_convert_free(c);
}

Test(forged, offsets_that_leave_their_batch_or_do_not_rise) {
  kop_convert *c = new_convert();
  static const uint8_t wrong[] = {0, 1, 2, 0x7e, 0x7f}; /* 0, -1, 1, 63, -64 */
  for (size_t i = 0; i < sizeof wrong; i++) {
    bytes b = batch_of(3, 0);
    b.ptr[KOP_BATCH_HEAD_SIZE + RECORD + DELTA] = wrong[i];
    reseal(b.ptr, b.len);
    /* Where the count leaves no gap it says what was meant, and the batch is written anew. */
    bytes e = entry_of("entry.format", "kafka", 3, b);
    kop_convert_answer answer = answer_of(c, e, 3, 0);
    cr_assert_eq(assert_read_by_all(&answer), 1);
    cr_assert_eq(answer.batches[0].base_offset, 1000);
    cr_assert_eq(answer.batches[0].count, 3);
    free(e.ptr);
    say(b, 3, 9);
    assert_reason(c, b, wrong[i] == 2 ? KOP_HOLE_NONE : KOP_HOLE_MALFORMED);
    free(b.ptr);
  }
  kop_convert_free(c);
}

Test(forged, an_empty_batch_has_nothing_behind_it) {
  kop_convert *c = new_convert();
  uint8_t empty[KOP_BATCH_HEAD_SIZE + 1] = {0};
  cr_assert_eq(kop_batch_empty(0, 4, -1, empty), KOP_OK);
  bytes b = {empty, KOP_BATCH_HEAD_SIZE};
  assert_reason(c, b, KOP_HOLE_NONE);
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(b.ptr, b.len, &head), KOP_OK);
  head.attributes = KOP_CODEC_ZSTD;
  cr_assert_eq(kop_batch_head_patch(b.ptr, &head), KOP_OK);
  assert_reason(c, b, KOP_HOLE_MALFORMED);
  head.attributes = KOP_BATCH_CONTROL; /* what Kafka's cleaner leaves of a marker */
  cr_assert_eq(kop_batch_head_patch(b.ptr, &head), KOP_OK);
  assert_reason(c, b, KOP_HOLE_NONE);
  b.len++;
  b.ptr[11]++;
  reseal(b.ptr, b.len);
  assert_reason(c, b, KOP_HOLE_MALFORMED);
  kop_convert_free(c);
}

static kop_convert *small_convert(uint64_t max_bytes) {
  kop_convert_config config;
  kop_convert_config_init(&config, sizeof config);
  config.max_bytes = max_bytes;
  kop_convert *c;
  cr_assert_eq(kop_convert_new(&config, &c), KOP_OK);
  return c;
}

/* Random damage under a right checksum: what is given out is read by all, and what is taken comes back. */
Test(forged, spoiled_batches_are_read_or_holes) {
  enum { TURNS = 6000 };
  kop_convert *c = small_convert(256 * 1024); /* a head may claim millions of holes */
  uint64_t seed = 5;
  size_t read = 0;
  size_t holes = 0;
  size_t taken = 0;
  for (int turn = 0; turn < TURNS; turn++) {
    const shape s = {
        .records = 5, .producer = 1, .holes = turn % 2, .odd_head = 1, .codec = turn % 5};
    bytes b = random_batch(rng_next(&seed), &s);
    for (uint64_t n = 1 + rng_below(&seed, 2); n > 0; n--) {
      size_t at = rng_below(&seed, 2) == 0 ? 12 + rng_below(&seed, KOP_BATCH_HEAD_SIZE - 12)
                                           : 12 + rng_below(&seed, b.len - 12);
      static const uint8_t edges[] = {0, 1, 2, 0x7f, 0x80, 0xff};
      b.ptr[at] = rng_below(&seed, 2) == 0 ? edges[rng_below(&seed, 6)] : (uint8_t)rng_next(&seed);
    }
    if (b.ptr[16] != 2) b.ptr[16] = 2;
    reseal(b.ptr, b.len);
    bytes e = entry_of("entry.format", "kafka", 200, b);
    kop_convert_answer answer = answer_of(c, e, 200, 0);
    cr_assert_eq(assert_read_by_all(&answer) == 0, answer.kind == KOP_ANSWER_HOLE);
    int hole = answer.kind == KOP_ANSWER_HOLE;
    holes += (size_t)hole;
    read += (size_t)!hole;
    kop_to_pulsar_options o = to_pulsar_defaults();
    for (o.format = 0; o.format < 2; o.format++) {
      const kop_convert_entry *entries;
      size_t n;
      if (kop_convert_to_pulsar(c, b.ptr, b.len, &o, &entries, &n) != KOP_OK) continue;
      taken++;
      bytes back = entry_bytes(&entries[0]);
      answer = answer_of(c, back, entries[0].num_messages, 0);
      cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES, "%d %d: %s", turn, o.format,
                   kop_convert_error_text(c));
      assert_read_by_all(&answer);
      free(back.ptr);
    }
    free(e.ptr);
    free(b.ptr);
  }
  cr_assert_gt(read, TURNS / 10);
  cr_assert_gt(holes, TURNS / 10);
  cr_assert_gt(taken, TURNS / 10);
  kop_convert_free(c);
}

/* Each batch is within the bound, all together are not. */
Test(forged, batches_expand_to_the_bound_together) {
  kop_convert *c = small_convert(40000);
  for (int codec = 1; codec < 5; codec++) {
    bytes one = batch_of(2000, codec); /* 26 KB plain */
    bytes two = {.ptr = malloc(2 * one.len), .len = 2 * one.len};
    memcpy(two.ptr, one.ptr, one.len);
    memcpy(two.ptr + one.len, one.ptr, one.len);
    bytes e = entry_of("entry.format", "kafka", 2000, one);
    cr_assert_eq(answer_of(c, e, 2000, 0).batches_count, 1);
    free(e.ptr);
    e = entry_of("entry.format", "kafka", 4000, two);
    cr_assert_eq(answer_of(c, e, 4000, 0).reason, KOP_HOLE_LIMIT);
    cr_assert_eq(answer_of(c, e, 4000, KOP_TO_KAFKA_TRUST_RECORDS).batches_count, 2);
    free(e.ptr);
    free(one.ptr);
    free(two.ptr);
    bytes bomb = batch_of(4000, codec);
    kop_to_pulsar_options o = to_pulsar_defaults();
    const kop_convert_entry *entries;
    size_t n;
    for (o.format = 0; o.format < 2; o.format++) {
      cr_assert_eq(kop_convert_to_pulsar(c, bomb.ptr, bomb.len, &o, &entries, &n), KOP_ERR_LIMIT);
    }
    free(bomb.ptr);
  }
  kop_convert_free(c);
}
