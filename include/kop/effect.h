/**
 * @file effect.h
 * What the engine asks of its embedder (effects), and how the embedder answers (completions).
 *
 * An effect is one fixed record of 64 bytes. Its body, where it has one, is a struct that starts with
 * its own size and grows only at its tail. A non-zero token asks for exactly one completion, also after the
 * connection or topic it speaks of is gone; what the body and its slices point to stays valid until
 * then. Effects without a token (and their bodies) are valid until the next kop_engine_drain().
 *
 * ### The store's contract
 * Appends of one partition take effect in the order in which they were emitted, whole or not at all, and only while
 * the epoch they carry is the partition's newest. The store assigns offsets. An answer KOP_DONE to an
 * append means: durable as this store promises, and readable. A store that cannot know whether an
 * append happened answers KOP_UNKNOWN, never KOP_REJECTED.
 */
#ifndef KOP_EFFECT_H
#define KOP_EFFECT_H

#include <kop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What an effect asks for; kop_effect.kind. Bit `1 << kind` of kop_engine_config.effects says the embedder serves it. */
enum {
  KOP_EFFECT_NONE = 0,
  KOP_EFFECT_SEND = 1, /**< Write bytes to a connection. Body ::kop_send. Token. */
  KOP_EFFECT_CLOSE =
      2, /**< Close a connection, then call kop_engine_conn_closed(). Body ::kop_conn_effect. */
  KOP_EFFECT_RECV_PAUSE = 3,  /**< Stop reading from a connection. Body ::kop_conn_effect. */
  KOP_EFFECT_RECV_RESUME = 4, /**< Read from it again. Body ::kop_conn_effect. */
  KOP_EFFECT_ACQUIRE = 5,     /**< Become the partition's leader. Body ::kop_acquire. Token. */
  KOP_EFFECT_CONFIRM = 6,     /**< Is the epoch still the newest? Body ::kop_confirm. Token. */
  KOP_EFFECT_RESIGN = 7,      /**< Give leadership up. Body ::kop_confirm. Token. */
  KOP_EFFECT_APPEND = 8,      /**< Append one batch. Body ::kop_append. Token. */
  KOP_EFFECT_READ = 9,        /**< Read whole batches. Body ::kop_read. Token. */
  KOP_EFFECT_RELEASE =
      10, /**< Bytes lent by the READ of this token are given back. No body; `token` is that READ's; not completed. */
  KOP_EFFECT_LIST_OFFSETS = 11,   /**< Find a batch by time. Body ::kop_list_offsets. Token. */
  KOP_EFFECT_DELETE_RECORDS = 12, /**< Move the log start. Body ::kop_delete_records. Token. */
  KOP_EFFECT_STATE_PUT = 13, /**< Save a named state of a partition. Body ::kop_state. Token. */
  KOP_EFFECT_STATE_GET = 14, /**< Fetch it. Body ::kop_state. Token. */
  KOP_EFFECT_ALLOCATE_PRODUCER_IDS =
      15, /**< A durable block of producer ids. Body ::kop_allocate_producer_ids. Token. */
  KOP_EFFECT_LOOKUP_TOPIC =
      16, /**< Look for a topic that was not pushed. Body ::kop_topic_ref. Token. */
  KOP_EFFECT_CREATE_TOPIC = 17,      /**< Body ::kop_create_topic. Token. */
  KOP_EFFECT_DELETE_TOPIC = 18,      /**< Body ::kop_topic_ref. Token. */
  KOP_EFFECT_CREATE_PARTITIONS = 19, /**< Body ::kop_create_partitions. Token. */
  KOP_EFFECT_ALTER_CONFIGS = 20,     /**< Body ::kop_alter_configs. Token. */
  KOP_EFFECT_LOG = 21,               /**< A line for the operator's log. Body ::kop_log_line. */
  KOP_EFFECT_AUTHENTICATE = 22,      /**< Reserved. */
  KOP_EFFECT_AUTHORIZE = 23,         /**< Reserved. */
  KOP_EFFECT_OFFSETS_COMMITTED = 24, /**< Reserved. */
  KOP_EFFECT_PEER = 25               /**< Reserved. */
};

/** One thing to do. 64 bytes on 64-bit machines. */
typedef struct kop_effect {
  uint32_t kind;      /**< KOP_EFFECT_. */
  uint32_t flags;     /**< Per kind; 0 unless said otherwise. */
  uint64_t token;     /**< To be completed exactly once; 0: nothing to answer. */
  uint64_t target;    /**< The connection, or the partition id that the embedder pushed; else 0. */
  const void *body;   /**< The struct that `kind` names, or NULL. */
  uint32_t body_size; /**< Its size in bytes, as the library was compiled. */
  uint32_t reserved0; /**< 0. */
  uint64_t reserved[3]; /**< 0. */
} kop_effect;

/** Outcome of an effect; kop_completion.outcome. */
enum {
  KOP_DONE = 0,     /**< It is done; the body holds the result. */
  KOP_REJECTED = 1, /**< It was not done and will not be; `kafka_error` is what the client gets. */
  KOP_FENCED = 2,   /**< It was not done because the epoch is not the newest. */
  KOP_UNKNOWN = 3,  /**< It may have been done, or may still be. */
  KOP_CANCELLED =
      4, /**< The embedder gave up on it (connection or topic gone, shutting down). A real answer is as good. */
  KOP_UNSUPPORTED = 5, /**< The embedder does not do such things. Legal for every kind. */
  KOP_NOT_FOUND = 6    /**< There is no such thing (STATE_GET, LOOKUP_TOPIC, LIST_OFFSETS). */
};

/** Bits of kop_completion.flags. */
enum {
  /** READ: the bytes stay valid until RELEASE with the same token. Only if the effect's flags had KOP_READ_MAY_LEND. */
  KOP_COMPLETION_LENT = 1
};

/** The answer to one effect. The array that kop_engine_complete() takes has `item_size` bytes per element. */
typedef struct kop_completion {
  uint64_t token;      /**< The effect's. */
  int32_t outcome;     /**< KOP_DONE and so on. */
  int16_t kafka_error; /**< With KOP_REJECTED: Kafka's error code, not 0. */
  uint16_t flags;      /**< KOP_COMPLETION_LENT, or 0. */
  const void
      *body; /**< The result struct of the kind, copied unless lent; NULL where a kind has none. */
  uint32_t body_size;   /**< sizeof the result struct as the embedder was compiled. */
  uint32_t reserved0;   /**< 0. */
  uint64_t reserved[2]; /**< 0. */
} kop_completion;

/** Body of CLOSE, RECV_PAUSE and RECV_RESUME; `target` is the connection. */
typedef struct kop_conn_effect {
  uint32_t size;    /**< Bytes of this struct. */
  uint32_t reason;  /**< CLOSE: a KOP_CLOSE_ constant. */
  uint64_t context; /**< What kop_conn_info.context said. */
} kop_conn_effect;

/** Why the engine closes a connection. */
enum {
  KOP_CLOSE_SHUTDOWN = 1, /**< The engine is shutting down. */
  KOP_CLOSE_PROTOCOL = 2, /**< The peer broke the protocol. */
  KOP_CLOSE_IDLE = 3,     /**< Nothing moved for kop_engine_config.idle_ns. */
  KOP_CLOSE_MEMORY = 4,   /**< Memory for a reply was refused. */
  KOP_CLOSE_NO_REPLY = 5, /**< A Produce with acks=0 failed: Kafka says so by closing. */
  KOP_CLOSE_SLOW =
      6 /**< A request stalled, or replies were not read, while others waited for their memory. */
};

/** Body of SEND. Complete with KOP_DONE when the bytes have left or were copied, else KOP_CANCELLED. */
typedef struct kop_send {
  uint32_t size;         /**< Bytes of this struct. */
  uint32_t slices_count; /**< How many slices. */
  const kop_slice *
      slices; /**< To be written in this order. At most one SEND of a connection is open at a time. */
  uint64_t bytes;   /**< Sum of their lengths. */
  uint64_t context; /**< What kop_conn_info.context said. */
} kop_send;

/** Body of ACQUIRE; `target` is the partition. */
typedef struct kop_acquire {
  uint32_t size;     /**< Bytes of this struct. */
  int32_t partition; /**< Partition index, for log lines. */
  kop_slice topic;   /**< Topic name, for log lines. */
} kop_acquire;

/**
 * Result of ACQUIRE with KOP_DONE. From here on every append with an older epoch is refused by the store, and `end_offset`
 * covers every append that any older epoch was or will be told is done.
 */
typedef struct kop_acquired {
  uint32_t size;          /**< Bytes of this struct. */
  int32_t epoch;          /**< Leader epoch, larger than any granted before. */
  int64_t log_start;      /**< First offset that is readable. */
  int64_t end_offset;     /**< One past the last offset; also the high watermark. */
  uint64_t lease_mono_ns; /**< No other leader is granted before this time; UINT64_MAX: for ever. */
  uint64_t log_bytes;     /**< Bytes of the partition's batches, for DescribeLogDirs. */
} kop_acquired;

/** Body of CONFIRM and RESIGN; `target` is the partition. RESIGN comes when no append is open. */
typedef struct kop_confirm {
  uint32_t size; /**< Bytes of this struct. */
  int32_t epoch; /**< The epoch in question. */
} kop_confirm;

/**
 * Result of CONFIRM with KOP_DONE; KOP_FENCED says that the epoch is not the newest. A lease that is past when it is given counts as
 * none: what waits for it is answered NOT_LEADER_OR_FOLLOWER. An embedder that does not serve CONFIRM gives leases without an end.
 */
typedef struct kop_confirmed {
  uint32_t size;          /**< Bytes of this struct. */
  uint32_t reserved;      /**< 0. */
  uint64_t lease_mono_ns; /**< The extended lease. */
} kop_confirmed;

/**
 * Body of APPEND; `target` is the partition. One v2 record batch with base offset 0 and `epoch` as its partition leader
 * epoch; to the store it is opaque. The first 61 bytes lie in the first slice.
 *
 * KOP_DONE with ::kop_appended | KOP_FENCED | KOP_REJECTED (the store then refuses all later appends of this epoch
 * until the next ACQUIRE) | KOP_UNKNOWN.
 */
typedef struct kop_append {
  uint32_t size;           /**< Bytes of this struct. */
  int32_t epoch;           /**< Leader epoch. */
  const kop_slice *slices; /**< The batch. */
  uint32_t slices_count;   /**< How many slices. */
  uint32_t count;          /**< Offsets the batch takes: last offset delta + 1. */
  int64_t max_timestamp;   /**< Largest record timestamp, milliseconds. */
  uint64_t bytes;          /**< Sum of the slices' lengths. */
  /**
   * CRC-32C of those bytes, derived from the batch's own checksum, which was compared: a store that keeps one need not compute
   * it, and covers what happens to the bytes in memory.
   */
  uint32_t crc32c;
  uint32_t reserved; /**< 0. */
} kop_append;

/** Result of APPEND with KOP_DONE. */
typedef struct kop_appended {
  uint32_t size;     /**< Bytes of this struct. */
  uint32_t reserved; /**< 0. */
  int64_t
      base_offset; /**< Offset of the batch's first record; the high watermark is at least base + count. */
} kop_appended;

/** Bits of kop_effect.flags of a READ. */
enum {
  KOP_READ_AT_LEAST_ONE = 1, /**< Give the first batch even if it is larger than max_bytes. */
  KOP_READ_MAY_LEND = 2      /**< The answer may be KOP_COMPLETION_LENT. */
};

/**
 * Body of READ; `target` is the partition. Asks for whole batches in order, beginning with the one that contains `offset` (or
 * the first after it), that begin before `end` and together do not pass `max_bytes`.
 *
 * KOP_DONE with ::kop_read_result | KOP_REJECTED (OFFSET_OUT_OF_RANGE below the log start, KAFKA_STORAGE_ERROR).
 */
typedef struct kop_read {
  uint32_t size;      /**< Bytes of this struct. */
  uint32_t max_bytes; /**< Bound on the sum of the batches' sizes. */
  int64_t offset;     /**< First offset wanted. */
  int64_t end;        /**< Offsets from here on are not wanted. */
} kop_read;

/** One batch of a READ's result: as it was appended. */
typedef struct kop_read_batch {
  int64_t base_offset;     /**< The offset that the store gave it. */
  const kop_slice *slices; /**< Its bytes; the first 61 lie in the first slice. */
  uint32_t slices_count;   /**< How many slices. */
  uint32_t reserved;       /**< 0. */
} kop_read_batch;

/** Result of READ with KOP_DONE. */
typedef struct kop_read_result {
  uint32_t size; /**< Bytes of this struct. */
  uint32_t
      batches_count; /**< 0: nothing but a hole up to next_offset, or (next_offset == offset) nothing fits max_bytes. */
  const kop_read_batch *batches; /**< In offset order. */
  int64_t next_offset; /**< Where the next READ goes on: past the last batch, or past a hole. */
} kop_read_result;

/** Values of kop_list_offsets.what. */
enum {
  KOP_LIST_BY_TIME =
      0, /**< The first batch at or after the log start whose max timestamp is >= `timestamp`. */
  KOP_LIST_MAX_TIMESTAMP = 1 /**< The first batch among those with the largest max timestamp. */
};

/** Body of LIST_OFFSETS; `target` is the partition. KOP_DONE with ::kop_listed | KOP_NOT_FOUND | KOP_REJECTED. */
typedef struct kop_list_offsets {
  uint32_t size;     /**< Bytes of this struct. */
  uint32_t what;     /**< KOP_LIST_. */
  int64_t timestamp; /**< Milliseconds, for KOP_LIST_BY_TIME. */
} kop_list_offsets;

/** Result of LIST_OFFSETS: a batch; the engine reads it and finds the record. */
typedef struct kop_listed {
  uint32_t size;         /**< Bytes of this struct. */
  uint32_t reserved;     /**< 0. */
  int64_t base_offset;   /**< The batch's base offset. */
  int64_t max_timestamp; /**< Its max timestamp. */
} kop_listed;

/** Body of DELETE_RECORDS; `target` is the partition. KOP_DONE with ::kop_records_deleted | KOP_REJECTED. */
typedef struct kop_delete_records {
  uint32_t size; /**< Bytes of this struct. */
  int32_t epoch; /**< Leader epoch. */
  int64_t
      before_offset; /**< The log start wanted; at most the high watermark. Below the log start: nothing to do. */
} kop_delete_records;

/** Result of DELETE_RECORDS. It is durable, and reads below `log_start` are refused. */
typedef struct kop_records_deleted {
  uint32_t size;     /**< Bytes of this struct. */
  uint32_t reserved; /**< 0. */
  int64_t log_start; /**< The log start in force. */
} kop_records_deleted;

/**
 * Body of STATE_PUT (all fields) and STATE_GET (`name` only); `target` is the partition. A PUT replaces what the name held, best
 * effort; at most 1 MiB. State goes with its partition. GET: KOP_DONE with ::kop_state_result | KOP_NOT_FOUND.
 */
typedef struct kop_state {
  uint32_t size;   /**< Bytes of this struct. */
  int32_t epoch;   /**< Leader epoch; a PUT of an older one is ignored by the store. */
  kop_slice name;  /**< Short ASCII name. */
  int64_t as_of;   /**< The bytes describe the log up to this offset. */
  kop_slice bytes; /**< Opaque; carries its own version and checksum. */
} kop_state;

/** Result of STATE_GET with KOP_DONE. */
typedef struct kop_state_result {
  uint32_t size;     /**< Bytes of this struct. */
  uint32_t reserved; /**< 0. */
  int64_t as_of;     /**< What the PUT said. */
  kop_slice bytes;   /**< What the PUT said; copied by the engine. */
} kop_state_result;

/** Body of ALLOCATE_PRODUCER_IDS. KOP_DONE with ::kop_producer_ids. */
typedef struct kop_allocate_producer_ids {
  uint32_t size;  /**< Bytes of this struct. */
  uint32_t count; /**< How many are wanted. */
} kop_allocate_producer_ids;

/** Result: ids that nobody was or will be given again, also after a crash. */
typedef struct kop_producer_ids {
  uint32_t size;  /**< Bytes of this struct. */
  uint32_t count; /**< How many ids from `first` on. */
  int64_t first;  /**< The first. */
} kop_producer_ids;

/**
 * Body of LOOKUP_TOPIC and DELETE_TOPIC: a topic by name, or (name.ptr NULL) by id.
 *
 * LOOKUP_TOPIC: KOP_DONE after the topic was pushed | KOP_NOT_FOUND. DELETE_TOPIC: KOP_DONE after it was pushed
 * as gone to every live node of the embedder | KOP_NOT_FOUND | KOP_REJECTED.
 */
typedef struct kop_topic_ref {
  uint32_t size;     /**< Bytes of this struct. */
  uint32_t reserved; /**< 0. */
  kop_slice name;    /**< Topic name, or null. */
  kop_uuid id;       /**< Topic id, zero when asked by name. */
} kop_topic_ref;

/** A config of a topic. */
typedef struct kop_config_entry {
  kop_slice name;  /**< Kafka's name, e.g. "retention.ms". */
  kop_slice value; /**< Text; null (ALTER_CONFIGS only) takes the topic's own value away. */
} kop_config_entry;

/**
 * Body of CREATE_TOPIC. KOP_DONE (no body) after the topic was pushed to every live node | KOP_REJECTED with
 * TOPIC_ALREADY_EXISTS, KAFKA_STORAGE_ERROR, ... | KOP_UNKNOWN. After a KOP_DONE without that push the client is told
 * UNKNOWN_SERVER_ERROR; so it is with CREATE_PARTITIONS.
 */
typedef struct kop_create_topic {
  uint32_t size;                   /**< Bytes of this struct. */
  int32_t partitions;              /**< How many. */
  kop_slice name;                  /**< A legal name that no pushed topic has. */
  const kop_config_entry *configs; /**< Values the engine has checked. */
  uint32_t configs_count;          /**< How many. */
  uint32_t assigned_count;         /**< 0, or `partitions`: the client's manual assignment. */
  const int32_t *assigned;         /**< The node id that each partition shall be led by. */
} kop_create_topic;

/** Body of CREATE_PARTITIONS. KOP_DONE after the topic was pushed anew to every live node | KOP_REJECTED | KOP_NOT_FOUND. */
typedef struct kop_create_partitions {
  uint32_t size;           /**< Bytes of this struct. */
  int32_t partitions;      /**< The new total. */
  kop_slice name;          /**< Topic name. */
  kop_uuid id;             /**< Topic id. */
  const int32_t *assigned; /**< Node ids for the new partitions, or NULL. */
  uint32_t assigned_count; /**< 0, or the number of new partitions. */
  uint32_t reserved;       /**< 0. */
} kop_create_partitions;

/** Body of ALTER_CONFIGS: a change of a topic's own configs. KOP_DONE after the topic was pushed anew | KOP_REJECTED | KOP_NOT_FOUND. */
typedef struct kop_alter_configs {
  uint32_t size;                   /**< Bytes of this struct. */
  uint32_t entries_count;          /**< How many. */
  kop_slice name;                  /**< Topic name. */
  kop_uuid id;                     /**< Topic id. */
  const kop_config_entry *entries; /**< Set, or take away; what is not named stays. */
} kop_alter_configs;

/** Levels of a log line. */
enum {
  KOP_LOG_ERROR = 1, /**< Data or service is at risk. */
  KOP_LOG_WARN = 2,  /**< Something was refused or retried. */
  KOP_LOG_INFO = 3,  /**< An event an operator wants to know. */
  KOP_LOG_DEBUG = 4  /**< For those who look for a fault. */
};

/** Body of LOG. Holds no payload and no secret. */
typedef struct kop_log_line {
  uint32_t size;    /**< Bytes of this struct. */
  uint32_t level;   /**< KOP_LOG_. */
  kop_slice text;   /**< UTF-8 without a line end. */
  uint64_t dropped; /**< Lines before this one that found no room. */
} kop_log_line;

#ifdef __cplusplus
}
#endif

#endif
