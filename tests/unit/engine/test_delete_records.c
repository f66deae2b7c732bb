/* DeleteRecords: Kafka's measured answers, what the store is asked, and time-outs. */
#include "catalogue.h"

typedef kop_delete_records_request_topic trimmed;
typedef kop_delete_records_request_partition cut;

static kop_delete_records_response trims;

static cut cut_at(int32_t partition, int64_t offset) {
  cut x;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_DELETE_RECORDS_REQUEST_PARTITION, &x, sizeof x), KOP_OK);
  x.partition_index = partition;
  x.offset = offset;
  return x;
}

static trimmed trim_of(const char *name, cut *cuts, int32_t n) {
  trimmed t;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_DELETE_RECORDS_REQUEST_TOPIC, &t, sizeof t), KOP_OK);
  t.name = kh_text(name);
  t.partitions.ptr = cuts;
  t.partitions.len = n;
  return t;
}

static kop_delete_records_request trimming(trimmed *all, int32_t n) {
  kop_delete_records_request q;
  cr_assert_eq(kop_message_init(KOP_MSG_DELETE_RECORDS_REQUEST, &q, sizeof q), KOP_OK);
  q.topics.ptr = all;
  q.topics.len = n;
  q.timeout_ms = 5000;
  return q;
}

static void trim(cat *c, kh_conn *conn, int16_t version, trimmed *all, int32_t n) {
  kop_delete_records_request q = trimming(all, n);
  cat_call(c, conn, KOP_MSG_DELETE_RECORDS_REQUEST, version, &q, sizeof q, &trims, sizeof trims);
}

Test(delete_records, moves_the_log_start) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 1);
  int64_t start = 0, end = 0;
  for (int16_t v = 0; v <= 2; v++) {
    (void)kh_produce(&h, conn, "t", 0, kh_batch_of(&h, 4, -1, -1, -1));
    end += 4;
    const struct {
      int32_t partition;
      int64_t offset;
      int64_t low;
      int16_t error;
    } cases[] = {{0, start, start, 0},
                 {0, end + 1, -1, 1},
                 {0, -2, -1, 1},
                 {9, 0, -1, 3},
                 {-1, 0, -1, 3},
                 {0, start + 2, start + 2, 0},
                 {0, start + 1, start + 2, 0},
                 {0, -1, end, 0},
                 {0, -1, end, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
      cut one = cut_at(cases[i].partition, cases[i].offset);
      trimmed t = trim_of("t", &one, 1);
      trim(&c, conn, v, &t, 1);
      cr_assert_eq(trims.topics.len, 1);
      const kop_delete_records_response_partition_result *r =
          &trims.topics.ptr[0].partitions.ptr[0];
      cr_assert_eq(r->error_code, cases[i].error, "version %d case %zu: %d", v, i, r->error_code);
      cr_assert_eq(r->low_watermark, cases[i].low, "version %d case %zu", v, i);
    }
    start = end;
  }
  cr_assert_eq(h.counts[KOP_EFFECT_DELETE_RECORDS], 6, "what changes nothing is not asked for");
  kh_stop(&h);
}

Test(delete_records, topics_and_partitions_named_twice) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 2);
  cut a[] = {cut_at(0, 0), cut_at(1, 0)}, b[] = {cut_at(0, 5)}, none[] = {cut_at(0, 0)};
  trimmed all[] = {trim_of("t", a, 2), trim_of("none", none, 1), trim_of("t", b, 1),
                   trim_of("t", NULL, 0), trim_of("u", NULL, 0)};
  trim(&c, conn, 2, all, 5);
  cr_assert_eq(trims.topics.len, 2, "a topic without partitions is not answered");
  for (int32_t i = 0; i < 2; i++) {
    const kop_delete_records_response_topic_result *t = &trims.topics.ptr[i];
    if (strcmp(cat_text(t->name), "none") == 0) {
      cr_assert_eq(t->partitions.ptr[0].error_code, 3);
      continue;
    }
    cr_assert_eq(t->partitions.len, 2);
    cr_assert_eq(t->partitions.ptr[0].error_code, 1, "the last offset of a partition counts");
    cr_assert_eq(t->partitions.ptr[1].error_code, 0);
  }
  trim(&c, conn, 2, NULL, 0);
  cr_assert_eq(trims.topics.len, 0);
  kh_stop(&h);
}

static void compacting_store(kop_engine_config *config) {
  config->store |= KOP_STORE_COMPACTS_KEYS;
}

Test(delete_records, not_of_a_topic_that_is_only_compacted) {
  cat c;
  kh h;
  cat_start(&c, &h, compacting_store);
  kh_conn *conn = kh_connect(&h);
  kop_config_entry only = {kh_text("cleanup.policy"), kh_text("compact")};
  kop_config_entry both = {kh_text("cleanup.policy"), kh_text("compact, delete")};
  kh_topic_with(&h, "only", 8, 1, &only, 1);
  kh_topic_with(&h, "both", 9, 1, &both, 1);
  cut one = cut_at(0, -1);
  trimmed all[] = {trim_of("only", &one, 1), trim_of("both", &one, 1)};
  trim(&c, conn, 2, all, 2);
  cr_assert_str_eq(cat_text(trims.topics.ptr[0].name), "both");
  cr_assert_eq(trims.topics.ptr[0].partitions.ptr[0].error_code, 0);
  cr_assert_eq(trims.topics.ptr[1].partitions.ptr[0].error_code, 44);
  kh_stop(&h);
}

static kh_way hold_trims(kh *h, const kop_effect *fx, void *data) {
  (void)h;
  (void)data;
  return fx->kind == KOP_EFFECT_DELETE_RECORDS ? KH_HOLD : KH_AUTO;
}

Test(delete_records, every_answer_of_the_store) {
  const struct {
    int32_t outcome;
    int16_t rejection;
    int16_t error;
  } cases[] = {
      {KOP_REJECTED, 56, 56}, {KOP_UNKNOWN, 0, 7}, {KOP_CANCELLED, 0, 7}, {KOP_FENCED, 0, 6}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cat c;
    kh h;
    cat_start(&c, &h, NULL);
    kh_conn *conn = kh_connect(&h);
    cat_add(&c, "t", 1);
    (void)kh_produce(&h, conn, "t", 0, kh_batch_of(&h, 4, -1, -1, -1));
    uint32_t acquired = h.counts[KOP_EFFECT_ACQUIRE];
    h.filter = hold_trims;
    cut one = cut_at(0, 2);
    trimmed t = trim_of("t", &one, 1);
    kop_delete_records_request q = trimming(&t, 1);
    kh_request(&h, conn, KOP_MSG_DELETE_RECORDS_REQUEST, 2, &q, sizeof q);
    kh_answer(&h, 0, cases[i].outcome, cases[i].rejection);
    cr_assert(kh_receive(&h, conn, KOP_MSG_DELETE_RECORDS_RESPONSE, 2, &trims, sizeof trims));
    cr_assert_eq(trims.topics.ptr[0].partitions.ptr[0].error_code, cases[i].error);
    cr_assert_eq(trims.topics.ptr[0].partitions.ptr[0].low_watermark, -1);
    bool reacquired = h.counts[KOP_EFFECT_ACQUIRE] > acquired;
    cr_assert_eq(reacquired, cases[i].outcome == KOP_FENCED);
    kh_stop(&h);
  }
}

Test(delete_records, times_out_and_survives_the_topic) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_topic *topic = cat_add(&c, "t", 1);
  (void)kh_produce(&h, conn, "t", 0, kh_batch_of(&h, 4, -1, -1, -1));
  h.filter = hold_trims;
  cut one = cut_at(0, 2);
  trimmed t = trim_of("t", &one, 1);
  kop_delete_records_request q = trimming(&t, 1);
  kh_request(&h, conn, KOP_MSG_DELETE_RECORDS_REQUEST, 2, &q, sizeof q);
  kh_advance(&h, 5000);
  cr_assert(kh_receive(&h, conn, KOP_MSG_DELETE_RECORDS_RESPONSE, 2, &trims, sizeof trims));
  cr_assert_eq(trims.topics.ptr[0].partitions.ptr[0].error_code, 7);
  kh_request(&h, conn, KOP_MSG_DELETE_RECORDS_REQUEST, 2, &q, sizeof q);
  kh_topic_gone(&h, topic->number);
  kh_answer(&h, 0, KOP_DONE, 0);
  kh_disconnect(&h, conn);
  kh_answer(&h, 0, KOP_DONE, 0);
  kh_stop(&h);
}
