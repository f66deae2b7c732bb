/* What one client can make the engine hold, and for how long: requests whose decoded form is many times their size. */
#include "harness.h"

#include <stdlib.h>

#include "support/live_bytes.h"

enum { MANY = 20000, MIB = 1 << 20 };

static void counted(kop_engine_config *config) {
  live_bytes = 0;
  config->alloc = &COUNTING;
  config->max_connection_bytes = 4 * MIB;
}

static void counted_and_small(kop_engine_config *config) {
  counted(config);
  config->max_partitions = 100;
}

static uint8_t *describe_configs(kh_conn *c, size_t *len) {
  static kop_slice keys[MANY];
  for (size_t i = 0; i < MANY; i++)
    keys[i] = kh_text("none");
  kop_describe_configs_request q;
  kop_describe_configs_request_resource r;
  kop_message_init(KOP_MSG_DESCRIBE_CONFIGS_REQUEST, &q, sizeof q);
  kop_struct_init(KOP_STRUCT_DESCRIBE_CONFIGS_REQUEST_RESOURCE, &r, sizeof r);
  r.resource_type = 2;
  r.resource_name = kh_text("t");
  r.configuration_keys.ptr = keys;
  r.configuration_keys.len = MANY;
  q.resources.ptr = &r;
  q.resources.len = 1;
  return kh_frame(c, KOP_MSG_DESCRIBE_CONFIGS_REQUEST, 2, &q, sizeof q, len);
}

/* A fetch of partitions of which only the first is there. */
static void fetch_many(kh *h, kh_conn *c, int32_t n, int32_t session_epoch, int32_t max_wait_ms) {
  kop_fetch_request_partition *parts = calloc((size_t)n, sizeof *parts);
  kop_fetch_request_topic t;
  kop_fetch_request q;
  kop_message_init(KOP_MSG_FETCH_REQUEST, &q, sizeof q);
  kop_struct_init(KOP_STRUCT_FETCH_REQUEST_TOPIC, &t, sizeof t);
  for (int32_t i = 0; i < n; i++) {
    kop_struct_init(KOP_STRUCT_FETCH_REQUEST_PARTITION, &parts[i], sizeof parts[i]);
    parts[i].partition = i;
    parts[i].partition_max_bytes = 100;
  }
  t.topic = kh_text("t");
  t.partitions.ptr = parts;
  t.partitions.len = n;
  q.topics.ptr = &t;
  q.topics.len = 1;
  q.session_epoch = session_epoch;
  q.max_wait_ms = max_wait_ms;
  q.min_bytes = 1;
  size_t len = 0;
  size_t taken = 0;
  uint8_t *frame = kh_frame(c, KOP_MSG_FETCH_REQUEST, 12, &q, sizeof q, &len);
  (void)kop_engine_feed(h->e, c->id, frame, len, h->now, &taken); /* what is paused is not fed */
  kh_run(h);
  free(frame);
  free(parts);
}

Test(memory, replies_that_wait_do_not_hold_what_they_were_made_of) {
  kh h;
  kh_start(&h, counted);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_send_fetch(&h, c, "t", 0, 0, 5000, 1); /* its answer holds the others back */
  size_t before = live_bytes;
  for (int i = 0; i < 20; i++) {
    size_t len = 0;
    uint8_t *frame = describe_configs(c, &len);
    kh_feed(&h, c, frame, len);
    free(frame);
  }
  cr_assert_lt(live_bytes - before, (size_t)4 * MIB, "%zu bytes", live_bytes - before);
  kh_advance(&h, 5001);
  kh_disconnect(&h, c);
  kh_advance(&h, 1000);
  kh_advance(&h, 1000);
  cr_assert_lt(live_bytes, before + MIB, "%zu bytes", live_bytes - before);
  kh_stop(&h);
}

/* The first half of a large frame on each of several connections, which then go. */
static void half_frames(kh *h) {
  enum { FRAME = 130000, CONNS = 2 };
  static uint8_t bytes[FRAME / 2] = {0, (FRAME - 4) >> 16, (FRAME - 4) >> 8 & 255,
                                     (FRAME - 4) & 255};
  kh_conn *conns[CONNS];
  for (int i = 0; i < CONNS; i++) {
    conns[i] = kh_connect(h);
    kh_feed(h, conns[i], bytes, sizeof bytes);
  }
  for (int i = 0; i < CONNS; i++)
    kh_disconnect(h, conns[i]);
  kh_run(h);
}

Test(memory, blocks_are_kept_while_they_are_needed_and_then_given_back) {
  kh h;
  kh_start(&h, counted);
  half_frames(&h);
  kh_advance(&h, 10000);
  kh_advance(&h, 10000);
  size_t at_rest = live_bytes;
  half_frames(&h);
  size_t busy = live_bytes;
  cr_assert_gt(busy, at_rest + 2 * 130000, "they are kept");
  for (int i = 0; i < 10; i++) {
    kh_advance(&h, 500);
    half_frames(&h);
    cr_assert_eq(live_bytes, busy, "in round %d", i);
  }
  kh_advance(&h, 1000);
  kh_advance(&h, 1000);
  cr_assert_eq(live_bytes, at_rest, "%zu bytes more", live_bytes - at_rest);
  cr_assert_eq(kop_engine_deadline(h.e), UINT64_MAX, "nothing is left to look at");
  kh_stop(&h);
}

Test(memory, the_beginning_of_a_frame_does_not_keep_the_block_of_the_one_before) {
  static const uint8_t begun[] = {0, 0, 0, 50, 0, 3};
  for (size_t more = 1; more <= sizeof begun; more++) {
    enum { CONNS = 20 };
    kh h;
    kh_start(&h, counted);
    kh_conn *c[CONNS];
    for (int i = 0; i < CONNS; i++)
      c[i] = kh_connect(&h);
    size_t before = live_bytes;
    for (int i = 0; i < CONNS; i++) {
      size_t len = 0;
      uint8_t *frame = describe_configs(c[i], &len);
      frame = realloc(frame, len + more);
      memcpy(frame + len, begun, more);
      kh_feed(&h, c[i], frame, len + more);
      free(frame);
    }
    kh_advance(&h, 1000);
    kh_advance(&h, 1000);
    cr_assert_lt(live_bytes - before, (size_t)CONNS * 6000 + 300000, "%zu bytes with %zu more",
                 live_bytes - before, more);
    kh_stop(&h);
  }
}

/* What is pipelined behind a large frame does not fill its block: nobody would be charged for it. */
Test(memory, little_is_received_behind_a_large_frame) {
  kh h;
  kh_start(&h, counted);
  kh_conn *c = kh_connect(&h);
  size_t len = 0;
  uint8_t *frame = describe_configs(c, &len);
  kh_feed(&h, c, frame, len / 2);
  uint8_t *buffer = NULL;
  size_t capacity = 0;
  cr_assert_eq(kop_engine_recv_buffer(h.e, c->id, &buffer, &capacity), KOP_OK);
  cr_assert_geq(capacity, len - len / 2);
  cr_assert_leq(capacity, len - len / 2 + 4096);
  free(frame);
  kh_stop(&h);
}

Test(memory, long_polls_are_charged_for_what_they_hold) {
  kh h;
  kh_start(&h, counted);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  for (int i = 0; i < 30; i++)
    fetch_many(&h, c, 5000, -1, 60000);
  cr_assert_lt(live_bytes, (size_t)12 * MIB, "%zu bytes", live_bytes);
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.paused_connections, 1u, "the connection waits at its bound");
  kh_disconnect(&h, c);
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.frame_bytes, 0u);
  kh_stop(&h);
}

Test(memory, sessions_together_are_bounded) {
  kh h;
  kh_start(&h, counted_and_small);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kop_fetch_response p;
  fetch_many(&h, c, 10, 0, 0);
  cr_assert(kh_receive(&h, c, KOP_MSG_FETCH_RESPONSE, 12, &p, sizeof p));
  cr_assert_gt(p.session_id, 0, "a small session has its place");
  fetch_many(&h, c, 5000, 0, 0);
  cr_assert(kh_receive(&h, c, KOP_MSG_FETCH_RESPONSE, 12, &p, sizeof p));
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.session_id, 0, "one that would pass the bound is answered without a session");
  cr_assert_eq(p.responses.ptr[0].partitions.len, 5000u);
  kh_stop(&h);
}

/* Work that grew with the square of these numbers would not end before the time-out, which is far above what is needed. */
Test(memory, many_unknown_partitions_cost_no_more_than_each, .timeout = 60) {
  enum { EACH = 200000 };
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kop_fetch_response f;
  fetch_many(&h, c, EACH, 0, 0);
  cr_assert(kh_receive(&h, c, KOP_MSG_FETCH_RESPONSE, 12, &f, sizeof f));
  cr_assert_gt(f.session_id, 0);
  kop_produce_request_partition_produce_data *parts = calloc(EACH, sizeof *parts);
  kop_produce_request_topic_produce_data t;
  kop_produce_request q;
  kop_message_init(KOP_MSG_PRODUCE_REQUEST, &q, sizeof q);
  kop_struct_init(KOP_STRUCT_PRODUCE_REQUEST_TOPIC_PRODUCE_DATA, &t, sizeof t);
  for (int32_t i = 0; i < EACH; i++) {
    kop_struct_init(KOP_STRUCT_PRODUCE_REQUEST_PARTITION_PRODUCE_DATA, &parts[i], sizeof parts[i]);
    parts[i].index = 1 + i / 2; /* each twice: answered once */
  }
  t.name = kh_text("t");
  t.partition_data.ptr = parts;
  t.partition_data.len = EACH;
  q.acks = -1;
  q.topic_data.ptr = &t;
  q.topic_data.len = 1;
  kh_request(&h, c, KOP_MSG_PRODUCE_REQUEST, 10, &q, sizeof q);
  kop_produce_response p;
  cr_assert(kh_receive(&h, c, KOP_MSG_PRODUCE_RESPONSE, 10, &p, sizeof p));
  cr_assert_eq(p.responses.ptr[0].partition_responses.len, (size_t)EACH / 2);
  free(parts);
  kh_stop(&h);
}
