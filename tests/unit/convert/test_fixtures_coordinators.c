/*
 * What the coordinators of a running Java plug-in kept in Pulsar topics (tests/fixtures/kop/README.md): read as any other entry, and
 * decoded down to the last byte.
 *
 *     __consumer_offsets     a message is a write of one group: its value is a whole Kafka batch, whose records are commits and states
 *                            of the group, each a version and a struct in Kafka's own form; its key is the first record's, of a
 *                            commit without topic and partition
 *     __transaction_state    a message is one state of one transaction, key and value as Kafka writes them
 */
#include <kop/messages.h>
#include <kop/wire.h>
#include <stdio.h>

#include "support.h"
#include "unit/pulsar/fixtures.h"

enum { THREE_DAYS_MS = 3 * 24 * 3600 * 1000, MOST_STATES = 16 };

typedef struct reading {
  kop_convert *c;
  kop_record_ctx *outer; /* the record that an entry is */
  kop_record_ctx *inner; /* the records in its value */
  kop_arena *arena;
  int64_t wall_ms;   /* of the record that is looked at */
  const char *group; /* commits and states of this one are written down in `told` */
  char told[512];
  int commits;
  int states;
  int statuses[MOST_STATES]; /* of the transaction `group`, in order */
  int64_t producer_id;       /* of it, or of the markers seen */
  int ends[MOST_STATES];     /* KOP_CONTROL_ of the markers in a topic, in order */
} reading;

static int is_text(kop_slice s, const char *text) {
  return s.len == strlen(text) && (s.len == 0 || memcmp(s.ptr, text, s.len) == 0);
}

/* Takes the version off a key or value. */
static int16_t take_version(kop_slice *s) {
  cr_assert_geq(s->len, 2);
  int16_t version = (int16_t)(s->ptr[0] << 8 | s->ptr[1]);
  *s = (kop_slice){s->ptr + 2, s->len - 2};
  return version;
}

/* Decodes all of `in`, and encodes it again to the same. */
static void decode(reading *r, uint32_t id, int16_t version, kop_slice in, void *msg, size_t size) {
  cr_assert_eq(kop_message_decode(id, version, r->arena, in.ptr, in.len, msg, size, NULL), KOP_OK,
               "message %u version %d", id, version);
  uint8_t again[4096];
  size_t len;
  cr_assert_eq(kop_message_encode(id, version, msg, size, again, sizeof again, &len), KOP_OK);
  cr_assert_eq(len, in.len);
  cr_assert_eq(memcmp(again, in.ptr, len), 0);
}

static void tell(reading *r, kop_slice group, const char *what) {
  if (r->group == NULL || !is_text(group, r->group)) return;
  size_t at = strlen(r->told);
  snprintf(r->told + at, sizeof r->told - at, "%s; ", what);
}

static kop_slice see_commit(reading *r, kop_slice key, kop_slice value) {
  kop_offset_commit_key k;
  kop_offset_commit_value v;
  decode(r, KOP_MSG_OFFSET_COMMIT_KEY, 0, key, &k, sizeof k);
  cr_assert_eq(take_version(&value), 1);
  decode(r, KOP_MSG_OFFSET_COMMIT_VALUE, 1, value, &v, sizeof v);
  cr_assert_eq(v.expire_timestamp - v.commit_timestamp, THREE_DAYS_MS);
  cr_assert(v.commit_timestamp <= r->wall_ms && v.commit_timestamp + 1000 > r->wall_ms);
  /* The client that wrote these counts the zero at the end of its text. */
  if (v.metadata.len > 0) cr_assert_eq(v.metadata.ptr[v.metadata.len - 1], 0);
  char text[256];
  snprintf(text, sizeof text, "%.*s %d: %lld %.*s", (int)k.topic.len, (const char *)k.topic.ptr,
           k.partition, (long long)v.offset, (int)v.metadata.len, (const char *)v.metadata.ptr);
  tell(r, k.group, text);
  r->commits++;
  return k.group;
}

static kop_slice see_state(reading *r, kop_slice key, kop_slice value) {
  kop_group_metadata_key k;
  kop_group_metadata_value v;
  decode(r, KOP_MSG_GROUP_METADATA_KEY, 0, key, &k, sizeof k);
  cr_assert_eq(take_version(&value), 1);
  decode(r, KOP_MSG_GROUP_METADATA_VALUE, 1, value, &v, sizeof v);
  cr_assert(is_text(v.protocol_type, "consumer"));
  char text[256];
  snprintf(text, sizeof text, "generation %d, %d members", v.generation, v.members.len);
  if (v.members.len == 0) {
    cr_assert_null(v.leader.ptr);
    cr_assert_null(v.protocol.ptr);
  } else {
    const kop_group_metadata_value_member_metadata *m = v.members.ptr;
    cr_assert_eq(m->member_id.len, v.leader.len);
    cr_assert_eq(memcmp(m->member_id.ptr, v.leader.ptr, v.leader.len), 0);
    cr_assert(is_text(v.protocol, "range"));
    cr_assert_gt(m->assignment.len, 0);
  }
  tell(r, k.group, text);
  r->states++;
  return k.group;
}

/* The key of the message names the group. */
static void assert_message_key(kop_slice key, int16_t version, kop_slice group) {
  static const uint8_t no_partition[] = {0, 0, 0xFF, 0xFF, 0xFF, 0xFF};
  size_t rest = version == 1 ? sizeof no_partition : 0;
  cr_assert_eq(take_version(&key), version);
  cr_assert_eq(key.len, 2 + group.len + rest);
  cr_assert_eq(memcmp(key.ptr + 2, group.ptr, group.len), 0);
  if (rest > 0) cr_assert_eq(memcmp(key.ptr + 2 + group.len, no_partition, rest), 0);
}

/* The value of a message in __consumer_offsets. */
static void see_write(reading *r, const kop_record *message) {
  kop_record record;
  kop_status status;
  cr_assert_eq(kop_batch_check_crc(message->value.ptr, message->value.len), KOP_OK);
  cr_assert_eq(kop_record_begin(r->inner, message->value.ptr, message->value.len), KOP_OK);
  while ((status = kop_record_next(r->inner, &record)) == KOP_OK) {
    kop_slice key = record.key;
    int16_t version = take_version(&key);
    r->wall_ms = record.timestamp;
    cr_assert_eq(record.timestamp, message->timestamp);
    cr_assert(version == 1 || version == 2, "version %d", version);
    kop_slice group =
        version == 1 ? see_commit(r, key, record.value) : see_state(r, key, record.value);
    assert_message_key(message->key, version, group);
  }
  cr_assert_eq(status, KOP_ERR_NOT_FOUND);
}

/* A message in __transaction_state. */
static void see_transaction(reading *r, const kop_record *message) {
  kop_transaction_log_key k;
  kop_transaction_log_value v;
  kop_slice key = message->key;
  kop_slice value = message->value;
  cr_assert_eq(take_version(&key), 0);
  cr_assert_eq(take_version(&value), 0);
  decode(r, KOP_MSG_TRANSACTION_LOG_KEY, 0, key, &k, sizeof k);
  decode(r, KOP_MSG_TRANSACTION_LOG_VALUE, 0, value, &v, sizeof v);
  cr_assert_eq(v.transaction_timeout_ms, 60000);
  cr_assert_eq(v.producer_epoch, 0);
  r->states++;
  if (!is_text(k.transactional_id, r->group)) return;
  cr_assert(r->producer_id == -1 || r->producer_id == v.producer_id);
  r->producer_id = v.producer_id;
  /* Empty and complete transactions have no partition, the others the one that was written to. */
  int open = v.transaction_status >= 1 && v.transaction_status <= 3;
  cr_assert_eq(v.transaction_partitions.len, open);
  if (open) {
    const kop_transaction_log_value_partitions_schema *p = v.transaction_partitions.ptr;
    cr_assert(is_text(p->topic, r->group + strlen("txn-")));
    cr_assert_eq(p->partition_ids.len, 1);
    cr_assert_eq(p->partition_ids.ptr[0], 0);
  }
  int n = 0;
  while (r->statuses[n] >= 0)
    n++;
  cr_assert_lt(n, MOST_STATES - 1);
  r->statuses[n] = v.transaction_status;
}

/* Each entry of the two topics is one record, with a key and a value. */
static void see_entry(const fixture *f, void *context) {
  reading *r = context;
  kop_convert_answer answer;
  cr_assert_eq(kop_convert_to_kafka(r->c, f->bytes, f->len, 7, 7, NULL, &answer), KOP_OK);
  cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES, "%s %s", f->file, f->id);
  cr_assert_eq(answer.batches_count, 1);
  cr_assert_eq(answer.writer, KOP_CONVERT_BY_NATIVE, "the plug-in used a Pulsar client for these");
  bytes batch = batch_bytes(&answer.batches[0]);
  kop_record record;
  cr_assert_eq(kop_record_begin(r->outer, batch.ptr, batch.len), KOP_OK);
  cr_assert_eq(kop_record_next(r->outer, &record), KOP_OK);
  cr_assert_eq(record.offset, 7);
  cr_assert_eq(record.header_count, 0);
  if (strncmp(f->file, "consumer", 8) == 0) {
    see_write(r, &record);
  } else {
    see_transaction(r, &record);
  }
  cr_assert_eq(kop_record_next(r->outer, &record), KOP_ERR_NOT_FOUND);
  kop_arena_reset(r->arena);
  free(batch.ptr);
}

static reading begin(const char *group) {
  reading r = {.c = new_convert(), .group = group, .producer_id = -1};
  for (int i = 0; i < MOST_STATES; i++) {
    r.statuses[i] = -1;
    r.ends[i] = -1;
  }
  cr_assert_eq(kop_record_ctx_new(NULL, &r.outer), KOP_OK);
  cr_assert_eq(kop_record_ctx_new(NULL, &r.inner), KOP_OK);
  cr_assert_eq(kop_arena_new(NULL, 1 << 20, &r.arena), KOP_OK);
  return r;
}

static void end(reading *r) {
  kop_convert_free(r->c);
  kop_record_ctx_free(r->outer);
  kop_record_ctx_free(r->inner);
  kop_arena_free(r->arena);
}

static void assert_story(const char *group, const char *told) {
  reading r = begin(group);
  fixture_each("consumer_offsets.entries.tsv", see_entry, &r);
  cr_assert_str_eq(r.told, told, "%s", group);
  end(&r);
}

Test(fixtures_coordinators, every_commit_and_group_is_decoded) {
  reading r = begin(NULL);
  cr_assert_eq(fixture_each("consumer_offsets.entries.tsv", see_entry, &r), 60);
  cr_assert_eq(r.commits, 172);
  cr_assert_eq(r.states, 28);
  end(&r);
}

/* A consumer joined, committed 5 with the metadata `first`, 12 with `last`, and left. */
Test(fixtures_coordinators, groups_have_what_was_committed) {
  static const char *const formats[] = {"pulsar", "kafka", "mixed_kafka"};
  for (int i = 0; i < 3; i++) {
    char group[64];
    char story[512];
    snprintf(group, sizeof group, "group-of-fix-%s", formats[i]);
    snprintf(story, sizeof story,
             "generation 1, 1 members; persistent://public/default/fix-%s 0: 5 first; "
             "persistent://public/default/fix-%s 0: 12 last; generation 2, 0 members; ",
             formats[i], formats[i]);
    assert_story(group, story);
  }
}

static void assert_states(const char *id, const int *want, int count) {
  reading r = begin(id);
  cr_assert_eq(fixture_each("transaction_state.entries.tsv", see_entry, &r), 13);
  cr_assert_eq(r.states, 13);
  for (int i = 0; i <= count; i++) {
    cr_assert_eq(r.statuses[i], i < count ? want[i] : -1, "%s: state %d is %d", id, i,
                 r.statuses[i]);
  }
  end(&r);
}

/* As Kafka numbers the states of a transaction. */
enum {
  EMPTY = 0,
  ONGOING = 1,
  PREPARE_COMMIT = 2,
  PREPARE_ABORT = 3,
  COMPLETE_COMMIT = 4,
  COMPLETE_ABORT = 5
};

Test(fixtures_coordinators, transactions_went_from_state_to_state) {
  static const int all[] = {EMPTY,          ONGOING,        PREPARE_COMMIT, COMPLETE_COMMIT,
                            ONGOING,        PREPARE_ABORT,  COMPLETE_ABORT, ONGOING,
                            PREPARE_COMMIT, COMPLETE_COMMIT};
  assert_states("txn-fix-kafka", all, sizeof all / sizeof all[0]);
  /* In its format mixed_kafka the plug-in cannot write the marker that would complete it. */
  static const int stuck[] = {EMPTY, ONGOING, PREPARE_COMMIT};
  assert_states("txn-fix-mixed_kafka", stuck, sizeof stuck / sizeof stuck[0]);
}

static void see_marker(const fixture *f, void *context) {
  reading *r = context;
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  o.flags = KOP_TO_KAFKA_TRANSACTIONS;
  kop_convert_answer answer;
  if (strcmp(f->topic, "public/default/fix-kafka-partition-0") != 0) return;
  cr_assert_eq(kop_convert_to_kafka(r->c, f->bytes, f->len, 0, 99, &o, &answer), KOP_OK);
  if ((answer.batches[0].attributes & KOP_BATCH_CONTROL) == 0) return;
  bytes batch = batch_bytes(&answer.batches[0]);
  kop_batch_head head;
  kop_record record;
  kop_control control;
  cr_assert_eq(kop_batch_head_decode(batch.ptr, batch.len, &head), KOP_OK);
  cr_assert_eq(kop_record_begin(r->outer, batch.ptr, batch.len), KOP_OK);
  cr_assert_eq(kop_record_next(r->outer, &record), KOP_OK);
  cr_assert_eq(kop_control_decode(&record, &control), KOP_OK);
  cr_assert(r->producer_id == -1 || r->producer_id == head.producer_id);
  r->producer_id = head.producer_id;
  cr_assert_lt(r->states, MOST_STATES);
  r->ends[r->states++] = control.type;
  free(batch.ptr);
}

/* The coordinator's log and the markers in the topic tell the same: commit, abort, commit, of one producer. */
Test(fixtures_coordinators, markers_end_the_transactions_of_the_log) {
  reading log = begin("txn-fix-kafka");
  reading topic = begin(NULL);
  fixture_each("transaction_state.entries.tsv", see_entry, &log);
  fixture_each("kafka.entries.tsv", see_marker, &topic);
  cr_assert_eq(topic.states, 3);
  cr_assert_eq(topic.ends[0], KOP_CONTROL_COMMIT);
  cr_assert_eq(topic.ends[1], KOP_CONTROL_ABORT);
  cr_assert_eq(topic.ends[2], KOP_CONTROL_COMMIT);
  cr_assert_eq(topic.producer_id, log.producer_id);
  end(&log);
  end(&topic);
}
