/* Room for READs. */
#include "engine/room.h"

#include "base/container.h"
#include "engine/replies.h"

static uint64_t least_of(const kop_engine *e) {
  uint64_t eighth = e->cfg.max_lent_bytes / 8;
  return eighth < KOPI_LEAST_READ ? eighth : KOPI_LEAST_READ;
}

static uint64_t room_of(const kop_engine *e) {
  uint64_t used = e->lent_bytes + e->asked_bytes;
  return used < e->cfg.max_lent_bytes ? e->cfg.max_lent_bytes - used : 0;
}

static bool is_empty(const kop_engine *e) {
  return e->lent_bytes == 0 && e->asked_bytes == 0;
}

static bool has_room(const kop_engine *e) {
  return is_empty(e) || (room_of(e) > 0 && room_of(e) >= least_of(e));
}

static uint64_t newcomers_room(const kop_engine *e) {
  uint64_t half = e->cfg.max_lent_bytes / 2;
  return e->newcomer_bytes < half ? half - e->newcomer_bytes : 0;
}

static bool newcomers_have_room(const kop_engine *e) {
  uint64_t room = newcomers_room(e);
  return e->newcomer_bytes == 0 || (room > 0 && room >= least_of(e));
}

bool kopi_room_grant(const kop_engine *e, bool newcomer, uint32_t wanted, bool waited,
                     uint32_t *bytes) {
  if (!has_room(e) || (newcomer && !newcomers_have_room(e))) return false;
  bool passes =
      !kopi_list_empty(&e->room_waiters) || (newcomer && !kopi_list_empty(&e->room_newcomers));
  if (passes && !waited) return false;
  uint64_t share = room_of(e) / 2;
  if (newcomer && newcomers_room(e) / 2 < share) share = newcomers_room(e) / 2;
  if (share < least_of(e)) share = least_of(e);
  *bytes = wanted < share ? wanted : (uint32_t)share;
  return true;
}

uint64_t kopi_room_charge(const kop_engine *e, uint32_t bytes) {
  uint64_t least = least_of(e);
  return bytes < least ? least : bytes;
}

void kopi_room_wait(kop_engine *e, bool newcomer, kopi_room_waiter *w, kop_now now) {
  kopi_list_append(newcomer ? &e->room_newcomers : &e->room_waiters, &w->link);
  kopi_replies_watch(e, now);
}

bool kopi_room_is_awaited(const kop_engine *e) {
  return !kopi_list_empty(&e->room_waiters) || !kopi_list_empty(&e->room_newcomers);
}

void kopi_room_leave(kopi_room_waiter *w) {
  kopi_list_remove(&w->link);
}

/* Whoever goes on next, NULL if nobody may. */
static kopi_link *next_of(kop_engine *e) {
  if (!has_room(e)) return NULL;
  kopi_link *other = kopi_list_first(&e->room_waiters);
  kopi_link *newcomer = newcomers_have_room(e) ? kopi_list_first(&e->room_newcomers) : NULL;
  if (other != NULL && newcomer != NULL) e->newcomers_turn = !e->newcomers_turn;
  return newcomer != NULL && (other == NULL || e->newcomers_turn) ? newcomer : other;
}

bool kopi_room_wake(kop_engine *e, kop_now now) {
  bool woken = false;
  kopi_link *link;
  while ((link = next_of(e)) != NULL) {
    kopi_room_waiter *w = KOPI_CONTAINER_OF(link, kopi_room_waiter, link);
    kopi_list_remove(&w->link);
    w->go(e, w, now);
    woken = true;
  }
  return woken;
}
