/* Operations: an effect on its way through the store, and its way back to the client as a completion. */
#include "store/state.h"

#include <stdlib.h>

void kopd_queue_push(kopd_queue *q, kopd_op *op) {
  op->next = NULL;
  if (q->last != NULL) {
    q->last->next = op;
  } else {
    q->first = op;
  }
  q->last = op;
  q->len++;
}

kopd_op *kopd_queue_pop(kopd_queue *q) {
  kopd_op *op = q->first;
  if (op == NULL) return NULL;
  q->first = op->next;
  if (q->first == NULL) q->last = NULL;
  q->len--;
  op->next = NULL;
  return op;
}

void kopd_client_wake_locked(kopd_store_client *c) {
  if (c->woken || c->submitting) return;
  if (c->store->publishing) {
    c->wake_due = true;
    return;
  }
  c->woken = true;
  c->wake(c->user_data);
}

void kopd_op_done_locked(kopd_op *op, int32_t outcome, const void *result, uint32_t result_size) {
  op->outcome = outcome;
  op->result = result;
  op->result_size = result_size;
  kopd_queue_push(&op->client->done, op);
  kopd_client_wake_locked(op->client);
}

void kopd_op_reject_locked(kopd_op *op, int16_t error) {
  op->error = error;
  kopd_op_done_locked(op, KOP_REJECTED, NULL, 0);
}

void *kopd_op_memory(kopd_op *op, size_t size) {
  if (size <= op->memory_cap) return op->memory;
  void *bigger = malloc(size);
  if (bigger == NULL) return NULL;
  free(op->memory);
  op->memory = bigger;
  op->memory_cap = size;
  return bigger;
}

void kopd_op_clear_locked(kopd_op *op) {
  kopd_store *s = op->client->store;
  for (uint32_t i = 0; i < op->pins_count; i++)
    kopd_unpin_locked(s, op->pins[i]);
  op->pins_count = 0;
  if (op->memory_cap > 64u << 10) { /* a spare operation keeps no more than this */
    free(op->memory);
    op->memory = NULL;
    op->memory_cap = 0;
  }
  free(op->wait);
  op->wait = NULL;
  if (op->topic != NULL) kopd_topic_unref(op->topic);
  op->topic = NULL;
}

/* A cleared operation for a new effect, or NULL. */
static kopd_op *op_take_locked(kopd_store_client *c) {
  kopd_op *op = kopd_queue_pop(&c->spare);
  if (op == NULL) return calloc(1, sizeof *op);
  void *memory = op->memory;
  size_t cap = op->memory_cap;
  *op = (kopd_op){.memory = memory, .memory_cap = cap};
  return op;
}

static void op_retire_locked(kopd_op *op) {
  enum { SPARE = 4096 }; /* operations a client keeps for reuse */
  kopd_op_clear_locked(op);
  if (op->client->spare.len < SPARE) {
    kopd_queue_push(&op->client->spare, op);
  } else {
    free(op->memory);
    free(op);
  }
}

static void confirm_locked(kopd_store *s, kopd_op *op) {
  const kop_confirm *body = op->body;
  const kopd_partition *p = kopd_partition_find_locked(s, op->target);
  if (p == NULL || p->epoch != body->epoch || !p->held || p->leader != op->client->node) {
    kopd_op_done_locked(op, KOP_FENCED, NULL, 0);
    return;
  }
  op->results.confirmed =
      (kop_confirmed){.size = sizeof op->results.confirmed, .lease_mono_ns = UINT64_MAX};
  kopd_op_done_locked(op, KOP_DONE, &op->results.confirmed, sizeof op->results.confirmed);
}

static void resign_locked(kopd_store *s, kopd_op *op) {
  const kop_confirm *body = op->body;
  kopd_partition *p = kopd_partition_find_locked(s, op->target);
  if (p == NULL || p->epoch != body->epoch) {
    kopd_op_done_locked(op, KOP_FENCED, NULL, 0);
    return;
  }
  p->held = false;
  kopd_op_done_locked(op, KOP_DONE, NULL, 0);
}

static void release_locked(kopd_store_client *c, uint64_t token) {
  kopd_op *op = kopd_map_take(&c->lent, &token, sizeof token);
  if (op != NULL) op_retire_locked(op);
}

/* Whoever leads a partition in another node must know that it does not, before this one is granted it. */
static void acquire_locked(kopd_store *s, kopd_op *op) {
  kopd_partition *p = kopd_partition_find_locked(s, op->target);
  if (p == NULL) {
    kopd_op_reject_locked(op, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    return;
  }
  if (p->leader != op->client->node) {
    kopd_op_reject_locked(op, KAFKA_NOT_LEADER_OR_FOLLOWER);
    return;
  }
  uint64_t before = p->held && p->holder != op->client->node ? UINT64_C(1) << p->holder : 0;
  kopd_hold_locked(s, op, before);
}

static void append_locked(kopd_store *s, kopd_op *op) {
  kopd_partition *p = kopd_partition_find_locked(s, op->target);
  if (p == NULL) {
    kopd_op_reject_locked(op, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    return;
  }
  kopd_appends_push_locked(s, op, p);
  s->append_bytes += ((const kop_append *)op->body)->bytes;
}

static void lookup_locked(kopd_store *s, kopd_op *op) {
  const kop_topic_ref *ref = op->body;
  kopd_topic *t = kopd_topic_find_locked(s, ref->name, &ref->id);
  if (t == NULL) {
    kopd_op_done_locked(op, KOP_NOT_FOUND, NULL, 0);
    return;
  }
  kopd_notify_locked(op->client, KOP_EVENT_TOPIC, t, NULL);
  kopd_hold_locked(s, op, UINT64_C(1) << op->client->node);
}

/* Whether an effect of this kind may have to wait for acknowledgements. */
static bool may_wait(uint32_t kind) {
  return kind == KOP_EFFECT_ACQUIRE || kind == KOP_EFFECT_LOOKUP_TOPIC ||
         kind == KOP_EFFECT_CREATE_TOPIC || kind == KOP_EFFECT_DELETE_TOPIC ||
         kind == KOP_EFFECT_CREATE_PARTITIONS || kind == KOP_EFFECT_ALTER_CONFIGS;
}

static void dispatch_locked(kopd_store *s, kopd_op *op) {
  switch (op->kind) {
  case KOP_EFFECT_APPEND:
    append_locked(s, op);
    break;
  case KOP_EFFECT_READ:
  case KOP_EFFECT_LIST_OFFSETS:
    kopd_read_submit_locked(s, op);
    break;
  case KOP_EFFECT_ACQUIRE:
    acquire_locked(s, op);
    break;
  case KOP_EFFECT_CONFIRM:
    confirm_locked(s, op);
    break;
  case KOP_EFFECT_RESIGN:
    resign_locked(s, op);
    break;
  case KOP_EFFECT_LOOKUP_TOPIC:
    lookup_locked(s, op);
    break;
  case KOP_EFFECT_DELETE_RECORDS:
  case KOP_EFFECT_STATE_PUT:
  case KOP_EFFECT_STATE_GET:
  case KOP_EFFECT_ALLOCATE_PRODUCER_IDS:
  case KOP_EFFECT_CREATE_TOPIC:
  case KOP_EFFECT_DELETE_TOPIC:
  case KOP_EFFECT_CREATE_PARTITIONS:
  case KOP_EFFECT_ALTER_CONFIGS:
    kopd_queue_push(&s->changes, op);
    pthread_cond_signal(&s->keeper_wakes);
    break;
  default:
    kopd_op_done_locked(op, KOP_UNSUPPORTED, NULL, 0);
    break;
  }
}

/*
 * What a client is answered that there is no memory to work for: the operation itself is what could not be had. The
 * store keeps the token alone, in a list that poll turns into CANCELLED; if even that fails nothing can be said.
 */
static void submit_without_memory_locked(kopd_store_client *c, uint64_t token) {
  if (c->refused_len < KOPD_REFUSED) {
    c->refused[c->refused_len++] = token;
    kopd_client_wake_locked(c);
    return;
  }
  kopd_log(c->store, KOP_LOG_ERROR, "store: out of memory, an effect is left unanswered");
}

void kopd_store_submit(kopd_store_client *client, const kop_effect *effect) {
  kopd_store *s = client->store;
  bool wake_writer = false;
  kopd_lock(s);
  client->submitting = true;
  if (effect->kind == KOP_EFFECT_RELEASE) {
    release_locked(client, effect->token);
    goto out;
  }
  kopd_op *op = op_take_locked(client);
  if (op == NULL) {
    submit_without_memory_locked(client, effect->token);
    goto out;
  }
  op->client = client;
  op->kind = effect->kind;
  op->flags = effect->flags;
  op->token = effect->token;
  op->target = effect->target;
  op->body = effect->body;
  if (may_wait(op->kind)) {
    op->wait = calloc(1, sizeof *op->wait);
    if (op->wait == NULL) {
      kopd_op_done_locked(op, KOP_CANCELLED, NULL, 0);
      goto out;
    }
  }
  dispatch_locked(s, op);
  /* What is left to the writer in any case is begun early, so that the next batches are decoded and checked meanwhile. */
  if (s->append_bytes > KOPD_CALLER_BYTES && !s->committing)
    wake_writer = kopd_writer_is_due_locked(s);
out:
  client->submitting = false;
  pthread_mutex_unlock(&s->lock);
  if (wake_writer) pthread_cond_signal(&s->writer_wakes);
}

size_t kopd_store_poll(kopd_store_client *client, kop_completion *items, size_t capacity) {
  kopd_store *s = client->store;
  size_t n = 0;
  kopd_lock(s);
  bool wake_writer = kopd_appends_begin_locked(s, client);
  client->woken = false;
  for (kopd_op *op = kopd_queue_pop(&client->polled); op != NULL;
       op = kopd_queue_pop(&client->polled))
    op_retire_locked(op);
  while (n < capacity && client->refused_len > 0) {
    items[n++] =
        (kop_completion){.token = client->refused[--client->refused_len], .outcome = KOP_CANCELLED};
  }
  while (n < capacity && client->done.first != NULL) {
    kopd_op *op = kopd_queue_pop(&client->done);
    items[n++] = (kop_completion){.token = op->token,
                                  .outcome = op->outcome,
                                  .kafka_error = op->error,
                                  .flags = op->completion_flags,
                                  .body = op->result,
                                  .body_size = op->result_size};
    if ((op->completion_flags & KOP_COMPLETION_LENT) == 0) {
      kopd_queue_push(&client->polled, op);
    }
  }
  pthread_mutex_unlock(&s->lock);
  if (wake_writer) pthread_cond_signal(&s->writer_wakes);
  return n;
}
