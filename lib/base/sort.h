/* Sorting in place without memory: the C library's qsort may allocate, and not through our allocator. */
#ifndef KOPI_BASE_SORT_H
#define KOPI_BASE_SORT_H

#include <stddef.h>

/* Negative, zero or positive as `a` belongs before, beside or after `b`. */
typedef int (*kopi_compare)(const void *a, const void *b);

/* Heap sort of `n` elements of `width` bytes: O(n log n) in the worst case. Equal elements end in no particular order, so compare by something unique. */
void kopi_sort(void *base, size_t n, size_t width, kopi_compare compare);

#endif
