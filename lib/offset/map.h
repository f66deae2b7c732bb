/*
 * The map of one topic, as its own files and the search see it.
 *
 *     trimmed      unindexed         checkpoints, ascending in position and in offset            growing
 *   ///////////|- - - - - - - -|*     *          *     *   *         *      *   *        *...
 *              ^ start         ^ first (once proved)                                      ^ newest, replaced by the next
 *   ledgers       7      |     9        |    10     |         14          |     15
 *
 * Two invariants carry everything: positions ascend strictly, and so do offsets (first[i+1] > last[i]). What is observed and
 * contradicts them is cut to fit or left out (kop_offset_map_observe). `changes` counts what takes knowledge away, so that a search that
 * holds copies of entries notices.
 */
#ifndef KOPI_OFFSET_MAP_H
#define KOPI_OFFSET_MAP_H

#include <kop/offset.h>

#include "offset/entry.h"

struct kop_offset_map {
  kop_alloc alloc;
  uint32_t max_points;
  uint32_t max_ledgers;
  uint32_t base_spacing;
  uint8_t has_first;
  uint8_t has_unindexed;
  uint8_t unindexed_after;
  uint64_t spacing; /* at present; grows when the map is thinned */
  kop_offset_entry
      *points; /* `reserved` 1: paid for, not to be replaced by the next one at the tail */
  size_t len;
  size_t cap;
  kop_offset_ledger *ledgers; /* the newest ones of the last list */
  size_t ledger_len;
  size_t ledger_cap;
  kopi_offset_pos start;      /* nothing stands before it */
  kop_offset_entry first;     /* the first entry with an index, proved */
  kop_offset_entry unindexed; /* the last one known of those before it that have none */
  int64_t end_offset;
  uint64_t overlaps;
  uint64_t regressions;
  uint64_t changes;
};

/* The first entry with an index if it is known to be that, else NULL. */
const kop_offset_entry *kopi_offset_map_first(const kop_offset_map *m);

/* `entry` is proved to be the first one with an index. */
void kopi_offset_map_prove_first(kop_offset_map *m, const kop_offset_entry *entry);

/* Index of the first checkpoint at or after a position. */
size_t kopi_offset_map_lower(const kop_offset_map *m, kopi_offset_pos pos);

/* Makes room in the checkpoints by letting the least useful go: at least a quarter is free then. */
void kopi_offset_map_thin(kop_offset_map *m);

/* ---- positions that the list of ledgers knows ---- */

/* Whether no position between two others can hold an entry. Only what cannot change any more counts as proof. */
uint8_t kopi_offset_adjacent(const kop_offset_map *m, kopi_offset_pos a, kopi_offset_pos b);

/* Whether the ledger is in the list. */
uint8_t kopi_offset_listed(const kop_offset_map *m, uint64_t ledger);

/* How many positions of listed ledgers lie strictly between two others; of b's own ledger all up to b. */
uint64_t kopi_offset_between(const kop_offset_map *m, kopi_offset_pos a, kopi_offset_pos b);

/* The nth of them, from 0. n must be below the count. */
kopi_offset_pos kopi_offset_nth(const kop_offset_map *m, kopi_offset_pos a, kopi_offset_pos b,
                                uint64_t n);

/* The first position of the listed ledger after the one given; 0 when there is none. */
uint8_t kopi_offset_next_ledger(const kop_offset_map *m, uint64_t ledger, kopi_offset_pos *out);

/* Lets go of ledgers before one. */
void kopi_offset_ledgers_trim(kop_offset_map *m, uint64_t ledger);

#endif
