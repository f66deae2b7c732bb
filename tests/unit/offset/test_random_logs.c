/*
 * Searches over random logs: holes, batches, markers, rollovers, trims and growth under the search, every way of reading.
 *
 * KOP_OFFSET_LOGS says how many logs (a million if it is not set). A failure prints the seed of its log; KOP_OFFSET_SEED
 * runs that one alone.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "model.h"

static const uint32_t ways[] = {
    KOP_OFFSET_CAN_READ,
    KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_LIST,
    KOP_OFFSET_CAN_READ_EXACT | KOP_OFFSET_CAN_LIST,
    KOP_OFFSET_CAN_EXAMINE,
    KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_INDEX,
};
enum { WAYS = sizeof ways / sizeof ways[0] };

enum { LOGS = 1000000 };

/* Halvings that n things take. */
static uint32_t log2_up(uint64_t n) {
  uint32_t bits = 0;
  while (bits < 64 && (UINT64_C(1) << bits) < n)
    bits++;
  return bits;
}

typedef struct trial {
  model log;
  uint32_t can;
  uint64_t seed;
  uint32_t first_before; /* index of the first entry when the search began */
  uint32_t len_before;
  uint8_t moves; /* the log changes under the search */
} trial;

static model_shape random_shape(uint64_t *rng) {
  return (model_shape){
      .entries = (uint32_t)rng_below(rng, rng_below(rng, 8) == 0 ? 400 : 60),
      .unindexed = rng_below(rng, 5) == 0 ? (uint32_t)rng_below(rng, 20) : 0,
      .per_ledger = (uint32_t)(1 + rng_below(rng, 40)) + 1,
      .batch = (uint32_t)(1 + rng_below(rng, 12)),
      .gap_one_in = (uint32_t)rng_below(rng, 6),
      .hidden_one_in = rng_below(rng, 3) == 0 ? 5 : 0,
  };
}

static void stir(trial *t) {
  uint64_t what = rng_below(&t->log.rng, 10);
  if (what == 0) model_trim(&t->log, 1 + (uint32_t)rng_below(&t->log.rng, 3));
  if (what == 1) model_roll(&t->log);
  if (what == 2) {
    model_shape more = {.entries = 3, .per_ledger = 5, .batch = 3, .gap_one_in = 4};
    model_append(&t->log, &more);
  }
}

static kop_offset_result run(trial *t, kop_offset_search *s, uint32_t find, int64_t value) {
  kop_offset_ledger list[MODEL_LEDGERS];
  kop_offset_probe probe;
  kop_offset_result result;
  t->first_before = model_first(&t->log);
  t->len_before = t->log.len;
  cr_assert_eq(kop_offset_search_begin(s, find, value), KOP_OK);
  while (kop_offset_search_probe(s, &probe) == KOP_OK) {
    kop_offset_answer a = model_answer(&t->log, t->can, &probe, list);
    cr_assert_eq(kop_offset_search_answer(s, &a), KOP_OK, "seed %llu", (unsigned long long)t->seed);
    if (t->moves) stir(t);
  }
  cr_assert_eq(kop_offset_search_result(s, &result), KOP_OK);
  return result;
}

/* The first entry that a search of this kind may find, from an index on; the log's length when there is none. */
static uint32_t next_seen(const trial *t, uint32_t i, int64_t offset) {
  for (; i < t->log.len; i++) {
    if (model_sees(&t->log, t->can, i) && t->log.entries[i].last >= 0 &&
        t->log.entries[i].last >= offset) {
      return i;
    }
  }
  return t->log.len;
}

static uint32_t index_of(const trial *t, const kop_offset_entry *e) {
  for (uint32_t i = 0; i < t->log.len; i++) {
    if (kop_offset_entry_compare(e, &t->log.entries[i]) == 0) return i;
  }
  return UINT32_MAX;
}

/* The offset after the last entry that this caller could see among the first `len`. */
static int64_t end_of(const trial *t, uint32_t len) {
  for (uint32_t i = len; i > 0; i--) {
    if (model_sees(&t->log, t->can, i - 1) && t->log.entries[i - 1].last >= 0)
      return t->log.entries[i - 1].last + 1;
  }
  return 0;
}

/* Whether the answer was true at some moment of the search. */
static uint8_t is_true(const trial *t, const kop_offset_result *r, int64_t wanted) {
  uint32_t found = index_of(t, &r->entry);
  uint32_t first_now = next_seen(t, model_first(&t->log), 0);
  int32_t batch_index = -1;
  switch (r->kind) {
  case KOP_OFFSET_FOUND:
    if (found == UINT32_MAX) return 0;
    (void)kop_offset_entry_find(&t->log.entries[found], wanted, &batch_index);
    return batch_index == r->batch_index;
  case KOP_OFFSET_IN_HOLE:
    return found != UINT32_MAX && next_seen(t, 0, wanted) == found &&
           t->log.entries[found].first > wanted;
  case KOP_OFFSET_TOO_LOW:
    if (r->entry.count == 0) return r->start_offset > wanted && r->end_offset == r->start_offset;
    return found != UINT32_MAX && found <= first_now && t->log.entries[found].first > wanted &&
           found >= next_seen(t, t->first_before, 0);
  case KOP_OFFSET_TOO_HIGH:
    if (r->end_offset < 0) return first_now == t->log.len || t->moves;
    return wanted >= r->end_offset && r->end_offset <= t->log.next_offset &&
           r->end_offset >= (first_now < t->log.len ? end_of(t, t->len_before) : 0);
  case KOP_OFFSET_NO_INDEX: /* nothing indexed at the end, as the log was or is */
    return end_of(t, t->len_before) == 0 || t->log.entries[t->len_before - 1].last < 0;
  default:
    return t->moves && r->restarts > 2;
  }
}

/* What it may cost on a log that stands still: see docs/offset-map.md. */
static uint32_t allowance(const trial *t) {
  uint32_t entries = t->log.len - model_first(&t->log);
  uint64_t ids = t->log.ledgers[t->log.ledger_len - 1].id - t->log.ledgers[t->log.first_ledger].id;
  uint32_t halvings = log2_up(entries + 1);
  if ((t->can & KOP_OFFSET_CAN_READ_EXACT) != 0) {
    return 2 * halvings + 6 + (t->log.ledger_len - t->log.first_ledger);
  }
  if ((t->can & KOP_OFFSET_CAN_LIST) != 0) return 2 * halvings + 6;
  if ((t->can & KOP_OFFSET_CAN_EXAMINE) != 0) return 2 * halvings + 6;
  return 4 * halvings + log2_up(ids + 1) + 7;
}

typedef struct totals {
  uint64_t searches;
  uint64_t probes;
  uint64_t kinds[8];
} totals;

static void one_offset(trial *t, kop_offset_search *s, totals *sum) {
  int64_t wanted = (int64_t)rng_below(&t->log.rng, (uint64_t)t->log.next_offset + 5);
  kop_offset_result r = run(t, s, KOP_OFFSET_FIND_OFFSET, wanted);
  cr_assert(is_true(t, &r, wanted), "seed %llu, can %u, offset %lld: kind %u entry %llu:%llu",
            (unsigned long long)t->seed, t->can, (long long)wanted, r.kind,
            (unsigned long long)r.entry.ledger_id, (unsigned long long)r.entry.entry_id);
  if (!t->moves) {
    /* A map from before a trim may send it the wrong way once. */
    uint32_t allowed = allowance(t) * (1 + r.restarts);
    cr_assert_leq(r.restarts, 1, "seed %llu", (unsigned long long)t->seed);
    cr_assert_leq(r.probes, allowed, "seed %llu, can %u, offset %lld: %u probes, %u allowed",
                  (unsigned long long)t->seed, t->can, (long long)wanted, r.probes, allowed);
  }
  sum->searches++;
  sum->probes += r.probes;
  sum->kinds[r.kind]++;
}

static void ends(trial *t, kop_offset_search *s) {
  kop_offset_result r = run(t, s, KOP_OFFSET_FIND_EARLIEST, 0);
  uint32_t first = next_seen(t, model_first(&t->log), 0);
  if (t->moves) return;
  if (first < t->log.len) {
    cr_assert_eq(r.kind, KOP_OFFSET_FOUND, "seed %llu: kind %u", (unsigned long long)t->seed,
                 r.kind);
    cr_assert_eq(index_of(t, &r.entry), first, "seed %llu", (unsigned long long)t->seed);
    cr_assert_eq(r.start_offset, r.entry.first);
  } else {
    cr_assert(r.kind == KOP_OFFSET_TOO_HIGH || r.kind == KOP_OFFSET_NO_INDEX);
  }
  r = run(t, s, KOP_OFFSET_FIND_LATEST, 0);
  if (first < t->log.len) {
    cr_assert_eq(r.kind, KOP_OFFSET_FOUND);
    cr_assert_eq(r.end_offset, end_of(t, t->log.len));
  }
}

static void one_log(uint64_t seed, totals *sum) {
  static trial t;
  uint64_t rng = seed;
  model_init(&t.log, rng_next(&rng));
  t.seed = seed;
  t.can = ways[rng_below(&rng, WAYS)];
  t.moves = rng_below(&rng, 3) == 0;
  model_shape shape = random_shape(&rng);
  model_append(&t.log, &shape);
  model_trim(&t.log, (uint32_t)rng_below(&rng, 4) * (uint32_t)rng_below(&rng, 4));
  kop_offset_map_config config;
  kop_offset_map_config_init(&config, sizeof config);
  config.max_checkpoints = 16 + (uint32_t)rng_below(&rng, 40);
  config.spacing = 1 + (uint32_t)rng_below(&rng, 20);
  kop_offset_search_config how;
  kop_offset_search_config_init(&how, sizeof how);
  how.can = t.can;
  kop_offset_map *map;
  kop_offset_search *s;
  cr_assert_eq(kop_offset_map_new(&config, &map), KOP_OK);
  cr_assert_eq(kop_offset_search_new(map, &how, &s), KOP_OK);
  one_offset(&t, s, sum); /* a map that knows nothing */
  for (uint64_t seen = rng_below(&rng, 30); seen > 0 && t.log.len > model_first(&t.log); seen--) {
    uint64_t i = model_first(&t.log) + rng_below(&rng, t.log.len - model_first(&t.log));
    if (!model_sees(&t.log, t.can, (uint32_t)i)) continue;
    cr_assert_eq(kop_offset_map_observe(map, &t.log.entries[i], 0, NULL), KOP_OK);
  }
  for (int i = 0; i < 3; i++) {
    one_offset(&t, s, sum);
    if (rng_below(&rng, 3) == 0) stir(&t);
  }
  ends(&t, s);
  kop_offset_search_free(s);
  kop_offset_map_free(map);
}

static uint64_t from_environment(const char *name, uint64_t otherwise) {
  const char *text = getenv(name);
  return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* Indexes that go back, batches with more messages than their sender said: nothing is promised but an end, soon. */
static void one_disordered_log(uint64_t seed) {
  static trial t;
  uint64_t rng = seed;
  model_init(&t.log, rng_next(&rng));
  t.can = ways[rng_below(&rng, WAYS)];
  t.moves = 0;
  for (uint64_t i = rng_below(&rng, 8); i > 0; i--) {
    model_shape shape = random_shape(&rng);
    shape.entries /= 4;
    shape.miscounted = 1;
    model_append(&t.log, &shape);
    t.log.next_offset -= (int64_t)rng_below(&rng, (uint64_t)t.log.next_offset + 1);
  }
  kop_offset_search_config how;
  kop_offset_search_config_init(&how, sizeof how);
  how.can = t.can;
  kop_offset_map *map;
  kop_offset_search *s;
  cr_assert_eq(kop_offset_map_new(NULL, &map), KOP_OK);
  cr_assert_eq(kop_offset_search_new(map, &how, &s), KOP_OK);
  for (int i = 0; i < 4; i++) {
    int64_t wanted = (int64_t)rng_below(&rng, 300);
    kop_offset_result r = run(&t, s, KOP_OFFSET_FIND_OFFSET, wanted);
    int32_t batch_index;
    cr_assert_leq(r.probes, 5 * allowance(&t), "seed %llu", (unsigned long long)seed);
    if (r.kind != KOP_OFFSET_FOUND) continue;
    cr_assert_eq(kop_offset_entry_find(&r.entry, wanted, &batch_index), KOP_OK);
    cr_assert_eq(batch_index, r.batch_index);
  }
  kop_offset_entry a = {0}, b;
  for (uint32_t i = 0; kop_offset_map_checkpoint(map, i, &b) == KOP_OK; i++, a = b) {
    cr_assert(i == 0 || (kop_offset_entry_compare(&a, &b) < 0 && a.last < b.first), "seed %llu",
              (unsigned long long)seed);
  }
  kop_offset_search_free(s);
  kop_offset_map_free(map);
}

Test(random_logs, disorder_is_survived) {
  uint64_t logs = from_environment("KOP_OFFSET_LOGS", LOGS) / 5;
  for (uint64_t i = 0; i < logs; i++)
    one_disordered_log(i + 1);
}

Test(random_logs, every_search_is_right_and_short) {
  totals sum = {0};
  uint64_t only = from_environment("KOP_OFFSET_SEED", 0);
  uint64_t logs = only != 0 ? 1 : from_environment("KOP_OFFSET_LOGS", LOGS);
  for (uint64_t i = 0; i < logs; i++)
    one_log(only != 0 ? only : i + 1, &sum);
  if (only != 0) return;
  for (uint32_t kind = KOP_OFFSET_FOUND; kind <= KOP_OFFSET_NO_INDEX; kind++)
    cr_assert_gt(sum.kinds[kind], 0, "no search ended with kind %u: the logs are too tame", kind);
  cr_log_info("%llu logs, %llu searches, %llu probes", (unsigned long long)logs,
              (unsigned long long)sum.searches, (unsigned long long)sum.probes);
}
