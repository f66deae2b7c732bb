/* The map: what passes by goes in, where an offset stands comes out. map.h draws it. */
#include "offset/map.h"

#include <string.h>

#include "base/alloc.h"
#include "base/sized.h"

enum {
  LEAST_ROOM = 16,
  MOST_ROOM = 1 << 24,
  DEFAULT_CHECKPOINTS = 1024,
  DEFAULT_LEDGERS = 4096,
  DEFAULT_SPACING = 256
};

static kop_offset_map_config defaults(size_t size) {
  return (kop_offset_map_config){.size = size,
                                 .max_checkpoints = DEFAULT_CHECKPOINTS,
                                 .max_ledgers = DEFAULT_LEDGERS,
                                 .spacing = DEFAULT_SPACING};
}

void kop_offset_map_config_init(kop_offset_map_config *config, size_t size) {
  kop_offset_map_config own = defaults(size);
  kopi_sized_defaults(config, size, &own, sizeof own);
}

static uint8_t in_range(uint32_t n) {
  return n >= LEAST_ROOM && n <= MOST_ROOM;
}

kop_status kop_offset_map_new(const kop_offset_map_config *config, kop_offset_map **out) {
  if (out == NULL) return KOP_ERR_INVALID;
  *out = NULL;
  kop_offset_map_config own = defaults(sizeof own);
  if (config != NULL && kopi_sized_load(&own, sizeof own, config) != KOP_OK) return KOP_ERR_INVALID;
  if (!in_range(own.max_checkpoints) || !in_range(own.max_ledgers) || own.spacing == 0 ||
      own.reserved != 0) {
    return KOP_ERR_INVALID;
  }
  kop_alloc alloc;
  kop_status status = kopi_alloc_init(&alloc, own.alloc);
  if (status != KOP_OK) return status;
  kop_offset_map *map = kopi_calloc(&alloc, 1, sizeof *map);
  if (map == NULL) return KOP_ERR_NOMEM;
  map->alloc = alloc;
  map->max_points = own.max_checkpoints;
  map->max_ledgers = own.max_ledgers;
  map->base_spacing = own.spacing;
  kop_offset_map_reset(map);
  *out = map;
  return KOP_OK;
}

void kop_offset_map_free(kop_offset_map *map) {
  if (map == NULL) return;
  kop_alloc alloc = map->alloc;
  kopi_free(&alloc, map->points);
  kopi_free(&alloc, map->ledgers);
  kopi_free(&alloc, map);
}

void kop_offset_map_reset(kop_offset_map *map) {
  map->has_first = 0;
  map->has_unindexed = 0;
  map->unindexed_after = 0;
  map->spacing = map->base_spacing;
  map->len = 0;
  map->ledger_len = 0;
  map->start = (kopi_offset_pos){0, 0};
  map->end_offset = -1;
  map->changes++;
}

void kop_offset_map_trim(kop_offset_map *map, uint64_t ledger_id, uint64_t entry_id) {
  kopi_offset_pos start = {ledger_id, entry_id};
  if (kopi_offset_pos_compare(start, map->start) <= 0) return;
  map->start = start;
  map->changes++;
  size_t gone = kopi_offset_map_lower(map, start);
  map->len -= gone;
  if (gone > 0) memmove(map->points, map->points + gone, map->len * sizeof map->points[0]);
  kopi_offset_ledgers_trim(map, ledger_id);
  if (kopi_offset_pos_compare(kopi_offset_pos_of(&map->first), start) < 0) map->has_first = 0;
  if (kopi_offset_pos_compare(kopi_offset_pos_of(&map->unindexed), start) < 0)
    map->has_unindexed = 0;
  if (map->len < map->max_points / 4 && map->spacing / 2 >= map->base_spacing) map->spacing /= 2;
}

const kop_offset_entry *kopi_offset_map_first(const kop_offset_map *m) {
  if (m->has_first) return &m->first;
  if (m->len == 0) return NULL;
  return kopi_offset_pos_compare(kopi_offset_pos_of(&m->points[0]), m->start) == 0 ? &m->points[0]
                                                                                   : NULL;
}

void kopi_offset_map_prove_first(kop_offset_map *m, const kop_offset_entry *entry) {
  m->first = *entry;
  m->has_first = 1;
}

kop_status kop_offset_map_set_first(kop_offset_map *map, const kop_offset_entry *entry) {
  if (!kopi_offset_entry_valid(entry)) return KOP_ERR_INVALID;
  if (kopi_offset_pos_compare(kopi_offset_pos_of(entry), map->start) < 0) return KOP_OK;
  kop_offset_map_trim(map, entry->ledger_id, entry->entry_id);
  if (entry->last >= 0) kopi_offset_map_prove_first(map, entry);
  return kop_offset_map_observe(map, entry, 1, NULL);
}

kop_status kop_offset_map_set_end(kop_offset_map *map, int64_t next_offset) {
  if (next_offset < -1) return KOP_ERR_INVALID;
  if (next_offset >= 0 && map->len > 0 && map->points[map->len - 1].last >= next_offset) {
    return KOP_ERR_INVALID;
  }
  map->end_offset = next_offset;
  return KOP_OK;
}

kop_status kop_offset_map_checkpoint(const kop_offset_map *map, uint32_t index,
                                     kop_offset_entry *out) {
  if (index >= map->len) return KOP_ERR_NOT_FOUND;
  *out = map->points[index];
  out->reserved = 0;
  return KOP_OK;
}

void kop_offset_map_describe(const kop_offset_map *map, kop_offset_map_state *out) {
  const kop_offset_entry *first = kopi_offset_map_first(map);
  *out = (kop_offset_map_state){.size = sizeof *out,
                                .bytes = sizeof *map + map->cap * sizeof map->points[0] +
                                         map->ledger_cap * sizeof map->ledgers[0],
                                .checkpoints = (uint32_t)map->len,
                                .ledgers = (uint32_t)map->ledger_len,
                                .spacing = map->spacing,
                                .start_offset = first != NULL ? first->first : -1,
                                .end_offset = map->end_offset,
                                .overlaps = map->overlaps,
                                .regressions = map->regressions,
                                .unindexed_after = map->unindexed_after};
}
