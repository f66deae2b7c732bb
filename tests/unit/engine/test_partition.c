/* A partition's life: leadership, load, saved state, lease, resigning. */
#include "harness.h"

#include <stdlib.h>

typedef kop_produce_response_partition_produce_response produced;
typedef kop_fetch_response_partition_data fetched;

static void save_often(kop_engine_config *config) {
  config->state_every_bytes = 1;
}

Test(partition, is_acquired_when_it_is_assigned_and_only_then) {
  kh h;
  kh_start(&h, NULL);
  kop_topic_partition parts[2] = {{.id = 5, .leader = KH_NODE, .leader_epoch = -1},
                                  {.id = 6, .leader = 2, .leader_epoch = 3}};
  h.logs[0] = (kh_log){.id = 5, .lease = UINT64_MAX};
  h.logs[1] = (kh_log){.id = 6, .lease = UINT64_MAX};
  h.logs_len = 2;
  kop_topic topic = {.size = sizeof topic,
                     .name = kh_text("t"),
                     .id = {{1}},
                     .partitions = parts,
                     .partitions_count = 2};
  kh_push(&h, KOP_EVENT_TOPIC, &topic, sizeof topic);
  cr_assert_eq(h.counts[KOP_EFFECT_ACQUIRE], 1u);
  kh_conn *c = kh_connect(&h);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1)).error_code, 0);
  produced p = kh_produce(&h, c, "t", 1, kh_batch_of(&h, 1, -1, -1, -1));
  cr_assert_eq(p.error_code, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  cr_assert_eq(p.current_leader.leader_id, 2);
  cr_assert_eq(p.current_leader.leader_epoch, 3);
  kh_lead(&h, 6, KH_NODE, -1);
  cr_assert_eq(h.counts[KOP_EFFECT_ACQUIRE], 2u);
  kh_stop(&h);
}

Test(partition, an_older_epoch_is_not_believed) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), -1, 60000);
  log->epoch = -5; /* the store loses its mind: the next ACQUIRE grants -4 */
  kh_answer(&h, 0, KOP_UNKNOWN, 0);
  cr_assert_neq(h.logged, 0u);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  log->epoch = 7;
  kh_advance(&h, 10000);
  kh_hold(&h, 0);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1)).error_code, 0);
  kh_stop(&h);
}

Test(partition, acquire_that_fails_is_tried_again_with_growing_pauses) {
  kh h;
  kh_start(&h, NULL);
  kh_hold(&h, KH_KIND(ACQUIRE));
  kh_topic(&h, "t", 1, 1);
  uint64_t last = 0;
  for (int i = 0; i < 6; i++) {
    kh_answer(&h, 0, i % 2 == 0 ? KOP_REJECTED : KOP_CANCELLED, KOP_KAFKA_KAFKA_STORAGE_ERROR);
    cr_assert_eq(h.held_len, 0u);
    uint64_t pause = kop_engine_deadline(h.e) - h.now.mono_ns;
    cr_assert_gt(pause, last);
    last = pause;
    kh_advance(&h, pause / 1000000u + 1);
    cr_assert_eq(h.held_len, 1u);
  }
  kh_answer(&h, 0, KOP_DONE, 0);
  kh_conn *c = kh_connect(&h);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1)).error_code, 0);
  kh_stop(&h);
}

/* Appends under one engine, then loads the same log in the same world under a second epoch. */
static void reacquire(kh *h) {
  kh_lead(h, h->logs[0].id, 2, -1);
  kh_lead(h, h->logs[0].id, KH_NODE, -1);
}

Test(partition, producers_are_rebuilt_from_the_log) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  for (int32_t i = 0; i < 7; i++)
    (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, i * 2));
  free(log->state);
  log->state = NULL;
  reacquire(&h);
  free(log->state);
  log->state = NULL;
  reacquire(&h);
  cr_assert_eq(log->epoch, 3);
  produced p = kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 6));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.base_offset, 6);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 1, 9, 0, 20)).error_code,
               KOP_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 1, 9, 0, 14)).base_offset, 14);
  kh_stop(&h);
}

/* `kind` is open when retention moves the log start, which the store tells once. */
static void trim_during(uint32_t kind) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 3, -1, -1, -1)).error_code, 0);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 3, -1, -1, -1)).error_code, 0);
  kh_hold(&h, UINT64_C(1) << kind);
  reacquire(&h);
  cr_assert_eq(h.held_len, 1u);
  kop_log_state moved = {.size = sizeof moved,
                         .epoch = 2, /* of the second ACQUIRE, answered or on its way */
                         .partition = log->id,
                         .log_start = 3,
                         .high_watermark = 6};
  kh_push(&h, KOP_EVENT_LOG, &moved, sizeof moved);
  kh_answer(&h, 0, KOP_DONE, 0);
  log->log_start = 3;
  kh_send_fetch(&h, c, "t", 0, 3, 0, 1);
  fetched f;
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(f.error_code, 0);
  cr_assert_eq(f.log_start_offset, 3, "a client would be sent to offset 0 again and again");
  kh_stop(&h);
}

Test(partition, what_is_told_of_the_log_while_it_is_acquired_and_loaded_is_not_lost) {
  trim_during(KOP_EFFECT_ACQUIRE);
  trim_during(KOP_EFFECT_STATE_GET);
}

Test(partition, saved_state_spares_reading_the_log) {
  kh h;
  kh_start(&h, save_often);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  for (int32_t i = 0; i < 7; i++)
    (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, i * 2));
  cr_assert_not_null(log->state);
  cr_assert_eq(log->state_as_of, 14);
  uint32_t reads = h.counts[KOP_EFFECT_READ];
  reacquire(&h);
  cr_assert_eq(h.counts[KOP_EFFECT_READ], reads, "the log was read although the state says it all");
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 8)).base_offset, 8);
  kh_stop(&h);
}

Test(partition, damaged_state_costs_a_replay_and_is_replaced) {
  kh h;
  kh_start(&h, save_often);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  for (int32_t i = 0; i < 3; i++)
    (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, i * 2));
  kh_lead(&h, log->id, 2, -1);
  log->state[log->state_len / 2] ^= 0x40;
  uint32_t puts = h.counts[KOP_EFFECT_STATE_PUT];
  kh_lead(&h, log->id, KH_NODE, -1);
  cr_assert_gt(h.counts[KOP_EFFECT_READ], 0u);
  cr_assert_eq(h.counts[KOP_EFFECT_STATE_PUT], puts + 1);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 2)).base_offset, 2);
  kh_stop(&h);
}

Test(partition, state_that_describes_more_than_the_log_is_not_used) {
  kh h;
  kh_start(&h, save_often);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  for (int32_t i = 0; i < 3; i++)
    (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, i * 2));
  kh_lead(&h, log->id, 2, -1);
  free(log->batches[--log->batches_len].bytes); /* a power cut took the tail */
  log->end = 4;
  kh_lead(&h, log->id, KH_NODE, -1);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 4)).base_offset, 4,
               "the lost batch counts as lost");
  kh_stop(&h);
}

Test(partition, replay_that_fails_is_tried_again) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 0));
  kh_lead(&h, log->id, 2, -1);
  free(log->state);
  log->state = NULL;
  kh_hold(&h, KH_KIND(READ));
  kh_lead(&h, log->id, KH_NODE, -1);
  kh_answer(&h, 0, KOP_REJECTED, KOP_KAFKA_KAFKA_STORAGE_ERROR);
  kh_hold(&h, 0);
  kh_advance(&h, 10000);
  cr_assert_eq(kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 0)).base_offset, 0);
  kh_stop(&h);
}

/* ---- damage ---- */

/* Ten batches of two records, each of another producer; the state is lost, and what is in [from, to) cannot be read. */
static kh_log *start_damaged(kh *h, kh_conn **c, int64_t from, int64_t to) {
  kh_log *log = kh_begin(h, c);
  for (int64_t i = 0; i < 10; i++)
    (void)kh_produce(h, *c, "t", 0, kh_batch_of(h, 2, 100 + i, 0, 0));
  kh_lead(h, log->id, 2, -1);
  free(log->state);
  log->state = NULL;
  log->damaged = from;
  log->damaged_end = to;
  kh_lead(h, log->id, KH_NODE, -1);
  return log;
}

static uint64_t active(const kh *h) {
  kop_engine_stats s;
  cr_assert_eq(kop_engine_stats_get(h->e, &s, sizeof s), KOP_OK);
  return s.partitions_active;
}

/* Whether the producer of the i-th batch is known. */
static bool knows(kh *h, kh_conn *c, int64_t i) {
  int64_t end = h->logs[0].end;
  produced p = kh_produce(h, c, "t", 0, kh_batch_of(h, 2, 100 + i, 0, 0));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.base_offset, h->logs[0].end == end ? i * 2 : end);
  return h->logs[0].end == end;
}

Test(partition, damage_that_goes_away_costs_nothing_but_time) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = start_damaged(&h, &c, 6, 10);
  for (int i = 0; i < 25; i++)
    kh_advance(&h, 1000);
  cr_assert_eq(active(&h), 0u);
  cr_assert_eq(h.logged, 1u, "%u lines, the last: %s", h.logged, h.last_log);
  cr_assert_geq(h.counts[KOP_EFFECT_ACQUIRE], 8u);
  cr_assert_leq(h.counts[KOP_EFFECT_ACQUIRE], 18u, "with pauses");
  log->damaged_end = 0;
  for (int i = 0; i < 6; i++)
    kh_advance(&h, 1000);
  cr_assert_eq(active(&h), 1u);
  cr_assert_eq(h.logged, 1u);
  for (int64_t i = 0; i < 10; i++)
    cr_assert(knows(&h, c, i), "batch %d", (int)i);
  kh_stop(&h);
}

Test(partition, damage_that_stays_is_passed_over_and_nothing_else) {
  for (int64_t from = 0; from < 20; from += 2) {
    for (int64_t to = from + 1; to <= 20; to++) {
      kh h;
      kh_conn *c = NULL;
      kh_log *log = start_damaged(&h, &c, from, to);
      for (int i = 0; i < 29; i++)
        kh_advance(&h, 1000);
      cr_assert_eq(active(&h), 0u);
      for (int i = 0; i < 6; i++)
        kh_advance(&h, 1000);
      cr_assert_eq(active(&h), 1u, "damaged from %d to %d", (int)from, (int)to);
      cr_assert_eq(h.logged, 2u);
      cr_assert_not_null(log->state, "the next load need not read it again");
      cr_assert_eq(log->state_as_of, 20);
      for (int64_t i = 0; i < 10; i++)
        cr_assert_eq(knows(&h, c, i), i * 2 + 2 <= from || i * 2 >= to, "batch %d", (int)i);
      kh_send_fetch(&h, c, "t", 0, from, 0, 1);
      fetched f;
      cr_assert(kh_receive_fetch(&h, c, &f));
      cr_assert_eq(f.error_code, KOP_KAFKA_KAFKA_STORAGE_ERROR, "a consumer is told");
      kh_stop(&h);
    }
  }
}

Test(partition, a_store_that_does_not_say_why_is_asked_for_ever) {
  static const int32_t outcomes[] = {KOP_UNKNOWN, KOP_CANCELLED, KOP_UNSUPPORTED};
  kh h;
  kh_conn *c = NULL;
  kh_log *log = start_damaged(&h, &c, 6, 10);
  log->damaged_end = 0;
  kh_hold(&h, KH_KIND(READ));
  for (int i = 0; i < 100; i++) {
    kh_advance(&h, 5000);
    cr_assert_eq(h.held_len, 1u);
    kh_answer(&h, 0, outcomes[i % 3], 0);
    cr_assert_eq(active(&h), 0u);
  }
  cr_assert_eq(h.logged, 1u);
  kh_hold(&h, 0);
  kh_advance(&h, 5000);
  cr_assert_eq(active(&h), 1u);
  for (int64_t i = 0; i < 10; i++)
    cr_assert(knows(&h, c, i));
  kh_stop(&h);
}

Test(partition, leadership_that_goes_while_damage_is_searched) {
  kh h;
  kh_conn *c = NULL;
  kh_log *log = start_damaged(&h, &c, 2, 17);
  for (int i = 0; i < 30; i++)
    kh_advance(&h, 1000);
  kh_hold(&h, KH_KIND(READ));
  kh_advance(&h, 5000);
  for (int probes = 0; probes < 4; probes++)
    kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(h.held_len, 1u);
  kh_lead(&h, log->id, 2, -1);
  kh_hold(&h, 0);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_null(log->state);
  kh_lead(&h, log->id, KH_NODE, -1);
  cr_assert_eq(active(&h), 0u, "its patience begins anew");
  for (int i = 0; i < 36; i++)
    kh_advance(&h, 1000);
  cr_assert_eq(active(&h), 1u);
  cr_assert(knows(&h, c, 0) && !knows(&h, c, 1) && !knows(&h, c, 8) && knows(&h, c, 9));
  kh_stop(&h);
}

Test(partition, resigns_when_no_append_is_open_and_saves_its_state) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 0), -1, 60000);
  kh_lead(&h, log->id, 2, -1);
  cr_assert_eq(h.counts[KOP_EFFECT_RESIGN], 0u);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(h.counts[KOP_EFFECT_RESIGN], 1u);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, 0);
  kh_stop(&h);
}

/* ---- the lease ---- */

Test(partition, answers_from_memory_only_within_its_lease) {
  kh h;
  kh_start(&h, NULL);
  h.logs[0] = (kh_log){.id = 5, .lease = h.now.mono_ns + 1000000000u};
  h.logs_len = 1;
  kop_topic_partition part = {.id = 5, .leader = KH_NODE, .leader_epoch = -1};
  kop_topic topic = {.size = sizeof topic,
                     .name = kh_text("t"),
                     .id = {{1}},
                     .partitions = &part,
                     .partitions_count = 1};
  kh_push(&h, KOP_EVENT_TOPIC, &topic, sizeof topic);
  kh_conn *c = kh_connect(&h);
  (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, -1, -1, -1));
  fetched f;
  kh_send_fetch(&h, c, "t", 0, 0, 0, 0);
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(h.counts[KOP_EFFECT_CONFIRM], 0u);
  kh_advance(&h, 2000);
  kh_hold(&h, KH_KIND(CONFIRM));
  kh_send_fetch(&h, c, "t", 0, 0, 0, 0);
  cr_assert(!kh_receive_fetch(&h, c, &f), "an answer from old memory");
  h.logs[0].lease = h.now.mono_ns + 1000000000u;
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(f.error_code, 0);
  kh_advance(&h, 2000);
  kh_send_fetch(&h, c, "t", 0, 0, 0, 0);
  h.logs[0].epoch = 9; /* somebody else was granted it meanwhile */
  kh_answer(&h, 0, KOP_FENCED, 0);
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(f.error_code, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  kh_stop(&h);
}

static kh_way hold_confirms_and_appends(kh *h, const kop_effect *fx, void *data) {
  (void)h;
  (void)data;
  return fx->kind == KOP_EFFECT_CONFIRM || fx->kind == KOP_EFFECT_APPEND ? KH_HOLD : KH_AUTO;
}

Test(partition, what_is_said_of_an_ended_epoch_does_not_end_the_next) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  log->lease = h.now.mono_ns + 1000000000u;
  reacquire(&h);
  kh_conn *c = kh_connect(&h);
  kh_conn *w = kh_connect(&h);
  (void)kh_produce(&h, w, "t", 0, kh_batch_of(&h, 2, -1, -1, -1));
  h.filter = hold_confirms_and_appends;
  kh_advance(&h, 2000);
  kh_send_fetch(&h, c, "t", 0, 0, 0, 0);
  kh_send_produce(&h, w, "t", 0, kh_batch_of(&h, 2, -1, -1, -1), -1, 60000);
  log->lease = h.now.mono_ns + 9000000000u;
  uint32_t acquired = h.counts[KOP_EFFECT_ACQUIRE];
  kh_answer(&h, (size_t)kh_find_held(&h, KOP_EFFECT_APPEND), KOP_UNKNOWN, 0);
  cr_assert_eq(h.counts[KOP_EFFECT_ACQUIRE], acquired + 1);
  kh_answer(&h, (size_t)kh_find_held(&h, KOP_EFFECT_CONFIRM), KOP_FENCED, 0);
  cr_assert_eq(h.counts[KOP_EFFECT_ACQUIRE], acquired + 1, "the epoch that was fenced had ended");
  fetched f;
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(f.error_code, 0);
  kh_stop(&h);
}

Test(partition, shutdown_saves_resigns_and_ends) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 3);
  kh_conn *c = kh_connect(&h);
  (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, 9, 0, 0));
  kh_send_fetch(&h, c, "t", 1, 0, 60000, 1);
  cr_assert(!kop_engine_is_idle(h.e));
  kop_engine_shutdown(h.e, h.now);
  kh_run(&h);
  fetched f;
  cr_assert(kh_receive_fetch(&h, c, &f), "long polls return");
  cr_assert(c->closed);
  cr_assert_eq(h.counts[KOP_EFFECT_RESIGN], 3u);
  cr_assert_not_null(h.logs[0].state);
  cr_assert(kop_engine_is_idle(h.e));
  kop_conn_info info = {.size = sizeof info};
  uint64_t id = 0;
  cr_assert_eq(kop_engine_conn_open(h.e, &info, h.now, &id), KOP_ERR_STATE);
  kh_stop(&h);
}
