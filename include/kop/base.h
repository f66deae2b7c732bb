/**
 * @file base.h
 * The few types that every other header of libkop uses: status, slice, clock reading, allocator.
 *
 * Nothing in libkop reads a clock, draws a random number, opens a file, prints or starts a thread:
 * time comes in as a ::kop_now, memory through a ::kop_alloc, everything else through calls.
 */
#ifndef KOP_BASE_H
#define KOP_BASE_H

#include <stddef.h>
#include <stdint.h>

/** Marks what the shared object exports. Predefine it (empty) to read these headers with a tool. */
#ifndef KOP_API
#if defined(__GNUC__)
#define KOP_API __attribute__((visibility("default")))
#else
#define KOP_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Outcome of a call: 0 is success, negative is one of the KOP_ERR_ constants.
 *
 * It speaks about the call, never about the Kafka peer; Kafka's own int16 error codes are data and
 * have their own type (kop/kafka_error.h).
 */
typedef int32_t kop_status;

/** The values a ::kop_status can take. */
enum {
  KOP_OK = 0,             /**< Done. */
  KOP_ERR_INVALID = -1,   /**< An argument breaks the documented contract; nothing was changed. */
  KOP_ERR_NOMEM = -2,     /**< The allocator refused; the handle stays usable. */
  KOP_ERR_TRUNCATED = -3, /**< The input ends too early; more bytes may help. */
  KOP_ERR_MALFORMED = -4, /**< The input cannot be what it claims to be; more bytes do not help. */
  KOP_ERR_LIMIT = -5,     /**< A configured bound would be passed; raise it or refuse the input. */
  KOP_ERR_UNSUPPORTED = -6, /**< Unknown api key, version, codec or kind. */
  KOP_ERR_STATE = -7,       /**< The call is not allowed in the handle's present state. */
  KOP_ERR_NOT_FOUND = -8,   /**< The thing named does not exist. */
  KOP_ERR_CHECKSUM = -9,    /**< Bytes and their checksum disagree. */
  KOP_ERR_CODEC = -10,      /**< A compression library refused the bytes. */
  KOP_ERR_NO_SPACE = -11 /**< The output buffer is too small; the call says how much is needed. */
};

/** Borrowed bytes. `ptr` NULL means null where the protocol knows null; an empty value has a non-NULL `ptr`. */
typedef struct kop_slice {
  const uint8_t *ptr; /**< First byte, or NULL. */
  size_t len;         /**< Number of bytes. */
} kop_slice;

/** A topic id as Kafka writes it; all zero means none. */
typedef struct kop_uuid {
  uint8_t bytes[16]; /**< Most significant byte first. */
} kop_uuid;

/** Two clocks read at one moment by the embedder. */
typedef struct kop_now {
  uint64_t mono_ns; /**< Monotonic nanoseconds from any origin: timers and leases use it. */
  int64_t wall_ms;  /**< Milliseconds since the Unix epoch: record timestamps use it. */
} kop_now;

/**
 * Where a handle gets its memory. Copied into the handle; `user_data` must outlive it.
 *
 * `size` lets the struct grow at its tail. A NULL `kop_alloc *` anywhere means the C library's heap.
 */
typedef struct kop_alloc {
  size_t size;     /**< sizeof(kop_alloc) as the caller compiled it. */
  void *user_data; /**< Handed back as the first argument of both functions. */
  /** Like realloc: `ptr` NULL allocates. Returns NULL on failure and then leaves `ptr` valid. Never called with `size` 0. */
  void *(*realloc)(void *user_data, void *ptr, size_t size);
  /** Frees what `realloc` gave; `ptr` may be NULL. */
  void (*free)(void *user_data, void *ptr);
} kop_alloc;

/**
 * Names a status for a log line.
 *
 * @param status  Any ::kop_status.
 * @return A static English phrase, "unknown status" for a value that is none. Never fails. Since 0.1.
 */
KOP_API const char *kop_strerror(kop_status status);

/**
 * The version of the library that runs, as opposed to that of the headers compiled against.
 *
 * @return major * 1000000 + minor * 1000 + patch, to compare with KOP_VERSION_NUMBER. Never fails. Since 0.1.
 */
KOP_API uint32_t kop_version(void);

/**
 * The same as text.
 *
 * @return A static string such as "0.1.0". Never fails. Since 0.1.
 */
KOP_API const char *kop_version_string(void);

#ifdef __cplusplus
}
#endif

#endif
