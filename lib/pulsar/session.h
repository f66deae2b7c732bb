/*
 * The session: what its files share.
 *
 *   session.c            making, time, ending             session_attach.c    from a topic's name to an open producer or consumer
 *   session_news.c       the queue of effects and events  session_producer.c  producers          session_send.c     their entries
 *   session_conn.c       connections and their pool       session_consumer.c  consumers          session_consume.c  their messages
 *   session_handshake.c  CONNECT, credentials             session_ack.c       requests of a consumer
 *   session_receive.c    bytes into frames                session_topics.c    requests about topics
 *   session_dispatch.c   frames to those they concern     session_watch.c     watchers
 *   session_write.c      commands and entries into SENDs  session_command.c   commands as bytes
 *   session_task.c       a command and its answer         session_address.c   service and broker addresses
 *   session_lookup.c     who owns a topic                 session_name.c      names for errors
 *
 * Everything that is told stands as a node in one queue (`news`); a node lives in the object it speaks of, so that telling
 * needs no memory. It is put into words when it is drained.
 */
#ifndef KOPI_PULSAR_SESSION_H
#define KOPI_PULSAR_SESSION_H

#include <kop/pulsar.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/assert.h"
#include "base/block.h"
#include "base/buf.h"
#include "base/container.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "pulsar/proto_alloc.h"
#include "pulsar/session_address.h"

typedef struct kop_pulsar_session kopi_ps;
typedef struct kopi_ps_node kopi_ps_node;
typedef struct kopi_ps_alarm kopi_ps_alarm;
typedef struct kopi_ps_conn kopi_ps_conn;
typedef struct kopi_ps_command kopi_ps_command;

/* The body of one effect. */
typedef union kopi_ps_body {
  kop_pulsar_address address;
  kop_pulsar_output output;
  kop_pulsar_reason reason;
  kop_pulsar_challenge challenge;
  kop_pulsar_server server;
  kop_pulsar_producer_state producer;
  kop_pulsar_receipt receipt;
  kop_pulsar_send_failure failure;
  kop_pulsar_consumer_state consumer;
  kop_pulsar_delivery delivery;
  kop_pulsar_result result;
  kop_pulsar_topics_change topics;
} kopi_ps_body;

/* How a node is put into words. */
typedef struct kopi_ps_news {
  /* Fills the effect, all zero before; the body where the kind has one, with `fx->body_size` set. */
  void (*show)(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body);
  /* Frees what the node lives in, at the drain after that. NULL: it lives on. */
  void (*bury)(kopi_ps *s, kopi_ps_node *node);
} kopi_ps_news;

struct kopi_ps_node {
  kopi_link link; /* in session.news, or in session.shown until it is buried */
  const kopi_ps_news *news;
};

/* A timer of the session. */
struct kopi_ps_alarm {
  kopi_timer timer;
  void (*fire)(kopi_ps *s, kopi_ps_alarm *alarm);
};

/* Bytes that an effect may have lent: given up, they live until the next drain. */
typedef struct kopi_ps_blob {
  struct kopi_ps_blob *next;
  size_t len;
  uint8_t bytes[];
} kopi_ps_blob;

/* How something ended. */
typedef struct kopi_ps_why {
  int32_t outcome;
  int32_t server_error;
  kop_slice text;
} kopi_ps_why;

/* The same, kept. */
typedef struct kopi_ps_kept_why {
  int32_t outcome;
  int32_t server_error;
  kopi_ps_blob *text; /* NULL: none, or no memory for it */
} kopi_ps_kept_why;

enum { KOPI_PS_TEXT_MAX = 200 };

struct kop_pulsar_session {
  kop_alloc alloc;
  kop_pulsar_session_config cfg; /* what it points to lies in `adopted` */
  void *adopted;
  kopi_ps_blob *auth_data;
  kopi_ps_service service;
  uint64_t now; /* mono_ns of the call that runs */
  uint64_t random;
  uint64_t last_id;
  uint64_t last_request; /* request ids on the wire */
  uint64_t last_token;
  bool shutting_down;
  bool giving_turns;
  bool relieving;

  kopi_heap timers;
  kopi_link news;  /* kopi_ps_node.link, oldest first */
  kopi_link shown; /* to be buried at the next drain */
  kopi_ps_blob *garbage;
  kop_pulsar_effect *effects;
  kopi_ps_body *bodies;
  struct kopi_ps_arrival **lent; /* MESSAGEs of the latest drain: lent[token - lent_first] */
  size_t lent_len;
  uint64_t lent_first;
  kopi_map_u64 kept; /* token -> kopi_ps_keep */

  kopi_map_u64 conns_by_id;
  kopi_map_u64 tasks;     /* request id on the wire -> kopi_ps_task */
  kopi_map_u64 producers; /* id -> kopi_ps_producer */
  kopi_map_u64 consumers;
  kopi_map_u64 requests; /* id -> kopi_ps_request, watchers included */
  kopi_link conns;       /* oldest first */
  kopi_link all_producers;
  kopi_link all_consumers;
  kopi_link all_requests;
  kopi_link turns; /* kopi_ps_attach.place: those that wait for their turn */
  uint32_t opening;

  kopi_blocks blocks;
  kopi_link thirsty;     /* kopi_ps_conn.thirst: those that wait for receive memory, in order */
  uint64_t thirsty_held; /* bytes of blocks that these hold */
  struct kopi_ps_arrival *free_arrivals;
  uint32_t spare_arrivals;
  kopi_proto_arena decoded; /* the latest command received */
  kopi_arena texts;         /* strings of a command that is encoded */
  kopi_buf encoded;         /* and its bytes */

  kop_pulsar_session_stats stats;
};

/* ---- session_news.c ---- */

/* Puts the node at the end of the queue, from wherever in it it is. */
void kopi_ps_tell(kopi_ps *s, kopi_ps_node *node);
/* Takes it out of the queue. */
void kopi_ps_untell(kopi_ps_node *node);
/* Frees `node`'s object at the next drain, although it has nothing to say. */
void kopi_ps_bury(kopi_ps *s, kopi_ps_node *node);
/* Takes everything out of the queue, and buries what would be buried after it was shown. */
void kopi_ps_bury_news(kopi_ps *s);
/* Buries everything that was shown. */
void kopi_ps_bury_shown(kopi_ps *s);

/* ---- session.c ---- */

void kopi_ps_alarm_set(kopi_ps *s, kopi_ps_alarm *alarm, uint64_t in_ns,
                       void (*fire)(kopi_ps *s, kopi_ps_alarm *alarm));
void kopi_ps_alarm_cancel(kopi_ps *s, kopi_ps_alarm *alarm);
/* How long to wait after so many failures in a row, at least one. */
uint64_t kopi_ps_backoff(kopi_ps *s, uint32_t failures);
/* In so many ns, without wrapping; UINT64_MAX stays for ever. */
uint64_t kopi_ps_after(const kopi_ps *s, uint64_t ns);
/* The next number of a generator that the seed began. */
uint64_t kopi_ps_random(kopi_ps *s);

/* A copy, NULL without memory. */
kopi_ps_blob *kopi_ps_blob_new(kopi_ps *s, kop_slice bytes);
/* Frees it at the next drain; NULL is fine. */
void kopi_ps_blob_drop(kopi_ps *s, kopi_ps_blob *blob);
kop_slice kopi_ps_blob_slice(const kopi_ps_blob *blob);

/* Copies a text to `*at` and moves it behind; null stays null. */
kop_slice kopi_ps_text_copy(uint8_t **at, kop_slice from);
/* The same for properties: their array, then their texts. */
size_t kopi_ps_texts_size(const kop_pulsar_property *properties, uint32_t n);
kop_pulsar_property *kopi_ps_texts_copy(uint8_t **at, const kop_pulsar_property *properties,
                                        uint32_t n);

kopi_ps_why kopi_ps_why_text(int32_t outcome, const char *text);
void kopi_ps_why_keep(kopi_ps *s, kopi_ps_kept_why *to, const kopi_ps_why *why);
kopi_ps_why kopi_ps_why_of(const kopi_ps_kept_why *kept);
/* Fills a reason as a body, and sets the size. */
void kopi_ps_show_reason(kop_pulsar_effect *fx, kopi_ps_body *body, const kopi_ps_kept_why *why);

/* While shutting down: closes the connections once nobody needs them. */
void kopi_ps_end_if_done(kopi_ps *s);

#endif
