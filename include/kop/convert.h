/**
 * @file convert.h
 * Kafka batches to Pulsar entries and back, without loss.
 *
 * A Kafka record batch becomes one Pulsar entry in batch format: a record is a message, its key the message's key, its
 * headers the message's properties, its timestamp the event time. A native Pulsar consumer reads it like any
 * other message. What Pulsar's format has no place for (null and binary header values, producer id, epoch and
 * sequence, timestamp type, control records) is kept in properties whose names begin with `kop.`, from which reading
 * makes the batch again, equal in every byte but for compression. The other way, an entry of any writer (native
 * producers, the Java Kafka-on-Pulsar plug-in in its three formats, this library) becomes one or several batches
 * with magic 2, or an answer that says why it carries nothing for Kafka. docs/conversion.md has the mapping
 * field by field.
 *
 * No offset is stored in an entry: the broker's index gives them. An entry of n messages with index i covers the offsets
 * i - n + 1 to i, which the caller passes in.
 *
 * A ::kop_convert keeps buffers and codec states, so that in steady state nothing is allocated. What a call gives
 * stays valid until the next call on the same handle. One thread at a time per handle.
 */
#ifndef KOP_CONVERT_H
#define KOP_CONVERT_H

#include <kop/base.h>
#include <kop/pulsar_entry.h>
#include <kop/record.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the handle --------------------------------------------------------------------------------- */

/** Converts; keeps buffers and codec states from call to call. */
typedef struct kop_convert kop_convert;

/** How a ::kop_convert is bounded. Set the defaults with kop_convert_config_init(). */
typedef struct kop_convert_config {
  size_t size; /**< sizeof(kop_convert_config) as the caller compiled it. */
  const kop_alloc
      *alloc; /**< Copied; NULL is the C heap. snappy has allocations of its own in C++. */
  /** Bytes that one batch or entry may expand to, compressed or not, before it is refused. Default 128 MiB, at
      most 1 GiB. It bounds each of the handle's buffers. */
  uint64_t max_bytes;
} kop_convert_config;

/**
 * Sets the defaults.
 *
 * @param config  Receives them.
 * @param size    sizeof(kop_convert_config). Never fails. Since 0.1.
 */
KOP_API void kop_convert_config_init(kop_convert_config *config, size_t size);

/**
 * Makes a converter.
 *
 * @param config  Copied; NULL for the defaults.
 * @param out     Receives the handle; free it with kop_convert_free().
 * @return KOP_OK; KOP_ERR_INVALID for a config that is not understood; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_convert_new(const kop_convert_config *config, kop_convert **out);

/**
 * Frees a converter and all it lent.
 *
 * @param convert  May be NULL. Never fails. Since 0.1.
 */
KOP_API void kop_convert_free(kop_convert *convert);

/**
 * Says why the last kop_convert_to_pulsar() refused its batch, or what made the last entry unreadable.
 *
 * @param convert  Handle.
 * @return An English phrase without payload, empty when there is nothing to say; valid until the next call on the handle. Never
 *         fails. Since 0.1.
 */
KOP_API const char *kop_convert_error_text(const kop_convert *convert);

/* ---- formats ------------------------------------------------------------------------------------ */

/** How the payload of an entry holds messages. */
enum {
  KOP_CONVERT_PULSAR = 0, /**< Pulsar's own: native consumers read it. */
  KOP_CONVERT_KAFKA =
      1 /**< Kafka batches as they are, property `entry.format=kafka`: native consumers need PIP-96's payload processor. */
};

/** Who wrote an entry, as far as it can be told. */
enum {
  KOP_CONVERT_BY_NATIVE = 0, /**< A native Pulsar producer. */
  KOP_CONVERT_BY_PLUGIN =
      1, /**< The Java Kafka-on-Pulsar plug-in: an entry without a producer name. */
  KOP_CONVERT_BY_LIBRARY =
      2 /**< kop_convert_to_pulsar(): the entry has the property `kop.batch`. */
};

/* ---- Kafka to Pulsar ---------------------------------------------------------------------------- */

/** How a record's key is written into Pulsar's `partition_key`, which is text. */
enum {
  KOP_CONVERT_KEY_TEXT =
      0, /**< A key that is text as it is, any other in base64 with the flag set: the key that a native producer
      of the same text uses, so that both are one key for consumers and for compaction. */
  KOP_CONVERT_KEY_BASE64 =
      1 /**< Always in base64, as the plug-in did: for compacted topics that it has written to. */
};

/** In options: the compression that corresponds to the batch's codec. */
enum { KOP_CONVERT_COMPRESSION_KEEP = -1 };

/** Flags of kop_to_pulsar_options. */
enum {
  KOP_TO_PULSAR_TRUST_CRC = 1, /**< Do not compare the batch's checksum again: the caller has. */
  KOP_TO_PULSAR_COUNT_MESSAGES =
      2, /**< `sequence_id` counts messages, not entries: an entry's is that of its first message, and its
      highest_sequence_id is set to that of its last. */
  KOP_TO_PULSAR_RESTORE =
      4, /**< Make of the headers `kop.entry` and `kop.message` (KOP_TO_KAFKA_KEEP) again what a native producer wrote: its name, sequence id
      (not with KOP_TO_PULSAR_COUNT_MESSAGES) and publish time too. For copying topics, not for batches of clients, who could write any. */
  KOP_TO_PULSAR_TRUST_RECORDS =
      8 /**< Do not look at the records of a batch in format KOP_CONVERT_KAFKA: the caller has, as kop_batch_validate() does. Without it a
      batch that consumers could not read is refused. */
};

/** What an entry is to be like. Set the defaults with kop_to_pulsar_options_init(). */
typedef struct kop_to_pulsar_options {
  size_t size; /**< sizeof(kop_to_pulsar_options) as the caller compiled it. */
  /** Bound of an entry, head and payload together: the broker's maxMessageSize. Default 5,242,880. */
  size_t max_entry_bytes;
  /** Further properties of each entry, which a native consumer of its messages does not see. Their names should begin with "kop."
      and not be "kop.batch". Default none. */
  const kop_pulsar_property *properties;
  size_t properties_count; /**< How many. */
  kop_slice producer_name; /**< Written into each entry. Default empty. */
  kop_slice
      control_key; /**< Key that a control record's message gets, as text; NULL `ptr`: none, so that Pulsar's compaction drops it. Default none. */
  uint64_t sequence_id;    /**< Of the first entry; each further one has one more. Default 0. */
  int64_t publish_time_ms; /**< Wall clock, ms. No default: set it. */
  int32_t format;          /**< KOP_CONVERT_PULSAR (default) or KOP_CONVERT_KAFKA. */
  int32_t key;             /**< KOP_CONVERT_KEY_. Default text. */
  int32_t
      compression; /**< KOP_PULSAR_COMPRESSION_, or KOP_CONVERT_COMPRESSION_KEEP (default): gzip becomes zlib, lz4, snappy and zstd stay what they are. The
      payload is another, so it is compressed anew; only the format KOP_CONVERT_KAFKA keeps the bytes, whatever stands here. */
  int32_t level;   /**< Compression level. Default KOP_PULSAR_LEVEL_DEFAULT. */
  int32_t flags;   /**< KOP_TO_PULSAR_. Default 0. */
} kop_to_pulsar_options;

/** One entry to be sent. */
typedef struct kop_convert_entry {
  kop_slice
      head; /**< 0x0e01, checksum, metadata: what stands between the command and the payload of a SEND frame; kop_pulsar_send() takes it. */
  kop_slice payload;    /**< The payload; in format KOP_CONVERT_KAFKA it is the caller's batch. */
  uint64_t sequence_id; /**< As written, for CommandSend. */
  uint64_t highest_sequence_id; /**< The same with KOP_TO_PULSAR_COUNT_MESSAGES, else 0. */
  int64_t max_timestamp;        /**< What reading it will give as max timestamp, ms; -1 none. */
  int32_t first_delta;  /**< Offset of its first message, counted from the batch's base offset. */
  int32_t num_messages; /**< Offsets that it takes: what CommandSend's num_messages must be. */
  int32_t count;        /**< Records; less than num_messages when the batch has holes. */
  int32_t reserved;     /**< Zero. */
} kop_convert_entry;

/**
 * Sets the defaults.
 *
 * @param options  Receives them.
 * @param size     sizeof(kop_to_pulsar_options). Never fails. Since 0.1.
 */
KOP_API void kop_to_pulsar_options_init(kop_to_pulsar_options *options, size_t size);

/**
 * Makes entries of one Kafka batch with magic 2: one, unless it is larger than `max_entry_bytes`.
 *
 * A larger one is split between records, if nothing would break: a batch with a producer id must stay one append for the
 * sequences to hold, so it is refused, as is a single record that is too large. The entries are in order and must be
 * sent in it; together they take last offset delta + 1 offsets. Offsets of the batch that no record has (compaction
 * left holes) become messages marked `compacted_out`, so that the offsets of the others stay. Deltas that do not
 * rise are taken as 0, 1, 2, ... where the count allows it. What would come back as a hole is refused: a control record whose key or
 * value consumers or brokers cannot read, and in format KOP_CONVERT_KAFKA whatever is wrong with the records.
 *
 * @param convert  Handle.
 * @param batch    One whole batch, borrowed for the call; with KOP_CONVERT_KAFKA as long as the entries are used.
 * @param len      Its size as kop_batch_next() gave it.
 * @param options  What the entries are to be like.
 * @param entries  Receives them; valid until the next call on the handle.
 * @param count    Receives how many: at least 1.
 * @return KOP_OK; KOP_ERR_LIMIT if an entry would pass `max_entry_bytes` or the batch expands beyond `max_bytes`: answer
 *         MESSAGE_TOO_LARGE (kop_convert_error_text() has the reason); KOP_ERR_TRUNCATED, KOP_ERR_MALFORMED, KOP_ERR_CHECKSUM,
 *         KOP_ERR_CODEC for damaged bytes; KOP_ERR_UNSUPPORTED for another magic (kop_batch_rebuild() makes magic 2 of
 *         it), an unknown codec or compression; KOP_ERR_INVALID for options that are not understood; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_convert_to_pulsar(kop_convert *convert, const uint8_t *batch, size_t len,
                                         const kop_to_pulsar_options *options,
                                         const kop_convert_entry **entries, size_t *count);

/* ---- Pulsar to Kafka ---------------------------------------------------------------------------- */

/** Flags of kop_to_kafka_options. */
enum {
  KOP_TO_KAFKA_TRUST_CRC = 1, /**< Do not compare checksums: the caller has. */
  KOP_TO_KAFKA_TRANSACTIONS =
      2, /**< Keep producer ids, transactional bits and markers of the plug-in's entries. Without it they are plain records and its markers
      are holes: Pulsar's dispatcher gives most of its markers to no reader, so its transactions would stay open for ever. */
  KOP_TO_KAFKA_KEEP =
      4, /**< Keep what Kafka has no place for (producer, publish time, ordering key, schema version, ...) of a native message in
      the headers `kop.entry` and `kop.message`. */
  KOP_TO_KAFKA_TRUST_RECORDS =
      8 /**< Do not look at the records of entries in format KOP_CONVERT_KAFKA: nobody can have written them but who validates. Without it
      the records are walked, decompressed if they are compressed, and an entry that consumers could not read is a hole: any producer
      can write one, and a consumer that fails on a batch asks for it again for ever. That costs 8 ns a record of 100 bytes, 30 with lz4,
      110 with zstd; making a batch of an entry in Pulsar's format costs 65, 310 and 1,440. */
};

/** What the batches are to be like. Set the defaults with kop_to_kafka_options_init(). */
typedef struct kop_to_kafka_options {
  size_t size; /**< sizeof(kop_to_kafka_options) as the caller compiled it. */
  int32_t
      codec; /**< KOP_CODEC_ of batches that are built, or KOP_CODEC_KEEP (default): the one that corresponds to the entry's
      compression. Batches of the format KOP_CONVERT_KAFKA stay as they are. */
  int32_t level;        /**< Default KOP_LEVEL_DEFAULT. */
  int32_t leader_epoch; /**< Written into each batch; -1 (default): what the entry says, or -1. */
  int32_t flags;        /**< KOP_TO_KAFKA_. Default 0. */
} kop_to_kafka_options;

/** What an entry is for a Kafka consumer. */
enum {
  KOP_ANSWER_BATCHES = 1, /**< Records. */
  KOP_ANSWER_HOLE = 2, /**< Nothing: its offsets are a hole, which kop_batch_empty() can cover. */
  KOP_ANSWER_CHUNK =
      3 /**< A part of a message. All parts but the last are holes; put the payloads together and call kop_convert_chunks_to_kafka(). */
};

/** Why an entry is a hole. */
enum {
  KOP_HOLE_NONE = 0,      /**< It is none. */
  KOP_HOLE_MARKER = 1,    /**< A note of the broker. */
  KOP_HOLE_CONTROL = 2,   /**< A marker of a transaction of the plug-in. */
  KOP_HOLE_COMPACTED = 3, /**< Compaction has left nothing of it. */
  KOP_HOLE_ENCRYPTED = 4, /**< Only who has the key can read it. */
  KOP_HOLE_CHECKSUM = 5,  /**< Its bytes are damaged. */
  KOP_HOLE_MALFORMED = 6, /**< It is not what it says, or no consumer could read what it holds. */
  KOP_HOLE_CODEC = 7,     /**< It cannot be decompressed, or nobody knows how. */
  KOP_HOLE_LIMIT =
      8, /**< It expands beyond `max_bytes`, or one of its records beyond what Kafka can hold. */
  KOP_HOLE_VERSION = 9 /**< A later version of this library wrote it. */
};

/** One batch with magic 2, in two pieces. */
typedef struct kop_convert_batch {
  kop_slice head; /**< KOP_BATCH_HEAD_SIZE bytes, the converter's. */
  kop_slice
      records; /**< What follows them: the converter's, or of an entry in format KOP_CONVERT_KAFKA the entry's. */
  int64_t base_offset;   /**< As in the head. */
  int64_t last_offset;   /**< Of its last place; a record need not be there. */
  int64_t max_timestamp; /**< As in the head. */
  int32_t count;         /**< Records. */
  int32_t attributes;    /**< KOP_BATCH_ bits. */
} kop_convert_batch;

/** What one entry is. */
typedef struct kop_convert_answer {
  int64_t first_offset; /**< As given. */
  int64_t last_offset;  /**< As given. */
  const kop_convert_batch *
      batches; /**< KOP_ANSWER_BATCHES: rising, within first to last offset; offsets between them are holes. */
  size_t batches_count; /**< How many. */
  kop_slice
      chunk_uuid;  /**< KOP_ANSWER_CHUNK: what the message's parts share; borrows from the entry. */
  kop_slice chunk; /**< KOP_ANSWER_CHUNK: the part's payload; borrows from the entry. */
  int32_t chunk_id;    /**< Which part, from 0. */
  int32_t chunk_count; /**< Parts of the message. */
  int32_t chunk_total; /**< Bytes of all parts together. */
  int32_t kind;        /**< KOP_ANSWER_. */
  int32_t reason;      /**< KOP_HOLE_. */
  int32_t format;      /**< KOP_CONVERT_PULSAR or KOP_CONVERT_KAFKA. */
  int32_t writer;      /**< KOP_CONVERT_BY_. */
  int32_t
      dropped; /**< Messages that have no offset within the range: the entry holds more than the range has places. 0 in a sound log. */
} kop_convert_answer;

/**
 * Sets the defaults.
 *
 * @param options  Receives them.
 * @param size     sizeof(kop_to_kafka_options). Never fails. Since 0.1.
 */
KOP_API void kop_to_kafka_options_init(kop_to_kafka_options *options, size_t size);

/**
 * Says what an entry is for Kafka, whoever wrote it.
 *
 * An entry that cannot be read is an answer and no failed call: a log must go on behind it. What is given out, Kafka's consumers
 * can read, whatever bytes came in (unless KOP_TO_KAFKA_TRUST_RECORDS says that they are known). The last message has the last
 * offset; when the range has more places than the entry has messages, the places in front are a hole.
 *
 * @param convert  Handle.
 * @param bytes    The entry, with or without broker metadata: what a ledger holds or a MESSAGE frame carries. Borrowed as
 *                 long as the answer is used.
 * @param len      Its size.
 * @param first_offset  Offset of its first message: index - n + 1, n being num_messages of CommandSend.
 * @param last_offset   Offset of its last message: the index.
 * @param options  What the batches are to be like; NULL for the defaults.
 * @param answer   Receives the answer; it is valid until the next call on the handle.
 * @return KOP_OK; KOP_ERR_INVALID for options that are not understood, a negative offset or a range that ends before it begins;
 *         KOP_ERR_NOMEM: nothing was decided, try again. Since 0.1.
 */
KOP_API kop_status kop_convert_to_kafka(kop_convert *convert, const uint8_t *bytes, size_t len,
                                        int64_t first_offset, int64_t last_offset,
                                        const kop_to_kafka_options *options,
                                        kop_convert_answer *answer);

/**
 * The same for an entry that has been read.
 *
 * @param convert  Handle.
 * @param entry    What kop_pulsar_entry_read() gave, its bytes still there.
 * @param first_offset  As in kop_convert_to_kafka().
 * @param last_offset   As there.
 * @param options  As there.
 * @param answer   As there.
 * @return As kop_convert_to_kafka(). Since 0.1.
 */
KOP_API kop_status kop_convert_entry_to_kafka(kop_convert *convert, const kop_pulsar_entry *entry,
                                              int64_t first_offset, int64_t last_offset,
                                              const kop_to_kafka_options *options,
                                              kop_convert_answer *answer);

/**
 * The same for a message that was put together from its chunks. It has one offset, that of its last chunk.
 *
 * @param convert  Handle.
 * @param last     The last chunk, read: its metadata counts for the message. Its own checksum is checked unless the flags say otherwise.
 * @param payload  The chunks' payloads in the order of their ids, put together; borrowed as long as the answer is used. Its size is compared
 *                 with what the chunk says.
 * @param offset   Offset of the last chunk.
 * @param options  As in kop_convert_to_kafka().
 * @param answer   As there; a payload of the wrong size is KOP_HOLE_MALFORMED.
 * @return As kop_convert_to_kafka(). Since 0.1.
 */
KOP_API kop_status kop_convert_chunks_to_kafka(kop_convert *convert, const kop_pulsar_entry *last,
                                               kop_slice payload, int64_t offset,
                                               const kop_to_kafka_options *options,
                                               kop_convert_answer *answer);

/* ---- facts of a batch --------------------------------------------------------------------------- */

/** What the property `kop.batch` of an entry says of the Kafka batch that it was. */
typedef struct kop_convert_facts {
  int64_t producer_id;    /**< -1: not idempotent. */
  int64_t base_timestamp; /**< Valid with `has_base`: it was not the first record's timestamp. */
  int64_t
      max_timestamp; /**< Valid with `has_max`: it was not the largest timestamp of the records (log append time, for one). */
  int32_t base_sequence;  /**< -1 none. */
  int32_t leader_epoch;   /**< As in the batch; -1 none. */
  int32_t attributes;     /**< KOP_BATCH_ bits but for the codec. */
  int32_t producer_epoch; /**< -1: not idempotent. */
  uint8_t has_base;       /**< 1: base_timestamp is said. */
  uint8_t has_max;        /**< 1: max_timestamp is said. */
  uint8_t reserved[6];    /**< Zero. */
} kop_convert_facts;

/**
 * Reads them without looking at the payload: enough to follow producers and transactions through a log.
 *
 * @param metadata  Of the entry.
 * @param facts     Receives them.
 * @return KOP_OK; KOP_ERR_NOT_FOUND if the entry is not this library's; KOP_ERR_UNSUPPORTED if a later version of it wrote it;
 *         KOP_ERR_MALFORMED. Since 0.1.
 */
KOP_API kop_status kop_convert_facts_read(const kop_pulsar_metadata *metadata,
                                          kop_convert_facts *facts);

#ifdef __cplusplus
}
#endif

#endif
