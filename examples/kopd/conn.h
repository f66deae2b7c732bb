/*
 * What transport.c (listeners, the table of connections) and conn.c (one connection's bytes) share.
 */
#ifndef KOPD_CONN_H
#define KOPD_CONN_H

#include "transport.h"

/* Buffers of one system call; a SEND with more slices takes several. */
#define KOPD_IOV_MAX 256

/*
 * A connection:
 *
 *     accepted -> open -> closing -> its memory is freed by the close callback
 *
 * `open` is the engine's view: from conn_open to conn_closed. An effect that was on its way when
 * the connection closed finds either a closing connection or, by the generation in its context,
 * none.
 */
typedef struct kopd_conn {
  uv_tcp_t tcp;
  uv_write_t write;
  kopd_transport *transport;
  uint64_t id; /* the engine's */
  uint32_t slot;
  uint32_t open;
  uint8_t address[16]; /* of the peer, IPv4 as ::ffff:a.b.c.d; for the limit per address */

  /* The SEND in progress; token 0: none. Its slices live until it is completed. */
  uint64_t send_token;
  const kop_send *send;
  uint32_t send_slice; /* the first slice not fully written */
  size_t send_offset;  /* bytes of it that are */
  size_t write_bytes;  /* what the uv_write in progress carries */
  uint64_t send_bytes; /* what left before it */
} kopd_conn;

/* Starts to read. */
void kopd_conn_start(kopd_conn *c);
/* Begins to close, once: the engine is told, an open SEND is cancelled. */
void kopd_conn_close(kopd_conn *c);
void kopd_conn_send(kopd_conn *c, const kop_effect *effect);
void kopd_conn_pause(kopd_conn *c);
/* Tells the engine how far the SEND in progress has come. */
void kopd_conn_report(kopd_conn *c, kop_now now);

/* transport.c */
kop_engine *kopd_transport_engine(kopd_transport *t);
void kopd_transport_changed(kopd_transport *t);
int32_t kopd_transport_node(const kopd_transport *t);
void kopd_transport_forget(kopd_transport *t, kopd_conn *c);
/* The peer's address as text. 0, or -1 if it is not known. */
int kopd_conn_peer(kopd_conn *c, char *text, size_t cap);
/* Answers a SEND. */
void kopd_transport_sent(kopd_transport *t, uint64_t token, int32_t outcome);

#endif
