/*
 * A connection to a broker, and the pool of them.
 *
 *   CONNECTING -> HANDSHAKE -> READY -> CLOSING -> gone        docs/pulsar-session.md
 *
 *   waiting   tasks that want it READY             out       pieces queued, in order
 *   asked     tasks whose answer has not come      writing   pieces in the open SEND
 *   users     producers and consumers open on it
 */
#ifndef KOPI_PULSAR_SESSION_CONN_H
#define KOPI_PULSAR_SESSION_CONN_H

#include "pulsar/session.h"

enum { KOPI_PS_CONN_CONNECTING, KOPI_PS_CONN_HANDSHAKE, KOPI_PS_CONN_READY, KOPI_PS_CONN_CLOSING };

enum { KOPI_PS_SLICES = 1024, KOPI_PS_SEND_BYTES = 4 << 20 };

/* Something to be written: commands, or an entry (session_send.h). */
typedef struct kopi_ps_piece {
  kopi_link link; /* kopi_ps_conn.out or .writing */
  uint8_t is_entry;
} kopi_ps_piece;

struct kopi_ps_conn {
  kopi_link link; /* session.conns */
  uint64_t id;
  kopi_ps_address at;     /* where it goes */
  kopi_ps_address broker; /* behind the proxy at `at`; no host: none */
  uint32_t group;
  uint8_t state;
  bool pinged;   /* a PING is out */
  bool ping_due; /* PING and PONG go in front of everything else */
  bool pong_due;
  bool challenged; /* an answer is wanted */
  bool send_open;
  bool is_thirsty;
  kopi_ps_alarm alarm; /* connecting, then keep-alive */
  uint64_t heard;      /* when something came last */
  uint64_t used;       /* when somebody used it last */
  kopi_link waiting;
  kopi_link asked;
  kopi_link users;

  kopi_link out;
  kopi_link writing;
  uint64_t control_bytes; /* of commands in `out` and `writing` */
  kop_slice *slices;      /* KOPI_PS_SLICES of them */
  uint32_t slices_len;
  uint64_t sending; /* bytes of the open SEND */

  kopi_block *block;
  size_t start; /* of what was not parsed */
  size_t end;
  size_t offered;
  kopi_link thirst; /* session.thirsty */
  uint64_t thirst_held;

  int32_t protocol_version;
  uint32_t max_message_bytes;
  uint32_t features;
  kopi_ps_blob *target; /* the broker as text */
  kopi_ps_blob *server;
  kopi_ps_blob *method;
  kopi_ps_blob *challenge;
  kopi_ps_kept_why why; /* CLOSING: the reason */

  kopi_ps_node connect_node;
  kopi_ps_node ready_node;
  kopi_ps_node auth_node;
  kopi_ps_node pause_node;
  kopi_ps_node send_node;
  kopi_ps_node close_node; /* also the one by which it is buried */
};

/* The connection for that use, opened if there is none. NULL with `why` when there can be none now. */
kopi_ps_conn *kopi_ps_conn_get(kopi_ps *s, const kopi_ps_address *at, const kopi_ps_address *broker,
                               uint32_t group, kopi_ps_why *why);
/* The one to the service address in use. */
kopi_ps_conn *kopi_ps_conn_service(kopi_ps *s, kopi_ps_why *why);
kopi_ps_conn *kopi_ps_conn_find(const kopi_ps *s, uint64_t id);
/* Ends it: its users leave, CLOSE is told. Does nothing when it is CLOSING. */
void kopi_ps_conn_fail(kopi_ps *s, kopi_ps_conn *conn, const kopi_ps_why *why);
void kopi_ps_conn_fail_text(kopi_ps *s, kopi_ps_conn *conn, int32_t outcome, const char *text);
/* Somebody has just used it. */
void kopi_ps_conn_used(kopi_ps *s, kopi_ps_conn *conn);
bool kopi_ps_conn_is_used(const kopi_ps_conn *conn);
/* It is READY: begins to watch whether the broker is alive. */
void kopi_ps_conn_keep_alive(kopi_ps *s, kopi_ps_conn *conn);
/* Frees all of it at once. */
void kopi_ps_conn_free(kopi_ps *s, kopi_ps_conn *conn);

/* ---- session_handshake.c ---- */

/* Sends CONNECT. */
void kopi_ps_conn_greet(kopi_ps *s, kopi_ps_conn *conn);
/* CONNECTED and AUTH_CHALLENGE. */
void kopi_ps_conn_on_connected(kopi_ps *s, kopi_ps_conn *conn, const kopi_ps_command *c);
void kopi_ps_conn_on_challenge(kopi_ps *s, kopi_ps_conn *conn, const kopi_ps_command *c);
extern const kopi_ps_news KOPI_PS_READY_NEWS;
extern const kopi_ps_news KOPI_PS_AUTH_NEWS;

/* ---- session_write.c ---- */

/* Queues an encoded frame. KOP_ERR_LIMIT above max_control_bytes, KOP_ERR_NOMEM; nothing was queued then. */
kop_status kopi_ps_write(kopi_ps *s, kopi_ps_conn *conn, kop_slice frame);
/* Queues an entry's piece. */
void kopi_ps_write_entry(kopi_ps *s, kopi_ps_conn *conn, kopi_ps_piece *piece);
void kopi_ps_write_ping(kopi_ps *s, kopi_ps_conn *conn);
void kopi_ps_write_pong(kopi_ps *s, kopi_ps_conn *conn);
/* The connection is gone: lets go of the entries in the open SEND. Its commands stay until kopi_ps_write_free(). */
void kopi_ps_write_end(kopi_ps *s, kopi_ps_conn *conn);
void kopi_ps_write_free(kopi_ps *s, kopi_ps_conn *conn);
/* Takes the queued pieces out; those of the open SEND stay. */
void kopi_ps_write_cancel(kopi_ps *s, kopi_ps_conn *conn);
extern const kopi_ps_news KOPI_PS_SEND_NEWS;

/* ---- session_receive.c ---- */

/* Gives back the block, and the place among those that wait for one. */
void kopi_ps_receive_end(kopi_ps *s, kopi_ps_conn *conn);
/* Memory was given back: those that wait go on. */
void kopi_ps_receive_relieve(kopi_ps *s);
/* Takes one reference of a block away. */
void kopi_ps_block_unref(kopi_ps *s, kopi_block *block);
extern const kopi_ps_news KOPI_PS_PAUSE_NEWS;

/* ---- session_dispatch.c ---- */

/* Hands a whole frame (without its length) to whom it concerns. */
void kopi_ps_dispatch(kopi_ps *s, kopi_ps_conn *conn, kop_slice frame);

#endif
