/*
 * A hash table from a byte string to a pointer: topics by name and by id, partitions by number, lent reads by token.
 *
 * Open addressing, linear probing, XXH3; a removal moves the followers back. The table keeps the key's address, whose
 * bytes belong to the value.
 */
#ifndef KOPD_STORE_MAP_H
#define KOPD_STORE_MAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct kopd_map {
  struct kopd_map_slot {
    const void *key;
    size_t key_len;
    void *value;
  } * slots;
  size_t cap;
  size_t len;
} kopd_map;

void kopd_map_free(kopd_map *m);
/* 0; -1 for want of memory. The key must not be there yet, the value not be NULL. */
int kopd_map_put(kopd_map *m, const void *key, size_t key_len, void *value);
void *kopd_map_get(const kopd_map *m, const void *key, size_t key_len);
/* Gives the value, or NULL if the key was not there. */
void *kopd_map_take(kopd_map *m, const void *key, size_t key_len);

#endif
