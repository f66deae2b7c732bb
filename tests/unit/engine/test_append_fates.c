/*
 * What becomes of an append when its request, its epoch and its duplicates end in an unlucky order: no memory is used that
 * has ended, nothing is appended twice, nobody waits for ever.
 */
#include "harness.h"

typedef kop_produce_response_partition_produce_response produced;

/* An idempotent batch that timed out in flight, and the client's retry of it, which joined it. */
static void time_out_and_retry(kh *h, kh_conn *c) {
  produced p;
  kh_send_produce(h, c, "t", 0, kh_batch_of(h, 2, 9, 0, 0), -1, 1000);
  kh_advance(h, 1001);
  cr_assert(kh_receive_produce(h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_REQUEST_TIMED_OUT);
  kh_send_produce(h, c, "t", 0, kh_batch_of(h, 2, 9, 0, 0), -1, 30000);
  cr_assert_eq(h->counts[KOP_EFFECT_APPEND], 1u, "the retry joins the append in flight");
}

Test(append_fates, a_retry_outlives_the_request_it_joined_when_the_outcome_is_unknown) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kh_conn *other = kh_connect(&h);
  kh_hold(&h, KH_KIND(APPEND) | KH_KIND(ACQUIRE));
  time_out_and_retry(&h, c);
  kh_answer(&h, 0, KOP_UNKNOWN, 0);
  for (int i = 0; i < 20; i++) /* the memory of the first request is used by others */
    kh_send_fetch(&h, other, "t", 0, 0, 0, 0);
  kh_hold(&h, 0);
  kh_answer(&h, 0, KOP_DONE, 0);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.base_offset, 0);
  cr_assert_eq(log->end, 2);
  kh_stop(&h);
}

Test(append_fates, a_retry_outlives_a_parked_original_that_times_out) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kh_conn *other = kh_connect(&h);
  kh_hold(&h, KH_KIND(APPEND) | KH_KIND(ACQUIRE));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 0), -1, 2000);
  kh_send_produce(&h, other, "t", 0, kh_batch_of(&h, 2, 9, 0, 0), -1, 60000);
  kh_answer(&h, 0, KOP_UNKNOWN, 0); /* both wait for the new epoch, the second on the first */
  kh_advance(&h, 2001);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  for (int i = 0; i < 20; i++) /* the memory of the first one's request is used by others */
    kh_send_fetch(&h, c, "t", 0, 0, 0, 0);
  kh_hold(&h, 0);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert(kh_receive_produce(&h, other, &p), "the second one is answered");
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(log->end, 2);
  kh_stop(&h);
}

static void send_delete_records(kh *h, kh_conn *c, int64_t before) {
  kop_delete_records_request q;
  kop_delete_records_request_topic t;
  kop_delete_records_request_partition p;
  kop_message_init(KOP_MSG_DELETE_RECORDS_REQUEST, &q, sizeof q);
  kop_struct_init(KOP_STRUCT_DELETE_RECORDS_REQUEST_TOPIC, &t, sizeof t);
  kop_struct_init(KOP_STRUCT_DELETE_RECORDS_REQUEST_PARTITION, &p, sizeof p);
  p.offset = before;
  t.name = kh_text("t");
  t.partitions.ptr = &p;
  t.partitions.len = 1;
  q.topics.ptr = &t;
  q.topics.len = 1;
  q.timeout_ms = 30000;
  kh_request(h, c, KOP_MSG_DELETE_RECORDS_REQUEST, 2, &q, sizeof q);
}

Test(append_fates, leadership_lost_under_delete_records_is_acquired_once) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kh_conn *other = kh_connect(&h);
  (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 4, -1, -1, -1));
  kh_hold(&h, KH_KIND(APPEND) | KH_KIND(DELETE_RECORDS) | KH_KIND(ACQUIRE));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 0), -1, 30000);
  send_delete_records(&h, other, 2);
  kh_answer(&h, (size_t)kh_find_held(&h, KOP_EFFECT_DELETE_RECORDS), KOP_FENCED, 0);
  kh_answer(&h, (size_t)kh_find_held(&h, KOP_EFFECT_APPEND), KOP_FENCED, 0);
  cr_assert_eq(h.counts[KOP_EFFECT_ACQUIRE], 2u, "one for the start, one for the loss");
  kh_hold(&h, 0);
  kh_answer(&h, (size_t)kh_find_held(&h, KOP_EFFECT_ACQUIRE), KOP_DONE, 0);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(log->end, 6);
  kh_stop(&h);
}

Test(append_fates, what_stands_before_a_fenced_append_is_not_appended_twice) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kh_conn *other = kh_connect(&h);
  kh_hold(&h, KH_KIND(APPEND) | KH_KIND(ACQUIRE));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 2, -1, -1, -1), -1, 30000);
  kh_send_produce(&h, other, "t", 0, kh_batch_of(&h, 3, -1, -1, -1), -1, 30000);
  kh_answer(&h, 1, KOP_FENCED, 0); /* the second; the first was done, which is said later */
  kh_hold(&h, 0);
  kh_answer(&h, 0, KOP_DONE, 0);
  kh_answer(&h, (size_t)kh_find_held(&h, KOP_EFFECT_ACQUIRE), KOP_DONE, 0);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  cr_assert(kh_receive_produce(&h, other, &p));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(log->end, 5);
  kh_stop(&h);
}

Test(append_fates, a_producer_of_old_records_is_remembered) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  int64_t now = h.now.wall_ms;
  h.now.wall_ms = now - INT64_C(30) * 24 * 3600 * 1000; /* the records are a month old */
  kop_slice made = kh_batch_of(&h, 2, 9, 0, 0);
  uint8_t bytes[256];
  cr_assert_leq(made.len, sizeof bytes);
  memcpy(bytes, made.ptr, made.len);
  h.now.wall_ms = now;
  cr_assert_eq(kh_produce(&h, c, "t", 0, (kop_slice){bytes, made.len}).base_offset, 0);
  (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1));
  for (int round = 0; round < 2; round++) {
    produced p = kh_produce(&h, c, "t", 0, (kop_slice){bytes, made.len});
    cr_assert_eq(p.error_code, 0);
    cr_assert_eq(p.base_offset, 0, "the retry is a duplicate, in round %d", round);
    cr_assert_eq(log->end, 3);
    /* leadership away and back: the state is loaded anew */
    kh_lead(&h, log->id, 2, -1);
    kh_lead(&h, log->id, KH_NODE, -1);
  }
  kh_stop(&h);
}

Test(append_fates, a_half_loaded_state_is_not_saved) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 0));
  kh_hold(&h, KH_KIND(APPEND) | KH_KIND(READ));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), -1, 30000);
  kh_answer(&h, 0, KOP_UNKNOWN, 0); /* the log is read again */
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  kh_lead(&h, log->id, 2, -1);
  kh_hold(&h, 0);
  kh_answer(&h, 0, KOP_DONE, 0); /* and leadership goes before it is read */
  kh_lead(&h, log->id, KH_NODE, -1);
  p = kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 0));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.base_offset, 0, "a duplicate");
  cr_assert_eq(log->end, 2);
  kh_stop(&h);
}
