/* Entries: what stands around metadata and payload, kinds, checksums, and the order of ids. */
#include <criterion/criterion.h>
#include <kop/pulsar_entry.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "fixtures.h"

enum { CHECKSUM_SIZE = 6 };

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

static kop_pulsar_metadata simple(void) {
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present =
      KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID | KOP_PULSAR_HAS_PUBLISH_TIME;
  md.producer_name = text("p");
  md.sequence_id = 1;
  md.publish_time = 2;
  return md;
}

Test(entry_entry, written_in_pieces_it_is_read_in_one) {
  kop_pulsar_metadata md = simple();
  kop_slice pieces[] = {text("one"), {NULL, 0}, text("two")};
  kop_pulsar_property property = {text("k"), text("v")};
  uint8_t bytes[256];
  size_t len;
  cr_assert_eq(kop_pulsar_entry_write(&md, &property, 1, pieces, 3, bytes, sizeof bytes, &len),
               KOP_OK);
  memcpy(bytes + len, "onetwo", 6);
  kop_pulsar_entry entry;
  cr_assert_eq(kop_pulsar_entry_read(bytes, len + 6, KOP_PULSAR_ENTRY_CHECK, &entry), KOP_OK);
  cr_assert_eq(entry.present, (uint32_t)KOP_PULSAR_ENTRY_HAS_CHECKSUM);
  cr_assert_eq(entry.payload.len, 6);
  cr_assert_eq(memcmp(entry.payload.ptr, "onetwo", 6), 0);
  cr_assert_eq(entry.metadata.properties.count, 1);
  cr_assert_eq(entry.checksum, kopi_crc32c(0, bytes + CHECKSUM_SIZE, len));
  size_t need = 0;
  cr_assert_eq(kop_pulsar_entry_write(&md, &property, 1, pieces, 3, bytes, len - 1, &need),
               KOP_ERR_NO_SPACE);
  cr_assert_eq(need, len);
  md.present = 0;
  cr_assert_eq(kop_pulsar_entry_write(&md, NULL, 0, NULL, 0, bytes, sizeof bytes, &len),
               KOP_ERR_INVALID);
  cr_assert_eq(kop_pulsar_entry_read(bytes, len, 2, &entry), KOP_ERR_INVALID);
}

Test(entry_entry, any_changed_byte_behind_the_checksum_is_noticed) {
  kop_pulsar_metadata md = simple();
  kop_slice payload = text("payload");
  uint8_t bytes[64];
  size_t len;
  cr_assert_eq(kop_pulsar_entry_write(&md, NULL, 0, &payload, 1, bytes, sizeof bytes, &len),
               KOP_OK);
  memcpy(bytes + len, payload.ptr, payload.len);
  len += payload.len;
  for (size_t i = 2; i < len; i++) {
    bytes[i] ^= 0x40;
    kop_pulsar_entry entry;
    kop_status status = kop_pulsar_entry_read(bytes, len, KOP_PULSAR_ENTRY_CHECK, &entry);
    /* A size that passes the end is noticed before the checksum. */
    int in_size = i >= CHECKSUM_SIZE && i < CHECKSUM_SIZE + 4;
    cr_assert_eq(status, in_size ? KOP_ERR_TRUNCATED : KOP_ERR_CHECKSUM, "byte %zu", i);
    bytes[i] ^= 0x40;
  }
}

static void cut(const fixture *f, void *context) {
  size_t *whole = context;
  kop_pulsar_entry entry;
  cr_assert_eq(kop_pulsar_entry_read(f->bytes, f->len, 0, &entry), KOP_OK);
  size_t head = f->len - entry.payload.len;
  for (size_t len = 0; len < f->len; len += len < head + 8 ? 1 : 97) {
    uint8_t *part = malloc(len == 0 ? 1 : len);
    memcpy(part, f->bytes, len);
    kop_pulsar_entry some;
    kop_status status = kop_pulsar_entry_read(part, len, 0, &some);
    if (len < head) {
      cr_assert(status == KOP_ERR_TRUNCATED || status == KOP_ERR_MALFORMED, "%s at %zu", f->id,
                len);
    } else {
      cr_assert_eq(status, KOP_OK);
      int has_checksum = (some.present & KOP_PULSAR_ENTRY_HAS_CHECKSUM) != 0;
      cr_assert_eq(kop_pulsar_entry_check(&some), has_checksum ? KOP_ERR_CHECKSUM : KOP_OK);
      *whole += 1;
    }
    free(part);
  }
}

Test(entry_entry, cut_anywhere_nothing_is_read_beyond_the_end) {
  size_t whole = 0;
  fixture_each("pulsar.entries.tsv", cut, &whole);
  fixture_each("kafka.entries.tsv", cut, &whole);
  cr_assert_gt(whole, 100);
}

Test(entry_entry, of_two_broker_blocks_the_first_counts) {
  static const uint8_t bytes[] = {
      0x0e, 0x02, 0, 0, 0,    5, 0x08, 9, 0x10, 0x80, 0x01, /* timestamp 9, index 128 */
      0x0e, 0x02, 0, 0, 0,    2, 0x10, 7,                   /* index 7 */
      0,    0,    0, 6, 0x0A, 0, 0x10, 1, 0x18, 2,    'v'};
  kop_pulsar_entry entry;
  cr_assert_eq(kop_pulsar_entry_read(bytes, sizeof bytes, KOP_PULSAR_ENTRY_CHECK, &entry), KOP_OK);
  cr_assert_eq(entry.present,
               (uint32_t)(KOP_PULSAR_ENTRY_HAS_INDEX | KOP_PULSAR_ENTRY_HAS_BROKER_TIMESTAMP));
  cr_assert_eq(entry.index, 128);
  cr_assert_eq(entry.broker_timestamp, 9);
  cr_assert_eq(entry.payload.len, 1);
  /* Neither field has to be there; a field of another type is no metadata. */
  cr_assert_eq(kop_pulsar_entry_read(bytes + 11, sizeof bytes - 11, 0, &entry), KOP_OK);
  cr_assert_eq(entry.present, (uint32_t)KOP_PULSAR_ENTRY_HAS_INDEX);
  static const uint8_t other[] = {0x0e, 0x02, 0, 0, 0, 2, 0x12, 0, 0, 0, 0, 0};
  cr_assert_eq(kop_pulsar_entry_read(other, sizeof other, 0, &entry), KOP_ERR_MALFORMED);
}

Test(entry_entry, the_kind_is_the_first_that_holds) {
  static const uint8_t key[] = {0x6A, 4, 0x0A, 0, 0x12, 0};
  kop_pulsar_metadata md = simple();
  cr_assert_eq(kop_pulsar_entry_kind(&md), KOP_PULSAR_KIND_SINGLE);
  md.present |= KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  cr_assert_eq(kop_pulsar_entry_kind(&md), KOP_PULSAR_KIND_BATCH);
  md.present |= KOP_PULSAR_HAS_NUM_CHUNKS_FROM_MSG;
  md.num_chunks_from_msg = 1;
  cr_assert_eq(kop_pulsar_entry_kind(&md), KOP_PULSAR_KIND_BATCH, "one chunk is the message");
  md.num_chunks_from_msg = 2;
  cr_assert_eq(kop_pulsar_entry_kind(&md), KOP_PULSAR_KIND_CHUNK);
  md.encryption_keys = (kop_pulsar_repeated){.ptr = key, .len = 6, .count = 1, .field = 13};
  cr_assert_eq(kop_pulsar_entry_kind(&md), KOP_PULSAR_KIND_ENCRYPTED);
  md.present |= KOP_PULSAR_HAS_MARKER_TYPE;
  cr_assert_eq(kop_pulsar_entry_kind(&md), KOP_PULSAR_KIND_MARKER);
}

Test(entry_entry, ids_are_ordered_from_the_earliest_to_the_latest) {
  const uint64_t first = KOP_PULSAR_EARLIEST;
  const uint64_t last = KOP_PULSAR_LATEST;
  const kop_pulsar_message_id rising[] = {
      {.ledger_id = first, .entry_id = first, .partition = -1, .batch_index = -1},
      {.ledger_id = 0, .entry_id = first, .partition = 1, .batch_index = -1},
      {.ledger_id = 0, .entry_id = 0, .partition = 0, .batch_index = -1},
      {.ledger_id = 0, .entry_id = 0, .partition = 0, .batch_index = 0},
      {.ledger_id = 0, .entry_id = 0, .partition = -1, .batch_index = 1},
      {.ledger_id = 0, .entry_id = 1, .partition = -1, .batch_index = -1},
      {.ledger_id = 5, .entry_id = 0, .partition = -1, .batch_index = 0},
      {.ledger_id = last, .entry_id = last, .partition = -1, .batch_index = -1},
  };
  int n = sizeof rising / sizeof rising[0];
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < n; k++) {
      int32_t order = kop_pulsar_message_id_compare(&rising[i], &rising[k]);
      cr_assert_eq((order > 0) - (order < 0), (i > k) - (i < k), "%d %d", i, k);
    }
  }
  kop_pulsar_message_id other = rising[3];
  other.partition = 9;
  other.batch_size = 3;
  cr_assert_eq(kop_pulsar_message_id_compare(&rising[3], &other), 0);
}
