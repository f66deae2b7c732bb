/* The public arena. */
#include "wire/arena.h"

#include "base/alloc.h"

kop_status kop_arena_new(const kop_alloc *alloc, size_t limit, kop_arena **out) {
  if (out == NULL) return KOP_ERR_INVALID;
  *out = NULL;
  kop_alloc own;
  kop_status status = kopi_alloc_init(&own, alloc);
  if (status != KOP_OK) return status;
  kop_arena *arena = kopi_malloc(&own, sizeof *arena);
  if (arena == NULL) return KOP_ERR_NOMEM;
  arena->alloc = own;
  kopi_arena_init(&arena->arena, &arena->alloc, limit);
  *out = arena;
  return KOP_OK;
}

void kop_arena_reset(kop_arena *arena) {
  kopi_arena_reset(&arena->arena);
}

void kop_arena_free(kop_arena *arena) {
  if (arena == NULL) return;
  kopi_arena_free(&arena->arena);
  kop_alloc alloc = arena->alloc;
  kopi_free(&alloc, arena);
}

kop_status kop_arena_alloc(kop_arena *arena, size_t count, size_t size, void **out) {
  *out = NULL;
  if (size != 0 && count > SIZE_MAX / size) return KOP_ERR_LIMIT;
  *out = kopi_arena_calloc(&arena->arena, count, size);
  return *out != NULL ? KOP_OK : kopi_arena_status(&arena->arena, count * size);
}
