/* Memory that requests hold, in three pools. */
#include "engine/memory.h"

#include "engine/conn.h"

enum {
  LARGE_FRAME = 64 * 1024, /* from here on a frame is charged to the pool of large ones */
  GAIN_PART = 8            /* of its size, that a frame must gain while others wait */
};

kopi_memory_pool *kopi_memory_pool_of(kop_engine *e, uint64_t charge) {
  return &e->pools[charge < LARGE_FRAME ? KOPI_POOL_SMALL : KOPI_POOL_LARGE];
}

bool kopi_memory_at_own_bound(const kop_engine *e, const kopi_conn *c, uint64_t charge) {
  return c->charged != 0 && c->charged + charge > e->cfg.max_connection_bytes;
}

bool kopi_memory_admits(kop_engine *e, const kopi_conn *c, uint64_t charge) {
  const kopi_memory_pool *pool = kopi_memory_pool_of(e, charge);
  bool all = pool->charged == 0 || pool->charged + charge <= pool->limit;
  return !pool->full && all && !kopi_memory_at_own_bound(e, c, charge);
}

void kopi_memory_charge(kop_engine *e, kopi_conn *c, kopi_memory_pool *pool, uint64_t bytes) {
  pool->charged += bytes;
  e->stats.frame_bytes += bytes;
  if (c != NULL) c->charged += bytes;
}

void kopi_memory_uncharge(kop_engine *e, kopi_conn *c, kopi_memory_pool *pool, uint64_t bytes) {
  if (bytes == 0) return;
  pool->charged -= bytes;
  e->stats.frame_bytes -= bytes;
  if (c == NULL) return;
  c->charged -= bytes;
  kopi_conn_touch(e, c);
}

bool kopi_memory_may_park(const kop_engine *e) {
  const kopi_memory_pool *pool = &e->pools[KOPI_POOL_PARKED];
  return pool->charged <= pool->limit;
}

/* ---- frames that stall ---- */

static void close_stalled(kop_engine *e, kopi_conn *c) {
  kopi_log(e, KOP_LOG_WARN, "%s: closed, a request of %llu bytes stalled while others waited",
           c->peer, (unsigned long long)c->admitted);
  kopi_conn_drop_input(e, c);
  kopi_conn_close_after_replies(e, c, KOP_CLOSE_SLOW);
}

static void judge(kop_engine *e, kopi_conn *c) {
  size_t here = c->end - c->start;
  if (c->marked && here - c->mark < c->admitted / GAIN_PART) {
    close_stalled(e, c);
    return;
  }
  c->marked = true;
  c->mark = here;
}

static void on_watch(kop_engine *e, kopi_alarm *alarm, kop_now now) {
  kopi_memory_pool *pool = KOPI_CONTAINER_OF(alarm, kopi_memory_pool, watch);
  pool->watched = pool->full;
  if (!pool->watched) return;
  kopi_link *next;
  for (kopi_link *link = e->all_conns.next; link != &e->all_conns; link = next) {
    next = link->next;
    kopi_conn *c = KOPI_CONTAINER_OF(link, kopi_conn, all);
    bool coming = c->admitted > 0 && !c->waits_reply;
    if (coming && kopi_memory_pool_of(e, c->admitted) == pool) judge(e, c);
  }
  kopi_alarm_set(e, alarm, kopi_later(now, e->cfg.stalled_frame_ns));
}

void kopi_memory_watch(kop_engine *e, kopi_memory_pool *pool, kop_now now) {
  if (pool->watched || e->cfg.stalled_frame_ns == 0) return;
  pool->watched = true;
  pool->watch.fire = on_watch;
  kopi_alarm_set(e, &pool->watch, kopi_later(now, e->cfg.stalled_frame_ns));
}
