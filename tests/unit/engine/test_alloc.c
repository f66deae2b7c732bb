/* Every allocation of a scenario fails once, one after the other: nothing crashes, nothing leaks, others go on. */
#include "harness.h"

#include <stdlib.h>

#include "support/failing_alloc.h"

static failing_alloc allocator;
static uint64_t reply_bytes;

static void use_allocator(kop_engine_config *config) {
  config->alloc = &allocator.alloc;
  config->state_every_bytes = 1;
  if (reply_bytes > 0) config->max_reply_bytes_total = reply_bytes;
}

/* The rest of the process may stumble over the refused allocation; what counts is that it ends well. */
static void sweep(void (*scenario)(kh *h)) {
  for (size_t i = 0; i < 3000; i++) {
    failing_alloc_init(&allocator, i);
    kh h;
    kop_status status = kh_try_start(&h, use_allocator);
    if (status == KOP_OK) {
      h.tolerant = true;
      cr_assert_eq(kop_arena_new(NULL, (size_t)64 << 20, &h.arena), KOP_OK);
      cr_assert_eq(kop_batch_builder_new(NULL, &h.builder), KOP_OK);
      kop_endpoint self = {.node_id = KH_NODE, .host = kh_text("kop.test"), .port = 9092};
      kop_nodes nodes = {.size = sizeof nodes, .endpoints = &self, .endpoints_count = 1};
      kh_push(&h, KOP_EVENT_NODES, &nodes, sizeof nodes);
      scenario(&h);
      while (h.held_len > 0)
        kh_answer(&h, 0, KOP_CANCELLED, 0);
      cr_assert_eq(h.lent, 0u, "lent bytes were not given back, allocation %zu", i);
      kh_stop(&h);
    } else {
      cr_assert_eq(status, KOP_ERR_NOMEM, "allocation %zu: %s", i, kop_strerror(status));
    }
    cr_assert_eq(allocator.live, 0u, "%zu blocks leaked, allocation %zu", allocator.live, i);
    if (allocator.made <= i) return;
  }
  cr_assert_fail("the scenario does not end");
}

static void produce(kh *h, kh_conn *c, kop_slice batch) {
  kop_produce_response_partition_produce_response p;
  if (c->closed) return;
  kh_send_produce(h, c, "t", 0, batch, -1, 30000);
  (void)kh_receive_produce(h, c, &p);
}

static void fetch(kh *h, kh_conn *c, int64_t offset) {
  kop_fetch_response_partition_data f;
  if (c->closed) return;
  kh_send_fetch(h, c, "t", 0, offset, 100, 1);
  kh_advance(h, 200);
  kop_fetch_response p;
  (void)f;
  (void)kh_receive(h, c, KOP_MSG_FETCH_RESPONSE, 12, &p, sizeof p);
}

static void topics(kh *h) {
  kh_topic(h, "t", 1, 3);
  kh_topic(h, "u", 2, 30);
}

static void plain_produce(kh *h) {
  kh_topic(h, "t", 1, 1);
  kh_conn *c = kh_connect(h);
  for (int i = 0; i < 3; i++)
    produce(h, c, kh_batch_of(h, 2, -1, -1, -1));
  produce(h, kh_connect(h), kh_batch_of(h, 2, -1, -1, -1));
}

static void idempotent_produce(kh *h) {
  kh_topic(h, "t", 1, 1);
  kh_conn *c = kh_connect(h);
  for (int32_t i = 0; i < 4; i++)
    produce(h, c, kh_batch_of(h, 2, 9, 0, i * 2));
  produce(h, c, kh_batch_of(h, 2, 9, 0, 4));
}

static void fetch_with_data(kh *h) {
  kh_topic(h, "t", 1, 1);
  kh_conn *c = kh_connect(h);
  for (int i = 0; i < 3; i++)
    produce(h, c, kh_batch_of(h, 2, -1, -1, -1));
  fetch(h, c, 0);
  fetch(h, kh_connect(h), 1);
}

static void fetch_that_waits(kh *h) {
  kh_topic(h, "t", 1, 1);
  kh_conn *c = kh_connect(h);
  if (!c->closed) kh_send_fetch(h, c, "t", 0, 0, 1000, 1);
  produce(h, kh_connect(h), kh_batch_of(h, 2, -1, -1, -1));
  kh_advance(h, 1000);
}

static void fetch_session(kh *h) {
  kh_topic(h, "t", 1, 2);
  kh_conn *c = kh_connect(h);
  produce(h, c, kh_batch_of(h, 2, -1, -1, -1));
  for (int32_t epoch = 0; epoch < 3 && !c->closed; epoch++) {
    static int32_t id;
    kh_fetch_request r;
    (void)kh_fill_fetch(&r, "t", 0, epoch);
    r.q.session_id = epoch == 0 ? 0 : id;
    r.q.session_epoch = epoch;
    kh_request(h, c, KOP_MSG_FETCH_REQUEST, 12, &r.q, sizeof r.q);
    kop_fetch_response p;
    if (kh_receive(h, c, KOP_MSG_FETCH_RESPONSE, 12, &p, sizeof p)) id = p.session_id;
  }
}

static void unknown_and_reload(kh *h) {
  kh_topic(h, "t", 1, 1);
  kh_conn *c = kh_connect(h);
  produce(h, c, kh_batch_of(h, 2, 9, 0, 0));
  kh_hold(h, KH_KIND(APPEND));
  for (int32_t i = 0; i < 3; i++)
    produce(h, c, kh_batch_of(h, 2, 9, 0, 2 + i * 2));
  kh_hold(h, 0);
  if (h->held_len > 0) kh_answer(h, 0, KOP_UNKNOWN, 0);
  while (h->held_len > 0)
    kh_answer(h, 0, KOP_FENCED, 0);
  kh_advance(h, 10000);
}

static void damage_is_passed_over(kh *h) {
  kh_log *log = kh_topic(h, "t", 1, 1);
  kh_conn *c = kh_connect(h);
  for (int32_t i = 0; i < 4; i++)
    produce(h, c, kh_batch_of(h, 2, 9, 0, i * 2));
  kh_lead(h, log->id, 2, -1);
  free(log->state);
  log->state = NULL;
  log->damaged = 2;
  log->damaged_end = 6;
  kh_lead(h, log->id, KH_NODE, -1);
  for (int i = 0; i < 10; i++)
    kh_advance(h, 5000);
}

static void slow_reads(kh *h) {
  kh_topic(h, "t", 1, 1);
  kh_conn *c = kh_connect(h);
  produce(h, c, kh_batch_of(h, 2, -1, -1, -1));
  kh_hold(h, KH_KIND(READ));
  fetch(h, c, 0);
  kh_hold(h, 0);
  while (h->held_len > 0)
    kh_answer(h, 0, KOP_DONE, 0);
  fetch(h, c, 0);
  kh_advance(h, 10000);
}

static void metadata(kh *h, kh_conn *c) {
  kop_metadata_request q;
  kop_message_init(KOP_MSG_METADATA_REQUEST, &q, sizeof q);
  q.topics.len = -1;
  if (!c->closed && !c->paused) kh_request(h, c, KOP_MSG_METADATA_REQUEST, 12, &q, sizeof q);
}

/* At the bound of replies: some wait, one goes on, one is closed. */
static void unread_replies(kh *h) {
  kh_topic(h, "t", 1, 30);
  kh_conn *a = kh_connect(h);
  kh_conn *b = kh_connect(h);
  kh_conn *c = kh_connect(h);
  if (!a->closed) kh_send_fetch(h, a, "t", 0, 0, INT32_MAX, 1);
  kh_hold(h, KH_KIND(SEND));
  for (int i = 0; i < 3; i++) {
    metadata(h, a);
    metadata(h, b);
    metadata(h, c);
  }
  kh_advance(h, 30000);
  kh_hold(h, 0);
  if (h->held_len > 0) kh_answer(h, 0, KOP_DONE, 0);
  kh_hold(h, KH_KIND(SEND));
  kh_advance(h, 30000);
  kh_advance(h, 30000);
}

static void list_offsets(kh *h) {
  kh_topic(h, "t", 1, 1);
  kh_conn *c = kh_connect(h);
  produce(h, c, kh_batch_of(h, 5, -1, -1, -1));
  for (int64_t timestamp = -3; timestamp < 0 && !c->closed; timestamp++) {
    kh_list_request q;
    kh_request(h, c, KOP_MSG_LIST_OFFSETS_REQUEST, 8, kh_fill_list(&q, "t", timestamp, -1),
               sizeof q.q);
    kop_list_offsets_response r;
    (void)kh_receive(h, c, KOP_MSG_LIST_OFFSETS_RESPONSE, 8, &r, sizeof r);
  }
}

static void deletion(kh *h) {
  kh_topic(h, "t", 1, 2);
  kh_conn *c = kh_connect(h);
  kh_hold(h, KH_KIND(APPEND));
  produce(h, c, kh_batch_of(h, 5, -1, -1, -1));
  if (!c->closed) kh_send_fetch(h, c, "t", 1, 0, 1000, 1);
  kop_topic_ref gone = {.size = sizeof gone, .id = {{1}}};
  kh_push(h, KOP_EVENT_TOPIC_GONE, &gone, sizeof gone);
}

static void large_frame(kh *h) {
  kh_topic(h, "t", 1, 1);
  kh_conn *c = kh_connect(h);
  static uint8_t zeros[200000];
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  (void)kop_batch_builder_begin(h->builder, &o);
  kop_record_in record = {
      .offset = -1, .timestamp = h->now.wall_ms, .value = {.ptr = zeros, .len = sizeof zeros}};
  (void)kop_batch_builder_append(h->builder, &record);
  kop_slice batch;
  (void)kop_batch_builder_finish(h->builder, &batch.ptr, &batch.len);
  produce(h, c, batch);
  fetch(h, c, 0);
}

static void shutdown(kh *h) {
  kh_topic(h, "t", 1, 2);
  kh_conn *c = kh_connect(h);
  produce(h, c, kh_batch_of(h, 5, 9, 0, 0));
  if (!c->closed) kh_send_fetch(h, c, "t", 1, 0, 1000, 1);
  kop_engine_shutdown(h->e, h->now);
  kh_run(h);
}

Test(alloc, topics) {
  sweep(topics);
}

Test(alloc, plain_produce) {
  sweep(plain_produce);
}

Test(alloc, idempotent_produce) {
  sweep(idempotent_produce);
}

Test(alloc, fetch_with_data) {
  sweep(fetch_with_data);
}

Test(alloc, fetch_that_waits) {
  sweep(fetch_that_waits);
}

Test(alloc, fetch_session) {
  sweep(fetch_session);
}

Test(alloc, unknown_and_reload) {
  sweep(unknown_and_reload);
}

Test(alloc, damage_is_passed_over) {
  sweep(damage_is_passed_over);
}

Test(alloc, slow_reads) {
  sweep(slow_reads);
}

Test(alloc, unread_replies) {
  reply_bytes = 8 * 1024;
  sweep(unread_replies);
}

Test(alloc, list_offsets) {
  sweep(list_offsets);
}

Test(alloc, deletion) {
  sweep(deletion);
}

Test(alloc, large_frame) {
  sweep(large_frame);
}

Test(alloc, shutdown) {
  sweep(shutdown);
}
