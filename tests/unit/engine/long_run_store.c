/* The store of the long random runs: it keeps its contract and no more. */
#include "long_run.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "support/rng.h"

uint32_t lr_pick(run *w, uint32_t n) {
  return (uint32_t)rng_below(&w->r, n);
}

bool lr_now_and_then(run *w, uint32_t one_in) {
  return !w->calm && lr_pick(w, one_in) == 0;
}

/* ---- the store ---- */

static stored *new_stored(run *w, size_t len, uint32_t count) {
  cr_assert_lt(w->log_len, (int32_t)LOG);
  stored *s = &w->log[w->log_len++];
  s->bytes = malloc(len);
  s->slice = (kop_slice){s->bytes, len};
  s->base = w->end;
  w->end += count;
  return s;
}

/* Another leader, who has been granted the newest epoch, appends a batch. */
void lr_append_as_another(run *w) {
  kop_slice batch = lr_build(w, &w->producers[PRODUCERS - 1], 99999);
  stored *s = new_stored(w, batch.len, 2);
  memcpy(s->bytes, batch.ptr, batch.len);
  kop_batch_set_position(s->bytes, 0, w->epoch);
  s->producer = PRODUCERS - 1;
  s->number = -1;
  w->told = w->end;
}

static void put_in_log(run *w, open_effect *o) {
  const kop_append *a = o->fx.body;
  stored *s = new_stored(w, a->bytes, a->count);
  size_t at = 0;
  for (uint32_t i = 0; i < a->slices_count; i++) {
    memcpy(s->bytes + at, a->slices[i].ptr, a->slices[i].len);
    at += a->slices[i].len;
  }
  cr_assert_eq(a->crc32c, kopi_crc32c(0, s->bytes, at));
  /* who wrote it stands in the value of the first record, at the end of the batch: "pp nnnn" and no headers */
  int p = -1, n = -1;
  char text[9] = {0};
  memcpy(text, s->bytes + at - 9, 8);
  cr_assert_eq(sscanf(text, "%2d %5d", &p, &n), 2, "a batch of nobody: %s", text);
  s->producer = p;
  s->number = n;
  o->base = s->base;
}

/* Makes the first n appends that wait take effect, in the order in which they were asked for. */
void lr_execute(run *w, size_t n) {
  for (size_t i = 0; i < w->open_len && n > 0; i++) {
    open_effect *o = &w->open[i];
    if (o->fx.kind != KOP_EFFECT_APPEND || o->executed) continue;
    n--;
    const kop_append *a = o->fx.body;
    o->executed = true;
    o->outcome = KOP_DONE;
    if (a->epoch != w->epoch) {
      o->outcome = KOP_FENCED;
    } else if (a->epoch == w->refused) {
      o->outcome = KOP_REJECTED;
    } else if (lr_now_and_then(w, 40)) {
      o->outcome = KOP_REJECTED;
      w->refused = a->epoch;
    } else {
      bool unknown = lr_now_and_then(w, 40);
      if (unknown)
        w->refused = a->epoch; /* nor does what follows it happen, or the order would be lost */
      if (!unknown || lr_pick(w, 2) == 0) put_in_log(w, o);
      if (unknown) o->outcome = KOP_UNKNOWN;
    }
  }
}

typedef union results {
  kop_acquired acquired;
  kop_confirmed confirmed;
  kop_appended appended;
  kop_read_result read;
  kop_state_result state;
  kop_producer_ids ids;
} results;

static kop_read_batch read_batches[LOG];

static void read_log(run *w, const kop_read *q, kop_read_result *out) {
  *out = (kop_read_result){.size = sizeof *out, .batches = read_batches, .next_offset = q->offset};
  uint64_t bytes = 0;
  for (int32_t i = 0; i < w->log_len; i++) {
    const stored *s = &w->log[i];
    int64_t end = i + 1 < w->log_len ? w->log[i + 1].base : w->end;
    if (end <= q->offset || s->base >= q->end) continue;
    bytes += s->slice.len;
    if (out->batches_count > 0 && (bytes > q->max_bytes || lr_now_and_then(w, 3))) return;
    read_batches[out->batches_count++] = (kop_read_batch){s->base, &s->slice, 1, 0};
    out->next_offset = end;
  }
}

void lr_answer(run *w, size_t i) {
  open_effect o = w->open[i];
  if (o.fx.kind == KOP_EFFECT_CONFIRM && w->now.mono_ns < w->silent) return;
  if (o.fx.kind == KOP_EFFECT_APPEND && !o.executed) {
    size_t before = 1;
    for (size_t k = 0; k < i; k++)
      before += w->open[k].fx.kind == KOP_EFFECT_APPEND && !w->open[k].executed;
    lr_execute(w, before);
    o = w->open[i];
  }
  memmove(w->open + i, w->open + i + 1, (w->open_len - i - 1) * sizeof o);
  w->open_len--;
  results r;
  memset(&r, 0, sizeof r);
  kop_completion c = {.token = o.fx.token, .outcome = KOP_DONE, .kafka_error = 56};
  switch (o.fx.kind) {
  case KOP_EFFECT_SEND:
    if (lr_now_and_then(w, 200)) c.outcome = KOP_CANCELLED;
    lr_take_sent(w, o.fx.target, o.fx.body);
    break;
  case KOP_EFFECT_ACQUIRE:
    lr_execute(w, OPEN); /* they count in its end offset */
    if (lr_now_and_then(w, 5)) {
      c.outcome = lr_now_and_then(w, 2) ? KOP_REJECTED : KOP_UNKNOWN;
      break;
    }
    w->epoch++;
    w->lease =
        lr_pick(w, 2) == 0 ? UINT64_MAX : w->now.mono_ns + lr_pick(w, 3000) * UINT64_C(1000000);
    r.acquired = (kop_acquired){.size = sizeof r.acquired,
                                .epoch = w->epoch,
                                .end_offset = w->end,
                                .lease_mono_ns = w->lease};
    c.body_size = sizeof r.acquired;
    break;
  case KOP_EFFECT_CONFIRM: {
    const kop_confirm *q = o.fx.body;
    if (q->epoch != w->epoch) {
      c.outcome = KOP_FENCED;
    } else if (lr_now_and_then(w, 8)) {
      c.outcome = KOP_UNKNOWN;
    } else {
      bool extended = !lr_now_and_then(w, 3); /* else it is what it was, and mostly past */
      if (extended) w->lease = w->now.mono_ns + (1 + lr_pick(w, 3000)) * UINT64_C(1000000);
      r.confirmed = (kop_confirmed){.size = sizeof r.confirmed, .lease_mono_ns = w->lease};
      c.body_size = sizeof r.confirmed;
    }
    break;
  }
  case KOP_EFFECT_APPEND:
    c.outcome = o.outcome;
    if (o.outcome == KOP_DONE && lr_now_and_then(w, 60))
      c.outcome = KOP_CANCELLED; /* it gave up on it */
    r.appended = (kop_appended){.size = sizeof r.appended, .base_offset = o.base};
    c.body_size = sizeof r.appended;
    break;
  case KOP_EFFECT_READ:
    if (lr_now_and_then(w, 15)) {
      c.outcome = KOP_REJECTED;
      break;
    }
    read_log(w, o.fx.body, &r.read);
    c.body_size = sizeof r.read;
    if ((o.fx.flags & KOP_READ_MAY_LEND) != 0 && lr_pick(w, 2) == 0) {
      c.flags = KOP_COMPLETION_LENT;
      w->lent++;
    }
    break;
  case KOP_EFFECT_STATE_PUT: {
    const kop_state *s = o.fx.body;
    if (s->epoch != w->epoch || lr_now_and_then(w, 4)) break; /* lost */
    free(w->state);
    w->state = malloc(s->bytes.len + 1);
    memcpy(w->state, s->bytes.ptr, s->bytes.len);
    w->state_len = s->bytes.len;
    w->state_as_of = s->as_of;
    break;
  }
  case KOP_EFFECT_STATE_GET:
    if (w->state == NULL || lr_now_and_then(w, 6)) {
      c.outcome = KOP_NOT_FOUND;
      break;
    }
    r.state = (kop_state_result){
        .size = sizeof r.state, .as_of = w->state_as_of, .bytes = {w->state, w->state_len}};
    c.body_size = sizeof r.state;
    break;
  default:
    break; /* RESIGN */
  }
  c.body = c.body_size > 0 ? &r : NULL;
  cr_assert_eq(kop_engine_complete(w->e, &c, sizeof c, 1, w->now), KOP_OK, "%s",
               kop_engine_error_text(w->e));
}
