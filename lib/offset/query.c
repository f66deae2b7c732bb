/* Where an offset stands, by what the map remembers. */
#include "offset/map.h"

/* Index of the first checkpoint that does not lie wholly before the offset. */
static size_t not_before(const kop_offset_map *m, int64_t offset) {
  size_t low = 0, high = m->len;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    if (m->points[mid].last < offset) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return low;
}

static void set_low(kop_offset_place *out, const kop_offset_entry *e) {
  out->low = *e;
  out->low.reserved = 0;
  out->known |= KOP_OFFSET_LOW;
}

static void set_high(kop_offset_place *out, const kop_offset_entry *e) {
  out->high = *e;
  out->high.reserved = 0;
  out->known |= KOP_OFFSET_HIGH;
}

static uint32_t judge(const kop_offset_map *m, int64_t offset, kop_offset_place *out) {
  const uint32_t both = KOP_OFFSET_LOW | KOP_OFFSET_HIGH;
  if ((out->known & KOP_OFFSET_HIGH) != 0 &&
      kop_offset_entry_find(&out->high, offset, &out->batch_index) == KOP_OK) {
    set_low(out, &out->high);
    return KOP_OFFSET_EXACT;
  }
  const kop_offset_entry *first = kopi_offset_map_first(m);
  if (first != NULL && offset < first->first) {
    out->known = 0;
    set_high(out, first);
    return KOP_OFFSET_BELOW_START;
  }
  if (m->end_offset >= 0 && offset >= m->end_offset) return KOP_OFFSET_BEYOND_END;
  if (out->known == both && out->low.last >= 0 &&
      kopi_offset_adjacent(m, kopi_offset_pos_of(&out->low), kopi_offset_pos_of(&out->high))) {
    return KOP_OFFSET_HOLE;
  }
  return KOP_OFFSET_BETWEEN;
}

kop_status kop_offset_map_query(const kop_offset_map *map, int64_t offset, kop_offset_place *out) {
  if (offset < 0) return KOP_ERR_INVALID;
  *out = (kop_offset_place){.size = sizeof *out};
  size_t at = not_before(map, offset);
  if (at > 0) {
    set_low(out, &map->points[at - 1]);
  } else if (map->has_unindexed) {
    set_low(out, &map->unindexed);
  }
  if (at < map->len) set_high(out, &map->points[at]);
  out->kind = judge(map, offset, out);
  return KOP_OK;
}
