/**
 * @file offset.h
 * Kafka offsets of a Pulsar topic: from an entry to its offsets, from an offset to its entry.
 *
 * A Pulsar broker that is set up for it (PIP-70) stores in each entry the index of the entry's last message. That index
 * is the Kafka offset. An entry with n messages holds n offsets:
 *
 *     entry (ledger 7, entry 12), index 41, 3 messages        offsets 39, 40, 41
 *     batch index                                                      0   1   2
 *
 * Offsets rise with the position (ledger id, entry id), but they are not dense: markers of the broker take offsets that
 * nobody sees, a crash may leave some out, compaction takes messages away. Entries from before the setting have no index.
 *
 * Three parts, each usable alone: pure functions on one entry and on the two old schemes that packed a position into an
 * offset; ::kop_offset_map, which remembers a bounded number of entries of one topic; and ::kop_offset_search, which finds
 * an entry by asking its caller for a few reads. Nothing here does I/O. One thread at a time per map and its searches.
 * docs/offset-map.md draws what the map knows and the states of a search.
 */
#ifndef KOP_OFFSET_H
#define KOP_OFFSET_H

#include <kop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- one entry ---------------------------------------------------------------------------------- */

/** An entry of a topic (of one partition) and the offsets it holds. Make it with kop_offset_entry_set(). */
typedef struct kop_offset_entry {
  uint64_t ledger_id; /**< Ledger of its MessageId. */
  uint64_t entry_id;  /**< Entry of its MessageId. */
  int64_t first;      /**< First offset that is its own; -1 without an index. */
  int64_t last;       /**< Its last message's offset, the stored index; -1 without an index. */
  int64_t timestamp;  /**< The broker's timestamp, else the publish time, ms; -1 not known. */
  int32_t
      count; /**< Messages in it, at least 1. May exceed last - first + 1, see kop_offset_entry_follow(). */
  uint32_t reserved; /**< Zero. */
} kop_offset_entry;

/** How an entry's offsets stand to those before it: answers of kop_offset_entry_follow() and kop_offset_map_observe(). */
enum {
  KOP_OFFSET_FITS = 0, /**< They begin right after, or nothing before them is known. */
  KOP_OFFSET_GAP = 1,  /**< Offsets are left out between; harmless. */
  KOP_OFFSET_OVERLAP =
      2, /**< Some are taken: the count of its messages and of its sender differ, or the index went back. Those were taken from `first`. Log it. */
  KOP_OFFSET_REGRESSION =
      3, /**< All are taken: the index went back. No offset leads to it. Log it. */
  KOP_OFFSET_UNINDEXED = 4, /**< It has no index, and nothing with an index is known before it. */
  KOP_OFFSET_UNINDEXED_AFTER =
      5 /**< It has no index and an entry before it has: the broker's setting was taken back, its counter can repeat offsets. Close the topic to Kafka. */
};

/**
 * Describes an entry by what a reader sees of it.
 *
 * @param ledger_id  Of its MessageId.
 * @param entry_id   Of its MessageId.
 * @param index      The index of its broker entry metadata; UINT64_MAX: it has none.
 * @param count      num_messages_in_batch of its metadata; 1 for a message that is no batch, and for each chunk.
 * @param timestamp  The broker's timestamp, else the publish time, ms; -1 not known.
 * @param out        Filled. `first` is index - count + 1, not below 0. Neighbours may take some of its offsets:
 *                   kop_offset_entry_follow().
 * @return ::KOP_OK; ::KOP_ERR_INVALID for a count below 1; ::KOP_ERR_LIMIT for an index that is no Kafka offset (2^63 or
 *         more). Since 0.1.
 */
KOP_API kop_status kop_offset_entry_set(uint64_t ledger_id, uint64_t entry_id, uint64_t index,
                                        int32_t count, int64_t timestamp, kop_offset_entry *out);

/**
 * Compares two positions.
 *
 * @param a  One entry.
 * @param b  Another.
 * @return -1 when `a` stands before `b` in the topic, 0 when both are the same entry, else 1. Never fails. Since 0.1.
 */
KOP_API int32_t kop_offset_entry_compare(const kop_offset_entry *a, const kop_offset_entry *b);

/**
 * Takes from an entry the offsets that belong to entries before it.
 *
 * The broker counts by what the sender said (CommandSend.num_messages), a reader sees how many messages the batch has. When they
 * differ, the entry has as many offsets as the index has risen since the entry before, at most one for each message; when
 * the index went back (which brokers did after failed writes), what stands first in the topic keeps the offset. Offsets
 * count from the entry's end, so its first messages lose theirs.
 *
 * @param entry     The entry; `first` is raised where needed. After ::KOP_OFFSET_REGRESSION `first` is above `last`.
 * @param previous  The entry just before it, or the one with the highest `last` of all before it; NULL: none.
 * @return KOP_OFFSET_FITS .. KOP_OFFSET_UNINDEXED_AFTER. Never fails. Since 0.1.
 */
KOP_API uint32_t kop_offset_entry_follow(kop_offset_entry *entry, const kop_offset_entry *previous);

/**
 * Which message of an entry has an offset.
 *
 * @param entry        The entry.
 * @param offset       The offset.
 * @param batch_index  Receives its place among the entry's messages, from 0.
 * @return ::KOP_OK; ::KOP_ERR_NOT_FOUND when the offset is none of the entry's. Since 0.1.
 */
KOP_API kop_status kop_offset_entry_find(const kop_offset_entry *entry, int64_t offset,
                                         int32_t *batch_index);

/**
 * The offset of a message of an entry.
 *
 * @param entry        The entry.
 * @param batch_index  The message's place, from 0.
 * @param offset       Receives its offset.
 * @return ::KOP_OK; ::KOP_ERR_INVALID when there is no such message; ::KOP_ERR_NOT_FOUND when it has no offset of its own
 *         (no index, or taken by an entry before). Since 0.1.
 */
KOP_API kop_status kop_offset_entry_at(const kop_offset_entry *entry, int32_t batch_index,
                                       int64_t *offset);

/* ---- the old packed schemes --------------------------------------------------------------------- */

/**
 * The offset of Pulsar's own Kafka adaptor and of Functions: ledger << 28 | entry. All messages of a batch share it.
 *
 * @param ledger_id  Below 2^35, or the offset would be negative.
 * @param entry_id   Below 2^28.
 * @param offset     Receives the offset.
 * @return ::KOP_OK; ::KOP_ERR_LIMIT for a number that does not fit. Since 0.1.
 */
KOP_API kop_status kop_offset_adaptor_pack(uint64_t ledger_id, uint64_t entry_id, int64_t *offset);

/**
 * Reverses kop_offset_adaptor_pack().
 *
 * @param offset     The offset.
 * @param ledger_id  Receives the ledger.
 * @param entry_id   Receives the entry.
 * @return ::KOP_OK; ::KOP_ERR_INVALID for a negative offset. Since 0.1.
 */
KOP_API kop_status kop_offset_adaptor_unpack(int64_t offset, uint64_t *ledger_id,
                                             uint64_t *entry_id);

/**
 * The offset of the Java plug-in before its release 2.8: ledger << 44 | entry << 12 | batch index.
 *
 * @param ledger_id    Below 2^19: the scheme has 20 bits, the topmost makes the offset negative.
 * @param entry_id     Below 2^32.
 * @param batch_index  0 to 4095.
 * @param offset       Receives the offset.
 * @return ::KOP_OK; ::KOP_ERR_LIMIT for a number that does not fit. Since 0.1.
 */
KOP_API kop_status kop_offset_plugin_pack(uint64_t ledger_id, uint64_t entry_id,
                                          int32_t batch_index, int64_t *offset);

/**
 * Reverses kop_offset_plugin_pack().
 *
 * @param offset       The offset.
 * @param ledger_id    Receives the ledger.
 * @param entry_id     Receives the entry.
 * @param batch_index  Receives the place in the batch.
 * @return ::KOP_OK; ::KOP_ERR_INVALID for a negative offset. Since 0.1.
 */
KOP_API kop_status kop_offset_plugin_unpack(int64_t offset, uint64_t *ledger_id, uint64_t *entry_id,
                                            int32_t *batch_index);

/* ---- the map ------------------------------------------------------------------------------------ */

/** What is known of one topic (one partition): entries here and there, its ledgers, its ends. */
typedef struct kop_offset_map kop_offset_map;

/** How a ::kop_offset_map is bounded. Set the defaults with kop_offset_map_config_init(). */
typedef struct kop_offset_map_config {
  size_t size;            /**< sizeof(kop_offset_map_config) as the caller compiled it. */
  const kop_alloc *alloc; /**< Copied; NULL is the C heap. */
  uint32_t
      max_checkpoints; /**< Entries remembered at most, 16 to 2^24, 48 bytes each. Default 1,024. */
  uint32_t
      max_ledgers; /**< Ledgers remembered at most, 16 to 2^24, 16 bytes each; of more the newest. Default 4,096. */
  uint32_t
      spacing; /**< Entries between two checkpoints of a ledger when nothing presses, at least 1. Default 256. */
  uint32_t reserved; /**< Zero. */
} kop_offset_map_config;

/** One ledger of a topic, as the admin API's internalStats lists it. */
typedef struct kop_offset_ledger {
  uint64_t ledger_id; /**< Its id. */
  uint64_t
      entries; /**< Its entries; UINT64_MAX: not known. Of the newest ledger it is those so far. */
} kop_offset_ledger;

/** Kinds of answer to kop_offset_map_query(). */
enum {
  KOP_OFFSET_EXACT = 1, /**< `low` (and `high`) is the entry that holds the offset. */
  KOP_OFFSET_BETWEEN =
      2, /**< It lies after `low` and before `high`, as far as these are known: search. */
  KOP_OFFSET_BELOW_START = 3, /**< The log begins with `high`, after the offset. */
  KOP_OFFSET_BEYOND_END = 4,  /**< The log ends before it; `low` is the last entry known. */
  KOP_OFFSET_HOLE =
      5 /**< `low` and `high` follow each other and neither holds it: a reader goes on at `high`. */
};

/** Bits of kop_offset_place.known. */
enum {
  KOP_OFFSET_LOW = 1, /**< `low` is filled. */
  KOP_OFFSET_HIGH = 2 /**< `high` is filled. */
};

/** Where an offset stands. */
typedef struct kop_offset_place {
  size_t size;         /**< sizeof(kop_offset_place); set by the call. */
  uint32_t kind;       /**< KOP_OFFSET_EXACT .. KOP_OFFSET_HOLE. */
  uint32_t known;      /**< KOP_OFFSET_LOW, KOP_OFFSET_HIGH. */
  int32_t batch_index; /**< With EXACT: which message of the entry; else 0. */
  uint32_t reserved;   /**< Zero. */
  kop_offset_entry
      low; /**< The nearest entry known that lies wholly before the offset. It may be one without index (`last` -1). */
  kop_offset_entry high; /**< The nearest entry known that does not. */
} kop_offset_place;

/** What a map holds, for metrics and log lines. */
typedef struct kop_offset_map_state {
  size_t size;              /**< sizeof(kop_offset_map_state); set by the call. */
  uint64_t bytes;           /**< Memory taken from the allocator. */
  uint32_t checkpoints;     /**< Entries remembered. */
  uint32_t ledgers;         /**< Ledgers remembered. */
  uint64_t spacing;         /**< Entries between two checkpoints at present. */
  int64_t start_offset;     /**< First offset of the log, -1 not known. */
  int64_t end_offset;       /**< The offset after the last one, -1 not known. */
  uint64_t overlaps;        /**< Entries seen that overlap one before them. */
  uint64_t regressions;     /**< Entries seen whose index went back. */
  uint32_t unindexed_after; /**< 1: an entry without index was seen after one with index. */
  uint32_t reserved;        /**< Zero. */
} kop_offset_map_state;

/**
 * Sets the defaults.
 *
 * @param config  Receives them.
 * @param size    sizeof(kop_offset_map_config). Never fails. Since 0.1.
 */
KOP_API void kop_offset_map_config_init(kop_offset_map_config *config, size_t size);

/**
 * Makes an empty map.
 *
 * @param config  Copied; NULL for the defaults.
 * @param out     Receives the handle, freed by kop_offset_map_free().
 * @return ::KOP_OK; ::KOP_ERR_INVALID for a config that is not understood or out of range; ::KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_offset_map_new(const kop_offset_map_config *config, kop_offset_map **out);

/**
 * Frees a map. Searches on it must be freed first.
 *
 * @param map  NULL is allowed. Never fails. Since 0.1.
 */
KOP_API void kop_offset_map_free(kop_offset_map *map);

/**
 * Forgets everything: the topic was deleted and made anew, its offsets begin at 0 again. Searches that run on the map start over.
 *
 * @param map  The map. Never fails. Since 0.1.
 */
KOP_API void kop_offset_map_reset(kop_offset_map *map);

/**
 * Learns from an entry that passes by: at the tail, in a fetch, in a probe, out of another gateway's notes. Any order will do.
 *
 * Entries far from any other, first and last ones of a ledger and the newest are kept, all others only looked at. At the bound
 * the map thins itself: it doubles its spacing, and lets the boundaries of ledgers go last. Cheap when entries come in order (a
 * comparison or two).
 *
 * An entry that contradicts what is known (its index is not between its neighbours') is not believed: what stands first in the topic keeps
 * its offsets.
 *
 * @param map      The map.
 * @param entry    The entry, copied.
 * @param keep     1: keep it wherever it stands (a checkpoint that somebody paid for), else 0.
 * @param verdict  Receives KOP_OFFSET_FITS .. KOP_OFFSET_UNINDEXED_AFTER against the nearest entry known before it, of which
 *                 the map's own counters count all but FITS and GAP; GAP only against the entry just before it. NULL is allowed.
 * @return ::KOP_OK; ::KOP_ERR_INVALID for an entry that kop_offset_entry_set() cannot have made; ::KOP_ERR_NOMEM: it was looked
 *         at and not kept, the map is as right as before. Since 0.1.
 */
KOP_API kop_status kop_offset_map_observe(kop_offset_map *map, const kop_offset_entry *entry,
                                          int32_t keep, uint32_t *verdict);

/**
 * Learns the ledgers of the topic. The first one is where the log begins: all before is taken as trimmed.
 *
 * @param map      The map.
 * @param ledgers  In order of id, copied. The newest one is taken as still growing.
 * @param count    How many; 0 changes nothing.
 * @return ::KOP_OK; ::KOP_ERR_INVALID when the ids do not ascend; ::KOP_ERR_NOMEM: nothing was changed. Since 0.1.
 */
KOP_API kop_status kop_offset_map_ledgers(kop_offset_map *map, const kop_offset_ledger *ledgers,
                                          size_t count);

/**
 * Nothing before a position exists any more. Forgets what is known there.
 *
 * @param map        The map.
 * @param ledger_id  The oldest ledger that may exist.
 * @param entry_id   The oldest entry in it that may exist. Never fails. Since 0.1.
 */
KOP_API void kop_offset_map_trim(kop_offset_map *map, uint64_t ledger_id, uint64_t entry_id);

/**
 * The first entry of the log, just read there. Everything before it is trimmed.
 *
 * @param map    The map.
 * @param entry  The entry. Without an index: the log begins for Kafka somewhere later.
 * @return ::KOP_OK; ::KOP_ERR_INVALID; ::KOP_ERR_NOMEM, all as kop_offset_map_observe(). Since 0.1.
 */
KOP_API kop_status kop_offset_map_set_first(kop_offset_map *map, const kop_offset_entry *entry);

/**
 * Where the log ends. One who follows the tail calls it once caught up; entries observed later move the end along.
 *
 * @param map          The map.
 * @param next_offset  The offset that the next message will have at least; 0 for a log that never had any; -1: not known.
 * @return ::KOP_OK; ::KOP_ERR_INVALID when an entry with that offset or a later one is known. Since 0.1.
 */
KOP_API kop_status kop_offset_map_set_end(kop_offset_map *map, int64_t next_offset);

/**
 * Says where an offset stands, from memory alone.
 *
 * @param map     The map.
 * @param offset  The offset.
 * @param out     Filled.
 * @return ::KOP_OK; ::KOP_ERR_INVALID for a negative offset. Since 0.1.
 */
KOP_API kop_status kop_offset_map_query(const kop_offset_map *map, int64_t offset,
                                        kop_offset_place *out);

/**
 * One checkpoint, to publish or to print what a map knows.
 *
 * @param map    The map.
 * @param index  From 0, in the order of the topic.
 * @param out    Receives the entry.
 * @return ::KOP_OK; ::KOP_ERR_NOT_FOUND after the last one. Since 0.1.
 */
KOP_API kop_status kop_offset_map_checkpoint(const kop_offset_map *map, uint32_t index,
                                             kop_offset_entry *out);

/**
 * What the map holds.
 *
 * @param map  The map.
 * @param out  Filled. Never fails. Since 0.1.
 */
KOP_API void kop_offset_map_describe(const kop_offset_map *map, kop_offset_map_state *out);

/* ---- the search --------------------------------------------------------------------------------- */

/** Looks for one entry at a time, by probes that its caller carries out. Reusable. */
typedef struct kop_offset_search kop_offset_search;

/** What the caller can do: bits of kop_offset_search_config.can. At least one of the first three. */
enum {
  KOP_OFFSET_CAN_READ = 1, /**< AT by a reader: it gives the first entry at or after a position. */
  KOP_OFFSET_CAN_READ_EXACT =
      2, /**< AT by `ledger/{L}/entry/{E}`: that entry or none. Needs CAN_LIST. */
  KOP_OFFSET_CAN_EXAMINE = 4, /**< KTH by `examinemessage`; used only without the two above. */
  KOP_OFFSET_CAN_LIST = 8,    /**< LEDGERS by `internalStats`. */
  KOP_OFFSET_CAN_INDEX = 16,  /**< INDEX by `getMessageIdByIndex` (Pulsar 4.0.9, 4.1 and later). */
  KOP_OFFSET_CAN_TIME = 32    /**< TIME by `messageid/{timestamp}`. */
};

/** How a ::kop_offset_search works. Set the defaults with kop_offset_search_config_init(). */
typedef struct kop_offset_search_config {
  size_t size;            /**< sizeof(kop_offset_search_config) as the caller compiled it. */
  const kop_alloc *alloc; /**< Copied; NULL is the C heap. */
  uint32_t can;           /**< KOP_OFFSET_CAN_ bits. Default KOP_OFFSET_CAN_READ. */
  uint32_t max_probes;    /**< Probes before it gives up, at least 8. Default 256. */
  uint32_t max_restarts;  /**< How often it starts over when the log changes under it. Default 4. */
  uint32_t reserved;      /**< Zero. */
} kop_offset_search_config;

/** What is looked for. */
enum {
  KOP_OFFSET_FIND_OFFSET = 1,   /**< The entry with an offset. */
  KOP_OFFSET_FIND_EARLIEST = 2, /**< The first entry with an index. */
  KOP_OFFSET_FIND_LATEST = 3,   /**< The last entry, and with it the end offset. */
  KOP_OFFSET_FIND_TIME =
      4 /**< The first entry with a timestamp not below the one given. Give the wanted time less a slack, and read on from there: brokers' clocks step, producers' differ. */
};

/** Kinds of probe. */
enum {
  KOP_OFFSET_PROBE_FIRST =
      1, /**< The first entry of the topic (reader at earliest; `examinemessage` earliest, 1). */
  KOP_OFFSET_PROBE_LAST =
      2, /**< The last entry (GET_LAST_MESSAGE_ID and a read; `examinemessage` latest, 1). */
  KOP_OFFSET_PROBE_AT =
      3, /**< The entry at a position; with CAN_READ the first one at or after it. */
  KOP_OFFSET_PROBE_KTH = 4,     /**< The K-th entry of those that exist, from 1. */
  KOP_OFFSET_PROBE_LEDGERS = 5, /**< The list of ledgers, and properties.index + 1. */
  KOP_OFFSET_PROBE_INDEX = 6,   /**< The position of the entry with an offset. */
  KOP_OFFSET_PROBE_TIME = 7 /**< The position of the first message not published before a time. */
};

/** Something to look up for a search. */
typedef struct kop_offset_probe {
  size_t size;        /**< sizeof(kop_offset_probe); set by the call. */
  uint32_t kind;      /**< KOP_OFFSET_PROBE_ constant. */
  uint32_t reserved;  /**< Zero. */
  uint64_t ledger_id; /**< With AT. */
  uint64_t entry_id;  /**< With AT. */
  uint64_t kth;       /**< With KTH. */
  int64_t value;      /**< With INDEX the offset, with TIME the time in ms. */
} kop_offset_probe;

/** Kinds of answer to a probe. */
enum {
  KOP_OFFSET_ANSWER_ENTRY = 1, /**< FIRST, LAST, AT, KTH: here is the entry (`entry`). */
  KOP_OFFSET_ANSWER_NONE =
      2, /**< There is none: the topic is empty, or nothing stands at that place or after. INDEX, TIME: 404. */
  KOP_OFFSET_ANSWER_MISSING =
      3, /**< AT with CAN_READ_EXACT: no such entry (404), which says nothing about later ones. */
  KOP_OFFSET_ANSWER_TRIMMED =
      4, /**< AT: the place lies before the log's start. The search starts over. */
  KOP_OFFSET_ANSWER_POSITION =
      5, /**< INDEX, TIME: the ids in `entry`. The earliest position (both UINT64_MAX) is understood. */
  KOP_OFFSET_ANSWER_LEDGERS = 6, /**< LEDGERS: the list. */
  KOP_OFFSET_ANSWER_UNSUPPORTED =
      7, /**< The broker or the caller's rights do not allow this probe (404 of the path, 405, 412, 401, 403). It is not asked for again where there is another way. */
  KOP_OFFSET_ANSWER_FAILED = 8 /**< It did not work out and may another time. The search ends. */
};

/** An answer to a probe. */
typedef struct kop_offset_answer {
  size_t size;                      /**< sizeof(kop_offset_answer) as the caller compiled it. */
  uint32_t kind;                    /**< KOP_OFFSET_ANSWER_ constant. */
  uint32_t reserved;                /**< Zero. */
  kop_offset_entry entry;           /**< With ENTRY; with POSITION its two ids. */
  const kop_offset_ledger *ledgers; /**< With LEDGERS, in order of id; read during the call. */
  size_t ledgers_count;             /**< How many. */
  int64_t next_offset; /**< With LEDGERS: properties.index + 1; -1 when the broker gives none. */
} kop_offset_answer;

/** How a search ended. */
enum {
  KOP_OFFSET_FOUND = 1,   /**< `entry` holds it, at `batch_index`. */
  KOP_OFFSET_IN_HOLE = 2, /**< It carries nothing; `entry` is the next one that does. */
  KOP_OFFSET_TOO_LOW =
      3, /**< The log begins after it, with `entry`, or is empty and goes on at `end_offset`. Kafka: OFFSET_OUT_OF_RANGE. */
  KOP_OFFSET_TOO_HIGH =
      4, /**< The log ends before it, or at it: compare with `end_offset`, -1 when an empty topic does not tell. */
  KOP_OFFSET_NO_INDEX =
      5, /**< The last entry has no index, or one without stands behind one with: the topic is closed to Kafka. */
  KOP_OFFSET_GAVE_UP = 6 /**< A probe failed, or a bound was passed. Try later. */
};

/** What a search found. */
typedef struct kop_offset_result {
  size_t size;            /**< sizeof(kop_offset_result); set by the call. */
  uint32_t kind;          /**< KOP_OFFSET_FOUND .. KOP_OFFSET_GAVE_UP. */
  int32_t batch_index;    /**< With FOUND: which message of the entry; of LATEST the last one. */
  kop_offset_entry entry; /**< See the kinds; all zero where there is none. */
  int64_t start_offset;   /**< The log's first offset as far as the search learned it, else -1. */
  int64_t
      end_offset;    /**< The offset after the last one as far as the search learned it, else -1. */
  uint32_t probes;   /**< Probes it took. */
  uint32_t restarts; /**< How often it started over. */
} kop_offset_result;

/**
 * Sets the defaults.
 *
 * @param config  Receives them.
 * @param size    sizeof(kop_offset_search_config). Never fails. Since 0.1.
 */
KOP_API void kop_offset_search_config_init(kop_offset_search_config *config, size_t size);

/**
 * Makes a search over a map. Each probe's answer is learned by the map, so that the next search asks less.
 *
 * @param map     The map; it must outlive the search. Several searches may share it.
 * @param config  Copied; NULL for the defaults.
 * @param out     Receives the handle, freed by kop_offset_search_free().
 * @return ::KOP_OK; ::KOP_ERR_INVALID for a config that is not understood, or that can read nothing; ::KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_offset_search_new(kop_offset_map *map,
                                         const kop_offset_search_config *config,
                                         kop_offset_search **out);

/**
 * Frees a search. A probe that is still out may be forgotten.
 *
 * @param search  NULL is allowed. Never fails. Since 0.1.
 */
KOP_API void kop_offset_search_free(kop_offset_search *search);

/**
 * Begins to look for something; what was looked for before is forgotten.
 *
 * @param search  The search.
 * @param find    KOP_OFFSET_FIND_ constant.
 * @param value   The offset, or the time in ms; else 0.
 * @return ::KOP_OK; ::KOP_ERR_INVALID for another constant or a negative value. Since 0.1.
 */
KOP_API kop_status kop_offset_search_begin(kop_offset_search *search, uint32_t find, int64_t value);

/**
 * The probe that the search waits for. The same one until it is answered.
 *
 * @param search  The search.
 * @param out     Filled.
 * @return ::KOP_OK; ::KOP_ERR_NOT_FOUND: none, the search has ended, take its result; ::KOP_ERR_STATE: nothing was begun. Since 0.1.
 */
KOP_API kop_status kop_offset_search_probe(kop_offset_search *search, kop_offset_probe *out);

/**
 * Answers the probe.
 *
 * @param search  The search.
 * @param answer  The answer, read during the call.
 * @return ::KOP_OK; ::KOP_ERR_STATE when no probe waits; ::KOP_ERR_INVALID for an answer of a kind that does not belong to that probe
 *         or a broken entry or list, the probe still waits. An allocation that the map is refused is no error: it knows less then. Since 0.1.
 */
KOP_API kop_status kop_offset_search_answer(kop_offset_search *search,
                                            const kop_offset_answer *answer);

/**
 * What was found.
 *
 * @param search  The search.
 * @param out     Filled.
 * @return ::KOP_OK; ::KOP_ERR_STATE while a probe waits or nothing was begun. Since 0.1.
 */
KOP_API kop_status kop_offset_search_result(const kop_offset_search *search,
                                            kop_offset_result *out);

#ifdef __cplusplus
}
#endif

#endif
