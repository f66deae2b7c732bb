/*
 * Hash tables from a u64 or a byte string to a pointer.
 *
 * Open addressing with linear probing on XXH3, a power of two of slots of which at most three
 * quarters are taken; a removal moves the followers back, so there are no tombstones and a table
 * that lives for years stays as fast as a new one. It grows by doubling and never shrinks.
 *
 *   home(k) = XXH3(k, seed) mod slots        [ . | a | b | a' | . | c | . | . ]
 *                                                  a' has a's home, was pushed right by b
 *
 * The seed comes from the embedder, so that a peer cannot choose keys that collide. The order of the slots
 * depends on it and must never reach an output: the walk is for teardown and for sums.
 */
#ifndef KOPI_BASE_MAP_H
#define KOPI_BASE_MAP_H

#include <kop/base.h>

typedef struct kopi_map_u64 {
  const kop_alloc *alloc;
  struct kopi_map_u64_slot *slots;
  size_t cap;
  size_t len;
  uint64_t seed;
} kopi_map_u64;

/* An empty map; nothing is allocated until the first insert. `alloc` must outlive it. */
void kopi_map_u64_init(kopi_map_u64 *m, const kop_alloc *alloc, uint64_t seed);

/* Frees the table, not the values. The map is then empty and can be used again. */
void kopi_map_u64_free(kopi_map_u64 *m);

/* Makes room: as long as no more than `n` keys are in the map, inserts cannot fail. KOP_ERR_NOMEM leaves it as it was. */
kop_status kopi_map_u64_reserve(kopi_map_u64 *m, size_t n);

/* Puts a value that is not NULL. KOP_ERR_STATE if the key is there already, KOP_ERR_NOMEM; both leave the map as it was. */
kop_status kopi_map_u64_insert(kopi_map_u64 *m, uint64_t key, void *value);

/* The value, or NULL. */
void *kopi_map_u64_find(const kopi_map_u64 *m, uint64_t key);

/* Takes the key out and returns its value, NULL if it was not there. Never allocates. */
void *kopi_map_u64_remove(kopi_map_u64 *m, uint64_t key);

size_t kopi_map_u64_len(const kopi_map_u64 *m);

/* Each value once, NULL after the last; `*cursor` starts at 0. The map must not change during the walk. */
void *kopi_map_u64_next(const kopi_map_u64 *m, size_t *cursor);

/* The same with byte strings as keys. The map keeps the slice, not a copy: its bytes belong to the value and must stay where they are while it is in the map. Keys are compared by length and content; a NULL key equals an empty one. */
typedef struct kopi_map_bytes {
  const kop_alloc *alloc;
  struct kopi_map_bytes_slot *slots;
  size_t cap;
  size_t len;
  uint64_t seed;
} kopi_map_bytes;

void kopi_map_bytes_init(kopi_map_bytes *m, const kop_alloc *alloc, uint64_t seed);
void kopi_map_bytes_free(kopi_map_bytes *m);
kop_status kopi_map_bytes_reserve(kopi_map_bytes *m, size_t n);
kop_status kopi_map_bytes_insert(kopi_map_bytes *m, kop_slice key, void *value);
void *kopi_map_bytes_find(const kopi_map_bytes *m, kop_slice key);
void *kopi_map_bytes_remove(kopi_map_bytes *m, kop_slice key);
size_t kopi_map_bytes_len(const kopi_map_bytes *m);
void *kopi_map_bytes_next(const kopi_map_bytes *m, size_t *cursor);

#endif
