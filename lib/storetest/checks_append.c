/* Appends: offsets, order, and bytes as they were given. */
#include "storetest/harness.h"

#include <string.h>

static void offsets_follow_each_other(st *t) {
  static const uint32_t counts[] = {1, 5, 1, 100, 2};
  char name[ST_NAME];
  int32_t epoch = 0;
  uint64_t id = st_partition_make(t, name, &epoch);
  if (id == 0) return;
  int64_t next = 0;
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    st_answer *a = st_append_one(t, id, epoch, 2000, counts[i], 1, (uint32_t)i);
    if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of APPEND")) return;
    st_expect_i64(t, a->appended.base_offset, next, "the base offset");
    next += counts[i];
  }
  st_expect_i64(t, st_acquire(t, id)->acquired.end_offset, next, "the end offset");
}

/* Several in flight take effect in the order in which they were emitted. */
static void order_is_kept_in_flight(st *t) {
  enum { N = 50, EACH = 700 };
  char name[ST_NAME];
  int32_t epoch = 0;
  uint64_t id = st_partition_make(t, name, &epoch);
  if (id == 0) return;
  st_append a[N];
  uint8_t *at = t->batch;
  for (uint32_t i = 0; i < N; i++) {
    size_t len = st_batch_build(at, EACH, 2, 1, epoch, i);
    st_append_start(t, &a[i], id, epoch, at, len, 1 + i % 4, 2, 1);
    at += len;
  }
  for (uint32_t i = 0; i < N; i++) {
    st_answer *answer = st_await(t, a[i].answer);
    st_expect_i64(t, answer->outcome, KOP_DONE, "the outcome of an append among many");
    st_expect_i64(t, answer->appended.base_offset, 2 * (int64_t)i, "its base offset");
  }
  st_answer *r = st_read(t, id, 0, INT64_MAX, 1u << 20, 0);
  at = t->batch;
  st_expect_i64(t, r->batches_count, N, "the number of batches read back");
  for (uint32_t i = 0; i < r->batches_count && i < N; i++) {
    size_t len = (size_t)a[i].body.bytes;
    st_expect_i64(t, r->batches[i].base, 2 * (int64_t)i, "the base offset of a batch read back");
    st_expect(t, r->batches[i].len == len && memcmp(r->batches[i].bytes, at, len) == 0,
              "a batch is not read back as it was appended");
    at += len;
  }
}

static void large_and_sliced_batches_come_back(st *t) {
  static const size_t sizes[] = {100, 5000, 1 << 20, 3 << 20};
  char name[ST_NAME];
  int32_t epoch = 0;
  uint64_t id = st_partition_make(t, name, &epoch);
  if (id == 0) return;
  for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    st_append a;
    size_t len = st_batch_build(t->batch, sizes[i], 1, 1, epoch, i);
    st_append_start(t, &a, id, epoch, t->batch, len, 4, 1, 1);
    if (!st_expect_i64(t, st_await(t, a.answer)->outcome, KOP_DONE, "the outcome of APPEND"))
      return;
    st_answer *r = st_read(t, id, i, INT64_MAX, 1, KOP_READ_AT_LEAST_ONE);
    st_expect(t,
              r->batches_count == 1 && r->batches[0].len == len &&
                  memcmp(r->batches[0].bytes, t->batch, len) == 0,
              "a batch is not read back as it was appended");
  }
}

static void partitions_do_not_mix(st *t) {
  st_topic *topic = st_topic_make(t, 3);
  if (topic == NULL) return;
  uint64_t ids[3];
  int32_t epochs[3];
  for (uint32_t i = 0; i < 3; i++) {
    ids[i] = topic->partitions[i].id;
    epochs[i] = st_acquire(t, ids[i])->acquired.epoch;
  }
  for (uint32_t i = 0; i < 30; i++)
    st_append_one(t, ids[i % 3], epochs[i % 3], 400, 1, 1, i);
  for (uint32_t p = 0; p < 3; p++) {
    st_answer *r = st_read(t, ids[p], 0, INT64_MAX, 1u << 20, 0);
    st_expect_i64(t, r->batches_count, 10, "the number of batches of a partition");
    for (uint32_t i = 0; i < r->batches_count; i++) {
      size_t len = st_batch_build(t->scratch, 400, 1, 1, epochs[p], i * 3 + p);
      st_expect(t, r->batches[i].len == len && memcmp(r->batches[i].bytes, t->scratch, len) == 0,
                "a partition holds another one's batch");
    }
  }
}

void st_checks_append(st *t) {
  static const st_check checks[] = {
      {"APPEND gives each batch the next offsets", 0, offsets_follow_each_other},
      {"appends in flight keep their order", 0, order_is_kept_in_flight},
      {"batches of every size and cut come back byte for byte", 0,
       large_and_sliced_batches_come_back},
      {"partitions do not mix", 0, partitions_do_not_mix},
  };
  st_run(t, checks, sizeof checks / sizeof checks[0]);
}
