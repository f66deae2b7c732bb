/*
 * TCP for one engine: listeners, connections, and the four effects that speak of them.
 *
 * The engine says where a connection's next bytes belong, so they are read straight into the
 * request's frame; SEND's slices go to the kernel from where they lie. The engine decides when
 * reading pauses; a peer that does not read is noticed by its SEND staying open.
 *
 * Everything runs on the thread of the loop.
 */
#ifndef KOPD_TRANSPORT_H
#define KOPD_TRANSPORT_H

#include <kop/engine.h>
#include <uv.h>

#include "address.h"

typedef struct kopd_transport kopd_transport;

typedef struct kopd_transport_config {
  uv_loop_t *loop;
  int32_t node_id;                 /* for log lines */
  uint32_t max_connections;        /* one more is closed at once */
  uint32_t max_connections_per_ip; /* likewise; UINT32_MAX: no limit */
  void (*changed)(
      void *user_data); /* the engine was given something: drain it before the loop sleeps */
  void *user_data;
} kopd_transport_config;

/* Returns NULL if memory is refused. */
kopd_transport *kopd_transport_new(const kopd_transport_config *config);

/*
 * Binds and listens; connections wait in the backlog until kopd_transport_serve. *port receives the
 * port in use. Returns 0, or -1 with a sentence in err.
 */
int kopd_transport_listen(kopd_transport *t, uint32_t listener, const kopd_address *address,
                          uint16_t *port, char *err, size_t errcap);

/* Connections are for this engine from here on. Call before the loop runs. */
void kopd_transport_serve(kopd_transport *t, kop_engine *engine);

/*
 * Carries out SEND, CLOSE, RECV_PAUSE or RECV_RESUME. SEND is completed to the engine, now or
 * later.
 */
void kopd_transport_effect(kopd_transport *t, const kop_effect *effect);

/*
 * Tells the engine how far each SEND has come. To be called before its timers fire, since they
 * judge by that who does not read.
 */
void kopd_transport_report(kopd_transport *t, kop_now now);

/* Closes the listening sockets; connections stay. */
void kopd_transport_stop_listening(kopd_transport *t);

/* Closes every connection, whatever is under way. */
void kopd_transport_close_all(kopd_transport *t);

/* Connections whose memory is still held. */
uint32_t kopd_transport_connections(const kopd_transport *t);

/* Connections that were closed at a limit. */
uint64_t kopd_transport_refused(const kopd_transport *t);

/* All handles must have been closed and the loop run until they are gone. NULL is fine. */
void kopd_transport_free(kopd_transport *t);

#endif
