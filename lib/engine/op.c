/* Effects on their way: the record behind each token. */
#include "engine/op.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

static const uint32_t BODY_SIZE[] = {
    [KOP_EFFECT_SEND] = sizeof(kop_send),
    [KOP_EFFECT_CLOSE] = sizeof(kop_conn_effect),
    [KOP_EFFECT_RECV_PAUSE] = sizeof(kop_conn_effect),
    [KOP_EFFECT_RECV_RESUME] = sizeof(kop_conn_effect),
    [KOP_EFFECT_ACQUIRE] = sizeof(kop_acquire),
    [KOP_EFFECT_CONFIRM] = sizeof(kop_confirm),
    [KOP_EFFECT_RESIGN] = sizeof(kop_confirm),
    [KOP_EFFECT_APPEND] = sizeof(kop_append),
    [KOP_EFFECT_READ] = sizeof(kop_read),
    [KOP_EFFECT_RELEASE] = 0,
    [KOP_EFFECT_LIST_OFFSETS] = sizeof(kop_list_offsets),
    [KOP_EFFECT_DELETE_RECORDS] = sizeof(kop_delete_records),
    [KOP_EFFECT_STATE_PUT] = sizeof(kop_state),
    [KOP_EFFECT_STATE_GET] = sizeof(kop_state),
    [KOP_EFFECT_ALLOCATE_PRODUCER_IDS] = sizeof(kop_allocate_producer_ids),
    [KOP_EFFECT_LOOKUP_TOPIC] = sizeof(kop_topic_ref),
    [KOP_EFFECT_CREATE_TOPIC] = sizeof(kop_create_topic),
    [KOP_EFFECT_DELETE_TOPIC] = sizeof(kop_topic_ref),
    [KOP_EFFECT_CREATE_PARTITIONS] = sizeof(kop_create_partitions),
    [KOP_EFFECT_ALTER_CONFIGS] = sizeof(kop_alter_configs),
    [KOP_EFFECT_LOG] = sizeof(kop_log_line),
};

kop_status kopi_ops_init(kopi_ops *ops, const kop_alloc *alloc, size_t per_drain) {
  *ops = (kopi_ops){.alloc = alloc, .out_cap = per_drain};
  ops->out = kopi_calloc(alloc, per_drain, sizeof *ops->out);
  return ops->out == NULL ? KOP_ERR_NOMEM : KOP_OK;
}

void kopi_ops_free(kopi_ops *ops) {
  for (size_t i = 0; i < ops->chunks_len; i++)
    kopi_free(ops->alloc, ops->chunks[i]);
  kopi_free(ops->alloc, ops->chunks);
  kopi_free(ops->alloc, ops->out);
  *ops = (kopi_ops){.alloc = ops->alloc};
}

static kop_status add_chunk(kopi_ops *ops) {
  if (ops->chunks_len == ops->chunks_cap) {
    size_t cap = ops->chunks_cap == 0 ? 8 : ops->chunks_cap * 2;
    kopi_op **chunks = kopi_realloc(ops->alloc, ops->chunks, cap * sizeof *chunks);
    if (chunks == NULL) return KOP_ERR_NOMEM;
    ops->chunks = chunks;
    ops->chunks_cap = cap;
  }
  kopi_op *chunk = kopi_calloc(ops->alloc, KOPI_OPS_PER_CHUNK, sizeof *chunk);
  if (chunk == NULL) return KOP_ERR_NOMEM;
  for (uint32_t i = KOPI_OPS_PER_CHUNK; i-- > 0;) {
    chunk[i].index = (uint32_t)ops->chunks_len * KOPI_OPS_PER_CHUNK + i;
    chunk[i].next = ops->free;
    ops->free = &chunk[i];
  }
  ops->chunks[ops->chunks_len++] = chunk;
  return KOP_OK;
}

kopi_op *kopi_op_new(kopi_ops *ops, uint32_t kind, uint64_t target, kopi_op_done *done,
                     void *owner) {
  if (ops->free == NULL && add_chunk(ops) != KOP_OK) return NULL;
  kopi_op *op = ops->free;
  ops->free = op->next;
  op->next = NULL;
  op->done = done;
  op->owner = owner;
  op->target = target;
  op->kind = kind;
  op->flags = 0;
  op->generation = op->generation == UINT32_MAX ? 1 : op->generation + 1;
  op->body_size = BODY_SIZE[kind];
  op->state = KOPI_OP_IDLE;
  memset(&op->body, 0, sizeof op->body);
  memcpy(&op->body, &op->body_size, sizeof op->body_size);
  return op;
}

static void recycle(kopi_ops *ops, kopi_op *op) {
  op->state = KOPI_OP_FREE;
  op->next = ops->free;
  ops->free = op;
}

static void enqueue(kopi_ops *ops, kopi_op *op) {
  op->state = KOPI_OP_QUEUED;
  op->next = NULL;
  if (ops->tail == NULL) {
    ops->head = op;
  } else {
    ops->tail->next = op;
  }
  ops->tail = op;
  ops->queued++;
}

void kopi_op_emit(kopi_ops *ops, kopi_op *op) {
  KOPI_ASSERT(op->state == KOPI_OP_IDLE);
  if (op->done != NULL) ops->open++;
  enqueue(ops, op);
}

void kopi_op_discard(kopi_ops *ops, kopi_op *op) {
  if (op == NULL) return;
  KOPI_ASSERT(op->state == KOPI_OP_IDLE);
  recycle(ops, op);
}

void kopi_op_release(kopi_ops *ops, kopi_op *op) {
  KOPI_ASSERT(op->state == KOPI_OP_LENT);
  op->kind = KOP_EFFECT_RELEASE;
  op->flags = 0;
  op->body_size = 0;
  op->done = NULL;
  enqueue(ops, op);
}

static uint64_t token_of(const kopi_op *op) {
  return ((uint64_t)op->generation << 32) | op->index;
}

kopi_op *kopi_op_find(const kopi_ops *ops, uint64_t token) {
  uint32_t index = (uint32_t)token;
  if (index / KOPI_OPS_PER_CHUNK >= ops->chunks_len) return NULL;
  kopi_op *op = &ops->chunks[index / KOPI_OPS_PER_CHUNK][index % KOPI_OPS_PER_CHUNK];
  return op->state == KOPI_OP_OPEN && token_of(op) == token ? op : NULL;
}

void kopi_op_complete(kopi_ops *ops, kopi_op *op, kop_engine *e, const kop_completion *c,
                      kop_now now) {
  KOPI_ASSERT(op->state == KOPI_OP_OPEN);
  bool lent = (c->flags & KOP_COMPLETION_LENT) != 0;
  op->state = lent ? KOPI_OP_LENT : KOPI_OP_IDLE;
  ops->open--;
  op->done(e, op, c, now);
  if (op->state == KOPI_OP_IDLE) recycle(ops, op);
}

static void bury(kopi_ops *ops) {
  kopi_op *next;
  for (kopi_op *op = ops->graveyard; op != NULL; op = next) {
    next = op->next;
    recycle(ops, op);
  }
  ops->graveyard = NULL;
}

size_t kopi_ops_drain(kopi_ops *ops, const kop_effect **effects) {
  bury(ops);
  size_t n = 0;
  while (n < ops->out_cap && ops->head != NULL) {
    kopi_op *op = ops->head;
    ops->head = op->next;
    if (ops->head == NULL) ops->tail = NULL;
    ops->queued--;
    bool token = op->done != NULL || op->kind == KOP_EFFECT_RELEASE;
    ops->out[n++] = (kop_effect){
        .kind = op->kind,
        .flags = op->flags,
        .token = token ? token_of(op) : 0,
        .target = op->target,
        .body = op->body_size == 0 ? NULL : &op->body,
        .body_size = op->body_size,
    };
    if (op->done != NULL) {
      op->state = KOPI_OP_OPEN;
    } else {
      op->next = ops->graveyard;
      ops->graveyard = op;
    }
  }
  *effects = ops->out;
  return n;
}
