/*
 * Which checkpoints a full map keeps.
 *
 * A checkpoint at the edge of its ledger (the first or last one known there) saves a search the choice of the ledger, one inside saves it
 * a few halvings. So edges go last:
 *
 *   1. edges take half of the room at most: double the spacing, and keep inside a ledger only what is that far from the one
 *      kept before it; again, until a quarter of the room is free
 *   2. edges take more: let every second one of them go, again until they do not
 *
 * The oldest and the newest checkpoint always stay. Same observations, same checkpoints: nothing here depends on time.
 */
#include "offset/map.h"

static uint8_t is_edge(const kop_offset_map *m, size_t i) {
  const kop_offset_entry *p = &m->points[i];
  return i == 0 || i + 1 == m->len || p[-1].ledger_id != p->ledger_id ||
         p[1].ledger_id != p->ledger_id;
}

static size_t edges(const kop_offset_map *m) {
  size_t n = 0;
  for (size_t i = 0; i < m->len; i++)
    n += is_edge(m, i);
  return n;
}

/* Both passes write below what they still read, so the neighbours that decide are the original ones. */
static void spread(kop_offset_map *m) {
  size_t kept = 1;
  for (size_t i = 1; i < m->len; i++) {
    const kop_offset_entry *p = &m->points[i], *before = &m->points[kept - 1];
    if (!is_edge(m, i) && p->ledger_id == before->ledger_id &&
        p->entry_id - before->entry_id < m->spacing) {
      continue;
    }
    m->points[kept++] = *p;
  }
  m->len = kept;
}

static void halve_edges(kop_offset_map *m) {
  size_t kept = 0, seen = 0;
  for (size_t i = 0; i < m->len; i++) {
    uint8_t stays = i == 0 || i + 1 == m->len || !is_edge(m, i) || seen++ % 2 == 1;
    if (stays) m->points[kept++] = m->points[i];
  }
  m->len = kept;
}

void kopi_offset_map_thin(kop_offset_map *m) {
  while (m->len > m->max_points / 4 * 3) {
    if (edges(m) > m->max_points / 2) {
      halve_edges(m);
    } else {
      if (m->spacing <= UINT64_MAX / 2) m->spacing *= 2;
      spread(m);
    }
  }
}
