/* Producers: access modes, epochs, opening and closing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake_broker.h"

#define SEND     KOPI__BASE_COMMAND__TYPE__SEND
#define PRODUCER KOPI__BASE_COMMAND__TYPE__PRODUCER

/* ---- opening ---- */

Test(session_producer, every_mode_opens_and_comes_back) {
  static const char *const again[] = {
      "mode=0 topic_epoch=-1 name=prod\n", "mode=1 topic_epoch=6 name=prod\n",
      "mode=1 topic_epoch=6 name=prod\n", "mode=1 topic_epoch=6 name=prod\n"};
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
  /* who waits neither: the broker would not compare it */
  pc.access_mode = KOP_PULSAR_WAIT_FOR_EXCLUSIVE;
  cr_assert_eq(kop_pulsar_producer_open(f.s, &pc, f.now, &p), KOP_ERR_INVALID);
  pc.access_mode = KOP_PULSAR_EXCLUSIVE_WITH_FENCING;
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
    uint64_t p = fb_silent_producer(&f, KOP_PULSAR_EXCLUSIVE, 2);
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

/*
 * The connection is lost and the broker has not noticed: it refuses the leader for the sake of its own ghost. What the leader
 * then does is done on the session that it has.
 */
Test(session_producer, a_leader_takes_its_topic_back_from_its_ghost) {
  for (uint32_t mode = KOP_PULSAR_EXCLUSIVE; mode <= KOP_PULSAR_EXCLUSIVE_WITH_FENCING; mode++) {
    fb f;
    uint64_t p = fb_silent_producer(&f, mode, 2);
    fb_reader(&f, "sent", 50);
    fb_run(&f);
    fb_drop(&f, 3);
    cr_assert_eq(fb_send(&f, p, 3, "not handed out"), KOP_OK);
    fb_forget(&f);
    int32_t error = KOP_PULSAR_PRODUCER_FENCED;
    f.data = &error;
    f.script = refuse_producer;
    fb_pass(&f, 150);
    cr_assert(fb_saw(&f, " > PRODUCER 1 epoch=1 mode=1 topic_epoch=6 name=prod\n"
                         "send_failed 1 ctx=1 refused ProducerFenced maybe\n"
                         "send_failed 1 ctx=2 refused ProducerFenced maybe\n"
                         "send_failed 1 ctx=3 refused ProducerFenced\n"
                         "producer_closed 1 refused ProducerFenced why\n"));
    cr_assert_eq(fb_send(&f, p, 4, "x"), KOP_ERR_NOT_FOUND);
    error = -1;
    f.topic_epoch = 7;
    f.mute = 0;
    fb_forget(&f);
    uint64_t again = fb_producer(&f, "t", KOP_PULSAR_EXCLUSIVE_WITH_FENCING);
    fb_run(&f);
    cr_assert(fb_saw(&f, " epoch=0 mode=3 topic_epoch=-1 name=-\n"));
    cr_assert(fb_saw(&f, " times=1 name=prod epoch=7 resent=0\n"));
    fb_send_some(&f, again, 0, 3); /* ids begin anew */
    cr_assert_eq(f.receipts, 4);
    fb_dispatch_messages(&f);
    fb_run(&f);
    cr_assert_eq(f.messages, 4); /* the reader is still there */
    fb_free(&f);
  }
}

Test(session_producer, the_broker_names_the_new_owner) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_EXCLUSIVE_WITH_FENCING, 2);
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
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 0);
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
    uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 0);
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
