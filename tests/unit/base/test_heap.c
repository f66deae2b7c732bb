/* The timer heap against a naive list, and its order among equals. */
#include <criterion/criterion.h>

#include "base/container.h"
#include "base/heap.h"
#include "support/rng.h"

enum { TIMERS = 130 };

typedef struct thing {
  int other;
  kopi_timer timer;
} thing;

static thing things[TIMERS];

/* What should fire first: the smallest (deadline, order of setting). */
static kopi_timer *expected_first(void) {
  kopi_timer *first = NULL;
  for (size_t i = 0; i < TIMERS; i++) {
    kopi_timer *t = &things[i].timer;
    if (t->order == 0) continue;
    if (first == NULL || t->deadline < first->deadline ||
        (t->deadline == first->deadline && t->order < first->order)) {
      first = t;
    }
  }
  return first;
}

/* Every node is linked both ways and fires after the one above it; returns the number of nodes. */
static size_t check_tree(const kopi_timer *t, const kopi_timer *parent) {
  if (t == NULL) return 0;
  cr_assert_eq(t->parent, parent);
  if (parent != NULL) {
    cr_assert(parent->deadline < t->deadline ||
              (parent->deadline == t->deadline && parent->order < t->order));
  }
  size_t left = check_tree(t->child[0], t), right = check_tree(t->child[1], t);
  cr_assert(left >= right);
  return left + right + 1;
}

Test(heap, fires_as_a_sorted_list_does) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    uint64_t rng = seed;
    kopi_heap h = {0};
    for (size_t i = 0; i < TIMERS; i++)
      things[i] = (thing){0};
    for (int step = 0; step < 3000; step++) {
      kopi_timer *t = &things[rng_below(&rng, TIMERS)].timer;
      uint64_t what = rng_below(&rng, 10);
      if (what < (step / 500 % 2 ? 3u : 6u)) {
        kopi_heap_set(&h, t, rng_below(&rng, 40));
      } else if (what < 8) {
        kopi_heap_cancel(&h, t);
        cr_assert_eq(t->order, 0);
      } else {
        uint64_t now = rng_below(&rng, 40);
        kopi_timer *first = expected_first();
        cr_assert_eq(kopi_heap_first(&h), first);
        cr_assert_eq(kopi_heap_deadline(&h), first == NULL ? UINT64_MAX : first->deadline);
        kopi_timer *due = kopi_heap_pop_due(&h, now);
        cr_assert_eq(due, first != NULL && first->deadline <= now ? first : NULL);
        if (due != NULL) cr_assert_eq(due->order, 0);
      }
      cr_assert_eq(check_tree(h.root, NULL), h.len);
    }
    while (kopi_heap_first(&h) != NULL) {
      kopi_timer *first = expected_first();
      cr_assert_eq(kopi_heap_pop_due(&h, UINT64_MAX), first);
    }
    cr_assert_eq(h.len, 0);
  }
}

Test(heap, equal_deadlines_fire_in_order_of_setting) {
  kopi_heap h = {0};
  for (int i = 0; i < TIMERS; i++) {
    things[i] = (thing){.other = i};
    kopi_heap_set(&h, &things[i].timer, 5);
  }
  kopi_heap_set(&h, &things[0].timer, 5); /* set anew: behind all the others */
  for (int i = 0; i < TIMERS; i++) {
    kopi_timer *t = kopi_heap_pop_due(&h, 5);
    cr_assert_not_null(t);
    cr_assert_eq(KOPI_CONTAINER_OF(t, thing, timer)->other, (i + 1) % TIMERS);
  }
  cr_assert_null(kopi_heap_pop_due(&h, UINT64_MAX));
}
