/*
 * A bump allocator: many small objects that die together (a decoded message, the bodies of one drain).
 *
 *   chunk -> chunk -> chunk      newest first; each {next, capacity, used, bytes...}
 *
 * Reset keeps one chunk, so that an arena in steady state allocates nothing.
 */
#ifndef KOPI_BASE_ARENA_H
#define KOPI_BASE_ARENA_H

#include <kop/base.h>

typedef struct kopi_arena_chunk kopi_arena_chunk;

typedef struct kopi_arena {
  const kop_alloc *alloc;
  kopi_arena_chunk *head;
  size_t used;  /* bytes handed out since the reset, rounding included */
  size_t limit; /* used never passes it */
} kopi_arena;

void kopi_arena_init(kopi_arena *a, const kop_alloc *alloc, size_t limit);
void kopi_arena_free(kopi_arena *a);
/* Forgets all objects; keeps the largest chunk. */
void kopi_arena_reset(kopi_arena *a);
/* Memory aligned for any object, not zeroed; NULL when the limit or the allocator refuses (kopi_arena_status tells which). size 0 gives a valid pointer. */
void *kopi_arena_alloc(kopi_arena *a, size_t size);
/* The same, zeroed, for n objects. */
void *kopi_arena_calloc(kopi_arena *a, size_t n, size_t size);
/* Why an allocation of that size fails: KOP_ERR_LIMIT or KOP_ERR_NOMEM. */
kop_status kopi_arena_status(const kopi_arena *a, size_t size);

#endif
