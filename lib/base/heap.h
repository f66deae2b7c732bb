/*
 * Timers: a heap of deadlines in which the nodes live inside the objects they belong to.
 *
 * The heap is a complete binary tree of pointers, not an array, so that arming a timer allocates
 * nothing and cannot fail. Number the nodes 1, 2, 3 ... by level; the bits of a number below its
 * highest are the way from the root (0 left, 1 right), which is how the place of node `len` is found:
 *
 *                1
 *            2       3         node 6 = 110b: right, then left
 *          4   5   6
 *
 * Set, cancel and pop are O(log n), all in the worst case. Equal deadlines fire in the order in
 * which they were set: each set takes the next number and the heap orders by (deadline, number).
 */
#ifndef KOPI_BASE_HEAP_H
#define KOPI_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct kopi_timer kopi_timer;

/* A zeroed one is unarmed. Its memory must stay in place while it is armed. */
struct kopi_timer {
  uint64_t deadline; /* as last set */
  uint64_t order;    /* number of the set, 0: unarmed */
  kopi_timer *parent;
  kopi_timer *child[2];
};

/* A zeroed one is empty. There is nothing to free. */
typedef struct kopi_heap {
  kopi_timer *root;
  size_t len;
  uint64_t last_order;
} kopi_heap;

/* Arms the timer, or moves it if it is armed; it then fires after all others of the same deadline. */
void kopi_heap_set(kopi_heap *h, kopi_timer *t, uint64_t deadline);

/* Takes the timer out; does nothing if it is unarmed. */
void kopi_heap_cancel(kopi_heap *h, kopi_timer *t);

/* The timer that fires first, left in the heap; NULL when there is none. */
kopi_timer *kopi_heap_first(const kopi_heap *h);

/* Takes out and returns the first timer whose deadline is not after `now`; NULL when none is due. */
kopi_timer *kopi_heap_pop_due(kopi_heap *h, uint64_t now);

/* The deadline that comes first, UINT64_MAX when no timer is armed. */
uint64_t kopi_heap_deadline(const kopi_heap *h);

#endif
