/* What the two kinds of map share: how large the table must be, and which follower of a removed key moves up. */
#ifndef KOPI_BASE_MAP_TABLE_H
#define KOPI_BASE_MAP_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum { KOPI_MAP_MIN_SLOTS = 8 };

/* The number of slots for `n` keys at a load of at most three quarters: `cap` doubled as often as needed. */
static inline size_t kopi_map_slots_for(size_t cap, size_t n) {
  if (n == 0) return cap;
  if (cap == 0) cap = KOPI_MAP_MIN_SLOTS;
  while (cap - cap / 4 < n && cap <= (size_t)-1 / 2)
    cap *= 2;
  return cap;
}

/* Whether a follower at slot `at` may fill the hole: not if its home lies behind the hole, going round. */
static inline bool kopi_map_may_fill(size_t hole, size_t at, size_t home, size_t mask) {
  return ((at - home) & mask) >= ((at - hole) & mask);
}

#endif
