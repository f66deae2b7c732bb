/**
 * @file event.h
 * What the embedder tells the engine unasked: which nodes and topics there are, who leads what, how far a log reaches.
 *
 * Every struct starts with its size and grows only at its tail. Everything is copied inside kop_engine_push().
 */
#ifndef KOP_EVENT_H
#define KOP_EVENT_H

#include <kop/base.h>
#include <kop/effect.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What an event says; kop_event.kind. */
enum {
  KOP_EVENT_NODES = 1, /**< Body ::kop_nodes: all live nodes, replacing what was known. */
  KOP_EVENT_TOPIC = 2, /**< Body ::kop_topic: a topic, whole, new or changed. */
  KOP_EVENT_TOPIC_GONE =
      3, /**< Body ::kop_topic_ref (by id): it was deleted; parked fetches are woken. */
  KOP_EVENT_LEADER = 4, /**< Body ::kop_leader: who leads one partition. */
  KOP_EVENT_LOG =
      5, /**< Body ::kop_log_state: log start, high watermark and size of one partition. */
  KOP_EVENT_VOLUME = 6 /**< Body ::kop_volume: size and free space of the log directory. */
};

/** One thing that has happened. */
typedef struct kop_event {
  uint32_t size;      /**< Bytes of this struct. */
  uint32_t kind;      /**< KOP_EVENT_. */
  const void *body;   /**< The struct that `kind` names. */
  uint32_t body_size; /**< Its size as the embedder was compiled. */
  uint32_t reserved;  /**< 0. */
} kop_event;

/** How clients reach a node on one listener. */
typedef struct kop_endpoint {
  int32_t node_id; /**< The node. */
  uint32_t
      listener; /**< The listener a client must have come in by to be told this address: kop_conn_info.listener. */
  kop_slice host;    /**< Name or address. */
  int32_t port;      /**< TCP port. */
  uint32_t reserved; /**< 0. */
  kop_slice rack;    /**< Rack, or null. */
} kop_endpoint;

/** All live nodes. */
typedef struct kop_nodes {
  uint32_t size;                 /**< Bytes of this struct. */
  int32_t controller_id;         /**< The node that Metadata names as controller. */
  const kop_endpoint *endpoints; /**< One per node and listener. */
  uint32_t endpoints_count;      /**< How many. */
  uint32_t reserved;             /**< 0. */
} kop_nodes;

/** One partition of a pushed topic. */
typedef struct kop_topic_partition {
  uint64_t id; /**< The embedder's own name for it: not 0, never used for another partition. */
  int32_t
      leader; /**< Node id; -1: none. If it is this engine's node, the engine acquires the partition. */
  int32_t
      leader_epoch; /**< Newest epoch known, -1 if none was granted yet; ignored for this engine's own partitions. */
} kop_topic_partition;

/** A topic. Partitions may only be added; configs are the topic's own, those it does not name are default. */
typedef struct kop_topic {
  uint32_t size;                         /**< Bytes of this struct. */
  uint32_t flags;                        /**< KOP_TOPIC_INTERNAL or 0. */
  kop_slice name;                        /**< Its name. */
  kop_uuid id;                           /**< Its id, not zero. */
  const kop_topic_partition *partitions; /**< In order of the partition index, from 0. */
  uint32_t partitions_count;             /**< How many. */
  uint32_t configs_count;                /**< How many configs. */
  const kop_config_entry *configs;       /**< The topic's own configs, values not null. */
} kop_topic;

/** Bits of kop_topic.flags. */
enum {
  KOP_TOPIC_INTERNAL = 1 /**< Clients see it as internal and cannot write to it. */
};

/** Who leads a partition of a topic that was pushed. */
typedef struct kop_leader {
  uint32_t size;        /**< Bytes of this struct. */
  int32_t leader;       /**< As in ::kop_topic_partition. */
  uint64_t partition;   /**< Partition id. */
  int32_t leader_epoch; /**< As in ::kop_topic_partition. */
  uint32_t reserved;    /**< 0. */
} kop_leader;

/** How far a partition reaches. Needed when something but the engine's own appends changes it: retention, foreign writers. */
typedef struct kop_log_state {
  uint32_t size;          /**< Bytes of this struct. */
  int32_t epoch;          /**< The epoch under which it is true; an older one is ignored. */
  uint64_t partition;     /**< Partition id. */
  int64_t log_start;      /**< Never goes back. */
  int64_t high_watermark; /**< Never goes back: a smaller one than known is ignored. */
  uint64_t log_bytes;     /**< Bytes of the partition's batches. */
} kop_log_state;

/** The folder the log lives in, for DescribeLogDirs. */
typedef struct kop_volume {
  uint32_t size;        /**< Bytes of this struct. */
  uint32_t reserved;    /**< 0. */
  int64_t total_bytes;  /**< -1: unknown. */
  int64_t usable_bytes; /**< -1: unknown. */
} kop_volume;

#ifdef __cplusplus
}
#endif

#endif
