/* The hash table with integer keys. */
#include "base/map.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/alloc.h"
#include "base/map_table.h"

typedef struct kopi_map_u64_slot {
  uint64_t key;
  void *value; /* NULL: the slot is free */
} slot;

static size_t home_of(const kopi_map_u64 *m, uint64_t key) {
  return (size_t)XXH3_64bits_withSeed(&key, sizeof key, m->seed) & (m->cap - 1);
}

/* Where the key is, or the free slot where it belongs. The table has at least one free slot. */
static size_t probe(const kopi_map_u64 *m, uint64_t key) {
  size_t i = home_of(m, key);
  while (m->slots[i].value != NULL && m->slots[i].key != key)
    i = (i + 1) & (m->cap - 1);
  return i;
}

void kopi_map_u64_init(kopi_map_u64 *m, const kop_alloc *alloc, uint64_t seed) {
  *m = (kopi_map_u64){.alloc = alloc, .seed = seed};
}

void kopi_map_u64_free(kopi_map_u64 *m) {
  kopi_free(m->alloc, m->slots);
  kopi_map_u64_init(m, m->alloc, m->seed);
}

kop_status kopi_map_u64_reserve(kopi_map_u64 *m, size_t n) {
  size_t cap = kopi_map_slots_for(m->cap, n);
  if (cap == m->cap) return KOP_OK;
  slot *slots = kopi_calloc(m->alloc, cap, sizeof *slots);
  if (slots == NULL) return KOP_ERR_NOMEM;
  slot *old = m->slots;
  size_t old_cap = m->cap;
  m->slots = slots;
  m->cap = cap;
  for (size_t i = 0; i < old_cap; i++) {
    if (old[i].value != NULL) slots[probe(m, old[i].key)] = old[i];
  }
  kopi_free(m->alloc, old);
  return KOP_OK;
}

kop_status kopi_map_u64_insert(kopi_map_u64 *m, uint64_t key, void *value) {
  if (value == NULL) return KOP_ERR_INVALID;
  kop_status status = kopi_map_u64_reserve(m, m->len + 1);
  if (status != KOP_OK) return status;
  slot *s = &m->slots[probe(m, key)];
  if (s->value != NULL) return KOP_ERR_STATE;
  *s = (slot){.key = key, .value = value};
  m->len++;
  return KOP_OK;
}

void *kopi_map_u64_find(const kopi_map_u64 *m, uint64_t key) {
  return m->len == 0 ? NULL : m->slots[probe(m, key)].value;
}

void *kopi_map_u64_remove(kopi_map_u64 *m, uint64_t key) {
  if (m->len == 0) return NULL;
  size_t mask = m->cap - 1;
  size_t hole = probe(m, key);
  void *value = m->slots[hole].value;
  if (value == NULL) return NULL;
  for (size_t i = (hole + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
    if (!kopi_map_may_fill(hole, i, home_of(m, m->slots[i].key), mask)) continue;
    m->slots[hole] = m->slots[i];
    hole = i;
  }
  m->slots[hole].value = NULL;
  m->len--;
  return value;
}

size_t kopi_map_u64_len(const kopi_map_u64 *m) {
  return m->len;
}

void *kopi_map_u64_next(const kopi_map_u64 *m, size_t *cursor) {
  while (*cursor < m->cap) {
    void *value = m->slots[(*cursor)++].value;
    if (value != NULL) return value;
  }
  return NULL;
}
