/* Memory that received bytes land in. */
#include "base/block.h"

#include "base/alloc.h"

static const size_t CLASS_BYTES[KOPI_BLOCK_CLASSES] = {
    KOPI_BLOCK_SMALL, KOPI_BLOCK_MEDIUM, 64 << 10, 128 << 10, 256 << 10,
    512 << 10,        1 << 20,           2 << 20,  4 << 20,   8 << 20,
};

void kopi_blocks_init(kopi_blocks *pool, const kop_alloc *alloc, size_t kept_limit) {
  *pool = (kopi_blocks){.alloc = alloc, .kept_limit = kept_limit};
}

void kopi_blocks_free(kopi_blocks *pool) {
  for (size_t i = 0; i < KOPI_BLOCK_CLASSES; i++) {
    kopi_block *next;
    for (kopi_block *b = pool->kept[i]; b != NULL; b = next) {
      next = b->next;
      kopi_free(pool->alloc, b);
    }
    pool->kept[i] = NULL;
  }
  pool->kept_bytes = 0;
}

static uint32_t class_for(size_t capacity) {
  uint32_t i = 0;
  while (i < KOPI_BLOCK_CLASSES && CLASS_BYTES[i] < capacity)
    i++;
  return i;
}

kopi_block *kopi_block_new(kopi_blocks *pool, size_t capacity) {
  uint32_t class_index = class_for(capacity);
  kopi_block *b = NULL;
  if (class_index < KOPI_BLOCK_CLASSES) {
    capacity = CLASS_BYTES[class_index];
    b = pool->kept[class_index];
  }
  if (b != NULL) {
    pool->kept[class_index] = b->next;
    pool->kept_bytes -= capacity;
  } else {
    b = kopi_malloc(pool->alloc, sizeof *b + capacity);
    if (b == NULL) return NULL;
  }
  b->next = NULL;
  b->cap = capacity;
  b->refs = 1;
  b->class_index = class_index;
  return b;
}

void kopi_block_ref(kopi_block *b) {
  b->refs++;
}

void kopi_block_unref(kopi_blocks *pool, kopi_block *b) {
  if (b == NULL || --b->refs > 0) return;
  if (b->class_index < KOPI_BLOCK_CLASSES && b->cap <= pool->kept_limit - pool->kept_bytes) {
    b->next = pool->kept[b->class_index];
    pool->kept[b->class_index] = b;
    pool->kept_bytes += b->cap;
  } else {
    kopi_free(pool->alloc, b);
  }
}
