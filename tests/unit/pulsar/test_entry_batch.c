/* Batches: written message by message, walked exactly, and refused where they lie. */
#include <criterion/criterion.h>
#include <kop/pulsar_entry.h>
#include <stdlib.h>
#include <string.h>

#include "support/rng.h"

enum { ROOM = 4096, MOST = 8 };

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

static int same(kop_slice a, kop_slice b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static kop_pulsar_metadata batch_of(int32_t n) {
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present = KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID |
               KOP_PULSAR_HAS_PUBLISH_TIME | KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  md.num_messages_in_batch = n;
  return md;
}

/* Three messages: with key and property, a tombstone, an empty one. */
static size_t three(uint8_t *out) {
  size_t at = 0;
  size_t len;
  kop_pulsar_property property = {text("h"), text("x")};
  for (int i = 0; i < 3; i++) {
    kop_pulsar_single single;
    kop_pulsar_single_init(&single);
    single.sequence_id = (uint64_t)i;
    single.present = KOP_PULSAR_SINGLE_HAS_SEQUENCE_ID;
    if (i == 0) {
      single.partition_key = text("key");
      single.present |= KOP_PULSAR_SINGLE_HAS_PARTITION_KEY;
    }
    if (i == 1) {
      single.null_value = 1;
      single.present |= KOP_PULSAR_SINGLE_HAS_NULL_VALUE;
    }
    kop_slice value = i == 0 ? text("value") : (kop_slice){NULL, 0};
    cr_assert_eq(kop_pulsar_batch_put(&single, &property, i == 0, value, out + at, ROOM - at, &len),
                 KOP_OK);
    at += len;
  }
  return at;
}

Test(entry_batch, what_was_put_is_walked) {
  uint8_t bytes[ROOM];
  size_t len = three(bytes);
  kop_pulsar_metadata md = batch_of(3);
  kop_pulsar_batch_iter it;
  kop_pulsar_message m;
  cr_assert_eq(kop_pulsar_batch_begin(&it, &md, (kop_slice){bytes, len}), KOP_OK);
  for (int i = 0; i < 3; i++) {
    cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_OK);
    cr_assert_eq(m.batch_index, i);
    cr_assert_eq(m.single.sequence_id, (uint64_t)i);
    cr_assert_eq(m.single.null_value, i == 1);
    cr_assert_eq(m.single.properties.count, i == 0);
    cr_assert_not_null(m.payload.ptr);
    cr_assert(same(m.payload, i == 0 ? text("value") : text("")));
    cr_assert_eq(m.single.partition_key.ptr != NULL, i == 0);
  }
  cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_ERR_NOT_FOUND);
}

Test(entry_batch, cut_anywhere_it_is_malformed_and_then_over) {
  uint8_t bytes[ROOM];
  size_t len = three(bytes);
  size_t ends[2] = {0};
  kop_pulsar_metadata md = batch_of(3);
  for (int i = 0; i < 2; i++) {
    kop_pulsar_batch_iter whole;
    kop_pulsar_message m;
    cr_assert_eq(kop_pulsar_batch_begin(&whole, &md, (kop_slice){bytes, len}), KOP_OK);
    for (int k = 0; k <= i; k++) {
      cr_assert_eq(kop_pulsar_batch_next(&whole, &m), KOP_OK);
    }
    ends[i] = (size_t)(m.payload.ptr - bytes) + m.payload.len;
  }
  for (size_t cut = 0; cut < len; cut++) {
    uint8_t *part = malloc(cut == 0 ? 1 : cut);
    memcpy(part, bytes, cut);
    kop_pulsar_batch_iter it;
    kop_pulsar_message m;
    kop_status status;
    cr_assert_eq(kop_pulsar_batch_begin(&it, &md, (kop_slice){cut == 0 ? NULL : part, cut}),
                 KOP_OK);
    int n = 0;
    while ((status = kop_pulsar_batch_next(&it, &m)) == KOP_OK) {
      n++;
    }
    cr_assert_eq(status, KOP_ERR_MALFORMED);
    cr_assert_eq(n, (cut >= ends[0]) + (cut >= ends[1]), "cut at %zu", cut);
    cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_ERR_NOT_FOUND);
    free(part);
  }
}

Test(entry_batch, a_size_that_passes_the_end_is_malformed) {
  static const uint32_t lies[] = {0x7fffffff, 0x80000000, 0xffffffff, 100};
  kop_pulsar_metadata md = batch_of(1);
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    uint8_t size_lies[] = {(uint8_t)(lies[i] >> 24),
                           (uint8_t)(lies[i] >> 16),
                           (uint8_t)(lies[i] >> 8),
                           (uint8_t)lies[i],
                           0x18,
                           0};
    /* payload_size as a varint of five bytes */
    uint8_t payload_lies[] = {0,
                              0,
                              0,
                              6,
                              0x18,
                              (uint8_t)(lies[i] | 0x80),
                              (uint8_t)(lies[i] >> 7 | 0x80),
                              (uint8_t)(lies[i] >> 14 | 0x80),
                              (uint8_t)(lies[i] >> 21 | 0x80),
                              (uint8_t)(lies[i] >> 28)};
    kop_pulsar_batch_iter it;
    kop_pulsar_message m;
    cr_assert_eq(kop_pulsar_batch_begin(&it, &md, (kop_slice){size_lies, sizeof size_lies}),
                 KOP_OK);
    cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_ERR_MALFORMED);
    cr_assert_eq(kop_pulsar_batch_begin(&it, &md, (kop_slice){payload_lies, sizeof payload_lies}),
                 KOP_OK);
    cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_ERR_MALFORMED);
  }
}

Test(entry_batch, bytes_behind_the_last_message_do_not_matter) {
  uint8_t bytes[ROOM];
  size_t len = three(bytes);
  kop_pulsar_metadata md = batch_of(2);
  kop_pulsar_batch_iter it;
  kop_pulsar_message m;
  cr_assert_eq(kop_pulsar_batch_begin(&it, &md, (kop_slice){bytes, len}), KOP_OK);
  cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_OK);
  cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_OK);
  cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_ERR_NOT_FOUND);
}

Test(entry_batch, a_batch_of_none_is_malformed_and_one_of_one_is_a_batch) {
  static const int32_t counts[] = {0, -1, INT32_MIN};
  kop_pulsar_batch_iter it;
  kop_pulsar_message m;
  for (size_t i = 0; i < 3; i++) {
    kop_pulsar_metadata md = batch_of(counts[i]);
    cr_assert_eq(kop_pulsar_batch_begin(&it, &md, (kop_slice){NULL, 0}), KOP_ERR_MALFORMED);
    cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_ERR_NOT_FOUND);
  }
  static const uint8_t one[] = {0, 0, 0, 2, 0x18, 1, 'v'};
  kop_pulsar_metadata md = batch_of(1);
  cr_assert_eq(kop_pulsar_batch_begin(&it, &md, (kop_slice){one, sizeof one}), KOP_OK);
  cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_OK);
  cr_assert(same(m.payload, text("v")));
  /* Without the bit the same bytes are the value. */
  md.present &= ~KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  cr_assert_eq(kop_pulsar_batch_begin(&it, &md, (kop_slice){one, sizeof one}), KOP_OK);
  cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_OK);
  cr_assert_eq(m.payload.len, sizeof one);
  cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_ERR_NOT_FOUND);
}

Test(entry_batch, without_batch_format_the_facts_of_the_entry_are_the_message) {
  static const uint8_t property[] = {0x22, 6, 0x0A, 1, 'k', 0x12, 1, 'v'};
  kop_pulsar_metadata md = batch_of(1);
  md.present = KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID |
               KOP_PULSAR_HAS_PUBLISH_TIME | KOP_PULSAR_HAS_EVENT_TIME |
               KOP_PULSAR_HAS_ORDERING_KEY | KOP_PULSAR_HAS_PARTITION_KEY |
               KOP_PULSAR_HAS_PARTITION_KEY_B64_ENCODED | KOP_PULSAR_HAS_NULL_VALUE;
  md.sequence_id = 5;
  md.event_time = 6;
  md.ordering_key = text("o");
  md.partition_key = text("b28=");
  md.partition_key_b64_encoded = 1;
  md.null_value = 1;
  md.properties = (kop_pulsar_repeated){.ptr = property, .len = 8, .count = 1, .field = 4};
  kop_pulsar_batch_iter it;
  kop_pulsar_message m;
  cr_assert_eq(kop_pulsar_batch_begin(&it, &md, (kop_slice){NULL, 0}), KOP_OK);
  cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_OK);
  cr_assert_eq(m.single.present,
               (uint32_t)(KOP_PULSAR_SINGLE_HAS_SEQUENCE_ID | KOP_PULSAR_SINGLE_HAS_EVENT_TIME |
                          KOP_PULSAR_SINGLE_HAS_ORDERING_KEY | KOP_PULSAR_SINGLE_HAS_PARTITION_KEY |
                          KOP_PULSAR_SINGLE_HAS_PARTITION_KEY_B64_ENCODED |
                          KOP_PULSAR_SINGLE_HAS_NULL_VALUE | KOP_PULSAR_SINGLE_HAS_PAYLOAD_SIZE));
  cr_assert_eq(m.single.sequence_id, 5);
  cr_assert_eq(m.single.event_time, 6);
  cr_assert(same(m.single.ordering_key, text("o")));
  cr_assert(same(m.single.partition_key, text("b28=")));
  cr_assert_eq(m.single.partition_key_b64_encoded, 1);
  cr_assert_eq(m.single.null_value, 1);
  cr_assert_eq(m.batch_index, 0);
  cr_assert_not_null(m.payload.ptr);
  kop_pulsar_property p;
  cr_assert_eq(kop_pulsar_property_next(&m.single.properties, &p), KOP_OK);
  cr_assert(same(p.key, text("k")) && same(p.value, text("v")));
}

/* A batch of `size` of which compaction left those with the indexes given. */
static kop_status left_over(int32_t size, const uint8_t *indexes, uint8_t n, int32_t *out) {
  uint8_t list[64];
  uint8_t bytes[ROOM];
  size_t at = 0;
  kop_pulsar_metadata md = batch_of(size);
  md.compacted_batch_indexes = (kop_pulsar_repeated){.ptr = list, .count = n, .field = 31};
  for (uint8_t i = 0; i < n; i++) {
    list[3 * i] = 0xF8;
    list[3 * i + 1] = 1;
    list[3 * i + 2] = indexes[i];
    md.compacted_batch_indexes.len += 3;
    static const uint8_t empty[] = {0, 0, 0, 2, 0x18, 0};
    memcpy(bytes + at, empty, sizeof empty);
    at += sizeof empty;
  }
  kop_pulsar_batch_iter it;
  kop_pulsar_message m;
  kop_status status = kop_pulsar_batch_begin(&it, &md, (kop_slice){bytes, at});
  while (status == KOP_OK) {
    status = kop_pulsar_batch_next(&it, &m);
    if (status == KOP_OK) *out++ = m.batch_index;
  }
  return status;
}

Test(entry_batch, what_compaction_left_keeps_its_index) {
  int32_t found[MOST] = {0};
  static const uint8_t some[] = {1, 4, 5};
  cr_assert_eq(left_over(6, some, 3, found), KOP_ERR_NOT_FOUND);
  cr_assert(found[0] == 1 && found[1] == 4 && found[2] == 5);
  cr_assert_eq(left_over(5, some, 3, found), KOP_ERR_MALFORMED, "an index outside the batch");
  cr_assert_eq(left_over(2, some, 3, found), KOP_ERR_MALFORMED, "more than there were");
  static const uint8_t falling[] = {1, 4, 4};
  cr_assert_eq(left_over(6, falling, 3, found), KOP_ERR_MALFORMED);
}

Test(entry_batch, what_older_compaction_removed_keeps_its_place) {
  /* size, payload_size 0, compacted_out; then a message that stayed */
  static const uint8_t bytes[] = {0, 0, 0, 4, 0x18, 0, 0x20, 1, 0, 0, 0, 2, 0x18, 1, 'v'};
  kop_pulsar_metadata md = batch_of(2);
  kop_pulsar_batch_iter it;
  kop_pulsar_message m;
  cr_assert_eq(kop_pulsar_batch_begin(&it, &md, (kop_slice){bytes, sizeof bytes}), KOP_OK);
  cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_OK);
  cr_assert(m.compacted_out == 1 && m.batch_index == 0);
  cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_OK);
  cr_assert(m.compacted_out == 0 && m.batch_index == 1);
}

Test(entry_batch, a_put_says_how_much_room_it_needs_and_writes_nothing_else) {
  uint64_t rng = 7;
  for (int round = 0; round < 2000; round++) {
    uint8_t value[300];
    kop_slice payload = {value, rng_below(&rng, sizeof value)};
    memset(value, round, sizeof value);
    kop_pulsar_single single;
    kop_pulsar_single_init(&single);
    single.present = (uint32_t)rng_below(&rng, 1 << 11);
    single.event_time = rng_next(&rng) >> rng_below(&rng, 64);
    single.sequence_id = rng_next(&rng) >> rng_below(&rng, 64);
    single.partition_key = text("some key");
    single.ordering_key = text("");
    kop_pulsar_property properties[2] = {{text("a"), text("b")}, {text(""), payload}};
    size_t n = rng_below(&rng, 3);
    size_t need = 0;
    uint8_t out[1024];
    memset(out, 0xEE, sizeof out);
    cr_assert_eq(kop_pulsar_batch_put(&single, properties, n, payload, out, 0, &need),
                 KOP_ERR_NO_SPACE);
    size_t len = need;
    cr_assert_eq(kop_pulsar_batch_put(&single, properties, n, payload, out, need - 1, &len),
                 KOP_ERR_NO_SPACE);
    cr_assert_eq(out[0], 0xEE);
    cr_assert_eq(kop_pulsar_batch_put(&single, properties, n, payload, out, need, &len), KOP_OK);
    cr_assert_eq(len, need);
    cr_assert_eq(out[need], 0xEE);
    kop_pulsar_metadata md = batch_of(1);
    kop_pulsar_batch_iter it;
    kop_pulsar_message m;
    cr_assert_eq(kop_pulsar_batch_begin(&it, &md, (kop_slice){out, len}), KOP_OK);
    cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_OK);
    cr_assert(same(m.payload, payload));
    cr_assert_eq(m.single.properties.count, (int32_t)n);
    cr_assert_eq(m.single.present & ~3u,
                 (single.present | KOP_PULSAR_SINGLE_HAS_PAYLOAD_SIZE) & ~3u);
    cr_assert_eq(it.next, it.end);
  }
}
