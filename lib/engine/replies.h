/*
 * Replies that wait for their bytes to leave, of all connections together: within max_reply_bytes_total.
 *
 *   0                                  half                    max_reply_bytes_total
 *   [ the next request of anybody       | that of a connection with none in work     ]
 *
 * A reply counts from when it is complete until its SEND is answered, with all that its request still holds: what is encoded, and what
 * that was made of. What a Fetch lends from the log counts in room.h instead. How large a reply becomes is known when it is there, so
 * requests are what is held back: at half of the bound a connection is read no further while it has requests in work, and at the
 * bound nobody is. Clients that ask and do not read so fill half of it, but for one request each, and who waits for each answer before
 * it asks again is served from the other half. A reply to what is in work is never held back, so the bound stops nothing that frees memory.
 *
 * Those who wait go on one by one, in order, those with nothing in work first. While somebody waits, for this or for room, whoever is in
 * the way must take an eighth of its SEND in every stalled_frame_ns, or its connection is closed. In the way is who holds as much as the
 * average of all connections, or more; and while somebody waits for room, who holds lent bytes. A long poll that holds replies back
 * is ended.
 */
#ifndef KOPI_ENGINE_REPLIES_H
#define KOPI_ENGINE_REPLIES_H

#include "engine/engine.h"

/* The reply is complete, or its request holds less than it did: counts what it holds. */
void kopi_replies_count(kop_engine *e, kopi_request *r);
/* Nobody waits for it any more; what its request holds stays counted. */
void kopi_replies_leave_conn(kopi_request *r);
/* What its request holds is freed. */
void kopi_replies_forget(kop_engine *e, kopi_request *r);

/* Whether half of the bound is reached. */
bool kopi_replies_pressed(const kop_engine *e);

/* Whether the connection may take on its next request: before its frame is received, or (`whole`) when it is there. False: it waits. */
bool kopi_replies_admit(kop_engine *e, kopi_conn *c, bool whole, kop_now now);

/* One that waits has no request in work any more: it is to be asked again. */
void kopi_replies_look(kopi_conn *c);

/* It waits no longer. */
void kopi_replies_leave(kopi_conn *c);

/* Lets the next of those who wait go on if it may; true if there was one. */
bool kopi_replies_wake(kop_engine *e);

/* Somebody waits: connections that do not take their replies are looked for until nobody does. */
void kopi_replies_watch(kop_engine *e, kop_now now);

#endif
