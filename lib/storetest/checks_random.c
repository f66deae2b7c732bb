/*
 * A random walk: appends, reads, deletions and changes of leadership on three partitions, compared step by step with a model that
 * knows only offsets. Batches can be made again from their partition and base offset, so nothing needs to be kept.
 */
#include "storetest/harness.h"

#include <string.h>

#include "base/alloc.h"

enum { PARTITIONS = 3, MAX_BATCHES = 4096 };

typedef struct model {
  uint64_t id;
  int32_t epoch;
  int64_t start;
  int64_t end;
  uint32_t batches; /* of which these are remembered: base offset, count, epoch, size */
  int64_t base[MAX_BATCHES];
  uint32_t count[MAX_BATCHES];
  uint32_t size[MAX_BATCHES];
  int32_t epochs[MAX_BATCHES];
} model;

static void walk_append(st *t, model *m) {
  if (m->batches == MAX_BATCHES) return;
  uint32_t count = 1 + (uint32_t)st_random(t, 5), i = m->batches;
  uint32_t size = 100 + (uint32_t)st_random(t, st_random(t, 20) == 0 ? 60000 : 2000);
  st_answer *a = st_append_one(t, m->id, m->epoch, size, count, m->end, (uint32_t)m->end);
  if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of APPEND")) return;
  st_expect_i64(t, a->appended.base_offset, m->end, "the base offset");
  m->base[i] = m->end;
  m->count[i] = count;
  m->size[i] = size;
  m->epochs[i] = m->epoch;
  m->batches++;
  m->end += count;
}

static void walk_read(st *t, const model *m) {
  int64_t offset = m->start + (int64_t)st_random(t, (uint64_t)(m->end - m->start) + 1);
  int64_t end = offset + (int64_t)st_random(t, 200);
  uint32_t max = (uint32_t)st_random(t, 100000);
  uint32_t flags = (uint32_t)st_random(t, 4);
  uint32_t i = 0;
  while (i < m->batches && m->base[i] + m->count[i] <= offset)
    i++;
  st_answer *r = st_read(t, m->id, offset, end, max, flags);
  if (!st_expect_i64(t, r->outcome, KOP_DONE, "the outcome of READ")) return;
  uint64_t bytes = 0;
  for (uint32_t j = 0; j < r->batches_count; j++, i++) {
    const st_batch *b = &r->batches[j];
    if (!st_expect(t, i < m->batches, "a READ gave a batch that was never appended")) break;
    st_expect_i64(t, b->base, m->base[i], "the base offset of a batch that was read");
    st_expect(t, m->base[i] < end, "a READ gave a batch from beyond its end");
    size_t len = st_batch_build(t->scratch, m->size[i], m->count[i], m->base[i], m->epochs[i],
                                (uint32_t)m->base[i]);
    st_expect(t, b->len == len && memcmp(b->bytes, t->scratch, len) == 0,
              "a batch is not what was appended");
    bytes += b->len;
    st_expect(t, bytes <= max || (j == 0 && (flags & KOP_READ_AT_LEAST_ONE) != 0),
              "a READ passed max_bytes");
    if (i + 1 == m->batches || j + 1 == r->batches_count)
      st_expect_i64(t, r->next_offset, m->base[i] + m->count[i], "next_offset");
  }
  if ((r->flags & KOP_COMPLETION_LENT) != 0) st_release(t, r);
}

static void walk_delete(st *t, model *m) {
  int64_t before = m->start + (int64_t)st_random(t, (uint64_t)(m->end - m->start) / 4 + 1);
  st_answer *a = st_delete_records(t, m->id, m->epoch, before);
  if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of DELETE_RECORDS")) return;
  m->start = before;
  st_expect_i64(t, a->deleted.log_start, before, "the log start");
}

static void walk_acquire(st *t, model *m) {
  st_answer *a = st_acquire(t, m->id);
  if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of ACQUIRE")) return;
  st_expect(t, a->acquired.epoch > m->epoch, "an epoch is not larger than the one before");
  st_expect_i64(t, a->acquired.log_start, m->start, "the log start");
  st_expect_i64(t, a->acquired.end_offset, m->end, "the end offset");
  m->epoch = a->acquired.epoch;
}

static void random_walk(st *t) {
  st_topic *topic = st_topic_make(t, PARTITIONS);
  if (topic == NULL) return;
  model *all = kopi_calloc(t->alloc, PARTITIONS, sizeof *all);
  if (all == NULL) {
    st_fail(t, "the suite is out of memory");
    return;
  }
  for (uint32_t i = 0; i < PARTITIONS; i++) {
    all[i] = (model){.id = topic->partitions[i].id, .epoch = -1};
    walk_acquire(t, &all[i]);
  }
  int deletes = (t->store->effects & ST_NEEDS(KOP_EFFECT_DELETE_RECORDS)) != 0;
  for (uint32_t step = 0; step < t->config.steps && t->verdict == 1; step++) {
    model *m = &all[st_random(t, PARTITIONS)];
    uint64_t what = st_random(t, 100);
    if (what < 50) {
      walk_append(t, m);
    } else if (what < 95) {
      walk_read(t, m);
    } else if (what < 97) {
      walk_acquire(t, m);
    } else if (deletes) {
      walk_delete(t, m);
    }
  }
  kopi_free(t->alloc, all);
}

void st_checks_random(st *t) {
  static const st_check checks[] = {
      {"a random walk agrees with a model", 0, random_walk},
  };
  st_run(t, checks, sizeof checks / sizeof checks[0]);
}
