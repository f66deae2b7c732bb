/*
 * InitProducerId: a producer id for an idempotent producer. Ids come from the store in blocks that nobody else gets;
 * requests that find the block used up wait for the next one in order.
 *
 *   next           end
 *    |  in hand    |  ALLOCATE_PRODUCER_IDS -> the next block
 *
 * As in Kafka, an idempotent producer gets a new id each time, also if it names one that it had; it must name both id and epoch
 * or neither. A transactional id is refused: UNSUPPORTED_VERSION is what clients take as final and show with its words, while
 * the coordinator errors would make them ask for ever, and the authorisation errors would send their users to look for an ACL.
 */
#include "engine/answer.h"
#include "engine/api.h"

enum { BLOCK = 1000 };

static void answer(kop_engine *e, kopi_request *r, int16_t error, int64_t producer_id,
                   kop_now now) {
  kop_init_producer_id_response p;
  (void)kop_message_init(KOP_MSG_INIT_PRODUCER_ID_RESPONSE, &p, sizeof p);
  p.error_code = error;
  p.producer_id = producer_id;
  p.producer_epoch = error == 0 ? 0 : -1;
  kopi_reply(e, r, KOP_MSG_INIT_PRODUCER_ID_RESPONSE, &p, sizeof p, now);
}

static kopi_request *take_waiter(kop_engine *e) {
  kopi_request *r = e->producer_id_waiters;
  if (r != NULL) {
    e->producer_id_waiters = r->wait_next;
    r->wait_next = NULL;
  }
  return r;
}

static void add_waiter(kop_engine *e, kopi_request *r) {
  kopi_request **end = &e->producer_id_waiters;
  while (*end != NULL)
    end = &(*end)->wait_next;
  r->wait_next = NULL;
  *end = r;
}

static void fail_waiters(kop_engine *e, int16_t error, kop_now now) {
  for (kopi_request *r; (r = take_waiter(e)) != NULL;)
    answer(e, r, error, -1, now);
}

static void serve(kop_engine *e, kop_now now);

static void on_block(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  (void)op;
  e->producer_ids_asked = false;
  const kop_producer_ids *ids = c->body;
  bool got = c->outcome == KOP_DONE && ids->first >= 0 && ids->count > 0 &&
             ids->first <= INT64_MAX - (int64_t)ids->count;
  if (got) {
    e->producer_id_next = ids->first;
    e->producer_id_end = ids->first + (int64_t)ids->count;
    serve(e, now);
  } else {
    /* Retriable, and what Kafka says while it has no block. */
    int16_t error = c->outcome == KOP_REJECTED ? c->kafka_error
                                               : (int16_t)KOP_KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
    fail_waiters(e, error, now);
  }
}

/* Gives out what is in hand; asks for more if somebody still waits. */
static void serve(kop_engine *e, kop_now now) {
  while (e->producer_id_waiters != NULL && e->producer_id_next < e->producer_id_end)
    answer(e, take_waiter(e), 0, e->producer_id_next++, now);
  if (e->producer_id_waiters == NULL || e->producer_ids_asked) return;
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_ALLOCATE_PRODUCER_IDS, 0, on_block, NULL);
  if (op == NULL) {
    fail_waiters(e, KOP_KAFKA_COORDINATOR_LOAD_IN_PROGRESS, now);
    return;
  }
  op->body.ids.count = BLOCK;
  e->producer_ids_asked = true;
  kopi_op_emit(&e->ops, op);
}

void kopi_api_init_producer_id(kop_engine *e, kopi_request *r, kop_now now) {
  kop_init_producer_id_request q;
  if (!kopi_request_decode(e, r, KOP_MSG_INIT_PRODUCER_ID_REQUEST, &q, sizeof q, now)) return;
  if (q.transactional_id.ptr != NULL) {
    bool empty = q.transactional_id.len == 0;
    answer(e, r, empty ? KOP_KAFKA_INVALID_REQUEST : KOP_KAFKA_UNSUPPORTED_VERSION, -1, now);
  } else if ((q.producer_id == -1) != (q.producer_epoch == -1)) {
    answer(e, r, KOP_KAFKA_INVALID_REQUEST, -1, now);
  } else {
    add_waiter(e, r);
    serve(e, now);
  }
}
