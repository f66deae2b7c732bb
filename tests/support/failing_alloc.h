/*
 * An allocator that refuses one chosen allocation and counts what is live: for tests that fail allocations one by one.
 *
 *   for (size_t i = 0;; i++) {
 *     failing_alloc f;
 *     failing_alloc_init(&f, i);        allocation number i (from 0) is refused, once
 *     ... run the scenario with &f.alloc, expect KOP_ERR_NOMEM or success, free everything ...
 *     cr_assert_eq(f.live, 0);
 *     if (f.made <= i) break;           the scenario needs no more than i allocations: all have been failed
 *   }
 */
#ifndef TESTS_SUPPORT_FAILING_ALLOC_H
#define TESTS_SUPPORT_FAILING_ALLOC_H

#include <stdlib.h>

#include <kop/base.h>

typedef struct failing_alloc {
  kop_alloc alloc;
  size_t fail_at; /* number of the allocation to refuse; SIZE_MAX: none */
  size_t made;    /* calls of realloc so far, the refused one included */
  size_t live;    /* blocks given out and not freed */
} failing_alloc;

static void *failing_realloc(void *user_data, void *ptr, size_t size) {
  failing_alloc *f = user_data;
  if (f->made++ == f->fail_at) return NULL;
  void *p = realloc(ptr, size);
  if (p != NULL && ptr == NULL) f->live++;
  return p;
}

static void failing_free(void *user_data, void *ptr) {
  failing_alloc *f = user_data;
  if (ptr != NULL) f->live--;
  free(ptr);
}

static inline void failing_alloc_init(failing_alloc *f, size_t fail_at) {
  *f = (failing_alloc){.fail_at = fail_at};
  f->alloc = (kop_alloc){
      .size = sizeof f->alloc, .user_data = f, .realloc = failing_realloc, .free = failing_free};
}

#endif
