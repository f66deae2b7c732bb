/**
 * @file pulsar_entry.h
 * Pulsar's entries: message ids, metadata, batches and compression, read in place and written without copies.
 *
 * An entry is what a Pulsar producer sends, what a bookie stores and what a consumer is given. All integers
 * are big-endian:
 *
 *     { 0x0e02 u16 | size u32 | BrokerEntryMetadata }     added by the broker; in front, outside the checksum
 *     { 0x0e01 u16 | CRC32C u32 }                         of everything behind it; old producers leave it out
 *     metadata size u32 | MessageMetadata
 *     payload                                             what the metadata says: compressed, encrypted, a batch
 *
 * The payload of a batch, once decompressed, is a row of
 *
 *     size u32 | SingleMessageMetadata | payload_size bytes
 *
 * The three metadata messages are protobuf. They stand in every entry, the single one in front of every message, so they
 * are read and written by code of their own: strings borrow from the input, repeated fields are walked where they
 * stand, nothing is allocated. Fields that this version does not know are passed over; a known field of another wire
 * type, a required field that is missing and bytes that are no protobuf are ::KOP_ERR_MALFORMED.
 *
 * All functions are pure, but for those that take a ::kop_pulsar_codec, a handle that keeps codec states and
 * buffers so that in steady state nothing is allocated. One thread at a time per handle.
 */
#ifndef KOP_PULSAR_ENTRY_H
#define KOP_PULSAR_ENTRY_H

#include <kop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- message ids -------------------------------------------------------------------------------- */

/** Ledger and entry of the position before every message. A receipt for a duplicate carries it as well: no id is known. */
#define KOP_PULSAR_EARLIEST UINT64_MAX
/** Ledger and entry of the position after every message. */
#define KOP_PULSAR_LATEST UINT64_C(0x7fffffffffffffff)

/** Where a message is. */
typedef struct kop_pulsar_message_id {
  uint64_t ledger_id; /**< The ledger, or KOP_PULSAR_EARLIEST or KOP_PULSAR_LATEST. */
  uint64_t entry_id;  /**< The entry in it, or the same. */
  int32_t partition;  /**< Of a partitioned topic; -1 none. */
  int32_t
      batch_index; /**< The message in a batch, from 0; -1: the whole entry, or a message that is no batch. */
  int32_t batch_size; /**< Messages of that batch; 0 not said. */
  int32_t reserved;   /**< Zero. */
} kop_pulsar_message_id;

/**
 * Orders two ids of one partition: by ledger, entry and batch index, the earliest first and the latest last. The
 * partition and the batch's size do not count; a whole entry (batch index -1) comes before its messages.
 *
 * @param a  One id.
 * @param b  The other.
 * @return Below 0, 0 or above 0, as a is before, the same as or after b. Never fails. Since 0.1.
 */
KOP_API int32_t kop_pulsar_message_id_compare(const kop_pulsar_message_id *a,
                                              const kop_pulsar_message_id *b);

/* ---- repeated fields ---------------------------------------------------------------------------- */

/**
 * A repeated field where it stands in its message: bytes from its first to behind its last occurrence, other fields
 * between them included. A copy of it is a cursor for the function that takes the next element. The message was
 * checked when it was read, so a cursor that came from there meets nothing malformed.
 */
typedef struct kop_pulsar_repeated {
  const uint8_t
      *ptr;     /**< First byte; NULL when there is no element. Borrows what the message borrows. */
  uint32_t len; /**< Bytes. */
  int32_t count;   /**< Elements that are left. */
  int32_t field;   /**< The field's number in its message. */
  uint32_t packed; /**< Bytes left of a packed run that the cursor is in; 0 in a message. */
} kop_pulsar_repeated;

/** A property, Pulsar's name for what Kafka calls a header. */
typedef struct kop_pulsar_property {
  kop_slice key;   /**< Text, by contract UTF-8 (not checked). Never null. */
  kop_slice value; /**< The same. */
} kop_pulsar_property;

/**
 * Takes the next property off `properties` of a metadata.
 *
 * @param rest  Begin with a copy of the field; moved past the property.
 * @param out   Receives it; it borrows what `rest` borrows.
 * @return KOP_OK; KOP_ERR_NOT_FOUND when none is left; KOP_ERR_MALFORMED for bytes that no read has checked. Since 0.1.
 */
KOP_API kop_status kop_pulsar_property_next(kop_pulsar_repeated *rest, kop_pulsar_property *out);

/** A key that the payload's data key was encrypted with. */
typedef struct kop_pulsar_encryption_key {
  kop_slice name;  /**< Name of the key pair. */
  kop_slice value; /**< The data key, encrypted. */
  kop_pulsar_repeated
      metadata; /**< What the key reader wants to know, for kop_pulsar_property_next(). */
} kop_pulsar_encryption_key;

/**
 * Takes the next key off `encryption_keys` of a metadata.
 *
 * @param rest  Begin with a copy of the field; moved past the key.
 * @param out   Receives it; it borrows what `rest` borrows.
 * @return As kop_pulsar_property_next(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_encryption_key_next(kop_pulsar_repeated *rest,
                                                  kop_pulsar_encryption_key *out);

/**
 * Takes the next string off `replicate_to` of a metadata.
 *
 * @param rest  Begin with a copy of the field; moved past the string.
 * @param out   Receives it; it borrows what `rest` borrows.
 * @return As kop_pulsar_property_next(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_string_next(kop_pulsar_repeated *rest, kop_slice *out);

/**
 * Takes the next number off `compacted_batch_indexes` of a metadata.
 *
 * @param rest  Begin with a copy of the field; moved past the number.
 * @param out   Receives it.
 * @return As kop_pulsar_property_next(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_int_next(kop_pulsar_repeated *rest, int32_t *out);

/**
 * The same for numbers of 64 bits: the `ack_set` that a delivered batch may come with.
 *
 * @param rest  Begin with a copy of the field; moved past the number.
 * @param out   Receives it.
 * @return As kop_pulsar_property_next(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_int64_next(kop_pulsar_repeated *rest, int64_t *out);

/* ---- MessageMetadata ---------------------------------------------------------------------------- */

/** Bits of kop_pulsar_metadata::present, each 1 shifted by the number of its field in MessageMetadata. */
/** Required. */
#define KOP_PULSAR_HAS_PRODUCER_NAME (UINT64_C(1) << 1)
/** Required. */
#define KOP_PULSAR_HAS_SEQUENCE_ID (UINT64_C(1) << 2)
/** Required. */
#define KOP_PULSAR_HAS_PUBLISH_TIME (UINT64_C(1) << 3)
/** kop_pulsar_metadata::replicated_from. */
#define KOP_PULSAR_HAS_REPLICATED_FROM (UINT64_C(1) << 5)
/** kop_pulsar_metadata::partition_key. */
#define KOP_PULSAR_HAS_PARTITION_KEY (UINT64_C(1) << 6)
/** kop_pulsar_metadata::compression. */
#define KOP_PULSAR_HAS_COMPRESSION (UINT64_C(1) << 8)
/** kop_pulsar_metadata::uncompressed_size. */
#define KOP_PULSAR_HAS_UNCOMPRESSED_SIZE (UINT64_C(1) << 9)
/** kop_pulsar_metadata::num_messages_in_batch. This bit alone says that the payload is in batch format, also for one message. */
#define KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH (UINT64_C(1) << 11)
/** kop_pulsar_metadata::event_time. */
#define KOP_PULSAR_HAS_EVENT_TIME (UINT64_C(1) << 12)
/** kop_pulsar_metadata::encryption_algo. */
#define KOP_PULSAR_HAS_ENCRYPTION_ALGO (UINT64_C(1) << 14)
/** kop_pulsar_metadata::encryption_param. */
#define KOP_PULSAR_HAS_ENCRYPTION_PARAM (UINT64_C(1) << 15)
/** kop_pulsar_metadata::schema_version. */
#define KOP_PULSAR_HAS_SCHEMA_VERSION (UINT64_C(1) << 16)
/** kop_pulsar_metadata::partition_key_b64_encoded. */
#define KOP_PULSAR_HAS_PARTITION_KEY_B64_ENCODED (UINT64_C(1) << 17)
/** kop_pulsar_metadata::ordering_key. */
#define KOP_PULSAR_HAS_ORDERING_KEY (UINT64_C(1) << 18)
/** kop_pulsar_metadata::deliver_at_time. */
#define KOP_PULSAR_HAS_DELIVER_AT_TIME (UINT64_C(1) << 19)
/** kop_pulsar_metadata::marker_type. */
#define KOP_PULSAR_HAS_MARKER_TYPE (UINT64_C(1) << 20)
/** kop_pulsar_metadata::txnid_least_bits. */
#define KOP_PULSAR_HAS_TXNID_LEAST_BITS (UINT64_C(1) << 22)
/** kop_pulsar_metadata::txnid_most_bits. */
#define KOP_PULSAR_HAS_TXNID_MOST_BITS (UINT64_C(1) << 23)
/** kop_pulsar_metadata::highest_sequence_id. */
#define KOP_PULSAR_HAS_HIGHEST_SEQUENCE_ID (UINT64_C(1) << 24)
/** kop_pulsar_metadata::null_value. */
#define KOP_PULSAR_HAS_NULL_VALUE (UINT64_C(1) << 25)
/** kop_pulsar_metadata::uuid. */
#define KOP_PULSAR_HAS_UUID (UINT64_C(1) << 26)
/** kop_pulsar_metadata::num_chunks_from_msg. */
#define KOP_PULSAR_HAS_NUM_CHUNKS_FROM_MSG (UINT64_C(1) << 27)
/** kop_pulsar_metadata::total_chunk_msg_size. */
#define KOP_PULSAR_HAS_TOTAL_CHUNK_MSG_SIZE (UINT64_C(1) << 28)
/** kop_pulsar_metadata::chunk_id. */
#define KOP_PULSAR_HAS_CHUNK_ID (UINT64_C(1) << 29)
/** kop_pulsar_metadata::null_partition_key. */
#define KOP_PULSAR_HAS_NULL_PARTITION_KEY (UINT64_C(1) << 30)
/** kop_pulsar_metadata::schema_id. */
#define KOP_PULSAR_HAS_SCHEMA_ID (UINT64_C(1) << 32)
/** kop_pulsar_metadata::entry_hash_min. */
#define KOP_PULSAR_HAS_ENTRY_HASH_MIN (UINT64_C(1) << 33)
/** kop_pulsar_metadata::entry_hash_max. */
#define KOP_PULSAR_HAS_ENTRY_HASH_MAX (UINT64_C(1) << 34)

/** Compression of a payload. */
enum {
  KOP_PULSAR_COMPRESSION_NONE = 0,  /**< Not compressed. */
  KOP_PULSAR_COMPRESSION_LZ4 = 1,   /**< One LZ4 block, not a frame. */
  KOP_PULSAR_COMPRESSION_ZLIB = 2,  /**< A zlib stream (RFC 1950), not gzip. */
  KOP_PULSAR_COMPRESSION_ZSTD = 3,  /**< Zstandard frames. */
  KOP_PULSAR_COMPRESSION_SNAPPY = 4 /**< One raw snappy block, not Xerial's framing. */
};

/**
 * MessageMetadata: what stands in front of a payload. Begin from kop_pulsar_metadata_init().
 *
 * A field without its bit in `present` is not in the message and has the default that it says here, zero or a null
 * slice where it says none. The writer writes the fields whose bit is set and looks at no others.
 */
typedef struct kop_pulsar_metadata {
  uint64_t present;             /**< KOP_PULSAR_HAS_ bits. */
  uint64_t sequence_id;         /**< The producer's; of the first message of a batch. */
  uint64_t publish_time;        /**< When the producer sent it, ms since 1970. */
  uint64_t event_time;          /**< The application's time, ms since 1970; 0 none. */
  uint64_t highest_sequence_id; /**< Of the last message of a batch. */
  uint64_t
      txnid_least_bits; /**< Pulsar's transaction; the plug-in put Kafka's producer epoch here. */
  uint64_t txnid_most_bits;       /**< The other half; the plug-in put Kafka's producer id here. */
  int64_t deliver_at_time;        /**< Not to be delivered before, ms since 1970. */
  kop_slice producer_name;        /**< Never null in what was read; may be empty. */
  kop_slice replicated_from;      /**< The cluster that a replicated message comes from. */
  kop_slice partition_key;        /**< The key as text, or in base64 if the flag says so. */
  kop_slice ordering_key;         /**< The key that orders deliveries, if it is another. */
  kop_slice encryption_algo;      /**< Of the payload. */
  kop_slice encryption_param;     /**< The nonce. */
  kop_slice schema_version;       /**< Bytes that the broker understands. */
  kop_slice schema_id;            /**< The same for a schema registry outside. */
  kop_slice uuid;                 /**< What the chunks of one message share. */
  kop_pulsar_repeated properties; /**< For kop_pulsar_property_next(). */
  kop_pulsar_repeated replicate_to;    /**< For kop_pulsar_string_next(): clusters. */
  kop_pulsar_repeated encryption_keys; /**< For kop_pulsar_encryption_key_next(). */
  kop_pulsar_repeated
      compacted_batch_indexes; /**< For kop_pulsar_int_next(): the messages that compaction left in the batch;
      the payload holds only them, num_messages_in_batch stays what it was. */
  int32_t compression; /**< KOP_PULSAR_COMPRESSION_; a number that is none is given as it is. */
  uint32_t uncompressed_size;    /**< Of the payload, before encryption and compression. */
  int32_t num_messages_in_batch; /**< How many offsets the entry takes. Default 1. */
  int32_t marker_type;           /**< Present: the entry is the broker's own note and no message. */
  int32_t num_chunks_from_msg;   /**< Entries that the message was cut into. */
  int32_t total_chunk_msg_size;  /**< Bytes of all their payloads. */
  int32_t chunk_id;              /**< Which of them this is, from 0. */
  uint32_t entry_hash_min;       /**< Smallest key hash in the entry (Pulsar 5). */
  uint32_t entry_hash_max;       /**< Largest one. */
  uint8_t partition_key_b64_encoded; /**< 1: partition_key is base64. */
  uint8_t null_value;                /**< 1: the message has no value (a tombstone). */
  uint8_t null_partition_key;        /**< 1: the message has no key. */
  uint8_t reserved[17];              /**< Zero. */
} kop_pulsar_metadata;

/**
 * Sets every field to its default and nothing as present.
 *
 * @param md  Receives it. Never fails. Since 0.1.
 */
KOP_API void kop_pulsar_metadata_init(kop_pulsar_metadata *md);

/**
 * Reads a MessageMetadata.
 *
 * @param bytes  The message, exactly; must stay as long as `md` is used.
 * @param len    Its size.
 * @param md     Receives it; it borrows from `bytes`.
 * @return KOP_OK; KOP_ERR_MALFORMED. Since 0.1.
 */
KOP_API kop_status kop_pulsar_metadata_read(const uint8_t *bytes, size_t len,
                                            kop_pulsar_metadata *md);

/**
 * How many bytes kop_pulsar_metadata_write() writes for the same arguments.
 *
 * @param md              What to write.
 * @param properties      Further properties.
 * @param property_count  How many.
 * @return The size. Never fails. Since 0.1.
 */
KOP_API size_t kop_pulsar_metadata_size(const kop_pulsar_metadata *md,
                                        const kop_pulsar_property *properties,
                                        size_t property_count);

/**
 * Writes a MessageMetadata: fields in the order of their numbers, as Pulsar's own clients do.
 *
 * The repeated fields of `md` are copied from where they stand, so what was read can be written again with more
 * properties. They may come from a ::kop_pulsar_single as well.
 *
 * @param md              What to write.
 * @param properties      Properties to add behind those of `md`; may be NULL when there are none.
 * @param property_count  How many.
 * @param out             Receives the message.
 * @param cap             Room there.
 * @param len             Receives the size; with KOP_ERR_NO_SPACE the size that is needed.
 * @return KOP_OK; KOP_ERR_INVALID if a required field is not present or a text is longer than 2^31 - 1 bytes;
 *         KOP_ERR_MALFORMED for a repeated field that no read has checked; KOP_ERR_NO_SPACE. Since 0.1.
 */
KOP_API kop_status kop_pulsar_metadata_write(const kop_pulsar_metadata *md,
                                             const kop_pulsar_property *properties,
                                             size_t property_count, uint8_t *out, size_t cap,
                                             size_t *len);

/* ---- SingleMessageMetadata ---------------------------------------------------------------------- */

/** Bits of kop_pulsar_single::present, each 1 shifted by the number of its field in SingleMessageMetadata. */
enum {
  KOP_PULSAR_SINGLE_HAS_PARTITION_KEY = 1 << 2, /**< kop_pulsar_single::partition_key. */
  KOP_PULSAR_SINGLE_HAS_PAYLOAD_SIZE = 1 << 3,  /**< Required. */
  KOP_PULSAR_SINGLE_HAS_COMPACTED_OUT = 1 << 4, /**< kop_pulsar_single::compacted_out. */
  KOP_PULSAR_SINGLE_HAS_EVENT_TIME = 1 << 5,    /**< kop_pulsar_single::event_time. */
  KOP_PULSAR_SINGLE_HAS_PARTITION_KEY_B64_ENCODED = 1 << 6, /**< The flag. */
  KOP_PULSAR_SINGLE_HAS_ORDERING_KEY = 1 << 7,              /**< kop_pulsar_single::ordering_key. */
  KOP_PULSAR_SINGLE_HAS_SEQUENCE_ID = 1 << 8,               /**< kop_pulsar_single::sequence_id. */
  KOP_PULSAR_SINGLE_HAS_NULL_VALUE = 1 << 9,                /**< The flag. */
  KOP_PULSAR_SINGLE_HAS_NULL_PARTITION_KEY = 1 << 10        /**< The flag. */
};

/** SingleMessageMetadata: what stands in front of each message of a batch. Begin from kop_pulsar_single_init(). */
typedef struct kop_pulsar_single {
  uint64_t event_time;               /**< The application's time, ms since 1970; 0 none. */
  uint64_t sequence_id;              /**< The producer's. */
  kop_slice partition_key;           /**< The key as text, or in base64 if the flag says so. */
  kop_slice ordering_key;            /**< The key that orders deliveries, if it is another. */
  kop_pulsar_repeated properties;    /**< For kop_pulsar_property_next(). */
  uint32_t present;                  /**< KOP_PULSAR_SINGLE_HAS_ bits. */
  int32_t payload_size;              /**< Bytes of the message. */
  uint8_t partition_key_b64_encoded; /**< 1: partition_key is base64. */
  uint8_t null_value;                /**< 1: the message has no value (a tombstone). */
  uint8_t null_partition_key;        /**< 1: the message has no key. */
  uint8_t compacted_out; /**< 1: removed by compaction; the place stays, the payload is gone. */
  uint8_t reserved[4];   /**< Zero. */
} kop_pulsar_single;

/**
 * Sets every field to its default and nothing as present.
 *
 * @param single  Receives it. Never fails. Since 0.1.
 */
KOP_API void kop_pulsar_single_init(kop_pulsar_single *single);

/**
 * Reads a SingleMessageMetadata.
 *
 * @param bytes   The message, exactly; must stay as long as `single` is used.
 * @param len     Its size.
 * @param single  Receives it; it borrows from `bytes`.
 * @return KOP_OK; KOP_ERR_MALFORMED, also for a negative payload size. Since 0.1.
 */
KOP_API kop_status kop_pulsar_single_read(const uint8_t *bytes, size_t len,
                                          kop_pulsar_single *single);

/**
 * How many bytes kop_pulsar_single_write() writes for the same arguments.
 *
 * @param single          What to write.
 * @param properties      Further properties.
 * @param property_count  How many.
 * @return The size. Never fails. Since 0.1.
 */
KOP_API size_t kop_pulsar_single_size(const kop_pulsar_single *single,
                                      const kop_pulsar_property *properties, size_t property_count);

/**
 * Writes a SingleMessageMetadata, as kop_pulsar_metadata_write() does.
 *
 * @param single          What to write.
 * @param properties      Properties to add behind those of `single`; may be NULL when there are none.
 * @param property_count  How many.
 * @param out             Receives the message.
 * @param cap             Room there.
 * @param len             Receives the size; with KOP_ERR_NO_SPACE the size that is needed.
 * @return As kop_pulsar_metadata_write(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_single_write(const kop_pulsar_single *single,
                                           const kop_pulsar_property *properties,
                                           size_t property_count, uint8_t *out, size_t cap,
                                           size_t *len);

/* ---- batches ------------------------------------------------------------------------------------ */

/** Where a walk over a payload is; begin it with kop_pulsar_batch_begin(). Its fields are the library's. */
typedef struct kop_pulsar_batch_iter {
  const kop_pulsar_metadata *metadata; /**< Of the entry. */
  const uint8_t *next;                 /**< Next byte. */
  const uint8_t *end;                  /**< Behind the last one. */
  kop_pulsar_repeated indexes;         /**< Of what compaction left. */
  int32_t left;                        /**< Messages to come. */
  int32_t index;                       /**< Index of the last one. */
  int32_t size;                        /**< num_messages_in_batch. */
  uint8_t is_batch;                    /**< 0: the payload is one message. */
  uint8_t compacted;                   /**< 1: indexes are listed. */
  uint8_t reserved[2];                 /**< Zero. */
} kop_pulsar_batch_iter;

/** One message of an entry. */
typedef struct kop_pulsar_message {
  kop_pulsar_single
      single; /**< Its metadata; of an entry that is no batch the same facts of the entry's, with the bits that belong to them. */
  kop_slice
      payload; /**< The value as it stands; never null: `single.null_value` says whether there is one. */
  int32_t
      batch_index; /**< Its place in the batch as it was produced, from 0; so it takes the entry's offset base + batch_index. 0 for no batch. */
  uint8_t compacted_out; /**< 1: pass it over, compaction removed it. */
  uint8_t reserved[3];   /**< Zero. */
} kop_pulsar_message;

/**
 * Begins to walk over the messages of a payload that is neither compressed nor encrypted (any more).
 *
 * @param it   Receives the position.
 * @param md   Metadata of the entry; must stay until the walk ends.
 * @param payload  The payload; must stay as long as what was given out is used. `ptr` may be NULL for an empty one.
 * @return KOP_OK; KOP_ERR_MALFORMED if the batch claims not to hold a single message, or compaction to have left
 *         more than there were. Since 0.1.
 */
KOP_API kop_status kop_pulsar_batch_begin(kop_pulsar_batch_iter *it, const kop_pulsar_metadata *md,
                                          kop_slice payload);

/**
 * The next message; an entry that is no batch gives one.
 *
 * Messages that compaction removed are given with `compacted_out` where the batch still has their place, and are
 * missing where it has not (`batch_index` then jumps).
 *
 * @param it   Position.
 * @param out  Receives the message; it borrows from the payload and, without batch format, from the metadata.
 * @return KOP_OK; KOP_ERR_NOT_FOUND after the last one (bytes behind it are not looked at); KOP_ERR_MALFORMED if the payload ends before it, or an
 *         index does not rise or lies outside the batch. After an error the walk is over. Since 0.1.
 */
KOP_API kop_status kop_pulsar_batch_next(kop_pulsar_batch_iter *it, kop_pulsar_message *out);

/**
 * Writes one message of a batch: size, SingleMessageMetadata, payload. Messages are put one behind the other.
 *
 * @param single          Its metadata; `payload_size` is taken from `payload`, its bit need not be set.
 * @param properties      Properties to add behind those of `single`; may be NULL when there are none.
 * @param property_count  How many.
 * @param payload         The value; copied. Empty for a tombstone.
 * @param out             Receives the bytes.
 * @param cap             Room there.
 * @param len             Receives the size; with KOP_ERR_NO_SPACE the size that is needed.
 * @return As kop_pulsar_metadata_write(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_batch_put(const kop_pulsar_single *single,
                                        const kop_pulsar_property *properties,
                                        size_t property_count, kop_slice payload, uint8_t *out,
                                        size_t cap, size_t *len);

/* ---- entries ------------------------------------------------------------------------------------ */

/** What kind of entry it is; where several hold, the first in this order. */
enum {
  KOP_PULSAR_KIND_MARKER =
      1, /**< The broker's own note (or a control batch of the plug-in): no message for anybody. */
  KOP_PULSAR_KIND_ENCRYPTED =
      2, /**< Cannot be read without the keys, may also be a batch or a chunk. */
  KOP_PULSAR_KIND_CHUNK = 3, /**< A part of a message that was too large. */
  KOP_PULSAR_KIND_BATCH = 4, /**< A batch, perhaps of one. */
  KOP_PULSAR_KIND_SINGLE = 5 /**< One message, whose facts are in the entry's metadata. */
};

/** Bits of kop_pulsar_entry::present. */
enum {
  KOP_PULSAR_ENTRY_HAS_INDEX = 1,            /**< The broker counts messages. */
  KOP_PULSAR_ENTRY_HAS_BROKER_TIMESTAMP = 2, /**< The broker stamps entries. */
  KOP_PULSAR_ENTRY_HAS_CHECKSUM = 4          /**< The producer computed one. */
};

/** Flags of kop_pulsar_entry_read(). */
enum {
  KOP_PULSAR_ENTRY_CHECK = 1 /**< Check the checksum as well. */
};

/** An entry, read in place. */
typedef struct kop_pulsar_entry {
  uint64_t
      index; /**< Of the entry's last message; its first is at index - count + 1, where count is CommandSend's. */
  uint64_t broker_timestamp; /**< When the broker got it, ms since 1970. */
  kop_slice checked;         /**< What the checksum covers: the rest from the metadata's size on. */
  kop_slice payload;         /**< Behind the metadata; never null. */
  kop_pulsar_metadata metadata; /**< What stands in front of the payload. */
  uint32_t present;             /**< KOP_PULSAR_ENTRY_HAS_ bits. */
  uint32_t checksum;            /**< As it stands there. */
} kop_pulsar_entry;

/**
 * Reads an entry: what a ledger holds, or what follows the command in a MESSAGE frame.
 *
 * Of several broker metadata blocks the first counts (brokers have written two, each adding its own in front).
 *
 * @param bytes  The entry, exactly; must stay as long as `entry` is used.
 * @param len    Its size.
 * @param flags  0 or KOP_PULSAR_ENTRY_CHECK.
 * @param entry  Receives it; it borrows from `bytes`.
 * @return KOP_OK; KOP_ERR_TRUNCATED if it ends before its metadata does; KOP_ERR_MALFORMED for metadata that cannot be read;
 *         KOP_ERR_CHECKSUM, in which case `entry` is filled but not to be trusted; KOP_ERR_INVALID for unknown flags. Since 0.1.
 */
KOP_API kop_status kop_pulsar_entry_read(const uint8_t *bytes, size_t len, uint32_t flags,
                                         kop_pulsar_entry *entry);

/**
 * Compares the checksum of an entry with its bytes.
 *
 * @param entry  What kop_pulsar_entry_read() filled.
 * @return KOP_OK, also without a checksum (`present` tells); KOP_ERR_CHECKSUM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_entry_check(const kop_pulsar_entry *entry);

/**
 * Tells the kind of an entry by its metadata.
 *
 * @param md  The metadata.
 * @return KOP_PULSAR_KIND_. Never fails. Since 0.1.
 */
KOP_API int32_t kop_pulsar_entry_kind(const kop_pulsar_metadata *md);

/**
 * Writes what stands in front of a payload that a producer sends: 0x0e01, checksum, size, metadata. The payload is
 * only read, for the checksum, so that it can be sent from where it is.
 *
 * @param md              Metadata.
 * @param properties      Properties to add behind those of `md`; may be NULL when there are none.
 * @param property_count  How many.
 * @param payload         The payload as the metadata says (compressed and so on), in pieces.
 * @param payload_count   How many pieces; may be 0.
 * @param out             Receives the bytes that go before the payload.
 * @param cap             Room there.
 * @param len             Receives their number; with KOP_ERR_NO_SPACE how many are needed.
 * @return As kop_pulsar_metadata_write(). Since 0.1.
 */
KOP_API kop_status kop_pulsar_entry_write(const kop_pulsar_metadata *md,
                                          const kop_pulsar_property *properties,
                                          size_t property_count, const kop_slice *payload,
                                          size_t payload_count, uint8_t *out, size_t cap,
                                          size_t *len);

/* ---- compression -------------------------------------------------------------------------------- */

/** Codec states and buffers, reused from call to call. */
typedef struct kop_pulsar_codec kop_pulsar_codec;

/** Compression level that stands for the codec's default: lz4's fast mode, zlib 6, zstd 3. */
enum { KOP_PULSAR_LEVEL_DEFAULT = -1000000 };

/**
 * Makes a codec handle. States are allocated at first use and kept; a buffer that one payload made larger than 1 MiB is
 * given back when the next needs less.
 *
 * @param alloc  Copied; NULL for the C heap. snappy has allocations of its own in C++.
 * @param out    Receives the handle; free it with kop_pulsar_codec_free().
 * @return KOP_OK; KOP_ERR_INVALID for an allocator that is not usable; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_codec_new(const kop_alloc *alloc, kop_pulsar_codec **out);

/**
 * Frees a codec handle and all it lent.
 *
 * @param codec  May be NULL. Never fails. Since 0.1.
 */
KOP_API void kop_pulsar_codec_free(kop_pulsar_codec *codec);

/**
 * Decompresses a payload. Never writes or allocates more than `uncompressed_size` bytes for it.
 *
 * @param codec        Handle.
 * @param compression  KOP_PULSAR_COMPRESSION_ of the metadata.
 * @param in           The payload.
 * @param uncompressed_size  Of the metadata. Does not count without compression.
 * @param limit        Bytes that the caller takes at most.
 * @param out          Receives the plain payload: `in` itself without compression, else lent until the next
 *                     kop_pulsar_decompress() or the handle's end. Never null.
 * @return KOP_OK; KOP_ERR_LIMIT if it is above `limit`, before anything is done; KOP_ERR_UNSUPPORTED for a compression that
 *         is none; KOP_ERR_CODEC if the payload does not decompress to exactly `uncompressed_size` bytes; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_decompress(kop_pulsar_codec *codec, int32_t compression, kop_slice in,
                                         uint32_t uncompressed_size, size_t limit, kop_slice *out);

/**
 * Compresses a payload.
 *
 * @param codec        Handle.
 * @param compression  KOP_PULSAR_COMPRESSION_.
 * @param level        KOP_PULSAR_LEVEL_DEFAULT; lz4 1 to 12 (high compression), zlib 1 to 9, zstd what the library admits.
 * @param in           The plain payload; its length belongs into `uncompressed_size`.
 * @param out          Receives the result: `in` itself without compression, else lent until the next
 *                     kop_pulsar_compress() or the handle's end. Never null.
 * @return KOP_OK; KOP_ERR_UNSUPPORTED for a compression that is none; KOP_ERR_INVALID for a level the codec lacks; KOP_ERR_LIMIT for a
 *         payload above what the format or its library can hold (lz4: 2,113,929,216 bytes; all: 2^32 - 1); KOP_ERR_CODEC if a library
 *         fails; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_pulsar_compress(kop_pulsar_codec *codec, int32_t compression, int32_t level,
                                       kop_slice in, kop_slice *out);

#ifdef __cplusplus
}
#endif

#endif
