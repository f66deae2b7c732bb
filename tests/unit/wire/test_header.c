/* Request and response headers with their exceptions, and Kafka's error codes. */
#include <criterion/criterion.h>
#include <kop/kafka_error.h>
#include <kop/messages.h>
#include <kop/wire.h>
#include <string.h>

typedef struct request {
  uint8_t bytes[64];
  size_t len;
} request;

static request start(int16_t key, int16_t version) {
  request r = {.bytes = {(uint8_t)(key >> 8), (uint8_t)key, (uint8_t)(version >> 8),
                         (uint8_t)version, 1, 2, 3, 4},
               .len = 8};
  return r;
}

static void add(request *r, const char *bytes, size_t n) {
  memcpy(r->bytes + r->len, bytes, n);
  r->len += n;
}

static kop_status parse(const request *r, kop_request_header *h) {
  return kop_request_header_decode(r->bytes, r->len, h, sizeof *h);
}

Test(header, of_version_1_ends_with_the_client_id) {
  request r = start(3, 8);
  add(&r, "\0\2me!", 5);
  kop_request_header h;
  cr_assert_eq(parse(&r, &h), KOP_OK);
  cr_assert_eq(h.header_version, 1);
  cr_assert_eq(h.api_key, 3);
  cr_assert_eq(h.api_version, 8);
  cr_assert_eq(h.correlation_id, 0x01020304);
  cr_assert_eq(h.client_id.ptr, r.bytes + 10);
  cr_assert_eq(h.client_id.len, 2);
  cr_assert_eq(h.body_offset, 12);
  cr_assert_eq(h.message_id, KOP_MSG_METADATA_REQUEST);
  cr_assert(h.known && h.supported);
}

Test(header, of_a_flexible_request_has_tags_and_an_old_client_id) {
  request r = start(3, 9);
  add(&r, "\xFF\xFF\1\7\1x", 6);
  kop_request_header h;
  cr_assert_eq(parse(&r, &h), KOP_OK);
  cr_assert_eq(h.header_version, 2);
  cr_assert_null(h.client_id.ptr);
  cr_assert_eq(h.unknown_tags.ptr, r.bytes + 11);
  cr_assert_eq(h.unknown_tags.len, 3);
  cr_assert_eq(h.body_offset, 14);
  r.bytes[10] = 0;
  cr_assert_eq(parse(&r, &h), KOP_OK);
  cr_assert_null(h.unknown_tags.ptr);
  cr_assert_eq(h.body_offset, 11);
}

Test(header, of_controlled_shutdown_0_has_no_client_id) {
  request r = start(7, 0);
  kop_request_header h;
  cr_assert_eq(parse(&r, &h), KOP_OK);
  cr_assert_eq(h.header_version, 0);
  cr_assert_eq(h.body_offset, 8);
  cr_assert(h.supported);
  r = start(7, 1);
  cr_assert_eq(parse(&r, &h), KOP_ERR_TRUNCATED);
}

Test(header, of_a_future_api_versions_can_be_read) {
  request r = start(18, 99);
  add(&r, "\0\1c\0", 4);
  kop_request_header h;
  cr_assert_eq(parse(&r, &h), KOP_OK);
  cr_assert_eq(h.header_version, 2);
  cr_assert_eq(h.client_id.len, 1);
  cr_assert(h.known && !h.supported);
  cr_assert_eq(h.message_id, KOP_MSG_API_VERSIONS_REQUEST);
  r = start(18, -1);
  cr_assert_eq(parse(&r, &h), KOP_OK);
  cr_assert_eq(h.body_offset, 8,
               "no client is that old: nothing behind the first eight bytes is read");
  cr_assert(!h.supported);
}

Test(header, of_what_is_unknown_is_read_as_far_as_it_is_sure) {
  kop_request_header h;
  request r = start(3, 14);
  cr_assert_eq(parse(&r, &h), KOP_OK);
  cr_assert(h.known && !h.supported);
  cr_assert_eq(h.body_offset, 8);
  r = start(95, 0);
  cr_assert_eq(parse(&r, &h), KOP_OK);
  cr_assert(!h.known && !h.supported);
  r = start(-1, 0);
  cr_assert_eq(parse(&r, &h), KOP_OK);
  cr_assert(!h.known);
  r = start(500, 0); /* 500 * 2 would be the id of a header */
  cr_assert_eq(parse(&r, &h), KOP_OK);
  cr_assert(!h.known);
}

Test(header, is_refused_when_cut_or_wrong) {
  kop_request_header h;
  request r = start(3, 9);
  add(&r, "\0\2me\2\1\0\5\1x", 10);
  for (size_t len = 0; len < r.len; len++) {
    cr_assert_eq(kop_request_header_decode(r.bytes, len, &h, sizeof h), KOP_ERR_TRUNCATED, "%zu",
                 len);
  }
  cr_assert_eq(parse(&r, &h), KOP_OK);
  cr_assert_eq(kop_request_header_decode(r.bytes, r.len, &h, sizeof h - 1), KOP_ERR_INVALID);
  r.bytes[15] = 1; /* the second tag is not higher than the first */
  cr_assert_eq(parse(&r, &h), KOP_ERR_MALFORMED);
  r = start(3, 8);
  add(&r, "\xFF\xFE", 2);
  cr_assert_eq(parse(&r, &h), KOP_ERR_MALFORMED);
}

Test(header, of_a_response_is_4_bytes_or_5_and_always_4_for_api_versions) {
  const struct {
    int16_t key, version;
    size_t size;
  } cases[] = {{3, 8, 4}, {3, 9, 5}, {18, 0, 4}, {18, 3, 4},  {18, 5, 4},
               {0, 8, 4}, {0, 9, 5}, {17, 1, 4}, {999, 0, 4}, {3, 99, 4}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int16_t key = cases[i].key, version = cases[i].version;
    uint8_t out[5] = {9, 9, 9, 9, 9};
    size_t n = 0, offset = 0;
    int32_t id = 0;
    cr_assert_eq(kop_response_header_size(key, version), cases[i].size);
    cr_assert_eq(kop_response_header_encode(key, version, -2, out, cases[i].size - 1, &n),
                 KOP_ERR_NO_SPACE);
    cr_assert_eq(n, cases[i].size);
    cr_assert_eq(kop_response_header_encode(key, version, -2, out, sizeof out, &n), KOP_OK);
    cr_assert_eq(kop_response_header_decode(key, version, out, n, &id, &offset), KOP_OK);
    cr_assert_eq(id, -2);
    cr_assert_eq(offset, cases[i].size);
    cr_assert_eq(kop_response_header_decode(key, version, out, n - 1, &id, &offset),
                 KOP_ERR_TRUNCATED);
  }
}

Test(kafka_error, has_a_name_for_each_code) {
  int16_t code = 0;
  for (int16_t i = -1; i <= 136; i++) {
    cr_assert_str_neq(kop_kafka_error_name(i), "UNKNOWN", "%d", i);
    cr_assert_eq(kop_kafka_error_find(kop_kafka_error_name(i), &code), KOP_OK);
    cr_assert_eq(code, i);
  }
  cr_assert_str_eq(kop_kafka_error_name(137), "UNKNOWN");
  cr_assert_str_eq(kop_kafka_error_name(-2), "UNKNOWN");
  cr_assert_eq(kop_kafka_error_find("UNKNOWN", &code), KOP_ERR_NOT_FOUND);
  cr_assert_str_eq(kop_kafka_error_name(KOP_KAFKA_NOT_LEADER_OR_FOLLOWER),
                   "NOT_LEADER_OR_FOLLOWER");
  cr_assert_eq(KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, 6);
  cr_assert(kop_kafka_error_retriable(KOP_KAFKA_NOT_LEADER_OR_FOLLOWER));
  cr_assert(!kop_kafka_error_retriable(KOP_KAFKA_NONE));
  cr_assert(!kop_kafka_error_retriable(KOP_KAFKA_MESSAGE_TOO_LARGE));
  cr_assert(!kop_kafka_error_retriable(1000));
}
