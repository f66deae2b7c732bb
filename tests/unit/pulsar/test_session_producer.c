/* Producers: access modes, epochs, receipts, errors, resend, time. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake_broker.h"

#define SEND     KOPI__BASE_COMMAND__TYPE__SEND
#define PRODUCER KOPI__BASE_COMMAND__TYPE__PRODUCER

/* A producer that is ready on connection 3, its id. What it writes gets no answer. */
static uint64_t silent(fb *f, uint32_t mode) {
  fb_init(f, NULL);
  f->topic_epoch = mode == KOP_PULSAR_SHARED ? 0 : 6;
  uint64_t p = fb_producer(f, "t", mode);
  f->mute = 1ull << SEND;
  fb_forget(f);
  return p;
}

static void send_some(fb *f, uint64_t p, uint64_t from, uint64_t to) {
  for (uint64_t i = from; i <= to; i++)
    cr_assert_eq(fb_send(f, p, i, "x"), KOP_OK);
  fb_run(f);
}

/* ---- opening ---- */

Test(session_producer, every_mode_opens_and_comes_back) {
  static const char *const again[] = {
      "mode=0 topic_epoch=-1 name=prod\n", "mode=1 topic_epoch=6 name=prod\n",
      "mode=2 topic_epoch=6 name=prod\n", "mode=1 topic_epoch=6 name=prod\n"};
  for (uint32_t mode = 0; mode <= KOP_PULSAR_EXCLUSIVE_WITH_FENCING; mode++) {
    fb f;
    fb_init(&f, NULL);
    f.topic_epoch = 6;
    fb_producer(&f, "t", mode);
    char line[100];
    snprintf(line, sizeof line, "3 > PRODUCER 1 epoch=0 mode=%u topic_epoch=-1 name=-\n", mode);
    cr_assert(fb_saw(&f, line));
    cr_assert(fb_saw(&f, mode == 0 ? "epoch=-1 resent=0\n" : "epoch=6 resent=0\n"));
    fb_forget(&f);
    fb_drop(&f, 3);
    fb_pass(&f, 200);
    snprintf(line, sizeof line, "PRODUCER 1 epoch=1 %s", again[mode]);
    cr_assert(fb_saw(&f, line), "mode %u", mode);
    cr_assert(fb_saw(&f, "producer_ready 1 on 4 times=2 "));
    fb_free(&f);
  }
}

/* The first of each pair goes unanswered. */
static bool first_is_lost(fb *f, const fb_command *c) {
  if (c->b->type != PRODUCER) return false;
  return ++*(int *)f->data == 1;
}

Test(session_producer, an_opening_without_answer_leaves_no_orphan) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.operation_ns = 5ull * 1000000000;
  fb f;
  fb_init(&f, &c);
  int n = 0;
  f.data = &n;
  f.script = first_is_lost;
  kop_pulsar_producer_config pc;
  cr_assert_eq(kop_pulsar_producer_config_init(&pc, sizeof pc), KOP_OK);
  pc.topic = fb_text("t");
  pc.access_mode = KOP_PULSAR_EXCLUSIVE_WITH_FENCING;
  pc.topic_epoch = 3;
  pc.name = fb_text("me");
  pc.open_ns = UINT64_MAX;
  uint64_t p = 0;
  /* a take-over presents no epoch: it would throw the holder out before it is found outdated */
  cr_assert_eq(kop_pulsar_producer_open(f.s, &pc, f.now, &p), KOP_ERR_INVALID);
  pc.topic_epoch = -1;
  cr_assert_eq(kop_pulsar_producer_open(f.s, &pc, f.now, &p), KOP_OK);
  fb_pass(&f, 4999);
  fb_forget(&f);
  fb_pass(&f, 200);
  fb_expect(&f, "producer_down 1 timed out none no answer in time\n"
                "3 > CLOSE_PRODUCER 1\n"
                "2 > LOOKUP t\n"
                "3 > PRODUCER 1 epoch=1 mode=3 topic_epoch=-1 name=me\n"
                "producer_ready 1 on 3 times=1 name=prod epoch=-1 resent=0\n");
  fb_free(&f);
}

static bool queue_first(fb *f, const fb_command *c) {
  if (c->b->type != PRODUCER) return false;
  *(uint64_t *)f->data = c->b->producer->request_id;
  fb_producer_success(f, c->conn, c->b->producer->request_id, false);
  return true;
}

Test(session_producer, waits_for_exclusive_as_long_as_it_takes) {
  fb f;
  fb_init(&f, NULL);
  uint64_t request = 0;
  f.data = &request;
  f.script = queue_first;
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_WAIT_FOR_EXCLUSIVE);
  fb_run(&f);
  cr_assert(fb_saw(&f, "producer_waiting 1\n"));
  fb_forget(&f);
  fb_pass(&f, 3600000);
  fb_forget(&f); /* the service connection was closed meanwhile */
  cr_assert_eq(fb_send(&f, p, 1, "x"), KOP_ERR_STATE);
  f.topic_epoch = 9;
  fb_producer_success(&f, 3, request, true);
  fb_expect(&f, "producer_ready 1 on 3 times=1 name=prod epoch=9 resent=0\n");
  fb_free(&f);
}

Test(session_producer, who_waits_can_be_closed_moved_and_lost) {
  for (int way = 0; way < 3; way++) {
    fb f;
    fb_init(&f, NULL);
    uint64_t request = 0;
    f.data = &request;
    f.script = queue_first;
    uint64_t p = fb_producer(&f, "t", KOP_PULSAR_WAIT_FOR_EXCLUSIVE);
    fb_forget(&f);
    if (way == 0) {
      cr_assert_eq(kop_pulsar_producer_close(f.s, p, f.now), KOP_OK);
      fb_expect(&f, "3 > CLOSE_PRODUCER 1\nproducer_closed 1 done none \n");
    } else if (way == 1) {
      fb_close_producer(&f, 3, p, NULL);
      fb_pass(&f, 200);
      fb_expect(&f, "producer_down 1 closed by the broker none closed by the broker\n"
                    "2 > LOOKUP t\n"
                    "3 > PRODUCER 1 epoch=1 mode=2 topic_epoch=-1 name=-\n"
                    "producer_waiting 1\n");
    } else {
      fb_drop(&f, 3);
      fb_pass(&f, 200);
      cr_assert(fb_saw(&f, "producer_down 1 disconnected none gone\n"));
      cr_assert(fb_saw(&f, "producer_waiting 1\n"));
    }
    fb_free(&f);
  }
}

/* PRODUCER fails with the error in `data`, while it is not -1. */
static bool refuse_producer(fb *f, const fb_command *c) {
  if (c->b->type != PRODUCER || *(int32_t *)f->data < 0) return false;
  fb_error(f, c->conn, c->b->producer->request_id, *(int32_t *)f->data, "why");
  return true;
}

static bool is_passing(int32_t error) {
  return error == KOP_PULSAR_UNKNOWN_ERROR || error == KOP_PULSAR_METADATA_ERROR ||
         error == KOP_PULSAR_PERSISTENCE_ERROR || error == KOP_PULSAR_SERVICE_NOT_READY ||
         error == KOP_PULSAR_PRODUCER_BLOCKED_QUOTA_ERROR || error == KOP_PULSAR_TOO_MANY_REQUESTS;
}

Test(session_producer, every_error_of_the_first_opening) {
  for (int32_t error = 0; error <= KOP_PULSAR_PRODUCER_FENCED; error++) {
    fb f;
    fb_init(&f, NULL);
    f.data = &error;
    f.script = refuse_producer;
    fb_producer(&f, "t", KOP_PULSAR_EXCLUSIVE);
    fb_run(&f);
    char line[100];
    snprintf(line, sizeof line, "producer_%s 1 refused %s why\n",
             is_passing(error) ? "down" : "closed", kop_pulsar_server_error_name(error));
    cr_assert(fb_saw(&f, line), "%s", line);
    fb_free(&f);
  }
}

Test(session_producer, every_error_of_a_later_opening) {
  for (int32_t error = 0; error <= KOP_PULSAR_PRODUCER_FENCED; error++) {
    bool final =
        !is_passing(error) && error != KOP_PULSAR_CONSUMER_BUSY &&
        error != KOP_PULSAR_CHECKSUM_ERROR && error != KOP_PULSAR_CONSUMER_NOT_FOUND &&
        error != KOP_PULSAR_PRODUCER_BUSY && error != KOP_PULSAR_CONSUMER_ASSIGN_ERROR &&
        !(error >= KOP_PULSAR_COORDINATOR_NOT_FOUND && error <= KOP_PULSAR_INVALID_TXN_STATUS) &&
        error != KOP_PULSAR_TRANSACTION_CONFLICT && error != KOP_PULSAR_TRANSACTION_NOT_FOUND;
    fb f;
    uint64_t p = silent(&f, KOP_PULSAR_EXCLUSIVE);
    send_some(&f, p, 1, 2);
    f.data = &error;
    f.script = refuse_producer;
    fb_close_producer(&f, 3, p, NULL);
    fb_pass(&f, 150);
    cr_assert_eq(fb_count(&f, "producer_closed 1 refused"), final ? 1 : 0, "error %d", error);
    cr_assert_eq(fb_count(&f, "send_failed"), final ? 2 : 0, "error %d", error);
    cr_assert_eq(fb_count(&f, "send_failed 1 ctx=2 refused"), final ? 1 : 0, "error %d", error);
    fb_free(&f);
  }
}

Test(session_producer, the_broker_names_the_new_owner) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_EXCLUSIVE_WITH_FENCING);
  send_some(&f, p, 1, 2);
  fb_forget(&f);
  f.mute = 0;
  fb_close_producer(&f, 3, p, "pulsar://b2:6650");
  fb_expect(&f, "producer_down 1 closed by the broker none closed by the broker\n"
                "connect 4 b2:6650\n"
                "4 > CONNECT - for=-\n"
                "conn_ready 4 v21 max=5242880\n"
                "4 > PRODUCER 1 epoch=1 mode=1 topic_epoch=6 name=prod\n"
                "producer_ready 1 on 4 times=2 name=prod epoch=6 resent=2\n"
                "4 > SEND 1 seq=1 n=1\n"
                "4 > SEND 1 seq=2 n=1\n"
                "receipt 1 ctx=1 7:0\n"
                "receipt 1 ctx=2 7:1\n");
  fb_free(&f);
}

Test(session_producer, a_migrated_topic_is_looked_up_elsewhere) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_SHARED);
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandTopicMigrated m = KOPI__COMMAND_TOPIC_MIGRATED__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__TOPIC_MIGRATED;
  b.topicmigrated = &m;
  m.resource_id = p;
  m.resource_type = KOPI__COMMAND_TOPIC_MIGRATED__RESOURCE_TYPE__Producer;
  m.brokerserviceurl = "pulsar://green:6650";
  fb_reply(&f, 3, &b);
  fb_close_producer(&f, 3, p, NULL);
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "connect 4 green:6650\n4 > CONNECT - for=-\n"));
  cr_assert(fb_saw(&f, "4 > LOOKUP t\n"));
  fb_free(&f);
}

Test(session_producer, closing_in_every_state) {
  /* queued behind others, looking up, connecting, opening, waiting to try again */
  static const uint64_t mutes[] = {1ull << KOPI__BASE_COMMAND__TYPE__CONNECT,
                                   1ull << KOPI__BASE_COMMAND__TYPE__LOOKUP, 1ull << PRODUCER};
  for (size_t i = 0; i < sizeof mutes / sizeof *mutes; i++) {
    fb f;
    fb_init(&f, NULL);
    f.mute = mutes[i];
    uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
    fb_forget(&f);
    cr_assert_eq(kop_pulsar_producer_close(f.s, p, f.now), KOP_OK);
    fb_expect(&f, i == 2 ? "3 > CLOSE_PRODUCER 1\nproducer_closed 1 done none \n"
                         : "producer_closed 1 done none \n");
    fb_free(&f);
  }
}

Test(session_producer, closing_ends_even_without_an_answer) {
  for (int way = 0; way < 3; way++) {
    fb f;
    uint64_t p = silent(&f, KOP_PULSAR_SHARED);
    f.mute |= 1ull << KOPI__BASE_COMMAND__TYPE__CLOSE_PRODUCER;
    cr_assert_eq(kop_pulsar_producer_close(f.s, p, f.now), KOP_OK);
    cr_assert_eq(kop_pulsar_producer_close(f.s, p, f.now), KOP_OK);
    cr_assert_eq(fb_send(&f, p, 1, "x"), KOP_ERR_STATE);
    fb_expect(&f, "3 > CLOSE_PRODUCER 1\n");
    if (way == 0) fb_pass(&f, 30000);
    if (way == 1) fb_drop(&f, 3);
    if (way == 2) fb_close_producer(&f, 3, p, NULL);
    cr_assert(fb_saw(&f, "producer_closed 1 done none \n"), "way %d", way);
    fb_free(&f);
  }
}

/* ---- receipts ---- */

Test(session_producer, a_duplicate_is_a_receipt_without_an_id) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_SHARED);
  send_some(&f, p, 1, 1);
  fb_forget(&f);
  fb_receipt(&f, 3, p, 1, UINT64_MAX, UINT64_MAX);
  fb_expect(&f, "receipt 1 ctx=1 -1:-1 duplicate\n");
  fb_free(&f);
}

Test(session_producer, an_older_receipt_is_passed_over_a_newer_one_ends_the_connection) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_SHARED);
  send_some(&f, p, 10, 12);
  fb_forget(&f);
  fb_receipt(&f, 3, p, 9, 1, 1);
  fb_expect(&f, "");
  fb_receipt(&f, 3, p, 12, 1, 2);
  fb_run(&f);
  cr_assert(fb_saw(&f, "close 3 bad answer none a receipt for another entry than the oldest\n"
                       "producer_down 1 disconnected none"));
  f.mute = 0;
  fb_forget(&f);
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "resent=3\n"
                       "4 > SEND 1 seq=10 n=1\n4 > SEND 1 seq=11 n=1\n4 > SEND 1 seq=12 n=1\n"
                       "receipt 1 ctx=10 7:0\nreceipt 1 ctx=11 7:1\nreceipt 1 ctx=12 7:2\n"));
  fb_free(&f);
}

Test(session_producer, a_receipt_for_what_was_never_sent_ends_the_connection) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_SHARED);
  f.hold = true; /* a first SEND stays open, so the second entry is only queued */
  send_some(&f, p, 1, 1);
  send_some(&f, p, 2, 2);
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_run(&f);
  cr_assert(!fb_saw(&f, "receipt"));
  fb_receipt(&f, 3, p, 2, 1, 2);
  fb_run(&f);
  cr_assert(fb_saw(&f, "close 3 bad answer"));
  fb_free(&f);
}

/* RECEIPT gives the payload back, so it waits until the embedder has written it. */
Test(session_producer, a_receipt_waits_for_the_end_of_its_send) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_SHARED);
  f.hold = true;
  send_some(&f, p, 1, 1);
  fb_forget(&f);
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_expect(&f, "");
  fb_sent_all(&f);
  fb_expect(&f, "receipt 1 ctx=1 1:1\n");
  fb_free(&f);
}

/* ---- sending again ---- */

Test(session_producer, what_has_no_receipt_is_sent_again_byte_for_byte) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_SHARED);
  send_some(&f, p, 1, 3);
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_forget(&f);
  fb_drop(&f, 3);
  cr_assert_eq(fb_send(&f, p, 4, "while it is down"), KOP_OK);
  f.mute = 0;
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "producer_down 1 disconnected none gone\n"));
  cr_assert(fb_saw(&f, "times=2 name=prod epoch=-1 resent=2\n"
                       "4 > SEND 1 seq=2 n=1\n4 > SEND 1 seq=3 n=1\n4 > SEND 1 seq=4 n=1\n"
                       "receipt 1 ctx=2 7:0\nreceipt 1 ctx=3 7:1\nreceipt 1 ctx=4 7:2\n"));
  for (size_t i = 0; i < FB_TOPICS; i++) {
    for (size_t j = 0; j < f.topics[i].len; j++) {
      kop_pulsar_entry e;
      const kopi_buf *b = &f.topics[i].entries[j];
      cr_assert_eq(kop_pulsar_entry_read(b->data, b->len, KOP_PULSAR_ENTRY_CHECK, &e), KOP_OK);
      cr_assert_eq(e.metadata.sequence_id, j + 2);
    }
  }
  fb_free(&f);
}

Test(session_producer, what_the_old_connection_still_writes_waits_for_its_end) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_SHARED);
  f.hold = true;
  send_some(&f, p, 1, 2);
  fb_forget(&f);
  f.mute = 0;
  /* the producer moves while its SEND is open on connection 3 */
  fb_close_producer(&f, 3, p, "pulsar://b2:6650");
  fb_run(&f);
  for (int i = 0; i < 4; i++) { /* CONNECT and PRODUCER on the new one */
    for (size_t k = 0; k < FB_CONNS; k++) {
      if (f.conns[k].id == 4 && f.conns[k].sending) {
        f.conns[k].sending = false;
        cr_assert_eq(kop_pulsar_sent(f.s, 4, f.now), KOP_OK);
      }
    }
    fb_run(&f);
  }
  cr_assert(fb_saw(&f, "producer_ready 1 on 4 times=2 "));
  cr_assert(!fb_saw(&f, "4 > SEND"));
  f.hold = false;
  fb_sent_all(&f); /* now connection 3 has let go */
  fb_run(&f);
  cr_assert(fb_saw(&f, "4 > SEND 1 seq=1 n=1\n4 > SEND 1 seq=2 n=1\nreceipt 1 ctx=1 7:0\n"));
  fb_free(&f);
}

Test(session_producer, without_resend_what_was_handed_out_fails) {
  fb f;
  fb_init(&f, NULL);
  kop_pulsar_producer_config c;
  cr_assert_eq(kop_pulsar_producer_config_init(&c, sizeof c), KOP_OK);
  c.topic = fb_text("t");
  c.flags = KOP_PULSAR_PRODUCER_NO_RESEND;
  uint64_t p = 0;
  cr_assert_eq(kop_pulsar_producer_open(f.s, &c, f.now, &p), KOP_OK);
  fb_run(&f);
  f.mute = 1ull << SEND;
  send_some(&f, p, 1, 2);
  fb_forget(&f);
  cr_assert_eq(fb_send(&f, p, 3, "not yet handed out"), KOP_OK);
  fb_drop(&f, 3);
  fb_run(&f);
  cr_assert(fb_saw(&f, "send_failed 1 ctx=1 disconnected none maybe\n"
                       "send_failed 1 ctx=2 disconnected none maybe\n"));
  cr_assert(!fb_saw(&f, "ctx=3"));
  f.mute = 0;
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "resent=0\n4 > SEND 1 seq=3 n=1\nreceipt 1 ctx=3 7:0\n"));
  fb_free(&f);
}

/* ---- SEND_ERROR ---- */

Test(session_producer, every_send_error) {
  for (int32_t error = 0; error <= KOP_PULSAR_PRODUCER_FENCED; error++) {
    bool end = error == KOP_PULSAR_TOPIC_TERMINATED || error == KOP_PULSAR_PRODUCER_FENCED ||
               error == KOP_PULSAR_AUTHORIZATION_ERROR ||
               error == KOP_PULSAR_PRODUCER_BLOCKED_QUOTA_EXCEPTION;
    fb f;
    uint64_t p = silent(&f, KOP_PULSAR_SHARED);
    send_some(&f, p, 1, 2);
    fb_forget(&f);
    f.mute = 0;
    fb_send_error(&f, 3, p, 1, error);
    fb_run(&f);
    if (end) {
      char lines[300];
      const char *name = kop_pulsar_server_error_name(error);
      snprintf(lines, sizeof lines,
               "send_failed 1 ctx=1 refused %s maybe\nsend_failed 1 ctx=2 refused %s maybe\n"
               "producer_closed 1 refused %s no\n",
               name, name, name);
      fb_expect(&f, lines);
    } else if (error == KOP_PULSAR_NOT_ALLOWED_ERROR) {
      fb_expect(&f, "send_failed 1 ctx=1 refused NotAllowedError maybe\n");
      fb_receipt(&f, 3, p, 2, 1, 1);
      fb_expect(&f, "receipt 1 ctx=2 1:1\n");
    } else {
      fb_pass(&f, 200);
      cr_assert(fb_saw(&f, "producer_down 1 refused"));
      cr_assert(fb_saw(&f, "3 > CLOSE_PRODUCER 1\n"));
      cr_assert(
          fb_saw(&f, "resent=2\n3 > SEND 1 seq=1 n=1\n3 > SEND 1 seq=2 n=1\nreceipt 1 ctx=1"));
    }
    fb_free(&f);
  }
}

/* A real broker refuses what comes after a take-over before it acknowledges what came ahead of it. */
Test(session_producer, an_error_that_overtakes_receipts) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_EXCLUSIVE);
  send_some(&f, p, 1, 3);
  fb_forget(&f);
  fb_send_error(&f, 3, p, 2, KOP_PULSAR_NOT_ALLOWED_ERROR);
  fb_expect(&f, ""); /* told in the order of the sends */
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_receipt(&f, 3, p, 3, 1, 2);
  fb_expect(&f, "receipt 1 ctx=1 1:1\n"
                "send_failed 1 ctx=2 refused NotAllowedError maybe\n"
                "receipt 1 ctx=3 1:2\n");
  send_some(&f, p, 4, 5);
  fb_forget(&f);
  fb_send_error(&f, 3, p, 5, KOP_PULSAR_PERSISTENCE_ERROR);
  fb_receipt(&f, 3, p, 4, 1, 3);
  fb_run(&f);
  cr_assert(fb_saw(&f, "producer_down 1 refused PersistenceError no\n"));
  cr_assert(fb_saw(&f, "receipt 1 ctx=4 1:3\n"));
  f.mute = 0;
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "resent=1\n3 > SEND 1 seq=5 n=1\nreceipt 1 ctx=5 7:0\n"));
  fb_free(&f);
}

Test(session_producer, a_payload_changed_after_the_send_fails_alone) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_SHARED);
  char payload[] = "as it was";
  cr_assert_eq(fb_send(&f, p, 1, payload), KOP_OK);
  cr_assert_eq(fb_send(&f, p, 2, "good"), KOP_OK);
  fb_run(&f);
  payload[0] = '!';
  fb_forget(&f);
  f.mute = 0;
  fb_send_error(&f, 3, p, 1, KOP_PULSAR_CHECKSUM_ERROR);
  fb_run(&f);
  cr_assert(fb_saw(&f, "send_failed 1 ctx=1 corrupted ChecksumError maybe\n"));
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "3 > SEND 1 seq=2 n=1\nreceipt 1 ctx=2 7:0\n"));
  fb_free(&f);
}

/* ---- time ---- */

Test(session_producer, entries_without_receipt_fail_in_time) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_SHARED);
  send_some(&f, p, 1, 1);
  fb_pass(&f, 20000);
  send_some(&f, p, 2, 2);
  fb_forget(&f);
  fb_pass(&f, 9999);
  fb_expect(&f, "");
  fb_pass(&f, 1);
  fb_expect(&f, "send_failed 1 ctx=1 timed out none maybe\n"
                "send_failed 1 ctx=2 timed out none maybe\n");
  fb_receipt(&f, 3, p, 1, 1, 1); /* too late */
  f.mute = 0;
  send_some(&f, p, 3, 3);
  fb_expect(&f, "3 > SEND 1 seq=3 n=1\nreceipt 1 ctx=3 7:0\n");
  fb_free(&f);
}

Test(session_producer, the_clock_of_an_entry_starts_with_its_send) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_SHARED);
  send_some(&f, p, 1, 1);
  fb_pass(&f, 20000);
  send_some(&f, p, 2, 2);
  fb_forget(&f);
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_pass(&f, 29000);
  fb_expect(&f, "receipt 1 ctx=1 1:1\n");
  fb_pass(&f, 1000);
  cr_assert(fb_saw(&f, "send_failed 1 ctx=2 timed out none maybe\n"));
  fb_free(&f);
}

Test(session_producer, what_waits_for_a_broker_times_out_unwritten) {
  fb f;
  uint64_t p = silent(&f, KOP_PULSAR_SHARED);
  f.refuse = true;
  fb_drop_all(&f);
  cr_assert_eq(fb_send(&f, p, 1, "x"), KOP_OK);
  fb_pass(&f, 30000);
  cr_assert(fb_saw(&f, "send_failed 1 ctx=1 timed out none\n"));
  fb_free(&f);
}

/* ---- the call ---- */

Test(session_producer, send_refuses_what_it_must) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_pending_sends = 3;
  fb f;
  fb_init(&f, &c);
  f.max_message = 100;
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
  cr_assert_eq(fb_send(&f, p, 1, "x"), KOP_ERR_STATE); /* before the first READY */
  fb_run(&f);
  f.mute = 1ull << SEND;
  cr_assert_eq(fb_send(&f, 77, 1, "x"), KOP_ERR_NOT_FOUND);
  cr_assert_eq(fb_send(&f, p, 5, "x"), KOP_OK);
  cr_assert_eq(fb_send(&f, p, 5, "x"), KOP_ERR_INVALID);
  cr_assert_eq(fb_send(&f, p, 4, "x"), KOP_ERR_INVALID);
  char large[102];
  memset(large, 'l', 101);
  large[101] = 0;
  cr_assert_eq(fb_send(&f, p, 6, large), KOP_ERR_LIMIT);
  cr_assert_eq(fb_send(&f, p, 6, "x"), KOP_OK);
  cr_assert_eq(fb_send(&f, p, 7, "x"), KOP_OK);
  cr_assert_eq(fb_send(&f, p, 8, "x"), KOP_ERR_LIMIT);
  fb_run(&f);
  fb_receipt(&f, 3, p, 5, 1, 1);
  fb_run(&f);
  cr_assert_eq(fb_send(&f, p, 8, "x"), KOP_OK);
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  kop_pulsar_send_info i = {.size = sizeof i, .num_messages = 1, .sequence_id = 20};
  cr_assert_eq(kop_pulsar_send(f.s, p, &i, f.now), KOP_ERR_INVALID); /* no metadata */
  i.metadata = &md;
  i.num_messages = 0;
  cr_assert_eq(kop_pulsar_send(f.s, p, &i, f.now), KOP_ERR_INVALID);
  i.num_messages = 1;
  i.flags = 64;
  cr_assert_eq(kop_pulsar_send(f.s, p, &i, f.now), KOP_ERR_INVALID);
  fb_free(&f);
}

Test(session_producer, pending_bytes_have_a_bound) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_pending_bytes = 200;
  fb f;
  fb_init(&f, &c);
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
  fb_run(&f);
  f.mute = 1ull << SEND;
  char large[301];
  memset(large, 'l', 300);
  large[300] = 0;
  cr_assert_eq(fb_send(&f, p, 1, large), KOP_OK); /* one alone may be larger */
  cr_assert_eq(fb_send(&f, p, 2, "x"), KOP_ERR_LIMIT);
  fb_run(&f);
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_run(&f);
  cr_assert_eq(fb_send(&f, p, 2, "x"), KOP_OK);
  kop_pulsar_session_stats stats;
  cr_assert_eq(kop_pulsar_session_stats_get(f.s, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.pending_sends, 1);
  cr_assert_eq(stats.receipts_total, 1);
  cr_assert_eq(stats.producers_ready, 1);
  fb_free(&f);
}
