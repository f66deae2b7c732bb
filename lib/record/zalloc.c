/* The handle's allocator for zlib and zstd. */
#include "record/zalloc.h"

#include "base/alloc.h"

void *kopi_zopaque(const kop_alloc *alloc) {
  union {
    const kop_alloc *in;
    void *out;
  } p = {.in = alloc};
  return p.out;
}

void *kopi_zalloc(void *opaque, uInt items, uInt size) {
  return kopi_calloc(opaque, items, size);
}

void kopi_zfree(void *opaque, void *ptr) {
  kopi_free(opaque, ptr);
}

static void *zstd_alloc(void *opaque, size_t size) {
  return size == 0 ? NULL : kopi_malloc(opaque, size);
}

ZSTD_customMem kopi_zstd_mem(const kop_alloc *alloc) {
  return (ZSTD_customMem){
      .customAlloc = zstd_alloc, .customFree = kopi_zfree, .opaque = kopi_zopaque(alloc)};
}
