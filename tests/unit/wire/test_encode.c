/* What the encoder refuses to write, how record sets are cut out, and where unknown tags go. */
#include <criterion/criterion.h>
#include <kop/messages.h>
#include <kop/wire.h>
#include <stdlib.h>
#include <string.h>

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

static kop_status encode(uint32_t id, int16_t version, const void *msg, size_t size) {
  static uint8_t out[70000];
  size_t n = 0, want = 0;
  kop_status status = kop_message_encode(id, version, msg, size, out, sizeof out, &n);
  kop_status measured = kop_message_size(id, version, msg, size, &want);
  cr_assert_eq(status, measured, "encode %d, size %d", status, measured);
  if (status == KOP_OK) cr_assert_eq(n, want);
  return status;
}

Test(encode, refuses_a_value_that_the_version_cannot_carry) {
  kop_init_producer_id_request m;
  cr_assert_eq(kop_message_init(KOP_MSG_INIT_PRODUCER_ID_REQUEST, &m, sizeof m), KOP_OK);
  cr_assert_eq(encode(KOP_MSG_INIT_PRODUCER_ID_REQUEST, 0, &m, sizeof m), KOP_OK);
  m.producer_id = 5;
  cr_assert_eq(encode(KOP_MSG_INIT_PRODUCER_ID_REQUEST, 2, &m, sizeof m), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(encode(KOP_MSG_INIT_PRODUCER_ID_REQUEST, 3, &m, sizeof m), KOP_OK);
  m.enable_2pc = 1;
  cr_assert_eq(encode(KOP_MSG_INIT_PRODUCER_ID_REQUEST, 5, &m, sizeof m), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(encode(KOP_MSG_INIT_PRODUCER_ID_REQUEST, 6, &m, sizeof m), KOP_OK);
  cr_assert_eq(encode(KOP_MSG_INIT_PRODUCER_ID_REQUEST, 7, &m, sizeof m), KOP_ERR_UNSUPPORTED);
}

Test(encode, drops_an_ignorable_value_silently) {
  kop_metadata_response m, back;
  cr_assert_eq(kop_message_init(KOP_MSG_METADATA_RESPONSE, &m, sizeof m), KOP_OK);
  m.throttle_time_ms = 100;
  m.controller_id = 7;
  uint8_t out[64];
  size_t n = 0;
  cr_assert_eq(kop_message_encode(KOP_MSG_METADATA_RESPONSE, 0, &m, sizeof m, out, sizeof out, &n),
               KOP_OK);
  kop_arena *arena = NULL;
  cr_assert_eq(kop_arena_new(NULL, 1000, &arena), KOP_OK);
  cr_assert_eq(
      kop_message_decode(KOP_MSG_METADATA_RESPONSE, 0, arena, out, n, &back, sizeof back, NULL),
      KOP_OK);
  cr_assert_eq(back.throttle_time_ms, 0);
  cr_assert_eq(back.controller_id, -1);
  kop_arena_free(arena);
}

Test(encode, checks_absent_fields_inside_arrays) {
  kop_metadata_response_topic topic;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_METADATA_RESPONSE_TOPIC, &topic, sizeof topic), KOP_OK);
  kop_metadata_response m;
  cr_assert_eq(kop_message_init(KOP_MSG_METADATA_RESPONSE, &m, sizeof m), KOP_OK);
  m.topics = (kop_metadata_response_topic_array){&topic, 1};
  cr_assert_eq(encode(KOP_MSG_METADATA_RESPONSE, 7, &m, sizeof m), KOP_OK);
  topic.topic_authorized_operations = 3;
  cr_assert_eq(encode(KOP_MSG_METADATA_RESPONSE, 7, &m, sizeof m), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(encode(KOP_MSG_METADATA_RESPONSE, 8, &m, sizeof m), KOP_OK);
}

Test(encode, refuses_null_where_the_version_knows_none) {
  kop_metadata_request m;
  cr_assert_eq(kop_message_init(KOP_MSG_METADATA_REQUEST, &m, sizeof m), KOP_OK);
  m.topics.len = -1;
  cr_assert_eq(encode(KOP_MSG_METADATA_REQUEST, 0, &m, sizeof m), KOP_ERR_INVALID);
  cr_assert_eq(encode(KOP_MSG_METADATA_REQUEST, 1, &m, sizeof m), KOP_OK);
  m.topics.len = 1;
  cr_assert_eq(encode(KOP_MSG_METADATA_REQUEST, 1, &m, sizeof m), KOP_ERR_INVALID, "no elements");

  kop_find_coordinator_request f;
  cr_assert_eq(kop_message_init(KOP_MSG_FIND_COORDINATOR_REQUEST, &f, sizeof f), KOP_OK);
  cr_assert_eq(encode(KOP_MSG_FIND_COORDINATOR_REQUEST, 0, &f, sizeof f), KOP_OK);
  f.key = (kop_slice){NULL, 0};
  cr_assert_eq(encode(KOP_MSG_FIND_COORDINATOR_REQUEST, 0, &f, sizeof f), KOP_ERR_INVALID);
}

Test(encode, refuses_a_string_over_32767_bytes) {
  kop_find_coordinator_request f;
  cr_assert_eq(kop_message_init(KOP_MSG_FIND_COORDINATOR_REQUEST, &f, sizeof f), KOP_OK);
  uint8_t *long_text = calloc(1, 32768);
  for (int16_t version = 0; version <= 3; version += 3) { /* one with each form of length */
    f.key = (kop_slice){long_text, 32768};
    cr_assert_eq(encode(KOP_MSG_FIND_COORDINATOR_REQUEST, version, &f, sizeof f), KOP_ERR_INVALID);
    f.key.len = 32767;
    cr_assert_eq(encode(KOP_MSG_FIND_COORDINATOR_REQUEST, version, &f, sizeof f), KOP_OK);
  }
  free(long_text);
}

Test(encode, refuses_unknown_tags_that_are_no_list) {
  static const uint8_t good[] = {9, 1, 0xAA, 10, 0};
  static const uint8_t cut[] = {9, 2, 0xAA};
  static const uint8_t twice[] = {9, 0, 9, 0};
  static const uint8_t known[] = {0, 0};
  const struct {
    kop_slice tags;
    kop_status status;
  } cases[] = {{{good, 5}, KOP_OK},           {{cut, 3}, KOP_ERR_INVALID},
               {{twice, 4}, KOP_ERR_INVALID}, {{known, 2}, KOP_ERR_INVALID},
               {{NULL, 2}, KOP_ERR_INVALID},  {{NULL, 0}, KOP_OK}};
  kop_fetch_response m;
  cr_assert_eq(kop_message_init(KOP_MSG_FETCH_RESPONSE, &m, sizeof m), KOP_OK);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    m.unknown_tags = cases[i].tags;
    cr_assert_eq(encode(KOP_MSG_FETCH_RESPONSE, 16, &m, sizeof m), cases[i].status, "case %zu", i);
  }
  m.unknown_tags = (kop_slice){known, 2};
  cr_assert_eq(encode(KOP_MSG_FETCH_RESPONSE, 15, &m, sizeof m), KOP_OK,
               "tag 0 is new in version 16");
  cr_assert_eq(encode(KOP_MSG_FETCH_RESPONSE, 11, &m, sizeof m), KOP_OK,
               "no tags before version 12");
}

Test(encode, writes_known_tags_first_and_leaves_out_defaults) {
  kop_fetch_response_node_endpoint node;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_FETCH_RESPONSE_NODE_ENDPOINT, &node, sizeof node),
               KOP_OK);
  static const uint8_t unknown[] = {3, 1, 0xAA};
  kop_fetch_response m;
  cr_assert_eq(kop_message_init(KOP_MSG_FETCH_RESPONSE, &m, sizeof m), KOP_OK);
  m.unknown_tags = (kop_slice){unknown, sizeof unknown};
  uint8_t out[64];
  size_t n = 0;
  cr_assert_eq(kop_message_encode(KOP_MSG_FETCH_RESPONSE, 16, &m, sizeof m, out, sizeof out, &n),
               KOP_OK);
  const uint8_t plain[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3, 1, 0xAA};
  cr_assert_eq(n, sizeof plain);
  cr_assert_arr_eq(out, plain, n);
  m.node_endpoints = (kop_fetch_response_node_endpoint_array){&node, 1};
  cr_assert_eq(kop_message_encode(KOP_MSG_FETCH_RESPONSE, 16, &m, sizeof m, out, sizeof out, &n),
               KOP_OK);
  /* tag 0, 12 bytes: one element {0, "", 0, null, no tags}; then tag 3 */
  const uint8_t both[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 12,  2,
                          0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 1, 0xAA};
  cr_assert_eq(n, sizeof both, "%zu", n);
  cr_assert_arr_eq(out, both, n);
}

Test(encode, cuts_record_sets_out_without_reading_them) {
  kop_fetch_response_partition_data parts[4];
  for (size_t i = 0; i < 4; i++) {
    cr_assert_eq(
        kop_struct_init(KOP_STRUCT_FETCH_RESPONSE_PARTITION_DATA, &parts[i], sizeof parts[i]),
        KOP_OK);
    parts[i].partition_index = (int32_t)i;
  }
  parts[0].records = (kop_slice){(const uint8_t *)(uintptr_t)1, 1000}; /* no memory: a cookie */
  parts[1].records = text("");
  parts[2].records = (kop_slice){NULL, 0};
  parts[3].records = (kop_slice){(const uint8_t *)(uintptr_t)2, 70000};
  kop_fetch_response_fetchable_topic_response topic;
  cr_assert_eq(
      kop_struct_init(KOP_STRUCT_FETCH_RESPONSE_FETCHABLE_TOPIC_RESPONSE, &topic, sizeof topic),
      KOP_OK);
  topic.topic = text("t");
  topic.partitions = (kop_fetch_response_partition_data_array){parts, 4};
  kop_fetch_response m;
  cr_assert_eq(kop_message_init(KOP_MSG_FETCH_RESPONSE, &m, sizeof m), KOP_OK);
  m.responses = (kop_fetch_response_fetchable_topic_response_array){&topic, 1};

  size_t size = 0, count = 0, whole = 0, n = 0;
  uint8_t out[512];
  kop_cut cuts[2];
  uint32_t id = KOP_MSG_FETCH_RESPONSE;
  for (int16_t version = 4; version <= 12; version += 8) {
    cr_assert_eq(kop_message_size_cuts(id, version, &m, sizeof m, &size, &count), KOP_OK);
    cr_assert_eq(count, 2);
    cr_assert_eq(kop_message_size(id, version, &m, sizeof m, &whole), KOP_OK);
    cr_assert_eq(whole, size + 71000);
    cr_assert_eq(
        kop_message_encode_cuts(id, version, &m, sizeof m, out, sizeof out, &n, cuts, 1, &count),
        KOP_ERR_NO_SPACE);
    cr_assert_eq(count, 2);
    cr_assert_eq(
        kop_message_encode_cuts(id, version, &m, sizeof m, out, size - 1, &n, cuts, 2, &count),
        KOP_ERR_NO_SPACE);
    cr_assert_eq(n, size);
    cr_assert_eq(kop_message_encode_cuts(id, version, &m, sizeof m, out, size, &n, cuts, 2, &count),
                 KOP_OK);
    cr_assert_eq(n, size);
    cr_assert_eq(cuts[0].bytes.ptr, parts[0].records.ptr);
    cr_assert_eq(cuts[1].bytes.len, 70000);
    if (version == 4) {
      cr_assert_arr_eq(out + cuts[0].at - 4, ((const uint8_t[]){0, 0, 3, 0xE8}), 4);
      cr_assert_arr_eq(out + cuts[1].at - 4, ((const uint8_t[]){0, 1, 0x11, 0x70}), 4);
      cr_assert_eq(cuts[1].at, n, "the last record set ends the message");
    } else {
      cr_assert_arr_eq(out + cuts[0].at - 2, ((const uint8_t[]){0xE9, 0x07}), 2);
    }
  }
}

Test(encode, refuses_other_sizes_and_unknown_ids) {
  kop_fetch_response m;
  size_t n = 0;
  cr_assert_eq(kop_message_init(KOP_MSG_FETCH_RESPONSE, &m, sizeof m + 8), KOP_ERR_INVALID);
  cr_assert_eq(kop_message_init(1999, &m, sizeof m), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_message_init(UINT32_MAX, &m, sizeof m), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_struct_init(KOP_STRUCT_FETCH_RESPONSE + 200, &m, sizeof m), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_message_size(KOP_MSG_FETCH_RESPONSE, 4, &m, sizeof m - 1, &n), KOP_ERR_INVALID);
  cr_assert_eq(kop_message_encode(1999, 4, &m, sizeof m, NULL, 0, &n), KOP_ERR_NOT_FOUND);
}

/* ConsumerGroupMemberMetadataValue has the one nullable struct that is not null by default. */
Test(encode, knows_a_nullable_struct_that_is_there_by_default) {
  uint32_t id = KOP_MSG_CONSUMER_GROUP_MEMBER_METADATA_VALUE;
  kop_consumer_group_member_metadata_value m, back;
  uint8_t out[128];
  size_t n = 0, plain = 0;
  kop_arena *arena = NULL;
  cr_assert_eq(kop_arena_new(NULL, 4096, &arena), KOP_OK);
  cr_assert_eq(kop_message_init(id, &m, sizeof m), KOP_OK);
  cr_assert_not_null(m.classic_member_metadata);
  cr_assert_eq(m.classic_member_metadata->session_timeout_ms, 0);
  cr_assert_eq(kop_message_encode(id, 0, &m, sizeof m, out, sizeof out, &plain), KOP_OK);
  cr_assert_eq(kop_message_decode(id, 0, arena, out, plain, &back, sizeof back, NULL), KOP_OK);
  cr_assert_not_null(back.classic_member_metadata);
  m.classic_member_metadata = NULL;
  cr_assert_eq(kop_message_encode(id, 0, &m, sizeof m, out, sizeof out, &n), KOP_OK);
  cr_assert_eq(n, plain + 3, "null is written: tag, size, marker");
  cr_assert_eq(kop_message_decode(id, 0, arena, out, n, &back, sizeof back, NULL), KOP_OK);
  cr_assert_null(back.classic_member_metadata);
  kop_arena_free(arena);
}
