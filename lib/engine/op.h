/*
 * Effects on their way: the record behind each token.
 *
 *   FREE --new--> IDLE --emit--> QUEUED --drain--> OPEN --complete--> done(op) --> FREE
 *                                                    \--complete, LENT--> LENT --release--> QUEUED --drain--> FREE
 *
 * An op holds the body of its effect, so that the body lives as long as the token. Queueing needs no memory:
 * the queue is a list through the ops. What was drained without a token is freed at the next drain.
 */
#ifndef KOPI_ENGINE_OP_H
#define KOPI_ENGINE_OP_H

#include <kop/engine.h>

typedef struct kopi_op kopi_op;

/*
 * Takes the answer. `c->outcome` is one the kind allows, and with KOP_DONE `c->body` is at least as large as the kind's result.
 * The op is freed after it returns, unless it was emitted again, or kept lent (then kopi_op_release ends it).
 */
typedef void kopi_op_done(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now);

enum kopi_op_state { KOPI_OP_FREE, KOPI_OP_IDLE, KOPI_OP_QUEUED, KOPI_OP_OPEN, KOPI_OP_LENT };

struct kopi_op {
  kopi_op *next;      /* in the queue, the graveyard or the free list */
  kopi_op_done *done; /* NULL: the effect has no token */
  void *owner;
  uint64_t target;
  uint32_t kind;
  uint32_t flags;
  uint32_t index;
  uint32_t generation; /* never 0, so that no token is */
  uint32_t body_size;
  uint8_t state;
  union {
    kop_send send;
    kop_conn_effect conn;
    kop_acquire acquire;
    kop_confirm confirm;
    kop_append append;
    kop_read read;
    kop_list_offsets list;
    kop_delete_records delete_records;
    kop_state state;
    kop_allocate_producer_ids ids;
    kop_topic_ref topic;
    kop_create_topic create_topic;
    kop_create_partitions create_partitions;
    kop_alter_configs alter_configs;
    kop_log_line log;
  } body;
};

enum { KOPI_OPS_PER_CHUNK = 128 };

typedef struct kopi_ops {
  const kop_alloc *alloc;
  kopi_op **chunks; /* of KOPI_OPS_PER_CHUNK each; ops never move */
  size_t chunks_len;
  size_t chunks_cap;
  kopi_op *free;
  kopi_op *head; /* queued effects, oldest first */
  kopi_op *tail;
  kopi_op *graveyard; /* drained without a token */
  kop_effect *out;
  size_t out_cap;
  size_t open; /* tokens to be completed, queued ones included */
  size_t queued;
} kopi_ops;

kop_status kopi_ops_init(kopi_ops *ops, const kop_alloc *alloc, size_t per_drain);
void kopi_ops_free(kopi_ops *ops);

/* An op with a zeroed body whose `size` is set; NULL without memory. `done` NULL: an effect without a token. */
kopi_op *kopi_op_new(kopi_ops *ops, uint32_t kind, uint64_t target, kopi_op_done *done,
                     void *owner);

/* Puts it at the end of the queue. */
void kopi_op_emit(kopi_ops *ops, kopi_op *op);

/* Gives back an op that was not emitted. NULL is fine. */
void kopi_op_discard(kopi_ops *ops, kopi_op *op);

/* Ends a LENT op: emits RELEASE with its token. */
void kopi_op_release(kopi_ops *ops, kopi_op *op);

/* The op of an open token, NULL if there is none. */
kopi_op *kopi_op_find(const kopi_ops *ops, uint64_t token);

/* Takes the answer to an open op and calls its `done`; frees the op unless it was kept lent or emitted anew. */
void kopi_op_complete(kopi_ops *ops, kopi_op *op, kop_engine *e, const kop_completion *c,
                      kop_now now);

/* Fills the array with the next effects and returns how many. */
size_t kopi_ops_drain(kopi_ops *ops, const kop_effect **effects);

#endif
