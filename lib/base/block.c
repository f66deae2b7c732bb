/* Memory that received bytes land in. */
#include "base/block.h"

#include "base/alloc.h"

/* Clients fill batches up to a power of two; a request adds a few hundred bytes. */
enum { AROUND = 1 << 10 };

static const size_t CLASS_BYTES[KOPI_BLOCK_CLASSES] = {
    KOPI_BLOCK_SMALL,     KOPI_BLOCK_MEDIUM,    (64 << 10) + AROUND, (128 << 10) + AROUND,
    (256 << 10) + AROUND, (512 << 10) + AROUND, (1 << 20) + AROUND,  (2 << 20) + AROUND,
    (4 << 20) + AROUND,   (8 << 20) + AROUND,
};

void kopi_blocks_init(kopi_blocks *pool, const kop_alloc *alloc, size_t kept_limit) {
  *pool = (kopi_blocks){.alloc = alloc, .kept_limit = kept_limit};
}

/* Takes a kept block of the class out, NULL if there is none. */
static kopi_block *pop(kopi_blocks *pool, uint32_t class_index) {
  kopi_block *b = pool->kept[class_index];
  if (b == NULL) return NULL;
  pool->kept[class_index] = b->next;
  pool->kept_bytes -= b->cap;
  pool->len[class_index]--;
  if (pool->len[class_index] < pool->least[class_index])
    pool->least[class_index] = pool->len[class_index];
  return b;
}

void kopi_blocks_free(kopi_blocks *pool) {
  for (uint32_t i = 0; i < KOPI_BLOCK_CLASSES; i++) {
    kopi_block *b;
    while ((b = pop(pool, i)) != NULL)
      kopi_free(pool->alloc, b);
  }
}

void kopi_blocks_trim(kopi_blocks *pool, size_t bytes) {
  for (uint32_t i = KOPI_BLOCK_CLASSES; i-- > 0;) {
    for (uint32_t n = pool->least[i]; n > 0 && pool->kept_bytes > bytes; n--)
      kopi_free(pool->alloc, pop(pool, i));
    pool->least[i] = pool->len[i];
  }
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
    b = pop(pool, class_index);
  }
  if (b == NULL) {
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
    pool->len[b->class_index]++;
    pool->kept_bytes += b->cap;
  } else {
    kopi_free(pool->alloc, b);
  }
}
