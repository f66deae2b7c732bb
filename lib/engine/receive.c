/*
 * Receiving: the bytes of a connection land in a block, and frames are cut where they landed.
 *
 *   block  [ parsed frames | start ... end | room ]
 *
 * Frames that are whole are handed on in place. When the length prefix of the next one says that it does not fit
 * behind `start`, a block of its size is taken and the part that has come moves there; its rest is received in place.
 * Between frames a connection holds no block, at most three bytes of a length prefix. And what has come of the next frame does not stay in a
 * block that was made for a large one before it, since it is charged for itself alone.
 */
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "engine/conn.h"
#include "engine/memory.h"
#include "engine/replies.h"
#include "engine/request.h"

enum {
  LEAST_CHARGE = 4 * 1024, /* a small request may hold a whole small block */
  BUSY_AFTER = 64 * 1024   /* a connection that has sent so much gets larger blocks */
};

static uint64_t charge_of(uint64_t frame) {
  return frame < LEAST_CHARGE ? LEAST_CHARGE : frame;
}

static void admit(kop_engine *e, kopi_conn *c, uint64_t charge) {
  kopi_memory_charge(e, c, kopi_memory_pool_of(e, charge), charge);
  c->admitted = charge;
  c->marked = false;
}

static void wait_for_memory(kop_engine *e, kopi_conn *c, uint64_t charge, kop_now now) {
  if (c->waits_memory) return;
  kopi_memory_pool *pool = kopi_memory_pool_of(e, charge);
  c->waits_memory = true;
  kopi_list_append(&pool->waiting, &c->waiting);
  pool->full = pool->full || !kopi_memory_at_own_bound(e, c, charge);
  if (pool->full) kopi_memory_watch(e, pool, now);
}

static void wait_no_longer(kopi_conn *c) {
  c->waits_memory = false;
  kopi_list_remove(&c->waiting);
}

static uint64_t next_frame(const kopi_conn *c) {
  return 4 + (uint64_t)kopi_load_be32(c->block->bytes + c->start);
}

static bool admit_from(kop_engine *e, kopi_memory_pool *pool, kop_now now) {
  bool admitted = false;
  pool->full = false;
  kopi_link *next;
  for (kopi_link *link = pool->waiting.next; link != &pool->waiting; link = next) {
    next = link->next;
    kopi_conn *c = KOPI_CONTAINER_OF(link, kopi_conn, waiting);
    uint64_t charge = charge_of(next_frame(c));
    if (kopi_memory_at_own_bound(e, c, charge)) continue; /* it holds nobody else up */
    pool->full = !kopi_memory_admits(e, c, charge);
    if (pool->full) break;
    wait_no_longer(c);
    admit(e, c, charge);
    kopi_conn_touch(e, c);
    admitted = true;
  }
  if (pool->full) kopi_memory_watch(e, pool, now);
  return admitted;
}

/* A frame of one pool does not wait behind one of the other. */
bool kopi_frames_admit(kop_engine *e, kop_now now) {
  bool small = admit_from(e, &e->pools[KOPI_POOL_SMALL], now);
  bool large = admit_from(e, &e->pools[KOPI_POOL_LARGE], now);
  return small || large;
}

bool kopi_conn_must_pause(const kop_engine *e, const kopi_conn *c) {
  return c->waits_memory || c->waits_reply || c->closes || e->shutting_down ||
         c->state != KOPI_CONN_OPEN || c->open_requests >= e->cfg.max_requests_per_connection;
}

void kopi_conn_drop_input(kop_engine *e, kopi_conn *c) {
  wait_no_longer(c);
  kopi_replies_leave(c);
  uint64_t charge = c->admitted;
  c->admitted = 0;
  kopi_memory_uncharge(e, c, kopi_memory_pool_of(e, charge), charge);
  c->stash_len = 0;
  if (c->offered > 0) { /* the embedder may be reading into the block: it goes with the commit */
    c->end = c->start;
    return;
  }
  kopi_block_unref(&e->blocks, c->block);
  c->block = NULL;
  c->start = 0;
  c->end = 0;
}

static void break_off(kop_engine *e, kopi_conn *c, const char *why, int64_t value) {
  kopi_log(e, KOP_LOG_WARN, "%s: closed, %s %lld", c->peer, why, (long long)value);
  e->stats.protocol_errors_total++;
  kopi_conn_drop_input(e, c);
  kopi_conn_close_after_replies(e, c, KOP_CLOSE_PROTOCOL);
}

static void move_to(kop_engine *e, kopi_conn *c, kopi_block *block) {
  size_t have = c->end - c->start;
  memcpy(block->bytes, c->block->bytes + c->start, have);
  kopi_block_unref(&e->blocks, c->block);
  c->block = block;
  c->start = 0;
  c->end = have;
}

/* Room behind `start` for the whole frame. */
static bool make_room(kop_engine *e, kopi_conn *c, size_t frame) {
  if (frame <= c->block->cap - c->start) return true;
  kopi_block *block = kopi_block_new(&e->blocks, frame);
  if (block != NULL) move_to(e, c, block);
  return block != NULL;
}

/* Moves what is there into a block for it, if it lies in one that is much too large. */
static void fit_block(kop_engine *e, kopi_conn *c) {
  size_t need = c->end - c->start;
  if (c->admitted > 0 && need < (size_t)next_frame(c)) need = (size_t)next_frame(c);
  if (c->block->cap <= KOPI_BLOCK_MEDIUM || c->block->cap / 2 <= need) return;
  kopi_block *block = kopi_block_new(&e->blocks, need < KOPI_BLOCK_SMALL ? KOPI_BLOCK_SMALL : need);
  if (block != NULL) move_to(e, c, block); /* else it stays where it is */
}

/* Fewer than four bytes are left: they move into the connection, the block goes. */
static void stash_rest(kop_engine *e, kopi_conn *c) {
  size_t rest = c->end - c->start;
  KOPI_ASSERT(rest < sizeof c->stash);
  memcpy(c->stash, c->block->bytes + c->start, rest);
  c->stash_len = (uint32_t)rest;
  kopi_block_unref(&e->blocks, c->block);
  c->block = NULL;
  c->start = 0;
  c->end = 0;
}

/* Takes one frame if it is there whole. False when parsing has to stop. */
static bool parse_one(kop_engine *e, kopi_conn *c, kop_now now) {
  uint32_t len = kopi_load_be32(c->block->bytes + c->start);
  if (len > (uint32_t)INT32_MAX || len > (uint64_t)e->settings.socket_request_max_bytes) {
    break_off(e, c, "a frame of the size", (int32_t)len);
    return false;
  }
  size_t frame = 4 + (size_t)len;
  if (c->admitted == 0) {
    if (!kopi_replies_admit(e, c, false, now)) return false;
    uint64_t charge = charge_of(frame);
    if (!kopi_memory_admits(e, c, charge)) {
      wait_for_memory(e, c, charge, now);
      return false;
    }
    admit(e, c, charge);
  }
  if (c->end - c->start < frame) {
    if (!make_room(e, c, frame)) {
      kopi_log(e, KOP_LOG_ERROR, "%s: closed, no memory for a frame of %zu bytes", c->peer, frame);
      kopi_conn_drop_input(e, c);
      kopi_conn_close(e, c, KOP_CLOSE_MEMORY);
    }
    return false;
  }
  if (!kopi_replies_admit(e, c, true, now)) return false;
  const uint8_t *bytes = c->block->bytes + c->start + 4;
  uint64_t charge = c->admitted;
  c->admitted = 0;
  c->start += frame;
  kopi_request_start(e, c, bytes, len, charge, now);
  return true;
}

void kopi_conn_parse(kop_engine *e, kopi_conn *c, kop_now now) {
  /* an offered buffer stays where it is until its commit */
  while (c->block != NULL && c->offered == 0 && !kopi_conn_must_pause(e, c)) {
    if (c->end - c->start < 4) {
      stash_rest(e, c);
      return;
    }
    if (!parse_one(e, c, now)) break;
  }
  if (c->block != NULL && c->offered == 0) fit_block(e, c);
}

kop_status kop_engine_recv_buffer(kop_engine *e, uint64_t conn, uint8_t **buffer,
                                  size_t *capacity) {
  *buffer = NULL;
  *capacity = 0;
  kopi_conn *c = kopi_map_u64_find(&e->conns, conn);
  if (c == NULL) return kopi_fail(e, KOP_ERR_NOT_FOUND, "no such connection");
  c->offered = 0;
  if (c->paused || kopi_conn_must_pause(e, c)) return KOP_OK;
  if (c->block == NULL) {
    c->block =
        kopi_block_new(&e->blocks, c->bytes_in < BUSY_AFTER ? KOPI_BLOCK_SMALL : KOPI_BLOCK_MEDIUM);
    if (c->block == NULL) return kopi_fail(e, KOP_ERR_NOMEM, "no memory to receive into");
    memcpy(c->block->bytes, c->stash, c->stash_len);
    c->start = 0;
    c->end = c->stash_len;
    c->stash_len = 0;
  }
  c->offered = c->block->cap - c->end;
  if (c->block->cap > KOPI_BLOCK_MEDIUM && c->admitted > 0) {
    size_t wanted = c->start + (size_t)next_frame(c) + KOPI_BLOCK_SMALL - c->end;
    if (wanted < c->offered) c->offered = wanted;
  }
  *buffer = c->block->bytes + c->end;
  *capacity = c->offered;
  return KOP_OK;
}

kop_status kop_engine_recv_commit(kop_engine *e, uint64_t conn, size_t n, kop_now now) {
  kopi_conn *c = kopi_map_u64_find(&e->conns, conn);
  if (c == NULL) return kopi_fail(e, KOP_ERR_NOT_FOUND, "no such connection");
  if (n > c->offered)
    return kopi_fail(e, KOP_ERR_INVALID, "more bytes than the buffer had room for");
  c->offered = 0;
  if (c->block == NULL) return KOP_OK;
  if (c->closes || c->state != KOPI_CONN_OPEN) {
    kopi_conn_drop_input(e, c);
    kopi_settle(e, now); /* others may wait for the memory */
    return KOP_OK;
  }
  c->end += n;
  c->bytes_in += n;
  e->stats.bytes_in_total += n;
  if (n > 0) c->active_ns = now.mono_ns;
  kopi_conn_touch(e, c);
  kopi_settle(e, now);
  return KOP_OK;
}

kop_status kop_engine_feed(kop_engine *e, uint64_t conn, const uint8_t *bytes, size_t len,
                           kop_now now, size_t *taken) {
  *taken = 0;
  while (*taken < len) {
    uint8_t *buffer = NULL;
    size_t capacity = 0;
    kop_status status = kop_engine_recv_buffer(e, conn, &buffer, &capacity);
    if (status != KOP_OK) return status;
    if (capacity == 0) return KOP_OK;
    size_t n = len - *taken < capacity ? len - *taken : capacity;
    memcpy(buffer, bytes + *taken, n);
    *taken += n;
    status = kop_engine_recv_commit(e, conn, n, now);
    if (status != KOP_OK) return status;
  }
  return KOP_OK;
}
