/*
 * A connection: where its bytes land, and in which order its replies leave. docs/engine-states.md has its life.
 */
#ifndef KOPI_ENGINE_CONN_H
#define KOPI_ENGINE_CONN_H

#include "engine/engine.h"

enum kopi_conn_state {
  KOPI_CONN_OPEN,
  KOPI_CONN_CLOSING, /* CLOSE is emitted; nothing is read or sent any more */
  KOPI_CONN_GONE /* conn_closed was called; freed when its SEND is answered and a drain has passed */
};

struct kopi_conn {
  uint64_t id;
  uint64_t context;
  uint32_t listener;
  uint8_t state;
  bool paused;       /* as last told to the embedder */
  bool waits_memory; /* in the queue of a pool */
  bool waits_reply;  /* in a queue of replies.h */
  bool reply_first;  /* and in which */
  bool reply_turn;   /* it was taken out of that queue: it passes those who wait */
  bool
      closes; /* a request that ends the connection is in the reply queue: nothing more is parsed */
  char peer[64];
  bool touched;      /* has something for kopi_settle to look at */
  kopi_conn *next;   /* among the dead */
  kopi_link waiting; /* in the queue of a pool */
  kopi_link reply_waiting;
  kopi_conn *touched_next;
  kopi_link all;

  /* receiving */
  kopi_block *block; /* NULL between frames */
  size_t start;      /* first byte not yet parsed */
  size_t end;        /* one past the last byte received */
  size_t offered;    /* capacity of the last recv_buffer */
  uint8_t stash[4];  /* fewer than 4 bytes of the next length prefix, while there is no block */
  uint32_t stash_len;
  uint64_t admitted; /* charge of the frame being received, 0 before its prefix is known */
  bool marked;       /* that frame was there when stalled ones were last looked for, see memory.h */
  size_t mark;       /* and had so many bytes */
  uint64_t charged;  /* charge of all that its requests hold, that frame included */
  uint64_t unread;   /* of it, that of replies that wait to be sent */
  uint64_t bytes_in;

  /* replying */
  kopi_request *head; /* requests in order of arrival */
  kopi_request *tail;
  uint32_t open_requests;
  uint32_t sending; /* how many from the head are in the open SEND */
  kopi_op *send;
  kop_slice *slices; /* of a SEND of several replies */
  uint32_t slices_cap;
  bool send_lends;     /* that SEND holds bytes of READs */
  bool has_taken;      /* some such SEND has left: it reads what it asks for */
  uint64_t send_taken; /* how many of its bytes have left, as far as the embedder told */
  uint64_t taken;      /* bytes of all SENDs that have left */
  bool taken_marked;   /* those who do not read were looked for during that SEND, see replies.h */
  uint64_t taken_mark;

  kopi_op *flow; /* reserved for PAUSE and RESUME, NULL while queued */
  kopi_op *close;
  uint32_t close_reason;
  uint64_t active_ns; /* when bytes last moved */
  kopi_alarm idle;
};

/* Starts sending what is ready at the head of the reply queue; closes if that is what is at the head. */
void kopi_conn_flush(kop_engine *e, kopi_conn *c, kop_now now);

/* Emits CLOSE; replies that wait are not sent. */
void kopi_conn_close(kop_engine *e, kopi_conn *c, uint32_t reason);

/* CLOSE once the replies to all earlier requests have left; nothing more is parsed. */
void kopi_conn_close_after_replies(kop_engine *e, kopi_conn *c, uint32_t reason);

/*
 * Something of the connection has changed: a reply is ready, a request ended, memory came free. kopi_settle, at the end of every public
 * call, then sends, parses and pauses. Nothing else does, so that no handler runs inside another.
 */
void kopi_conn_touch(kop_engine *e, kopi_conn *c);
void kopi_settle(kop_engine *e, kop_now now);

/* Closes each connection once its replies have left. */
void kopi_conns_shutdown(kop_engine *e, kop_now now);

/* Frees what the last drain has shown. */
void kopi_conns_bury(kop_engine *e);
/* Frees all connections. */
void kopi_conns_free(kop_engine *e);

/* ---- receive.c ---- */

/* Lets connections go on that wait for memory, in order; true if there was one. */
bool kopi_frames_admit(kop_engine *e, kop_now now);
/* Parses the frames that lie in the connection's block. */
void kopi_conn_parse(kop_engine *e, kopi_conn *c, kop_now now);
/* Forgets what was received and waits for no memory any more. */
void kopi_conn_drop_input(kop_engine *e, kopi_conn *c);
/* Whether the connection must not read now. */
bool kopi_conn_must_pause(const kop_engine *e, const kopi_conn *c);

#endif
