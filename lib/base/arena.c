/* A bump allocator: many small objects that die together. */
#include "base/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/alloc.h"

enum { CHUNK_BYTES = 4096, ALIGN = alignof(max_align_t) };

struct kopi_arena_chunk {
  kopi_arena_chunk *next;
  size_t cap;
  size_t used;
  alignas(max_align_t) uint8_t bytes[];
};

void kopi_arena_init(kopi_arena *a, const kop_alloc *alloc, size_t limit) {
  *a = (kopi_arena){.alloc = alloc, .limit = limit};
}

void kopi_arena_free(kopi_arena *a) {
  kopi_arena_chunk *next;
  for (kopi_arena_chunk *c = a->head; c != NULL; c = next) {
    next = c->next;
    kopi_free(a->alloc, c);
  }
  a->head = NULL;
  a->used = 0;
}

void kopi_arena_reset(kopi_arena *a) {
  kopi_arena_chunk *keep = a->head;
  for (kopi_arena_chunk *c = a->head; c != NULL; c = c->next) {
    if (c->cap > keep->cap) keep = c;
  }
  kopi_arena_chunk *next;
  for (kopi_arena_chunk *c = a->head; c != NULL; c = next) {
    next = c->next;
    if (c != keep) kopi_free(a->alloc, c);
  }
  a->head = keep;
  a->used = 0;
  if (keep != NULL) {
    keep->next = NULL;
    keep->used = 0;
  }
}

static size_t round_up(size_t size) {
  return (size + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
}

static kopi_arena_chunk *add_chunk(kopi_arena *a, size_t size) {
  size_t cap = a->head == NULL ? CHUNK_BYTES : a->head->cap * 2;
  size_t room = a->limit - a->used;
  if (cap > room) cap = room;
  if (cap < size) cap = size;
  kopi_arena_chunk *c = kopi_malloc(a->alloc, sizeof *c + cap);
  if (c == NULL) return NULL;
  c->next = a->head;
  c->cap = cap;
  c->used = 0;
  a->head = c;
  return c;
}

void *kopi_arena_alloc(kopi_arena *a, size_t size) {
  if (size > a->limit) return NULL;
  size_t need = round_up(size);
  if (need > a->limit - a->used) return NULL;
  kopi_arena_chunk *c = a->head;
  if (c == NULL || need > c->cap - c->used) c = add_chunk(a, need);
  if (c == NULL) return NULL;
  void *p = c->bytes + c->used;
  c->used += need;
  a->used += need;
  return p;
}

void *kopi_arena_calloc(kopi_arena *a, size_t n, size_t size) {
  if (size != 0 && n > SIZE_MAX / size) return NULL;
  void *p = kopi_arena_alloc(a, n * size);
  if (p != NULL) memset(p, 0, n * size);
  return p;
}

kop_status kopi_arena_status(const kopi_arena *a, size_t size) {
  if (size > a->limit || round_up(size) > a->limit - a->used) return KOP_ERR_LIMIT;
  return KOP_ERR_NOMEM;
}
