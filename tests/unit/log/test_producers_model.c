/* Producer windows against a model that keeps the whole history and searches it. */
#include <criterion/criterion.h>

#include "base/alloc.h"
#include "log/producers.h"
#include "support/failing_alloc.h"
#include "support/rng.h"

enum { IDS = 12, HISTORY = 2000, MAX_PRODUCERS = 8, MAX_IN_FLIGHT = 20 };

/* One batch in the order of the appends. */
typedef struct item {
  kopi_producer_batch batch;
  int64_t base_offset; /* what the store gives it */
  uint64_t ticket;
  int committed;
  int gone; /* forgotten, expired or evicted */
} item;

static item history[HISTORY];
static size_t len;

static int waits(const item *it) {
  return !it->gone && !it->committed;
}

/* In flight as the library counts: not committed, or begun after one that is not. */
static int in_flight(size_t i) {
  if (history[i].gone) return 0;
  for (size_t k = 0; k <= i; k++) {
    if (waits(&history[k])) return 1;
  }
  return 0;
}

static kopi_producers_verdict expect(const kopi_producer_batch *b) {
  kopi_producers_verdict v = {.kind = KOPI_PRODUCERS_NEW, .base_offset = -1, .timestamp = -1};
  const item *last = NULL;
  int seen = 0;
  for (size_t i = len; i-- > 0;) {
    const item *it = &history[i];
    if (it->gone || it->batch.producer_id != b->producer_id) continue;
    if (last == NULL) last = it;
    if (it->batch.epoch != b->epoch || ++seen > KOPI_PRODUCER_WINDOW) break;
    if (it->batch.first_seq == b->first_seq && it->batch.last_seq == b->last_seq) {
      v.kind = it->committed ? KOPI_PRODUCERS_DUPLICATE : KOPI_PRODUCERS_IN_FLIGHT;
      v.base_offset = it->committed ? it->base_offset : -1;
      v.timestamp = it->batch.timestamp;
      return v;
    }
  }
  if (last == NULL) return v;
  if (b->epoch < last->batch.epoch) {
    v.kafka_error = 47;
  } else if (b->epoch > last->batch.epoch) {
    v.kafka_error = b->first_seq == 0 ? 0 : 45;
  } else {
    int64_t next = last->batch.last_seq == INT32_MAX ? 0 : (int64_t)last->batch.last_seq + 1;
    v.kafka_error = b->first_seq == next ? 0 : 45;
  }
  if (v.kafka_error != 0) v.kind = KOPI_PRODUCERS_REFUSED;
  return v;
}

/* The last item of a producer of which nothing is in flight, else NULL. */
static const item *idle_last(int64_t id) {
  const item *last = NULL;
  for (size_t i = 0; i < len; i++) {
    if (history[i].gone || history[i].batch.producer_id != id) continue;
    if (in_flight(i)) return NULL;
    last = &history[i];
  }
  return last;
}

static int is_known(int64_t id) {
  for (size_t i = 0; i < len; i++) {
    if (!history[i].gone && history[i].batch.producer_id == id) return 1;
  }
  return 0;
}

static void drop(int64_t id) {
  for (size_t i = 0; i < len; i++) {
    if (history[i].batch.producer_id == id) history[i].gone = 1;
  }
}

/* The idle producer with the smallest last offset (or timestamp), -1 if none is idle. */
static int64_t oldest(int by_timestamp) {
  int64_t best = -1, smallest = INT64_MAX;
  for (int64_t id = 0; id < IDS; id++) {
    const item *last = idle_last(id);
    if (last == NULL) continue;
    int64_t value = by_timestamp ? last->batch.timestamp : last->base_offset;
    if (value >= smallest) continue;
    smallest = value;
    best = id;
  }
  return best;
}

static size_t count_known(void) {
  size_t n = 0;
  for (int64_t id = 0; id < IDS; id++)
    n += (size_t)is_known(id);
  return n;
}

static size_t count_in_flight(void) {
  size_t n = 0;
  for (size_t i = 0; i < len; i++)
    n += (size_t)in_flight(i);
  return n;
}

/* A batch that continues, repeats, skips or changes epoch. Timestamps are random but never equal. */
static kopi_producer_batch choose(uint64_t *rng) {
  int64_t id = (int64_t)rng_below(rng, IDS);
  kopi_producer_batch b = {.producer_id = id,
                           .timestamp = (int64_t)(rng_below(rng, 1000) * HISTORY + len)};
  const item *from = NULL;
  size_t back = rng_below(rng, 3) == 0 ? rng_below(rng, 8) : 0;
  for (size_t i = len; i-- > 0 && from == NULL;) {
    if (!history[i].gone && history[i].batch.producer_id == id && back-- == 0) from = &history[i];
  }
  uint32_t count = 1 + (uint32_t)rng_below(rng, 3);
  if (from == NULL) {
    b.first_seq = rng_below(rng, 4) == 0 ? INT32_MAX - 3 : 0;
    b.epoch = (int16_t)rng_below(rng, 3);
  } else {
    b.epoch = from->batch.epoch;
    b.first_seq = kopi_sequence_add(from->batch.last_seq, 1);
    switch (rng_below(rng, 8)) {
    case 0:
      b.first_seq = from->batch.first_seq;
      count = kopi_sequence_count(from->batch.first_seq, from->batch.last_seq);
      break;
    case 1:
      b.first_seq = (int32_t)rng_below(rng, 4);
      break;
    case 2:
      b.epoch = (int16_t)(b.epoch + 1);
      b.first_seq = (int32_t)rng_below(rng, 2);
      break;
    case 3:
      if (b.epoch > 0) b.epoch--;
      break;
    default:
      break;
    }
  }
  b.last_seq = kopi_sequence_add(b.first_seq, count - 1);
  return b;
}

static void begin(kopi_producers *p, const kopi_producer_batch *b) {
  uint64_t ticket;
  kop_status expected = KOP_OK;
  int64_t evicted = -1;
  if (count_in_flight() >= MAX_IN_FLIGHT) {
    expected = KOP_ERR_LIMIT;
  } else if (!is_known(b->producer_id) && count_known() == MAX_PRODUCERS) {
    evicted = oldest(0);
    if (evicted < 0) expected = KOP_ERR_LIMIT;
  }
  cr_assert_eq(kopi_producers_begin(p, b, &history[len], &ticket), expected);
  if (expected != KOP_OK) return;
  if (evicted >= 0) drop(evicted);
  history[len] = (item){.batch = *b, .base_offset = (int64_t)len * 10, .ticket = ticket};
  len++;
}

static void step_produce(kopi_producers *p, uint64_t *rng) {
  kopi_producer_batch b = choose(rng);
  kopi_producers_verdict v, want = expect(&b);
  kopi_producers_check(p, &b, &v);
  cr_assert_eq(v.kind, want.kind);
  cr_assert_eq(v.kafka_error, want.kafka_error);
  cr_assert_eq(v.base_offset, want.base_offset);
  cr_assert_eq(v.timestamp, want.timestamp);
  if (v.kind == KOPI_PRODUCERS_NEW) begin(p, &b);
  if (v.kind == KOPI_PRODUCERS_IN_FLIGHT) {
    const item *it = v.owner;
    cr_assert(waits(it));
    cr_assert_eq(it->batch.first_seq, b.first_seq);
    cr_assert_eq(it->batch.producer_id, b.producer_id);
  }
}

/* Answers one of the three oldest appends that wait. */
static void step_commit(kopi_producers *p, uint64_t *rng) {
  size_t skip = rng_below(rng, 3);
  for (size_t i = 0; i < len; i++) {
    if (!waits(&history[i]) || skip-- > 0) continue;
    kopi_producers_committed(p, history[i].ticket, history[i].base_offset);
    history[i].committed = 1;
    return;
  }
}

static void step_forget(kopi_producers *p) {
  kopi_producers_forget_in_flight(p);
  for (size_t i = 0; i < len; i++) {
    if (waits(&history[i])) history[i].gone = 1;
  }
}

static void step_expire(kopi_producers *p, uint64_t *rng) {
  size_t max = 1 + rng_below(rng, 2), n = 0;
  int64_t now = (int64_t)rng_below(rng, 400) * HISTORY;
  for (int64_t id; n < max && (id = oldest(1)) >= 0; n++) {
    if (idle_last(id)->batch.timestamp > now - 500) break;
    drop(id);
  }
  cr_assert_eq(kopi_producers_expire(p, now, 500, max), n);
}

/* The library's durable windows are the finished tails of the model's history. */
static void compare(const kopi_producers *p) {
  const kopi_producer_state **all;
  size_t n, k = 0;
  cr_assert_eq(kopi_producers_sorted(p, KOPI_PRODUCERS_BY_ID, &all, &n), KOP_OK);
  for (int64_t id = 0; id < IDS; id++) {
    const item *window[KOPI_PRODUCER_WINDOW];
    size_t count = 0;
    for (size_t i = len; i-- > 0 && count < KOPI_PRODUCER_WINDOW;) {
      const item *it = &history[i];
      if (it->gone || it->batch.producer_id != id || in_flight(i)) continue;
      if (count > 0 && it->batch.epoch != window[0]->batch.epoch) break;
      window[count++] = it;
    }
    if (count == 0) continue;
    cr_assert_lt(k, n);
    cr_assert_eq(all[k]->producer_id, id);
    cr_assert_eq(all[k]->epoch, window[0]->batch.epoch);
    cr_assert_eq(all[k]->count, count);
    for (size_t i = 0; i < count; i++) {
      cr_assert_eq(all[k]->batches[i].base_offset, window[count - 1 - i]->base_offset);
      cr_assert_eq(all[k]->batches[i].last_seq, window[count - 1 - i]->batch.last_seq);
    }
    k++;
  }
  cr_assert_eq(k, n);
  kopi_free(p->alloc, all);
  cr_assert_eq(kopi_producers_len(p), count_known());
}

Test(producers, behave_as_a_search_through_the_whole_history) {
  for (uint64_t seed = 1; seed <= 30; seed++) {
    uint64_t rng = seed;
    failing_alloc f;
    failing_alloc_init(&f, SIZE_MAX);
    kopi_producers p;
    kopi_producers_init(&p, &f.alloc, rng_next(&rng), MAX_PRODUCERS, MAX_IN_FLIGHT);
    len = 0;
    for (int i = 0; i < 800; i++) {
      uint64_t what = rng_below(&rng, 100);
      if (what < 60) {
        step_produce(&p, &rng);
      } else if (what < 97) {
        step_commit(&p, &rng);
      } else if (what < 98) {
        step_forget(&p);
      } else {
        step_expire(&p, &rng);
      }
      if (i % 20 == 0) compare(&p);
    }
    cr_assert_gt(len, 100);
    kopi_producers_free(&p);
    cr_assert_eq(f.live, 0);
  }
}
