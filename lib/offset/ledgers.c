/*
 * The list of ledgers: how many entries stand between two positions, and which one is the nth.
 *
 * Within a ledger entry ids are dense, so the list turns a topic into one row of entries that can be halved:
 *
 *     ledger 7: 3 entries   ledger 9: 2   ledger 10: 4          between (7,0) and (10,2):  (7,1) (7,2) (9,0) (9,1) (10,0) (10,1)
 *
 * The count of the newest ledger is only what it was when the list was made, so it serves for a guess and never as proof.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "offset/map.h"

/* Index of the first listed ledger with that id or a higher one. */
static size_t lower(const kop_offset_map *m, uint64_t ledger) {
  size_t low = 0, high = m->ledger_len;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    if (m->ledgers[mid].ledger_id < ledger) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return low;
}

uint8_t kopi_offset_listed(const kop_offset_map *m, uint64_t ledger) {
  size_t i = lower(m, ledger);
  return i < m->ledger_len && m->ledgers[i].ledger_id == ledger;
}

kop_status kop_offset_map_ledgers(kop_offset_map *map, const kop_offset_ledger *ledgers,
                                  size_t count) {
  for (size_t i = 1; i < count; i++) {
    if (ledgers[i].ledger_id <= ledgers[i - 1].ledger_id) return KOP_ERR_INVALID;
  }
  if (count == 0) return KOP_OK;
  uint64_t oldest = ledgers[0].ledger_id;
  if (count > map->max_ledgers) {
    ledgers += count - map->max_ledgers;
    count = map->max_ledgers;
  }
  if (count > map->ledger_cap) {
    kop_offset_ledger *grown =
        kopi_realloc(&map->alloc, map->ledgers, count * sizeof map->ledgers[0]);
    if (grown == NULL) return KOP_ERR_NOMEM;
    map->ledgers = grown;
    map->ledger_cap = count;
  }
  memcpy(map->ledgers, ledgers, count * sizeof map->ledgers[0]);
  map->ledger_len = count;
  kop_offset_map_trim(map, oldest, 0);
  kopi_offset_ledgers_trim(map, map->start.ledger);
  return KOP_OK;
}

void kopi_offset_ledgers_trim(kop_offset_map *m, uint64_t ledger) {
  size_t gone = lower(m, ledger);
  if (gone == 0) return;
  m->ledger_len -= gone;
  memmove(m->ledgers, m->ledgers + gone, m->ledger_len * sizeof m->ledgers[0]);
}

uint8_t kopi_offset_adjacent(const kop_offset_map *m, kopi_offset_pos a, kopi_offset_pos b) {
  if (a.ledger == b.ledger) return b.entry <= a.entry + 1;
  if (b.entry != 0) return 0;
  size_t i = lower(m, a.ledger);
  if (i == m->ledger_len || m->ledgers[i].ledger_id != a.ledger) return 0;
  for (uint64_t used = a.entry + 1; i + 1 < m->ledger_len; i++, used = 0) {
    if (m->ledgers[i].ledger_id == b.ledger) return 1;
    if (m->ledgers[i].entries > used) return 0;
  }
  return m->ledgers[i].ledger_id == b.ledger;
}

/* The entries [from, to) of a listed ledger that lie between. */
static uint64_t part(const kop_offset_ledger *l, kopi_offset_pos a, kopi_offset_pos b,
                     uint64_t *from) {
  *from = l->ledger_id == a.ledger ? a.entry + 1 : 0;
  uint64_t to = l->entries == UINT64_MAX ? 0 : l->entries;
  if (l->ledger_id == b.ledger) to = b.entry;
  return to > *from ? to - *from : 0;
}

uint64_t kopi_offset_between(const kop_offset_map *m, kopi_offset_pos a, kopi_offset_pos b) {
  uint64_t sum = 0, from;
  for (size_t i = lower(m, a.ledger); i < m->ledger_len; i++) {
    if (m->ledgers[i].ledger_id > b.ledger) break;
    uint64_t n = part(&m->ledgers[i], a, b, &from);
    sum = n > UINT64_MAX - sum ? UINT64_MAX : sum + n;
  }
  return sum;
}

kopi_offset_pos kopi_offset_nth(const kop_offset_map *m, kopi_offset_pos a, kopi_offset_pos b,
                                uint64_t n) {
  for (size_t i = lower(m, a.ledger); i < m->ledger_len; i++) {
    uint64_t from, here = part(&m->ledgers[i], a, b, &from);
    if (n < here) return (kopi_offset_pos){m->ledgers[i].ledger_id, from + n};
    n -= here;
  }
  KOPI_ASSERT(0);
  return b;
}

uint8_t kopi_offset_next_ledger(const kop_offset_map *m, uint64_t ledger, kopi_offset_pos *out) {
  if (ledger == UINT64_MAX) return 0;
  size_t i = lower(m, ledger + 1);
  if (i == m->ledger_len) return 0;
  *out = (kopi_offset_pos){m->ledgers[i].ledger_id, 0};
  return 1;
}
