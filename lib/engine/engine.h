/*
 * The engine's inside: what its files share.
 *
 *   op       effects and their tokens             conn, receive   connections, frames, admission
 *   request  a request's life and its reply       api             which API is served by which file
 *   memory   what requests hold, and its bounds   replies         what replies hold until they are read
 *   topic    what was pushed                      partition       leadership, load, recovery
 *   growth   what is on its way to be pushed
 *   append   the ordered queue of a partition     read            shared READs and kept results
 *   fetch, fetch_session                          api_*           one file per API
 *   trim     kept memory goes back
 *
 * docs/engine-states.md draws the lives of these objects.
 */
#ifndef KOPI_ENGINE_ENGINE_H
#define KOPI_ENGINE_ENGINE_H

#include <kop/engine.h>
#include <kop/record.h>
#include <stdarg.h>
#include <stdbool.h>

#include "base/block.h"
#include "base/container.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "engine/op.h"
#include "engine/settings.h"

typedef struct kopi_alarm kopi_alarm;
typedef struct kopi_conn kopi_conn;
typedef struct kopi_request kopi_request;
typedef struct kopi_topic kopi_topic;
typedef struct kopi_partition kopi_partition;
typedef struct kopi_creation kopi_creation;
typedef struct kopi_growth kopi_growth;
typedef struct kopi_read kopi_read;
typedef struct kopi_fetch_session kopi_fetch_session;
typedef struct kopi_lease_question kopi_lease_question;

/* Text of a LOG effect. */
typedef struct kopi_log_text {
  struct kopi_log_text *next;
  char bytes[256];
} kopi_log_text;

/* A timer that knows what to do. */
struct kopi_alarm {
  kopi_timer timer; /* first, so that the heap's node is the alarm */
  void (*fire)(kop_engine *e, kopi_alarm *alarm, kop_now now);
};

/* Memory that requests hold, see memory.h. */
typedef struct kopi_memory_pool {
  uint64_t charged;
  uint64_t limit;
  kopi_link waiting; /* connections that wait for some of it, in order of arrival */
  bool full;         /* one of them found no room: who comes later waits behind it */
  bool watched;      /* frames that stall are looked for */
  kopi_alarm watch;
} kopi_memory_pool;

/* Memory of replies that wait for their bytes to leave, see replies.h. */
typedef struct kopi_replies {
  uint64_t held;
  kopi_link
      first; /* connections that wait with no request in work, or with a frame that is there whole */
  kopi_link more; /* the others that wait */
  bool watched;   /* connections that do not read are looked for */
  kopi_alarm watch;
} kopi_replies;

enum { KOPI_POOL_SMALL = 0, KOPI_POOL_LARGE = 1, KOPI_POOL_PARKED = 2, KOPI_POOLS = 3 };

/* A node's address on a listener, copied. */
typedef struct kopi_endpoint {
  int32_t node_id;
  uint32_t listener;
  int32_t port;
  kop_slice host;
  kop_slice rack;
} kopi_endpoint;

struct kop_engine {
  kop_alloc alloc;
  kop_engine_config cfg; /* its pointers lead to `adopted` */
  void *adopted;
  kopi_settings settings;
  kopi_ops ops;
  kopi_blocks blocks;
  kopi_heap timers;
  kop_record_ctx *records;

  /* connections and requests */
  kopi_map_u64 conns;
  uint64_t last_conn;
  kopi_link all_conns;
  kopi_conn *dead_conns; /* freed at the next drain */
  kopi_conn *touched_head;
  kopi_conn *touched_tail;
  kopi_memory_pool pools[KOPI_POOLS];
  kopi_replies replies;
  kopi_link all_requests;
  kopi_request *free_requests;
  uint32_t free_requests_len;
  uint32_t free_requests_least; /* since the last trim */

  /* the cluster as pushed */
  kopi_endpoint *endpoints; /* sorted by node id, then listener; their text lies behind them */
  uint32_t endpoints_len;
  int32_t controller_id;
  int64_t volume_total;
  int64_t volume_usable;
  kopi_map_bytes topics_by_name;
  kopi_map_bytes topics_by_id;
  kopi_topic **topics; /* sorted by name */
  uint32_t topics_len;
  uint32_t topics_cap;
  kopi_map_u64 partitions;
  kopi_creation *creations; /* topics that auto_create.c is creating */
  uint32_t creations_len;
  bool creations_full;    /* one found no room and that was logged */
  kopi_map_bytes growths; /* partitions on their way, by topic: growth.h */
  uint64_t growing;       /* all of them */
  uint32_t lookups_open;  /* LOOKUP_TOPICs of api_metadata.c */
  kopi_link dropped;      /* partitions whose topic is gone and whose tokens are open */

  /* reads and fetches */
  kopi_read *kept_oldest; /* results that wait for a fetch to come again */
  kopi_read *kept_newest;
  uint64_t kept_bytes;
  kopi_alarm kept_alarm;
  kopi_link all_reads;
  kopi_read *free_reads;
  uint32_t free_reads_len;
  uint32_t free_reads_least; /* since the last trim */
  kopi_link room_waiters;    /* see room.h */
  kopi_link room_newcomers;  /* those who wait for the half of newcomers */
  uint64_t newcomer_bytes;   /* what newcomers hold or have asked for */
  bool newcomers_turn;
  uint64_t lent_bytes;  /* held for replies */
  uint64_t asked_bytes; /* of open READs */
  kopi_map_u64 sessions;
  kopi_link session_lru; /* the one not used for longest first */
  uint64_t session_random;
  uint64_t session_bytes; /* of the members of all sessions */

  /* producer ids in hand: [next, end) */
  int64_t producer_id_next;
  int64_t producer_id_end;
  kopi_request *producer_id_waiters; /* in order */
  bool producer_ids_asked;

  kopi_alarm trim_alarm;
  bool trim_due;
  uint64_t last_stamp;
  bool shutting_down;
  bool leases;          /* some lease has an end */
  uint64_t lease_round; /* of the request that answers from memory, see lease.h */
  uint64_t log_dropped;
  kopi_log_text *log_lines;   /* of LOG effects that wait */
  kopi_log_text *shown_lines; /* of those that the last drain has shown */
  uint32_t log_lines_len;
  kop_engine_stats stats;
  char error_text[256];
};

/* Sets the alarm to a time of the monotonic clock. */
void kopi_alarm_set(kop_engine *e, kopi_alarm *alarm, uint64_t mono_ns);
void kopi_alarm_cancel(kop_engine *e, kopi_alarm *alarm);

/* Emits a LOG effect; dropped (and counted) when too many wait. */
void kopi_log(kop_engine *e, uint32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Keeps the text for kop_engine_error_text and returns the status. */
kop_status kopi_fail(kop_engine *e, kop_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Copies bytes to *at and moves it on. */
kop_slice kopi_copy_slice(uint8_t **at, kop_slice from);

/* Whether the embedder serves all of these kinds; `kinds` has bits 1 << KOP_EFFECT_X. */
bool kopi_serves(const kop_engine *e, uint64_t kinds);

static inline uint64_t kopi_ms(int64_t ms) {
  return ms <= 0 ? 0 : (uint64_t)ms * 1000000u;
}

/* now + delay without wrapping. */
static inline uint64_t kopi_later(kop_now now, uint64_t delay_ns) {
  return now.mono_ns > UINT64_MAX - delay_ns ? UINT64_MAX - 1 : now.mono_ns + delay_ns;
}

#endif
