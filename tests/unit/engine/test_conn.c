/* Connections: framing in every chunking, bounds and pausing, order, what a hostile peer may send. */
#include "harness.h"

#include <stdlib.h>

typedef kop_produce_response_partition_produce_response produced;

/* ---- chunks ---- */

/* Requests of several kinds in one stream. */
static uint8_t *stream(kh *h, kh_conn *c, size_t *len) {
  uint8_t *all = NULL;
  *len = 0;
  for (int32_t i = 0; i < 3; i++) {
    kh_produce_request r;
    (void)kh_fill_produce(&r, "t", 0, kh_batch_of(h, 2, -1, -1, -1), -1, 1000);
    size_t n = 0;
    uint8_t *frame = kh_frame(c, KOP_MSG_PRODUCE_REQUEST, 10, &r.q, sizeof r.q, &n);
    all = realloc(all, *len + n);
    memcpy(all + *len, frame, n);
    *len += n;
    free(frame);
  }
  return all;
}

/* Feeds the stream in pieces of `chunk` and returns what came back. */
static uint8_t *answer_of(size_t chunk, size_t *len) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  size_t n = 0;
  uint8_t *bytes = stream(&h, c, &n);
  for (size_t at = 0; at < n; at += chunk)
    kh_feed(&h, c, bytes + at, n - at < chunk ? n - at : chunk);
  uint8_t *out = malloc(c->out_len);
  memcpy(out, c->out, c->out_len);
  *len = c->out_len;
  free(bytes);
  kh_stop(&h);
  return out;
}

Test(conn, how_a_stream_is_cut_changes_nothing) {
  size_t expected_len = 0;
  uint8_t *expected = answer_of(1 << 20, &expected_len);
  cr_assert_gt(expected_len, 0u);
  for (size_t chunk = 1; chunk < 700; chunk = chunk < 40 ? chunk + 1 : chunk + 61) {
    size_t len = 0;
    uint8_t *got = answer_of(chunk, &len);
    cr_assert_eq(len, expected_len, "chunks of %zu", chunk);
    cr_assert_eq(memcmp(got, expected, len), 0, "chunks of %zu", chunk);
    free(got);
  }
  free(expected);
}

Test(conn, a_frame_larger_than_a_block_is_received_in_place) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  cr_assert_eq(kop_batch_builder_begin(h.builder, &o), KOP_OK);
  uint8_t *value = calloc(1, 900000);
  kop_record_in record = {
      .offset = -1, .timestamp = h.now.wall_ms, .value = {.ptr = value, .len = 900000}};
  cr_assert_eq(kop_batch_builder_append(h.builder, &record), KOP_OK);
  kop_slice batch;
  cr_assert_eq(kop_batch_builder_finish(h.builder, &batch.ptr, &batch.len), KOP_OK);
  produced p = kh_produce(&h, c, "t", 0, batch);
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(log->batches[0].len, batch.len);
  free(value);
  kh_stop(&h);
}

Test(conn, an_offered_buffer_stays_in_place_whatever_happens_meanwhile) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  size_t n = 0;
  uint8_t *bytes = stream(&h, c, &n);
  kh_feed(&h, c, bytes, 2); /* half a length prefix */
  uint8_t *buffer = NULL;
  size_t capacity = 0;
  cr_assert_eq(kop_engine_recv_buffer(h.e, c->id, &buffer, &capacity), KOP_OK);
  cr_assert_gt(capacity, n);
  kop_engine_shutdown(h.e, h.now);
  memcpy(buffer, bytes + 2, n - 2);
  cr_assert_eq(kop_engine_recv_commit(h.e, c->id, n - 2, h.now), KOP_OK);
  kh_run(&h);
  cr_assert(c->closed);
  free(bytes);
  kh_stop(&h);
}

/* ---- hostile bytes ---- */

static void expect_close(const uint8_t *bytes, size_t len) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_conn *other = kh_connect(&h);
  kh_feed(&h, c, bytes, len);
  cr_assert(c->closed);
  cr_assert_eq(c->close_reason, (uint32_t)KOP_CLOSE_PROTOCOL);
  cr_assert_eq(h.logged, 1u, "one line, not %u", h.logged);
  cr_assert_eq(kh_produce(&h, other, "t", 0, kh_batch_of(&h, 1, -1, -1, -1)).error_code, 0,
               "others go on");
  kh_stop(&h);
}

Test(conn, bad_lengths_close_with_one_line) {
  static const uint8_t negative[] = {0xff, 0xff, 0xff, 0xff};
  static const uint8_t huge[] = {0x7f, 0xff, 0xff, 0xff};
  static const uint8_t zero[] = {0, 0, 0, 0};
  expect_close(negative, sizeof negative);
  expect_close(huge, sizeof huge);
  expect_close(zero, sizeof zero);
}

Test(conn, an_unknown_api_closes_with_one_line) {
  static const uint8_t unknown[] = {0, 0, 0, 10, 0x03, 0xe7, 0, 0, 0, 0, 0, 1, 0xff, 0xff};
  expect_close(unknown, sizeof unknown);
}

Test(conn, every_truncation_of_a_request_closes) {
  kh h;
  kh_start(&h, NULL);
  kh_conn *c = kh_connect(&h);
  size_t n = 0;
  uint8_t *bytes = stream(&h, c, &n);
  size_t first = 4 + (((size_t)bytes[2] << 8) | bytes[3]);
  kh_stop(&h);
  for (size_t cut = 1; cut < first - 4; cut++) {
    kh_start(&h, NULL);
    kh_topic(&h, "t", 1, 1);
    c = kh_connect(&h);
    size_t len = first - 4 - cut;
    bytes[2] = (uint8_t)(len >> 8);
    bytes[3] = (uint8_t)len;
    kh_feed(&h, c, bytes, 4 + len);
    bool partial_records =
        !c->closed && c->out_len > 0; /* the batch's own tail is cut: an error of the partition */
    cr_assert(c->closed || partial_records, "cut by %zu", cut);
    cr_assert_eq(h.counts[KOP_EFFECT_APPEND], 0u);
    kh_stop(&h);
  }
  free(bytes);
}

Test(conn, replies_to_earlier_requests_leave_before_the_close) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  size_t n = 0;
  uint8_t *bytes = stream(&h, c, &n);
  bytes = realloc(bytes, n + 4);
  memset(bytes + n, 0xff, 4);
  kh_feed(&h, c, bytes, n + 4);
  cr_assert(c->closed);
  produced p;
  for (int i = 0; i < 3; i++)
    cr_assert(kh_receive_produce(&h, c, &p));
  free(bytes);
  kh_stop(&h);
}

/* ---- bounds ---- */

static void three_requests(kop_engine_config *config) {
  config->max_requests_per_connection = 3;
}

Test(conn, pauses_at_its_bound_of_requests_and_loses_nothing) {
  kh h;
  kh_start(&h, three_requests);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_hold(&h, KH_KIND(APPEND));
  size_t n = 0;
  uint8_t *bytes = stream(&h, c, &n);
  size_t taken = 0;
  uint8_t *twice = malloc(2 * n);
  memcpy(twice, bytes, n);
  memcpy(twice + n, bytes, n);
  cr_assert_eq(kop_engine_feed(h.e, c->id, twice, 2 * n, h.now, &taken), KOP_OK);
  kh_run(&h);
  cr_assert(c->paused);
  cr_assert_eq(h.held_len, 3u);
  size_t capacity = 1;
  uint8_t *buffer = NULL;
  cr_assert_eq(kop_engine_recv_buffer(h.e, c->id, &buffer, &capacity), KOP_OK);
  cr_assert_eq(capacity, 0u);
  while (h.held_len > 0)
    kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert(!c->paused);
  kh_feed(&h, c, twice + taken, 2 * n - taken);
  while (h.held_len > 0)
    kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(log->end, 12);
  free(bytes);
  free(twice);
  kh_stop(&h);
}

static void small_pools(kop_engine_config *config) {
  config->max_small_bytes_total = 8 * 1024; /* two small frames */
}

Test(conn, memory_is_given_in_order_of_arrival) {
  kh h;
  kh_start(&h, small_pools);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_hold(&h, KH_KIND(APPEND));
  kh_conn *c[4];
  for (int i = 0; i < 4; i++) {
    c[i] = kh_connect(&h);
    kop_slice batch = kh_batch_of(&h, (uint32_t)i + 1, -1, -1, -1);
    kh_send_produce(&h, c[i], "t", 0, batch, -1, 60000);
  }
  cr_assert_eq(h.held_len, 2u, "only two frames fit");
  cr_assert(c[2]->paused && c[3]->paused);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(h.held_len, 2u);
  cr_assert_eq(((const kop_append *)h.held[1].body)->count, 3u, "the third came before the fourth");
  cr_assert(!c[2]->paused);
  cr_assert(c[3]->paused);
  while (h.held_len > 0)
    kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(log->end, 10);
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.frame_bytes, 0u);
  cr_assert_eq(stats.paused_connections, 0u);
  kh_stop(&h);
}

Test(conn, one_that_waits_for_memory_may_go) {
  kh h;
  kh_start(&h, small_pools);
  kh_topic(&h, "t", 1, 1);
  kh_hold(&h, KH_KIND(APPEND));
  kh_conn *c[4];
  for (int i = 0; i < 4; i++) {
    c[i] = kh_connect(&h);
    kh_send_produce(&h, c[i], "t", 0, kh_batch_of(&h, (uint32_t)i + 1, -1, -1, -1), -1, 60000);
  }
  kh_disconnect(&h, c[2]);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(((const kop_append *)h.held[1].body)->count, 4u);
  while (h.held_len > 0)
    kh_answer(&h, 0, KOP_DONE, 0);
  kh_stop(&h);
}

Test(conn, ten_thousand_connections_with_one_byte_each_hold_no_frames) {
  kh h;
  kh_start(&h, NULL);
  kop_conn_info info = {.size = sizeof info};
  for (int i = 0; i < 10000; i++) {
    uint64_t id = 0;
    size_t taken = 0;
    uint8_t byte = 0;
    cr_assert_eq(kop_engine_conn_open(h.e, &info, h.now, &id), KOP_OK);
    cr_assert_eq(kop_engine_feed(h.e, id, &byte, 1, h.now, &taken), KOP_OK);
  }
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.frame_bytes, 0u);
  uint64_t id = 0;
  cr_assert_eq(kop_engine_conn_open(h.e, &info, h.now, &id), KOP_ERR_LIMIT);
  kh_stop(&h);
}

Test(conn, idle_ones_are_closed_and_busy_ones_are_not) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *idle = kh_connect(&h);
  kh_conn *busy = kh_connect(&h);
  for (int i = 0; i < 12; i++) {
    kh_advance(&h, 60000);
    (void)kh_produce(&h, busy, "t", 0, kh_batch_of(&h, 1, -1, -1, -1));
  }
  cr_assert(idle->closed);
  cr_assert_eq(idle->close_reason, (uint32_t)KOP_CLOSE_IDLE);
  cr_assert(!busy->closed);
  kh_stop(&h);
}

Test(conn, a_client_that_never_reads_is_paused_and_then_closed) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_hold(&h, KH_KIND(SEND));
  for (int i = 0; i < 200 && !c->paused; i++) {
    kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), -1, 1000);
  }
  cr_assert(c->paused);
  cr_assert_eq(h.held_len, 1u, "one SEND of a connection is open at a time");
  kh_advance(&h, 601000);
  cr_assert(c->closed);
  kh_answer(&h, 0, KOP_CANCELLED, 0);
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.requests_open, 0u);
  kh_stop(&h);
}

/* ---- calls that break their contract ---- */

Test(contract, unknown_tokens_connections_and_bodies_are_refused) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kop_completion none = {.token = 12345};
  cr_assert_eq(kop_engine_complete(h.e, &none, sizeof none, 1, h.now), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_engine_complete(h.e, &none, 8, 1, h.now), KOP_ERR_INVALID);
  cr_assert_eq(kop_engine_conn_closed(h.e, 999, h.now), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_engine_recv_commit(h.e, c->id, 1, h.now), KOP_ERR_INVALID,
               "nothing was offered");
  kh_hold(&h, KH_KIND(APPEND));
  kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), -1, 30000);
  kop_completion bad = {.token = h.held[0].token, .outcome = KOP_DONE};
  cr_assert_eq(kop_engine_complete(h.e, &bad, sizeof bad, 1, h.now), KOP_ERR_INVALID, "no body");
  cr_assert_str_neq(kop_engine_error_text(h.e), "");
  cr_assert_eq(kop_engine_complete(h.e, &bad, sizeof bad, 1, h.now), KOP_ERR_NOT_FOUND,
               "it counted as an answer");
  kh_hold(&h, 0);
  kh_run(&h);
  produced p;
  cr_assert(kh_receive_produce(&h, c, &p));
  cr_assert_eq(p.error_code, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER);
  kh_stop(&h);
}

static void reserved_kind(kop_engine_config *config) {
  config->effects |= 1ull << KOP_EFFECT_AUTHENTICATE;
}

static void unknown_setting(kop_engine_config *config) {
  static const kop_config_entry entry = {{(const uint8_t *)"no.such", 7},
                                         {(const uint8_t *)"1", 1}};
  config->broker_configs = &entry;
  config->broker_configs_count = 1;
}

Test(contract, a_config_that_is_not_understood_makes_no_engine) {
  kh h;
  cr_assert_eq(kh_try_start(&h, reserved_kind), KOP_ERR_INVALID);
  cr_assert_eq(kh_try_start(&h, unknown_setting), KOP_ERR_INVALID);
}

Test(contract, a_config_may_grow_at_its_tail_as_long_as_that_is_zero) {
  struct {
    kop_engine_config config;
    uint64_t of_a_later_release;
  } grown;
  kop_engine *e = NULL;
  kop_now now = {.mono_ns = 1, .wall_ms = 1};
  cr_assert_eq(kop_engine_config_init(&grown.config, sizeof grown), KOP_OK);
  cr_assert_eq(grown.of_a_later_release, 0u);
  cr_assert_eq(kop_engine_new(&grown.config, now, &e), KOP_OK);
  kop_engine_free(e);
  grown.of_a_later_release = 1;
  cr_assert_eq(kop_engine_new(&grown.config, now, &e), KOP_ERR_INVALID);
  cr_assert_eq(kop_engine_config_init(&grown.config, sizeof grown.config - 8), KOP_ERR_INVALID);
}

Test(contract, completions_may_grow_at_their_tail) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kh_hold(&h, KH_KIND(APPEND));
  for (int i = 0; i < 2; i++) {
    kh_send_produce(&h, c, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), -1, 30000);
  }
  struct {
    kop_completion c;
    uint64_t of_a_later_release;
  } items[2] = {{.of_a_later_release = 1}, {.of_a_later_release = 2}};
  struct {
    kop_appended appended;
    uint64_t of_a_later_release;
  } bodies[2];
  for (size_t i = 0; i < 2; i++) {
    bodies[i].appended = (kop_appended){.size = sizeof bodies[i], .base_offset = (int64_t)i};
    items[i].c = (kop_completion){
        .token = h.held[i].token, .body = &bodies[i], .body_size = sizeof bodies[i]};
  }
  (void)log;
  cr_assert_eq(kop_engine_complete(h.e, &items[0].c, sizeof items[0], 2, h.now), KOP_OK);
  kh_run(&h);
  produced p;
  for (int64_t i = 0; i < 2; i++) {
    cr_assert(kh_receive_produce(&h, c, &p));
    cr_assert_eq(p.base_offset, i);
  }
  kh_stop(&h);
}

/* ---- two pools ---- */

static void one_large_frame(kop_engine_config *config) {
  static const kop_config_entry entry = {{(const uint8_t *)"socket.request.max.bytes", 24},
                                         {(const uint8_t *)"100000", 6}};
  config->broker_configs = &entry;
  config->broker_configs_count = 1;
  config->max_frame_bytes_total = 100000;
}

static kop_slice large_batch(kh *h) {
  static uint8_t zeros[80000];
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  cr_assert_eq(kop_batch_builder_begin(h->builder, &o), KOP_OK);
  kop_record_in record = {
      .offset = -1, .timestamp = h->now.wall_ms, .value = {.ptr = zeros, .len = sizeof zeros}};
  cr_assert_eq(kop_batch_builder_append(h->builder, &record), KOP_OK);
  kop_slice batch;
  cr_assert_eq(kop_batch_builder_finish(h->builder, &batch.ptr, &batch.len), KOP_OK);
  return batch;
}

Test(conn, small_frames_pass_when_large_ones_wait) {
  kh h;
  kh_start(&h, one_large_frame);
  kh_topic(&h, "t", 1, 1);
  kh_hold(&h, KH_KIND(APPEND));
  kh_conn *large = kh_connect(&h);
  kh_conn *waiting = kh_connect(&h);
  kh_conn *small = kh_connect(&h);
  kh_send_produce(&h, large, "t", 0, large_batch(&h), -1, 60000);
  cr_assert_eq(h.held_len, 1u);
  kh_produce_request r;
  (void)kh_fill_produce(&r, "t", 0, large_batch(&h), -1, 60000);
  size_t n = 0;
  uint8_t *frame = kh_frame(waiting, KOP_MSG_PRODUCE_REQUEST, 10, &r.q, sizeof r.q, &n);
  size_t taken = 0;
  cr_assert_eq(kop_engine_feed(h.e, waiting->id, frame, n, h.now, &taken), KOP_OK);
  kh_run(&h);
  cr_assert(waiting->paused, "there is no room for a second large frame");
  cr_assert_lt(taken, n);
  kh_send_produce(&h, small, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), -1, 60000);
  cr_assert_eq(h.held_len, 2u, "a small frame waits behind a large one");
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert(!waiting->paused);
  kh_feed(&h, waiting, frame + taken, n - taken);
  cr_assert_eq(h.held_len, 2u);
  free(frame);
  kh_stop(&h);
}

Test(conn, a_frame_that_would_fit_does_not_pass_a_larger_one_that_came_first) {
  kh h;
  kh_start(&h, small_pools);
  kh_topic(&h, "t", 1, 1);
  kh_hold(&h, KH_KIND(APPEND));
  kh_conn *first = kh_connect(&h);
  kh_conn *larger = kh_connect(&h);
  kh_conn *fits = kh_connect(&h);
  kh_send_produce(&h, first, "t", 0, kh_batch_of(&h, 1, -1, -1, -1), -1, 60000);
  kh_produce_request r;
  (void)kh_fill_produce(&r, "t", 0, kh_batch_of(&h, 600, -1, -1, -1), -1, 60000);
  size_t n = 0;
  uint8_t *frame = kh_frame(larger, KOP_MSG_PRODUCE_REQUEST, 10, &r.q, sizeof r.q, &n);
  cr_assert(n > 4096 && n < 8192, "%zu", n);
  size_t taken = 0;
  cr_assert_eq(kop_engine_feed(h.e, larger->id, frame, n, h.now, &taken), KOP_OK);
  kh_run(&h);
  cr_assert(larger->paused);
  kh_send_produce(&h, fits, "t", 0, kh_batch_of(&h, 2, -1, -1, -1), -1, 60000);
  cr_assert_eq(h.held_len, 1u,
               "it has to wait: else small frames could hold a large one up for ever");
  kh_answer(&h, 0, KOP_DONE, 0);
  kh_feed(&h, larger, frame + taken, n - taken);
  cr_assert_eq(h.held_len, 1u);
  cr_assert_eq(((const kop_append *)h.held[0].body)->count, 600u);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(h.held_len, 1u);
  cr_assert_eq(((const kop_append *)h.held[0].body)->count, 2u);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert(!larger->paused && !fits->paused);
  free(frame);
  kh_stop(&h);
}
