/**
 * @file wire.h
 * Kafka's messages: decode and encode every request, response and coordinator record in every version.
 *
 * A message is known by its id (::KOP_MSG_FETCH_REQUEST and so on in kop/messages.h) and lives in a plain C
 * struct that is the same for all of its versions. Decoding works in place: strings, bytes and record sets of
 * the struct point into the input; only arrays and nullable structs are allocated, from an arena. Encoding
 * writes into the caller's memory. Nothing here keeps state between calls.
 *
 * What belongs to the protocol but to no single message is in here as well: the request and response
 * headers with their exceptions, and the cutting of a byte stream into frames.
 *
 * The structs of kop/messages.h may grow with a new release of libkop (source-stable, not layout-stable).
 * Every call that takes one also takes its size, so that a program compiled against other headers gets
 * ::KOP_ERR_INVALID and not a corruption. Language bindings use kop/reflect.h or kop/json.h instead.
 */
#ifndef KOP_WIRE_H
#define KOP_WIRE_H

#include <kop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Array of a message. `len` -1 is null where the protocol knows null; `ptr` may be NULL when `len` is 0 or -1. */
typedef struct kop_int8_array {
  int8_t *ptr; /**< The elements. */
  int32_t len; /**< How many, or -1. */
} kop_int8_array;

/** As ::kop_int8_array. */
typedef struct kop_int16_array {
  int16_t *ptr; /**< The elements. */
  int32_t len;  /**< How many, or -1. */
} kop_int16_array;

/** As ::kop_int8_array. */
typedef struct kop_int32_array {
  int32_t *ptr; /**< The elements. */
  int32_t len;  /**< How many, or -1. */
} kop_int32_array;

/** As ::kop_int8_array. */
typedef struct kop_int64_array {
  int64_t *ptr; /**< The elements. */
  int32_t len;  /**< How many, or -1. */
} kop_int64_array;

/** As ::kop_int8_array. */
typedef struct kop_uuid_array {
  kop_uuid *ptr; /**< The elements. */
  int32_t len;   /**< How many, or -1. */
} kop_uuid_array;

/** As ::kop_int8_array; array of strings. */
typedef struct kop_slice_array {
  kop_slice *ptr; /**< The elements. */
  int32_t len;    /**< How many, or -1. */
} kop_slice_array;

/* ---- arena ---- */

/** Memory of decoded messages; they all end at kop_arena_reset() or kop_arena_free(). */
typedef struct kop_arena kop_arena;

/**
 * Makes an arena.
 *
 * @param alloc  Where its memory comes from; copied. NULL: the C library's heap.
 * @param limit  Bytes it hands out at most between two resets. Eight times the longest frame, and not less
 *               than 1 MiB, is enough for every honest message.
 * @param out    The arena, owned by the caller, freed by kop_arena_free().
 * @return ::KOP_OK, ::KOP_ERR_INVALID (unusable allocator or NULL `out`), ::KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_arena_new(const kop_alloc *alloc, size_t limit, kop_arena **out);

/**
 * Ends the life of all messages decoded into the arena and keeps its largest block for the next ones.
 *
 * @param arena  The arena. Never fails. Since 0.1.
 */
KOP_API void kop_arena_reset(kop_arena *arena);

/**
 * Frees the arena and everything in it.
 *
 * @param arena  The arena; NULL is allowed. Never fails. Since 0.1.
 */
KOP_API void kop_arena_free(kop_arena *arena);

/**
 * Zeroed memory that lives as long as the messages of the arena, for those who build messages by hand.
 *
 * @param arena  The arena.
 * @param count  Number of objects.
 * @param size   Size of one.
 * @param out    The memory, aligned for any object. Never NULL on success, also for no bytes at all.
 * @return ::KOP_OK, ::KOP_ERR_LIMIT (the arena's limit), ::KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_arena_alloc(kop_arena *arena, size_t count, size_t size, void **out);

/* ---- which messages and versions there are ---- */

/** What the schema says about one message. */
typedef struct kop_message_info {
  size_t size;         /**< sizeof(kop_message_info) as the caller compiled it. */
  const char *name;    /**< Static, for example "FetchRequest". */
  uint32_t id;         /**< The KOP_MSG_ number. */
  uint32_t struct_id;  /**< The KOP_STRUCT_ number of its struct. */
  size_t struct_size;  /**< sizeof of its struct in this library. */
  int16_t api_key;     /**< Of requests and responses; -1 for all others. */
  int16_t version_min; /**< First version. */
  int16_t version_max; /**< Last version. */
  int16_t
      flexible_from; /**< First version with compact lengths and tagged fields; version_max + 1 when none is. */
  uint8_t
      unstable; /**< 1 when Kafka does not promise to keep the last version as it is: do not advertise that. */
  uint8_t is_response; /**< 1 for responses. */
  uint8_t reserved[6]; /**< Zero. */
} kop_message_info;

/**
 * Finds the message of an api key.
 *
 * @param api_key      Kafka's api key.
 * @param is_response  0 for the request, 1 for the response.
 * @param id           Receives the KOP_MSG_ number: api_key * 2 + is_response.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND. Since 0.1.
 */
KOP_API kop_status kop_message_find(int16_t api_key, uint8_t is_response, uint32_t *id);

/**
 * Finds a message by its name.
 *
 * @param name  For example "FetchRequest", "OffsetCommitKey".
 * @param id    Receives the KOP_MSG_ number.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND. Since 0.1.
 */
KOP_API kop_status kop_message_find_name(const char *name, uint32_t *id);

/**
 * Tells what the schema says about a message.
 *
 * @param id        A KOP_MSG_ number.
 * @param out       Filled; `out->size` is set to what was filled.
 * @param out_size  sizeof *out.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND (no such message), ::KOP_ERR_INVALID (`out_size` is that of no release). Since 0.1.
 */
KOP_API kop_status kop_message_describe(uint32_t id, kop_message_info *out, size_t out_size);

/**
 * The next message in the order of ids, to walk over all of them.
 *
 * @param id    0 to begin, then the last answer plus 1.
 * @param next  Receives the smallest id that is not less than `id`.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND when there is none. Since 0.1.
 */
KOP_API kop_status kop_message_next(uint32_t id, uint32_t *next);

/**
 * The versions of a message.
 *
 * @param id             A KOP_MSG_ number.
 * @param min            Receives the first version; may be NULL.
 * @param max            Receives the last version; may be NULL.
 * @param flexible_from  Receives the first flexible version, max + 1 when none is; may be NULL.
 * @param unstable       Receives 1 when the last version is one that Kafka calls unstable; may be NULL.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND. Since 0.1.
 */
KOP_API kop_status kop_message_versions(uint32_t id, int16_t *min, int16_t *max,
                                        int16_t *flexible_from, uint8_t *unstable);

/* ---- messages ---- */

/**
 * Sets every field of a message to its default, as Kafka's constructors do.
 *
 * Strings become empty (not null), arrays empty, unless the schema says otherwise. A struct that is only zeroed
 * is not initialised: its strings are null, and a null string where the protocol knows none is refused by
 * the encoder.
 *
 * @param id        A KOP_MSG_ number.
 * @param msg       The message's struct.
 * @param msg_size  sizeof *msg.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND (no such message), ::KOP_ERR_INVALID (not the size of that struct). Since 0.1.
 */
KOP_API kop_status kop_message_init(uint32_t id, void *msg, size_t msg_size);

/**
 * The same for a struct inside a message, an array element say.
 *
 * @param struct_id  A KOP_STRUCT_ number.
 * @param ptr        The struct.
 * @param size       sizeof *ptr.
 * @return As kop_message_init(). Since 0.1.
 */
KOP_API kop_status kop_struct_init(uint32_t struct_id, void *ptr, size_t size);

/**
 * Decodes one message.
 *
 * Every field that the version lacks gets its default. Slices in `msg` borrow from `in`, arrays and nullable structs
 * live in the arena; the message is valid while both are. Tagged fields that this version does not
 * know are kept, raw, in `unknown_tags` of their struct. Text is not checked for UTF-8.
 *
 * @param id        A KOP_MSG_ number.
 * @param version   The version `in` is written in.
 * @param arena     For arrays.
 * @param in        The body, without its header.
 * @param len       Bytes at `in`.
 * @param msg       The message's struct; left undefined on error.
 * @param msg_size  sizeof *msg.
 * @param consumed  Receives the bytes the message took; the caller decides about what follows (Kafka ignores it). May be NULL,
 *                  then trailing bytes are ::KOP_ERR_MALFORMED.
 * @return ::KOP_OK; ::KOP_ERR_TRUNCATED and ::KOP_ERR_MALFORMED (refuse the input: a frame is complete, more bytes do not come);
 *         ::KOP_ERR_LIMIT and ::KOP_ERR_NOMEM (the arena; the input may be honest); ::KOP_ERR_UNSUPPORTED (no such version);
 *         ::KOP_ERR_NOT_FOUND (no such message); ::KOP_ERR_INVALID (not the size of that struct). Since 0.1.
 */
KOP_API kop_status kop_message_decode(uint32_t id, int16_t version, kop_arena *arena,
                                      const uint8_t *in, size_t len, void *msg, size_t msg_size,
                                      size_t *consumed);

/**
 * How many bytes a message takes when encoded.
 *
 * @param id        A KOP_MSG_ number.
 * @param version   The version to write.
 * @param msg       The message's struct.
 * @param msg_size  sizeof *msg.
 * @param size      Receives the bytes.
 * @return ::KOP_OK; ::KOP_ERR_UNSUPPORTED when there is no such version, or when a field that the version lacks, and that is not
 *         ignorable, is not at its default; ::KOP_ERR_INVALID when a value cannot be written (null where the version
 *         knows none, a string over 32,767 bytes, a length over 2^31 - 1, unknown tags that are no ascending list or name
 *         a known one) or `msg_size` is not that of the struct; ::KOP_ERR_NOT_FOUND. Since 0.1.
 */
KOP_API kop_status kop_message_size(uint32_t id, int16_t version, const void *msg, size_t msg_size,
                                    size_t *size);

/**
 * Encodes one message.
 *
 * @param id        A KOP_MSG_ number.
 * @param version   The version to write.
 * @param msg       The message's struct.
 * @param msg_size  sizeof *msg.
 * @param out       Where the bytes go.
 * @param cap       Room at `out`.
 * @param written   Receives the bytes written, or with ::KOP_ERR_NO_SPACE the bytes needed.
 * @return As kop_message_size(), and ::KOP_ERR_NO_SPACE when `cap` is too small. Since 0.1.
 */
KOP_API kop_status kop_message_encode(uint32_t id, int16_t version, const void *msg,
                                      size_t msg_size, uint8_t *out, size_t cap, size_t *written);

/** A record set that kop_message_encode_cuts() left out: `bytes.len` bytes belong at `at`. */
typedef struct kop_cut {
  size_t
      at; /**< Position in the bytes written; several cuts may share one. Never falls from one cut to the next. */
  kop_slice
      bytes; /**< The field's slice as it stands in the message: only its length was looked at. */
} kop_cut;

/**
 * kop_message_size() for kop_message_encode_cuts().
 *
 * @param id        A KOP_MSG_ number.
 * @param version   The version to write.
 * @param msg       The message's struct.
 * @param msg_size  sizeof *msg.
 * @param size      Receives the bytes without the record sets.
 * @param cuts      Receives the number of cuts.
 * @return As kop_message_size(). Since 0.1.
 */
KOP_API kop_status kop_message_size_cuts(uint32_t id, int16_t version, const void *msg,
                                         size_t msg_size, size_t *size, size_t *cuts);

/**
 * Encodes one message without the bytes of its record sets (fields of type `records`), for sending them from where they lie.
 *
 * The length of each record set is written, its bytes are not read: a slice's `ptr` may be any non-NULL value by which the caller
 * finds the bytes later, in as many pieces as he likes. Null and empty record sets make no cut.
 *
 * @param id         A KOP_MSG_ number.
 * @param version    The version to write.
 * @param msg        The message's struct.
 * @param msg_size   sizeof *msg.
 * @param out        Where the bytes go.
 * @param cap        Room at `out`.
 * @param written    Receives the bytes written, cuts not counted, or with ::KOP_ERR_NO_SPACE the bytes needed.
 * @param cuts       Receives the cuts in order.
 * @param cut_cap    Room at `cuts`, in cuts.
 * @param cut_count  Receives their number, or with ::KOP_ERR_NO_SPACE the number needed.
 * @return As kop_message_encode(). Since 0.1.
 */
KOP_API kop_status kop_message_encode_cuts(uint32_t id, int16_t version, const void *msg,
                                           size_t msg_size, uint8_t *out, size_t cap,
                                           size_t *written, kop_cut *cuts, size_t cut_cap,
                                           size_t *cut_count);

/* ---- headers ---- */

/** The head of a request frame. */
typedef struct kop_request_header {
  size_t size;            /**< sizeof(kop_request_header) as the caller compiled it. */
  int16_t api_key;        /**< Which API, known to this library or not. */
  int16_t api_version;    /**< Which version, known or not. */
  int32_t correlation_id; /**< To be sent back. */
  kop_slice client_id;    /**< Borrowed from the input; `ptr` NULL when the client gave none. */
  kop_slice
      unknown_tags; /**< Tagged fields of a version 2 header, raw, borrowed; `ptr` NULL when there are none. */
  size_t body_offset; /**< Where the body begins in the input. */
  uint32_t
      message_id; /**< The KOP_MSG_ number of the request, valid when `supported` is not 0 or the API is known. */
  uint8_t header_version; /**< 0, 1 or 2. */
  uint8_t known;          /**< 1 when the schema has the API. */
  uint8_t supported;      /**< 1 when it has the API and the version: the body can be decoded. */
  uint8_t reserved;       /**< Zero. */
} kop_request_header;

/**
 * Decodes the header of a request.
 *
 * Version 2 of the header goes with flexible requests, version 0 (no client id) with ControlledShutdown version 0 alone, version 1 with all others. ApiVersions
 * above the last known version is read as flexible, because a client may ask in a version of the future and must get an
 * answer (KIP-511): `known` is then 1 and `supported` 0, and the answer is a version 0 ApiVersions response
 * with UNSUPPORTED_VERSION. For an unknown API or another unknown version only the first eight bytes are read
 * (`client_id` is null, `body_offset` 8): Kafka closes the connection.
 *
 * @param in        The frame without its length prefix.
 * @param len       Bytes at `in`.
 * @param out       Filled; `out->size` is set.
 * @param out_size  sizeof *out.
 * @return ::KOP_OK, ::KOP_ERR_TRUNCATED or ::KOP_ERR_MALFORMED (close the connection), ::KOP_ERR_INVALID. Since 0.1.
 */
KOP_API kop_status kop_request_header_decode(const uint8_t *in, size_t len, kop_request_header *out,
                                             size_t out_size);

/**
 * The bytes of a response header: 4, or 5 for a flexible response. ApiVersions always has 4, so that clients of any age can read it.
 *
 * @param api_key      Of the request.
 * @param api_version  Of the request.
 * @return 4 or 5; 4 for an API or version that the schema lacks. Never fails. Since 0.1.
 */
KOP_API size_t kop_response_header_size(int16_t api_key, int16_t api_version);

/**
 * Writes a response header.
 *
 * @param api_key         Of the request.
 * @param api_version     Of the request.
 * @param correlation_id  Of the request.
 * @param out             Room for kop_response_header_size() bytes.
 * @param cap             Room at `out`.
 * @param written         Receives the bytes written, or with ::KOP_ERR_NO_SPACE the bytes needed.
 * @return ::KOP_OK, ::KOP_ERR_NO_SPACE. Since 0.1.
 */
KOP_API kop_status kop_response_header_encode(int16_t api_key, int16_t api_version,
                                              int32_t correlation_id, uint8_t *out, size_t cap,
                                              size_t *written);

/**
 * Reads a response header, for those who look at the other direction.
 *
 * @param api_key         Of the request that is answered.
 * @param api_version     Of that request.
 * @param in              The frame without its length prefix.
 * @param len             Bytes at `in`.
 * @param correlation_id  Receives the correlation id.
 * @param body_offset     Receives where the body begins.
 * @return ::KOP_OK, ::KOP_ERR_TRUNCATED, ::KOP_ERR_MALFORMED. Since 0.1.
 */
KOP_API kop_status kop_response_header_decode(int16_t api_key, int16_t api_version,
                                              const uint8_t *in, size_t len,
                                              int32_t *correlation_id, size_t *body_offset);

/* ---- frames ---- */

/**
 * Where a byte stream stands: every frame is a 4-byte big-endian length and that many bytes.
 *
 * Plain state, no memory behind it; zero is the beginning of a stream. The fields are for reading.
 */
typedef struct kop_framer {
  uint32_t
      max_frame; /**< Longest frame that is accepted, without its prefix; set by kop_framer_init(). */
  uint32_t have;     /**< Bytes of the prefix seen, 0 to 4. */
  uint32_t length;   /**< Length of the present frame; valid when `have` is 4. */
  uint32_t received; /**< Bytes of the present frame's body seen. */
} kop_framer;

/** What kop_framer_next() found at the front of a chunk. */
enum {
  KOP_FRAME_MORE = 0,  /**< The chunk is used up. */
  KOP_FRAME_BEGIN = 1, /**< The length is known: framer.length bytes will follow. */
  KOP_FRAME_BYTES = 2, /**< Bytes of the body. */
  KOP_FRAME_END =
      3 /**< The last of them has been seen. A frame of length 0 has BEGIN and END only. */
};

/**
 * Begins a stream.
 *
 * @param framer     The state.
 * @param max_frame  Longest frame that is accepted; at most 2^31 - 1 has a meaning. Never fails. Since 0.1.
 */
KOP_API void kop_framer_init(kop_framer *framer, uint32_t max_frame);

/**
 * Takes the next step through a chunk of the stream. However the stream is cut into chunks, the same events come, only BYTES differ in number.
 *
 * @param framer  The state.
 * @param chunk   The chunk; moved past what the step used. With KOP_FRAME_BYTES `bytes` borrows from it.
 * @param bytes   Receives the bytes of the body with KOP_FRAME_BYTES, else an empty slice.
 * @param event   Receives a KOP_FRAME_ constant.
 * @return ::KOP_OK, ::KOP_ERR_MALFORMED (a negative length: close the connection), ::KOP_ERR_LIMIT (longer than `max_frame`: close it, or raise the limit and call again). Since 0.1.
 */
KOP_API kop_status kop_framer_next(kop_framer *framer, kop_slice *chunk, kop_slice *bytes,
                                   uint32_t *event);

#ifdef __cplusplus
}
#endif

#endif
