/* A request's life, from its frame to the last byte of its reply. */
#include "engine/request.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/endian.h"
#include "engine/api.h"
#include "engine/conn.h"
#include "engine/memory.h"
#include "engine/replies.h"
#include "wire/arena.h"

enum {
  KEPT_REQUESTS = 256,        /* in the pool */
  KEPT_OUT_BYTES = 32 * 1024, /* reply memory a pooled request may keep */
  KEPT_ARENA_BYTES =
      64 * 1024, /* the same for decoded arrays, also of one whose reply waits to be sent */
  MAX_REPLY_BYTES = 512 << 20, /* of one reply, lent bytes not counted */
  ARENA_BYTES = 128 << 20      /* of one request: decoded arrays, and the reply as it is built */
};

kop_slice kopi_text(const char *text) {
  return (kop_slice){.ptr = (const uint8_t *)text, .len = strlen(text)};
}

static void destroy(kop_engine *e, kopi_request *r) {
  kopi_list_remove(&r->all);
  kop_arena_free(r->arena);
  kopi_buf_free(&r->out);
  kopi_free(&e->alloc, r);
}

static kopi_request *new_request(kop_engine *e) {
  kopi_request *r = e->free_requests;
  if (r != NULL) {
    e->free_requests = r->next;
    e->free_requests_len--;
    if (e->free_requests_len < e->free_requests_least)
      e->free_requests_least = e->free_requests_len;
    return r;
  }
  r = kopi_calloc(&e->alloc, 1, sizeof *r);
  if (r == NULL) return NULL;
  kopi_buf_init(&r->out, &e->alloc, MAX_REPLY_BYTES);
  if (kop_arena_new(&e->alloc, ARENA_BYTES, &r->arena) != KOP_OK) {
    kopi_free(&e->alloc, r);
    return NULL;
  }
  kopi_list_append(&e->all_requests, &r->all);
  return r;
}

void kopi_requests_trim(kop_engine *e, uint32_t keep) {
  for (uint32_t n = e->free_requests_least; n > 0 && e->free_requests_len > keep; n--) {
    kopi_request *r = e->free_requests;
    e->free_requests = r->next;
    e->free_requests_len--;
    destroy(e, r);
  }
  e->free_requests_least = e->free_requests_len;
}

/* Back to the pool, with the memory that a usual request needs. */
static void recycle(kop_engine *e, kopi_request *r) {
  kopi_alarm_cancel(e, &r->alarm);
  if (r->release != NULL) r->release(e, r);
  kopi_block_unref(&e->blocks, r->block);
  kopi_memory_uncharge(e, NULL, r->pool, r->charge);
  kopi_replies_forget(e, r);
  e->stats.requests_open--;
  kop_arena_reset(r->arena);
  kopi_buf_reset(&r->out);
  if (e->free_requests_len >= KEPT_REQUESTS || r->out.cap > KEPT_OUT_BYTES ||
      kopi_arena_held(&r->arena->arena) > KEPT_ARENA_BYTES) {
    destroy(e, r);
    return;
  }
  kop_arena *arena = r->arena;
  kopi_buf out = r->out;
  kopi_link all = r->all;
  *r = (kopi_request){.arena = arena, .out = out, .all = all};
  r->next = e->free_requests;
  e->free_requests = r;
  e->free_requests_len++;
}

static void join_queue(kopi_conn *c, kopi_request *r) {
  r->next = NULL;
  if (c->tail == NULL) {
    c->head = r;
  } else {
    c->tail->next = r;
  }
  c->tail = r;
  c->open_requests++;
}

/*
 * The reply may wait long for a client that does not read, or for one before it. Then it keeps neither its frame, for which others wait, nor
 * what it was made of, if that is much or memory is short.
 */
static void lighten(kop_engine *e, kopi_request *r) {
  if (r->pins > 0 || r->state == KOPI_REQUEST_RUNNING) return;
  kopi_block_unref(&e->blocks, r->block);
  r->block = NULL;
  r->body = (kop_slice){.ptr = NULL};
  r->client_id = (kop_slice){.ptr = NULL};
  kopi_memory_uncharge(e, r->conn, r->pool, r->charge);
  r->charge = 0;
  size_t may_keep = kopi_replies_pressed(e) ? 0 : KEPT_ARENA_BYTES;
  if (r->release == NULL && kopi_arena_held(&r->arena->arena) > may_keep) {
    kopi_alarm_cancel(e, &r->alarm);
    r->state_of_api = NULL;
    kopi_arena_free(&r->arena->arena);
  }
}

void kopi_requests_lighten(kop_engine *e, kopi_conn *c) {
  for (kopi_request *r = c->head; r != NULL; r = r->next)
    lighten(e, r);
}

static void done(kop_engine *e, kopi_request *r, kop_now now) {
  KOPI_ASSERT(r->state == KOPI_REQUEST_RUNNING);
  r->state = KOPI_REQUEST_DONE;
  r->cancel = NULL;
  r->at_head = NULL;
  if (r->conn == NULL) {
    kopi_request_finish(e, r, now);
    return;
  }
  if (!r->closes) lighten(e, r); /* else its handler may still look at what it has */
  kopi_replies_count(e, r);
  kopi_conn_touch(e, r->conn);
}

void kopi_conn_close_after_replies(kop_engine *e, kopi_conn *c, uint32_t reason) {
  kopi_request *r = new_request(e);
  if (r == NULL) {
    kopi_conn_close(e, c, reason);
    return;
  }
  e->stats.requests_open++;
  r->conn = c;
  r->state = KOPI_REQUEST_DONE;
  r->closes = true;
  r->close_reason = reason;
  c->closes = true;
  join_queue(c, r);
  kopi_conn_touch(e, c);
}

/* An API or version that is not served. Kafka closes the connection, but for ApiVersions. */
static void refuse(kop_engine *e, kopi_request *r, const kop_request_header *h, kop_now now) {
  if (h->api_key == 18) {
    kopi_api_versions_unsupported(e, r, now);
    return;
  }
  kopi_log(e, KOP_LOG_WARN, "%s: closed, asked for api key %d version %d, which is not served",
           r->conn->peer, h->api_key, h->api_version);
  kopi_request_close(e, r, KOP_CLOSE_PROTOCOL, now);
}

void kopi_request_start(kop_engine *e, kopi_conn *c, const uint8_t *frame, size_t len,
                        uint64_t charge, kop_now now) {
  kopi_request *r = new_request(e);
  if (r == NULL) {
    kopi_memory_uncharge(e, c, kopi_memory_pool_of(e, charge), charge);
    kopi_log(e, KOP_LOG_ERROR, "%s: closed, no memory for a request", c->peer);
    kopi_conn_close(e, c, KOP_CLOSE_MEMORY);
    return;
  }
  r->conn = c;
  r->block = c->block;
  r->pool = kopi_memory_pool_of(e, charge);
  r->charge = charge;
  r->state = KOPI_REQUEST_RUNNING;
  kopi_block_ref(c->block);
  join_queue(c, r);
  e->stats.requests_total++;
  e->stats.requests_open++;
  kop_request_header h;
  if (kop_request_header_decode(frame, len, &h, sizeof h) != KOP_OK) {
    kopi_log(e, KOP_LOG_WARN, "%s: closed, a request header that cannot be read", c->peer);
    kopi_request_close(e, r, KOP_CLOSE_PROTOCOL, now);
    return;
  }
  r->api_key = h.api_key;
  r->version = h.api_version;
  r->correlation_id = h.correlation_id;
  r->client_id = h.client_id;
  r->body = (kop_slice){.ptr = frame + h.body_offset, .len = len - h.body_offset};
  const kopi_api *api = kopi_api_find(e, h.api_key);
  if (api == NULL || !h.supported || h.api_version < api->min || h.api_version > api->max) {
    refuse(e, r, &h, now);
    return;
  }
  api->handle(e, r, now);
}

bool kopi_request_decode(kop_engine *e, kopi_request *r, uint32_t message, void *msg, size_t size,
                         kop_now now) {
  size_t consumed = 0; /* Kafka reads no further than the message and ignores what follows */
  kop_status status = kop_message_decode(message, r->version, r->arena, r->body.ptr, r->body.len,
                                         msg, size, &consumed);
  if (status == KOP_OK) return true;
  if (status == KOP_ERR_NOMEM) {
    kopi_request_out_of_memory(e, r, now);
    return false;
  }
  kopi_log(e, KOP_LOG_WARN, "%s: closed, a request of api key %d version %d: %s", r->conn->peer,
           r->api_key, r->version, kop_strerror(status));
  kopi_request_close(e, r, KOP_CLOSE_PROTOCOL, now);
  return false;
}

void *kopi_request_alloc(kop_engine *e, kopi_request *r, size_t count, size_t size, kop_now now) {
  void *p = NULL;
  if (kop_arena_alloc(r->arena, count, size, &p) == KOP_OK) return p;
  kopi_request_out_of_memory(e, r, now);
  return NULL;
}

/* Length prefix and response header, with room for the body behind them. */
static uint8_t *begin(kopi_request *r, size_t body, size_t *header) {
  *header = 4 + kop_response_header_size(r->api_key, r->version);
  uint64_t frame = *header - 4 + body;
  if (frame > (uint64_t)INT32_MAX) return NULL;
  uint8_t *out = kopi_buf_reserve(&r->out, *header + body);
  if (out == NULL) return NULL;
  kopi_store_be32(out, (uint32_t)frame);
  size_t written = 0;
  kop_status status = kop_response_header_encode(r->api_key, r->version, r->correlation_id, out + 4,
                                                 *header - 4, &written);
  return status == KOP_OK ? out : NULL;
}

static void bad_reply(kop_engine *e, kopi_request *r, kop_status status, kop_now now) {
  kopi_log(e, KOP_LOG_ERROR, "a reply to api key %d version %d cannot be written: %s", r->api_key,
           r->version, kop_strerror(status));
  kopi_request_close(e, r, KOP_CLOSE_MEMORY, now);
}

void kopi_reply_whole(kop_engine *e, kopi_request *r, kop_now now) {
  r->single = (kop_slice){.ptr = r->out.data, .len = r->out.len};
  kopi_reply_slices(e, r, &r->single, 1, r->out.len, now);
}

void kopi_reply(kop_engine *e, kopi_request *r, uint32_t message, const void *msg, size_t size,
                kop_now now) {
  size_t body = 0;
  kop_status status = kop_message_size(message, r->version, msg, size, &body);
  if (status != KOP_OK) {
    bad_reply(e, r, status, now);
    return;
  }
  size_t header = 0;
  uint8_t *out = begin(r, body, &header);
  if (out == NULL) {
    bad_reply(e, r, KOP_ERR_NOMEM, now);
    return;
  }
  size_t written = 0;
  status = kop_message_encode(message, r->version, msg, size, out + header, body, &written);
  if (status != KOP_OK) {
    bad_reply(e, r, status, now);
    return;
  }
  r->out.len = header + written;
  kopi_reply_whole(e, r, now);
}

kop_status kopi_reply_begin_cuts(kop_engine *e, kopi_request *r, uint32_t message, const void *msg,
                                 size_t size, kop_cut *cuts, size_t cuts_len) {
  (void)e;
  size_t body = 0;
  size_t count = 0;
  kop_status status = kop_message_size_cuts(message, r->version, msg, size, &body, &count);
  if (status != KOP_OK) return status;
  if (count > cuts_len) return KOP_ERR_NO_SPACE;
  size_t header = 0;
  uint8_t *out = begin(r, body, &header);
  if (out == NULL) return KOP_ERR_NOMEM;
  size_t written = 0;
  status = kop_message_encode_cuts(message, r->version, msg, size, out + header, body, &written,
                                   cuts, cuts_len, &count);
  if (status != KOP_OK) return status;
  uint64_t cut_bytes = 0;
  for (size_t i = 0; i < count; i++) {
    cuts[i].at += header;
    cut_bytes += cuts[i].bytes.len;
  }
  uint64_t frame = header - 4 + written + cut_bytes;
  if (frame > (uint64_t)INT32_MAX) return KOP_ERR_LIMIT;
  kopi_store_be32(out, (uint32_t)frame);
  r->out.len = header + written;
  return KOP_OK;
}

void kopi_reply_slices(kop_engine *e, kopi_request *r, const kop_slice *slices, uint32_t n,
                       uint64_t bytes, kop_now now) {
  r->slices = slices;
  r->slices_len = n;
  r->slices_bytes = bytes;
  done(e, r, now);
}

void kopi_no_reply(kop_engine *e, kopi_request *r, kop_now now) {
  r->no_reply = true;
  done(e, r, now);
}

void kopi_request_close(kop_engine *e, kopi_request *r, uint32_t reason, kop_now now) {
  r->closes = true;
  r->close_reason = reason;
  if (reason == KOP_CLOSE_PROTOCOL) e->stats.protocol_errors_total++;
  if (r->conn != NULL) r->conn->closes = true;
  done(e, r, now);
}

void kopi_request_out_of_memory(kop_engine *e, kopi_request *r, kop_now now) {
  kopi_log(e, KOP_LOG_ERROR, "no memory for a request of api key %d", r->api_key);
  kopi_request_close(e, r, KOP_CLOSE_MEMORY, now);
}

void kopi_request_pin(kopi_request *r) {
  r->pins++;
}

void kopi_request_unpin(kop_engine *e, kopi_request *r, kop_now now) {
  (void)now;
  KOPI_ASSERT(r->pins > 0);
  r->pins--;
  if (r->pins > 0) return;
  if (r->finished) {
    recycle(e, r);
  } else if (r->state != KOPI_REQUEST_RUNNING) {
    lighten(e, r);
    kopi_replies_count(e, r);
  }
}

void kopi_request_finish(kop_engine *e, kopi_request *r, kop_now now) {
  (void)now;
  r->finished = true;
  if (r->conn != NULL) { /* a pinned request outlives it; its memory stays charged to the pool */
    r->conn->charged -= r->charge;
    kopi_replies_leave_conn(r);
    kopi_conn_touch(e, r->conn);
    r->conn = NULL;
  }
  if (r->pins == 0) recycle(e, r);
}

void kopi_request_drop_frame(kop_engine *e, kopi_request *r, kop_now now) {
  (void)now;
  kopi_block_unref(&e->blocks, r->block);
  r->block = NULL;
  kopi_memory_uncharge(e, r->conn, r->pool, r->charge);
  r->pool = &e->pools[KOPI_POOL_PARKED];
  r->charge = kopi_arena_held(&r->arena->arena);
  kopi_memory_charge(e, r->conn, r->pool, r->charge);
  r->body = (kop_slice){.ptr = NULL};
  r->client_id = (kop_slice){.ptr = NULL};
}

void kopi_request_orphan(kop_engine *e, kopi_request *r, kop_now now) {
  r->conn = NULL;
  if (r->state == KOPI_REQUEST_DONE) {
    kopi_request_finish(e, r, now);
  } else if (r->cancel != NULL) {
    r->cancel(e, r, now);
  }
}

void kopi_requests_free(kop_engine *e) {
  kopi_link *link;
  while ((link = kopi_list_first(&e->all_requests)) != NULL) {
    kopi_request *r = KOPI_CONTAINER_OF(link, kopi_request, all);
    if (r->release != NULL) r->release(e, r);
    kopi_block_unref(&e->blocks, r->block);
    destroy(e, r);
  }
}
