/*
 * A request's life, from its frame to the last byte of its reply. docs/engine-states.md has the states.
 *
 * A handler (kopi_api_x) decodes, does what it can, and calls kopi_reply once, at once or later. What it needs until then it
 * allocates from the request's arena. `cancel` is called when the connection goes while the request is RUNNING.
 */
#ifndef KOPI_ENGINE_REQUEST_H
#define KOPI_ENGINE_REQUEST_H

#include <kop/kafka_error.h>
#include <kop/messages.h>
#include <kop/wire.h>

#include "base/buf.h"
#include "engine/engine.h"

enum kopi_request_state {
  KOPI_REQUEST_RUNNING,
  KOPI_REQUEST_DONE,   /* its reply is complete (or it has none) */
  KOPI_REQUEST_SENDING /* in the open SEND */
};

struct kopi_request {
  kopi_conn *conn;         /* NULL after the connection has gone */
  kopi_request *next;      /* in the connection's reply queue, or the free list */
  kopi_request *wait_next; /* in a queue of one of the APIs */
  kopi_link all;
  kopi_block *block;
  kopi_memory_pool *pool; /* that the charge belongs to */
  uint64_t charge;
  uint64_t reply_charge; /* of the reply, from when it is complete: see replies.h */
  int32_t correlation_id;
  int16_t api_key;
  int16_t version;
  uint8_t state;
  bool no_reply;
  bool finished; /* its reply has left, or nobody waits for it */
  bool closes;   /* its turn in the reply queue closes the connection */
  bool lends;    /* its reply holds bytes of READs */
  uint32_t close_reason;
  uint32_t pins; /* open appends and reads that use its memory */
  kop_slice client_id;
  kop_slice body;
  kop_arena *arena;
  void *state_of_api;

  kopi_buf out;            /* length prefix, response header, body */
  kop_slice single;        /* the whole of `out`, for replies in one piece */
  const kop_slice *slices; /* what is sent */
  uint32_t slices_len;
  uint64_t slices_bytes;

  kopi_lease_question *questions; /* see lease.h */
  uint32_t questions_open;

  kopi_alarm alarm; /* the request's time-out */
  void (*cancel)(kop_engine *e, kopi_request *r, kop_now now);
  void (*at_head)(kop_engine *e, kopi_request *r,
                  kop_now now); /* RUNNING and become the head of the reply queue */
  void (*resume)(kop_engine *e, kopi_request *r, kop_now now); /* see kopi_lease_wait */
  void (*release)(kop_engine *e, kopi_request *r);             /* before its memory ends */
};

/* Makes a request of a frame (without its prefix) that lies in the block, and runs it. The charge goes over to it. */
void kopi_request_start(kop_engine *e, kopi_conn *c, const uint8_t *frame, size_t len,
                        uint64_t charge, kop_now now);

/* Decodes the body; on failure the connection will be closed and false is returned: return at once. */
bool kopi_request_decode(kop_engine *e, kopi_request *r, uint32_t message, void *msg, size_t size,
                         kop_now now);

/* Zeroed memory that lives as long as the request; NULL: kopi_request_out_of_memory was called, return at once. */
void *kopi_request_alloc(kop_engine *e, kopi_request *r, size_t count, size_t size, kop_now now);

/* The reply, in one piece. The request may be gone when it returns. */
void kopi_reply(kop_engine *e, kopi_request *r, uint32_t message, const void *msg, size_t size,
                kop_now now);

/* The reply is in r->out, in one piece. The request may be gone when it returns. */
void kopi_reply_whole(kop_engine *e, kopi_request *r, kop_now now);

/*
 * A reply whose record sets are sent from where they lie: what is encoded lands in r->out, the frame's length counts the
 * cuts in, and their `at` are positions in r->out. Follow with kopi_reply_slices.
 */
kop_status kopi_reply_begin_cuts(kop_engine *e, kopi_request *r, uint32_t message, const void *msg,
                                 size_t size, kop_cut *cuts, size_t cuts_len);

/* The reply is in r->slices; the request may be gone when it returns. */
void kopi_reply_slices(kop_engine *e, kopi_request *r, const kop_slice *slices, uint32_t n,
                       uint64_t bytes, kop_now now);

/* Nothing is answered (acks=0). */
void kopi_no_reply(kop_engine *e, kopi_request *r, kop_now now);

/* The connection is closed when the request's turn comes; it may be gone when it returns. */
void kopi_request_close(kop_engine *e, kopi_request *r, uint32_t reason, kop_now now);

/* The same because memory was refused. */
void kopi_request_out_of_memory(kop_engine *e, kopi_request *r, kop_now now);

void kopi_request_pin(kopi_request *r);
/* The request may be gone when it returns. */
void kopi_request_unpin(kop_engine *e, kopi_request *r, kop_now now);

/* Its connection is going to be closed: what the replies before that need not have is given back. */
void kopi_requests_lighten(kop_engine *e, kopi_conn *c);

/* Its reply has left, or nobody waits for it: frees it unless it is pinned. */
void kopi_request_finish(kop_engine *e, kopi_request *r, kop_now now);

/*
 * The block is not needed any more: what the handler keeps it has copied. The request is charged for that instead, or a few
 * megabytes of long polls would hold gigabytes.
 */
void kopi_request_drop_frame(kop_engine *e, kopi_request *r, kop_now now);

/* The connection has gone. */
void kopi_request_orphan(kop_engine *e, kopi_request *r, kop_now now);

/* Frees pooled requests that were not needed since the last call, but for `keep`. */
void kopi_requests_trim(kop_engine *e, uint32_t keep);

/* Frees the pool. */
void kopi_requests_free(kop_engine *e);

/* Text of a constant string as a slice. */
kop_slice kopi_text(const char *text);

#endif
