/* What the decoder refuses, what it bounds, and what it keeps. */
#include <criterion/criterion.h>
#include <kop/messages.h>
#include <kop/wire.h>
#include <stdlib.h>
#include <string.h>

#include "support/failing_alloc.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static kop_arena *arena;

static void open_arena(void) {
  cr_assert_eq(kop_arena_new(NULL, 1 << 20, &arena), KOP_OK);
}

static void close_arena(void) {
  kop_arena_free(arena);
}

TestSuite(decode, .init = open_arena, .fini = close_arena);

static kop_status decode_metadata(int16_t version, const uint8_t *in, size_t len,
                                  kop_metadata_request *out) {
  return kop_message_decode(KOP_MSG_METADATA_REQUEST, version, arena, in, len, out, sizeof *out,
                            NULL);
}

Test(decode, borrows_strings_and_sets_what_the_version_lacks) {
  const uint8_t in[] = {0, 0, 0, 1, 0, 2, 'h', 'i'};
  kop_metadata_request m;
  cr_assert_eq(decode_metadata(0, in, sizeof in, &m), KOP_OK);
  cr_assert_eq(m.topics.len, 1);
  cr_assert_eq(m.topics.ptr[0].name.ptr, in + 6);
  cr_assert_eq(m.topics.ptr[0].name.len, 2);
  cr_assert_eq(m.allow_auto_topic_creation, 1, "true by default, and version 0 lacks it");
  cr_assert_eq(m.topics.ptr[0].unknown_tags.len, 0);
}

Test(decode, tells_null_from_empty) {
  kop_metadata_request m;
  cr_assert_eq(decode_metadata(1, BYTES(0xFF, 0xFF, 0xFF, 0xFF), &m), KOP_OK);
  cr_assert_eq(m.topics.len, -1);
  cr_assert_eq(decode_metadata(1, BYTES(0, 0, 0, 0), &m), KOP_OK);
  cr_assert_eq(m.topics.len, 0);
  cr_assert_eq(decode_metadata(0, BYTES(0xFF, 0xFF, 0xFF, 0xFF), &m), KOP_ERR_MALFORMED);

  kop_find_coordinator_request f;
  uint32_t id = KOP_MSG_FIND_COORDINATOR_REQUEST;
  cr_assert_eq(kop_message_decode(id, 0, arena, BYTES(0, 0), &f, sizeof f, NULL), KOP_OK);
  cr_assert_not_null(f.key.ptr);
  cr_assert_eq(f.key.len, 0);
  cr_assert_eq(kop_message_decode(id, 0, arena, BYTES(0xFF, 0xFF), &f, sizeof f, NULL),
               KOP_ERR_MALFORMED);

  kop_init_producer_id_request i;
  id = KOP_MSG_INIT_PRODUCER_ID_REQUEST;
  cr_assert_eq(kop_message_decode(id, 0, arena, BYTES(0xFF, 0xFF, 0, 0, 0, 1), &i, sizeof i, NULL),
               KOP_OK);
  cr_assert_null(i.transactional_id.ptr);
}

Test(decode, refuses_every_wrong_length) {
  static const int32_t lengths[] = {-2, INT32_MIN, 2, 3, 1000, INT32_MAX};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    uint32_t n = (uint32_t)lengths[i];
    const uint8_t in[] = {
        (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 0, 0};
    kop_metadata_request m;
    cr_assert_neq(decode_metadata(0, in, sizeof in, &m), KOP_OK, "an array of %d in 2 bytes",
                  lengths[i]);
    const uint8_t text[] = {(uint8_t)(n >> 8), (uint8_t)n, 'x'};
    kop_find_coordinator_request f;
    cr_assert_neq(kop_message_decode(KOP_MSG_FIND_COORDINATOR_REQUEST, 0, arena, text, sizeof text,
                                     &f, sizeof f, NULL),
                  KOP_OK, "a string of %d in 1 byte", (int16_t)n);
  }
}

Test(decode, refuses_a_string_that_is_longer_than_kafka_allows) {
  uint8_t *in = calloc(1, 40000);
  kop_list_groups_request l;
  in[0] = 2; /* one state, of 32768 bytes */
  in[1] = 0x81;
  in[2] = 0x80;
  in[3] = 0x02;
  cr_assert_eq(
      kop_message_decode(KOP_MSG_LIST_GROUPS_REQUEST, 4, arena, in, 40000, &l, sizeof l, NULL),
      KOP_ERR_MALFORMED);
  in[1] = 0x80; /* 32767 */
  size_t consumed = 0;
  cr_assert_eq(
      kop_message_decode(KOP_MSG_LIST_GROUPS_REQUEST, 4, arena, in, 40000, &l, sizeof l, &consumed),
      KOP_OK);
  cr_assert_eq(l.states_filter.ptr[0].len, 32767);
  cr_assert_eq(consumed, 4 + 32767 + 1);
  free(in);
}

/* A count is believed only as far as the exact least size of an element reaches. */
Test(decode, does_not_allocate_for_elements_that_cannot_be_there) {
  enum { LEN = 30000 };
  uint8_t *in = calloc(1, LEN);
  /* OffsetCommit v8: group, generation, member, instance, then topics of at least 3 bytes. */
  const uint8_t head[] = {0x01, 0, 0, 0, 0, 0x01, 0x00};
  memcpy(in, head, sizeof head);
  uint32_t fits = (LEN - sizeof head - 3) / 3;
  failing_alloc f;
  failing_alloc_init(&f, SIZE_MAX);
  for (uint32_t over = 0; over < 2; over++) {
    uint32_t coded = fits + over + 1;
    in[7] = (uint8_t)(coded | 0x80u);
    in[8] = (uint8_t)(coded >> 7 | 0x80u);
    in[9] = (uint8_t)(coded >> 14);
    kop_arena *counted = NULL;
    cr_assert_eq(kop_arena_new(&f.alloc, SIZE_MAX / 2, &counted), KOP_OK);
    size_t before = f.made;
    kop_offset_commit_request m;
    kop_status status =
        kop_message_decode(KOP_MSG_OFFSET_COMMIT_REQUEST, 8, counted, in, LEN, &m, sizeof m, NULL);
    cr_assert_neq(status, KOP_OK,
                  "no element has a topic name of length 0 - 1 as its null is refused");
    cr_assert_eq(f.made - before, over == 0 ? 1u : 0u, "over %u: %zu allocations", over,
                 f.made - before);
    kop_arena_free(counted);
  }
  cr_assert_eq(f.live, 0);
  free(in);
}

Test(decode, stops_at_the_arenas_limit) {
  enum { TOPICS = 1000 };
  uint8_t *in = calloc(1, 4 + TOPICS * 2);
  in[2] = TOPICS >> 8;
  in[3] = TOPICS & 0xFF;
  kop_arena *small = NULL;
  cr_assert_eq(kop_arena_new(NULL, TOPICS * sizeof(kop_metadata_request_topic) - 1, &small),
               KOP_OK);
  kop_metadata_request m;
  cr_assert_eq(kop_message_decode(KOP_MSG_METADATA_REQUEST, 0, small, in, 4 + TOPICS * 2, &m,
                                  sizeof m, NULL),
               KOP_ERR_LIMIT);
  kop_arena_free(small);
  cr_assert_eq(kop_message_decode(KOP_MSG_METADATA_REQUEST, 0, arena, in, 4 + TOPICS * 2, &m,
                                  sizeof m, NULL),
               KOP_OK);
  free(in);
}

Test(decode, reports_trailing_bytes_or_refuses_them) {
  kop_metadata_request m;
  size_t consumed = 0;
  cr_assert_eq(decode_metadata(0, BYTES(0, 0, 0, 0, 9), &m), KOP_ERR_MALFORMED);
  cr_assert_eq(kop_message_decode(KOP_MSG_METADATA_REQUEST, 0, arena, BYTES(0, 0, 0, 0, 9), &m,
                                  sizeof m, &consumed),
               KOP_OK);
  cr_assert_eq(consumed, 4);
}

Test(decode, checks_id_version_and_size) {
  kop_metadata_request m;
  cr_assert_eq(decode_metadata(-1, BYTES(0), &m), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(decode_metadata(14, BYTES(0), &m), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(kop_message_decode(999, 0, arena, BYTES(0), &m, sizeof m, NULL), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_message_decode(UINT32_MAX, 0, arena, BYTES(0), &m, sizeof m, NULL),
               KOP_ERR_NOT_FOUND);
  cr_assert_eq(
      kop_message_decode(KOP_MSG_METADATA_REQUEST, 0, arena, BYTES(0), &m, sizeof m - 1, NULL),
      KOP_ERR_INVALID);
  cr_assert_eq(kop_message_decode(KOP_MSG_API_VERSIONS_REQUEST, 0, arena, NULL, 0,
                                  &(kop_api_versions_request){0}, sizeof(kop_api_versions_request),
                                  NULL),
               KOP_OK, "no bytes are a message of no fields");
}

/* ApiVersionsRequest v3 {"" , ""} and a tag section. */
static kop_status decode_tags(const uint8_t *tags, size_t len, kop_api_versions_request *m) {
  static uint8_t in[256];
  in[0] = in[1] = 1;
  memcpy(in + 2, tags, len);
  return kop_message_decode(KOP_MSG_API_VERSIONS_REQUEST, 3, arena, in, len + 2, m, sizeof *m,
                            NULL);
}

Test(decode, keeps_unknown_tags_raw_and_wants_them_in_order) {
  kop_api_versions_request m;
  cr_assert_eq(decode_tags(BYTES(2, 3, 1, 0xAA, 9, 0), &m), KOP_OK);
  cr_assert_eq(m.unknown_tags.len, 5);
  cr_assert_arr_eq(m.unknown_tags.ptr, ((const uint8_t[]){3, 1, 0xAA, 9, 0}), 5);
  cr_assert_eq(decode_tags(BYTES(2, 3, 0, 3, 0), &m), KOP_ERR_MALFORMED, "twice the same");
  cr_assert_eq(decode_tags(BYTES(2, 9, 0, 3, 0), &m), KOP_ERR_MALFORMED, "descending");
  cr_assert_eq(decode_tags(BYTES(1, 3, 2, 0xAA), &m), KOP_ERR_TRUNCATED);
  cr_assert_eq(decode_tags(BYTES(0xFF, 0xFF, 0xFF, 0xFF, 0x0F), &m), KOP_ERR_TRUNCATED);
  cr_assert_eq(decode_tags(BYTES(0xFF, 0xFF, 0xFF, 0xFF, 0x1F), &m), KOP_ERR_MALFORMED);
  cr_assert_eq(decode_tags(BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 0x00), &m), KOP_ERR_MALFORMED);
}

/* FetchRequest v15 has the known tags 0 (cluster id) and 1 (replica state); the body before the tags is all zero or empty. */
static kop_status decode_fetch_tags(const uint8_t *tags, size_t len, kop_fetch_request *m) {
  static uint8_t in[256];
  memset(in, 0, sizeof in);
  size_t at = 4 + 4 + 4 + 1 + 4 + 4;    /* wait, min, max, isolation, session id and epoch */
  in[at] = in[at + 1] = in[at + 2] = 1; /* topics, forgotten topics, rack: empty */
  memcpy(in + at + 3, tags, len);
  return kop_message_decode(KOP_MSG_FETCH_REQUEST, 15, arena, in, at + 3 + len, m, sizeof *m, NULL);
}

Test(decode, reads_known_tags_and_wants_their_size_exact) {
  kop_fetch_request m;
  cr_assert_eq(decode_fetch_tags(BYTES(0), &m), KOP_OK);
  cr_assert_null(m.cluster_id.ptr);
  cr_assert_eq(m.replica_state.replica_id, -1);
  cr_assert_eq(decode_fetch_tags(BYTES(1, 0, 3, 3, 'i', 'd'), &m), KOP_OK);
  cr_assert_eq(m.cluster_id.len, 2);
  cr_assert_eq(decode_fetch_tags(BYTES(1, 0, 4, 3, 'i', 'd', 0), &m), KOP_ERR_MALFORMED,
               "a byte is left over");
  cr_assert_eq(decode_fetch_tags(BYTES(1, 0, 2, 3, 'i', 'd'), &m), KOP_ERR_TRUNCATED,
               "its size is too small");
  cr_assert_eq(decode_fetch_tags(
                   BYTES(3, 0, 1, 0, 1, 13, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 5, 1, 0xEE), &m),
               KOP_OK);
  cr_assert_eq(m.replica_state.replica_id, 7);
  cr_assert_eq(m.replica_state.replica_epoch, 8);
  cr_assert_eq(m.unknown_tags.len, 3);
}

Test(decode, takes_a_tag_of_a_later_version_for_an_unknown_one) {
  /* ApiVersionsResponse v3 knows the tags 0 to 3; FetchResponse v12 does not know tag 0 of v16. */
  const uint8_t in[] = {0, 0, 1, 0, 0, 0, 0, 3, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5, 7, 1, 0xAA, 9, 0};
  kop_api_versions_response m;
  cr_assert_eq(kop_message_decode(KOP_MSG_API_VERSIONS_RESPONSE, 3, arena, in, sizeof in, &m,
                                  sizeof m, NULL),
               KOP_OK);
  cr_assert_eq(m.finalized_features_epoch, 5);
  cr_assert_eq(m.unknown_tags.ptr, in + 18, "borrowed");
  cr_assert_eq(m.unknown_tags.len, 5);
  const uint8_t fetch[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1, 1, 1, 1, 0xBB};
  kop_fetch_response f;
  cr_assert_eq(kop_message_decode(KOP_MSG_FETCH_RESPONSE, 12, arena, fetch, sizeof fetch, &f,
                                  sizeof f, NULL),
               KOP_OK);
  cr_assert_eq(f.node_endpoints.len, 0);
  cr_assert_eq(f.unknown_tags.len, 6);
}

Test(decode, handles_every_failing_allocation) {
  /* CreateTopics v0 with one topic, one assignment, one config: four arrays. */
  const uint8_t in[] = {0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 1, 0,   0, 0, 1,   0, 0, 0, 0, 0,
                        0, 0, 1, 0, 0, 0, 7,   0, 0, 0, 1, 0, 1, 'k', 0, 1, 'v', 0, 0, 0, 9};
  for (size_t i = 0;; i++) {
    failing_alloc f;
    failing_alloc_init(&f, i);
    kop_arena *failing = NULL;
    kop_create_topics_request m;
    kop_status status = kop_arena_new(&f.alloc, 1 << 20, &failing);
    if (status == KOP_OK) {
      status = kop_message_decode(KOP_MSG_CREATE_TOPICS_REQUEST, 0, failing, in, sizeof in, &m,
                                  sizeof m, NULL);
    }
    cr_assert(status == KOP_OK || status == KOP_ERR_NOMEM, "%s", kop_strerror(status));
    kop_arena_free(failing);
    cr_assert_eq(f.live, 0);
    if (f.made <= i) {
      cr_assert_eq(status, KOP_OK);
      break;
    }
  }
}
