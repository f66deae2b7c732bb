/*
 * Answers from memory and the lease they need: within it they are given at once, after it CONFIRM decides, and however the store
 * answers, a request asks once and is answered in its own time.
 */
#include "harness.h"

typedef kop_produce_response_partition_produce_response produced;

enum { LEASE_MS = 1000, NO_REPLY = -1000 };

/* ---- requests that are answered from memory ---- */

static void send_fetch(kh *h, kh_conn *c) {
  kh_send_fetch(h, c, "t", 0, 0, 200, 1);
}

static int fetch_error(kh *h, kh_conn *c) {
  kop_fetch_response_partition_data f;
  if (!kh_receive_fetch(h, c, &f)) return NO_REPLY;
  cr_assert_eq(f.high_watermark, f.error_code == 0 ? 4 : -1);
  return f.error_code;
}

static void send_list(kh *h, kh_conn *c) {
  kh_list_request r;
  kh_request(h, c, KOP_MSG_LIST_OFFSETS_REQUEST, 8, kh_fill_list(&r, "t", -1, -1), sizeof r.q);
}

static int list_error(kh *h, kh_conn *c) {
  kop_list_offsets_response p;
  if (!kh_receive(h, c, KOP_MSG_LIST_OFFSETS_RESPONSE, 8, &p, sizeof p)) return NO_REPLY;
  cr_assert_eq(p.topics.ptr[0].partitions.ptr[0].offset,
               p.topics.ptr[0].partitions.ptr[0].error_code == 0 ? 4 : -1);
  return p.topics.ptr[0].partitions.ptr[0].error_code;
}

static void send_epoch(kh *h, kh_conn *c) {
  kop_offset_for_leader_epoch_request_offset_for_leader_partition part;
  kop_offset_for_leader_epoch_request_offset_for_leader_topic topic;
  kop_offset_for_leader_epoch_request q;
  kop_struct_init(KOP_STRUCT_OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_PARTITION, &part,
                  sizeof part);
  kop_struct_init(KOP_STRUCT_OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_TOPIC, &topic,
                  sizeof topic);
  kop_message_init(KOP_MSG_OFFSET_FOR_LEADER_EPOCH_REQUEST, &q, sizeof q);
  part.leader_epoch = 1;
  topic.topic = kh_text("t");
  topic.partitions.ptr = &part;
  topic.partitions.len = 1;
  q.topics.ptr = &topic;
  q.topics.len = 1;
  kh_request(h, c, KOP_MSG_OFFSET_FOR_LEADER_EPOCH_REQUEST, 4, &q, sizeof q);
}

static int epoch_error(kh *h, kh_conn *c) {
  kop_offset_for_leader_epoch_response p;
  if (!kh_receive(h, c, KOP_MSG_OFFSET_FOR_LEADER_EPOCH_RESPONSE, 4, &p, sizeof p)) return NO_REPLY;
  return p.topics.ptr[0].partitions.ptr[0].error_code;
}

static void send_producers(kh *h, kh_conn *c) {
  int32_t index = 0;
  kop_describe_producers_request_topic_request topic;
  kop_describe_producers_request q;
  kop_struct_init(KOP_STRUCT_DESCRIBE_PRODUCERS_REQUEST_TOPIC_REQUEST, &topic, sizeof topic);
  kop_message_init(KOP_MSG_DESCRIBE_PRODUCERS_REQUEST, &q, sizeof q);
  topic.name = kh_text("t");
  topic.partition_indexes.ptr = &index;
  topic.partition_indexes.len = 1;
  q.topics.ptr = &topic;
  q.topics.len = 1;
  kh_request(h, c, KOP_MSG_DESCRIBE_PRODUCERS_REQUEST, 0, &q, sizeof q);
}

static int producers_error(kh *h, kh_conn *c) {
  kop_describe_producers_response p;
  if (!kh_receive(h, c, KOP_MSG_DESCRIBE_PRODUCERS_RESPONSE, 0, &p, sizeof p)) return NO_REPLY;
  return p.topics.ptr[0].partitions.ptr[0].error_code;
}

/* Below the log start: there is nothing to ask the store for. */
static void send_delete(kh *h, kh_conn *c) {
  kop_delete_records_request_partition part;
  kop_delete_records_request_topic topic;
  kop_delete_records_request q;
  kop_struct_init(KOP_STRUCT_DELETE_RECORDS_REQUEST_PARTITION, &part, sizeof part);
  kop_struct_init(KOP_STRUCT_DELETE_RECORDS_REQUEST_TOPIC, &topic, sizeof topic);
  kop_message_init(KOP_MSG_DELETE_RECORDS_REQUEST, &q, sizeof q);
  topic.name = kh_text("t");
  topic.partitions.ptr = &part;
  topic.partitions.len = 1;
  q.topics.ptr = &topic;
  q.topics.len = 1;
  q.timeout_ms = 30000;
  kh_request(h, c, KOP_MSG_DELETE_RECORDS_REQUEST, 2, &q, sizeof q);
}

static int delete_error(kh *h, kh_conn *c) {
  kop_delete_records_response p;
  if (!kh_receive(h, c, KOP_MSG_DELETE_RECORDS_RESPONSE, 2, &p, sizeof p)) return NO_REPLY;
  return p.topics.ptr[0].partitions.ptr[0].error_code;
}

static const struct {
  const char *name;
  void (*send)(kh *h, kh_conn *c);
  int (*error)(kh *h, kh_conn *c); /* of the next reply, or NO_REPLY */
} APIS[] = {{"Fetch", send_fetch, fetch_error},
            {"ListOffsets", send_list, list_error},
            {"OffsetForLeaderEpoch", send_epoch, epoch_error},
            {"DescribeProducers", send_producers, producers_error},
            {"DeleteRecords", send_delete, delete_error}};

enum { APIS_LEN = sizeof APIS / sizeof APIS[0] };

/* ---- a partition whose lease ends ---- */

static void lease_for(kh *h, kh_log *log, int64_t ms) {
  log->lease = (uint64_t)((int64_t)h->now.mono_ns + ms * 1000000);
}

/* Four records of producer 9, and a lease of LEASE_MS that has just begun. */
static kh_log *start_with(kh *h, kh_conn **c, void (*tune)(kop_engine_config *config)) {
  kh_start(h, tune);
  kh_log *log = kh_topic(h, "t", 1, 2);
  *c = kh_connect(h);
  for (int32_t i = 0; i < 2; i++)
    cr_assert_eq(kh_produce(h, *c, "t", 0, kh_batch_of(h, 2, 9, 0, i * 2)).error_code, 0);
  for (int i = 0; i < 2; i++) {
    lease_for(h, &log[i], LEASE_MS);
    kh_lead(h, log[i].id, 2, -1);
    kh_lead(h, log[i].id, KH_NODE, -1);
  }
  return log;
}

static kh_log *start(kh *h, kh_conn **c) {
  return start_with(h, c, NULL);
}

Test(lease, an_answer_from_memory_is_given_within_it_and_after_it_once_confirmed) {
  for (size_t i = 0; i < APIS_LEN; i++) {
    kh h;
    kh_conn *c;
    kh_log *log = start(&h, &c);
    kh_advance(&h, LEASE_MS - 1);
    APIS[i].send(&h, c);
    cr_assert_eq(APIS[i].error(&h, c), 0, "%s", APIS[i].name);
    cr_assert_eq(h.counts[KOP_EFFECT_CONFIRM], 0u, "%s: asked within the lease", APIS[i].name);
    kh_advance(&h, 1);
    kh_hold(&h, KH_KIND(CONFIRM));
    APIS[i].send(&h, c);
    cr_assert_eq(h.held_len, 1u, "%s: CONFIRM", APIS[i].name);
    cr_assert_eq(APIS[i].error(&h, c), NO_REPLY, "%s: an answer from old memory", APIS[i].name);
    lease_for(&h, log, LEASE_MS);
    kh_answer(&h, 0, KOP_DONE, 0);
    cr_assert_eq(APIS[i].error(&h, c), 0, "%s", APIS[i].name);
    kh_stop(&h);
  }
}

Test(lease, every_other_answer_to_confirm_means_not_leader) {
  static const int32_t outcomes[] = {KOP_FENCED,    KOP_REJECTED,    KOP_UNKNOWN,
                                     KOP_CANCELLED, KOP_UNSUPPORTED, KOP_NOT_FOUND};
  for (size_t i = 0; i < APIS_LEN; i++) {
    for (size_t k = 0; k < sizeof outcomes / sizeof outcomes[0]; k++) {
      kh h;
      kh_conn *c;
      (void)start(&h, &c);
      kh_advance(&h, LEASE_MS);
      kh_hold(&h, KH_KIND(CONFIRM));
      APIS[i].send(&h, c);
      kh_answer(&h, 0, outcomes[k], KOP_KAFKA_KAFKA_STORAGE_ERROR);
      cr_assert_eq(APIS[i].error(&h, c), KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, "%s, outcome %d",
                   APIS[i].name, outcomes[k]);
      kh_stop(&h);
    }
  }
}

Test(lease, a_store_whose_leases_are_always_past_costs_each_request_one_confirm) {
  for (size_t i = 0; i < APIS_LEN; i++) {
    kh h;
    kh_conn *c;
    kh_log *log = start(&h, &c);
    kh_advance(&h, LEASE_MS);
    for (uint32_t n = 1; n <= 3; n++) {
      lease_for(&h, log, -(int64_t)n);
      APIS[i].send(&h, c); /* a loop would not return from this */
      cr_assert_eq(APIS[i].error(&h, c), KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, "%s", APIS[i].name);
      cr_assert_eq(h.counts[KOP_EFFECT_CONFIRM], n, "%s", APIS[i].name);
      kh_advance(&h, 10);
    }
    lease_for(&h, log, 1);
    APIS[i].send(&h, c);
    cr_assert_eq(APIS[i].error(&h, c), 0, "%s", APIS[i].name);
    kh_stop(&h);
  }
}

Test(lease, a_confirm_that_comes_late_finds_its_request_answered) {
  for (size_t i = 0; i < APIS_LEN; i++) {
    kh h;
    kh_conn *c;
    kh_log *log = start(&h, &c);
    kh_advance(&h, LEASE_MS);
    kh_hold(&h, KH_KIND(CONFIRM));
    APIS[i].send(&h, c);
    for (int n = 0; n < 10; n++)
      kh_advance(&h, 200);
    cr_assert_eq(APIS[i].error(&h, c), KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, "%s", APIS[i].name);
    APIS[i].send(&h, c);
    cr_assert_eq(h.held_len, 1u, "%s: one CONFIRM is open at a time", APIS[i].name);
    lease_for(&h, log, LEASE_MS);
    kh_answer(&h, 0, KOP_DONE, 0);
    cr_assert_eq(APIS[i].error(&h, c), 0, "%s", APIS[i].name);
    cr_assert_eq(APIS[i].error(&h, c), NO_REPLY, "%s: answered twice", APIS[i].name);
    kh_stop(&h);
  }
}

Test(lease, a_client_that_goes_and_a_topic_that_is_deleted_while_it_is_confirmed) {
  for (size_t i = 0; i < APIS_LEN; i++) {
    for (int late = 0; late < 2; late++) {
      kh h;
      kh_conn *c;
      (void)start(&h, &c);
      kh_conn *other = kh_connect(&h);
      kh_advance(&h, LEASE_MS);
      kh_hold(&h, KH_KIND(CONFIRM));
      APIS[i].send(&h, c);
      APIS[i].send(&h, other);
      kh_disconnect(&h, c);
      kh_topic_gone(&h, 1);
      if (late) kh_advance(&h, 5000);
      kh_answer(&h, 0, KOP_DONE, 0);
      cr_assert_eq(APIS[i].error(&h, other), KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "%s",
                   APIS[i].name);
      kop_engine_stats stats;
      cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
      cr_assert_eq(stats.requests_open, 0u, "%s", APIS[i].name);
      kh_stop(&h);
    }
  }
}

static void without_confirm(kop_engine_config *config) {
  config->effects &= ~(UINT64_C(1) << KOP_EFFECT_CONFIRM);
}

Test(lease, where_confirm_is_not_served_its_end_is_the_end) {
  for (size_t i = 0; i < APIS_LEN; i++) {
    kh h;
    kh_conn *c;
    (void)start_with(&h, &c, without_confirm);
    kh_advance(&h, LEASE_MS);
    APIS[i].send(&h, c);
    cr_assert_eq(APIS[i].error(&h, c), KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, "%s", APIS[i].name);
    cr_assert_eq(h.counts[KOP_EFFECT_CONFIRM], 0u);
    kh_stop(&h);
  }
}

/* ---- several partitions ---- */

static void fetch_both(kh *h, kh_conn *c, int32_t max_wait_ms) {
  kh_fetch_request r;
  kh_fill_fetch(&r, "t", 0, 0);
  kop_fetch_request_partition both[2] = {r.partition, r.partition};
  both[1].partition = 1;
  r.topic.partitions.ptr = both;
  r.topic.partitions.len = 2;
  r.q.max_wait_ms = max_wait_ms;
  r.q.min_bytes = 1;
  kh_request(h, c, KOP_MSG_FETCH_REQUEST, 12, &r.q, sizeof r.q);
}

static bool both_errors(kh *h, kh_conn *c, int16_t errors[2]) {
  kop_fetch_response p;
  if (!kh_receive(h, c, KOP_MSG_FETCH_RESPONSE, 12, &p, sizeof p)) return false;
  for (int i = 0; i < 2; i++)
    errors[i] = p.responses.ptr[0].partitions.ptr[i].error_code;
  return true;
}

Test(lease, all_partitions_are_confirmed_at_once_and_each_answer_counts_for_its_own) {
  kh h;
  kh_conn *c;
  kh_log *log = start(&h, &c);
  kh_advance(&h, LEASE_MS);
  kh_hold(&h, KH_KIND(CONFIRM));
  fetch_both(&h, c, 5000);
  cr_assert_eq(h.held_len, 2u);
  lease_for(&h, &log[0], 1);
  kh_answer(&h, 0, KOP_DONE, 0);
  kh_advance(&h,
             100); /* that lease is over again; but it was in force while the request was at work */
  lease_for(&h, &log[1], -1);
  kh_answer(&h, 0, KOP_DONE, 0);
  int16_t errors[2];
  cr_assert(both_errors(&h, c, errors));
  cr_assert_eq(errors[0], 0);
  cr_assert_eq(errors[1], KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  cr_assert_eq(h.counts[KOP_EFFECT_CONFIRM], 2u);
  kh_stop(&h);
}

Test(lease, one_confirm_that_does_not_come_does_not_hold_the_others_up_for_ever) {
  kh h;
  kh_conn *c;
  kh_log *log = start(&h, &c);
  kh_advance(&h, LEASE_MS);
  kh_hold(&h, KH_KIND(CONFIRM));
  fetch_both(&h, c, 500);
  lease_for(&h, &log[0], 5000);
  kh_answer(&h, 0, KOP_DONE, 0);
  int16_t errors[2];
  kh_advance(&h, 499);
  cr_assert(!both_errors(&h, c, errors));
  kh_advance(&h, 1);
  cr_assert(both_errors(&h, c, errors), "max.wait is past");
  cr_assert_eq(errors[0], 0);
  cr_assert_eq(errors[1], KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  kh_stop(&h);
}

/* ---- Produce: what a leader remembers of its producers ---- */

static void produce(kh *h, kh_conn *c, int32_t sequence) {
  kh_send_produce(h, c, "t", 0, kh_batch_of(h, 2, 9, 0, sequence), -1, 30000);
}

static int produce_error(kh *h, kh_conn *c) {
  produced p;
  return kh_receive_produce(h, c, &p) ? p.error_code : NO_REPLY;
}

Test(lease, a_sequence_error_or_a_duplicate_is_not_answered_from_old_memory) {
  static const struct {
    int32_t sequence;
    int16_t error;
  } cases[] = {{2, 0}, {40, KOP_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER}};
  for (size_t i = 0; i < 2; i++) {
    kh h;
    kh_conn *c;
    kh_log *log = start(&h, &c);
    kh_conn *other = kh_connect(&h);
    kh_advance(&h, LEASE_MS);
    kh_hold(&h, KH_KIND(CONFIRM));
    produce(&h, c, cases[i].sequence);
    cr_assert_eq(produce_error(&h, c), NO_REPLY);
    cr_assert_eq(h.held_len, 1u);
    kh_send_produce(&h, other, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), -1, 30000);
    lease_for(&h, log, LEASE_MS);
    kh_answer(&h, 0, KOP_DONE, 0);
    cr_assert_eq(produce_error(&h, c), cases[i].error);
    cr_assert_eq(produce_error(&h, other), 0, "what waited behind it goes on");
    kh_advance(&h, LEASE_MS);
    produce(&h, c, cases[i].sequence);
    lease_for(&h, log, -1);
    kh_answer(&h, 0, KOP_DONE, 0);
    cr_assert_eq(produce_error(&h, c), KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
    produce(&h, c, 4); /* an append needs no lease: the store knows the epoch */
    cr_assert_eq(produce_error(&h, c), 0);
    kh_stop(&h);
  }
}

/* The next leader has stored a batch of the producer: to the old one the batch after it looks out of order. */
Test(lease, a_deposed_leader_gives_no_sequence_error) {
  kh h;
  kh_conn *c;
  kh_log *log = start(&h, &c);
  kh_advance(&h, LEASE_MS);
  kh_hold(&h, KH_KIND(CONFIRM));
  produce(&h, c, 6);
  cr_assert_eq(h.held_len, 1u);
  log->epoch++;
  lease_for(&h, log, LEASE_MS);
  kh_answer(&h, 0, KOP_FENCED, 0); /* ACQUIRE grants it back, with what the log says */
  cr_assert_eq(produce_error(&h, c), KOP_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, "the log was read");
  cr_assert_eq(log->epoch, 4);
  kh_advance(&h, LEASE_MS);
  produce(&h, c, 6);
  kh_hold(&h, KH_KIND(ACQUIRE));
  kh_answer(&h, 0, KOP_FENCED, 0);
  cr_assert_eq(produce_error(&h, c), NO_REPLY, "it is parked");
  kh_advance(&h, 30001);
  cr_assert_eq(produce_error(&h, c), KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  kh_stop(&h);
}
