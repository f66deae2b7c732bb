/*
 * One entry and its offsets. Offsets count from the entry's end, since the broker stores the index of the last message:
 *
 *     message i of n  <->  offset  last - (n - 1) + i          those below `first` belong to entries before it
 */
#include <kop/offset.h>

#include "offset/entry.h"

kop_status kop_offset_entry_set(uint64_t ledger_id, uint64_t entry_id, uint64_t index,
                                int32_t count, int64_t timestamp, kop_offset_entry *out) {
  if (count < 1) return KOP_ERR_INVALID;
  if (index != UINT64_MAX && index >= INT64_MAX) return KOP_ERR_LIMIT;
  *out = (kop_offset_entry){.ledger_id = ledger_id,
                            .entry_id = entry_id,
                            .first = -1,
                            .last = -1,
                            .timestamp = timestamp,
                            .count = count};
  if (index == UINT64_MAX) return KOP_OK;
  out->last = (int64_t)index;
  out->first = out->last - count + 1;
  if (out->first < 0) out->first = 0;
  return KOP_OK;
}

int32_t kop_offset_entry_compare(const kop_offset_entry *a, const kop_offset_entry *b) {
  return kopi_offset_pos_compare(kopi_offset_pos_of(a), kopi_offset_pos_of(b));
}

uint32_t kop_offset_entry_follow(kop_offset_entry *entry, const kop_offset_entry *previous) {
  uint8_t before = previous != NULL && previous->last >= 0;
  if (entry->last < 0) return before ? KOP_OFFSET_UNINDEXED_AFTER : KOP_OFFSET_UNINDEXED;
  if (!before) return KOP_OFFSET_FITS;
  if (entry->first > previous->last + 1) return KOP_OFFSET_GAP;
  if (entry->first == previous->last + 1) return KOP_OFFSET_FITS;
  entry->first = previous->last + 1;
  return entry->first <= entry->last ? KOP_OFFSET_OVERLAP : KOP_OFFSET_REGRESSION;
}

kop_status kop_offset_entry_find(const kop_offset_entry *entry, int64_t offset,
                                 int32_t *batch_index) {
  if (offset < 0 || offset < entry->first || offset > entry->last) return KOP_ERR_NOT_FOUND;
  *batch_index = entry->count - 1 - (int32_t)(entry->last - offset);
  return KOP_OK;
}

kop_status kop_offset_entry_at(const kop_offset_entry *entry, int32_t batch_index,
                               int64_t *offset) {
  if (batch_index < 0 || batch_index >= entry->count) return KOP_ERR_INVALID;
  if (entry->last < 0) return KOP_ERR_NOT_FOUND;
  int64_t at = entry->last - (entry->count - 1 - batch_index);
  if (at < entry->first) return KOP_ERR_NOT_FOUND;
  *offset = at;
  return KOP_OK;
}

uint8_t kopi_offset_entry_valid(const kop_offset_entry *e) {
  if (e->count < 1 || e->timestamp < -1) return 0;
  if (e->last < 0) return e->last == -1 && e->first == -1;
  return e->first >= 0 && e->first <= e->last && e->last < INT64_MAX &&
         e->last - e->first < e->count;
}
