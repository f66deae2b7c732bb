/**
 * @file pulsar.h
 * A client of Apache Pulsar without its sockets, threads and clock: Pulsar's binary protocol as a state machine.
 *
 * It is pulled like the engine (kop/engine.h): bytes, calls and time go in, effects come out. A turn of the embedder's loop:
 *
 *     kop_pulsar_recv_buffer / _recv_commit, or _feed    what arrived on a connection
 *     kop_pulsar_connected / _sent / _closed             what became of CONNECT, SEND and CLOSE
 *     kop_pulsar_tick when kop_pulsar_deadline is past
 *     while ((n = kop_pulsar_drain(s, &effects)) > 0)    do what is asked for, take note of events; calls inside this loop are fine
 *
 * Producers and consumers are of one topic each (a partition of a partitioned topic is a topic of its own: "...-partition-3"). They
 * find their broker, come back after a lost connection, and send again what has no receipt. Nothing but a closed one needs
 * to be opened anew. docs/pulsar-session.md tells the states and the order of events.
 *
 * ### Lifetimes
 * What kop_pulsar_drain() returned (records, bodies, and the slices and arrays in them) is valid until the next drain, with two
 * exceptions. The bytes of a SEND and its array of slices are valid until kop_pulsar_sent() or kop_pulsar_closed() of that connection. The bytes of a MESSAGE
 * are valid longer if kop_pulsar_keep() asks for it. Everything that a call is given is copied, except the payload of kop_pulsar_send().
 *
 * One thread at a time per session, any number of sessions. Same calls, same effects, byte for byte; how a stream is
 * cut into feeds changes nothing.
 */
#ifndef KOP_PULSAR_H
#define KOP_PULSAR_H

#include <kop/base.h>
#include <kop/pulsar_effect.h>
#include <kop/pulsar_entry.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One client of one Pulsar cluster. */
typedef struct kop_pulsar_session kop_pulsar_session;

/** How a session is made. Set with kop_pulsar_session_config_init(), then change what differs. */
typedef struct kop_pulsar_session_config {
  size_t size;            /**< sizeof(kop_pulsar_session_config) as the caller compiled it. */
  const kop_alloc *alloc; /**< Copied; NULL: the C heap. */
  uint64_t
      seed; /**< For hash tables, the jitter of waits, the first service address, and names of readers: two sessions of one cluster need different ones. */
  kop_slice
      service_url; /**< Copied. "pulsar://host:6650,other:6650" or "pulsar+ssl://host:6651"; ports default to those. */
  kop_slice client_version; /**< Copied; shown by the broker. Null: "libkop" and its version. */
  kop_slice
      listener_name; /**< Copied; which advertised listener look-ups ask for; null: the broker's own. */
  kop_slice auth_method; /**< Copied. "token", "basic", "tls"; null: none. */
  kop_slice
      auth_data; /**< Copied, wiped when freed. The raw token, "user:password"; kop_pulsar_auth_update() replaces it. */
  uint32_t max_connections; /**< Connections at a time. Default 256. */
  uint32_t max_producers;   /**< Producers at a time. Default 20,000. */
  uint32_t max_consumers;   /**< Consumers (readers are some) at a time. Default 200,000. */
  uint32_t max_requests;    /**< Requests of the caller without RESULT. Default 10,000. */
  uint32_t
      max_opening; /**< Producers and consumers that look up or open at a time; further ones wait their turn. Default 1,000. */
  uint32_t max_pending_sends; /**< Entries without receipt, of all producers. Default 100,000. */
  uint64_t max_pending_bytes; /**< Their bytes, payload included. Default 256 MiB. */
  uint64_t
      max_receive_bytes; /**< Received bytes held, in frames or lent. Default 128 MiB; reading pauses above it. A single frame may always be held. */
  uint64_t
      max_control_bytes; /**< Commands of one connection that wait to be written. Default 8 MiB. */
  uint32_t
      max_frame_bytes; /**< Largest frame that a broker may send. Default 5 MiB + 10 KiB, Pulsar's own default. */
  uint32_t max_effects;  /**< Effects per drain. Default 256. */
  uint64_t connect_ns;   /**< Time for CONNECT and the handshake. Default 10 s. */
  uint64_t operation_ns; /**< Time for the answer to a command. Default 30 s. */
  uint64_t send_ns;      /**< Time for a receipt. Default 30 s. */
  uint64_t
      keep_alive_ns; /**< A PING after so much silence, the end after twice as much. Default 30 s. */
  uint64_t
      idle_ns; /**< A connection that nobody uses is closed after it. Default 60 s; 0: never. */
  uint64_t
      backoff_min_ns; /**< Wait after the first failure of a kind; doubles, less up to a tenth by the seed. Default 100 ms. */
  uint64_t backoff_max_ns; /**< Longest wait. Default 30 s. */
} kop_pulsar_session_config;

/* ---- what is opened ---- */

/**
 * Who else may produce to the topic; Pulsar's ProducerAccessMode. How the topic is got; in all three exclusive modes it is
 * opened again as KOP_PULSAR_EXCLUSIVE with the epoch held, which harms no successor.
 */
enum {
  KOP_PULSAR_SHARED = 0,    /**< Others may. */
  KOP_PULSAR_EXCLUSIVE = 1, /**< Nobody else; refused if somebody does. */
  KOP_PULSAR_WAIT_FOR_EXCLUSIVE =
      2, /**< Nobody else; waits, without limit, until the holder is gone. */
  KOP_PULSAR_EXCLUSIVE_WITH_FENCING = 3 /**< Nobody else; throws the others out. */
};

/** Bits of kop_pulsar_producer_config.flags. */
enum {
  KOP_PULSAR_PRODUCER_NO_RESEND =
      1 /**< What was handed to SEND and has no receipt fails when the producer goes down, instead of being sent again. */
};

/** How a producer is opened. Set with kop_pulsar_producer_config_init(). */
typedef struct kop_pulsar_producer_config {
  size_t size;          /**< sizeof(kop_pulsar_producer_config) as the caller compiled it. */
  uint64_t context;     /**< Handed back in its events. */
  kop_slice topic;      /**< Full name, "persistent://tenant/namespace/topic". */
  kop_slice name;       /**< Unique in the topic; null: the broker chooses. */
  uint32_t access_mode; /**< KOP_PULSAR_SHARED and so on. Default KOP_PULSAR_SHARED. */
  uint32_t flags;       /**< KOP_PULSAR_PRODUCER_ bits. Default 0. */
  uint32_t group;       /**< Connection group: two groups share no connection. Default 0. */
  uint32_t reserved0;   /**< 0. */
  int64_t
      topic_epoch; /**< KOP_PULSAR_EXCLUSIVE: an epoch held before, which must not be outdated; -1: none. Default -1. */
  uint64_t
      open_ns; /**< Time until it must be ready the first time. 0: operation_ns; UINT64_MAX: no bound. */
  uint64_t send_ns; /**< Time for a receipt. 0: the session's; UINT64_MAX: no bound. */
  const kop_pulsar_property *properties; /**< Shown in the topic's statistics. */
  uint32_t properties_count;             /**< How many. */
  uint32_t reserved1;                    /**< 0. */
} kop_pulsar_producer_config;

/** Bits of kop_pulsar_send_info.flags. */
enum {
  KOP_PULSAR_SEND_CHUNK = 1 /**< A chunk of a message: the same sequence id may come again. */
};

/**
 * One entry to be stored. What stands in front of its payload is given in one of two ways: as a struct that the session encodes, or
 * ready, as kop_convert_to_pulsar() and kop_pulsar_entry_write() make it, checksum included. Then nothing is encoded or
 * summed up twice:
 *
 *     .head = e->head, .payload = &e->payload, .payload_count = 1, .num_messages = (uint32_t)e->num_messages,
 *     .sequence_id = e->sequence_id, .highest_sequence_id = e->highest_sequence_id      of a kop_convert_entry
 *
 * A converter's payload is valid until the next call on that converter, and lent until RECEIPT or SEND_FAILED: use one converter for
 * each entry in flight, or copy.
 */
typedef struct kop_pulsar_send_info {
  size_t size;      /**< sizeof(kop_pulsar_send_info) as the caller compiled it. */
  uint64_t context; /**< Handed back in RECEIPT or SEND_FAILED. */
  const kop_pulsar_metadata *
      metadata; /**< Encoded inside the call. Its producer name and sequence ids are replaced by the producer's and by those below. NULL with `head`. */
  kop_slice
      head; /**< 0x0e01, checksum of all that follows, size, metadata. Copied, and written as it is: its producer name must be the producer's
      (PRODUCER_READY has it), its sequence ids and count those below. The checksum is not looked at. Null with `metadata`. */
  const kop_slice *
      payload; /**< The array is copied; the bytes must stay as they are until RECEIPT or SEND_FAILED. */
  uint32_t payload_count; /**< How many slices; at most KOP_PULSAR_MAX_PAYLOAD_SLICES. */
  uint32_t
      num_messages; /**< How many indexes the entry takes: num_messages_in_batch of the metadata, 1 if it has none. */
  uint64_t sequence_id; /**< Larger than that of the send before. */
  uint64_t
      highest_sequence_id; /**< Of the last message in the batch; 0 or the same: `metadata` gets none. */
  uint32_t flags;          /**< KOP_PULSAR_SEND_ bits. */
  uint32_t reserved;       /**< 0. */
} kop_pulsar_send_info;

/** Bounds of a send. */
enum {
  KOP_PULSAR_MAX_PAYLOAD_SLICES = 256 /**< Largest kop_pulsar_send_info.payload_count. */
};

/** How a subscription spreads messages; Pulsar's SubType. */
enum {
  KOP_PULSAR_SUB_EXCLUSIVE = 0, /**< One consumer. */
  KOP_PULSAR_SUB_SHARED = 1,    /**< Round robin. */
  KOP_PULSAR_SUB_FAILOVER = 2,  /**< One consumer, others stand by. */
  KOP_PULSAR_SUB_KEY_SHARED = 3 /**< By key. */
};

/** Bits of kop_pulsar_consumer_config.flags. */
enum {
  KOP_PULSAR_CONSUMER_DURABLE =
      1, /**< The subscription outlives its consumers. Without it this is a reader. */
  KOP_PULSAR_CONSUMER_COMPACTED =
      2, /**< Read the compacted topic first. Exclusive or failover only. */
  KOP_PULSAR_CONSUMER_START_AFTER =
      4, /**< Reader: what is at `start` or before it is not delivered. */
  KOP_PULSAR_CONSUMER_CREATE_TOPIC = 8, /**< The broker may create a missing topic. */
  KOP_PULSAR_CONSUMER_FROM_EARLIEST =
      16 /**< A new durable subscription begins at the first message, not behind the last. */
};

/** How a consumer or reader is opened. Set with kop_pulsar_consumer_config_init(). */
typedef struct kop_pulsar_consumer_config {
  size_t size;      /**< sizeof(kop_pulsar_consumer_config) as the caller compiled it. */
  uint64_t context; /**< Handed back in its events. */
  kop_slice topic;  /**< Full name. */
  kop_slice
      subscription; /**< Its name; null (readers only): one is made from the seed and the id. */
  kop_slice name;   /**< Consumer name, shown in statistics; null: none. */
  uint32_t type;  /**< KOP_PULSAR_SUB_; readers are exclusive. Default KOP_PULSAR_SUB_EXCLUSIVE. */
  uint32_t flags; /**< KOP_PULSAR_CONSUMER_ bits. Default 0: a reader. */
  uint32_t group; /**< Connection group: two groups share no connection. Default 0. */
  uint32_t permits; /**< As if kop_pulsar_flow() were called at once. Default 0. */
  kop_pulsar_message_id
      start; /**< Reader: the first entry wanted, delivered itself; earliest by default. */
  uint64_t
      open_ns; /**< Time until it must be ready the first time. 0: operation_ns; UINT64_MAX: no bound. */
  int32_t priority;                      /**< Shared: smaller ones are served first. */
  uint32_t properties_count;             /**< How many. */
  const kop_pulsar_property *properties; /**< Properties of a new durable subscription. */
} kop_pulsar_consumer_config;

/** What is acknowledged. */
enum {
  KOP_PULSAR_MAX_ACK_IDS = 1000, /**< Largest kop_pulsar_ack_info.ids_count. */
  KOP_PULSAR_ACK_INDIVIDUAL = 0, /**< Exactly the ids. */
  KOP_PULSAR_ACK_CUMULATIVE = 1  /**< Everything up to the one id, itself included. */
};

/** One acknowledged entry, or a part of one. */
typedef struct kop_pulsar_ack_id {
  kop_pulsar_message_id id; /**< Entry. Partition and batch index are not looked at. */
  const uint64_t *
      ack_set; /**< Messages of the batch that stay unacknowledged, a bit each, lowest first; NULL: none. */
  uint32_t ack_set_count; /**< How many words. */
  uint32_t batch_size;    /**< With `ack_set`: messages in the entry. */
} kop_pulsar_ack_id;

/** Stored with a durable cursor. */
typedef struct kop_pulsar_cursor_property {
  kop_slice key;  /**< Name. */
  uint64_t value; /**< Number. */
} kop_pulsar_cursor_property;

/** An acknowledgement. */
typedef struct kop_pulsar_ack_info {
  size_t size;                  /**< sizeof(kop_pulsar_ack_info) as the caller compiled it. */
  uint64_t context;             /**< Handed back in RESULT. */
  uint32_t type;                /**< KOP_PULSAR_ACK_. */
  uint32_t receipt;             /**< 1: a RESULT follows; 0: it is sent and forgotten. */
  const kop_pulsar_ack_id *ids; /**< Entries; exactly one for KOP_PULSAR_ACK_CUMULATIVE. */
  uint32_t ids_count;           /**< How many; at most KOP_PULSAR_MAX_ACK_IDS. */
  uint32_t properties_count;    /**< How many; the same bound. */
  const kop_pulsar_cursor_property *properties; /**< Cumulative: stored with the cursor. */
} kop_pulsar_ack_info;

/** Bounds of a look-up. */
enum {
  KOP_PULSAR_MAX_REDIRECTS = 20 /**< So often a look-up goes on to another broker. */
};

/** Which topics of a namespace. */
enum {
  KOP_PULSAR_TOPICS_PERSISTENT = 0,     /**< persistent:// only. */
  KOP_PULSAR_TOPICS_NON_PERSISTENT = 1, /**< non-persistent:// only. */
  KOP_PULSAR_TOPICS_ALL = 2             /**< Both. */
};

/** Gauges and counters of a session. */
typedef struct kop_pulsar_session_stats {
  size_t size;                /**< sizeof(kop_pulsar_session_stats) as the caller compiled it. */
  uint64_t connections;       /**< Not closed. */
  uint64_t connections_total; /**< CONNECTs so far. */
  uint64_t producers;         /**< Not closed. */
  uint64_t producers_ready;   /**< Ready. */
  uint64_t consumers;         /**< Not closed. */
  uint64_t consumers_ready;   /**< Ready. */
  uint64_t requests;          /**< Of the caller, without RESULT. */
  uint64_t pending_sends;     /**< Entries without receipt. */
  uint64_t pending_bytes;     /**< Their bytes. */
  uint64_t receive_bytes;     /**< Received bytes held. */
  uint64_t bytes_in_total;    /**< Received. */
  uint64_t bytes_out_total;   /**< Handed to SEND and written. */
  uint64_t receipts_total;    /**< RECEIPTs. */
  uint64_t failures_total;    /**< SEND_FAILEDs. */
  uint64_t resent_total;      /**< Entries sent again. */
  uint64_t messages_total;    /**< MESSAGEs. */
  uint64_t unreadable_total;  /**< MESSAGEs with KOP_PULSAR_UNREADABLE. */
  uint64_t
      memory_closes_total; /**< Connections closed since memory for what came in was refused. */
} kop_pulsar_session_stats;

/* ---- making and ending ---- */

/**
 * Fills a config with the defaults.
 *
 * @param config  To be filled.
 * @param size    sizeof *config.
 * @return KOP_OK, or KOP_ERR_INVALID if the size is none that this library knows. Since 0.1.
 */
KOP_API kop_status kop_pulsar_session_config_init(kop_pulsar_session_config *config, size_t size);

/**
 * Makes a session. Nothing is connected until something is opened or asked for.
 *
 * @param config   Not kept; what it points to is copied.
 * @param session  Receives the handle; NULL on failure.
 * @return KOP_OK; KOP_ERR_INVALID (a size, a limit of 0, or a service URL that cannot be read); KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_session_new(const kop_pulsar_session_config *config,
                                          kop_pulsar_session **session);

/**
 * Ends all of the session's memory at once, kept message bytes included. Payloads are no longer looked at; nothing is sent.
 *
 * @param session  May be NULL. Since 0.1.
 */
KOP_API void kop_pulsar_session_free(kop_pulsar_session *session);

/**
 * Begins to end: producers and consumers are closed (pending sends fail, requests are cancelled), then connections. Go on with
 * the loop until kop_pulsar_is_idle(). Since 0.1.
 *
 * @param session  The session.
 * @param now      The clocks.
 */
KOP_API void kop_pulsar_shutdown(kop_pulsar_session *session, kop_now now);

/**
 * Whether there is nothing left to wait for.
 *
 * @param session  The session.
 * @return 1 if no connection, producer, consumer, request or watcher is left and no effect waits; else 0. Never fails. Since 0.1.
 */
KOP_API int32_t kop_pulsar_is_idle(const kop_pulsar_session *session);

/* ---- what became of effects ---- */

/**
 * Answers CONNECT: the connection is open, TLS and its check of names included.
 *
 * @param session  The session.
 * @param conn     The connection.
 * @param now      The clocks.
 * @return KOP_OK; KOP_ERR_NOT_FOUND for an unknown connection; KOP_ERR_STATE if it is not connecting. Since 0.1.
 */
KOP_API kop_status kop_pulsar_connected(kop_pulsar_session *session, uint64_t conn, kop_now now);

/**
 * Answers SEND: its bytes were written or copied.
 *
 * @param session  The session.
 * @param conn     The connection.
 * @param now      The clocks.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_STATE if no SEND is open. Since 0.1.
 */
KOP_API kop_status kop_pulsar_sent(kop_pulsar_session *session, uint64_t conn, kop_now now);

/**
 * Says that the connection is gone or could not be opened, whoever ended it. The bytes of an open SEND are no longer
 * used by the embedder: call it when nothing reads them any more. What the same drain still says of the connection is void.
 *
 * @param session  The session.
 * @param conn     The connection; its id is not used again.
 * @param why      For the text of events, e.g. "connection refused"; copied, cut at 200 bytes; may be empty.
 * @param now      The clocks.
 * @return KOP_OK or KOP_ERR_NOT_FOUND. Since 0.1.
 */
KOP_API kop_status kop_pulsar_closed(kop_pulsar_session *session, uint64_t conn, kop_slice why,
                                     kop_now now);

/**
 * Answers AUTH_NEEDED. Also what later connections begin with.
 *
 * @param session  The session.
 * @param conn     The connection.
 * @param data     The credentials; copied.
 * @param now      The clocks.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_STATE if the connection did not ask; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_auth_answer(kop_pulsar_session *session, uint64_t conn,
                                          kop_slice data, kop_now now);

/**
 * Replaces the credentials that later connections begin with.
 *
 * @param session  The session.
 * @param data     The credentials; copied, wiped when replaced.
 * @return KOP_OK or KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_auth_update(kop_pulsar_session *session, kop_slice data);

/* ---- bytes and time ---- */

/**
 * Where the connection's next bytes belong: straight into the frame.
 *
 * @param session   The session.
 * @param conn      The connection.
 * @param buffer    Receives the place; valid until this connection's next recv_commit or closed.
 * @param capacity  Receives its size; 0: reading is paused, wait for RECV_RESUME.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_NOMEM: try again later or close. Since 0.1.
 */
KOP_API kop_status kop_pulsar_recv_buffer(kop_pulsar_session *session, uint64_t conn,
                                          uint8_t **buffer, size_t *capacity);

/**
 * Says that bytes have arrived there.
 *
 * @param session  The session.
 * @param conn     The connection.
 * @param n        How many, at most the capacity; 0 is fine.
 * @param now      The clocks.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_INVALID if n is more than the capacity given. A broker that breaks the
 *         protocol is no error of this call: it leads to a CLOSE effect. Since 0.1.
 */
KOP_API kop_status kop_pulsar_recv_commit(kop_pulsar_session *session, uint64_t conn, size_t n,
                                          kop_now now);

/**
 * The two calls above with a copy, for those who have the bytes already.
 *
 * @param session  The session.
 * @param conn     The connection.
 * @param bytes    What arrived; copied.
 * @param len      How much.
 * @param now      The clocks.
 * @param taken    Receives how much was taken; less than `len` when reading is paused: give the rest after RECV_RESUME.
 * @return As kop_pulsar_recv_commit(), or KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_feed(kop_pulsar_session *session, uint64_t conn, const uint8_t *bytes,
                                   size_t len, kop_now now, size_t *taken);

/**
 * Lets timers fire that are due. Since 0.1.
 *
 * @param session  The session.
 * @param now      The clocks.
 */
KOP_API void kop_pulsar_tick(kop_pulsar_session *session, kop_now now);

/**
 * When to tick next.
 *
 * @param session  The session.
 * @return kop_now.mono_ns of the earliest timer, UINT64_MAX if there is none. Since 0.1.
 */
KOP_API uint64_t kop_pulsar_deadline(const kop_pulsar_session *session);

/**
 * Takes the next effects and events, in order. Call until it gives none.
 *
 * @param session  The session.
 * @param effects  Receives an array in library memory, valid until the next drain.
 * @return How many, at most kop_pulsar_session_config.max_effects; 0: nothing to do. Never fails. Since 0.1.
 */
KOP_API size_t kop_pulsar_drain(kop_pulsar_session *session, const kop_pulsar_effect **effects);

/**
 * Keeps the bytes of a MESSAGE of the latest drain valid until kop_pulsar_release(). They count as held receive bytes, with the
 * block of up to a frame's size that they lie in: what is kept for long is better copied.
 *
 * @param session  The session.
 * @param token    The MESSAGE's token.
 * @return KOP_OK; KOP_ERR_NOT_FOUND if the bytes are gone. Each success needs one release. Since 0.1.
 */
KOP_API kop_status kop_pulsar_keep(kop_pulsar_session *session, uint64_t token);

/**
 * Gives back what one kop_pulsar_keep() has kept.
 *
 * @param session  The session.
 * @param token    The token it was given.
 * @param now      The clocks.
 * @return KOP_OK; KOP_ERR_NOT_FOUND if nothing is kept under the token. Since 0.1.
 */
KOP_API kop_status kop_pulsar_release(kop_pulsar_session *session, uint64_t token, kop_now now);

/* ---- producers ---- */

/**
 * Fills a config with the defaults.
 *
 * @param config  To be filled.
 * @param size    sizeof *config.
 * @return KOP_OK, or KOP_ERR_INVALID if the size is none that this library knows. Since 0.1.
 */
KOP_API kop_status kop_pulsar_producer_config_init(kop_pulsar_producer_config *config, size_t size);

/**
 * Opens a producer: PRODUCER_READY follows, or PRODUCER_CLOSED.
 *
 * @param session   The session.
 * @param config    Not kept; what it points to is copied.
 * @param now       The clocks.
 * @param producer  Receives its id; ids are never used again.
 * @return KOP_OK; KOP_ERR_INVALID (config); KOP_ERR_LIMIT (max_producers); KOP_ERR_STATE while shutting down; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_producer_open(kop_pulsar_session *session,
                                            const kop_pulsar_producer_config *config, kop_now now,
                                            uint64_t *producer);

/**
 * Sends an entry. RECEIPT or SEND_FAILED follows, in the order of the sends.
 *
 * Needs the first PRODUCER_READY; while the producer is down afterwards, entries wait for it.
 *
 * @param session   The session.
 * @param producer  The producer.
 * @param info      Not kept; the payload's bytes are lent until RECEIPT or SEND_FAILED.
 * @param now       The clocks.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_STATE before the first READY or after close; KOP_ERR_INVALID (a sequence id that does not
 *         rise, neither or both of metadata and head, a head of another producer name or other sequence ids, a count that is not
 *         the metadata's); KOP_ERR_MALFORMED (a head that is none, or has more in front of it or behind it); KOP_ERR_LIMIT
 *         (metadata and payload together larger than max_message_bytes, or max_pending_sends or max_pending_bytes reached: wait
 *         for receipts); KOP_ERR_NOMEM. On any error nothing is lent. Since 0.1.
 */
KOP_API kop_status kop_pulsar_send(kop_pulsar_session *session, uint64_t producer,
                                   const kop_pulsar_send_info *info, kop_now now);

/**
 * Closes a producer. Sends without receipt fail with KOP_PULSAR_CANCELLED, then PRODUCER_CLOSED follows.
 *
 * @param session   The session.
 * @param producer  The producer.
 * @param now       The clocks.
 * @return KOP_OK, also when it is closing already; KOP_ERR_NOT_FOUND. Since 0.1.
 */
KOP_API kop_status kop_pulsar_producer_close(kop_pulsar_session *session, uint64_t producer,
                                             kop_now now);

/* ---- consumers and readers ---- */

/**
 * Fills a config with the defaults: a reader of everything.
 *
 * @param config  To be filled.
 * @param size    sizeof *config.
 * @return KOP_OK, or KOP_ERR_INVALID if the size is none that this library knows. Since 0.1.
 */
KOP_API kop_status kop_pulsar_consumer_config_init(kop_pulsar_consumer_config *config, size_t size);

/**
 * Opens a consumer or reader: CONSUMER_READY follows, or CONSUMER_CLOSED.
 *
 * @param session   The session.
 * @param config    Not kept; what it points to is copied.
 * @param now       The clocks.
 * @param consumer  Receives its id; ids are never used again.
 * @return KOP_OK; KOP_ERR_INVALID (config); KOP_ERR_LIMIT (max_consumers); KOP_ERR_STATE while shutting down; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_consumer_open(kop_pulsar_session *session,
                                            const kop_pulsar_consumer_config *config, kop_now now,
                                            uint64_t *consumer);

/**
 * Lets the broker send more messages. Permits that are open when the consumer goes down are granted again by the session. A batch
 * may overshoot: the broker sends whole entries.
 *
 * @param session   The session.
 * @param consumer  The consumer.
 * @param messages  How many more; not 0.
 * @param now       The clocks.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_INVALID for 0; KOP_ERR_LIMIT (max_control_bytes); KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_flow(kop_pulsar_session *session, uint64_t consumer,
                                   uint32_t messages, kop_now now);

/**
 * Acknowledges entries.
 *
 * @param session   The session.
 * @param consumer  The consumer.
 * @param info      Not kept.
 * @param now       The clocks.
 * @param request   Receives the id that RESULT will name, 0 without a receipt; may be NULL without a receipt.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_STATE while the consumer is not ready: what is not acknowledged is delivered again;
 *         KOP_ERR_INVALID; KOP_ERR_LIMIT (max_requests, max_control_bytes); KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_ack(kop_pulsar_session *session, uint64_t consumer,
                                  const kop_pulsar_ack_info *info, kop_now now, uint64_t *request);

/**
 * Moves the subscription to an entry, delivered next, or to a time. No message from before the seek is given after this call.
 *
 * RESULT comes when the broker has moved; the consumer is then opened again by itself. After RESULT with an outcome other than
 * DONE the position is the old one, or (TIMED_OUT, DISCONNECTED) the one asked for or the old one.
 *
 * @param session    The session.
 * @param consumer   The consumer.
 * @param id         The entry; KOP_PULSAR earliest and latest are fine; NULL: by time.
 * @param publish_ms With id NULL: the first message published at or after it, milliseconds since the epoch.
 * @param context    Handed back in RESULT.
 * @param now        The clocks.
 * @param request    Receives the id that RESULT will name.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_STATE while the consumer is not ready or seeks already; KOP_ERR_LIMIT (max_requests,
 *         max_control_bytes); KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_seek(kop_pulsar_session *session, uint64_t consumer,
                                   const kop_pulsar_message_id *id, uint64_t publish_ms,
                                   uint64_t context, kop_now now, uint64_t *request);

/**
 * Asks for the last message that can be delivered, and how far the subscription is acknowledged.
 *
 * @param session   The session.
 * @param consumer  The consumer.
 * @param context   Handed back in RESULT.
 * @param now       The clocks.
 * @param request   Receives the id that RESULT will name.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_STATE while the consumer is not ready; KOP_ERR_LIMIT; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_last_message_id(kop_pulsar_session *session, uint64_t consumer,
                                              uint64_t context, kop_now now, uint64_t *request);

/**
 * Deletes the subscription. After RESULT with DONE, CONSUMER_CLOSED follows.
 *
 * @param session   The session.
 * @param consumer  The consumer.
 * @param force     1: even if other consumers are connected; else 0.
 * @param context   Handed back in RESULT.
 * @param now       The clocks.
 * @param request   Receives the id that RESULT will name.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_STATE while the consumer is not ready; KOP_ERR_LIMIT; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_unsubscribe(kop_pulsar_session *session, uint64_t consumer,
                                          int32_t force, uint64_t context, kop_now now,
                                          uint64_t *request);

/**
 * Closes a consumer. Its requests are answered KOP_PULSAR_CANCELLED, no message comes after this call, CONSUMER_CLOSED follows.
 *
 * @param session   The session.
 * @param consumer  The consumer.
 * @param now       The clocks.
 * @return KOP_OK, also when it is closing already; KOP_ERR_NOT_FOUND. Since 0.1.
 */
KOP_API kop_status kop_pulsar_consumer_close(kop_pulsar_session *session, uint64_t consumer,
                                             kop_now now);

/* ---- topics ---- */

/**
 * Asks which broker owns a topic. Retried on errors that are worth it, within operation_ns.
 *
 * @param session  The session.
 * @param topic    Full name; copied.
 * @param context  Handed back in RESULT.
 * @param now      The clocks.
 * @param request  Receives the id that RESULT will name.
 * @return KOP_OK; KOP_ERR_INVALID (no name); KOP_ERR_LIMIT (max_requests); KOP_ERR_STATE while shutting down; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_lookup(kop_pulsar_session *session, kop_slice topic, uint64_t context,
                                     kop_now now, uint64_t *request);

/**
 * Asks how many partitions a topic has, without creating it. KOP_PULSAR_NOT_SUPPORTED from a broker that would create it.
 *
 * @param session  The session.
 * @param topic    Full name of the partitioned topic; copied.
 * @param context  Handed back in RESULT.
 * @param now      The clocks.
 * @param request  Receives the id that RESULT will name.
 * @return As kop_pulsar_lookup(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_partitions(kop_pulsar_session *session, kop_slice topic,
                                         uint64_t context, kop_now now, uint64_t *request);

/**
 * Lists the topics of a namespace; of a partitioned topic its partitions.
 *
 * @param session  The session.
 * @param ns       "tenant/namespace"; copied.
 * @param mode     KOP_PULSAR_TOPICS_.
 * @param context  Handed back in RESULT.
 * @param now      The clocks.
 * @param request  Receives the id that RESULT will name.
 * @return As kop_pulsar_lookup(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_topics(kop_pulsar_session *session, kop_slice ns, uint32_t mode,
                                     uint64_t context, kop_now now, uint64_t *request);

/**
 * Watches which topics a namespace has: TOPICS_CHANGED with KOP_PULSAR_SNAPSHOT, then changes; after a lost connection a snapshot
 * again. WATCH_CLOSED with KOP_PULSAR_NOT_SUPPORTED from a broker without watchers: call kop_pulsar_topics() now and then instead.
 *
 * @param session  The session.
 * @param ns       "tenant/namespace"; copied.
 * @param context  Handed back in its events.
 * @param now      The clocks.
 * @param watcher  Receives its id.
 * @return As kop_pulsar_lookup(). A watcher counts as a request. Since 0.1.
 */
KOP_API kop_status kop_pulsar_watch(kop_pulsar_session *session, kop_slice ns, uint64_t context,
                                    kop_now now, uint64_t *watcher);

/**
 * Ends a watcher; WATCH_CLOSED follows.
 *
 * @param session  The session.
 * @param watcher  The watcher.
 * @param now      The clocks.
 * @return KOP_OK, also when it is closing already; KOP_ERR_NOT_FOUND. Since 0.1.
 */
KOP_API kop_status kop_pulsar_unwatch(kop_pulsar_session *session, uint64_t watcher, kop_now now);

/* ---- looking at it ---- */

/**
 * Reads the gauges and counters.
 *
 * @param session  The session.
 * @param stats    Filled up to the smaller of the two sizes.
 * @param size     sizeof *stats as the caller compiled it.
 * @return KOP_OK or KOP_ERR_INVALID. Since 0.1.
 */
KOP_API kop_status kop_pulsar_session_stats_get(const kop_pulsar_session *session,
                                                kop_pulsar_session_stats *stats, size_t size);

/**
 * Names a ServerError for a log line.
 *
 * @param server_error  Any number.
 * @return Pulsar's own name, a static text; "none" for KOP_PULSAR_NO_ERROR, "unknown" for one that is not known. Never fails. Since 0.1.
 */
KOP_API const char *kop_pulsar_server_error_name(int32_t server_error);

/**
 * Names an outcome for a log line.
 *
 * @param outcome  Any number.
 * @return A static English phrase. Never fails. Since 0.1.
 */
KOP_API const char *kop_pulsar_outcome_name(int32_t outcome);

#ifdef __cplusplus
}
#endif

#endif
