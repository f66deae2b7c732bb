/* Reads: where they begin, where they end, and how long lent bytes stay. */
#include "storetest/harness.h"

#include <string.h>

/* A partition of ten batches of three records, each of the same size; 0 after a failure. */
static uint64_t ten_batches(st *t, int32_t *epoch, size_t *each) {
  char name[ST_NAME];
  uint64_t id = st_partition_make(t, name, epoch);
  if (id == 0) return 0;
  for (uint32_t i = 0; i < 10; i++) {
    st_answer *a = st_append_one(t, id, *epoch, 500, 3, 1, i);
    if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of APPEND")) return 0;
  }
  *each = st_batch_build(t->scratch, 500, 3, 1, *epoch, 0);
  return id;
}

static void expect_read(st *t, const st_answer *r, int64_t base, uint32_t batches, int64_t next) {
  if (!st_expect_i64(t, r->outcome, KOP_DONE, "the outcome of READ")) return;
  if (!st_expect_i64(t, r->batches_count, batches, "the number of batches")) return;
  st_expect_i64(t, r->next_offset, next, "next_offset");
  for (uint32_t i = 0; i < batches; i++)
    st_expect_i64(t, r->batches[i].base, base + 3 * (int64_t)i, "a base offset");
}

static void reads_begin_with_the_batch_that_holds_the_offset(st *t) {
  int32_t epoch = 0;
  size_t each = 0;
  uint64_t id = ten_batches(t, &epoch, &each);
  if (id == 0) return;
  expect_read(t, st_read(t, id, 0, INT64_MAX, 1u << 20, 0), 0, 10, 30);
  expect_read(t, st_read(t, id, 3, INT64_MAX, 1u << 20, 0), 3, 9, 30);
  expect_read(t, st_read(t, id, 5, INT64_MAX, 1u << 20, 0), 3, 9, 30);
  expect_read(t, st_read(t, id, 29, INT64_MAX, 1u << 20, 0), 27, 1, 30);
}

static void reads_end_where_they_are_told(st *t) {
  int32_t epoch = 0;
  size_t each = 0;
  uint64_t id = ten_batches(t, &epoch, &each);
  if (id == 0) return;
  expect_read(t, st_read(t, id, 0, 9, 1u << 20, 0), 0, 3, 9);
  expect_read(t, st_read(t, id, 0, 10, 1u << 20, 0), 0, 4, 12);
  expect_read(t, st_read(t, id, 4, 5, 1u << 20, 0), 3, 1, 6);
}

static void reads_stay_within_max_bytes(st *t) {
  int32_t epoch = 0;
  size_t each = 0;
  uint64_t id = ten_batches(t, &epoch, &each);
  if (id == 0) return;
  expect_read(t, st_read(t, id, 0, INT64_MAX, (uint32_t)(each * 4), 0), 0, 4, 12);
  expect_read(t, st_read(t, id, 0, INT64_MAX, (uint32_t)(each * 4 - 1), 0), 0, 3, 9);
  expect_read(t, st_read(t, id, 6, INT64_MAX, (uint32_t)each - 1, 0), 0, 0, 6);
  expect_read(t, st_read(t, id, 6, INT64_MAX, 1, KOP_READ_AT_LEAST_ONE), 6, 1, 9);
  expect_read(t, st_read(t, id, 0, INT64_MAX, (uint32_t)(each * 2), KOP_READ_AT_LEAST_ONE), 0, 2,
              6);
}

static void reads_at_the_end_are_empty(st *t) {
  int32_t epoch = 0;
  size_t each = 0;
  uint64_t id = ten_batches(t, &epoch, &each);
  if (id == 0) return;
  expect_read(t, st_read(t, id, 30, INT64_MAX, 1u << 20, KOP_READ_AT_LEAST_ONE), 0, 0, 30);
  expect_read(t, st_read(t, id, 30, 30, 1u << 20, 0), 0, 0, 30);
}

static int same(const uint8_t *bytes, const st_answer *copy) {
  return memcmp(bytes, copy->batches[0].bytes, copy->batches[0].len) == 0;
}

static void lent_bytes_stay(st *t) {
  int32_t epoch = 0;
  size_t each = 0;
  uint64_t id = ten_batches(t, &epoch, &each);
  if (id == 0) return;
  st_answer *r = st_read(t, id, 0, INT64_MAX, 1u << 20, KOP_READ_MAY_LEND);
  expect_read(t, r, 0, 10, 30);
  if ((r->flags & KOP_COMPLETION_LENT) == 0) return; /* a store may copy */
  for (uint32_t i = 0; i < 100; i++)
    st_append_one(t, id, epoch, 20000, 1, 1, i);
  st_expect(t, same(r->lent, r), "lent bytes changed before their RELEASE");
  if ((t->store->effects & ST_NEEDS(KOP_EFFECT_DELETE_RECORDS)) != 0) {
    st_delete_records(t, id, epoch, 100);
    st_expect(t, same(r->lent, r), "lent bytes changed when their records were deleted");
  }
  st_release(t, r);
  st_pump(t);
}

static void reads_lend_only_when_allowed(st *t) {
  int32_t epoch = 0;
  size_t each = 0;
  uint64_t id = ten_batches(t, &epoch, &each);
  if (id == 0) return;
  st_answer *r = st_read(t, id, 0, INT64_MAX, 1u << 20, 0);
  st_expect_i64(t, r->flags & KOP_COMPLETION_LENT, 0, "the flag LENT of a READ that may not lend");
}

static void many_reads_can_be_open(st *t) {
  int32_t epoch = 0;
  size_t each = 0;
  uint64_t id = ten_batches(t, &epoch, &each);
  if (id == 0) return;
  kop_read bodies[20];
  st_answer *answers[20];
  for (uint32_t i = 0; i < 20; i++) {
    bodies[i] = (kop_read){.size = sizeof bodies[i], .max_bytes = 1u << 20, .offset = i, .end = 30};
    answers[i] = st_submit(t, KOP_EFFECT_READ, KOP_READ_MAY_LEND, id, &bodies[i], sizeof bodies[i]);
  }
  for (uint32_t i = 0; i < 20; i++)
    expect_read(t, st_await(t, answers[i]), i / 3 * 3, 10 - i / 3, 30);
  for (uint32_t i = 20; i-- > 0;)
    if ((answers[i]->flags & KOP_COMPLETION_LENT) != 0) st_release(t, answers[i]);
}

void st_checks_read(st *t) {
  static const st_check checks[] = {
      {"READ begins with the batch that holds the offset", 0,
       reads_begin_with_the_batch_that_holds_the_offset},
      {"READ gives no batch that begins at or after its end", 0, reads_end_where_they_are_told},
      {"READ stays within max_bytes, AT_LEAST_ONE passes it once", 0, reads_stay_within_max_bytes},
      {"READ at the end of the log gives nothing", 0, reads_at_the_end_are_empty},
      {"lent bytes stay until RELEASE", ST_NEEDS(KOP_EFFECT_RELEASE), lent_bytes_stay},
      {"READ lends only when it may", 0, reads_lend_only_when_allowed},
      {"many READs of one place can be open", ST_NEEDS(KOP_EFFECT_RELEASE), many_reads_can_be_open},
  };
  st_run(t, checks, sizeof checks / sizeof checks[0]);
}
