/* The JSON view: Kafka's spelling, what Kafka's spelling cannot say, and clear words for what is wrong. */
#include <criterion/criterion.h>
#include <kop/json.h>
#include <kop/messages.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/failing_alloc.h"

static kop_arena *arena;

static void open_arena(void) {
  cr_assert_eq(kop_arena_new(NULL, 1 << 16, &arena), KOP_OK);
}

static void close_arena(void) {
  kop_arena_free(arena);
}

TestSuite(json, .init = open_arena, .fini = close_arena);

static void expect_text(uint32_t id, int16_t version, const void *msg, size_t size,
                        const char *want) {
  char *text = NULL;
  size_t len = 0;
  cr_assert_eq(kop_json_write(id, version, msg, size, 1 << 16, NULL, &text, &len), KOP_OK);
  cr_assert_str_eq(text, want);
  kop_json_free(NULL, text);
}

static void expect_error(uint32_t id, int16_t version, const char *text, const char *want) {
  uint8_t msg[512];
  char error[128] = "";
  kop_message_info info;
  cr_assert_eq(kop_message_describe(id, &info, sizeof info), KOP_OK);
  cr_assert_eq(kop_json_read(id, version, arena, text, strlen(text), msg, info.struct_size, error,
                             sizeof error),
               KOP_ERR_MALFORMED, "%s", text);
  cr_assert_str_eq(error, want);
}

Test(json, shows_the_fields_of_the_version) {
  kop_metadata_request m;
  cr_assert_eq(kop_message_init(KOP_MSG_METADATA_REQUEST, &m, sizeof m), KOP_OK);
  expect_text(KOP_MSG_METADATA_REQUEST, 0, &m, sizeof m, "{\"topics\":[]}");
  expect_text(KOP_MSG_METADATA_REQUEST, 4, &m, sizeof m,
              "{\"topics\":[],\"allowAutoTopicCreation\":true}");
  m.topics.len = -1;
  expect_text(KOP_MSG_METADATA_REQUEST, 1, &m, sizeof m, "{\"topics\":null}");
}

Test(json, says_what_kafkas_form_cannot) {
  static const uint8_t tags[] = {9, 2, 0xFB, 0xFF};
  kop_describe_cluster_response m;
  cr_assert_eq(kop_message_init(KOP_MSG_DESCRIBE_CLUSTER_RESPONSE, &m, sizeof m), KOP_OK);
  m.cluster_id = (kop_slice){(const uint8_t *)"a\xFF", 2};
  m.error_message = (kop_slice){(const uint8_t *)"\"\\\n\xC3\xA9\xF0\x9F\x98\x80", 9};
  m.unknown_tags = (kop_slice){tags, sizeof tags};
  const char *want = "{\"throttleTimeMs\":0,\"errorCode\":0,\"errorMessage\":"
                     "\"\\\"\\\\\\u000a\xC3\xA9\xF0\x9F\x98\x80\","
                     "\"clusterId\":{\"base64\":\"Yf8=\"},\"controllerId\":-1,\"brokers\":[],"
                     "\"clusterAuthorizedOperations\":-2147483648,\"unknownTags\":[{\"tag\":9,"
                     "\"data\":\"+/8=\"}]}";
  expect_text(KOP_MSG_DESCRIBE_CLUSTER_RESPONSE, 0, &m, sizeof m, want);
  kop_describe_cluster_response back;
  cr_assert_eq(kop_json_read(KOP_MSG_DESCRIBE_CLUSTER_RESPONSE, 0, arena, want, strlen(want), &back,
                             sizeof back, NULL, 0),
               KOP_OK);
  cr_assert_eq(back.cluster_id.len, 2);
  cr_assert_eq(back.cluster_id.ptr[1], 0xFF);
  cr_assert_eq(back.unknown_tags.len, 4);
  cr_assert_arr_eq(back.unknown_tags.ptr, tags, 4);
}

Test(json, recognises_text_that_is_not_utf8) {
  static const char *const bad[] = {"\x80",
                                    "\xC0\x80",
                                    "\xC3",
                                    "\xED\xA0\x80",
                                    "\xE0\x80\x80",
                                    "\xF0\x80\x80\x80",
                                    "\xF4\x90\x80\x80",
                                    "\xF8\x88\x80\x80\x80",
                                    "\xE2\x82"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    kop_find_coordinator_request m;
    cr_assert_eq(kop_message_init(KOP_MSG_FIND_COORDINATOR_REQUEST, &m, sizeof m), KOP_OK);
    m.key = (kop_slice){(const uint8_t *)bad[i], strlen(bad[i])};
    char *text = NULL;
    size_t len = 0;
    cr_assert_eq(
        kop_json_write(KOP_MSG_FIND_COORDINATOR_REQUEST, 0, &m, sizeof m, 1000, NULL, &text, &len),
        KOP_OK);
    cr_assert_not_null(strstr(text, "{\"base64\":"), "case %zu: %s", i, text);
    kop_json_free(NULL, text);
  }
}

Test(json, keeps_every_float) {
  uint64_t odd = UINT64_C(0xFFF0000000000001);
  double odd_nan;
  memcpy(&odd_nan, &odd, sizeof odd_nan);
  const double values[] = {
      odd_nan, 0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, 1.7976931348623157e308, -123456789.125};
  kop_describe_client_quotas_response_value_data v;
  kop_describe_client_quotas_response_entry_data entry;
  kop_describe_client_quotas_response m, back;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_DESCRIBE_CLIENT_QUOTAS_RESPONSE_VALUE_DATA, &v, sizeof v),
               KOP_OK);
  cr_assert_eq(
      kop_struct_init(KOP_STRUCT_DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTRY_DATA, &entry, sizeof entry),
      KOP_OK);
  cr_assert_eq(kop_message_init(KOP_MSG_DESCRIBE_CLIENT_QUOTAS_RESPONSE, &m, sizeof m), KOP_OK);
  entry.values.ptr = &v;
  entry.values.len = 1;
  m.entries.ptr = &entry;
  m.entries.len = 1;
  for (size_t i = 0; i < sizeof values / sizeof *values + 3; i++) {
    size_t n = sizeof values / sizeof *values;
    v.value = i < n        ? values[i]
              : i == n     ? (double)NAN
              : i == n + 1 ? (double)INFINITY
                           : -(double)INFINITY;
    char *text = NULL;
    size_t len = 0;
    cr_assert_eq(kop_json_write(KOP_MSG_DESCRIBE_CLIENT_QUOTAS_RESPONSE, 0, &m, sizeof m, 1000,
                                NULL, &text, &len),
                 KOP_OK);
    cr_assert_eq(kop_json_read(KOP_MSG_DESCRIBE_CLIENT_QUOTAS_RESPONSE, 0, arena, text, len, &back,
                               sizeof back, NULL, 0),
                 KOP_OK, "%s", text);
    double got = back.entries.ptr[0].values.ptr[0].value;
    cr_assert(memcmp(&got, &v.value, sizeof got) == 0, "%s", text);
    kop_json_free(NULL, text);
  }
}

Test(json, tells_what_is_wrong_and_where) {
  uint32_t id = KOP_MSG_METADATA_REQUEST;
  expect_error(id, 4, "{\"topics\":[{\"name\":1}]}", "Name: is not a string");
  expect_error(id, 4, "{\"topics\":[null]}", "Topics: has a null element");
  expect_error(id, 0, "{\"topics\":null}", "Topics: cannot be null");
  expect_error(id, 4, "{\"topics\":{}}", "Topics: is not an array");
  expect_error(id, 0, "{\"allowAutoTopicCreation\":true}",
               "allowAutoTopicCreation: is no field of this version");
  expect_error(id, 4, "{\"allowAutoTopicCreation\":1}", "AllowAutoTopicCreation: is not a bool");
  expect_error(id, 4, "[]", "MetadataRequest: is not an object");
  expect_error(id, 12, "{\"topics\":[{\"topicId\":\"AAAA\"}]}",
               "TopicId: is not a uuid of 22 characters");
  expect_error(id, 12, "{\"unknownTags\":[{\"tag\":-1,\"data\":\"\"}]}",
               "unknownTags: has no tag in range");
  expect_error(id, 12, "{\"unknownTags\":[{\"tag\":1,\"data\":\"?\"}]}",
               "unknownTags: is not base64");
  expect_error(KOP_MSG_FETCH_REQUEST, 4, "{\"maxWaitMs\":2147483648}",
               "MaxWaitMs: is out of range");
  expect_error(KOP_MSG_FETCH_REQUEST, 4, "{\"maxWaitMs\":1.5}", "MaxWaitMs: is not an integer");
  expect_error(KOP_MSG_DESCRIBE_CLIENT_QUOTAS_RESPONSE, 0,
               "{\"entries\":[{\"values\":[{\"value\":\"NaN(3ff0000000000000)\"}]}]}",
               "Value: is not a number");
  uint8_t msg[512];
  char small[10];
  cr_assert_eq(
      kop_json_read(id, 4, arena, "{", 1, msg, sizeof(kop_metadata_request), small, sizeof small),
      KOP_ERR_MALFORMED);
  cr_assert_eq(strlen(small), 9, "cut and terminated");
  cr_assert_eq(kop_json_read(id, 4, arena, "{\"a\":1,\"a\":1}", 13, msg,
                             sizeof(kop_metadata_request), NULL, 0),
               KOP_ERR_MALFORMED);
}

Test(json, takes_missing_members_for_their_defaults) {
  kop_fetch_request m;
  cr_assert_eq(kop_json_read(KOP_MSG_FETCH_REQUEST, 12, arena, "{}", 2, &m, sizeof m, NULL, 0),
               KOP_OK);
  cr_assert_eq(m.max_bytes, INT32_MAX);
  cr_assert_eq(m.session_epoch, -1);
}

Test(json, stops_at_its_limit_and_survives_failing_allocations) {
  kop_metadata_request_topic topics[40];
  kop_metadata_request m;
  cr_assert_eq(kop_message_init(KOP_MSG_METADATA_REQUEST, &m, sizeof m), KOP_OK);
  for (size_t i = 0; i < 40; i++) {
    cr_assert_eq(kop_struct_init(KOP_STRUCT_METADATA_REQUEST_TOPIC, &topics[i], sizeof topics[i]),
                 KOP_OK);
  }
  m.topics.ptr = topics;
  m.topics.len = 40;
  char *text = NULL;
  size_t len = 0, exact = 0;
  cr_assert_eq(
      kop_json_write(KOP_MSG_METADATA_REQUEST, 0, &m, sizeof m, 10000, NULL, &text, &exact),
      KOP_OK);
  kop_json_free(NULL, text);
  cr_assert_eq(
      kop_json_write(KOP_MSG_METADATA_REQUEST, 0, &m, sizeof m, exact - 1, NULL, &text, &len),
      KOP_ERR_LIMIT);
  cr_assert_null(text);
  for (size_t i = 0;; i++) {
    failing_alloc f;
    failing_alloc_init(&f, i);
    kop_status status =
        kop_json_write(KOP_MSG_METADATA_REQUEST, 0, &m, sizeof m, exact, &f.alloc, &text, &len);
    kop_json_free(&f.alloc, text);
    cr_assert_eq(f.live, 0);
    if (f.made <= i) {
      cr_assert_eq(status, KOP_OK);
      cr_assert_eq(len, exact);
      cr_assert_gt(i, 1, "the text needs more than one allocation");
      break;
    }
    cr_assert_eq(status, KOP_ERR_NOMEM);
  }
}

Test(json, checks_its_arguments) {
  kop_metadata_request m;
  char *text = NULL;
  size_t len = 0;
  cr_assert_eq(kop_message_init(KOP_MSG_METADATA_REQUEST, &m, sizeof m), KOP_OK);
  cr_assert_eq(kop_json_write(999, 0, &m, sizeof m, 100, NULL, &text, &len), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_json_write(KOP_MSG_METADATA_REQUEST, 99, &m, sizeof m, 100, NULL, &text, &len),
               KOP_ERR_UNSUPPORTED);
  cr_assert_eq(kop_json_write(KOP_MSG_METADATA_REQUEST, 0, &m, 1, 100, NULL, &text, &len),
               KOP_ERR_INVALID);
  cr_assert_eq(kop_json_read(999, 0, arena, "{}", 2, &m, sizeof m, NULL, 0), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_json_read(KOP_MSG_METADATA_REQUEST, 99, arena, "{}", 2, &m, sizeof m, NULL, 0),
               KOP_ERR_UNSUPPORTED);
  cr_assert_eq(kop_json_read(KOP_MSG_METADATA_REQUEST, 0, arena, "{}", 2, &m, 1, NULL, 0),
               KOP_ERR_INVALID);
  kop_arena *small = NULL;
  const char *big = "{\"topics\":[{\"name\":\"a\"},{\"name\":\"b\"}]}";
  cr_assert_eq(kop_arena_new(NULL, 64, &small), KOP_OK);
  cr_assert_eq(
      kop_json_read(KOP_MSG_METADATA_REQUEST, 0, small, big, strlen(big), &m, sizeof m, NULL, 0),
      KOP_ERR_LIMIT);
  kop_arena_free(small);
}
