/* The main path: handshake, look-up, producer, receipts; reader, flow, messages; in pieces of every size. */
#include <criterion/criterion.h>

#include "fake_broker.h"

#define OPENED_PRODUCER                                                                            \
  "connect 2 svc:6650\n"                                                                           \
  "2 > CONNECT - for=-\n"                                                                          \
  "conn_ready 2 v21 max=5242880\n"                                                                 \
  "2 > LOOKUP t\n"                                                                                 \
  "connect 3 b1:6650\n"                                                                            \
  "3 > CONNECT - for=-\n"                                                                          \
  "conn_ready 3 v21 max=5242880\n"                                                                 \
  "3 > PRODUCER 1 epoch=0 mode=0 topic_epoch=-1 name=-\n"                                          \
  "producer_ready 1 on 3 times=1 name=prod epoch=-1 resent=0\n"

Test(session_main, produces_and_gets_receipts_in_order) {
  fb f;
  fb_init(&f, NULL);
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
  cr_assert_eq(p, 1);
  fb_expect(&f, OPENED_PRODUCER);
  cr_assert_eq(fb_send(&f, p, 0, "zero"), KOP_OK);
  cr_assert_eq(fb_send(&f, p, 5, "five"), KOP_OK);
  fb_expect(&f, "3 > SEND 1 seq=0 n=1\n"
                "3 > SEND 1 seq=5 n=1\n"
                "receipt 1 ctx=0 7:0\n"
                "receipt 1 ctx=5 7:1\n");
  cr_assert_eq(kop_pulsar_producer_close(f.s, p, f.now), KOP_OK);
  fb_expect(&f, "3 > CLOSE_PRODUCER 1\n"
                "producer_closed 1 done none \n");
  cr_assert_eq(kop_pulsar_producer_close(f.s, p, f.now), KOP_ERR_NOT_FOUND);
  fb_free(&f);
}

Test(session_main, reads_what_was_sent_byte_for_byte) {
  fb f;
  fb_init(&f, NULL);
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
  fb_run(&f);
  cr_assert_eq(fb_send(&f, p, 1, "one"), KOP_OK);
  cr_assert_eq(fb_send(&f, p, 2, "two"), KOP_OK);
  fb_forget(&f);
  uint64_t r = fb_reader(&f, "sent", 10); /* where the fake keeps what it is sent */
  cr_assert_eq(r, 4);
  fb_expect(&f, "2 > LOOKUP sent\n"
                "3 > SUBSCRIBE 4 start=-1:-1\n"
                "consumer_ready 4 on 3 times=1 permits=10\n"
                "3 > FLOW 4 10\n"
                "message 4 7:0 n=1 one\n"
                "message 4 7:1 n=1 two\n");
  fb_free(&f);
}

Test(session_main, two_opened_at_once_share_connections) {
  fb f;
  fb_init(&f, NULL);
  fb_reader(&f, "a", 1);
  fb_reader(&f, "b", 0);
  fb_expect(&f, "connect 2 svc:6650\n"
                "2 > CONNECT - for=-\n"
                "conn_ready 2 v21 max=5242880\n"
                "2 > LOOKUP a\n"
                "2 > LOOKUP b\n"
                "connect 4 b1:6650\n"
                "4 > CONNECT - for=-\n"
                "conn_ready 4 v21 max=5242880\n"
                "4 > SUBSCRIBE 1 start=-1:-1\n"
                "4 > SUBSCRIBE 3 start=-1:-1\n"
                "consumer_ready 1 on 4 times=1 permits=1\n"
                "consumer_ready 3 on 4 times=1 permits=0\n"
                "4 > FLOW 1 1\n");
  fb_free(&f);
}

Test(session_main, groups_share_no_connection) {
  fb f;
  fb_init(&f, NULL);
  kop_pulsar_producer_config c;
  cr_assert_eq(kop_pulsar_producer_config_init(&c, sizeof c), KOP_OK);
  c.topic = fb_text("t");
  c.group = 4;
  uint64_t p = 0;
  cr_assert_eq(kop_pulsar_producer_open(f.s, &c, f.now, &p), KOP_OK);
  fb_reader(&f, "t", 0);
  fb_run(&f);
  cr_assert(fb_saw(&f, "connect 4 b1:6650\n"));
  cr_assert(fb_saw(&f, "connect 5 b1:6650\n"));
  cr_assert(fb_saw(&f, "producer_ready 1 on 4 "));
  cr_assert(fb_saw(&f, "consumer_ready 3 on 5 "));
  fb_free(&f);
}

Test(session_main, properties_of_a_send_are_written) {
  fb f;
  fb_init(&f, NULL);
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
  fb_run(&f);
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present = KOP_PULSAR_HAS_PUBLISH_TIME | KOP_PULSAR_HAS_EVENT_TIME |
               KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  md.publish_time = 11;
  md.event_time = 22;
  md.num_messages_in_batch = 7;
  kop_slice body[3] = {fb_text("ab"), {NULL, 0}, fb_text("cd")};
  kop_pulsar_send_info i = {.size = sizeof i,
                            .context = 9,
                            .metadata = &md,
                            .payload = body,
                            .payload_count = 3,
                            .num_messages = 7,
                            .sequence_id = 40,
                            .highest_sequence_id = 46};
  cr_assert_eq(kop_pulsar_send(f.s, p, &i, f.now), KOP_OK);
  fb_run(&f);
  cr_assert(fb_saw(&f, "3 > SEND 1 seq=40 n=7\nreceipt 1 ctx=9 7:0\n"));
  const fb_topic *t = NULL;
  for (size_t k = 0; k < FB_TOPICS; k++) {
    if (f.topics[k].len > 0) t = &f.topics[k];
  }
  cr_assert_not_null(t);
  kop_pulsar_entry e;
  cr_assert_eq(
      kop_pulsar_entry_read(t->entries[0].data, t->entries[0].len, KOP_PULSAR_ENTRY_CHECK, &e),
      KOP_OK);
  cr_assert_eq(e.metadata.publish_time, 11);
  cr_assert_eq(e.metadata.event_time, 22);
  cr_assert_eq(e.metadata.sequence_id, 40);
  cr_assert_eq(e.metadata.highest_sequence_id, 46);
  cr_assert(e.metadata.producer_name.len == 4 &&
            memcmp(e.metadata.producer_name.ptr, "prod", 4) == 0);
  cr_assert(e.payload.len == 4 && memcmp(e.payload.ptr, "abcd", 4) == 0);
  fb_free(&f);
}

/* Everything that a session does in one life, as lines. */
static void life(fb *f) {
  uint64_t p = fb_producer(f, "t", KOP_PULSAR_EXCLUSIVE);
  uint64_t r = fb_reader(f, "sent", 3);
  fb_run(f);
  for (uint64_t i = 1; i <= 8; i++)
    cr_assert_eq(fb_send(f, p, i, "some payload of an entry"), KOP_OK);
  fb_run(f);
  uint64_t request = 0;
  cr_assert_eq(kop_pulsar_last_message_id(f->s, r, 1, f->now, &request), KOP_OK);
  cr_assert_eq(kop_pulsar_partitions(f->s, fb_text("t"), 2, f->now, &request), KOP_OK);
  cr_assert_eq(kop_pulsar_topics(f->s, fb_text("n/s"), KOP_PULSAR_TOPICS_ALL, 3, f->now, &request),
               KOP_OK);
  cr_assert_eq(kop_pulsar_flow(f->s, r, 4, f->now), KOP_OK);
  fb_run(f);
  fb_drop_all(f);
  fb_pass(f, 5000);
  kop_pulsar_shutdown(f->s, f->now);
  fb_run(f);
  cr_assert_eq(kop_pulsar_is_idle(f->s), 1);
}

Test(session_main, how_bytes_are_cut_changes_nothing) {
  fb whole;
  fb_init(&whole, NULL);
  life(&whole);
  kopi_buf_put_u8(&whole.log, 0);
  for (uint64_t seed = 0; seed < 12; seed++) {
    fb f;
    fb_init(&f, NULL);
    f.cut = seed < 4 ? (size_t)seed + 1 : 0;
    f.rng = seed < 4 ? 0 : seed;
    life(&f);
    kopi_buf_put_u8(&f.log, 0);
    cr_assert_str_eq((const char *)f.log.data, (const char *)whole.log.data);
    fb_free(&f);
  }
  fb_free(&whole);
}

/* Opens, sends, reads and asks; true if the broker said enough for the loss that was wanted. */
static bool lost_life(uint64_t bytes) {
  fb f;
  fb_init(&f, NULL);
  f.quiet = true;
  f.lose_after = bytes;
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_EXCLUSIVE);
  uint64_t r = fb_reader(&f, "sent", 50);
  fb_pass(&f, 3000);
  for (uint64_t i = 1; i <= 6; i++)
    cr_assert_eq(fb_send(&f, p, i, "some payload"), KOP_OK, "after %d bytes", (int)bytes);
  fb_pass(&f, 3000);
  uint64_t request = 0;
  cr_assert_eq(kop_pulsar_topics(f.s, fb_text("n/s"), 0, 1, f.now, &request), KOP_OK);
  cr_assert_eq(kop_pulsar_watch(f.s, fb_text("n/s"), 1, f.now, &request), KOP_OK);
  cr_assert_eq(kop_pulsar_partitions(f.s, fb_text("t"), 1, f.now, &request), KOP_OK);
  cr_assert_eq(kop_pulsar_last_message_id(f.s, r, 1, f.now, &request), KOP_OK);
  cr_assert_eq(kop_pulsar_flow(f.s, r, 1, f.now), KOP_OK);
  fb_pass(&f, 40000);
  kop_pulsar_session_stats stats;
  cr_assert_eq(kop_pulsar_session_stats_get(f.s, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(f.receipts, 6, "after %d bytes: %d receipts", (int)bytes, (int)f.receipts);
  cr_assert(f.messages >= 6, "after %d bytes: %d messages", (int)bytes, (int)f.messages);
  cr_assert_eq(stats.producers_ready, 1, "after %d bytes", (int)bytes);
  cr_assert_eq(stats.consumers_ready, 1, "after %d bytes", (int)bytes);
  cr_assert_eq(stats.pending_sends, 0, "after %d bytes", (int)bytes);
  cr_assert_eq(stats.receive_bytes, 0, "after %d bytes", (int)bytes);
  cr_assert_eq(stats.requests, 1, "after %d bytes: all but the watcher", (int)bytes);
  cr_assert_eq(stats.connections_total, f.lose_after == 0 ? 3 : 2, "after %d bytes", (int)bytes);
  bool lost = f.lose_after == 0;
  fb_free(&f);
  return lost;
}

/* Wherever the stream breaks off, everything comes back and nothing of the broken frame stays. */
Test(session_main, a_connection_is_lost_at_every_byte, .timeout = 60) {
  uint64_t bytes = 1;
  while (lost_life(bytes))
    bytes++;
  cr_assert_gt(bytes, 500);
}

Test(session_main, shutdown_ends_everything_in_order) {
  fb f;
  fb_init(&f, NULL);
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
  fb_reader(&f, "sent", 0);
  fb_forget(&f);
  f.hold = true;
  f.mute = 1ull << KOPI__BASE_COMMAND__TYPE__SEND;
  cr_assert_eq(fb_send(&f, p, 1, "x"), KOP_OK);
  fb_expect(&f, "4 > SEND 1 seq=1 n=1\n");
  kop_pulsar_shutdown(f.s, f.now);
  fb_run(&f); /* the entry is still being written, so nothing is said about it */
  cr_assert(!fb_saw(&f, "send_failed"));
  f.hold = false;
  fb_sent_all(&f);
  fb_expect(&f, "send_failed 1 ctx=1 cancelled none maybe\n"
                "4 > CLOSE_PRODUCER 1\n"
                "4 > CLOSE_CONSUMER 3\n"
                "producer_closed 1 done none \n"
                "consumer_closed 3 done none \n"
                "close 2 cancelled none the session ends\n"
                "close 4 cancelled none the session ends\n");
  cr_assert_eq(kop_pulsar_is_idle(f.s), 1);
  uint64_t id = 0;
  kop_pulsar_consumer_config c;
  cr_assert_eq(kop_pulsar_consumer_config_init(&c, sizeof c), KOP_OK);
  c.topic = fb_text("t");
  cr_assert_eq(kop_pulsar_consumer_open(f.s, &c, f.now, &id), KOP_ERR_STATE);
  fb_free(&f);
}
