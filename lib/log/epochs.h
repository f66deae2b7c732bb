/*
 * The leader epoch history of a partition: from which offset on each epoch wrote.
 *
 *   epoch   0        2     3                  entries {0, 0} {2, 40} {3, 55}
 *   offset  0 ------ 40 -- 55 ------ 70       epoch 1 wrote nothing; epoch 3 is writing
 *
 * A client that holds epoch e asks where e ended (OffsetForLeaderEpoch): the start of the next epoch after e. If its
 * own position lies behind that, its tail was written by a leader that lost, and it must cut back. The answers are
 * Kafka's, cases included (kopi_epochs_end_offset).
 *
 * At most `max` entries are kept; the oldest is forgotten first. A question about a forgotten epoch is then
 * answered with the start of the oldest one known, which is never behind the truth by more than what was forgotten.
 */
#ifndef KOPI_LOG_EPOCHS_H
#define KOPI_LOG_EPOCHS_H

#include <kop/base.h>

typedef struct kopi_epoch_start {
  int64_t start_offset;
  int32_t epoch;
} kopi_epoch_start;

typedef struct kopi_epochs {
  const kop_alloc *alloc;
  kopi_epoch_start *entries; /* epochs and start offsets both strictly ascending */
  size_t len;
  size_t cap;
  size_t max;
} kopi_epochs;

/* Empty; allocates nothing. `max` must be at least 1. `alloc` must outlive it. */
void kopi_epochs_init(kopi_epochs *e, const kop_alloc *alloc, size_t max);

/* Forgets everything and frees the memory. It can be used again. */
void kopi_epochs_free(kopi_epochs *e);

/*
 * Epoch `epoch` writes from `start_offset` on. What contradicts it is forgotten: entries of the same or a higher epoch and those that
 * start there or later (epochs that wrote nothing). The epoch that is the latest already keeps its start if that is not later.
 * KOP_ERR_INVALID for a negative number, KOP_ERR_NOMEM; both change nothing.
 */
kop_status kopi_epochs_assign(kopi_epochs *e, int32_t epoch, int64_t start_offset);

/* The log now starts at `offset`: the epoch in force there starts there too, those before it are forgotten. */
void kopi_epochs_truncate_start(kopi_epochs *e, int64_t offset);

/* The log now ends at `offset`: epochs that start there or later are forgotten. */
void kopi_epochs_truncate_end(kopi_epochs *e, int64_t offset);

/*
 * Where `epoch` ended, given the log's end, as Kafka answers it:
 *
 *   the latest epoch                       (epoch, log end)
 *   -1, above the latest, or none known    (-1, -1)
 *   below the first one known, also < -1   (epoch, start of the first one known)
 *   any other                              (the highest known epoch not above it, start of the one after that)
 */
void kopi_epochs_end_offset(const kopi_epochs *e, int32_t epoch, int64_t log_end,
                            int32_t *found_epoch, int64_t *end_offset);

/* The epoch that wrote an offset; -1 if that is before the first start known. */
int32_t kopi_epochs_at(const kopi_epochs *e, int64_t offset);

/* The latest epoch, -1 if there is none. */
int32_t kopi_epochs_latest(const kopi_epochs *e);

#endif
