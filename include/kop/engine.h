/**
 * @file engine.h
 * The engine: one Kafka node without its sockets, storage, threads and clock.
 *
 * Bytes of connections, answers and events go in; effects come out (kop/effect.h). A turn of the embedder's loop:
 *
 *     kop_engine_recv_buffer / _recv_commit, or _feed   what arrived
 *     kop_engine_complete                               what was done
 *     kop_engine_tick when kop_engine_deadline is past
 *     while ((n = kop_engine_drain(e, &effects)) > 0)   start what is asked for; completing inside this loop is fine
 *
 * One thread at a time per engine, any number of engines. Same calls, same effects, byte for byte; how a stream is
 * cut into feeds changes nothing.
 */
#ifndef KOP_ENGINE_H
#define KOP_ENGINE_H

#include <kop/base.h>
#include <kop/effect.h>
#include <kop/event.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One Kafka node. */
typedef struct kop_engine kop_engine;

/** What the embedder's store can do; bits of kop_engine_config.store. */
enum {
  KOP_STORE_DURABLE = 1,         /**< Done means on disk (or replicated). */
  KOP_STORE_COMPACTS_KEYS = 2,   /**< cleanup.policy=compact is honoured. */
  KOP_STORE_FOREIGN_WRITERS = 4, /**< Others write to the log too. */
  KOP_STORE_LENDS = 8            /**< READ can be answered with lent bytes. */
};

/** How an engine is made. Set with kop_engine_config_init(), then change what differs. */
typedef struct kop_engine_config {
  size_t size;            /**< sizeof(kop_engine_config) as the caller compiled it. */
  const kop_alloc *alloc; /**< Copied; NULL: the C heap. */
  uint64_t seed;          /**< For hash tables; any number. */
  uint64_t
      effects; /**< Bit `1 << KOP_EFFECT_X` for each kind the embedder serves; bits of reserved kinds are refused. */
  uint64_t store;           /**< KOP_STORE_ bits. */
  int32_t node_id;          /**< Kafka's broker id. */
  uint32_t max_connections; /**< Default 10,000; conn_open answers KOP_ERR_LIMIT above it. */
  kop_slice cluster_id;     /**< Copied; shown to clients. */
  kop_slice log_dir;        /**< Copied; the path DescribeLogDirs shows. */
  const kop_config_entry *
      broker_configs; /**< Copied; broker settings by Kafka's names; an unknown name or bad value is KOP_ERR_INVALID. */
  uint32_t broker_configs_count; /**< How many. */
  uint32_t
      max_requests_per_connection; /**< Requests of one connection in work before reading pauses. Default 64. */
  uint64_t
      max_connection_bytes; /**< Held at a time for one connection: frames, long polls, replies that wait to be sent. Default 128 MiB. A single frame may always be held. */
  uint64_t
      max_frame_bytes_total; /**< All frames of 64 KiB and more held at a time. Default 256 MiB; at least socket.request.max.bytes. */
  uint64_t max_small_bytes_total; /**< All smaller frames. Default 64 MiB. */
  uint64_t
      max_lent_bytes; /**< READ results held for replies, and what open READs may bring. Default 256 MiB. Only single batches of more than 1 MiB (or an eighth of it) may pass it. */
  uint64_t kept_read_bytes; /**< READ results kept for a fetch that comes again. Default 16 MiB. */
  uint32_t
      max_partitions; /**< Partitions of all topics, pushed or being created. Default 200,000. A client that asks for more gets POLICY_VIOLATION; an event that brings more is KOP_ERR_LIMIT. */
  uint32_t max_effects;        /**< Effects per drain. Default 1,024. */
  uint32_t max_fetch_sessions; /**< KIP-227. Default 1,000. */
  uint32_t reserved0;          /**< 0. */
  uint64_t idle_ns;            /**< connections.max.idle.ms. Default 10 minutes; 0: never. */
  uint64_t
      state_every_bytes; /**< Producer state of a partition is saved after so many appended bytes. Default 64 MiB. */
  uint64_t
      stalled_frame_ns; /**< While others wait for the memory of frames, each frame must gain an eighth of its size in so long, or its connection is closed; while others wait for that of replies or of READs, each SEND that holds much of it must get rid of an eighth of its bytes. Default 30 s; 0: never. */
  uint64_t
      max_parked_bytes_total; /**< Memory that long polls keep while they wait; above it a fetch is answered at once with what there is. Default 256 MiB. */
  uint64_t
      max_reply_bytes_total; /**< Memory of replies until their SENDs are answered, bytes of READs not counted. At half of it, connections that have requests in work are read no further, at all of it none is. Only the replies to what is in work then pass it. Default 256 MiB. */
} kop_engine_config;

/** What the embedder knows of a new connection. */
typedef struct kop_conn_info {
  size_t size;       /**< sizeof(kop_conn_info) as the caller compiled it. */
  uint64_t context;  /**< The embedder's own name for it, handed back in effects. */
  uint32_t listener; /**< Which listener it came in by. */
  uint32_t reserved; /**< 0. */
  kop_slice peer;    /**< Address as text, copied; for log lines. */
} kop_conn_info;

/** Counters and gauges of an engine. */
typedef struct kop_engine_stats {
  size_t size;                    /**< sizeof(kop_engine_stats) as the caller compiled it. */
  uint64_t connections;           /**< Open now. */
  uint64_t connections_total;     /**< Opened so far. */
  uint64_t requests_total;        /**< Requests decoded. */
  uint64_t requests_open;         /**< Not answered yet. */
  uint64_t bytes_in_total;        /**< Received. */
  uint64_t bytes_out_total;       /**< Handed to SEND. */
  uint64_t records_in_total;      /**< Records appended. */
  uint64_t batches_in_total;      /**< Batches appended. */
  uint64_t append_bytes_total;    /**< Bytes appended. */
  uint64_t fetch_bytes_total;     /**< Bytes of batches answered. */
  uint64_t fetches_waiting;       /**< Long polls that wait. */
  uint64_t fetch_sessions;        /**< KIP-227 sessions held. */
  uint64_t frame_bytes;           /**< Memory held by frames and long polls. */
  uint64_t lent_bytes;            /**< READ results held. */
  uint64_t paused_connections;    /**< Connections that may not read. */
  uint64_t protocol_errors_total; /**< Connections closed for breaking the protocol. */
  uint64_t topics;                /**< Known topics. */
  uint64_t partitions;            /**< Known partitions. */
  uint64_t partitions_active;     /**< Led here and ready. */
  uint64_t reply_bytes;           /**< Memory held by replies that wait for their bytes to leave. */
} kop_engine_stats;

/**
 * Fills a config with the defaults.
 *
 * @param config  To be filled.
 * @param size    sizeof *config.
 * @return KOP_OK, or KOP_ERR_INVALID if the size is none that this library knows. Since 0.1.
 */
KOP_API kop_status kop_engine_config_init(kop_engine_config *config, size_t size);

/**
 * Makes an engine that knows no node and no topic yet: push NODES, then TOPICs.
 *
 * @param config  Not kept; what it points to is copied.
 * @param now     The clocks.
 * @param engine  Receives the handle; NULL on failure.
 * @return KOP_OK, KOP_ERR_INVALID (a config value; kop_config_check() tells which broker setting), KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_engine_new(const kop_engine_config *config, kop_now now,
                                  kop_engine **engine);

/**
 * Ends all of the engine's memory at once, also that which open tokens name.
 *
 * @param engine  May be NULL. Since 0.1.
 */
KOP_API void kop_engine_free(kop_engine *engine);

/**
 * Says that a client has connected.
 *
 * @param engine  The engine.
 * @param info    Not kept.
 * @param now     The clocks.
 * @param conn    Receives the connection's id; ids are never used again.
 * @return KOP_OK; KOP_ERR_LIMIT at max_connections, KOP_ERR_NOMEM, KOP_ERR_STATE while shutting down: close the socket. Since 0.1.
 */
KOP_API kop_status kop_engine_conn_open(kop_engine *engine, const kop_conn_info *info, kop_now now,
                                        uint64_t *conn);

/**
 * Where the connection's next bytes belong: straight into the frame.
 *
 * @param engine    The engine.
 * @param conn      The connection.
 * @param buffer    Receives the place; valid until this connection's next recv_commit or conn_closed.
 * @param capacity  Receives its size; 0: reading is paused, wait for RECV_RESUME.
 * @return KOP_OK; KOP_ERR_NOT_FOUND for an unknown or closed connection; KOP_ERR_NOMEM: try again later or close. Since 0.1.
 */
KOP_API kop_status kop_engine_recv_buffer(kop_engine *engine, uint64_t conn, uint8_t **buffer,
                                          size_t *capacity);

/**
 * Says that bytes have arrived there.
 *
 * @param engine  The engine.
 * @param conn    The connection.
 * @param n       How many, at most the capacity; 0 is fine.
 * @param now     The clocks.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_INVALID if n is more than the capacity given. A peer that breaks the
 *         protocol is no error of this call: it leads to a CLOSE effect. Since 0.1.
 */
KOP_API kop_status kop_engine_recv_commit(kop_engine *engine, uint64_t conn, size_t n, kop_now now);

/**
 * The two calls above with a copy, for those who have the bytes already.
 *
 * @param engine  The engine.
 * @param conn    The connection.
 * @param bytes   What arrived; copied.
 * @param len     How much.
 * @param now     The clocks.
 * @param taken   Receives how much was taken; less than `len` when reading is paused: give the rest after RECV_RESUME.
 * @return As kop_engine_recv_commit(), or KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_engine_feed(kop_engine *engine, uint64_t conn, const uint8_t *bytes,
                                   size_t len, kop_now now, size_t *taken);

/**
 * Says that the connection is gone, whoever closed it. Its open tokens are completed all the same.
 *
 * @param engine  The engine.
 * @param conn    The connection; its id is not used again.
 * @param now     The clocks.
 * @return KOP_OK or KOP_ERR_NOT_FOUND. Since 0.1.
 */
KOP_API kop_status kop_engine_conn_closed(kop_engine *engine, uint64_t conn, kop_now now);

/**
 * Tells the engine what has changed around it.
 *
 * @param engine  The engine.
 * @param event   Copied.
 * @param now     The clocks.
 * @return KOP_OK; KOP_ERR_INVALID (a kind or body that breaks its contract); KOP_ERR_NOT_FOUND (a partition or topic that was
 *         never pushed); KOP_ERR_LIMIT (max_partitions); KOP_ERR_NOMEM. On any error nothing was changed. Since 0.1.
 */
KOP_API kop_status kop_engine_push(kop_engine *engine, const kop_event *event, kop_now now);

/**
 * Answers effects. Never refuses for want of room.
 *
 * @param engine     The engine.
 * @param items      Array of ::kop_completion.
 * @param item_size  sizeof(kop_completion) as the caller compiled it: the array's stride.
 * @param n          How many.
 * @param now        The clocks.
 * @return KOP_OK; KOP_ERR_NOT_FOUND if some token is not open (the others were taken); KOP_ERR_INVALID if some answer breaks its
 *         contract (it counts as KOP_UNKNOWN for an append, as KOP_CANCELLED otherwise; kop_engine_error_text() says which). Since 0.1.
 */
KOP_API kop_status kop_engine_complete(kop_engine *engine, const kop_completion *items,
                                       size_t item_size, size_t n, kop_now now);

/**
 * Tells how much of a SEND has left so far, before it is completed. Nobody needs to call it; but an embedder that does lets the engine tell a
 * client that reads slowly from one that does not read: only the second is closed when others wait for memory, or as idle.
 *
 * @param engine  The engine.
 * @param token   Of a SEND that is not completed.
 * @param bytes   How many of its bytes have left, since its beginning.
 * @param now     The clocks.
 * @return KOP_OK; KOP_ERR_NOT_FOUND if no such SEND is open; KOP_ERR_INVALID if it has fewer bytes. Since 0.1.
 */
KOP_API kop_status kop_engine_sent(kop_engine *engine, uint64_t token, uint64_t bytes, kop_now now);

/**
 * Lets timers fire that are due. Since 0.1.
 *
 * @param engine  The engine.
 * @param now     The clocks.
 */
KOP_API void kop_engine_tick(kop_engine *engine, kop_now now);

/**
 * When to tick next.
 *
 * @param engine  The engine.
 * @return kop_now.mono_ns of the earliest timer, UINT64_MAX if there is none. Since 0.1.
 */
KOP_API uint64_t kop_engine_deadline(const kop_engine *engine);

/**
 * Takes the next effects, in order. Call until it gives none.
 *
 * @param engine   The engine.
 * @param effects  Receives an array in library memory, valid until the next drain.
 * @return How many, at most kop_engine_config.max_effects; 0: nothing to do. Never fails. Since 0.1.
 */
KOP_API size_t kop_engine_drain(kop_engine *engine, const kop_effect **effects);

/**
 * Begins to end: no new request is read, those in work are answered, long polls return, state is saved, partitions are
 * resigned, connections are closed. Go on completing, ticking and draining until kop_engine_is_idle(). Since 0.1.
 *
 * @param engine  The engine.
 * @param now     The clocks.
 */
KOP_API void kop_engine_shutdown(kop_engine *engine, kop_now now);

/**
 * Whether there is nothing left to wait for.
 *
 * @param engine  The engine.
 * @return 1 if no token is open, no effect waits and no connection is open; else 0. Never fails. Since 0.1.
 */
KOP_API int32_t kop_engine_is_idle(const kop_engine *engine);

/**
 * Reads the counters.
 *
 * @param engine  The engine.
 * @param stats   Filled up to the smaller of the two sizes.
 * @param size    sizeof *stats as the caller compiled it.
 * @return KOP_OK or KOP_ERR_INVALID. Since 0.1.
 */
KOP_API kop_status kop_engine_stats_get(const kop_engine *engine, kop_engine_stats *stats,
                                        size_t size);

/**
 * What was wrong with the latest call that failed.
 *
 * @param engine  The engine.
 * @return Text owned by the engine, valid until the next call; "" if there is nothing to say. Never fails. Since 0.1.
 */
KOP_API const char *kop_engine_error_text(const kop_engine *engine);

#ifdef __cplusplus
}
#endif

#endif
