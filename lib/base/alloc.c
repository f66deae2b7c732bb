/* The allocator a handle carries: a copy of the embedder's, or the C library's heap. */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static void *heap_realloc(void *user_data, void *ptr, size_t size) {
  (void)user_data;
  return realloc(ptr, size);
}

static void heap_free(void *user_data, void *ptr) {
  (void)user_data;
  free(ptr);
}

kop_status kopi_alloc_init(kop_alloc *out, const kop_alloc *from) {
  if (from == NULL) {
    *out = (kop_alloc){.size = sizeof *out, .realloc = heap_realloc, .free = heap_free};
    return KOP_OK;
  }
  if (from->size < sizeof *out || from->realloc == NULL || from->free == NULL) {
    return KOP_ERR_INVALID;
  }
  *out = *from;
  out->size = sizeof *out;
  return KOP_OK;
}

void *kopi_malloc(const kop_alloc *a, size_t size) {
  return a->realloc(a->user_data, NULL, size);
}

void *kopi_calloc(const kop_alloc *a, size_t n, size_t size) {
  if (n == 0 || size == 0 || n > SIZE_MAX / size) return NULL;
  void *p = a->realloc(a->user_data, NULL, n * size);
  if (p != NULL) memset(p, 0, n * size);
  return p;
}

void *kopi_realloc(const kop_alloc *a, void *ptr, size_t size) {
  return a->realloc(a->user_data, ptr, size);
}

void kopi_free(const kop_alloc *a, void *ptr) {
  a->free(a->user_data, ptr);
}
