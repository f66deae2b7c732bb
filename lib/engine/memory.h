/*
 * Memory that requests hold, in three pools.
 *
 *   small   frames below 64 KiB, so that heartbeats pass when large ones wait     max_small_bytes_total
 *   large   the others                                                            max_frame_bytes_total
 *   parked  what long polls keep after their frame went                           max_parked_bytes_total
 *
 * What is charged to a pool is charged to its connection too, whose bound is max_connection_bytes. A frame that finds its pool full waits
 * (receive.c). A fetch that finds the pool of parked ones full does not wait for data: it is answered at once with what there is.
 *
 * A frame is charged whole when its length is known, so a sender could promise much and send little. That harms nobody
 * while there is room: a client on a bad line has all the time in the world. But while others wait for a pool, each frame in it
 * must gain an eighth of its size in every stalled_frame_ns; who does not is closed, and the memory goes to those who wait.
 *
 *   pool full --------|-- stalled_frame_ns --|-- stalled_frame_ns --|---
 *                     |          each frame is marked          judged by its mark, marked anew
 */
#ifndef KOPI_ENGINE_MEMORY_H
#define KOPI_ENGINE_MEMORY_H

#include "engine/engine.h"

/* The pool that a frame of that charge belongs to. */
kopi_memory_pool *kopi_memory_pool_of(kop_engine *e, uint64_t charge);

/* Whether a frame may be charged: there is room in its pool and nobody waits for it, and its connection is below its own bound. */
bool kopi_memory_admits(kop_engine *e, const kopi_conn *c, uint64_t charge);

/* Whether only the connection's own bound stands against it. */
bool kopi_memory_at_own_bound(const kop_engine *e, const kopi_conn *c, uint64_t charge);

/* `c` may be NULL: the connection has gone. */
void kopi_memory_charge(kop_engine *e, kopi_conn *c, kopi_memory_pool *pool, uint64_t bytes);
void kopi_memory_uncharge(kop_engine *e, kopi_conn *c, kopi_memory_pool *pool, uint64_t bytes);

/* Whether a request may keep its memory while it waits for something that may take long. */
bool kopi_memory_may_park(const kop_engine *e);

/* Somebody waits for the pool: frames that stall are looked for until nobody does. */
void kopi_memory_watch(kop_engine *e, kopi_memory_pool *pool, kop_now now);

#endif
