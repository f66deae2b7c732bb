/* Heap sort. */
#include "base/sort.h"

#include <stdint.h>

static void swap_bytes(uint8_t *a, uint8_t *b, size_t width) {
  for (size_t i = 0; i < width; i++) {
    uint8_t byte = a[i];
    a[i] = b[i];
    b[i] = byte;
  }
}

/* Moves element `i` down until neither child (2i+1, 2i+2) belongs after it. */
static void sift_down(uint8_t *base, size_t i, size_t n, size_t width, kopi_compare compare) {
  for (size_t child; (child = 2 * i + 1) < n; i = child) {
    uint8_t *c = base + child * width;
    if (child + 1 < n && compare(c, c + width) < 0) {
      child++;
      c += width;
    }
    if (compare(base + i * width, c) >= 0) return;
    swap_bytes(base + i * width, c, width);
  }
}

void kopi_sort(void *base, size_t n, size_t width, kopi_compare compare) {
  uint8_t *bytes = base;
  for (size_t i = n / 2; i-- > 0;)
    sift_down(bytes, i, n, width, compare);
  for (size_t end = n; end-- > 1;) {
    swap_bytes(bytes, bytes + end * width, width);
    sift_down(bytes, 0, end, width, compare);
  }
}
