/* How large a hash table must be: shared by the two kinds of map. */
#ifndef KOPI_BASE_MAP_SIZE_H
#define KOPI_BASE_MAP_SIZE_H

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

#endif
