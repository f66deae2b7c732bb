/* The search: each kind of probe and answer, restarts, bounds, misuse. Random logs are in test_random_logs.c. */
#include <criterion/criterion.h>

#include "model.h"
#include "support/failing_alloc.h"

typedef struct fixture {
  model log;
  kop_offset_map *map;
  kop_offset_search *search;
  uint32_t can;
  kop_offset_ledger list[MODEL_LEDGERS];
} fixture;

static fixture f;

static void make(uint32_t can, const model_shape *shape) {
  model_init(&f.log, 7);
  model_append(&f.log, shape);
  f.can = can;
  kop_offset_search_config config;
  kop_offset_search_config_init(&config, sizeof config);
  config.can = can;
  cr_assert_eq(kop_offset_map_new(NULL, &f.map), KOP_OK);
  cr_assert_eq(kop_offset_search_new(f.map, &config, &f.search), KOP_OK);
}

static void end(void) {
  kop_offset_search_free(f.search);
  kop_offset_search_free(NULL);
  kop_offset_map_free(f.map);
}

static kop_offset_probe probe(void) {
  kop_offset_probe p;
  cr_assert_eq(kop_offset_search_probe(f.search, &p), KOP_OK);
  return p;
}

static void answer_kind(uint32_t kind) {
  kop_offset_answer a = {.size = sizeof a, .kind = kind, .next_offset = -1};
  cr_assert_eq(kop_offset_search_answer(f.search, &a), KOP_OK);
}

static kop_offset_result finish(void) {
  kop_offset_probe p;
  kop_offset_result r;
  while (kop_offset_search_probe(f.search, &p) == KOP_OK) {
    kop_offset_answer a = model_answer(&f.log, f.can, &p, f.list);
    cr_assert_eq(kop_offset_search_answer(f.search, &a), KOP_OK);
  }
  cr_assert_eq(kop_offset_search_result(f.search, &r), KOP_OK);
  return r;
}

static kop_offset_result find(uint32_t what, int64_t value) {
  cr_assert_eq(kop_offset_search_begin(f.search, what, value), KOP_OK);
  return finish();
}

static const model_shape plain = {.entries = 200, .per_ledger = 25, .batch = 4};

Test(search, finds_every_offset_with_every_way_to_read, .fini = end) {
  static const uint32_t ways[] = {KOP_OFFSET_CAN_READ, KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_LIST,
                                  KOP_OFFSET_CAN_READ_EXACT | KOP_OFFSET_CAN_LIST,
                                  KOP_OFFSET_CAN_EXAMINE,
                                  KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_INDEX};
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
    if (i > 0) end();
    make(ways[i], &plain);
    for (int64_t offset = 0; offset < f.log.next_offset; offset++) {
      kop_offset_map_reset(f.map);
      kop_offset_result r = find(KOP_OFFSET_FIND_OFFSET, offset);
      cr_assert_eq(r.kind, KOP_OFFSET_FOUND);
      cr_assert_eq(r.entry.last - r.entry.count + 1 + r.batch_index, offset);
    }
  }
}

Test(search, what_the_map_knows_costs_nothing, .fini = end) {
  make(KOP_OFFSET_CAN_READ, &plain);
  cr_assert_gt(find(KOP_OFFSET_FIND_OFFSET, 77).probes, 0);
  cr_assert_eq(find(KOP_OFFSET_FIND_OFFSET, 77).probes, 0);
}

Test(search, even_logs_are_guessed_in_a_few_probes, .fini = end) {
  static const model_shape even = {.entries = 500, .per_ledger = 100000, .batch = 1};
  make(KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_LIST, &even);
  for (int64_t offset = 0; offset < 500; offset += 7) {
    kop_offset_map_reset(f.map);
    cr_assert_leq(find(KOP_OFFSET_FIND_OFFSET, offset).probes, 3);
  }
}

Test(search, earliest_and_latest, .fini = end) {
  static const model_shape half = {.entries = 100, .unindexed = 40, .per_ledger = 15, .batch = 3};
  make(KOP_OFFSET_CAN_READ, &half);
  kop_offset_result r = find(KOP_OFFSET_FIND_EARLIEST, 0);
  cr_assert(r.kind == KOP_OFFSET_FOUND && r.start_offset == 0 && r.batch_index == 0);
  cr_assert_eq(kop_offset_entry_compare(&r.entry, &f.log.entries[40]), 0);
  kop_offset_map_state s;
  kop_offset_map_describe(f.map, &s);
  cr_assert_eq(s.start_offset, 0); /* proved, and remembered */
  r = find(KOP_OFFSET_FIND_LATEST, 0);
  cr_assert(r.kind == KOP_OFFSET_FOUND && r.end_offset == f.log.next_offset && r.probes == 1);
  cr_assert_eq(r.batch_index, r.entry.count - 1);
  r = find(KOP_OFFSET_FIND_OFFSET, f.log.next_offset);
  cr_assert(r.kind == KOP_OFFSET_TOO_HIGH && r.end_offset == f.log.next_offset);
}

Test(search, topic_without_any_index, .fini = end) {
  static const model_shape old = {.entries = 30, .unindexed = 30, .per_ledger = 15, .batch = 3};
  make(KOP_OFFSET_CAN_READ, &old);
  cr_assert_eq(find(KOP_OFFSET_FIND_EARLIEST, 0).kind, KOP_OFFSET_NO_INDEX);
  cr_assert_eq(find(KOP_OFFSET_FIND_LATEST, 0).kind, KOP_OFFSET_NO_INDEX);
  cr_assert_eq(find(KOP_OFFSET_FIND_OFFSET, 0).kind, KOP_OFFSET_NO_INDEX);
}

Test(search, unindexed_behind_indexed_closes_the_topic, .fini = end) {
  make(KOP_OFFSET_CAN_READ, &plain);
  for (uint32_t i = 0; i < f.log.len - 1; i++) {
    if (i % 2 == 1) f.log.entries[i].first = f.log.entries[i].last = -1;
  }
  kop_offset_result r = find(KOP_OFFSET_FIND_OFFSET, f.log.entries[101].count + 200);
  kop_offset_map_state s;
  kop_offset_map_describe(f.map, &s);
  cr_assert(r.kind == KOP_OFFSET_NO_INDEX || r.kind == KOP_OFFSET_FOUND);
  cr_assert_eq(r.kind == KOP_OFFSET_NO_INDEX, s.unindexed_after == 1);
  cr_assert_eq(find(KOP_OFFSET_FIND_OFFSET, f.log.entries[150].first - 1).kind,
               KOP_OFFSET_NO_INDEX);
}

Test(search, empty_topics, .fini = end) {
  static const model_shape none = {.entries = 0, .per_ledger = 5, .batch = 1};
  make(KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_LIST, &none);
  kop_offset_result r = find(KOP_OFFSET_FIND_OFFSET, 0);
  cr_assert(r.kind == KOP_OFFSET_TOO_HIGH && r.end_offset == 0);
  f.log.next_offset = 500; /* all trimmed; the broker's counter is what remains */
  r = find(KOP_OFFSET_FIND_OFFSET, 499);
  cr_assert(r.kind == KOP_OFFSET_TOO_LOW && r.end_offset == 500 && r.start_offset == 500);
  r = find(KOP_OFFSET_FIND_OFFSET, 500);
  cr_assert(r.kind == KOP_OFFSET_TOO_HIGH && r.end_offset == 500);
  r = find(KOP_OFFSET_FIND_EARLIEST, 0);
  cr_assert(r.kind == KOP_OFFSET_TOO_HIGH && r.start_offset == 500);
  r = find(KOP_OFFSET_FIND_LATEST, 0);
  cr_assert(r.kind == KOP_OFFSET_TOO_HIGH && r.end_offset == 500);
}

Test(search, by_time_gives_the_first_entry_late_enough, .fini = end) {
  make(KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_LIST, &plain);
  for (uint32_t i = 0; i < f.log.len; i += 9) {
    if (i % 2 == 0) kop_offset_map_reset(f.map);
    kop_offset_result r = find(KOP_OFFSET_FIND_TIME, f.log.entries[i].timestamp - 3);
    cr_assert_eq(r.kind, KOP_OFFSET_FOUND);
    cr_assert_eq(kop_offset_entry_compare(&r.entry, &f.log.entries[i]), 0);
    cr_assert_eq(r.batch_index, 0);
  }
  cr_assert_eq(find(KOP_OFFSET_FIND_TIME, 1000000).kind, KOP_OFFSET_TOO_HIGH);
}

Test(search, broker_that_searches_by_time, .fini = end) {
  make(KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_TIME, &plain);
  cr_assert_eq(kop_offset_search_begin(f.search, KOP_OFFSET_FIND_TIME, 1500), KOP_OK);
  kop_offset_probe p = probe();
  cr_assert(p.kind == KOP_OFFSET_PROBE_TIME && p.value == 1500);
  kop_offset_answer a = {.size = sizeof a, .kind = KOP_OFFSET_ANSWER_POSITION};
  a.entry = f.log.entries[50];
  cr_assert_eq(kop_offset_search_answer(f.search, &a), KOP_OK);
  kop_offset_result r = finish();
  cr_assert(r.kind == KOP_OFFSET_FOUND && r.probes == 2);
  cr_assert_eq(kop_offset_entry_compare(&r.entry, &f.log.entries[50]), 0);
}

Test(search, shortcut_by_index_and_without_it, .fini = end) {
  make(KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_INDEX, &plain);
  kop_offset_result r = find(KOP_OFFSET_FIND_OFFSET, 200);
  cr_assert(r.kind == KOP_OFFSET_FOUND && r.probes == 2);
  kop_offset_map_reset(f.map);
  cr_assert_eq(kop_offset_search_begin(f.search, KOP_OFFSET_FIND_OFFSET, 201), KOP_OK);
  cr_assert_eq(probe().kind, KOP_OFFSET_PROBE_INDEX);
  answer_kind(KOP_OFFSET_ANSWER_UNSUPPORTED);
  cr_assert_eq(finish().kind, KOP_OFFSET_FOUND);
  kop_offset_map_reset(f.map);
  cr_assert_eq(kop_offset_search_begin(f.search, KOP_OFFSET_FIND_OFFSET, 202), KOP_OK);
  cr_assert_eq(probe().kind, KOP_OFFSET_PROBE_FIRST); /* it is not asked for again */
  cr_assert_eq(finish().kind, KOP_OFFSET_FOUND);
}

Test(search, goes_on_without_the_list_of_ledgers, .fini = end) {
  make(KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_LIST, &plain);
  cr_assert_eq(kop_offset_search_begin(f.search, KOP_OFFSET_FIND_OFFSET, 200), KOP_OK);
  for (int i = 0; i < 2; i++) {
    kop_offset_probe p = probe();
    kop_offset_answer a = model_answer(&f.log, f.can, &p, f.list);
    cr_assert_eq(kop_offset_search_answer(f.search, &a), KOP_OK);
  }
  cr_assert_eq(probe().kind, KOP_OFFSET_PROBE_LEDGERS);
  answer_kind(KOP_OFFSET_ANSWER_UNSUPPORTED);
  cr_assert_eq(finish().kind, KOP_OFFSET_FOUND);
}

Test(search, starts_over_when_its_place_is_trimmed, .fini = end) {
  make(KOP_OFFSET_CAN_READ, &plain);
  cr_assert_eq(kop_offset_search_begin(f.search, KOP_OFFSET_FIND_OFFSET, 60), KOP_OK);
  while (probe().kind != KOP_OFFSET_PROBE_AT) {
    kop_offset_probe p = probe();
    kop_offset_answer a = model_answer(&f.log, f.can, &p, f.list);
    cr_assert_eq(kop_offset_search_answer(f.search, &a), KOP_OK);
  }
  model_trim(&f.log, 4);
  answer_kind(KOP_OFFSET_ANSWER_TRIMMED);
  kop_offset_result r = finish();
  cr_assert_eq(r.kind, KOP_OFFSET_TOO_LOW);
  cr_assert_eq(r.restarts, 1);
  cr_assert_eq(r.start_offset, f.log.entries[model_first(&f.log)].first);
}

Test(search, notices_that_the_map_was_reset, .fini = end) {
  make(KOP_OFFSET_CAN_READ, &plain);
  cr_assert_eq(kop_offset_search_begin(f.search, KOP_OFFSET_FIND_OFFSET, 60), KOP_OK);
  kop_offset_probe p = probe();
  kop_offset_answer a = model_answer(&f.log, f.can, &p, f.list);
  cr_assert_eq(kop_offset_search_answer(f.search, &a), KOP_OK);
  kop_offset_map_reset(f.map);
  kop_offset_result r = finish();
  cr_assert(r.kind == KOP_OFFSET_FOUND && r.restarts == 1);
}

Test(search, gives_up_within_its_bounds, .fini = end) {
  make(KOP_OFFSET_CAN_READ, &plain);
  kop_offset_result r;
  cr_assert_eq(kop_offset_search_begin(f.search, KOP_OFFSET_FIND_OFFSET, 60), KOP_OK);
  for (kop_offset_probe p; kop_offset_search_probe(f.search, &p) == KOP_OK;) {
    kop_offset_answer a = model_answer(&f.log, f.can, &p, f.list);
    if (p.kind == KOP_OFFSET_PROBE_AT) a.kind = KOP_OFFSET_ANSWER_TRIMMED;
    cr_assert_eq(kop_offset_search_answer(f.search, &a), KOP_OK);
  }
  cr_assert_eq(kop_offset_search_result(f.search, &r), KOP_OK);
  cr_assert(r.kind == KOP_OFFSET_GAVE_UP && r.restarts == 4);
  kop_offset_map_reset(f.map);
  cr_assert_eq(kop_offset_search_begin(f.search, KOP_OFFSET_FIND_OFFSET, 60), KOP_OK);
  answer_kind(KOP_OFFSET_ANSWER_FAILED);
  cr_assert_eq(kop_offset_search_result(f.search, &r), KOP_OK);
  cr_assert_eq(r.kind, KOP_OFFSET_GAVE_UP);
}

Test(search, ledger_that_never_ends_is_given_up, .fini = end) {
  static const model_shape one = {.entries = 2, .per_ledger = 1000, .batch = 1};
  make(KOP_OFFSET_CAN_READ, &one);
  cr_assert_eq(kop_offset_search_begin(f.search, KOP_OFFSET_FIND_OFFSET, 60), KOP_OK);
  kop_offset_result r;
  for (kop_offset_probe p; kop_offset_search_probe(f.search, &p) == KOP_OK;) {
    kop_offset_answer a = {.size = sizeof a, .kind = KOP_OFFSET_ANSWER_ENTRY};
    uint64_t index = p.kind == KOP_OFFSET_PROBE_LAST ? 100 : 1;
    uint64_t ledger = p.kind == KOP_OFFSET_PROBE_LAST ? 2 : 1;
    cr_assert_eq(kop_offset_entry_set(ledger, p.entry_id, index, 1, -1, &a.entry), KOP_OK);
    cr_assert_eq(kop_offset_search_answer(f.search, &a), KOP_OK);
  }
  cr_assert_eq(kop_offset_search_result(f.search, &r), KOP_OK);
  cr_assert_eq(r.kind, KOP_OFFSET_GAVE_UP);
  cr_assert_leq(r.probes, 256);
}

Test(search, misuse_is_refused, .fini = end) {
  make(KOP_OFFSET_CAN_READ, &plain);
  kop_offset_probe p;
  kop_offset_result r;
  kop_offset_answer a = {.size = sizeof a, .kind = KOP_OFFSET_ANSWER_NONE};
  cr_assert_eq(kop_offset_search_probe(f.search, &p), KOP_ERR_STATE);
  cr_assert_eq(kop_offset_search_answer(f.search, &a), KOP_ERR_STATE);
  cr_assert_eq(kop_offset_search_result(f.search, &r), KOP_ERR_STATE);
  cr_assert_eq(kop_offset_search_begin(f.search, 0, 0), KOP_ERR_INVALID);
  cr_assert_eq(kop_offset_search_begin(f.search, 5, 0), KOP_ERR_INVALID);
  cr_assert_eq(kop_offset_search_begin(f.search, KOP_OFFSET_FIND_OFFSET, -1), KOP_ERR_INVALID);
  cr_assert_eq(kop_offset_search_begin(f.search, KOP_OFFSET_FIND_OFFSET, 60), KOP_OK);
  cr_assert_eq(kop_offset_search_result(f.search, &r), KOP_ERR_STATE);
  static const uint32_t wrong[] = {0,
                                   KOP_OFFSET_ANSWER_MISSING,
                                   KOP_OFFSET_ANSWER_TRIMMED,
                                   KOP_OFFSET_ANSWER_POSITION,
                                   KOP_OFFSET_ANSWER_LEDGERS,
                                   KOP_OFFSET_ANSWER_ENTRY, /* all zero is no entry */
                                   99};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    a.kind = wrong[i];
    cr_assert_eq(kop_offset_search_answer(f.search, &a), KOP_ERR_INVALID, "kind %u", wrong[i]);
  }
  a.size = 2;
  cr_assert_eq(kop_offset_search_answer(f.search, &a), KOP_ERR_INVALID);
  cr_assert_eq(finish().kind, KOP_OFFSET_FOUND); /* none of it did any harm */
  kop_offset_search_config config;
  kop_offset_search *s;
  static const uint32_t useless[] = {0, KOP_OFFSET_CAN_LIST, KOP_OFFSET_CAN_READ_EXACT, 64};
  for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++) {
    kop_offset_search_config_init(&config, sizeof config);
    config.can = useless[i];
    cr_assert_eq(kop_offset_search_new(f.map, &config, &s), KOP_ERR_INVALID);
  }
  cr_assert_eq(kop_offset_search_new(NULL, NULL, &s), KOP_ERR_INVALID);
  cr_assert_eq(kop_offset_search_new(f.map, NULL, NULL), KOP_ERR_INVALID);
}

Test(search, refused_memory_is_no_wrong_answer) {
  for (size_t i = 0;; i++) {
    failing_alloc failing;
    failing_alloc_init(&failing, i);
    model_init(&f.log, 7);
    model_append(&f.log, &plain);
    f.can = KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_LIST;
    kop_offset_map_config config;
    kop_offset_map_config_init(&config, sizeof config);
    config.alloc = &failing.alloc;
    kop_offset_search_config how;
    kop_offset_search_config_init(&how, sizeof how);
    how.alloc = &failing.alloc;
    how.can = f.can;
    kop_status status = kop_offset_map_new(&config, &f.map);
    f.search = NULL;
    if (status == KOP_OK) status = kop_offset_search_new(f.map, &how, &f.search);
    for (int64_t offset = 0; status == KOP_OK && offset < f.log.next_offset; offset += 11)
      cr_assert_eq(find(KOP_OFFSET_FIND_OFFSET, offset).kind, KOP_OFFSET_FOUND);
    cr_assert_eq(status == KOP_ERR_NOMEM, i < 2);
    end();
    cr_assert_eq(failing.live, 0);
    if (failing.made <= i) break;
  }
}
