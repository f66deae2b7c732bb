/**
 * @file pulsar_admin.h
 * Pulsar's admin calls as data: a request becomes method, path and body; an answer becomes structs. The HTTP between is the
 * caller's.
 *
 *     kop_pulsar_admin_request r = {.size = sizeof r, .op = KOP_PULSAR_ADMIN_PARTITIONS, .topic = TEXT("orders")};
 *     kop_pulsar_admin_write(&r, arena, &call);          GET /admin/v2/persistent/public/default/orders/partitions?...
 *     ... send it to any broker, take status, headers and body ...
 *     kop_pulsar_admin_judge(&answer, arena, &verdict);  DONE? REDIRECT: send the same call to verdict.location
 *     kop_pulsar_admin_read_partitions(&answer, arena, &found);
 *
 * Calls on a topic may be answered with a redirect to the broker that owns it: repeat method, body and credentials there. A token goes
 * into the header `Authorization: Bearer TOKEN`, which is the caller's to add.
 *
 * Everything that comes out lives in the ::kop_arena that was given, whose limit bounds it. Reading JSON uses jansson, which allocates by
 * malloc (some ten times the text's length at most, all freed before the call returns). Members that this version does not know are passed
 * over; one that is missing has its documented default; one of the wrong kind is ::KOP_ERR_MALFORMED.
 */
#ifndef KOP_PULSAR_ADMIN_H
#define KOP_PULSAR_ADMIN_H

#include <kop/offset.h>
#include <kop/pulsar_entry.h>
#include <kop/wire.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The longest body that is read, in bytes: 32 MiB. */
enum { KOP_PULSAR_ADMIN_MAX_BODY = 33554432 };

/* ---- requests ----------------------------------------------------------------------------------- */

/**
 * The calls. Each says which fields of the request it uses besides `op`; `T` stands for a topic in `topic`, `N` for "tenant/namespace" in
 * `topic`. Reading functions are named in brackets; [none] answers have nothing to read.
 */
enum {
  KOP_PULSAR_ADMIN_TOPICS =
      1, /**< N: topics that are no partitioned ones, partitions among them. [strings] */
  KOP_PULSAR_ADMIN_PARTITIONED = 2, /**< N: partitioned topics. [strings] */
  KOP_PULSAR_ADMIN_PARTITIONS =
      3, /**< T: how many, without creating anything; 404: no such topic. [partitions] */
  KOP_PULSAR_ADMIN_CREATE_PARTITIONED =
      4, /**< T, number: partitions, `properties`. 409: exists. [none] */
  KOP_PULSAR_ADMIN_GROW_PARTITIONED = 5,   /**< T, number: the new total. [none] */
  KOP_PULSAR_ADMIN_DELETE_PARTITIONED = 6, /**< T, `force`. [none] */
  KOP_PULSAR_ADMIN_CREATE_TOPIC = 7, /**< T, not partitioned, `properties`. 409: exists. [none] */
  KOP_PULSAR_ADMIN_DELETE_TOPIC = 8, /**< T, `force`. [none] */
  KOP_PULSAR_ADMIN_PROPERTIES =
      9, /**< T. Of a topic that is not partitioned the broker's own "index" is among them. [strings by name] */
  KOP_PULSAR_ADMIN_SET_PROPERTIES = 10,    /**< T, `properties`: adds and replaces. [none] */
  KOP_PULSAR_ADMIN_STATS = 11,             /**< T. [stats] */
  KOP_PULSAR_ADMIN_PARTITIONED_STATS = 12, /**< T: sums over the partitions. [stats] */
  KOP_PULSAR_ADMIN_INTERNAL_STATS =
      13, /**< T: ledgers and cursors as the owner has them loaded. [internals] */
  KOP_PULSAR_ADMIN_INTERNAL_INFO =
      14, /**< T: the same as the metadata store has them, with the properties. [internals] */
  KOP_PULSAR_ADMIN_MESSAGE_ID_BY_INDEX =
      15, /**< T, number: the offset. Pulsar 4.0.9, 4.1 and later. [message id] */
  KOP_PULSAR_ADMIN_MESSAGE_ID_BY_TIME =
      16, /**< T, number: ms; the position behind the last one if all are older. [message id] */
  KOP_PULSAR_ADMIN_LAST_MESSAGE_ID = 17, /**< T; entry -1 for a topic that has none. [message id] */
  KOP_PULSAR_ADMIN_EXAMINE_EARLIEST =
      18, /**< T, number: from 1; beyond the end it is the last entry. [entry] */
  KOP_PULSAR_ADMIN_EXAMINE_LATEST = 19, /**< T, number: from 1 for the last entry. [entry] */
  KOP_PULSAR_ADMIN_ENTRY = 20,          /**< T, ledger_id, entry_id. [entry] */
  KOP_PULSAR_ADMIN_RETENTION = 21,      /**< T or N. [retention] */
  KOP_PULSAR_ADMIN_SET_RETENTION = 22,  /**< T or N, `retention_minutes`, `retention_mb`. [none] */
  KOP_PULSAR_ADMIN_COMPACTION_THRESHOLD = 23,     /**< T or N. [number] */
  KOP_PULSAR_ADMIN_SET_COMPACTION_THRESHOLD = 24, /**< T or N, number: bytes; 0 never. [none] */
  KOP_PULSAR_ADMIN_COMPACT = 25,           /**< T: start a compaction. 409: one runs. [none] */
  KOP_PULSAR_ADMIN_COMPACTION_STATUS = 26, /**< T. [compaction] */
  KOP_PULSAR_ADMIN_INACTIVE_POLICY = 27,   /**< T or N. [inactive policy] */
  KOP_PULSAR_ADMIN_SET_INACTIVE_POLICY =
      28, /**< T or N, `inactive_mode`, `inactive_seconds`, `inactive_delete`. [none] */
  KOP_PULSAR_ADMIN_TENANTS = 29, /**< Nothing. [strings] */
  KOP_PULSAR_ADMIN_CREATE_TENANT =
      30, /**< name: the tenant, `list`: its clusters, at least one. 409: exists. [none] */
  KOP_PULSAR_ADMIN_CLUSTERS = 31,         /**< Nothing. [strings] */
  KOP_PULSAR_ADMIN_NAMESPACES = 32,       /**< name: the tenant. [strings], as "tenant/namespace" */
  KOP_PULSAR_ADMIN_CREATE_NAMESPACE = 33, /**< N. 409: exists. [none] */
  KOP_PULSAR_ADMIN_SET_DEDUPLICATION = 34,       /**< N, number: 0 or 1. [none] */
  KOP_PULSAR_ADMIN_SET_AUTO_TOPIC_CREATION = 35, /**< N, number: 0 or 1. [none] */
  KOP_PULSAR_ADMIN_TRUNCATE = 36,                /**< T: lets go of all closed ledgers. [none] */
  KOP_PULSAR_ADMIN_UNLOAD = 37,                  /**< T: its owner lets go of it. [none] */
  KOP_PULSAR_ADMIN_SUBSCRIPTIONS = 38,           /**< T. [strings] */
  KOP_PULSAR_ADMIN_CREATE_SUBSCRIPTION =
      39, /**< T, name, ledger_id, entry_id: where it begins, `properties`. 409: exists. [none] */
  KOP_PULSAR_ADMIN_DELETE_SUBSCRIPTION = 40, /**< T, name, `force`: also with consumers. [none] */
  KOP_PULSAR_ADMIN_RESET_CURSOR =
      41, /**< T, name, ledger_id, entry_id, `batch_index`, `excluded`. Disconnects consumers. [none] */
  KOP_PULSAR_ADMIN_EXPIRE_MESSAGES =
      42, /**< T, name, ledger_id, entry_id: marks all up to it as consumed, consumers stay. [none] */
  KOP_PULSAR_ADMIN_SKIP_MESSAGES = 43, /**< T, name, number: how many. [none] */
  KOP_PULSAR_ADMIN_PERMISSIONS = 44,   /**< T or N. [permissions] */
  KOP_PULSAR_ADMIN_GRANT = 45,         /**< T or N, name: the role, `list`: actions. [none] */
  KOP_PULSAR_ADMIN_REVOKE = 46,        /**< T or N, name: the role. [none] */
  KOP_PULSAR_ADMIN_HEALTH = 47,        /**< Nothing: produces and consumes a message. [none] */
  KOP_PULSAR_ADMIN_READY = 48,         /**< Nothing: is the broker up. [none] */
  KOP_PULSAR_ADMIN_VERSION = 49,       /**< Nothing. The body is the version as text. [none] */
  KOP_PULSAR_ADMIN_RUNTIME_CONFIGURATION =
      50 /**< Nothing: all settings. Needs a superuser. [strings by name] */
};

/** What to do with idle topics (`inactive_mode`). */
enum {
  KOP_PULSAR_ADMIN_INACTIVE_NO_SUBSCRIPTIONS = 1, /**< delete_when_no_subscriptions */
  KOP_PULSAR_ADMIN_INACTIVE_CAUGHT_UP = 2         /**< delete_when_subscriptions_caught_up */
};

/** A call to be made. Zero it, set `size`, and what the op's comment names. All slices borrow. */
typedef struct kop_pulsar_admin_request {
  size_t size;    /**< sizeof(kop_pulsar_admin_request) as the caller compiled it. */
  uint32_t op;    /**< KOP_PULSAR_ADMIN_ constant. */
  uint32_t force; /**< 1: whatever is connected. */
  kop_slice
      topic; /**< A topic in any form that kop_pulsar_topic_read() takes (public/default are the defaults), or "tenant/namespace". */
  kop_slice name;     /**< A subscription, a role, a tenant. */
  int64_t number;     /**< A count, an offset, a time, a switch. */
  uint64_t ledger_id; /**< With entry_id a position; KOP_PULSAR_EARLIEST, KOP_PULSAR_LATEST. */
  uint64_t entry_id;  /**< See there. */
  const kop_pulsar_property *properties; /**< Names and values. */
  size_t properties_count;               /**< How many. */
  const kop_slice *list;                 /**< Texts. */
  size_t list_count;                     /**< How many. */
  int32_t batch_index;                   /**< A message of the entry; -1 all of it. */
  int32_t excluded;          /**< 1: the cursor stands behind the position, 0: before it. */
  int32_t retention_minutes; /**< Minutes to keep what is consumed, -1 for ever. */
  int32_t retention_mb;      /**< MB to keep at most, -1 without bound. */
  int32_t inactive_mode;     /**< KOP_PULSAR_ADMIN_INACTIVE_ constant. */
  int32_t inactive_seconds;  /**< Idle for so long. */
  int32_t inactive_delete;   /**< 1: delete idle topics. */
  int32_t reserved;          /**< Zero. */
} kop_pulsar_admin_request;

/** A call as HTTP sees it. */
typedef struct kop_pulsar_admin_call {
  size_t size;        /**< sizeof(kop_pulsar_admin_call); set by the call. */
  const char *method; /**< Static: "GET", "PUT", "POST" or "DELETE". */
  kop_slice path;     /**< From "/admin/v2" on, percent-encoded, with its query; a zero follows. */
  const char *content_type; /**< Static, of the body; NULL without one. */
  kop_slice body;           /**< The body; length 0: none. */
} kop_pulsar_admin_call;

/**
 * Turns a request into method, path and body.
 *
 * @param request  The request.
 * @param arena    Where path and body are made.
 * @param out      Filled; lives as long as the arena's objects.
 * @return ::KOP_OK; ::KOP_ERR_UNSUPPORTED for an unknown op; ::KOP_ERR_INVALID for fields the op cannot do with: no such name of topic,
 *         namespace, role or subscription (an empty one, or "." or "..", which are no names in a path), a number out of range, text that is not UTF-8, a request that is not understood;
 *         ::KOP_ERR_LIMIT or ::KOP_ERR_NOMEM (the arena). Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_write(const kop_pulsar_admin_request *request, kop_arena *arena,
                                          kop_pulsar_admin_call *out);

/* ---- answers ------------------------------------------------------------------------------------ */

/** A header of an answer. */
typedef struct kop_pulsar_admin_header {
  kop_slice name;  /**< In any case of letters. */
  kop_slice value; /**< Without blanks around it. */
} kop_pulsar_admin_header;

/** An answer as HTTP gave it. All borrowed. */
typedef struct kop_pulsar_admin_answer {
  size_t size;       /**< sizeof(kop_pulsar_admin_answer) as the caller compiled it. */
  int32_t status;    /**< The HTTP status. */
  uint32_t reserved; /**< Zero. */
  const kop_pulsar_admin_header
      *headers;         /**< At least Location, Content-Type and those that begin with X-Pulsar-. */
  size_t headers_count; /**< How many. */
  kop_slice body;       /**< Its body. */
} kop_pulsar_admin_answer;

/** What an answer means. */
enum {
  KOP_PULSAR_ADMIN_DONE = 1, /**< 2xx. */
  KOP_PULSAR_ADMIN_REDIRECT =
      2, /**< 307: make the same call at `location`. Give up after some 20. */
  KOP_PULSAR_ADMIN_MISSING = 3, /**< What was named does not exist. */
  KOP_PULSAR_ADMIN_EXISTS = 4,  /**< 409: it exists already, or something like it runs. */
  KOP_PULSAR_ADMIN_REFUSED =
      5, /**< 400, 412, 422: the broker will not do that; `reason` says why. */
  KOP_PULSAR_ADMIN_NO_SUCH_CALL =
      6, /**< This broker does not have the call, or not for such a topic (404 that names no thing, 405, 501). */
  KOP_PULSAR_ADMIN_UNAUTHORIZED = 7, /**< 401, 403: no credentials, or no rights. */
  KOP_PULSAR_ADMIN_TRY_LATER = 8     /**< 408, 429, 5xx: the same call may work another time. */
};

/** A judged answer. */
typedef struct kop_pulsar_admin_verdict {
  size_t size;        /**< sizeof(kop_pulsar_admin_verdict); set by the call. */
  uint32_t kind;      /**< KOP_PULSAR_ADMIN_DONE .. KOP_PULSAR_ADMIN_TRY_LATER. */
  uint32_t reserved;  /**< Zero. */
  kop_slice location; /**< With REDIRECT the URL, borrowed from the answer. */
  kop_slice
      reason; /**< The broker's words, the first line of them, in the arena; empty when it gives none. */
} kop_pulsar_admin_verdict;

/**
 * Says what an answer means.
 *
 * @param answer  The answer.
 * @param arena   Where the reason is put.
 * @param out     Filled.
 * @return ::KOP_OK; ::KOP_ERR_INVALID for an answer that is not understood; ::KOP_ERR_MALFORMED for a status that is none, or a redirect
 *         without location; ::KOP_ERR_LIMIT or ::KOP_ERR_NOMEM (the arena). Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_judge(const kop_pulsar_admin_answer *answer, kop_arena *arena,
                                          kop_pulsar_admin_verdict *out);

/** A list of texts. */
typedef struct kop_pulsar_admin_strings {
  const kop_slice *items; /**< In the broker's order. */
  size_t items_count;     /**< How many. */
} kop_pulsar_admin_strings;

/**
 * Reads a list of texts: topics, tenants, namespaces, clusters, subscriptions.
 *
 * @param answer  An answer with status 2xx.
 * @param arena   Where the texts are put.
 * @param out     Filled.
 * @return ::KOP_OK; ::KOP_ERR_STATE when the status is not 2xx; ::KOP_ERR_MALFORMED; ::KOP_ERR_LIMIT (KOP_PULSAR_ADMIN_MAX_BODY or the
 *         arena); ::KOP_ERR_NOMEM; ::KOP_ERR_INVALID for an answer that is not understood. Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_strings(const kop_pulsar_admin_answer *answer,
                                                 kop_arena *arena, kop_pulsar_admin_strings *out);

/** Texts by name: properties, settings. */
typedef struct kop_pulsar_admin_properties {
  const kop_pulsar_property *items; /**< In the broker's order. */
  size_t items_count;               /**< How many. */
} kop_pulsar_admin_properties;

/**
 * Reads texts by name: a topic's properties, a broker's settings. An empty body is no properties.
 *
 * @param answer  An answer with status 2xx.
 * @param arena   Where the texts are put.
 * @param out     Filled. A value that is null has a NULL pointer.
 * @return As kop_pulsar_admin_read_strings(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_properties(const kop_pulsar_admin_answer *answer,
                                                    kop_arena *arena,
                                                    kop_pulsar_admin_properties *out);

/** What is set for a partitioned topic. */
typedef struct kop_pulsar_admin_partitions {
  int32_t partitions; /**< How many; 0: the topic exists and is not partitioned. */
  int32_t deleted;    /**< 1: it is being deleted. */
  kop_pulsar_admin_properties properties; /**< Its properties. */
} kop_pulsar_admin_partitions;

/**
 * Reads the number of partitions.
 *
 * @param answer  An answer with status 2xx.
 * @param arena   Where the properties are put.
 * @param out     Filled.
 * @return As kop_pulsar_admin_read_strings(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_partitions(const kop_pulsar_admin_answer *answer,
                                                    kop_arena *arena,
                                                    kop_pulsar_admin_partitions *out);

/**
 * Reads a message id.
 *
 * @param answer  An answer with status 2xx.
 * @param out     Filled. Ids of -1 are KOP_PULSAR_EARLIEST; LAST_MESSAGE_ID of an empty topic has such an entry_id.
 * @return As kop_pulsar_admin_read_strings(), but for the arena. Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_message_id(const kop_pulsar_admin_answer *answer,
                                                    kop_pulsar_message_id *out);

/** A subscription as internals show it. */
typedef struct kop_pulsar_admin_cursor {
  kop_slice name;     /**< Of the subscription, decoded. */
  uint64_t ledger_id; /**< The last entry of which all before and itself are consumed. */
  uint64_t entry_id;  /**< KOP_PULSAR_EARLIEST: none of that ledger. */
  int32_t is_active;  /**< 1: consumers are connected. Only in INTERNAL_STATS. */
  uint32_t reserved;  /**< Zero. */
  kop_pulsar_admin_properties
      positions; /**< What acks have stored with the cursor: numbers as text. Only in INTERNAL_STATS. */
} kop_pulsar_admin_cursor;

/** The inside of a topic. */
typedef struct kop_pulsar_admin_internals {
  const kop_offset_ledger *
      ledgers; /**< In order of id, for kop_offset_map_ledgers(). The newest one's entries are those so far; UINT64_MAX when not told. */
  size_t ledgers_count;         /**< How many. */
  const uint64_t *ledger_bytes; /**< Size of each. */
  size_t ledger_bytes_count;    /**< The same number. */
  uint64_t entries;             /**< Entries in all. 0 in INTERNAL_INFO. */
  uint64_t bytes;               /**< Bytes in all. 0 in INTERNAL_INFO. */
  uint64_t
      last_ledger_id; /**< With last_entry_id the last entry confirmed. Only in INTERNAL_STATS. */
  uint64_t last_entry_id; /**< KOP_PULSAR_EARLIEST: none in that ledger, or not told. */
  int64_t
      index; /**< The index that the ledgers' list carries: that of the last message when the newest ledger began, -1 before any; INT64_MIN: not told (INTERNAL_STATS of 4.0). */
  const kop_pulsar_admin_cursor *cursors; /**< Subscriptions. */
  size_t cursors_count;                   /**< How many. */
  uint64_t compacted_ledger_id; /**< What compaction made; KOP_PULSAR_EARLIEST: nothing. */
  kop_pulsar_admin_properties properties; /**< Only in INTERNAL_INFO. */
} kop_pulsar_admin_internals;

/**
 * Reads INTERNAL_STATS or INTERNAL_INFO.
 *
 * @param answer  An answer with status 2xx.
 * @param arena   Where all of it is put.
 * @param out     Filled.
 * @return As kop_pulsar_admin_read_strings(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_internals(const kop_pulsar_admin_answer *answer,
                                                   kop_arena *arena,
                                                   kop_pulsar_admin_internals *out);

/** A subscription as stats show it. */
typedef struct kop_pulsar_admin_subscription {
  kop_slice name;        /**< Its name. */
  kop_slice type;        /**< "Exclusive", "Shared", "Failover", "Key_Shared", "None". */
  uint64_t backlog;      /**< Entries not consumed. */
  uint32_t consumers;    /**< Connected ones. */
  int32_t is_durable;    /**< 0 for a reader's. */
  int32_t is_replicated; /**< 1: its state is copied to other clusters. */
  uint32_t reserved;     /**< Zero. */
  kop_pulsar_admin_properties properties; /**< Subscription properties. */
} kop_pulsar_admin_subscription;

/** What a topic does and holds. */
typedef struct kop_pulsar_admin_stats {
  double messages_in;      /**< Messages a second produced. */
  double bytes_in;         /**< Bytes a second produced. */
  double messages_out;     /**< Messages a second consumed. */
  double bytes_out;        /**< Bytes a second consumed. */
  uint64_t messages_total; /**< Messages produced since the topic was loaded. */
  uint64_t storage_bytes;  /**< Bytes stored. */
  uint64_t backlog_bytes;  /**< Bytes that the slowest subscription holds. */
  uint32_t producers;      /**< Connected ones. */
  uint32_t partitions;     /**< In PARTITIONED_STATS how many; else 0. */
  kop_slice owner;         /**< The broker that has it loaded; empty when not told. */
  const kop_pulsar_admin_subscription *subscriptions; /**< Its subscriptions. */
  size_t subscriptions_count;                         /**< How many. */
} kop_pulsar_admin_stats;

/**
 * Reads STATS or PARTITIONED_STATS.
 *
 * @param answer  An answer with status 2xx.
 * @param arena   Where all of it is put.
 * @param out     Filled.
 * @return As kop_pulsar_admin_read_strings(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_stats(const kop_pulsar_admin_answer *answer,
                                               kop_arena *arena, kop_pulsar_admin_stats *out);

/** An entry read through the admin's HTTP: its metadata is in headers, its payload is the body. */
typedef struct kop_pulsar_admin_entry {
  uint64_t ledger_id;       /**< Where it is. */
  uint64_t entry_id;        /**< Where it is. */
  uint64_t index;           /**< Of its last message; UINT64_MAX: none. */
  int64_t broker_timestamp; /**< ms; -1 none. */
  int64_t publish_time;     /**< ms; -1 none. */
  int64_t event_time;       /**< ms; -1 none. */
  int32_t batch_count;      /**< num_messages_in_batch; 1 when it is no batch. */
  int32_t is_batch;         /**< 1: the payload is in batch format, decompressed. */
  kop_slice
      properties; /**< Of the entry, a JSON object; borrowed from the answer, empty without any. */
  kop_slice payload; /**< The body, borrowed from the answer. */
} kop_pulsar_admin_entry;

/**
 * Reads an entry.
 *
 * @param answer  An answer with status 2xx.
 * @param out     Filled; borrows from the answer.
 * @return ::KOP_OK; ::KOP_ERR_STATE when the status is not 2xx; ::KOP_ERR_MALFORMED when the headers lack the position or hold something else than
 *         they should; ::KOP_ERR_INVALID for an answer that is not understood. Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_entry(const kop_pulsar_admin_answer *answer,
                                               kop_pulsar_admin_entry *out);

/** How long consumed messages are kept. */
typedef struct kop_pulsar_admin_retention {
  int32_t minutes;   /**< -1 for ever. */
  int32_t megabytes; /**< -1 without bound. */
} kop_pulsar_admin_retention;

/**
 * Reads a retention.
 *
 * @param answer  An answer with status 2xx.
 * @param out     Filled.
 * @return As kop_pulsar_admin_read_strings(), but for the arena; ::KOP_ERR_NOT_FOUND: none is set at this level. Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_retention(const kop_pulsar_admin_answer *answer,
                                                   kop_pulsar_admin_retention *out);

/** What happens to idle topics. */
typedef struct kop_pulsar_admin_inactive_policy {
  int32_t mode;    /**< KOP_PULSAR_ADMIN_INACTIVE_ constant; 0: one this version does not know. */
  int32_t seconds; /**< Idle for so long. */
  int32_t deletes; /**< 1: they are deleted. */
} kop_pulsar_admin_inactive_policy;

/**
 * Reads an inactive topic policy.
 *
 * @param answer  An answer with status 2xx.
 * @param out     Filled.
 * @return As kop_pulsar_admin_read_retention(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_inactive_policy(const kop_pulsar_admin_answer *answer,
                                                         kop_pulsar_admin_inactive_policy *out);

/**
 * Reads a number: a compaction threshold.
 *
 * @param answer  An answer with status 2xx.
 * @param out     Receives it.
 * @return As kop_pulsar_admin_read_retention(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_number(const kop_pulsar_admin_answer *answer,
                                                int64_t *out);

/** States of a compaction. */
enum {
  KOP_PULSAR_ADMIN_COMPACTION_NOT_RUN = 1, /**< None since the topic was loaded. */
  KOP_PULSAR_ADMIN_COMPACTION_RUNNING = 2, /**< It runs. */
  KOP_PULSAR_ADMIN_COMPACTION_SUCCESS = 3, /**< The last one is done. */
  KOP_PULSAR_ADMIN_COMPACTION_ERROR = 4    /**< The last one failed. */
};

/**
 * Reads the state of a compaction.
 *
 * @param answer  An answer with status 2xx.
 * @param arena   Where the error's text is put.
 * @param state   Receives a KOP_PULSAR_ADMIN_COMPACTION_ constant.
 * @param error   Receives the broker's words about the last error, empty without one.
 * @return As kop_pulsar_admin_read_strings(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_compaction(const kop_pulsar_admin_answer *answer,
                                                    kop_arena *arena, int32_t *state,
                                                    kop_slice *error);

/** What a role may do. */
typedef struct kop_pulsar_admin_permission {
  kop_slice role;                   /**< The role. */
  kop_pulsar_admin_strings actions; /**< "produce", "consume", "functions", "packages", ... */
} kop_pulsar_admin_permission;

/**
 * Reads permissions.
 *
 * @param answer  An answer with status 2xx.
 * @param arena   Where all of it is put.
 * @param out     Receives an array, in the broker's order.
 * @param count   Receives how many.
 * @return As kop_pulsar_admin_read_strings(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_read_permissions(const kop_pulsar_admin_answer *answer,
                                                     kop_arena *arena,
                                                     const kop_pulsar_admin_permission **out,
                                                     size_t *count);

/* ---- offsets through the admin's HTTP ----------------------------------------------------------- */

/**
 * The call that carries out a probe of a ::kop_offset_search that can KOP_OFFSET_CAN_READ_EXACT, KOP_OFFSET_CAN_EXAMINE, KOP_OFFSET_CAN_LIST,
 * KOP_OFFSET_CAN_INDEX or KOP_OFFSET_CAN_TIME. Needs the right to peek at messages.
 *
 * @param probe  The probe.
 * @param topic  The topic, a partition of it if it has any; borrowed by the request.
 * @param out    Filled, `size` included.
 * @return ::KOP_OK; ::KOP_ERR_INVALID for a probe of no known kind. Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_probe(const kop_offset_probe *probe, kop_slice topic,
                                          kop_pulsar_admin_request *out);

/**
 * Turns the answer to that call into the search's.
 *
 * @param probe   The probe.
 * @param answer  What HTTP gave, redirects followed.
 * @param arena   Where a list of ledgers is put.
 * @param out     Filled, `size` included, for kop_offset_search_answer().
 * @return ::KOP_OK; ::KOP_ERR_MALFORMED, ::KOP_ERR_LIMIT, ::KOP_ERR_NOMEM or ::KOP_ERR_INVALID as the reading functions: the probe was not
 *         answered, ask again or answer KOP_OFFSET_ANSWER_FAILED. Since 0.1.
 */
KOP_API kop_status kop_pulsar_admin_probe_answer(const kop_offset_probe *probe,
                                                 const kop_pulsar_admin_answer *answer,
                                                 kop_arena *arena, kop_offset_answer *out);

#ifdef __cplusplus
}
#endif

#endif
