/* A bump allocator: many small objects that die together. */
#include "base/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/alloc.h"

enum { CHUNK_BYTES = 4096, ALIGN = KOPI_ARENA_ALIGN };

struct kopi_arena_chunk {
  kopi_arena_chunk *next;
  size_t cap;
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
  kopi_arena_init(a, a->alloc, a->limit);
}

static size_t handed_out(const kopi_arena *a) {
  return a->used + a->span - a->room;
}

/* Makes c, whose bytes are all free, the newest chunk. */
static void open_chunk(kopi_arena *a, kopi_arena_chunk *c) {
  size_t left = a->limit - a->used;
  a->head = c;
  a->next = c->bytes;
  a->span = c->cap < left ? c->cap : left;
  a->room = a->span;
}

void kopi_arena_reset(kopi_arena *a) {
  kopi_arena_chunk *keep = a->head;
  if (keep == NULL) return;
  if (keep->next != NULL) {
    for (kopi_arena_chunk *c = keep->next; c != NULL; c = c->next) {
      if (c->cap > keep->cap) keep = c;
    }
    kopi_arena_chunk *next;
    for (kopi_arena_chunk *c = a->head; c != NULL; c = next) {
      next = c->next;
      if (c != keep) kopi_free(a->alloc, c);
    }
    keep->next = NULL;
  }
  a->used = 0;
  open_chunk(a, keep);
}

size_t kopi_arena_held(const kopi_arena *a) {
  size_t held = 0;
  for (const kopi_arena_chunk *c = a->head; c != NULL; c = c->next)
    held += c->cap;
  return held;
}

static size_t round_up(size_t size) {
  return (size + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
}

static uint8_t add_chunk(kopi_arena *a, size_t need) {
  size_t cap = a->head == NULL ? CHUNK_BYTES : a->head->cap * 2;
  size_t left = a->limit - handed_out(a);
  if (cap > left) cap = left;
  if (cap < need) cap = need;
  kopi_arena_chunk *c = kopi_malloc(a->alloc, sizeof *c + cap);
  if (c == NULL) return 0;
  a->used = handed_out(a);
  c->next = a->head;
  c->cap = cap;
  open_chunk(a, c);
  return 1;
}

void *kopi_arena_alloc_slow(kopi_arena *a, size_t size) {
  size_t need = round_up(size);
  if (size > a->limit || need < size || need > a->limit - handed_out(a)) return NULL;
  if ((a->head == NULL || need > a->room) && !add_chunk(a, need)) return NULL;
  uint8_t *p = a->next;
  a->next += need;
  a->room -= need;
  return p;
}

void *kopi_arena_calloc(kopi_arena *a, size_t n, size_t size) {
  if (size != 0 && n > SIZE_MAX / size) return NULL;
  void *p = kopi_arena_alloc(a, n * size);
  if (p != NULL) memset(p, 0, n * size);
  return p;
}

kop_status kopi_arena_status(const kopi_arena *a, size_t size) {
  if (size > a->limit || round_up(size) < size || round_up(size) > a->limit - handed_out(a))
    return KOP_ERR_LIMIT;
  return KOP_ERR_NOMEM;
}
