/* Replies that wait for their bytes to leave. */
#include "engine/replies.h"

#include "engine/conn.h"
#include "engine/fetch.h"
#include "engine/request.h"
#include "engine/room.h"
#include "wire/arena.h"

enum { GAIN_PART = 8 /* of its SEND, that a connection must take while others wait */ };

/* ---- counting ---- */

void kopi_replies_count(kop_engine *e, kopi_request *r) {
  uint64_t holds = sizeof *r + r->out.cap + kopi_arena_held(&r->arena->arena);
  e->replies.held += holds - r->reply_charge;
  if (r->conn != NULL) {
    r->conn->charged += holds - r->reply_charge;
    r->conn->unread += holds - r->reply_charge;
  }
  r->reply_charge = holds;
}

void kopi_replies_leave_conn(kopi_request *r) {
  r->conn->charged -= r->reply_charge;
  r->conn->unread -= r->reply_charge;
}

void kopi_replies_forget(kop_engine *e, kopi_request *r) {
  e->replies.held -= r->reply_charge;
  r->reply_charge = 0;
}

/* ---- who may go on ---- */

bool kopi_replies_pressed(const kop_engine *e) {
  return e->replies.held >= e->cfg.max_reply_bytes_total / 2;
}

static bool is_full(const kop_engine *e) {
  return e->replies.held >= e->cfg.max_reply_bytes_total;
}

bool kopi_replies_admit(kop_engine *e, kopi_conn *c, bool whole, kop_now now) {
  bool first = whole || c->open_requests == 0;
  kopi_link *queue = first ? &e->replies.first : &e->replies.more;
  bool fits = first ? !is_full(e) : !kopi_replies_pressed(e);
  bool in_turn = whole || c->reply_turn || kopi_list_empty(queue);
  c->reply_turn = false;
  if (fits && in_turn) return true;
  c->waits_reply = true;
  c->reply_first = first;
  kopi_list_append(queue, &c->reply_waiting);
  kopi_replies_watch(e, now);
  return false;
}

void kopi_replies_leave(kopi_conn *c) {
  c->waits_reply = false;
  c->reply_turn = false;
  kopi_list_remove(&c->reply_waiting);
}

void kopi_replies_look(kopi_conn *c) {
  if (c->waits_reply && !c->reply_first && c->open_requests == 0) kopi_replies_leave(c);
}

bool kopi_replies_wake(kop_engine *e) {
  kopi_link *link = is_full(e) ? NULL : kopi_list_first(&e->replies.first);
  if (link == NULL && !kopi_replies_pressed(e)) link = kopi_list_first(&e->replies.more);
  if (link == NULL) return false;
  kopi_conn *c = KOPI_CONTAINER_OF(link, kopi_conn, reply_waiting);
  kopi_replies_leave(c);
  c->reply_turn = true;
  kopi_conn_touch(e, c);
  return true;
}

/* ---- who does not read ---- */

static bool any_waits(const kop_engine *e) {
  return !kopi_list_empty(&e->replies.first) || !kopi_list_empty(&e->replies.more);
}

static bool is_in_the_way(const kop_engine *e, const kopi_conn *c) {
  if (c->send_lends && kopi_room_is_awaited(e)) return true;
  uint64_t average = e->replies.held / kopi_map_u64_len(&e->conns);
  return any_waits(e) && c->unread > 0 && c->unread >= average;
}

/* It was marked at the last look: has it taken enough since? */
static bool has_stalled(const kopi_conn *c) {
  uint64_t due = c->send == NULL ? 0 : c->send->body.send.bytes / GAIN_PART;
  return c->taken - c->taken_mark < (due == 0 ? 1 : due);
}

static void judge(kop_engine *e, kopi_conn *c, kop_now now) {
  bool held_back = c->unread > 0 && c->send == NULL;
  if (held_back && any_waits(e)) kopi_fetch_hurry(e, c->head, now);
  if (!is_in_the_way(e, c)) {
    c->taken_marked = false;
    return;
  }
  if (c->taken_marked && has_stalled(c)) {
    kopi_log(e, KOP_LOG_WARN, "%s: closed, replies of %llu bytes were not read while others waited",
             c->peer, (unsigned long long)c->unread);
    kopi_conn_close(e, c, KOP_CLOSE_SLOW);
    return;
  }
  c->taken_marked = true;
  c->taken_mark = c->taken;
}

static void on_watch(kop_engine *e, kopi_alarm *alarm, kop_now now) {
  e->replies.watched = any_waits(e) || kopi_room_is_awaited(e);
  kopi_link *next;
  for (kopi_link *link = e->all_conns.next; link != &e->all_conns; link = next) {
    next = link->next;
    kopi_conn *c = KOPI_CONTAINER_OF(link, kopi_conn, all);
    if (!e->replies.watched) {
      c->taken_marked = false;
    } else if (c->state == KOPI_CONN_OPEN) {
      judge(e, c, now);
    }
  }
  if (e->replies.watched) kopi_alarm_set(e, alarm, kopi_later(now, e->cfg.stalled_frame_ns));
}

void kopi_replies_watch(kop_engine *e, kop_now now) {
  if (e->replies.watched || e->cfg.stalled_frame_ns == 0) return;
  e->replies.watched = true;
  e->replies.watch.fire = on_watch;
  kopi_alarm_set(e, &e->replies.watch, kopi_later(now, e->cfg.stalled_frame_ns));
}
