/*
 * A bump allocator: many small objects that die together (a decoded message, the bodies of one drain).
 *
 *   chunk -> chunk -> chunk      newest first; each {next, capacity, bytes...}
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
  uint8_t *next; /* first free byte of the newest chunk */
  size_t room;   /* bytes there that may be handed out: what is free, and what the limit leaves */
  size_t span;   /* room when that chunk became the newest */
  size_t used;   /* bytes handed out of older chunks since the reset, rounding included */
  size_t limit;  /* used + span - room never passes it */
} kopi_arena;

enum { KOPI_ARENA_ALIGN = _Alignof(max_align_t) };

void kopi_arena_init(kopi_arena *a, const kop_alloc *alloc, size_t limit);
void kopi_arena_free(kopi_arena *a);
/* Forgets all objects; keeps the largest chunk. */
void kopi_arena_reset(kopi_arena *a);

/* Bytes it has taken from its allocator. */
size_t kopi_arena_held(const kopi_arena *a);

/* What kopi_arena_alloc does when the newest chunk has no room. */
void *kopi_arena_alloc_slow(kopi_arena *a, size_t size);

/* Memory aligned for any object, not zeroed; NULL when the limit or the allocator refuses (kopi_arena_status tells which). size 0 gives a valid pointer. */
static inline void *kopi_arena_alloc(kopi_arena *a, size_t size) {
  size_t need = (size + KOPI_ARENA_ALIGN - 1) & ~(size_t)(KOPI_ARENA_ALIGN - 1);
  if (need == 0 || need > a->room) return kopi_arena_alloc_slow(a, size);
  uint8_t *p = a->next;
  a->next += need;
  a->room -= need;
  return p;
}

/* The same, zeroed, for n objects. */
void *kopi_arena_calloc(kopi_arena *a, size_t n, size_t size);
/* Why an allocation of that size fails: KOP_ERR_LIMIT or KOP_ERR_NOMEM. */
kop_status kopi_arena_status(const kopi_arena *a, size_t size);

#endif
