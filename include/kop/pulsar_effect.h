/**
 * @file pulsar_effect.h
 * What a Pulsar session asks of its embedder (effects), and what it tells (events).
 *
 * One fixed record of 64 bytes each; its body, where it has one, is a struct that starts with its own size and grows
 * only at its tail. All of it is valid until the next kop_pulsar_drain(), but for the bytes and slices of a SEND, which
 * are valid until kop_pulsar_sent() or kop_pulsar_closed(), and the bytes of a MESSAGE that was kept.
 */
#ifndef KOP_PULSAR_EFFECT_H
#define KOP_PULSAR_EFFECT_H

#include <kop/base.h>
#include <kop/pulsar_entry.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What kop_pulsar_effect.kind says. Those below 32 ask for something, the others tell of something. */
enum {
  KOP_PULSAR_NONE = 0,
  KOP_PULSAR_CONNECT =
      1, /**< Open a connection, then call kop_pulsar_connected() or kop_pulsar_closed(). Body ::kop_pulsar_address. */
  KOP_PULSAR_SEND = 2, /**< Write bytes, then call kop_pulsar_sent(). Body ::kop_pulsar_output. */
  KOP_PULSAR_CLOSE =
      3, /**< Close the connection, then call kop_pulsar_closed(). Body ::kop_pulsar_reason. */
  KOP_PULSAR_RECV_PAUSE = 4,  /**< Stop reading from the connection. No body. */
  KOP_PULSAR_RECV_RESUME = 5, /**< Read from it again. No body. */
  KOP_PULSAR_AUTH_NEEDED =
      6, /**< The broker wants (fresh) credentials: call kop_pulsar_auth_answer(). Body ::kop_pulsar_challenge. */

  KOP_PULSAR_CONN_READY = 32,     /**< Handshake done. Body ::kop_pulsar_server. */
  KOP_PULSAR_PRODUCER_READY = 40, /**< Open, or open again. Body ::kop_pulsar_producer_state. */
  KOP_PULSAR_PRODUCER_WAITING =
      41, /**< KOP_PULSAR_WAIT_FOR_EXCLUSIVE: queued behind the holder; READY follows. No body. */
  KOP_PULSAR_PRODUCER_DOWN =
      42, /**< Not open for a while; READY or CLOSED follows. Body ::kop_pulsar_reason. */
  KOP_PULSAR_PRODUCER_CLOSED =
      43, /**< Its end; the id is gone. All its sends were answered before. Body ::kop_pulsar_reason. */
  KOP_PULSAR_RECEIPT =
      44, /**< An entry is stored. Context: the send's. Body ::kop_pulsar_receipt. */
  KOP_PULSAR_SEND_FAILED =
      45, /**< An entry has no receipt and is given up. Context: the send's. Body ::kop_pulsar_send_failure. */
  KOP_PULSAR_CONSUMER_READY = 48, /**< Open, or open again. Body ::kop_pulsar_consumer_state. */
  KOP_PULSAR_CONSUMER_DOWN = 49,  /**< As PRODUCER_DOWN. Body ::kop_pulsar_reason. */
  KOP_PULSAR_CONSUMER_CLOSED =
      50, /**< Its end; the id is gone. Its requests were answered before. Body ::kop_pulsar_reason. */
  KOP_PULSAR_MESSAGE =
      51, /**< An entry has arrived; `token` is for kop_pulsar_keep(). Body ::kop_pulsar_delivery. */
  KOP_PULSAR_END_OF_TOPIC =
      52, /**< The topic is terminated and the consumer has acknowledged all of it. No body. */
  KOP_PULSAR_ACTIVE_CHANGE =
      53, /**< Failover: the flags say KOP_PULSAR_ACTIVE, or this consumer stands by. No body. */
  KOP_PULSAR_RESULT =
      56, /**< A request is answered; target: the request. Body ::kop_pulsar_result. */
  KOP_PULSAR_TOPICS_CHANGED =
      57, /**< Topics of a watched namespace; target: the watcher. Body ::kop_pulsar_topics_change. */
  KOP_PULSAR_WATCH_CLOSED = 58 /**< A watcher's end; the id is gone. Body ::kop_pulsar_reason. */
};

/** Bits of kop_pulsar_effect.flags. */
enum {
  KOP_PULSAR_DUPLICATE = 1, /**< RECEIPT: the broker had stored it before (deduplication); no id. */
  KOP_PULSAR_MAYBE_WRITTEN =
      2, /**< SEND_FAILED: it was handed to SEND, so it may have been stored. Without the bit it was not. */
  KOP_PULSAR_UNREADABLE =
      4, /**< MESSAGE: the bytes are no entry, or its checksum is wrong; the id is good. */
  KOP_PULSAR_ACTIVE = 8,   /**< ACTIVE_CHANGE: this consumer receives. */
  KOP_PULSAR_SNAPSHOT = 16 /**< TOPICS_CHANGED: `added` is every topic there is. */
};

/** One thing to do or to know. 64 bytes on 64-bit machines. */
typedef struct kop_pulsar_effect {
  uint32_t kind;        /**< KOP_PULSAR_CONNECT and so on. */
  uint32_t flags;       /**< Bits of that kind. */
  uint64_t token;       /**< MESSAGE: what kop_pulsar_keep() takes; else 0. */
  uint64_t target;      /**< The connection, producer, consumer, request or watcher. */
  const void *body;     /**< The struct that `kind` names, or NULL. */
  uint32_t body_size;   /**< Its size in bytes, as the library was compiled. */
  uint32_t reserved0;   /**< 0. */
  uint64_t context;     /**< What the call gave that made the target; 0 for connections. */
  uint64_t reserved[2]; /**< 0. */
} kop_pulsar_effect;

/** How a thing ended; `outcome` in several bodies. */
enum {
  KOP_PULSAR_DONE = 0,      /**< As asked for. */
  KOP_PULSAR_REFUSED = 1,   /**< The broker said no: `server_error` and `text` tell why. */
  KOP_PULSAR_TIMED_OUT = 2, /**< No answer in time; it may have happened. */
  KOP_PULSAR_DISCONNECTED =
      3,                    /**< The connection was lost before the answer; it may have happened. */
  KOP_PULSAR_CANCELLED = 4, /**< The caller closed what it belonged to. */
  KOP_PULSAR_LIMITED =
      5, /**< A bound was reached: connections, redirects, memory. `text` says which. */
  KOP_PULSAR_NOT_SUPPORTED = 6, /**< This broker cannot do it. */
  KOP_PULSAR_BAD_ANSWER = 7,    /**< The broker's answer breaks the protocol. */
  KOP_PULSAR_CORRUPTED =
      8, /**< SEND_FAILED: the payload was changed after kop_pulsar_send(), or the checksum of a ready head is wrong. */
  KOP_PULSAR_SILENCE = 9, /**< CLOSE: nothing heard for two keep-alive intervals. */
  KOP_PULSAR_UNUSED = 10, /**< CLOSE: nobody used the connection. */
  KOP_PULSAR_MOVED =
      11 /**< DOWN: the broker closed it, e.g. since the topic moves to another one. */
};

/** Pulsar's ServerError, in bodies with outcome KOP_PULSAR_REFUSED. A newer broker may send others. */
enum {
  KOP_PULSAR_NO_ERROR = -1,                        /**< The broker named none. */
  KOP_PULSAR_UNKNOWN_ERROR = 0,                    /**< UnknownError. */
  KOP_PULSAR_METADATA_ERROR = 1,                   /**< MetadataError; worth a retry. */
  KOP_PULSAR_PERSISTENCE_ERROR = 2,                /**< PersistenceError; worth a retry. */
  KOP_PULSAR_AUTHENTICATION_ERROR = 3,             /**< AuthenticationError. */
  KOP_PULSAR_AUTHORIZATION_ERROR = 4,              /**< AuthorizationError. */
  KOP_PULSAR_CONSUMER_BUSY = 5,                    /**< ConsumerBusy: the subscription is taken. */
  KOP_PULSAR_SERVICE_NOT_READY = 6,                /**< ServiceNotReady; worth a retry. */
  KOP_PULSAR_PRODUCER_BLOCKED_QUOTA_ERROR = 7,     /**< Backlog quota: producers are held. */
  KOP_PULSAR_PRODUCER_BLOCKED_QUOTA_EXCEPTION = 8, /**< Backlog quota: producers are refused. */
  KOP_PULSAR_CHECKSUM_ERROR = 9,                   /**< ChecksumError. */
  KOP_PULSAR_UNSUPPORTED_VERSION_ERROR = 10,       /**< UnsupportedVersionError. */
  KOP_PULSAR_TOPIC_NOT_FOUND = 11,                 /**< TopicNotFound. */
  KOP_PULSAR_SUBSCRIPTION_NOT_FOUND = 12,          /**< SubscriptionNotFound. */
  KOP_PULSAR_CONSUMER_NOT_FOUND = 13,              /**< ConsumerNotFound. */
  KOP_PULSAR_TOO_MANY_REQUESTS = 14,               /**< TooManyRequests; worth a retry. */
  KOP_PULSAR_TOPIC_TERMINATED = 15,                /**< TopicTerminatedError. */
  KOP_PULSAR_PRODUCER_BUSY = 16, /**< ProducerBusy: name taken, or an exclusive one is there. */
  KOP_PULSAR_INVALID_TOPIC_NAME = 17,    /**< InvalidTopicName. */
  KOP_PULSAR_INCOMPATIBLE_SCHEMA = 18,   /**< IncompatibleSchema. */
  KOP_PULSAR_CONSUMER_ASSIGN_ERROR = 19, /**< ConsumerAssignError. */
  KOP_PULSAR_COORDINATOR_NOT_FOUND = 20, /**< TransactionCoordinatorNotFound. */
  KOP_PULSAR_INVALID_TXN_STATUS = 21,    /**< InvalidTxnStatus. */
  KOP_PULSAR_NOT_ALLOWED_ERROR = 22,     /**< NotAllowedError. */
  KOP_PULSAR_TRANSACTION_CONFLICT = 23,  /**< TransactionConflict. */
  KOP_PULSAR_TRANSACTION_NOT_FOUND = 24, /**< TransactionNotFound. */
  KOP_PULSAR_PRODUCER_FENCED = 25        /**< ProducerFenced: another exclusive one has come. */
};

/** Body of CONNECT. */
typedef struct kop_pulsar_address {
  uint32_t size;  /**< Bytes of this struct. */
  uint32_t tls;   /**< 1: TLS from the first byte, with `host` as server name; 0: plain. */
  kop_slice host; /**< Name or address; IPv6 without brackets. */
  uint32_t port;  /**< TCP port. */
  uint32_t group; /**< The connection group it serves. */
  kop_slice
      broker; /**< "host:port" of the broker behind the proxy at `host`; null without a proxy. */
} kop_pulsar_address;

/** Body of SEND. At most one is open per connection. */
typedef struct kop_pulsar_output {
  uint32_t size;           /**< Bytes of this struct. */
  uint32_t slices_count;   /**< How many slices. */
  const kop_slice *slices; /**< To be written in this order. */
  uint64_t bytes;          /**< Sum of their lengths. */
} kop_pulsar_output;

/** Why something ends or has to begin anew. Body of CLOSE, PRODUCER_DOWN, PRODUCER_CLOSED, CONSUMER_DOWN, CONSUMER_CLOSED, WATCH_CLOSED. */
typedef struct kop_pulsar_reason {
  uint32_t size;   /**< Bytes of this struct. */
  int32_t outcome; /**< KOP_PULSAR_DONE (closed by the caller), KOP_PULSAR_REFUSED and so on. */
  int32_t server_error; /**< Pulsar's ServerError, or KOP_PULSAR_NO_ERROR. */
  uint32_t reserved;    /**< 0. */
  kop_slice
      text; /**< The broker's words, the embedder's, or our own; may be empty; UTF-8 is not promised. */
} kop_pulsar_reason;

/** Body of AUTH_NEEDED. */
typedef struct kop_pulsar_challenge {
  uint32_t size;       /**< Bytes of this struct. */
  uint32_t reserved;   /**< 0. */
  kop_slice method;    /**< The method of the challenge. */
  kop_slice challenge; /**< Its bytes; "PulsarAuthRefresh" asks for a fresh token. */
} kop_pulsar_challenge;

/** Body of CONN_READY. */
typedef struct kop_pulsar_server {
  uint32_t size;              /**< Bytes of this struct. */
  int32_t protocol_version;   /**< What both sides speak. */
  kop_slice version;          /**< The broker's name and version. */
  uint32_t max_message_bytes; /**< Largest metadata and payload that it takes. */
  uint32_t features;          /**< KOP_PULSAR_SERVER_ bits. */
} kop_pulsar_server;

/** Bits of kop_pulsar_server.features: what the broker says it can. */
enum {
  KOP_PULSAR_SERVER_AUTH_REFRESH = 1,   /**< It asks for fresh credentials instead of closing. */
  KOP_PULSAR_SERVER_ENTRY_METADATA = 2, /**< It may send broker entry metadata. */
  KOP_PULSAR_SERVER_TOPIC_WATCHERS = 4, /**< kop_pulsar_watch() works. */
  KOP_PULSAR_SERVER_PARTITIONS_WITHOUT_CREATION = 8 /**< kop_pulsar_partitions() works. */
};

/** Body of PRODUCER_READY. */
typedef struct kop_pulsar_producer_state {
  uint32_t size;  /**< Bytes of this struct. */
  uint32_t times; /**< How often it was opened: 1, 2, ... */
  uint64_t conn;  /**< The connection it lives on. */
  kop_slice name; /**< Its name, given or chosen by the broker. */
  int64_t
      last_sequence_id; /**< Highest that the broker knows of this name (deduplication), else -1. */
  int64_t topic_epoch;  /**< Exclusive modes: the epoch held; else -1. */
  uint32_t max_message_bytes; /**< Largest metadata and payload of one send. */
  uint32_t resent;            /**< Entries without receipt that are sent again. */
  kop_slice schema_version;   /**< As the broker gave it; may be null. */
} kop_pulsar_producer_state;

/** Body of RECEIPT. */
typedef struct kop_pulsar_receipt {
  uint32_t size;                /**< Bytes of this struct. */
  uint32_t reserved;            /**< 0. */
  uint64_t sequence_id;         /**< Of the send. */
  uint64_t highest_sequence_id; /**< Of the send, as the broker repeats it. */
  kop_pulsar_message_id
      id; /**< Where the entry is stored; with KOP_PULSAR_DUPLICATE ledger and entry are -1. */
} kop_pulsar_receipt;

/** Body of SEND_FAILED. */
typedef struct kop_pulsar_send_failure {
  uint32_t size;        /**< Bytes of this struct. */
  int32_t outcome;      /**< KOP_PULSAR_REFUSED and so on. */
  int32_t server_error; /**< Pulsar's ServerError, or KOP_PULSAR_NO_ERROR. */
  uint32_t reserved;    /**< 0. */
  uint64_t sequence_id; /**< Of the send. */
} kop_pulsar_send_failure;

/** Body of CONSUMER_READY. */
typedef struct kop_pulsar_consumer_state {
  uint32_t size;          /**< Bytes of this struct. */
  uint32_t times;         /**< How often it was opened: 1, 2, ... */
  uint64_t conn;          /**< The connection it lives on. */
  kop_slice subscription; /**< The subscription, given or made for a reader. */
  uint64_t permits;       /**< Messages that it may still receive. */
} kop_pulsar_consumer_state;

/** Body of MESSAGE: a stored entry, which may be a batch of messages. */
typedef struct kop_pulsar_delivery {
  uint32_t size;             /**< Bytes of this struct. */
  uint32_t redelivery_count; /**< How often it was delivered before. */
  kop_pulsar_message_id id;  /**< Where it is stored. */
  kop_slice bytes; /**< The entry where it was received: kop_pulsar_entry_read() takes it. */
  kop_pulsar_repeated
      ack_set; /**< For kop_pulsar_int64_next(): bits of the batch, lowest first; one that is 0 was acknowledged. None: all are to be read. */
  uint32_t
      num_messages; /**< Messages in it, as its metadata says: the permits it took. 1 if unreadable. */
  uint32_t reserved; /**< 0. */
} kop_pulsar_delivery;

/** What a RESULT answers; kop_pulsar_result.request. */
enum {
  KOP_PULSAR_REQUEST_ACK = 1,             /**< kop_pulsar_ack() with a receipt. */
  KOP_PULSAR_REQUEST_SEEK = 2,            /**< kop_pulsar_seek(). */
  KOP_PULSAR_REQUEST_LAST_MESSAGE_ID = 3, /**< kop_pulsar_last_message_id(). */
  KOP_PULSAR_REQUEST_UNSUBSCRIBE = 4,     /**< kop_pulsar_unsubscribe(). */
  KOP_PULSAR_REQUEST_LOOKUP = 5,          /**< kop_pulsar_lookup(). */
  KOP_PULSAR_REQUEST_PARTITIONS = 6,      /**< kop_pulsar_partitions(). */
  KOP_PULSAR_REQUEST_TOPICS = 7           /**< kop_pulsar_topics(). */
};

/** Body of RESULT. Fields of other requests are zero. */
typedef struct kop_pulsar_result {
  uint32_t size;        /**< Bytes of this struct. */
  uint32_t request;     /**< KOP_PULSAR_REQUEST_. */
  int32_t outcome;      /**< KOP_PULSAR_DONE and so on. */
  int32_t server_error; /**< Pulsar's ServerError, or KOP_PULSAR_NO_ERROR. */
  kop_slice text;       /**< With an outcome other than DONE: the broker's words or our own. */
  kop_pulsar_message_id
      last_message_id; /**< LAST_MESSAGE_ID: the last one that can be delivered; ledger and entry -1: none. */
  kop_pulsar_message_id
      mark_delete; /**< LAST_MESSAGE_ID: up to here all is acknowledged; ledger and entry -1 if the broker did not say. */
  kop_slice broker_host;   /**< LOOKUP: the owner. */
  uint32_t broker_port;    /**< LOOKUP: its port. */
  uint32_t proxied;        /**< LOOKUP: 1 if it is reached through the service address. */
  uint32_t partitions;     /**< PARTITIONS: how many; 0: not partitioned, or no such topic. */
  uint32_t topics_count;   /**< TOPICS: how many. */
  const kop_slice *topics; /**< TOPICS: full names; of a partitioned topic its partitions. */
  kop_slice topics_hash;   /**< TOPICS: the broker's hash of the list; may be null. */
} kop_pulsar_result;

/** Body of TOPICS_CHANGED. */
typedef struct kop_pulsar_topics_change {
  uint32_t size;            /**< Bytes of this struct. */
  uint32_t added_count;     /**< How many were added. */
  const kop_slice *added;   /**< Their full names; with KOP_PULSAR_SNAPSHOT every topic there is. */
  const kop_slice *removed; /**< Full names of those that are gone. */
  uint32_t removed_count;   /**< How many. */
  uint32_t reserved;        /**< 0. */
} kop_pulsar_topics_change;

#ifdef __cplusplus
}
#endif

#endif
