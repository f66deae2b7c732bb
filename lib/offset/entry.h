/* Positions in a topic, and what a kop_offset_entry must hold. */
#ifndef KOPI_OFFSET_ENTRY_H
#define KOPI_OFFSET_ENTRY_H

#include <kop/offset.h>

/* A place in the topic, whether an entry stands there or not. Ordered by ledger, then entry. */
typedef struct kopi_offset_pos {
  uint64_t ledger;
  uint64_t entry;
} kopi_offset_pos;

static inline kopi_offset_pos kopi_offset_pos_of(const kop_offset_entry *e) {
  return (kopi_offset_pos){e->ledger_id, e->entry_id};
}

static inline int32_t kopi_offset_pos_compare(kopi_offset_pos a, kopi_offset_pos b) {
  if (a.ledger != b.ledger) return a.ledger < b.ledger ? -1 : 1;
  if (a.entry != b.entry) return a.entry < b.entry ? -1 : 1;
  return 0;
}

static inline uint8_t kopi_offset_holds(const kop_offset_entry *e, int64_t offset) {
  return offset >= 0 && e->first <= offset && offset <= e->last;
}

/* Whether kop_offset_entry_set and kop_offset_entry_follow can have made it (a regression left out). */
uint8_t kopi_offset_entry_valid(const kop_offset_entry *e);

#endif
