/*
 * From ACQUIRE to ACTIVE: saved state is restored, and the log behind it replayed.
 *
 *   log start ------- as-of of the saved state ------------- end offset
 *             skipped                          replayed: heads only
 *
 * A state that is missing, damaged or describes more than the log holds is not used: everything is replayed then,
 * and a fresh one saved at once, so that the old one cannot come back when the log has grown past it.
 *
 * What cannot be read is tried again with the engine's own pauses, a failed disk may come back. But once the store has called it damaged
 * for PATIENCE_MS, it is passed over: the next offset that can be read is looked for in steps of 1, 2, 4, ... and then by halves, and the
 * replay goes on there. A partition would else be lost to its producers for ever by a few bytes that consumers skip too.
 *
 *   replayed | damaged: low ..... probes ..... high | replayed
 */
#include "engine/load.h"

#include <kop/kafka_error.h>

#include "engine/append.h"
#include "log/snapshot.h"

enum { REPLAY_BYTES = 4 << 20, PATIENCE_MS = 30000 };

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

static void read_at(kop_engine *e, kopi_partition *p, int64_t offset, uint32_t bytes,
                    kopi_op_done *done, kop_now now) {
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_READ, p->id, done, p);
  if (op == NULL) {
    kopi_partition_loaded(e, p, false, now);
    return;
  }
  op->flags = KOP_READ_AT_LEAST_ONE | KOP_READ_MAY_LEND;
  op->body.read.offset = offset;
  op->body.read.end = p->high_watermark;
  op->body.read.max_bytes = bytes;
  kopi_partition_hold(p);
  kopi_op_emit(&e->ops, op);
}

static void end_read(kop_engine *e, kopi_partition *p, kopi_op *op) {
  if (op->state == KOPI_OP_LENT) kopi_op_release(&e->ops, op);
  kopi_partition_unhold(e, p);
}

/* ---- what cannot be read ---- */

enum { READABLE, DAMAGED, UNANSWERED };

/* What the answer to a READ says of that offset. Only a store that knows calls it damaged; one that goes nowhere is no better. */
static int says(const kop_completion *c, int64_t offset) {
  if (c->outcome == KOP_DONE) {
    return ((const kop_read_result *)c->body)->next_offset > offset ? READABLE : DAMAGED;
  }
  bool damaged = c->outcome == KOP_REJECTED && (c->kafka_error == KOP_KAFKA_KAFKA_STORAGE_ERROR ||
                                                c->kafka_error == KOP_KAFKA_CORRUPT_MESSAGE);
  return damaged ? DAMAGED : UNANSWERED;
}

/* The load ends and is tried again; one line says so, whatever comes of the next ones. */
static void try_again(kop_engine *e, kopi_partition *p, kop_now now) {
  if (!p->unreadable) {
    kopi_log(e, KOP_LOG_ERROR, "%.*s-%d: the log cannot be read at offset %lld, it is tried again",
             (int)p->topic->name.len, (const char *)p->topic->name.ptr, p->index,
             (long long)p->replay_offset);
  }
  p->unreadable = true;
  kopi_partition_loaded(e, p, false, now);
}

static void probe(kop_engine *e, kopi_partition *p, kop_now now);

static void on_probed(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  kopi_partition *p = op->owner;
  if (still_wanted(e, p, now)) {
    int64_t offset = op->body.read.offset;
    int said = says(c, offset);
    if (said == UNANSWERED) {
      try_again(e, p, now);
    } else {
      if (said == READABLE) p->probe_high = offset;
      if (said == DAMAGED) p->probe_low = offset;
      p->probe_step = said == READABLE || p->probe_step == 0 ? 0 : p->probe_step * 2;
      probe(e, p, now);
    }
  }
  end_read(e, p, op);
}

/* probe_low cannot be read, probe_high can, or is the end; with a step of 0 the second is known to be the nearest of its kind so far. */
static void probe(kop_engine *e, kopi_partition *p, kop_now now) {
  int64_t left = p->probe_high - p->probe_low;
  if (left <= 1) {
    p->passed += p->probe_high - p->replay_offset;
    p->passed_end = p->probe_high;
    p->replay_offset = p->probe_high;
    replay_on(e, p, now);
    return;
  }
  if (p->probe_step >= left) p->probe_step = 0;
  int64_t step = p->probe_step == 0 ? left / 2 : p->probe_step;
  read_at(e, p, p->probe_low + step, 1, on_probed, now);
}

static void on_damage(kop_engine *e, kopi_partition *p, kop_now now) {
  if (!p->damaged) p->damaged_ns = now.mono_ns;
  p->damaged = true;
  if (now.mono_ns - p->damaged_ns < kopi_ms(PATIENCE_MS)) {
    try_again(e, p, now);
    return;
  }
  if (p->passed == 0) p->passed_start = p->replay_offset;
  p->probe_low = p->replay_offset;
  p->probe_high = p->high_watermark;
  p->probe_step = 1;
  probe(e, p, now);
}

/* ---- replay ---- */

static void on_replayed(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  kopi_partition *p = op->owner;
  if (still_wanted(e, p, now)) {
    const kop_read_result *result = c->body;
    int said = says(c, p->replay_offset);
    if (said == READABLE) {
      for (uint32_t i = 0; i < result->batches_count; i++)
        replay_batch(e, p, &result->batches[i]);
      p->replay_offset = result->next_offset;
      replay_on(e, p, now);
    } else if (said == DAMAGED) {
      on_damage(e, p, now);
    } else {
      try_again(e, p, now);
    }
  }
  end_read(e, p, op);
}

static void replayed(kop_engine *e, kopi_partition *p, kop_now now) {
  kopi_partition_loaded(e, p, true, now);
  if (p->state != KOPI_PARTITION_ACTIVE) return;
  if (p->passed > 0) {
    kopi_log(e, KOP_LOG_ERROR,
             "%.*s-%d: led without %lld offsets from %lld to %lld that cannot be read; who wrote "
             "only there is a new producer",
             (int)p->topic->name.len, (const char *)p->topic->name.ptr, p->index,
             (long long)p->passed, (long long)p->passed_start, (long long)p->passed_end - 1);
  }
  p->stale_state = p->stale_state || p->passed > 0;
  p->unreadable = false;
  p->damaged = false;
  if (p->stale_state) kopi_partition_save(e, p, true, now);
}

static void replay_on(kop_engine *e, kopi_partition *p, kop_now now) {
  if (p->replay_offset >= p->high_watermark) {
    replayed(e, p, now);
  } else {
    read_at(e, p, p->replay_offset, REPLAY_BYTES, on_replayed, now);
  }
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
        if (!p->stale_state) {
          kopi_log(
              e, KOP_LOG_WARN, "%.*s-%d: saved state not used (%s), the log is read from its start",
              (int)p->topic->name.len, (const char *)p->topic->name.ptr, p->index,
              status != KOP_OK ? kop_strerror(status) : "it describes more than the log holds");
        }
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
  kopi_producers_free(&p->producers); /* what an earlier attempt had learned */
  kopi_epochs_free(&p->epochs);
  p->passed = 0;
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
