/*
 * From ACQUIRE to ACTIVE: saved state is restored, and the log behind it replayed.
 *
 *   log start ------- as-of of the saved state ------------- end offset
 *             skipped                          replayed: heads only
 *
 * A state that is missing, damaged or describes more than the log holds is not used: everything is replayed then,
 * and a fresh one saved at once, so that the old one cannot come back when the log has grown past it.
 */
#include "engine/load.h"

#include "engine/append.h"
#include "log/snapshot.h"

enum { REPLAY_BYTES = 4 << 20 };

static const char STATE_NAME[] = "producers";

static kop_slice state_name(void) {
  return (kop_slice){.ptr = (const uint8_t *)STATE_NAME, .len = sizeof STATE_NAME - 1};
}

static void replay_on(kop_engine *e, kopi_partition *p, kop_now now);

/* Whether the load may go on; if not, it has been ended. */
static bool still_wanted(kop_engine *e, kopi_partition *p, kop_now now) {
  if (p->topic == NULL) return false;
  if (p->wanted) return true;
  kopi_partition_loaded(e, p, false, now);
  return false;
}

static void replay_batch(kop_engine *e, kopi_partition *p, const kop_read_batch *b) {
  kop_batch_head h;
  if (b->slices_count == 0 ||
      kop_batch_head_decode(b->slices[0].ptr, b->slices[0].len, &h) != KOP_OK) {
    kopi_log(e, KOP_LOG_ERROR, "%.*s-%d: the batch at offset %lld has no readable head",
             (int)p->topic->name.len, (const char *)p->topic->name.ptr, p->index,
             (long long)b->base_offset);
    return;
  }
  if (h.leader_epoch > kopi_epochs_latest(&p->epochs)) {
    (void)kopi_epochs_assign(&p->epochs, h.leader_epoch, b->base_offset);
  }
  if (h.producer_id < 0 || (h.attributes & KOP_BATCH_CONTROL) != 0) return;
  kopi_producer_batch batch = {
      .producer_id = h.producer_id,
      .epoch = h.producer_epoch,
      .first_seq = h.base_sequence,
      .last_seq = kopi_sequence_add(h.base_sequence, (uint32_t)h.last_offset_delta),
      .timestamp = h.max_timestamp,
  };
  if (kopi_producers_replay(&p->producers, &batch, b->base_offset) != KOP_OK) {
    kopi_log(e, KOP_LOG_WARN, "%.*s-%d: no room to remember producer %lld", (int)p->topic->name.len,
             (const char *)p->topic->name.ptr, p->index, (long long)h.producer_id);
  }
}

static void on_replayed(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  kopi_partition *p = op->owner;
  if (still_wanted(e, p, now)) {
    const kop_read_result *result = c->body;
    bool moved = c->outcome == KOP_DONE && result->next_offset > p->replay_offset;
    if (!moved) {
      kopi_log(e, KOP_LOG_ERROR, "%.*s-%d: the log cannot be read at offset %lld",
               (int)p->topic->name.len, (const char *)p->topic->name.ptr, p->index,
               (long long)p->replay_offset);
      kopi_partition_loaded(e, p, false, now);
    } else {
      for (uint32_t i = 0; i < result->batches_count; i++)
        replay_batch(e, p, &result->batches[i]);
      p->replay_offset = result->next_offset;
      replay_on(e, p, now);
    }
  }
  if (op->state == KOPI_OP_LENT) kopi_op_release(&e->ops, op);
  kopi_partition_unhold(e, p);
}

static void replay_on(kop_engine *e, kopi_partition *p, kop_now now) {
  if (p->replay_offset >= p->high_watermark) {
    kopi_partition_loaded(e, p, true, now);
    if (p->state == KOPI_PARTITION_ACTIVE && p->stale_state) kopi_partition_save(e, p, true, now);
    return;
  }
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_READ, p->id, on_replayed, p);
  if (op == NULL) {
    kopi_partition_loaded(e, p, false, now);
    return;
  }
  op->flags = KOP_READ_AT_LEAST_ONE | KOP_READ_MAY_LEND;
  op->body.read.offset = p->replay_offset;
  op->body.read.end = p->high_watermark;
  op->body.read.max_bytes = REPLAY_BYTES;
  kopi_partition_hold(p);
  kopi_op_emit(&e->ops, op);
}

static void replay_from(kop_engine *e, kopi_partition *p, int64_t offset, kop_now now) {
  p->state = KOPI_PARTITION_REPLAYING;
  p->replay_offset = offset < p->log_start ? p->log_start : offset;
  replay_on(e, p, now);
}

static void on_state(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  kopi_partition *p = op->owner;
  if (still_wanted(e, p, now)) {
    int64_t as_of = p->log_start;
    if (c->outcome == KOP_DONE) {
      const kop_state_result *result = c->body;
      kop_status status = kopi_snapshot_read(result->bytes, &p->epochs, &p->producers, &as_of);
      if (status != KOP_OK || as_of > p->high_watermark) {
        kopi_log(e, KOP_LOG_WARN,
                 "%.*s-%d: saved state not used (%s), the log is read from its start",
                 (int)p->topic->name.len, (const char *)p->topic->name.ptr, p->index,
                 status != KOP_OK ? kop_strerror(status) : "it describes more than the log holds");
        kopi_producers_free(&p->producers);
        kopi_epochs_free(&p->epochs);
        as_of = p->log_start;
        p->stale_state = true;
      }
    }
    kopi_epochs_truncate_start(&p->epochs, p->log_start);
    replay_from(e, p, as_of, now);
  }
  kopi_partition_unhold(e, p);
}

void kopi_load_begin(kop_engine *e, kopi_partition *p, kop_now now) {
  kopi_producers_tell_time(&p->producers, now.wall_ms);
  if (p->high_watermark == 0 || !kopi_serves(e, 1ull << KOP_EFFECT_STATE_GET)) {
    replay_from(e, p, p->log_start, now);
    return;
  }
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_STATE_GET, p->id, on_state, p);
  if (op == NULL) {
    kopi_partition_loaded(e, p, false, now);
    return;
  }
  op->body.state.epoch = p->leader_epoch;
  op->body.state.name = state_name();
  kopi_partition_hold(p);
  kopi_op_emit(&e->ops, op);
}

static void on_saved(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  (void)c; /* best effort: what was lost is replayed */
  kopi_partition *p = op->owner;
  p->saving = false;
  kopi_buf_free(&p->saved);
  if (p->topic != NULL) kopi_partition_settle(e, p, now);
  kopi_partition_unhold(e, p);
}

void kopi_partition_save(kop_engine *e, kopi_partition *p, bool in_any_case, kop_now now) {
  (void)now;
  bool changed = p->unsaved_bytes > 0 || p->stale_state;
  bool due = p->unsaved_bytes >= e->cfg.state_every_bytes || (in_any_case && changed);
  if (p->saving || !due || !kopi_serves(e, 1ull << KOP_EFFECT_STATE_PUT)) return;
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_STATE_PUT, p->id, on_saved, p);
  kopi_buf_init(&p->saved, &e->alloc, KOPI_SNAPSHOT_MAX);
  int64_t as_of = p->in_flight.head == NULL ? p->high_watermark : p->settled;
  if (op == NULL || kopi_snapshot_write(&p->saved, as_of, &p->epochs, &p->producers) != KOP_OK) {
    kopi_op_discard(&e->ops, op);
    kopi_buf_free(&p->saved);
    return;
  }
  op->body.state.epoch = p->leader_epoch;
  op->body.state.name = state_name();
  op->body.state.as_of = as_of;
  op->body.state.bytes = (kop_slice){.ptr = p->saved.data, .len = p->saved.len};
  p->saving = true;
  p->unsaved_bytes = 0;
  p->stale_state = false;
  kopi_partition_hold(p);
  kopi_op_emit(&e->ops, op);
}
