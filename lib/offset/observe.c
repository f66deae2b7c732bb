/*
 * What the map learns from one entry.
 *
 * At the tail entries come in order and the newest checkpoint is a placeholder that the next entry takes over, unless it stands at the
 * edge of its ledger or far enough from the one before:
 *
 *     *  .  .  .  *  .  .  o            o is followed by its neighbour: moves on       *  .  .  .  *  .  .  .  o
 *     *  .  .  .  *  .  .  .  o         spacing reached: o stays, a new one begins      *  .  .  .  *  .  .  .  *  o
 *
 * Elsewhere an entry is inserted when it is far from both its neighbours, at the start of a ledger, or paid for.
 */
#include <string.h>

#include "base/alloc.h"
#include "offset/map.h"

enum { FIRST_CAPACITY = 8 };

size_t kopi_offset_map_lower(const kop_offset_map *m, kopi_offset_pos pos) {
  size_t low = 0, high = m->len;
  if (high > 0 && kopi_offset_pos_compare(kopi_offset_pos_of(&m->points[high - 1]), pos) < 0) {
    return high; /* the tail moves on: the usual case */
  }
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    if (kopi_offset_pos_compare(kopi_offset_pos_of(&m->points[mid]), pos) < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return low;
}

static uint8_t far_apart(const kop_offset_map *m, const kop_offset_entry *a,
                         const kop_offset_entry *b) {
  return a->ledger_id != b->ledger_id || b->entry_id - a->entry_id >= m->spacing;
}

/* Whether the newest checkpoint is only a placeholder for `next`, which comes after it. */
static uint8_t gives_way(const kop_offset_map *m, const kop_offset_entry *next) {
  if (m->len < 2) return 0;
  const kop_offset_entry *p = &m->points[m->len - 1];
  return p->reserved == 0 && p->entry_id != 0 && p->ledger_id == next->ledger_id &&
         !far_apart(m, p - 1, p);
}

static uint8_t worth_keeping(const kop_offset_map *m, size_t at, const kop_offset_entry *e) {
  if (e->reserved != 0 || e->entry_id == 0) return 1;
  return (at == 0 || far_apart(m, &m->points[at - 1], e)) &&
         (at == m->len || far_apart(m, e, &m->points[at]));
}

static kop_status make_room(kop_offset_map *m) {
  if (m->len < m->cap) return KOP_OK;
  if (m->cap == m->max_points) {
    kopi_offset_map_thin(m);
    return KOP_OK;
  }
  size_t cap = m->cap == 0 ? FIRST_CAPACITY : m->cap * 2;
  if (cap > m->max_points) cap = m->max_points;
  kop_offset_entry *points = kopi_realloc(&m->alloc, m->points, cap * sizeof *points);
  if (points == NULL) return KOP_ERR_NOMEM;
  m->points = points;
  m->cap = cap;
  return KOP_OK;
}

static kop_status keep(kop_offset_map *m, size_t at, const kop_offset_entry *e) {
  if (at == m->len && gives_way(m, e)) {
    m->points[at - 1] = *e;
    return KOP_OK;
  }
  if (at < m->len && !worth_keeping(m, at, e)) return KOP_OK;
  kop_status status = make_room(m);
  if (status != KOP_OK) return status;
  at = kopi_offset_map_lower(m, kopi_offset_pos_of(e));
  memmove(m->points + at + 1, m->points + at, (m->len - at) * sizeof m->points[0]);
  m->points[at] = *e;
  m->len++;
  return KOP_OK;
}

static void count_fault(kop_offset_map *m, uint32_t verdict) {
  m->overlaps += verdict == KOP_OFFSET_OVERLAP;
  m->regressions += verdict == KOP_OFFSET_REGRESSION;
}

/* Takes from the checkpoints after `e` the offsets that it holds; those left without any go. */
static void cut_followers(kop_offset_map *m, size_t at, const kop_offset_entry *e) {
  size_t gone = 0;
  while (at + gone < m->len && m->points[at + gone].first <= e->last) {
    uint32_t verdict = kop_offset_entry_follow(&m->points[at + gone], e);
    count_fault(m, verdict);
    if (verdict != KOP_OFFSET_REGRESSION) break;
    gone++;
  }
  if (gone == 0) return;
  m->len -= gone;
  memmove(m->points + at, m->points + at + gone, (m->len - at) * sizeof m->points[0]);
}

static uint32_t observe_unindexed(kop_offset_map *m, size_t at, const kop_offset_entry *e) {
  if (at > 0) {
    m->unindexed_after = 1;
    return KOP_OFFSET_UNINDEXED_AFTER;
  }
  if (!m->has_unindexed || kop_offset_entry_compare(&m->unindexed, e) < 0) {
    m->unindexed = *e;
    m->has_unindexed = 1;
  }
  return KOP_OFFSET_UNINDEXED;
}

kop_status kop_offset_map_observe(kop_offset_map *map, const kop_offset_entry *entry, int32_t paid,
                                  uint32_t *verdict) {
  uint32_t unused;
  if (verdict == NULL) verdict = &unused;
  *verdict = KOP_OFFSET_FITS;
  if (!kopi_offset_entry_valid(entry)) return KOP_ERR_INVALID;
  kop_offset_entry e = *entry;
  e.reserved = paid != 0;
  kopi_offset_pos pos = kopi_offset_pos_of(&e);
  if (kopi_offset_pos_compare(pos, map->start) < 0) return KOP_OK; /* a late answer */
  size_t at = kopi_offset_map_lower(map, pos);
  if (e.last < 0) {
    *verdict = observe_unindexed(map, at, &e);
    return KOP_OK;
  }
  if (at < map->len && kop_offset_entry_compare(&map->points[at], &e) == 0) {
    map->points[at].reserved |= e.reserved;
    return KOP_OK;
  }
  if (map->has_unindexed && kop_offset_entry_compare(&e, &map->unindexed) < 0) {
    map->unindexed_after = 1;
  }
  const kop_offset_entry *before = at > 0 ? &map->points[at - 1] : NULL;
  *verdict = kop_offset_entry_follow(&e, before);
  count_fault(map, *verdict);
  if (*verdict == KOP_OFFSET_GAP &&
      !kopi_offset_adjacent(map, kopi_offset_pos_of(before), kopi_offset_pos_of(&e))) {
    *verdict = KOP_OFFSET_FITS;
  }
  if (*verdict == KOP_OFFSET_REGRESSION) return KOP_OK;
  if (at < map->len && map->points[at].first <= e.last) cut_followers(map, at, &e);
  if (map->end_offset >= 0 && e.last >= map->end_offset) map->end_offset = e.last + 1;
  return keep(map, at, &e);
}
