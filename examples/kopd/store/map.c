/* The stores' hash table. */
#include "store/map.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static size_t home_of(const kopd_map *m, const void *key, size_t key_len) {
  return (size_t)XXH3_64bits(key, key_len) & (m->cap - 1);
}

void kopd_map_free(kopd_map *m) {
  free(m->slots);
  *m = (kopd_map){0};
}

/* The slot that holds the key, or the empty one where it belongs. */
static size_t find(const kopd_map *m, const void *key, size_t key_len) {
  size_t i = home_of(m, key, key_len);
  while (m->slots[i].value != NULL &&
         (m->slots[i].key_len != key_len || memcmp(m->slots[i].key, key, key_len) != 0)) {
    i = (i + 1) & (m->cap - 1);
  }
  return i;
}

static int grow(kopd_map *m) {
  kopd_map bigger = {.cap = m->cap == 0 ? 16 : m->cap * 2, .len = m->len};
  bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
  if (bigger.slots == NULL) return -1;
  for (size_t i = 0; i < m->cap; i++) {
    if (m->slots[i].value == NULL) continue;
    bigger.slots[find(&bigger, m->slots[i].key, m->slots[i].key_len)] = m->slots[i];
  }
  free(m->slots);
  *m = bigger;
  return 0;
}

int kopd_map_put(kopd_map *m, const void *key, size_t key_len, void *value) {
  if (m->len + 1 > m->cap / 4 * 3 && grow(m) != 0) return -1;
  m->slots[find(m, key, key_len)] =
      (struct kopd_map_slot){.key = key, .key_len = key_len, .value = value};
  m->len++;
  return 0;
}

void *kopd_map_get(const kopd_map *m, const void *key, size_t key_len) {
  return m->cap == 0 ? NULL : m->slots[find(m, key, key_len)].value;
}

void *kopd_map_take(kopd_map *m, const void *key, size_t key_len) {
  if (m->cap == 0) return NULL;
  size_t hole = find(m, key, key_len);
  void *value = m->slots[hole].value;
  if (value == NULL) return NULL;
  for (size_t i = (hole + 1) & (m->cap - 1); m->slots[i].value != NULL;
       i = (i + 1) & (m->cap - 1)) {
    size_t home = home_of(m, m->slots[i].key, m->slots[i].key_len);
    /* The follower may move into the hole unless its home lies cyclically in (hole, i]. */
    if (((i - home) & (m->cap - 1)) < ((i - hole) & (m->cap - 1))) continue;
    m->slots[hole] = m->slots[i];
    hole = i;
  }
  m->slots[hole] = (struct kopd_map_slot){0};
  m->len--;
  return value;
}
