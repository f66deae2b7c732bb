/*
 * Receiving: the bytes of a connection land in a block, and frames are handed on where they landed.
 *
 *   block  [ handed on | start ... end | room ]
 *
 * A block is counted: the connection holds one reference while it reads into it, each message that waits or is kept
 * another. When the length of the next frame says that it does not fit behind `start`, what has come of it moves to the
 * front of the block, or of a larger one. Between frames a connection holds no block.
 */
#include <string.h>

#include "base/endian.h"
#include "pulsar/frame.h"
#include "pulsar/session_conn.h"

enum { BLOCK_BYTES = 64 << 10, LENGTH_BYTES = 4 };

static uint64_t bytes_of(const kopi_block *b) {
  return sizeof *b + b->cap;
}

/* ---- admission ---- */

static bool has_room(const kopi_ps *s, const kopi_ps_conn *c, uint64_t need) {
  uint64_t held = s->stats.receive_bytes - s->thirsty_held;
  if (c->block != NULL && !c->is_thirsty) held -= bytes_of(c->block); /* it gives that back */
  return held == 0 || (need <= s->cfg.max_receive_bytes && held <= s->cfg.max_receive_bytes - need);
}

static void show_pause(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  (void)body;
  kopi_ps_conn *c = KOPI_CONTAINER_OF(node, kopi_ps_conn, pause_node);
  fx->kind = c->is_thirsty ? KOP_PULSAR_RECV_PAUSE : KOP_PULSAR_RECV_RESUME;
  fx->target = c->id;
}

const kopi_ps_news KOPI_PS_PAUSE_NEWS = {.show = show_pause};

static void become_thirsty(kopi_ps *s, kopi_ps_conn *c) {
  c->is_thirsty = true;
  c->thirst_held = c->block == NULL ? 0 : bytes_of(c->block);
  s->thirsty_held += c->thirst_held;
  kopi_list_append(&s->thirsty, &c->thirst);
  kopi_ps_tell(s, &c->pause_node);
}

static void end_thirst(kopi_ps *s, kopi_ps_conn *c) {
  if (!c->is_thirsty) return;
  c->is_thirsty = false;
  s->thirsty_held -= c->thirst_held;
  kopi_list_remove(&c->thirst);
}

/* The capacity that the connection needs before it can go on reading; 0: it has it. */
static size_t need_of(const kopi_ps_conn *c) {
  if (c->block == NULL) return BLOCK_BYTES;
  size_t have = c->end - c->start;
  size_t frame = LENGTH_BYTES;
  if (have >= LENGTH_BYTES) frame += kopi_load_be32(c->block->bytes + c->start);
  if (c->start + frame <= c->block->cap && c->end < c->block->cap) return 0;
  return frame > BLOCK_BYTES ? frame : BLOCK_BYTES;
}

void kopi_ps_block_unref(kopi_ps *s, kopi_block *b) {
  if (b == NULL) return;
  bool last = b->refs == 1;
  if (last) s->stats.receive_bytes -= bytes_of(b);
  kopi_block_unref(&s->blocks, b);
  if (last) kopi_ps_receive_relieve(s);
}

/* ---- the block ---- */

static void give_up_block(kopi_ps *s, kopi_ps_conn *c) {
  kopi_block *b = c->block;
  c->block = NULL;
  c->start = 0;
  c->end = 0;
  c->offered = 0;
  kopi_ps_block_unref(s, b);
}

void kopi_ps_receive_end(kopi_ps *s, kopi_ps_conn *c) {
  end_thirst(s, c);
  give_up_block(s, c);
}

/* A block of that capacity to go on in, with what has come of the next frame at its front. */
static kop_status move_on(kopi_ps *s, kopi_ps_conn *c, size_t cap) {
  size_t have = c->end - c->start;
  kopi_block *old = c->block;
  if (old != NULL && old->refs == 1 && old->cap >= cap) {
    memmove(old->bytes, old->bytes + c->start, have);
  } else {
    kopi_block *b = kopi_block_new(&s->blocks, cap);
    if (b == NULL) return KOP_ERR_NOMEM;
    s->stats.receive_bytes += bytes_of(b);
    if (have > 0) memcpy(b->bytes, old->bytes + c->start, have);
    c->block = b;
    kopi_ps_block_unref(s, old);
  }
  c->start = 0;
  c->end = have;
  return KOP_OK;
}

/*
 * One that waits in the middle of a frame gets its block at once, since the rest will come; one that waits between frames
 * may have nothing to read, so it takes its block when it has.
 */
void kopi_ps_receive_relieve(kopi_ps *s) {
  if (s->relieving) return; /* the loop below goes on */
  s->relieving = true;
  kopi_link *link;
  while ((link = kopi_list_first(&s->thirsty)) != NULL) {
    kopi_ps_conn *c = KOPI_CONTAINER_OF(link, kopi_ps_conn, thirst);
    size_t need = need_of(c);
    if (!has_room(s, c, need)) break;
    end_thirst(s, c);
    c->heard = s->now; /* it was not listened to */
    kopi_ps_tell(s,
                 &c->pause_node); /* also if PAUSE was not told yet: a capacity of 0 promised it */
    if (c->block != NULL)
      (void)move_on(s, c, need); /* without memory it asks again when it reads */
  }
  s->relieving = false;
}

kop_status kop_pulsar_recv_buffer(kop_pulsar_session *s, uint64_t conn, uint8_t **buffer,
                                  size_t *capacity) {
  *buffer = NULL;
  *capacity = 0;
  kopi_ps_conn *c = kopi_ps_conn_find(s, conn);
  if (c == NULL) return KOP_ERR_NOT_FOUND;
  if (c->is_thirsty || c->state == KOPI_PS_CONN_CONNECTING || c->state == KOPI_PS_CONN_CLOSING)
    return KOP_OK;
  size_t need = need_of(c);
  if (need > 0) {
    if (!kopi_list_empty(&s->thirsty) || !has_room(s, c, need)) {
      become_thirsty(s, c);
      return KOP_OK;
    }
    kop_status status = move_on(s, c, need);
    if (status != KOP_OK) return status;
  }
  c->offered = c->block->cap - c->end;
  *buffer = c->block->bytes + c->end;
  *capacity = c->offered;
  return KOP_OK;
}

/* ---- frames ---- */

static void bad_frame(kopi_ps *s, kopi_ps_conn *c, kop_status status) {
  kopi_ps_conn_fail_text(s, c, KOP_PULSAR_BAD_ANSWER,
                         status == KOP_ERR_LIMIT ? "a frame above max_frame_bytes"
                                                 : "a frame that cannot be one");
}

/* Hands on every whole frame. The block is held meanwhile: a frame may end its connection. */
static void parse(kopi_ps *s, kopi_ps_conn *c) {
  kopi_block *b = c->block;
  kopi_block_ref(b);
  while (c->state != KOPI_PS_CONN_CLOSING && c->end > c->start) {
    size_t size = 0;
    const uint8_t *p = b->bytes + c->start;
    kop_status status = kopi_pulsar_frame_size(p, c->end - c->start, s->cfg.max_frame_bytes, &size);
    if (status == KOP_ERR_TRUNCATED) break;
    if (status != KOP_OK) {
      bad_frame(s, c, status);
      break;
    }
    if (c->end - c->start < size) break;
    c->start += size;
    kopi_ps_dispatch(s, c, (kop_slice){.ptr = p, .len = size});
  }
  if (c->block != NULL && c->start == c->end) give_up_block(s, c);
  kopi_ps_block_unref(s, b);
}

kop_status kop_pulsar_recv_commit(kop_pulsar_session *s, uint64_t conn, size_t n, kop_now now) {
  s->now = now.mono_ns;
  kopi_ps_conn *c = kopi_ps_conn_find(s, conn);
  if (c == NULL) return KOP_ERR_NOT_FOUND;
  if (c->state == KOPI_PS_CONN_CLOSING) return KOP_OK;
  if (n > c->offered) return KOP_ERR_INVALID;
  c->offered = 0;
  if (n > 0) {
    c->heard = s->now;
    c->pinged = false;
    s->stats.bytes_in_total += n;
    c->end += n;
    parse(s, c);
  } else if (c->block != NULL && c->start == c->end) {
    give_up_block(s, c);
  }
  return KOP_OK;
}

kop_status kop_pulsar_feed(kop_pulsar_session *s, uint64_t conn, const uint8_t *bytes, size_t len,
                           kop_now now, size_t *taken) {
  *taken = 0;
  while (*taken < len) {
    uint8_t *to = NULL;
    size_t cap = 0;
    kop_status status = kop_pulsar_recv_buffer(s, conn, &to, &cap);
    if (status != KOP_OK) return status;
    if (cap == 0) {
      const kopi_ps_conn *c = kopi_ps_conn_find(s, conn);
      if (c->state == KOPI_PS_CONN_CLOSING) *taken = len; /* nobody will ask for it again */
      return KOP_OK;
    }
    size_t n = len - *taken < cap ? len - *taken : cap;
    memcpy(to, bytes + *taken, n);
    *taken += n;
    status = kop_pulsar_recv_commit(s, conn, n, now);
    if (status != KOP_OK) return status;
  }
  return KOP_OK;
}
