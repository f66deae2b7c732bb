/* Producer windows: Kafka's measured answers, the life of a batch in flight, bounds. */
#include <criterion/criterion.h>

#include "base/alloc.h"
#include "log/producers.h"
#include "support/failing_alloc.h"

static kopi_producer_batch batch(int64_t id, int16_t epoch, int32_t first_seq, uint32_t count,
                                 int64_t timestamp) {
  return (kopi_producer_batch){.producer_id = id,
                               .epoch = epoch,
                               .first_seq = first_seq,
                               .last_seq = kopi_sequence_add(first_seq, count - 1),
                               .timestamp = timestamp};
}

static kopi_producers_verdict check(const kopi_producers *p, kopi_producer_batch b) {
  kopi_producers_verdict v;
  kopi_producers_check(p, &b, &v);
  return v;
}

/* Appends a batch that is new and commits it at once. */
static void append(kopi_producers *p, kopi_producer_batch b, int64_t base_offset) {
  uint64_t ticket;
  cr_assert_eq(check(p, b).kind, KOPI_PRODUCERS_NEW);
  cr_assert_eq(kopi_producers_begin(p, &b, NULL, &ticket), KOP_OK);
  kopi_producers_committed(p, ticket, base_offset);
}

static void init(kopi_producers *p, failing_alloc *f, uint32_t max_producers,
                 uint32_t max_in_flight) {
  failing_alloc_init(f, SIZE_MAX);
  kopi_producers_init(p, &f->alloc, 42, max_producers, max_in_flight);
}

static void end(kopi_producers *p, failing_alloc *f) {
  kopi_producers_free(p);
  cr_assert_eq(kopi_producers_len(p), 0);
  cr_assert_eq(f->live, 0);
}

/* What Kafka 4.3.1 answered to the same batches in the same order: an error, or the base offset of a new batch or of a duplicate. */
typedef struct measured {
  int64_t id;
  int16_t epoch;
  int32_t first_seq;
  uint32_t count;
  int16_t error;
  int duplicate;
  int64_t base_offset;
} measured;

enum { NEW = 0, DUP = 1, MAX_SEQ = 0x7FFFFFFF };

Test(producers, answers_as_kafka_does) {
  static const measured cases[] = {
      {100, 0, 5, 2, 0, NEW, 1}, /* unknown producer: any sequence */
      {100, 0, 5, 2, 0, DUP, 1},
      {100, 0, 7, 1, 0, NEW, 3},
      {100, 0, 6, 2, 45, NEW, 0}, /* overlaps, but equals none */
      {100, 0, 7, 2, 45, NEW, 0}, /* begins like one, but is longer */
      {100, 0, 8, 1, 0, NEW, 4},
      {100, 0, 9, 1, 0, NEW, 5},
      {100, 0, 10, 1, 0, NEW, 6},
      {100, 0, 11, 1, 0, NEW, 7},
      {100, 0, 12, 1, 0, NEW, 8},
      {100, 0, 7, 1, 45, NEW, 0}, /* C197: sixth from the end */
      {100, 0, 8, 1, 0, DUP, 4},  /* C197: fifth from the end */
      {100, 0, 12, 1, 0, DUP, 8},
      {100, 0, 14, 1, 45, NEW, 0},  /* a gap */
      {100, -1, 12, 1, 47, NEW, 0}, /* an old epoch */
      {100, 1, 3, 1, 45, NEW, 0},   /* a new epoch must begin at 0 */
      {100, 1, 0, 1, 0, NEW, 9},
      {100, 0, 13, 1, 47, NEW, 0},
      {100, 0, 12, 1, 47, NEW, 0}, /* the old epoch's window is gone */
      {100, 6, 0, 3, 0, NEW, 10},
      {100, 6, 0, 3, 0, DUP, 10},
      {101, -1, 9, 1, 0, NEW, 13}, /* epoch -1 is no epoch: any sequence */
      {101, -1, 3, 1, 0, NEW, 14},
      {101, -1, 3, 1, 0, DUP, 14},
      {101, 0, 8, 1, 0, NEW, 15},
      {101, 0, 3, 1, 45, NEW, 0},
      {103, -5, 0, 1, 47, NEW, 0},
      {104, 0, MAX_SEQ - 1, 4, 0, NEW, 16}, /* C198: over the wrap inside a batch */
      {104, 0, 2, 1, 0, NEW, 20},
      {104, 0, MAX_SEQ - 1, 4, 0, DUP, 16},
      {105, 0, MAX_SEQ, 1, 0, NEW, 21}, /* C198: over the wrap between batches */
      {105, 0, 0, 1, 0, NEW, 22},
      {105, 0, 1, 1, 0, NEW, 23},
  };
  failing_alloc f;
  kopi_producers p;
  init(&p, &f, 100, 100);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const measured *c = &cases[i];
    kopi_producer_batch b = batch(c->id, c->epoch, c->first_seq, c->count, 1000 + (int64_t)i);
    kopi_producers_verdict v = check(&p, b);
    cr_assert_eq(v.kafka_error, c->error, "case %zu: error %d", i, v.kafka_error);
    if (c->error != 0) {
      cr_assert_eq(v.kind, KOPI_PRODUCERS_REFUSED, "case %zu", i);
    } else if (c->duplicate) {
      cr_assert_eq(v.kind, KOPI_PRODUCERS_DUPLICATE, "case %zu", i);
      cr_assert_eq(v.base_offset, c->base_offset, "case %zu", i);
      cr_assert(v.timestamp >= 1000 && v.timestamp < 1000 + (int64_t)i, "case %zu", i);
    } else {
      append(&p, b, c->base_offset);
    }
  }
  end(&p, &f);
}

Test(producers, batch_without_producer_is_always_new) {
  failing_alloc f;
  kopi_producers p;
  init(&p, &f, 1, 1);
  cr_assert_eq(check(&p, batch(-1, -1, -1, 1, 5)).kind, KOPI_PRODUCERS_NEW);
  cr_assert_eq(check(&p, batch(-2, 0, 0, 1, 5)).kind, KOPI_PRODUCERS_NEW);
  kopi_producer_batch b = batch(-1, -1, -1, 1, 5);
  cr_assert_eq(kopi_producers_replay(&p, &b, 0), KOP_OK);
  cr_assert_eq(kopi_producers_len(&p), 0);
  end(&p, &f);
}

Test(producers, duplicate_in_flight_joins_its_append) {
  failing_alloc f;
  kopi_producers p;
  init(&p, &f, 10, 10);
  int first, second;
  uint64_t t1, t2;
  kopi_producer_batch b1 = batch(7, 3, 0, 10, 100), b2 = batch(7, 3, 10, 1, 101);
  cr_assert_eq(kopi_producers_begin(&p, &b1, &first, &t1), KOP_OK);
  cr_assert_eq(check(&p, b2).kind, KOPI_PRODUCERS_NEW);
  cr_assert_eq(kopi_producers_begin(&p, &b2, &second, &t2), KOP_OK);
  kopi_producers_verdict v = check(&p, b1);
  cr_assert_eq(v.kind, KOPI_PRODUCERS_IN_FLIGHT);
  cr_assert_eq(v.owner, &first);
  cr_assert_eq(check(&p, b2).owner, &second);
  cr_assert_eq(check(&p, batch(7, 3, 12, 1, 0)).kafka_error, 45);
  /* Answers may come in any order; an offset is known as soon as its own answer is here. */
  kopi_producers_committed(&p, t2, 60);
  cr_assert_eq(check(&p, b1).kind, KOPI_PRODUCERS_IN_FLIGHT);
  v = check(&p, b2);
  cr_assert_eq(v.kind, KOPI_PRODUCERS_DUPLICATE);
  cr_assert_eq(v.base_offset, 60);
  cr_assert_eq(v.timestamp, 101);
  kopi_producers_committed(&p, t1, 50);
  v = check(&p, b1);
  cr_assert_eq(v.kind, KOPI_PRODUCERS_DUPLICATE);
  cr_assert_eq(v.base_offset, 50);
  end(&p, &f);
}

Test(producers, forgetting_brings_back_what_is_durable) {
  failing_alloc f;
  kopi_producers p;
  init(&p, &f, 10, 10);
  append(&p, batch(7, 0, 0, 1, 100), 0);
  append(&p, batch(7, 0, 1, 1, 101), 1);
  kopi_producer_batch b2 = batch(7, 0, 2, 1, 102), b3 = batch(7, 1, 0, 1, 103);
  kopi_producer_batch other = batch(8, 0, 0, 1, 104);
  uint64_t t2, t3, t4;
  cr_assert_eq(kopi_producers_begin(&p, &b2, NULL, &t2), KOP_OK);
  cr_assert_eq(kopi_producers_begin(&p, &b3, NULL, &t3), KOP_OK);
  cr_assert_eq(kopi_producers_begin(&p, &other, NULL, &t4), KOP_OK);
  cr_assert_eq(check(&p, b2).kafka_error, 47);
  cr_assert_eq(kopi_producers_len(&p), 2);
  kopi_producers_forget_in_flight(&p);
  cr_assert_eq(kopi_producers_len(&p), 1, "a producer with nothing durable is unknown");
  cr_assert_eq(check(&p, b2).kind, KOPI_PRODUCERS_NEW);
  cr_assert_eq(check(&p, batch(7, 0, 0, 1, 0)).base_offset, 0);
  /* A late answer to a forgotten append changes nothing, also after new ones have begun. */
  uint64_t again;
  cr_assert_eq(kopi_producers_begin(&p, &b2, NULL, &again), KOP_OK);
  kopi_producers_committed(&p, t2, 77);
  cr_assert_eq(check(&p, b2).kind, KOPI_PRODUCERS_IN_FLIGHT);
  kopi_producers_committed(&p, again, 2);
  cr_assert_eq(check(&p, b2).base_offset, 2);
  end(&p, &f);
}

Test(producers, replay_and_live_give_the_same_state) {
  failing_alloc f, g;
  kopi_producers live, replayed;
  init(&live, &f, 10, 10);
  init(&replayed, &g, 10, 10);
  for (int i = 0; i < 40; i++) {
    kopi_producer_batch b = batch(i % 3, (int16_t)(i / 15), (i % 15) / 3, 1, 1000 - i);
    append(&live, b, i);
    cr_assert_eq(kopi_producers_replay(&replayed, &b, i), KOP_OK);
    cr_assert_eq(kopi_producers_replay(&replayed, &b, i), KOP_OK); /* known: changes nothing */
  }
  const kopi_producer_state **a, **b;
  size_t n, m;
  cr_assert_eq(kopi_producers_sorted(&live, KOPI_PRODUCERS_BY_OFFSET, &a, &n), KOP_OK);
  cr_assert_eq(kopi_producers_sorted(&replayed, KOPI_PRODUCERS_BY_OFFSET, &b, &m), KOP_OK);
  cr_assert_eq(n, 3);
  cr_assert_eq(m, 3);
  for (size_t i = 0; i < n; i++) {
    cr_assert_eq(a[i]->producer_id, b[i]->producer_id);
    cr_assert_eq(a[i]->epoch, b[i]->epoch);
    cr_assert_eq(a[i]->count, b[i]->count);
    cr_assert_arr_eq(a[i]->batches, b[i]->batches, a[i]->count * sizeof a[i]->batches[0]);
  }
  kopi_free(&f.alloc, a);
  kopi_free(&g.alloc, b);
  end(&live, &f);
  end(&replayed, &g);
}

Test(producers, bounds_hold) {
  failing_alloc f;
  kopi_producers p;
  init(&p, &f, 3, 2);
  /* A timestamp far ahead does not save a producer: the log's order counts. */
  append(&p, batch(2, 0, 0, 1, INT64_MAX), 0);
  append(&p, batch(1, 0, 0, 1, 5), 1);
  append(&p, batch(3, 0, 0, 1, 5), 2);
  append(&p, batch(1, 0, 1, 1, 6), 3);
  append(&p, batch(4, 0, 0, 1, 5), 4);
  cr_assert_eq(kopi_producers_len(&p), 3);
  cr_assert_eq(check(&p, batch(2, 0, 9, 1, 5)).kind, KOPI_PRODUCERS_NEW, "2 is unknown again");
  cr_assert_eq(check(&p, batch(3, 0, 9, 1, 5)).kind, KOPI_PRODUCERS_REFUSED);
  uint64_t t1, t3, t;
  kopi_producer_batch b1 = batch(1, 0, 2, 1, 7), b3 = batch(3, 0, 1, 1, 7);
  kopi_producer_batch b5 = batch(5, 0, 0, 1, 7);
  cr_assert_eq(kopi_producers_begin(&p, &b1, NULL, &t1), KOP_OK);
  cr_assert_eq(kopi_producers_begin(&p, &b3, NULL, &t3), KOP_OK);
  cr_assert_eq(kopi_producers_begin(&p, &b5, NULL, &t), KOP_ERR_LIMIT, "too many in flight");
  kopi_producers_committed(&p, t1, 5);
  cr_assert_eq(kopi_producers_begin(&p, &b5, NULL, &t), KOP_OK, "4 made room");
  cr_assert_eq(check(&p, batch(4, 0, 9, 1, 5)).kind, KOPI_PRODUCERS_NEW);
  end(&p, &f);

  init(&p, &f, 1, 5);
  cr_assert_eq(kopi_producers_begin(&p, &b1, NULL, &t1), KOP_OK);
  cr_assert_eq(kopi_producers_begin(&p, &b5, NULL, &t), KOP_ERR_LIMIT, "the only one is busy");
  cr_assert_eq(kopi_producers_replay(&p, &b5, 0), KOP_ERR_LIMIT);
  kopi_producers_committed(&p, t1, 5);
  cr_assert_eq(kopi_producers_begin(&p, &b5, NULL, &t), KOP_OK);
  end(&p, &f);
}

Test(producers, expire_by_timestamp_but_never_in_flight) {
  failing_alloc f;
  kopi_producers p;
  init(&p, &f, 10, 10);
  cr_assert_eq(kopi_producers_oldest_timestamp(&p), INT64_MAX);
  append(&p, batch(1, 0, 0, 1, 300), 0);
  append(&p, batch(2, 0, 0, 1, 100), 1);
  append(&p, batch(3, 0, 0, 1, -1), 2);
  append(&p, batch(4, 0, 0, 1, 200), 3);
  kopi_producer_batch b = batch(3, 0, 1, 1, -1);
  uint64_t t;
  cr_assert_eq(kopi_producers_begin(&p, &b, NULL, &t), KOP_OK);
  cr_assert_eq(kopi_producers_oldest_timestamp(&p), 100);
  cr_assert_eq(kopi_producers_expire(&p, 1099, 1000, 9), 0);
  cr_assert_eq(kopi_producers_expire(&p, 1100, 1000, 9), 1);
  cr_assert_eq(kopi_producers_expire(&p, INT64_MIN, 1000, 9), 0);
  cr_assert_eq(kopi_producers_expire(&p, 9999, 1000, 1), 1, "bounded work");
  cr_assert_eq(kopi_producers_oldest_timestamp(&p), 300);
  cr_assert_eq(kopi_producers_expire(&p, 9999, 1000, 9), 1);
  cr_assert_eq(kopi_producers_len(&p), 1);
  kopi_producers_committed(&p, t, 4);
  cr_assert_eq(kopi_producers_expire(&p, 9999, 1000, 9), 1);
  cr_assert_eq(kopi_producers_len(&p), 0);
  end(&p, &f);
}

Test(producers, listing_is_sorted_and_durable_only) {
  failing_alloc f;
  kopi_producers p;
  init(&p, &f, 100, 10);
  const kopi_producer_state **all;
  size_t n;
  cr_assert_eq(kopi_producers_sorted(&p, KOPI_PRODUCERS_BY_ID, &all, &n), KOP_OK);
  cr_assert_null(all);
  for (int i = 0; i < 50; i++)
    append(&p, batch((i * 37) % 50, 2, 4, 3, 10 + i), i * 3);
  kopi_producer_batch b = batch(77, 0, 0, 1, 1);
  uint64_t t;
  cr_assert_eq(kopi_producers_begin(&p, &b, NULL, &t), KOP_OK);
  cr_assert_eq(kopi_producers_sorted(&p, KOPI_PRODUCERS_BY_ID, &all, &n), KOP_OK);
  cr_assert_eq(n, 50);
  for (size_t i = 0; i < n; i++) {
    cr_assert_eq(all[i]->producer_id, (int64_t)i);
    cr_assert_eq(all[i]->batches[0].last_seq, 6);
  }
  kopi_free(&f.alloc, all);
  cr_assert_eq(kopi_producers_sorted(&p, KOPI_PRODUCERS_BY_OFFSET, &all, &n), KOP_OK);
  for (size_t i = 0; i < n; i++)
    cr_assert_eq(all[i]->batches[0].base_offset, (int64_t)i * 3);
  kopi_free(&f.alloc, all);
  end(&p, &f);
}

Test(producers, every_refused_allocation_changes_nothing) {
  for (size_t fail_at = 0;; fail_at++) {
    failing_alloc f;
    failing_alloc_init(&f, fail_at);
    kopi_producers p;
    kopi_producers_init(&p, &f.alloc, 1, 30, 30);
    uint64_t tickets[30], again;
    for (int i = 0; i < 30; i++) {
      kopi_producer_batch b = batch(i / 2, 0, i % 2, 1, i);
      kop_status s = kopi_producers_begin(&p, &b, NULL, &tickets[i]);
      if (s == KOP_OK) continue;
      cr_assert_eq(s, KOP_ERR_NOMEM);
      cr_assert_eq(check(&p, b).kind, KOPI_PRODUCERS_NEW);
      cr_assert_eq(kopi_producers_len(&p), (size_t)(i + 1) / 2);
      cr_assert_eq(kopi_producers_begin(&p, &b, NULL, &tickets[i]), KOP_OK);
    }
    for (int i = 0; i < 30; i++)
      kopi_producers_committed(&p, tickets[i], i);
    const kopi_producer_state **all;
    size_t n;
    kop_status s = kopi_producers_sorted(&p, KOPI_PRODUCERS_BY_ID, &all, &n);
    cr_assert_eq(s, all != NULL ? KOP_OK : KOP_ERR_NOMEM);
    if (all != NULL) cr_assert_eq(n, 15);
    kopi_free(&f.alloc, all);
    kopi_producer_batch fresh = batch(99, 0, 0, 1, 0);
    s = kopi_producers_replay(&p, &fresh, 100);
    cr_assert(s == KOP_OK || s == KOP_ERR_NOMEM);
    cr_assert_eq(kopi_producers_len(&p), s == KOP_OK ? 16 : 15);
    cr_assert_eq(kopi_producers_begin(&p, &fresh, NULL, &again), KOP_OK);
    kopi_producers_free(&p);
    cr_assert_eq(f.live, 0);
    if (f.made <= fail_at) break;
  }
}

Test(producers, old_tickets_name_nothing) {
  failing_alloc f;
  kopi_producers p;
  init(&p, &f, 10, 100);
  kopi_producer_batch b = batch(1, 0, 0, 1, 5);
  uint64_t old, ticket;
  cr_assert_eq(kopi_producers_begin(&p, &b, NULL, &old), KOP_OK);
  kopi_producers_forget_in_flight(&p);
  for (int32_t i = 0; i < 40; i++) {
    b = batch(1, 0, i, 1, 5);
    cr_assert_eq(kopi_producers_begin(&p, &b, NULL, &ticket), KOP_OK);
    kopi_producers_committed(&p, old, 77);
    kopi_producers_committed(&p, ticket + 1, 78);
    cr_assert_eq(check(&p, b).kind, KOPI_PRODUCERS_IN_FLIGHT);
    kopi_producers_committed(&p, ticket, i);
    cr_assert_eq(check(&p, b).base_offset, i);
  }
  end(&p, &f);
  init(&p, &f, 10, 100);
  cr_assert_eq(kopi_producers_begin(&p, &b, NULL, &old), KOP_OK);
  kopi_producers_free(&p);
  cr_assert_eq(kopi_producers_begin(&p, &b, NULL, &ticket), KOP_OK);
  kopi_producers_committed(&p, old, 79);
  cr_assert_eq(check(&p, b).kind, KOPI_PRODUCERS_IN_FLIGHT, "nor after everything was forgotten");
  end(&p, &f);
}

Test(producers, restore_takes_only_what_is_well_formed) {
  const kopi_producer_state good = {
      .producer_id = 4,
      .epoch = 1,
      .count = 2,
      .batches = {{.base_offset = 10, .first_seq = MAX_SEQ, .last_seq = 1},
                  {.base_offset = 13, .first_seq = 2, .last_seq = 2, .timestamp = -1}}};
  failing_alloc f;
  kopi_producers p;
  init(&p, &f, 10, 10);
  for (int i = 0; i < 10; i++) {
    kopi_producer_state s = good;
    switch (i) {
    case 0:
      s.producer_id = -1;
      break;
    case 1:
      s.epoch = -2;
      break;
    case 2:
      s.count = 0;
      break;
    case 3:
      s.count = KOPI_PRODUCER_WINDOW + 1;
      break;
    case 4:
      s.batches[0].base_offset = -1;
      break;
    case 5:
      s.batches[1].base_offset = 12; /* inside the batch before it, which has three records */
      break;
    case 6:
      s.batches[1].base_offset = INT64_MAX;
      break;
    case 7:
      s.batches[0].first_seq = -1;
      break;
    case 8:
      s.batches[0].last_seq = INT32_MIN;
      break;
    default:
      s.batches[1].first_seq = 3; /* from 3 around to 2: more records than offsets are left */
      s.batches[1].base_offset = INT64_MAX - 5;
      break;
    }
    cr_assert_eq(kopi_producers_restore(&p, &s), KOP_ERR_MALFORMED, "case %d", i);
    cr_assert_eq(kopi_producers_len(&p), 0);
  }
  cr_assert_eq(kopi_producers_restore(&p, &good), KOP_OK);
  cr_assert_eq(kopi_producers_restore(&p, &good), KOP_ERR_MALFORMED, "known already");
  cr_assert_eq(check(&p, batch(4, 1, MAX_SEQ, 3, 0)).base_offset, 10);
  cr_assert_eq(check(&p, batch(4, 1, 3, 1, 0)).kind, KOPI_PRODUCERS_NEW);
  end(&p, &f);
}
