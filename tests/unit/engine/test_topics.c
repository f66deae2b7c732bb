/* CreateTopics, DeleteTopics, CreatePartitions: Kafka's measured answers, what the store is asked, and time-outs. */
#include "catalogue.h"

#include <stdio.h>

typedef kop_create_topics_request_creatable_topic new_topic;
typedef kop_create_topics_request_creatable_replica_assignment assignment;
typedef kop_create_topics_request_creatable_topic_config config;

/* ---- CreateTopics ---- */

static kop_create_topics_response made;

static new_topic topic_of(const char *name, int32_t partitions, int16_t factor) {
  new_topic t;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_CREATE_TOPICS_REQUEST_CREATABLE_TOPIC, &t, sizeof t),
               KOP_OK);
  t.name = kh_text(name);
  t.num_partitions = partitions;
  t.replication_factor = factor;
  return t;
}

static kop_create_topics_request creation(new_topic *topics, int32_t n) {
  kop_create_topics_request q;
  cr_assert_eq(kop_message_init(KOP_MSG_CREATE_TOPICS_REQUEST, &q, sizeof q), KOP_OK);
  q.topics.ptr = topics;
  q.topics.len = n;
  q.timeout_ms = 5000;
  return q;
}

static void create(cat *c, kh_conn *conn, int16_t version, kop_create_topics_request q) {
  cat_call(c, conn, KOP_MSG_CREATE_TOPICS_REQUEST, version, &q, sizeof q, &made, sizeof made);
}

/* The error of creating one topic. */
static int16_t error_of(cat *c, kh_conn *conn, new_topic t) {
  create(c, conn, 7, creation(&t, 1));
  cr_assert_eq(made.topics.len, 1);
  if (made.topics.ptr[0].error_code != 0) {
    cr_assert_not_null(made.topics.ptr[0].error_message.ptr);
    cr_assert_eq(made.topics.ptr[0].num_partitions, -1);
    cr_assert_eq(made.topics.ptr[0].configs.len, 0);
    cr_assert_eq(made.topics.ptr[0].topic_id.bytes[0], 0);
  }
  return made.topics.ptr[0].error_code;
}

Test(create_topics, every_version_creates_and_describes) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  for (int16_t v = 0; v <= 7; v++) {
    char name[8];
    (void)snprintf(name, sizeof name, "t%d", v);
    new_topic t = topic_of(name, 2, 1);
    config configs[2];
    for (int i = 0; i < 2; i++) {
      (void)kop_struct_init(KOP_STRUCT_CREATE_TOPICS_REQUEST_CREATABLE_TOPIC_CONFIG, &configs[i],
                            sizeof configs[i]);
      configs[i].name = kh_text("retention.ms");
      configs[i].value = kh_text(i == 0 ? "1000" : "2000");
    }
    t.configs.ptr = configs;
    t.configs.len = 2;
    create(&c, conn, v, creation(&t, 1));
    cr_assert_eq(made.topics.len, 1);
    const kop_create_topics_response_creatable_topic_result *r = &made.topics.ptr[0];
    cr_assert_eq(r->error_code, 0);
    if (v >= 1) cr_assert_null(r->error_message.ptr);
    cat_topic *there = cat_find(&c, name);
    cr_assert_not_null(there);
    cr_assert_eq(there->partitions, 2);
    cr_assert_str_eq(cat_config_of(there, "retention.ms"), "2000",
                     "of one name the last value counts");
    if (v >= 7) cr_assert_eq(r->topic_id.bytes[0], there->number);
    if (v < 5) continue;
    cr_assert_eq(r->num_partitions, 2);
    cr_assert_eq(r->replication_factor, 1);
    cr_assert_eq(r->configs.len, 33);
    for (int32_t i = 0; i < 33; i++) {
      bool ours = strcmp(cat_text(r->configs.ptr[i].name), "retention.ms") == 0;
      cr_assert_eq(r->configs.ptr[i].config_source, ours ? 1 : 5);
      if (ours) cr_assert_str_eq(cat_text(r->configs.ptr[i].value), "2000");
    }
  }
  kh_stop(&h);
}

Test(create_topics, defaults_come_from_the_node) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cr_assert_eq(error_of(&c, conn, topic_of("t", -1, -1)), 0);
  cr_assert_eq(made.topics.ptr[0].num_partitions, 1);
  cr_assert_eq(cat_find(&c, "t")->partitions, 1);
  kh_stop(&h);
}

Test(create_topics, refuses_as_kafka_does) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "there", 1);
  cat_add(&c, "a.b", 1);
  char too_long[251];
  memset(too_long, 'x', sizeof too_long);
  too_long[250] = 0;
  const struct {
    const char *name;
    int32_t partitions;
    int16_t factor;
    int16_t error;
  } cases[] = {
      {"t", 0, 1, 37},
      {"t", -2, 1, 37},
      {"t", 1, 0, 38},
      {"t", 1, -2, 38},
      {"t", 1, 2, 38},
      {"t", 0, 0, 38},
      {"t", 10001, 1, 44},
      {"there", 1, 1, 36},
      {"there", 0, 7, 36},
      {"", 1, 1, 17},
      {".", 1, 1, 17},
      {"..", 1, 1, 17},
      {"a/b", 1, 1, 17},
      {"a b", 1, 1, 17},
      {too_long, 1, 1, 17},
      {"t\xc3\xa4", 1, 1, 17},
      {"a/b", 0, 0, 17},
      {"a_b", 1, 1, 17},
      {"__cluster_metadata", 1, 1, 42},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_assert_eq(error_of(&c, conn, topic_of(cases[i].name, cases[i].partitions, cases[i].factor)),
                 cases[i].error, "case %zu: %d", i, made.topics.ptr[0].error_code);
  }
  cr_assert_eq(h.counts[KOP_EFFECT_CREATE_TOPIC], 0);
  kh_stop(&h);
}

Test(create_topics, configs_are_checked_after_the_name_and_before_the_numbers) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "there", 1);
  const struct {
    const char *topic;
    const char *name;
    const char *value;
    int16_t factor;
    int16_t error;
  } cases[] = {
      {"t", "no.such.config", "1", 1, 40},       {"t", "retention.ms", "x", 1, 40},
      {"t", "retention.ms", "-2", 1, 40},        {"t", "retention.ms", NULL, 1, 40},
      {"t", "retention.ms", "", 1, 40},          {"t", "", "1", 1, 40},
      {"t", "retention.ms", "x", 7, 40},         {"there", "retention.ms", "x", 1, 36},
      {"t", "cleanup.policy", "compact", 1, 40}, {"t", "log.retention.ms", "1000", 1, 40},
      {"ok", "retention.ms", " 5000 ", 1, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    config one;
    (void)kop_struct_init(KOP_STRUCT_CREATE_TOPICS_REQUEST_CREATABLE_TOPIC_CONFIG, &one,
                          sizeof one);
    one.name = kh_text(cases[i].name);
    one.value = cases[i].value == NULL ? (kop_slice){.ptr = NULL} : kh_text(cases[i].value);
    new_topic t = topic_of(cases[i].topic, 1, cases[i].factor);
    t.configs.ptr = &one;
    t.configs.len = 1;
    cr_assert_eq(error_of(&c, conn, t), cases[i].error, "case %zu: %d", i,
                 made.topics.ptr[0].error_code);
  }
  kh_stop(&h);
}

static void compacting_store(kop_engine_config *engine) {
  engine->store |= KOP_STORE_COMPACTS_KEYS;
}

Test(create_topics, a_store_that_compacts_may_have_compacted_topics) {
  cat c;
  kh h;
  cat_start(&c, &h, compacting_store);
  config one;
  (void)kop_struct_init(KOP_STRUCT_CREATE_TOPICS_REQUEST_CREATABLE_TOPIC_CONFIG, &one, sizeof one);
  one.name = kh_text("cleanup.policy");
  one.value = kh_text("compact,delete");
  new_topic t = topic_of("t", 1, 1);
  t.configs.ptr = &one;
  t.configs.len = 1;
  cr_assert_eq(error_of(&c, kh_connect(&h), t), 0);
  kh_stop(&h);
}

Test(create_topics, manual_assignments) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kop_endpoint nodes[] = {{.node_id = KH_NODE, .host = kh_text("a"), .port = 1},
                          {.node_id = 2, .host = kh_text("b"), .port = 2}};
  kop_nodes event = {.size = sizeof event, .endpoints = nodes, .endpoints_count = 2};
  kh_push(&h, KOP_EVENT_NODES, &event, sizeof event);
  kh_conn *conn = kh_connect(&h);
  int32_t one[] = {1}, two[] = {2, 1}, unknown[] = {77}, twice[] = {1, 1};
  const struct {
    int32_t index[2];
    int32_t *nodes[2];
    int32_t nodes_len[2];
    int32_t n;
    int32_t partitions;
    int16_t factor;
    int16_t error;
  } cases[] = {
      {{0, 0}, {one, NULL}, {1, 0}, 1, 1, -1, 42},
      {{0, 0}, {one, NULL}, {1, 0}, 1, -1, 1, 42},
      {{0, 0}, {unknown, NULL}, {1, 0}, 1, -1, -1, 39},
      {{0, 0}, {twice, NULL}, {2, 0}, 1, -1, -1, 39},
      {{0, 0}, {one, NULL}, {0, 0}, 1, -1, -1, 39},
      {{1, 0}, {one, NULL}, {1, 0}, 1, -1, -1, 39},
      {{0, 0}, {one, one}, {1, 1}, 2, -1, -1, 39},
      {{0, 2}, {one, one}, {1, 1}, 2, -1, -1, 39},
      {{-1, 0}, {one, NULL}, {1, 0}, 1, -1, -1, 39},
      {{0, 1}, {one, two}, {1, 2}, 2, -1, -1, 39},
      {{1, 0}, {one, two}, {1, 1}, 2, -1, -1, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assignment a[2];
    for (int32_t k = 0; k < cases[i].n; k++) {
      (void)kop_struct_init(KOP_STRUCT_CREATE_TOPICS_REQUEST_CREATABLE_REPLICA_ASSIGNMENT, &a[k],
                            sizeof a[k]);
      a[k].partition_index = cases[i].index[k];
      a[k].broker_ids.ptr = cases[i].nodes[k];
      a[k].broker_ids.len = cases[i].nodes_len[k];
    }
    new_topic t = topic_of("t", cases[i].partitions, cases[i].factor);
    t.assignments.ptr = a;
    t.assignments.len = cases[i].n;
    cr_assert_eq(error_of(&c, conn, t), cases[i].error, "case %zu: %d", i,
                 made.topics.ptr[0].error_code);
  }
  cr_assert_eq(c.last_assigned_len, 2);
  cr_assert_eq(c.last_assigned[0], 2, "by partition, not in the order of the request");
  cr_assert_eq(c.last_assigned[1], 1);
  kh_stop(&h);
}

Test(create_topics, names_given_twice_are_answered_once) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  new_topic all[] = {topic_of("twice", 1, 1), topic_of("once", 1, 1), topic_of("twice", 2, 1)};
  create(&c, conn, 7, creation(all, 3));
  cr_assert_eq(made.topics.len, 2);
  cr_assert_str_eq(cat_text(made.topics.ptr[0].name), "twice");
  cr_assert_eq(made.topics.ptr[0].error_code, 42);
  cr_assert_eq(made.topics.ptr[1].error_code, 0);
  cr_assert_null(cat_find(&c, "twice"));
  cr_assert_not_null(cat_find(&c, "once"));
  create(&c, conn, 7, creation(NULL, 0));
  cr_assert_eq(made.topics.len, 0);
  new_topic many[] = {topic_of("x", 6000, 1), topic_of("y", 6000, 1), topic_of("a/b", 1, 1)};
  create(&c, conn, 7, creation(many, 3));
  for (int32_t i = 0; i < 3; i++)
    cr_assert_eq(made.topics.ptr[i].error_code, 44, "too many partitions fail the whole request");
  kh_stop(&h);
}

Test(create_topics, validating_changes_nothing) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  new_topic all[] = {topic_of("t", 3, 1), topic_of("u", 0, 1)};
  kop_create_topics_request q = creation(all, 2);
  q.validate_only = 1;
  create(&c, conn, 7, q);
  cr_assert_eq(made.topics.ptr[0].error_code, 0);
  cr_assert_eq(made.topics.ptr[0].num_partitions, 3);
  cr_assert_eq(made.topics.ptr[0].configs.len, 33);
  cr_assert_eq(made.topics.ptr[1].error_code, 37);
  cr_assert_eq(h.counts[KOP_EFFECT_CREATE_TOPIC], 0);
  kh_stop(&h);
}

/* Sends a request for two topics and leaves both effects held. */
static void send_two(kh *h, kh_conn *conn) {
  new_topic all[] = {topic_of("t", 1, 1), topic_of("u", 1, 1)};
  kop_create_topics_request q = creation(all, 2);
  kh_request(h, conn, KOP_MSG_CREATE_TOPICS_REQUEST, 7, &q, sizeof q);
  cr_assert_eq(h->held_len, 2);
}

Test(create_topics, every_answer_of_the_store) {
  const struct {
    int32_t outcome;
    int16_t rejection;
    int16_t error;
  } cases[] = {{KOP_REJECTED, 56, 56},
               {KOP_UNKNOWN, 0, 7},
               {KOP_CANCELLED, 0, 7},
               {KOP_UNSUPPORTED, 0, 35},
               {KOP_NOT_FOUND, 0, 3}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cat c;
    kh h;
    cat_start(&c, &h, NULL);
    kh_conn *conn = kh_connect(&h);
    send_two(&h, conn);
    kh_answer(&h, 1, cases[i].outcome, cases[i].rejection);
    cr_assert(!kh_receive(&h, conn, KOP_MSG_CREATE_TOPICS_RESPONSE, 7, &made, sizeof made));
    cat_settle(&c);
    cr_assert(kh_receive(&h, conn, KOP_MSG_CREATE_TOPICS_RESPONSE, 7, &made, sizeof made));
    cr_assert_eq(made.topics.ptr[0].error_code, 0);
    cr_assert_eq(made.topics.ptr[1].error_code, cases[i].error, "case %zu", i);
    kh_stop(&h);
  }
}

Test(create_topics, a_slow_store_times_out) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  send_two(&h, conn);
  kh_advance(&h, 4999);
  cr_assert(!kh_receive(&h, conn, KOP_MSG_CREATE_TOPICS_RESPONSE, 7, &made, sizeof made));
  kh_answer(&h, 0, KOP_REJECTED, 56);
  kh_advance(&h, 1);
  cr_assert(kh_receive(&h, conn, KOP_MSG_CREATE_TOPICS_RESPONSE, 7, &made, sizeof made));
  cr_assert_eq(made.topics.ptr[0].error_code, 56, "what was answered is told");
  cr_assert_eq(made.topics.ptr[1].error_code, 7);
  cat_settle(&c); /* the late answer */
  cr_assert_not_null(cat_find(&c, "u"));
  cr_assert(!kh_receive(&h, conn, KOP_MSG_CREATE_TOPICS_RESPONSE, 7, &made, sizeof made));
  /* A time-out of nothing does not even begin. */
  new_topic all[] = {topic_of("v", 1, 1), topic_of("v", 1, 1), topic_of("a/b", 1, 1)};
  kop_create_topics_request q = creation(all, 3);
  for (int32_t ms = 0; ms >= -1; ms--) {
    q.timeout_ms = ms;
    create(&c, conn, 7, q);
    cr_assert_eq(made.topics.len, 3);
    for (int32_t i = 0; i < 3; i++)
      cr_assert_eq(made.topics.ptr[i].error_code, 7);
  }
  cr_assert_null(cat_find(&c, "v"));
  kh_stop(&h);
}

Test(create_topics, the_connection_may_go_meanwhile) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  send_two(&h, conn);
  kh_disconnect(&h, conn);
  cat_settle(&c);
  cr_assert_not_null(cat_find(&c, "t"));
  cr_assert_not_null(cat_find(&c, "u"));
  kh_stop(&h);
}

/* ---- DeleteTopics ---- */

typedef kop_delete_topics_request_state doomed;

static kop_delete_topics_response gone;

static doomed state_of(const char *name, uint8_t number) {
  doomed d;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_DELETE_TOPICS_REQUEST_STATE, &d, sizeof d), KOP_OK);
  d.name = name == NULL ? (kop_slice){.ptr = NULL} : kh_text(name);
  d.topic_id.bytes[0] = number;
  return d;
}

static kop_delete_topics_request deletion(int32_t timeout_ms) {
  kop_delete_topics_request q;
  cr_assert_eq(kop_message_init(KOP_MSG_DELETE_TOPICS_REQUEST, &q, sizeof q), KOP_OK);
  q.timeout_ms = timeout_ms;
  return q;
}

static void delete_states(cat *c, kh_conn *conn, doomed *all, int32_t n) {
  kop_delete_topics_request q = deletion(5000);
  q.topics.ptr = all;
  q.topics.len = n;
  cat_call(c, conn, KOP_MSG_DELETE_TOPICS_REQUEST, 6, &q, sizeof q, &gone, sizeof gone);
}

static void delete_names(cat *c, kh_conn *conn, int16_t version, int32_t timeout_ms, kop_slice *all,
                         int32_t n) {
  kop_delete_topics_request q = deletion(timeout_ms);
  q.topic_names.ptr = all;
  q.topic_names.len = n;
  cat_call(c, conn, KOP_MSG_DELETE_TOPICS_REQUEST, version, &q, sizeof q, &gone, sizeof gone);
}

Test(delete_topics, by_name_in_every_version) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  for (int16_t v = 0; v <= 5; v++) {
    cat_add(&c, "t", 1);
    cat_add(&c, "u", 1);
    kop_slice names[] = {kh_text("t"), kh_text("none"), kh_text("u"), kh_text("u")};
    delete_names(&c, conn, v, 5000, names, 4);
    cr_assert_eq(gone.responses.len, 3);
    cr_assert_eq(gone.responses.ptr[0].error_code, 0);
    cr_assert_str_eq(cat_text(gone.responses.ptr[0].name), "t");
    cr_assert_eq(gone.responses.ptr[1].error_code, 3);
    cr_assert_eq(gone.responses.ptr[2].error_code, 42);
    cr_assert_null(cat_find(&c, "t"));
    cr_assert_not_null(cat_find(&c, "u"), "named twice: not deleted");
    delete_names(&c, conn, v, 0, names + 2, 1);
    cr_assert_eq(gone.responses.ptr[0].error_code, 7);
    delete_names(&c, conn, v, 5000, names + 2, 1);
    cr_assert_eq(gone.responses.ptr[0].error_code, 0);
  }
  kh_stop(&h);
}

Test(delete_topics, by_state) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 1);
  cat_add(&c, "u", 1);
  cat_add(&c, "v", 1);
  const struct {
    doomed all[2];
    int32_t n;
    int16_t error;
  } refused[] = {
      {{state_of("v", 3)}, 1, 42},
      {{state_of(NULL, 0)}, 1, 42},
      {{state_of("none", 0)}, 1, 3},
      {{state_of(NULL, 99)}, 1, 100},
      {{state_of("v", 0), state_of("v", 0)}, 2, 42},
      {{state_of(NULL, 3), state_of(NULL, 3)}, 2, 42},
      {{state_of(NULL, 3), state_of("v", 0)}, 2, 42},
      {{state_of(NULL, 98), state_of(NULL, 98)}, 2, 42},
  };
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    doomed all[2] = {refused[i].all[0], refused[i].all[1]};
    delete_states(&c, conn, all, refused[i].n);
    cr_assert_eq(gone.responses.len, 1, "case %zu", i);
    cr_assert_eq(gone.responses.ptr[0].error_code, refused[i].error, "case %zu", i);
    cr_assert_not_null(gone.responses.ptr[0].error_message.ptr);
  }
  doomed mixed[] = {state_of("v", 0), state_of(NULL, 3)};
  delete_states(&c, conn, mixed, 2);
  cr_assert_eq(gone.responses.ptr[0].topic_id.bytes[0], 3, "answered with all that was given");
  cr_assert_str_eq(cat_text(gone.responses.ptr[0].name), "v");
  cr_assert_not_null(cat_find(&c, "v"));
  doomed good[] = {state_of("t", 0), state_of(NULL, 2)};
  delete_states(&c, conn, good, 2);
  for (int32_t i = 0; i < 2; i++) {
    cr_assert_eq(gone.responses.ptr[i].error_code, 0);
    cr_assert_eq(gone.responses.ptr[i].topic_id.bytes[0], i + 1, "name and id are both told");
    cr_assert_str_eq(cat_text(gone.responses.ptr[i].name), i == 0 ? "t" : "u");
    cr_assert_null(gone.responses.ptr[i].error_message.ptr);
  }
  kh_stop(&h);
}

static void no_deletion(kop_engine_config *engine) {
  static kop_config_entry off;
  off = (kop_config_entry){kh_text("delete.topic.enable"), kh_text("false")};
  engine->broker_configs = &off;
  engine->broker_configs_count = 1;
}

Test(delete_topics, can_be_switched_off) {
  cat c;
  kh h;
  cat_start(&c, &h, no_deletion);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 1);
  kop_slice names[] = {kh_text("t"), kh_text("none")};
  delete_names(&c, conn, 2, 5000, names, 2);
  cr_assert_eq(gone.responses.ptr[0].error_code, 42);
  delete_names(&c, conn, 5, 5000, names, 2);
  cr_assert_eq(gone.responses.ptr[0].error_code, 73);
  cr_assert_eq(gone.responses.ptr[1].error_code, 73);
  cr_assert_not_null(cat_find(&c, "t"));
  kh_stop(&h);
}

Test(delete_topics, slow_and_failing_stores) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 1);
  cat_add(&c, "u", 1);
  doomed all[] = {state_of("t", 0), state_of("u", 0)};
  kop_delete_topics_request q = deletion(1000);
  q.topics.ptr = all;
  q.topics.len = 2;
  kh_request(&h, conn, KOP_MSG_DELETE_TOPICS_REQUEST, 6, &q, sizeof q);
  kh_answer(&h, 0, KOP_REJECTED, 56);
  kh_advance(&h, 1000);
  cr_assert(kh_receive(&h, conn, KOP_MSG_DELETE_TOPICS_RESPONSE, 6, &gone, sizeof gone));
  cr_assert_eq(gone.responses.ptr[0].error_code, 56);
  cr_assert_eq(gone.responses.ptr[1].error_code, 7);
  kh_disconnect(&h, conn);
  cat_settle(&c);
  cr_assert_null(cat_find(&c, "u"));
  kh_stop(&h);
}

/* ---- CreatePartitions ---- */

typedef kop_create_partitions_request_topic grown;

static kop_create_partitions_response more;

static grown growth(const char *name, int32_t count) {
  grown g;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_CREATE_PARTITIONS_REQUEST_TOPIC, &g, sizeof g), KOP_OK);
  g.name = kh_text(name);
  g.count = count;
  g.assignments.len = -1;
  return g;
}

static void grow(cat *c, kh_conn *conn, int16_t version, grown *all, int32_t n, int32_t timeout_ms,
                 uint8_t validate_only) {
  kop_create_partitions_request q;
  cr_assert_eq(kop_message_init(KOP_MSG_CREATE_PARTITIONS_REQUEST, &q, sizeof q), KOP_OK);
  q.topics.ptr = all;
  q.topics.len = n;
  q.timeout_ms = timeout_ms;
  q.validate_only = validate_only;
  cat_call(c, conn, KOP_MSG_CREATE_PARTITIONS_REQUEST, version, &q, sizeof q, &more, sizeof more);
}

Test(create_partitions, every_version_and_every_refusal) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_topic *t = cat_add(&c, "t", 2);
  cat_add(&c, "u", 1);
  for (int16_t v = 0; v <= 3; v++) {
    const struct {
      const char *name;
      int32_t count;
      int16_t error;
    } cases[] = {{"t", (int32_t)t->partitions, 37},
                 {"t", 1, 37},
                 {"t", 0, 37},
                 {"t", -1, 37},
                 {"none", 4, 3},
                 {"", 4, 3},
                 {"t", 1000000, 44}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
      grown g = growth(cases[i].name, cases[i].count);
      grow(&c, conn, v, &g, 1, 5000, 0);
      cr_assert_eq(more.results.ptr[0].error_code, cases[i].error, "version %d case %zu", v, i);
    }
    grown twice[] = {growth("u", 4), growth("t", (int32_t)t->partitions + 1), growth("u", 3)};
    grow(&c, conn, v, twice, 3, 5000, 1);
    cr_assert_eq(more.results.len, 2);
    cr_assert_eq(more.results.ptr[0].error_code, 42);
    cr_assert_eq(more.results.ptr[1].error_code, 0, "validated only");
    uint32_t before = t->partitions;
    grow(&c, conn, v, &twice[1], 1, 0, 0);
    cr_assert_eq(more.results.ptr[0].error_code, 7);
    cr_assert_eq(t->partitions, before);
    grow(&c, conn, v, &twice[1], 1, 5000, 0);
    cr_assert_eq(more.results.ptr[0].error_code, 0);
    cr_assert_null(more.results.ptr[0].error_message.ptr);
    cr_assert_eq(t->partitions, before + 1);
  }
  kh_stop(&h);
}

Test(create_partitions, assignments) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 1);
  int32_t one[] = {KH_NODE}, unknown[] = {77}, twice[] = {KH_NODE, KH_NODE};
  const struct {
    int32_t *nodes[3];
    int32_t nodes_len[3];
    int32_t n;
    int16_t error;
  } cases[] = {
      {{unknown, one, NULL}, {1, 1, 0}, 2, 39}, {{twice, one, NULL}, {2, 1, 0}, 2, 39},
      {{one, one, NULL}, {1, 0, 0}, 2, 39},     {{one, NULL, NULL}, {1, 0, 0}, 1, 39},
      {{one, one, one}, {1, 1, 1}, 3, 39},      {{NULL, NULL, NULL}, {0, 0, 0}, 0, 39},
      {{one, one, NULL}, {1, 1, 0}, 2, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kop_create_partitions_request_assignment a[3];
    for (int32_t k = 0; k < cases[i].n; k++) {
      (void)kop_struct_init(KOP_STRUCT_CREATE_PARTITIONS_REQUEST_ASSIGNMENT, &a[k], sizeof a[k]);
      a[k].broker_ids.ptr = cases[i].nodes[k];
      a[k].broker_ids.len = cases[i].nodes_len[k];
    }
    grown g = growth("t", 3);
    g.assignments.ptr = a;
    g.assignments.len = cases[i].n;
    grow(&c, conn, 3, &g, 1, 5000, 0);
    cr_assert_eq(more.results.ptr[0].error_code, cases[i].error, "case %zu", i);
  }
  cr_assert_eq(c.last_assigned_len, 2);
  cr_assert_eq(c.last_assigned[1], KH_NODE);
  kh_stop(&h);
}

Test(create_partitions, slow_and_failing_stores) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 1);
  cat_add(&c, "u", 1);
  grown all[] = {growth("t", 2), growth("u", 2)};
  kop_create_partitions_request q;
  (void)kop_message_init(KOP_MSG_CREATE_PARTITIONS_REQUEST, &q, sizeof q);
  q.topics.ptr = all;
  q.topics.len = 2;
  q.timeout_ms = 1000;
  kh_request(&h, conn, KOP_MSG_CREATE_PARTITIONS_REQUEST, 3, &q, sizeof q);
  kh_answer(&h, 0, KOP_REJECTED, 44);
  kh_advance(&h, 1000);
  cr_assert(kh_receive(&h, conn, KOP_MSG_CREATE_PARTITIONS_RESPONSE, 3, &more, sizeof more));
  cr_assert_eq(more.results.ptr[0].error_code, 44);
  cr_assert_eq(more.results.ptr[1].error_code, 7);
  cat_settle(&c);
  kh_stop(&h);
}
