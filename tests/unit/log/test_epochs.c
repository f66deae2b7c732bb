/* The leader epoch history: Kafka's answers case by case, and against a naive list. */
#include <criterion/criterion.h>

#include "log/epochs.h"
#include "support/failing_alloc.h"
#include "support/rng.h"

static void expect_end(const kopi_epochs *e, int32_t epoch, int64_t log_end, int32_t want_epoch,
                       int64_t want_end) {
  int32_t found;
  int64_t end;
  kopi_epochs_end_offset(e, epoch, log_end, &found, &end);
  cr_assert_eq(found, want_epoch, "epoch %d: found %d", epoch, found);
  cr_assert_eq(end, want_end, "epoch %d: end %lld", epoch, (long long)end);
}

Test(epochs, answer_where_an_epoch_ended) {
  failing_alloc f;
  failing_alloc_init(&f, SIZE_MAX);
  kopi_epochs e;
  kopi_epochs_init(&e, &f.alloc, 100);
  expect_end(&e, 0, 50, -1, -1);
  expect_end(&e, -1, 50, -1, -1);
  expect_end(&e, -2, 50, -1, -1);
  cr_assert_eq(kopi_epochs_at(&e, 0), -1);
  cr_assert_eq(kopi_epochs_assign(&e, 2, 10), KOP_OK);
  cr_assert_eq(kopi_epochs_assign(&e, 5, 40), KOP_OK);
  cr_assert_eq(kopi_epochs_assign(&e, 6, 55), KOP_OK);
  expect_end(&e, -1, 70, -1, -1);
  expect_end(&e, -2, 70, -2, 10);
  expect_end(&e, 1, 70, 1, 10);
  expect_end(&e, 2, 70, 2, 40);
  expect_end(&e, 4, 70, 2, 40);
  expect_end(&e, 5, 70, 5, 55);
  expect_end(&e, 6, 70, 6, 70);
  expect_end(&e, 7, 70, -1, -1);
  cr_assert_eq(kopi_epochs_at(&e, 9), -1);
  cr_assert_eq(kopi_epochs_at(&e, 10), 2);
  cr_assert_eq(kopi_epochs_at(&e, 54), 5);
  cr_assert_eq(kopi_epochs_at(&e, 1000), 6);
  cr_assert_eq(kopi_epochs_assign(&e, -1, 0), KOP_ERR_INVALID);
  cr_assert_eq(kopi_epochs_assign(&e, 9, -1), KOP_ERR_INVALID);
  kopi_epochs_free(&e);
  cr_assert_eq(f.live, 0);
}

Test(epochs, forget_the_oldest_at_the_bound) {
  failing_alloc f;
  failing_alloc_init(&f, SIZE_MAX);
  kopi_epochs e;
  kopi_epochs_init(&e, &f.alloc, 3);
  for (int32_t i = 0; i < 5; i++)
    cr_assert_eq(kopi_epochs_assign(&e, i, i * 10), KOP_OK);
  cr_assert_eq(e.len, 3);
  expect_end(&e, 0, 50, 0, 20);
  expect_end(&e, 1, 50, 1, 20);
  expect_end(&e, 2, 50, 2, 30);
  expect_end(&e, 4, 50, 4, 50);
  kopi_epochs_free(&e);
}

typedef struct model {
  kopi_epoch_start list[512];
  size_t len;
} model;

static void keep_below(model *m, int32_t epoch, int64_t offset) {
  size_t n = 0;
  for (size_t i = 0; i < m->len; i++) {
    if (m->list[i].epoch < epoch && m->list[i].start_offset < offset) m->list[n++] = m->list[i];
  }
  m->len = n;
}

static void model_assign(model *m, int32_t epoch, int64_t start_offset) {
  const kopi_epoch_start *last = m->len > 0 ? &m->list[m->len - 1] : NULL;
  if (last != NULL && last->epoch == epoch && start_offset >= last->start_offset) return;
  keep_below(m, epoch, start_offset);
  m->list[m->len++] = (kopi_epoch_start){.epoch = epoch, .start_offset = start_offset};
}

static void model_start(model *m, int64_t offset) {
  kopi_epoch_start in_force = {.epoch = -1};
  for (size_t i = 0; i < m->len; i++) {
    if (m->list[i].start_offset <= offset) in_force = m->list[i];
  }
  if (in_force.epoch < 0) return;
  model rest = {.len = 0};
  rest.list[rest.len++] = (kopi_epoch_start){.epoch = in_force.epoch, .start_offset = offset};
  for (size_t i = 0; i < m->len; i++) {
    if (m->list[i].start_offset > offset) rest.list[rest.len++] = m->list[i];
  }
  *m = rest;
}

static void model_end(const model *m, int32_t epoch, int64_t log_end, int32_t *found,
                      int64_t *end) {
  *found = -1;
  *end = -1;
  if (epoch == -1 || m->len == 0) return;
  if (m->list[m->len - 1].epoch == epoch) {
    *found = epoch;
    *end = log_end;
    return;
  }
  const kopi_epoch_start *floor = NULL, *higher = NULL;
  for (size_t i = 0; i < m->len; i++) {
    if (m->list[i].epoch <= epoch) floor = &m->list[i];
    if (m->list[i].epoch > epoch && higher == NULL) higher = &m->list[i];
  }
  if (higher == NULL) return;
  *found = floor != NULL ? floor->epoch : epoch;
  *end = higher->start_offset;
}

static void compare(const kopi_epochs *e, const model *m, uint64_t *rng, int32_t next_epoch,
                    int64_t next_offset) {
  cr_assert_eq(e->len, m->len);
  for (size_t i = 0; i < m->len; i++) {
    cr_assert_eq(e->entries[i].epoch, m->list[i].epoch);
    cr_assert_eq(e->entries[i].start_offset, m->list[i].start_offset);
  }
  int32_t epoch = (int32_t)rng_below(rng, (uint64_t)next_epoch + 5) - 3, found, at = -1;
  int64_t end, offset = (int64_t)rng_below(rng, (uint64_t)next_offset + 30);
  model_end(m, epoch, 100000, &found, &end);
  expect_end(e, epoch, 100000, found, end);
  for (size_t i = 0; i < m->len && m->list[i].start_offset <= offset; i++)
    at = m->list[i].epoch;
  cr_assert_eq(kopi_epochs_at(e, offset), at);
}

Test(epochs, behave_as_a_list_does) {
  for (uint64_t seed = 1; seed <= 40; seed++) {
    uint64_t rng = seed;
    failing_alloc f;
    failing_alloc_init(&f, SIZE_MAX);
    kopi_epochs e;
    kopi_epochs_init(&e, &f.alloc, 512);
    model m = {.len = 0};
    int32_t next_epoch = 0;
    int64_t next_offset = 0;
    for (int step = 0; step < 500; step++) {
      uint64_t what = rng_below(&rng, 20);
      int32_t epoch = (int32_t)rng_below(&rng, (uint64_t)next_epoch + 2);
      int64_t offset = (int64_t)rng_below(&rng, (uint64_t)next_offset + 5);
      if (what < 14) {
        next_epoch += (int32_t)rng_below(&rng, 3);
        next_offset += (int64_t)rng_below(&rng, 20);
        cr_assert_eq(kopi_epochs_assign(&e, next_epoch, next_offset), KOP_OK);
        model_assign(&m, next_epoch, next_offset);
      } else if (what < 15) {
        cr_assert_eq(kopi_epochs_assign(&e, epoch, offset), KOP_OK);
        model_assign(&m, epoch, offset);
      } else if (what < 17) {
        offset = next_offset - (int64_t)rng_below(&rng, 400);
        kopi_epochs_truncate_start(&e, offset);
        model_start(&m, offset);
      } else if (what < 18) {
        offset = next_offset - (int64_t)rng_below(&rng, 50);
        kopi_epochs_truncate_end(&e, offset);
        keep_below(&m, INT32_MAX, offset);
      }
      compare(&e, &m, &rng, next_epoch, next_offset);
    }
    kopi_epochs_free(&e);
    cr_assert_eq(f.live, 0);
  }
}

Test(epochs, refused_allocation_changes_nothing) {
  for (size_t fail_at = 0;; fail_at++) {
    failing_alloc f;
    failing_alloc_init(&f, fail_at);
    kopi_epochs e;
    kopi_epochs_init(&e, &f.alloc, 64);
    for (int32_t i = 0; i < 40; i++) {
      kop_status s = kopi_epochs_assign(&e, i, i * 2);
      if (s == KOP_OK) continue;
      cr_assert_eq(s, KOP_ERR_NOMEM);
      cr_assert_eq(kopi_epochs_latest(&e), i - 1);
      cr_assert_eq(kopi_epochs_assign(&e, i, i * 2), KOP_OK);
    }
    cr_assert_eq(e.len, 40);
    kopi_epochs_free(&e);
    cr_assert_eq(f.live, 0);
    if (f.made <= fail_at) break;
  }
}
