/* Failing appends, and what is still there after a crash. */
#include "storetest/harness.h"

#include <string.h>

/* REJECTED and UNKNOWN both end the epoch: nothing more of it may be done, or offsets would be given twice. */
static void failures_end_the_epoch(st *t) {
  if (t->store->break_log == NULL) {
    st_skip(t);
    return;
  }
  char name[ST_NAME];
  int32_t epoch = 0;
  uint64_t id = st_partition_make(t, name, &epoch);
  if (id == 0) return;
  st_append_one(t, id, epoch, 300, 1, 1, 1);
  t->store->break_log(t->store->user_data, 1);
  st_answer *a = st_append_one(t, id, epoch, 300, 1, 1, 2);
  int32_t outcome = a->outcome;
  int16_t error = a->error;
  t->store->break_log(t->store->user_data, 0);
  st_expect(t, outcome == KOP_REJECTED || outcome == KOP_UNKNOWN,
            "an append to a broken log was neither REJECTED nor UNKNOWN");
  if (outcome == KOP_REJECTED) {
    st_expect_i64(t, error, ST_STORAGE_ERROR, "its Kafka error");
    a = st_append_one(t, id, epoch, 300, 1, 1, 3);
    st_expect_i64(t, a->outcome, KOP_REJECTED, "the outcome of a later append of that epoch");
  }
  a = st_acquire(t, id);
  if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of ACQUIRE when the log works again"))
    return;
  int64_t end = a->acquired.end_offset;
  if (outcome == KOP_REJECTED) st_expect_i64(t, end, 1, "the end offset after a REJECTED append");
  a = st_append_one(t, id, a->acquired.epoch, 300, 1, 1, 4);
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of an append after ACQUIRE");
  st_expect_i64(t, a->appended.base_offset, end, "its base offset");
}

void st_checks_failure(st *t) {
  static const st_check checks[] = {
      {"after a failed append nothing of its epoch is done", 0, failures_end_the_epoch},
  };
  st_run(t, checks, sizeof checks / sizeof checks[0]);
}

static int reopen(st *t) {
  if (t->store->reopen == NULL) {
    st_skip(t);
    return 0;
  }
  st_pump(t);
  for (uint32_t i = 0; i < t->topics_count; i++)
    t->topics[i].seen = 0;
  if (t->store->reopen(t->store->user_data) != 0) {
    st_fail(t, "the store could not be opened again");
    return 0;
  }
  st_pump(t);
  return 1;
}

static void logs_survive(st *t) {
  char name[ST_NAME];
  int32_t epoch = 0;
  uint64_t id = st_partition_make(t, name, &epoch);
  if (id == 0) return;
  for (uint32_t i = 0; i < 40; i++)
    st_append_one(t, id, epoch, 3000, 2, (int64_t)i, i);
  if ((t->store->effects & ST_NEEDS(KOP_EFFECT_DELETE_RECORDS)) != 0)
    st_delete_records(t, id, epoch, 11);
  if (!reopen(t)) return;
  st_topic *topic = st_topic_find(t, name);
  if (!st_expect(t, topic != NULL && topic->seen > 0, "the topic was not pushed anew")) return;
  st_expect(t, topic->partitions[0].id == id, "its partition has another id");
  st_answer *a = st_acquire(t, id);
  if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of ACQUIRE")) return;
  st_expect(t, a->acquired.epoch > epoch, "the epoch is not larger than before");
  st_expect_i64(t, a->acquired.end_offset, 80, "the end offset");
  int64_t start = a->acquired.log_start;
  if ((t->store->effects & ST_NEEDS(KOP_EFFECT_DELETE_RECORDS)) != 0)
    st_expect_i64(t, start, 11, "the log start");
  st_answer *r = st_read(t, id, start, INT64_MAX, 1u << 20, 0);
  st_expect_i64(t, r->next_offset, 80, "next_offset of a READ of everything");
  for (uint32_t i = 0; i < r->batches_count; i++) {
    int64_t base = r->batches[i].base;
    size_t len = st_batch_build(t->scratch, 3000, 2, base / 2, epoch, (uint32_t)(base / 2));
    st_expect(t, r->batches[i].len == len && memcmp(r->batches[i].bytes, t->scratch, len) == 0,
              "a batch is not what was appended before");
  }
}

static void deleted_topics_stay_gone(st *t) {
  st_topic *topic = st_topic_make(t, 1);
  if (topic == NULL) return;
  char name[ST_NAME];
  memcpy(name, topic->name, sizeof name);
  st_topic_delete(t, name);
  if (!reopen(t)) return;
  topic = st_topic_find(t, name);
  st_expect(t, topic == NULL || topic->seen == 0, "a deleted topic came back");
}

static void producer_ids_stay_used(st *t) {
  kop_allocate_producer_ids body = {.size = sizeof body, .count = 10};
  st_answer *a =
      st_await(t, st_submit(t, KOP_EFFECT_ALLOCATE_PRODUCER_IDS, 0, 0, &body, sizeof body));
  int64_t last = a->ids.first + a->ids.count - 1;
  if (!reopen(t)) return;
  a = st_await(t, st_submit(t, KOP_EFFECT_ALLOCATE_PRODUCER_IDS, 0, 0, &body, sizeof body));
  st_expect(t, a->ids.first > last, "producer ids were given twice");
}

void st_checks_reopen(st *t) {
  static const st_check checks[] = {
      {"after a crash the log is what was answered", 0, logs_survive},
      {"after a crash deleted topics stay gone", ST_NEEDS(KOP_EFFECT_DELETE_TOPIC),
       deleted_topics_stay_gone},
      {"after a crash producer ids stay used", ST_NEEDS(KOP_EFFECT_ALLOCATE_PRODUCER_IDS),
       producer_ids_stay_used},
  };
  st_run(t, checks, sizeof checks / sizeof checks[0]);
}
