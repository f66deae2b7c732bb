/* Produce and the partition's queue: order, duplicates, and what follows every answer of a store. */
#include "harness.h"

#include <stdlib.h>

typedef kop_produce_response_partition_produce_response produced;

Test(produce, answers_the_offset_that_the_store_gave) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  produced p = kh_produce(&h, c, "t", 0, kh_batch_of(&h, 3, -1, -1, -1));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.base_offset, 0);
  cr_assert_eq(p.log_start_offset, 0);
  p = kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, -1, -1, -1));
  cr_assert_eq(p.base_offset, 3);
  cr_assert_eq(log->end, 5);
  kh_stop(&h);
}

Test(produce, writes_the_leader_epoch_into_the_batch_and_nothing_else) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kop_slice batch = kh_batch_of(&h, 2, -1, -1, -1);
  uint8_t *copy = malloc(batch.len);
  memcpy(copy, batch.ptr, batch.len);
  (void)kh_produce(&h, c, "t", 0, batch);
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(log->batches[0].bytes, log->batches[0].len, &head), KOP_OK);
  cr_assert_eq(head.leader_epoch, log->epoch);
  cr_assert_eq(head.base_offset, 0);
  kop_batch_set_position(copy, 0, log->epoch);
  cr_assert_eq(memcmp(copy, log->batches[0].bytes, log->batches[0].len), 0);
  free(copy);
  kh_stop(&h);
}

Test(produce, to_what_is_not_there_is_an_error_of_the_partition) {
  kh h;
  kh_conn *c = NULL;
  kh_begin(&h, &c);
  cr_assert_eq(kh_produce(&h, c, "nope", 0, kh_batch_of(&h, 1, -1, -1, -1)).error_code,
               KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
  cr_assert_eq(kh_produce(&h, c, "t", 1, kh_batch_of(&h, 1, -1, -1, -1)).error_code,
               KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_text("")).error_code, KOP_KAFKA_INVALID_RECORD);
  produced p;
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), 5, 1000);
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_INVALID_REQUIRED_ACKS);
  cr_assert_eq(h.counts[KOP_EFFECT_APPEND], 0u);
  kh_stop(&h);
}

Test(produce, a_wrong_checksum_reaches_no_store) {
  kh h;
  kh_conn *c = NULL;
  kh_begin(&h, &c);
  kop_slice batch = kh_batch_of(&h, 1, -1, -1, -1);
  ((uint8_t *)batch.ptr)[batch.len - 1] ^= 1;
  cr_assert_eq(kh_produce(&h, c, "t", 0, batch).error_code, KOP_KAFKA_CORRUPT_MESSAGE);
  cr_assert_eq(h.counts[KOP_EFFECT_APPEND], 0u);
  kh_stop(&h);
}

Test(produce, without_acks_has_no_reply_and_tells_an_error_by_closing) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), 0, 1000);
  cr_assert_eq(log->end, 1);
  cr_assert_eq(c->out_len, 0u);
  cr_assert(!c->closed);
  kh_send_produce(&h, c, "nope", 0, kh_batch_of(&h, 1, -1, -1, -1), 0, 1000);
  cr_assert(c->closed);
  cr_assert_eq(c->close_reason, (uint32_t)KOP_CLOSE_NO_REPLY);
  cr_assert_eq(c->out_len, 0u);
  kh_stop(&h);
}

Test(produce, a_duplicate_gets_the_first_offset) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 3, 9, 0, 0)).base_offset, 0);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 3)).base_offset, 3);
  produced p = kh_produce(&h, c, "t", 0, kh_batch_of(&h, 3, 9, 0, 0));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.base_offset, 0);
  cr_assert_eq(log->end, 5);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 1, 9, 0, 7)).error_code,
               KOP_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 1, 9, 1, 0)).error_code, 0);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 1, 9, 0, 5)).error_code,
               KOP_KAFKA_INVALID_PRODUCER_EPOCH);
  kh_stop(&h);
}

Test(produce, a_retry_of_an_append_in_flight_joins_it) {
  kh h;
  kh_conn *a = NULL;
  kh_log *log = kh_begin(&h, &a);
  kh_conn *b = kh_connect(&h);
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_produce(&h, a, "t", 0, kh_batch_of(&h, 3, 9, 0, 0), -1, 30000);
  kh_send_produce(&h, b, "t", 0, kh_batch_of(&h, 3, 9, 0, 0), -1, 30000);
  cr_assert_eq(h.held_len, 1u, "the retry was appended");
  produced p;
  cr_assert(!kh_receive_produce(&h, b, &p));
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert(kh_receive_produce(&h, a, &p));
  cr_assert_eq(p.base_offset, 0);
  cr_assert(kh_receive_produce(&h, b, &p));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.base_offset, 0);
  cr_assert_eq(log->end, 3);
  kh_stop(&h);
}

Test(produce, appends_of_a_connection_are_emitted_in_its_order_and_answered_in_order) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 2);
  kh_conn *c = kh_connect(&h);
  kh_hold(&h, KH_KIND(APPEND));
  for (int32_t i = 0; i < 4; i++) {
    kh_send_produce(&h, c, "t", i % 2, kh_batch_of(&h, (uint32_t)i + 1, -1, -1, -1), -1, 30000);
  }
  cr_assert_eq(h.held_len, 4u, "several requests of one connection run at once");
  for (uint32_t i = 0; i < 4; i++)
    cr_assert_eq(((const kop_append *)h.held[i].body)->count, i + 1);
  kh_answer(&h, 3, KOP_DONE, 0); /* the last one first */
  cr_assert_eq(c->out_len, 0u, "a reply overtook an earlier one");
  kh_answer(&h, 0, KOP_DONE, 0);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.index, 0);
  cr_assert(!kh_receive_produce(&h, c, &p));
  kh_answer(&h, 0, KOP_DONE, 0);
  kh_answer(&h, 0, KOP_DONE, 0);
  for (int i = 0; i < 3; i++)
    cr_assert(kh_receive_produce(&h, c, &p));
  kh_stop(&h);
}

/* ---- what follows UNKNOWN, FENCED, REJECTED ---- */

Test(produce, unknown_outcome_that_was_written_is_found_in_the_log) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 0));
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 3, 9, 0, 2), -1, 30000);
  kop_effect written = h.held[0];
  kh_hold(&h, 0);
  /* the batch gets into the log, the answer does not say so */
  const kop_append *a = written.body;
  kh_batch *b = &log->batches[log->batches_len++];
  *b = (kh_batch){.bytes = malloc(a->bytes), .len = a->bytes, .base_offset = 2, .next_offset = 5};
  memcpy(b->bytes, a->slices[0].ptr, a->bytes);
  b->slice = (kop_slice){.ptr = b->bytes, .len = b->len};
  log->end = 5;
  kh_answer(&h, 0, KOP_UNKNOWN, 0);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.base_offset, 2);
  cr_assert_eq(log->end, 5, "it was appended twice");
  cr_assert_eq(log->epoch, 2, "the partition was not acquired anew");
  kh_stop(&h);
}

Test(produce, unknown_outcome_that_was_not_written_is_appended_afresh) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 3, 9, 0, 0), -1, 30000);
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, 9, 0, 3), -1, 30000);
  kh_hold(&h, 0);
  kh_answer(&h, 0, KOP_UNKNOWN, 0);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.base_offset, 0);
  cr_assert(!kh_receive_produce(&h, c, &p),
            "the old APPEND of the second may still read its bytes");
  kh_answer(&h, 0, KOP_FENCED, 0); /* late, of the ended epoch */
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.base_offset, 3);
  cr_assert_eq(log->end, 4);
  kh_stop(&h);
}

Test(produce, unknown_outcome_without_a_producer_id_asks_the_client_to_try_again) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 3, -1, -1, -1), -1, 30000);
  kh_hold(&h, 0);
  kh_answer(&h, 0, KOP_UNKNOWN, 0);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  cr_assert_eq(log->end, 0);
  kh_stop(&h);
}

Test(produce, fenced_appends_are_made_again_under_the_new_epoch) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 3, -1, -1, -1), -1, 30000);
  kh_hold(&h, 0);
  kh_answer(&h, 0, KOP_FENCED, 0);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(log->epoch, 2);
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(log->batches[0].bytes, log->batches[0].len, &head), KOP_OK);
  cr_assert_eq(head.leader_epoch, 2);
  kh_stop(&h);
}

Test(produce, a_rejection_goes_to_the_client_at_once_and_the_partition_comes_back) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 3, 9, 0, 0), -1, 30000);
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, 9, 0, 3), -1, 30000);
  kh_answer(&h, 0, KOP_REJECTED, KOP_KAFKA_KAFKA_STORAGE_ERROR);
  produced p;
  for (int i = 0; i < 2; i++) {
    cr_assert(kh_receive_produce(&h, c, &p));
    cr_assert_eq(p.error_code, KOP_KAFKA_KAFKA_STORAGE_ERROR);
  }
  kh_answer(&h, 0, KOP_REJECTED, KOP_KAFKA_KAFKA_STORAGE_ERROR);
  kh_hold(&h, 0);
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 3, 9, 0, 0), -1, 30000);
  cr_assert(!kh_receive_produce(&h, c, &p),
            "the partition has to be acquired first, after a while");
  kh_advance(&h, 10000);
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(log->end, 3);
  kh_stop(&h);
}

Test(produce, cancelled_and_unsupported_answers_are_survived) {
  static const int32_t outcomes[] = {KOP_CANCELLED, KOP_UNSUPPORTED, KOP_NOT_FOUND};
  for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
    kh h;
    kh_start(&h, NULL);
    kh_topic(&h, "t", 1, 1);
    kh_conn *c = kh_connect(&h);
    kh_hold(&h, KH_KIND(APPEND));
    kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), -1, 30000);
    kh_hold(&h, 0);
    kh_answer(&h, 0, outcomes[i], 0);
    produced p;
    cr_assert(kh_receive_produce(&h, c, &p));
    cr_assert_neq(p.error_code, 0);
    kh_advance(&h, 10000);
    cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1)).error_code, 0);
    kh_stop(&h);
  }
}

/* ---- time-outs and endings ---- */

Test(produce, parked_requests_time_out_as_not_leader_never_as_out_of_order) {
  kh h;
  kh_start(&h, NULL);
  kh_hold(&h, KH_KIND(ACQUIRE));
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, 9, 0, 5), -1, 2000);
  produced p;
  kh_advance(&h, 1999);
  cr_assert(!kh_receive_produce(&h, c, &p));
  kh_advance(&h, 1);
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  kh_stop(&h);
}

Test(produce, an_append_that_takes_too_long_is_answered_and_keeps_its_memory) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kh_hold(&h, KH_KIND(APPEND));
  kop_slice batch = kh_batch_of(&h, 3, 9, 0, 0);
  uint8_t *copy = malloc(batch.len);
  size_t len = batch.len;
  memcpy(copy, batch.ptr, len);
  kh_send_produce(&h, c, "t", 0, batch, -1, 2000);
  kh_advance(&h, 2000);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_REQUEST_TIMED_OUT);
  for (int i = 0; i < 20; i++) { /* new frames must not land in memory that the store still reads */
    kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 2, -1, -1, -1), -1, 60000);
  }
  const kop_append *a = h.held[0].body;
  kop_batch_set_position(copy, 0, 1);
  cr_assert_eq(memcmp(a->slices[0].ptr, copy, len), 0);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(log->end, 3);
  kh_conn *d = kh_connect(&h);
  kh_hold(&h, 0);
  kh_send_produce(&h, d, "t", 0, kh_batch_of(&h, 3, 9, 0, 0), -1, 2000);
  cr_assert(kh_receive_produce(&h, d, &p), "the retry finds what became of it");
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.base_offset, 0);
  free(copy);
  kh_stop(&h);
}

Test(produce, goes_on_when_the_client_has_gone) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = kh_begin(&h, &c);
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 3, -1, -1, -1), -1, 30000);
  kh_disconnect(&h, c);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(log->end, 3);
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.requests_open, 0u);
  cr_assert_eq(stats.frame_bytes, 0u);
  kh_stop(&h);
}

Test(produce, to_a_topic_that_is_deleted_meanwhile) {
  kh h;
  kh_conn *c = NULL;
  kh_begin(&h, &c);
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), -1, 30000);
  kh_topic_gone(&h, 1);
  kh_answer(&h, 0, KOP_CANCELLED, 0);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1)).error_code,
               KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
  kh_stop(&h);
}
