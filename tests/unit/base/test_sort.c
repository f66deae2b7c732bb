/* Sorting against the definition of sorted, for all small sizes. */
#include <criterion/criterion.h>

#include "base/sort.h"
#include "support/rng.h"

typedef struct pair {
  uint32_t key;
  uint32_t copy;
  char odd;
} pair;

static int by_key(const void *a, const void *b) {
  const pair *x = a, *y = b;
  return (x->key > y->key) - (x->key < y->key);
}

Test(sort, orders_and_keeps_every_element) {
  uint64_t rng = 1;
  for (size_t n = 0; n < 200; n++) {
    pair items[200];
    uint64_t sum = 0, after = 0;
    for (size_t i = 0; i < n; i++) {
      uint32_t key = (uint32_t)rng_below(&rng, n % 3 == 0 ? 5 : 1000000);
      items[i] = (pair){.key = key, .copy = ~key};
      sum += (uint64_t)key * key;
    }
    kopi_sort(items, n, sizeof items[0], by_key);
    for (size_t i = 0; i < n; i++) {
      if (i > 0) cr_assert_leq(items[i - 1].key, items[i].key);
      cr_assert_eq(items[i].copy, ~items[i].key);
      after += (uint64_t)items[i].key * items[i].key;
    }
    cr_assert_eq(sum, after);
  }
}
