/* Reply arrays, error texts, gathered answers. */
#include "engine/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/container.h"
#include "base/map.h"

enum { TEXT_BYTES = 400, NAME_BYTES_SHOWN = 249 };

void *kopi_answer_array(kop_engine *e, kopi_request *r, uint32_t struct_id, size_t count,
                        size_t size, kop_now now) {
  uint8_t *all = kopi_request_alloc(e, r, count + 1, size, now);
  if (all == NULL) return NULL;
  for (size_t i = 0; i < count; i++)
    (void)kop_struct_init(struct_id, all + i * size, size);
  return all;
}

kop_slice kopi_answer_text(kopi_request *r, const char *format, ...) {
  char text[TEXT_BYTES];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
  void *copy = NULL;
  if (kop_arena_alloc(r->arena, len + 1, 1, &copy) != KOP_OK)
    return kopi_text("no memory for the reason");
  memcpy(copy, text, len);
  return (kop_slice){.ptr = copy, .len = len};
}

int kopi_text_len(kop_slice text) {
  return text.len < NAME_BYTES_SHOWN ? (int)text.len : NAME_BYTES_SHOWN;
}

int16_t kopi_outcome_error(const kop_completion *c) {
  switch (c->outcome) {
  case KOP_DONE:
    return KOP_KAFKA_NONE;
  case KOP_REJECTED:
    return c->kafka_error;
  case KOP_NOT_FOUND:
    return KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
  case KOP_FENCED:
    return KOP_KAFKA_NOT_LEADER_OR_FOLLOWER;
  case KOP_UNSUPPORTED:
    return KOP_KAFKA_UNSUPPORTED_VERSION;
  default: /* it may have been done, or may still be: what a client has to assume after a time-out */
    return KOP_KAFKA_REQUEST_TIMED_OUT;
  }
}

bool kopi_find_repeats(kop_engine *e, kopi_request *r, const kop_slice *names, size_t count,
                       uint8_t *marks, size_t *firsts, kop_now now) {
  kopi_map_bytes seen;
  kopi_map_bytes_init(&seen, &e->alloc, e->cfg.seed);
  kop_status status = KOP_OK;
  for (size_t i = 0; i < count && status == KOP_OK; i++) {
    marks[i] = KOPI_REPEAT_NONE;
    uint8_t *first = kopi_map_bytes_find(&seen, names[i]);
    if (firsts != NULL) firsts[i] = first != NULL ? (size_t)(first - marks) : i;
    if (first != NULL) {
      *first = KOPI_REPEAT_FIRST;
      marks[i] = KOPI_REPEAT_AGAIN;
    } else {
      status = kopi_map_bytes_insert(&seen, names[i], &marks[i]);
    }
  }
  kopi_map_bytes_free(&seen);
  if (status != KOP_OK) kopi_request_out_of_memory(e, r, now);
  return status == KOP_OK;
}

/* ---- gathering ---- */

static void reply_now(kop_engine *e, kopi_gather *g, bool timed_out, kop_now now) {
  if (g->replied) return;
  g->replied = true;
  kopi_alarm_cancel(e, &g->r->alarm);
  g->reply(e, g, timed_out, now);
}

static void on_time_out(kop_engine *e, kopi_alarm *alarm, kop_now now) {
  kopi_request *r = KOPI_CONTAINER_OF(alarm, kopi_request, alarm);
  reply_now(e, r->state_of_api, true, now);
}

void kopi_gather_begin(kopi_gather *g, kopi_request *r, int64_t timeout_ms,
                       void (*reply)(kop_engine *e, kopi_gather *g, bool timed_out, kop_now now)) {
  *g = (kopi_gather){.r = r, .timeout_ms = timeout_ms, .open = 1, .reply = reply};
  r->state_of_api = g;
}

kopi_op *kopi_gather_op(kop_engine *e, kopi_gather *g, uint32_t kind, uint64_t target,
                        kopi_op_done *done, void *owner) {
  kopi_op *op = kopi_op_new(&e->ops, kind, target, done, owner);
  if (op == NULL) return NULL;
  g->open++;
  kopi_request_pin(g->r);
  return op;
}

void kopi_gather_answered(kop_engine *e, kopi_gather *g, kop_now now) {
  kopi_request *r = g->r;
  if (--g->open == 0) reply_now(e, g, false, now);
  kopi_request_unpin(e, r, now);
}

void kopi_gather_end(kop_engine *e, kopi_gather *g, kop_now now) {
  if (--g->open == 0) {
    reply_now(e, g, false, now);
  } else if (g->timeout_ms >= 0) {
    g->r->alarm.fire = on_time_out;
    kopi_alarm_set(e, &g->r->alarm, kopi_later(now, kopi_ms(g->timeout_ms)));
  }
}
