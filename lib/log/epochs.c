/* The leader epoch history: a short sorted array. */
#include "log/epochs.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { FIRST_CAPACITY = 4 };

void kopi_epochs_init(kopi_epochs *e, const kop_alloc *alloc, size_t max) {
  KOPI_ASSERT(max > 0);
  *e = (kopi_epochs){.alloc = alloc, .max = max};
}

void kopi_epochs_free(kopi_epochs *e) {
  kopi_free(e->alloc, e->entries);
  kopi_epochs_init(e, e->alloc, e->max);
}

static void drop_first(kopi_epochs *e, size_t n) {
  if (n == 0) return;
  e->len -= n;
  memmove(e->entries, e->entries + n, e->len * sizeof e->entries[0]);
}

static kop_status reserve(kopi_epochs *e, size_t n) {
  if (n <= e->cap) return KOP_OK;
  size_t cap = e->cap == 0 ? FIRST_CAPACITY : e->cap * 2;
  if (cap > e->max) cap = e->max;
  kopi_epoch_start *entries = kopi_realloc(e->alloc, e->entries, cap * sizeof *entries);
  if (entries == NULL) return KOP_ERR_NOMEM;
  e->entries = entries;
  e->cap = cap;
  return KOP_OK;
}

kop_status kopi_epochs_assign(kopi_epochs *e, int32_t epoch, int64_t start_offset) {
  if (epoch < 0 || start_offset < 0) return KOP_ERR_INVALID;
  size_t keep = e->len;
  if (keep > 0 && e->entries[keep - 1].epoch == epoch &&
      e->entries[keep - 1].start_offset <= start_offset) {
    return KOP_OK;
  }
  while (keep > 0 &&
         (e->entries[keep - 1].epoch >= epoch || e->entries[keep - 1].start_offset >= start_offset))
    keep--;
  if (keep < e->max) {
    kop_status status = reserve(e, keep + 1);
    if (status != KOP_OK) return status;
    e->len = keep;
  } else {
    drop_first(e, 1);
  }
  e->entries[e->len++] = (kopi_epoch_start){.start_offset = start_offset, .epoch = epoch};
  return KOP_OK;
}

/* How many entries start at or before the offset. */
static size_t started_by(const kopi_epochs *e, int64_t offset) {
  size_t low = 0, high = e->len;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    if (e->entries[mid].start_offset <= offset) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return low;
}

void kopi_epochs_truncate_start(kopi_epochs *e, int64_t offset) {
  size_t n = started_by(e, offset);
  if (n == 0) return;
  drop_first(e, n - 1);
  e->entries[0].start_offset = offset;
}

void kopi_epochs_truncate_end(kopi_epochs *e, int64_t offset) {
  while (e->len > 0 && e->entries[e->len - 1].start_offset >= offset)
    e->len--;
}

void kopi_epochs_end_offset(const kopi_epochs *e, int32_t epoch, int64_t log_end,
                            int32_t *found_epoch, int64_t *end_offset) {
  *found_epoch = -1;
  *end_offset = -1;
  if (epoch == -1 || e->len == 0 || epoch > kopi_epochs_latest(e)) return;
  size_t above = e->len; /* index of the first entry of a higher epoch */
  while (above > 0 && e->entries[above - 1].epoch > epoch)
    above--;
  *found_epoch = above == 0 ? epoch : e->entries[above - 1].epoch;
  *end_offset = above == e->len ? log_end : e->entries[above].start_offset;
}

int32_t kopi_epochs_at(const kopi_epochs *e, int64_t offset) {
  size_t n = started_by(e, offset);
  return n == 0 ? -1 : e->entries[n - 1].epoch;
}

int32_t kopi_epochs_latest(const kopi_epochs *e) {
  return e->len == 0 ? -1 : e->entries[e->len - 1].epoch;
}
