/*
 * Room for READs: what their results hold, and what those that are open have asked for, within max_lent_bytes.
 *
 *   max_lent_bytes   [ lent: results held for replies | asked: max_bytes of open READs | room                  ]
 *                                                                                       a READ gets half of it
 *
 * A READ is granted what it wants, but no more than half of the room, so that a few replies to clients that do not read leave
 * something for the others. It counts as KOPI_LEAST_READ at least, since it gives one batch even if that is larger than what was asked for;
 * only batches beyond that size pass the bound. Who finds less room than that waits, in order, and nobody passes those who wait.
 * When nothing is lent or asked for, the first in the queue goes on, however small the bound is.
 *
 * Newcomers, connections that have not yet taken any bytes of a READ, may have half of it all together. So a crowd of clients that ask and
 * do not read does not keep those from their records who do. They wait in a queue of their own, which takes turns with
 * that of the others.
 */
#ifndef KOPI_ENGINE_ROOM_H
#define KOPI_ENGINE_ROOM_H

#include "engine/engine.h"

enum { KOPI_LEAST_READ = 1 << 20 /* an eighth of max_lent_bytes, if that is less */ };

/* Somebody who waits for room; embedded in what waits. A zeroed one does not wait. */
typedef struct kopi_room_waiter {
  kopi_link link;
  void (*go)(kop_engine *e, struct kopi_room_waiter *w, kop_now now);
} kopi_room_waiter;

/*
 * False: there is no room, wait. Else *bytes is what a READ that wants `wanted` may ask for, at most that. `waited`: called by a waiter's
 * `go`, before which nobody is. `newcomer`: for a connection that has taken nothing yet; what it gets is to be counted in e->newcomer_bytes.
 */
bool kopi_room_grant(const kop_engine *e, bool newcomer, uint32_t wanted, bool waited,
                     uint32_t *bytes);

/* What an open READ of that many bytes counts as. */
uint64_t kopi_room_charge(const kop_engine *e, uint32_t bytes);

/* Calls w->go once, as soon as there is room. Until then connections that do not take what they were lent are looked for (replies.h). */
void kopi_room_wait(kop_engine *e, bool newcomer, kopi_room_waiter *w, kop_now now);

/* Whether somebody waits. */
bool kopi_room_is_awaited(const kop_engine *e);

/* Waits no longer. */
void kopi_room_leave(kopi_room_waiter *w);

/* Calls those who wait for room, as long as there is; true if there was one. */
bool kopi_room_wake(kop_engine *e, kop_now now);

#endif
