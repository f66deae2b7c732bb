/* Finding batches by time, and moving the log start. */
#include "storetest/harness.h"

static const int64_t times[] = {100, 300, 200, 500, 400, 500, 350};

enum { TIMES = sizeof times / sizeof times[0] };

static uint64_t timed(st *t, int32_t *epoch) {
  char name[ST_NAME];
  uint64_t id = st_partition_make(t, name, epoch);
  if (id == 0) return 0;
  for (uint32_t i = 0; i < TIMES; i++)
    st_append_one(t, id, *epoch, 300, 2, times[i], i);
  return id;
}

static void expect_listed(st *t, const st_answer *a, int64_t base, int64_t max_timestamp) {
  if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of LIST_OFFSETS")) return;
  st_expect_i64(t, a->listed.base_offset, base, "the base offset found");
  st_expect_i64(t, a->listed.max_timestamp, max_timestamp, "its max timestamp");
}

static void times_are_found(st *t) {
  int32_t epoch = 0;
  uint64_t id = timed(t, &epoch);
  if (id == 0) return;
  expect_listed(t, st_list(t, id, KOP_LIST_BY_TIME, 0), 0, 100);
  expect_listed(t, st_list(t, id, KOP_LIST_BY_TIME, 100), 0, 100);
  expect_listed(t, st_list(t, id, KOP_LIST_BY_TIME, 101), 2, 300);
  expect_listed(t, st_list(t, id, KOP_LIST_BY_TIME, 301), 6, 500);
  expect_listed(t, st_list(t, id, KOP_LIST_BY_TIME, 500), 6, 500);
  st_expect_i64(t, st_list(t, id, KOP_LIST_BY_TIME, 501)->outcome, KOP_NOT_FOUND,
                "the outcome of a time after all batches");
  expect_listed(t, st_list(t, id, KOP_LIST_MAX_TIMESTAMP, 0), 6, 500);
}

static void empty_logs_have_no_time(st *t) {
  char name[ST_NAME];
  int32_t epoch = 0;
  uint64_t id = st_partition_make(t, name, &epoch);
  if (id == 0) return;
  st_expect_i64(t, st_list(t, id, KOP_LIST_BY_TIME, 0)->outcome, KOP_NOT_FOUND,
                "the outcome by time");
  st_expect_i64(t, st_list(t, id, KOP_LIST_MAX_TIMESTAMP, 0)->outcome, KOP_NOT_FOUND,
                "the outcome by largest time");
}

static void deleted_records_are_out_of_range(st *t) {
  int32_t epoch = 0;
  uint64_t id = timed(t, &epoch);
  if (id == 0) return;
  st_answer *a = st_delete_records(t, id, epoch, 5); /* in the middle of the batch at 4 */
  if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of DELETE_RECORDS")) return;
  st_expect_i64(t, a->deleted.log_start, 5, "the log start");
  st_answer *r = st_read(t, id, 4, INT64_MAX, 1u << 20, 0);
  st_expect_i64(t, r->outcome, KOP_REJECTED, "the outcome of READ below the log start");
  st_expect_i64(t, r->error, ST_OFFSET_OUT_OF_RANGE, "its Kafka error");
  r = st_read(t, id, 5, INT64_MAX, 1u << 20, 0);
  st_expect_i64(t, r->outcome, KOP_DONE, "the outcome of READ at the log start");
  st_expect_i64(t, r->batches_count == 0 ? -1 : r->batches[0].base, 4,
                "the batch that holds the log start");
  a = st_delete_records(t, id, epoch, 3);
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of DELETE_RECORDS below the log start");
  st_expect_i64(t, a->deleted.log_start, 5, "the log start after it");
  a = st_delete_records(t, id, epoch, 2 * TIMES + 1);
  st_expect_i64(t, a->outcome, KOP_REJECTED, "the outcome of DELETE_RECORDS beyond the end");
  a = st_acquire(t, id);
  st_expect_i64(t, a->acquired.log_start, 5, "the log start that ACQUIRE gives");
  st_expect_i64(t, a->acquired.end_offset, 2 * TIMES, "the end offset that ACQUIRE gives");
}

static void everything_can_be_deleted(st *t) {
  int32_t epoch = 0;
  uint64_t id = timed(t, &epoch);
  if (id == 0) return;
  st_answer *a = st_delete_records(t, id, epoch, 2 * TIMES);
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of DELETE_RECORDS up to the end");
  st_answer *r = st_read(t, id, 2 * TIMES, INT64_MAX, 1u << 20, 0);
  st_expect_i64(t, r->batches_count, 0, "the number of batches that are left");
  a = st_append_one(t, id, epoch, 300, 1, 1, 1);
  st_expect_i64(t, a->appended.base_offset, 2 * TIMES, "the base offset after it");
  st_expect_i64(t, st_acquire(t, id)->acquired.log_start, 2 * TIMES, "the log start");
}

static void times_count_from_the_log_start(st *t) {
  int32_t epoch = 0;
  uint64_t id = timed(t, &epoch);
  if (id == 0) return;
  st_delete_records(t, id, epoch, 8); /* what is left: 400 at 8, 500 at 10, 350 at 12 */
  expect_listed(t, st_list(t, id, KOP_LIST_BY_TIME, 0), 8, 400);
  expect_listed(t, st_list(t, id, KOP_LIST_BY_TIME, 450), 10, 500);
  expect_listed(t, st_list(t, id, KOP_LIST_MAX_TIMESTAMP, 0), 10, 500);
  st_delete_records(t, id, epoch, 12);
  expect_listed(t, st_list(t, id, KOP_LIST_MAX_TIMESTAMP, 0), 12, 350);
  st_expect_i64(t, st_list(t, id, KOP_LIST_BY_TIME, 351)->outcome, KOP_NOT_FOUND,
                "the outcome of a time that only deleted batches had");
}

void st_checks_offsets(st *t) {
  const uint64_t list = ST_NEEDS(KOP_EFFECT_LIST_OFFSETS);
  const uint64_t del = ST_NEEDS(KOP_EFFECT_DELETE_RECORDS);
  const st_check checks[] = {
      {"LIST_OFFSETS finds the first batch by time", list, times_are_found},
      {"LIST_OFFSETS finds nothing in an empty log", list, empty_logs_have_no_time},
      {"DELETE_RECORDS moves the log start, and only forward", del,
       deleted_records_are_out_of_range},
      {"DELETE_RECORDS up to the end keeps the offsets", del, everything_can_be_deleted},
      {"LIST_OFFSETS does not see below the log start", list | del, times_count_from_the_log_start},
  };
  st_run(t, checks, sizeof checks / sizeof checks[0]);
}
