/* Metadata in every version: topics by name, by id, all and none; unknown ones; creation on first use; lookup; listeners. */
#include "catalogue.h"

#include <stdio.h>

typedef kop_metadata_request_topic asked_topic;

static kop_metadata_response p;

static kop_metadata_request request(asked_topic *topics, int32_t n) {
  kop_metadata_request q;
  cr_assert_eq(kop_message_init(KOP_MSG_METADATA_REQUEST, &q, sizeof q), KOP_OK);
  q.topics.ptr = topics;
  q.topics.len = n;
  q.allow_auto_topic_creation = 0;
  return q;
}

static asked_topic named(const char *name) {
  asked_topic t;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_METADATA_REQUEST_TOPIC, &t, sizeof t), KOP_OK);
  t.name = kh_text(name);
  return t;
}

static asked_topic by_id(uint8_t number) {
  asked_topic t = named("");
  t.name.ptr = NULL;
  t.topic_id.bytes[0] = number;
  return t;
}

static void call(cat *c, kh_conn *conn, int16_t version, kop_metadata_request q) {
  if (version < 4) q.allow_auto_topic_creation = 1; /* the field is not there: its default */
  cat_call(c, conn, KOP_MSG_METADATA_REQUEST, version, &q, sizeof q, &p, sizeof p);
}

Test(metadata, every_version_names_nodes_and_topics) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  cat_add(&c, "b", 1);
  cat_add(&c, "a", 3);
  kh_conn *conn = kh_connect(&h);
  for (int16_t v = 0; v <= 13; v++) {
    asked_topic one[] = {named("a"), named("a")};
    call(&c, conn, v, request(one, 2));
    cr_assert_eq(p.brokers.len, 1);
    cr_assert_eq(p.brokers.ptr[0].node_id, KH_NODE);
    cr_assert_str_eq(cat_text(p.brokers.ptr[0].host), "kop.test");
    cr_assert_eq(p.brokers.ptr[0].port, 9092);
    if (v >= 1) cr_assert_eq(p.controller_id, KH_NODE);
    if (v >= 2) cr_assert_str_eq(cat_text(p.cluster_id), "test-cluster");
    cr_assert_eq(p.topics.len, 1, "a name asked for twice is answered once");
    const kop_metadata_response_topic *t = &p.topics.ptr[0];
    cr_assert_eq(t->error_code, 0);
    cr_assert_str_eq(cat_text(t->name), "a");
    if (v >= 10) cr_assert_eq(t->topic_id.bytes[0], 2);
    cr_assert_eq(t->partitions.len, 3);
    for (int32_t i = 0; i < 3; i++) {
      cr_assert_eq(t->partitions.ptr[i].partition_index, i);
      cr_assert_eq(t->partitions.ptr[i].error_code, 0);
      cr_assert_eq(t->partitions.ptr[i].leader_id, KH_NODE);
      if (v >= 7) cr_assert_eq(t->partitions.ptr[i].leader_epoch, 1);
      cr_assert_eq(t->partitions.ptr[i].replica_nodes.len, 1);
      cr_assert_eq(t->partitions.ptr[i].isr_nodes.ptr[0], KH_NODE);
      cr_assert_eq(t->partitions.ptr[i].offline_replicas.len, 0);
    }
    call(&c, conn, v, request(NULL, v == 0 ? 0 : -1));
    cr_assert_eq(p.topics.len, 2, "all");
    cr_assert_str_eq(cat_text(p.topics.ptr[0].name), "a");
    if (v > 0) {
      call(&c, conn, v, request(NULL, 0));
      cr_assert_eq(p.topics.len, 0, "none");
    }
  }
  cr_assert_eq(h.counts[KOP_EFFECT_CREATE_TOPIC], 0);
  kh_stop(&h);
}

Test(metadata, operations_are_told_when_asked_for) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  cat_add(&c, "a", 1);
  kh_conn *conn = kh_connect(&h);
  asked_topic one = named("a");
  kop_metadata_request q = request(&one, 1);
  call(&c, conn, 9, q);
  cr_assert_eq(p.topics.ptr[0].topic_authorized_operations, INT32_MIN);
  cr_assert_eq(p.cluster_authorized_operations, INT32_MIN);
  q.include_topic_authorized_operations = 1;
  q.include_cluster_authorized_operations = 1;
  call(&c, conn, 9, q);
  cr_assert_eq(p.topics.ptr[0].topic_authorized_operations, 3576, "Kafka's number without ACLs");
  cr_assert_eq(p.cluster_authorized_operations, 8096);
  kh_stop(&h);
}

Test(metadata, unknown_and_invalid_names) {
  char longest[250], too_long[251];
  memset(longest, 'x', sizeof longest);
  longest[249] = 0;
  memset(too_long, 'x', sizeof too_long);
  too_long[250] = 0;
  const struct {
    const char *name;
    int16_t error;
  } cases[] = {{"none", 3}, {"a/b", 17},       {"", 17},     {".", 17},     {"..", 17},
               {"a b", 17}, {"t\xc3\xa4", 17}, {longest, 3}, {too_long, 17}};
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    asked_topic one = named(cases[i].name);
    call(&c, conn, 12, request(&one, 1));
    cr_assert_eq(p.topics.len, 1);
    cr_assert_eq(p.topics.ptr[0].error_code, cases[i].error, "%s", cases[i].name);
    cr_assert_str_eq(cat_text(p.topics.ptr[0].name), cases[i].name);
    cr_assert_eq(p.topics.ptr[0].partitions.len, 0);
  }
  asked_topic internal = named("__consumer_offsets");
  call(&c, conn, 12, request(&internal, 1));
  cr_assert_eq(p.topics.ptr[0].error_code, 3);
  cr_assert_eq(p.topics.ptr[0].is_internal, 1);
  kh_stop(&h);
}

Test(metadata, topics_by_id) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  cat_add(&c, "a", 2);
  kh_conn *conn = kh_connect(&h);
  for (int16_t v = 10; v <= 13; v++) {
    asked_topic all[] = {by_id(1), by_id(1), named("a"), by_id(9)};
    call(&c, conn, v, request(all, 4));
    if (v < 12) { /* the field is there before it may be used */
      cr_assert_eq(p.topics.len, 4);
      cr_assert_eq(p.brokers.len, 0);
      for (int32_t i = 0; i < 4; i++)
        cr_assert_eq(p.topics.ptr[i].error_code, 42);
      continue;
    }
    cr_assert_eq(p.topics.len, 2);
    cr_assert_str_eq(cat_text(p.topics.ptr[0].name), "a");
    cr_assert_eq(p.topics.ptr[0].partitions.len, 2);
    cr_assert_eq(p.topics.ptr[1].error_code, 100);
    cr_assert_null(p.topics.ptr[1].name.ptr);
    cr_assert_eq(p.topics.ptr[1].topic_id.bytes[0], 9);
    asked_topic neither = by_id(0);
    call(&c, conn, v, request(&neither, 1));
    cr_assert_eq(p.topics.ptr[0].error_code, -1);
    if (v == 13) cr_assert_eq(p.error_code, -1);
  }
  kh_stop(&h);
}

Test(metadata, creates_topics_on_first_use) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "a.b", 1);
  asked_topic all[] = {named("new"),
                       named("new"),
                       named("a_b"),
                       named("a/b"),
                       named("__transaction_state"),
                       named("__cluster_metadata")};
  kop_metadata_request q = request(all, 6);
  q.allow_auto_topic_creation = 1;
  kh_request(&h, conn, KOP_MSG_METADATA_REQUEST, 12, &q, sizeof q);
  cr_assert_geq(kh_find_held(&h, KOP_EFFECT_LOOKUP_TOPIC), 0,
                "it may exist and not have been pushed");
  cat_settle(&c);
  cr_assert(kh_receive(&h, conn, KOP_MSG_METADATA_RESPONSE, 12, &p, sizeof p));
  cr_assert_eq(p.topics.len, 5);
  cr_assert_eq(p.topics.ptr[0].error_code, 3, "unknown in the reply that begins its creation");
  cr_assert_eq(h.counts[KOP_EFFECT_CREATE_TOPIC], 1);
  cr_assert_not_null(cat_find(&c, "new"));
  call(&c, conn, 12, q);
  cr_assert_eq(p.topics.ptr[0].error_code, 0);
  cr_assert_eq(p.topics.ptr[0].partitions.len, 1);
  cr_assert_eq(h.counts[KOP_EFFECT_CREATE_TOPIC], 1);
  kh_stop(&h);
}

Test(metadata, asks_for_a_topic_once_at_a_time) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  asked_topic one = named("new");
  kop_metadata_request q = request(&one, 1);
  q.allow_auto_topic_creation = 1;
  for (int i = 0; i < 3; i++) {
    kh_request(&h, conn, KOP_MSG_METADATA_REQUEST, 12, &q, sizeof q);
    int held = kh_find_held(&h, KOP_EFFECT_LOOKUP_TOPIC);
    cr_assert_geq(held, 0);
    kh_answer(&h, (size_t)held, KOP_NOT_FOUND, 0);
    cr_assert(kh_receive(&h, conn, KOP_MSG_METADATA_RESPONSE, 12, &p, sizeof p));
  }
  cr_assert_eq(h.counts[KOP_EFFECT_CREATE_TOPIC], 1);
  kh_answer(&h, 0, KOP_REJECTED, KOP_KAFKA_KAFKA_STORAGE_ERROR);
  cr_assert_eq(h.logged, 1);
  kh_request(&h, conn, KOP_MSG_METADATA_REQUEST, 12, &q, sizeof q);
  cat_settle(&c);
  cr_assert_eq(h.counts[KOP_EFFECT_CREATE_TOPIC], 2,
               "after a failure the next request tries again");
  kh_stop(&h);
}

static void no_creation(kop_engine_config *config) {
  static kop_config_entry off;
  off = (kop_config_entry){kh_text("auto.create.topics.enable"), kh_text("false")};
  config->broker_configs = &off;
  config->broker_configs_count = 1;
}

static void no_effect(kop_engine_config *config) {
  config->effects &= ~((1ull << KOP_EFFECT_CREATE_TOPIC) | (1ull << KOP_EFFECT_LOOKUP_TOPIC));
}

Test(metadata, does_not_create_where_it_must_not) {
  void (*tunes[])(kop_engine_config *) = {no_creation, no_effect};
  for (size_t i = 0; i < 2; i++) {
    cat c;
    kh h;
    cat_start(&c, &h, tunes[i]);
    asked_topic one = named("new");
    kop_metadata_request q = request(&one, 1);
    q.allow_auto_topic_creation = 1;
    call(&c, kh_connect(&h), 12, q);
    cr_assert_eq(p.topics.ptr[0].error_code, 3);
    cr_assert_eq(h.counts[KOP_EFFECT_CREATE_TOPIC], 0);
    kh_stop(&h);
  }
}

Test(metadata, finds_topics_that_were_not_pushed) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  cat_add_unpushed(&c, "hidden", 2);
  asked_topic name = named("hidden"), id = by_id(1);
  kh_conn *conn = kh_connect(&h);
  call(&c, conn, 12, request(&name, 1));
  cr_assert_eq(p.topics.ptr[0].error_code, 0);
  cr_assert_eq(p.topics.ptr[0].partitions.len, 2);
  cr_assert_eq(h.counts[KOP_EFFECT_LOOKUP_TOPIC], 1);
  call(&c, conn, 12, request(&id, 1));
  cr_assert_eq(p.topics.ptr[0].error_code, 0);
  cr_assert_eq(h.counts[KOP_EFFECT_LOOKUP_TOPIC], 1, "what is known is not looked up");
  kh_stop(&h);
}

Test(metadata, connection_may_go_while_a_topic_is_looked_up) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  asked_topic all[] = {named("x"), named("y")};
  kop_metadata_request q = request(all, 2);
  kh_conn *conn = kh_connect(&h);
  kh_request(&h, conn, KOP_MSG_METADATA_REQUEST, 12, &q, sizeof q);
  kh_answer(&h, 0, KOP_CANCELLED, 0);
  kh_disconnect(&h, conn);
  kh_answer(&h, 0, KOP_UNKNOWN, 0);
  kh_stop(&h);
}

Test(metadata, tells_what_the_listener_reaches) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  cat_add(&c, "a", 1);
  kop_endpoint nodes[] = {
      {.node_id = 2, .listener = 1, .host = kh_text("two.in"), .port = 2},
      {.node_id = KH_NODE, .listener = 0, .host = kh_text("one.out"), .port = 1},
      {.node_id = KH_NODE,
       .listener = 1,
       .host = kh_text("one.in"),
       .port = 1,
       .rack = kh_text("r")},
  };
  kop_nodes event = {
      .size = sizeof event, .controller_id = 2, .endpoints = nodes, .endpoints_count = 3};
  kh_push(&h, KOP_EVENT_NODES, &event, sizeof event);
  kh_conn *conn = kh_connect(&h); /* listener 0 */
  asked_topic one = named("a");
  call(&c, conn, 12, request(&one, 1));
  cr_assert_eq(p.brokers.len, 1);
  cr_assert_str_eq(cat_text(p.brokers.ptr[0].host), "one.out");
  cr_assert_null(p.brokers.ptr[0].rack.ptr);
  cr_assert_eq(p.controller_id, KH_NODE, "the controller's own address is not on this listener");
  /* The leader moves to a node that is on the other listener only, then to one that does not live. */
  kop_leader moved = {.size = sizeof moved, .partition = 1001, .leader = 2, .leader_epoch = 8};
  kh_push(&h, KOP_EVENT_LEADER, &moved, sizeof moved);
  call(&c, conn, 12, request(&one, 1));
  cr_assert_eq(p.topics.ptr[0].partitions.ptr[0].error_code, KOP_KAFKA_LISTENER_NOT_FOUND);
  cr_assert_eq(p.topics.ptr[0].partitions.ptr[0].leader_id, -1);
  cr_assert_eq(p.topics.ptr[0].partitions.ptr[0].replica_nodes.ptr[0], 2);
  call(&c, conn, 5, request(&one, 1));
  cr_assert_eq(p.topics.ptr[0].partitions.ptr[0].error_code, KOP_KAFKA_LEADER_NOT_AVAILABLE);
  moved.leader = 77;
  kh_push(&h, KOP_EVENT_LEADER, &moved, sizeof moved);
  call(&c, conn, 12, request(&one, 1));
  cr_assert_eq(p.topics.ptr[0].partitions.ptr[0].error_code, KOP_KAFKA_LEADER_NOT_AVAILABLE);
  cr_assert_eq(p.topics.ptr[0].partitions.ptr[0].offline_replicas.len, 1);
  moved.leader = -1;
  kh_push(&h, KOP_EVENT_LEADER, &moved, sizeof moved);
  call(&c, conn, 12, request(&one, 1));
  cr_assert_eq(p.topics.ptr[0].partitions.ptr[0].replica_nodes.len, 0);
  cr_assert_eq(p.topics.ptr[0].partitions.ptr[0].error_code, KOP_KAFKA_LEADER_NOT_AVAILABLE);
  kh_stop(&h);
}

Test(metadata, asks_the_store_for_no_more_unknown_topics_than_it_bounds) {
  enum { N = 3000 };
  kh h;
  kh_start(&h, NULL);
  kh_conn *c = kh_connect(&h);
  static kop_metadata_request_topic topics[N];
  static char names[N][8];
  kop_metadata_request q;
  cr_assert_eq(kop_message_init(KOP_MSG_METADATA_REQUEST, &q, sizeof q), KOP_OK);
  for (int i = 0; i < N; i++) {
    cr_assert_eq(kop_struct_init(KOP_STRUCT_METADATA_REQUEST_TOPIC, &topics[i], sizeof topics[i]),
                 KOP_OK);
    (void)snprintf(names[i], sizeof names[i], "x%d", i);
    topics[i].name = kh_text(names[i]);
  }
  q.topics.ptr = topics;
  q.topics.len = N;
  q.allow_auto_topic_creation = 0;
  for (int round = 1; round <= 2; round++) {
    kh_request(&h, c, KOP_MSG_METADATA_REQUEST, 9, &q, sizeof q);
    cr_assert(kh_receive(&h, c, KOP_MSG_METADATA_RESPONSE, 9, &p, sizeof p));
    cr_assert_eq(p.topics.len, N);
    cr_assert_eq(p.topics.ptr[N - 1].error_code, KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    cr_assert_eq(h.counts[KOP_EFFECT_LOOKUP_TOPIC], 1000u * (uint32_t)round);
  }
  kh_stop(&h);
}
