/**
 * @file record.h
 * Kafka's record batches: walk, iterate, validate, build, rewrite and convert them.
 *
 * A topic partition is a sequence of batches. Since Kafka 0.11 a batch has magic 2 and this head:
 *
 *     0 base offset i64       8 length i32 (of what follows)   12 leader epoch i32     16 magic i8 = 2
 *    17 CRC32C u32 (over byte 21 to the end)                   21 attributes i16       23 last offset delta i32
 *    27 base timestamp i64   35 max timestamp i64              43 producer id i64      51 producer epoch i16
 *    53 base sequence i32    57 count i32                      61 records, compressed as the attributes say
 *
 * Magic 0 and 1 are the older message sets, in which every message is an entry of its own and a compressed
 * one carries an inner set. All entries of all magics share the first 17 bytes' layout up to the magic, so
 * kop_batch_next() walks them all.
 *
 * Functions on heads and checksums are pure. What decompresses or allocates takes a ::kop_record_ctx, a
 * handle that keeps codec states and buffers, so that in steady state nothing is allocated. One thread at a
 * time per handle. Kafka's error codes appear as data (int16), a ::kop_status speaks about the call.
 */
#ifndef KOP_RECORD_H
#define KOP_RECORD_H

#include <kop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Sizes of the fixed parts, in bytes. */
enum {
  KOP_BATCH_PREFIX_SIZE = 12, /**< Base offset and length: what stands before the counted bytes. */
  KOP_BATCH_HEAD_SIZE = 61    /**< The head of a batch with magic 2. */
};

/** Compression codecs, as in the low three bits of the attributes. */
enum {
  KOP_CODEC_NONE = 0,   /**< Not compressed. */
  KOP_CODEC_GZIP = 1,   /**< RFC 1952, one or more members. */
  KOP_CODEC_SNAPPY = 2, /**< Xerial-framed; raw snappy is read too. */
  KOP_CODEC_LZ4 = 3,    /**< One LZ4 frame with independent blocks. */
  KOP_CODEC_ZSTD = 4,   /**< One or more frames; magic 2 only. */
  KOP_CODEC_KEEP = -1   /**< In options: whatever the source has (`compression.type=producer`). */
};

/** Compression level that stands for the codec's default: gzip 6, lz4's fast mode, zstd 3. */
enum { KOP_LEVEL_DEFAULT = -1000000 };

/** Bits of the attributes of a batch with magic 2. */
enum {
  KOP_BATCH_CODEC_MASK = 0x07,      /**< The codec. */
  KOP_BATCH_LOG_APPEND_TIME = 0x08, /**< Every record's timestamp is the head's max timestamp. */
  KOP_BATCH_TRANSACTIONAL = 0x10,   /**< Part of a transaction. */
  KOP_BATCH_CONTROL = 0x20,         /**< Carries markers for the protocol, not records for users. */
  KOP_BATCH_DELETE_HORIZON = 0x40 /**< The base timestamp is the time at which tombstones may go. */
};

/** Whose clock gives a record its timestamp (`message.timestamp.type`). */
enum {
  KOP_TIMESTAMP_NONE = -1,      /**< Magic 0 has none. */
  KOP_TIMESTAMP_CREATE = 0,     /**< The producer's. */
  KOP_TIMESTAMP_LOG_APPEND = 1, /**< The broker's, when it appends. */
};

/* ---- heads -------------------------------------------------------------------------------------- */

/** The 61 bytes in front of the records of a batch with magic 2, decoded. */
typedef struct kop_batch_head {
  int64_t base_offset; /**< Offset of the first record (of its place, if compaction removed it). */
  int64_t base_timestamp;    /**< What the records' timestamp deltas count from, ms; -1 none. */
  int64_t max_timestamp;     /**< Largest timestamp of the records, ms; -1 none. */
  int64_t producer_id;       /**< -1: not idempotent. */
  int32_t length;            /**< Bytes after the length field; the batch has this plus 12. */
  int32_t leader_epoch;      /**< Epoch of the leader that appended it; outside the checksum. */
  int32_t last_offset_delta; /**< Offset of the last record minus base offset. */
  int32_t base_sequence;     /**< Sequence number of the first record; -1 none. */
  int32_t count;             /**< Records; 0 in a batch that only covers a hole. */
  uint32_t crc;              /**< CRC32C of everything from the attributes on. */
  int16_t attributes;        /**< KOP_BATCH_ bits. */
  int16_t producer_epoch;    /**< -1: not idempotent. */
  int8_t magic;              /**< 2. */
  uint8_t reserved[3];       /**< Zero. */
} kop_batch_head;

/**
 * Finds the end of the first entry of a concatenation of batches or messages of any magic.
 *
 * Looks at 17 bytes, never beyond `len`, and checks neither checksum nor content.
 *
 * @param bytes  The concatenation, borrowed for the call.
 * @param len    Bytes in it.
 * @param size   Receives the size of the first entry: it is `bytes[0 .. *size)`, the next one starts there.
 *               With KOP_ERR_TRUNCATED: how many bytes the entry needs, 0 if that cannot be told yet.
 * @param magic  Receives its magic, 0 to 2; may be NULL.
 * @return KOP_OK; KOP_ERR_NOT_FOUND for `len` 0; KOP_ERR_TRUNCATED if the entry passes the end (legal as the last
 *         entry of a Fetch response and ignored there); KOP_ERR_MALFORMED if the length is too small for the
 *         magic or the magic is unknown: nothing after it can be found. Since 0.1.
 */
KOP_API kop_status kop_batch_next(const uint8_t *bytes, size_t len, size_t *size, int32_t *magic);

/**
 * Reads the head of a batch with magic 2. Checks neither checksum nor records.
 *
 * @param bytes  At least KOP_BATCH_HEAD_SIZE bytes, borrowed for the call.
 * @param len    Bytes there; those after the head are not looked at.
 * @param head   Receives the head.
 * @return KOP_OK; KOP_ERR_TRUNCATED if `len` is below 61; KOP_ERR_UNSUPPORTED for another magic; KOP_ERR_MALFORMED
 *         if the length field is below 49. Since 0.1.
 */
KOP_API kop_status kop_batch_head_decode(const uint8_t *bytes, size_t len, kop_batch_head *head);

/**
 * Writes a head as it is given, the crc field included. To change a head whose records stay, see
 * kop_batch_head_patch().
 *
 * @param head  What to write; `magic` is written as 2.
 * @param out   KOP_BATCH_HEAD_SIZE bytes. Never fails. Since 0.1.
 */
KOP_API void kop_batch_head_encode(const kop_batch_head *head, uint8_t *out);

/**
 * Compares a batch's checksum with its bytes. CRC32C for magic 2; CRC-32 (IEEE) of one message for 0 and 1,
 * without looking into a compressed message.
 *
 * @param batch  One whole entry, borrowed for the call.
 * @param len    Its size as kop_batch_next() gave it.
 * @return KOP_OK; KOP_ERR_CHECKSUM; KOP_ERR_TRUNCATED, KOP_ERR_MALFORMED or KOP_ERR_NOT_FOUND as kop_batch_next(). Since 0.1.
 */
KOP_API kop_status kop_batch_check_crc(const uint8_t *batch, size_t len);

/**
 * Writes base offset and leader epoch into a batch with magic 2. Both lie outside the checksum.
 *
 * @param head          The first KOP_BATCH_HEAD_SIZE bytes of the batch, or a copy of them (how a fetch
 *                      restamps a lent batch without touching it).
 * @param base_offset   New base offset.
 * @param leader_epoch  New leader epoch. Never fails. Since 0.1.
 */
KOP_API void kop_batch_set_position(uint8_t *head, int64_t base_offset, int32_t leader_epoch);

/**
 * Changes the head of a batch with magic 2 in place and corrects its checksum without reading the records.
 *
 * The checksum is linear: the difference that the head's covered bytes make is carried over the length of the
 * records by multiplication, in time that does not depend on their size (about 30 ns). A wrong checksum stays
 * wrong. To apply LogAppendTime: decode, set the bit KOP_BATCH_LOG_APPEND_TIME and `max_timestamp`, patch.
 *
 * @param bytes  The first KOP_BATCH_HEAD_SIZE bytes of the batch, or a copy of them; changed.
 * @param head   The values wanted; its `length`, `magic` and `crc` are ignored and stay.
 * @return KOP_OK; KOP_ERR_UNSUPPORTED or KOP_ERR_MALFORMED as kop_batch_head_decode(), nothing changed then. Since 0.1.
 */
KOP_API kop_status kop_batch_head_patch(uint8_t *bytes, const kop_batch_head *head);

/**
 * Makes a batch without records, so that a consumer's position passes offsets that carry nothing for it.
 *
 * @param base_offset   First offset of the hole.
 * @param last_offset   Last offset of it, at least `base_offset`. One batch covers at most 2^31 offsets; a longer
 *                      hole is covered up to there, the consumer's next fetch asks for the rest.
 * @param leader_epoch  As in any batch.
 * @param out           KOP_BATCH_HEAD_SIZE bytes: the whole batch.
 * @return KOP_OK; KOP_ERR_INVALID if `last_offset` is below `base_offset` or that is negative. Since 0.1.
 */
KOP_API kop_status kop_batch_empty(int64_t base_offset, int64_t last_offset, int32_t leader_epoch,
                                   uint8_t *out);

/* ---- context ------------------------------------------------------------------------------------ */

/** Codec states and buffers, reused from call to call. */
typedef struct kop_record_ctx kop_record_ctx;

/** How a ::kop_record_ctx is bounded. Set the defaults with kop_record_ctx_config_init(). */
typedef struct kop_record_ctx_config {
  size_t size; /**< sizeof(kop_record_ctx_config) as the caller compiled it. */
  const kop_alloc
      *alloc; /**< Copied; NULL is the C heap. snappy has allocations of its own in C++. */
  /** Bytes that one compressed batch may expand to before it is refused, and all that kop_batch_rebuild() makes one batch
      of. Default 256 MiB. */
  uint64_t max_decompressed_bytes;
  /** Largest single record that the iterator returns out of a compressed batch, and the largest block of
      snappy or lz4 that is unpacked: the bound of the buffers. Default 128 MiB. */
  uint64_t max_record_bytes;
} kop_record_ctx_config;

/**
 * Sets the defaults.
 *
 * @param config  Receives them.
 * @param size    sizeof(kop_record_ctx_config). Never fails. Since 0.1.
 */
KOP_API void kop_record_ctx_config_init(kop_record_ctx_config *config, size_t size);

/**
 * Makes a context. Codec states are allocated at first use and kept.
 *
 * @param config  Copied; NULL for the defaults.
 * @param out     Receives the handle; free it with kop_record_ctx_free().
 * @return KOP_OK; KOP_ERR_INVALID for a config that is not understood; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_record_ctx_new(const kop_record_ctx_config *config, kop_record_ctx **out);

/**
 * Frees a context and all it lent.
 *
 * @param ctx  May be NULL. Never fails. Since 0.1.
 */
KOP_API void kop_record_ctx_free(kop_record_ctx *ctx);

/* ---- validate ----------------------------------------------------------------------------------- */

/** What a topic demands of a produced batch. Set the defaults with kop_batch_rules_init(). */
typedef struct kop_batch_rules {
  size_t size;    /**< sizeof(kop_batch_rules) as the caller compiled it. */
  int64_t now_ms; /**< Wall clock, ms; CreateTime is measured against it. No default: set it. */
  int64_t before_max_ms;     /**< `message.timestamp.before.max.ms`. Default INT64_MAX. */
  int64_t after_max_ms;      /**< `message.timestamp.after.max.ms`. Default 3,600,000. */
  int32_t max_message_bytes; /**< `max.message.bytes`, for one batch. Default 1,048,588. */
  int32_t max_segment_bytes; /**< `segment.bytes`, for the whole payload. Default INT32_MAX. */
  int32_t
      produce_version;    /**< Of the request: below 3 message sets, below 7 no zstd. Default 13. */
  int32_t timestamp_type; /**< KOP_TIMESTAMP_CREATE (default) or KOP_TIMESTAMP_LOG_APPEND. */
  int32_t codec;        /**< `compression.type`: KOP_CODEC_KEEP (default) or the codec to store. */
  int32_t key_required; /**< 1: a compacted topic, each record needs a key. Default 0. */
  int32_t
      control_allowed; /**< 1: the batch comes from the coordinator, not from a client. Default 0. */
  int32_t max_record_errors; /**< How many bad records are listed at most. Default 1,000. */
} kop_batch_rules;

/** One record that was refused (Produce response version 8 and later lists them). */
typedef struct kop_record_error {
  int32_t
      index; /**< Its index in its batch, from 0; a message that is not compressed is a batch. */
  int32_t reserved;    /**< Zero. */
  const char *message; /**< English, ends with NUL. */
} kop_record_error;

/** Why an accepted payload cannot be stored as it came (bits of kop_batch_info::rebuild). */
enum {
  KOP_REBUILD_MAGIC = 1,   /**< It is a message set of magic 0 or 1. */
  KOP_REBUILD_CODEC = 2,   /**< The topic wants another codec. */
  KOP_REBUILD_OFFSETS = 4, /**< The offset deltas in a compressed batch are not 0, 1, 2, ... */
};

/**
 * Where a payload was refused, in the order of the checks. Kafka's answer names the log's start for HEAD and
 * RECORDS, and in ENTRY for a base offset that is not 0 (INVALID_RECORD); for the others it says -1.
 */
enum {
  KOP_STEP_SHAPE =
      1, /**< The request's version against what it carries; nothing of the topic counts yet. */
  KOP_STEP_ENTRY = 2, /**< Framing, base offset, size, checksum and codec of an entry. */
  KOP_STEP_HEAD = 3,  /**< The head of a batch against itself, and how many entries there may be. */
  KOP_STEP_RECORDS = 4, /**< Records, and the stream that holds them. */
  KOP_STEP_SEGMENT = 5  /**< The whole against a segment. */
};

/** What kop_batch_validate() found. */
typedef struct kop_batch_info {
  int64_t max_timestamp; /**< Largest timestamp of the records, ms; -1 none. */
  int64_t
      offset_of_max; /**< Offset, counted from the first record's 0, of the first record with it; -1 none. */
  int64_t producer_id; /**< -1: not idempotent. */
  size_t payload_len;  /**< Bytes validated: a partial entry at the end is cut off. */
  const char
      *message; /**< Why it was refused, in English; NULL when accepted. Owned by the context. */
  const kop_record_error *record_errors; /**< Bad records in rising order; owned by the context. */
  int32_t record_errors_len;             /**< How many are listed. */
  int32_t
      count; /**< Records, those inside compressed messages counted. 0 when Produce 0 to 2 carries no whole message: append nothing, answer base offset -1. */
  int32_t first_sequence; /**< Sequence of the first record; -1 none. */
  int32_t last_sequence;  /**< Of the last one (wraps from 2^31 - 1 to 0); -1 none. */
  int32_t codec;          /**< Codec of the source. */
  int32_t rebuild;        /**< KOP_REBUILD_ bits; not 0: store what kop_batch_rebuild() makes. */
  int32_t
      head_differs; /**< 1: max timestamp or attributes must be corrected before storing, by kop_batch_head_patch(). */
  int16_t error;          /**< Kafka's error code for the partition; 0 accepted. */
  int16_t producer_epoch; /**< -1: not idempotent. */
  int16_t attributes;  /**< What the stored batch's attributes must be (magic 2 without rebuild). */
  int8_t magic;        /**< Of the source. */
  uint8_t step;        /**< Refused: in which KOP_STEP_. Accepted: 0. */
  uint8_t reserved[4]; /**< Zero. */
} kop_batch_info;

/**
 * Sets the defaults.
 *
 * @param rules  Receives them.
 * @param size   sizeof(kop_batch_rules). Never fails. Since 0.1.
 */
KOP_API void kop_batch_rules_init(kop_batch_rules *rules, size_t size);

/**
 * Validates one partition's `records` of a Produce request, with Kafka's rules in Kafka's order. Not included: what
 * needs the log (producer sequences, epochs) and authorisation.
 *
 * A refused payload is no failed call: the call returns KOP_OK and `info->error` holds the Kafka error. An
 * accepted one may need work before it is stored; in this order: `rebuild` set: store what kop_batch_rebuild() makes.
 * Otherwise `head_differs` set: kop_batch_head_patch() with `info->attributes` and the right max timestamp
 * (kop_batch_accept() does it). The records of a compressed batch are streamed through a window and never held whole.
 *
 * @param ctx    Context.
 * @param bytes  The payload, borrowed for the call. NULL (null records) is refused as INVALID_RECORD.
 * @param len    Bytes in it.
 * @param rules  What the topic demands.
 * @param info   Receives the verdict; its pointers stay valid until the next validation with this context.
 * @param info_size  sizeof(kop_batch_info).
 * @return KOP_OK, also for a refused payload; KOP_ERR_INVALID for rules or sizes that are not understood; KOP_ERR_NOMEM:
 *         nothing was decided, answer the client KAFKA_STORAGE_ERROR or try again. Since 0.1.
 */
KOP_API kop_status kop_batch_validate(kop_record_ctx *ctx, const uint8_t *bytes, size_t len,
                                      const kop_batch_rules *rules, kop_batch_info *info,
                                      size_t info_size);

/**
 * Corrects the head of an accepted batch in place, checksum included: attributes and max timestamp as the
 * topic's timestamp type demands. Does nothing when `info->head_differs` is 0.
 *
 * @param batch  The bytes that were validated; only the first KOP_BATCH_HEAD_SIZE are touched, a copy of them will do.
 * @param info   The verdict.
 * @return KOP_OK; KOP_ERR_STATE if it was refused or needs a rebuild. Since 0.1.
 */
KOP_API kop_status kop_batch_accept(uint8_t *batch, const kop_batch_info *info);

/* ---- convert ------------------------------------------------------------------------------------ */

/**
 * Frees bytes that kop_batch_rebuild() or kop_batch_down_convert() gave.
 *
 * @param ctx  A context with the same allocator.
 * @param ptr  May be NULL. Never fails. Since 0.1.
 */
KOP_API void kop_record_bytes_free(kop_record_ctx *ctx, uint8_t *ptr);

/**
 * Makes one batch with magic 2, base offset 0 and offsets 0, 1, 2, ... of an accepted payload of any magic, with
 * the codec and timestamp type of the rules. What Kafka does on Produce 0 to 2 and when `compression.type` differs.
 * Producer id, epoch, sequence and the transactional bit are kept.
 *
 * @param ctx    Context.
 * @param bytes  The payload as validated (`info->payload_len` bytes), borrowed for the call.
 * @param len    Bytes in it.
 * @param rules  The rules it was validated with; its `max_message_bytes` bounds the result.
 * @param level  Compression level, KOP_LEVEL_DEFAULT or one of the codec's own.
 * @param out    Receives the batch; free with kop_record_bytes_free().
 * @param out_len  Receives its size.
 * @return KOP_OK; KOP_ERR_LIMIT if the result would be larger than `max_message_bytes` (answer MESSAGE_TOO_LARGE);
 *         KOP_ERR_MALFORMED, KOP_ERR_CODEC, KOP_ERR_CHECKSUM for bytes that were not validated; KOP_ERR_INVALID; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_batch_rebuild(kop_record_ctx *ctx, const uint8_t *bytes, size_t len,
                                     const kop_batch_rules *rules, int32_t level, uint8_t **out,
                                     size_t *out_len);

/**
 * Turns stored batches into the magic an old consumer reads: 1 for Fetch 2 and 3, 0 for Fetch 0 and 1.
 *
 * Batches of that magic or below are copied as they are. Control batches are left out, headers are lost, offsets stay. Records
 * of uncompressed batches before `first_offset` are left out (some versions of librdkafka rely on it).
 *
 * @param ctx    Context.
 * @param bytes  Whole batches of any magic; a partial one at the end is left out. Borrowed for the call.
 * @param len    Bytes in them.
 * @param magic  0 or 1.
 * @param first_offset  The offset that the consumer asked for.
 * @param max_bytes  Bound of the result.
 * @param out    Receives the message set; free with kop_record_bytes_free(). NULL when nothing is left.
 * @param out_len  Receives its size.
 * @return KOP_OK; KOP_ERR_UNSUPPORTED for a zstd batch (answer UNSUPPORTED_COMPRESSION_TYPE); KOP_ERR_LIMIT;
 *         KOP_ERR_MALFORMED or KOP_ERR_CODEC for damaged bytes; KOP_ERR_INVALID for another magic; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_batch_down_convert(kop_record_ctx *ctx, const uint8_t *bytes, size_t len,
                                          int32_t magic, int64_t first_offset, size_t max_bytes,
                                          uint8_t **out, size_t *out_len);

/* ---- iterate ------------------------------------------------------------------------------------ */

/** A header of a record. */
typedef struct kop_record_header {
  kop_slice key;   /**< Never null. */
  kop_slice value; /**< NULL `ptr`: null. */
} kop_record_header;

/** One record of a batch of any magic. */
typedef struct kop_record {
  int64_t offset;    /**< Absolute, counted from the batch's base offset. */
  int64_t timestamp; /**< ms; -1 none. With LogAppendTime the batch's. */
  kop_slice key;     /**< NULL `ptr`: null. */
  kop_slice value;   /**< NULL `ptr`: null. */
  kop_slice headers; /**< The headers as they stand in the batch, for kop_record_header_next(). */
  int32_t header_count;   /**< How many. */
  int32_t sequence;       /**< The producer's; -1 none. */
  int32_t timestamp_type; /**< KOP_TIMESTAMP_. */
  int32_t size;           /**< Bytes the record takes uncompressed. */
} kop_record;

/**
 * Begins to iterate over one batch. Ends an earlier iteration of this context.
 *
 * @param ctx    Context.
 * @param batch  One whole entry of any magic; must stay until the last kop_record_next().
 * @param len    Its size as kop_batch_next() gave it.
 * @return KOP_OK; KOP_ERR_TRUNCATED, KOP_ERR_MALFORMED or KOP_ERR_NOT_FOUND as kop_batch_next(), KOP_ERR_UNSUPPORTED for
 *         an unknown codec; KOP_ERR_NOMEM. The checksum is not looked at, that is kop_batch_check_crc(). Since 0.1.
 */
KOP_API kop_status kop_record_begin(kop_record_ctx *ctx, const uint8_t *batch, size_t len);

/**
 * The next record.
 *
 * @param ctx     Context.
 * @param record  Receives it; its slices point into the batch or the context and stay valid until the next call.
 * @return KOP_OK; KOP_ERR_NOT_FOUND after the last one; KOP_ERR_STATE without a kop_record_begin(), or when another call on
 *         this context came between; KOP_ERR_MALFORMED, KOP_ERR_CODEC, KOP_ERR_CHECKSUM for damaged bytes; KOP_ERR_LIMIT; KOP_ERR_NOMEM.
 *         After an error the iteration is over. Since 0.1.
 */
KOP_API kop_status kop_record_next(kop_record_ctx *ctx, kop_record *record);

/**
 * Takes the next header off a record's headers.
 *
 * @param rest    Begin with a copy of `record.headers`; moved past the header.
 * @param header  Receives it; it borrows what `rest` borrows.
 * @return KOP_OK; KOP_ERR_NOT_FOUND when `rest` is empty; KOP_ERR_MALFORMED. Since 0.1.
 */
KOP_API kop_status kop_record_header_next(kop_slice *rest, kop_record_header *header);

/* ---- control records ---------------------------------------------------------------------------- */

/** Types of control records (KIP-98, KIP-595). */
enum {
  KOP_CONTROL_ABORT = 0,           /**< A transaction was aborted. */
  KOP_CONTROL_COMMIT = 1,          /**< A transaction was committed. */
  KOP_CONTROL_LEADER_CHANGE = 2,   /**< KRaft. */
  KOP_CONTROL_SNAPSHOT_HEADER = 3, /**< KRaft. */
  KOP_CONTROL_SNAPSHOT_FOOTER = 4, /**< KRaft. */
  KOP_CONTROL_KRAFT_VERSION = 5,   /**< KRaft. */
  KOP_CONTROL_KRAFT_VOTERS = 6     /**< KRaft. */
};

/** A decoded control record. */
typedef struct kop_control {
  int32_t version;           /**< Of the key; versions above 0 are read as 0. */
  int32_t type;              /**< KOP_CONTROL_; an unknown number is given as it is. */
  int32_t coordinator_epoch; /**< Of an end-of-transaction marker; -1 for the other types. */
  int32_t reserved;          /**< Zero. */
} kop_control;

/**
 * Reads a record of a control batch.
 *
 * @param record   A record that kop_record_next() gave, of a batch with KOP_BATCH_CONTROL.
 * @param control  Receives what it says.
 * @return KOP_OK; KOP_ERR_MALFORMED if key or value are null, too short or of a negative version. Since 0.1.
 */
KOP_API kop_status kop_control_decode(const kop_record *record, kop_control *control);

/* ---- build -------------------------------------------------------------------------------------- */

/** Writes batches. */
typedef struct kop_batch_builder kop_batch_builder;

/** What a batch to be built is like. Set the defaults with kop_batch_options_init(). */
typedef struct kop_batch_options {
  size_t size;            /**< sizeof(kop_batch_options) as the caller compiled it. */
  size_t max_bytes;       /**< Bound of the finished batch. Default 64 MiB. */
  int64_t base_offset;    /**< Default 0. */
  int64_t producer_id;    /**< Default -1. */
  int64_t log_append_ms;  /**< With KOP_TIMESTAMP_LOG_APPEND: the time. Default -1. */
  int32_t leader_epoch;   /**< Default -1. */
  int32_t base_sequence;  /**< Default -1. */
  int32_t magic;          /**< 0, 1 or 2. Default 2. */
  int32_t codec;          /**< KOP_CODEC_, not KEEP; zstd needs magic 2. Default none. */
  int32_t level;          /**< Default KOP_LEVEL_DEFAULT. */
  int32_t timestamp_type; /**< Default KOP_TIMESTAMP_CREATE; magic 0 has none and ignores it. */
  int32_t flags; /**< KOP_BATCH_TRANSACTIONAL and KOP_BATCH_CONTROL; magic 2 only. Default 0. */
  int32_t producer_epoch; /**< Default -1. */
} kop_batch_options;

/** A record to be written; nothing is kept of it after the call. */
typedef struct kop_record_in {
  int64_t offset;                   /**< Absolute, rising. -1: the one after the last. */
  int64_t timestamp;                /**< ms; -1 none. Ignored with LogAppendTime and in magic 0. */
  kop_slice key;                    /**< NULL `ptr`: null. */
  kop_slice value;                  /**< NULL `ptr`: null. */
  const kop_record_header *headers; /**< `header_count` of them; must be none below magic 2. */
  int32_t header_count;             /**< May be 0. */
  int32_t reserved;                 /**< Zero. */
} kop_record_in;

/**
 * Makes a builder; it keeps its buffers and codec states from batch to batch.
 *
 * @param alloc  Copied; NULL for the C heap.
 * @param out    Receives the handle; free it with kop_batch_builder_free().
 * @return KOP_OK; KOP_ERR_INVALID; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_batch_builder_new(const kop_alloc *alloc, kop_batch_builder **out);

/**
 * Frees a builder and the batch it lent.
 *
 * @param builder  May be NULL. Never fails. Since 0.1.
 */
KOP_API void kop_batch_builder_free(kop_batch_builder *builder);

/**
 * Sets the defaults.
 *
 * @param options  Receives them.
 * @param size     sizeof(kop_batch_options). Never fails. Since 0.1.
 */
KOP_API void kop_batch_options_init(kop_batch_options *options, size_t size);

/**
 * Begins a batch; what the builder lent before ends.
 *
 * @param builder  Builder.
 * @param options  Copied.
 * @return KOP_OK; KOP_ERR_INVALID for options that contradict each other; KOP_ERR_UNSUPPORTED for an unknown magic or
 *         codec; KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_batch_builder_begin(kop_batch_builder *builder,
                                           const kop_batch_options *options);

/**
 * Adds a record.
 *
 * @param builder  Builder.
 * @param record   The record, borrowed for the call.
 * @return KOP_OK; KOP_ERR_STATE without a begin; KOP_ERR_INVALID for an offset that does not rise or headers below magic 2;
 *         KOP_ERR_LIMIT if the batch would pass `max_bytes` (with a codec that is known only after compression,
 *         possibly at a later record or at finish), KOP_ERR_NOMEM. After LIMIT of an uncompressed batch the record was not
 *         added and the batch can be finished; after any other failure begin anew. Since 0.1.
 */
KOP_API kop_status kop_batch_builder_append(kop_batch_builder *builder,
                                            const kop_record_in *record);

/**
 * An upper bound of what finish would give if it were called now, in bytes: exact for an uncompressed batch.
 *
 * @param builder  Builder.
 * @return The bound; 0 without a begin. Never fails. Since 0.1.
 */
KOP_API size_t kop_batch_builder_size(const kop_batch_builder *builder);

/**
 * Ends the batch.
 *
 * @param builder  Builder.
 * @param batch    Receives the bytes, which stay valid until the next begin or free.
 * @param len      Receives their number.
 * @return KOP_OK; KOP_ERR_STATE without a begin or without a record; KOP_ERR_LIMIT; KOP_ERR_NOMEM; KOP_ERR_CODEC if a compression
 *         library fails. Since 0.1.
 */
KOP_API kop_status kop_batch_builder_finish(kop_batch_builder *builder, const uint8_t **batch,
                                            size_t *len);

#ifdef __cplusplus
}
#endif

#endif
