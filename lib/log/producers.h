/*
 * What a partition's leader knows of its idempotent producers: who wrote which sequence numbers.
 *
 * A producer numbers its records 0, 1, ... 2^31-1, 0, ... per partition. The leader appends a batch only if it
 * continues where the last one ended, and answers one that it has already with the offset it got the first
 * time. Kafka checks under the log's lock, with offsets given at once. Here the append is asynchronous, so a
 * batch is checked when it takes its place in the partition's order, against what is durable and what is
 * still in flight:
 *
 *            durable, last five          in flight, in the order of the appends
 *   pid 7    [10..12] [13..13]           [14..20] [21..21]          next must be 22
 *   pid 9                                [0..4]                     next must be 5
 *            ^ answer: its offset        ^ answer: join that append
 *
 * A batch's life: check says NEW -> begin (in flight) -> committed (its offset is known) -> in the durable
 * window as soon as all appends begun before it are there too. forget_in_flight drops what is in flight when
 * the epoch of the appends has ended; replay puts back what the log holds.
 *
 * The checks are Kafka's, in Kafka's order (measured against Kafka 4.3.1 with raw batches):
 *
 *   1. Same epoch, and first and last sequence equal to one of the five newest batches: a duplicate. It is answered with
 *      the original's base offset and timestamp. A batch that overlaps one but is not equal to it is no duplicate.
 *   2. Epoch below the producer's: INVALID_PRODUCER_EPOCH.
 *   3. Epoch above it: the first sequence must be 0, else OUT_OF_ORDER_SEQUENCE_NUMBER.
 *   4. Same epoch: the first sequence must follow the last one, else OUT_OF_ORDER_SEQUENCE_NUMBER. A duplicate older
 *      than five batches therefore ends here.
 *
 * A producer that is not known has epoch -1 and no last sequence, and any first sequence is accepted: its
 * batches may have been removed by retention, DeleteRecords or expiration while it paused, and to refuse it would
 * end a healthy producer. (Kafka demands 0 of an unknown producer only in transactions of version 2.) Epoch -1
 * itself is no epoch: a producer that sends it may go on with any sequence, as in Kafka.
 *
 * Bounds: at most `max_producers` (the one whose last batch is oldest in the log makes room; the log's order and not
 * the timestamps, which clients choose) and `max_in_flight` batches. Nothing depends on the hash table's order.
 */
#ifndef KOPI_LOG_PRODUCERS_H
#define KOPI_LOG_PRODUCERS_H

#include <kop/base.h>

#include "base/heap.h"
#include "base/map.h"

enum { KOPI_PRODUCER_WINDOW = 5 };

/* What the head of a v2 batch says. */
typedef struct kopi_producer_batch {
  int64_t producer_id; /* below 0: not idempotent */
  int64_t timestamp;   /* the batch's max timestamp as it is stored */
  int32_t first_seq;
  int32_t last_seq; /* kopi_sequence_add(first_seq, count - 1) */
  int16_t epoch;
} kopi_producer_batch;

/* One batch of the durable window. */
typedef struct kopi_producer_entry {
  int64_t base_offset;
  int64_t timestamp;
  int32_t first_seq;
  int32_t last_seq;
} kopi_producer_entry;

/* What is durable of one producer: all that a snapshot or DescribeProducers needs. */
typedef struct kopi_producer_state {
  int64_t producer_id;
  int16_t epoch;
  uint8_t count;                                     /* 1 to KOPI_PRODUCER_WINDOW */
  kopi_producer_entry batches[KOPI_PRODUCER_WINDOW]; /* oldest first */
} kopi_producer_state;

enum {
  KOPI_PRODUCERS_NEW = 0,       /* append it: call kopi_producers_begin */
  KOPI_PRODUCERS_DUPLICATE = 1, /* answer with base_offset and timestamp */
  KOPI_PRODUCERS_IN_FLIGHT =
      2, /* a duplicate of an append in flight: answer when `owner` is answered */
  KOPI_PRODUCERS_REFUSED = 3 /* answer with kafka_error */
};

typedef struct kopi_producers_verdict {
  int32_t kind;
  int16_t kafka_error;
  int64_t base_offset;
  int64_t timestamp;
  void *owner; /* as given to kopi_producers_begin */
} kopi_producers_verdict;

typedef struct kopi_producers {
  const kop_alloc *alloc;
  kopi_map_u64 by_id;
  kopi_heap by_offset; /* idle producers, by the base offset of their last batch */
  kopi_heap
      by_timestamp; /* the same, by its timestamp or the time it was learned, whichever is later */
  struct kopi_producers_append *ring;
  uint64_t head; /* tickets head .. tail-1 are in flight; ticket t is ring[t mod ring_cap] */
  uint64_t tail;
  uint32_t ring_cap;
  uint32_t max_in_flight;
  uint32_t max_producers;
  int64_t now_ms; /* as told last; INT64_MIN before */
} kopi_producers;

/* Empty; allocates nothing. Both bounds must be at least 1. `alloc` must outlive it. */
void kopi_producers_init(kopi_producers *p, const kop_alloc *alloc, uint64_t seed,
                         uint32_t max_producers, uint32_t max_in_flight);

/* Forgets everything, in flight too, and frees the memory. It can be used again as after init. */
void kopi_producers_free(kopi_producers *p);

/* Decides what is to be done with a batch that takes its place in the partition's order. Changes nothing. A batch without a producer is NEW. */
void kopi_producers_check(const kopi_producers *p, const kopi_producer_batch *b,
                          kopi_producers_verdict *out);

/*
 * Notes that the append of a batch that the check called NEW has begun, and gives its ticket. `owner` is what later checks
 * name to a duplicate. Batches without a producer must not be given.
 * KOP_ERR_LIMIT: too many in flight, or none of too many producers is idle; append it after a completion.
 * KOP_ERR_NOMEM. Both change nothing.
 */
kop_status kopi_producers_begin(kopi_producers *p, const kopi_producer_batch *b, void *owner,
                                uint64_t *ticket);

/* The append got its offset. In any order; a ticket that was forgotten is ignored. Never allocates. */
void kopi_producers_committed(kopi_producers *p, uint64_t ticket, int64_t base_offset);

/* Drops what is in flight, keeping what was committed. Old tickets are never given again. */
void kopi_producers_forget_in_flight(kopi_producers *p);

/*
 * Takes over a batch that stands in the log, without checks. A batch that is known already (its offset is not above
 * the producer's last) changes nothing, so a replay may begin anywhere before the first unknown one.
 * KOP_ERR_NOMEM and KOP_ERR_LIMIT (no idle producer can make room): it is not remembered.
 */
kop_status kopi_producers_replay(kopi_producers *p, const kopi_producer_batch *b,
                                 int64_t base_offset);

/* Takes over a producer from a snapshot. KOP_ERR_MALFORMED if it is not well-formed or known already; otherwise as replay. */
kop_status kopi_producers_restore(kopi_producers *p, const kopi_producer_state *s);

/*
 * Tells the wall clock's time. A producer whose last batch is learned from here on (appended, replayed or restored) is kept for its
 * expiration from this time on, however old the timestamps of its records are: who copies an old topic is no idle producer.
 */
void kopi_producers_tell_time(kopi_producers *p, int64_t now_ms);

/* Forgets idle producers whose last timestamp, and the time it was learned, is at least `expiration_ms` before `now_ms`, oldest first and at most `max` of them; returns how many. If it returns `max` there may be more. */
size_t kopi_producers_expire(kopi_producers *p, int64_t now_ms, int64_t expiration_ms, size_t max);

/* The last timestamp of the producer that expires first; INT64_MAX if none is idle. */
int64_t kopi_producers_oldest_timestamp(const kopi_producers *p);

/* Number of producers, those with batches in flight only included. */
size_t kopi_producers_len(const kopi_producers *p);

enum { KOPI_PRODUCERS_BY_ID = 0, KOPI_PRODUCERS_BY_OFFSET = 1 };

/*
 * What is durable, in ascending order of producer id or of the last batch's offset. `*out` is an array of `*n` that the caller
 * frees with kopi_free(p->alloc, ...), NULL if n is 0; what it points at is valid until the next change. KOP_ERR_NOMEM.
 */
kop_status kopi_producers_sorted(const kopi_producers *p, int order,
                                 const kopi_producer_state ***out, size_t *n);

/* The sequence number `n` records after `seq`: 0 follows 2^31-1. */
static inline int32_t kopi_sequence_add(int32_t seq, uint32_t n) {
  return (int32_t)(((uint32_t)seq + n) & 0x7FFFFFFFu);
}

/* Number of records from one sequence number to another, both included. */
static inline uint32_t kopi_sequence_count(int32_t first, int32_t last) {
  return (((uint32_t)last - (uint32_t)first) & 0x7FFFFFFFu) + 1;
}

#endif
