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

bool kopi_room_grant(const kop_engine *e, uint32_t wanted, bool waited, uint32_t *bytes) {
  if (!has_room(e) || (!waited && !kopi_list_empty(&e->room_waiters))) return false;
  uint64_t share = room_of(e) / 2;
  if (share < least_of(e)) share = least_of(e);
  *bytes = wanted < share ? wanted : (uint32_t)share;
  return true;
}

uint64_t kopi_room_charge(const kop_engine *e, uint32_t bytes) {
  uint64_t least = least_of(e);
  return bytes < least ? least : bytes;
}

void kopi_room_wait(kop_engine *e, kopi_room_waiter *w, kop_now now) {
  kopi_list_append(&e->room_waiters, &w->link);
  kopi_replies_watch(e, now);
}

void kopi_room_leave(kopi_room_waiter *w) {
  kopi_list_remove(&w->link);
}

bool kopi_room_wake(kop_engine *e, kop_now now) {
  bool woken = false;
  while (!kopi_list_empty(&e->room_waiters) && has_room(e)) {
    kopi_room_waiter *w =
        KOPI_CONTAINER_OF(kopi_list_first(&e->room_waiters), kopi_room_waiter, link);
    kopi_list_remove(&w->link);
    w->go(e, w, now);
    woken = true;
  }
  return woken;
}
