/* The hash table with byte string keys. */
#include "base/map.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/alloc.h"
#include "base/map_table.h"

typedef struct kopi_map_bytes_slot {
  uint64_t hash;
  kop_slice key;
  void *value; /* NULL: the slot is free */
} slot;

static uint64_t hash_of(const kopi_map_bytes *m, kop_slice key) {
  return key.len == 0 ? m->seed : XXH3_64bits_withSeed(key.ptr, key.len, m->seed);
}

static int holds(const slot *s, uint64_t hash, kop_slice key) {
  return s->hash == hash && s->key.len == key.len &&
         (key.len == 0 || memcmp(s->key.ptr, key.ptr, key.len) == 0);
}

/* Where the key is, or the free slot where it belongs. The table has at least one free slot. */
static size_t probe(const kopi_map_bytes *m, uint64_t hash, kop_slice key) {
  size_t mask = m->cap - 1;
  size_t i = (size_t)hash & mask;
  while (m->slots[i].value != NULL && !holds(&m->slots[i], hash, key))
    i = (i + 1) & mask;
  return i;
}

void kopi_map_bytes_init(kopi_map_bytes *m, const kop_alloc *alloc, uint64_t seed) {
  *m = (kopi_map_bytes){.alloc = alloc, .seed = seed};
}

void kopi_map_bytes_free(kopi_map_bytes *m) {
  kopi_free(m->alloc, m->slots);
  kopi_map_bytes_init(m, m->alloc, m->seed);
}

kop_status kopi_map_bytes_reserve(kopi_map_bytes *m, size_t n) {
  size_t cap = kopi_map_slots_for(m->cap, n);
  if (cap == m->cap) return KOP_OK;
  slot *slots = kopi_calloc(m->alloc, cap, sizeof *slots);
  if (slots == NULL) return KOP_ERR_NOMEM;
  slot *old = m->slots;
  size_t old_cap = m->cap;
  m->slots = slots;
  m->cap = cap;
  for (size_t i = 0; i < old_cap; i++) {
    if (old[i].value != NULL) slots[probe(m, old[i].hash, old[i].key)] = old[i];
  }
  kopi_free(m->alloc, old);
  return KOP_OK;
}

kop_status kopi_map_bytes_insert(kopi_map_bytes *m, kop_slice key, void *value) {
  if (value == NULL) return KOP_ERR_INVALID;
  kop_status status = kopi_map_bytes_reserve(m, m->len + 1);
  if (status != KOP_OK) return status;
  uint64_t hash = hash_of(m, key);
  slot *s = &m->slots[probe(m, hash, key)];
  if (s->value != NULL) return KOP_ERR_STATE;
  *s = (slot){.hash = hash, .key = key, .value = value};
  m->len++;
  return KOP_OK;
}

void *kopi_map_bytes_find(const kopi_map_bytes *m, kop_slice key) {
  return m->len == 0 ? NULL : m->slots[probe(m, hash_of(m, key), key)].value;
}

void *kopi_map_bytes_remove(kopi_map_bytes *m, kop_slice key) {
  if (m->len == 0) return NULL;
  size_t mask = m->cap - 1;
  size_t hole = probe(m, hash_of(m, key), key);
  void *value = m->slots[hole].value;
  if (value == NULL) return NULL;
  for (size_t i = (hole + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
    if (!kopi_map_may_fill(hole, i, (size_t)m->slots[i].hash & mask, mask)) continue;
    m->slots[hole] = m->slots[i];
    hole = i;
  }
  m->slots[hole].value = NULL;
  m->len--;
  return value;
}

size_t kopi_map_bytes_len(const kopi_map_bytes *m) {
  return m->len;
}

void *kopi_map_bytes_next(const kopi_map_bytes *m, size_t *cursor) {
  while (*cursor < m->cap) {
    void *value = m->slots[(*cursor)++].value;
    if (value != NULL) return value;
  }
  return NULL;
}
