/*
 * Shared READs and kept results.
 *
 *   get ----> OPEN --answered--> READY ----> put by the last user: freed (lent bytes are released)
 *               \--put by the last user, then answered--> KEPT --get--> READY
 *                                                            \--some seconds, or the budget--> freed
 *
 * One READ is open per (partition, offset); who wants the same joins it. A result that comes when nobody waits any more is
 * copied and kept, so that a store that needs longer than a client waits makes progress all the same.
 */
#ifndef KOPI_ENGINE_READ_H
#define KOPI_ENGINE_READ_H

#include "engine/partition.h"

typedef struct kopi_read_waiter kopi_read_waiter;

/* Somebody who wants the result; embedded in what waits. */
struct kopi_read_waiter {
  kopi_read_waiter *next;
  void (*ready)(kop_engine *e, kopi_read_waiter *w, kop_now now);
};

enum kopi_read_state { KOPI_READ_OPEN, KOPI_READ_READY, KOPI_READ_KEPT };

struct kopi_read {
  kopi_partition *p;    /* whose list it is in; NULL once that is gone or loaded anew */
  kopi_partition *held; /* kept alive by the open READ */
  kopi_link all;
  kopi_read *next; /* among the partition's, or in the free list */
  kopi_read *kept_prev;
  kopi_read *kept_next;
  int64_t offset;
  uint64_t kept_until;
  uint32_t users;
  uint8_t state;
  int16_t error;  /* Kafka's, when READY */
  uint64_t asked; /* while it is open: what it counts as, see room.h */
  kopi_op *op;    /* open, or lent */
  kopi_read_waiter *waiters;

  kop_read_batch *batches; /* the result; its slices lie behind it in the same memory */
  uint32_t batches_len;
  size_t memory_cap;
  uint8_t *copy; /* bytes that were not lent */
  uint64_t bytes;
  int64_t next_offset;
};

/*
 * The result of reading from `offset`, at least one batch, about max_bytes. READY at once if it is kept; otherwise `w->ready` is called
 * later. NULL without memory. Each get is ended by kopi_read_put. Unless one is there to be joined, room for max_bytes has been granted.
 */
kopi_read *kopi_read_get(kop_engine *e, kopi_partition *p, int64_t offset, int64_t end,
                         uint32_t max_bytes, kopi_read_waiter *w, kop_now now);

/* Whether a get from that offset would join an open READ or take a kept result. */
bool kopi_read_is_there(const kopi_partition *p, int64_t offset);

/* Ends a get; `w` is not called any more. */
void kopi_read_put(kop_engine *e, kopi_read *read, kopi_read_waiter *w);

/* The partition is gone or loaded anew: kept results are dropped, open ones answer their waiters and are not kept. */
void kopi_reads_drop(kop_engine *e, kopi_partition *p);

/* Drops kept results whose time is over. */
void kopi_reads_expire(kop_engine *e, kop_now now);

/* Frees pooled reads that were not needed since the last call, but for `keep`. */
void kopi_reads_trim(kop_engine *e, uint32_t keep);

void kopi_reads_free(kop_engine *e);

#endif
