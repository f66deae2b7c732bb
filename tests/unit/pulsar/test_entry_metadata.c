/* MessageMetadata and SingleMessageMetadata against protobuf-c: the same fields out of the same bytes, and the same bytes out of the same fields. */
#include <criterion/criterion.h>
#include <kop/pulsar_entry.h>
#include <stdlib.h>
#include <string.h>

#include "pulsar/gen/PulsarApi.pb-c.h"
#include "pulsar/pb.h"
#include "random_proto.h"
#include "support/rng.h"

enum { ROUNDS = 20000 };

static void same_string(int present, kop_slice mine, const char *theirs) {
  cr_assert_eq(present != 0, theirs != NULL);
  if (theirs == NULL) {
    cr_assert_null(mine.ptr);
    return;
  }
  cr_assert_eq(mine.len, strlen(theirs));
  cr_assert_eq(memcmp(mine.ptr, theirs, mine.len), 0);
}

static void same_bytes(int present, kop_slice mine, int has, ProtobufCBinaryData theirs) {
  cr_assert_eq(present != 0, has != 0);
  if (!has) return;
  cr_assert_eq(mine.len, theirs.len);
  if (mine.len != 0) cr_assert_eq(memcmp(mine.ptr, theirs.data, mine.len), 0);
}

static void same_properties(kop_pulsar_repeated mine, size_t n, Kopi__KeyValue *const *theirs) {
  cr_assert_eq((size_t)mine.count, n);
  for (size_t i = 0; i < n; i++) {
    kop_pulsar_property property;
    cr_assert_eq(kop_pulsar_property_next(&mine, &property), KOP_OK);
    same_string(1, property.key, theirs[i]->key);
    same_string(1, property.value, theirs[i]->value);
  }
  kop_pulsar_property none;
  cr_assert_eq(kop_pulsar_property_next(&mine, &none), KOP_ERR_NOT_FOUND);
}

/* A field of protobuf-c's struct whose presence it keeps in has_NAME, and the same one here. */
#define SAME(NAME, BIT)                                                                            \
  cr_assert_eq((md->present & KOP_PULSAR_HAS_##BIT) != 0, pb->has_##NAME != 0, #NAME);             \
  cr_assert_eq((uint64_t)md->NAME, (uint64_t)pb->NAME, #NAME)

static void same_metadata(const kop_pulsar_metadata *md, const Kopi__MessageMetadata *pb) {
  same_string((md->present & KOP_PULSAR_HAS_PRODUCER_NAME) != 0, md->producer_name,
              pb->producer_name);
  cr_assert_eq(md->sequence_id, pb->sequence_id);
  cr_assert_eq(md->publish_time, pb->publish_time);
  same_properties(md->properties, pb->n_properties, pb->properties);
  same_string((md->present & KOP_PULSAR_HAS_REPLICATED_FROM) != 0, md->replicated_from,
              pb->replicated_from);
  same_string((md->present & KOP_PULSAR_HAS_PARTITION_KEY) != 0, md->partition_key,
              pb->partition_key);
  same_string((md->present & KOP_PULSAR_HAS_ENCRYPTION_ALGO) != 0, md->encryption_algo,
              pb->encryption_algo);
  same_string((md->present & KOP_PULSAR_HAS_UUID) != 0, md->uuid, pb->uuid);
  SAME(compression, COMPRESSION);
  SAME(uncompressed_size, UNCOMPRESSED_SIZE);
  SAME(num_messages_in_batch, NUM_MESSAGES_IN_BATCH);
  SAME(event_time, EVENT_TIME);
  SAME(partition_key_b64_encoded, PARTITION_KEY_B64_ENCODED);
  SAME(deliver_at_time, DELIVER_AT_TIME);
  SAME(marker_type, MARKER_TYPE);
  SAME(txnid_least_bits, TXNID_LEAST_BITS);
  SAME(txnid_most_bits, TXNID_MOST_BITS);
  SAME(highest_sequence_id, HIGHEST_SEQUENCE_ID);
  SAME(null_value, NULL_VALUE);
  SAME(num_chunks_from_msg, NUM_CHUNKS_FROM_MSG);
  SAME(total_chunk_msg_size, TOTAL_CHUNK_MSG_SIZE);
  SAME(chunk_id, CHUNK_ID);
  SAME(null_partition_key, NULL_PARTITION_KEY);
  SAME(entry_hash_min, ENTRY_HASH_MIN);
  SAME(entry_hash_max, ENTRY_HASH_MAX);
  same_bytes((md->present & KOP_PULSAR_HAS_ENCRYPTION_PARAM) != 0, md->encryption_param,
             pb->has_encryption_param, pb->encryption_param);
  same_bytes((md->present & KOP_PULSAR_HAS_SCHEMA_VERSION) != 0, md->schema_version,
             pb->has_schema_version, pb->schema_version);
  same_bytes((md->present & KOP_PULSAR_HAS_ORDERING_KEY) != 0, md->ordering_key,
             pb->has_ordering_key, pb->ordering_key);
  same_bytes((md->present & KOP_PULSAR_HAS_SCHEMA_ID) != 0, md->schema_id, pb->has_schema_id,
             pb->schema_id);
}

static void same_lists(const kop_pulsar_metadata *md, const Kopi__MessageMetadata *pb) {
  kop_pulsar_repeated rest = md->replicate_to;
  for (size_t i = 0; i < pb->n_replicate_to; i++) {
    kop_slice cluster;
    cr_assert_eq(kop_pulsar_string_next(&rest, &cluster), KOP_OK);
    same_string(1, cluster, pb->replicate_to[i]);
  }
  cr_assert_eq(rest.count, 0);
  rest = md->compacted_batch_indexes;
  for (size_t i = 0; i < pb->n_compacted_batch_indexes; i++) {
    int32_t index;
    cr_assert_eq(kop_pulsar_int_next(&rest, &index), KOP_OK);
    cr_assert_eq(index, pb->compacted_batch_indexes[i]);
  }
  cr_assert_eq(rest.count, 0);
  rest = md->encryption_keys;
  for (size_t i = 0; i < pb->n_encryption_keys; i++) {
    kop_pulsar_encryption_key key;
    cr_assert_eq(kop_pulsar_encryption_key_next(&rest, &key), KOP_OK);
    same_string(1, key.name, pb->encryption_keys[i]->key);
    same_bytes(1, key.value, 1, pb->encryption_keys[i]->value);
    same_properties(key.metadata, pb->encryption_keys[i]->n_metadata,
                    pb->encryption_keys[i]->metadata);
  }
  cr_assert_eq(rest.count, 0);
}

static void same_single(const kop_pulsar_single *md, const Kopi__SingleMessageMetadata *pb) {
  uint32_t has = md->present;
  same_properties(md->properties, pb->n_properties, pb->properties);
  same_string((has & KOP_PULSAR_SINGLE_HAS_PARTITION_KEY) != 0, md->partition_key,
              pb->partition_key);
  same_bytes((has & KOP_PULSAR_SINGLE_HAS_ORDERING_KEY) != 0, md->ordering_key,
             pb->has_ordering_key, pb->ordering_key);
  cr_assert_eq(md->payload_size, pb->payload_size);
  cr_assert_eq((has & KOP_PULSAR_SINGLE_HAS_COMPACTED_OUT) != 0, pb->has_compacted_out);
  cr_assert_eq(md->compacted_out, pb->compacted_out);
  cr_assert_eq((has & KOP_PULSAR_SINGLE_HAS_EVENT_TIME) != 0, pb->has_event_time);
  cr_assert_eq(md->event_time, pb->event_time);
  cr_assert_eq((has & KOP_PULSAR_SINGLE_HAS_PARTITION_KEY_B64_ENCODED) != 0,
               pb->has_partition_key_b64_encoded);
  cr_assert_eq(md->partition_key_b64_encoded, pb->partition_key_b64_encoded);
  cr_assert_eq((has & KOP_PULSAR_SINGLE_HAS_SEQUENCE_ID) != 0, pb->has_sequence_id);
  cr_assert_eq(md->sequence_id, pb->sequence_id);
  cr_assert_eq((has & KOP_PULSAR_SINGLE_HAS_NULL_VALUE) != 0, pb->has_null_value);
  cr_assert_eq(md->null_value, pb->null_value);
  cr_assert_eq((has & KOP_PULSAR_SINGLE_HAS_NULL_PARTITION_KEY) != 0, pb->has_null_partition_key);
  cr_assert_eq(md->null_partition_key, pb->null_partition_key);
}

/* A copy of exactly that size, so that a sanitizer sees a read beyond its end. */
static uint8_t *exactly(const uint8_t *bytes, size_t len) {
  uint8_t *copy = malloc(len == 0 ? 1 : len);
  cr_assert_not_null(copy);
  if (len != 0) memcpy(copy, bytes, len);
  return copy;
}

Test(entry_metadata, every_field_is_what_protobuf_c_wrote_and_is_written_the_same) {
  random_proto r;
  random_proto_init(&r, 1);
  for (int round = 0; round < ROUNDS; round++) {
    random_proto_reset(&r);
    ProtobufCMessage *pb = random_proto_message(&r, &kopi__message_metadata__descriptor);
    size_t len;
    uint8_t *bytes = random_proto_pack(&r, pb, &len);
    kop_pulsar_metadata md;
    cr_assert_eq(kop_pulsar_metadata_read(bytes, len, &md), KOP_OK);
    same_metadata(&md, (Kopi__MessageMetadata *)pb);
    same_lists(&md, (Kopi__MessageMetadata *)pb);
    uint8_t *again = random_proto_alloc(&r, len);
    size_t written = 0;
    cr_assert_eq(kop_pulsar_metadata_size(&md, NULL, 0), len);
    cr_assert_eq(kop_pulsar_metadata_write(&md, NULL, 0, again, len, &written), KOP_OK);
    cr_assert_eq(written, len);
    cr_assert_eq(memcmp(again, bytes, len), 0);
    written = 0;
    cr_assert_eq(kop_pulsar_metadata_write(&md, NULL, 0, again, len - 1, &written),
                 KOP_ERR_NO_SPACE);
    cr_assert_eq(written, len);
  }
  random_proto_free(&r);
}

Test(entry_metadata, every_field_of_a_single_one_as_well) {
  random_proto r;
  random_proto_init(&r, 2);
  for (int round = 0; round < ROUNDS; round++) {
    random_proto_reset(&r);
    ProtobufCMessage *pb = random_proto_message(&r, &kopi__single_message_metadata__descriptor);
    Kopi__SingleMessageMetadata *single = (Kopi__SingleMessageMetadata *)pb;
    size_t len;
    uint8_t *bytes = random_proto_pack(&r, pb, &len);
    kop_pulsar_single md;
    kop_status status = kop_pulsar_single_read(bytes, len, &md);
    cr_assert_eq(status, single->payload_size < 0 ? KOP_ERR_MALFORMED : KOP_OK);
    if (status != KOP_OK) continue;
    same_single(&md, single);
    uint8_t *again = random_proto_alloc(&r, len);
    size_t written = 0;
    cr_assert_eq(kop_pulsar_single_size(&md, NULL, 0), len);
    cr_assert_eq(kop_pulsar_single_write(&md, NULL, 0, again, len, &written), KOP_OK);
    cr_assert_eq(written, len);
    cr_assert_eq(memcmp(again, bytes, len), 0);
    cr_assert_eq(kop_pulsar_single_write(&md, NULL, 0, again, len - 1, &written), KOP_ERR_NO_SPACE);
  }
  random_proto_free(&r);
}

/* Whether there is a flag that is no varint: protobuf-c does not look at a flag's wire type, and takes its first byte. */
static int has_odd_flag(const uint8_t *bytes, size_t len) {
  const uint8_t *end = bytes + len;
  while (bytes != NULL && bytes < end) {
    kopi_pb_field field;
    bytes = kopi_pb_next(bytes, end, &field);
    int flag = field.number == 17 || field.number == 25 || field.number == 30;
    if (bytes != NULL && flag && field.wire != KOPI_PB_VARINT) return 1;
  }
  return 0;
}

/* Reads with both; 1 when both accept, and then both see the same. */
static int both(const uint8_t *bytes, size_t len) {
  uint8_t *copy = exactly(bytes, len);
  kop_pulsar_metadata md;
  kop_status status = kop_pulsar_metadata_read(copy, len, &md);
  ProtobufCMessage *pb =
      protobuf_c_message_unpack(&kopi__message_metadata__descriptor, NULL, len, copy);
  int agreed = (status == KOP_OK) == (pb != NULL);
  cr_assert(agreed || (status == KOP_ERR_MALFORMED && has_odd_flag(copy, len)));
  if (pb != NULL && agreed) {
    same_metadata(&md, (Kopi__MessageMetadata *)pb);
    same_lists(&md, (Kopi__MessageMetadata *)pb);
  }
  if (pb != NULL) protobuf_c_message_free_unpacked(pb, NULL);
  free(copy);
  return status == KOP_OK;
}

Test(entry_metadata, cut_anywhere_it_is_judged_as_protobuf_c_does) {
  random_proto r;
  random_proto_init(&r, 3);
  int accepted = 0;
  int refused = 0;
  for (int round = 0; round < 300; round++) {
    random_proto_reset(&r);
    size_t len;
    uint8_t *bytes =
        random_proto_pack(&r, random_proto_message(&r, &kopi__message_metadata__descriptor), &len);
    for (size_t cut = 0; cut < len; cut++) {
      *(both(bytes, cut) ? &accepted : &refused) += 1;
    }
  }
  cr_assert_gt(accepted, 1000);
  cr_assert_gt(refused, 1000);
  random_proto_free(&r);
}

/* Whether strings hold a NUL, where protobuf-c's answer ends early. */
static int has_nul(const uint8_t *bytes, size_t len) {
  return memchr(bytes, 0, len) != NULL;
}

Test(entry_metadata, damaged_it_is_judged_as_protobuf_c_does) {
  random_proto r;
  random_proto_init(&r, 4);
  int accepted = 0;
  int refused = 0;
  for (int round = 0; round < 3 * ROUNDS; round++) {
    random_proto_reset(&r);
    size_t len;
    uint8_t *bytes =
        random_proto_pack(&r, random_proto_message(&r, &kopi__message_metadata__descriptor), &len);
    bytes[rng_below(&r.rng, len)] ^= (uint8_t)(1u << rng_below(&r.rng, 8));
    if (has_nul(bytes, len)) continue;
    *(both(bytes, len) ? &accepted : &refused) += 1;
  }
  cr_assert_gt(accepted, 1000);
  cr_assert_gt(refused, 1000);
  random_proto_free(&r);
}

/* The smallest message, and room behind it. */
static size_t minimal(uint8_t *out) {
  static const uint8_t bytes[] = {0x0A, 0, 0x10, 1, 0x18, 2};
  memcpy(out, bytes, sizeof bytes);
  return sizeof bytes;
}

Test(entry_metadata, a_known_field_of_another_wire_type_is_refused) {
  kop_pulsar_metadata md;
  for (uint32_t number = 1; number <= 40; number++) {
    for (uint32_t wire = 0; wire < 8; wire++) {
      uint8_t bytes[64] = {0};
      size_t len = minimal(bytes);
      uint32_t tag = number << 3 | wire;
      bytes[len++] = (uint8_t)(tag < 0x80 ? tag : tag | 0x80);
      if (tag >= 0x80) bytes[len++] = (uint8_t)(tag >> 7);
      size_t body = wire == 1 ? 8 : wire == 5 ? 4 : 1; /* zeros: 0, or an empty string */
      (void)both(bytes, len + body);
      kop_status status = kop_pulsar_metadata_read(bytes, len + body, &md);
      int unknown = number == 10 || number == 21 || number > 34;
      if (unknown) cr_assert_eq(status == KOP_OK, wire <= 2 || wire == 5, "%u %u", number, wire);
      if (!unknown && (wire == 1 || wire > 2)) cr_assert_eq(status, KOP_ERR_MALFORMED);
    }
  }
}

Test(entry_metadata, a_required_field_must_be_there) {
  kop_pulsar_metadata md;
  uint8_t bytes[16];
  size_t len = minimal(bytes);
  cr_assert_eq(kop_pulsar_metadata_read(bytes, len, &md), KOP_OK);
  for (size_t left_out = 0; left_out < 6; left_out += 2) {
    uint8_t some[4];
    memcpy(some, bytes, left_out);
    memcpy(some + left_out, bytes + left_out + 2, 4 - left_out);
    cr_assert_eq(kop_pulsar_metadata_read(some, 4, &md), KOP_ERR_MALFORMED);
  }
  cr_assert_eq(kop_pulsar_metadata_read(NULL, 0, &md), KOP_ERR_MALFORMED);
  kop_pulsar_single single;
  cr_assert_eq(kop_pulsar_single_read(NULL, 0, &single), KOP_ERR_MALFORMED);
  static const uint8_t no_size[] = {0x28, 7};
  cr_assert_eq(kop_pulsar_single_read(no_size, sizeof no_size, &single), KOP_ERR_MALFORMED);
  kop_pulsar_metadata_init(&md);
  size_t written;
  cr_assert_eq(kop_pulsar_metadata_write(&md, NULL, 0, bytes, sizeof bytes, &written),
               KOP_ERR_INVALID);
  kop_pulsar_single_init(&single);
  cr_assert_eq(kop_pulsar_single_write(&single, NULL, 0, bytes, sizeof bytes, &written),
               KOP_ERR_INVALID);
}

Test(entry_metadata, the_last_of_several_values_counts_and_numbers_may_be_packed) {
  static const uint8_t twice[] = {0x0A, 1,    'a', 0x10, 1, 0x18, 2,    0x10, 3,
                                  0x0A, 1,    'b', 0xF8, 1, 5,    0xFA, 1,    3,
                                  6,    0x80, 1,   0xF8, 1, 7,    0xFA, 1,    0};
  kop_pulsar_metadata md;
  cr_assert_eq(kop_pulsar_metadata_read(twice, sizeof twice, &md), KOP_OK);
  cr_assert_eq(md.sequence_id, 3);
  cr_assert_eq(md.producer_name.ptr[0], 'b');
  static const int32_t indexes[] = {5, 6, 128, 7};
  kop_pulsar_repeated rest = md.compacted_batch_indexes;
  cr_assert_eq(rest.count, 4);
  int32_t index;
  for (size_t i = 0; i < 4; i++) {
    cr_assert_eq(kop_pulsar_int_next(&rest, &index), KOP_OK);
    cr_assert_eq(index, indexes[i]);
  }
  cr_assert_eq(kop_pulsar_int_next(&rest, &index), KOP_ERR_NOT_FOUND);
  (void)both(twice, sizeof twice);
  /* A run of none is no element. */
  static const uint8_t none[] = {0x0A, 0, 0x10, 1, 0x18, 2, 0xFA, 1, 0};
  cr_assert_eq(kop_pulsar_metadata_read(none, sizeof none, &md), KOP_OK);
  cr_assert_null(md.compacted_batch_indexes.ptr);
}

Test(entry_metadata, properties_of_two_sources_and_other_fields_between_them) {
  /* Two properties with a sequence id between them, as no client writes it. */
  static const uint8_t bytes[] = {0x22, 6,    0x0A, 1,    'k', 0x12, 1, 'v',  0x0A, 0,  0x18,
                                  2,    0x10, 1,    0x22, 5,   0x0A, 0, 0x12, 1,    'w'};
  kop_pulsar_metadata md;
  cr_assert_eq(kop_pulsar_metadata_read(bytes, sizeof bytes, &md), KOP_OK);
  cr_assert_eq(md.properties.count, 2);
  kop_pulsar_property more = {.key = {(const uint8_t *)"x", 1}, .value = {NULL, 0}};
  uint8_t out[64];
  size_t len;
  cr_assert_eq(kop_pulsar_metadata_write(&md, &more, 1, out, sizeof out, &len), KOP_OK);
  kop_pulsar_metadata again;
  cr_assert_eq(kop_pulsar_metadata_read(out, len, &again), KOP_OK);
  static const char *const keys[] = {"k", "", "x"};
  static const char *const values[] = {"v", "w", ""};
  cr_assert_eq(again.properties.count, 3);
  for (size_t i = 0; i < 3; i++) {
    kop_pulsar_property property;
    cr_assert_eq(kop_pulsar_property_next(&again.properties, &property), KOP_OK);
    same_string(1, property.key, keys[i]);
    same_string(1, property.value, values[i]);
  }
  /* The same ones in front of a message. */
  kop_pulsar_single single;
  kop_pulsar_single_init(&single);
  single.properties = md.properties;
  single.present = KOP_PULSAR_SINGLE_HAS_PAYLOAD_SIZE;
  cr_assert_eq(kop_pulsar_single_write(&single, &more, 1, out, sizeof out, &len), KOP_OK);
  kop_pulsar_single read;
  cr_assert_eq(kop_pulsar_single_read(out, len, &read), KOP_OK);
  cr_assert_eq(read.properties.count, 3);
  cr_assert_eq(read.properties.field, 1);
}

Test(entry_metadata, a_list_that_lies_about_itself_is_refused) {
  static const uint8_t one[] = {0x22, 6, 0x0A, 1, 'k', 0x12, 1, 'v'};
  kop_pulsar_metadata md;
  uint8_t out[64];
  size_t len;
  kop_pulsar_metadata_init(&md);
  md.present =
      KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID | KOP_PULSAR_HAS_PUBLISH_TIME;
  md.properties.ptr = one;
  md.properties.len = sizeof one;
  md.properties.count = 2;
  cr_assert_eq(kop_pulsar_metadata_write(&md, NULL, 0, out, sizeof out, &len), KOP_ERR_MALFORMED);
  md.properties.count = 1;
  cr_assert_eq(kop_pulsar_metadata_write(&md, NULL, 0, out, sizeof out, &len), KOP_OK);
  md.compacted_batch_indexes = md.properties;
  md.compacted_batch_indexes.field = 31;
  cr_assert_eq(kop_pulsar_metadata_write(&md, NULL, 0, out, sizeof out, &len), KOP_ERR_MALFORMED);
  kop_pulsar_repeated packed = {.ptr = one, .len = 2, .count = 1, .field = 4, .packed = 9};
  int32_t index;
  cr_assert_eq(kop_pulsar_int_next(&packed, &index), KOP_ERR_MALFORMED);
}
