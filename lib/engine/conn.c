/* Connections: opening, the order of replies, closing. */
#include "engine/conn.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "engine/replies.h"
#include "engine/request.h"
#include "engine/room.h"
#include "engine/trim.h"

enum {
  SEND_SLICES = 512, /* per SEND, unless one reply alone has more */
  SEND_BYTES = 1 << 20
};

static void on_idle(kop_engine *e, kopi_alarm *alarm, kop_now now) {
  kopi_conn *c = KOPI_CONTAINER_OF(alarm, kopi_conn, idle);
  uint64_t due = c->active_ns + e->cfg.idle_ns;
  bool ours = c->open_requests > 0 && c->send == NULL; /* the client waits for us, not we for it */
  if (due > now.mono_ns || ours) {
    kopi_alarm_set(e, alarm, ours ? kopi_later(now, e->cfg.idle_ns) : due);
    return;
  }
  kopi_log(e, KOP_LOG_INFO, "%s: closed, nothing moved for %llu ms", c->peer,
           (unsigned long long)(e->cfg.idle_ns / 1000000u));
  kopi_conn_close(e, c, KOP_CLOSE_IDLE);
}

static void free_conn(kop_engine *e, kopi_conn *c) {
  kopi_list_remove(&c->all);
  kopi_op_discard(&e->ops, c->flow);
  kopi_op_discard(&e->ops, c->close);
  kopi_block_unref(&e->blocks, c->block);
  kopi_free(&e->alloc, c->slices);
  kopi_free(&e->alloc, c);
}

static kopi_conn *new_conn(kop_engine *e, const kop_conn_info *info, kop_now now) {
  kopi_conn *c = kopi_calloc(&e->alloc, 1, sizeof *c);
  if (c == NULL) return NULL;
  kopi_list_append(&e->all_conns, &c->all);
  c->id = e->last_conn + 1;
  c->context = info->context;
  c->listener = info->listener;
  c->active_ns = now.mono_ns;
  size_t len = info->peer.len < sizeof c->peer - 1 ? info->peer.len : sizeof c->peer - 1;
  if (len > 0) memcpy(c->peer, info->peer.ptr, len);
  c->flow = kopi_op_new(&e->ops, KOP_EFFECT_RECV_PAUSE, c->id, NULL, c);
  c->close = kopi_op_new(&e->ops, KOP_EFFECT_CLOSE, c->id, NULL, c);
  if (c->flow == NULL || c->close == NULL || kopi_map_u64_insert(&e->conns, c->id, c) != KOP_OK) {
    free_conn(e, c);
    return NULL;
  }
  return c;
}

kop_status kop_engine_conn_open(kop_engine *e, const kop_conn_info *info, kop_now now,
                                uint64_t *conn) {
  *conn = 0;
  if (info->size < sizeof *info) return kopi_fail(e, KOP_ERR_INVALID, "kop_conn_info.size");
  if (e->shutting_down) return kopi_fail(e, KOP_ERR_STATE, "shutting down");
  if (kopi_map_u64_len(&e->conns) >= e->cfg.max_connections) {
    return kopi_fail(e, KOP_ERR_LIMIT, "max_connections reached");
  }
  kopi_conn *c = new_conn(e, info, now);
  if (c == NULL) return kopi_fail(e, KOP_ERR_NOMEM, "no memory for a connection");
  e->last_conn = c->id;
  c->idle.fire = on_idle;
  if (e->cfg.idle_ns > 0) kopi_alarm_set(e, &c->idle, kopi_later(now, e->cfg.idle_ns));
  e->stats.connections_total++;
  *conn = c->id;
  return KOP_OK;
}

static void bury_later(kop_engine *e, kopi_conn *c) {
  c->next = e->dead_conns;
  e->dead_conns = c;
}

kop_status kop_engine_conn_closed(kop_engine *e, uint64_t conn, kop_now now) {
  kopi_conn *c = kopi_map_u64_remove(&e->conns, conn);
  if (c == NULL) return kopi_fail(e, KOP_ERR_NOT_FOUND, "no such connection");
  c->state = KOPI_CONN_GONE;
  kopi_alarm_cancel(e, &c->idle);
  if (c->paused) e->stats.paused_connections--;
  kopi_conn_drop_input(e, c);
  kopi_request **link = &c->head;
  for (uint32_t i = 0; i < c->sending; i++)
    link = &(*link)->next; /* these end with their SEND */
  kopi_request *r = *link;
  *link = NULL;
  c->tail = NULL;
  kopi_request *next;
  for (; r != NULL; r = next) {
    next = r->next;
    c->open_requests--;
    kopi_request_orphan(e, r, now);
  }
  if (c->sending == 0) bury_later(e, c);
  kopi_settle(e, now);
  return KOP_OK;
}

void kopi_conn_close(kop_engine *e, kopi_conn *c, uint32_t reason) {
  if (c->state != KOPI_CONN_OPEN) return;
  c->state = KOPI_CONN_CLOSING;
  kopi_replies_leave(c);
  kopi_alarm_cancel(e, &c->idle);
  kopi_op *op = c->close;
  c->close = NULL;
  op->body.conn.reason = reason;
  op->body.conn.context = c->context;
  kopi_op_emit(&e->ops, op);
}

static bool reserve_slices(kop_engine *e, kopi_conn *c, uint32_t n) {
  if (n <= c->slices_cap) return true;
  uint32_t cap = c->slices_cap == 0 ? 4 : c->slices_cap;
  while (cap < n)
    cap *= 2;
  kop_slice *slices = kopi_realloc(&e->alloc, c->slices, cap * sizeof *slices);
  if (slices == NULL) return false;
  c->slices = slices;
  c->slices_cap = cap;
  return true;
}

static void pop_head(kop_engine *e, kopi_conn *c, kop_now now) {
  kopi_request *r = c->head;
  c->head = r->next;
  if (c->head == NULL) c->tail = NULL;
  c->open_requests--;
  kopi_request_finish(e, r, now);
}

static void take(kopi_conn *c, uint64_t bytes, kop_now now) {
  if (bytes <= c->send_taken) return;
  c->taken += bytes - c->send_taken;
  c->send_taken = bytes;
  c->active_ns = now.mono_ns;
}

kop_status kop_engine_sent(kop_engine *e, uint64_t token, uint64_t bytes, kop_now now) {
  const kopi_op *op = kopi_op_find(&e->ops, token);
  if (op == NULL || op->kind != KOP_EFFECT_SEND)
    return kopi_fail(e, KOP_ERR_NOT_FOUND, "no open SEND %llu", (unsigned long long)token);
  if (bytes > op->body.send.bytes)
    return kopi_fail(e, KOP_ERR_INVALID, "more bytes than the SEND has");
  take(op->owner, bytes, now);
  return KOP_OK;
}

/* A cancelled SEND is followed by conn_closed; there is nothing else to do about it. */
static void on_sent(kop_engine *e, kopi_op *op, const kop_completion *done, kop_now now) {
  kopi_conn *c = op->owner;
  if (c->send_lends && done->outcome == KOP_DONE) c->has_taken = true;
  take(c, op->body.send.bytes, now);
  c->send = NULL;
  c->active_ns = now.mono_ns;
  for (; c->sending > 0; c->sending--)
    pop_head(e, c, now);
  if (c->state == KOPI_CONN_GONE) {
    bury_later(e, c);
  } else {
    kopi_conn_touch(e, c);
  }
}

/* Takes requests without a reply off the head; true if the head is then ready to be sent. */
static bool skip_silent(kop_engine *e, kopi_conn *c, kop_now now) {
  while (c->head != NULL && c->head->state == KOPI_REQUEST_DONE && c->head->no_reply) {
    pop_head(e, c, now);
  }
  return c->head != NULL && c->head->state == KOPI_REQUEST_DONE;
}

/* How many requests from the head go into one SEND, and how many slices and bytes they have. */
static uint32_t gather(const kopi_conn *c, uint32_t *slices, uint64_t *bytes) {
  uint32_t n = 0;
  *slices = 0;
  *bytes = 0;
  for (const kopi_request *r = c->head; r != NULL; r = r->next) {
    if (r->state != KOPI_REQUEST_DONE || r->no_reply || r->closes) break;
    if (n > 0 && (*slices + r->slices_len > SEND_SLICES || *bytes + r->slices_bytes > SEND_BYTES))
      break;
    *slices += r->slices_len;
    *bytes += r->slices_bytes;
    n++;
  }
  return n;
}

static void send(kop_engine *e, kopi_conn *c) {
  uint32_t slices = 0;
  uint64_t bytes = 0;
  uint32_t n = gather(c, &slices, &bytes);
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_SEND, c->id, on_sent, c);
  if (op == NULL || (n > 1 && !reserve_slices(e, c, slices))) {
    kopi_op_discard(&e->ops, op);
    kopi_log(e, KOP_LOG_ERROR, "%s: closed, no memory for a reply", c->peer);
    kopi_conn_close(e, c, KOP_CLOSE_MEMORY);
    return;
  }
  kopi_request *r = c->head;
  uint32_t at = 0;
  c->send_lends = false;
  for (uint32_t i = 0; i < n; i++, r = r->next) {
    if (n > 1) memcpy(c->slices + at, r->slices, r->slices_len * sizeof *c->slices);
    at += r->slices_len;
    r->state = KOPI_REQUEST_SENDING;
    c->send_lends = c->send_lends || r->lends;
  }
  c->send_taken = 0;
  c->taken_marked = false;
  op->body.send.slices = n > 1 ? c->slices : c->head->slices;
  op->body.send.slices_count = slices;
  op->body.send.bytes = bytes;
  op->body.send.context = c->context;
  c->send = op;
  c->sending = n;
  e->stats.bytes_out_total += bytes;
  kopi_op_emit(&e->ops, op);
}

void kopi_conn_flush(kop_engine *e, kopi_conn *c, kop_now now) {
  while (c->state == KOPI_CONN_OPEN && c->send == NULL) {
    if (!skip_silent(e, c, now)) {
      kopi_request *r = c->head;
      if (r == NULL || r->at_head == NULL) return;
      void (*at_head)(kop_engine *, kopi_request *, kop_now) = r->at_head;
      r->at_head = NULL;
      at_head(e, r, now);
      continue;
    }
    if (c->head->closes) {
      kopi_conn_close(e, c, c->head->close_reason);
      return;
    }
    send(e, c);
  }
}

static void emit_flow(kop_engine *e, kopi_conn *c) {
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_RECV_PAUSE, c->id, NULL, c);
  if (op ==
      NULL) { /* the reserved one serves; without a new reserve the connection cannot be steered any more */
    kopi_conn_close(e, c, KOP_CLOSE_MEMORY);
    return;
  }
  kopi_op *spare = op;
  op = c->flow;
  c->flow = spare;
  op->kind = c->paused ? KOP_EFFECT_RECV_PAUSE : KOP_EFFECT_RECV_RESUME;
  op->body.conn.context = c->context;
  kopi_op_emit(&e->ops, op);
}

static void update_flow(kop_engine *e, kopi_conn *c) {
  bool pause = kopi_conn_must_pause(e, c);
  if (c->state != KOPI_CONN_OPEN || pause == c->paused) return;
  c->paused = pause;
  if (pause) {
    e->stats.paused_connections++;
  } else {
    e->stats.paused_connections--;
  }
  emit_flow(e, c);
}

void kopi_conn_touch(kop_engine *e, kopi_conn *c) {
  if (c->touched) return;
  c->touched = true;
  c->touched_next = NULL;
  if (e->touched_tail == NULL) {
    e->touched_head = c;
  } else {
    e->touched_tail->touched_next = c;
  }
  e->touched_tail = c;
}

/* Replies to what came before it leaves first may take long. */
static void stop_receiving(kop_engine *e, kopi_conn *c) {
  if (c->admitted > 0) kopi_conn_drop_input(e, c);
  kopi_requests_lighten(e, c);
}

void kopi_settle(kop_engine *e, kop_now now) {
  do {
    while (e->touched_head != NULL) {
      kopi_conn *c = e->touched_head;
      e->touched_head = c->touched_next;
      if (e->touched_head == NULL) e->touched_tail = NULL;
      c->touched = false;
      if (c->state != KOPI_CONN_OPEN) continue;
      kopi_conn_flush(e, c, now);
      kopi_replies_look(c);
      if (c->state == KOPI_CONN_OPEN) kopi_conn_parse(e, c, now);
      if (c->closes) stop_receiving(e, c);
      update_flow(e, c);
    }
  } while (kopi_room_wake(e, now) || kopi_frames_admit(e, now) || kopi_replies_wake(e));
  kopi_trim_watch(e, now);
}

void kopi_conns_shutdown(kop_engine *e, kop_now now) {
  (void)now;
  for (kopi_link *link = e->all_conns.next; link != &e->all_conns;) {
    kopi_conn *c = KOPI_CONTAINER_OF(link, kopi_conn, all);
    link = link->next;
    if (c->state != KOPI_CONN_OPEN) continue;
    kopi_conn_drop_input(e, c);
    if (!c->closes) kopi_conn_close_after_replies(e, c, KOP_CLOSE_SHUTDOWN);
  }
}

void kopi_conns_bury(kop_engine *e) {
  kopi_conn *next;
  for (kopi_conn *c = e->dead_conns; c != NULL; c = next) {
    next = c->next;
    free_conn(e, c);
  }
  e->dead_conns = NULL;
}

void kopi_conns_free(kop_engine *e) {
  kopi_link *link;
  while ((link = kopi_list_first(&e->all_conns)) != NULL) {
    free_conn(e, KOPI_CONTAINER_OF(link, kopi_conn, all));
  }
  kopi_map_u64_free(&e->conns);
}
