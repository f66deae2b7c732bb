/* A partition as its engine sees it: the life from ACQUIRE to RESIGN. docs/engine-states.md draws it. */
#include "engine/partition.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "engine/append.h"
#include "engine/fetch.h"
#include "engine/lease.h"
#include "engine/load.h"
#include "engine/read.h"

enum {
  MAX_PRODUCERS = 8000, /* what a saved state of 1 MiB holds with full windows */
  MAX_IN_FLIGHT = 4096,
  MAX_EPOCHS = 1024,
  EXPIRE_AT_ONCE = 64,
  BACKOFF_FIRST_MS = 20,
  BACKOFF_LAST_MS = 5000
};

static void acquire(kop_engine *e, kopi_partition *p, kop_now now);

static void on_backoff(kop_engine *e, kopi_alarm *alarm, kop_now now) {
  kopi_partition *p = KOPI_CONTAINER_OF(alarm, kopi_partition, alarm);
  if (p->state == KOPI_PARTITION_BACKOFF) acquire(e, p, now);
}

kopi_partition *kopi_partition_new(kop_engine *e, kopi_topic *t, int32_t index, uint64_t id) {
  kopi_partition *p = kopi_calloc(&e->alloc, 1, sizeof *p);
  if (p == NULL) return NULL;
  p->id = id;
  p->topic = t;
  p->index = index;
  p->leader = -1;
  p->leader_epoch = -1;
  p->alarm.fire = on_backoff;
  kopi_producers_init(&p->producers, &e->alloc, e->cfg.seed, MAX_PRODUCERS, MAX_IN_FLIGHT);
  kopi_epochs_init(&p->epochs, &e->alloc, MAX_EPOCHS);
  kopi_buf_init(&p->saved, &e->alloc, 0);
  kopi_list_init(&p->waiters);
  return p;
}

void kopi_partition_free(kop_engine *e, kopi_partition *p) {
  kopi_list_remove(&p->dropped);
  kopi_alarm_cancel(e, &p->alarm);
  kopi_reads_drop(e, p);
  kopi_producers_free(&p->producers);
  kopi_epochs_free(&p->epochs);
  kopi_buf_free(&p->saved);
  kopi_free(&e->alloc, p);
}

void kopi_partition_hold(kopi_partition *p) {
  p->tokens++;
}

void kopi_partition_unhold(kop_engine *e, kopi_partition *p) {
  KOPI_ASSERT(p->tokens > 0);
  p->tokens--;
  if (p->tokens == 0 && p->topic == NULL) kopi_partition_free(e, p);
}

int16_t kopi_partition_leads(const kopi_partition *p) {
  if (p->topic == NULL) return KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
  return p->state == KOPI_PARTITION_ACTIVE ? KOP_KAFKA_NONE : KOP_KAFKA_NOT_LEADER_OR_FOLLOWER;
}

/* ---- leadership ---- */

static void set_state(kop_engine *e, kopi_partition *p, uint8_t state) {
  if (p->state == KOPI_PARTITION_ACTIVE) e->stats.partitions_active--;
  if (state == KOPI_PARTITION_ACTIVE) e->stats.partitions_active++;
  p->state = state;
}

static void back_off(kop_engine *e, kopi_partition *p, kop_now now) {
  set_state(e, p, KOPI_PARTITION_BACKOFF);
  uint32_t doublings = p->failures < 8 ? p->failures : 8;
  p->failures++;
  uint64_t ms = (uint64_t)BACKOFF_FIRST_MS << doublings;
  if (ms > BACKOFF_LAST_MS) ms = BACKOFF_LAST_MS;
  kopi_alarm_set(e, &p->alarm, kopi_later(now, ms * 1000000u));
}

static void become_idle(kop_engine *e, kopi_partition *p, kop_now now) {
  kopi_alarm_cancel(e, &p->alarm);
  kopi_append_fail_parked(e, p, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, now);
  kopi_producers_free(&p->producers);
  kopi_epochs_free(&p->epochs);
  p->unreadable = false;
  p->damaged = false;
  set_state(e, p, KOPI_PARTITION_IDLE);
  if (p->wanted && !e->shutting_down) acquire(e, p, now);
}

static void on_resigned(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  (void)c; /* whatever the store says, this node does not answer for the partition any more */
  kopi_partition *p = op->owner;
  if (p->topic != NULL) become_idle(e, p, now);
  kopi_partition_unhold(e, p);
}

static void resign(kop_engine *e, kopi_partition *p, kop_now now) {
  if (!kopi_serves(e, 1ull << KOP_EFFECT_RESIGN)) {
    become_idle(e, p, now);
    return;
  }
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_RESIGN, p->id, on_resigned, p);
  if (op == NULL) { /* the store learns it when the next leader acquires */
    become_idle(e, p, now);
    return;
  }
  op->body.confirm.epoch = p->leader_epoch;
  kopi_partition_hold(p);
  kopi_op_emit(&e->ops, op);
}

static void begin_resign(kop_engine *e, kopi_partition *p, kop_now now) {
  bool loaded = p->state == KOPI_PARTITION_ACTIVE; /* else the state is not that of the log's end */
  set_state(e, p, KOPI_PARTITION_RESIGNING);
  kopi_append_fail_parked(e, p, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, now);
  kopi_fetch_partition_changed(e, p, now);
  if (loaded) kopi_partition_save(e, p, true, now);
  kopi_partition_settle(e, p, now);
}

void kopi_partition_settle(kop_engine *e, kopi_partition *p, kop_now now) {
  if (p->state == KOPI_PARTITION_ACTIVE) {
    kopi_producers_tell_time(&p->producers, now.wall_ms);
    (void)kopi_producers_expire(&p->producers, now.wall_ms, e->settings.producer_id_expiration_ms,
                                EXPIRE_AT_ONCE);
    kopi_partition_save(e, p, false, now);
    return;
  }
  bool may_end = p->state == KOPI_PARTITION_RESIGNING && p->in_flight.head == NULL && !p->saving;
  if (may_end && !p->resigned) {
    p->resigned = true;
    resign(e, p, now);
  }
}

static void on_acquired(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  kopi_partition *p = op->owner;
  const kop_acquired *a = c->body;
  if (p->topic == NULL) {
    kopi_partition_unhold(e, p);
    return;
  }
  bool granted = c->outcome == KOP_DONE && a->epoch > p->leader_epoch && a->log_start >= 0 &&
                 a->end_offset >= a->log_start;
  if (!granted) {
    if (c->outcome == KOP_DONE) {
      kopi_log(e, KOP_LOG_ERROR, "%.*s-%d: the store granted epoch %d after %d, which cannot be",
               (int)p->topic->name.len, (const char *)p->topic->name.ptr, p->index, a->epoch,
               p->leader_epoch);
    }
    if (p->wanted) {
      back_off(e, p, now);
    } else {
      become_idle(e, p, now);
    }
    kopi_partition_unhold(e, p);
    return;
  }
  p->leader_epoch = a->epoch;
  if (a->log_start > p->log_start) p->log_start = a->log_start;
  p->high_watermark = a->end_offset;
  p->settled = a->end_offset;
  p->log_bytes = a->log_bytes;
  p->lease_mono_ns = a->lease_mono_ns;
  e->leases = e->leases || a->lease_mono_ns != UINT64_MAX;
  p->resigned = false;
  if (p->wanted) {
    set_state(e, p, KOPI_PARTITION_LOADING);
    kopi_load_begin(e, p, now);
  } else {
    begin_resign(e, p, now);
  }
  kopi_partition_unhold(e, p);
}

static void acquire(kop_engine *e, kopi_partition *p, kop_now now) {
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_ACQUIRE, p->id, on_acquired, p);
  if (op == NULL) {
    back_off(e, p, now);
    return;
  }
  set_state(e, p, KOPI_PARTITION_ACQUIRING);
  op->body.acquire.partition = p->index;
  op->body.acquire.topic = p->topic->name;
  kopi_partition_hold(p);
  kopi_op_emit(&e->ops, op);
}

void kopi_partition_loaded(kop_engine *e, kopi_partition *p, bool ok, kop_now now) {
  if (!p->wanted) {
    begin_resign(e, p, now);
    return;
  }
  if (!ok || kopi_epochs_assign(&p->epochs, p->leader_epoch, p->high_watermark) != KOP_OK) {
    back_off(e, p, now);
    return;
  }
  p->failures = 0;
  set_state(e, p, KOPI_PARTITION_ACTIVE);
  kopi_append_pump(e, p, now);
  kopi_fetch_partition_changed(e, p, now);
}

void kopi_partition_assign(kop_engine *e, kopi_partition *p, int32_t leader, int32_t leader_epoch,
                           kop_now now) {
  bool ours = leader == e->cfg.node_id && !e->shutting_down;
  p->leader = leader;
  if (!ours && !p->wanted && leader_epoch > p->leader_epoch) p->leader_epoch = leader_epoch;
  if (ours == p->wanted) return;
  p->wanted = ours;
  if (ours) {
    if (p->state == KOPI_PARTITION_IDLE) acquire(e, p, now);
    return;
  }
  switch (p->state) {
  case KOPI_PARTITION_ACTIVE:
    begin_resign(e, p, now);
    break;
  case KOPI_PARTITION_BACKOFF:
    become_idle(e, p, now);
    break;
  default: /* an answer is awaited; what follows it sees that the partition is not wanted */
    kopi_append_fail_parked(e, p, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, now);
    break;
  }
}

void kopi_partition_reload(kop_engine *e, kopi_partition *p, bool backoff, kop_now now) {
  if (p->state == KOPI_PARTITION_RESIGNING) {
    kopi_append_fail_in_flight(e, p, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, now);
    kopi_append_fail_parked(e, p, KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, now);
    kopi_partition_settle(e, p, now);
    return;
  }
  kopi_append_put_back(e, p, NULL, now);
  kopi_reads_drop(e, p);
  kopi_producers_free(&p->producers);
  kopi_epochs_free(&p->epochs);
  if (backoff) {
    back_off(e, p, now);
  } else {
    acquire(e, p, now);
  }
  kopi_fetch_partition_changed(e, p, now);
}

void kopi_partition_drop(kop_engine *e, kopi_partition *p, kop_now now) {
  kopi_alarm_cancel(e, &p->alarm);
  p->wanted = false;
  kopi_partition_hold(p);
  kopi_append_fail_parked(e, p, KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION, now);
  kopi_fetch_partition_gone(e, p, now);
  kopi_reads_drop(e, p);
  set_state(e, p, KOPI_PARTITION_IDLE);
  p->topic = NULL;
  kopi_list_append(&e->dropped, &p->dropped);
  kopi_partition_unhold(e, p);
}

/* ---- how far the log reaches ---- */

void kopi_partition_advance(kop_engine *e, kopi_partition *p, int64_t offset, uint64_t bytes,
                            kop_now now) {
  p->log_bytes += bytes;
  if (offset <= p->high_watermark) return;
  p->high_watermark = offset;
  kopi_fetch_partition_grew(e, p, bytes, now);
}

void kopi_partition_trim(kop_engine *e, kopi_partition *p, int64_t offset, kop_now now) {
  if (offset <= p->log_start) return;
  p->log_start = offset;
  kopi_epochs_truncate_start(&p->epochs, offset);
  kopi_fetch_partition_changed(e, p, now);
}

/* Whether this node was granted `leader_epoch` and has not given it up. */
static bool is_granted(const kopi_partition *p) {
  return p->state == KOPI_PARTITION_LOADING || p->state == KOPI_PARTITION_REPLAYING ||
         p->state == KOPI_PARTITION_ACTIVE;
}

kop_status kopi_push_log_state(kop_engine *e, const kop_log_state *event, kop_now now) {
  kopi_partition *p = kopi_map_u64_find(&e->partitions, event->partition);
  if (p == NULL)
    return kopi_fail(e, KOP_ERR_NOT_FOUND, "LOG names a partition that was never pushed");
  if (event->epoch < p->leader_epoch) return KOP_OK;
  /* It is told once, so it counts also before the answer to ACQUIRE, which may be older than it. */
  kopi_partition_trim(e, p, event->log_start, now);
  if (!is_granted(p)) return KOP_OK;
  p->log_bytes = event->log_bytes;
  uint64_t grown = event->high_watermark > p->high_watermark ? 1 : 0;
  kopi_partition_advance(e, p, event->high_watermark, grown, now);
  return KOP_OK;
}

/* ---- lease ---- */

bool kopi_partition_in_lease(const kopi_partition *p, kop_now now) {
  return now.mono_ns < p->lease_mono_ns;
}

static void on_confirmed(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  kopi_partition *p = op->owner;
  p->confirming = false;
  /* the answer may speak of an epoch that has ended meanwhile; of the present one it then says nothing */
  bool counts = p->topic != NULL && p->state == KOPI_PARTITION_ACTIVE &&
                op->body.confirm.epoch == p->leader_epoch;
  if (counts && c->outcome == KOP_DONE) {
    const kop_confirmed *confirmed = c->body;
    p->lease_mono_ns = confirmed->lease_mono_ns;
  } else if (counts) {
    kopi_partition_reload(e, p, c->outcome != KOP_FENCED, now);
  }
  bool leads = kopi_partition_leads(p) == 0;
  bool confirmed = leads && kopi_partition_in_lease(p, now);
  bool again = leads && !counts && !confirmed && kopi_partition_confirm(e, p);
  if (!again) {
    kopi_lease_answered(e, p, confirmed, now);
    kopi_append_confirmed(e, p, confirmed, now);
  }
  kopi_partition_unhold(e, p);
}

bool kopi_partition_confirm(kop_engine *e, kopi_partition *p) {
  if (p->confirming) return true;
  if (!kopi_serves(e, 1ull << KOP_EFFECT_CONFIRM)) return false;
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_CONFIRM, p->id, on_confirmed, p);
  if (op == NULL) return false;
  op->body.confirm.epoch = p->leader_epoch;
  p->confirming = true;
  kopi_partition_hold(p);
  kopi_op_emit(&e->ops, op);
  return true;
}
