/* An allocator that knows how much is live. */
#ifndef TESTS_SUPPORT_LIVE_BYTES_H
#define TESTS_SUPPORT_LIVE_BYTES_H

#include <kop/base.h>
#include <malloc.h>
#include <stdlib.h>

static size_t live_bytes;

static void *counting_realloc(void *user_data, void *ptr, size_t size) {
  (void)user_data;
  if (ptr != NULL) live_bytes -= malloc_usable_size(ptr);
  void *p = realloc(ptr, size);
  if (p != NULL) live_bytes += malloc_usable_size(p);
  return p;
}

static void counting_free(void *user_data, void *ptr) {
  (void)user_data;
  if (ptr != NULL) live_bytes -= malloc_usable_size(ptr);
  free(ptr);
}

static const kop_alloc COUNTING = {
    .size = sizeof COUNTING, .realloc = counting_realloc, .free = counting_free};

#endif
