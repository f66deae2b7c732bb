/* What the tests of conversion share: random batches, entries as bytes, comparison of records. */
#ifndef TESTS_UNIT_CONVERT_SUPPORT_H
#define TESTS_UNIT_CONVERT_SUPPORT_H

#include <criterion/criterion.h>
#include <kop/convert.h>
#include <stdlib.h>
#include <string.h>

#include "support/rng.h"

/* Bytes that a test owns. */
typedef struct bytes {
  uint8_t *ptr;
  size_t len;
} bytes;

kop_slice text_slice(const char *text);
bytes copy_bytes(const uint8_t *ptr, size_t len);

/* Random bytes of many kinds: null (if allowed), empty, text, text beyond ASCII, control characters, binary. Lives in `pool`. */
typedef struct pool {
  uint8_t bytes[256 * 1024];
  size_t used;
} pool;
kop_slice random_slice(uint64_t *seed, pool *p, int null_allowed, size_t most);

/* How random_batch is bounded. */
typedef struct shape {
  int records;  /* at most */
  int codec;    /* of the batch */
  int producer; /* 0 never, 1 perhaps */
  int holes;    /* 0 none, 1 perhaps */
  int odd_head; /* 1: timestamps in the head that are not the records', high attribute bits */
} shape;

/* The same seed and shape, but for the codec, give the same records and head. */
bytes random_batch(uint64_t seed, const shape *s);

/* Head and payload of an entry as one. */
bytes entry_bytes(const kop_convert_entry *entry);
/* Head and records of a batch as one. */
bytes batch_bytes(const kop_convert_batch *batch);

kop_convert *new_convert(void);
kop_to_pulsar_options to_pulsar_defaults(void);

/* Fails unless both are whole batches with the same head (but for length, checksum and codec) and the same records. */
void assert_same_batch(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

#endif
