/* Frames that are promised and do not come, and what requests keep when their frame has gone: who is charged, who must go, who may stay. */
#include "harness.h"

#include <stdlib.h>

enum { FRAME = 1 << 20, STALL_MS = 30000 };

static uint8_t zeros[FRAME];

/* Room for two frames of a megabyte, and for two of 32 KiB. */
static void two_frames(kop_engine_config *config) {
  static kop_config_entry entry;
  entry = (kop_config_entry){kh_text("socket.request.max.bytes"), kh_text("1100000")};
  config->broker_configs = &entry;
  config->broker_configs_count = 1;
  config->max_frame_bytes_total = 2 * (FRAME + 4);
  config->max_small_bytes_total = 2 * (32768 + 4);
  config->idle_ns = 0;
}

static void two_frames_for_ever(kop_engine_config *config) {
  two_frames(config);
  config->stalled_frame_ns = 0;
}

static void bytes(kh *h, kh_conn *c, size_t n) {
  size_t taken = 0;
  cr_assert_eq(kop_engine_feed(h->e, c->id, zeros, n, h->now, &taken), KOP_OK);
  cr_assert(c->closed || taken == n, "reading is paused");
  kh_run(h);
}

/* A connection that says how long its frame is. */
static kh_conn *promise(kh *h, uint32_t size) {
  kh_conn *c = kh_connect(h);
  uint8_t prefix[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                       (uint8_t)size};
  size_t taken = 0;
  cr_assert_eq(kop_engine_feed(h->e, c->id, prefix, sizeof prefix, h->now, &taken), KOP_OK);
  kh_run(h);
  return c;
}

Test(stalled, frames_of_which_nothing_comes_make_room_for_those_who_wait) {
  static const uint32_t sizes[] = {FRAME, 32768};
  for (size_t i = 0; i < 2; i++) {
    kh h;
    kh_start(&h, two_frames);
    kh_conn *a = promise(&h, sizes[i]);
    kh_conn *b = promise(&h, sizes[i]);
    kh_conn *waits = promise(&h, sizes[i]);
    cr_assert(waits->paused);
    kh_advance(&h, STALL_MS);
    cr_assert(!a->closed && !b->closed, "each has the whole of a period");
    bytes(&h, b, sizes[i] / 8);
    kh_advance(&h, STALL_MS - 1);
    cr_assert(!a->closed);
    kh_advance(&h, 1);
    cr_assert(a->closed, "frame of %u", sizes[i]);
    cr_assert_eq(a->close_reason, (uint32_t)KOP_CLOSE_SLOW);
    cr_assert_eq(h.logged, 1u);
    cr_assert(!b->closed, "it gained an eighth");
    cr_assert(!waits->paused);
    kh_stop(&h);
  }
}

Test(stalled, a_slow_client_has_all_the_time_while_nobody_waits) {
  kh h;
  kh_start(&h, two_frames);
  kh_conn *a = promise(&h, FRAME);
  kh_conn *b = promise(&h, FRAME);
  for (int i = 0; i < 100; i++) {
    kh_advance(&h, 10 * STALL_MS);
    bytes(&h, a, 1);
  }
  cr_assert(!a->closed && !b->closed);
  cr_assert_eq(kop_engine_deadline(h.e), UINT64_MAX, "nothing is looked for");
  kh_conn *waits = promise(&h, FRAME);
  kh_disconnect(&h, waits); /* who waited has gone */
  kh_advance(&h, STALL_MS);
  kh_advance(&h, STALL_MS);
  kh_advance(&h, STALL_MS);
  cr_assert(!a->closed && !b->closed);
  cr_assert_eq(kop_engine_deadline(h.e), UINT64_MAX);
  kh_stop(&h);
}

Test(stalled, one_that_gains_an_eighth_each_time_arrives) {
  kh h;
  kh_start(&h, two_frames);
  kh_conn *a = promise(&h, FRAME);
  kh_conn *b = promise(&h, FRAME);
  kh_conn *waits = promise(&h, FRAME);
  kh_conn *last = promise(&h, FRAME);
  for (int i = 0; i < 7; i++) {
    kh_advance(&h, STALL_MS);
    cr_assert_eq(waits->paused, i < 1);
    cr_assert_eq(last->paused, i < 3, "the one before it does not send either");
    cr_assert(!a->closed);
    bytes(&h, a, FRAME / 8 + 1);
  }
  cr_assert(b->closed && waits->closed && !last->closed);
  cr_assert(!a->closed);
  bytes(&h, a, FRAME - 7 * (FRAME / 8 + 1));
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.requests_total, 1u, "it is whole");
  kh_stop(&h);
}

Test(stalled, the_replies_to_its_earlier_requests_are_not_waited_for) {
  kh h;
  kh_start(&h, two_frames);
  kh_topic(&h, "t", 1, 1);
  kh_conn *poll = kh_connect(&h);
  kh_send_fetch(&h, poll, "t", 0, 0, INT32_MAX, 1);
  uint8_t prefix[4] = {0, 0x10, 0, 0};
  kh_feed(&h, poll, prefix, sizeof prefix);
  (void)promise(&h, FRAME);
  kh_conn *waits = promise(&h, FRAME);
  cr_assert(waits->paused);
  kh_advance(&h, STALL_MS);
  kh_advance(&h, STALL_MS);
  cr_assert(!poll->closed, "its long poll is answered first");
  cr_assert(!waits->paused, "but it holds no memory for the frame any more");
  kh_stop(&h);
}

Test(stalled, zero_means_never) {
  kh h;
  kh_start(&h, two_frames_for_ever);
  kh_conn *a = promise(&h, FRAME);
  (void)promise(&h, FRAME);
  kh_conn *waits = promise(&h, FRAME);
  for (int i = 0; i < 10; i++)
    kh_advance(&h, STALL_MS);
  cr_assert(!a->closed);
  cr_assert(waits->paused);
  kh_stop(&h);
}

/* acks=0 fails and closes the connection, but only after a long poll before it. */
Test(stalled, a_connection_that_will_be_closed_gives_the_memory_of_its_frame_back) {
  kh h;
  kh_start(&h, two_frames);
  kh_topic(&h, "t", 1, 2);
  kh_conn *c = kh_connect(&h);
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_fetch(&h, c, "t", 1, 0, INT32_MAX, 1);
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), 0, 1000);
  uint8_t prefix[4] = {0, 0x10, 0, 0};
  kh_feed(&h, c, prefix, sizeof prefix);
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_gt(stats.frame_bytes, (uint64_t)FRAME);
  kh_answer(&h, 0, KOP_REJECTED, KOP_KAFKA_KAFKA_STORAGE_ERROR);
  cr_assert(!c->closed);
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_lt(stats.frame_bytes, (uint64_t)FRAME);
  kh_stop(&h);
}

/* ---- what stays when the frame has gone ---- */

static uint64_t held(const kh *h) {
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h->e, &stats, sizeof stats), KOP_OK);
  return stats.frame_bytes;
}

Test(parked, a_small_long_poll_is_charged_for_what_it_keeps) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  for (uint64_t n = 1; n <= 60; n++) {
    kh_send_fetch(&h, c, "t", 0, 0, 60000, 1);
    cr_assert_geq(held(&h), n * 500, "%llu polls, %llu bytes", (unsigned long long)n,
                  (unsigned long long)held(&h));
  }
  kh_disconnect(&h, c);
  cr_assert_eq(held(&h), 0u);
  kh_stop(&h);
}

static void little_parked(kop_engine_config *config) {
  config->max_parked_bytes_total = 64 * 1024;
}

Test(parked, above_the_bound_a_fetch_is_answered_at_once_and_others_go_on_waiting) {
  kh h;
  kh_start(&h, little_parked);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c[KH_CONNS];
  kop_fetch_response_partition_data f;
  int waiting = 0;
  for (int i = 0; i < KH_CONNS - 1; i++) {
    c[i] = kh_connect(&h);
    kh_send_fetch(&h, c[i], "t", 0, 0, 60000, 1);
    if (!kh_receive_fetch(&h, c[i], &f)) {
      waiting++;
      continue;
    }
    cr_assert_eq(f.error_code, 0);
    cr_assert_eq(f.records.len, 0u);
  }
  cr_assert_gt(waiting, 3);
  cr_assert_lt(waiting, KH_CONNS - 1);
  cr_assert_leq(held(&h), 80u * 1024);
  kh_conn *p = kh_connect(&h);
  (void)kh_produce(&h, p, "t", 0, kh_batch_of(&h, 1, -1, -1, -1));
  for (int i = 0; i < KH_CONNS - 1; i++)
    waiting -= kh_receive_fetch(&h, c[i], &f) && f.records.len > 0;
  cr_assert_eq(waiting, 0);
  kh_stop(&h);
}

static void little_of_each(kop_engine_config *config) {
  config->max_connection_bytes = 64 * 1024;
}

Test(parked, replies_that_wait_are_charged_to_their_connection) {
  kh h;
  kh_start(&h, little_of_each);
  for (uint8_t i = 1; i <= 10; i++) {
    char name[] = "a topic 0";
    name[8] = (char)('0' + i - 1);
    name[1] = name[7] = '-';
    kh_topic(&h, name, i, 6);
  }
  kh_conn *c = kh_connect(&h);
  kh_hold(&h, KH_KIND(SEND));
  kop_metadata_request q;
  kop_message_init(KOP_MSG_METADATA_REQUEST, &q, sizeof q);
  q.topics.len = -1;
  int asked = 0;
  for (; asked < 60 && !c->paused; asked++)
    kh_request(&h, c, KOP_MSG_METADATA_REQUEST, 12, &q, sizeof q);
  cr_assert(c->paused);
  cr_assert_lt(asked, 40, "%d replies wait", asked);
  kh_hold(&h, 0);
  while (h.held_len > 0)
    kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert(!c->paused);
  kh_stop(&h);
}
