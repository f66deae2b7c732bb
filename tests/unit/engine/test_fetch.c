/* Fetch: waiting, reading, holes, sessions, sharing of READs. */
#include "harness.h"

#include <stdlib.h>

typedef kop_fetch_response_partition_data fetched;

static void fill(kh *h, kh_conn *c, const char *topic, int32_t partition, uint32_t batches,
                 uint32_t each) {
  for (uint32_t i = 0; i < batches; i++) {
    cr_assert_eq(kh_produce(h, c, topic, partition, kh_batch_of(h, each, -1, -1, -1)).error_code,
                 0);
  }
}

/* Base offsets and sizes of the batches in a record set. */
static uint32_t count_batches(kop_slice records, int64_t *first, int64_t *last) {
  uint32_t n = 0;
  while (records.len > 0) {
    size_t size = 0;
    cr_assert_eq(kop_batch_next(records.ptr, records.len, &size, NULL), KOP_OK);
    kop_batch_head head;
    cr_assert_eq(kop_batch_head_decode(records.ptr, size, &head), KOP_OK);
    cr_assert_eq(kop_batch_check_crc(records.ptr, size), KOP_OK);
    if (n == 0 && first != NULL) *first = head.base_offset;
    if (last != NULL) *last = head.base_offset + head.last_offset_delta;
    records.ptr += size;
    records.len -= size;
    n++;
  }
  return n;
}

Test(fetch, gives_whole_batches_with_their_offsets_from_the_one_asked_for) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  fill(&h, c, "t", 0, 5, 3);
  kh_send_fetch(&h, c, "t", 0, 4, 0, 1);
  fetched f;
  int64_t first = -1;
  int64_t last = -1;
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(f.error_code, 0);
  cr_assert_eq(f.high_watermark, 15);
  cr_assert_eq(f.last_stable_offset, 15);
  cr_assert_eq(f.log_start_offset, 0);
  cr_assert_eq(count_batches(f.records, &first, &last), 4u);
  cr_assert_eq(first, 3);
  cr_assert_eq(last, 14);
  cr_assert_eq(h.lent, 0u, "lent bytes are given back when the reply has left");
  kh_stop(&h);
}

Test(fetch, lent_bytes_are_held_until_the_send_is_answered) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  fill(&h, c, "t", 0, 1, 3);
  kh_hold(&h, KH_KIND(SEND));
  kh_send_fetch(&h, c, "t", 0, 0, 0, 1);
  cr_assert_eq(h.lent, 1u);
  kh_disconnect(&h, c); /* even then: the token is open */
  cr_assert_eq(h.lent, 1u);
  c->closed = false;
  kh_answer(&h, 0, KOP_CANCELLED, 0);
  cr_assert_eq(h.lent, 0u);
  kh_stop(&h);
}

Test(fetch, out_of_range_both_ways) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  fill(&h, c, "t", 0, 2, 3);
  kop_log_state moved = {.size = sizeof moved,
                         .epoch = log->epoch,
                         .partition = log->id,
                         .log_start = 3,
                         .high_watermark = 6};
  log->log_start = 3;
  kh_push(&h, KOP_EVENT_LOG, &moved, sizeof moved);
  static const int64_t bad[] = {-1, 0, 2, 7, INT64_MAX};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    kh_send_fetch(&h, c, "t", 0, bad[i], 60000, 1);
    fetched f;
    cr_assert(kh_receive_fetch(&h, c, &f), "an offset out of range does not wait");
    cr_assert_eq(f.error_code, KOP_KAFKA_OFFSET_OUT_OF_RANGE);
    cr_assert_eq(f.high_watermark, -1);
    cr_assert_eq(f.records.len, 0u);
    cr_assert_not_null(f.records.ptr, "null records break librdkafka");
  }
  kh_stop(&h);
}

Test(fetch, waits_for_an_append_and_is_woken_by_it) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_conn *p = kh_connect(&h);
  kh_send_fetch(&h, c, "t", 0, 0, 500, 1);
  fetched f;
  cr_assert(!kh_receive_fetch(&h, c, &f));
  kh_advance(&h, 400);
  cr_assert(!kh_receive_fetch(&h, c, &f));
  fill(&h, p, "t", 0, 1, 2);
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(count_batches(f.records, NULL, NULL), 1u);
  kh_stop(&h);
}

Test(fetch, answers_empty_at_max_wait) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_send_fetch(&h, c, "t", 0, 0, 500, 1);
  fetched f;
  kh_advance(&h, 499);
  cr_assert(!kh_receive_fetch(&h, c, &f));
  kh_advance(&h, 1);
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(f.error_code, 0);
  cr_assert_eq(f.records.len, 0u);
  cr_assert_eq(h.counts[KOP_EFFECT_READ], 0u, "nothing is read when there is nothing");
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.fetches_waiting, 0u);
  kh_stop(&h);
}

Test(fetch, min_bytes_wait_for_more) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_conn *p = kh_connect(&h);
  size_t size = kh_batch_of(&h, 2, -1, -1, -1).len;
  kh_send_fetch(&h, c, "t", 0, 0, 5000, (int32_t)(2 * size + 1));
  fetched f;
  fill(&h, p, "t", 0, 2, 2);
  cr_assert(!kh_receive_fetch(&h, c, &f));
  fill(&h, p, "t", 0, 1, 2);
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(count_batches(f.records, NULL, NULL), 3u);
  kh_stop(&h);
}

Test(fetch, a_deleted_topic_wakes_it) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_send_fetch(&h, c, "t", 0, 0, 60000, 1);
  kh_topic_gone(&h, 1);
  fetched f;
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(f.error_code, KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
  kh_stop(&h);
}

Test(fetch, a_lost_leadership_wakes_it_with_the_new_leader) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_send_fetch(&h, c, "t", 0, 0, 60000, 1);
  kh_lead(&h, log->id, 2, 1);
  fetched f;
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(f.error_code, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  cr_assert_eq(f.current_leader.leader_id, 2);
  kh_stop(&h);
}

Test(fetch, a_client_that_goes_leaves_nothing) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *p = kh_connect(&h);
  kh_conn *c = kh_connect(&h);
  kh_send_fetch(&h, c, "t", 0, 0, 60000, 1);
  kh_disconnect(&h, c);
  fill(&h, p, "t", 0, 1, 2);
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.requests_open, 0u);
  cr_assert_eq(stats.fetches_waiting, 0u);
  kh_stop(&h);
}

Test(fetch, a_client_that_goes_while_its_read_is_open) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  fill(&h, c, "t", 0, 1, 2);
  kh_hold(&h, KH_KIND(READ));
  kh_send_fetch(&h, c, "t", 0, 0, 60000, 1);
  cr_assert_eq(h.held_len, 1u);
  kh_disconnect(&h, c);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(h.lent, 0u);
  kh_stop(&h);
}

/* ---- READs ---- */

Test(fetch, later_fetches_of_the_same_offset_join_the_open_read) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *p = kh_connect(&h);
  fill(&h, p, "t", 0, 2, 2);
  kh_hold(&h, KH_KIND(READ));
  kh_conn *c[3];
  for (int i = 0; i < 3; i++) {
    c[i] = kh_connect(&h);
    kh_send_fetch(&h, c[i], "t", 0, 0, 60000, 1);
  }
  cr_assert_eq(h.held_len, 1u);
  kh_answer(&h, 0, KOP_DONE, 0);
  for (int i = 0; i < 3; i++) {
    fetched f;
    cr_assert(kh_receive_fetch(&h, c[i], &f));
    cr_assert_eq(count_batches(f.records, NULL, NULL), 2u);
  }
  cr_assert_eq(h.lent, 0u);
  kh_stop(&h);
}

Test(fetch, a_slow_store_makes_progress_all_the_same) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  fill(&h, c, "t", 0, 2, 2);
  kh_hold(&h, KH_KIND(READ));
  fetched f;
  kh_send_fetch(&h, c, "t", 0, 0, 500, 1);
  kh_advance(&h, 500);
  cr_assert(kh_receive_fetch(&h, c, &f), "at max.wait it answers with what is ready");
  cr_assert_eq(f.records.len, 0u);
  cr_assert_eq(f.error_code, 0);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(h.lent, 0u, "a kept result is a copy");
  kh_send_fetch(&h, c, "t", 0, 0, 500, 1);
  cr_assert(kh_receive_fetch(&h, c, &f), "the result was kept for the client that comes again");
  cr_assert_eq(count_batches(f.records, NULL, NULL), 2u);
  cr_assert_eq(h.held_len, 0u);
  kh_send_fetch(&h, c, "t", 0, 0, 500, 1);
  kh_advance(&h, 500);
  cr_assert(kh_receive_fetch(&h, c, &f));
  kh_answer(&h, 0, KOP_DONE, 0);
  kh_advance(&h, 6000);
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.lent_bytes, 0u, "a kept result is dropped after some seconds");
  kh_stop(&h);
}

Test(fetch, a_read_that_fails_is_the_partitions_error) {
  static const struct {
    int32_t outcome;
    int16_t error, expected;
  } cases[] = {
      {KOP_REJECTED, KOP_KAFKA_KAFKA_STORAGE_ERROR, KOP_KAFKA_KAFKA_STORAGE_ERROR},
      {KOP_REJECTED, KOP_KAFKA_OFFSET_OUT_OF_RANGE, KOP_KAFKA_OFFSET_OUT_OF_RANGE},
      {KOP_UNKNOWN, 0, KOP_KAFKA_KAFKA_STORAGE_ERROR},
      {KOP_CANCELLED, 0, KOP_KAFKA_KAFKA_STORAGE_ERROR},
      {KOP_FENCED, 0, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER},
      {KOP_UNSUPPORTED, 0, KOP_KAFKA_KAFKA_STORAGE_ERROR},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kh h;
    kh_start(&h, NULL);
    kh_topic(&h, "t", 1, 1);
    kh_conn *c = kh_connect(&h);
    fill(&h, c, "t", 0, 1, 2);
    kh_hold(&h, KH_KIND(READ));
    kh_send_fetch(&h, c, "t", 0, 0, 500, 1);
    kh_answer(&h, 0, cases[i].outcome, cases[i].error);
    fetched f;
    cr_assert(kh_receive_fetch(&h, c, &f));
    cr_assert_eq(f.error_code, cases[i].expected, "case %zu: %d", i, f.error_code);
    kh_stop(&h);
  }
}

Test(fetch, reads_only_at_the_head_of_the_replies) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 2);
  kh_conn *c = kh_connect(&h);
  fill(&h, c, "t", 0, 1, 2);
  kh_send_fetch(&h, c, "t", 1, 0, 1000, 1); /* waits, and is the head */
  kh_send_fetch(&h, c, "t", 0, 0, 1000, 1); /* has data, and may hold no lent bytes yet */
  cr_assert_eq(h.counts[KOP_EFFECT_READ], 0u);
  kh_advance(&h, 1000);
  fetched f;
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(f.partition_index, 1);
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(f.partition_index, 0);
  cr_assert_eq(count_batches(f.records, NULL, NULL), 1u);
  kh_stop(&h);
}

/* ---- holes ---- */

Test(fetch, a_hole_that_reaches_the_high_watermark_is_covered) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  fill(&h, c, "t", 0, 1, 2);
  log->end = 10; /* offsets 2 to 9 carry nothing for Kafka */
  kop_log_state moved = {
      .size = sizeof moved, .epoch = log->epoch, .partition = log->id, .high_watermark = 10};
  kh_push(&h, KOP_EVENT_LOG, &moved, sizeof moved);
  kh_send_fetch(&h, c, "t", 0, 2, 500, 1);
  fetched f;
  cr_assert(kh_receive_fetch(&h, c, &f));
  int64_t first = -1;
  int64_t last = -1;
  cr_assert_eq(count_batches(f.records, &first, &last), 1u);
  cr_assert_eq(first, 2);
  cr_assert_eq(last, 9);
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(f.records.ptr, f.records.len, &head), KOP_OK);
  cr_assert_eq(head.count, 0);
  kh_stop(&h);
}

/* ---- sessions ---- */

typedef struct session_request {
  int32_t id;
  int32_t epoch;
  int32_t partitions; /* 0 .. partitions - 1 are named, all at `offset` */
  int64_t offset;
  int32_t only; /* >= 0: only this one is named */
} session_request;

static void send_session(kh *h, kh_conn *c, session_request s, int32_t max_wait) {
  kop_fetch_request q;
  kop_fetch_request_topic t;
  kop_fetch_request_partition p[KH_PARTITIONS];
  cr_assert_eq(kop_message_init(KOP_MSG_FETCH_REQUEST, &q, sizeof q), KOP_OK);
  cr_assert_eq(kop_struct_init(KOP_STRUCT_FETCH_REQUEST_TOPIC, &t, sizeof t), KOP_OK);
  t.topic = kh_text("t");
  t.partitions.ptr = p;
  for (int32_t i = 0; i < s.partitions; i++) {
    if (s.only >= 0 && i != s.only) continue;
    kop_fetch_request_partition *to = &p[t.partitions.len++];
    cr_assert_eq(kop_struct_init(KOP_STRUCT_FETCH_REQUEST_PARTITION, to, sizeof *to), KOP_OK);
    to->partition = i;
    to->fetch_offset = s.offset;
    to->partition_max_bytes = 1 << 20;
  }
  q.session_id = s.id;
  q.session_epoch = s.epoch;
  q.max_wait_ms = max_wait;
  q.min_bytes = 1;
  q.topics.ptr = &t;
  q.topics.len = t.partitions.len > 0 ? 1 : 0;
  kh_request(h, c, KOP_MSG_FETCH_REQUEST, 12, &q, sizeof q);
}

static bool receive_session(kh *h, kh_conn *c, kop_fetch_response *p) {
  return kh_receive(h, c, KOP_MSG_FETCH_RESPONSE, 12, p, sizeof *p);
}

Test(fetch_session, tells_only_what_changed) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 20);
  kh_conn *c = kh_connect(&h);
  kh_conn *w = kh_connect(&h);
  kop_fetch_response p;
  send_session(&h, c, (session_request){.epoch = 0, .partitions = 20, .only = -1}, 0);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_gt(p.session_id, 0);
  int32_t id = p.session_id;
  cr_assert_eq(p.responses.ptr[0].partitions.len, 20, "the first reply names all");
  send_session(&h, c, (session_request){.id = id, .epoch = 1}, 100);
  kh_advance(&h, 100);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_eq(p.responses.len, 0, "nothing changed");
  send_session(&h, c, (session_request){.id = id, .epoch = 2}, 60000);
  fill(&h, w, "t", 7, 1, 3);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_eq(p.responses.len, 1);
  cr_assert_eq(p.responses.ptr[0].partitions.len, 1);
  cr_assert_eq(p.responses.ptr[0].partitions.ptr[0].partition_index, 7);
  cr_assert_eq(p.session_id, id);
  send_session(
      &h, c, (session_request){.id = id, .epoch = 3, .partitions = 20, .only = 7, .offset = 3}, 0);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_eq(p.responses.len, 0);
  kh_stop(&h);
}

Test(fetch_session, what_was_told_and_not_taken_is_told_again) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 3);
  kh_conn *c = kh_connect(&h);
  fill(&h, c, "t", 1, 1, 3);
  kop_fetch_response p;
  send_session(&h, c, (session_request){.epoch = 0, .partitions = 3, .only = -1}, 0);
  cr_assert(receive_session(&h, c, &p));
  int32_t id = p.session_id;
  for (int32_t epoch = 1; epoch < 4; epoch++) {
    send_session(&h, c, (session_request){.id = id, .epoch = epoch}, 60000);
    cr_assert(receive_session(&h, c, &p));
    cr_assert_eq(p.responses.len, 1);
    cr_assert_eq(p.responses.ptr[0].partitions.len, 1);
    cr_assert_gt(p.responses.ptr[0].partitions.ptr[0].records.len, 0u);
  }
  kh_stop(&h);
}

Test(fetch_session, wrong_epochs_and_ids_are_refused_and_harm_nothing) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 2);
  kh_conn *c = kh_connect(&h);
  kop_fetch_response p;
  send_session(&h, c, (session_request){.epoch = 0, .partitions = 2, .only = -1}, 0);
  cr_assert(receive_session(&h, c, &p));
  int32_t id = p.session_id;
  send_session(&h, c, (session_request){.id = id, .epoch = 2}, 0);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_INVALID_FETCH_SESSION_EPOCH);
  cr_assert_eq(p.session_id, 0);
  send_session(&h, c, (session_request){.id = id + 1, .epoch = 1}, 0);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_FETCH_SESSION_ID_NOT_FOUND);
  send_session(&h, c, (session_request){.id = id, .epoch = 1}, 0);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_eq(p.error_code, 0);
  send_session(&h, c, (session_request){.id = id, .epoch = -1, .partitions = 1, .only = -1}, 0);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_eq(p.session_id, 0);
  send_session(&h, c, (session_request){.id = id, .epoch = 2}, 0);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_FETCH_SESSION_ID_NOT_FOUND, "the session was ended");
  kh_stop(&h);
}

static void two_sessions(kop_engine_config *config) {
  config->max_fetch_sessions = 2;
}

Test(fetch_session, without_room_a_fetch_is_answered_without_one) {
  kh h;
  kh_start(&h, two_sessions);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kop_fetch_response p;
  int32_t ids[3];
  for (int i = 0; i < 3; i++) {
    send_session(&h, c, (session_request){.epoch = 0, .partitions = 1, .only = -1}, 0);
    cr_assert(receive_session(&h, c, &p));
    cr_assert_eq(p.error_code, 0);
    ids[i] = p.session_id;
  }
  cr_assert_gt(ids[0], 0);
  cr_assert_gt(ids[1], 0);
  cr_assert_eq(ids[2], 0);
  kh_advance(&h, 130000); /* now the one not used for longest may go */
  send_session(&h, c, (session_request){.epoch = 0, .partitions = 1, .only = -1}, 0);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_gt(p.session_id, 0);
  send_session(&h, c, (session_request){.id = ids[0], .epoch = 1}, 0);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_FETCH_SESSION_ID_NOT_FOUND);
  kh_stop(&h);
}

Test(fetch_session, survives_the_deletion_of_its_topic) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 2);
  kh_conn *c = kh_connect(&h);
  kop_fetch_response p;
  send_session(&h, c, (session_request){.epoch = 0, .partitions = 2, .only = -1}, 0);
  cr_assert(receive_session(&h, c, &p));
  int32_t id = p.session_id;
  kh_topic_gone(&h, 1);
  send_session(&h, c, (session_request){.id = id, .epoch = 1}, 60000);
  cr_assert(receive_session(&h, c, &p));
  cr_assert_eq(p.responses.ptr[0].partitions.len, 2);
  cr_assert_eq(p.responses.ptr[0].partitions.ptr[0].error_code,
               KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
  kh_topic(&h, "t", 2, 2); /* it comes back as another topic */
  send_session(&h, c, (session_request){.id = id, .epoch = 2}, 0);
  cr_assert(receive_session(&h, c, &p));
  for (int32_t i = 0; p.responses.len > 0 && i < p.responses.ptr[0].partitions.len; i++) {
    cr_assert_eq(p.responses.ptr[0].partitions.ptr[i].error_code, 0);
  }
  kh_stop(&h);
}

/* ---- bounds of a reply ---- */

/* Three partitions with one batch of `size` bytes each; returns the sizes of the records in the reply. */
static void fetch_three(kh *h, kh_conn *c, int32_t max_bytes, int32_t partition_max,
                        size_t out[3]) {
  kop_fetch_request q;
  kop_fetch_request_topic t;
  kop_fetch_request_partition p[3];
  cr_assert_eq(kop_message_init(KOP_MSG_FETCH_REQUEST, &q, sizeof q), KOP_OK);
  cr_assert_eq(kop_struct_init(KOP_STRUCT_FETCH_REQUEST_TOPIC, &t, sizeof t), KOP_OK);
  for (int32_t i = 0; i < 3; i++) {
    cr_assert_eq(kop_struct_init(KOP_STRUCT_FETCH_REQUEST_PARTITION, &p[i], sizeof p[i]), KOP_OK);
    p[i].partition = i;
    p[i].partition_max_bytes = partition_max;
  }
  t.topic = kh_text("t");
  t.partitions.ptr = p;
  t.partitions.len = 3;
  q.topics.ptr = &t;
  q.topics.len = 1;
  q.max_bytes = max_bytes;
  kh_request(h, c, KOP_MSG_FETCH_REQUEST, 12, &q, sizeof q);
  kop_fetch_response r;
  cr_assert(kh_receive(h, c, KOP_MSG_FETCH_RESPONSE, 12, &r, sizeof r));
  cr_assert_eq(r.responses.ptr[0].partitions.len, 3);
  for (int32_t i = 0; i < 3; i++) {
    cr_assert_eq(r.responses.ptr[0].partitions.ptr[i].partition_index, i,
                 "the order of the request");
    out[i] = r.responses.ptr[0].partitions.ptr[i].records.len;
  }
}

Test(fetch, max_bytes_bound_the_reply_and_the_first_batch_always_fits) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 3);
  kh_conn *c = kh_connect(&h);
  for (int32_t i = 0; i < 3; i++)
    fill(&h, c, "t", i, 2, 2);
  size_t one = kh_batch_of(&h, 2, -1, -1, -1).len;
  size_t got[3];
  fetch_three(&h, c, 1 << 20, 1 << 20, got);
  for (int i = 0; i < 3; i++)
    cr_assert_eq(got[i], 2 * one);
  fetch_three(&h, c, 1 << 20, (int32_t)one, got);
  for (int i = 0; i < 3; i++)
    cr_assert_eq(got[i], one, "partition max bytes");
  fetch_three(&h, c, (int32_t)(3 * one), 1 << 20, got);
  cr_assert_eq(got[0], 2 * one);
  cr_assert_eq(got[1], one);
  cr_assert_eq(got[2], 0u);
  fetch_three(&h, c, 1, 1, got);
  cr_assert_eq(got[0], one, "the first batch, however small the limits are");
  cr_assert_eq(got[1], 0u);
  cr_assert_eq(h.lent, 0u);
  kh_stop(&h);
}

Test(fetch, several_partitions_are_asked_of_a_slow_store_at_once) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 3);
  kh_conn *c = kh_connect(&h);
  for (int32_t i = 0; i < 3; i++)
    fill(&h, c, "t", i, 1, 2);
  kh_hold(&h, KH_KIND(READ));
  kop_fetch_response r;
  send_session(&h, c, (session_request){.epoch = -1, .partitions = 3, .only = -1}, 1000);
  cr_assert_eq(h.held_len, 3u);
  kh_answer(&h, 2, KOP_DONE, 0);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert(!receive_session(&h, c, &r));
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert(receive_session(&h, c, &r));
  for (int i = 0; i < 3; i++)
    cr_assert_gt(r.responses.ptr[0].partitions.ptr[i].records.len, 0u);
  kh_stop(&h);
}

static void little_lent(kop_engine_config *config) {
  config->max_lent_bytes = 1;
}

Test(fetch, waits_while_too_much_is_lent_and_goes_on_then) {
  kh h;
  kh_start(&h, little_lent);
  kh_topic(&h, "t", 1, 1);
  kh_conn *slow = kh_connect(&h);
  kh_conn *next = kh_connect(&h);
  fill(&h, slow, "t", 0, 1, 2);
  kh_hold(&h, KH_KIND(SEND));
  kh_send_fetch(&h, slow, "t", 0, 0, 1000, 1);
  cr_assert_eq(h.lent, 1u);
  kh_send_fetch(&h, next, "t", 0, 0, 1000, 1);
  cr_assert_eq(h.lent, 1u, "one reply holds all that may be lent");
  cr_assert_eq(h.held_len, 1u);
  kh_hold(&h, 0);
  kh_answer(&h, 0, KOP_DONE, 0);
  fetched f;
  cr_assert(kh_receive_fetch(&h, slow, &f));
  cr_assert(kh_receive_fetch(&h, next, &f));
  cr_assert_gt(f.records.len, 0u);
  cr_assert_eq(h.lent, 0u);
  kh_stop(&h);
}

static kh_way hold_reads_of_the_second(kh *h, const kop_effect *fx, void *data) {
  (void)data;
  return fx->kind == KOP_EFFECT_READ && fx->target == h->logs[1].id ? KH_HOLD : KH_AUTO;
}

Test(fetch, what_was_read_is_given_back_when_the_client_goes_before_the_rest_is) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 2);
  kh_conn *c = kh_connect(&h);
  fill(&h, c, "t", 0, 1, 3);
  fill(&h, c, "t", 1, 1, 3);
  kh_fetch_request r;
  kh_fill_fetch(&r, "t", 0, 0);
  kop_fetch_request_partition both[2] = {r.partition, r.partition};
  both[1].partition = 1;
  r.topic.partitions.ptr = both;
  r.topic.partitions.len = 2;
  h.filter = hold_reads_of_the_second;
  kh_request(&h, c, KOP_MSG_FETCH_REQUEST, 12, &r.q, sizeof r.q);
  kh_run(&h);
  cr_assert_eq(h.lent, 1u, "the first partition has been read, the second is being read");
  kh_disconnect(&h, c);
  cr_assert_eq(h.lent, 0u, "nobody will send what the first partition gave");
  kh_answer(&h, (size_t)kh_find_held(&h, KOP_EFFECT_READ), KOP_DONE, 0);
  cr_assert_eq(h.lent, 0u);
  kh_stop(&h);
}
