/* Bounds: every one has an answer; memory that is refused loses nothing; an idle reader is small. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_broker.h"
#include "support/failing_alloc.h"

Test(session_limits, producers_consumers_requests) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_producers = 1;
  c.max_consumers = 1;
  c.max_requests = 1;
  fb f;
  fb_init(&f, &c);
  kop_pulsar_producer_config p;
  kop_pulsar_consumer_config q;
  uint64_t id = 0;
  cr_assert_eq(kop_pulsar_producer_config_init(&p, sizeof p), KOP_OK);
  cr_assert_eq(kop_pulsar_consumer_config_init(&q, sizeof q), KOP_OK);
  p.topic = q.topic = fb_text("t");
  cr_assert_eq(kop_pulsar_producer_open(f.s, &p, f.now, &id), KOP_OK);
  cr_assert_eq(kop_pulsar_producer_open(f.s, &p, f.now, &id), KOP_ERR_LIMIT);
  cr_assert_eq(kop_pulsar_consumer_open(f.s, &q, f.now, &id), KOP_OK);
  cr_assert_eq(kop_pulsar_consumer_open(f.s, &q, f.now, &id), KOP_ERR_LIMIT);
  cr_assert_eq(kop_pulsar_lookup(f.s, fb_text("t"), 0, f.now, &id), KOP_OK);
  cr_assert_eq(kop_pulsar_lookup(f.s, fb_text("t"), 0, f.now, &id), KOP_ERR_LIMIT);
  cr_assert_eq(kop_pulsar_watch(f.s, fb_text("n/s"), 0, f.now, &id), KOP_ERR_LIMIT);
  fb_run(&f);
  cr_assert_eq(kop_pulsar_lookup(f.s, fb_text("t"), 0, f.now, &id), KOP_OK);
  fb_free(&f);
}

Test(session_limits, openings_wait_their_turn) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_opening = 2;
  fb f;
  fb_init(&f, &c);
  f.mute = 1ull << KOPI__BASE_COMMAND__TYPE__SUBSCRIBE;
  for (int i = 0; i < 5; i++)
    fb_reader(&f, "t", 0);
  fb_run(&f);
  cr_assert_eq(fb_count(&f, "> SUBSCRIBE"), 2);
  f.mute = 0;
  fb_pass(&f, 31000); /* those two time out, everybody comes round */
  cr_assert_eq(fb_count(&f, "consumer_ready"), 3);
  cr_assert_eq(fb_count(&f, "consumer_closed"), 2);
  fb_free(&f);
}

Test(session_limits, connections) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_connections = 1;
  fb f;
  fb_init(&f, &c);
  fb_reader(&f, "t", 0);
  fb_run(&f);
  cr_assert(fb_saw(&f, "consumer_down 1 limited none max_connections is reached\n"));
  fb_free(&f);
}

Test(session_limits, commands_that_wait) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_control_bytes = 400;
  fb f;
  fb_init(&f, &c);
  uint64_t r = fb_reader(&f, "t", 0);
  fb_run(&f);
  kop_status status = KOP_OK;
  int flows = 0;
  for (; status == KOP_OK && flows < 1000; flows++)
    status = kop_pulsar_flow(f.s, r, 1, f.now);
  cr_assert_eq(status, KOP_ERR_LIMIT);
  cr_assert(flows > 10 && flows < 40);
  fb_run(&f);
  cr_assert_eq(kop_pulsar_flow(f.s, r, 1, f.now), KOP_OK);
  fb_free(&f);
}

/* What the session itself has to say and cannot: the connection ends, which tells the broker the same. */
Test(session_limits, commands_of_the_session_that_wait) {
  enum { READERS = 40 };
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_control_bytes = 300;
  fb f;
  fb_init(&f, &c);
  uint64_t readers[READERS];
  for (int i = 0; i < READERS; i++)
    readers[i] = fb_reader(&f, "t", 0);
  fb_pass(&f, 5000);
  cr_assert_eq(fb_count(&f, "consumer_ready"), READERS);
  fb_forget(&f);
  f.hold = true;
  cr_assert_eq(kop_pulsar_flow(f.s, readers[0], 1, f.now), KOP_OK);
  fb_run(&f); /* its SEND is open, so the commands behind it wait */
  for (int i = 0; i < READERS; i++)
    cr_assert_eq(kop_pulsar_consumer_close(f.s, readers[i], f.now), KOP_OK);
  cr_assert(fb_saw(&f, " limited none a close could not be sent\n"));
  f.hold = false;
  fb_sent_all(&f);
  fb_pass(&f, 1000);
  cr_assert_eq(fb_count(&f, "consumer_closed"), READERS);
  fb_free(&f);
}

Test(session_limits, slices_of_a_payload) {
  fb f;
  fb_init(&f, NULL);
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
  fb_run(&f);
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present = KOP_PULSAR_HAS_PUBLISH_TIME;
  kop_slice slices[KOP_PULSAR_MAX_PAYLOAD_SLICES + 1];
  for (size_t i = 0; i < sizeof slices / sizeof *slices; i++)
    slices[i] = fb_text("x");
  kop_pulsar_send_info info = {.size = sizeof info,
                               .metadata = &md,
                               .payload = slices,
                               .payload_count = KOP_PULSAR_MAX_PAYLOAD_SLICES + 1,
                               .num_messages = 1,
                               .sequence_id = 1};
  cr_assert_eq(kop_pulsar_send(f.s, p, &info, f.now), KOP_ERR_INVALID);
  info.payload_count = KOP_PULSAR_MAX_PAYLOAD_SLICES;
  cr_assert_eq(kop_pulsar_send(f.s, p, &info, f.now), KOP_OK);
  fb_run(&f);
  cr_assert_eq(f.receipts, 1);
  fb_free(&f);
}

Test(session_limits, ids_of_an_acknowledgement) {
  fb f;
  fb_init(&f, NULL);
  uint64_t r = fb_reader(&f, "t", 0);
  fb_forget(&f);
  static kop_pulsar_ack_id ids[KOP_PULSAR_MAX_ACK_IDS + 1];
  kop_pulsar_ack_info info = {
      .size = sizeof info, .ids = ids, .ids_count = KOP_PULSAR_MAX_ACK_IDS + 1};
  cr_assert_eq(kop_pulsar_ack(f.s, r, &info, f.now, NULL), KOP_ERR_INVALID);
  info.ids_count = KOP_PULSAR_MAX_ACK_IDS;
  cr_assert_eq(kop_pulsar_ack(f.s, r, &info, f.now, NULL), KOP_OK);
  cr_assert(fb_saw(&f, " ids=1000 "));
  fb_free(&f);
}

Test(session_limits, effects_of_a_drain) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_effects = 3;
  fb f;
  fb_init(&f, &c);
  for (int i = 0; i < 20; i++)
    fb_publish(&f, "t", "x", 1);
  fb_reader(&f, "t", 100);
  fb_run(&f);
  cr_assert_eq(f.messages, 20);
  fb_free(&f);
}

static char *payload_of(size_t n) {
  char *text = malloc(n + 1);
  memset(text, 'p', n);
  text[n] = 0;
  return text;
}

/* What is kept counts; reading pauses and goes on when it is released. */
Test(session_limits, received_bytes) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_receive_bytes = 256 << 10;
  fb f;
  fb_init(&f, &c);
  char *text = payload_of(50000);
  for (int i = 0; i < 12; i++)
    fb_publish(&f, "t", text, 1);
  free(text);
  fb_reader(&f, "t", 100);
  f.keep_all = true;
  fb_run(&f);
  cr_assert(f.messages >= 2 && f.messages < 12, "%d", (int)f.messages);
  cr_assert(fb_saw(&f, "pause "));
  kop_pulsar_session_stats stats;
  cr_assert_eq(kop_pulsar_session_stats_get(f.s, &stats, sizeof stats), KOP_OK);
  cr_assert(stats.receive_bytes <= (256 << 10) + (64 << 10) + 4096, "%d", (int)stats.receive_bytes);
  fb_pass(&f, 100000); /* who is not listened to is not silent */
  cr_assert(!fb_saw(&f, "close 3 silence"));
  uint64_t token = 0;
  while (f.messages < 12) {
    cr_assert_eq(kop_pulsar_release(f.s, ++token, f.now), KOP_OK);
    fb_run(&f);
    cr_assert_lt(token, 13);
  }
  cr_assert(fb_saw(&f, "resume "));
  while (token < 12)
    cr_assert_eq(kop_pulsar_release(f.s, ++token, f.now), KOP_OK);
  cr_assert_eq(kop_pulsar_release(f.s, 1, f.now), KOP_ERR_NOT_FOUND);
  fb_run(&f);
  cr_assert_eq(kop_pulsar_session_stats_get(f.s, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.receive_bytes, 0);
  fb_free(&f);
}

/* Who was told a capacity of 0 waits for RESUME, even if there was room again before PAUSE was drained. */
Test(session_limits, a_pause_that_nobody_saw_is_still_resumed) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_receive_bytes = 150 << 10;
  fb f;
  fb_init(&f, &c);
  char *text = payload_of(50000);
  fb_reader(&f, "t", 100);
  f.keep_all = true;
  fb_publish(&f, "t", text, 1);
  fb_run(&f);
  fb_publish(&f, "t", text, 1);
  fb_forget(&f);
  cr_assert_eq(f.messages, 2);
  fb_publish(&f, "t", text, 1);
  free(text);
  fb_conn *conn = fb_find(&f, 3);
  size_t taken = 0;
  cr_assert_eq(kop_pulsar_feed(f.s, 3, conn->out.data, conn->out.len, f.now, &taken), KOP_OK);
  cr_assert_eq(taken, 0);
  cr_assert_eq(kop_pulsar_release(f.s, 1, f.now), KOP_OK);
  const kop_pulsar_effect *fx = NULL;
  cr_assert_eq(kop_pulsar_drain(f.s, &fx), 1);
  cr_assert_eq(fx[0].kind, KOP_PULSAR_RECV_RESUME);
  fb_run(&f);
  cr_assert_eq(f.messages, 3);
  fb_free(&f);
}

Test(session_limits, a_frame_above_the_bound_is_admitted_alone) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_receive_bytes = 100 << 10;
  fb f;
  fb_init(&f, &c);
  char *text = payload_of(1 << 20);
  fb_publish(&f, "t", text, 1);
  fb_publish(&f, "t", "small", 1);
  fb_publish(&f, "t", text, 1);
  free(text);
  fb_reader(&f, "t", 100);
  f.cut = 7000;
  f.quiet = true;
  fb_run(&f);
  cr_assert_eq(f.messages, 3);
  fb_free(&f);
}

Test(session_limits, keep_is_for_the_latest_drain) {
  fb f;
  fb_init(&f, NULL);
  fb_publish(&f, "t", "one", 1);
  fb_reader(&f, "t", 9);
  fb_run(&f);
  cr_assert_eq(kop_pulsar_keep(f.s, f.last_token),
               KOP_ERR_NOT_FOUND); /* another drain came after */
  f.keep_all = true;
  fb_publish(&f, "t", "two", 1);
  fb_run(&f);
  cr_assert_eq(kop_pulsar_keep(f.s, f.last_token),
               KOP_OK); /* kept already, so it can be kept again */
  cr_assert_eq(kop_pulsar_release(f.s, f.last_token, f.now), KOP_OK);
  cr_assert_eq(kop_pulsar_release(f.s, f.last_token, f.now), KOP_OK);
  cr_assert_eq(kop_pulsar_release(f.s, f.last_token, f.now), KOP_ERR_NOT_FOUND);
  fb_free(&f);
}

/* ---- refused memory ---- */

/* A whole life; what the world refuses is tried again, as an embedder does. */
static void life(fb *f) {
  f->quiet = true;
  uint64_t p = fb_producer(f, "t", KOP_PULSAR_EXCLUSIVE_WITH_FENCING);
  uint64_t r = fb_reader(f, "sent", 50);
  while (p == 0)
    p = fb_producer(f, "t", KOP_PULSAR_EXCLUSIVE_WITH_FENCING);
  while (r == 0)
    r = fb_reader(f, "sent", 50);
  fb_pass(f, 3000);
  uint64_t request = 0;
  for (uint64_t i = 1; i <= 6; i++) {
    kop_status status;
    while ((status = fb_send(f, p, i, "payload")) == KOP_ERR_NOMEM)
      continue;
    cr_assert(status == KOP_OK || status == KOP_ERR_STATE, "%d", status);
    if (status == KOP_ERR_STATE) {
      fb_pass(f, 3000);
      i--;
    }
  }
  (void)kop_pulsar_topics(f->s, fb_text("n/s"), 0, 1, f->now, &request);
  (void)kop_pulsar_watch(f->s, fb_text("n/s"), 1, f->now, &request);
  (void)kop_pulsar_partitions(f->s, fb_text("t"), 1, f->now, &request);
  (void)kop_pulsar_last_message_id(f->s, r, 1, f->now, &request);
  kop_pulsar_ack_id id = {.id = {.ledger_id = 7}};
  kop_pulsar_ack_info a = {.size = sizeof a, .ids = &id, .ids_count = 1, .receipt = 1};
  (void)kop_pulsar_ack(f->s, r, &a, f->now, &request);
  fb_pass(f, 3000);
  fb_challenge(f, 3, "PulsarAuthRefresh");
  fb_drop_all(f);
  fb_pass(f, 5000);
  kop_pulsar_message_id to = {.ledger_id = 7, .entry_id = 3};
  (void)kop_pulsar_seek(f->s, r, &to, 0, 1, f->now, &request);
  fb_pass(f, 10000);
}

Test(session_limits, every_allocation_may_fail, .timeout = 120) {
  size_t i = 0;
  for (;; i++) {
    failing_alloc a;
    failing_alloc_init(&a, i);
    kop_pulsar_session_config c;
    fb_config(&c);
    c.alloc = &a.alloc;
    fb f;
    fb_init(&f, &c);
    if (f.s != NULL) {
      life(&f);
      cr_assert_eq(f.receipts, 6, "allocation %zu: %d receipts", i, (int)f.receipts);
      cr_assert(f.messages >= 6, "allocation %zu: %d messages", i, (int)f.messages);
      kop_pulsar_session_stats stats;
      cr_assert_eq(kop_pulsar_session_stats_get(f.s, &stats, sizeof stats), KOP_OK);
      cr_assert_eq(stats.producers_ready, 1, "allocation %zu", i);
      cr_assert_eq(stats.consumers_ready, 1, "allocation %zu", i);
      cr_assert_eq(stats.pending_sends, 0);
      cr_assert_eq(stats.receive_bytes, 0, "allocation %zu", i);
    }
    fb_free(&f);
    cr_assert_eq(a.live, 0, "allocation %zu", i);
    if (a.made <= i) break;
  }
  cr_assert_gt(i, 60);
}

/* ---- size ---- */

typedef struct counted {
  kop_alloc alloc;
  size_t bytes;
} counted;

static void *counted_realloc(void *user, void *ptr, size_t size) {
  counted *c = user;
  size_t *head = ptr == NULL ? NULL : (size_t *)ptr - 2;
  size_t old = head == NULL ? 0 : *head;
  head = realloc(head, size + 16);
  if (head == NULL) return NULL;
  *head = size;
  c->bytes += size - old;
  return head + 2;
}

static void counted_free(void *user, void *ptr) {
  counted *c = user;
  if (ptr == NULL) return;
  size_t *head = (size_t *)ptr - 2;
  c->bytes -= *head;
  free(head);
}

Test(session_limits, an_idle_reader_takes_less_than_a_kibibyte) {
  enum { READERS = 2000 };
  counted memory = {.bytes = 0};
  memory.alloc = (kop_alloc){.size = sizeof memory.alloc,
                             .user_data = &memory,
                             .realloc = counted_realloc,
                             .free = counted_free};
  kop_pulsar_session_config c;
  fb_config(&c);
  c.alloc = &memory.alloc;
  fb f;
  fb_init(&f, &c);
  f.quiet = true;
  fb_reader(&f, "persistent://tenant/namespace/some-topic-partition-17", 1000);
  fb_run(&f);
  size_t before = memory.bytes;
  for (int i = 0; i < READERS; i++)
    cr_assert_gt(fb_reader(&f, "persistent://tenant/namespace/some-topic-partition-17", 1000), 0);
  fb_run(&f);
  kop_pulsar_session_stats stats;
  cr_assert_eq(kop_pulsar_session_stats_get(f.s, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.consumers_ready, READERS + 1);
  size_t each = (memory.bytes - before) / READERS;
  cr_log_info("an idle reader takes %zu bytes", each);
  cr_assert_lt(each, 1024, "%zu bytes", each);
  fb_free(&f);
  cr_assert_eq(memory.bytes, 0);
}

/* ---- the config ---- */

Test(session_limits, config_is_checked) {
  kop_pulsar_session_config c;
  kop_pulsar_session *s = NULL;
#define TRY(change, status)                                                                        \
  fb_config(&c);                                                                                   \
  change;                                                                                          \
  cr_assert_eq(kop_pulsar_session_new(&c, &s), status, #change);                                   \
  kop_pulsar_session_free(s)
  TRY((void)0, KOP_OK);
  TRY(c.size = 3, KOP_ERR_INVALID);
  TRY(c.service_url.ptr = NULL, KOP_ERR_INVALID);
  TRY(c.service_url = fb_text("http://x"), KOP_ERR_INVALID);
  TRY(c.service_url = fb_text("pulsar://"), KOP_ERR_INVALID);
  TRY(c.service_url = fb_text("pulsar://a,,b"), KOP_ERR_INVALID);
  TRY(c.service_url = fb_text("pulsar://a:0"), KOP_ERR_INVALID);
  TRY(c.service_url = fb_text("pulsar://a:70000"), KOP_ERR_INVALID);
  TRY(c.service_url = fb_text("pulsar://a b"), KOP_ERR_INVALID);
  TRY(c.service_url = fb_text("pulsar://[::1"), KOP_ERR_INVALID);
  TRY(c.service_url = fb_text("pulsar+ssl://[::1]:6651/,b:1"), KOP_OK);
  TRY(c.max_effects = 0, KOP_ERR_INVALID);
  TRY(c.max_frame_bytes = 0, KOP_ERR_INVALID);
  TRY(c.keep_alive_ns = 0, KOP_ERR_INVALID);
  TRY(c.backoff_max_ns = 1, KOP_ERR_INVALID);
#undef TRY
  kop_pulsar_session_free(NULL);
  cr_assert_str_eq(kop_pulsar_server_error_name(25), "ProducerFenced");
  cr_assert_str_eq(kop_pulsar_server_error_name(-1), "none");
  cr_assert_str_eq(kop_pulsar_server_error_name(26), "unknown");
  cr_assert_str_eq(kop_pulsar_outcome_name(KOP_PULSAR_SILENCE), "silence");
  cr_assert_str_eq(kop_pulsar_outcome_name(99), "unknown");
}
