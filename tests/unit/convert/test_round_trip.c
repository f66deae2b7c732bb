/* Kafka, Pulsar, Kafka: random batches come back equal in every byte, and random native messages the other way round. */
#include "support.h"

enum { TURNS = 4000 };

/* Reads an entry that must give one batch. */
static kop_convert_batch read_one(kop_convert *c, bytes entry, int64_t first, int64_t last,
                                  int32_t codec) {
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  o.codec = codec;
  kop_convert_answer answer;
  cr_assert_eq(kop_convert_to_kafka(c, entry.ptr, entry.len, first, last, &o, &answer), KOP_OK);
  cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES, "kind %d reason %d %s", answer.kind, answer.reason,
               kop_convert_error_text(c));
  cr_assert_eq(answer.batches_count, 1);
  cr_assert_eq(answer.writer, KOP_CONVERT_BY_LIBRARY);
  cr_assert_eq(answer.dropped, 0);
  return answer.batches[0];
}

/* With the base offset that reading gives it. */
static void set_base(bytes batch, int64_t base) {
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(batch.ptr, batch.len, &head), KOP_OK);
  kop_batch_set_position(batch.ptr, base, head.leader_epoch);
}

static kop_convert_entry write_one(kop_convert *c, bytes batch, const kop_to_pulsar_options *o) {
  const kop_convert_entry *entries;
  size_t n;
  kop_status status = kop_convert_to_pulsar(c, batch.ptr, batch.len, o, &entries, &n);
  cr_assert_eq(status, KOP_OK, "%s", kop_convert_error_text(c));
  cr_assert_eq(n, 1);
  cr_assert_eq(entries[0].first_delta, 0);
  return entries[0];
}

Test(round_trip, a_plain_batch_comes_back_equal_in_every_byte) {
  kop_convert *c = new_convert();
  uint64_t seed = 1;
  for (int turn = 0; turn < TURNS; turn++) {
    const shape s = {.records = 12, .producer = 1, .holes = turn % 3 == 0, .odd_head = turn % 2};
    bytes batch = random_batch(rng_next(&seed), &s);
    kop_to_pulsar_options o = to_pulsar_defaults();
    o.key = (int32_t)rng_below(&seed, 2);
    o.compression = (int32_t)rng_below(&seed, 6) - 1;
    const kop_pulsar_property more[] = {{text_slice("kop.term"), text_slice("7 1 99")},
                                        {text_slice("kop.other"), text_slice("")}};
    o.properties = more;
    o.properties_count = (size_t)rng_below(&seed, 3);
    o.producer_name = text_slice("gateway-1");
    kop_convert_entry entry = write_one(c, batch, &o);
    kop_batch_head head;
    cr_assert_eq(kop_batch_head_decode(batch.ptr, batch.len, &head), KOP_OK);
    cr_assert_eq(entry.num_messages, head.last_offset_delta + 1);
    cr_assert_eq(entry.count, head.count);
    cr_assert_eq(entry.max_timestamp, head.max_timestamp);
    bytes e = entry_bytes(&entry);
    int64_t first = (int64_t)rng_below(&seed, 1 << 30);
    kop_convert_batch back = read_one(c, e, first, first + entry.num_messages - 1, KOP_CODEC_NONE);
    bytes got = batch_bytes(&back);
    set_base(batch, first);
    cr_assert_eq(got.len, batch.len);
    cr_assert_eq(memcmp(got.ptr, batch.ptr, got.len), 0, "turn %d", turn);
    free(got.ptr);
    free(e.ptr);
    free(batch.ptr);
  }
  kop_convert_free(c);
}

Test(round_trip, a_compressed_batch_keeps_its_codec_and_all_else) {
  kop_convert *c = new_convert();
  uint64_t seed = 2;
  for (int turn = 0; turn < TURNS / 4; turn++) {
    uint64_t which = rng_next(&seed);
    shape s = {.records = 40, .producer = 1, .holes = turn % 3 == 0, .odd_head = turn % 2};
    bytes plain = random_batch(which, &s);
    s.codec = 1 + turn % 4;
    bytes packed = random_batch(which, &s);
    kop_to_pulsar_options o = to_pulsar_defaults();
    kop_convert_entry entry = write_one(c, packed, &o);
    bytes e = entry_bytes(&entry);
    int64_t last = entry.num_messages - 1;
    kop_pulsar_entry read;
    cr_assert_eq(kop_pulsar_entry_read(e.ptr, e.len, KOP_PULSAR_ENTRY_CHECK, &read), KOP_OK);
    const int32_t same[] = {0, KOP_PULSAR_COMPRESSION_ZLIB, KOP_PULSAR_COMPRESSION_SNAPPY,
                            KOP_PULSAR_COMPRESSION_LZ4, KOP_PULSAR_COMPRESSION_ZSTD};
    cr_assert_eq(read.metadata.compression, same[s.codec]);

    kop_convert_batch back = read_one(c, e, 0, last, KOP_CODEC_NONE);
    bytes got = batch_bytes(&back);
    cr_assert_eq(got.len, plain.len);
    cr_assert_eq(memcmp(got.ptr, plain.ptr, got.len), 0);
    free(got.ptr);

    back = read_one(c, e, 0, last, KOP_CODEC_KEEP);
    cr_assert_eq(back.attributes & KOP_BATCH_CODEC_MASK, s.codec);
    got = batch_bytes(&back);
    assert_same_batch(got.ptr, got.len, packed.ptr, packed.len);
    free(got.ptr);
    free(e.ptr);
    free(plain.ptr);
    free(packed.ptr);
  }
  kop_convert_free(c);
}

Test(round_trip, a_batch_in_kafka_format_is_not_touched) {
  kop_convert *c = new_convert();
  uint64_t seed = 3;
  for (int turn = 0; turn < TURNS / 4; turn++) {
    const shape s = {
        .records = 20, .producer = 1, .holes = turn % 3 == 0, .odd_head = 1, .codec = turn % 5};
    bytes batch = random_batch(rng_next(&seed), &s);
    kop_to_pulsar_options o = to_pulsar_defaults();
    o.format = KOP_CONVERT_KAFKA;
    kop_convert_entry entry = write_one(c, batch, &o);
    cr_assert_eq(entry.payload.ptr, batch.ptr, "it is lent, not copied");
    bytes e = entry_bytes(&entry);
    kop_convert_batch back = read_one(c, e, 50, 50 + entry.num_messages - 1, KOP_CODEC_KEEP);
    bytes got = batch_bytes(&back);
    set_base(batch, 50);
    cr_assert_eq(got.len, batch.len);
    cr_assert_eq(memcmp(got.ptr, batch.ptr, got.len), 0);
    free(got.ptr);
    free(e.ptr);
    free(batch.ptr);
  }
  kop_convert_free(c);
}
