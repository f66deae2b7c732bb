/* Consumers and readers: positions, permits, acknowledgements, seeks, closing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake_broker.h"

#define SUBSCRIBE KOPI__BASE_COMMAND__TYPE__SUBSCRIBE

static void publish_some(fb *f, int n) {
  for (int i = 0; i < n; i++) {
    char text[8];
    snprintf(text, sizeof text, "m%d", i);
    fb_publish(f, "t", text, 1);
  }
}

/* A reader that is ready on connection 3. */
static uint64_t ready_reader(fb *f, uint32_t permits) {
  uint64_t r = fb_reader(f, "t", permits);
  fb_forget(f);
  return r;
}

static uint64_t consumer(fb *f, const char *subscription, uint32_t type, uint32_t flags) {
  kop_pulsar_consumer_config c;
  uint64_t id = 0;
  cr_assert_eq(kop_pulsar_consumer_config_init(&c, sizeof c), KOP_OK);
  c.topic = fb_text("t");
  c.subscription = fb_text(subscription);
  c.type = type;
  c.flags = KOP_PULSAR_CONSUMER_DURABLE | flags;
  cr_assert_eq(kop_pulsar_consumer_open(f->s, &c, f->now, &id), KOP_OK);
  return id;
}

/* ---- positions and permits ---- */

Test(session_consumer, permits_are_counted_in_messages) {
  fb f;
  fb_init(&f, NULL);
  fb_publish(&f, "t", "batch", 5);
  publish_some(&f, 3);
  uint64_t r = ready_reader(&f, 0);
  cr_assert_eq(kop_pulsar_flow(f.s, r, 0, f.now), KOP_ERR_INVALID);
  cr_assert_eq(kop_pulsar_flow(f.s, 99, 1, f.now), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_pulsar_flow(f.s, r, 6, f.now), KOP_OK);
  fb_expect(&f, "3 > FLOW 1 6\n"
                "message 1 7:0 n=5 batch\n"
                "message 1 7:1 n=1 m0\n");
  fb_drop(&f, 3);
  cr_assert_eq(kop_pulsar_flow(f.s, r, 2, f.now), KOP_OK); /* while it is down */
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "4 > SUBSCRIBE 1 start=7:1\n"
                       "consumer_ready 1 on 4 times=2 permits=2\n"
                       "4 > FLOW 1 2\n"));
  /* the entry that it was given last comes again, is passed over, and its permit granted anew */
  cr_assert(fb_saw(&f, "4 > FLOW 1 1\n"));
  cr_assert(fb_saw(&f, "message 1 7:2 n=1 m1\n"));
  cr_assert(fb_saw(&f, "message 1 7:3 n=1 m2\n"));
  cr_assert_eq(fb_count(&f, "message 1 7:1"), 0);
  cr_assert_eq(kop_pulsar_flow(f.s, r, INT32_MAX, f.now), KOP_OK);
  cr_assert_eq(kop_pulsar_flow(f.s, r, 1, f.now), KOP_ERR_LIMIT);
  fb_free(&f);
}

Test(session_consumer, each_entry_comes_once_however_often_it_is_lost) {
  fb f;
  fb_init(&f, NULL);
  publish_some(&f, 60);
  ready_reader(&f, 60);
  f.rng = 3;
  for (int i = 0; i < 25; i++) {
    fb_drop_all(&f);
    fb_pass(&f, 150);
    publish_some(&f, 2);
  }
  fb_pass(&f, 60000);
  cr_assert_eq(f.messages, 60);
  fb_free(&f);
}

Test(session_consumer, start_is_inclusive_or_after) {
  for (int after = 0; after < 2; after++) {
    fb f;
    fb_init(&f, NULL);
    publish_some(&f, 4);
    kop_pulsar_consumer_config c;
    uint64_t id = 0;
    cr_assert_eq(kop_pulsar_consumer_config_init(&c, sizeof c), KOP_OK);
    c.topic = fb_text("t");
    c.permits = 10;
    c.start.ledger_id = 7;
    c.start.entry_id = 2;
    c.flags = after ? KOP_PULSAR_CONSUMER_START_AFTER : 0;
    cr_assert_eq(kop_pulsar_consumer_open(f.s, &c, f.now, &id), KOP_OK);
    fb_run(&f);
    cr_assert(fb_saw(&f, "SUBSCRIBE 1 start=7:2\n"));
    cr_assert_eq(fb_saw(&f, "message 1 7:2"), !after);
    cr_assert(fb_saw(&f, "message 1 7:3"));
    fb_free(&f);
  }
}

static void tell_migrated(fb *f, uint64_t conn, uint64_t consumer, const char *url) {
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandTopicMigrated m = KOPI__COMMAND_TOPIC_MIGRATED__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__TOPIC_MIGRATED;
  b.topicmigrated = &m;
  m.resource_id = consumer;
  m.resource_type = KOPI__COMMAND_TOPIC_MIGRATED__RESOURCE_TYPE__Consumer;
  m.brokerserviceurl = (char *)(uintptr_t)url;
  fb_reply(f, conn, &b);
}

/* Ids of one cluster say nothing about another: there the topic begins anew, and may well begin with lower ones. */
Test(session_consumer, a_migrated_reader_begins_at_the_front_of_the_other_cluster) {
  for (int way = 0; way < 3;
       way++) { /* it has seen entries; only its start is known; it waits at the latest */
    fb f;
    fb_init(&f, NULL);
    if (way == 0) publish_some(&f, 2);
    kop_pulsar_consumer_config c;
    uint64_t r = 0;
    cr_assert_eq(kop_pulsar_consumer_config_init(&c, sizeof c), KOP_OK);
    c.topic = fb_text("t");
    c.permits = 10;
    if (way == 1) {
      c.start.ledger_id = 7;
      c.start.entry_id = 30;
      c.flags = KOP_PULSAR_CONSUMER_START_AFTER;
    } else if (way == 2) {
      c.start.ledger_id = KOP_PULSAR_LATEST;
      c.start.entry_id = KOP_PULSAR_LATEST;
    }
    cr_assert_eq(kop_pulsar_consumer_open(f.s, &c, f.now, &r), KOP_OK);
    fb_run(&f);
    tell_migrated(&f, 3, r, "pulsar://green:6650");
    if (way == 0) fb_publish(&f, "t", "last of blue", 1);
    fb_run(&f);
    fb_topic *topic = &f.topics[0];
    for (size_t i = 0; i < topic->len; i++)
      kopi_buf_free(&topic->entries[i]);
    topic->len = 0;
    fb_publish(&f, "t", "first of green", 1);
    fb_forget(&f);
    fb_close_consumer(&f, 3, r, NULL);
    fb_pass(&f, 200);
    cr_assert(fb_saw(&f, "consumer_down 1 closed by the broker none moved to another cluster\n"));
    cr_assert(fb_saw(&f, "4 > LOOKUP t\n"), "way %d", way);
    cr_assert(fb_saw(&f, "SUBSCRIBE 1 start=-1:-1\n"), "way %d", way);
    cr_assert_eq(fb_count(&f, "message 1 7:0 n=1 first of green"), 1, "way %d", way);
    fb_forget(&f);
    fb_drop_all(&f); /* and from there on its place is known again */
    fb_pass(&f, 200);
    cr_assert(fb_saw(&f, "SUBSCRIBE 1 start=7:0\n"), "way %d", way);
    cr_assert_eq(fb_count(&f, "message 1 7:0"), 0, "way %d", way);
    fb_free(&f);
  }
}

Test(session_consumer, a_reader_at_the_latest_sees_what_comes) {
  fb f;
  fb_init(&f, NULL);
  publish_some(&f, 2);
  kop_pulsar_consumer_config c;
  uint64_t id = 0;
  cr_assert_eq(kop_pulsar_consumer_config_init(&c, sizeof c), KOP_OK);
  c.topic = fb_text("t");
  c.permits = 10;
  c.start.ledger_id = KOP_PULSAR_LATEST;
  c.start.entry_id = KOP_PULSAR_LATEST;
  c.flags = KOP_PULSAR_CONSUMER_START_AFTER; /* says nothing more about a position that is none */
  cr_assert_eq(kop_pulsar_consumer_open(f.s, &c, f.now, &id), KOP_OK);
  fb_forget(&f);
  fb_publish(&f, "t", "new", 1);
  fb_expect(&f, "message 1 7:2 n=1 new\n");
  fb_free(&f);
}

Test(session_consumer, what_cannot_be_read_is_told_as_such) {
  fb f;
  fb_init(&f, NULL);
  uint64_t r = ready_reader(&f, 5);
  fb_publish(&f, "u", "good", 1);
  const kopi_buf *good = NULL;
  for (size_t i = 0; i < FB_TOPICS; i++) {
    if (strcmp(f.topics[i].name, "u") == 0) good = &f.topics[i].entries[0];
  }
  uint8_t bad[200];
  memcpy(bad, good->data, good->len);
  bad[good->len - 1] ^= 1;
  fb_message(&f, 3, r, 1, 0, (kop_slice){bad, good->len});
  fb_message(&f, 3, r, 1, 1, (kop_slice){(const uint8_t *)"??", 2});
  fb_message(&f, 3, r, 1, 2, (kop_slice){good->data, good->len});
  fb_expect(&f, "message 1 1:0 n=1 unreadable\n"
                "message 1 1:1 n=1 unreadable\n"
                "message 1 1:2 n=1 good\n");
  kop_pulsar_session_stats stats;
  cr_assert_eq(kop_pulsar_session_stats_get(f.s, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.unreadable_total, 2);
  cr_assert_eq(stats.messages_total, 3);
  fb_free(&f);
}

Test(session_consumer, a_durable_one_has_no_start_and_is_given_again) {
  fb f;
  fb_init(&f, NULL);
  publish_some(&f, 2);
  uint64_t c = consumer(&f, "s", KOP_PULSAR_SUB_SHARED, KOP_PULSAR_CONSUMER_FROM_EARLIEST);
  cr_assert_eq(kop_pulsar_flow(f.s, c, 10, f.now), KOP_OK);
  fb_run(&f);
  cr_assert(fb_saw(&f, "3 > SUBSCRIBE 1 start=-\n"));
  fb_forget(&f);
  fb_drop(&f, 3);
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "4 > SUBSCRIBE 1 start=-\n"));
  cr_assert(fb_saw(&f, "message 1 7:0 ")); /* the fake remembers no acknowledgement */
  fb_free(&f);
}

/* ---- what the broker tells ---- */

static void end_of_topic(fb *f, uint64_t conn, uint64_t consumer_id) {
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandReachedEndOfTopic m = KOPI__COMMAND_REACHED_END_OF_TOPIC__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__REACHED_END_OF_TOPIC;
  b.reachedendoftopic = &m;
  m.consumer_id = consumer_id;
  fb_reply(f, conn, &b);
}

static void active_change(fb *f, uint64_t conn, uint64_t consumer_id, bool active) {
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandActiveConsumerChange m = KOPI__COMMAND_ACTIVE_CONSUMER_CHANGE__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__ACTIVE_CONSUMER_CHANGE;
  b.active_consumer_change = &m;
  m.consumer_id = consumer_id;
  m.has_is_active = 1;
  m.is_active = active;
  fb_reply(f, conn, &b);
}

Test(session_consumer, end_of_topic_and_active_change_are_told_in_order) {
  fb f;
  fb_init(&f, NULL);
  uint64_t c = consumer(&f, "s", KOP_PULSAR_SUB_FAILOVER, 0);
  cr_assert_eq(kop_pulsar_flow(f.s, c, 10, f.now), KOP_OK);
  fb_forget(&f);
  active_change(&f, 3, c, true);
  fb_publish(&f, "t", "last", 1);
  fb_run(&f);
  end_of_topic(&f, 3, c);
  fb_run(&f);
  active_change(&f, 3, c, false);
  fb_expect(&f, "active 1\n"
                "message 1 7:0 n=1 last\n"
                "end_of_topic 1\n"
                "standby 1\n");
  fb_free(&f);
}

Test(session_consumer, the_broker_closes_it_with_and_without_a_new_owner) {
  fb f;
  fb_init(&f, NULL);
  publish_some(&f, 2);
  uint64_t r = ready_reader(&f, 1);
  fb_forget(&f);
  fb_close_consumer(&f, 3, r, "pulsar://b2:6650");
  fb_expect(&f, "consumer_down 1 closed by the broker none closed by the broker\n"
                "connect 4 b2:6650\n"
                "4 > CONNECT - for=-\n"
                "conn_ready 4 v21 max=5242880\n"
                "4 > SUBSCRIBE 1 start=7:0\n"
                "consumer_ready 1 on 4 times=2 permits=0\n");
  fb_close_consumer(&f, 4, r, NULL);
  fb_expect(&f, "consumer_down 1 closed by the broker none closed by the broker\n");
  fb_pass(&f, 200);
  fb_expect(&f, "2 > LOOKUP t\n"
                "3 > SUBSCRIBE 1 start=7:0\n"
                "consumer_ready 1 on 3 times=3 permits=0\n");
  fb_free(&f);
}

/* Refuses SUBSCRIBE with the error in `data`, while it is not -1. */
static bool refuse_subscribe(fb *f, const fb_command *c) {
  if (c->b->type != SUBSCRIBE || *(int32_t *)f->data < 0) return false;
  fb_error(f, c->conn, c->b->subscribe->request_id, *(int32_t *)f->data, "why");
  return true;
}

Test(session_consumer, its_own_ghost_is_waited_for) {
  fb f;
  fb_init(&f, NULL);
  ready_reader(&f, 0);
  int32_t busy = KOP_PULSAR_CONSUMER_BUSY, none = -1;
  f.data = &busy;
  f.script = refuse_subscribe;
  fb_drop(&f, 3);
  fb_pass(&f, 5000);
  cr_assert(fb_saw(&f, "consumer_down 1 refused ConsumerBusy why\n"));
  cr_assert(!fb_saw(&f, "consumer_closed"));
  f.data = &none;
  fb_pass(&f, 10000);
  cr_assert(fb_saw(&f, "times=2"));
  fb_forget(&f);
  /* but somebody else's consumer is a refusal */
  f.data = &busy;
  uint64_t c = consumer(&f, "s", KOP_PULSAR_SUB_EXCLUSIVE, 0);
  fb_run(&f);
  char line[100];
  snprintf(line, sizeof line, "consumer_closed %u refused ConsumerBusy why\n", (unsigned)c);
  cr_assert(fb_saw(&f, line));
  fb_free(&f);
}

Test(session_consumer, a_deleted_topic_ends_it) {
  fb f;
  fb_init(&f, NULL);
  ready_reader(&f, 0);
  int32_t gone = KOP_PULSAR_TOPIC_NOT_FOUND;
  f.data = &gone;
  f.script = refuse_subscribe;
  fb_close_consumer(&f, 3, 1, NULL);
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "consumer_closed 1 refused TopicNotFound why\n"));
  fb_free(&f);
}

/* ---- acknowledgements ---- */

static kop_status ack(fb *f, uint64_t c, kop_pulsar_ack_info *info, uint64_t *request) {
  info->size = sizeof *info;
  return kop_pulsar_ack(f->s, c, info, f->now, request);
}

Test(session_consumer, acknowledges_in_every_way) {
  fb f;
  fb_init(&f, NULL);
  uint64_t c = consumer(&f, "s", KOP_PULSAR_SUB_SHARED, 0);
  static const uint64_t bits[2] = {5, 1};
  kop_pulsar_ack_id ids[2] = {{.id = {.ledger_id = 7, .entry_id = 3}},
                              {.id = {.ledger_id = 7, .entry_id = 4},
                               .ack_set = bits,
                               .ack_set_count = 2,
                               .batch_size = 70}};
  kop_pulsar_ack_info a = {.ids = ids, .ids_count = 2};
  cr_assert_eq(ack(&f, c, &a, NULL), KOP_ERR_STATE); /* not ready yet */
  fb_forget(&f);
  cr_assert_eq(ack(&f, c, &a, NULL), KOP_OK);
  fb_expect(&f, "3 > ACK 1 individual ids=2 first=7:3 bits=0 props=0\n");
  kop_pulsar_cursor_property p = {.key = fb_text("kop.offset"), .value = 12345678901ull};
  kop_pulsar_ack_info b = {.ids = &ids[1],
                           .ids_count = 1,
                           .type = KOP_PULSAR_ACK_CUMULATIVE,
                           .receipt = 1,
                           .context = 42,
                           .properties = &p,
                           .properties_count = 1};
  uint64_t request = 0;
  cr_assert_eq(ack(&f, c, &b, &request), KOP_OK);
  cr_assert_eq(request, 4);
  fb_expect(&f, "3 > ACK 1 cumulative ids=1 first=7:4 bits=2 props=1\n"
                "result 4 ctx=42 done none\n");
  b.ids_count = 2;
  cr_assert_eq(ack(&f, c, &b, &request), KOP_ERR_INVALID);
  a.properties = &p;
  a.properties_count = 1;
  cr_assert_eq(ack(&f, c, &a, NULL), KOP_ERR_INVALID);
  a.properties_count = 0;
  a.receipt = 1;
  cr_assert_eq(ack(&f, c, &a, NULL), KOP_ERR_INVALID);
  cr_assert_eq(ack(&f, 99, &b, &request), KOP_ERR_INVALID);
  b.ids_count = 1;
  cr_assert_eq(ack(&f, 99, &b, &request), KOP_ERR_NOT_FOUND);
  fb_free(&f);
}

static bool refuse_ack(fb *f, const fb_command *c) {
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__ACK) return false;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandAckResponse m = KOPI__COMMAND_ACK_RESPONSE__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__ACK_RESPONSE;
  b.ackresponse = &m;
  m.consumer_id = c->b->ack->consumer_id;
  m.has_request_id = 1;
  m.request_id = c->b->ack->request_id;
  m.has_error = 1;
  m.error = KOPI__SERVER_ERROR__MetadataError;
  m.message = "cursor";
  fb_reply(f, c->conn, &b);
  return true;
}

Test(session_consumer, a_refused_acknowledgement_is_a_result) {
  fb f;
  fb_init(&f, NULL);
  uint64_t c = consumer(&f, "s", KOP_PULSAR_SUB_SHARED, 0), request = 0;
  fb_forget(&f);
  f.script = refuse_ack;
  kop_pulsar_ack_id id = {.id = {.ledger_id = 7, .entry_id = 3}};
  kop_pulsar_ack_info a = {.ids = &id, .ids_count = 1, .receipt = 1};
  cr_assert_eq(ack(&f, c, &a, &request), KOP_OK);
  fb_run(&f);
  cr_assert(fb_saw(&f, "result 4 ctx=0 refused MetadataError cursor\n"));
  fb_free(&f);
}

Test(session_consumer, requests_end_with_their_consumer) {
  for (int way = 0; way < 4; way++) {
    fb f;
    fb_init(&f, NULL);
    uint64_t c = consumer(&f, "s", KOP_PULSAR_SUB_SHARED, 0), request = 0;
    fb_forget(&f);
    f.mute = 1ull << KOPI__BASE_COMMAND__TYPE__ACK |
             1ull << KOPI__BASE_COMMAND__TYPE__GET_LAST_MESSAGE_ID;
    kop_pulsar_ack_id id = {.id = {.ledger_id = 7, .entry_id = 3}};
    kop_pulsar_ack_info a = {.ids = &id, .ids_count = 1, .receipt = 1, .context = 1};
    cr_assert_eq(ack(&f, c, &a, &request), KOP_OK);
    cr_assert_eq(kop_pulsar_last_message_id(f.s, c, 2, f.now, &request), KOP_OK);
    fb_forget(&f);
    static const char *const outcome[] = {"cancelled", "disconnected", "disconnected", "timed out"};
    if (way == 0) cr_assert_eq(kop_pulsar_consumer_close(f.s, c, f.now), KOP_OK);
    if (way == 1) fb_drop(&f, 3);
    if (way == 2) fb_close_consumer(&f, 3, c, NULL);
    if (way == 3) fb_pass(&f, 30000);
    fb_run(&f);
    char lines[200];
    snprintf(lines, sizeof lines, "result 4 ctx=1 %s none", outcome[way]);
    cr_assert(fb_saw(&f, lines), "way %d", way);
    snprintf(lines, sizeof lines, "result 5 ctx=2 %s none", outcome[way]);
    cr_assert(fb_saw(&f, lines), "way %d", way);
    cr_assert_eq(fb_count(&f, "result"), 2);
    fb_free(&f);
  }
}

Test(session_consumer, last_message_id_and_unsubscribe) {
  fb f;
  fb_init(&f, NULL);
  publish_some(&f, 3);
  uint64_t c = consumer(&f, "s", KOP_PULSAR_SUB_SHARED, 0), request = 0;
  fb_forget(&f);
  cr_assert_eq(kop_pulsar_last_message_id(f.s, c, 2, f.now, &request), KOP_OK);
  fb_expect(&f, "3 > GET_LAST_MESSAGE_ID\n"
                "result 4 ctx=2 done none last=7:2 mark=-1:-1\n");
  cr_assert_eq(kop_pulsar_unsubscribe(f.s, c, 1, 3, f.now, &request), KOP_OK);
  fb_expect(&f, "3 > UNSUBSCRIBE\n"
                "result 5 ctx=3 done none\n"
                "consumer_closed 1 done none \n");
  cr_assert_eq(kop_pulsar_unsubscribe(f.s, c, 1, 3, f.now, &request), KOP_ERR_NOT_FOUND);
  fb_free(&f);
}

/* ---- seeks ---- */

Test(session_consumer, seek_by_id_gives_nothing_of_before) {
  fb f;
  fb_init(&f, NULL);
  publish_some(&f, 6);
  uint64_t r = ready_reader(&f, 3), request = 0;
  f.script = NULL;
  fb_forget(&f);
  kop_pulsar_message_id to = {.ledger_id = 7, .entry_id = 1, .batch_index = -1};
  cr_assert_eq(kop_pulsar_flow(f.s, r, 2, f.now), KOP_OK); /* these two will be on their way */
  cr_assert_eq(kop_pulsar_seek(f.s, r, &to, 0, 5, f.now, &request), KOP_OK);
  cr_assert_eq(kop_pulsar_seek(f.s, r, &to, 0, 5, f.now, &request), KOP_ERR_STATE);
  fb_expect(&f, "3 > FLOW 1 2\n"
                "3 > SEEK 1 id\n"
                "result 4 ctx=5 done none\n"
                "3 > SUBSCRIBE 1 start=7:1\n"
                "consumer_ready 1 on 3 times=2 permits=2\n"
                "3 > FLOW 1 2\n"
                "message 1 7:1 n=1 m1\n"
                "message 1 7:2 n=1 m2\n");
  fb_free(&f);
}

Test(session_consumer, messages_that_wait_are_dropped_by_a_seek) {
  fb f;
  fb_init(&f, NULL);
  uint64_t r = ready_reader(&f, 3), request = 0;
  fb_publish(&f, "t", "old", 1);
  for (size_t i = 0; i < FB_CONNS; i++) { /* it arrives but is not drained */
    if (f.conns[i].id != 3) continue;
    size_t taken = 0;
    cr_assert_eq(kop_pulsar_feed(f.s, 3, f.conns[i].out.data, f.conns[i].out.len, f.now, &taken),
                 KOP_OK);
    f.conns[i].out.len = 0;
  }
  cr_assert_eq(kop_pulsar_seek(f.s, r, NULL, 1700000000000, 5, f.now, &request), KOP_OK);
  fb_expect(&f, "3 > SEEK 1 time\n"
                "result 4 ctx=5 done none\n"
                "3 > SUBSCRIBE 1 start=-1:-1\n"
                "consumer_ready 1 on 3 times=2 permits=2\n"
                "3 > FLOW 1 2\n"
                "message 1 7:0 n=1 old\n"); /* the fake's subscription begins at the start */
  fb_free(&f);
}

static bool refuse_seek(fb *f, const fb_command *c) {
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__SEEK) return false;
  fb_error(f, c->conn, c->b->seek->request_id, KOP_PULSAR_UNKNOWN_ERROR, "no");
  return true;
}

Test(session_consumer, a_refused_seek_leaves_it_where_it_was) {
  fb f;
  fb_init(&f, NULL);
  publish_some(&f, 4);
  uint64_t r = ready_reader(&f, 2), request = 0;
  f.script = refuse_seek;
  cr_assert_eq(kop_pulsar_flow(f.s, r, 1, f.now), KOP_OK);
  kop_pulsar_message_id to = {.ledger_id = 7, .entry_id = 0, .batch_index = -1};
  cr_assert_eq(kop_pulsar_seek(f.s, r, &to, 0, 5, f.now, &request), KOP_OK);
  fb_run(&f);
  cr_assert(fb_saw(&f, "result 4 ctx=5 refused UnknownError no\n"
                       "3 > CLOSE_CONSUMER 1\n"
                       "3 > SUBSCRIBE 1 start=7:1\n"
                       "consumer_ready 1 on 3 times=2 permits=1\n"));
  cr_assert(fb_saw(&f, "message 1 7:2 n=1 m2\n")); /* it came during the seek and comes again */
  fb_free(&f);
}

/* A broker that moves the cursor and keeps the consumer. */
static bool seek_without_close(fb *f, const fb_command *c) {
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__SEEK) return false;
  fb_success(f, c->conn, c->b->seek->request_id);
  return true;
}

Test(session_consumer, a_seek_without_a_close_goes_on) {
  fb f;
  fb_init(&f, NULL);
  f.script = seek_without_close;
  uint64_t request = 0;
  uint64_t c = consumer(&f, "s", KOP_PULSAR_SUB_SHARED, 0);
  cr_assert_eq(kop_pulsar_flow(f.s, c, 9, f.now), KOP_OK);
  fb_forget(&f);
  cr_assert_eq(kop_pulsar_seek(f.s, c, NULL, 1, 5, f.now, &request), KOP_OK);
  fb_publish(&f, "t", "during", 1); /* passed over: its permit is granted anew */
  fb_expect(&f, "3 > SEEK 1 time\n"
                "result 4 ctx=5 done none\n"
                "3 > FLOW 1 1\n");
  fb_publish(&f, "t", "after", 1);
  fb_expect(&f, "message 1 7:1 n=1 after\n");
  fb_free(&f);
}

Test(session_consumer, a_seek_that_is_lost) {
  for (int way = 0; way < 3; way++) {
    fb f;
    fb_init(&f, NULL);
    publish_some(&f, 4);
    uint64_t r = ready_reader(&f, 3), request = 0;
    f.mute = 1ull << KOPI__BASE_COMMAND__TYPE__SEEK;
    kop_pulsar_message_id to = {.ledger_id = 7, .entry_id = 1, .batch_index = -1};
    cr_assert_eq(kop_pulsar_seek(f.s, r, &to, 0, 5, f.now, &request), KOP_OK);
    fb_forget(&f);
    if (way == 0) fb_drop(&f, 3);
    if (way == 1) fb_pass(&f, 30000);
    if (way == 2) cr_assert_eq(kop_pulsar_consumer_close(f.s, r, f.now), KOP_OK);
    fb_pass(&f, 200);
    static const char *const first[] = {"result 4 ctx=5 disconnected", "result 4 ctx=5 timed out",
                                        "result 4 ctx=5 cancelled"};
    static const char *const then[] = {"5 > SUBSCRIBE 1 start=7:1\n", "3 > SUBSCRIBE 1 start=7:2\n",
                                       "consumer_closed 1 done none \n"};
    cr_assert(fb_saw(&f, first[way]), "way %d", way);
    cr_assert(fb_saw(&f, then[way]), "way %d: %s", way, (const char *)f.log.data);
    fb_free(&f);
  }
}

/* ---- closing ---- */

Test(session_consumer, no_message_comes_after_close) {
  fb f;
  fb_init(&f, NULL);
  uint64_t r = ready_reader(&f, 9);
  fb_publish(&f, "t", "too late", 1);
  for (size_t i = 0; i < FB_CONNS; i++) {
    if (f.conns[i].id != 3) continue;
    size_t taken = 0;
    cr_assert_eq(kop_pulsar_feed(f.s, 3, f.conns[i].out.data, f.conns[i].out.len, f.now, &taken),
                 KOP_OK);
    f.conns[i].out.len = 0;
  }
  cr_assert_eq(kop_pulsar_consumer_close(f.s, r, f.now), KOP_OK);
  cr_assert_eq(kop_pulsar_consumer_close(f.s, r, f.now), KOP_OK);
  fb_expect(&f, "3 > CLOSE_CONSUMER 1\n"
                "consumer_closed 1 done none \n");
  fb_free(&f);
}

Test(session_consumer, config_is_checked) {
  fb f;
  fb_init(&f, NULL);
  kop_pulsar_consumer_config c;
  uint64_t id = 0;
#define TRY(change, status)                                                                        \
  cr_assert_eq(kop_pulsar_consumer_config_init(&c, sizeof c), KOP_OK);                             \
  c.topic = fb_text("t");                                                                          \
  change;                                                                                          \
  cr_assert_eq(kop_pulsar_consumer_open(f.s, &c, f.now, &id), status, #change)
  TRY(c.topic.len = 0, KOP_ERR_INVALID);
  TRY(c.topic = ((kop_slice){(const uint8_t *)"a\0b", 3}), KOP_ERR_INVALID);
  TRY(c.type = KOP_PULSAR_SUB_SHARED, KOP_ERR_INVALID);        /* a reader is exclusive */
  TRY(c.flags = KOP_PULSAR_CONSUMER_DURABLE, KOP_ERR_INVALID); /* without a name */
  TRY(c.flags = 1u << 20, KOP_ERR_INVALID);
  TRY(c.size = 4, KOP_ERR_INVALID);
  TRY((c.flags = KOP_PULSAR_CONSUMER_DURABLE | KOP_PULSAR_CONSUMER_COMPACTED,
       c.subscription = fb_text("s"), c.type = KOP_PULSAR_SUB_KEY_SHARED),
      KOP_ERR_INVALID);
  TRY(c.flags = KOP_PULSAR_CONSUMER_COMPACTED, KOP_OK);
#undef TRY
  fb_free(&f);
}
