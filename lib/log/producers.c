/* Idempotent producers: checks, the window in flight, the durable window. See producers.h for the rules. */
#include "log/producers.h"

#include <string.h>

#include <kop/kafka_error.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/container.h"
#include "base/sort.h"

enum { NO_EPOCH = -1, FIRST_RING = 8 };

#define NO_TICKET UINT64_MAX

typedef struct producer {
  kopi_timer by_offset; /* both are armed while nothing is in flight */
  kopi_timer by_timestamp;
  uint64_t newest; /* ticket of its newest batch in flight, or NO_TICKET */
  uint32_t in_flight;
  kopi_producer_state durable; /* count 0: nothing durable yet, then something is in flight */
} producer;

typedef struct kopi_producers_append {
  kopi_producer_batch batch;
  producer *by;
  void *owner;
  uint64_t
      previous; /* ticket of the same producer's batch before this one; below head: it is durable */
  int64_t base_offset; /* -1 until committed */
} append;

static append *at(const kopi_producers *p, uint64_t ticket) {
  return &p->ring[ticket & (p->ring_cap - 1)];
}

static producer *find(const kopi_producers *p, int64_t producer_id) {
  return kopi_map_u64_find(&p->by_id, (uint64_t)producer_id);
}

/* Signed order as unsigned: timestamps may be negative. */
static uint64_t ordered(int64_t v) {
  return (uint64_t)v ^ (UINT64_C(1) << 63);
}

static const kopi_producer_entry *last_of(const kopi_producer_state *s) {
  return &s->batches[s->count - 1];
}

void kopi_producers_init(kopi_producers *p, const kop_alloc *alloc, uint64_t seed,
                         uint32_t max_producers, uint32_t max_in_flight) {
  KOPI_ASSERT(max_producers > 0 && max_in_flight > 0 && max_in_flight <= UINT32_C(1) << 30);
  *p = (kopi_producers){.alloc = alloc,
                        .max_producers = max_producers,
                        .max_in_flight = max_in_flight,
                        .now_ms = INT64_MIN};
  kopi_map_u64_init(&p->by_id, alloc, seed);
}

void kopi_producers_free(kopi_producers *p) {
  size_t cursor = 0;
  for (producer *e; (e = kopi_map_u64_next(&p->by_id, &cursor)) != NULL;)
    kopi_free(p->alloc, e);
  kopi_map_u64_free(&p->by_id);
  kopi_free(p->alloc, p->ring);
  uint64_t tail = p->tail;
  int64_t now_ms = p->now_ms;
  kopi_producers_init(p, p->alloc, p->by_id.seed, p->max_producers, p->max_in_flight);
  p->now_ms = now_ms;
  p->head = p->tail = tail; /* a late kopi_producers_committed must not hit a new append */
}

/* The check. */

static int duplicates(const kopi_producer_batch *b, int32_t first_seq, int32_t last_seq) {
  return b->first_seq == first_seq && b->last_seq == last_seq;
}

/* Looks for the batch among the producer's newest five of its epoch, from the newest back. */
static int find_duplicate(const kopi_producers *p, const producer *e, const kopi_producer_batch *b,
                          kopi_producers_verdict *out) {
  size_t left = KOPI_PRODUCER_WINDOW;
  uint64_t t = e->newest;
  for (uint32_t n = e->in_flight; n > 0 && left > 0; n--, left--) {
    const append *a = at(p, t);
    if (a->batch.epoch != b->epoch) return 0;
    if (duplicates(b, a->batch.first_seq, a->batch.last_seq)) {
      int known = a->base_offset >= 0;
      out->kind = known ? KOPI_PRODUCERS_DUPLICATE : KOPI_PRODUCERS_IN_FLIGHT;
      out->base_offset = a->base_offset;
      out->timestamp = a->batch.timestamp;
      out->owner = a->owner;
      return 1;
    }
    t = a->previous;
  }
  if (e->durable.epoch != b->epoch) return 0;
  for (size_t i = e->durable.count; i-- > 0 && left > 0; left--) {
    const kopi_producer_entry *d = &e->durable.batches[i];
    if (!duplicates(b, d->first_seq, d->last_seq)) continue;
    out->kind = KOPI_PRODUCERS_DUPLICATE;
    out->base_offset = d->base_offset;
    out->timestamp = d->timestamp;
    return 1;
  }
  return 0;
}

static int16_t order_error(int16_t epoch, int32_t last_seq, const kopi_producer_batch *b) {
  if (b->epoch < epoch) return KOP_KAFKA_INVALID_PRODUCER_EPOCH;
  if (epoch == NO_EPOCH) return 0;
  int32_t next = b->epoch > epoch ? 0 : kopi_sequence_add(last_seq, 1);
  return b->first_seq == next ? 0 : KOP_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

void kopi_producers_check(const kopi_producers *p, const kopi_producer_batch *b,
                          kopi_producers_verdict *out) {
  *out = (kopi_producers_verdict){.kind = KOPI_PRODUCERS_NEW, .base_offset = -1, .timestamp = -1};
  if (b->producer_id < 0) return;
  int16_t epoch = NO_EPOCH;
  int32_t last_seq = -1;
  const producer *e = find(p, b->producer_id);
  if (e != NULL) {
    if (e->in_flight > 0) {
      epoch = at(p, e->newest)->batch.epoch;
      last_seq = at(p, e->newest)->batch.last_seq;
    } else {
      epoch = e->durable.epoch;
      last_seq = last_of(&e->durable)->last_seq;
    }
    if (epoch == b->epoch && find_duplicate(p, e, b, out)) return;
  }
  out->kafka_error = order_error(epoch, last_seq, b);
  if (out->kafka_error != 0) out->kind = KOPI_PRODUCERS_REFUSED;
}

/* Entries. */

static void set_idle(kopi_producers *p, producer *e) {
  const kopi_producer_entry *last = last_of(&e->durable);
  kopi_heap_set(&p->by_offset, &e->by_offset, ordered(last->base_offset));
  int64_t since = last->timestamp > p->now_ms ? last->timestamp : p->now_ms;
  kopi_heap_set(&p->by_timestamp, &e->by_timestamp, ordered(since));
}

static void set_busy(kopi_producers *p, producer *e) {
  kopi_heap_cancel(&p->by_offset, &e->by_offset);
  kopi_heap_cancel(&p->by_timestamp, &e->by_timestamp);
}

/* Takes an idle or empty producer out of the table; the caller owns the memory. */
static void take_out(kopi_producers *p, producer *e) {
  set_busy(p, e);
  kopi_map_u64_remove(&p->by_id, (uint64_t)e->durable.producer_id);
}

/* A producer with nothing durable and nothing in flight; at the bound the one whose last batch is oldest makes room. */
static kop_status add(kopi_producers *p, int64_t producer_id, producer **out) {
  producer *e;
  if (kopi_map_u64_len(&p->by_id) < p->max_producers) {
    kop_status status = kopi_map_u64_reserve(&p->by_id, kopi_map_u64_len(&p->by_id) + 1);
    if (status != KOP_OK) return status;
    e = kopi_malloc(p->alloc, sizeof *e);
    if (e == NULL) return KOP_ERR_NOMEM;
  } else {
    kopi_timer *oldest = kopi_heap_first(&p->by_offset);
    if (oldest == NULL) return KOP_ERR_LIMIT;
    e = KOPI_CONTAINER_OF(oldest, producer, by_offset);
    take_out(p, e);
  }
  *e = (producer){.newest = NO_TICKET, .durable = {.producer_id = producer_id, .epoch = NO_EPOCH}};
  kop_status status = kopi_map_u64_insert(&p->by_id, (uint64_t)producer_id, e);
  KOPI_ASSERT(status == KOP_OK); /* there is room, and the caller has looked */
  *out = e;
  return KOP_OK;
}

/* Appends to the durable window: a new epoch clears it, a sixth batch pushes out the first. What is there already stays. */
static void add_durable(producer *e, const kopi_producer_batch *b, int64_t base_offset) {
  kopi_producer_state *s = &e->durable;
  if (s->count > 0 && base_offset <= last_of(s)->base_offset) return;
  if (s->epoch != b->epoch) s->count = 0;
  s->epoch = b->epoch;
  if (s->count == KOPI_PRODUCER_WINDOW) {
    s->count--;
    memmove(s->batches, s->batches + 1, s->count * sizeof s->batches[0]);
  }
  s->batches[s->count++] = (kopi_producer_entry){.base_offset = base_offset,
                                                 .timestamp = b->timestamp,
                                                 .first_seq = b->first_seq,
                                                 .last_seq = b->last_seq};
}

/* In flight. */

static kop_status reserve_ticket(kopi_producers *p) {
  uint64_t used = p->tail - p->head;
  if (used >= p->max_in_flight) return KOP_ERR_LIMIT;
  if (used < p->ring_cap) return KOP_OK;
  uint32_t cap = p->ring_cap == 0 ? FIRST_RING : p->ring_cap * 2;
  append *ring = kopi_calloc(p->alloc, cap, sizeof *ring);
  if (ring == NULL) return KOP_ERR_NOMEM;
  for (uint64_t t = p->head; t < p->tail; t++)
    ring[t & (cap - 1)] = *at(p, t);
  kopi_free(p->alloc, p->ring);
  p->ring = ring;
  p->ring_cap = cap;
  return KOP_OK;
}

kop_status kopi_producers_begin(kopi_producers *p, const kopi_producer_batch *b, void *owner,
                                uint64_t *ticket) {
  KOPI_ASSERT(b->producer_id >= 0);
  kop_status status = reserve_ticket(p);
  if (status != KOP_OK) return status;
  producer *e = find(p, b->producer_id);
  if (e == NULL) {
    status = add(p, b->producer_id, &e);
    if (status != KOP_OK) return status;
  }
  set_busy(p, e);
  *ticket = p->tail++;
  *at(p, *ticket) =
      (append){.batch = *b, .by = e, .owner = owner, .previous = e->newest, .base_offset = -1};
  e->newest = *ticket;
  e->in_flight++;
  return KOP_OK;
}

/* Takes the oldest batch out of flight, into the durable window if it was committed. */
static void finish_head(kopi_producers *p) {
  const append *a = at(p, p->head++);
  producer *e = a->by;
  if (a->base_offset >= 0) add_durable(e, &a->batch, a->base_offset);
  if (--e->in_flight > 0) return;
  e->newest = NO_TICKET;
  if (e->durable.count > 0) {
    set_idle(p, e);
  } else {
    take_out(p, e);
    kopi_free(p->alloc, e);
  }
}

void kopi_producers_committed(kopi_producers *p, uint64_t ticket, int64_t base_offset) {
  if (ticket < p->head || ticket >= p->tail) return;
  KOPI_ASSERT(base_offset >= 0);
  at(p, ticket)->base_offset = base_offset;
  while (p->head < p->tail && at(p, p->head)->base_offset >= 0)
    finish_head(p);
}

void kopi_producers_forget_in_flight(kopi_producers *p) {
  while (p->head < p->tail)
    finish_head(p);
}

/* From the log and from snapshots. */

kop_status kopi_producers_replay(kopi_producers *p, const kopi_producer_batch *b,
                                 int64_t base_offset) {
  if (b->producer_id < 0) return KOP_OK;
  producer *e = find(p, b->producer_id);
  if (e == NULL) {
    kop_status status = add(p, b->producer_id, &e);
    if (status != KOP_OK) return status;
  }
  add_durable(e, b, base_offset);
  if (e->in_flight == 0) set_idle(p, e);
  return KOP_OK;
}

static int well_formed(const kopi_producer_state *s) {
  if (s->producer_id < 0 || s->epoch < NO_EPOCH) return 0;
  if (s->count == 0 || s->count > KOPI_PRODUCER_WINDOW) return 0;
  int64_t next_offset = 0;
  for (size_t i = 0; i < s->count; i++) {
    const kopi_producer_entry *d = &s->batches[i];
    if (d->first_seq < 0 || d->last_seq < 0 || d->base_offset < next_offset) return 0;
    int64_t records = kopi_sequence_count(d->first_seq, d->last_seq);
    if (d->base_offset > INT64_MAX - records) return 0;
    next_offset = d->base_offset + records;
  }
  return 1;
}

kop_status kopi_producers_restore(kopi_producers *p, const kopi_producer_state *s) {
  if (!well_formed(s) || find(p, s->producer_id) != NULL) return KOP_ERR_MALFORMED;
  producer *e;
  kop_status status = add(p, s->producer_id, &e);
  if (status != KOP_OK) return status;
  e->durable = *s;
  set_idle(p, e);
  return KOP_OK;
}

void kopi_producers_tell_time(kopi_producers *p, int64_t now_ms) {
  if (now_ms > p->now_ms) p->now_ms = now_ms;
}

size_t kopi_producers_expire(kopi_producers *p, int64_t now_ms, int64_t expiration_ms, size_t max) {
  /* now - expiration may lie below what an int64 holds: then nothing is that old. */
  if (expiration_ms > 0 && now_ms < INT64_MIN + expiration_ms) return 0;
  uint64_t newest_expired = ordered(now_ms - (expiration_ms > 0 ? expiration_ms : 0));
  size_t n = 0;
  for (; n < max; n++) {
    kopi_timer *t = kopi_heap_pop_due(&p->by_timestamp, newest_expired);
    if (t == NULL) break;
    producer *e = KOPI_CONTAINER_OF(t, producer, by_timestamp);
    take_out(p, e);
    kopi_free(p->alloc, e);
  }
  return n;
}

int64_t kopi_producers_oldest_timestamp(const kopi_producers *p) {
  const kopi_timer *t = kopi_heap_first(&p->by_timestamp);
  if (t == NULL) return INT64_MAX;
  return last_of(&KOPI_CONTAINER_OF(t, const producer, by_timestamp)->durable)->timestamp;
}

size_t kopi_producers_len(const kopi_producers *p) {
  return kopi_map_u64_len(&p->by_id);
}

static int by_id(const void *a, const void *b) {
  const kopi_producer_state *x = *(const kopi_producer_state *const *)a;
  const kopi_producer_state *y = *(const kopi_producer_state *const *)b;
  return (x->producer_id > y->producer_id) - (x->producer_id < y->producer_id);
}

static int by_last_offset(const void *a, const void *b) {
  int64_t x = last_of(*(const kopi_producer_state *const *)a)->base_offset;
  int64_t y = last_of(*(const kopi_producer_state *const *)b)->base_offset;
  return x == y ? by_id(a, b) : (x > y) - (x < y);
}

kop_status kopi_producers_sorted(const kopi_producers *p, int order,
                                 const kopi_producer_state ***out, size_t *n) {
  *out = NULL;
  *n = 0;
  if (kopi_map_u64_len(&p->by_id) == 0) return KOP_OK;
  const kopi_producer_state **all = kopi_calloc(p->alloc, kopi_map_u64_len(&p->by_id), sizeof *all);
  if (all == NULL) return KOP_ERR_NOMEM;
  size_t cursor = 0;
  for (const producer *e; (e = kopi_map_u64_next(&p->by_id, &cursor)) != NULL;) {
    if (e->durable.count > 0) all[(*n)++] = &e->durable;
  }
  kopi_sort(all, *n, sizeof *all, order == KOPI_PRODUCERS_BY_ID ? by_id : by_last_offset);
  *out = all;
  return KOP_OK;
}
