/* The hash tables against a naive list, at every size, with failing allocations. */
#include <string.h>

#include <criterion/criterion.h>

#include "base/map.h"
#include "support/failing_alloc.h"
#include "support/rng.h"

enum { KEYS = 300 };

typedef struct item {
  char key[24];
  size_t key_len;
  uint64_t number;
  int present;
} item;

static item items[KEYS];

static void make_items(uint64_t *rng) {
  for (size_t i = 0; i < KEYS; i++) {
    items[i].number = i % 3 == 0 ? i : rng_next(rng);
    /* Keys of several lengths, among them the empty one, prefixes of others, and zero bytes. */
    items[i].key_len = i == 0 ? 0 : 4 + i % 20;
    memset(items[i].key, 0, sizeof items[i].key);
    items[i].key[0] = (char)(i & 0xff);
    items[i].key[1] = (char)(i >> 8);
    items[i].present = 0;
  }
}

static kop_slice key_of(const item *it) {
  return (kop_slice){.ptr = (const uint8_t *)it->key, .len = it->key_len};
}

Test(map, u64_behaves_as_a_list_does) {
  failing_alloc f;
  failing_alloc_init(&f, SIZE_MAX);
  for (uint64_t seed = 1; seed <= 20; seed++) {
    uint64_t rng = seed;
    make_items(&rng);
    kopi_map_u64 m;
    kopi_map_u64_init(&m, &f.alloc, rng_next(&rng));
    size_t len = 0;
    for (int step = 0; step < 4000; step++) {
      item *it = &items[rng_below(&rng, KEYS)];
      if (rng_below(&rng, 5) < (step / 1000 % 2 ? 1 : 3)) {
        kop_status s = kopi_map_u64_insert(&m, it->number, it);
        cr_assert_eq(s, it->present ? KOP_ERR_STATE : KOP_OK);
        if (s == KOP_OK) len++;
        it->present = 1;
      } else {
        void *value = kopi_map_u64_remove(&m, it->number);
        cr_assert_eq(value, it->present ? it : NULL);
        if (value != NULL) len--;
        it->present = 0;
      }
      cr_assert_eq(kopi_map_u64_len(&m), len);
      if (step % 50 != 0) continue;
      for (size_t i = 0; i < KEYS; i++) {
        cr_assert_eq(kopi_map_u64_find(&m, items[i].number), items[i].present ? &items[i] : NULL);
      }
    }
    size_t cursor = 0, seen = 0;
    for (item *it; (it = kopi_map_u64_next(&m, &cursor)) != NULL; seen++) {
      cr_assert_eq(it->present, 1);
      it->present = 2;
    }
    cr_assert_eq(seen, len);
    kopi_map_u64_free(&m);
    cr_assert_eq(f.live, 0);
  }
}

Test(map, bytes_behaves_as_a_list_does) {
  failing_alloc f;
  failing_alloc_init(&f, SIZE_MAX);
  for (uint64_t seed = 1; seed <= 20; seed++) {
    uint64_t rng = seed;
    make_items(&rng);
    kopi_map_bytes m;
    kopi_map_bytes_init(&m, &f.alloc, rng_next(&rng));
    size_t len = 0;
    for (int step = 0; step < 4000; step++) {
      item *it = &items[rng_below(&rng, KEYS)];
      if (rng_below(&rng, 5) < (step / 1000 % 2 ? 1 : 3)) {
        kop_status s = kopi_map_bytes_insert(&m, key_of(it), it);
        cr_assert_eq(s, it->present ? KOP_ERR_STATE : KOP_OK);
        if (s == KOP_OK) len++;
        it->present = 1;
      } else {
        void *value = kopi_map_bytes_remove(&m, key_of(it));
        cr_assert_eq(value, it->present ? it : NULL);
        if (value != NULL) len--;
        it->present = 0;
      }
      cr_assert_eq(kopi_map_bytes_len(&m), len);
      if (step % 50 != 0) continue;
      for (size_t i = 0; i < KEYS; i++) {
        cr_assert_eq(kopi_map_bytes_find(&m, key_of(&items[i])),
                     items[i].present ? &items[i] : NULL);
      }
    }
    size_t cursor = 0, seen = 0;
    for (item *it; (it = kopi_map_bytes_next(&m, &cursor)) != NULL; seen++) {
      cr_assert_eq(it->present, 1);
      it->present = 2;
    }
    cr_assert_eq(seen, len);
    kopi_map_bytes_free(&m);
    cr_assert_eq(f.live, 0);
  }
}

Test(map, null_and_empty_keys_are_one) {
  failing_alloc f;
  failing_alloc_init(&f, SIZE_MAX);
  kopi_map_bytes m;
  kopi_map_bytes_init(&m, &f.alloc, 0);
  int x = 0;
  cr_assert_null(kopi_map_bytes_find(&m, (kop_slice){0}));
  cr_assert_null(kopi_map_bytes_remove(&m, (kop_slice){0}));
  cr_assert_eq(kopi_map_bytes_insert(&m, (kop_slice){0}, &x), KOP_OK);
  cr_assert_eq(kopi_map_bytes_find(&m, (kop_slice){.ptr = (const uint8_t *)"", .len = 0}), &x);
  cr_assert_eq(kopi_map_bytes_insert(&m, (kop_slice){0}, NULL), KOP_ERR_INVALID);
  kopi_map_bytes_free(&m);
}

Test(map, refused_allocation_changes_nothing_and_reserve_prevents_it) {
  int values[100];
  for (size_t fail_at = 0;; fail_at++) {
    failing_alloc f;
    failing_alloc_init(&f, fail_at);
    kopi_map_u64 m;
    kopi_map_u64_init(&m, &f.alloc, 7);
    for (uint64_t i = 0; i < 100; i++) {
      kop_status s = kopi_map_u64_insert(&m, i, &values[i]);
      if (s != KOP_OK) {
        cr_assert_eq(s, KOP_ERR_NOMEM);
        cr_assert_eq(kopi_map_u64_len(&m), i);
        cr_assert_null(kopi_map_u64_find(&m, i));
        cr_assert_eq(kopi_map_u64_insert(&m, i, &values[i]), KOP_OK);
      }
    }
    for (uint64_t i = 0; i < 100; i++)
      cr_assert_eq(kopi_map_u64_find(&m, i), &values[i]);
    kopi_map_u64_free(&m);
    cr_assert_eq(f.live, 0);
    if (f.made <= fail_at) break;
  }
  failing_alloc f;
  failing_alloc_init(&f, 1);
  kopi_map_bytes m;
  kopi_map_bytes_init(&m, &f.alloc, 7);
  cr_assert_eq(kopi_map_bytes_reserve(&m, 100), KOP_OK);
  for (size_t i = 0; i < 100; i++) {
    values[i] = (int)i;
    kop_slice key = {.ptr = (const uint8_t *)&values[i], .len = sizeof values[i]};
    cr_assert_eq(kopi_map_bytes_insert(&m, key, &values[i]), KOP_OK);
  }
  cr_assert_eq(f.made, 1);
  kopi_map_bytes_free(&m);
}
