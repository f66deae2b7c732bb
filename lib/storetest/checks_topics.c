/* Topics: made, found, grown, configured, deleted, and pushed before that is said. */
#include "storetest/harness.h"

#include <string.h>

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

static void create_pushes_first(st *t) {
  static const kop_uuid zero;
  st_topic *topic = st_topic_make(t, 3);
  if (topic == NULL) return;
  st_expect_i64(t, topic->partitions_count, 3, "the number of partitions");
  st_expect(t, memcmp(&topic->id, &zero, sizeof zero) != 0, "the topic id is zero");
  for (uint32_t i = 0; i < 3; i++) {
    st_expect(t, topic->partitions[i].id != 0, "a partition id is 0");
    st_expect_i64(t, topic->partitions[i].leader, t->store->node_id, "the leader");
    for (uint32_t j = 0; j < i; j++)
      st_expect(t, topic->partitions[i].id != topic->partitions[j].id,
                "two partitions have the same id");
  }
}

static void create_keeps_configs(st *t) {
  char name[ST_NAME];
  kop_config_entry config = {text("retention.ms"), text("86400000")};
  st_answer *a = st_topic_create(t, st_topic_name(t, name), 1, &config, 1);
  if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of CREATE_TOPIC")) return;
  const st_topic *topic = st_topic_find(t, name);
  if (!st_expect(t, topic != NULL, "the topic was not pushed")) return;
  st_expect_i64(t, topic->configs_count, 1, "the number of configs");
  st_expect(t, strcmp(topic->retention_ms, "86400000") == 0, "retention.ms is not what was set");
}

static void create_refuses_a_name_twice(st *t) {
  const st_topic *topic = st_topic_make(t, 1);
  if (topic == NULL) return;
  st_answer *a = st_topic_create(t, topic->name, 1, NULL, 0);
  st_expect_i64(t, a->outcome, KOP_REJECTED, "the outcome of a second CREATE_TOPIC");
  st_expect_i64(t, a->error, ST_TOPIC_ALREADY_EXISTS, "its Kafka error");
}

static st_answer *lookup(st *t, kop_slice name, const kop_uuid *id) {
  kop_topic_ref body = {.size = sizeof body, .name = name};
  if (id != NULL) body.id = *id;
  return st_await(t, st_submit(t, KOP_EFFECT_LOOKUP_TOPIC, 0, 0, &body, sizeof body));
}

static void lookup_finds_by_name_and_id(st *t) {
  st_topic *topic = st_topic_make(t, 1);
  if (topic == NULL) return;
  uint32_t seen = topic->seen;
  st_answer *a = lookup(t, text(topic->name), NULL);
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of LOOKUP_TOPIC by name");
  st_expect(t, topic->seen > seen, "LOOKUP_TOPIC was answered before the topic was pushed");
  a = lookup(t, (kop_slice){0}, &topic->id);
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of LOOKUP_TOPIC by id");
  a = lookup(t, text("kop-store-test-none"), NULL);
  st_expect_i64(t, a->outcome, KOP_NOT_FOUND, "the outcome of LOOKUP_TOPIC of no topic");
}

static void partitions_are_added(st *t) {
  st_topic *topic = st_topic_make(t, 2);
  if (topic == NULL) return;
  uint64_t first = topic->partitions[0].id, second = topic->partitions[1].id;
  int32_t assigned[2] = {t->store->node_id, t->store->node_id};
  kop_create_partitions body = {.size = sizeof body,
                                .partitions = 4,
                                .name = text(topic->name),
                                .id = topic->id,
                                .assigned = assigned,
                                .assigned_count = 2};
  st_answer *a = st_await(t, st_submit(t, KOP_EFFECT_CREATE_PARTITIONS, 0, 0, &body, sizeof body));
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of CREATE_PARTITIONS");
  st_expect_i64(t, topic->partitions_count, 4, "the number of partitions pushed");
  st_expect(t, topic->partitions[0].id == first && topic->partitions[1].id == second,
            "the old partitions have other ids");
  st_expect(t, topic->partitions[2].id != 0 && topic->partitions[2].id != topic->partitions[3].id,
            "the new partitions have no ids of their own");
  st_answer *b = st_acquire(t, topic->partitions[3].id);
  st_expect_i64(t, b->outcome, KOP_DONE, "the outcome of ACQUIRE of a new partition");
}

static st_answer *alter(st *t, const st_topic *topic, const char *value) {
  kop_config_entry entry = {text("retention.ms"), {0}};
  if (value != NULL) entry.value = text(value);
  kop_alter_configs body = {.size = sizeof body,
                            .entries_count = 1,
                            .name = text(topic->name),
                            .id = topic->id,
                            .entries = &entry};
  return st_await(t, st_submit(t, KOP_EFFECT_ALTER_CONFIGS, 0, 0, &body, sizeof body));
}

static void configs_are_set_and_taken_away(st *t) {
  st_topic *topic = st_topic_make(t, 1);
  if (topic == NULL) return;
  st_answer *a = alter(t, topic, "12345678");
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of ALTER_CONFIGS");
  st_expect(t, strcmp(topic->retention_ms, "12345678") == 0, "retention.ms was not pushed");
  a = alter(t, topic, NULL);
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of ALTER_CONFIGS");
  st_expect_i64(t, topic->configs_count, 0, "the number of configs after taking one away");
}

static void deleted_topics_are_gone(st *t) {
  char name[ST_NAME];
  int32_t epoch = 0;
  uint64_t id = st_partition_make(t, name, &epoch);
  if (id == 0) return;
  st_append_one(t, id, epoch, 200, 1, 1, 1);
  st_topic *topic = st_topic_find(t, name);
  kop_uuid old = topic->id;
  st_answer *a = st_topic_delete(t, name);
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of DELETE_TOPIC");
  st_expect_i64(t, topic->gone, 1, "how often the topic was pushed as gone");
  a = st_topic_delete(t, name);
  st_expect_i64(t, a->outcome, KOP_NOT_FOUND, "the outcome of a second DELETE_TOPIC");
  a = st_append_one(t, id, epoch, 200, 1, 1, 1);
  st_expect(t,
            a->outcome == KOP_REJECTED || a->outcome == KOP_CANCELLED || a->outcome == KOP_FENCED,
            "an append to a deleted topic was not refused");
  a = st_topic_create(t, name, 1, NULL, 0);
  if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of CREATE_TOPIC of the same name"))
    return;
  topic = st_topic_find(t, name);
  if (!st_expect(t, topic != NULL, "the new topic was not pushed")) return;
  st_expect(t, memcmp(&topic->id, &old, sizeof old) != 0, "the new topic has the old one's id");
  st_expect(t, topic->partitions[0].id != id, "its partition has the old one's id");
  a = st_acquire(t, topic->partitions[0].id);
  st_expect_i64(t, a->acquired.end_offset, 0, "the end offset of the new topic");
}

void st_checks_topics(st *t) {
  static const st_check checks[] = {
      {"CREATE_TOPIC pushes the topic, then answers", 0, create_pushes_first},
      {"CREATE_TOPIC keeps configs", 0, create_keeps_configs},
      {"CREATE_TOPIC refuses a name that is taken", 0, create_refuses_a_name_twice},
      {"LOOKUP_TOPIC finds by name and by id", ST_NEEDS(KOP_EFFECT_LOOKUP_TOPIC),
       lookup_finds_by_name_and_id},
      {"CREATE_PARTITIONS adds and keeps", ST_NEEDS(KOP_EFFECT_CREATE_PARTITIONS),
       partitions_are_added},
      {"ALTER_CONFIGS sets and takes away", ST_NEEDS(KOP_EFFECT_ALTER_CONFIGS),
       configs_are_set_and_taken_away},
      {"DELETE_TOPIC leaves nothing to a new topic of the name", ST_NEEDS(KOP_EFFECT_DELETE_TOPIC),
       deleted_topics_are_gone},
  };
  st_run(t, checks, sizeof checks / sizeof checks[0]);
}
