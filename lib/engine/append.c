/* The ordered queue of a partition: batches that want to be in the log. */
#include "engine/append.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/endian.h"

static void push_back(kopi_append_queue *q, kopi_append *a) {
  a->next = NULL;
  a->prev = q->tail;
  if (q->tail == NULL) {
    q->head = a;
  } else {
    q->tail->next = a;
  }
  q->tail = a;
}

/* Moves all of `more` behind `q`. */
static void append_all(kopi_append_queue *q, kopi_append_queue more) {
  if (more.head == NULL) return;
  more.head->prev = q->tail;
  *(q->tail == NULL ? &q->head : &q->tail->next) = more.head;
  q->tail = more.tail;
}

static void unlink_from(kopi_append_queue *q, kopi_append *a) {
  if (a->prev == NULL) {
    q->head = a->next;
  } else {
    a->prev->next = a->next;
  }
  if (a->next == NULL) {
    q->tail = a->prev;
  } else {
    a->next->prev = a->prev;
  }
  a->prev = NULL;
  a->next = NULL;
}

static void leave(kopi_append *a) {
  if (a->state == KOPI_APPEND_PARKED) unlink_from(&a->p->parked, a);
  if (a->state == KOPI_APPEND_IN_FLIGHT) unlink_from(&a->p->in_flight, a);
  if (a->state == KOPI_APPEND_JOINED) {
    kopi_append **link = &a->original->joined;
    while (*link != a)
      link = &(*link)->joined_next;
    *link = a->joined_next;
    a->original = NULL;
  }
  a->state = KOPI_APPEND_OUT;
}

/* A parked append ends and its duplicates live on: the first of them takes its place, the others wait for that one. */
static void bequeath(kopi_append *a) {
  kopi_append *heir = a->joined;
  if (heir == NULL || a->state != KOPI_APPEND_PARKED) return;
  kopi_append_queue *q = &a->p->parked;
  heir->state = KOPI_APPEND_PARKED;
  heir->original = NULL;
  heir->joined = heir->joined_next;
  heir->joined_next = NULL;
  for (kopi_append *other = heir->joined; other != NULL; other = other->joined_next)
    other->original = heir;
  heir->prev = a->prev;
  heir->next = a->next;
  *(a->prev == NULL ? &q->head : &a->prev->next) = heir;
  *(a->next == NULL ? &q->tail : &a->next->prev) = heir;
  a->joined = NULL;
  a->prev = NULL;
  a->next = NULL;
  a->state = KOPI_APPEND_OUT;
}

static void end_memory(kop_engine *e, kopi_append *a) {
  if (a->ops_open > 0 || a->owned == NULL) return;
  kop_record_bytes_free(e->records, a->owned);
  a->owned = NULL;
}

/* The answer, to the request of this append alone. */
static void answer_one(kop_engine *e, kopi_append *a, int16_t error, int64_t base_offset,
                       int64_t append_time, kop_now now) {
  if (a->answered) return;
  a->answered = true;
  kopi_request *r = a->request;
  kopi_request_pin(r); /* `done` may end the request */
  a->done(e, a, error, base_offset, append_time, now);
  end_memory(e, a);
  kopi_request_unpin(e, r, now);
}

/* The answer, also to the duplicates that wait for it. The append is in no list after it. */
static void answer(kop_engine *e, kopi_append *a, int16_t error, int64_t base_offset,
                   int64_t append_time, kop_now now) {
  leave(a);
  kopi_request *r = a->request;
  kopi_request_pin(r);
  answer_one(e, a, error, base_offset, append_time, now);
  while (a->joined != NULL) {
    kopi_append *duplicate = a->joined;
    leave(duplicate);
    answer_one(e, duplicate, error, base_offset, append_time, now);
  }
  end_memory(e, a);
  kopi_request_unpin(e, r, now);
}

/*
 * A parked batch fails: those of its producer behind it fail with it. They could not follow it any more, and of a producer
 * that is not known the next one would be taken for the first, which could never be put right.
 */
static void fail_followers(kop_engine *e, const kopi_append *a, kop_now now) {
  if (a->producer.producer_id < 0) return;
  kopi_append *next;
  for (kopi_append *f = a->next; f != NULL; f = next) {
    next = f->next;
    if (f->producer.producer_id == a->producer.producer_id)
      answer(e, f, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, -1, -1, now);
  }
}

static void join(kopi_append *original, kopi_append *a) {
  kopi_append **link = &original->joined;
  while (*link != NULL)
    link = &(*link)->joined_next;
  *link = a;
  a->joined_next = NULL;
  a->original = original;
  a->state = KOPI_APPEND_JOINED;
}

static void on_appended(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now);

/*
 * The checksum of the whole batch: of its first bytes, which are not in the batch's own checksum, joined with that one.
 *
 *   0  base offset, length, leader epoch, magic   17  checksum   21  what it covers
 */
static uint32_t checksum_of(const uint8_t *batch, size_t len) {
  enum { FIELD = 17, COVERED = 21 };
  return kopi_crc32c_join(kopi_crc32c(0, batch, COVERED), kopi_load_be32(batch + FIELD),
                          (uint32_t)(len - COVERED));
}

static void emit(kop_engine *e, kopi_append *a, kopi_op *op) {
  kopi_partition *p = a->p;
  kop_batch_set_position(a->batch, 0, p->leader_epoch);
  a->slice = (kop_slice){.ptr = a->batch, .len = a->batch_len};
  op->body.append.epoch = p->leader_epoch;
  op->body.append.slices = &a->slice;
  op->body.append.slices_count = 1;
  op->body.append.count = a->count;
  op->body.append.max_timestamp = a->max_timestamp;
  op->body.append.bytes = a->batch_len;
  op->body.append.crc32c = checksum_of(a->batch, a->batch_len);
  a->op = op;
  a->ops_open++;
  a->state = KOPI_APPEND_IN_FLIGHT;
  push_back(&p->in_flight, a);
  kopi_partition_hold(p);
  kopi_request_pin(a->request);
  kopi_op_emit(&e->ops, op);
}

/* Whether an answer from memory may be given. False: it waits for CONFIRM, or there can be none and it has been answered. */
static bool may_answer(kop_engine *e, kopi_append *a, kop_now now) {
  kopi_partition *p = a->p;
  if (kopi_partition_in_lease(p, now)) return true;
  a->asks = kopi_partition_confirm(e, p);
  if (!a->asks) answer(e, a, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, -1, -1, now);
  return false;
}

/* Checks the sequence and emits, answers or joins. False: it has to wait for an answer to an earlier one, or to CONFIRM. */
static bool admit(kop_engine *e, kopi_append *a, kop_now now) {
  kopi_partition *p = a->p;
  kopi_producers_verdict v = {.kind = KOPI_PRODUCERS_NEW};
  bool idempotent = a->producer.producer_id >= 0;
  if (idempotent) kopi_producers_check(&p->producers, &a->producer, &v);
  a->asks = false;
  bool from_memory = v.kind == KOPI_PRODUCERS_DUPLICATE || v.kind == KOPI_PRODUCERS_REFUSED;
  if (from_memory && !may_answer(e, a, now)) return !a->asks;
  if (v.kind == KOPI_PRODUCERS_DUPLICATE) {
    answer(e, a, 0, v.base_offset, v.timestamp, now);
    return true;
  }
  if (v.kind == KOPI_PRODUCERS_IN_FLIGHT) {
    join(v.owner, a);
    return true;
  }
  if (v.kind == KOPI_PRODUCERS_REFUSED) {
    answer(e, a, v.kafka_error, -1, -1, now);
    return true;
  }
  /* first what may fail: a place in the producer's window cannot be given back */
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_APPEND, p->id, on_appended, a);
  kop_status status = op == NULL ? KOP_ERR_NOMEM : KOP_OK;
  if (status == KOP_OK && idempotent)
    status = kopi_producers_begin(&p->producers, &a->producer, a, &a->ticket);
  if (status == KOP_OK) {
    emit(e, a, op);
    return true;
  }
  kopi_op_discard(&e->ops, op);
  if (status == KOP_ERR_LIMIT && p->in_flight.head != NULL) return false;
  answer(e, a, KOP_KAFKA_KAFKA_STORAGE_ERROR, -1, -1, now);
  return true;
}

void kopi_append_pump(kop_engine *e, kopi_partition *p, kop_now now) {
  while (p->state == KOPI_PARTITION_ACTIVE && p->parked.head != NULL) {
    kopi_append *a = p->parked.head;
    if (a->ops_open > 0) return; /* an older APPEND may still be reading the bytes */
    unlink_from(&p->parked, a);
    a->state = KOPI_APPEND_OUT;
    if (!admit(e, a, now)) {
      a->state = KOPI_APPEND_PARKED;
      a->next = p->parked.head;
      if (a->next != NULL) a->next->prev = a;
      if (p->parked.tail == NULL) p->parked.tail = a;
      p->parked.head = a;
      return;
    }
  }
}

void kopi_append_confirmed(kop_engine *e, kopi_partition *p, bool confirmed, kop_now now) {
  kopi_append *a = p->parked.head;
  bool in_vain = !confirmed && p->state == KOPI_PARTITION_ACTIVE; /* else it stays for the reload */
  if (in_vain && a != NULL && a->asks) answer(e, a, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, -1, -1, now);
  kopi_append_pump(e, p, now);
}

void kopi_append_submit(kop_engine *e, kopi_partition *p, kopi_append *a, kop_now now) {
  a->p = p;
  a->state = KOPI_APPEND_PARKED;
  push_back(&p->parked, a);
  kopi_append_pump(e, p, now);
}

void kopi_append_time_out(kop_engine *e, kopi_append *a, kop_now now) {
  if (a->answered) return;
  bool parked = a->state == KOPI_APPEND_PARKED;
  if (parked && a->joined == NULL) fail_followers(e, a, now);
  bequeath(a);
  if (a->state != KOPI_APPEND_IN_FLIGHT) leave(a);
  answer_one(e, a, parked ? KOP_KAFKA_NOT_LEADER_OR_FOLLOWER : KOP_KAFKA_REQUEST_TIMED_OUT, -1, -1,
             now);
}

void kopi_append_fail_parked(kop_engine *e, kopi_partition *p, int16_t error, kop_now now) {
  while (p->parked.head != NULL)
    answer(e, p->parked.head, error, -1, -1, now);
}

void kopi_append_fail_in_flight(kop_engine *e, kopi_partition *p, int16_t error, kop_now now) {
  while (p->in_flight.head != NULL) {
    p->in_flight.head->op = NULL;
    answer(e, p->in_flight.head, error, -1, -1, now);
  }
  kopi_producers_forget_in_flight(&p->producers);
}

void kopi_append_put_back(kop_engine *e, kopi_partition *p, const kopi_append *refused,
                          kop_now now) {
  kopi_producers_forget_in_flight(&p->producers);
  kopi_append_queue back = p->parked;
  p->parked = (kopi_append_queue){.head = NULL};
  bool unknown = true;
  while (p->in_flight.head != NULL) {
    kopi_append *a = p->in_flight.head;
    a->op = NULL;
    if (a == refused)
      unknown = false; /* the store keeps their order: nor was what follows it done */
    if (unknown && a->producer.producer_id < 0) {
      answer(e, a, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, -1, -1, now);
      continue;
    }
    unlink_from(&p->in_flight, a);
    a->state = KOPI_APPEND_PARKED;
    push_back(&p->parked, a);
  }
  append_all(&p->parked, back);
  kopi_append *next;
  for (kopi_append *a = p->parked.head; a != NULL; a = next) {
    if (a->answered && a->joined == NULL) fail_followers(e, a, now);
    next = a->next;
    if (!a->answered) continue;
    bequeath(a); /* its request has gone, and the memory goes with it */
    leave(a);
  }
}

static void appended(kop_engine *e, kopi_append *a, const kop_completion *c, kop_now now) {
  kopi_partition *p = a->p;
  const kop_appended *result = c->body;
  int64_t base = result->base_offset;
  if (p->in_flight.head == a) p->settled = base + a->count;
  if (a->producer.producer_id >= 0) kopi_producers_committed(&p->producers, a->ticket, base);
  p->unsaved_bytes += a->batch_len;
  e->stats.batches_in_total++;
  e->stats.records_in_total += a->count;
  e->stats.append_bytes_total += a->batch_len;
  answer(e, a, 0, base, a->append_time, now);
  kopi_partition_advance(e, p, base + a->count, a->batch_len, now);
}

/* The answer to the APPEND that counts; the append is in flight. */
static void judge(kop_engine *e, kopi_append *a, const kop_completion *c, kop_now now) {
  kopi_partition *p = a->p;
  if (c->outcome == KOP_DONE) {
    appended(e, a, c, now);
    return;
  }
  if (p->topic == NULL) {
    answer(e, a, KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION, -1, -1, now);
    return;
  }
  switch (c->outcome) {
  case KOP_REJECTED:
  case KOP_UNSUPPORTED: {
    int16_t error = c->outcome == KOP_REJECTED ? c->kafka_error : KOP_KAFKA_UNSUPPORTED_VERSION;
    kopi_log(e, KOP_LOG_ERROR, "%.*s-%d: the store refused an append: %s", (int)p->topic->name.len,
             (const char *)p->topic->name.ptr, p->index, kop_kafka_error_name(error));
    kopi_append_fail_in_flight(e, p, error, now);
    kopi_partition_reload(e, p, true, now);
    break;
  }
  case KOP_FENCED:
    kopi_append_put_back(e, p, a, now);
    kopi_partition_reload(e, p, false, now);
    break;
  default: /* UNKNOWN, or given up on: it may be in the log */
    kopi_partition_reload(e, p, false, now);
    break;
  }
}

static void on_appended(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  kopi_append *a = op->owner;
  kopi_partition *p = a->p;
  kopi_request *r = a->request;
  bool counts = a->op == op;
  a->ops_open--;
  if (counts) {
    a->op = NULL;
    judge(e, a, c, now);
  } else if (a->answered) {
    end_memory(e, a);
  }
  kopi_request_unpin(e, r, now);
  kopi_append_pump(e, p, now);
  kopi_partition_settle(e, p, now);
  kopi_partition_unhold(e, p);
}
