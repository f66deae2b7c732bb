/* max_partitions: what is there and what is on its way count together, whichever way a partition comes into being. */
#include "catalogue.h"

#include <stdio.h>

enum { MOST = 3 };

static kop_create_topics_response made;
static kop_create_partitions_response grown;
static kop_metadata_response told;

static void small(kop_engine_config *config) {
  config->max_partitions = MOST;
}

typedef struct creation {
  kop_create_topics_request q;
  kop_create_topics_request_creatable_topic topics[6];
} creation;

/* A request for n topics of so many partitions each, named by one letter from `first` on. */
static void fill(creation *r, char first, int32_t n, int32_t partitions) {
  static char names[26][2];
  (void)kop_message_init(KOP_MSG_CREATE_TOPICS_REQUEST, &r->q, sizeof r->q);
  for (int32_t i = 0; i < n; i++) {
    kop_create_topics_request_creatable_topic *t = &r->topics[i];
    (void)kop_struct_init(KOP_STRUCT_CREATE_TOPICS_REQUEST_CREATABLE_TOPIC, t, sizeof *t);
    char *name = names[first - 'a' + i];
    name[0] = (char)(first + i);
    t->name = kh_text(name);
    t->num_partitions = partitions;
    t->replication_factor = 1;
  }
  r->q.topics.ptr = r->topics;
  r->q.topics.len = n;
  r->q.timeout_ms = 5000;
}

static void send(kh *h, kh_conn *conn, const creation *r) {
  kh_request(h, conn, KOP_MSG_CREATE_TOPICS_REQUEST, 7, &r->q, sizeof r->q);
}

static bool receive(kh *h, kh_conn *conn) {
  return kh_receive(h, conn, KOP_MSG_CREATE_TOPICS_RESPONSE, 7, &made, sizeof made);
}

/* The error of creating topics at once, the first that there is. */
static int16_t create(cat *c, kh_conn *conn, char first, int32_t n, int32_t partitions) {
  creation r;
  fill(&r, first, n, partitions);
  send(c->h, conn, &r);
  cat_settle(c);
  cr_assert(receive(c->h, conn));
  for (int32_t i = 0; i < n; i++) {
    if (made.topics.ptr[i].error_code != 0) return made.topics.ptr[i].error_code;
  }
  return 0;
}

static uint64_t partitions_of(const kh *h) {
  kop_engine_stats stats = {.size = sizeof stats};
  kop_engine_stats_get(h->e, &stats, sizeof stats);
  return stats.partitions;
}

Test(max_partitions, topics_of_one_request_are_counted_together) {
  cat c;
  kh h;
  cat_start(&c, &h, small);
  kh_conn *conn = kh_connect(&h);
  creation r;
  fill(&r, 'a', 5, 1);
  send(&h, conn, &r);
  cat_settle(&c);
  cr_assert(receive(&h, conn));
  cr_assert_eq(made.topics.len, 5);
  for (int32_t i = 0; i < 5; i++) {
    const kop_create_topics_response_creatable_topic_result *t = &made.topics.ptr[i];
    cr_assert_eq(t->error_code, i < MOST ? 0 : KOP_KAFKA_POLICY_VIOLATION, "topic %d", i);
    cr_assert_eq(t->error_message.ptr != NULL, i >= MOST, "topic %d", i);
    cr_assert_eq(t->num_partitions, i < MOST ? 1 : -1);
    cr_assert_eq(cat_find(&c, cat_text(t->name)) != NULL, i < MOST, "topic %d", i);
  }
  cr_assert_eq(h.counts[KOP_EFFECT_CREATE_TOPIC], MOST);
  cr_assert_eq(partitions_of(&h), MOST);
  kh_stop(&h);
}

Test(max_partitions, one_topic_may_have_all_and_none_may_have_more) {
  for (int32_t n = MOST; n <= MOST + 1; n++) {
    cat c;
    kh h;
    cat_start(&c, &h, small);
    kh_conn *conn = kh_connect(&h);
    cr_assert_eq(create(&c, conn, 'a', 1, n), n == MOST ? 0 : KOP_KAFKA_POLICY_VIOLATION);
    cr_assert_eq(create(&c, conn, 'b', 1, 1), n == MOST ? KOP_KAFKA_POLICY_VIOLATION : 0);
    kh_stop(&h);
  }
}

Test(max_partitions, what_validating_says_is_what_creating_does) {
  cat c;
  kh h;
  cat_start(&c, &h, small);
  kh_conn *conn = kh_connect(&h);
  creation r;
  for (int i = 0; i < 2; i++) { /* nothing of the first round is left in the second */
    fill(&r, 'a', 2, 2);
    r.q.validate_only = 1;
    send(&h, conn, &r);
    cr_assert(receive(&h, conn));
    cr_assert_eq(made.topics.ptr[0].error_code, 0);
    cr_assert_eq(made.topics.ptr[1].error_code, KOP_KAFKA_POLICY_VIOLATION);
  }
  cr_assert_eq(create(&c, conn, 'c', 1, MOST), 0);
  kh_stop(&h);
}

Test(max_partitions, what_is_on_its_way_counts_until_the_store_has_answered) {
  const int32_t outcomes[] = {KOP_REJECTED, KOP_UNKNOWN, KOP_CANCELLED, KOP_NOT_FOUND,
                              KOP_UNSUPPORTED};
  for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
    cat c;
    kh h;
    cat_start(&c, &h, small);
    kh_conn *first = kh_connect(&h), *second = kh_connect(&h);
    creation r;
    fill(&r, 'a', 1, 2);
    send(&h, first, &r);
    fill(&r, 'b', 1, 2);
    send(&h, second, &r);
    cr_assert(receive(&h, second));
    cr_assert_eq(made.topics.ptr[0].error_code, KOP_KAFKA_POLICY_VIOLATION);
    kh_advance(&h, 5000); /* the request's time is over, the store's is not */
    cr_assert(receive(&h, first));
    cr_assert_eq(made.topics.ptr[0].error_code, KOP_KAFKA_REQUEST_TIMED_OUT);
    send(&h, second, &r);
    cr_assert(receive(&h, second));
    cr_assert_eq(made.topics.ptr[0].error_code, KOP_KAFKA_POLICY_VIOLATION);
    kh_answer(&h, 0, outcomes[i], outcomes[i] == KOP_REJECTED ? 56 : 0);
    cr_assert_eq(create(&c, second, 'b', 1, 2), 0, "outcome %d", outcomes[i]);
    cr_assert_eq(partitions_of(&h), 2);
    kh_stop(&h);
  }
}

/* Pushes the topic of a held CREATE_TOPIC, and leaves the effect without an answer. */
static void push_topic(kh *h, const char *name, uint8_t number, uint32_t partitions) {
  (void)kh_topic(h, name, number, partitions);
}

Test(max_partitions, between_the_event_and_the_answer_nothing_counts_twice) {
  cat c;
  kh h;
  cat_start(&c, &h, small);
  kh_conn *first = kh_connect(&h), *second = kh_connect(&h);
  creation r;
  fill(&r, 'a', 1, 2);
  send(&h, first, &r);
  push_topic(&h, "a", 20, 2);
  fill(&r, 'b', 1, 2);
  send(&h, second, &r);
  cr_assert(receive(&h, second));
  cr_assert_eq(made.topics.ptr[0].error_code, KOP_KAFKA_POLICY_VIOLATION);
  fill(&r, 'b', 1, 1);
  send(&h, second, &r);
  cr_assert_eq(h.held_len, 2);
  kop_completion done = {.token = h.held[0].token, .outcome = KOP_DONE};
  cr_assert_eq(kop_engine_complete(h.e, &done, sizeof done, 1, h.now), KOP_OK);
  kh_run(&h);
  cr_assert(receive(&h, first));
  cr_assert_eq(made.topics.ptr[0].error_code, 0);
  cr_assert_eq(made.topics.ptr[0].num_partitions, 2);
  kh_stop(&h); /* with one on its way */
}

Test(max_partitions, two_that_create_one_topic_need_its_room_once) {
  cat c;
  kh h;
  cat_start(&c, &h, small);
  kh_conn *first = kh_connect(&h), *second = kh_connect(&h);
  creation r;
  fill(&r, 'a', 1, MOST);
  send(&h, first, &r);
  send(&h, second, &r);
  cr_assert_eq(h.held_len, 2);
  kh_answer(&h, 1, KOP_REJECTED, KOP_KAFKA_TOPIC_ALREADY_EXISTS);
  cr_assert(receive(&h, second));
  cr_assert_eq(made.topics.ptr[0].error_code, KOP_KAFKA_TOPIC_ALREADY_EXISTS);
  cr_assert_eq(create(&c, second, 'b', 1, 1), KOP_KAFKA_POLICY_VIOLATION);
  cr_assert(receive(&h, first)); /* settled by the call above */
  cr_assert_eq(made.topics.ptr[0].error_code, 0);
  kh_stop(&h);
}

/* A store that says done and has not pushed, or whose event was refused. */
Test(max_partitions, no_success_for_what_was_not_pushed) {
  cat c;
  kh h;
  cat_start(&c, &h, small);
  kh_conn *conn = kh_connect(&h);
  creation r;
  fill(&r, 'a', 1, 1);
  send(&h, conn, &r);
  kop_completion done = {.token = h.held[0].token, .outcome = KOP_DONE};
  h.held_len = 0;
  cr_assert_eq(kop_engine_complete(h.e, &done, sizeof done, 1, h.now), KOP_OK);
  kh_run(&h);
  cr_assert(receive(&h, conn));
  cr_assert_eq(made.topics.ptr[0].error_code, KOP_KAFKA_UNKNOWN_SERVER_ERROR);
  cr_assert_eq(h.logged, 1);
  cr_assert_eq(create(&c, conn, 'b', 1, MOST), 0, "and its room is free again");
  kh_stop(&h);
}

Test(max_partitions, an_event_beyond_it_changes_nothing) {
  kh h;
  kh_start(&h, small);
  (void)kh_topic(&h, "a", 1, 2);
  kop_topic_partition parts[] = {{.id = 1001, .leader = KH_NODE, .leader_epoch = -1},
                                 {.id = 1002, .leader = KH_NODE, .leader_epoch = -1},
                                 {.id = 1003, .leader = KH_NODE, .leader_epoch = -1},
                                 {.id = 1004, .leader = KH_NODE, .leader_epoch = -1}};
  kop_topic topic = {.size = sizeof topic, .name = kh_text("a"), .id = {{1}}, .partitions = parts};
  kop_event event = {
      .size = sizeof event, .kind = KOP_EVENT_TOPIC, .body = &topic, .body_size = sizeof topic};
  topic.partitions_count = 4;
  cr_assert_eq(kop_engine_push(h.e, &event, h.now), KOP_ERR_LIMIT);
  cr_assert_eq(partitions_of(&h), 2);
  for (size_t i = 0; i < 2; i++)
    parts[i].id = 2001 + i;
  topic.name = kh_text("b");
  topic.id.bytes[0] = 2;
  topic.partitions_count = 2;
  cr_assert_eq(kop_engine_push(h.e, &event, h.now), KOP_ERR_LIMIT);
  cr_assert_eq(partitions_of(&h), 2);
  topic.partitions_count = 1;
  cr_assert_eq(kop_engine_push(h.e, &event, h.now), KOP_OK);
  cr_assert_eq(partitions_of(&h), 3);
  kh_stop(&h);
}

/* ---- CreatePartitions ---- */

static void send_growth(kh *h, kh_conn *conn, const char *const *names, int32_t n, int32_t count,
                        bool validate) {
  kop_create_partitions_request q;
  kop_create_partitions_request_topic topics[4];
  (void)kop_message_init(KOP_MSG_CREATE_PARTITIONS_REQUEST, &q, sizeof q);
  for (int32_t i = 0; i < n; i++) {
    (void)kop_struct_init(KOP_STRUCT_CREATE_PARTITIONS_REQUEST_TOPIC, &topics[i], sizeof topics[i]);
    topics[i].name = kh_text(names[i]);
    topics[i].count = count;
    topics[i].assignments.len = -1;
  }
  q.topics.ptr = topics;
  q.topics.len = n;
  q.timeout_ms = 5000;
  q.validate_only = validate;
  kh_request(h, conn, KOP_MSG_CREATE_PARTITIONS_REQUEST, 3, &q, sizeof q);
}

static bool receive_growth(kh *h, kh_conn *conn) {
  return kh_receive(h, conn, KOP_MSG_CREATE_PARTITIONS_RESPONSE, 3, &grown, sizeof grown);
}

Test(max_partitions, topics_that_grow_are_counted_together) {
  static const char *const names[] = {"a", "b"};
  cat c;
  kh h;
  cat_start(&c, &h, small);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "a", 1);
  cat_add(&c, "b", 1);
  for (int validate = 1; validate >= 0; validate--) {
    const char *const last_first[] = {names[1], names[0]};
    if (validate != 0) { /* of which nothing is left */
      send_growth(&h, conn, last_first, 2, 2, true);
      cr_assert(receive_growth(&h, conn));
    }
    send_growth(&h, conn, names, 2, 2, validate != 0);
    cat_settle(&c);
    cr_assert(receive_growth(&h, conn));
    cr_assert_eq(grown.results.ptr[0].error_code, 0);
    cr_assert_eq(grown.results.ptr[1].error_code, KOP_KAFKA_POLICY_VIOLATION);
    cr_assert_not_null(grown.results.ptr[1].error_message.ptr);
  }
  cr_assert_eq(cat_find(&c, "a")->partitions, 2);
  cr_assert_eq(cat_find(&c, "b")->partitions, 1);
  cr_assert_eq(h.counts[KOP_EFFECT_CREATE_PARTITIONS], 1);
  kh_stop(&h);
}

Test(max_partitions, a_topic_that_grows_counts_beside_one_that_is_created) {
  static const char *const names[] = {"t"};
  cat c;
  kh h;
  cat_start(&c, &h, small);
  kh_conn *first = kh_connect(&h), *second = kh_connect(&h);
  cat_add(&c, "t", 1);
  send_growth(&h, first, names, 1, 3, false);
  creation r;
  fill(&r, 'a', 1, 1);
  send(&h, second, &r);
  cr_assert(receive(&h, second));
  cr_assert_eq(made.topics.ptr[0].error_code, KOP_KAFKA_POLICY_VIOLATION);
  kh_answer(&h, 0, KOP_UNKNOWN, 0);
  cr_assert(receive_growth(&h, first));
  cr_assert_eq(grown.results.ptr[0].error_code, KOP_KAFKA_REQUEST_TIMED_OUT);
  send(&h, second, &r); /* held */
  send_growth(&h, first, names, 1, 3, false);
  cr_assert(receive_growth(&h, first));
  cr_assert_eq(grown.results.ptr[0].error_code, KOP_KAFKA_POLICY_VIOLATION);
  send_growth(&h, first, names, 1, 2, false);
  kop_completion done = {.token = h.held[1].token, .outcome = KOP_DONE};
  h.held_len = 1;
  cr_assert_eq(kop_engine_complete(h.e, &done, sizeof done, 1, h.now), KOP_OK);
  kh_run(&h);
  cr_assert(receive_growth(&h, first));
  cr_assert_eq(grown.results.ptr[0].error_code, KOP_KAFKA_UNKNOWN_SERVER_ERROR, "not pushed");
  cat_settle(&c);
  cr_assert(receive(&h, second));
  cr_assert_eq(made.topics.ptr[0].error_code, 0);
  kh_stop(&h);
}

/* ---- Metadata ---- */

static void ask(kh *h, kh_conn *conn, char first, int32_t n) {
  static char names[26][2];
  kop_metadata_request q;
  kop_metadata_request_topic topics[6];
  (void)kop_message_init(KOP_MSG_METADATA_REQUEST, &q, sizeof q);
  for (int32_t i = 0; i < n; i++) {
    (void)kop_struct_init(KOP_STRUCT_METADATA_REQUEST_TOPIC, &topics[i], sizeof topics[i]);
    char *name = names[first - 'a' + i];
    name[0] = (char)(first + i);
    topics[i].name = kh_text(name);
  }
  q.topics.ptr = topics;
  q.topics.len = n;
  q.allow_auto_topic_creation = 1;
  kh_request(h, conn, KOP_MSG_METADATA_REQUEST, 12, &q, sizeof q);
  while (kh_find_held(h, KOP_EFFECT_LOOKUP_TOPIC) >= 0)
    kh_answer(h, (size_t)kh_find_held(h, KOP_EFFECT_LOOKUP_TOPIC), KOP_NOT_FOUND, 0);
  cr_assert(kh_receive(h, conn, KOP_MSG_METADATA_RESPONSE, 12, &told, sizeof told));
}

Test(max_partitions, topics_created_on_first_use_are_counted) {
  cat c;
  kh h;
  cat_start(&c, &h, small);
  kh_conn *conn = kh_connect(&h);
  for (int round = 0; round < 3; round++) { /* on their way, on their way still, there */
    ask(&h, conn, 'a', 5);
    for (int32_t i = 0; i < 5; i++) {
      cr_assert_eq(told.topics.ptr[i].error_code,
                   round == 2 && i < MOST ? 0 : KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    }
    cr_assert_eq(h.counts[KOP_EFFECT_CREATE_TOPIC], MOST);
    cr_assert_eq(h.logged, 1, "said once, however often clients ask");
    if (round == 1) cat_settle(&c);
  }
  cr_assert_not_null(strstr(h.last_log, "topic d "));
  cr_assert_eq(create(&c, conn, 'z', 1, 1), KOP_KAFKA_POLICY_VIOLATION);
  kh_topic_gone(&h, cat_find(&c, "b")->number);
  ask(&h, conn, 'd', 2);
  cat_settle(&c);
  cr_assert_not_null(cat_find(&c, "d"));
  cr_assert_null(cat_find(&c, "e"));
  cr_assert_eq(h.logged, 2, "and again when it was possible meanwhile");
  kh_stop(&h);
}

Test(max_partitions, a_creation_on_first_use_that_fails_gives_its_room_back) {
  cat c;
  kh h;
  cat_start(&c, &h, small);
  kh_conn *conn = kh_connect(&h);
  ask(&h, conn, 'a', MOST);
  for (int i = 0; i < MOST; i++)
    kh_answer(&h, 0, KOP_REJECTED, KOP_KAFKA_KAFKA_STORAGE_ERROR);
  cr_assert_eq(create(&c, conn, 'x', 1, MOST), 0);
  kh_stop(&h);
}
