/* Replies that nobody reads: what they hold in all is bounded, who reads is served all the same, who does not read has to go. */
#include "harness.h"

#include <stdlib.h>

#include "support/live_bytes.h"

enum { KIB = 1024, MIB = 1 << 20, STALL_MS = 30000 };

static uint64_t bound;

static void bounded(kop_engine_config *config) {
  config->max_reply_bytes_total = bound;
  config->idle_ns = 0;
}

static void bounded_and_counted(kop_engine_config *config) {
  bounded(config);
  live_bytes = 0;
  config->alloc = &COUNTING;
}

static void start_with(kh *h, uint64_t bytes, void (*tune)(kop_engine_config *config)) {
  bound = bytes;
  kh_start(h, tune);
  kh_topic(h, "t", 1, KH_PARTITIONS - 4);
}

static void start(kh *h, uint64_t bytes) {
  start_with(h, bytes, bounded);
}

/* Holds what is sent to all connections but `data`. */
static kh_way only_one_reads(kh *h, const kop_effect *fx, void *data) {
  (void)h;
  const kh_conn *reads = data;
  bool sent = fx->kind == KOP_EFFECT_SEND && (reads == NULL || fx->target != reads->id);
  return sent ? KH_HOLD : KH_AUTO;
}

static void nobody_reads_but(kh *h, kh_conn *c) {
  h->filter = only_one_reads;
  h->filter_data = c;
}

/* Asks for all topics; whether the request was taken whole. */
static bool ask(kh *h, kh_conn *c) {
  kop_metadata_request q;
  kop_message_init(KOP_MSG_METADATA_REQUEST, &q, sizeof q);
  q.topics.len = -1;
  size_t len = 0;
  size_t taken = 0;
  uint8_t *frame = kh_frame(c, KOP_MSG_METADATA_REQUEST, 12, &q, sizeof q, &len);
  cr_assert_eq(kop_engine_feed(h->e, c->id, frame, len, h->now, &taken), KOP_OK);
  kh_run(h);
  free(frame);
  return taken == len && !c->paused;
}

static bool is_answered(kh *h, kh_conn *c) {
  kop_metadata_response p;
  return kh_receive(h, c, KOP_MSG_METADATA_RESPONSE, 12, &p, sizeof p);
}

static kop_engine_stats stats(const kh *h) {
  kop_engine_stats s;
  cr_assert_eq(kop_engine_stats_get(h->e, &s, sizeof s), KOP_OK);
  return s;
}

static uint64_t unread(const kh *h) {
  return stats(h).reply_bytes;
}

/* The i-th SEND that is held. */
static size_t held_send_to(const kh *h, const kh_conn *c) {
  for (size_t i = 0; i < h->held_len; i++) {
    if (h->held[i].kind == KOP_EFFECT_SEND && h->held[i].target == c->id) return i;
  }
  cr_assert_fail("nothing is being sent to it");
  return 0;
}

static void read_all(kh *h) {
  kh_hold(h, 0);
  while (h->held_len > 0)
    kh_answer(h, 0, KOP_DONE, 0);
}

/* What one reply holds. */
static uint64_t one_reply(void) {
  kh h;
  start(&h, 1 << 30);
  nobody_reads_but(&h, NULL);
  cr_assert(ask(&h, kh_connect(&h)));
  uint64_t bytes = unread(&h);
  cr_assert_gt(bytes, 2u * KIB);
  kh_stop(&h);
  return bytes;
}

/* ---- the bound ---- */

Test(replies, at_half_of_the_bound_only_those_with_nothing_in_work_are_read) {
  uint64_t one = one_reply();
  for (uint64_t more = 0; more < 2; more++) {
    kh h;
    start(&h, 2 * (one + more));
    nobody_reads_but(&h, NULL);
    kh_conn *c = kh_connect(&h);
    cr_assert(ask(&h, c));
    cr_assert_eq(unread(&h), one);
    (void)ask(&h, c);
    cr_assert_eq(c->paused, more == 0, "half is one reply and %d bytes", (int)more);
    cr_assert_eq(stats(&h).requests_open, 1 + more);
    kh_conn *other = kh_connect(&h);
    cr_assert(ask(&h, other));
    read_all(&h);
    cr_assert(!c->paused);
    cr_assert(is_answered(&h, c) && is_answered(&h, c) && is_answered(&h, other));
    cr_assert_eq(unread(&h), 0u);
    kh_stop(&h);
  }
}

Test(replies, at_the_bound_nobody_is_read) {
  uint64_t one = one_reply();
  for (uint64_t more = 0; more < 2; more++) {
    kh h;
    start(&h, one + more);
    nobody_reads_but(&h, NULL);
    kh_conn *c = kh_connect(&h);
    kh_conn *other = kh_connect(&h);
    cr_assert(ask(&h, c));
    cr_assert_eq(unread(&h), one);
    (void)ask(&h, other);
    cr_assert_eq(other->paused, more == 0, "the bound is one reply and %d bytes", (int)more);
    read_all(&h);
    cr_assert(!other->paused);
    cr_assert(is_answered(&h, c) && is_answered(&h, other));
    kh_stop(&h);
  }
}

Test(replies, a_frame_that_was_begun_before_the_bound_was_reached_waits_whole) {
  kh h;
  start(&h, one_reply());
  kh_conn *late = kh_connect(&h);
  kop_metadata_request q;
  kop_message_init(KOP_MSG_METADATA_REQUEST, &q, sizeof q);
  size_t len = 0;
  uint8_t *frame = kh_frame(late, KOP_MSG_METADATA_REQUEST, 12, &q, sizeof q, &len);
  kh_feed(&h, late, frame, len - 1);
  nobody_reads_but(&h, late);
  cr_assert(ask(&h, kh_connect(&h)));
  cr_assert(!late->paused);
  kh_feed(&h, late, frame + len - 1, 1);
  cr_assert(late->paused);
  cr_assert_eq(stats(&h).requests_total, 1u);
  kh_advance(&h, STALL_MS);
  kh_advance(&h, STALL_MS); /* the other one is closed */
  cr_assert(!late->closed);
  kh_answer(&h, 0, KOP_CANCELLED, 0);
  cr_assert(!late->paused);
  cr_assert(is_answered(&h, late));
  free(frame);
  kh_stop(&h);
}

Test(replies, those_who_wait_go_on_in_order_and_those_with_nothing_in_work_first) {
  kh h;
  start(&h, 2 * one_reply());
  nobody_reads_but(&h, NULL);
  kh_conn *much = kh_connect(&h);
  kh_conn *c[12];
  for (int i = 0; i < 12; i++)
    c[i] = kh_connect(&h);
  cr_assert(ask(&h, much));
  (void)ask(&h, much); /* half is reached */
  cr_assert(much->paused);
  int served = 0;
  while (ask(&h, c[served]))
    served++;
  cr_assert_geq(served, 1);
  cr_assert_lt(served, 11);
  kh_conn *first = c[served];
  kh_conn *second = c[served + 1];
  (void)ask(&h, second);
  cr_assert(first->paused && second->paused);
  kh_answer(&h, held_send_to(&h, c[0]), KOP_DONE, 0);
  cr_assert(!first->paused && second->paused && much->paused);
  kh_answer(&h, held_send_to(&h, first), KOP_DONE, 0);
  cr_assert(!second->paused && much->paused);
  kh_answer(&h, held_send_to(&h, second), KOP_DONE, 0);
  for (int i = 1; i < served; i++)
    kh_answer(&h, held_send_to(&h, c[i]), KOP_DONE, 0);
  cr_assert(much->paused, "half is reached by itself alone");
  kh_answer(&h, held_send_to(&h, much), KOP_DONE, 0);
  cr_assert(!much->paused);
  read_all(&h);
  cr_assert_eq(unread(&h), 0u);
  kh_stop(&h);
}

Test(replies, one_that_reads_what_it_was_told_has_nothing_in_work_any_more) {
  kh h;
  start(&h, 2 * one_reply());
  nobody_reads_but(&h, NULL);
  kh_conn *a = kh_connect(&h);
  kh_conn *b = kh_connect(&h);
  cr_assert(ask(&h, a));
  cr_assert(ask(&h, b));
  kh_answer(&h, held_send_to(&h, b), KOP_DONE, 0);
  (void)ask(&h, a);
  cr_assert(a->paused);
  (void)ask(&h, b); /* half is passed again */
  kh_answer(&h, held_send_to(&h, a), KOP_DONE, 0);
  cr_assert(!a->paused);
  cr_assert_eq(stats(&h).requests_open, 2u);
  kh_stop(&h);
}

/* All ask without an end and read nothing, but one. */
Test(replies, who_does_not_read_is_bounded_in_all_and_who_reads_is_served) {
  enum { BOUND = 512 * KIB, CONNS = KH_CONNS - 2 };
  kh h;
  start_with(&h, BOUND, bounded_and_counted);
  kh_conn *good = kh_connect(&h);
  kh_conn *poll = kh_connect(&h);
  kh_conn *c[CONNS];
  for (int i = 0; i < CONNS; i++)
    c[i] = kh_connect(&h);
  size_t before = live_bytes;
  nobody_reads_but(&h, good);
  int asked = 0;
  for (int round = 0; round < 64; round++) {
    for (int i = 0; i < CONNS; i++)
      asked += !c[i]->paused && ask(&h, c[i]);
    cr_assert(ask(&h, good));
    cr_assert(is_answered(&h, good), "in round %d", round);
    kop_slice batch = kh_batch_of(&h, 2, -1, -1, -1);
    cr_assert_eq(kh_produce(&h, good, "t", 0, batch).error_code, 0);
  }
  cr_assert_gt(asked, 20);
  for (int i = 0; i < CONNS; i++)
    cr_assert(c[i]->paused);
  cr_assert_leq(unread(&h), (uint64_t)BOUND);
  cr_assert_lt(live_bytes - before, (size_t)BOUND + 200 * KIB, "%zu bytes", live_bytes - before);
  for (int i = 0; i < CONNS; i++)
    kh_disconnect(&h, c[i]);
  read_all(&h);
  cr_assert_eq(unread(&h), 0u);
  cr_assert_eq(stats(&h).frame_bytes, 0u);
  cr_assert_eq(stats(&h).paused_connections, 0u);
  (void)poll;
  kh_stop(&h);
}

/* ---- who does not read ---- */

static bool is_told(kh *h, const kh_conn *c, uint64_t bytes) {
  return kop_engine_sent(h->e, h->held[held_send_to(h, c)].token, bytes, h->now) == KOP_OK;
}

static uint64_t send_bytes(const kh *h, const kh_conn *c) {
  return ((const kop_send *)h->held[held_send_to(h, c)].body)->bytes;
}

Test(replies, who_takes_nothing_is_closed_while_others_wait) {
  kh h;
  start(&h, one_reply() + 1);
  nobody_reads_but(&h, NULL);
  kh_conn *dead = kh_connect(&h);
  kh_conn *slow = kh_connect(&h);
  cr_assert(ask(&h, dead));
  cr_assert(ask(&h, slow));
  kh_advance(&h, 100 * STALL_MS);
  cr_assert(!dead->closed && !slow->closed, "nobody waits");
  cr_assert_eq(kop_engine_deadline(h.e), UINT64_MAX);
  kh_conn *waits = kh_connect(&h);
  (void)ask(&h, waits);
  cr_assert(waits->paused);
  kh_advance(&h, STALL_MS);
  cr_assert(!dead->closed && !slow->closed, "each has the whole of a period");
  cr_assert(is_told(&h, slow, send_bytes(&h, slow) / 8));
  cr_assert(is_told(&h, dead, send_bytes(&h, dead) / 8 - 1));
  uint32_t logged = h.logged;
  kh_advance(&h, STALL_MS);
  cr_assert(dead->closed && !slow->closed);
  cr_assert_eq(dead->close_reason, (uint32_t)KOP_CLOSE_SLOW);
  cr_assert_eq(h.logged, logged + 1);
  cr_assert(waits->paused, "its memory is still there");
  kh_answer(&h, held_send_to(&h, dead), KOP_CANCELLED, 0);
  cr_assert(!waits->paused);
  kh_advance(&h, 100 * STALL_MS);
  cr_assert(!slow->closed && !waits->closed, "nobody waits any more");
  read_all(&h);
  cr_assert(is_answered(&h, slow) && is_answered(&h, waits));
  kh_stop(&h);
}

Test(replies, each_send_has_its_own_time) {
  kh h;
  start(&h, one_reply());
  nobody_reads_but(&h, NULL);
  kh_conn *c = kh_connect(&h);
  cr_assert(ask(&h, c));
  kh_conn *waits = kh_connect(&h);
  (void)ask(&h, waits);
  kh_conn *last = kh_connect(&h);
  (void)ask(&h, last);
  for (int i = 0; i < 10; i++) {
    kh_advance(&h, STALL_MS);
    cr_assert(!c->closed && !waits->closed && !last->closed);
    kh_answer(&h, 0, KOP_DONE, 0); /* a new one begins */
    kh_conn *who = i % 3 == 0 ? c : i % 3 == 1 ? waits : last;
    cr_assert(is_answered(&h, who));
    (void)ask(&h, who);
  }
  kh_stop(&h);
}

Test(replies, who_holds_little_is_left_alone) {
  kh h;
  start(&h, 4 * one_reply());
  kh_conn *little = kh_connect(&h);
  nobody_reads_but(&h, NULL);
  kop_metadata_request q;
  kop_message_init(KOP_MSG_METADATA_REQUEST, &q, sizeof q);
  kop_metadata_request_topic none[1];
  q.topics.ptr = none;
  kh_request(&h, little, KOP_MSG_METADATA_REQUEST, 12, &q, sizeof q);
  kh_conn *much = kh_connect(&h);
  while (!much->paused)
    (void)ask(&h, much);
  kh_advance(&h, STALL_MS);
  kh_advance(&h, STALL_MS);
  cr_assert(much->closed);
  cr_assert(!little->closed);
  kh_stop(&h);
}

static void never_closed(kop_engine_config *config) {
  bounded(config);
  config->stalled_frame_ns = 0;
}

Test(replies, zero_means_never) {
  kh h;
  start_with(&h, one_reply(), never_closed);
  nobody_reads_but(&h, NULL);
  kh_conn *c = kh_connect(&h);
  kh_conn *waits = kh_connect(&h);
  cr_assert(ask(&h, c));
  (void)ask(&h, waits);
  for (int i = 0; i < 10; i++)
    kh_advance(&h, STALL_MS);
  cr_assert(!c->closed && waits->paused);
  kh_stop(&h);
}

Test(replies, a_long_poll_before_them_is_ended) {
  kh h;
  start(&h, 4 * one_reply());
  kh_conn *c = kh_connect(&h);
  kh_send_fetch(&h, c, "t", 0, 0, INT32_MAX, 1);
  while (!c->paused)
    (void)ask(&h, c);
  uint64_t held = unread(&h);
  cr_assert_geq(held, 2 * one_reply());
  kh_advance(&h, STALL_MS);
  kop_fetch_response_partition_data f;
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_eq(f.error_code, 0);
  cr_assert(is_answered(&h, c) && is_answered(&h, c));
  cr_assert(!c->closed && !c->paused);
  cr_assert_eq(unread(&h), 0u);
  kh_stop(&h);
}

Test(replies, what_is_said_of_a_send_is_checked) {
  kh h;
  start(&h, MIB);
  nobody_reads_but(&h, NULL);
  kh_conn *c = kh_connect(&h);
  cr_assert(ask(&h, c));
  uint64_t token = h.held[0].token;
  uint64_t bytes = send_bytes(&h, c);
  cr_assert_eq(kop_engine_sent(h.e, token + 1, 1, h.now), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_engine_sent(h.e, token, bytes + 1, h.now), KOP_ERR_INVALID);
  cr_assert_eq(kop_engine_sent(h.e, token, bytes, h.now), KOP_OK);
  cr_assert_eq(kop_engine_sent(h.e, token, 1, h.now), KOP_OK, "it never goes back");
  read_all(&h);
  cr_assert_eq(kop_engine_sent(h.e, token, 1, h.now), KOP_ERR_NOT_FOUND);
  kh_stop(&h);
}

static void idle_after_a_second(kop_engine_config *config) {
  config->idle_ns = 1000000000u;
}

Test(replies, a_client_that_reads_slowly_is_not_idle) {
  kh h;
  kh_start(&h, idle_after_a_second);
  kh_topic(&h, "t", 1, 20);
  nobody_reads_but(&h, NULL);
  kh_conn *c = kh_connect(&h);
  cr_assert(ask(&h, c));
  for (uint64_t i = 1; i <= 10; i++) {
    kh_advance(&h, 900);
    cr_assert(!c->closed);
    cr_assert(is_told(&h, c, i));
  }
  kh_advance(&h, 1000);
  cr_assert(c->closed);
  cr_assert_eq(c->close_reason, (uint32_t)KOP_CLOSE_IDLE);
  kh_stop(&h);
}

/* ---- lent bytes ---- */

static void little_lent(kop_engine_config *config) {
  config->max_lent_bytes = 1;
  config->idle_ns = 0;
}

Test(replies, who_holds_lent_bytes_must_take_them_while_others_wait_for_room) {
  kh h;
  kh_start(&h, little_lent);
  kh_topic(&h, "t", 1, 1);
  kh_conn *dead = kh_connect(&h);
  (void)kh_produce(&h, dead, "t", 0, kh_batch_of(&h, 2, -1, -1, -1));
  nobody_reads_but(&h, NULL);
  kh_send_fetch(&h, dead, "t", 0, 0, 0, 1);
  cr_assert_eq(h.lent, 1u);
  kh_advance(&h, 100 * STALL_MS);
  cr_assert(!dead->closed);
  kh_conn *c = kh_connect(&h);
  kop_fetch_response_partition_data f;
  nobody_reads_but(&h, c);
  kh_send_fetch(&h, c, "t", 0, 0, 3 * STALL_MS, 1);
  kh_advance(&h, STALL_MS);
  cr_assert(!dead->closed);
  kh_advance(&h, STALL_MS);
  cr_assert(dead->closed);
  cr_assert_eq(dead->close_reason, (uint32_t)KOP_CLOSE_SLOW);
  cr_assert(!kh_receive_fetch(&h, c, &f));
  kh_answer(&h, 0, KOP_CANCELLED, 0);
  cr_assert(kh_receive_fetch(&h, c, &f));
  cr_assert_gt(f.records.len, 0u);
  kh_stop(&h);
}

/* ---- frames do not wait with replies ---- */

static void one_large_frame(kop_engine_config *config) {
  static kop_config_entry entry;
  entry = (kop_config_entry){kh_text("socket.request.max.bytes"), kh_text("200000")};
  config->broker_configs = &entry;
  config->broker_configs_count = 1;
  config->max_frame_bytes_total = 200004;
}

/* A large frame that ends in bytes which no Produce has, or in all its batch. */
static void large(kh *h, kh_conn *c, int16_t acks, bool broken) {
  static uint8_t zeros[150000];
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  cr_assert_eq(kop_batch_builder_begin(h->builder, &o), KOP_OK);
  kop_record_in record = {
      .offset = -1, .timestamp = h->now.wall_ms, .value = {.ptr = zeros, .len = sizeof zeros}};
  cr_assert_eq(kop_batch_builder_append(h->builder, &record), KOP_OK);
  kop_slice batch;
  cr_assert_eq(kop_batch_builder_finish(h->builder, &batch.ptr, &batch.len), KOP_OK);
  kh_produce_request r;
  size_t len = 0;
  const kop_produce_request *q = kh_fill_produce(&r, "t", 1, batch, acks, 30000);
  uint8_t *frame = kh_frame(c, KOP_MSG_PRODUCE_REQUEST, 10, q, sizeof *q, &len);
  if (broken) frame[20] = 0x7f; /* a transactional id longer than the frame */
  kh_feed(h, c, frame, len);
  free(frame);
}

Test(replies, that_wait_behind_a_long_poll_hold_no_frames) {
  static const int16_t acks[] = {-1, 0, -1};
  for (size_t i = 0; i < 3; i++) {
    kh h;
    kh_start(&h, one_large_frame);
    kh_log *log = kh_topic(&h, "t", 1, 2);
    kh_conn *c = kh_connect(&h);
    kh_send_fetch(&h, c, "t", 0, 0, INT32_MAX, 1);
    large(&h, c, acks[i], i == 2);
    cr_assert_lt(stats(&h).frame_bytes, 10u * KIB, "acks %d", acks[i]);
    kh_conn *other = kh_connect(&h);
    large(&h, other, -1, false);
    cr_assert_eq(log[1].end, i == 2 ? 1 : 2);
    cr_assert(!c->closed);
    kh_stop(&h);
  }
}

Test(replies, a_frame_that_the_store_still_reads_stays_when_its_reply_is_there) {
  kh h;
  kh_start(&h, one_large_frame);
  kh_topic(&h, "t", 1, 2);
  kh_conn *c = kh_connect(&h);
  kh_hold(&h, KH_KIND(APPEND) | KH_KIND(SEND));
  large(&h, c, -1, false);
  kh_advance(&h, 30000); /* it is answered, the append goes on */
  cr_assert_eq(h.held_len, 2u);
  cr_assert_gt(stats(&h).frame_bytes, 150000u);
  kh_answer(&h, (size_t)kh_find_held(&h, KOP_EFFECT_APPEND), KOP_DONE, 0);
  cr_assert_eq(stats(&h).frame_bytes, 0u, "the reply needs it no longer");
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(unread(&h), 0u);
  kh_stop(&h);
}
