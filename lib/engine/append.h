/*
 * The ordered queue of a partition: batches that want to be in the log. docs/engine-states.md has an append's life.
 *
 * Whoever appends allocates the kopi_append from its request, fills the first part, and hands it over; `done` is called
 * once, at once or later. The request is pinned while an effect uses the batch's bytes.
 */
#ifndef KOPI_ENGINE_APPEND_H
#define KOPI_ENGINE_APPEND_H

#include "engine/partition.h"
#include "engine/request.h"
#include "engine/topic.h"

enum kopi_append_state {
  KOPI_APPEND_PARKED,    /* in p->parked */
  KOPI_APPEND_IN_FLIGHT, /* in p->in_flight */
  KOPI_APPEND_JOINED,    /* waits for the answer of `original` */
  KOPI_APPEND_OUT        /* in no list */
};

struct kopi_append {
  /* filled by the caller */
  kopi_request *request;
  void (*done)(kop_engine *e, kopi_append *a, int16_t error, int64_t base_offset,
               int64_t append_time, kop_now now);
  uint8_t *batch; /* one v2 batch, base offset 0; its leader epoch is written here */
  size_t batch_len;
  uint8_t *owned; /* if not NULL: freed with kop_record_bytes_free when the append ends */
  uint32_t count; /* last offset delta + 1 */
  int64_t max_timestamp;
  int64_t append_time; /* answered with LogAppendTime topics, else -1 */
  kopi_producer_batch producer;

  /* the queue's own */
  kopi_partition *p;
  kopi_append *prev;
  kopi_append *next;
  kopi_append *original;
  kopi_append *joined; /* duplicates that wait for this one, in order */
  kopi_append *joined_next;
  kopi_op *op;       /* the APPEND whose answer counts */
  uint32_t ops_open; /* APPENDs not answered yet, those of ended epochs included */
  kop_slice slice;
  uint64_t ticket;
  uint8_t state;
  bool answered;
  bool asks; /* parked: its answer would be from memory, and the lease is over */
};

/* Hands an append over. */
void kopi_append_submit(kop_engine *e, kopi_partition *p, kopi_append *a, kop_now now);

/* Its request will wait no longer: it is answered with NOT_LEADER_OR_FOLLOWER if it is parked, else with REQUEST_TIMED_OUT. */
void kopi_append_time_out(kop_engine *e, kopi_append *a, kop_now now);

/* The partition has become ACTIVE, or an answer came: emits what is parked and can go. */
void kopi_append_pump(kop_engine *e, kopi_partition *p, kop_now now);

/* CONFIRM has been answered: what waits for it gets its answer, or NOT_LEADER_OR_FOLLOWER, and the queue goes on. */
void kopi_append_confirmed(kop_engine *e, kopi_partition *p, bool confirmed, kop_now now);

/* Answers all that are parked. */
void kopi_append_fail_parked(kop_engine *e, kopi_partition *p, int16_t error, kop_now now);

/* Answers all that are in flight; their bytes stay until their tokens are answered. */
void kopi_append_fail_in_flight(kop_engine *e, kopi_partition *p, int16_t error, kop_now now);

/*
 * Puts what is in flight in front of the parked ones. From `refused` on it is known that nothing was appended; before it, or with NULL
 * of all, nothing is known, and those without a producer id are answered NOT_LEADER_OR_FOLLOWER instead.
 */
void kopi_append_put_back(kop_engine *e, kopi_partition *p, const kopi_append *refused,
                          kop_now now);

#endif
