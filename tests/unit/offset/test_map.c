/* The map: what it knows, what it refuses to believe, and that its memory is bounded. */
#include <criterion/criterion.h>

#include "model.h"
#include "support/failing_alloc.h"

static kop_offset_map *new_map(uint32_t checkpoints, uint32_t spacing) {
  kop_offset_map_config config;
  kop_offset_map_config_init(&config, sizeof config);
  config.max_checkpoints = checkpoints;
  config.spacing = spacing;
  kop_offset_map *map;
  cr_assert_eq(kop_offset_map_new(&config, &map), KOP_OK);
  return map;
}

static uint32_t see(kop_offset_map *map, uint64_t ledger, uint64_t id, uint64_t index,
                    int32_t count) {
  kop_offset_entry e;
  uint32_t verdict;
  cr_assert_eq(kop_offset_entry_set(ledger, id, index, count, -1, &e), KOP_OK);
  cr_assert_eq(kop_offset_map_observe(map, &e, 0, &verdict), KOP_OK);
  return verdict;
}

static kop_offset_place where(const kop_offset_map *map, int64_t offset) {
  kop_offset_place place;
  cr_assert_eq(kop_offset_map_query(map, offset, &place), KOP_OK);
  return place;
}

static kop_offset_map_state state(const kop_offset_map *map) {
  kop_offset_map_state s;
  kop_offset_map_describe(map, &s);
  return s;
}

Test(map, knows_nothing_at_first) {
  kop_offset_map *map = new_map(16, 1);
  kop_offset_place p = where(map, 5);
  cr_assert_eq(p.kind, KOP_OFFSET_BETWEEN);
  cr_assert_eq(p.known, 0);
  cr_assert_eq(kop_offset_map_query(map, -1, &p), KOP_ERR_INVALID);
  cr_assert_eq(state(map).start_offset, -1);
  cr_assert_eq(state(map).end_offset, -1);
  kop_offset_map_free(map);
  kop_offset_map_free(NULL);
}

Test(map, answers_from_what_passed_by) {
  kop_offset_map *map = new_map(16, 1);
  cr_assert_eq(see(map, 5, 0, 9, 10), KOP_OFFSET_FITS);
  cr_assert_eq(see(map, 5, 1, 14, 5), KOP_OFFSET_FITS);
  cr_assert_eq(see(map, 5, 2, 19, 2), KOP_OFFSET_GAP); /* 15 to 17 carry nothing */
  cr_assert_eq(see(map, 8, 0, 29, 1), KOP_OFFSET_FITS);
  kop_offset_place p = where(map, 12);
  cr_assert_eq(p.kind, KOP_OFFSET_EXACT);
  cr_assert(p.low.ledger_id == 5 && p.low.entry_id == 1 && p.batch_index == 2);
  p = where(map, 16);
  cr_assert_eq(p.kind, KOP_OFFSET_HOLE);
  cr_assert_eq(p.high.entry_id, 2);
  p = where(map, 25); /* ledger 5 may go on */
  cr_assert_eq(p.kind, KOP_OFFSET_BETWEEN);
  cr_assert_eq(p.known, KOP_OFFSET_LOW | KOP_OFFSET_HIGH);
  p = where(map, 30);
  cr_assert_eq(p.kind, KOP_OFFSET_BETWEEN);
  cr_assert_eq(p.known, KOP_OFFSET_LOW);
  static const kop_offset_ledger ledgers[] = {{5, 3}, {6, 0}, {8, 1}};
  cr_assert_eq(kop_offset_map_ledgers(map, ledgers, 3), KOP_OK);
  cr_assert_eq(where(map, 25).kind, KOP_OFFSET_HOLE); /* it does not, and 6 is empty */
  cr_assert_eq(kop_offset_map_set_end(map, 29), KOP_ERR_INVALID);
  cr_assert_eq(kop_offset_map_set_end(map, 30), KOP_OK);
  cr_assert_eq(where(map, 30).kind, KOP_OFFSET_BEYOND_END);
  cr_assert_eq(see(map, 8, 1, 30, 1), KOP_OFFSET_FITS);
  cr_assert_eq(state(map).end_offset, 31);
  kop_offset_map_free(map);
}

Test(map, growing_ledger_proves_no_hole) {
  kop_offset_map *map = new_map(16, 1);
  static const kop_offset_ledger ledgers[] = {{5, 1}};
  cr_assert_eq(kop_offset_map_ledgers(map, ledgers, 1), KOP_OK);
  see(map, 5, 0, 0, 1);
  see(map, 6, 0, 9, 1); /* ledger 5 had one entry when it was listed, and then grew */
  cr_assert_eq(where(map, 4).kind, KOP_OFFSET_BETWEEN);
  kop_offset_map_free(map);
}

Test(map, trimming_moves_the_start) {
  kop_offset_map *map = new_map(64, 1);
  for (uint64_t i = 0; i < 30; i++)
    see(map, 1 + i / 10, i % 10, i, 1);
  cr_assert_eq(where(map, 3).kind, KOP_OFFSET_EXACT);
  static const kop_offset_ledger ledgers[] = {{2, 10}, {3, 10}};
  cr_assert_eq(kop_offset_map_ledgers(map, ledgers, 2), KOP_OK);
  kop_offset_place p = where(map, 3);
  cr_assert_eq(p.kind, KOP_OFFSET_BELOW_START);
  cr_assert_eq(p.high.first, 10);
  cr_assert_eq(state(map).start_offset, 10);
  see(map, 1, 3, 3, 1); /* a late answer */
  cr_assert_eq(where(map, 3).kind, KOP_OFFSET_BELOW_START);
  kop_offset_map_trim(map, 3, 4);
  cr_assert_eq(state(map).start_offset, 24);
  kop_offset_map_trim(map, 2, 0); /* never back */
  cr_assert_eq(state(map).start_offset, 24);
  kop_offset_map_trim(map, 3, 100);
  cr_assert_eq(state(map).checkpoints, 0);
  cr_assert_eq(state(map).start_offset, -1);
  kop_offset_map_free(map);
}

Test(map, first_entry_is_told) {
  kop_offset_map *map = new_map(16, 1);
  kop_offset_entry e;
  cr_assert_eq(kop_offset_entry_set(4, 7, 100, 3, -1, &e), KOP_OK);
  cr_assert_eq(kop_offset_map_set_first(map, &e), KOP_OK);
  cr_assert_eq(where(map, 97).kind, KOP_OFFSET_BELOW_START);
  cr_assert_eq(where(map, 98).kind, KOP_OFFSET_EXACT);
  cr_assert_eq(state(map).start_offset, 98);
  e.count = 0;
  cr_assert_eq(kop_offset_map_set_first(map, &e), KOP_ERR_INVALID);
  kop_offset_map_free(map);
}

Test(map, index_that_goes_back_is_counted_and_not_believed) {
  kop_offset_map *map = new_map(16, 1);
  see(map, 1, 0, 9, 10);
  cr_assert_eq(see(map, 1, 1, 9, 2), KOP_OFFSET_REGRESSION);
  cr_assert_eq(see(map, 1, 2, 12, 5), KOP_OFFSET_OVERLAP);
  cr_assert_eq(state(map).regressions, 1);
  cr_assert_eq(state(map).overlaps, 1);
  kop_offset_place p = where(map, 9);
  cr_assert(p.kind == KOP_OFFSET_EXACT && p.low.entry_id == 0);
  p = where(map, 10);
  cr_assert(p.kind == KOP_OFFSET_EXACT && p.low.entry_id == 2 && p.batch_index == 2);
  /* Learned out of order: what stands first keeps the offsets, the others are cut or go. */
  see(map, 2, 0, 20, 1);
  see(map, 2, 1, 23, 3);
  cr_assert_eq(see(map, 1, 3, 21, 9), KOP_OFFSET_FITS);
  p = where(map, 20);
  cr_assert(p.kind == KOP_OFFSET_EXACT && p.low.ledger_id == 1 && p.low.entry_id == 3);
  p = where(map, 22);
  cr_assert(p.kind == KOP_OFFSET_EXACT && p.low.ledger_id == 2 && p.batch_index == 1);
  cr_assert_eq(state(map).regressions, 2);
  cr_assert_eq(state(map).overlaps, 2);
  kop_offset_map_free(map);
}

Test(map, entries_without_index) {
  kop_offset_map *map = new_map(16, 1);
  cr_assert_eq(see(map, 1, 4, UINT64_MAX, 1), KOP_OFFSET_UNINDEXED);
  cr_assert_eq(see(map, 1, 2, UINT64_MAX, 1), KOP_OFFSET_UNINDEXED);
  see(map, 1, 9, 3, 1);
  kop_offset_place p = where(map, 1);
  cr_assert_eq(p.known, KOP_OFFSET_LOW | KOP_OFFSET_HIGH);
  cr_assert_eq(p.low.entry_id, 4);
  cr_assert_eq(p.low.last, -1);
  cr_assert_eq(state(map).unindexed_after, 0);
  cr_assert_eq(see(map, 1, 12, UINT64_MAX, 1), KOP_OFFSET_UNINDEXED_AFTER);
  cr_assert_eq(state(map).unindexed_after, 1);
  kop_offset_map_reset(map);
  cr_assert_eq(state(map).unindexed_after, 0);
  cr_assert_eq(state(map).checkpoints, 0);
  see(map, 1, 4, UINT64_MAX, 1);
  see(map, 1, 2, 5, 1); /* the other order shows it too */
  cr_assert_eq(state(map).unindexed_after, 1);
  kop_offset_map_free(map);
}

Test(map, memory_is_bounded_and_edges_of_ledgers_go_last) {
  kop_offset_map *map = new_map(64, 4);
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < 100000; i++) {
    see(map, 1 + i / 10000, i % 10000, i, 1);
    bytes = state(map).bytes > bytes ? state(map).bytes : bytes;
    cr_assert_leq(state(map).checkpoints, 64);
  }
  cr_assert_leq(bytes, 64 * sizeof(kop_offset_entry) + 1024);
  cr_assert_gt(state(map).checkpoints, 32);
  for (int64_t ledger = 0; ledger < 10;
       ledger++) { /* each ledger's first and last entry is still known */
    cr_assert_eq(where(map, ledger * 10000).kind, KOP_OFFSET_EXACT);
    cr_assert_eq(where(map, ledger * 10000 + 9999).kind, KOP_OFFSET_EXACT);
  }
  uint64_t spacing = state(map).spacing;
  cr_assert_gt(spacing, 100);
  for (uint64_t ledger = 2; ledger <= 10; ledger++)
    kop_offset_map_trim(map, ledger, 0);
  cr_assert_lt(state(map).spacing, spacing); /* room again, finer again */
  kop_offset_map_free(map);
}

Test(map, more_ledgers_than_room) {
  kop_offset_map *map = new_map(16, 1);
  kop_offset_map_config config;
  kop_offset_map_config_init(&config, sizeof config);
  for (uint64_t i = 0; i < 5000; i++) {
    see(map, i, 0, 2 * i, 1);
    see(map, i, 1, 2 * i + 1, 1);
    cr_assert_leq(state(map).checkpoints, 16);
  }
  cr_assert_eq(where(map, 0).kind, KOP_OFFSET_EXACT);
  cr_assert_eq(where(map, 9999).kind, KOP_OFFSET_EXACT);
  kop_offset_ledger ledgers[5000];
  for (uint64_t i = 0; i < 5000; i++)
    ledgers[i] = (kop_offset_ledger){i, 2};
  cr_assert_eq(kop_offset_map_ledgers(map, ledgers, 5000), KOP_OK);
  cr_assert_eq(state(map).ledgers, config.max_ledgers);
  cr_assert_eq(where(map, 0).kind,
               KOP_OFFSET_EXACT); /* the oldest ones are not listed, and not trimmed either */
  ledgers[10].ledger_id = 9;
  cr_assert_eq(kop_offset_map_ledgers(map, ledgers, 5000), KOP_ERR_INVALID);
  kop_offset_map_free(map);
}

Test(map, config_is_checked) {
  kop_offset_map_config config;
  kop_offset_map *map;
  for (int i = 0; i < 5; i++) {
    kop_offset_map_config_init(&config, sizeof config);
    if (i == 0) config.max_checkpoints = 15;
    if (i == 1) config.max_ledgers = (1 << 24) + 1;
    if (i == 2) config.spacing = 0;
    if (i == 3) config.reserved = 1;
    if (i == 4) config.size = 3;
    cr_assert_eq(kop_offset_map_new(&config, &map), KOP_ERR_INVALID);
    cr_assert_null(map);
  }
  cr_assert_eq(kop_offset_map_new(&config, NULL), KOP_ERR_INVALID);
}

/* Whatever the map has seen of a random log, and in whatever order, it never says anything untrue. */
Test(map, never_says_what_is_not_so) {
  static model log;
  for (uint64_t seed = 1; seed <= 3000; seed++) {
    uint64_t rng = seed;
    model_init(&log, rng_next(&rng));
    model_shape shape = {.entries = (uint32_t)rng_below(&rng, 200),
                         .per_ledger = 2 + (uint32_t)rng_below(&rng, 40),
                         .batch = 1 + (uint32_t)rng_below(&rng, 6),
                         .gap_one_in = (uint32_t)rng_below(&rng, 4)};
    model_append(&log, &shape);
    kop_offset_map *map =
        new_map(16 + (uint32_t)rng_below(&rng, 30), 1 + (uint32_t)rng_below(&rng, 9));
    for (uint64_t n = log.len == 0 ? 0 : rng_below(&rng, 150), at = 0; n > 0; n--) {
      at = rng_below(&rng, 3) == 0 ? rng_below(&rng, log.len) : (at + 1) % log.len;
      int32_t paid = rng_below(&rng, 5) == 0;
      cr_assert_eq(kop_offset_map_observe(map, &log.entries[at], paid, NULL), KOP_OK);
    }
    if (rng_below(&rng, 2) == 0) {
      kop_offset_ledger list[MODEL_LEDGERS];
      kop_offset_probe probe = {.kind = KOP_OFFSET_PROBE_LEDGERS};
      kop_offset_answer a = model_answer(&log, KOP_OFFSET_CAN_LIST, &probe, list);
      cr_assert_eq(kop_offset_map_ledgers(map, a.ledgers, a.ledgers_count), KOP_OK);
    }
    for (int64_t offset = 0; offset <= log.next_offset; offset++) {
      kop_offset_place p = where(map, offset);
      uint32_t i = 0;
      while (i < log.len && log.entries[i].last < offset)
        i++;
      uint8_t holds = i < log.len && log.entries[i].first <= offset;
      if (p.kind == KOP_OFFSET_EXACT) {
        cr_assert(holds && kop_offset_entry_compare(&p.low, &log.entries[i]) == 0, "seed %llu",
                  (unsigned long long)seed);
      } else if (p.kind == KOP_OFFSET_HOLE) {
        cr_assert(!holds && kop_offset_entry_compare(&p.high, &log.entries[i]) == 0, "seed %llu",
                  (unsigned long long)seed);
      } else if (p.kind == KOP_OFFSET_BELOW_START) {
        cr_assert_lt(offset, log.entries[0].first);
      } else {
        cr_assert((p.known & KOP_OFFSET_LOW) == 0 || p.low.last < offset);
        cr_assert((p.known & KOP_OFFSET_HIGH) == 0 || p.high.first > offset);
      }
    }
    cr_assert_eq(state(map).overlaps + state(map).regressions, 0);
    kop_offset_map_free(map);
  }
}

Test(map, refused_memory_costs_checkpoints_only) {
  for (size_t i = 0;; i++) {
    failing_alloc f;
    failing_alloc_init(&f, i);
    kop_offset_map_config config;
    kop_offset_map_config_init(&config, sizeof config);
    config.alloc = &f.alloc;
    config.spacing = 1;
    kop_offset_map *map;
    kop_status status = kop_offset_map_new(&config, &map);
    cr_assert(status == KOP_OK || (i == 0 && status == KOP_ERR_NOMEM && map == NULL));
    uint32_t refused = status != KOP_OK;
    for (uint64_t n = 0; status == KOP_OK && n < 40; n++) {
      kop_offset_entry e;
      uint32_t verdict;
      cr_assert_eq(kop_offset_entry_set(1, n, n, 1, -1, &e), KOP_OK);
      kop_status seen = kop_offset_map_observe(map, &e, 0, &verdict);
      cr_assert(seen == KOP_OK || seen == KOP_ERR_NOMEM);
      refused += seen == KOP_ERR_NOMEM;
    }
    if (status == KOP_OK) {
      static const kop_offset_ledger ledgers[] = {{1, 40}};
      kop_status listed = kop_offset_map_ledgers(map, ledgers, 1);
      refused += listed == KOP_ERR_NOMEM;
      kop_offset_place p = where(map, 39);
      cr_assert(p.kind == KOP_OFFSET_EXACT && p.low.entry_id == 39);
    }
    kop_offset_map_free(map);
    cr_assert_eq(f.live, 0);
    if (f.made <= i) break;
    cr_assert_eq(refused, 1);
  }
}
